package gpucausereceiver

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

const (
	// maxNoise is how many stalls above the noise threshold may have another cause than the story's.
	maxNoise = 1
	// A story during which others had the CPU for tooMuch may be told wrongly.
	tooMuch = 100 * time.Millisecond
)

// workloadStory is a workload script with what must be told of it.
type workloadStory struct {
	name    string        // of the script, and its dispatcher's comm
	cause   string        // the one cause, or nothing
	atLeast int           // how many stalls have it
	amount  time.Duration // that a stall takes longer than typical
	culprit string        // what the printed trace of one of them matches
	cast    []string      // comms of the workload's threads and processes
	late    string        // of several ranks the comm of the one that comes late
}

// workloadStories are the scripts under testdata/scenarios/workloads. What takes
// the dispatcher's time mostly comes every 150 ms, and lasts about 25 ms.
var workloadStories = []workloadStory{
	{name: "gpu-busy", cause: "gpu_busy", atLeast: 2, amount: 25 * time.Millisecond, culprit: `cudaStreamSynchronize`},
	{name: "memory-bandwidth", cause: "gpu_busy", atLeast: 2, amount: 26 * time.Millisecond, culprit: `cudaStreamSynchronize`},
	{name: "data-loader", cause: "input_wait", atLeast: 2, amount: 25 * time.Millisecond, culprit: `woken by loader.*─ blocked: io .*loader`, cast: []string{"loader"}},
	{name: "cpu-contention", cause: "cpu_contention", atLeast: 2, amount: 25 * time.Millisecond, culprit: `hog.*─ runnable: preempted .*hog`, cast: []string{"hog"}},
	{name: "lock-io", cause: "lock", atLeast: 2, amount: 25 * time.Millisecond, culprit: `offload.*─ blocked: futex .*woken by offload.*─ blocked: io .*offload`, cast: []string{"offload"}},
	{name: "own-io", cause: "io", atLeast: 2, amount: 25 * time.Millisecond, culprit: `─ blocked: io`},
	{name: "first-launch", cause: "module_load", atLeast: 2, amount: 40 * time.Millisecond, culprit: `cudaLaunchKernel.*first launch`},
	{name: "queue-full", cause: "launch_queue_full", atLeast: 2, amount: 350 * time.Millisecond, culprit: `launch`},
	{name: "malloc-storm", cause: "memory_management", atLeast: 2, amount: 25 * time.Millisecond, culprit: `cudaMalloc`},
	{name: "memcpy", cause: "memcpy", atLeast: 2, amount: 25 * time.Millisecond, culprit: `cudaMemcpy`},
	{name: "page-fault", cause: "page_fault", atLeast: 2, amount: 25 * time.Millisecond, culprit: `─ blocked: page_fault`},
	{name: "host-code", cause: "host_code", atLeast: 2, amount: 25 * time.Millisecond},
	{name: "healthy", cause: nothing},
	{name: "idle", cause: nothing, cast: []string{"input"}},
	{name: "sync-spin", cause: nothing},
}

// Every story is told with its cause and its culprit, and no other.
func TestStories(t *testing.T) {
	requireKernelTests(t)
	for _, story := range workloadStories {
		t.Run(story.name, func(t *testing.T) {
			hold(t, func(t *trial) {
				stalls := story.perform(t)
				if lost := lostToOthers(&story, stalls); lost >= tooMuch {
					t.spoil("others had the CPU for %v", lost)
				}
				story.check(t, stalls)
			})
		})
	}
}

func (story *workloadStory) perform(t testing.TB) []toldStall {
	t.Helper()
	s := openStage(t)
	pid := s.play(t, story.name)
	return s.close(t)[pid]
}

// wrong returns how many stalls have another cause than the story's, but for noise and others' doing.
func (story *workloadStory) wrong(stalls []toldStall) (n int) {
	for i := range stalls {
		if s := &stalls[i]; !s.fromOutside(story) && s.cause != story.cause && !s.noise() {
			n++
		}
	}
	return n
}

func (story *workloadStory) check(t testing.TB, stalls []toldStall) {
	t.Helper()
	t.Log(list(stalls))
	assert.Equal(t, story.cause, verdict(story, stalls))
	var excess []time.Duration // of the stalls with the cause
	told := 0
	culprit := regexp.MustCompile("(?s)" + story.culprit)
	for i := range stalls {
		stall := &stalls[i]
		assert.InDelta(t, stall.duration, stall.ledger, float64(time.Microsecond), "the states sum to the cycle")
		switch {
		case stall.fromOutside(story):
		case stall.cause == story.cause:
			excess = append(excess, stall.duration-stall.typical)
			if culprit.MatchString(stall.text) {
				told++
			}
		}
	}
	if assert.GreaterOrEqual(t, len(excess), story.atLeast, "stalls with the cause") && len(excess) > 0 {
		slices.Sort(excess)
		median := excess[len(excess)/2]
		assert.Greater(t, median, story.amount*4/5)
		assert.Less(t, median, story.amount*2)
	}
	assert.LessOrEqual(t, story.wrong(stalls), maxNoise, "stalls with another cause")
	if story.cause != nothing && told == 0 {
		assert.Fail(t, "no trace has the culprit", "%s in none of:\n%s", story.culprit, traceTexts(stalls))
	}
}

func traceTexts(stalls []toldStall) string {
	text := ""
	for i := range stalls {
		text += stalls[i].text + "\n"
	}
	return text
}
