package target

import "github.com/gpucause/gpucause/internal/event"

// FileID identifies a file for the whole machine, as the Linux kernel's inode
// structure does (iter/task_vma): below overlay file systems, where stat shows
// other numbers. Generation tells a reused inode number apart.
type FileID struct {
	Dev        uint32 // dev_t of the Linux kernel: major<<20 | minor
	Inode      uint64
	Generation uint32
}

// Mapping is a part of a file that is mapped into a process.
type Mapping struct {
	PID        event.PID
	File       FileID
	Start, End uint64 // addresses
	Offset     uint64 // in the file, in bytes
}
