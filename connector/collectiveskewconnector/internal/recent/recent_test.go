package recent

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheLatestAreKept(t *testing.T) {
	m := NewMap[int, int](10, nil)
	for i := range 1000 {
		m.Set(i, -i)
		assert.LessOrEqual(t, m.Len(), 20)
		for k := max(0, i-9); k <= i; k += 3 {
			v, ok := m.young[k]
			if !ok {
				v, ok = m.old[k]
			}
			assert.True(t, ok, "%d of %d", k, i)
			assert.Equal(t, -k, v.value)
		}
	}
	assert.Equal(t, 1000, m.Len()+int(m.Forgotten()))
}

func TestWhatIsUsedStays(t *testing.T) {
	m := NewMap[int, string](4, nil)
	m.Set(-1, "used")
	for i := range 100 {
		m.Set(i, "")
		v, ok := m.Get(-1)
		assert.True(t, ok)
		assert.Equal(t, "used", v)
	}
	_, ok := m.Get(3)
	assert.False(t, ok)
}

func TestWeightsCount(t *testing.T) {
	m := NewMap[string, []int](100, func(v []int) int { return len(v) })
	m.Set("a", make([]int, 60))
	m.Set("a", make([]int, 70))
	m.Set("b", make([]int, 20))
	assert.Empty(t, m.old, "what is set again weighs once")
	m.Set("c", make([]int, 20))
	assert.Len(t, m.old, 2)
	m.Set("d", make([]int, 90))
	assert.Len(t, m.young, 1)
	assert.EqualValues(t, 2, m.Forgotten())
	_, ok := m.Get("c")
	assert.True(t, ok)
}

func TestWhatIsForgottenIsHandedOut(t *testing.T) {
	m, forgotten := NewMap[int, int](4, nil), map[int]int{}
	m.OnForget(func(i int) { forgotten[i]++ })
	for i := range 100 {
		m.Set(i, i)
		m.Set(i, i)
	}
	assert.Len(t, forgotten, int(m.Forgotten()))
	for i := range 100 {
		_, held := m.Get(i)
		assert.NotEqual(t, held, forgotten[i] == 1)
	}
}
