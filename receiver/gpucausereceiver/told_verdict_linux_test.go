package gpucausereceiver

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/gpucause/gpucause/connector/collectiveskewconnector"
)

// untilMissing is how long the connector waits for ranks.
const untilMissing = time.Second

// toldVerdict is what the connector finds of a collective.
type toldVerdict struct {
	trace   pcommon.TraceID
	kind    string
	rank    int // the straggler
	cause   string
	lag     time.Duration
	missing []any
	summary string
}

// verdictsOf has the connector judge what the receiver told.
func verdictsOf(t testing.TB, told []ptrace.Traces) map[pcommon.TraceID]toldVerdict {
	t.Helper()
	factory := collectiveskewconnector.NewFactory()
	config, _ := factory.CreateDefaultConfig().(*collectiveskewconnector.Config)
	config.TTL = untilMissing
	var sink consumertest.TracesSink
	skew, err := factory.CreateTracesToTraces(t.Context(), connectortest.NewNopSettings(factory.Type()), config, &sink)
	require.NoError(t, err)
	require.NoError(t, skew.Start(t.Context(), componenttest.NewNopHost()))
	defer func() { _ = skew.Shutdown(context.Background()) }()
	for _, traces := range told {
		require.NoError(t, skew.ConsumeTraces(t.Context(), traces))
	}
	<-time.After(2 * untilMissing)
	require.NoError(t, skew.Shutdown(t.Context()))
	verdicts := map[pcommon.TraceID]toldVerdict{}
	for _, traces := range sink.AllTraces() {
		for _, resource := range traces.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					require.NotContains(t, verdicts, span.TraceID(), "judged twice")
					verdicts[span.TraceID()] = verdictOf(span)
				}
			}
		}
	}
	return verdicts
}

func verdictOf(span ptrace.Span) toldVerdict {
	v := toldVerdict{
		trace:   span.TraceID(),
		kind:    attr(span, "nccl.verdict"),
		rank:    int(number(span, "nccl.straggler.rank", -1)),
		cause:   attr(span, "stall.cause"),
		lag:     seconds(span, "nccl.straggler.lag"),
		summary: attr(span, "stall.summary"),
	}
	if missing, ok := span.Attributes().Get("nccl.missing.ranks"); ok {
		v.missing = missing.Slice().AsRaw()
	}
	return v
}
