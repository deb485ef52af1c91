package mapping

import (
	"reflect"
	"testing"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// An order takes from its event what OrderView leaves of the row, and nothing else: set names, the organizer, the
// currency, and whether it is published.
func TestOrderViewIsEnough(t *testing.T) {
	claim := &statepb.Claim{Digest: 1, Cause: &statepb.Cause{Topic: 1, Offset: 1}}
	row, err := encodeRow(&statepb.Row{State: &statepb.Row_Event{Event: &statepb.EventState{
		Entity:    &statepb.Entity{Sent: claim, Spread: claim, Source: &statepb.Source{Offset: 7}, Tallies: &statepb.Tallies{Emitted: 1}},
		Facts:     &statepb.EventFacts{Id: "e", Name: "Concert", Org: "g", Description: "long", Sets: []*statepb.TicketSet{{Id: "s", Name: "Parterre", Description: "near"}}},
		Organizer: &statepb.Answer{Organizer: &statepb.OrganizerFacts{Id: "g", Currency: "RUB"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	read := func(key string) ([]byte, error) {
		if key == "e" {
			return row, nil
		}
		return nil, nil
	}
	for _, edition := range []slim.Edition{slim.Edition1, slim.Edition2} {
		run := func(event func(string) (*statepb.Row, error)) Outcome {
			t.Helper()
			env := testEnv(Cause{1, 2}, nil)
			env.Status = func(Cause) Status { return Acked }
			env.Settle = func(Cause) (Status, error) { return Acked, nil }
			env.Event = event
			out, err := simRules(edition).Gate(env, OrderKey("e", "o"), read, &statepb.Input{
				Source: &statepb.Source{Offset: 1},
				Body: &statepb.Input_Order{Order: &statepb.OrderFacts{
					Id: "o", Event: "e", Customer: &statepb.Customer{Phone: "+79000000001"}, Tickets: []*statepb.Ticket{{Id: "t", Set: "s"}},
				}},
			})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		want := run(nil)
		got := run(func(key string) (*statepb.Row, error) {
			full, err := readRow(read, key)
			if err != nil {
				return nil, err
			}
			return DecodeRow(OrderView(full))
		})
		if len(want.Emits) != 1 || !reflect.DeepEqual(got.Emits, want.Emits) || !reflect.DeepEqual(got.Value, want.Value) {
			t.Errorf("edition %s: with the view %+v, with the row %+v", edition, got, want)
		}
	}
}
