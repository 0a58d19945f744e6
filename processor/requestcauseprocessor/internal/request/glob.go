package request

import "strings"

// glob is a pattern in which * stands for any text, also for none. Everything
// else stands for itself.
type glob struct {
	parts []string // the text between the stars
}

func newGlob(pattern string) glob { return glob{parts: strings.Split(pattern, "*")} }

func (g glob) match(text string) bool {
	first, rest := g.parts[0], g.parts[1:]
	if len(rest) == 0 {
		return text == first
	}
	text, ok := strings.CutPrefix(text, first)
	if !ok {
		return false
	}
	last := rest[len(rest)-1]
	for _, part := range rest[:len(rest)-1] {
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text = text[at+len(part):]
	}
	return strings.HasSuffix(text, last)
}

func newGlobs(patterns []string) []glob {
	globs := make([]glob, 0, len(patterns))
	for _, pattern := range patterns {
		globs = append(globs, newGlob(pattern))
	}
	return globs
}

// anyMatches reports whether one of the globs matches; no globs match everything.
func anyMatches(globs []glob, text string) bool {
	for _, g := range globs {
		if g.match(text) {
			return true
		}
	}
	return len(globs) == 0
}
