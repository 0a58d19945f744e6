package procfs

import "io"

// readAtMost returns the beginning of what r has.
func readAtMost(r io.Reader, most int64) string {
	text, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		return ""
	}
	return string(text)
}
