package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gpucause/gpucause/testdata/llmserver/internal/load"
	"github.com/gpucause/gpucause/testdata/llmserver/internal/truth"
)

// demoFlags are the command line of a demo. What follows the flags is the server's.
type demoFlags struct {
	endpoint string
	folder   string
	client   load.Settings
	server   []string
}

func readDemoFlags(args []string) (*demoFlags, error) {
	f := &demoFlags{client: load.Settings{Parents: true}}
	set := flag.NewFlagSet("demo", flag.ContinueOnError)
	set.StringVar(&f.endpoint, "endpoint", "127.0.0.1:4317", "`address` to send spans to, OTLP over gRPC; empty: send none")
	set.StringVar(&f.folder, "out", ".", "`folder` for the reports engine-truth.jsonl and client-truth.jsonl")
	set.StringVar(&f.client.Workload, "workload", "mixed", "`name`: "+strings.Join(load.Workloads(), ", "))
	seconds := set.Int("seconds", 20, "how long requests are sent")
	set.IntVar(&f.client.Requests, "requests", 0, "how many at most; 0: as many as fit into --seconds")
	set.IntVar(&f.client.Concurrency, "concurrency", 4, "requests at the same time")
	set.Uint64Var(&f.client.Seed, "seed", 1, "`number` that the workload is made from")
	faults := set.String("faults", "lock,io", "`names` of faults, in turn; empty: none")
	every := set.Duration("fault-every", time.Second, "`duration` between them")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if *seconds < 1 || f.client.Concurrency < 1 {
		return nil, errors.New("demo: --seconds and --concurrency are at least 1")
	}
	f.client.Length = time.Duration(*seconds) * time.Second
	f.server = append([]string{"--listen=127.0.0.1:0", "--otlp-traces-endpoint=" + f.endpoint, "--truth=" + f.engineTruth(),
		"--faults=" + *faults, "--fault-every=" + every.String()}, set.Args()...)
	return f, nil
}

func (f *demoFlags) engineTruth() string { return filepath.Join(f.folder, "engine-truth.jsonl") }
func (f *demoFlags) clientTruth() string { return filepath.Join(f.folder, "client-truth.jsonl") }

// demo runs a server as a process of its own, with faults, loads it from this one,
// and prints what the requests met.
func demo(ctx context.Context, args []string) error {
	f, err := readDemoFlags(args)
	if err != nil {
		return err
	}
	// Reports are appended to; these are of this run alone.
	for _, path := range []string{f.engineTruth(), f.clientTruth()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("removing the report of an earlier run: %w", err)
		}
	}
	server, err := startServer(ctx, f.server)
	if err != nil {
		return err
	}
	f.client.URL = server.url
	err = sendLoad(ctx, f.client, f.clientTruth(), f.endpoint)
	if err := errors.Join(err, server.stop()); err != nil {
		return err
	}
	all, err := readVerdicts(f.engineTruth(), f.clientTruth())
	if err != nil {
		return err
	}
	printVerdicts(all)
	return nil
}

func printVerdicts(all []truth.Verdict) {
	count := make(map[string]int)
	for _, v := range all {
		count[v.Verdict]++
	}
	fmt.Printf("%d met a fault, %d only a long step, %d neither, %d have no answer\n",
		count[truth.Affected], count[truth.Disturbed], count[truth.Unaffected], count[truth.Failed])
}

// server is a server in a process of its own.
type server struct {
	url     string
	command *exec.Cmd
}

// startServer returns when it serves.
func startServer(ctx context.Context, args []string) (*server, error) {
	command := exec.CommandContext(ctx, "/proc/self/exe", append([]string{"serve"}, args...)...)
	command.Stderr = os.Stderr
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("opening the server's output: %w", err)
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return nil, errors.Join(errors.New("the server has ended"), command.Wait())
	}
	fmt.Print(line)
	_, url, _ := strings.Cut(line, "http://")
	url, _, _ = strings.Cut(url, ",")
	return &server{url: "http://" + url, command: command}, nil
}

// stop lets it send what it has.
func (s *server) stop() error {
	_ = s.command.Process.Signal(syscall.SIGTERM) // it may have ended: Wait tells why
	if err := s.command.Wait(); err != nil {
		return fmt.Errorf("the server: %w", err)
	}
	return nil
}
