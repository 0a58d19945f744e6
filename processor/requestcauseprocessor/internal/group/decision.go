package group

import (
	"slices"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// Outcome is how a question was answered.
type Outcome uint8

// Outcomes.
const (
	// Unresolved: no traced process is known to serve the sender.
	Unresolved Outcome = iota
	// Ambiguous: more than one group may serve it.
	Ambiguous
	// Resolved: exactly one does.
	Resolved
)

// Evidence is what a decision rests on, the most exact first.
type Evidence string

// Evidence.
const (
	// EvidenceThread: the span names its thread.
	EvidenceThread Evidence = "thread"
	// EvidenceStamp: an instance in mode resolve decided.
	EvidenceStamp Evidence = "stamp"
	// EvidencePeer: the process that has the connection.
	EvidencePeer Evidence = "peer"
	// EvidenceProcess: the sender's process number, with its container, pod or host.
	EvidenceProcess Evidence = "process"
	// EvidenceStartup: vLLM's start-up spans say which engines the sender started.
	EvidenceStartup Evidence = "startup"
	// EvidenceContainer: the container or pod.
	EvidenceContainer Evidence = "container"
	// EvidenceAddress: the network that the sender's address is of.
	EvidenceAddress Evidence = "address"
	// EvidenceInstance: the service instance that both declare.
	EvidenceInstance Evidence = "service_instance"
	// EvidenceHost: the only group on the sender's host.
	EvidenceHost Evidence = "host"
)

// AllEvidence is every kind, the most exact first.
func AllEvidence() []Evidence {
	return []Evidence{
		EvidenceThread, EvidenceStamp, EvidencePeer, EvidenceProcess, EvidenceStartup,
		EvidenceContainer, EvidenceAddress, EvidenceInstance, EvidenceHost,
	}
}

// Scope is how closely the stalls of a group are those of its requests.
type Scope string

// Scopes.
const (
	// ScopeThread: of the very thread that the span is of.
	ScopeThread Scope = "thread"
	// ScopeEngine: of the one engine that serves the sender.
	ScopeEngine Scope = "engine"
	// ScopeService: of several engines, of which one served the request.
	ScopeService Scope = "service"
)

// Decision is which traced processes serve a sender. Its members are sorted;
// there are none unless it is resolved, and it may be resolved without any: a
// stamp may name processes of which no stall has been seen.
type Decision struct {
	Outcome  Outcome
	Evidence Evidence
	Scope    Scope
	Members  []process.ID
	TID      int64 // only of this thread; 0: of all
	// Elsewhere is true where nothing is resolved because the sender has been seen,
	// and is of none of the groups that could be looked at.
	Elsewhere bool
}

// Key names the group for as long as its first member is known.
func (d *Decision) Key() process.ID {
	if len(d.Members) == 0 {
		return 0
	}
	return d.Members[0]
}

func (d *Decision) has(id process.ID) bool {
	_, found := slices.BinarySearch(d.Members, id)
	return found
}
