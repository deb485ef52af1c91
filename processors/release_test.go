package processors_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// Orders that wait for one event take several pages to release. Each comes once, in
// the order of their keys within a partition; their refunds come, too; and the log
// tells how many are left. `make parked-run` does it with a million.
func TestReleaseOfManyOrders(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		const orders, refundEvery = 5*mapping.PageSize + 100, 10
		w := newWorld(t, target, 2, season.Config{})
		said := &said{}
		w.cfg.Log = slog.New(slog.NewTextHandler(said, nil))
		written := map[mapping.Stream][]*kafkatest.Record{}
		for _, n := range rand.New(rand.NewPCG(1, 2)).Perm(orders) {
			id := fmt.Sprintf("order%05d", n)
			written[mapping.Orders] = append(written[mapping.Orders], &kafkatest.Record{Value: encoded(t, order(id, "late"))})
			if n%refundEvery == 0 {
				written[mapping.Refunds] = append(written[mapping.Refunds], &kafkatest.Record{Value: encoded(t, &legacyproto.RefundRequest{
					Id: "refund-" + id, Order: id, Event: "late", Status: legacyproto.RefundRequest_APPROVED,
					Tickets: []*legacyproto.RefundRequest_Ticket{{Id: "ticket1"}},
				})})
			}
		}
		for s, records := range written {
			kafkatest.Produce(t, target.Addrs, w.cfg.Topics.Legacy[s], records...)
		}
		in := w.start(t.TempDir())
		if waiting := w.drain(in).Waiting; waiting["event"] != orders || waiting["order"] != orders/refundEvery {
			t.Fatalf("%v wait", waiting)
		}
		kafkatest.Produce(t, target.Addrs, w.cfg.Topics.Legacy[mapping.Events], &kafkatest.Record{Value: encoded(t, event("late"))})
		if waiting := w.drain(in).Waiting; len(waiting) != 0 {
			t.Errorf("%v wait when the event is there", waiting)
		}
		w.leave(in)
		w.onceInOrder(mapping.Orders, orders)
		w.onceInOrder(mapping.Refunds, orders/refundEvery)
		if log := said.String(); !strings.Contains(log, "releasing what waits for an event") || !strings.Contains(log, "event=late") || strings.Contains(log, "order0") {
			t.Errorf("the log is %s", log)
		}
	})
}

// onceInOrder checks that a slim topic has so many records, none of a key twice, and
// keys that ascend within each partition.
func (w *world) onceInOrder(s mapping.Stream, want int) {
	w.t.Helper()
	last, keys := map[int32]string{}, map[string]bool{}
	for _, r := range kafkatest.ReadAll(w.t, w.target.Addrs, w.cfg.Topics.Slim[s]) {
		key := string(r.Key)
		if keys[key] {
			w.t.Errorf("%s: %s a second time", s, key)
		}
		if key < last[r.Partition] {
			w.t.Errorf("%s: %s behind %s in partition %d", s, key, last[r.Partition], r.Partition)
		}
		keys[key], last[r.Partition] = true, key
	}
	if len(keys) != want {
		w.t.Errorf("%s: %d records, want %d", s, len(keys), want)
	}
}
