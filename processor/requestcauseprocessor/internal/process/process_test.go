package process

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/window"
)

func resourceOf(t *testing.T, attributes map[string]any) pcommon.Map {
	t.Helper()
	resource := pcommon.NewMap()
	require.NoError(t, resource.FromRaw(attributes))
	return resource
}

func TestResourceOfTheReceiver(t *testing.T) {
	traces, err := golden.ReadTraces("../../../../testdata/golden/spans/stall-lock.yaml")
	require.NoError(t, err)
	table := NewTable(10)
	id, ok := table.See(traces.ResourceSpans().At(0).Resource().Attributes(), 1)
	require.True(t, ok)
	known := table.Get(id)
	assert.Equal(t, Identity{HostID: "4c4c4544", HostName: "node-1", PID: 100, ServiceName: "inference"}, known.Identity)
	assert.Equal(t, int64(100), known.OwnPID())
	assert.False(t, known.Nested())
}

func TestSendersOfTheFixtures(t *testing.T) {
	for name, want := range map[string]Sender{
		"llm_request_v0.10.2-v0.15_V1_derived.json": {ServiceName: "vllm-server"},
		"llm_request_v0.16plus_root.json":           {PID: 28980, ServiceName: "vllm-server", ServiceInstance: "28d06eac-fc87-4913-951a-1d07650374fd"},
		"llm_request_no_service_name.json":          {PID: 29040, ServiceName: "unknown_service", ServiceInstance: "086cf62f-b545-4020-ac9d-5d661806e37a"},
		"llm_request_with_detectors.json": {
			PID: 29093, HostName: "vm", PodUID: "11111111-2222-3333-4444-555555555555",
			ServiceName: "vllm-server", ServiceInstance: "ded42897-7f0c-4735-a24f-e80e47783d63",
		},
	} {
		raw, err := os.ReadFile(filepath.Join("../../testdata/vllm", name))
		require.NoError(t, err)
		traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(raw)
		require.NoError(t, err)
		assert.Equal(t, want, ReadSender(traces.ResourceSpans().At(0).Resource().Attributes(), Peer{}, "stamp"), name)
	}
}

func TestStampIsText(t *testing.T) {
	for _, test := range []struct{ value, want any }{{"host/1", "host/1"}, {7, ""}, {strings.Repeat("x", maxStamp+1), ""}} {
		got := ReadSender(resourceOf(t, map[string]any{"stamp": test.value}), Peer{}, "stamp")
		assert.Equal(t, test.want, got.Stamp)
	}
}

func TestPodNameIsTheHostsNameWhereThereIsNone(t *testing.T) {
	got := ReadSender(resourceOf(t, map[string]any{"k8s.pod.name": "vllm-0"}), Peer{}, "stamp")
	assert.Equal(t, "vllm-0", got.HostName)
}

func traced(t *testing.T, pid int) pcommon.Map {
	t.Helper()
	return resourceOf(t, map[string]any{"host.id": "h", "process.pid": pid})
}

func TestTableKeepsWhoWasSeenLast(t *testing.T) {
	table := NewTable(3)
	for at, pid := range []int{1, 2, 3, 1, 4} {
		_, ok := table.See(traced(t, pid), window.Time(at+1))
		require.True(t, ok)
	}
	var pids []int64
	for _, p := range table.All() {
		pids = append(pids, p.PID)
	}
	assert.Equal(t, []int64{1, 3, 4}, pids, "process 2 was not seen for the longest time")
	assert.Equal(t, uint64(1), table.Evicted())
	assert.Nil(t, table.Get(2))
}

func TestTableExpires(t *testing.T) {
	table := NewTable(10)
	table.See(traced(t, 1), 10)
	table.See(traced(t, 2), 20)
	before := table.Changes()
	table.Expire(15)
	assert.Equal(t, 1, table.Len())
	assert.NotEqual(t, before, table.Changes())
	id, _ := table.See(traced(t, 1), 30)
	assert.Equal(t, ID(3), id, "a number is never used again")
}

func TestProcessWithAnotherParentIsAnother(t *testing.T) {
	table := NewTable(10)
	first, _ := table.See(resourceOf(t, map[string]any{"host.id": "h", "process.pid": 7, "process.parent_pid": 1}), 1)
	same, _ := table.See(resourceOf(t, map[string]any{"host.id": "h", "process.pid": 7, "process.parent_pid": 1, "x": "y"}), 2)
	other, _ := table.See(resourceOf(t, map[string]any{"host.id": "h", "process.pid": 7, "process.parent_pid": 2}), 3)
	assert.Equal(t, first, same)
	assert.NotEqual(t, first, other)
}

func TestResourcesWithoutProcess(t *testing.T) {
	table := NewTable(10)
	for _, attributes := range []map[string]any{
		{}, {"host.id": "h"}, {"process.pid": 7}, {"host.id": "h", "process.pid": -7}, {"host.id": 3, "process.pid": 7},
	} {
		_, ok := table.See(resourceOf(t, attributes), 1)
		assert.False(t, ok, "%v", attributes)
	}
}

func TestCopiesOfResourcesAreBounded(t *testing.T) {
	attributes := map[string]any{"host.id": "h", "process.pid": 7, "list": []any{"x"}}
	for n := range 1000 {
		attributes["k"+strconv.Itoa(n)] = strings.Repeat("x", 10_000)
	}
	table := NewTable(10)
	id, ok := table.See(resourceOf(t, attributes), 1)
	require.True(t, ok)
	kept := table.Get(id).Resource
	assert.LessOrEqual(t, kept.Len(), maxAttributes)
	for _, value := range kept.All() {
		assert.LessOrEqual(t, len(value.AsString()), maxText)
		assert.NotEqual(t, pcommon.ValueTypeSlice, value.Type())
	}
	assert.Equal(t, uint64(len(attributes)-1-kept.Len()), table.Omitted(), "the list is none of what is copied")
}

// TestHugeKeysAreLeftOut has text where nobody looks for it.
func TestHugeKeysAreLeftOut(t *testing.T) {
	attributes := map[string]any{"host.id": "h", "process.pid": 7, strings.Repeat("k", maxKey): "kept"}
	for n, value := range []any{"x", 1, true, 1.5} {
		attributes[strconv.Itoa(n)+strings.Repeat("k", 1<<20)] = value
		attributes[strconv.Itoa(n)+strings.Repeat("k", maxKey)] = value
	}
	table := NewTable(10)
	id, ok := table.See(resourceOf(t, attributes), 1)
	require.True(t, ok)
	assert.Equal(t, map[string]any{"host.id": "h", "process.pid": int64(7), strings.Repeat("k", maxKey): "kept"}, table.Get(id).Resource.AsRaw())
	assert.Equal(t, uint64(8), table.Omitted())
	_, ok = table.See(resourceOf(t, attributes), 2)
	require.True(t, ok)
	assert.Equal(t, uint64(8), table.Omitted(), "a process that is known is not copied again")
}

func TestCopiesAreBoundedInNumber(t *testing.T) {
	attributes := map[string]any{"host.id": "h", "process.pid": 7}
	for n := range 2 * maxAttributes {
		attributes[strconv.Itoa(n)] = n
	}
	table := NewTable(10)
	id, _ := table.See(resourceOf(t, attributes), 1)
	assert.Equal(t, maxAttributes, table.Get(id).Resource.Len())
	assert.Equal(t, uint64(maxAttributes+2), table.Omitted())
}

func TestCopiesAreBoundedInBytes(t *testing.T) {
	attributes := map[string]any{"host.id": "h", "process.pid": 7}
	for n := range maxAttributes - 2 {
		attributes[strconv.Itoa(n)+strings.Repeat("k", maxKey-3)] = strings.Repeat("x", maxText)
	}
	table := NewTable(10)
	id, _ := table.See(resourceOf(t, attributes), 1)
	kept, bytes := table.Get(id).Resource, 0
	for key, value := range kept.All() {
		bytes += len(key) + len(value.AsString())
	}
	assert.Less(t, bytes, maxResourceBytes)
	assert.Greater(t, bytes, maxResourceBytes*3/4, "what has room is kept")
	assert.Equal(t, uint64(maxAttributes-kept.Len()), table.Omitted())
}

// TestTheReceiversOwnAreKept has a resource that is as large as those of the receiver get.
func TestTheReceiversOwnAreKept(t *testing.T) {
	attributes := map[string]any{"host.id": "h", "process.pid": 7}
	for n := range 40 {
		attributes["k8s.of.some.length."+strconv.Itoa(n)] = strings.Repeat("x", 200)
	}
	table := NewTable(10)
	id, _ := table.See(resourceOf(t, attributes), 1)
	assert.Equal(t, len(attributes), table.Get(id).Resource.Len())
	assert.Zero(t, table.Omitted())
}
