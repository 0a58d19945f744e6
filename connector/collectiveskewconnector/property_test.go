package collectiveskewconnector

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/scenario"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/verdict"
)

// part is what a rank really does in a collective; times are true ones.
type part struct {
	enter, enqueue, back time.Duration // the call that enqueues, and when in it
	wait, until          time.Duration // of its host
	line                 string        // of the story, without the rank's number
}

// drama is a story with its truth.
type drama struct {
	random *rand.Rand
	hosts  int
	acts   [][]part // by sequence number - 1, by rank
}

const dramaMinLag = time.Millisecond

// newDrama makes up some collectives of 2 to 12 ranks on 1 to 4 hosts. In some a
// rank or two are late, and hosts wait at once, later, or not at all.
func newDrama(seed uint64) *drama {
	d := &drama{random: rand.New(rand.NewPCG(seed, 1))}
	d.hosts = 1 + d.random.IntN(4)
	ranks := 2 + d.random.IntN(11)
	for range 12 {
		d.acts = append(d.acts, d.act(ranks))
	}
	return d
}

func (d *drama) upTo(limit time.Duration) time.Duration {
	return time.Duration(d.random.Int64N(int64(limit) + 1))
}

func (d *drama) act(ranks int) []part {
	parts := make([]part, ranks)
	var last time.Duration
	for i := range parts {
		parts[i].enqueue = d.upTo(200 * time.Microsecond)
		if d.random.IntN(3*ranks) == 0 {
			parts[i].enqueue += d.upTo(50 * time.Millisecond)
		}
		last = max(last, parts[i].enqueue)
		parts[i].enter = parts[i].enqueue - d.inCall(ranks)
		parts[i].back = parts[i].enqueue + d.inCall(ranks)
	}
	over := last + 20*time.Microsecond + d.upTo(100*time.Microsecond)
	for i := range parts {
		parts[i].report(d, over)
	}
	return parts
}

// shortCall is how long half of a call takes, unless its thread is held up.
const shortCall = 20 * time.Microsecond

// inCall makes up how long before or after the enqueue a call takes.
func (d *drama) inCall(ranks int) time.Duration {
	if d.random.IntN(6*ranks) == 0 {
		return d.upTo(50 * time.Millisecond)
	}
	return d.upTo(shortCall)
}

// report decides what the host of p sees of a collective that is over at over.
func (p *part) report(d *drama, over time.Duration) {
	p.wait = p.back + d.upTo(100*time.Microsecond)
	if d.random.IntN(3) == 0 {
		p.wait += d.upTo(60 * time.Millisecond) // its queue is deep
	}
	p.until = max(p.wait, over) + d.upTo(5*time.Millisecond)
	p.line = fmt.Sprintf("%dns call=%dns", p.back, p.back-p.enter)
	if d.random.IntN(3) > 0 {
		p.line += fmt.Sprintf(" done=%dns", p.until)
	}
	if d.random.IntN(3) > 0 {
		p.line += fmt.Sprintf(" wait=%dns..%dns", p.wait, p.until)
	}
	if d.random.IntN(2) > 0 {
		p.line += fmt.Sprintf(" io=%dns running=2ms", p.enqueue)
	}
}

// script tells the ranks of each collective in an order that is shuffled.
func (d *drama) script(shuffled *rand.Rand) string {
	var text strings.Builder
	clocks := rand.New(rand.NewPCG(uint64(d.hosts), 2))
	for host := range d.hosts {
		fmt.Fprintf(&text, "host h%d clock=%dms\n", host, clocks.IntN(10_000)-5_000)
	}
	for number, parts := range d.acts {
		fmt.Fprintf(&text, "collective #%d AllReduce size=%d at=%ds\n", number+1, len(parts), 1+number)
		again := shuffled.IntN(len(parts))
		for i, rank := range shuffled.Perm(len(parts)) {
			line := fmt.Sprintf("rank %d h%d %s", rank, rank%d.hosts, parts[rank].line)
			if i == again {
				line += " again"
			}
			fmt.Fprintln(&text, line)
		}
	}
	return text.String()
}

func perform(t *testing.T, script string) []*verdict.Verdict {
	t.Helper()
	story, err := scenario.Parse(script)
	require.NoError(t, err, script)
	var verdicts []*verdict.Verdict
	story.Run(func(v *verdict.Verdict) { verdicts = append(verdicts, v) })
	return verdicts
}

// TestVerdictsAreTrue compares verdicts with what really happened.
func TestVerdictsAreTrue(t *testing.T) {
	found := map[verdict.Kind]int{}
	for seed := range uint64(400) {
		d := newDrama(seed)
		verdicts := perform(t, d.script(rand.New(rand.NewPCG(seed, 3))))
		require.Len(t, verdicts, len(d.acts), "each collective is judged once")
		for i, v := range verdicts {
			found[v.Kind]++
			require.Equal(t, verdict.Complete, v.Result)
			require.EqualValues(t, i+1, v.Collective.Sequence)
			if !d.check(t, v, d.acts[i]) {
				t.Fatalf("seed %d, number %d:\n%s%s", seed, i+1, d.script(rand.New(rand.NewPCG(seed, 3))), scenario.Line(v))
			}
		}
	}
	t.Log(found)
	for _, kind := range []verdict.Kind{verdict.OnTime, verdict.Harmless, verdict.Unproven, verdict.Straggler, verdict.Uncertain, verdict.ClockUnknown} {
		assert.Greater(t, found[kind], 20, kind)
	}
}

// rounding is what seconds as floating-point numbers lose.
const rounding = 2 * time.Microsecond

func (d *drama) check(t *testing.T, v *verdict.Verdict, parts []part) bool {
	if v.Skew.Known {
		if !assert.InDelta(t, spread(parts), v.Skew.Time, float64(v.Skew.Error+rounding), "skew") {
			return false
		}
	}
	if v.Kind == verdict.Straggler {
		return d.checkStraggler(t, v.Late, parts)
	}
	return d.hosts > 1 || d.checkNoStraggler(t, v, parts)
}

func spread(parts []part) time.Duration {
	first := slices.MinFunc(parts, byEnqueue)
	last := slices.MaxFunc(parts, byEnqueue)
	return last.enqueue - first.enqueue
}

func byEnqueue(a, b part) int { return int(a.enqueue - b.enqueue) }

func (d *drama) checkStraggler(t *testing.T, late *verdict.Late, parts []part) bool {
	suspect, after := parts[late.Rank.Number], parts[late.After.Number]
	lag := suspect.enqueue - after.enqueue
	var longest time.Duration
	for _, p := range parts {
		longest = max(longest, min(p.until, suspect.enqueue)-p.wait)
	}
	return assert.GreaterOrEqual(t, lag, dramaMinLag-rounding, "it was late") &&
		assert.InDelta(t, lag, late.Lag, float64(late.LagError+rounding), "lag") &&
		assert.LessOrEqual(t, late.Wait, longest+rounding, "wait") &&
		assert.Positive(t, late.Waiters, "asserted only if proven")
}

// checkNoStraggler checks, on one clock, that nobody who was late got away with it
// if somebody said that it waited, and that doubts are due to calls that took long.
func (d *drama) checkNoStraggler(t *testing.T, v *verdict.Verdict, parts []part) bool {
	suspect := slices.MaxFunc(parts, func(a, b part) int { return int(a.back - b.back) })
	waits, certain, possible := d.waitsFor(suspect, parts)
	switch v.Kind {
	case verdict.OnTime:
		return assert.Less(t, spread(parts), dramaMinLag)
	case verdict.Unproven:
		return assert.Zero(t, waits)
	case verdict.Harmless:
		return assert.Positive(t, waits) && assert.Less(t, possible, dramaMinLag+rounding)
	default:
		return assert.Equal(t, verdict.Uncertain, v.Kind) && assert.Less(t, certain, dramaMinLag+rounding) &&
			assert.True(t, slices.ContainsFunc(parts, heldUp) || (spread(parts)-dramaMinLag).Abs() < 4*shortCall || possible-certain > 0)
	}
}

func heldUp(p part) bool { return p.back-p.enter > 2*shortCall }

// waitsFor returns how many of the others report a wait, and how long one of them
// waited for the suspect certainly, and possibly.
func (d *drama) waitsFor(suspect part, parts []part) (n int, certain, possible time.Duration) {
	for _, p := range parts {
		if p == suspect || !strings.Contains(p.line, "wait=") {
			continue
		}
		n++
		certain = max(certain, min(p.until, suspect.enter)-p.wait)
		possible = max(possible, min(p.until, suspect.back)-p.wait)
	}
	return n, certain, possible
}

// TestVerdictsDoNotDependOnOrder lets the same reports arrive in another order.
func TestVerdictsDoNotDependOnOrder(t *testing.T) {
	for seed := range uint64(100) {
		d := newDrama(seed)
		var told []string
		for order := range uint64(3) {
			var text strings.Builder
			for _, v := range perform(t, d.script(rand.New(rand.NewPCG(seed, order)))) {
				text.WriteString(scenario.Line(v))
			}
			told = append(told, text.String())
		}
		require.Equal(t, told[0], told[1])
		require.Equal(t, told[0], told[2])
	}
}
