package truth

import "regexp"

// What a request met.
const (
	Affected   = "affected"   // a fault, while an engine had it
	Disturbed  = "disturbed"  // no fault, but a cycle that was long for another reason, or the edge of a fault's
	Unaffected = "unaffected" // neither
	Failed     = "failed"     // it has no answer, and so no span
)

// Verdict is what a request met. The request's time is the client's.
type Verdict struct {
	Request
	Verdict    string `json:"verdict"`
	Faults     []Met  `json:"faults,omitempty"`
	LongCycles []Met  `json:"long_cycles,omitempty"`
}

// Met is a fault, or a long cycle, that overlaps a request. Times are Unix nanoseconds.
type Met struct {
	Fault      string   `json:"fault,omitempty"`
	Cause      string   `json:"cause,omitempty"`
	Engine     int      `json:"engine"`
	PID        int      `json:"pid"`
	Start      int64    `json:"start_unix_ns"`
	End        int64    `json:"end_unix_ns"`
	CycleStart int64    `json:"cycle_start_unix_ns,omitempty"`
	CycleEnd   int64    `json:"cycle_end_unix_ns,omitempty"`
	Overlap    int64    `json:"overlap_ns"` // with the time that the request was in the engine
	Running    []string `json:"running"`    // sequences in the step
}

// interval is half-open, in Unix nanoseconds.
type interval struct{ start, end int64 }

func (i interval) overlap(other interval) int64 {
	return max(0, min(i.end, other.end)-max(i.start, other.start))
}

// stay is the time that one of a request's sequences was in an engine.
type stay struct {
	interval
	engine int
}

// Verdicts tells of every request what it met, in the order of the requests. A request
// meets what happens in an engine that has a sequence of it.
func Verdicts(requests []Request, events []Event) []Verdict {
	stays := make(map[string][]stay)
	var faults, cycles []Event
	for _, e := range events {
		switch e.Type {
		case "sequence":
			id := requestOf(e.ID)
			stays[id] = append(stays[id], stay{interval{e.Received, e.LastToken}, e.Engine})
		case "fault":
			faults = append(faults, e)
		case "long_cycle":
			cycles = append(cycles, e)
		}
	}
	verdicts := make([]Verdict, 0, len(requests))
	for _, r := range requests {
		v := Verdict{Request: r, Faults: meet(stays[r.RequestID], faults), LongCycles: meet(stays[r.RequestID], cycles)}
		v.Verdict = judge(v, faults, cycles)
		verdicts = append(verdicts, v)
	}
	return verdicts
}

func judge(v Verdict, faults, cycles []Event) string {
	whole := interval{v.StartUnix, v.EndUnix}
	switch {
	case v.Status != 200:
		return Failed
	case len(v.Faults) > 0:
		return Affected
	case len(v.LongCycles) > 0 || touches(whole, faults) || touches(whole, cycles):
		return Disturbed
	default:
		return Unaffected
	}
}

// meet returns the events that happened to the stays.
func meet(stays []stay, events []Event) []Met {
	var all []Met
	for _, e := range events {
		var longest int64
		for _, s := range stays {
			if s.engine == e.Engine {
				longest = max(longest, s.overlap(interval{e.Start, e.End}))
			}
		}
		if longest > 0 {
			all = append(all, Met{Fault: e.Fault, Cause: e.Cause, Engine: e.Engine, PID: e.PID, Start: e.Start, End: e.End,
				CycleStart: e.CycleStart, CycleEnd: e.CycleEnd, Overlap: longest, Running: e.Running})
		}
	}
	return all
}

// touches tells whether the request was on its way, even if not in an engine, during
// the cycle of an event.
func touches(whole interval, events []Event) bool {
	for _, e := range events {
		cycle := interval{e.CycleStart, e.CycleEnd}
		if e.CycleEnd == 0 {
			cycle = interval{e.Start, e.End}
		}
		if whole.overlap(cycle) > 0 {
			return true
		}
	}
	return false
}

// sequenceID is what the server calls a sequence: [CHILD_]cmpl-REQUEST-PROMPT-RANDOM.
var sequenceID = regexp.MustCompile(`^(?:\d+_)?cmpl-(.+)-\d+-[0-9a-f]{8}$`)

// requestOf is the X-Request-Id in a sequence's id; of anything else nothing.
func requestOf(sequence string) string {
	if parts := sequenceID.FindStringSubmatch(sequence); parts != nil {
		return parts[1]
	}
	return ""
}
