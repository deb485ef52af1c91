package live_test

import (
	"slices"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/live"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

const anotherCategory = "another category"

// plant spoils slim records, one each in a way of its own, and gives what is to be found
// and how to put it right.
func (w *world) plant() (want map[string]live.PublishedDifference, mend func()) {
	w.t.Helper()
	events, orders, refunds := w.newest(compare.Events), w.newest(compare.Orders), w.newest(compare.Refunds)
	set := func(path string, to any) func(map[string]any) { return func(v map[string]any) { v[path] = to } }
	in := func(path, name string, to any) func(map[string]any) {
		return func(v map[string]any) { v[path].(map[string]any)[name] = to }
	}
	var undo []func()
	want = map[string]live.PublishedDifference{}
	put := func(s compare.Stream, r *kafkatest.Record, value []byte, d live.PublishedDifference) {
		w.slim(s, string(r.Key), value)
		want[s.String()+"/"+string(r.Key)] = d
		undo = append(undo, func() { w.slim(s, string(r.Key), r.Value) })
	}
	extra := func(s compare.Stream, like *kafkatest.Record, id string) {
		w.slim(s, id, w.changed(like.Value, set("id", id)))
		want[s.String()+"/"+id] = live.PublishedDifference{Category: compare.Extra}
		undo = append(undo, func() { w.slim(s, id, nil) })
	}
	event, order, refund := some(events, 3), some(orders, 5), some(refunds, 1)
	put(compare.Events, event, w.changed(event.Value, set("name", "another")), live.PublishedDifference{Category: compare.Value, Field: "name"})
	put(compare.Orders, order, w.changed(order.Value, in("customer", "email", "other@example.com")), live.PublishedDifference{Category: compare.Value, Field: "customer.email"})
	put(compare.Refunds, refund, w.changed(refund.Value, set("ticket_ids", []string{"none"})), live.PublishedDifference{Category: compare.Value, Field: "ticket_ids"})
	ticket := some(orders, 6)
	put(compare.Orders, ticket, w.changed(ticket.Value, func(v map[string]any) {
		for _, one := range v["tickets"].([]any) {
			one.(map[string]any)["event_id"] = "another/event"
		}
	}), live.PublishedDifference{Category: compare.Value, Field: "tickets[].event_id"})
	category := some(orders, 13)
	put(compare.Orders, category, w.changed(category.Value, func(v map[string]any) {
		v["tickets"].([]any)[0].(map[string]any)["category"] = anotherCategory
	}), live.PublishedDifference{Category: compare.Value, Field: "tickets[].category"})
	missing := some(orders, 8)
	put(compare.Orders, missing, nil, live.PublishedDifference{Category: compare.Absent, Detail: "deleted by a record without a value"})
	lost := some(refunds, 3)
	put(compare.Refunds, lost, nil, live.PublishedDifference{Category: compare.Absent, Detail: "deleted by a record without a value"})
	typed := some(orders, 9)
	put(compare.Orders, typed, w.changed(typed.Value, in("customer", "phone", 7)), live.PublishedDifference{Category: compare.WrongValueType, Field: "customer.phone", Detail: "wrong_type"})
	unreadable := some(orders, 11)
	put(compare.Orders, unreadable, []byte("{"), live.PublishedDifference{Category: compare.WrongValueType, Detail: "unreadable"})
	extra(compare.Events, event, "extra-event")
	extra(compare.Orders, order, "extra/order")
	extra(compare.Refunds, refund, "extra-refund")
	return want, func() {
		for _, one := range undo {
			one()
		}
	}
}

// A season that the bridge has bridged has no differences, and all of it is compared. What is wrong in the slim topics
// after that is found, in its category and field, and is resolved when it is put right.
func TestPlantedDifferences(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w := newWorld(t, target, season.Config{Orders: 1000, Seed: 2})
		w.bridged()
		w.cfg.Grace = time.Second
		in := w.start(t.TempDir())
		w.clean(w.through(in))
		want, mend := w.plant()
		r := w.until(in, "all differences", func(r *compare.Report) bool { return different(r) == len(want) })
		if r.Verdict.Go {
			t.Error("the verdict is GO")
		}
		checkListed(t, in.Metrics())
		w.differ(want)
		mend()
		w.until(in, "no differences", func(r *compare.Report) bool { return different(r) == 0 })
		w.differ(nil)
		w.clean(w.until(in, "settled", func(r *compare.Report) bool { return waiting(r) == 0 }))
		w.leave(in)
	})
}

// A difference that has not been there for the grace does not count.
func TestYoungDifferencesWait(t *testing.T) {
	t.Parallel()
	onEmbedded(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w := newWorld(t, target, season.Config{Orders: 300, Seed: 3})
		w.bridged()
		w.cfg.Grace = time.Hour
		in := w.start(t.TempDir())
		w.through(in)
		want, _ := w.plant()
		r := w.through(in)
		if n := different(r); n != 0 {
			t.Errorf("%d entities differ before the grace is over", n)
		}
		if n := waiting(r); n < len(want) {
			t.Errorf("%d entities wait, want at least %d", n, len(want))
		}
		w.differ(nil)
		w.leave(in)
	})
}

func different(r *compare.Report) (n int) {
	for _, s := range r.Streams {
		n += int(s.Different)
	}
	return n
}

func waiting(r *compare.Report) (n int) {
	for _, s := range r.Streams {
		for _, of := range s.Pending {
			n += int(of)
		}
	}
	return n
}

// differ waits until what is published is what is wanted.
func (w *world) differ(want map[string]live.PublishedDifference) {
	w.t.Helper()
	var got []*live.Published
	deadline := time.Now().Add(time.Minute)
	for {
		var err error
		got, err = live.ReadDifferences(w.t.Context(), w.cfg, live.DifferenceFilter{})
		w.must(err)
		if len(got) == len(want) || time.Now().After(deadline) {
			break
		}
		<-time.After(100 * time.Millisecond)
	}
	for _, p := range got {
		d, known := want[p.Stream+"/"+p.ID]
		if !known || !slices.Contains(p.Differences, d) || len(p.Differences) != 1 || p.Right == nil {
			w.t.Errorf("published: %+v, want %+v (%v)", p, d, known)
		}
	}
	if len(got) != len(want) {
		w.t.Errorf("%d differences are published, want %d", len(got), len(want))
	}
}
