package processors_test

import (
	"testing"
	"time"

	"github.com/lovoo/goka"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// An instance that is told to stop while the gate is not let into its group, as another member hangs there, ends in
// order and soon: what its other groups had begun is acknowledged and committed, nobody has to wait for it in the
// group that it was joining, and the next one does the rest.
func TestStopWhileJoining(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w := newWorld(t, target, 2, season.Config{Orders: 1000, Seed: 23})
		w.cfg.StopTimeout = 5 * time.Minute
		seen := &early{Observer: w.monitor, topics: w.cfg.Topics, acked: map[string]int{}}
		w.cfg.Observer = seen
		w.produce()
		group, _, _, _ := w.cfg.Topics.Gate()
		let := kafkatest.HungMember(t, w.target.Addrs, group, goka.CopartitioningStrategy.Name())
		dir := t.TempDir()
		in := w.start(dir)
		kafkatest.AwaitJoin(t, w.target.Addrs, group)
		w.until("orders before the gate", []*instance{in}, func() bool { return seen.ackedOf(w.cfg.Topics.Internal(mapping.Orders)) > 0 })
		before := map[mapping.Stream]int{}
		for _, s := range mapping.Streams {
			before[s] = seen.ackedOf(w.cfg.Topics.Internal(s))
		}
		in.stop()
		if err := w.endedWithin(in, stopBound+kafkaSlack); err != nil {
			t.Fatalf("the instance ended with %v", err)
		}
		const partitions = 3 // of the legacy topics
		source, _ := w.cfg.Topics.Groups()
		for _, s := range mapping.Streams {
			committed := 0
			for _, offset := range kafkatest.CommittedOffsets(t, w.source.Addrs, source[s], w.cfg.Topics.Legacy[s]) {
				committed += int(offset)
			}
			// A callback in each partition may have ended after its session, and is done again.
			if acked := seen.ackedOf(w.cfg.Topics.Internal(s)); committed > acked || committed < before[s]-partitions {
				t.Errorf("%s: %d records were acknowledged, %d of them before the end, and %d are committed", s, acked, before[s], committed)
			}
		}
		if g := kafkatest.DescribeGroup(t, w.target.Addrs, group); len(g.Members) != 1 {
			t.Errorf("%d members are in the group, want the one that hangs", len(g.Members))
		}

		let()
		w.cfg.Observer = w.monitor
		in = w.start(dir)
		w.check(w.drain(in))
		w.leave(in)
	})
}

// ackedOf is how many records of a topic are acknowledged.
func (e *early) ackedOf(topic string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.acked[topic]
}
