package mapping

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

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

// A record that is found too large at the gate goes to quarantine until that is
// acknowledged: the row that says so was written beside it, and proves nothing.
// It is accounted for once.
func TestRejectionIsSentUntilProven(t *testing.T) {
	rules := simRules(slim.Edition1)
	published := Cause{1, 1}
	ev := &statepb.EventState{
		Entity: &statepb.Entity{Sent: claimBy(published), Spread: claimBy(published)},
		Facts:  &statepb.EventFacts{Id: "e", Sets: []*statepb.TicketSet{{Id: "s", Name: strings.Repeat("x", rules.MaxRecordBytes)}}},
	}
	order := &statepb.Input{Source: &statepb.Source{Offset: 7}, Body: &statepb.Input_Order{Order: &statepb.OrderFacts{
		Id: "o", Event: "e", Customer: &statepb.Customer{Phone: "+79000000000"}, Tickets: []*statepb.Ticket{{Id: "t", Set: "s"}},
	}}}
	st := &statepb.OrderState{}
	first, again := Cause{2, 1}, Cause{2, 2}
	step := func(self Cause, first1 Status) Effects {
		env := testEnv(self, map[Cause]Status{published: Committed, first: first1})
		out, err := rules.OrderRecord(env, "e/o", st, ev, proto.CloneOf(order))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, c := range []struct {
		name       string
		self       Cause
		first      Status
		rejections int
	}{
		{"at first", first, InFlight, 1},
		{"processed again after a crash", first, InFlight, 1},
		{"sent twice by intake, the first not acknowledged", again, Unseen, 1},
		{"sent a third time, all acknowledged", Cause{2, 3}, Committed, 0},
	} {
		if c.rejections == 0 {
			st.Entity.Rejections[0].Cause = &statepb.Cause{Topic: first.Topic, Offset: first.Offset}
		}
		out := step(c.self, c.first)
		if len(out.Rejections) != c.rejections || len(out.Emits) != 0 {
			t.Errorf("%s: %d rejections and %d emissions, want %d and none", c.name, len(out.Rejections), len(out.Emits), c.rejections)
		}
	}
	if got := st.GetEntity().GetTallies().GetQuarantined(); len(got) != 1 || got[0].GetCount() != 1 {
		t.Errorf("tallies %v, want one", got)
	}
}

// Which record is the newest does not depend on the interleaving of the legacy
// partitions, whatever their timestamps are, nor on replays.
func TestNewestIsOneOrder(t *testing.T) {
	rules := simRules(slim.Edition1)
	rapid.Check(t, func(t *rapid.T) {
		var partitions [3][]*statepb.Input
		for p := range partitions {
			for offset, at := range rapid.SliceOfN(rapid.Int64Range(0, 5), 0, 4).Draw(t, "times") {
				partitions[p] = append(partitions[p], &statepb.Input{
					Source: &statepb.Source{Partition: int32(p), Offset: int64(offset), Time: at},
					Body:   &statepb.Input_Refund{Refund: &statepb.RefundFacts{Id: fmt.Sprint(p, "-", offset)}},
				})
			}
		}
		newest := func(name string) string {
			st := &statepb.RefundState{}
			var at, low [len(partitions)]int
			for rest := true; rest; {
				p := rapid.IntRange(0, len(partitions)-1).Draw(t, name)
				if at[p] > low[p] && rapid.IntRange(0, 3).Draw(t, "replay") == 0 {
					low[p] = rapid.IntRange(low[p], at[p]).Draw(t, "committed")
					at[p] = low[p]
				}
				if at[p] < len(partitions[p]) {
					env := testEnv(Cause{1, 1}, nil)
					if _, err := rules.RefundRecord(env, "e/o/r", st, nil, proto.CloneOf(partitions[p][at[p]])); err != nil {
						t.Fatal(err)
					}
					at[p]++
				}
				rest = false
				for p := range partitions {
					rest = rest || at[p] < len(partitions[p])
				}
			}
			return st.GetFacts().GetId()
		}
		if one, other := newest("one"), newest("other"); one != other {
			t.Fatalf("the newest is %s in one interleaving and %s in another", one, other)
		}
	})
}
