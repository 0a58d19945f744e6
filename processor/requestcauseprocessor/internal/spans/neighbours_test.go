package spans

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/neighbour"
)

// Only a request that stands out is named; the others may all be waiting for one
// that is not known yet.
func TestBlocker(t *testing.T) {
	for _, c := range []struct {
		name   string
		shares []float64
		named  bool
	}{
		{"nobody is known", nil, false},
		{"one alone", []float64{1}, false},
		{"two alike", []float64{0.54, 0.46}, false},
		{"half of it, and many small ones", []float64{0.5, 0.1, 0.1, 0.1, 0.1, 0.1}, true},
		{"less than half", []float64{0.4, 0.05, 0.05}, false},
		{"not five times the next", []float64{0.7, 0.15, 0.15}, false},
		{"nearly all", []float64{0.97, 0.03}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all []neighbour.Neighbour
			for _, share := range c.shares {
				all = append(all, neighbour.Neighbour{Share: share})
			}
			assert.Equal(t, c.named, blockerOf(all) != nil)
		})
	}
}
