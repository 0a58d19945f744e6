package gpucausereceiver

import (
	"os"
	"strings"
)

// machineIDPath is where systemd and D-Bus keep the host's id (machine-id(5)).
const machineIDPath = "/etc/machine-id"

// host identifies the machine in resources and trace ids.
type host struct {
	name string
	id   string
}

// thisHost returns what the machine says of itself; what it does not say is
// empty, but for the id, which is then the name.
func thisHost() host {
	var h host
	h.name, _ = os.Hostname()
	if raw, err := os.ReadFile(machineIDPath); err == nil {
		h.id = strings.TrimSpace(string(raw))
	}
	if h.id == "" {
		h.id = h.name
	}
	return h
}
