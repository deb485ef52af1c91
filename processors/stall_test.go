package processors

import (
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// A partition stalls when it has records and acknowledges none for long enough; what
// it has none of, and what it acknowledges, starts the time anew.
func TestStallWatch(t *testing.T) {
	at := func(acknowledged, end int64, pending int) kafka.Position {
		return kafka.Position{Topic: "orders", Partition: 3, Acknowledged: acknowledged, End: end, Pending: pending}
	}
	w := stallWatch{after: 2 * time.Minute, since: map[string]standing{}}
	began := time.Now()
	for _, step := range []struct {
		minute  int
		p       kafka.Position
		markers int64
		stalled bool
	}{
		{0, at(10, 10, 0), 0, false},
		{4, at(10, 10, 0), 0, false},
		{5, at(10, 20, 0), 0, false}, // records have come
		{6, at(10, 20, 5), 0, true},
		{9, at(11, 20, 4), 0, false}, // it gets on
		{12, at(11, 20, 4), 0, true},
		{13, at(20, 20, 0), 0, false},
		{14, at(20, 90, 0), 100, false}, // perhaps markers of transactions
		{20, at(20, 90, 0), 100, false},
		{21, at(20, 90, 1), 100, false}, // a record among them
		{23, at(20, 90, 1), 100, true},
	} {
		got := w.look("gate", []kafka.Position{step.p}, step.markers, began.Add(time.Duration(step.minute)*time.Minute))
		if (len(got) > 0) != step.stalled {
			t.Errorf("minute %d: stalled %q, want %t", step.minute, got, step.stalled)
		}
	}
}

// A group that has not joined for long enough is named; a rebalance is over sooner.
func TestStallWatchOfGroups(t *testing.T) {
	w := stallWatch{after: 2 * time.Minute, since: map[string]standing{}}
	began := time.Now()
	for _, step := range []struct {
		minute          int
		joined, stalled bool
	}{
		{0, false, false},
		{1, false, false},
		{2, false, true}, // it never has
		{3, true, false},
		{9, true, false},
		{10, false, false}, // a rebalance
		{11, true, false},
		{12, false, false}, // another
		{13, false, true},
	} {
		w.forget("gate") // what is held back has to join, too
		got := w.joining("gate", step.joined, began.Add(time.Duration(step.minute)*time.Minute))
		if (len(got) > 0) != step.stalled {
			t.Errorf("minute %d: stalled %q, want %t", step.minute, got, step.stalled)
		}
	}
}

func TestBackoff(t *testing.T) {
	b := backoff{first: time.Second, most: 4 * time.Second, healthy: time.Minute}
	var wait time.Duration
	for i, c := range []struct{ ran, want time.Duration }{
		{0, 1 * time.Second}, {0, 2 * time.Second}, {0, 4 * time.Second}, {0, 4 * time.Second}, {time.Minute, time.Second}, {0, 2 * time.Second},
	} {
		if wait = b.next(wait, c.ran); wait != c.want {
			t.Errorf("wait %d is %s, want %s", i, wait, c.want)
		}
	}
}
