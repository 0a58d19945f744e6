package clock

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
)

const (
	ms     = time.Millisecond
	window = time.Minute
)

var epoch = time.Unix(1_700_000_000, 0)

// at returns a reading of a clock that is right.
func at(d time.Duration) collective.Time { return collective.Time(epoch.UnixNano()).Add(d) }

// observe makes the book see one collective of hosts a and b at d, a millisecond
// long on both, with b's clock ahead.
func observe(b *Book, d, ahead time.Duration) {
	b.Observe("c", epoch.Add(d), []Reading{
		{"a", at(d), at(d + ms)},
		{"b", at(d + ahead), at(d + ahead + ms)},
	})
}

func offset(b *Book, d time.Duration) Offset {
	return b.Offsets("a", at(d), epoch.Add(d), []string{"b"})[0]
}

func TestNothingIsKnownOfNewClocks(t *testing.T) {
	b := NewBook(window)
	assert.False(t, offset(b, 0).Known)
}

func TestOneCollectiveBoundsBothSides(t *testing.T) {
	b := NewBook(window)
	observe(b, 0, 7*ms)
	assert.Equal(t, Offset{Low: 6 * ms, High: 8 * ms, Known: true}, offset(b, 0))
	assert.Equal(t, 7*ms, offset(b, 0).Middle())
	assert.Equal(t, ms, offset(b, 0).Error())
	assert.Equal(t, Offset{Low: -8 * ms, High: -6 * ms, Known: true},
		b.Offsets("b", at(7*ms), epoch, []string{"a"})[0], "the other way round")
}

func TestOneSideIsNotEnough(t *testing.T) {
	b := NewBook(window)
	b.Observe("c", epoch, []Reading{{"a", at(0), 0}, {"b", at(0), at(ms)}})
	o := offset(b, 0)
	assert.False(t, o.Known)
	assert.Equal(t, ms, o.High)
}

func TestBoundsOfSeveralIntersect(t *testing.T) {
	b := NewBook(window)
	b.Observe("c", epoch, []Reading{{"a", at(9 * ms), at(10 * ms)}, {"b", at(0), at(10 * ms)}}) // a is late
	b.Observe("d", epoch, []Reading{{"a", at(0), at(10 * ms)}, {"b", at(9 * ms), at(10 * ms)}}) // b is late
	o := b.Offsets("a", at(0), epoch, []string{"b"})[0]
	assert.InDelta(t, -ms, o.Low, float64(3*time.Microsecond))
	assert.InDelta(t, ms, o.High, float64(3*time.Microsecond))
}

func TestWhatIsKnownWearsOff(t *testing.T) {
	b := NewBook(window)
	observe(b, 0, 0)
	assert.Equal(t, ms+2*ms, offset(b, 10*time.Second).High, "200 ppm of 10 s")
	assert.False(t, offset(b, window+time.Second).Known)
}

func TestTheNarrowestOfATimeIsKept(t *testing.T) {
	b := NewBook(window)
	observe(b, 0, 0)
	for i := range 100 { // wide ones in the same share of the window
		d := time.Duration(i) * ms
		b.Observe("c", epoch.Add(d), []Reading{{"a", at(d), at(d + time.Second)}, {"b", at(d), at(d + time.Second)}})
	}
	assert.Less(t, offset(b, 100*ms).Error(), 2*ms)
}

func TestAClockThatIsSetIsForgotten(t *testing.T) {
	b := NewBook(window)
	observe(b, 0, 0)
	observe(b, 5*time.Second, time.Hour)
	o := offset(b, 5*time.Second)
	assert.Equal(t, time.Hour, o.Middle(), "what is nearest counts")
	assert.EqualValues(t, 1, b.Resets())
	assert.Equal(t, o, offset(b, 5*time.Second))
	assert.EqualValues(t, 1, b.Resets(), "counted once")
}

// three makes the book see a collective of three hosts; ahead are their clocks.
func three(b *Book, d time.Duration, ahead [3]time.Duration) {
	var readings []Reading
	for i, name := range []string{"a", "b", "c"} {
		readings = append(readings, Reading{name, at(d + ahead[i]), at(d + ahead[i] + ms)})
	}
	b.Observe("c", epoch.Add(d), readings)
}

func TestTheClockThatMostContradictWasSet(t *testing.T) {
	b := NewBook(window)
	three(b, 0, [3]time.Duration{})
	three(b, 5*time.Second, [3]time.Duration{time.Second, 0, 0})
	b.Offsets("a", at(6*time.Second), epoch.Add(5*time.Second), []string{"b", "c"})
	assert.EqualValues(t, 1, b.Resets())
	o := b.Offsets("b", at(5*time.Second), epoch.Add(5*time.Second), []string{"c"})[0]
	assert.Less(t, o.Error(), ms+time.Microsecond, "b and c are still known by both collectives")

	three(b, 10*time.Second, [3]time.Duration{time.Second, 0, time.Second})
	b.Offsets("a", at(11*time.Second), epoch.Add(10*time.Second), []string{"b", "c"})
	assert.EqualValues(t, 2, b.Resets(), "c")
}

func TestACollectiveThatContradictsItselfIsRejected(t *testing.T) {
	b := NewBook(window)
	b.Observe("c", epoch, []Reading{{"a", at(5 * ms), at(0)}, {"b", at(0), at(ms)}})
	assert.EqualValues(t, 1, b.Rejected())
	assert.False(t, offset(b, 0).Known)
}

// world is some hosts whose clocks are wrong and drift, within what is assumed.
type world struct {
	random *rand.Rand
	theta  []time.Duration // at time 0
	ppm    []float64
}

func newWorld(seed uint64, hosts int) *world {
	w := &world{random: rand.New(rand.NewPCG(seed, 0))}
	for range hosts {
		w.theta = append(w.theta, time.Duration(w.random.Int64N(int64(20*time.Second)))-10*time.Second)
		w.ppm = append(w.ppm, (2*w.random.Float64()-1)*99)
	}
	return w
}

// error returns what the clock of host reads too much at d.
func (w *world) error(host int, d time.Duration) time.Duration {
	return w.theta[host] + time.Duration(w.ppm[host]*1e-6*float64(d))
}

func (w *world) read(host int, d time.Duration) collective.Time { return at(d + w.error(host, d)) }

// collective returns what a collective at d shows: hosts come within spread, each at
// some time in a call that is told to have begun before, and complete after the last
// one has come.
func (w *world) collective(d time.Duration) []Reading {
	come := make([]time.Duration, len(w.theta))
	var last time.Duration
	spread := int64(ms) << w.random.IntN(7)
	for host := range come {
		come[host] = d + time.Duration(w.random.Int64N(spread))
		last = max(last, come[host])
	}
	var readings []Reading
	for host, enqueue := range come {
		r := Reading{Clock: fmt.Sprint(host), Enqueued: w.read(host, enqueue-time.Duration(w.random.Int64N(spread)))}
		if w.random.IntN(10) > 0 {
			r.Completed = w.read(host, last+time.Duration(w.random.Int64N(spread)))
		}
		if w.random.IntN(20) > 0 {
			readings = append(readings, r)
		}
	}
	return readings
}

// TestTheTruthIsWithinTheBounds lets collectives of several communicators happen to
// hosts with wrong clocks. Whatever is said of two clocks must be true.
func TestTheTruthIsWithinTheBounds(t *testing.T) {
	const hosts = 5
	narrow := 0
	for seed := range uint64(20) {
		w := newWorld(seed, hosts)
		b := NewBook(window)
		for i := range 400 {
			d := time.Duration(i) * 700 * ms
			b.Observe(fmt.Sprint(i%3), epoch.Add(d+time.Duration(w.random.Int64N(int64(300*ms)))), w.collective(d))
			from, to := w.random.IntN(hosts), w.random.IntN(hosts)
			if from == to {
				continue
			}
			o := b.Offsets(fmt.Sprint(from), w.read(from, d), epoch.Add(d+400*ms), []string{fmt.Sprint(to)})[0]
			truth := w.error(to, d) - w.error(from, d)
			require.LessOrEqual(t, o.Low, truth, "seed %d, collective %d", seed, i)
			require.GreaterOrEqual(t, o.High, truth, "seed %d, collective %d", seed, i)
			if o.Known && o.Error() < 5*ms {
				narrow++
			}
		}
		assert.Zero(t, b.Resets(), "no clock was set")
	}
	assert.Greater(t, narrow, 2500, "of 6400: the bounds are of use")
}

func TestMemoryIsBounded(t *testing.T) {
	b := NewBook(window)
	for i := range 3 * maxClocks {
		b.Observe(fmt.Sprint(i), epoch, []Reading{{fmt.Sprint("a", i), at(0), at(ms)}, {fmt.Sprint("b", i), at(0), at(ms)}})
	}
	assert.LessOrEqual(t, b.clocks.Len(), 2*maxClocks)
	assert.LessOrEqual(t, b.histories.Len()*2*(slots+1), 2*maxReadings)
	assert.Positive(t, b.Forgotten())
}
