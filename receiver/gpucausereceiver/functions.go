package gpucausereceiver

import (
	"strings"

	"github.com/ianlancetaylor/demangle"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/probe"
)

const (
	// maxFunctionsPerProcess bounds the names that one process can make us keep.
	maxFunctionsPerProcess = 4096
	// maxFunctionName is the longest name that is shown, in bytes; longer ones are cut.
	maxFunctionName = 512
	// maxDemangled bounds what demangling may produce, as a power of two.
	maxDemangled = 14
)

// functions remembers what the launched functions of each process are called.
type functions struct {
	max     int // names of all processes together
	names   map[event.PID]map[uint64]functionName
	held    int                  // of them
	refused uint64               // for which there was no room, however often
	stubs   *asker[stub, string] // names the host functions that no record names
}

// functionName is what is known of a function handle: its name, or another
// handle of the same function, or nothing yet.
type functionName struct {
	text   string
	sameAs uint64
}

// stub is a host function of a process.
type stub struct {
	pid     event.PID
	address uint64
}

// newFunctions returns functions that remember as many names as most, and whose
// stubs nameOf names, which is called by another goroutine; nil names none.
func newFunctions(most int, nameOf func(stub) (string, error)) *functions {
	return &functions{max: most, names: make(map[event.PID]map[uint64]functionName), stubs: newAsker(nameOf)}
}

// add remembers a record.
func (f *functions) add(record *event.FunctionName) {
	name := functionName{sameAs: record.SameAs}
	if record.SameAs == 0 {
		name.text = readable(record.Name())
	}
	f.put(record.Thread.PID, record.Handle, name)
}

// put remembers a name. Where there are too many, a new one is discarded and spans
// show the handle alone.
func (f *functions) put(pid event.PID, handle uint64, name functionName) {
	if !f.hasRoom(pid, handle) {
		f.refused++
		return
	}
	names, ok := f.names[pid]
	if !ok {
		names = make(map[uint64]functionName)
		f.names[pid] = names
	}
	before := len(names)
	names[handle] = name
	f.held += len(names) - before
}

// hasRoom reports whether a handle's name can be remembered.
func (f *functions) hasRoom(pid event.PID, handle uint64) bool {
	names := f.names[pid]
	_, known := names[handle]
	return known || len(names) < maxFunctionsPerProcess && f.held < f.max
}

// look has a launched function named whose registration was not seen, because
// its process was there before we were: by the symbol of its host function.
func (f *functions) look(call *event.Call) {
	row := probe.Get(call.Probe)
	if row == nil || row.Layer != probe.LayerRuntime || int(row.FunctionSlot) >= probe.MaxSlots {
		return
	}
	pid, handle := call.Task.Thread.PID, call.Args[row.FunctionSlot]
	if known, ok := f.names[pid][handle]; ok && known.sameAs == 0 {
		return
	} else if ok {
		handle = known.sameAs
	}
	if _, asked := f.names[pid][handle]; asked {
		return
	}
	if !f.hasRoom(pid, handle) {
		f.refused++ // nothing would remember that it was asked
		return
	}
	if f.stubs.ask(stub{pid: pid, address: handle}) {
		f.put(pid, handle, functionName{})
	}
}

// collect takes in what has been found out since.
func (f *functions) collect() {
	f.stubs.answers(func(s stub, symbol string) {
		if known, asked := f.names[s.pid][s.address]; asked && known.text == "" {
			f.put(s.pid, s.address, functionName{text: readable(event.Clean(symbol))})
		}
	})
}

// name returns the name of a handle, or "".
func (f *functions) name(process event.ProcessID, handle uint64) string {
	names := f.names[process.PID]
	if known := names[handle]; known.sameAs != 0 {
		return names[known.sameAs].text
	}
	return names[handle].text
}

// forget drops the names of a process that is gone or has replaced its image.
func (f *functions) forget(pid event.PID) {
	f.held -= len(f.names[pid])
	delete(f.names, pid)
}

// readable returns a function's name without its parameters and its result,
// which is always void, demangled where it is mangled, and cut.
func readable(symbol string) string {
	name := strings.TrimPrefix(demangle.Filter(symbol, demangle.NoParams, demangle.MaxLength(maxDemangled)), "void ")
	if len(name) > maxFunctionName {
		name = strings.ToValidUTF8(name[:maxFunctionName], "") + "…"
	}
	return name
}
