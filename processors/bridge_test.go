package processors_test

import (
	"testing"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// TestSmallSeason is one instance over a hostile season.
func TestSmallSeason(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w := newWorld(t, target, 2, season.Config{Orders: 1000, Seed: 1, Hostile: 0.05})
		w.produce()
		in := w.start(t.TempDir())
		w.check(w.drain(in))
		w.leave(in)
	})
}

// TestTransactionalSource is one instance over legacy topics that are written to in
// transactions: it reads what was committed, and it can be seen when that is done.
func TestTransactionalSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kafkatest.Kafka(t), 2, season.Config{Orders: 300, Seed: 6, Hostile: 0.05})
	w.produceInTransactions()
	in := w.start(t.TempDir())
	w.check(w.drain(in))
	w.leave(in)
}

// TestEncodings is a season in the other encodings of the slim contract, with the
// source on another cluster than the target.
func TestEncodings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		enc slim.Encoding
		// In edition 2.0 an event whose newest version has an unknown organizer
		// cannot go out, and whether an older one did depends on what came first
		// (decision 4); so no partner is missing there.
		hostile float64
	}{
		{slim.Encoding{Edition: slim.Edition2, Format: slim.JSON}, 0},
		{slim.Encoding{Edition: slim.Edition1, Format: slim.Protobuf}, 0.1},
	} {
		t.Run(c.enc.Edition.String()+" "+c.enc.Format.String(), func(t *testing.T) {
			t.Parallel()
			target := kafkatest.Embedded(t, embedded.Options{})
			source := kafkatest.Embedded(t, embedded.Options{})
			w := newWorldOn(t, source, target, 3, season.Config{Orders: 1000, Seed: 3, Hostile: c.hostile})
			w.cfg.Rules.Encoding = c.enc
			w.produce()
			in := w.start(t.TempDir())
			w.check(w.drain(in))
			w.leave(in)
		})
	}
}

// TestSeasonWithInstancesComingAndGoing is the product's promise: a hostile
// season of 100,000 orders while instances join and leave. The accounts balance,
// nothing is out of order, and the newest record of every key is what dry-run
// makes of the same season. The embedded broker has a shorter one: it is long enough
// for data to flow at every change, and how it fares in the long run is nobody's concern.
func TestSeasonWithInstancesComingAndGoing(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		orders := 100_000
		switch {
		case testing.Short():
			orders = 5000
		case target.Embedded != nil:
			orders = 20_000
		}
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
