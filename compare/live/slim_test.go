package live_test

import (
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/live"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

// Two sets of slim topics. Refunds name no order there, and are judged where they meet. The verdict has the quarantine topic of
// the bridge that writes the right ones.
func TestSlimAgainstSlim(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w := newWorld(t, target, season.Config{Orders: 400, Seed: 5, Hostile: 0.05})
		w.bridged()
		w.cfg.Left = live.Side{Label: "other", Edition: "1.0", Format: "json", Cluster: w.cfg.State, Reader: w.cfg.Right.Reader, Topics: map[compare.Stream]string{}}
		for _, s := range streams {
			topic := target.Topic("other-" + s.String())
			w.cfg.Left.Topics[s] = topic
			kafkatest.CreateTopic(t, target.Addrs, topic, 2, nil)
			for _, r := range kafkatest.ReadAll(t, target.Addrs, w.cfg.Right.Topics[s]) {
				kafkatest.Produce(t, target.Addrs, topic, &kafkatest.Record{Key: r.Key, Value: r.Value, Headers: r.Headers})
			}
		}
		w.cfg.Directory, w.cfg.Grace = nil, time.Second
		quarantined := int64(len(kafkatest.ReadAll(t, target.Addrs, w.cfg.Quarantine)))
		in := w.start(t.TempDir())
		r := w.until(in, "everything equal", func(r *compare.Report) bool { return waiting(r) == 0 })
		if n := different(r); n != 0 || r.Streams[2].Equal == 0 {
			t.Errorf("%d entities differ, of refunds %d are equal", n, r.Streams[2].Equal)
		}
		read, err := live.ReadReport(t.Context(), w.cfg, time.Now())
		w.must(err)
		for name, r := range map[string]*compare.Report{"the instance's": r, "the one from the topics": read} {
			if q := r.Quarantine; !q.Known || q.Records == 0 || q.Records > quarantined || !r.Verdict.Go {
				t.Errorf("%s report: of %d records of the quarantine topic it has %+v, verdict %+v", name, quarantined, q, r.Verdict)
			}
		}
		want, mend := w.plant()
		w.until(in, "all differences", func(r *compare.Report) bool { return different(r) == len(want) })
		w.differ(want)
		mend()
		w.until(in, "no differences", func(r *compare.Report) bool { return different(r) == 0 && waiting(r) == 0 })
		w.differ(nil)
		w.leave(in)
	})
}
