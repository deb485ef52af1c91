// Package logging is how the program logs.
//
// What belongs here: what happens to a line between whoever logs it and the stream, and the lines of libraries. What
// does not: what is logged.
//
// The levels mean the same everywhere:
//
//	error  somebody has to act
//	warn   it may become a problem
//	info   something has changed: started, paused, resumed, stopped
//	debug  the rest, and what libraries say
//
// The keys are error, reason, topic, partition, offset, group, table, dir, and in for the time until the next try. A
// record is told by its place or its id, never by its key: a legacy key may be a phone number.
package logging

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"
)

const (
	// window is how long what repeats is held back.
	window = 30 * time.Second
	// changes is how many lines of the same change of state are let through in a window: what is paused, resumed and
	// paused again should not look resumed.
	changes = 3
	// mostLines bounds the memory of what was logged.
	mostLines = 1024
)

// Limiter is a handler that lets a line through, and holds those back that say the same within the next half minute.
// Then the newest of them follows, and left_out says how many more there were. So trouble that comes with every record
// or every try is said twice a minute, and the last word of it is never lost but by a crash.
//
// Two lines say the same when level, message and attributes are equal. Numbers and whatever else has a digit in it is
// left aside, but in places, in what With has added, and in changes of state: what was done to one order says nothing
// about another.
//
// A line that is logged with the context of Always is never held back.
type Limiter struct {
	next  slog.Handler
	scope string // what With has added, as part of the key
	held  *held
}

// places are the keys that tell where something happens.
var places = map[string]bool{"topic": true, "partition": true, "group": true, "table": true, "dir": true}

// held is shared by all handlers that With has made of one.
type held struct {
	mu    sync.Mutex
	lines map[string]*line
}

// line is what was logged within the last window.
type line struct {
	passed int
	left   int          // held back since the last that was let through
	newest slog.Record  // of those
	to     slog.Handler // for it
	timer  *time.Timer
}

// Limit limits what goes to a handler.
func Limit(next slog.Handler) *Limiter {
	return &Limiter{next: next, held: &held{lines: map[string]*line{}}}
}

// Enabled implements slog.Handler.
func (l *Limiter) Enabled(ctx context.Context, level slog.Level) bool {
	return l.next.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (l *Limiter) WithAttrs(attrs []slog.Attr) slog.Handler {
	scope := l.scope
	for _, a := range attrs {
		scope += "\x00" + a.Key + "=" + a.Value.String()
	}
	return &Limiter{l.next.WithAttrs(attrs), scope, l.held}
}

// WithGroup implements slog.Handler.
func (l *Limiter) WithGroup(name string) slog.Handler {
	return &Limiter{l.next.WithGroup(name), l.scope + "\x00" + name, l.held}
}

type alwaysKey struct{}

// Always is a context for lines that have to be written, each of them and at once: what somebody has done, and what was
// shown to whom. Whatever else is logged must not hide it.
func Always(ctx context.Context) context.Context { return context.WithValue(ctx, alwaysKey{}, true) }

// Handle implements slog.Handler.
func (l *Limiter) Handle(ctx context.Context, r slog.Record) error {
	if ctx.Value(alwaysKey{}) == nil && l.held.holds(l.keyOf(r), r, l.next) {
		return nil
	}
	return l.next.Handle(ctx, r)
}

// holds tells whether a line is held back, and notes it.
func (h *held) holds(key string, r slog.Record, to slog.Handler) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lines[key] == nil && len(h.lines) >= mostLines {
		if r.Level > slog.LevelDebug {
			return false // better too many than a new one unsaid
		}
		key = r.Level.String()
	}
	e := h.lines[key]
	switch {
	case e == nil:
		h.lines[key] = &line{passed: 1, timer: time.AfterFunc(window, func() { h.over(key) })}
		return false
	case r.Level == slog.LevelInfo && e.passed < changes:
		e.passed++
		return false
	}
	e.left++
	e.newest, e.to = r.Clone(), to
	return true
}

// over ends the window of a line. What was held back in it begins another.
func (h *held) over(key string) {
	h.mu.Lock()
	e := h.lines[key]
	if e == nil {
		h.mu.Unlock()
		return
	}
	if e.left == 0 {
		delete(h.lines, key)
		h.mu.Unlock()
		return
	}
	r, to := e.take()
	e.timer.Reset(window)
	h.mu.Unlock()
	_ = to.Handle(context.Background(), r) // there is nowhere to say it
}

// take gives the newest line that was held back. The caller holds the lock.
func (e *line) take() (slog.Record, slog.Handler) {
	r, to := e.newest, e.to
	if e.left > 1 {
		r.AddAttrs(slog.Int("left_out", e.left-1))
	}
	e.passed, e.left, e.newest, e.to = 1, 0, slog.Record{}, nil
	return r, to
}

// Flush writes what a logger with a Limiter holds back. Call it when nothing is logged any more.
func Flush(log *slog.Logger) {
	l, ok := log.Handler().(*Limiter)
	if !ok {
		return
	}
	l.held.mu.Lock()
	lines := l.held.lines
	l.held.lines = map[string]*line{}
	l.held.mu.Unlock()
	for _, e := range lines {
		e.timer.Stop()
		if e.left > 0 {
			r, to := e.take()
			_ = to.Handle(context.Background(), r)
		}
	}
}

func (l *Limiter) keyOf(r slog.Record) string {
	exact := r.Level == slog.LevelInfo
	var b strings.Builder
	b.WriteString(r.Level.String() + "\x00" + said(r.Message, exact) + l.scope)
	r.Attrs(func(a slog.Attr) bool {
		b.WriteString("\x00" + a.Key + "=" + said(a.Value.String(), exact || places[a.Key]))
		return true
	})
	return b.String()
}

// numbered is a word with a digit in it: an offset, an id, a duration, an address with its port.
var numbered = regexp.MustCompile(`[^\s"]*\d[^\s"]*`)

// said is what a text says, its numbers left aside unless it has to be exact.
func said(text string, exact bool) string {
	if exact {
		return text
	}
	return numbered.ReplaceAllString(text, "#")
}
