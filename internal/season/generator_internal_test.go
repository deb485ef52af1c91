package season

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// TestQueueStaysSmall states the bound on memory: what waits does not grow
// with the number of orders, even when everything goes wrong.
func TestQueueStaysSmall(t *testing.T) {
	longest := map[int]int{}
	for _, orders := range []int{10_000, 30_000} {
		var g *generator
		g = newGenerator(Config{Orders: orders, Hostile: 1}, func(Record) bool {
			longest[orders] = max(longest[orders], g.queue.Len())
			return true
		})
		g.run()
		if g.queue.Len() != 0 {
			t.Errorf("%d orders: %d records were never published", orders, g.queue.Len())
		}
	}
	if longest[10_000] > maxDelay/2 || longest[30_000] > longest[10_000]*5/4 {
		t.Errorf("longest queues by orders: %v", longest)
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
