package mapping

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// testEnv is an environment in which causes have the given statuses.
func testEnv(self Cause, statuses map[Cause]Status) *Env {
	status := func(c Cause) Status { return statuses[c] }
	return &Env{
		Now: 1, Self: self, Status: status,
		Settle:  func(c Cause) (Status, error) { return status(c), nil },
		Waiting: func(string) bool { return false },
	}
}

// An order uses its event's sets and currency only when they are durable: if
// they were lost with a crash, nothing would have the order mapped again.
func TestOrderWaitsForDurableSets(t *testing.T) {
	published, changed := Cause{1, 10}, Cause{1, 20}
	order := &statepb.Input{Source: &statepb.Source{Offset: 1}, Body: &statepb.Input_Order{Order: &statepb.OrderFacts{
		Id: "o", Event: "e", Customer: &statepb.Customer{Phone: "+79000000000"}, Tickets: []*statepb.Ticket{{Id: "t"}},
	}}}
	for _, c := range []struct {
		name    string
		changed Status
		emits   int
		waits   WaitReason
	}{
		{"change acknowledged", Acked, 1, WaitNone},
		{"change acknowledged in an earlier session", Committed, 1, WaitNone},
		{"change lost with a crash, to be replayed", Unseen, 0, WaitEvent},
	} {
		t.Run(c.name, func(t *testing.T) {
			ev := &statepb.EventState{
				Entity: &statepb.Entity{Sent: claimBy(published), Spread: claimBy(changed)},
				Facts:  &statepb.EventFacts{Id: "e"},
			}
			st := &statepb.OrderState{}
			env := testEnv(Cause{2, 1}, map[Cause]Status{published: Committed, changed: c.changed})
			out, err := simRules(slim.Edition1).OrderRecord(env, "e/o", st, ev, proto.CloneOf(order))
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Emits) != c.emits || WaitReason(st.GetEntity().GetWait().GetReason()) != c.waits {
				t.Errorf("%d emissions, waiting for %s; want %d, %s",
					len(out.Emits), WaitReason(st.GetEntity().GetWait().GetReason()), c.emits, c.waits)
			}
		})
	}
}

func claimBy(c Cause) *statepb.Claim {
	return &statepb.Claim{Digest: 1, Cause: &statepb.Cause{Topic: c.Topic, Offset: c.Offset}}
}
