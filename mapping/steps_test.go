package mapping

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// Rules of the mapping contract that one record after the other cannot show:
// they need a replay, a late answer or another directory.

// A change of the directory re-emits the events that it touches, and no others.
func TestDirectoryChange(t *testing.T) {
	rules := simRules(slim.Edition1)
	parse := func(json string) *directory.Directory {
		d, err := directory.Parse([]byte(json), nil)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	rules.Directory = parse(`{"venues":[{"id":"venue1","name":"Grand Hall"},{"id":"venue2","name":"Pier"}]}`)
	first, recheck := Cause{1, 1}, Cause{2, 1}
	statuses := map[Cause]Status{first: Committed, recheck: Acked}
	st := &statepb.EventState{}
	facts := &statepb.EventFacts{Id: "event1", Name: "Evening", Start: proto.Int64(0), Venue: "venue1"}
	input := &statepb.Input{Source: &statepb.Source{}, Body: &statepb.Input_Event{Event: facts}}
	if out := rules.EventRecord(testEnv(first, statuses), "event1", st, input); len(out.Emits) != 1 {
		t.Fatalf("%d emissions at first", len(out.Emits))
	}
	for _, c := range []struct {
		name, directory string
		emits           int
	}{
		{"another venue's name", `{"venues":[{"id":"venue1","name":"Grand Hall"},{"id":"venue2","name":"Old Pier"}]}`, 0},
		{"the venue's name", `{"venues":[{"id":"venue1","name":"Great Hall"}]}`, 1},
		{"nothing", `{"venues":[{"name":"Great Hall","id":"venue1"}]}`, 0},
		{"the venue is gone", `{}`, 1},
	} {
		rules.Directory = parse(c.directory)
		recheck.Offset++
		statuses[recheck] = Acked
		out := rules.EventCommand(testEnv(recheck, statuses), "event1", st, Recheck("event1").Command)
		if len(out.Emits) != c.emits {
			t.Errorf("%s: %d emissions, want %d", c.name, len(out.Emits), c.emits)
		}
		if c.emits == 1 && out.Counts[len(out.Counts)-1] != CountReEmitted {
			t.Errorf("%s: counts %q, want %s at the end", c.name, out.Counts, CountReEmitted)
		}
	}
	if st.GetEntity().GetTallies().GetEmitted() != 1 {
		t.Errorf("emitted is %d; what is sent again is not in the balance", st.GetEntity().GetTallies().GetEmitted())
	}
}

// A replay of a record whose sending was not acknowledged asks for it again and
// gets the same bytes; its end is counted once.
func TestReplayRepeats(t *testing.T) {
	rules := simRules(slim.Edition1)
	self := Cause{1, 1}
	st := &statepb.EventState{}
	facts := &statepb.EventFacts{Id: "event1", Name: "Evening", Start: proto.Int64(0)}
	input := &statepb.Input{Source: &statepb.Source{Offset: 7}, Body: &statepb.Input_Event{Event: facts}}
	first := rules.EventRecord(testEnv(self, nil), "event1", st, input)
	again := rules.EventRecord(testEnv(self, nil), "event1", st, input)
	if len(first.Emits) != 1 || len(again.Emits) != 1 {
		t.Fatalf("%d and %d emissions, want one each", len(first.Emits), len(again.Emits))
	}
	if string(first.Emits[0].Value) != string(again.Emits[0].Value) {
		t.Errorf("emitted %s, then %s", first.Emits[0].Value, again.Emits[0].Value)
	}
	if got := again.Counts[len(again.Counts)-1]; got != CountRepeated {
		t.Errorf("the second sending counts %s", got)
	}
	if got := st.GetEntity().GetTallies().GetEmitted(); got != 1 {
		t.Errorf("emitted is %d, want 1", got)
	}
}

// An answer that an organizer sent before it learnt that the event has left it
// changes nothing, and is answered in turn: the event is named as it came in.
func TestAnswerOfFormerOrganizer(t *testing.T) {
	rules := simRules(slim.Edition1)
	key := EventKey("a/b")
	st := &statepb.EventState{}
	facts := &statepb.EventFacts{Id: "a/b", Name: "Evening", Start: proto.Int64(0), Org: "org2"}
	rules.EventRecord(testEnv(Cause{1, 1}, nil), key, st, &statepb.Input{Source: &statepb.Source{}, Body: &statepb.Input_Event{Event: facts}})
	answer := &statepb.Answer{Organizer: &statepb.OrganizerFacts{Id: "org1", Name: "Former"}, Source: &statepb.Source{Offset: 9}}
	out := rules.EventAnswer(testEnv(Cause{2, 1}, nil), key, st, answer)
	if len(out.Emits) != 0 || WaitReason(st.GetEntity().GetWait().GetReason()) != WaitOrganizer {
		t.Errorf("%d emissions, waiting for %s; want none, %s", len(out.Emits), WaitReason(st.GetEntity().GetWait().GetReason()), WaitOrganizer)
	}
	leave := MembershipChange{Org: "org1", Event: "a/b", Leave: true}
	if len(out.Memberships) == 0 || out.Memberships[0] != leave {
		t.Errorf("memberships %+v, want first %+v", out.Memberships, leave)
	}
}

// Guard G5: what a former owner may still have on its way is sent again when it is
// due, and not before; a command that sends it earlier, and a wait when it is due,
// put nothing off.
func TestRepeatAfterTakeover(t *testing.T) {
	rules := simRules(slim.Edition1)
	event := &statepb.Input{Source: &statepb.Source{}, Body: &statepb.Input_Event{Event: &statepb.EventFacts{Id: "e", Name: "Evening", Start: proto.Int64(0)}}}
	order := &statepb.Input{Source: &statepb.Source{}, Body: &statepb.Input_Order{Order: &statepb.OrderFacts{
		Id: "o", Event: "e", Customer: &statepb.Customer{Phone: "+79000000000"}, Tickets: []*statepb.Ticket{{Id: "t"}},
	}}}
	ev, st := &statepb.EventState{}, &statepb.OrderState{}
	all := map[Cause]Status{{1, 1}: Acked, {2, 1}: Acked, {5, 1}: Acked, {5, 2}: Acked, {5, 3}: Acked, {5, 4}: Acked, {5, 5}: Acked}
	rules.EventRecord(testEnv(Cause{1, 1}, nil), "e", ev, event)
	env := testEnv(Cause{2, 1}, all)
	env.Now, env.Inherited = 1000, true
	if out, err := rules.OrderRecord(env, "e/o", st, ev, order); err != nil || len(out.Emits) != 1 {
		t.Fatalf("at first %d emissions, %v", len(out.Emits), err)
	}
	due := st.Entity.ResendAt
	unproven := &statepb.EventState{Entity: &statepb.Entity{Sent: claimBy(Cause{1, 9})}, Facts: ev.Facts}
	for i, c := range []struct {
		what  string
		now   int64
		cmd   Loop
		ev    *statepb.EventState
		emits int
	}{
		{"a resend before it is due", 1005, Resend("e/o", false), ev, 1},
		{"a recheck before it is due", due - 1, Recheck("e/o"), ev, 0},
		{"due while the event is in doubt", due, Recheck("e/o"), unproven, 0},
		{"the event is proven again", due + 5, Recheck("e/o"), ev, 1},
		{"later", due + 10, Recheck("e/o"), ev, 0},
	} {
		env := testEnv(Cause{5, int64(i + 1)}, all)
		env.Now = c.now
		out, err := rules.OrderCommand(env, "e/o", st, c.ev, c.cmd.Command)
		if err != nil || len(out.Emits) != c.emits {
			t.Errorf("%s: %d emissions (%v), want %d", c.what, len(out.Emits), err, c.emits)
		}
	}
}
