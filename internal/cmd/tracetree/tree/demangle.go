package tree

import (
	"strconv"
	"strings"
)

// demangle returns the qualified name in a C++ symbol of plain source names
// (Itanium C++ ABI, 5.1.2: _Z and a length with a name, or _ZN, several of
// these, E), and "" for any other.
func demangle(symbol string) string {
	rest, ok := strings.CutPrefix(symbol, "_Z")
	if !ok {
		return ""
	}
	rest, nested := strings.CutPrefix(rest, "N")
	var names []string
	for len(names) == 0 || nested {
		name, after := sourceName(rest)
		if name == "" {
			break
		}
		names, rest = append(names, name), after
	}
	if nested && !strings.HasPrefix(rest, "E") && !strings.HasPrefix(rest, "I") {
		return ""
	}
	return strings.Join(names, "::")
}

// sourceName splits a name with its length in front off symbol.
func sourceName(symbol string) (name, rest string) {
	digits := 0
	for digits < len(symbol) && symbol[digits] >= '0' && symbol[digits] <= '9' {
		digits++
	}
	length, err := strconv.Atoi(symbol[:digits])
	if err != nil || length > len(symbol)-digits {
		return "", symbol
	}
	return symbol[digits : digits+length], symbol[digits+length:]
}
