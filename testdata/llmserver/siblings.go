package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/gpucause/gpucause/testdata/llmserver/internal/engine"
)

// apiServerCommand is the subcommand of an API server that is not the engines'
// parent. Their sockets are its files from firstSocket on.
const (
	apiServerCommand = "api-server"
	firstSocket      = 3
)

// runAPIServer runs it to its end, with the title that vLLM gives it. The sockets
// become the API server's.
func runAPIServer(ctx context.Context, args []string, sockets []*os.File) error {
	defer engine.CloseAll(sockets)
	command := exec.CommandContext(ctx, "/proc/self/exe")
	command.Args = append([]string{"VLLM::APIServer_0", apiServerCommand}, args...)
	command.ExtraFiles = sockets
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 15 * time.Second
	if err := command.Start(); err != nil {
		return fmt.Errorf("starting the API server: %w", err)
	}
	engine.CloseAll(sockets) // or the engines would not notice its end
	if err := command.Wait(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("the API server: %w", err)
	}
	return nil
}

// apiServer serves in front of engines that a launcher has started.
func apiServer(ctx context.Context, args []string) error {
	f, err := readServeFlags(args)
	if err != nil {
		return err
	}
	if err := os.WriteFile("/proc/self/comm", []byte("VLLM::APIServer"), 0); err != nil {
		return fmt.Errorf("setting the thread's name: %w", err)
	}
	var sockets []*os.File
	for i := range f.engines.Count {
		socket := os.NewFile(uintptr(firstSocket+i), "engine")
		if socket == nil {
			return errors.New(apiServerCommand + ": started by `serve --siblings` only")
		}
		sockets = append(sockets, socket)
	}
	return f.serve(ctx, sockets)
}
