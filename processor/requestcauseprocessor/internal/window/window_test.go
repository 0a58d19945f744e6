package window

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestAnd(t *testing.T) {
	w := Window{10, 20}
	assert.Equal(t, Window{12, 15}, w.And(Window{12, 15}))
	assert.Equal(t, Window{10, 15}, w.And(Window{0, 15}))
	assert.True(t, w.And(Window{20, 30}).Empty(), "windows that touch share nothing")
	assert.Zero(t, w.And(Window{20, 30}).Duration())
	assert.Zero(t, w.And(Window{50, 60}).Duration())
}

func TestHull(t *testing.T) {
	w := Window{10, 20}
	assert.Equal(t, Window{5, 20}, w.Hull(Window{5, 6}))
	assert.Equal(t, w, w.Hull(Window{}))
	assert.Equal(t, w, Window{7, 7}.Hull(w))
}

func TestContains(t *testing.T) {
	w := Window{10, 20}
	assert.True(t, w.Contains(w))
	assert.False(t, w.Contains(Window{9, 11}))
	assert.False(t, w.Contains(Window{19, 21}))
}

func TestExtremesDoNotOverflow(t *testing.T) {
	assert.Equal(t, Time(math.MaxInt64), Time(math.MaxInt64-1).Add(time.Hour))
	assert.Equal(t, Time(math.MinInt64), Time(math.MinInt64+1).Add(-time.Hour))
	assert.Equal(t, time.Duration(math.MaxInt64), Window{math.MinInt64, math.MaxInt64}.Duration())
	assert.Equal(t, pcommon.Timestamp(0), Time(-1).Timestamp())
	_, ok := Of(math.MaxUint64)
	assert.False(t, ok)
}

func TestTimesOfSpans(t *testing.T) {
	at := time.Unix(1795420280, 67869440)
	stamp, ok := Of(pcommon.NewTimestampFromTime(at))
	assert.True(t, ok)
	assert.Equal(t, At(at), stamp)
	assert.Equal(t, pcommon.NewTimestampFromTime(at), stamp.Timestamp())
	assert.Equal(t, stamp+5, stamp.Add(5))
}
