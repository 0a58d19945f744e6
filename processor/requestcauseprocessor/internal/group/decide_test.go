package group

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

const (
	containerA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	containerB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	podA       = "11111111-2222-3333-4444-555555555555"
)

// oneServer is vLLM with one API server, which is the engine's parent, started
// from a shell.
func oneServer() *world {
	return newWorld().run(50, 1, "/bin/bash").
		run(100, 50, python).run(101, 100, python, titled("VLLM::EngineCore")).trace(101)
}

// twoServers are two of them, started from the same shell.
func twoServers() *world {
	return oneServer().run(200, 50, python).run(201, 200, python, titled("VLLM::EngineCore")).trace(201)
}

// tensorParallel is an engine with two workers, which launch; the engine does not.
func tensorParallel() *world {
	return newWorld().run(100, 1, python).run(101, 100, python, titled("VLLM::EngineCore")).
		run(102, 101, python, titled("VLLM::Worker_TP0")).run(103, 101, python, titled("VLLM::Worker_TP1")).
		trace(102).trace(103)
}

// siblings are two API servers and two data-parallel engines under one launcher.
func siblings() *world {
	return newWorld().run(99, 50, python).
		run(100, 99, python, titled("VLLM::APIServer_0")).run(101, 99, python, titled("VLLM::APIServer_1")).
		run(102, 99, python, titled("VLLM::EngineCore_DP0")).run(103, 99, python, titled("VLLM::EngineCore_DP1")).
		run(50, 1, "/bin/bash").trace(102).trace(103)
}

// twoContainers are two servers that know themselves by the same numbers.
func twoContainers() *world {
	return newWorld().
		run(500, 400, python, in(containerA, 1)).run(501, 500, python, in(containerA, 30)).trace(501).
		run(600, 410, python, in(containerB, 1)).run(601, 600, python, in(containerB, 30)).trace(601)
}

func TestDecisions(t *testing.T) {
	for name, test := range map[string]struct {
		world  *world
		sender process.Sender
		at     Connection
		want   decided
	}{
		"the peer is the parent of the engine": {
			oneServer(), process.Sender{Peer: loopback()}, Connection{PID: 100}, resolvedTo(EvidencePeer, ScopeEngine, 101),
		},
		"the peer is the engine itself": {
			oneServer(), process.Sender{Peer: loopback(), PID: 101}, Connection{PID: 101}, resolvedTo(EvidencePeer, ScopeEngine, 101),
		},
		"of two servers the peer's": {
			twoServers(), process.Sender{Peer: loopback()}, Connection{PID: 200}, resolvedTo(EvidencePeer, ScopeEngine, 201),
		},
		"workers of one engine are one engine": {
			tensorParallel(), process.Sender{Peer: loopback()}, Connection{PID: 100}, resolvedTo(EvidencePeer, ScopeEngine, 102, 103),
		},
		"an API server is the sibling of engines that share the requests": {
			siblings(), process.Sender{Peer: loopback()}, Connection{PID: 101}, resolvedTo(EvidencePeer, ScopeService, 102, 103),
		},
		"a shell above two servers is nobody's server": {
			twoServers().run(300, 50, python), process.Sender{Peer: loopback()}, Connection{PID: 300}, decided{},
		},
		"a peer that passes on what another process wrote is not the sender": {
			twoServers().run(300, 200, "/usr/bin/otelcol"), process.Sender{Peer: loopback(), PID: 100}, Connection{PID: 300},
			resolvedTo(EvidenceProcess, ScopeEngine, 101),
		},
		"the process number": {
			twoServers(), process.Sender{PID: 100}, Connection{}, resolvedTo(EvidenceProcess, ScopeEngine, 101),
		},
		"the process number of somebody else": {
			twoServers(), process.Sender{PID: 4000, HostName: node, Peer: loopback()}, Connection{}, decided{},
		},
		"a process number on another host": {
			twoServers(), process.Sender{PID: 100, HostID: "another"}, Connection{}, decided{},
		},
		"a process number on a host of another name": {
			twoServers(), process.Sender{PID: 100, HostName: "node-2"}, Connection{}, decided{},
		},
		"a process number in a container says nothing by itself": {
			twoContainers(), process.Sender{PID: 1}, Connection{}, decided{},
		},
		"a process number and the container": {
			twoContainers(), process.Sender{PID: 1, ContainerID: containerB}, Connection{}, resolvedTo(EvidenceProcess, ScopeEngine, 601),
		},
		"a process number and the short name of the container": {
			twoContainers(), process.Sender{PID: 1, ContainerID: containerB[:12]}, Connection{}, resolvedTo(EvidenceProcess, ScopeEngine, 601),
		},
		"a process number and the name of the container's host": {
			twoContainers(), process.Sender{PID: 1, HostName: containerA[:12]}, Connection{}, resolvedTo(EvidenceProcess, ScopeEngine, 501),
		},
		"a container without a process number": {
			twoContainers(), process.Sender{ContainerID: containerA}, Connection{}, resolvedTo(EvidenceContainer, ScopeEngine, 501),
		},
		"a container that is not traced": {
			twoContainers(), process.Sender{ContainerID: "cccccccccccc"}, Connection{}, decided{},
		},
		"the only group on the host": {
			oneServer(), process.Sender{HostName: node}, Connection{}, resolvedTo(EvidenceHost, ScopeEngine, 101),
		},
		"the only group on the host of a local sender": {
			oneServer(), process.Sender{Peer: process.Peer{SameHost: true}}, Connection{}, resolvedTo(EvidenceHost, ScopeEngine, 101),
		},
		"two groups on the host": {
			twoServers(), process.Sender{HostName: node}, Connection{}, decided{outcome: Ambiguous, by: EvidenceHost},
		},
		"a local sender that is certainly none of the group": {
			oneServer(), process.Sender{HostName: node, Peer: loopback()}, Connection{Foreign: true}, decided{},
		},
		"nothing is known of the sender": {
			oneServer(), process.Sender{ServiceName: "vllm-server"}, Connection{}, decided{},
		},
		"nothing is traced": {
			newWorld(), process.Sender{PID: 100, HostName: node, Peer: loopback()}, Connection{Foreign: true}, decided{},
		},
		"the service instance that both declare": {
			oneServer().trace(100, func(t *process.Traced) { t.ServiceInstance, t.PID = "i-1", 4711 }),
			process.Sender{ServiceInstance: "i-1"}, Connection{}, resolvedTo(EvidenceInstance, ScopeEngine, 4711),
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.world.check(t, test.want, test.world.view().Decide(&test.sender, test.at))
		})
	}
}

func TestNamesTellServersOfOneContainerApart(t *testing.T) {
	shared := func() *world {
		return newWorld().run(50, 40, "/bin/sh", in(containerA, 1)).
			run(100, 50, python, in(containerA, 7)).run(101, 100, python, in(containerA, 30)).trace(101, serving("chat")).
			run(200, 50, python, in(containerA, 8)).run(201, 200, python, in(containerA, 31)).trace(201, serving("code"))
	}
	w := shared()
	w.check(t, resolvedTo(EvidenceContainer, ScopeEngine, 201),
		w.view().Decide(&process.Sender{ContainerID: containerA, ServiceName: "code"}, Connection{}))
	for _, name := range []string{"", "unknown_service", "other"} {
		got := w.view().Decide(&process.Sender{ContainerID: containerA, ServiceName: name}, Connection{})
		assert.Equal(t, Ambiguous, got.Outcome, name)
	}
}

func TestAddressOfAContainersNetwork(t *testing.T) {
	w := twoContainers()
	for pid, address := range map[int64]string{501: "172.17.0.2", 500: "172.17.0.2", 601: "172.17.0.3", 600: "172.17.0.3"} {
		w.relatives[pid].OwnNetwork, w.relatives[pid].Addresses = true, []netip.Addr{netip.MustParseAddr(address)}
	}
	w.check(t, resolvedTo(EvidenceAddress, ScopeEngine, 601), w.view().Decide(&process.Sender{Peer: from("172.17.0.3:0")}, Connection{}))
	w.check(t, resolvedTo(EvidenceProcess, ScopeEngine, 501), w.view().Decide(&process.Sender{PID: 1, Peer: from("172.17.0.2:0")}, Connection{}))
	w.check(t, decided{}, w.view().Decide(&process.Sender{PID: 1, Peer: from("172.17.0.9:0")}, Connection{}))
}

func TestWorkersUnderALauncherAreOneServer(t *testing.T) {
	w := newWorld().run(40, 1, "/opt/ray/raylet", commanded("raylet"), in(containerA, 5)).
		run(41, 40, python, in(containerA, 60), titled("ray::Worker_TP0")).run(42, 40, python, in(containerA, 61), titled("ray::Worker_TP1")).
		run(50, 1, python, in(containerA, 7)).trace(41).trace(42)
	w.check(t, resolvedTo(EvidenceContainer, ScopeEngine, 41, 42), w.view().Decide(&process.Sender{PID: 7, ContainerID: containerA}, Connection{}))
}

func TestEnginesThatRunAnotherProgram(t *testing.T) {
	w := newWorld().run(90, 1, "/bin/launcher").run(100, 90, "/bin/server").
		run(101, 100, "/bin/engine").run(102, 100, "/bin/engine").trace(101).trace(102)
	w.check(t, resolvedTo(EvidenceProcess, ScopeService, 101, 102), w.view().Decide(&process.Sender{PID: 100}, Connection{}))
}

func TestWithoutALookAtProcesses(t *testing.T) {
	for name, test := range map[string]struct {
		world  *world
		sender process.Sender
		want   decided
	}{
		"the parent's number": {twoServers(), process.Sender{PID: 100}, resolvedTo(EvidenceProcess, ScopeEngine, 101)},
		"the engine's own":    {twoServers(), process.Sender{PID: 201}, resolvedTo(EvidenceProcess, ScopeEngine, 201)},
		"in a container by itself": {
			twoContainers(), process.Sender{PID: 30}, decided{},
		},
		"with the container": {
			twoContainers(), process.Sender{PID: 30, ContainerID: containerA}, resolvedTo(EvidenceProcess, ScopeEngine, 501),
		},
		"the container alone": {
			twoContainers(), process.Sender{PID: 1, ContainerID: containerB}, resolvedTo(EvidenceContainer, ScopeEngine, 601),
		},
		"on one of several hosts that is not said": {
			oneServer().trace(101, elsewhere("b")), process.Sender{PID: 100}, decided{},
		},
		"two groups on the host": {
			twoServers(), process.Sender{HostName: node}, decided{outcome: Ambiguous, by: EvidenceHost},
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.world.check(t, test.want, test.world.blind().Decide(&test.sender, Connection{}))
		})
	}
}

func TestSameNumbersOnTwoHosts(t *testing.T) {
	w := oneServer().trace(101, elsewhere("b"))
	got := w.blind().Decide(&process.Sender{PID: 100, HostID: "b"}, Connection{})
	assert.Equal(t, []process.ID{2}, got.Members)
	got = w.view().Decide(&process.Sender{PID: 100, HostID: here}, Connection{})
	assert.Equal(t, []process.ID{1}, got.Members)
}

func TestPods(t *testing.T) {
	w := twoContainers()
	w.relatives[500].PodUID, w.relatives[501].PodUID, w.traced[0].PodUID = podA, podA, podA
	w.check(t, resolvedTo(EvidenceProcess, ScopeEngine, 501), w.view().Decide(&process.Sender{PID: 1, PodUID: podA}, Connection{}))
	w.check(t, resolvedTo(EvidenceContainer, ScopeEngine, 501), w.blind().Decide(&process.Sender{PID: 1, PodUID: podA}, Connection{}))
	other := "99999999-2222-3333-4444-555555555555"
	w.check(t, decided{}, w.view().Decide(&process.Sender{PID: 1, PodUID: other}, Connection{}))
}

func TestEvidenceMayBeSwitchedOff(t *testing.T) {
	w := oneServer()
	settings := w.view().ViewSettings
	settings.Evidence = []Evidence{EvidenceContainer, EvidenceProcess}
	v := NewView(settings)
	w.check(t, decided{}, v.Decide(&process.Sender{HostName: node}, Connection{}))
	w.check(t, resolvedTo(EvidenceProcess, ScopeEngine, 101), v.Decide(&process.Sender{PID: 100, Peer: loopback()}, Connection{PID: 100}))
}

// TestStrongerEvidenceIsNeverContradicted asks with more and more of what a
// sender may say, and expects the same group or none.
func TestStrongerEvidenceIsNeverContradicted(t *testing.T) {
	w := twoContainers()
	full := process.Sender{PID: 1, ContainerID: containerA, HostName: containerA[:12], Peer: from("10.0.0.1:4000")}
	for mask := range 16 {
		sender, at := full, Connection{PID: 500}
		for bit, leave := range []func(){
			func() { sender.PID = 0 }, func() { sender.ContainerID = "" }, func() { sender.HostName = "" }, func() { at = Connection{} },
		} {
			if mask&(1<<bit) != 0 {
				leave()
			}
		}
		got := w.view().Decide(&sender, at)
		assert.NotEqual(t, Ambiguous, got.Outcome, "mask %b", mask)
		assert.False(t, slices.Contains(got.Members, 2), "mask %b", mask)
	}
}
