package season

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// TestQueueStaysSmall states the bound on memory: once the longest delays are
// reached, what waits grows no more, even when everything goes wrong.
func TestQueueStaysSmall(t *testing.T) {
	const orders = 16_000
	var early, late int // longest queues before and after the middle
	var g *generator
	g = newGenerator(Config{Orders: orders, Hostile: 1}, func(Record) bool {
		if g.step < orders/2 {
			early = max(early, g.queue.Len())
		} else {
			late = max(late, g.queue.Len())
		}
		return true
	})
	g.run()
	if early == 0 || early > maxDelay/2 || late > early*5/4 {
		t.Errorf("longest queues: %d, then %d", early, late)
	}
	if g.queue.Len() != 0 {
		t.Errorf("%d records were never published", g.queue.Len())
	}
}

func TestRandomNumbersStayInRange(t *testing.T) {
	r := newRNG(1)
	seen := map[int]bool{}
	for range 1000 {
		n := r.between(3, 7)
		seen[n] = true
		if n < 3 || n > 7 {
			t.Fatalf("between 3 and 7: %d", n)
		}
		if s := r.skewed(5); s < 0 || s > 4 {
			t.Fatalf("skewed 5: %d", s)
		}
		if u := r.unit(); u < 0 || u >= 1 {
			t.Fatalf("unit: %v", u)
		}
	}
	if len(seen) != 5 {
		t.Errorf("between 3 and 7 gave only %v", seen)
	}
}

func TestTruncatedRecordsAreNeverWhole(t *testing.T) {
	r := newRNG(2)
	g := newGenerator(Config{Orders: 10}, func(Record) bool { return true })
	g.openEvents(1)
	value := marshal(g.eventMessage(&g.events[0]))
	for range 5000 {
		if cut := truncate(r, value); endsBetweenFields(cut) || len(cut) == 0 || len(cut) >= len(value) {
			t.Fatalf("a cut at %d of %d leaves a valid message", len(cut), len(value))
		}
	}
}

func endsBetweenFields(b []byte) bool {
	for len(b) > 0 {
		_, _, n := protowire.ConsumeField(b)
		if n < 0 {
			return false
		}
		b = b[n:]
	}
	return true
}
