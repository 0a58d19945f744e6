package scenario

import (
	"strings"
	"testing"
)

func TestParseNamesTheLineAtFault(t *testing.T) {
	for script, want := range map[string]string{
		"thread 1/2 a\n\nfrob":                         "line 3: \"frob\" is not a verb",
		"call 7 #1 cudaLaunchKernel 0ms..1ms":          "thread 7 is not declared",
		"thread 1/2 a\ncall 2 #1 cudaFrob 0ms..1ms":    "not in the catalogue",
		"thread 1/2 a\noffcpu 2 0ms..1ms fun":          "\"fun\" is not a reason",
		"thread 1/2 a\noffcpu 2 0ms futex":             "is not an interval",
		"thread 1/2 a\nexit 2":                         "a word is missing",
		"thread 1/2 a\noffcpu 2 0ms..1ms futex tea=no": "is not a detail",
		"thread 1/2 a\ncycle 2 #1 0ms..1ms tea=1ms":    "\"tea\" is not a state",
		"thread 1/2 a\ncycle 2 #1 0ms..1ms lock=2ms":   "take longer than the cycle",
		"judge tea": "is not a setting",
	} {
		if _, err := Parse(script); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, want %s", script, err, want)
		}
	}
}
