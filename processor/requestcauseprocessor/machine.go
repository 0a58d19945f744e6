package requestcauseprocessor

import (
	"os"
	"strings"

	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/locate"
	"github.com/gpucause/gpucause/processor/requestcauseprocessor/internal/procfs"
)

// machineIDPath is where systemd and D-Bus keep the host's id (machine-id(5)).
const machineIDPath = "/etc/machine-id"

// machine is what the processor asks of the machine that it runs on.
type machine struct {
	// hostID and hostName are those that the receiver writes on this machine. The
	// id is empty where the machine's processes are not to be looked at.
	hostID, hostName string
	procs            locate.Procs // nil without hostID
}

// thisMachine reads who the machine is as the receiver does.
func thisMachine(config *Config) machine {
	var m machine
	m.hostName, _ = os.Hostname()
	if config.Groups.ProcPath == "" {
		return m
	}
	m.procs = procfs.New(config.Groups.ProcPath)
	if raw, err := os.ReadFile(machineIDPath); err == nil {
		m.hostID = strings.TrimSpace(string(raw))
	}
	if m.hostID == "" {
		m.hostID = m.hostName
	}
	return m
}
