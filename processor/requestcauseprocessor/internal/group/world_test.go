package group

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

const (
	here   = "4c4c4544" // host.id of this machine
	node   = "node-1"   // and its name
	python = "/usr/bin/python3.11"

	podAddress = "10.244.0.7"
)

// world is a machine: its processes, and which of them are traced.
type world struct {
	relatives process.Relatives
	traced    []*process.Traced
	startups  *Startups
}

func newWorld() *world {
	return &world{relatives: make(process.Relatives), startups: NewStartups()}
}

// run starts a process on the machine.
func (w *world) run(pid, parent int64, executable string, changes ...func(*process.Relative)) *world {
	r := &process.Relative{PID: pid, ParentPID: parent, OwnPID: pid, Start: uint64(pid), Executable: executable, ControlPath: "/user.slice"}
	for _, change := range changes {
		change(r)
	}
	w.relatives[pid] = r
	return w
}

// in puts a process into a container, with a number of its own there.
func in(container string, own int64) func(*process.Relative) {
	return func(r *process.Relative) {
		r.ContainerID, r.ControlPath, r.HostName = container, "/kubepods/"+container, container[:12]
		r.OwnPID, r.Nested = own, true
	}
}

// inPod puts a process into a container of a pod, whose network has an address.
func inPod(container string, own int64) func(*process.Relative) {
	return func(r *process.Relative) {
		in(container, own)(r)
		r.PodUID, r.HostName = podA, "vllm-0"
		r.OwnNetwork, r.Addresses = true, []netip.Addr{netip.MustParseAddr(podAddress)}
	}
}

func titled(title string) func(*process.Relative) {
	return func(r *process.Relative) { r.Title = title }
}

func commanded(comm string) func(*process.Relative) {
	return func(r *process.Relative) { r.Command = comm }
}

// trace makes a process of the machine a traced one.
func (w *world) trace(pid int64, changes ...func(*process.Traced)) *world {
	r := w.relatives[pid]
	t := &process.Traced{ID: process.ID(len(w.traced) + 1)}
	t.Identity = process.Identity{
		HostID: here, HostName: node, PID: pid, ParentPID: r.ParentPID, ContainerID: r.ContainerID, PodUID: r.PodUID, ServiceName: "python3",
	}
	if r.Nested {
		t.VPID = r.OwnPID
	}
	for _, change := range changes {
		change(t)
	}
	w.traced = append(w.traced, t)
	return w
}

func serving(name string) func(*process.Traced) {
	return func(t *process.Traced) { t.ServiceName = name }
}

func elsewhere(host string) func(*process.Traced) {
	return func(t *process.Traced) { t.HostID, t.HostName = host, "name of "+host }
}

func (w *world) view() *View {
	return NewView(ViewSettings{
		Traced: w.traced, HostID: here, HostName: node, Relatives: w.relatives, Startups: w.startups, Evidence: AllEvidence(),
	})
}

// blind is the same world without a look at the machine's processes.
func (w *world) blind() *View {
	return NewView(ViewSettings{Traced: w.traced, HostName: node, Startups: w.startups, Evidence: AllEvidence()})
}

// blindHere is blind, but for that it knows which machine it is on.
func (w *world) blindHere() *View {
	settings := w.blind().ViewSettings
	settings.HostID = here
	return NewView(settings)
}

// decided is what a test expects.
type decided struct {
	outcome Outcome
	by      Evidence
	scope   Scope
	pids    []int64 // of the members
}

func resolvedTo(by Evidence, scope Scope, pids ...int64) decided {
	return decided{outcome: Resolved, by: by, scope: scope, pids: pids}
}

func (w *world) check(t *testing.T, want decided, got Decision) {
	t.Helper()
	assert.Equal(t, want.outcome, got.Outcome)
	if want.outcome == Unresolved {
		assert.Empty(t, got.Members)
		return
	}
	assert.Equal(t, want.by, got.Evidence)
	assert.Equal(t, want.scope, got.Scope)
	var pids []int64
	for _, traced := range w.traced {
		if got.has(traced.ID) {
			pids = append(pids, traced.PID)
		}
	}
	assert.Equal(t, want.pids, pids)
}

func loopback() process.Peer {
	return process.Peer{Addr: netip.MustParseAddrPort("127.0.0.1:40001"), SameHost: true}
}

// loopbackHTTP is what is known of the other end of a local connection over HTTP.
var loopbackHTTP = netip.MustParseAddrPort("127.0.0.1:0")

func from(address string) process.Peer {
	return process.Peer{Addr: netip.MustParseAddrPort(address)}
}
