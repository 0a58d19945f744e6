package gpucausereceiver

import (
	"os"
	"path/filepath"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
)

// maxDescribed bounds the remembered descriptions; beyond it a process is
// described anew each time.
const maxDescribed = 4096

// processes remembers what describes each process, from when it is first seen,
// because /proc forgets it when it exits.
type processes struct {
	procPath string
	host     host
	config   ResourceConfig
	known    map[event.PID]description
	gone     map[event.ProcessID]ktime.Time // when they ended; not taken yet
}

type description struct {
	start      ktime.Time
	attributes pcommon.Map
}

func newProcesses(procPath string, h host, config ResourceConfig) *processes {
	return &processes{
		procPath: procPath, host: h, config: config,
		known: make(map[event.PID]description),
		gone:  make(map[event.ProcessID]ktime.Time),
	}
}

// learn describes a process while it lives.
func (p *processes) learn(id event.ProcessID) pcommon.Map {
	found, ok := p.known[id.PID]
	if ok && (found.start == id.Start || id.Start == 0) {
		return found.attributes
	}
	fresh := description{start: id.Start, attributes: describeProcess(p.procPath, id.PID, p.config)}
	if ok || len(p.known) < maxDescribed {
		p.known[id.PID] = fresh
	}
	return fresh.attributes
}

// describe adds what is known of a process besides its id and host.
func (p *processes) describe(id event.ProcessID, attributes pcommon.Map) {
	for key, value := range p.learn(id).All() {
		value.CopyTo(attributes.PutEmpty(key))
	}
}

// resource describes a process in full; the zero id is the host alone.
func (p *processes) resource(id event.ProcessID, resource pcommon.Resource) {
	attributes := resource.Attributes()
	attributes.PutStr("host.name", p.host.name)
	attributes.PutStr("host.id", p.host.id)
	if id.PID == 0 {
		return
	}
	attributes.PutInt("process.pid", int64(id.PID))
	p.describe(id, attributes)
}

// exited notes that a process ended.
func (p *processes) exited(id event.ProcessID, at ktime.Time) { p.gone[id] = at }

// check notes that a process is gone if the Linux kernel no longer has it: the
// record of its exit may have been dropped.
func (p *processes) check(id event.ProcessID) {
	if _, noted := p.gone[id]; noted || id.PID == 0 {
		return
	}
	_, err := os.Stat(filepath.Join(p.procPath, strconv.FormatUint(uint64(id.PID), 10)))
	replaced := id.Start != 0 && p.known[id.PID].start > id.Start
	if os.IsNotExist(err) || replaced {
		p.exited(id, 0)
	}
}

// checkFollowed is check for a process of which only the number is known.
func (p *processes) checkFollowed(pid event.PID) { p.check(event.ProcessID{PID: pid}) }

// takeGone returns, once, the processes that ended until cutoff.
func (p *processes) takeGone(cutoff ktime.Time) []event.ProcessID {
	var gone []event.ProcessID
	for id, at := range p.gone {
		if at <= cutoff {
			gone = append(gone, id)
			delete(p.gone, id)
		}
	}
	return gone
}

// forget drops the description of a process, unless its number has a new owner.
func (p *processes) forget(id event.ProcessID) {
	if p.known[id.PID].start <= id.Start {
		delete(p.known, id.PID)
	}
}
