package kafka

import (
	"errors"
	"testing"
	"testing/synctest"
)

// handing is a session that begins at offset 10 of a topic that ends at 20, in a window of 4.
func handing(t *testing.T, before Progress, epoch int32) (*Tracker, *scriptedSession, *receiver) {
	t.Helper()
	tr := NewTracker(TrackerOptions{
		Window: 4, Epoch: func(int32) int32 { return epoch },
		Commits: commitsOf(map[string]Commit{"orders": {Offset: 10, Metadata: before.metadata(), End: 20}}),
	})
	s := newScriptedSession(map[string]int64{"orders": 10})
	r := consume(t, tr, s)
	s.report("orders")
	return tr, s, r
}

// Only a session in which all that was begun is acknowledged, and that has gone past
// what it inherited itself, tells the next owner that there is nothing to repeat.
func TestHandOver(t *testing.T) {
	for _, c := range []struct {
		name   string
		before Progress
		epoch  int32
		does   func(tr *Tracker, s *scriptedSession, r *receiver)
		want   string // the last mark; "" when it is not clean
	}{
		{"nothing came, after an owner that left in order", Progress{Clean: 6}, 7, func(*Tracker, *scriptedSession, *receiver) {}, "orders/3@10 vibe-bridge/1 ended=0 clean=7"},
		{"nothing came, after one that did not", Progress{}, 7, func(*Tracker, *scriptedSession, *receiver) {}, ""},
		{"all that came is acknowledged", Progress{Clean: 6}, 7, func(tr *Tracker, s *scriptedSession, r *receiver) {
			process(tr, s, r, 10, 11)
		}, "orders/3@12 vibe-bridge/1 ended=2 clean=7"},
		{"more came, and was not begun", Progress{Clean: 6, Reset: true}, 7, func(tr *Tracker, s *scriptedSession, r *receiver) {
			process(tr, s, r, 10)
			s.arrive("orders", 11, 12)
			synctest.Wait()
		}, "orders/3@11 vibe-bridge/1 ended=1 reset clean=7"},
		{"one was begun", Progress{Clean: 6}, 7, func(tr *Tracker, s *scriptedSession, r *receiver) {
			process(tr, s, r, 10)
			s.arrive("orders", 11)
			synctest.Wait()
			begin(tr, "orders", 11)
		}, ""},
		{"one was abandoned", Progress{Clean: 6}, 7, func(tr *Tracker, s *scriptedSession, r *receiver) {
			s.arrive("orders", 10)
			synctest.Wait()
			begin(tr, "orders", 10)
			tr.Abandon("orders", scriptedPartition, 10)
			r.mark("orders", 10)
		}, ""},
		{"an emit was refused", Progress{Clean: 6}, 7, func(tr *Tracker, s *scriptedSession, r *receiver) {
			process(tr, s, r, 10)
			tr.Fail(errors.New("refused"))
		}, ""},
		{"part of the window of an owner that left otherwise", Progress{}, 7, func(tr *Tracker, s *scriptedSession, r *receiver) {
			process(tr, s, r, 10, 11, 12)
		}, ""},
		{"all of that window", Progress{}, 7, func(tr *Tracker, s *scriptedSession, r *receiver) {
			process(tr, s, r, 10, 11, 12, 13)
		}, "orders/3@14 vibe-bridge/1 ended=4 clean=7"},
		{"part of the window, with a mark that is left over", Progress{Clean: 5}, 7, func(tr *Tracker, s *scriptedSession, r *receiver) {
			process(tr, s, r, 10)
		}, ""},
		{"no epoch", Progress{Clean: 6}, 0, func(*Tracker, *scriptedSession, *receiver) {}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr, s, r := handing(t, c.before, c.epoch)
				c.does(tr, s, r)
				before := len(s.marks)
				r.finish(t, s)
				got := ""
				if len(s.marks) > before {
					got = s.marks[len(s.marks)-1]
				}
				if got != c.want {
					t.Errorf("left with %q, want %q", got, c.want)
				}
			})
		})
	}
}

// process has records delivered, begun and acknowledged.
func process(tr *Tracker, s *scriptedSession, r *receiver, offsets ...int64) {
	s.arrive("orders", offsets...)
	synctest.Wait()
	for _, o := range offsets {
		begin(tr, "orders", o)
		r.mark("orders", o)
	}
}

// What the owner before may have been processing is all within its window, and nothing if it left in order. A
// mark counts for the next owner alone: a later one does not know how far that one came.
func TestInherited(t *testing.T) {
	for _, c := range []struct {
		name   string
		before Progress
		epoch  int32
		want   map[int64]bool
	}{
		{"left otherwise", Progress{}, 7, map[int64]bool{10: true, 13: true, 14: false, 19: false, 20: false}},
		{"left in order", Progress{Clean: 6}, 7, map[int64]bool{10: false, 13: false, 20: false}},
		{"a mark of an owner before the last", Progress{Clean: 5}, 7, map[int64]bool{10: true, 13: true, 14: false}},
		{"a mark of a later owner", Progress{Clean: 8}, 7, map[int64]bool{10: true}},
		{"no epoch", Progress{Clean: 6}, 0, map[int64]bool{10: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr, s, r := handing(t, c.before, c.epoch)
				for offset, want := range c.want {
					if got := tr.Inherited("orders", scriptedPartition, offset); got != want {
						t.Errorf("offset %d: inherited %t, want %t", offset, got, want)
					}
				}
				r.finish(t, s)
			})
		})
	}
}
