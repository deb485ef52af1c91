package logging

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
)

// told is a logger with what it has written, a line each, without the time.
type told struct {
	*slog.Logger
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *told) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// take gives what was written since the last time.
func (s *told) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.b.Reset()
	return s.b.String()
}

func newTold(level slog.Level) *told {
	s := &told{}
	s.Logger = slog.New(Limit(slog.NewTextHandler(s, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})))
	return s
}

func (s *told) want(t *testing.T, lines ...string) {
	t.Helper()
	synctest.Wait()
	text := s.take()
	got := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if text == "" {
		got = nil
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", lines) {
		t.Errorf("the log says\n%q\nwant\n%q", got, lines)
	}
}

// What comes with every record or every try is said once, and in the end of each window its last word.
func TestWhatRepeatsIsHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTold(slog.LevelInfo)
		for offset := range 100 {
			s.Error("refused", "topic", "a", "offset", offset, "error", fmt.Errorf("read 10.0.0.7:%d: EOF", 50000+offset))
			time.Sleep(time.Second / 10)
		}
		s.want(t, `level=ERROR msg=refused topic=a offset=0 error="read 10.0.0.7:50000: EOF"`)
		time.Sleep(window)
		s.want(t, `level=ERROR msg=refused topic=a offset=99 error="read 10.0.0.7:50099: EOF" left_out=98`)
		s.Error("refused", "topic", "a", "offset", 100, "error", errors.New("read 10.0.0.7:1: EOF"))
		s.want(t)
		time.Sleep(window) // the only one of its window: nothing was left out
		s.want(t, `level=ERROR msg=refused topic=a offset=100 error="read 10.0.0.7:1: EOF"`)
		time.Sleep(2 * window) // it is over, and a new one is news
		s.want(t)
		s.Error("refused", "topic", "a", "offset", 101, "error", errors.New("read 10.0.0.7:1: EOF"))
		s.want(t, `level=ERROR msg=refused topic=a offset=101 error="read 10.0.0.7:1: EOF"`)
	})
}

func TestWhatDiffersIsNotHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTold(slog.LevelInfo)
		for range 2 {
			s.Warn("refused", "topic", "a1")
			s.Warn("refused", "topic", "a2")
			s.Error("refused", "topic", "a1")
			s.Warn("refused", "topic", "a1", "error", "EOF")
			s.Warn("refused", "topic", "a1", "error", "refused")
			s.Warn("refused again", "topic", "a1")
			s.With("group", "g1").Warn("refused", "topic", "a1")
			s.With("group", "g2").Warn("refused", "topic", "a1")
			s.WithGroup("w").Warn("refused", "topic", "a1")
		}
		s.want(t, "level=WARN msg=refused topic=a1", "level=WARN msg=refused topic=a2", "level=ERROR msg=refused topic=a1",
			"level=WARN msg=refused topic=a1 error=EOF", "level=WARN msg=refused topic=a1 error=refused", `level=WARN msg="refused again" topic=a1`,
			"level=WARN msg=refused group=g1 topic=a1", "level=WARN msg=refused group=g2 topic=a1", "level=WARN msg=refused w.topic=a1")
	})
}

// A change of state may come back soon.
func TestChangesAreLetThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTold(slog.LevelInfo)
		for range 20 {
			s.Info("resumed", "topic", "a")
		}
		line := "level=INFO msg=resumed topic=a"
		s.want(t, line, line, line)
		time.Sleep(window)
		s.want(t, line+" left_out=16")
		for n := range 5 { // what somebody does to one thing after another
			s.Info("sent again", "order", n)
		}
		s.want(t, `level=INFO msg="sent again" order=0`, `level=INFO msg="sent again" order=1`, `level=INFO msg="sent again" order=2`,
			`level=INFO msg="sent again" order=3`, `level=INFO msg="sent again" order=4`)
	})
}

// What is held back when the process ends is written first.
func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTold(slog.LevelInfo)
		with := s.With("group", "g")
		for n := range 3 {
			with.Error("failed", "in", time.Duration(n+1)*time.Second)
		}
		s.want(t, "level=ERROR msg=failed group=g in=1s")
		Flush(s.Logger)
		s.want(t, "level=ERROR msg=failed group=g in=3s left_out=1")
		Flush(s.Logger)
		Flush(slog.New(slog.DiscardHandler))
		time.Sleep(2 * window)
		s.want(t)
	})
}

// Whatever is logged, memory is bounded, and nothing new is held back but at debug level.
func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTold(slog.LevelDebug)
		lines := func() int {
			held := s.Handler().(*Limiter).held
			held.mu.Lock()
			defer held.mu.Unlock()
			return len(held.lines)
		}
		for n := range mostLines {
			s.Warn("refused", "topic", fmt.Sprint("t", n))
		}
		s.take()
		for n := range 10 {
			s.Debug("other", "topic", fmt.Sprint("t", n))
			s.Warn("other", "topic", fmt.Sprint("t", n))
			s.Error("other", "topic", fmt.Sprint("t", n))
		}
		got := s.take()
		if debug, warned, failed := strings.Count(got, "DEBUG"), strings.Count(got, "WARN"), strings.Count(got, "ERROR"); debug != 1 || warned != 10 || failed != 10 {
			t.Errorf("%d debug lines, %d warnings and %d errors: %s", debug, warned, failed, got)
		}
		if lines() > mostLines+1 {
			t.Errorf("%d lines are remembered", lines())
		}
		time.Sleep(3 * window)
		synctest.Wait()
		if lines() != 0 {
			t.Errorf("%d lines are remembered when all is over", lines())
		}
	})
}

// Libraries speak at debug level, without what is private, through the same limiter.
func TestLibraries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTold(slog.LevelDebug)
		l := Lines{Log: s.Logger, From: "goka", Clean: func(error) error { return errors.New("cleaned") }}
		private := errors.New("+7 900 000-00-01")
		l.Print("failed: ", private)
		l.Println("failed at", 7, private)
		l.Printf("cannot: %v\n", private)
		l.Printf("cannot: %v\n", private)
		s.want(t, `level=DEBUG msg="failed: cleaned" from=goka`, `level=DEBUG msg="failed at 7 cleaned" from=goka`, `level=DEBUG msg="cannot: cleaned" from=goka`)

		defer Sarama(nil)
		Sarama(s.Logger)
		sarama.Logger.Printf("connected to %s", "broker")
		sarama.DebugLogger.Println("more")
		s.want(t, `level=DEBUG msg="connected to broker" from=sarama`, `level=DEBUG msg=more from=sarama`)
		Sarama(nil)
		sarama.Logger.Print("dropped")
		s.want(t)
	})
	quiet := newTold(slog.LevelInfo)
	Lines{Log: quiet.Logger, Clean: func(error) error { t.Error("formatted for nobody"); return nil }}.Print(errors.New("x"))
}

// What somebody has done is written each time, also when more is logged than is remembered.
func TestAlwaysIsNeverHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTold(slog.LevelInfo)
		always := Always(t.Context())
		var want []string
		for range 2 * changes {
			s.InfoContext(always, "resumed", "topic", "a")
			s.WarnContext(always, "refused", "topic", "a")
			want = append(want, "level=INFO msg=resumed topic=a", "level=WARN msg=refused topic=a")
		}
		s.want(t, want...)
		s.Warn("refused", "topic", "a") // and is none of those that count
		s.want(t, "level=WARN msg=refused topic=a")
		for n := range 2 * mostLines {
			s.Info("flood", "n", n)
			s.Error("flood", "topic", fmt.Sprint(n))
		}
		synctest.Wait()
		s.take()
		s.InfoContext(always, "resumed", "topic", "a")
		s.want(t, "level=INFO msg=resumed topic=a")
		Flush(s.Logger)
		s.want(t)
	})
}
