package capture

import "github.com/gpucause/gpucause/internal/event"

// Program is one program that a traced process runs, until it executes another.
type Program struct {
	pid   event.PID
	image uint32
}
