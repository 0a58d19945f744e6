package group

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/process"
)

func TestStampLeadsToTheSameGroup(t *testing.T) {
	for _, w := range []*world{twoServers(), tensorParallel(), siblings(), twoContainers()} {
		for _, traced := range w.traced {
			want := w.view().Decide(&process.Sender{Peer: loopback()}, Connection{PID: traced.PID})
			stamp := w.view().Stamp(&want)
			got := w.blind().Decide(&process.Sender{Stamp: stamp}, Connection{})
			assert.Equal(t, Resolved, got.Outcome)
			assert.Equal(t, EvidenceStamp, got.Evidence)
			assert.Equal(t, want.Members, got.Members)
		}
	}
}

func TestStampOfProcessesThatAreNotKnown(t *testing.T) {
	got := newWorld().view().Decide(&process.Sender{Stamp: here + "/101", HostName: node}, Connection{})
	assert.Equal(t, Resolved, got.Outcome, "who serves it is known, though no stall of theirs is")
	assert.Empty(t, got.Members)
	assert.Zero(t, got.Key())
}

func TestNothingToStamp(t *testing.T) {
	v := oneServer().view()
	assert.Empty(t, v.Stamp(&Decision{}))
	assert.Empty(t, v.Stamp(&Decision{Outcome: Resolved}))
}

// TestStampSaysThatThereIsNone has senders of which another instance would know
// nothing but their host's name, which would be evidence for the only server it
// knows.
func TestStampSaysThatThereIsNone(t *testing.T) {
	for name, test := range map[string]struct {
		world  *world
		sender process.Sender
		at     Connection
		none   bool
	}{
		"of two servers one":                 {twoServers(), process.Sender{HostName: node}, Connection{}, true},
		"a connection of somebody else":      {oneServer(), process.Sender{HostName: node, Peer: loopback()}, Connection{Foreign: true}, true},
		"a relative that is no server":       {oneServer().run(300, 1, python), process.Sender{HostName: node, Peer: loopback()}, Connection{PID: 300}, true},
		"nothing is traced yet":              {newWorld(), process.Sender{HostName: node, Peer: loopback()}, Connection{Foreign: true}, false},
		"nothing is known of the sender":     {oneServer(), process.Sender{ServiceName: "vllm-server"}, Connection{}, false},
		"somebody else passes on a server's": {oneServer(), process.Sender{PID: 100, Peer: loopback()}, Connection{Foreign: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			v := test.world.view()
			d := v.Decide(&test.sender, test.at)
			stamp := v.Stamp(&d)
			assert.Equal(t, test.none, stamp == stampNone)
			if test.none {
				got := oneServer().view().Decide(&process.Sender{Stamp: stamp, HostName: node}, Connection{})
				assert.Equal(t, Decision{Evidence: EvidenceStamp}, got)
			}
		})
	}
}

func FuzzParseStamp(f *testing.F) {
	for _, stamp := range []string{"", "/", "h/", "h/1", "h/1,2", "a/b/3", "h/-1", "h/1,,2", "h/99999999999999999999", stampNone} {
		f.Add(stamp)
	}
	f.Fuzz(func(t *testing.T, stamp string) {
		host, pids, ok := parseStamp(stamp)
		if !ok {
			return
		}
		assert.NotEmpty(t, host)
		assert.NotEmpty(t, pids)
		for _, pid := range pids {
			assert.Positive(t, pid)
		}
	})
}

var startTrace = pcommon.TraceID{7}

func TestStartupsTellWhatAServerStarted(t *testing.T) {
	w := twoServers()
	w.startups.Note(startTrace, process.Sender{PID: 70, HostName: node})
	w.startups.Note(startTrace, process.Sender{PID: 101, HostName: node, Role: "engine_core"})
	got := w.blind().Decide(&process.Sender{PID: 70, HostName: node}, Connection{})
	w.check(t, resolvedTo(EvidenceStartup, ScopeEngine, 101), got)
	w.check(t, decided{}, w.blind().Decide(&process.Sender{PID: 71, HostName: "another"}, Connection{}))
}

func TestStartupsOfTwoServersWithTheSameNumbers(t *testing.T) {
	w := twoContainers()
	for n, container := range []string{containerA, containerB} {
		trace := pcommon.TraceID{byte(n + 1)}
		w.startups.Note(trace, process.Sender{PID: 1, ContainerID: container})
		w.startups.Note(trace, process.Sender{PID: int64(30 + n), ContainerID: container, Role: "engine_core"})
	}
	w.check(t, decided{}, w.blind().Decide(&process.Sender{PID: 1}, Connection{}))
}

// TestStartupsOfOneNumber has a server that was started twice, with another number
// for its engine, or two of which each was started once.
func TestStartupsOfOneNumber(t *testing.T) {
	known := process.Sender{PID: 1, ContainerID: containerA}
	pod := process.Sender{PID: 1, HostName: "vllm-0"}
	for name, test := range map[string]struct {
		first, second, sender process.Sender
		want                  []int64
	}{
		"the same container":                       {known, known, known, []int64{31}},
		"the same pod, by its name":                {pod, pod, pod, []int64{31}},
		"the first start may be another's":         {process.Sender{PID: 1}, known, known, []int64{31}},
		"the second start may be another's":        {known, process.Sender{PID: 1}, known, nil},
		"the sender does not say which it is":      {known, known, process.Sender{PID: 1}, nil},
		"two that call their host as this machine": {process.Sender{PID: 1, HostName: node}, process.Sender{PID: 1, HostName: node}, process.Sender{PID: 1, HostName: node}, nil},
		"another container":                        {known, process.Sender{PID: 1, ContainerID: containerB}, known, []int64{30}},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewStartups()
			for n, member := range []process.Sender{test.first, test.second} {
				trace, engine := pcommon.TraceID{byte(n + 1)}, member
				engine.PID, engine.Role = int64(30+n), "engine_core"
				s.Note(trace, member)
				assert.True(t, s.Note(trace, engine))
			}
			assert.Equal(t, test.want, s.started(&question{Sender: &test.sender}, node))
		})
	}
}

// TestTracesWithoutEnginesAreNoStarts has a server whose requests have spans that
// look like those of a start.
func TestTracesWithoutEnginesAreNoStarts(t *testing.T) {
	s, api := NewStartups(), process.Sender{PID: 70, HostName: node}
	assert.False(t, s.Note(startTrace, api), "there is no engine yet")
	assert.True(t, s.Note(startTrace, process.Sender{PID: 101, HostName: node, Role: "engine_core"}))
	for n := range 3 * maxStartups {
		assert.False(t, s.Note(pcommon.TraceID{1, byte(n), byte(n >> 8)}, api))
	}
	assert.Len(t, s.sets, maxStartups)
	assert.Equal(t, []int64{101}, s.started(&question{Sender: &api}, node))
	assert.Zero(t, s.Evicted())
}

func TestStartupsAreBounded(t *testing.T) {
	s := NewStartups()
	for n := range 3 * maxStartups {
		assert.True(t, s.Note(pcommon.TraceID{1, byte(n), byte(n >> 8)}, process.Sender{PID: 1, Role: "engine_core"}))
	}
	assert.Len(t, s.sets, maxStartups)
	assert.Equal(t, uint64(2*maxStartups), s.Evicted())
	assert.Len(t, s.order, maxStartups)
	added := 0
	for n := range 3 * maxStartupMembers {
		if s.Note(startTrace, process.Sender{PID: int64(n + 1), Role: "worker"}) {
			added++
		}
	}
	assert.Equal(t, maxStartupMembers, added)
	assert.Equal(t, uint64(2*maxStartups+2), s.Evicted(), "one went for this one, and of this one members are left out")
	assert.False(t, s.Note(startTrace, process.Sender{PID: 1}), "no news")
	assert.False(t, s.Note(pcommon.TraceID{}, process.Sender{PID: 1}))
	for _, again := range []process.Sender{{PID: 1}, {PID: 1, Generic: true}, {PID: 1, Stamp: "h/1"}, {PID: 1, Peer: loopback()}} {
		s.Note(pcommon.TraceID{2}, again)
	}
	assert.Len(t, s.sets[pcommon.TraceID{2}].members, 1, "it is the same process")
	assert.False(t, s.Note(startTrace, process.Sender{}))
}

// TestMembersOfAllStartsAreBounded has starts that are each as large as one may be.
func TestMembersOfAllStartsAreBounded(t *testing.T) {
	s := NewStartups()
	plain := pcommon.TraceID{9, 9}
	s.Note(plain, process.Sender{PID: 1})
	const starts = maxAllMembers/maxStartupMembers + 2
	for n := range starts {
		for pid := range maxStartupMembers {
			s.Note(pcommon.TraceID{1, byte(n)}, process.Sender{PID: int64(pid + 1), Role: "worker"})
			kept := 0
			for _, set := range s.sets {
				kept += len(set.members)
			}
			require.Equal(t, kept, s.members)
			require.LessOrEqual(t, kept, maxAllMembers)
			require.Len(t, s.order, len(s.sets))
		}
	}
	assert.NotContains(t, s.sets, plain, "traces without an engine go first")
	assert.Equal(t, uint64(2), s.Evicted())
	assert.NotContains(t, s.sets, pcommon.TraceID{1, 0})
	assert.NotContains(t, s.sets, pcommon.TraceID{1, 1})
	assert.Len(t, s.sets[pcommon.TraceID{1, starts - 1}].members, maxStartupMembers, "the newest is whole")
}

var anybody = &process.Sender{}

func noThreads(process.ID, int64) bool { return false }

func TestThreads(t *testing.T) {
	w := twoServers()
	v := w.view()
	got := v.DecideThread(here, 201, anybody, Decision{}, noThreads)
	w.check(t, resolvedTo(EvidenceThread, ScopeThread, 201), got)
	assert.Equal(t, int64(201), got.TID)

	known := func(of process.ID, tid int64) bool { return of == 1 && tid == 150 }
	got = v.DecideThread(here, 150, anybody, Decision{}, known)
	w.check(t, resolvedTo(EvidenceThread, ScopeThread, 101), got)
	assert.Equal(t, int64(150), got.TID)

	sender := v.Decide(&process.Sender{PID: 100}, Connection{})
	assert.Equal(t, sender, v.DecideThread(here, 999, anybody, sender, noThreads), "the group, where the thread is not known")
	assert.Equal(t, sender, v.DecideThread("another", 101+1, anybody, sender, noThreads))
	assert.Equal(t, sender, v.DecideThread(here, 0, anybody, sender, noThreads))
}

func TestThreadsInContainers(t *testing.T) {
	w := twoContainers()
	v := w.view()
	assert.Equal(t, Ambiguous, v.DecideThread(here, 30, anybody, Decision{}, noThreads).Outcome, "both have a main thread 30")
	sender := v.Decide(&process.Sender{ContainerID: containerB}, Connection{})
	got := v.DecideThread(here, 30, anybody, sender, noThreads)
	w.check(t, resolvedTo(EvidenceThread, ScopeThread, 601), got)
	assert.Equal(t, int64(601), got.TID, "the number that stalls have")
	got = v.DecideThread("the container's own machine-id", 30, anybody, sender, noThreads)
	w.check(t, resolvedTo(EvidenceThread, ScopeThread, 601), got)
}

// TestThreadsOfOthersInContainers has a number that one traced process has in its
// container, and a sender that is somewhere else.
func TestThreadsOfOthersInContainers(t *testing.T) {
	w := oneServer().run(500, 400, python, in(containerA, 1)).run(501, 500, python, in(containerA, 30)).trace(501)
	w.traced[1].PodUID = podA
	v := w.view()
	server := v.Decide(&process.Sender{PID: 100, HostName: node}, Connection{})
	own := v.Decide(&process.Sender{ContainerID: containerA}, Connection{})
	for name, test := range map[string]struct {
		from   process.Sender
		sender Decision
		tid    int64
		want   decided
	}{
		"nothing speaks against it": {process.Sender{}, Decision{}, 30, resolvedTo(EvidenceThread, ScopeThread, 501)},
		"its own container":         {process.Sender{ContainerID: containerA}, own, 30, resolvedTo(EvidenceThread, ScopeThread, 501)},
		"another group":             {process.Sender{PID: 100, HostName: node}, server, 30, resolvedTo(EvidenceProcess, ScopeEngine, 101)},
		"another container":         {process.Sender{ContainerID: containerB}, Decision{}, 30, decided{}},
		"another pod":               {process.Sender{PodUID: "99999999-2222-3333-4444-555555555555"}, Decision{}, 30, decided{}},
		"a number of the host's":    {process.Sender{ContainerID: containerB}, own, 101, resolvedTo(EvidenceThread, ScopeThread, 101)},
	} {
		t.Run(name, func(t *testing.T) {
			w.check(t, test.want, v.DecideThread(here, test.tid, &test.from, test.sender, noThreads))
		})
	}
}

func TestThreadOfAProcessThatExecutedAnotherProgram(t *testing.T) {
	w := oneServer().trace(101, serving("after"))
	got := w.view().DecideThread(here, 101, anybody, Decision{}, noThreads)
	assert.Equal(t, Resolved, got.Outcome)
	assert.Equal(t, []process.ID{1, 2}, got.Members)
}

func TestRanksInTitles(t *testing.T) {
	for title, want := range map[string]string{
		"VLLM::EngineCore_DP1": "1", "VLLM::Worker_DP0_PP1_TP3": "0", "sglang::scheduler_DP2_TP0": "2",
		"VLLM::Worker_TP1": "", "VLLM::EngineCore": "", "_DP": "", "_DPx": "", "": "",
	} {
		got, _ := rankIn(title, "DP")
		assert.Equal(t, want, got, title)
	}
}

func TestTreesThatMakeNoSense(t *testing.T) {
	w := newWorld().run(10, 11, python).run(11, 10, python).run(12, 12, python).trace(10).trace(12)
	v := w.view()
	for _, pid := range []int64{10, 11, 12, 13, 0, -1} {
		got := v.Decide(&process.Sender{PID: pid, HostName: node}, Connection{PID: pid})
		assert.Subset(t, []process.ID{1, 2}, got.Members)
	}
}
