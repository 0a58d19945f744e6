package load

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// kind is a sort of request. Ranges include both ends; a token is a word.
type kind struct {
	name        string
	prompt      [2]int
	maxTokens   [2]int
	n           int
	logprobs    int
	temperature float64
}

var (
	short   = kind{name: "short", prompt: [2]int{4, 12}, maxTokens: [2]int{12, 24}, n: 1}
	medium  = kind{name: "medium", prompt: [2]int{100, 200}, maxTokens: [2]int{16, 32}, n: 1, temperature: 0.7}
	long    = kind{name: "long_prefill", prompt: [2]int{3000, 4000}, maxTokens: [2]int{4, 8}, n: 1, temperature: 0.7}
	blocker = kind{name: "blocker", prompt: [2]int{20, 40}, maxTokens: [2]int{10, 14}, n: 8, logprobs: 20, temperature: 0.7}
)

// plans make a workload of so many requests, in the order in which they begin.
var plans = map[string]func(count int, random *rand.Rand) []kind{
	"steady": steady,
	"mixed":  mixed,
	// Eight short prompts, and the long one behind them: rounds for a concurrency of 9.
	"prefill": rounds(slices.Concat(slices.Repeat([]kind{short}, 8), []kind{long})),
	// One request that computes the log probabilities of eight choices, among others.
	"blocker": rounds(slices.Concat(slices.Repeat([]kind{short}, 12), []kind{blocker}, slices.Repeat([]kind{short}, 27))),
}

// Workloads are the names that there are.
func Workloads() []string { return slices.Sorted(maps.Keys(plans)) }

// steady has nothing in it that makes a step long.
func steady(count int, _ *rand.Rand) []kind { return slices.Repeat([]kind{short}, count) }

// mixed is what a service gets: of 100 requests 90 short, 7 medium, 2 long, 1 blocker.
func mixed(count int, random *rand.Rand) []kind {
	weights := slices.Concat(slices.Repeat([]kind{short}, 90), slices.Repeat([]kind{medium}, 7),
		slices.Repeat([]kind{long}, 2), []kind{blocker})
	plan := make([]kind, count)
	for i := range plan {
		plan[i] = weights[random.IntN(len(weights))]
	}
	return plan
}

func rounds(round []kind) func(int, *rand.Rand) []kind {
	return func(count int, _ *rand.Rand) []kind {
		plan := make([]kind, count)
		for i := range plan {
			plan[i] = round[i%len(round)]
		}
		return plan
	}
}

// request is one that is going to be sent.
type request struct {
	kind      string
	Prompt    string  `json:"prompt"`
	MaxTokens int     `json:"max_tokens"`
	N         int     `json:"n"`
	Logprobs  int     `json:"logprobs"`
	Temp      float64 `json:"temperature"`

	promptTokens int
}

// plan makes a workload's requests, the same ones for the same seed.
func plan(workload string, count int, seed uint64) ([]request, error) {
	order, known := plans[workload]
	if !known {
		return nil, fmt.Errorf("there is no workload %q: use one of %s", workload, strings.Join(Workloads(), ", "))
	}
	random := rand.New(rand.NewPCG(seed, 0))
	var requests []request
	for _, k := range order(count, random) {
		words := within(k.prompt, random)
		requests = append(requests, request{kind: k.name, Prompt: strings.TrimSpace(strings.Repeat("word ", words)), promptTokens: words,
			MaxTokens: within(k.maxTokens, random), N: k.n, Logprobs: k.logprobs, Temp: k.temperature})
	}
	return requests, nil
}

func within(ends [2]int, random *rand.Rand) int { return ends[0] + random.IntN(ends[1]-ends[0]+1) }
