package stall

// Label names a cause, or a kind, in a Store.
type Label uint16

// maxLabels bounds the names that are told apart. There are a few dozen causes.
const maxLabels = 1024

// otherLabel is what stalls of further names are called.
const otherLabel = "other"

// labels are the names that stalls have had. A name is never forgotten.
type labels struct {
	names  []string
	byName map[string]Label
}

func newLabels() labels {
	return labels{names: []string{otherLabel}, byName: map[string]Label{otherLabel: 0}}
}

// of returns the label of a name, and the one copy of the name that is kept.
func (l *labels) of(name string) (Label, string) {
	if known, ok := l.byName[name]; ok {
		return known, l.names[known]
	}
	if len(l.names) >= maxLabels {
		return 0, name
	}
	added := Label(len(l.names))
	l.names = append(l.names, name)
	l.byName[name] = added
	return added, name
}
