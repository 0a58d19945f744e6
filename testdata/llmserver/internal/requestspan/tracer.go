package requestspan

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// Version is a form that vLLM's spans have had.
type Version struct {
	scope            string
	describesProcess bool // service.instance.id and vllm.* in the resource
}

// Versions by the first release that had them.
func Versions() map[string]Version {
	return map[string]Version{
		"0.10.2": {scope: "vllm.llm_engine"},
		"0.16":   {scope: "vllm.tracing.otel", describesProcess: true},
	}
}

// Tracer emits request spans. It is safe for concurrent use.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// NewTracer exports over OTLP/gRPC without TLS to the endpoint: HOST:PORT, with or without
// a scheme before it. Spans are sent in batches; the environment configures that as
// every OpenTelemetry SDK (OTEL_BSP_*, OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES).
// Without an endpoint it makes spans and sends none.
func NewTracer(ctx context.Context, version Version, endpoint string) (*Tracer, error) {
	described, err := newResource(ctx, version)
	if err != nil {
		return nil, err
	}
	options := []sdktrace.TracerProviderOption{sdktrace.WithResource(described)}
	if endpoint != "" {
		exporter, err := otlptrace.New(ctx, clearFlags{newClient(endpoint)})
		if err != nil {
			return nil, fmt.Errorf("opening the OTLP exporter to %s: %w", endpoint, err)
		}
		options = append(options, sdktrace.WithBatcher(exporter))
	}
	provider := sdktrace.NewTracerProvider(options...)
	return &Tracer{provider: provider, tracer: provider.Tracer(version.scope)}, nil
}

func newClient(endpoint string) otlptrace.Client {
	if _, address, found := strings.Cut(endpoint, "://"); found {
		endpoint = strings.TrimSuffix(address, "/")
	}
	return otlptracegrpc.NewClient(otlptracegrpc.WithEndpoint(endpoint), otlptracegrpc.WithInsecure())
}

// Shutdown sends what has not been sent.
func (t *Tracer) Shutdown(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// ParentOf is the context with the parent that the headers name, or the environment,
// or none.
func ParentOf(header http.Header) context.Context {
	propagator := propagation.TraceContext{}
	ctx := propagator.Extract(context.Background(), propagation.HeaderCarrier(header))
	if trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	for _, name := range []string{"traceparent", "TRACEPARENT"} {
		if value, ok := os.LookupEnv(name); ok {
			return propagator.Extract(ctx, propagation.MapCarrier{"traceparent": value})
		}
	}
	return ctx
}

// TraceParent is the header that names the parent in the context; false for none.
func TraceParent(ctx context.Context) (string, bool) {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	value, ok := carrier["traceparent"]
	return value, ok
}

// clearFlags leaves the W3C flags out of the spans' flags, as the Python SDK does.
type clearFlags struct{ otlptrace.Client }

func (c clearFlags) UploadTraces(ctx context.Context, batches []*tracepb.ResourceSpans) error {
	for _, resource := range batches {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				span.Flags &^= uint32(tracepb.SpanFlags_SPAN_FLAGS_TRACE_FLAGS_MASK)
			}
		}
	}
	return c.Client.UploadTraces(ctx, batches)
}
