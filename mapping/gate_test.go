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

// A replay writes its row even when nothing in it changed. Instance A writes
// "sent" to its disk and is killed before anything of that arrives; B replays the
// input, decides otherwise, and the input is committed. Were B silent, A would find
// its own row again when the partition comes back, with a cause that is committed
// by now, and a refund would go out though its order never did.
func TestReplayWritesItsRowEvenUnchanged(t *testing.T) {
	rules := simRules(slim.Edition1)
	store := map[string][]byte{}
	order := &statepb.Input{Source: &statepb.Source{}, Body: &statepb.Input_Order{Order: &statepb.OrderFacts{
		Id: "o", Event: "e", Customer: &statepb.Customer{Phone: "+79000000000"}, Tickets: []*statepb.Ticket{{Id: "t"}},
	}}}
	first := Cause{2, 0}
	step := func(self Cause, replay bool) Outcome {
		env := testEnv(self, map[Cause]Status{first: Committed})
		env.Replay = replay
		read := func(key string) ([]byte, error) { return store[key], nil }
		out, err := rules.Gate(env, "e/o", read, proto.CloneOf(order))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	store["e/o"] = step(first, false).Value // parks
	if out := step(Cause{2, 1}, false); out.Value != nil {
		t.Error("a new record that changes nothing is written though the last write is acknowledged")
	}
	if out := step(Cause{2, 2}, true); out.Value == nil {
		t.Error("a replay that changes nothing is not written")
	}
}
