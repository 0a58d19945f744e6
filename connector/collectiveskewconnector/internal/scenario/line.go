package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// line is a line of a story that is being read. The first error stays.
type line struct {
	words []string
	err   error
}

func (l *line) more() bool { return len(l.words) > 0 && l.err == nil }

// word takes the next word.
func (l *line) word() string {
	if len(l.words) == 0 {
		l.fail("the line ends too early")
		return ""
	}
	word := l.words[0]
	l.words = l.words[1:]
	return word
}

// option takes the next word as NAME=VALUE, or as NAME.
func (l *line) option() (name, value string) {
	name, value, _ = strings.Cut(l.word(), "=")
	return name, value
}

func (l *line) fail(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf(format, args...)
	}
}

func (l *line) duration(word string) time.Duration {
	d, err := time.ParseDuration(word)
	if err != nil {
		l.fail("reading duration: %w", err)
	}
	return d
}

func (l *line) number(word string) int64 {
	n, err := strconv.ParseInt(strings.TrimPrefix(word, "#"), 10, 64)
	if err != nil {
		l.fail("reading number: %w", err)
	}
	return n
}

// numbers reads N or N-N.
func (l *line) numbers(word string) (first, last int64) {
	from, to, isRange := strings.Cut(word, "-")
	if !isRange {
		to = from
	}
	return l.number(from), l.number(to)
}

// durations reads T..T.
func (l *line) durations(word string) (from, to time.Duration) {
	first, last, ok := strings.Cut(word, "..")
	if !ok {
		l.fail("%q is not T..T", word)
	}
	return l.duration(first), l.duration(last)
}
