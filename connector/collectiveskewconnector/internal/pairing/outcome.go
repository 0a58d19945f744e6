package pairing

// Outcome is what became of a report.
type Outcome uint8

// Outcomes.
const (
	Paired      Outcome = iota
	Updated             // the rank had reported that it did not see it complete: the report that it did counts
	Duplicate           // the rank had reported before: the first report counts
	Late                // its collective was handed out before
	Conflicting         // its trace is that of another communicator, sequence or size, or its times are far from the others'
	Oversized           // its communicator is larger than what is accepted
	Outcomes            // how many there are
)

var outcomeNames = [Outcomes]string{
	Paired:      "paired",
	Updated:     "updated",
	Duplicate:   "duplicate",
	Late:        "late",
	Conflicting: "conflicting",
	Oversized:   "oversized",
}

// String returns the outcome's name.
func (o Outcome) String() string { return outcomeNames[min(o, Outcomes-1)] }

// Sound reports whether the report belongs to its collective, be it paired or not.
func (o Outcome) Sound() bool { return o == Paired || o == Updated || o == Duplicate || o == Late }

// Reason is why a collective is handed out.
type Reason uint8

// Reasons.
const (
	Complete Reason = iota // every rank has reported; those that did not see it complete have had the time to
	Expired                // the time for the others to report is over
	Evicted                // there was no room any more
	Stopped                // the store was closed
)
