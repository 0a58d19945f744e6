package gpucausereceiver

import "github.com/gpucause/gpucause/internal/event"

// maxFunctionsPerProcess bounds the names that one process can make us keep.
const maxFunctionsPerProcess = 4096

// functions remembers under which name a process obtained a function handle.
type functions struct {
	names map[event.PID]map[uint64]string
}

func newFunctions() *functions {
	return &functions{names: make(map[event.PID]map[uint64]string)}
}

// add remembers a name. Where the process has too many, the new one is
// discarded and spans show the handle alone.
func (f *functions) add(record *event.FunctionName) {
	pid := record.Thread.PID
	names, ok := f.names[pid]
	if !ok {
		names = make(map[uint64]string)
		f.names[pid] = names
	}
	if _, known := names[record.Handle]; known || len(names) < maxFunctionsPerProcess {
		names[record.Handle] = record.Name()
	}
}

// name returns the name of a handle, or "".
func (f *functions) name(process event.ProcessID, handle uint64) string {
	return f.names[process.PID][handle]
}

// forget drops the names of a process that is gone or has replaced its image.
func (f *functions) forget(pid event.PID) { delete(f.names, pid) }
