package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/gpucause/gpucause/testdata/llmserver/internal/engine"
	"github.com/gpucause/gpucause/testdata/llmserver/internal/requestspan"
)

// Settings are what a server answers for.
type Settings struct {
	Model          string
	MaxModelLength int      // tokens of a prompt and its completion
	MaxRequests    int      // at the same time; beyond them 503
	Faults         []string // those that the engines were started with
}

// Server serves completions.
type Server struct {
	settings Settings
	engines  *engines
	slots    chan struct{} // one for every request at the same time
}

// New makes a server in front of engines that are ready.
func New(settings Settings, links []*engine.Link, tracer *requestspan.Tracer) *Server {
	return &Server{settings: settings, engines: newEngines(links, tracer), slots: make(chan struct{}, settings.MaxRequests)}
}

// Serve answers until the context is cancelled or an engine ends, which it makes
// all of them do.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second}
	ended, served := make(chan error, 1), make(chan error, 1)
	go func() { ended <- s.engines.run() }()
	go func() { served <- server.Serve(listener) }()
	defer s.engines.close()
	var err error
	select {
	case err = <-ended: // the requests that wait are answered with it
	case err = <-served:
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(grace))
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /v1/completions", s.completions)
	mux.HandleFunc("POST /fault", s.fault)
	return mux
}

func (s *Server) completions(w http.ResponseWriter, r *http.Request) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		refuse(w, http.StatusServiceUnavailable, fmt.Errorf("%d requests are running already: try again", s.settings.MaxRequests))
		return
	}
	body, err := readRequest(http.MaxBytesReader(w, r.Body, maxBodyBytes), s.settings.MaxModelLength)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	id, err := requestID(r.Header)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	if body.Model == "" {
		body.Model = s.settings.Model
	}
	sequences := newSequences(requestspan.ParentOf(r.Header), id, body)
	if err := s.complete(r.Context(), sequences); err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	answer(w, newCompletion(id, body, sequences))
}

// complete returns when all sequences are complete, or none is running any more.
func (s *Server) complete(ctx context.Context, sequences []*sequence) error {
	for _, sequence := range sequences {
		abort, err := s.engines.add(sequence)
		if err != nil {
			return err
		}
		defer abort()
	}
	for _, sequence := range sequences {
		select {
		case <-sequence.done:
			if sequence.err != nil {
				return sequence.err
			}
		case <-ctx.Done():
			return fmt.Errorf("the client has gone: %w", ctx.Err())
		}
	}
	return nil
}

// wellFormed keeps ids a single word of an engine's lines, short enough with what
// is added to them.
var wellFormed = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)

func requestID(header http.Header) (string, error) {
	id := header.Get("X-Request-Id")
	if id == "" {
		id = uuid.New().String()
	}
	if !wellFormed.MatchString(id) {
		return "", errors.New("X-Request-Id: 1 to 128 letters, digits, or one of . _ : - are needed")
	}
	return "cmpl-" + id, nil
}

// faultRequest is the body of a request for a fault.
type faultRequest struct {
	Fault        string  `json:"fault"`
	Milliseconds float64 `json:"milliseconds"`
}

// fault makes something go wrong in one of the next steps, in every engine.
func (s *Server) fault(w http.ResponseWriter, r *http.Request) {
	body := faultRequest{Milliseconds: 30}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes)).Decode(&body); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("reading the body: %w", err))
		return
	}
	length := time.Duration(body.Milliseconds * float64(time.Millisecond))
	switch {
	case !slices.Contains(s.settings.Faults, body.Fault):
		refuse(w, http.StatusBadRequest, fmt.Errorf("fault: %q was not prepared: start the server with it in --faults", body.Fault))
	case length <= 0 || length > time.Minute:
		refuse(w, http.StatusBadRequest, errors.New("milliseconds: above 0, at most 60000"))
	default:
		if err := s.engines.fault(body.Fault, length); err != nil {
			refuse(w, http.StatusInternalServerError, err)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // the client may have gone
}

func refuse(w http.ResponseWriter, status int, err error) {
	kind := "BadRequestError"
	if status >= http.StatusInternalServerError {
		kind = "InternalServerError"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]apiError{"error": {Message: err.Error(), Type: kind, Code: status}})
}
