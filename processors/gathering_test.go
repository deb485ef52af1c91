package processors_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// TestRepeatsAreGathered: versions of events that change nothing reach the gate many at a time, each is accounted for,
// and nothing waits for the next one. An instance that leaves amid them leaves the rest to the other.
func TestRepeatsAreGathered(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w := newWorld(t, target, 2, season.Config{Orders: 600, Seed: 4, Hostile: 0})
		w.produce()
		a, b := w.start(t.TempDir()), w.start(t.TempDir())
		w.check(w.drain(a, b))
		before := len(w.gateInputs(mapping.Events))

		const times = 400
		versions := w.produceAgain(times)
		w.until("repeats sent on", []*instance{a, b}, func() bool { return w.repeats() > 0 })
		w.leave(a)
		report := w.drain(b)
		w.check(report)
		// How many are, depends on how fast the brokers acknowledge.
		if n, sent := w.repeats(), len(w.gateInputs(mapping.Events))-before; n < versions/4 || sent > versions-n/2 {
			t.Errorf("%d versions that repeat the one before led to %d records for the gate, and %d of them are in repeats", versions, sent, n)
		}
		// What is sent again when the other instance takes over counts as emitted.
		if n := report.Accounts[mapping.Events].Unchanged; n < uint64(versions)*9/10 {
			t.Errorf("%d versions are accounted for as unchanged, want most of %d", n, versions)
		}
		w.leave(b)
	})
}

// produceAgain writes the newest version of every event so many times again, and tells how many records that is.
func (w *world) produceAgain(times int) int {
	w.t.Helper()
	topic := w.cfg.Topics.Legacy[mapping.Events]
	newest := map[string]*kgo.Record{}
	for _, r := range kafkatest.ReadAll(w.t, w.source.Addrs, topic) {
		newest[string(r.Key)] = &kgo.Record{Topic: topic, Key: r.Key, Value: r.Value}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(w.source.Addrs...))
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.Close()
	for range times {
		for _, r := range newest {
			again := *r
			client.Produce(w.t.Context(), &again, func(_ *kgo.Record, err error) {
				if err != nil {
					w.t.Errorf("produce again: %v", err)
				}
			})
			w.produced[mapping.Events]++
		}
	}
	if err := client.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return times * len(newest)
}

// gateInputs is what intake has made of a stream.
func (w *world) gateInputs(s mapping.Stream) (inputs []*statepb.Input) {
	w.t.Helper()
	for _, r := range kafkatest.ReadAll(w.t, w.target.Addrs, w.cfg.Topics.Internal(s)) {
		in := &statepb.Input{}
		if err := in.UnmarshalVT(r.Value); err != nil {
			w.t.Fatal(err)
		}
		inputs = append(inputs, in)
	}
	return inputs
}

// repeats is how many versions have come in repeats.
func (w *world) repeats() (n int) {
	for _, in := range w.gateInputs(mapping.Events) {
		n += len(in.GetRepeats().GetOffsets())
	}
	return n
}

// TestLeavingSendsWhatIsKeptBack: an instance that ends in order has committed what it has sent of a legacy topic, but
// for the record of a partition whose callback was interrupted. Whatever is different for the next one, it does not
// decide about many records again.
func TestLeavingSendsWhatIsKeptBack(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w := newWorld(t, target, 2, season.Config{Orders: 600, Seed: 5, Hostile: 0})
		w.produce()
		in := w.start(t.TempDir())
		w.check(w.drain(in))
		w.produceAgain(4000)
		w.until("repeats sent on", []*instance{in}, func() bool { return w.repeats() > 0 })
		w.leave(in)
		report, err := processors.ReadReport(t.Context(), w.admins, w.cfg.State, w.cfg.Topics)
		if err != nil {
			t.Fatal(err)
		}
		type place struct {
			partition int32
			offset    int64
		}
		sent := map[place]bool{}
		for _, in := range w.gateInputs(mapping.Events) {
			for _, offset := range append(in.GetRepeats().GetOffsets(), in.GetSource().GetOffset()) {
				sent[place{in.GetSource().GetPartition(), offset}] = true
			}
		}
		const partitions = 3
		if n := report.Accounts[mapping.Events].Consumed; n > uint64(len(sent)) || n+partitions < uint64(len(sent)) {
			t.Errorf("%d records are committed, and %d were sent on", n, len(sent))
		}
	})
}
