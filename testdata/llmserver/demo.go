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

// demo runs a server as a process of its own, with faults, loads it from this one,
// and prints what the requests met.
func demo(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("demo", flag.ContinueOnError)
	endpoint := set.String("endpoint", "127.0.0.1:4317", "`address` to send spans to, OTLP over gRPC")
	seconds := set.Int("seconds", 20, "how long requests are sent")
	workload := set.String("workload", "mixed", "`name`: "+strings.Join(load.Workloads(), ", "))
	faults := set.String("faults", "lock,io", "`names` of faults, one every second in turn; empty: none")
	dir := set.String("out", ".", "`folder` for the reports engine-truth.jsonl and client-truth.jsonl")
	if err := set.Parse(args); err != nil {
		return err
	}
	if *seconds < 1 {
		return errors.New("demo: --seconds is at least 1")
	}
	engineTruth, clientTruth := filepath.Join(*dir, "engine-truth.jsonl"), filepath.Join(*dir, "client-truth.jsonl")
	server, err := startServer(ctx, "--listen=127.0.0.1:0", "--otlp-traces-endpoint="+*endpoint, "--truth="+engineTruth,
		"--faults="+*faults, "--fault-every=1s")
	if err != nil {
		return err
	}
	settings := load.Settings{URL: server.url, Workload: *workload, Length: time.Duration(*seconds) * time.Second,
		Concurrency: 4, Seed: 1, Parents: true}
	if err := errors.Join(sendLoad(ctx, settings, clientTruth, *endpoint), server.stop()); err != nil {
		return err
	}
	all, err := readVerdicts(engineTruth, clientTruth)
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
func startServer(ctx context.Context, args ...string) (*server, error) {
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
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping the server: %w", err)
	}
	if err := s.command.Wait(); err != nil {
		return fmt.Errorf("the server: %w", err)
	}
	return nil
}
