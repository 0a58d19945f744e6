package requestcauseprocessor

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
)

// overHTTP is the context of what came over HTTP from this machine.
func overHTTP() context.Context {
	return client.NewContext(context.Background(), client.Info{Addr: &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)}})
}

// agentTraces is a span of an agent that has asked a model, wherever that is.
func agentTraces(service string, start time.Time) ptrace.Traces {
	traces := ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", service)
	span := resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName("invoke_agent helper")
	span.SetKind(ptrace.SpanKindInternal)
	span.SetTraceID(pcommon.TraceID{7})
	span.SetSpanID(pcommon.SpanID{7})
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(start.Add(time.Second)))
	span.Attributes().PutStr("gen_ai.operation.name", "invoke_agent")
	return traces
}

// TestAnAgentIsNotTheServer has an agent on the server's machine, of which nothing
// is known but that and its service.
func TestAnAgentIsNotTheServer(t *testing.T) {
	for service, joined := range map[string]bool{"my-agent": false, "vllm-server": true} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, nil)
			f.start(t)
			begin := time.Now()
			time.Sleep(2 * time.Second)
			require.NoError(t, f.ConsumeTraces(context.Background(), stallTraces(aStall(begin))))
			require.NoError(t, f.ConsumeTraces(overHTTP(), agentTraces(service, begin)))
			f.drain(t)
			assert.Equal(t, int64(1), f.count(t, "requestcause_requests_seen", attribute.String("rule", "gen_ai")))
			if joined {
				assert.Equal(t, int64(1), f.count(t, "requestcause_requests_joined", attribute.String("evidence", "host")))
			} else {
				assert.Empty(t, appended(f.out.AllTraces()...))
				assert.Equal(t, int64(1), f.count(t, "requestcause_requests_unresolved"))
			}
			f.stop(t)
		})
	}
}
