package collective

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// MaxCalls is how many different calls of one collective are told apart.
const MaxCalls = 32

// Key is what all reports of a collective agree on.
type Key struct {
	Communicator string
	Sequence     int64
	Size         int32 // ranks of the communicator
	Pair         Pair
}

// Pair are the two ends of a send and receive; zero for a collective.
type Pair struct {
	Is                  bool
	Source, Destination int32
}

// Report is what one rank reported.
type Report struct {
	Trace  pcommon.TraceID
	Parent pcommon.SpanID
	Key    Key
	Call   Call
	Rank   Rank // without Call
}

// Collective is what all ranks did under one sequence number of a communicator,
// or two ranks as a pair.
type Collective struct {
	Key
	Trace  pcommon.TraceID
	Parent pcommon.SpanID // of the ranks' spans

	Ranks []Rank // in any order until Sort
	// Calls are the different calls of the ranks. Those beyond MaxCalls count as
	// the call MaxCalls, which is not listed.
	Calls []Call
}

// Expected returns how many ranks take part.
func (c *Collective) Expected() int {
	if c.Pair.Is {
		return 2
	}
	return int(c.Size)
}

// Add adds the part of a rank that is not in c yet.
func (c *Collective) Add(r *Report) {
	c.Ranks = append(c.Ranks, r.Rank)
	c.Ranks[len(c.Ranks)-1].Call = c.call(&r.Call)
}

// Rank returns the part of a rank, nil if it is not in c.
func (c *Collective) Rank(number int32) *Rank {
	i := slices.IndexFunc(c.Ranks, func(r Rank) bool { return r.Number == number })
	if i < 0 {
		return nil
	}
	return &c.Ranks[i]
}

// Replace puts r in the place of what its rank, which is in c, reported before.
func (c *Collective) Replace(r *Report) {
	rank := c.Rank(r.Rank.Number)
	*rank = r.Rank
	rank.Call = c.call(&r.Call)
}

// Disagrees reports whether ranks asked for what does not go together.
func (c *Collective) Disagrees() bool {
	for i := range c.Calls {
		for k := range c.Calls[:i] {
			if c.Calls[i].Contradicts(&c.Calls[k]) {
				return true
			}
		}
	}
	return false
}

// call returns the index of call, which is added if there is room.
func (c *Collective) call(call *Call) uint16 {
	if i := slices.Index(c.Calls, *call); i >= 0 {
		return uint16(i)
	}
	if len(c.Calls) < MaxCalls {
		c.Calls = append(c.Calls, *call)
		return uint16(len(c.Calls) - 1)
	}
	return MaxCalls
}

// Sort puts the ranks in the order of their numbers, and the calls in that of the
// first rank that made them, so that nothing depends on who reported first.
func (c *Collective) Sort() {
	c.sortRanks()
	if len(c.Calls) > 1 {
		c.sortCalls()
	}
}

// sortRanks moves each rank once, for they are large.
func (c *Collective) sortRanks() {
	from := make([]int32, len(c.Ranks)) // by place, the index of the rank that belongs there
	for i := range from {
		from[i] = int32(i)
	}
	slices.SortFunc(from, func(a, b int32) int { return int(c.Ranks[a].Number) - int(c.Ranks[b].Number) })
	for place := range from {
		if from[place] == int32(place) {
			continue
		}
		moved, hole := c.Ranks[place], int32(place)
		for from[hole] != int32(place) {
			next := from[hole]
			c.Ranks[hole], from[hole] = c.Ranks[next], hole
			hole = next
		}
		c.Ranks[hole], from[hole] = moved, hole
	}
}

func (c *Collective) sortCalls() {
	calls, moved := make([]Call, 0, len(c.Calls)), [MaxCalls + 1]uint16{MaxCalls: MaxCalls + 1}
	for i := range c.Ranks {
		r := &c.Ranks[i]
		if moved[r.Call] == 0 {
			calls = append(calls, c.Calls[r.Call])
			moved[r.Call] = uint16(len(calls))
		}
		r.Call = moved[r.Call] - 1
	}
	c.Calls = calls
}

// Operation is the first rank's; of a pair it is Send.
func (c *Collective) Operation() Operation {
	if c.Pair.Is {
		return Send
	}
	return c.Calls[0].Operation
}

// Arrived returns the ranks that are there and whose call did not fail. The
// collective must be sorted.
func (c *Collective) Arrived() []int32 {
	numbers := make([]int32, 0, len(c.Ranks))
	for i := range c.Ranks {
		if r := &c.Ranks[i]; !r.Is(Failed) {
			numbers = append(numbers, r.Number)
		}
	}
	return numbers
}

// OtherEnd returns the end of a pair that is not there.
func (c *Collective) OtherEnd() []int32 {
	if len(c.Ranks) != 1 {
		return nil
	}
	return []int32{c.Pair.Source + c.Pair.Destination - c.Ranks[0].Number}
}
