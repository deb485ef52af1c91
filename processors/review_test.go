package processors_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// The directory changed while the instance was down, and its state folder is gone:
// sweeps run while the table of one partition is being read, and must not take what
// is there of it for all events.
func TestDirectoryThatChangedWhileTheInstanceWasDown(t *testing.T) {
	t.Parallel()
	const recovered, recovering = 0, 1 // partitions
	w := newWorld(t, kafkatest.Embedded(t, embedded.Options{Brokers: 2}), 2, season.Config{})
	h := &hole{world: w, sources: map[mapping.Stream]int64{}}
	h.group, h.inputs, h.loop, h.table = w.cfg.Topics.Gate()
	// A request for one partition of the table must not hold up that for the other.
	for p := range int32(2) {
		if err := h.cluster().MoveTopicPartition(h.table, p, p); err != nil {
			t.Fatal(err)
		}
	}

	held, stale := idIn(recovered), idIn(recovering)
	h.cfg.Rules = holeRules()
	h.cfg.Rules.Directory = categories(t, "Концерты")
	h.cfg.Rules.OrganizerHold = time.Millisecond
	h.cfg.SweepInterval = time.Hour
	withPartner := event(held)
	withPartner.Org = "p"
	inCategory := event(stale)
	inCategory.Category = "c"
	in := h.start(t.TempDir())
	h.legacyEvents(withPartner, inCategory)
	h.awaitSlim(mapping.Events, stale)
	kafkatest.Eventually(t, "the other event to wait for its partner", func() bool { return h.row(held).GetWait() != nil })
	before := h.newestSlim(mapping.Events, stale)
	h.leave(in)

	// The hold of the waiting event is over, so the first sweep of its partition sends a command. It looks at the other
	// partition before that has arrived.
	h.cfg.Rules = holeRules()
	h.cfg.Rules.Directory = categories(t, "Театр")
	h.cfg.SweepInterval = 10 * time.Millisecond
	table := h.fault(kmsg.Fetch, fetchFromPartition(h.table, recovering), h.hold)
	commands := func() int64 { return kafkatest.EndOffsets(t, h.target.Addrs, h.loop)[recovered] }
	swept := commands()
	in = h.start(t.TempDir())
	table.awaitHit(t)
	kafkatest.Eventually(t, "a sweep", func() bool { return commands() > swept })
	table.release()
	kafkatest.Eventually(t, "the event to go out by the new directory", func() bool {
		return !bytes.Equal(h.newestSlim(mapping.Events, stale), before)
	})
	h.leave(in)
}

// idIn is an id whose keys are in the partition, of two.
func idIn(partition int32) string {
	id := []byte("a")
	for slim.Partition(id, 2) != partition {
		id[0]++
	}
	return string(id)
}

func categories(t *testing.T, name string) *directory.Directory {
	t.Helper()
	d, err := directory.Parse([]byte(`{"categories": [{"id": "c", "name": "`+name+`"}], "cities": [], "venues": []}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (h *hole) legacyEvents(events ...*legacyproto.Event) {
	h.t.Helper()
	for _, e := range events {
		raw, err := proto.Marshal(e)
		if err != nil {
			h.t.Fatal(err)
		}
		kafkatest.Produce(h.t, h.source.Addrs, h.cfg.Topics.Legacy[mapping.Events], &kafkatest.Record{Value: raw})
	}
}

// newestSlim is the newest slim record of a key; nil when there is none.
func (h *hole) newestSlim(s mapping.Stream, key string) (newest []byte) {
	h.t.Helper()
	for _, r := range kafkatest.ReadAll(h.t, h.target.Addrs, h.slim(s)) {
		if string(r.Key) == key {
			newest = r.Value
		}
	}
	return newest
}

func fetchFromPartition(topic string, partition int32) func(kmsg.Request) bool {
	return func(req kmsg.Request) bool {
		for _, t := range req.(*kmsg.FetchRequest).Topics {
			for _, p := range t.Partitions {
				if t.Topic == topic && p.Partition == partition {
					return true
				}
			}
		}
		return false
	}
}
