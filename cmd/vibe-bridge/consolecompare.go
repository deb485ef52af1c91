package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/live"
	"github.com/ticketscloud/vibe-bridge/compare/page"
	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/console"
)

// comparisonSeen is what compare run has found last, for the console. It is read from the topics when somebody looks,
// and then shown for a while: nobody waits for it but those who ask for the report itself.
type comparisonSeen struct {
	read func(ctx context.Context) (*compare.Report, error)
	ctx  context.Context // ends what is being read
	log  *slog.Logger

	mu      sync.Mutex
	report  *compare.Report
	err     error // why there is none
	until   time.Time
	reading chan struct{}
	running sync.WaitGroup
}

const (
	comparisonAge   = 30 * time.Second
	comparisonShare = 10 // at most one of so many parts of the time goes into reading it
	comparisonTime  = time.Minute
)

// newComparisonSeen reads what compare run writes with the same configuration. Call the returned function at the end.
func newComparisonSeen(ctx context.Context, c config.Config, log *slog.Logger) (seen *comparisonSeen, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	s := &comparisonSeen{ctx: ctx, log: log, read: func(ctx context.Context) (*compare.Report, error) {
		if there, err := live.HasResults(ctx, c.State, c.Name); err != nil || !there {
			return nil, err
		}
		cfg, err := liveConfig(ctx, c)
		if err != nil {
			return nil, err
		}
		return live.ReadReport(ctx, cfg, time.Now())
	}}
	return s, func() {
		cancel()
		s.running.Wait()
	}
}

// refresh reads again where that is due. It returns what is closed when the reading is over; nil without one.
func (s *comparisonSeen) refresh() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reading == nil && time.Now().After(s.until) && s.ctx.Err() == nil {
		done := make(chan struct{})
		s.reading = done
		s.running.Go(func() { s.look(done) })
	}
	return s.reading
}

func (s *comparisonSeen) look(done chan struct{}) {
	defer close(done)
	began := time.Now()
	ctx, cancel := context.WithTimeout(s.ctx, comparisonTime)
	defer cancel()
	report, err := s.read(ctx)
	if err != nil && s.ctx.Err() == nil {
		s.log.Debug("the comparison cannot be read", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report, s.err, s.reading = report, err, nil
	s.until = time.Now().Add(max(comparisonAge, comparisonShare*time.Since(began)))
}

// Verdict implements processors.Comparison.
func (s *comparisonSeen) Verdict() *console.Verdict {
	s.refresh()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.report == nil {
		return nil
	}
	return verdictOf(s.report)
}

func verdictOf(r *compare.Report) *console.Verdict {
	v := &console.Verdict{Go: r.Verdict.Go, Time: r.Run.Time.UTC(), Reasons: []string{}, Coverage: 1, Report: "/compare/report.html"}
	for _, check := range r.Verdict.Checks {
		if !check.OK {
			v.Reasons = append(v.Reasons, check.Name+": "+check.Got+", want "+check.Want+": "+check.Why)
		}
	}
	for _, s := range r.Streams {
		v.Coverage = min(v.Coverage, s.Coverage)
		if s.Unexplained > 0 {
			v.Unexplained = max(v.Unexplained, float64(s.Unexplained)/float64(max(s.Equal+s.Different, 1)))
		}
	}
	for _, n := range r.Counts {
		if n.Category == compare.OrderViolation || n.Category == compare.RefundViolation {
			v.Violations += n.Count
		}
	}
	return v
}

// wait gives the newest report. The first to ask waits for it.
func (s *comparisonSeen) wait(ctx context.Context) (*compare.Report, error) {
	reading := s.refresh()
	s.mu.Lock()
	have := s.report
	s.mu.Unlock()
	if have == nil && reading != nil {
		select {
		case <-reading:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var unfinished *live.NotWalkedError
	switch {
	case s.report != nil:
		return s.report, nil
	case errors.As(s.err, &unfinished):
		return nil, &console.UnavailableError{Text: s.err.Error()}
	case s.err != nil:
		return nil, &console.UnavailableError{Text: "the comparison cannot be read: " + strings.Join(strings.Fields(s.err.Error()), " ")}
	}
	return nil, &console.NotFoundError{Text: "there is no comparison of this deployment: start one with vibe-bridge compare run"}
}

// Report implements processors.Comparison.
func (s *comparisonSeen) Report(ctx context.Context) (json.RawMessage, error) {
	r, err := s.wait(ctx)
	if err != nil {
		return nil, err
	}
	return json.Marshal(r)
}

// ReportPage implements processors.Comparison.
func (s *comparisonSeen) ReportPage(ctx context.Context) ([]byte, error) {
	r, err := s.wait(ctx)
	if err != nil {
		return nil, err
	}
	return reportPage(r)
}

func reportPage(r *compare.Report) ([]byte, error) {
	var body bytes.Buffer
	if err := page.Write(&body, r); err != nil {
		return nil, err
	}
	return body.Bytes(), nil
}
