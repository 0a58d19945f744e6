package stall

import (
	"slices"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// Query asks for the stalls that overlap a window.
type Query struct {
	Window    window.Window
	Processes []process.ID
	TID       int64 // only of this thread; 0: of all
}

// Visit calls visit with every stall that overlaps the window, by start, until
// visit reports false. It takes time in proportion to the stalls in the window,
// and to the number of lists that they are in: see Unite.
func (s *Store) Visit(q Query, visit func(*Entry) bool) {
	cursors := s.cursors(&q)
	if len(cursors) == 1 {
		for only := &cursors[0]; only.find(&q) && visit(&only.rest[0]); only.rest = only.rest[1:] {
		}
		return
	}
	for {
		var first *cursor
		for i := range cursors {
			if c := &cursors[i]; c.find(&q) && (first == nil || c.rest[0].Start < first.rest[0].Start) {
				first = c
			}
		}
		if first == nil || !visit(&first.rest[0]) {
			return
		}
		first.rest = first.rest[1:]
	}
}

// cursor walks along a list.
type cursor struct {
	rest []Entry
	// mixed is true where stalls of other processes are in the list, too, or of
	// other threads.
	mixed bool
}

func (s *Store) cursors(q *Query) []cursor {
	var lists []*list
	for _, id := range q.Processes {
		if at, ok := s.places[id]; ok && !slices.Contains(lists, at.list) {
			lists = append(lists, at.list)
		}
	}
	cursors := make([]cursor, 0, len(lists))
	for _, l := range lists {
		other := func(id process.ID) bool { return !slices.Contains(q.Processes, id) }
		mixed := q.TID != 0 || slices.ContainsFunc(l.of, other)
		cursors = append(cursors, cursor{rest: l.live()[l.from(q.Window.Start):], mixed: mixed})
	}
	return cursors
}

// find moves on to the next stall that is asked for, and reports whether there
// is one.
func (c *cursor) find(q *Query) bool {
	for ; len(c.rest) > 0; c.rest = c.rest[1:] {
		next := &c.rest[0]
		if next.Start >= q.Window.End {
			return false
		}
		if next.End > q.Window.Start && (!c.mixed || q.wants(next)) {
			return true
		}
	}
	return false
}

func (q *Query) wants(e *Entry) bool {
	return (q.TID == 0 || e.Record.Thread.TID == q.TID) && slices.Contains(q.Processes, e.Process)
}
