package processors_test

import (
	"testing"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

// TestSmallSeason is one instance over a hostile season.
func TestSmallSeason(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		w := newWorld(t, target, 2, season.Config{Orders: 3000, Seed: 1, Hostile: 0.05})
		w.produce()
		in := w.start(t.TempDir())
		w.check(w.drain(in))
		w.leave(in)
	})
}

// TestSeasonWithInstancesComingAndGoing is the product's promise: a hostile
// season of 100,000 orders while instances join and leave. The accounts balance,
// nothing is out of order, and the newest record of every key is what dry-run
// makes of the same season.
func TestSeasonWithInstancesComingAndGoing(t *testing.T) {
	orders := 100_000
	if testing.Short() {
		orders = 5000
	}
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		w := newWorld(t, target, 4, season.Config{Orders: orders, Seed: 7, Hostile: 0.05})
		w.produce()
		emitted := func(share int) func() bool {
			return func() bool { return w.monitor.Violations().Sent >= orders*share/100 }
		}
		a := w.start(t.TempDir())
		w.until("a tenth sent", []*instance{a}, emitted(10))
		b := w.start(t.TempDir())
		w.until("a third sent", []*instance{a, b}, emitted(33))
		w.leave(a)
		w.until("half sent", []*instance{b}, emitted(50))
		c := w.start(t.TempDir())
		w.until("two thirds sent", []*instance{b, c}, emitted(66))
		w.leave(b)
		w.check(w.drain(c))
		w.leave(c)
	})
}
