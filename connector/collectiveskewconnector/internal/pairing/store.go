package pairing

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/recent"
)

// Settings bound a Store.
type Settings struct {
	TTL            time.Duration // from the first report of a collective to its end
	MaxCollectives int           // held at a time, and remembered after their end
	MaxReports     int           // held at a time, of all collectives
	MaxRanks       int32         // of a communicator
}

// Finish takes a collective whose pairing has ended, sorted. It becomes its owner.
type Finish func(*collective.Collective, Reason)

// Store holds the collectives of which not every rank has reported, or one has not
// seen it complete. It is for one goroutine.
//
// Invariant: held and the list from oldest to newest have the same entries, by the
// time of their first report.
type Store struct {
	settings       Settings
	finish         Finish
	held           map[pcommon.TraceID]*entry
	oldest, newest *entry
	reports        int
	done           *recent.Map[pcommon.TraceID, struct{}]
}

// entry is a held collective.
type entry struct {
	collective.Collective
	numbers    []int32 // of the ranks that are there, rising
	pending    int     // ranks that did not see it complete
	failed     bool    // a rank's call failed, so that it does not complete
	deadline   time.Time
	prev, next *entry
}

// NewStore returns an empty store that hands out to finish.
func NewStore(settings Settings, finish Finish) *Store {
	return &Store{
		settings: settings,
		finish:   finish,
		held:     make(map[pcommon.TraceID]*entry),
		done:     recent.NewMap[pcommon.TraceID, struct{}](settings.MaxCollectives, nil),
	}
}

// Collectives returns how many collectives are held.
func (s *Store) Collectives() int { return len(s.held) }

// Reports returns how many reports are held.
func (s *Store) Reports() int { return s.reports }

// Add adds a report that came at now, and hands its collective out if nothing more is
// to come. It keeps nothing of r itself. now never goes back.
func (s *Store) Add(now time.Time, r *collective.Report) Outcome {
	if r.Key.Size > s.settings.MaxRanks {
		return Oversized
	}
	e := s.held[r.Trace]
	if e == nil {
		if _, done := s.done.Get(r.Trace); done {
			return Late
		}
		e = s.open(now, r)
	}
	if !e.agrees(r) {
		return Conflicting
	}
	outcome := s.take(e, r)
	if e.settled() {
		s.close(e, Complete)
	}
	s.fit()
	return outcome
}

// take takes a report that agrees into e.
func (s *Store) take(e *entry, r *collective.Report) Outcome {
	i, known := slices.BinarySearch(e.numbers, r.Rank.Number)
	if known {
		return e.update(r)
	}
	e.numbers = slices.Insert(e.numbers, i, r.Rank.Number)
	e.Add(r)
	s.reports++
	switch {
	case r.Rank.Is(collective.Failed):
		e.failed = true
	case r.Rank.End == collective.CompletionPending:
		e.pending++
	}
	return Paired
}

// update takes a report of a rank that has reported before.
func (e *entry) update(r *collective.Report) Outcome {
	before := e.Rank(r.Rank.Number)
	failed := before.Is(collective.Failed) || r.Rank.Is(collective.Failed)
	if failed || before.End != collective.CompletionPending || r.Rank.End != collective.CompletionSeen {
		return Duplicate
	}
	e.Replace(r)
	e.pending--
	return Updated
}

// whole reports whether every rank has reported.
func (e *entry) whole() bool { return len(e.Ranks) == e.Expected() }

// settled reports whether nothing more is to come: every rank has reported, and those
// that did not see it complete are not going to.
func (e *entry) settled() bool {
	return e.whole() && (e.pending == 0 || e.failed || e.Disagrees())
}

// farthest is how far the enqueues of one collective may lie apart, the offsets of
// clocks included.
const farthest = 24 * time.Hour

// agrees reports whether r can be a part of e. Two ends of a pair have different
// numbers, which the pair names; so a rank of a pair is one of its ends.
func (e *entry) agrees(r *collective.Report) bool {
	if e.Key != r.Key {
		return false
	}
	return len(e.Ranks) == 0 || r.Rank.Enqueue.Sub(e.Ranks[0].Enqueue).Abs() <= farthest
}

// fit hands out the oldest collectives until the others fit.
func (s *Store) fit() {
	for len(s.held) > s.settings.MaxCollectives || s.reports > s.settings.MaxReports {
		s.close(s.oldest, Evicted)
	}
}

// Expire hands out the collectives whose time is over at now.
func (s *Store) Expire(now time.Time) {
	for s.oldest != nil && !now.Before(s.oldest.deadline) {
		s.close(s.oldest, Expired)
	}
}

// Close hands out everything.
func (s *Store) Close() {
	for s.oldest != nil {
		s.close(s.oldest, Stopped)
	}
}

func (s *Store) open(now time.Time, r *collective.Report) *entry {
	e := &entry{
		Collective: collective.Collective{Key: r.Key, Trace: r.Trace, Parent: r.Parent},
		deadline:   now.Add(s.settings.TTL),
		prev:       s.newest,
	}
	if s.newest == nil {
		s.oldest = e
	} else {
		s.newest.next = e
	}
	s.newest = e
	s.held[r.Trace] = e
	return e
}

func (s *Store) close(e *entry, reason Reason) {
	if e.prev == nil {
		s.oldest = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		s.newest = e.prev
	} else {
		e.next.prev = e.prev
	}
	delete(s.held, e.Trace)
	s.done.Set(e.Trace, struct{}{})
	s.reports -= len(e.Ranks)
	if e.whole() {
		reason = Complete
	}
	e.Sort()
	s.finish(&e.Collective, reason)
}
