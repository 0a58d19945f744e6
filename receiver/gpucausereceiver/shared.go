package gpucausereceiver

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// registry holds the running receivers by their configuration, so that the
// instances that the Collector creates per signal share one. It is safe for
// concurrent use.
type registry struct {
	mu        sync.Mutex
	receivers map[*Config]*gpuReceiver
}

func newRegistry() *registry {
	return &registry{receivers: make(map[*Config]*gpuReceiver)}
}

func (r *registry) loadOrCreate(config *Config, create func() *gpuReceiver) *gpuReceiver {
	r.mu.Lock()
	defer r.mu.Unlock()
	if found, ok := r.receivers[config]; ok {
		return found
	}
	created := create()
	r.receivers[config] = created
	return created
}

func (r *registry) remove(config *Config) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.receivers, config)
}

// instance is one signal's view of a shared receiver. The first Start starts
// it, and every other one returns the same result; the first Shutdown stops it.
type instance struct {
	receiver *gpuReceiver
	shared   *registry
}

// Start starts the shared receiver, and makes its status this instance's too.
func (i *instance) Start(ctx context.Context, host component.Host) error {
	i.receiver.status.add(host)
	return i.receiver.start(ctx)
}

// Shutdown stops the shared receiver and lets a later instance begin anew.
func (i *instance) Shutdown(ctx context.Context) error {
	i.shared.remove(i.receiver.config)
	return i.receiver.shutdown(ctx)
}

// status fans the component status out to every instance's host. It is safe
// for concurrent use.
type status struct {
	mu    sync.Mutex
	hosts []component.Host
	last  *componentstatus.Event
}

func (s *status) add(host component.Host) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts = append(s.hosts, host)
	if s.last != nil {
		componentstatus.ReportStatus(host, s.last)
	}
}

func (s *status) report(event *componentstatus.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = event
	for _, host := range s.hosts {
		componentstatus.ReportStatus(host, event)
	}
}
