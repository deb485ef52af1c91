package kafka

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/IBM/sarama"
	"pgregory.net/rapid"
)

// windowOf has delivered records with these offsets.
func windowOf(t *testing.T, committed int64, count uint64, offsets ...int64) *window {
	t.Helper()
	w := newWindow(len(offsets) + 1)
	w.start(committed, count)
	for _, o := range offsets {
		if w.deliver(&sarama.ConsumerMessage{Offset: o}, false) != nil {
			t.Fatalf("window is full at offset %d", o)
		}
	}
	return w
}

// finishing is one call of finish and what it has to answer; advance -1: no advance.
type finishing struct {
	offset  int64
	advance int64
	count   uint64
}

// Marks pass only up to the contiguous done offset (protocol rule R2). Offsets
// have gaps where transactions ended or compaction removed records.
func TestWindowAdvancesContiguously(t *testing.T) {
	for _, c := range []struct {
		name      string
		committed int64
		count     uint64
		offsets   []int64
		abandoned []int64
		finish    []finishing
	}{
		{"in order", 0, 0, []int64{0, 1, 2}, nil, []finishing{{0, 1, 1}, {1, 2, 2}, {2, 3, 3}}},
		{"in reverse", 0, 0, []int64{0, 1, 2}, nil, []finishing{{2, -1, 0}, {1, -1, 0}, {0, 3, 3}}},
		{"with gaps", 7, 5, []int64{9, 10, 40, 41}, nil, []finishing{{40, -1, 0}, {9, 10, 6}, {10, 41, 8}, {41, 42, 9}}},
		{"nothing committed before", sarama.OffsetOldest, 0, []int64{3, 4}, nil, []finishing{{4, -1, 0}, {3, 5, 2}}},
		{"twice", 0, 0, []int64{0, 1}, nil, []finishing{{1, -1, 0}, {1, -1, 0}, {0, 2, 2}, {0, -1, 0}}},
		{"not delivered", 0, 0, []int64{0, 2}, nil, []finishing{{1, -1, 0}, {3, -1, 0}, {0, 1, 1}}},
		{"abandoned at the head", 0, 0, []int64{0, 1}, []int64{0}, []finishing{{0, -1, 0}, {1, -1, 0}}},
		{"abandoned in the middle", 0, 0, []int64{0, 1, 2}, []int64{1}, []finishing{{0, 1, 1}, {2, -1, 0}, {1, -1, 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := windowOf(t, c.committed, c.count, c.offsets...)
			for _, o := range c.abandoned {
				w.set(o, begun)
				w.set(o, abandoned)
			}
			for _, f := range c.finish {
				next, count, ok := w.finish(f.offset)
				if ok != (f.advance >= 0) || ok && (next != f.advance || count != f.count) {
					t.Errorf("finish(%d) = %d, %d, %t; want %d, %d", f.offset, next, count, ok, f.advance, f.count)
				}
			}
		})
	}
}

// The states of a cause (protocol rule R3). What is merely delivered is unseen:
// the goroutine that would begin it may be the one that asks (hole H1).
func TestWindowStatus(t *testing.T) {
	w := windowOf(t, 10, 0, 10, 11, 14, 15, 16, 17)
	for _, o := range []int64{10, 11, 14, 15, 16} {
		w.set(o, begun)
	}
	w.finish(10)
	w.finish(11)
	w.finish(15)
	w.set(16, abandoned)
	for _, c := range []struct {
		offset int64
		want   Status
		why    string
	}{
		{0, Committed, "below the committed offset"},
		{9, Committed, "just below the committed offset"},
		{10, Acked, "done, contiguous"},
		{11, Acked, "done, contiguous"},
		{12, Unseen, "in a gap, behind what is acknowledged"},
		{14, InFlight, "begun"},
		{15, Acked, "done, though one before it is not"},
		{16, Unseen, "abandoned: it comes again in another session"},
		{17, Unseen, "delivered, its callback has not begun"},
		{18, Unseen, "not delivered"},
	} {
		if got := w.status(c.offset); got != c.want {
			t.Errorf("offset %d: status %d, want %d: %s", c.offset, got, c.want, c.why)
		}
	}
	w.finish(14)
	if got := w.status(12); got != Acked {
		t.Errorf("offset in a gap below what is acknowledged: status %d, want %d", got, Acked)
	}
}

// A record that is kept back is in flight, whatever Goka marks, until it is released; and its bytes are not kept.
func TestWindowKeepsBack(t *testing.T) {
	w := newWindow(10)
	w.start(5, 0)
	w.deliver(&sarama.ConsumerMessage{Offset: 5}, true)
	w.set(5, begun)
	w.keep(5)
	if w.record(5) != nil {
		t.Error("the record is kept, too")
	}
	if next, _, ok := w.finish(5); ok || w.status(5) != InFlight || w.pending() != 1 {
		t.Errorf("finished at %d, with status %d", next, w.status(5))
	}
	w.release(5)
	if next, count, ok := w.finish(5); !ok || next != 6 || count != 1 || w.status(5) != Acked {
		t.Errorf("released, and finished at %d (%t), %d records, with status %d", next, ok, count, w.status(5))
	}
}

func TestWindowBeforeItsClaimReported(t *testing.T) {
	w := newWindow(1)
	if got := w.status(0); got != Unseen {
		t.Errorf("status %d before the initial offset is known, want %d", got, Unseen)
	}
	w.start(sarama.OffsetOldest, 0)
	if got := w.status(0); got != Unseen {
		t.Errorf("status %d of a group that never committed, want %d", got, Unseen)
	}
}

func TestWindowDoneIsFinal(t *testing.T) {
	w := windowOf(t, 0, 0, 0, 1)
	w.finish(1)
	w.set(1, begun)
	w.set(1, abandoned)
	if got := w.status(1); got != Acked {
		t.Errorf("status %d of a done record that is begun and abandoned, want %d", got, Acked)
	}
	if next, _, ok := w.finish(0); !ok || next != 2 {
		t.Errorf("finish(0) = %d, %t; want 2", next, ok)
	}
}

func TestWindowLimit(t *testing.T) {
	w := newWindow(2)
	w.start(0, 0)
	message := func(o int64) *sarama.ConsumerMessage { return &sarama.ConsumerMessage{Offset: o} }
	for o := range int64(2) {
		if w.deliver(message(o), false) != nil {
			t.Fatalf("record %d of 2 does not fit", o)
		}
	}
	full := w.deliver(message(2), false)
	if full == nil {
		t.Fatal("a third record fits into a window of 2")
	}
	if w.pending() != 2 {
		t.Errorf("%d pending, want 2: a refused delivery must leave nothing", w.pending())
	}
	w.finish(1)
	if ended(full) {
		t.Error("room while the first record is not done")
	}
	w.finish(0)
	if !ended(full) {
		t.Error("no room though all records are done")
	}
	if w.deliver(message(2), false) != nil {
		t.Error("no room for the third record")
	}
}

func ended(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestWindowWait(t *testing.T) {
	w := windowOf(t, 5, 0, 5, 6, 7)
	for _, o := range []int64{5, 6, 7} {
		w.set(o, begun)
	}
	w.finish(5)
	for _, o := range []int64{0, 5} {
		if w.wait(o) != nil {
			t.Errorf("offset %d is acknowledged and waited for", o)
		}
	}
	one, two, other := w.wait(6), w.wait(6), w.wait(7)
	w.finish(7)
	if ended(one) || !ended(other) {
		t.Error("the end of one record woke the waiters of another")
	}
	w.finish(6)
	if !ended(one) || !ended(two) {
		t.Error("a waiter still waits for a record that is done")
	}
	if len(w.waiters) != 0 {
		t.Errorf("%d waiters are kept for nothing", len(w.waiters))
	}
}

func TestWindowKeepsRecordsUntilTheyAreDone(t *testing.T) {
	w := newWindow(10)
	w.start(0, 0)
	kept, dropped := &sarama.ConsumerMessage{Offset: 1}, &sarama.ConsumerMessage{Offset: 2}
	w.deliver(&sarama.ConsumerMessage{}, true)
	w.deliver(kept, true)
	w.deliver(dropped, false)
	if w.record(1) != kept || w.record(2) != nil || w.record(9) != nil {
		t.Errorf("records %v, %v, %v; want the one that was to be kept", w.record(1), w.record(2), w.record(9))
	}
	w.finish(1) // done behind one that is not: its slot stays, its record goes
	if w.record(1) != nil {
		t.Error("the record of a done offset is kept")
	}
}

// A long session must not keep a slot for every record it has seen.
func TestWindowMemoryIsBounded(t *testing.T) {
	const limit, total = 100, 200_000
	w := newWindow(limit)
	w.start(0, 0)
	largest := 0
	for o := range int64(total) {
		if w.deliver(&sarama.ConsumerMessage{Offset: o}, false) != nil {
			t.Fatalf("full at %d", o)
		}
		if o >= limit/2 {
			w.finish(o - limit/2)
		}
		largest = max(largest, cap(w.slots))
	}
	if largest > 8192 {
		t.Errorf("%d slots for %d records of which %d are open", largest, total, limit)
	}
	if n := w.pending(); n != limit/2 {
		t.Errorf("%d pending, want %d", n, limit/2)
	}
	if w.mark != total-limit/2 || w.count != total-limit/2 {
		t.Errorf("mark %d, %d records ended; want %d of both", w.mark, w.count, total-limit/2)
	}
	if got := w.status(total - limit/2 - 1); got != Acked {
		t.Errorf("status %d of the last done record, want %d", got, Acked)
	}
}

// plainWindow says the same as window, by looking through everything there ever was.
type plainWindow struct {
	initial int64
	states  map[int64]slotState
}

func (p *plainWindow) mark() (mark int64, ended int) {
	mark = p.initial
	for _, o := range slices.Sorted(maps.Keys(p.states)) {
		if p.states[o] != done {
			break
		}
		mark, ended = o+1, ended+1
	}
	return mark, ended
}

func (p *plainWindow) status(o int64) Status {
	state, known := p.states[o]
	mark, _ := p.mark()
	switch {
	case o < p.initial:
		return Committed
	case o < mark || known && state == done:
		return Acked
	case known && (state == begun || state == kept):
		return InFlight
	}
	return Unseen
}

func TestWindowIsThePlainOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		initial := rapid.Int64Range(0, 5).Draw(t, "initial")
		w, p := newWindow(1<<20), &plainWindow{initial: initial, states: map[int64]slotState{}}
		w.start(initial, 0)
		next := initial
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			o := rapid.Int64Range(initial-1, next+1).Draw(t, "offset")
			_, known := p.states[o]
			switch rapid.SampledFrom([]string{"deliver", "deliver", "begin", "begin", "finish", "finish", "abandon", "keep", "release"}).Draw(t, "action") {
			case "deliver":
				next += rapid.Int64Range(0, 2).Draw(t, "gap")
				w.deliver(&sarama.ConsumerMessage{Offset: next}, false)
				p.states[next] = delivered
				next++
			case "begin":
				w.set(o, begun)
				if known && p.states[o] != done {
					p.states[o] = begun
				}
			case "abandon":
				w.set(o, abandoned)
				if known && p.states[o] != done {
					p.states[o] = abandoned
				}
			case "keep":
				w.keep(o)
				if known && p.states[o] == begun {
					p.states[o] = kept
				}
			case "release":
				w.release(o)
				if known && p.states[o] == kept {
					p.states[o] = begun
				}
			case "finish":
				before, _ := p.mark()
				if known && p.states[o] != abandoned && p.states[o] != kept {
					p.states[o] = done
				}
				after, ended := p.mark()
				got, count, ok := w.finish(o)
				if ok != (after != before) || ok && (got != after || int(count) != ended) {
					t.Fatalf("finish(%d) = %d, %d, %t; want %d, %d", o, got, count, ok, after, ended)
				}
			}
			for o := initial - 1; o <= next; o++ {
				if got, want := w.status(o), p.status(o); got != want {
					t.Fatalf("status(%d) = %d, want %d; %s", o, got, want, fmt.Sprint(p.states))
				}
			}
		}
	})
}
