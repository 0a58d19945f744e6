package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// Epoch is the record time that stories call 0ms.
const Epoch = ktime.Time(100 * time.Second)

// line is one line of a story, taken apart as it is read.
type line struct {
	words []string
	err   error
}

// word takes the next word.
func (l *line) word() string {
	if len(l.words) == 0 {
		l.fail("a word is missing")
		return ""
	}
	word := l.words[0]
	l.words = l.words[1:]
	return word
}

func (l *line) more() bool { return len(l.words) > 0 && l.err == nil }

func (l *line) fail(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf(format, args...)
	}
}

// named takes the next word, which must be name=value.
func (l *line) named(name string) string {
	value, found := strings.CutPrefix(l.word(), name+"=")
	if !found {
		l.fail("%s= is missing", name)
	}
	return value
}

func (l *line) number(word string) uint64 {
	n, err := strconv.ParseUint(word, 0, 64)
	if err != nil {
		l.fail("reading number: %w", err)
	}
	return n
}

func (l *line) tid(word string) event.TID { return event.TID(l.number(word)) }
func (l *line) pid(word string) event.PID { return event.PID(l.number(word)) }

// id reads "#7".
func (l *line) id(word string) uint64 {
	digits, found := strings.CutPrefix(word, "#")
	if !found {
		l.fail("%q is not an id", word)
	}
	return l.number(digits)
}

func (l *line) time(word string) ktime.Time {
	d, err := time.ParseDuration(word)
	if err != nil {
		l.fail("reading time: %w", err)
	}
	return Epoch.Add(d)
}

func (l *line) duration(word string) time.Duration {
	d, err := time.ParseDuration(word)
	if err != nil {
		l.fail("reading duration: %w", err)
	}
	return d
}

// times reads "1ms..2ms".
func (l *line) times(word string) (start, end ktime.Time) {
	from, to, found := strings.Cut(word, "..")
	if !found {
		l.fail("%q is not an interval", word)
	}
	return l.time(from), l.time(to)
}

func (l *line) reason(word string) event.OffCPUReason {
	for r := range event.Reasons {
		if r.String() == word {
			return r
		}
	}
	l.fail("%q is not a reason", word)
	return event.ReasonUnspecified
}
