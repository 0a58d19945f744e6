// Package roster remembers at which numbers the ranks of each communicator were
// reported last, to tell a rank that is missing from one whose report is. Ranks report
// a sample of their collectives and slow ones, so that they may have come further. It
// is pure and bounded.
package roster

import (
	"slices"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/collective"
	"github.com/gpucause/gpucause/connector/collectiveskewconnector/internal/recent"
)

// Memory, in bytes.
const (
	maxBytes          = 24 << 20 // of all communicators in use
	communicatorBytes = 384      // of one, with its key and its place in the map
	rankBytes         = 40       // of a rank, in a map that has just grown
)

// Roster knows the communicators that were seen lately. It is for one goroutine.
type Roster struct {
	communicators *recent.Map[string, *communicator]
}

// communicator is how far its ranks have come at least. The ranks of a communicator
// make their collectives in the order of the sequence numbers, and complete them so.
type communicator struct {
	ranks     map[int32]int64 // the latest sequence number that each rank reported
	completed int64           // every rank has come to this sequence number
	sampled   int64           // every traced rank has reported this one
}

// bytes returns how much memory c takes.
func (c *communicator) bytes() int { return communicatorBytes + rankBytes*len(c.ranks) }

// New returns an empty Roster.
func New() *Roster {
	return &Roster{communicators: recent.NewMap[string](maxBytes, (*communicator).bytes)}
}

// Forgotten returns how many communicators were forgotten for want of room.
func (r *Roster) Forgotten() uint64 { return r.communicators.Forgotten() }

// Note learns from a report how far its rank has come at least. Sends and receives
// have numbers of their own and say nothing here, and neither do calls that failed.
func (r *Roster) Note(report *collective.Report) {
	key, rank := &report.Key, &report.Rank
	if key.Pair.Is || rank.Is(collective.Failed) {
		return
	}
	c, ok := r.communicators.Get(key.Communicator)
	if !ok {
		c = &communicator{ranks: make(map[int32]int64)}
	}
	before := len(c.ranks)
	c.ranks[rank.Number] = max(c.ranks[rank.Number], key.Sequence)
	if !ok || len(c.ranks) > before {
		r.communicators.Set(key.Communicator, c)
	}
	if rank.End != collective.CompletionSeen {
		return
	}
	if report.Call.Operation.Dependency() == collective.AllOnAll {
		c.completed = max(c.completed, key.Sequence)
	}
	if rank.Is(collective.Sampled) {
		c.sampled = max(c.sampled, key.Sequence)
	}
}

// Absent returns the ranks of c, which is sorted, that have not come to it as far
// as is known. Not among them are those that reported a later one, and those that
// never report: they did not report a sampled one that was completed.
func (r *Roster) Absent(c *collective.Collective) []collective.Range {
	gaps := collective.Gaps(c.Arrived(), c.Size)
	known, ok := r.communicators.Get(c.Communicator)
	if !ok {
		return gaps
	}
	if known.completed >= c.Sequence {
		return nil
	}
	if known.sampled > 0 {
		return collective.Intersect(gaps, known.where(func(last int64) bool { return last < c.Sequence }))
	}
	return collective.Remove(gaps, known.where(func(last int64) bool { return last >= c.Sequence }))
}

// Last returns the latest sequence number that a rank reported, 0 if it is not known.
// The rank may have come further.
func (r *Roster) Last(communicatorKey string, rank int32) int64 {
	known, ok := r.communicators.Get(communicatorKey)
	if !ok {
		return 0
	}
	return known.ranks[rank]
}

// where returns the ranks, rising, whose latest report is so.
func (c *communicator) where(is func(int64) bool) []int32 {
	var ranks []int32
	for rank, last := range c.ranks {
		if is(last) {
			ranks = append(ranks, rank)
		}
	}
	slices.Sort(ranks)
	return ranks
}
