package live_test

import (
	"testing"
	"time"

	"github.com/lovoo/goka"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

// An instance that is not let into a group, as another member hangs, has begun nothing there, and its end waits neither
// for that member nor for the stop timeout.
func TestEndWhileJoining(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w := newWorld(t, target, season.Config{Orders: 10, Seed: 6})
		w.produce()
		w.cfg.StopTimeout = 10 * time.Second
		group := w.cfg.Name + "-compare-partners"
		kafkatest.HungMember(t, target.Addrs, group, goka.CopartitioningStrategy.Name())
		in := w.start(t.TempDir())
		kafkatest.AwaitJoin(t, target.Addrs, group)
		w.leave(in)
	})
}
