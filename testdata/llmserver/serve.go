package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gpucause/gpucause/testdata/llmserver/internal/api"
	"github.com/gpucause/gpucause/testdata/llmserver/internal/engine"
	"github.com/gpucause/gpucause/testdata/llmserver/internal/requestspan"
)

// serveFlags are the command line of a server.
type serveFlags struct {
	address  string
	endpoint string
	version  string
	siblings bool
	faults   string
	engines  engine.Settings
	api      api.Settings
}

// engineOptions go to the engines as they are; they check them.
var engineOptions = []struct{ name, usage string }{
	{"truth", "append a report of what really happens to this `file`"},
	{"dir", "`folder` on a disk for the files of faults (default /var/tmp)"},
	{"cpu", "`number` of the CPU that the fault cpu is about (default 0)"},
	{"fault-every", "a fault every `duration`, in turn"},
	{"fault-for", "and for how long (default 30ms)"},
	{"fault-gap", "shortest time between two faults (default 200ms)"},
	{"step-time", "GPU time of a step with one sequence (default 5ms)"},
	{"sequence-time", "of every further sequence (default 20us)"},
	{"prompt-token-time", "of every token of a prompt (default 100us)"},
	{"logprob-time", "of every log probability (default 300us)"},
	{"max-num-seqs", "sequences in a step (default 32)"},
	{"max-num-batched-tokens", "tokens in a step (default 2048)"},
	{"long-cycle", "length from which a dispatch cycle is reported (default 9ms)"},
}

func readServeFlags(args []string) (*serveFlags, error) {
	f := &serveFlags{}
	set := flag.NewFlagSet("serve", flag.ContinueOnError)
	set.StringVar(&f.address, "listen", "127.0.0.1:8000", "`address` of the API")
	set.StringVar(&f.endpoint, "otlp-traces-endpoint", "", "`address` to send request spans to, OTLP over gRPC; none are sent without it")
	set.StringVar(&f.version, "spans-of", "0.16", "`version` of vLLM whose request spans to send: 0.10.2 or 0.16")
	set.IntVar(&f.engines.Count, "data-parallel", 1, "`number` of engines")
	set.BoolVar(&f.siblings, "siblings", false, "API server and engines as children of a launcher; otherwise the API server is the engines' parent")
	set.StringVar(&f.engines.Program, "engine", besideSelf("engine"), "`path` of the engine's program")
	set.StringVar(&f.api.Model, "model", "simulated", "`name` of the model")
	set.IntVar(&f.api.MaxModelLength, "max-model-len", 8192, "`tokens` of a prompt and its completion")
	set.IntVar(&f.api.MaxRequests, "max-requests", 1024, "requests at the same time; beyond them 503")
	set.StringVar(&f.faults, "faults", "", "`names`, by commas, of faults that can be made: lock, io, cpu, input, host_code, gpu, first_launch")
	for _, option := range engineOptions {
		set.Func(option.name, option.usage, func(value string) error {
			f.engines.Options = append(f.engines.Options, "--"+option.name+"="+value)
			return nil
		})
	}
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	return f, f.finish(set)
}

// finish checks, and derives one flag from another.
func (f *serveFlags) finish(set *flag.FlagSet) error {
	if _, known := requestspan.Versions()[f.version]; !known {
		return fmt.Errorf("--spans-of=%s: use 0.10.2 or 0.16", f.version)
	}
	if set.NArg() > 0 || f.engines.Count < 1 || f.api.MaxRequests < 1 {
		return errors.New("serve: all arguments are flags, and there is at least one engine and one request")
	}
	if f.faults != "" {
		f.api.Faults = strings.Split(f.faults, ",")
		f.engines.Options = append(f.engines.Options, "--faults="+f.faults)
	}
	return nil
}

func besideSelf(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}

// serve starts the engines and serves in front of them, in this process or in one
// beside them.
func serve(ctx context.Context, args []string) error {
	f, err := readServeFlags(args)
	if err != nil {
		return err
	}
	processes, sockets, err := engine.Start(f.engines)
	if err != nil {
		return err
	}
	if f.siblings {
		err = runAPIServer(ctx, args, sockets)
	} else {
		err = f.serve(ctx, sockets)
	}
	return errors.Join(err, engine.WaitAll(processes))
}

// serve takes over the sockets.
func (f *serveFlags) serve(ctx context.Context, sockets []*os.File) error {
	links, err := openLinks(sockets)
	if err != nil {
		return err
	}
	tracer, err := requestspan.NewTracer(ctx, requestspan.Versions()[f.version], f.endpoint)
	if err != nil {
		return errors.Join(err, closeLinks(links))
	}
	listener, err := net.Listen("tcp", f.address)
	if err != nil {
		return errors.Join(fmt.Errorf("listening: %w", err), closeLinks(links))
	}
	fmt.Printf("llmserver: process %d serves at http://%s, engines: %d\n", os.Getpid(), listener.Addr(), len(links))
	err = api.New(f.api, links, tracer).Serve(ctx, listener)
	// What was not sent in time is lost, as with any exporter.
	flush, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if lost := tracer.Shutdown(flush); lost != nil {
		err = errors.Join(err, fmt.Errorf("sending the last spans: %w", lost))
	}
	return err
}

// openLinks returns when all engines are ready.
func openLinks(sockets []*os.File) ([]*engine.Link, error) {
	var links []*engine.Link
	for i, socket := range sockets {
		link, err := engine.NewLink(socket)
		if err != nil {
			engine.CloseAll(sockets[i+1:])
			return nil, errors.Join(err, closeLinks(links))
		}
		links = append(links, link)
	}
	for _, link := range links {
		if err := link.Ready(); err != nil {
			return nil, errors.Join(fmt.Errorf("waiting for an engine: %w", err), closeLinks(links))
		}
	}
	return links, nil
}

func closeLinks(links []*engine.Link) error {
	var err error
	for _, link := range links {
		err = errors.Join(err, link.Close())
	}
	return err
}
