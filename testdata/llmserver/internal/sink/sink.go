// Package sink is the OTLP receiver of tests: it keeps the traces that it gets.
package sink

import (
	"context"
	"fmt"
	"net"
	"sync"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// Sink is a running receiver.
type Sink struct {
	coltracepb.UnimplementedTraceServiceServer
	Endpoint string // HOST:PORT

	server *grpc.Server
	served chan error

	mu       sync.Mutex
	received []*tracepb.ResourceSpans
}

// Start starts a receiver on a free port.
func Start() (*Sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	s := &Sink{Endpoint: listener.Addr().String(), server: grpc.NewServer(), served: make(chan error, 1)}
	coltracepb.RegisterTraceServiceServer(s.server, s)
	go func() { s.served <- s.server.Serve(listener) }()
	return s, nil
}

// Stop ends it and returns why it would have ended by itself.
func (s *Sink) Stop() error {
	s.server.Stop()
	return <-s.served
}

// Export is called by exporters.
func (s *Sink) Export(_ context.Context, request *coltracepb.ExportTraceServiceRequest) (*coltracepb.ExportTraceServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, request.GetResourceSpans()...)
	return &coltracepb.ExportTraceServiceResponse{}, nil
}

// Received is everything so far, in the order of its arrival.
func (s *Sink) Received() []*tracepb.ResourceSpans {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*tracepb.ResourceSpans(nil), s.received...)
}
