package process

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

// Table remembers the traced processes, at most as many as it has room for. The
// one that has not been seen for the longest time is forgotten first. It is for
// one goroutine.
type Table struct {
	room    int
	byID    map[ID]*entry
	byWho   map[Identity]*entry
	last    ID
	changes uint64 // grows whenever a process comes or goes
	evicted uint64
	omitted uint64 // attributes
}

type entry struct {
	traced Traced
	seen   window.Time
}

// NewTable returns a table with room for that many processes.
func NewTable(room int) *Table {
	return &Table{room: max(room, 1), byID: make(map[ID]*entry), byWho: make(map[Identity]*entry)}
}

// See notes the process that a resource of the receiver describes. It reports
// false where the resource does not say which process it is.
func (t *Table) See(resource pcommon.Map, now window.Time) (ID, bool) {
	who, ok := readIdentity(resource)
	if !ok {
		return 0, false
	}
	if known, ok := t.byWho[who]; ok {
		known.seen = max(known.seen, now)
		return known.traced.ID, true
	}
	return t.add(who, resource, now), true
}

func (t *Table) add(who Identity, resource pcommon.Map, now window.Time) ID {
	if len(t.byID) >= t.room {
		t.evict()
	}
	t.last++
	kept, omitted := copyResource(resource)
	t.omitted += omitted
	added := &entry{traced: Traced{ID: t.last, Identity: who, Resource: kept}, seen: now}
	t.byID[t.last], t.byWho[who] = added, added
	t.changes++
	return t.last
}

func (t *Table) evict() {
	var oldest *entry
	for _, e := range t.byID {
		if oldest == nil || e.seen < oldest.seen || e.seen == oldest.seen && e.traced.ID < oldest.traced.ID {
			oldest = e
		}
	}
	t.remove(oldest)
	t.evicted++
}

func (t *Table) remove(e *entry) {
	delete(t.byID, e.traced.ID)
	delete(t.byWho, e.traced.Identity)
	t.changes++
}

// Expire forgets the processes that were last seen before a time.
func (t *Table) Expire(before window.Time) {
	for _, e := range t.byID {
		if e.seen < before {
			t.remove(e)
		}
	}
}

// Get returns a process, or nil where it has been forgotten. It must not be changed.
func (t *Table) Get(id ID) *Traced {
	if e, ok := t.byID[id]; ok {
		return &e.traced
	}
	return nil
}

// All returns every process by ID. They must not be changed, and stay valid.
func (t *Table) All() []*Traced {
	all := make([]*Traced, 0, len(t.byID))
	for _, e := range t.byID {
		all = append(all, &e.traced)
	}
	slices.SortFunc(all, func(a, b *Traced) int { return int(a.ID) - int(b.ID) })
	return all
}

// Changes is another number whenever a process has come or gone.
func (t *Table) Changes() uint64 { return t.changes }

// Len returns how many processes are known.
func (t *Table) Len() int { return len(t.byID) }

// Evicted returns how many processes were forgotten for want of room.
func (t *Table) Evicted() uint64 { return t.evicted }

// Omitted returns how many attributes were left out of the copies of resources
// because they were too many or too large.
func (t *Table) Omitted() uint64 { return t.omitted }
