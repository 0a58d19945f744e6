package collective

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRanges(t *testing.T) {
	assert.Equal(t, []Range{{0, 2}, {4, 4}}, Ranges([]int32{0, 1, 2, 4}))
	assert.Empty(t, Ranges(nil))
	assert.Equal(t, []Range{{1, 1}, {3, 7}}, Gaps([]int32{0, 2}, 8))
	assert.Equal(t, []Range{{0, 7}}, Gaps(nil, 8))
	assert.Empty(t, Gaps([]int32{0, 1}, 2))
}

func TestShow(t *testing.T) {
	assert.Equal(t, "rank 3", Show([]Range{{3, 3}}))
	assert.Equal(t, "ranks 0-2, 4", Show([]Range{{0, 2}, {4, 4}}))
	var many []Range
	for i := range int32(1000) {
		many = append(many, Range{10 * i, 10*i + 1})
	}
	text := Show(many)
	assert.Less(t, len(text), 200)
	assert.Contains(t, text, " and 1968 more")
}

// TestRangesAreSets compares ranges with what they stand for.
func TestRangesAreSets(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	pick := func(n int) []int32 {
		var numbers []int32
		for i := range int32(40) {
			if random.IntN(40) < n {
				numbers = append(numbers, i)
			}
		}
		return numbers
	}
	for range 500 {
		a, b := pick(random.IntN(41)), pick(random.IntN(41))
		var without, in, missing []int32
		for i := range int32(40) {
			isA, isB := slices.Contains(a, i), slices.Contains(b, i)
			if isA && !isB {
				without = append(without, i)
			}
			if isA && isB {
				in = append(in, i)
			}
			if !isA {
				missing = append(missing, i)
			}
		}
		assert.Equal(t, a, Numbers(Ranges(a), 100))
		assert.Equal(t, Ranges(without), Remove(Ranges(a), b))
		assert.Equal(t, Ranges(in), Intersect(Ranges(a), b))
		assert.Equal(t, Ranges(missing), Gaps(a, 40))
		assert.Equal(t, len(a), Count(Ranges(a)))
	}
}

func TestNumbersAreBounded(t *testing.T) {
	assert.Equal(t, []int32{5, 6}, Numbers([]Range{{5, 1 << 30}}, 2))
}

func TestCallsContradict(t *testing.T) {
	call := Call{Operation: Reduce, Root: 1, Count: 10, Datatype: "float32", Reduction: "sum"}
	for name, c := range map[string]struct {
		change func(*Call)
		want   bool
	}{
		"same":              {func(*Call) {}, false},
		"operation":         {func(c *Call) { c.Operation = Gather }, true},
		"root":              {func(c *Call) { c.Root = 2 }, true},
		"count":             {func(c *Call) { c.Count = 11 }, true},
		"datatype":          {func(c *Call) { c.Datatype = "float16" }, true},
		"reduction":         {func(c *Call) { c.Reduction = "max" }, true},
		"unknown count":     {func(c *Call) { c.Count = Unknown }, false},
		"unknown datatype":  {func(c *Call) { c.Datatype = "" }, false},
		"unknown reduction": {func(c *Call) { c.Reduction = "" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			other := call
			c.change(&other)
			assert.Equal(t, c.want, call.Contradicts(&other))
			assert.Equal(t, c.want, other.Contradicts(&call))
		})
	}
	send, recv := Call{Operation: Send, Count: 5}, Call{Operation: Recv, Count: 5}
	assert.False(t, send.Contradicts(&recv))
}

func TestOperationsHaveNamesAndDependencies(t *testing.T) {
	for o := OperationUnknown + 1; o < Operations; o++ {
		assert.Equal(t, o, ParseOperation(o.String()))
		assert.NotEqual(t, DependencyNone, o.Dependency(), o)
	}
	assert.Equal(t, OperationUnknown, ParseOperation("Fly"))
	assert.Equal(t, "unknown", Operation(200).String())
}

// TestManyCallsAreBounded lets every rank ask for something else.
func TestManyCallsAreBounded(t *testing.T) {
	var c Collective
	for i := range 100 {
		c.Add(&Report{Call: Call{Operation: AllReduce, Count: int64(i)}, Rank: Rank{Number: int32(99 - i)}})
	}
	c.Sort()
	assert.Len(t, c.Calls, MaxCalls)
	for i := range c.Ranks {
		r := &c.Ranks[i]
		assert.EqualValues(t, i, r.Number)
		if int(r.Call) < MaxCalls {
			assert.EqualValues(t, 99-i, c.Calls[r.Call].Count, "rank %d", i)
		} else {
			assert.EqualValues(t, MaxCalls, r.Call)
		}
	}
}

func TestRanksAreSorted(t *testing.T) {
	for seed := range uint64(50) {
		var c Collective
		for _, n := range rand.New(rand.NewPCG(seed, 0)).Perm(int(seed)) {
			c.Add(&Report{Call: Call{Operation: AllReduce}, Rank: Rank{Number: int32(n), Enqueue: Time(n)}})
		}
		c.Sort()
		for i := range c.Ranks {
			assert.EqualValues(t, i, c.Ranks[i].Number)
			assert.EqualValues(t, i, c.Ranks[i].Enqueue)
		}
	}
}
