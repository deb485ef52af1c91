package live_test

import (
	"testing"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

// A season that the bridge has bridged has no differences, and all of it is compared.
func TestCleanSeason(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		w := newWorld(t, target, season.Config{Orders: 1000, Seed: 1})
		w.bridged()
		in := w.start(t.TempDir())
		w.clean(w.through(in))
		w.leave(in)
	})
}

// clean: nothing differs, and nothing waits.
func (w *world) clean(r *compare.Report) {
	w.t.Helper()
	for _, s := range r.Streams {
		w.t.Logf("%+v", s)
		if s.Different != 0 || s.Coverage != 1 || s.Equal == 0 {
			w.t.Errorf("%s: %d differ, coverage %v, %d equal: %+v", s.Stream, s.Different, s.Coverage, s.Equal, s)
		}
	}
	if !r.Verdict.Go {
		w.t.Errorf("verdict: %+v", r.Verdict)
	}
}
