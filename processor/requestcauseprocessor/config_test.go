package requestcauseprocessor

import (
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/group"
)

func load(t *testing.T, name string) (*Config, error) {
	t.Helper()
	all, err := confmaptest.LoadConf("testdata/config.yaml")
	require.NoError(t, err)
	sub, err := all.Sub(name)
	require.NoError(t, err)
	config := createDefaultConfig().(*Config)
	return config, sub.Unmarshal(config)
}

func TestDefaultConfigIsValid(t *testing.T) {
	config, err := load(t, "requestcause")
	require.NoError(t, err)
	require.NoError(t, confmap.Validate(config))
	assert.Equal(t, createDefaultConfig(), config)
}

func TestEveryKey(t *testing.T) {
	config, err := load(t, "requestcause/all")
	require.NoError(t, err)
	require.NoError(t, confmap.Validate(config))
	assert.Equal(t, &Config{
		Mode: ModeResolve,
		Wait: 2 * time.Second,
		Hold: HoldConfig{MaxBytes: 1 << 20},
		Requests: RequestsConfig{Rules: []RuleConfig{{
			Name: "mine", Scopes: []string{"my.server"}, Spans: []string{"infer *"},
			Kinds: []string{"server", "internal"}, Attributes: []string{"request.id", "work.*"}, Detail: DetailSummary,
			Fields: FieldsConfig{
				Queue: "work.queue", Prefill: "work.prefill", Decode: "work.decode", FirstToken: "work.first",
				EndToEnd: "work.total", PromptTokens: "work.in", CompletionTokens: "work.out", Sequences: "work.n",
				Logprobs: "work.logprobs", RequestID: "request.id", HostID: "work.host", ThreadID: "work.thread",
			},
		}}},
		Stalls: StallsConfig{
			Kinds: []string{"stall"}, Retention: 5 * time.Minute, MaxBytes: 2 << 20, MaxThreads: 10, MinOverlap: 5 * time.Millisecond,
		},
		Groups: GroupsConfig{
			Evidence: []group.Evidence{group.EvidencePeer, group.EvidenceContainer}, ProcPath: "/hostproc", MaxProcesses: 20,
		},
		Neighbours: NeighboursConfig{Show: 5, MaxRequests: 30},
		Spans:      SpansConfig{Top: 7, MaxPerSecond: 40, MaxRequestsPerStall: 50},
	}, config)
}

func TestInvalidConfigsSayWhatToWrite(t *testing.T) {
	for name, message := range map[string]string{
		"mode":              `mode is "guess": use join or resolve`,
		"wait":              "wait is 10m0s: use 0s to 30s",
		"hold":              "hold::max_bytes is 10: use 65536 to 17179869184",
		"no_rules":          "requests has no rules: add requests::rules, or set requests::defaults to true",
		"rule_without_name": "requests::rules::0::name is empty: give the rule a name",
		"rule_for_all":      "requests::rules::0 would match every span: set scopes, spans or attributes",
		"rule_twice":        `requests::rules::1::name is "a" again: use another`,
		"rule_kind":         `requests::rules::0::kinds has "SERVER": use internal, server, client, producer, consumer or unspecified`,
		"rule_attribute":    `requests::rules::0::attributes has "gen_ai.*.tokens": use * at the end only`,
		"rule_attribute_2":  `requests::rules::0::attributes has "gen_ai.**": use * at the end only`,
		"rule_detail":       `requests::rules::0::detail is "some": use full or summary`,
		"rule_thread":       "requests::rules::0::fields has one of host_id and thread_id: set both or none",
		"kinds":             "stalls::kinds is empty: use values of stall.kind, such as [stall, failed]",
		"retention":         "stalls::retention is 10ms: use 1s to 1h0m0s",
		"bytes":             "stalls::max_bytes is 1: use 65536 to 17179869184",
		"threads":           "stalls::max_threads is 0: use 1 to 1048576",
		"overlap":           "stalls::min_overlap is 0s: use 1ns to 1h0m0s",
		"evidence":          `groups::evidence has "luck": use some of thread, stamp, peer, process, startup, container, address, service_instance, host`,
		"no_evidence":       "groups::evidence is empty: use some of thread, stamp",
		"processes":         "groups::max_processes is 0: use 1 to 1048576",
		"neighbours":        "neighbours::show is 1000: use 0 to 100",
		"top":               "spans::top is 5000: use 0 to 1000",
		"rate":              "spans::max_per_second is 0: use 1 to 1048576",
	} {
		t.Run(name, func(t *testing.T) {
			config, err := load(t, "requestcause/"+name)
			require.NoError(t, err)
			assert.ErrorContains(t, confmap.Validate(config), message)
		})
	}
}

func TestMuchMayBeOff(t *testing.T) {
	config, err := load(t, "requestcause/off")
	require.NoError(t, err)
	require.NoError(t, confmap.Validate(config))
	assert.Empty(t, thisMachine(config).hostID)
	assert.Nil(t, thisMachine(config).procs)
}

func TestUnknownKeyIsAnError(t *testing.T) {
	_, err := load(t, "requestcause/unknown")
	require.ErrorContains(t, err, "bogus")
}

func TestEveryKeyIsDocumented(t *testing.T) {
	page, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, key := range keysOf(reflect.TypeFor[Config](), "") {
		assert.Contains(t, string(page), "| `"+key+"` |")
	}
	for _, key := range keysOf(reflect.TypeFor[RuleConfig](), "") {
		assert.Contains(t, string(page), "| `"+key+"` |")
	}
}

func keysOf(config reflect.Type, section string) []string {
	var keys []string
	for i := range config.NumField() {
		field := config.Field(i)
		key := section + field.Tag.Get("mapstructure")
		if field.Type.Kind() == reflect.Struct {
			keys = append(keys, keysOf(field.Type, key+"::")...)
			continue
		}
		keys = append(keys, key)
	}
	return keys
}
