package tree

import (
	"strings"
	"unicode/utf8"
)

// fill joins words with commas into lines of at most width columns. A word that
// is longer has a line of its own.
func fill(words []string, width int) []string { return lines(words, ",", width) }

// wrap breaks a sentence between its words.
func wrap(sentence string, width int) []string { return lines(strings.Fields(sentence), "", width) }

// lines ends every word but the last with comma, and lines after it.
func lines(words []string, comma string, width int) []string {
	var out []string
	for i, word := range words {
		if i < len(words)-1 {
			word += comma
		}
		last := len(out) - 1
		if last >= 0 && utf8.RuneCountInString(out[last])+1+utf8.RuneCountInString(word) <= width {
			out[last] += " " + word
			continue
		}
		out = append(out, word)
	}
	return out
}
