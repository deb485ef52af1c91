package live_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

// same holds what the instance finds against what the comparison at once does.
func (w *world) same(in *instance) {
	w.t.Helper()
	want := &compare.Report{}
	totals := w.once()
	totals.Fill(want, nil, nil, time.Now())
	counted := func(r *compare.Report) string {
		text, err := json.MarshalIndent([]any{r.Streams, r.Counts}, "", " ")
		w.must(err)
		return string(text)
	}
	w.through(in)
	var got *compare.Report
	deadline := time.Now().Add(time.Minute)
	for got = w.through(in); counted(got) != counted(want) && time.Now().Before(deadline); got = w.through(in) {
	}
	if counted(got) != counted(want) {
		w.t.Errorf("got %s\nwant %s", counted(got), counted(want))
	}
}

// A hostile season with planted faults: the counts are those of the comparison at once, although instances come, are
// killed and leave, state stays or is deleted, and records come again.
func TestInstancesComeAndGo(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w := newWorld(t, target, season.Config{Orders: 3000, Seed: 4, Hostile: 0.05})
		w.bridged()
		w.plant()
		dirs := []string{t.TempDir(), t.TempDir()}
		a, b := w.start(dirs[0]), w.start(dirs[1])
		w.read(w.cfg.Name+"-compare-intake-left-orders", 100)
		if target.Embedded != nil {
			w.joined(a, b) // see package embedded on members that die while they join
		}
		w.kill(a)
		w.same(b)
		a = w.start(dirs[0])
		w.same(b)
		w.leave(b)
		w.same(a)
		w.leave(a)

		state, err := filepath.Glob(filepath.Join(dirs[0], "*"))
		w.must(err)
		if len(state) == 0 {
			t.Fatal("there is no state to delete")
		}
		for _, dir := range state {
			w.must(os.RemoveAll(dir))
		}
		a = w.start(dirs[0])
		w.same(a)
		w.leave(a)

		before := w.tables()
		w.again()
		a = w.start(dirs[0])
		w.same(a)
		w.leave(a)
		if after := w.tables(); !maps.Equal(before, after) {
			t.Errorf("records that came again were written: %v, then %v", before, after)
		}
	})
}

// joined waits until all groups of all instances have sessions, so that nobody is joining.
func (w *world) joined(all ...*instance) {
	w.t.Helper()
	kafkatest.Eventually(w.t, "all groups joined", func() bool {
		for _, in := range all {
			for _, reason := range in.NotReady() {
				if reason != readingUp {
					return false
				}
			}
		}
		return true
	})
}

const readingUp = "reading up: nothing is judged before everything that there was has been read once"

// read waits until a group has committed so many records.
func (w *world) read(group string, records int64) {
	w.t.Helper()
	kafkatest.Eventually(w.t, "some records read", func() bool {
		n := int64(0)
		for _, at := range kafkatest.CommittedOffsets(w.t, w.target.Addrs, group, w.cfg.Left.Topics[compare.Orders]) {
			n += at
		}
		return n >= records
	})
}

// tables are the ends of the tables of joins and events, as far as they are rows.
func (w *world) tables() map[string]int64 {
	w.t.Helper()
	rows := map[string]int64{}
	for _, group := range []string{"joins", "events", "partners"} {
		for _, end := range kafkatest.EndOffsets(w.t, w.target.Addrs, w.cfg.Name+"-compare-"+group+"-table") {
			rows[group] += end
		}
	}
	return rows
}

// again makes the groups that read the topics of both sides forget how far they were.
func (w *world) again() {
	w.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.target.Addrs...))
	w.must(err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	var groups []string
	for _, name := range []string{"left-partners", "left-events", "left-orders", "left-refunds", "right-events", "right-orders", "right-refunds"} {
		groups = append(groups, w.cfg.Name+"-compare-intake-"+name)
	}
	deleted, err := kadm.NewClient(client).DeleteGroups(ctx, groups...)
	w.must(err)
	w.must(deleted.Error())
}
