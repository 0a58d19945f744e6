package gpucausereceiver

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gpucause/gpucause/internal/event"
)

const (
	// followFrom is how long traced threads must have waited for a process
	// before it is followed.
	followFrom = time.Millisecond
	// rejectFor is how long more they must have waited for one that there was no
	// use in following before it is looked at again: its number may have a new owner.
	rejectFor = time.Minute
	// maxCandidates bounds the processes that are watched for it.
	maxCandidates = 1024
	// maxDispatchers bounds the threads whose every wait is watched.
	maxDispatchers = 4096
)

// kernelThread is PF_KTHREAD in the flags of /proc/<pid>/stat.
const kernelThread = 0x00200000

// isKernelThread reports whether pid is a thread of the Linux kernel. It wakes
// others for a device or a timer: its own waits are no one's story.
func isKernelThread(procPath string, pid event.PID) bool {
	raw, err := os.ReadFile(filepath.Join(procPath, strconv.FormatUint(uint64(pid), 10), "stat"))
	if err != nil {
		return false
	}
	// The name, in parentheses, may hold anything. After it: state, ppid, pgrp, session, tty_nr, tpgid, flags.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	if len(fields) < 7 {
		return false
	}
	flags, err := strconv.ParseUint(fields[6], 10, 64)
	return err == nil && flags&kernelThread != 0
}

// wakers chooses the processes to follow: those without CUDA calls for which
// traced threads waited, in a chain, or a dispatcher at any time.
type wakers struct {
	max         int
	candidates  map[event.PID]time.Duration // waited for, not followed yet
	followed    map[event.PID]struct{}
	dispatchers map[event.Thread]struct{}
	due         []event.PID // followed as of now
	refused     int         // for which there was no room

	forgotten uint64 // candidates, for want of room
	unwatched uint64 // times that there was no room for a dispatcher
}

func newWakers(config FollowWakersConfig) *wakers {
	w := &wakers{
		candidates:  make(map[event.PID]time.Duration),
		followed:    make(map[event.PID]struct{}),
		dispatchers: make(map[event.Thread]struct{}),
	}
	if config.Enabled {
		w.max = int(config.MaxProcesses)
	}
	return w
}

// addDispatcher makes every wait of a thread count, not only those in chains.
func (w *wakers) addDispatcher(thread event.Thread) {
	if _, watched := w.dispatchers[thread]; !watched && len(w.dispatchers) >= maxDispatchers {
		w.unwatched++
		return
	}
	w.dispatchers[thread] = struct{}{}
}

// matters reports whether a wait of a dispatcher was for another process.
func (w *wakers) matters(o *event.OffCPU) bool {
	if o.WakerContext != event.WakerTask || o.Waker.Thread.PID == o.Task.Thread.PID || w.max == 0 {
		return false
	}
	_, ok := w.dispatchers[o.Task.Thread]
	return ok
}

// waitedFor adds up a wait for a process that is not traced. Where there are too
// many such processes, it begins anew with all of them.
func (w *wakers) waitedFor(pid event.PID, wait time.Duration) {
	if _, ok := w.followed[pid]; ok || pid == 0 || wait <= 0 || w.max == 0 {
		return
	}
	before, watched := w.candidates[pid]
	if !watched && len(w.candidates) >= maxCandidates {
		w.forgotten += uint64(len(w.candidates))
		clear(w.candidates)
	}
	w.candidates[pid] = before + wait
	if before+wait < followFrom {
		return
	}
	w.choose(pid, before)
}

// choose follows a process if there is room. before is how long it was waited
// for until this wait: it is refused once.
func (w *wakers) choose(pid event.PID, before time.Duration) {
	if len(w.followed) < w.max {
		delete(w.candidates, pid)
		w.followed[pid] = struct{}{}
		w.due = append(w.due, pid)
	} else if before < followFrom {
		w.refused++
	}
}

// take returns the processes to follow from now on, and how many there was no
// room for, since the previous call.
func (w *wakers) take() (due []event.PID, refused int) {
	due, refused = w.due, w.refused
	w.due, w.refused = nil, 0
	return due, refused
}

// reject takes back the choice of a process.
func (w *wakers) reject(pid event.PID) {
	delete(w.followed, pid)
	w.candidates[pid] = -rejectFor
}

// forget makes room when a process is gone.
func (w *wakers) forget(pid event.PID) {
	delete(w.candidates, pid)
	delete(w.followed, pid)
	for thread := range w.dispatchers {
		if thread.PID == pid {
			delete(w.dispatchers, thread)
		}
	}
}

// forgetThread makes room when a thread is gone.
func (w *wakers) forgetThread(thread event.Thread) { delete(w.dispatchers, thread) }

// pids calls visit for every followed process.
func (w *wakers) pids(visit func(event.PID)) {
	for pid := range w.followed {
		visit(pid)
	}
}
