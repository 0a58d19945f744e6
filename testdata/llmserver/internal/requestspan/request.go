package requestspan

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// Request is a finished sequence as the API server knows it. Durations that the
// engine measured are of its clock, the others of the API server's wall clock.
type Request struct {
	ID               string // external: all sequences of a request have the same
	Arrival          time.Time
	FirstToken       time.Duration // since arrival
	EndToEnd         time.Duration // since arrival
	Queue            time.Duration // engine
	Prefill          time.Duration // engine
	Decode           time.Duration // engine
	PromptTokens     int
	CompletionTokens int
	TopP             float64
	MaxTokens        int
	Temperature      float64
}

// Record emits the span of a request that ends now. Its parent is in the context.
func (t *Tracer) Record(ctx context.Context, r Request) {
	_, span := t.tracer.Start(ctx, "llm_request", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(r.Arrival))
	span.SetAttributes(r.attributes()...)
	span.End()
}

func (r Request) attributes() []attribute.KeyValue {
	all := []attribute.KeyValue{
		seconds("gen_ai.latency.time_to_first_token", r.FirstToken),
		seconds("gen_ai.latency.e2e", r.EndToEnd),
		seconds("gen_ai.latency.time_in_queue", r.Queue),
		attribute.Int("gen_ai.usage.prompt_tokens", r.PromptTokens),
		attribute.Int("gen_ai.usage.completion_tokens", r.CompletionTokens),
		seconds("gen_ai.latency.time_in_model_prefill", r.Prefill),
		seconds("gen_ai.latency.time_in_model_decode", r.Decode),
		seconds("gen_ai.latency.time_in_model_inference", r.Prefill+r.Decode),
		attribute.String("gen_ai.request.id", r.ID),
	}
	parameters := []attribute.KeyValue{
		attribute.Float64("gen_ai.request.top_p", r.TopP),
		attribute.Int("gen_ai.request.max_tokens", r.MaxTokens),
		attribute.Float64("gen_ai.request.temperature", r.Temperature),
		attribute.Int("gen_ai.request.n", 1), // a sequence never has more
	}
	return append(all, slices.DeleteFunc(parameters, isZero)...)
}

func seconds(key string, d time.Duration) attribute.KeyValue {
	return attribute.Float64(key, d.Seconds())
}

// isZero tells what vLLM leaves out: a temperature of 0 is not sent.
func isZero(a attribute.KeyValue) bool {
	value := a.Value.AsInterface()
	return value == int64(0) || value == 0.0
}
