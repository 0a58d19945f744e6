package engine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// Settings are how engines are started.
type Settings struct {
	Program string
	Count   int      // data-parallel ranks
	Options []string // --name=value, for all of them
}

// Process is a running engine. It ends when the other end of its socket is closed.
type Process struct {
	PID     int
	command *exec.Cmd
}

// Start starts the engines. The files are the other ends of their sockets and belong
// to the caller; on an error all is closed.
func Start(settings Settings) ([]*Process, []*os.File, error) {
	var processes []*Process
	var sockets []*os.File
	for rank := range settings.Count {
		process, socket, err := start(settings, rank)
		if err != nil {
			CloseAll(sockets)
			return nil, nil, errors.Join(fmt.Errorf("starting engine %d: %w", rank, err), WaitAll(processes))
		}
		processes, sockets = append(processes, process), append(sockets, socket)
	}
	return processes, sockets, nil
}

func start(settings Settings, rank int) (*Process, *os.File, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, nil, err
	}
	defer theirs.Close()
	// The title is written over the command line, so it fits.
	options := append([]string{"--socket=3", "--index=" + strconv.Itoa(rank), "--title=" + title(settings.Count, rank),
		"--id=" + strconv.Itoa(os.Getpid()) + "-" + strconv.Itoa(rank)}, settings.Options...)
	command := exec.Command(settings.Program, options...)
	command.ExtraFiles = []*os.File{theirs}
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	// Ctrl-C is for the API server, which then ends the engines.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		ours.Close()
		return nil, nil, err
	}
	return &Process{PID: command.Process.Pid, command: command}, ours, nil
}

func title(count, rank int) string {
	if count == 1 {
		return "VLLM::EngineCore"
	}
	return "VLLM::EngineCore_DP" + strconv.Itoa(rank)
}

func socketPair() (ours, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making its socket: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "engine"), os.NewFile(uintptr(fds[1]), "api-server"), nil
}

// Wait returns when the process has ended.
func (p *Process) Wait() error {
	if err := p.command.Wait(); err != nil {
		return fmt.Errorf("engine %d: %w", p.PID, err)
	}
	return nil
}

// WaitAll waits for all of them and returns the first error.
func WaitAll(processes []*Process) error {
	var first error
	for _, process := range processes {
		if err := process.Wait(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// CloseAll closes the sockets.
func CloseAll(sockets []*os.File) {
	for _, socket := range sockets {
		socket.Close()
	}
}
