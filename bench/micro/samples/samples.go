// Package samples is what the microbenchmarks work on: records of a made-up season, and what
// the product makes of them. The same on every run.
package samples

import (
	"fmt"
	"iter"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto/intake"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// Rules are those of a deployment with nothing but defaults.
func Rules() *mapping.Rules {
	return &mapping.Rules{
		Encoding: slim.Encoding{Edition: slim.Edition1, Format: slim.JSON}, Directory: directory.Empty(), DefaultLocation: time.UTC,
		MaxRecordBytes: mapping.DefaultMaxRecordBytes, OrganizerHold: time.Minute, SetHold: time.Minute,
	}
}

func records() iter.Seq[season.Record] {
	return season.Generate(season.Config{Orders: 1000, Seed: 1})
}

// Order is the legacy record of the first paid order with so many tickets.
func Order(tickets int) []byte {
	for r := range records() {
		var m intake.Order
		if r.Topic == season.TopicOrders && intake.DecodeOrder(r.Value, &m) == nil &&
			m.GetStatus() == intake.Order_DONE && len(m.GetTickets()) == tickets {
			return r.Value
		}
	}
	panic(fmt.Sprintf("no order with %d tickets", tickets))
}

// Event is the newest legacy record of an event.
func Event(id string) []byte {
	var found []byte
	for r := range records() {
		if r.Topic == season.TopicEvents && string(r.Key) == id {
			found = r.Value
		}
	}
	if found == nil {
		panic("no event " + id)
	}
	return found
}

// OrderFacts are what intake makes of Order.
func OrderFacts(tickets int) *statepb.OrderFacts {
	return Rules().Intake(mapping.Orders, &statepb.Source{Offset: 1}, Order(tickets)).Input.GetOrder()
}

// Env is that of a step which finds everything acknowledged.
func Env(offset int64) *mapping.Env {
	return &mapping.Env{
		Now: 1_772_000_000_000, Self: mapping.Cause{Topic: 1, Offset: offset}, Generation: 3,
		Status:  func(mapping.Cause) mapping.Status { return mapping.Acked },
		Settle:  func(mapping.Cause) (mapping.Status, error) { return mapping.Acked, nil },
		Waiting: func(string) bool { return false },
	}
}

// Rows are the rows of the gate after an event, its organizer and an order with so many
// tickets, by key; and the slim record of the order. event and order are their keys.
func Rows(tickets int) (rows map[string][]byte, event, order string, slimOrder []byte) {
	rules, rows := Rules(), map[string][]byte{}
	read := func(key string) ([]byte, error) { return rows[key], nil }
	step := func(key string, in proto.Message) mapping.Outcome {
		out, err := rules.Gate(Env(int64(len(rows)+1)), key, read, in)
		if err != nil {
			panic(err)
		}
		if out.Value != nil {
			rows[key] = out.Value
		}
		return out
	}
	facts := OrderFacts(tickets)
	source := &statepb.Source{Partition: 3, Offset: 123_456, Time: 1_772_000_000_000}
	in := rules.Intake(mapping.Events, source, Event(facts.GetEvent()))
	event = in.Key
	step(event, in.Input)
	step(event, &statepb.Answer{
		Organizer: &statepb.OrganizerFacts{Id: in.Input.GetEvent().GetOrg(), Name: "Organizer of Concerts", Currency: "rub"},
		Source:    source,
	})
	in = rules.Intake(mapping.Orders, source, Order(tickets))
	order = in.Key
	out := step(order, in.Input)
	if len(out.Emits) != 1 {
		panic("the order did not go out")
	}
	return rows, event, order, out.Emits[0].Value
}
