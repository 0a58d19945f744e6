package stall

import (
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// Query asks for the stalls that overlap a window.
type Query struct {
	Window    window.Window
	Processes []process.ID
	TID       int64 // only of this thread; 0: of all
}

// Ref is a stall in the store. It is valid until the next Add or Advance.
type Ref struct {
	Thread Thread
	*Stall
	links *uint32
}

// Link takes one of the links that a stall's trace may have, of most. It
// reports false where there is none left.
func (r Ref) Link(most uint32) bool {
	if *r.links >= most {
		return false
	}
	*r.links++
	return true
}

// Visit calls visit with every stall that overlaps the window, by start, until
// visit reports false.
func (s *Store) Visit(q Query, visit func(Ref) bool) {
	s.merge.reset()
	for _, id := range q.Processes {
		for _, candidate := range s.of[id] {
			if q.TID == 0 || candidate.thread.TID == q.TID {
				s.merge.add(candidate, q.Window)
			}
		}
	}
	for {
		next, ok := s.merge.next()
		if !ok || !visit(next) {
			return
		}
	}
}

// merge walks several series at once, by the start of their stalls: a heap of
// cursors, the earliest on top. It is used again, to allocate nothing.
type merge struct {
	cursors []cursor
	window  window.Window
}

type cursor struct {
	series *series
	at     int // in live
}

func (c *cursor) stall() *stored { return &c.series.live()[c.at] }

func (c *cursor) before(other *cursor) bool {
	a, b := c.stall(), other.stall()
	if a.Start != b.Start {
		return a.Start < b.Start
	}
	if c.series.thread.Process != other.series.thread.Process {
		return c.series.thread.Process < other.series.thread.Process
	}
	return c.series.thread.TID < other.series.thread.TID
}

func (m *merge) reset() { m.cursors = m.cursors[:0] }

func (m *merge) add(s *series, w window.Window) {
	m.window = w
	c := cursor{series: s, at: s.after(w.Start)}
	if m.valid(&c) {
		m.cursors = append(m.cursors, c)
		m.up(len(m.cursors) - 1)
	}
}

// valid reports whether the cursor is at a stall that overlaps the window.
func (m *merge) valid(c *cursor) bool {
	return c.at < len(c.series.live()) && c.stall().Start < m.window.End
}

func (m *merge) next() (Ref, bool) {
	if len(m.cursors) == 0 {
		return Ref{}, false
	}
	top := &m.cursors[0]
	found := top.stall()
	ref := Ref{Thread: top.series.thread, Stall: &found.Stall, links: &found.links}
	top.at++
	if !m.valid(top) {
		last := len(m.cursors) - 1
		m.cursors[0] = m.cursors[last]
		m.cursors = m.cursors[:last]
	}
	m.down()
	return ref, true
}

func (m *merge) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !m.cursors[i].before(&m.cursors[parent]) {
			return
		}
		m.cursors[i], m.cursors[parent] = m.cursors[parent], m.cursors[i]
		i = parent
	}
}

func (m *merge) down() {
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(m.cursors) {
			return
		}
		if right := child + 1; right < len(m.cursors) && m.cursors[right].before(&m.cursors[child]) {
			child = right
		}
		if !m.cursors[child].before(&m.cursors[i]) {
			return
		}
		m.cursors[i], m.cursors[child] = m.cursors[child], m.cursors[i]
		i = child
	}
}
