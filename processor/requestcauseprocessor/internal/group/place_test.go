package group

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// Processes of the pod of podAndSidecar.
const (
	api     = 500 // parent of the engine, which is 501
	beside  = 510 // in the server's container, of another program
	sidecar = 600 // in the pod's other container
)

// podAndSidecar is a pod: a server, something of another program in its container,
// and a sidecar in another one. All are below one shim.
func podAndSidecar() *world {
	return newWorld().run(400, 1, "/usr/bin/shim").
		run(api, 400, python, inPod(containerA, 1)).run(501, api, python, inPod(containerA, 30)).trace(501).
		run(beside, 400, "/bin/exporter", inPod(containerA, 50)).
		run(sidecar, 400, "/bin/guardrail", inPod(containerB, 1))
}

// TestWhoSharesAPod has senders of which the connection, the number or the address
// says whose they are.
func TestWhoSharesAPod(t *testing.T) {
	peer, http := from(podAddress+":4000"), from(podAddress+":0")
	engine := func(by Evidence) decided { return resolvedTo(by, ScopeEngine, 501) }
	for name, test := range map[string]struct {
		sender process.Sender
		at     Connection
		want   decided
	}{
		"nothing but the address":          {process.Sender{Peer: http}, Connection{}, engine(EvidenceAddress)},
		"the server":                       {process.Sender{Peer: peer}, Connection{PID: api}, engine(EvidencePeer)},
		"somebody else":                    {process.Sender{Peer: peer}, Connection{Foreign: true}, decided{}},
		"somebody else, who names the pod": {process.Sender{Peer: peer, PodUID: podA}, Connection{Foreign: true}, decided{}},
		"somebody else passes on what names the container": {process.Sender{Peer: peer, ContainerID: containerA}, Connection{Foreign: true}, engine(EvidenceContainer)},
		"another pod's agent passes on what names the pod": {process.Sender{Peer: from("10.244.0.9:1"), PodUID: podA}, Connection{Foreign: true}, engine(EvidenceContainer)},
		"the sidecar":                                    {process.Sender{Peer: peer}, Connection{PID: sidecar}, decided{}},
		"the sidecar, which names the pod":               {process.Sender{Peer: peer, PodUID: podA}, Connection{PID: sidecar}, decided{}},
		"the sidecar passes on what names the container": {process.Sender{Peer: peer, ContainerID: containerA}, Connection{PID: sidecar}, engine(EvidenceContainer)},
		"the sidecar passes on what names the server":    {process.Sender{Peer: peer, PID: 30}, Connection{PID: sidecar}, engine(EvidenceProcess)},
		"the other program in the container":             {process.Sender{Peer: peer}, Connection{PID: beside}, engine(EvidenceContainer)},
		"the other program, by its number":               {process.Sender{Peer: http, PID: 50}, Connection{}, engine(EvidenceContainer)},
		"the pod alone":                                  {process.Sender{Peer: http, PodUID: podA}, Connection{}, engine(EvidenceContainer)},
	} {
		t.Run(name, func(t *testing.T) {
			w := podAndSidecar()
			w.check(t, test.want, w.view().Decide(&test.sender, test.at))
		})
	}
}

func TestASidecarsNumberIsNotTheServers(t *testing.T) {
	w := podAndSidecar()
	w.relatives[sidecar].OwnPID = 23
	for _, sender := range []process.Sender{
		{PID: 23, Peer: from(podAddress + ":0")},
		{PID: 23, Peer: from(podAddress + ":0"), PodUID: podA},
		{PID: 23, HostName: "vllm-0"},
	} {
		got := w.view().Decide(&sender, Connection{})
		w.check(t, decided{}, got)
		assert.True(t, got.Elsewhere)
	}
}

// TestOnlyTheContainerCountsOfWhoWasSeen has the evidence for containers switched off.
func TestOnlyTheContainerCountsOfWhoWasSeen(t *testing.T) {
	w := podAndSidecar()
	settings := w.view().ViewSettings
	settings.Evidence = []Evidence{EvidencePeer, EvidenceAddress}
	v := NewView(settings)
	sender := process.Sender{Peer: from(podAddress + ":4000")}
	w.check(t, resolvedTo(EvidenceAddress, ScopeEngine, 501), v.Decide(&sender, Connection{PID: beside}))
	w.check(t, decided{}, v.Decide(&sender, Connection{PID: sidecar}))
}

// TestFrontEndOfAnotherProgram has one that is no ancestor of the engines beside it
// in its container.
func TestFrontEndOfAnotherProgram(t *testing.T) {
	const front = 60
	container := func() *world {
		return newWorld().run(50, 40, "/bin/sh", in(containerA, 1)).run(front, 50, "/bin/router", in(containerA, 5)).
			run(101, 50, python, in(containerA, 30)).trace(101, serving("chat"))
	}
	two := func() *world {
		return container().run(201, 50, python, in(containerA, 31)).trace(201, serving("code"))
	}
	one := resolvedTo(EvidenceContainer, ScopeEngine, 101)
	by := func(e Evidence) decided { return resolvedTo(e, ScopeEngine, 101) }
	ambiguous := decided{outcome: Ambiguous, by: EvidenceContainer}
	for name, test := range map[string]struct {
		world  *world
		sender process.Sender
		at     Connection
		want   decided
	}{
		"by its connection":                {container(), process.Sender{}, Connection{PID: front}, one},
		"by its number":                    {container(), process.Sender{PID: 5, HostName: containerA[:12]}, Connection{}, one},
		"of two servers":                   {two(), process.Sender{}, Connection{PID: front}, ambiguous},
		"of two servers, by its number":    {two(), process.Sender{PID: 5, HostName: containerA[:12]}, Connection{}, ambiguous},
		"of two servers, of one's service": {two(), process.Sender{ServiceName: "chat"}, Connection{PID: front}, by(EvidencePeer)},
		"both, by its number":              {two(), process.Sender{PID: 5, HostName: containerA[:12], ServiceName: "chat"}, Connection{}, by(EvidenceProcess)},
		"with a server in another container": {
			container().run(601, 40, python, in(containerB, 30)).trace(601), process.Sender{}, Connection{PID: front}, one,
		},
		"in a container without a server": {
			container().run(600, 40, "/bin/router", in(containerB, 5)), process.Sender{}, Connection{PID: 600}, decided{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.world.check(t, test.want, test.world.view().Decide(&test.sender, test.at))
		})
	}
}

// TestStartupsTellMoreThanTheContainer has a front end of two servers' container,
// which has said which engine it started.
func TestStartupsTellMoreThanTheContainer(t *testing.T) {
	w := newWorld().run(50, 40, "/bin/sh", in(containerA, 1)).run(60, 50, "/bin/router", in(containerA, 5)).
		run(101, 50, python, in(containerA, 30)).trace(101, serving("chat")).
		run(201, 50, python, in(containerA, 31)).trace(201, serving("chat"))
	sender := process.Sender{PID: 5, ContainerID: containerA, ServiceName: "chat"}
	w.startups.Note(startTrace, sender)
	w.startups.Note(startTrace, process.Sender{PID: 31, ContainerID: containerA, Role: "engine_core"})
	w.check(t, resolvedTo(EvidenceStartup, ScopeEngine, 201), w.view().Decide(&sender, Connection{PID: 60}))
}

// TestSiblingsOutsideOfContainers has a shell that has started a server and
// something else.
func TestSiblingsOutsideOfContainers(t *testing.T) {
	w := newWorld().run(50, 1, "/bin/bash").run(60, 50, "/bin/router").
		run(100, 50, python).run(101, 100, python).trace(101, serving("chat"))
	for service, want := range map[string]decided{
		"chat": resolvedTo(EvidencePeer, ScopeEngine, 101), "agent": {}, "unknown_service:router": {}, "": {},
	} {
		w.check(t, want, w.view().Decide(&process.Sender{ServiceName: service, Peer: loopback()}, Connection{PID: 60}))
	}
	byNumber := &process.Sender{PID: 60, HostName: node, ServiceName: "chat"}
	w.check(t, resolvedTo(EvidenceProcess, ScopeEngine, 101), w.view().Decide(byNumber, Connection{}))
	w.relatives[60].ControlPath = "/another.slice"
	w.check(t, decided{}, w.view().Decide(byNumber, Connection{}))
	w.relatives[60].ControlPath, w.relatives[60].ParentPID = "/user.slice", 1
	w.check(t, decided{}, w.view().Decide(byNumber, Connection{}))
}

// TestHostOfAnyProgramsSpans has senders on the host of a server, of which nothing
// but that and their service is known.
func TestHostOfAnyProgramsSpans(t *testing.T) {
	server := func() *world {
		return newWorld().run(100, 50, python).run(101, 100, python).trace(101, serving("chat"))
	}
	http := process.Peer{Addr: loopbackHTTP, SameHost: true}
	one := resolvedTo(EvidenceHost, ScopeEngine, 101)
	for name, test := range map[string]struct {
		world  *world
		sender process.Sender
		want   decided
	}{
		"an agent over HTTP":           {server(), process.Sender{Peer: http, Generic: true, ServiceName: "agent"}, decided{}},
		"an agent that names the host": {server(), process.Sender{HostName: node, Generic: true, ServiceName: "agent"}, decided{}},
		"an agent with the host's id":  {server(), process.Sender{HostID: here, Generic: true, ServiceName: "agent"}, decided{}},
		"an agent without a service":   {server(), process.Sender{Peer: http, Generic: true}, decided{}},
		"a name that an SDK made up": {
			server().trace(101, serving("unknown_service")), process.Sender{Peer: http, Generic: true, ServiceName: "unknown_service"}, decided{},
		},
		"the same service":                 {server(), process.Sender{Peer: http, Generic: true, ServiceName: "chat"}, one},
		"the same name in another space":   {server(), process.Sender{Peer: http, Generic: true, ServiceName: "chat", ServiceNamespace: "test"}, decided{}},
		"spans that only a server has":     {server(), process.Sender{Peer: http, ServiceName: "vllm"}, one},
		"of two servers one's service":     {server().run(201, 50, python).trace(201), process.Sender{HostName: node, Generic: true, ServiceName: "chat"}, one},
		"of two servers nobody's service":  {server().run(201, 50, python).trace(201), process.Sender{HostName: node, Generic: true, ServiceName: "agent"}, decided{}},
		"of two servers, both its service": {server().run(201, 50, python).trace(201, serving("chat")), process.Sender{HostName: node, Generic: true, ServiceName: "chat"}, decided{outcome: Ambiguous, by: EvidenceHost}},
	} {
		t.Run(name, func(t *testing.T) {
			test.world.check(t, test.want, test.world.view().Decide(&test.sender, Connection{}))
			test.world.check(t, test.want, test.world.blindHere().Decide(&test.sender, Connection{}))
		})
	}
}
