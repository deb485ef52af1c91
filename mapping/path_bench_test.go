package mapping

import (
	"fmt"
	"testing"

	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto/intake"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// What it takes to make a slim order of a legacy one, without the way in between through Kafka and
// state: all of it, and facts to slim order by itself. Part of make bench-micro, see decision 17.
func BenchmarkOrderPath(b *testing.B) {
	for _, tickets := range []int{1, 5} {
		r := simRules(slim.Edition1)
		value, ev := seasonOrder(b, tickets)
		src := &statepb.Source{Offset: 1}
		b.Run(fmt.Sprintf("tickets=%d/part=all", tickets), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				in := r.Intake(Orders, src, value)
				o, _ := r.slimOrder(in.Input.GetOrder(), ev, "rub")
				if len(r.encodeOrder(&o)) == 0 || len(o.Tickets) != tickets {
					b.Fatal(in)
				}
			}
		})
		b.Run(fmt.Sprintf("tickets=%d/part=intake", tickets), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if in := r.Intake(Orders, src, value); in.Input.GetOrder() == nil {
					b.Fatal(in)
				}
			}
		})
		facts := r.Intake(Orders, src, value).Input.GetOrder()
		b.Run(fmt.Sprintf("tickets=%d/part=slim", tickets), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if o, _ := r.slimOrder(facts, ev, "rub"); len(o.Tickets) != tickets {
					b.Fatal(o)
				}
			}
		})
		o, _ := r.slimOrder(facts, ev, "rub")
		b.Run(fmt.Sprintf("tickets=%d/part=json", tickets), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if len(r.encodeOrder(&o)) == 0 {
					b.Fatal(o)
				}
			}
		})
	}
}

// The path of an order of one ticket takes 6 allocations: facts with customer, ticket and input, phone, key, slim tickets,
// the ticket's number, JSON. Of several tickets each has a number, and the scan's and the facts' take two each, one for
// their list.
func TestOrderPathAllocations(t *testing.T) {
	for tickets, want := range map[int]float64{1: 6, 5: 14} {
		r := simRules(slim.Edition1)
		value, ev := seasonOrder(t, tickets)
		src := &statepb.Source{Offset: 1}
		got := testing.AllocsPerRun(100, func() {
			in := r.Intake(Orders, src, value)
			o, _ := r.slimOrder(in.Input.GetOrder(), ev, "rub")
			if len(r.encodeOrder(&o)) == 0 || len(o.Tickets) != tickets {
				t.Fatal("not an order")
			}
		})
		if got != want {
			t.Errorf("%d tickets: %v allocations, want %v", tickets, got, want)
		}
	}
}

// seasonOrder is the first paid order of a season with so many tickets, and what intake keeps of its event.
func seasonOrder(b testing.TB, tickets int) (order []byte, ev *statepb.EventFacts) {
	b.Helper()
	r := simRules(slim.Edition1)
	events := map[string]*statepb.EventFacts{}
	for record := range season.Generate(season.Config{Orders: 1000, Seed: 1}) {
		switch record.Topic {
		case season.TopicEvents:
			if f := r.Intake(Events, &statepb.Source{}, record.Value).Input.GetEvent(); f != nil {
				events[f.GetId()] = f
			}
		case season.TopicOrders:
			var m intake.Order
			if intake.DecodeOrder(record.Value, &m) == nil && m.GetStatus() == intake.Order_DONE && len(m.GetTickets()) == tickets {
				return record.Value, events[m.GetEvent()]
			}
		}
	}
	b.Fatalf("no order with %d tickets", tickets)
	return nil, nil
}
