package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/gpucause/gpucause/testdata/llmserver/internal/load"
	"github.com/gpucause/gpucause/testdata/llmserver/internal/truth"
)

func runClient(ctx context.Context, args []string) error {
	settings := load.Settings{}
	var truthPath, endpoint string
	var noParents bool
	set := flag.NewFlagSet("client", flag.ContinueOnError)
	set.StringVar(&settings.URL, "url", "http://127.0.0.1:8000", "`address` of the server")
	set.StringVar(&settings.Workload, "workload", "mixed", "`name`: "+strings.Join(load.Workloads(), ", "))
	set.IntVar(&settings.Requests, "requests", 500, "how many; 0: as many as fit into --length")
	set.DurationVar(&settings.Length, "length", 0, "`duration` after which no request begins; 0: no end")
	set.IntVar(&settings.Concurrency, "concurrency", 4, "requests at the same time")
	set.DurationVar(&settings.Pause, "pause", 0, "`duration` between the end of a request and the begin of the next in its place")
	set.Uint64Var(&settings.Seed, "seed", 1, "`number` that the workload is made from")
	set.BoolVar(&noParents, "no-traceparent", false, "do not send the trace context")
	set.StringVar(&truthPath, "truth", os.DevNull, "append a line for every request to this `file`")
	set.StringVar(&endpoint, "otlp-traces-endpoint", "", "`address` to send the client's own spans to, OTLP over gRPC")
	if err := set.Parse(args); err != nil {
		return err
	}
	if set.NArg() > 0 || settings.Concurrency < 1 || (settings.Requests == 0) == (settings.Length == 0) {
		return errors.New("client: all arguments are flags, --concurrency is at least 1, and either --requests or --length is 0")
	}
	settings.Parents = !noParents
	return sendLoad(ctx, settings, truthPath, endpoint)
}

// sendLoad runs the client with its files and its own spans.
func sendLoad(ctx context.Context, settings load.Settings, truthPath, endpoint string) error {
	file, err := os.OpenFile(truthPath, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("opening the report: %w", err)
	}
	provider, err := clientTracer(ctx, endpoint)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	settings.Report, settings.Tracer = file, provider.Tracer("llmserver.client")
	summary, err := load.Run(ctx, settings)
	fmt.Print(summary)
	flush, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(err, provider.Shutdown(flush), file.Close())
}

// clientTracer makes the trace context that requests carry, and sends the spans where
// there is an endpoint.
func clientTracer(ctx context.Context, endpoint string) (*sdktrace.TracerProvider, error) {
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "llm-client"))),
	}
	if endpoint != "" {
		exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(endpoint), otlptracegrpc.WithInsecure())
		if err != nil {
			return nil, fmt.Errorf("opening the OTLP exporter to %s: %w", endpoint, err)
		}
		options = append(options, sdktrace.WithBatcher(exporter))
	}
	return sdktrace.NewTracerProvider(options...), nil
}

// verdicts prints a line for every request of the client's report.
func verdicts(_ context.Context, args []string) error {
	set := flag.NewFlagSet("verdicts", flag.ContinueOnError)
	engines := set.String("engine-truth", "", "`file` that the server wrote")
	client := set.String("client-truth", "", "`file` that the client wrote")
	if err := set.Parse(args); err != nil {
		return err
	}
	all, err := readVerdicts(*engines, *client)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(os.Stdout)
	for _, v := range all {
		if err := encoder.Encode(v); err != nil {
			return fmt.Errorf("writing the verdicts: %w", err)
		}
	}
	return nil
}

func readVerdicts(engineTruth, clientTruth string) ([]truth.Verdict, error) {
	events, err := truth.ReadFile[truth.Event](engineTruth)
	if err != nil {
		return nil, err
	}
	requests, err := truth.ReadFile[truth.Request](clientTruth)
	if err != nil {
		return nil, err
	}
	return truth.Verdicts(requests, events), nil
}
