package procfs

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// children returns the processes that a process's threads have started and that
// are still its children. It reports false where the Linux kernel does not say
// (CONFIG_PROC_CHILDREN).
func (p Proc) children(of int64) ([]int64, bool) {
	names := directory(p.path(of, "task"), maxTasks)
	var children []int64
	for _, tid := range names {
		list, err := os.ReadFile(p.path(of, "task", tid, "children"))
		if errors.Is(err, os.ErrNotExist) && tid == strconv.FormatInt(of, 10) {
			return nil, !exists(p.path(of, "task", tid)) // the thread may be gone
		}
		for number := range strings.FieldsSeq(string(list)) {
			if child, err := strconv.ParseInt(number, 10, 64); err == nil {
				children = append(children, child)
			}
		}
	}
	return children, true
}

// byParent returns the machine's processes by their parent.
func (p Proc) byParent() map[int64][]int64 {
	children := make(map[int64][]int64)
	for _, name := range directory(p.root, maxProcesses) {
		pid, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			continue
		}
		if parent, ok := parentIn(readSmall(filepath.Join(p.root, name, "stat"))); ok {
			children[parent] = append(children[parent], pid)
		}
	}
	return children
}

// parentIn takes the parent out of stat: the second field behind the name, which
// may contain anything.
func parentIn(stat string) (int64, bool) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0, false
	}
	parent, err := strconv.ParseInt(fields[1], 10, 64)
	return parent, err == nil
}

// directory returns the names in a directory, at most so many.
func directory(path string, most int) []string {
	opened, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer opened.Close()
	names, err := opened.Readdirnames(most)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	return names
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
