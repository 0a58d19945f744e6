// Llmserver is a small completion server in the shape of vLLM, on the simulated CUDA
// stack, with a client that loads it. README.md tells what is there.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// command is a subcommand; its arguments are those after its name.
type command struct {
	name  string
	about string
	run   func(ctx context.Context, args []string) error
}

func commands() []command {
	return []command{
		{"serve", "the API server and its engines", serve},
		{"client", "send a workload to a server and report every request", runClient},
		{"verdicts", "tell from the reports of a run what every request met", verdicts},
		{"demo", "a server with faults, loaded for a while", demo},
		{apiServerCommand, "what `serve --siblings` starts", apiServer},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:]); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "llmserver:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	all := commands()
	if len(args) > 0 {
		if i := slices.IndexFunc(all, func(c command) bool { return c.name == args[0] }); i >= 0 {
			return all[i].run(ctx, args[1:])
		}
	}
	var usage strings.Builder
	for _, c := range all {
		fmt.Fprintf(&usage, "\n  %-11s %s", c.name, c.about)
	}
	return fmt.Errorf("a subcommand is needed:%s", usage.String())
}
