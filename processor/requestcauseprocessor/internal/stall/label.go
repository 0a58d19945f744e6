package stall

// Label names a cause, or a kind, in a Store.
type Label uint16

// maxLabels bounds the names that are told apart. There are a few dozen causes.
const maxLabels = 1024

// OtherLabel is what stalls of further names have.
const OtherLabel Label = 0

const otherName = "other"

// labels are the names that stalls have had. A name is never forgotten.
type labels struct {
	names  []string
	byName map[string]Label
}

func newLabels() labels {
	return labels{names: []string{otherName}, byName: map[string]Label{otherName: OtherLabel}}
}

// intern gives a stall the one copy that is kept of its cause and kind, and
// returns the label of what it is called.
func (l *labels) intern(s *Stall) Label {
	var kind, label Label
	kind, s.Kind = l.of(s.Kind)
	if s.Cause == "" {
		return kind
	}
	label, s.Cause = l.of(s.Cause)
	return label
}

// of returns the label of a name, and the one copy of the name that is kept.
func (l *labels) of(name string) (Label, string) {
	if known, ok := l.byName[name]; ok {
		return known, l.names[known]
	}
	if len(l.names) >= maxLabels {
		return OtherLabel, name
	}
	added := Label(len(l.names))
	l.names = append(l.names, name)
	l.byName[name] = added
	return added, name
}
