package collective

import (
	"fmt"
	"strings"
)

// Unknown is the value of a number that a report does not have.
const Unknown = -1

// Call is what a rank asked for: what must agree on all ranks of a collective.
type Call struct {
	Operation Operation
	Root      int32  // of a rooted operation, otherwise Unknown
	Count     int64  // elements, as passed; Unknown where not reported
	Datatype  string // "" where not reported
	Reduction string // "" where there is none or it was not reported
}

// Contradicts reports whether c and other cannot belong to the same collective.
// What one of them does not say contradicts nothing, and the two ends of a pair
// have different operations.
func (c *Call) Contradicts(other *Call) bool {
	pair := c.Operation.Dependency() == Pairwise && other.Operation.Dependency() == Pairwise
	return c.Operation != other.Operation && !pair ||
		differ(int64(c.Root), int64(other.Root), Unknown) ||
		differ(c.Count, other.Count, Unknown) ||
		differ(c.Datatype, other.Datatype, "") ||
		differ(c.Reduction, other.Reduction, "")
}

func differ[T comparable](a, b, unknown T) bool {
	return a != b && a != unknown && b != unknown
}

// String tells the call, such as "Reduce of 1024 float16, sum, root 3".
func (c *Call) String() string {
	var text strings.Builder
	text.WriteString(c.Operation.String())
	switch {
	case c.Count != Unknown && c.Datatype != "":
		fmt.Fprintf(&text, " of %d %s", c.Count, c.Datatype)
	case c.Count != Unknown:
		fmt.Fprintf(&text, " of %d", c.Count)
	case c.Datatype != "":
		fmt.Fprintf(&text, " of %s", c.Datatype)
	}
	if c.Reduction != "" {
		text.WriteString(", " + c.Reduction)
	}
	if c.Root != Unknown {
		fmt.Fprintf(&text, ", root %d", c.Root)
	}
	return text.String()
}
