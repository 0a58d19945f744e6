package requestcauseprocessor

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/locate"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/scan"
)

// held is a payload with requests that waits for late stalls.
type held struct {
	traces ptrace.Traces
	found  scan.Found
	client client.Info
	due    time.Time
	bytes  int64
	// meeting is with the sender. It has told enough when it is done, or at the
	// time in by.
	meeting *locate.Meeting
	by      time.Time
}

// told reports whether it is time to go by what is known of the sender.
func (p *held) told(now time.Time) bool {
	select {
	case <-p.meeting.Done():
		return true
	default:
		return !now.Before(p.by)
	}
}

// hold is the payloads that wait, in the order in which they came, which is the
// one in which they leave. It may be used from several goroutines.
type hold struct {
	most int64
	// changed has a value whenever something came, or the hold was closed or
	// abandoned.
	changed chan struct{}

	mu        sync.Mutex
	queue     []*held
	bytes     int64 // of the queue, and of the payload that is on its way out
	met       int   // [:met] have been met by the worker
	closed    bool
	abandoned bool
}

func newHold(most int64) *hold { return &hold{most: most, changed: make(chan struct{}, 1)} }

// put takes a payload in. It reports false where there is no room or the hold
// is closed.
func (h *hold) put(p *held) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.bytes+p.bytes > h.most {
		return false
	}
	h.queue = append(h.queue, p)
	h.bytes += p.bytes
	h.signal()
	return true
}

func (h *hold) signal() {
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// close lets nothing more in, and makes everything due.
func (h *hold) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.signal()
}

// abandon lets what is still there leave at once, whoever sent it.
func (h *hold) abandon() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.abandoned = true
	h.signal()
}

// arrived returns the next payload that was not met before, if it is time to go by
// what is known of its sender, or nil.
func (h *hold) arrived(now time.Time) *held {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.unmet()
	if p == nil || !h.abandoned && !p.told(now) {
		return nil
	}
	h.met++
	return p
}

// unmet returns the first payload that was not met before, or nil.
func (h *hold) unmet() *held {
	if h.met >= len(h.queue) {
		return nil
	}
	return h.queue[h.met]
}

// told is closed when there is nothing more to wait for of the sender of the first
// payload that was not met before; it is nil where there is none.
func (h *hold) told() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.unmet(); p != nil {
		return p.meeting.Done()
	}
	return nil
}

// exit says why a payload leaves.
type exit uint8

const (
	exitNot   exit = iota // it does not
	exitDue               // its time has come
	exitEarly             // the hold is half full
	exitEnd               // the hold is closed
)

// next returns the first payload if it leaves now, and otherwise when to ask again;
// never where there is none. None leaves before it was met. Its room is free again
// only when done is called.
func (h *hold) next(now time.Time) (p *held, why exit, again time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.queue) == 0 {
		return nil, exitNot, time.Time{}
	}
	first := h.queue[0]
	switch {
	case h.met == 0:
		return nil, exitNot, first.by
	case h.closed:
		why = exitEnd
	case !now.Before(first.due):
		why = exitDue
	case h.bytes > h.most/2:
		why = exitEarly
	default:
		return nil, exitNot, h.again(first.due)
	}
	h.queue[0] = nil
	h.queue = h.queue[1:]
	h.met--
	return first, why, time.Time{}
}

// again returns when the first payload is due, or before that the first one that
// was not met is to be met.
func (h *hold) again(due time.Time) time.Time {
	if p := h.unmet(); p != nil && p.by.Before(due) {
		return p.by
	}
	return due
}

// done frees the room of a payload that has left.
func (h *hold) done(p *held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bytes -= p.bytes
}

// ended reports whether the hold is closed and empty.
func (h *hold) ended() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed && len(h.queue) == 0
}

// size returns how much is held.
func (h *hold) size() (payloads int, bytes int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.queue), h.bytes
}
