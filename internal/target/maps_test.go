package target

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParseMapsLine(t *testing.T) {
	tests := map[string]struct {
		line string
		want mapsLine
		ok   bool
	}{
		"library": {
			"7f1c2a000000-7f1c2a028000 r-xp 00026000 fe:01 1234567                    /usr/lib/libcuda.so.550.1",
			mapsLine{start: 0x7f1c2a000000, end: 0x7f1c2a028000, offset: 0x26000, inode: 1234567, path: "/usr/lib/libcuda.so.550.1", executable: true}, true,
		},
		"blanks in the path": {"1000-2000 r-xp 00000000 00:2b 7 /a b/c d", mapsLine{start: 0x1000, end: 0x2000, inode: 7, path: "/a b/c d", executable: true}, true},
		"newline in the path": {
			`1000-2000 r-xp 00000000 00:2b 7 /a\012b`, mapsLine{start: 0x1000, end: 0x2000, inode: 7, path: "/a\nb", executable: true}, true,
		},
		"deleted":   {"1000-2000 r-xp 00000000 00:2b 7 /x (deleted)", mapsLine{start: 0x1000, end: 0x2000, inode: 7, path: "/x", deleted: true, executable: true}, true},
		"anonymous": {"1000-2000 rw-p 00000000 00:00 0 ", mapsLine{start: 0x1000, end: 0x2000}, true},
		"short":     {"1000-2000 rw-p 00000000", mapsLine{}, false},
		"empty":     {"", mapsLine{}, false},
		"no range":  {"1000 rw-p 0 00:00 0", mapsLine{}, false},
		"too large": {"1-11112222333344445 rw-p 0 00:00 0", mapsLine{}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			line, ok := parseMapsLine(test.line)
			assert.Equal(t, test.ok, ok)
			assert.Equal(t, test.want, line)
		})
	}
}

func FuzzParseMapsLine(f *testing.F) {
	f.Add("7f1c2a000000-7f1c2a028000 r-xp 00026000 fe:01 1234567    /usr/lib/libcuda.so (deleted)")
	f.Fuzz(func(t *testing.T, line string) {
		if m, ok := parseMapsLine(line); ok && m.start >= m.end {
			t.Fatalf("%+v", m)
		}
	})
}
