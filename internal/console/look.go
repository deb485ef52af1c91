package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// What is read.

func (s *Server) overview(ctx context.Context, r *http.Request, v Viewer) (any, error) {
	if isForwarded(r) {
		o, err := s.o.Source.Overview(ctx)
		o.Rights = v.Rights
		return o, err
	}
	return s.overviewFor(ctx, r, v)
}

func (s *Server) overviewFor(ctx context.Context, r *http.Request, v Viewer) (Overview, error) {
	o, err := s.seen.get(ctx, func(ctx context.Context) (Overview, error) {
		return s.overviewOfAll(ctx, r.Header.Get("Authorization"))
	})
	o.Rights = v.Rights
	return o, err
}

// stream sends the overview every other second, until the viewer goes or may not see it any more.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	v, ok := s.admit(w, r, View)
	if !ok {
		return
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		fail(w, http.StatusServiceUnavailable, "too many pages are open: close some")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // or a proxy would keep events back
	tick := time.NewTicker(streamTick)
	defer tick.Stop()
	for {
		if err := s.event(w, r, v); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
		var d *denied
		if v, d = s.access.require(r, View); d != nil {
			return
		}
	}
}

// event sends one overview, or why there is none: the next may be there.
func (s *Server) event(w http.ResponseWriter, r *http.Request, v Viewer) error {
	name := "overview"
	o, err := s.overviewFor(r.Context(), r, v)
	var what any = o
	if err != nil {
		name, what = "failure", Failure{Error: oneLine(err.Error())}
	}
	data, err := json.Marshal(what)
	if err != nil {
		return err
	}
	deadline(w, writeTime)
	if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, data); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}

func (s *Server) parked(ctx context.Context, r *http.Request, _ Viewer) (any, error) {
	p := params{values: r.URL.Query()}
	q := ParkedQuery{Reason: p.text("reason"), Event: p.text("event"), OlderThan: p.duration("older_than"), Limit: p.limit()}
	if p.err != nil {
		return nil, p.err
	}
	if isForwarded(r) {
		return s.o.Source.Parked(ctx, q)
	}
	return s.parkedOfAll(ctx, r, q)
}

func (s *Server) story(kind string) answerer {
	return func(ctx context.Context, r *http.Request, v Viewer) (any, error) {
		p := params{values: r.URL.Query()}
		q := StoryQuery{Kind: kind, ID: r.PathValue("id"), Event: p.text("event"), Order: p.text("order")}
		if kind == KindEvent {
			q.Event = q.ID
		}
		found, err := s.find(ctx, r, q)
		if err != nil {
			return nil, s.orInQuarantine(ctx, r, q, err)
		}
		s.mask(r, v, kind+" "+short(q.ID), found.Fields)
		return found, nil
	}
}

// orInQuarantine is err, and where no instance has seen the entity, that a record of it is in quarantine, if there is one. When
// that cannot be told, err is all that is known.
func (s *Server) orInQuarantine(ctx context.Context, r *http.Request, q StoryQuery, err error) error {
	var missing *NotFoundError
	if !errors.As(err, &missing) || isForwarded(r) {
		return err
	}
	if bad, known := s.o.Source.InQuarantine(ctx, q.Kind, q.ID); known == nil && bad != nil {
		return &InQuarantineError{Text: missing.Text, BadRecord: *bad}
	}
	return err
}

// find looks an entity up where it is.
func (s *Server) find(ctx context.Context, r *http.Request, q StoryQuery) (Story, error) {
	if !isForwarded(r) && q.Event == "" {
		return s.findAnywhere(ctx, r, q)
	}
	found, err := s.o.Source.Story(ctx, q)
	var elsewhere *UnavailableError
	if isForwarded(r) || !errors.As(err, &elsewhere) {
		return found, err
	}
	return s.findAtOwner(ctx, r, q, err)
}

func (s *Server) quarantine(ctx context.Context, r *http.Request, _ Viewer) (any, error) {
	p := params{values: r.URL.Query()}
	q := BadQuery{Reason: p.text("reason"), Topic: p.text("topic"), ID: p.text("id"), Since: p.moment("since"), Until: p.moment("until"),
		Replayed: p.flag("replayed"), Limit: p.limit()}
	if p.err != nil {
		return nil, p.err
	}
	return s.o.Source.Quarantine(ctx, q)
}

// parsePlace reads a place in the quarantine topic; complete is false where there was no offset at all.
func parsePlace(partition, offset string, complete bool) (int32, int64, bool) {
	p, err1 := strconv.ParseInt(partition, 10, 32)
	o, err2 := strconv.ParseInt(offset, 10, 64)
	return int32(p), o, complete && err1 == nil && err2 == nil && p >= 0 && o >= 0
}

func (s *Server) quarantineRecord(ctx context.Context, r *http.Request, v Viewer) (any, error) {
	partition, offset, ok := parsePlace(r.PathValue("partition"), r.PathValue("offset"), true)
	if !ok {
		return nil, &RefusedError{"that is no place: want /api/v1/quarantine/PARTITION/OFFSET with two numbers"}
	}
	found, err := s.o.Source.QuarantineRecord(ctx, partition, offset)
	if err != nil {
		return nil, err
	}
	s.mask(r, v, "quarantine "+found.Position, found.Fields, found.Headers)
	return found, nil
}

func (s *Server) report(ctx context.Context, _ *http.Request, _ Viewer) (any, error) {
	return s.o.Source.Report(ctx)
}

// reportPage is the one page with data in it. What it may load it says itself, by hashes: both policies count.
func (s *Server) reportPage(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.admit(w, r, View); !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookTime)
	defer cancel()
	page, err := s.o.Source.ReportPage(ctx)
	if err != nil {
		s.explain(w, r, err, lookTime)
		return
	}
	sayReport(w, page)
}

func sayReport(w http.ResponseWriter, page []byte) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page) // whoever asked has gone
}

// params are those of a request. The first that is wrong is the error.
type params struct {
	values url.Values
	err    error
}

func (p *params) text(name string) string { return p.values.Get(name) }

func (p *params) refuse(name, want string) {
	if p.err == nil {
		p.err = &RefusedError{fmt.Sprintf("%s: want %s", name, want)}
	}
}

func (p *params) flag(name string) bool {
	text := p.values.Get(name)
	on, err := strconv.ParseBool(text)
	if err != nil && text != "" {
		p.refuse(name, "true or false")
	}
	return on
}

// Bounds of a list.
const (
	usualLimit = 100
	mostLimit  = 1000
)

func (p *params) limit() int {
	text := p.values.Get("limit")
	if text == "" {
		return usualLimit
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > mostLimit {
		p.refuse("limit", fmt.Sprintf("a number from 1 to %d", mostLimit))
	}
	return n
}

// duration reads seconds, or a duration such as 10m.
func (p *params) duration(name string) time.Duration {
	text := p.values.Get(name)
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		p.refuse(name, "seconds, or a duration such as 10m")
	}
	return d
}

// moment reads a time, or a duration before now.
func (p *params) moment(name string) time.Time {
	text := p.values.Get(name)
	if text == "" {
		return time.Time{}
	}
	at, err := ParseMoment(text, time.Now())
	if err != nil {
		p.refuse(name, err.Error())
	}
	return at
}

// ParseMoment reads a time in RFC 3339, or a duration before now. Its error says what is wanted.
func ParseMoment(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, errors.New("a time such as 2026-05-01T12:00:00Z, or how long ago, such as 2h")
	}
	return at, nil
}
