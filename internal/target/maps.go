package target

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gpucause/gpucause/internal/event"
)

// maxMapsBytes bounds what is read of one process's maps: about 65530 mappings,
// Linux's default limit, with paths of ordinary length.
const maxMapsBytes = 16 << 20

// ErrUnmapped says that the mapping is no longer there: the process unmapped it,
// exec'ed or exited.
var ErrUnmapped = errors.New("no longer mapped")

// mapsLine is one line of /proc/PID/maps.
type mapsLine struct {
	start, end, offset uint64
	inode              uint64
	path               string // as the process sees it, empty for anonymous memory
	deleted            bool
	executable         bool
}

// parseMapsLine reads "start-end perms offset major:minor inode  path".
func parseMapsLine(line string) (mapsLine, bool) {
	var m mapsLine
	fields := strings.SplitN(line, " ", 6)
	if len(fields) < 5 {
		return m, false
	}
	start, end, ok := strings.Cut(fields[0], "-")
	if !ok || !parseUint(start, 16, &m.start) || !parseUint(end, 16, &m.end) ||
		!parseUint(fields[2], 16, &m.offset) || !parseUint(fields[4], 10, &m.inode) {
		return mapsLine{}, false
	}
	m.executable = strings.Contains(fields[1], "x")
	if len(fields) == 6 {
		path := strings.ReplaceAll(strings.TrimLeft(fields[5], " "), `\012`, "\n")
		m.path, m.deleted = strings.CutSuffix(path, " (deleted)")
	}
	return m, m.start < m.end
}

func parseUint(s string, base int, to *uint64) bool {
	value, err := strconv.ParseUint(s, base, 64)
	*to = value
	return err == nil
}

// findLine looks a mapping up in /proc/PID/maps.
func findLine(procRoot string, m Mapping) (mapsLine, error) {
	return firstLine(procRoot, m.PID, func(line *mapsLine) bool {
		return line.start == m.Start && line.end == m.End && line.offset == m.Offset
	})
}

// firstLine returns the first line of /proc/PID/maps that is wanted, or ErrUnmapped.
func firstLine(procRoot string, pid event.PID, wanted func(*mapsLine) bool) (mapsLine, error) {
	file, err := os.Open(filepath.Join(procDir(procRoot, pid), "maps"))
	if err != nil {
		return mapsLine{}, fmt.Errorf("reading mappings: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(io.LimitReader(file, maxMapsBytes))
	for lines.Scan() {
		if line, ok := parseMapsLine(lines.Text()); ok && wanted(&line) {
			return line, nil
		}
	}
	if err := lines.Err(); err != nil {
		return mapsLine{}, fmt.Errorf("reading mappings: %w", err)
	}
	return mapsLine{}, ErrUnmapped
}

func procDir(procRoot string, pid event.PID) string {
	return filepath.Join(procRoot, strconv.FormatUint(uint64(pid), 10))
}
