package console

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// Options of a server.
type Options struct {
	HTTP    config.HTTP
	URL     string // where other instances reach this one; "": nowhere
	Source  Source
	Metrics http.Handler // nil: none
	Log     *slog.Logger // nil: none
	// Inline are the hashes, as a content security policy has them, of style and script of the comparison's page:
	// the console shows that page inside itself.
	Inline []string
	// TLS is for asking other instances; nil where they speak HTTP.
	TLS *tls.Config
}

// Server answers. It asks other instances for what this one does not have.
type Server struct {
	o       Options
	access  *Access
	log     *slog.Logger
	client  *http.Client
	seen    sharedOverview
	slots   chan struct{} // one for each request that is answered
	streams chan struct{}
	acting  sync.Mutex
	refused refusals
}

// Bounds of what is answered at a time, and of one answer.
const (
	mostRequests = 32
	mostStreams  = 64
	mostBody     = 64 << 10

	lookTime   = 15 * time.Second
	actTime    = 5 * time.Minute
	writeTime  = 30 * time.Second
	streamTick = 2 * time.Second
)

// New reads the tokens.
func New(o Options) (*Server, error) {
	access, err := NewAccess(o.HTTP)
	if err != nil {
		return nil, err
	}
	access.url = o.URL
	s := &Server{o: o, access: access, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler)), client: newClient(o.TLS),
		slots: make(chan struct{}, mostRequests), streams: make(chan struct{}, mostStreams)}
	s.refused.log = s.log
	access.log = s.log
	return s, nil
}

// Handler answers all paths of an instance.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.Handle("/", page())

	view := func(path string, answer answerer) { mux.Handle("GET "+path, s.answer(View, lookTime, answer)) }
	view("/api/v1/overview", s.overview)
	view("/api/v1/parked", s.parked)
	view("/api/v1/events/{id}", s.story(KindEvent))
	view("/api/v1/orders/{id}", s.story(KindOrder))
	view("/api/v1/refunds/{id}", s.story(KindRefund))
	view("/api/v1/quarantine", s.quarantine)
	view("/api/v1/quarantine/{partition}/{offset}", s.quarantineRecord)
	view("/api/v1/compare", s.report)
	mux.HandleFunc("GET /api/v1/stream", s.stream)
	mux.HandleFunc("GET /compare/report.html", s.reportPage)

	act := func(path string, answer answerer) { mux.Handle("POST "+path, s.answer(Act, actTime, s.acted(answer))) }
	act("/api/v1/resync", s.resync)
	act("/api/v1/topics/{topic}/resume", s.resume)
	act("/api/v1/quarantine/replay", s.replay)

	for _, path := range []string{"/api", "/api/"} { // without the first one it would be led to the second
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			fail(w, http.StatusNotFound, "there is no such path, or not with this method: see docs/http.md")
		})
	}
	return s.guard(mux)
}

// guard sets what all answers have.
func (s *Server) guard(next http.Handler) http.Handler {
	inline := ""
	for _, hash := range s.o.Inline {
		inline += " '" + hash + "'"
	}
	policy := "default-src 'none'; script-src 'self'" + inline + "; style-src 'self'" + inline +
		"; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		r.Body = http.MaxBytesReader(w, r.Body, mostBody)
		deadline(w, writeTime)
		next.ServeHTTP(w, r)
	})
}

// deadline is for writing the rest of an answer. Not every writer of a test has one.
func deadline(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
}

// answerer answers a request of a viewer who may ask, with what is to be said as JSON.
type answerer func(ctx context.Context, r *http.Request, v Viewer) (any, error)

// answer bounds a request and says what came of it.
func (s *Server) answer(right Right, limit time.Duration, do answerer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, ok := s.admit(w, r, right)
		if !ok {
			return
		}
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			fail(w, http.StatusServiceUnavailable, "too many requests at a time: try again")
			return
		}
		deadline(w, limit+writeTime)
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		result, err := do(ctx, r, v)
		if err != nil {
			s.explain(w, r, err, limit)
			return
		}
		say(w, http.StatusOK, result)
	})
}

// admit tells who asks, or answers that nobody may.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, right Right) (Viewer, bool) {
	w.Header().Set("Cache-Control", "no-store")
	v, d := s.access.require(r, right)
	if d != nil {
		s.deny(w, r, d)
		return v, false
	}
	return v, true
}

func (s *Server) deny(w http.ResponseWriter, r *http.Request, d *denied) {
	s.refused.count(r, d)
	if d.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	fail(w, d.status, d.text)
}

// explain answers a request that failed.
func (s *Server) explain(w http.ResponseWriter, r *http.Request, err error, limit time.Duration) {
	var missing *NotFoundError
	var bad *InQuarantineError
	var unavailable *UnavailableError
	var wrong *RefusedError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &missing):
		fail(w, http.StatusNotFound, missing.Text)
	case errors.As(err, &bad):
		say(w, http.StatusNotFound, Failure{Error: bad.Error(), Quarantine: bad.Position})
	case errors.As(err, &unavailable):
		fail(w, http.StatusServiceUnavailable, unavailable.Text)
	case errors.As(err, &wrong):
		fail(w, http.StatusBadRequest, wrong.Text)
	case errors.As(err, &large):
		fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the request has more than %d bytes", mostBody))
	case r.Context().Err() != nil: // nobody listens
	case kafka.Unreachable(err):
		s.log.Warn("console: a request failed, as a cluster is out of reach", "path", pathOf(r), "error", err)
		fail(w, http.StatusServiceUnavailable, "Kafka is out of reach, try again when it is there: "+kafka.Explain(err))
	case errors.Is(err, context.DeadlineExceeded):
		fail(w, http.StatusServiceUnavailable, fmt.Sprintf("not done within %s: ask for less, or use the command", limit))
	default:
		s.log.Error("console: a request failed", "path", pathOf(r), "error", err)
		fail(w, http.StatusInternalServerError, "failed: "+oneLine(err.Error()))
	}
}

// pathOf is a path as it is logged: without what the viewer has put into it.
func pathOf(r *http.Request) string { return r.Pattern }

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func fail(w http.ResponseWriter, status int, text string) { say(w, status, Failure{Error: text}) }

func say(w http.ResponseWriter, status int, what any) {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(what); err != nil {
		status = http.StatusInternalServerError
		body.Reset()
		body.WriteString(`{"error":"the answer cannot be written as JSON: this is an error of the bridge"}` + "\n")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // whoever asked has gone
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) { sayReady(w, s.o.Source.Ready()) }

func sayReady(w http.ResponseWriter, ready Readiness) {
	status := http.StatusOK
	if !ready.Ready {
		status = http.StatusServiceUnavailable
	}
	say(w, status, ready)
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	if d := s.access.metrics(r); d != nil {
		s.deny(w, r, d)
		return
	}
	if s.o.Metrics == nil {
		fail(w, http.StatusNotFound, "there are no metrics here")
		return
	}
	s.o.Metrics.ServeHTTP(w, r)
}

// refusals logs what was refused, one line in a while: whoever tries tokens is seen, and does not fill the disk.
type refusals struct {
	log   *slog.Logger
	mu    sync.Mutex
	last  time.Time
	since int
}

const refusalsEvery = 10 * time.Second

func (f *refusals) count(r *http.Request, d *denied) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.since++
	if time.Since(f.last) < refusalsEvery {
		return
	}
	f.log.Warn("console: requests refused", "requests", f.since, "last_from", r.RemoteAddr, "last_path", pathOf(r), "last_status", d.status)
	f.last, f.since = time.Now(), 0
}
