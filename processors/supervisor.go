package processors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// Supervisor keeps an instance running. What fails and may pass, such as a refused
// record, a broker that is gone or a pause that was too long, ends everything in the
// instance in order, and after a back-off all of it is built anew in the same process:
// clients, consumer groups, connections, state.
//
//	builds ──▶ runs ──(failure that may pass)──▶ ends ──▶ waits ──▶ builds …
//	  │ │        └──(asked, or a failure that only an operator can mend)──▶ over
//	  │ └──(before it has ever run: brokers out of reach)──▶ waits ──▶ builds …
//	  └──(before it has ever run: any other failure)──▶ over
type Supervisor struct {
	metrics *Metrics
	log     *slog.Logger
	backoff backoff

	mu      sync.Mutex
	cfg     Config
	current *Bridge // nil while waiting
	reason  string  // why current is nil
	started bool    // an instance has run

	check func(context.Context) error // before the first run; nil: none, or passed
}

// NewSupervisor checks the configuration. Nothing is connected yet.
func NewSupervisor(cfg Config) (*Supervisor, error) {
	b, err := New(cfg)
	if err != nil {
		return nil, err
	}
	return &Supervisor{metrics: b.metrics, log: b.log, backoff: defaultBackoff, cfg: b.cfg, current: b}, nil
}

// backoff is how long to wait before an instance is built anew.
type backoff struct {
	first, most time.Duration
	healthy     time.Duration // an instance that ran for so long begins with the first again
}

var defaultBackoff = backoff{first: time.Second, most: time.Minute, healthy: 10 * time.Minute}

// mostStartWait is the longest wait for brokers at the start: a look at them costs nothing.
const mostStartWait = 15 * time.Second

// next is the wait after one of last, when the instance had run for ran.
func (b backoff) next(last, ran time.Duration) time.Duration {
	if last == 0 || ran >= b.healthy {
		return b.first
	}
	return min(2*last, b.most)
}

// Require adds a check that has to pass before the instance runs for the first time. Call it before Run.
func (s *Supervisor) Require(check func(context.Context) error) { s.check = check }

// Run runs the instance until ctx ends, and returns what Bridge.Run returns then; or
// until something fails that waiting does not mend, and returns that. Until it has run
// once, it waits for brokers that are out of reach, and for nothing else: whoever
// starts an instance is there to read what is wrong with it.
func (s *Supervisor) Run(ctx context.Context) error {
	var wait time.Duration
	for {
		b, err := s.build()
		if err != nil {
			return err
		}
		began := time.Now()
		err = s.run(ctx, b)
		started := s.hasRun(b)
		switch {
		case err == nil, ctx.Err() != nil, permanent(err), !started && !kafka.Unreachable(err):
			return err
		}
		wait = s.backoff.next(wait, time.Since(began))
		what := "instance failed, and is built anew"
		if !started {
			what, wait = "instance cannot start yet, and tries again", min(wait, mostStartWait)
		}
		s.log.Error(what, "error", kafka.Explain(err), "in", wait.String())
		s.failed(what, err, wait)
		if !sleep(ctx, wait) {
			return err
		}
	}
}

// hasRun tells whether b or an instance before it has run.
func (s *Supervisor) hasRun(b *Bridge) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = s.started || b.started.Load()
	return s.started
}

func (s *Supervisor) run(ctx context.Context, b *Bridge) error {
	if s.check != nil {
		if err := s.check(ctx); err != nil {
			return err
		}
		s.check = nil
	}
	return b.Run(ctx)
}

func sleep(ctx context.Context, d time.Duration) (slept bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// build gives the bridge to run: the one that there is, or a new one.
func (s *Supervisor) build() (*Bridge, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil {
		return s.current, nil
	}
	b, err := New(s.cfg)
	if err != nil {
		return nil, err
	}
	b.metrics, b.rebuilt = s.metrics, s.started
	s.current = b
	return b, nil
}

func (s *Supervisor) failed(what string, err error, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metrics.rebuilds.Inc()
	s.current, s.reason = nil, fmt.Sprintf("%s in %s: %s", what, wait, kafka.Explain(err))
}

// permanent tells whether an operator has to do something before an instance can run again.
func permanent(err error) bool {
	var missing *MissingTopicsError
	var mismatch *kafka.MismatchError
	var identity *kafka.IdentityError
	var foreign *kafka.ForeignOffsetError
	var lost *kafka.LostOffsetError
	var changelog *LostChangelogError
	var folder *FolderError
	var consume *kafka.ConsumeError
	return errors.As(err, &missing) || errors.As(err, &mismatch) || errors.As(err, &identity) || errors.As(err, &foreign) ||
		errors.As(err, &lost) || errors.As(err, &changelog) || errors.As(err, &folder) || errors.As(err, &consume)
}

// Metrics of the instance, over all its builds.
func (s *Supervisor) Metrics() *Metrics { return s.metrics }

// SetDirectory is Bridge.SetDirectory, for later builds too.
func (s *Supervisor) SetDirectory(d *directory.Directory) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rules := *s.cfg.Rules
	rules.Directory = d
	s.cfg.Rules = &rules
	if s.current != nil {
		s.current.SetDirectory(d)
	}
}

// NotReady says why the instance is not ready, a reason a line; nothing when it is.
func (s *Supervisor) NotReady() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return []string{s.reason}
	}
	return s.current.NotReady()
}
