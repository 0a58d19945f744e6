// Package recent remembers what was used recently, in bounded memory.
package recent

// Map is a map that holds values of a total weight of at most twice its limit, and
// at least the latest used of its limit. It has two generations: what is used
// moves to the young one, and when that is full, the old one is forgotten. Every
// operation takes constant time on average. It is for one goroutine.
type Map[K comparable, V any] struct {
	limit      int
	weigh      func(V) int
	weight     int // of the young generation
	young, old map[K]entry[V]
	forgotten  uint64
	forget     func(V)
}

type entry[V any] struct {
	value  V
	weight int
}

// NewMap returns an empty map for a total weight of limit. weigh tells the weight
// of a value when it is set or used again; nil is 1 for each.
func NewMap[K comparable, V any](limit int, weigh func(V) int) *Map[K, V] {
	if weigh == nil {
		weigh = func(V) int { return 1 }
	}
	return &Map[K, V]{limit: max(limit, 1), weigh: weigh, young: make(map[K]entry[V]), forget: func(V) {}}
}

// OnForget makes m call forget with each value that it forgets. forget must not call
// m. A value that is replaced is not forgotten.
func (m *Map[K, V]) OnForget(forget func(V)) { m.forget = forget }

// Get returns the value at key, which counts as a use.
func (m *Map[K, V]) Get(key K) (V, bool) {
	if e, ok := m.young[key]; ok {
		return e.value, true
	}
	e, ok := m.old[key]
	if ok {
		delete(m.old, key)
		m.Set(key, e.value)
	}
	return e.value, ok
}

// Set puts value at key. A value that has grown must be set again.
func (m *Map[K, V]) Set(key K, value V) {
	delete(m.old, key)
	weight := m.weigh(value)
	m.weight += weight - m.young[key].weight
	m.young[key] = entry[V]{value, weight}
	if m.weight > m.limit {
		m.age(key)
	}
}

// age forgets the old generation and begins another young one, with key in it.
func (m *Map[K, V]) age(key K) {
	kept := m.young[key]
	delete(m.young, key)
	m.forgotten += uint64(len(m.old))
	for _, e := range m.old {
		m.forget(e.value)
	}
	m.old = m.young
	m.young = map[K]entry[V]{key: kept}
	m.weight = kept.weight
}

// Len returns how many values are held.
func (m *Map[K, V]) Len() int { return len(m.young) + len(m.old) }

// Forgotten returns how many values were forgotten so far.
func (m *Map[K, V]) Forgotten() uint64 { return m.forgotten }
