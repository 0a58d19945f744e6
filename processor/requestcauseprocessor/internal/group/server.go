package group

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

// serverKey names the server that a traced process is of.
type serverKey struct {
	host string
	root int64  // of its tree; 0 where that is not known
	name string // container, where the tree is not known
}

// server returns which server a traced process is of: the one of its tree, and
// where the tree cannot be looked at, of its container, or of its parent.
func (v *View) server(t *process.Traced) serverKey {
	if v.seen(t) {
		return serverKey{host: t.HostID, root: v.tree.root(t.PID)}
	}
	if t.ContainerID != "" {
		return serverKey{host: t.HostID, name: t.ContainerID}
	}
	if parent := v.byPID[hostPID{t.HostID, t.ParentPID}]; parent != nil && parent != t {
		return serverKey{host: t.HostID, root: parent.ParentPID}
	}
	return serverKey{host: t.HostID, root: t.ParentPID}
}

// seen reports whether a traced process is in the tree that can be looked at.
func (v *View) seen(t *process.Traced) bool {
	return v.local(t) && v.tree.relatives[t.PID] != nil
}

func (v *View) local(t *process.Traced) bool { return v.HostID != "" && t.HostID == v.HostID }

// servers divides processes by the server that they are of.
func (v *View) servers(of []*process.Traced) map[serverKey][]*process.Traced {
	found := make(map[serverKey][]*process.Traced)
	for _, t := range of {
		key := v.server(t)
		found[key] = append(found[key], t)
	}
	return found
}

// one decides between the servers of candidates. Where there are several, the
// name that both the sender and its server declare may tell.
func (v *View) one(candidates []*process.Traced, s *process.Sender, by Evidence) (Decision, bool) {
	if len(candidates) == 0 {
		return Decision{}, false
	}
	if len(v.servers(candidates)) > 1 {
		candidates = named(candidates, s)
	}
	if len(v.servers(candidates)) != 1 {
		return Decision{Outcome: Ambiguous, Evidence: by}, true
	}
	return v.resolved(candidates, by), true
}

// named returns the candidates that declare the sender's service, or all where
// none does or the sender declares none of its own.
func named(candidates []*process.Traced, s *process.Sender) []*process.Traced {
	var same []*process.Traced
	for _, t := range candidates {
		if declares(t, s) {
			same = append(same, t)
		}
	}
	if len(same) == 0 {
		return candidates
	}
	return same
}

// declares reports whether a traced process declares the sender's service. One
// that an SDK has made up for the sender is none.
func declares(t *process.Traced, s *process.Sender) bool {
	return s.ServiceName != "" && !strings.HasPrefix(s.ServiceName, "unknown_service") &&
		t.ServiceName == s.ServiceName && t.ServiceNamespace == s.ServiceNamespace
}

func (v *View) resolved(members []*process.Traced, by Evidence) Decision {
	d := Decision{Outcome: Resolved, Evidence: by, Scope: v.scope(members)}
	for _, t := range members {
		d.Members = append(d.Members, t.ID)
	}
	slices.Sort(d.Members)
	d.Members = slices.Compact(d.Members)
	return d
}

// scope tells one engine, whose workers all serve every request, from several
// engines that share the requests.
func (v *View) scope(members []*process.Traced) Scope {
	engines := make(map[string]bool)
	for _, t := range members {
		engines[v.engine(t)] = true
	}
	if len(engines) > 1 {
		return ScopeService
	}
	return ScopeEngine
}

// engine names the engine that a process is of. By its title, vLLM and SGLang
// say the rank among data-parallel engines, and that a process is one of the
// workers of an engine. A process that says neither is an engine of its own.
func (v *View) engine(t *process.Traced) string {
	title := cmp.Or(v.title(t), t.ServiceName)
	if rank, ok := rankIn(title, "DP"); ok {
		return "rank " + rank
	}
	if isWorker(title) {
		return "rank 0"
	}
	return "process " + strconv.FormatInt(t.PID, 10)
}

func (v *View) title(t *process.Traced) string {
	if v.seen(t) {
		return v.tree.relatives[t.PID].Title
	}
	return ""
}

// isWorker reports whether a title says a rank within an engine.
func isWorker(title string) bool {
	for _, kind := range []string{"TP", "PP", "EP", "DCP", "PCP"} {
		if _, ok := rankIn(title, kind); ok {
			return true
		}
	}
	return false
}

// rankIn finds "_<kind><number>" in a title.
func rankIn(title, kind string) (string, bool) {
	for _, word := range strings.Split(title, "_")[1:] {
		number, ok := strings.CutPrefix(word, kind)
		if _, err := strconv.ParseUint(number, 10, 31); ok && err == nil {
			return number, true
		}
	}
	return "", false
}
