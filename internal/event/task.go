package event

import (
	"strings"
	"unicode/utf8"

	"github.com/gpucause/gpucause/internal/ktime"
)

// PID is a process id (tgid), as the initial PID namespace numbers it.
type PID uint32

// TID is a thread id, as the initial PID namespace numbers it.
type TID uint32

// Thread names one thread of the host. Both numbers are reused by the Linux
// kernel after exit; a thread's records are ordered, and ThreadExited and
// ProcessExited come between two users of the same numbers.
type Thread struct {
	PID PID
	TID TID
}

// CommSize is the size of a thread's name, with its terminating zero (TASK_COMM_LEN).
const CommSize = 16

// Comm is a thread's name as the Linux kernel keeps it: zero-terminated bytes
// of any encoding, chosen by the process itself.
type Comm [CommSize]byte

// String returns the name as valid UTF-8 without control characters: foreign
// bytes become U+FFFD, so that a hostile name cannot break a terminal or an encoder.
func (c Comm) String() string {
	n := 0
	for n < len(c) && c[n] != 0 {
		n++
	}
	return Clean(string(c[:n]))
}

// Clean makes text that a traced process chose safe to show: invalid UTF-8 and
// control characters become U+FFFD.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return '�'
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
}

// CleanWithin is Clean of the first limit bytes of s, not cut within a character.
func CleanWithin(s string, limit int) string {
	if len(s) > limit {
		for limit > 0 && !utf8.RuneStart(s[limit]) {
			limit--
		}
		s = s[:limit]
	}
	return Clean(s)
}

// MakeComm returns s as a Comm, cut to fit.
func MakeComm(s string) Comm {
	var c Comm
	copy(c[:CommSize-1], s)
	return c
}

// Task is a thread with its name, at the instant of a record.
type Task struct {
	Thread Thread
	Comm   Comm
}

// ProcessID identifies a process for as long as the machine is up: PIDs are
// reused, the pair is not.
type ProcessID struct {
	PID PID
	// Start is the process's start time on CLOCK_BOOTTIME
	// (task_struct.start_boottime of the thread group's leader).
	Start ktime.Time
}
