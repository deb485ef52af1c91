package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// What is due by a moment is exactly what has a time up to it.
func TestDueBy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := schedule{start: time.Unix(1000, 0), rate: rapid.IntRange(1, 100_000).Draw(t, "rate")}
		now := s.start.Add(time.Duration(rapid.Int64Range(-int64(time.Second), int64(200*time.Second)).Draw(t, "now")))
		n := s.dueBy(now)
		if n < 0 {
			t.Fatalf("%d are due by %v", n, now)
		}
		if n > 0 && s.due(n-1).After(now) {
			t.Fatalf("%d are due by %v, but the last is due at %v", n, now, s.due(n-1))
		}
		if !s.due(n).After(now) {
			t.Fatalf("%d are due by %v, but the next is due at %v", n, now, s.due(n))
		}
	})
}

// Every order is sent when it is due. After a send that took long the others are sent at once, and what they were due at
// has not moved: they waited.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := schedule{start: time.Now().Add(time.Second), rate: 100}
		var late []time.Duration
		err := s.run(t.Context(), 100, func(i int) {
			if i != len(late) {
				t.Fatalf("number %d comes after %d others", i, len(late))
			}
			late = append(late, time.Since(s.due(i)))
			if i == 49 {
				time.Sleep(205 * time.Millisecond)
			}
		})
		if err != nil || len(late) != 100 {
			t.Fatalf("%d sent, %v", len(late), err)
		}
		for i, by := range late {
			want := time.Duration(0)
			if i >= 50 && i < 70 {
				want = 205*time.Millisecond - time.Duration(i-49)*10*time.Millisecond
			}
			if by != want {
				t.Errorf("number %d was late by %v, want %v", i, by, want)
			}
		}
		if took := time.Since(s.start); took != 990*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

func TestPaceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := errors.New("stopped")
		ctx, stop := context.WithCancelCause(t.Context())
		sent := 0
		err := schedule{start: time.Now(), rate: 10}.run(ctx, 100, func(int) {
			if sent++; sent == 5 {
				stop(stopped)
			}
		})
		if !errors.Is(err, stopped) || sent != 5 {
			t.Errorf("%d sent, %v", sent, err)
		}
	})
}

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1))
	}
	for _, c := range []struct {
		sorted   []time.Duration
		perMille int
		want     time.Duration
	}{
		{nil, 500, 0}, {[]time.Duration{7}, 1, 7}, {[]time.Duration{7}, 1000, 7}, {[]time.Duration{1, 9}, 500, 1}, {[]time.Duration{1, 9}, 501, 9},
		{hundred, 500, 50}, {hundred, 990, 99}, {hundred, 991, 100}, {hundred, 999, 100}, {hundred, 1000, 100}, {hundred, 0, 1},
	} {
		if got := percentile(c.sorted, c.perMille); got != c.want {
			t.Errorf("%d per mille of %d: %d, want %d", c.perMille, len(c.sorted), got, c.want)
		}
	}
}

// An order is seen once, whatever comes after; what nobody has offered is nobody's.
func TestFlow(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(1000 + ms)) }
	f := newFlow()
	for i, id := range []string{"a", "b", "c"} {
		if n := f.offer(id, at(10*i)); n != i {
			t.Fatalf("%s has number %d", id, n)
		}
		f.wrote(i, at(10*i+2))
	}
	f.saw("stranger", at(5))
	f.saw("b", at(40))
	f.saw("b", at(90))
	for _, c := range []struct{ before, want int }{{0, 0}, {1, 1}, {11, 1}, {21, 2}, {1000, 2}} {
		if got := f.missing(at(c.before)); got != c.want {
			t.Errorf("of those due before %d ms %d are missing, want %d", c.before, got, c.want)
		}
	}
	f.saw("a", at(13))
	f.saw("c", at(26))
	if f.missing(at(1000)) != 0 {
		t.Error("all are seen, and some are missing")
	}
	figures := &latencyFigures{}
	figures.take(f.passages(0))
	want := latencyFigures{Offered: 3, Seen: 3, P50: 13, P99: 30, P999: 30, Max: 30, WrittenP50: 2, WrittenP99: 2}
	if *figures != want {
		t.Errorf("%+v, want %+v", *figures, want)
	}
	if figures.take(f.passages(2)); figures.Offered != 1 || figures.Max != 6 {
		t.Errorf("the last alone: %+v", figures)
	}
	// a was seen before the instance was killed, b waited longest of the others.
	for _, c := range []struct{ killed, want int }{{0, 30}, {13, 30}, {39, 30}, {40, 0}} {
		if got := longestGap(f.passages(0), at(c.killed)); got != time.Duration(c.want)*time.Millisecond {
			t.Errorf("killed at %d ms: a gap of %v, want %d ms", c.killed, got, c.want)
		}
	}
}
