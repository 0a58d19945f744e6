package gpucausereceiver

import (
	"os"
	"path/filepath"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/gpucause/gpucause/internal/event"
	"github.com/gpucause/gpucause/internal/ktime"
	"github.com/gpucause/gpucause/internal/target"
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
	refused  uint64                         // descriptions for which there was no room, however often
	gone     map[event.ProcessID]ktime.Time // when they ended; not taken yet
}

type description struct {
	start      ktime.Time
	process    target.Process // as /proc has it
	attributes pcommon.Map    // empty where the process was gone
	executed   bool           // another program since it was described
	// series is what its metrics say, once they were asked for: a series keeps
	// its resource.
	series   pcommon.Map
	measured bool
}

func newProcesses(procPath string, h host, config ResourceConfig) *processes {
	return &processes{
		procPath: procPath, host: h, config: config,
		known: make(map[event.PID]description),
		gone:  make(map[event.ProcessID]ktime.Time),
	}
}

// learn describes a process while it lives.
func (p *processes) learn(id event.ProcessID) description {
	found, ok := p.known[id.PID]
	if ok && (found.start == id.Start || id.Start == 0) {
		return found
	}
	fresh := description{start: id.Start, attributes: pcommon.NewMap()}
	if ok && id.Start < found.start {
		return fresh // gone: what can be seen is of the number's next owner
	}
	p.look(id.PID, &fresh)
	if !ok && len(p.known) >= maxDescribed {
		p.refused++
		return fresh
	}
	p.known[id.PID] = fresh
	return fresh
}

// look describes a process as it is now, if it is still there.
func (p *processes) look(pid event.PID, d *description) {
	found, err := target.Describe(p.procPath, pid, target.DescribeOptions{CommandLine: p.config.CommandLine})
	if err == nil {
		d.process, d.attributes = found, attributesOf(&found, nil)
	}
}

// publish adds what a process publishes of itself to its description. What its
// metrics say already stays.
func (p *processes) publish(id event.ProcessID, published map[string]any) {
	found, ok := p.known[id.PID]
	if !ok || id.Start != 0 && found.start != id.Start || found.process.PID == 0 {
		return
	}
	found.attributes = attributesOf(&found.process, published)
	p.known[id.PID] = found
}

// executed notes that a process has replaced its program. What is told of the
// old one is still to come, so that its description stays until [processes.renew].
func (p *processes) executed(id event.ProcessID) {
	if found, ok := p.known[id.PID]; ok && (found.start == id.Start || found.start == 0) {
		found.executed = true
		p.known[id.PID] = found
	}
}

// renew describes a process that is traced from now on, again if it has
// executed another program since.
func (p *processes) renew(id event.ProcessID) {
	found := p.learn(id)
	if !found.executed {
		return
	}
	found.executed = false
	p.look(id.PID, &found)
	p.known[id.PID] = found
}

// describe adds what is known of a process besides its id and host.
func (p *processes) describe(id event.ProcessID, attributes pcommon.Map) {
	add(attributes, p.learn(id).attributes)
}

func add(attributes, more pcommon.Map) {
	for key, value := range more.All() {
		value.CopyTo(attributes.PutEmpty(key))
	}
}

// resource describes a process in full, as it was when it was first asked for;
// the zero id is the host alone.
func (p *processes) resource(id event.ProcessID, resource pcommon.Resource) {
	attributes := resource.Attributes()
	attributes.PutStr("host.name", p.host.name)
	attributes.PutStr("host.id", p.host.id)
	if id.PID == 0 {
		return
	}
	attributes.PutInt("process.pid", int64(id.PID))
	add(attributes, p.measure(id))
}

func (p *processes) measure(id event.ProcessID) pcommon.Map {
	found := p.learn(id)
	if found.measured {
		return found.series
	}
	found.series, found.measured = found.attributes, true
	if _, ok := p.known[id.PID]; ok {
		p.known[id.PID] = found
	}
	return found.series
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
