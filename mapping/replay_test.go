package mapping

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// replayWorld runs the gate's steps over rows in memory, everything acknowledged.
type replayWorld struct {
	t        *testing.T
	rules    *Rules
	rows     map[string][]byte
	offset   int64
	consumed uint64
	unproven map[Cause]bool
}

func newReplayWorld(t *testing.T) *replayWorld {
	rules := simRules(slim.Edition1)
	rules.MaxRecordBytes = 2 * envelopeReserve
	return &replayWorld{t: t, rules: rules, rows: map[string][]byte{}, unproven: map[Cause]bool{}}
}

// give runs the step of an input under a cause of its own.
func (w *replayWorld) give(key string, in proto.Message) Outcome {
	w.t.Helper()
	w.offset++
	return w.giveAs(Cause{1, w.offset}, key, in)
}

func (w *replayWorld) giveAs(self Cause, key string, in proto.Message) Outcome {
	w.t.Helper()
	env := testEnv(self, nil)
	env.Status = func(c Cause) Status {
		if w.unproven[c] {
			return Unseen
		}
		return Acked
	}
	env.Settle = func(c Cause) (Status, error) { return env.Status(c), nil }
	out, err := w.rules.Gate(env, key, func(key string) ([]byte, error) { return w.rows[key], nil }, proto.Clone(in))
	if err != nil {
		w.t.Fatal(err)
	}
	if out.Value != nil {
		w.rows[key] = out.Value
	}
	return out
}

// legacy gives an input as intake sends it, for the first time.
func (w *replayWorld) legacy(key string, in *statepb.Input) Outcome {
	w.t.Helper()
	w.consumed++
	return w.give(key, in)
}

// want compares the account of the orders, which has to balance.
func (w *replayWorld) want(what, want string) {
	w.t.Helper()
	accounts := NewAccounts()
	for key, value := range w.rows {
		row, err := DecodeRow(value)
		if err != nil {
			w.t.Fatal(err)
		}
		accounts.AddRow(key, row)
	}
	accounts.Settle()
	a := accounts[Orders]
	a.Consumed = w.consumed
	got := fmt.Sprintf("emitted %d unchanged %d parked %d superseded %d skipped %v quarantined %v", a.Emitted, a.Unchanged, a.Parked, a.Superseded, a.Skipped, a.Quarantined)
	if got != want || a.Balance() != 0 {
		w.t.Errorf("%s: %s\nwant %s; balance %d", what, got, want, a.Balance())
	}
}

// event publishes event e with a set s of that name.
func (w *replayWorld) event(offset int64, set string) {
	w.t.Helper()
	w.give("e", &statepb.Input{Source: &statepb.Source{Offset: offset}, Body: &statepb.Input_Event{Event: &statepb.EventFacts{
		Id: "e", Name: "n", Start: proto.Int64(1000), Sets: []*statepb.TicketSet{{Id: "s", Name: set}},
	}}})
}

func orderInput(partition int32, offset, at int64, phone string) *statepb.Input {
	return &statepb.Input{
		Source: &statepb.Source{Partition: partition, Offset: offset, Time: at},
		Body: &statepb.Input_Order{Order: &statepb.OrderFacts{
			Id: "o", Event: "e", Customer: &statepb.Customer{Phone: phone}, Tickets: []*statepb.Ticket{{Id: "t", Set: "s"}},
		}},
	}
}

func asReplay(in *statepb.Input, stage string) *statepb.Input {
	in = proto.CloneOf(in)
	in.Replay = &statepb.Replay{Stage: stage, Reason: string(ReasonTooLarge)}
	return in
}

// What intake quarantined is counted in a ledger. Its replay ends once, whatever that
// end becomes, and however often it is replayed.
func TestReplayFromIntakeIsAccountedForOnce(t *testing.T) {
	w := newReplayWorld(t)
	in := orderInput(0, 7, 1, "p")
	rejected := quarantined(Orders, in.GetSource(), ReasonTooLarge)
	w.legacy(rejected.Key, rejected.Input)
	w.want("rejected", "emitted 0 unchanged 0 parked 0 superseded 0 skipped map[] quarantined map[too_large:1]")
	for range 3 {
		w.give("e/o", asReplay(in, StageIntake))
		w.want("replayed", "emitted 0 unchanged 0 parked 1 superseded 0 skipped map[] quarantined map[]")
	}
	w.event(1, "set")
	w.give("e/o", Recheck("e/o").Command)
	w.want("released", "emitted 1 unchanged 0 parked 0 superseded 0 skipped map[] quarantined map[]")
	w.legacy("e/o", orderInput(0, 9, 1, "newer"))
	out := w.give("e/o", asReplay(in, StageIntake))
	w.want("replayed behind a newer one", "emitted 2 unchanged 0 parked 0 superseded 0 skipped map[] quarantined map[]")
	if len(out.Emits) != 0 {
		t.Errorf("an old record is emitted: %s", out.Emits[0].Value)
	}
}

// A record may be in quarantine for two reasons: intake was killed behind the first
// quarantine record, and the next version found another. The ledger has counted one of
// them; a replay takes that one back, whichever is replayed.
func TestReplayOfTheReasonThatWasNotCounted(t *testing.T) {
	w := newReplayWorld(t)
	in := orderInput(0, 7, 1, "p")
	first := quarantined(Orders, in.GetSource(), ReasonInvalidPhone)
	w.legacy(first.Key, first.Input)
	second := quarantined(Orders, in.GetSource(), ReasonTooLarge) // the same record, and not fresh
	w.give(second.Key, second.Input)
	w.want("rejected twice", "emitted 0 unchanged 0 parked 0 superseded 0 skipped map[] quarantined map[invalid_phone:1]")
	w.give("e/o", asReplay(in, StageIntake)) // of the second: --reason too_large
	w.want("replayed", "emitted 0 unchanged 0 parked 1 superseded 0 skipped map[] quarantined map[]")
}

// A report may see that a record was withdrawn and not yet that it was quarantined. No
// number wraps, and the account balances nevertheless.
func TestAccountsOwe(t *testing.T) {
	accounts := NewAccounts()
	accounts[Orders].Quarantined = map[string]uint64{"b": 3, "a": 1}
	accounts[Orders].Emitted, accounts[Orders].Consumed = 9, 11
	accounts[Orders].withdraw([]*statepb.Tally{{Reason: "c", Count: 6}, {Reason: "a", Count: 1}, {Reason: "d", Count: 1}})
	balance := accounts[Orders].Balance()
	accounts.Settle()
	if a := accounts[Orders]; len(a.Quarantined) != 0 || a.Balance() != balance || balance != 6 {
		t.Errorf("quarantined %v, balance %d; want none and %d", a.Quarantined, a.Balance(), balance)
	}
	more := NewAccounts()
	more[Orders].Quarantined["a"] = 7
	more.Merge(accounts)
	more.Settle()
	if a := more[Orders]; a.Quarantined["a"] != 3 || len(a.Quarantined) != 1 || a.Balance() != balance-7 {
		t.Errorf("quarantined %v, balance %d; want a 3 times and %d", a.Quarantined, a.Balance(), balance-7)
	}
}

// What the gate quarantined is counted in the entity's own row, and taken back there.
// As long as it does not fit, nothing changes, but it is reported each time.
func TestReplayFromTheGateIsTakenBack(t *testing.T) {
	w := newReplayWorld(t)
	w.event(1, strings.Repeat("x", w.rules.MaxRecordBytes))
	in := orderInput(0, 7, 1, "p")
	out := w.legacy("e/o", in)
	for range 3 {
		if len(out.Rejections) != 1 || len(out.Emits) != 0 {
			t.Fatalf("%d rejections, %d emissions", len(out.Rejections), len(out.Emits))
		}
		w.want("rejected", "emitted 0 unchanged 0 parked 0 superseded 0 skipped map[] quarantined map[too_large:1]")
		out = w.give("e/o", asReplay(in, StageGate))
	}
	w.event(2, "set")
	for range 2 {
		w.give("e/o", asReplay(in, StageGate))
		w.want("fits", "emitted 1 unchanged 0 parked 0 superseded 0 skipped map[] quarantined map[]")
	}
	// Sent once, it stays when its event grows. It is reported, and its end stays too.
	w.event(3, strings.Repeat("x", w.rules.MaxRecordBytes))
	if out := w.give("e/o", Recheck("e/o").Command); len(out.Rejections) != 1 {
		t.Errorf("%d rejections of a record that stands", len(out.Rejections))
	}
	for range 2 {
		w.give("e/o", asReplay(in, StageGate))
		w.want("stands", "emitted 1 unchanged 0 parked 0 superseded 0 skipped map[] quarantined map[]")
	}
}

// A record may be rejected by intake, replayed, rejected by the gate, and replayed again.
func TestReplayOfBothStages(t *testing.T) {
	w := newReplayWorld(t)
	w.event(1, strings.Repeat("x", w.rules.MaxRecordBytes))
	in := orderInput(0, 7, 1, "p")
	rejected := quarantined(Orders, in.GetSource(), ReasonTooLarge)
	w.legacy(rejected.Key, rejected.Input)
	for _, stage := range []string{StageIntake, StageIntake, StageGate, StageIntake} {
		w.give("e/o", asReplay(in, stage))
		w.want("from "+stage, "emitted 0 unchanged 0 parked 0 superseded 0 skipped map[] quarantined map[too_large:1]")
	}
	w.event(2, "set")
	for _, stage := range []string{StageIntake, StageGate, StageIntake} {
		w.give("e/o", asReplay(in, stage))
		w.want("fits from "+stage, "emitted 1 unchanged 0 parked 0 superseded 0 skipped map[] quarantined map[]")
	}
}

// What ends without an entity has a row of its own, in the ledger's partition.
func TestReplayWithoutAnEntity(t *testing.T) {
	w := newReplayWorld(t)
	src := &statepb.Source{Partition: 3, Offset: 7}
	value, err := proto.Marshal(&legacyproto.Order{Status: legacyproto.Order_CANCELLED})
	if err != nil {
		t.Fatal(err)
	}
	rejected := quarantined(Orders, src, ReasonTooLarge)
	w.legacy(rejected.Key, rejected.Input)
	in := w.rules.Replay(Orders, src, value, StageIntake, ReasonTooLarge)
	if in.Key != "%orders_done:3/7" || KeyPrefix(in.Key) != rejected.Key || KindOf(in.Key) != LedgerKind || in.Input.GetReplay().GetStage() != StageIntake {
		t.Fatalf("key %s, input %v", in.Key, in.Input)
	}
	ledger := string(w.rows[rejected.Key])
	for range 2 {
		w.give(in.Key, in.Input)
		w.want("skipped", "emitted 0 unchanged 0 parked 0 superseded 0 skipped map[status_cancelled:1] quarantined map[]")
	}
	if string(w.rows[rejected.Key]) != ledger || len(w.rows) != 2 {
		t.Errorf("the ledger's row changed, or there are %d rows", len(w.rows))
	}
}

// The latest time decides between partitions, the offset within one: a record from
// quarantine does not replace what a newer one of its own partition could not.
func TestReplayIsNotNewerThanItsOwnPartition(t *testing.T) {
	w := newReplayWorld(t)
	w.event(1, "set")
	w.legacy("e/o", orderInput(0, 2, 1, "newer of 0"))
	w.legacy("e/o", orderInput(1, 1, 5, "newest"))
	w.consumed++
	rejected := quarantined(Orders, &statepb.Source{Offset: 1}, ReasonTooLarge)
	w.give(rejected.Key, rejected.Input)
	if out := w.give("e/o", asReplay(orderInput(0, 1, 9, "older of 0"), StageIntake)); len(out.Emits) != 0 {
		t.Errorf("an older record is emitted: %s", out.Emits[0].Value)
	}
	w.want("replayed", "emitted 2 unchanged 1 parked 0 superseded 0 skipped map[] quarantined map[]")
}

// Rows stay small. What is beyond the bound is replayed as any other, and stays
// accounted for as quarantined.
func TestRememberedRecordsAreBounded(t *testing.T) {
	w := newReplayWorld(t)
	const more = mostRemembered + 5
	for offset := range int64(more) {
		in := orderInput(0, offset, 1, "p")
		rejected := quarantined(Orders, in.GetSource(), ReasonTooLarge)
		w.legacy(rejected.Key, rejected.Input)
	}
	for range 2 {
		for offset := range int64(more) {
			w.give("e/o", asReplay(orderInput(0, offset, 1, "p"), StageIntake))
		}
		w.want("replayed", fmt.Sprintf("emitted 0 unchanged 0 parked 0 superseded %d skipped map[] quarantined map[too_large:5]", mostRemembered))
	}
	w.event(1, strings.Repeat("x", w.rules.MaxRecordBytes))
	for offset := range int64(more) {
		w.legacy("e/o", orderInput(0, more+offset, 1, "p"))
	}
	if size := len(w.rows["e/o"]); size > 8<<10 {
		t.Errorf("the row has %d bytes", size)
	}
	row, err := DecodeRow(w.rows["e/o"])
	if err != nil {
		t.Fatal(err)
	}
	e := row.GetOrder().GetEntity()
	if seen := e.GetSeen()[0]; len(e.GetRejections()) > 3 || len(seen.GetReplayed()) != mostRemembered || len(seen.GetQuarantined()[0].GetOffsets()) != mostRemembered {
		t.Errorf("the row keeps %d reports, %d replayed and %d rejected records", len(e.GetRejections()), len(seen.GetReplayed()), len(seen.GetQuarantined()[0].GetOffsets()))
	}
	w.want("rejected", fmt.Sprintf("emitted 0 unchanged 0 parked 0 superseded %d skipped map[] quarantined map[too_large:%d]", mostRemembered, 5+more))
}

// A rejection that a command caused is reported again when a crash may have lost it:
// the facts are gone from the row, and the record itself will not come again.
func TestRejectionOfACommandSurvivesACrash(t *testing.T) {
	w := newReplayWorld(t)
	w.legacy("e/o", orderInput(0, 7, 1, "p")) // parked, and acknowledged
	w.event(1, strings.Repeat("x", w.rules.MaxRecordBytes))
	command := Cause{5, 1}
	for _, when := range []string{"at first", "after the crash", "after another"} {
		if out := w.giveAs(command, "e/o", Recheck("e/o").Command); len(out.Rejections) != 1 {
			t.Errorf("%s: %d rejections", when, len(out.Rejections))
		}
		w.unproven[command] = true
	}
	w.want("rejected", "emitted 0 unchanged 0 parked 0 superseded 0 skipped map[] quarantined map[too_large:1]")
}

// An event whose facts were all rejected does not leave its organizer, whose answer it
// cannot use, and its next facts ask for the answer again.
func TestEventWithoutFactsStaysWithItsOrganizer(t *testing.T) {
	w := newReplayWorld(t)
	event := func(offset int64, name string) Outcome {
		return w.give("e", &statepb.Input{Source: &statepb.Source{Offset: offset}, Body: &statepb.Input_Event{Event: &statepb.EventFacts{
			Id: "e", Name: name, Start: proto.Int64(1000), Org: "org",
		}}})
	}
	answer := &statepb.Answer{Organizer: &statepb.OrganizerFacts{Id: "org", Name: strings.Repeat("x", w.rules.MaxRecordBytes)}, Source: &statepb.Source{}}
	joins := func(out Outcome) string { return fmt.Sprint(out.Memberships) }
	if got := joins(event(1, "n")); got != "[{org e false}]" {
		t.Errorf("first: %s", got)
	}
	if out := w.give("e", answer); len(out.Rejections) != 1 || joins(out) != "[]" {
		t.Errorf("the answer makes it too large: %v, %s", out.Rejections, joins(out))
	}
	if got := joins(w.give("e", answer)); got != "[]" {
		t.Errorf("another answer: %s", got)
	}
	if got := joins(event(2, "n")); got != "[{org e false}]" {
		t.Errorf("the next facts: %s", got)
	}
}

// A rejected record that comes again, and is newer than what waits now, does not take
// over the end of that.
func TestRejectedRecordThatComesAgain(t *testing.T) {
	w := newReplayWorld(t)
	rejected := orderInput(1, 3, 5, "rejected")
	w.event(1, strings.Repeat("x", w.rules.MaxRecordBytes))
	w.legacy("e/o", rejected)
	delete(w.rows, "e")
	w.legacy("e/o", orderInput(0, 1, 1, "waits"))
	w.want("another waits", "emitted 0 unchanged 0 parked 1 superseded 0 skipped map[] quarantined map[too_large:1]")
	w.event(1, strings.Repeat("x", w.rules.MaxRecordBytes))
	w.give("e/o", rejected)
	w.want("it comes again", "emitted 0 unchanged 0 parked 0 superseded 1 skipped map[] quarantined map[too_large:1]")
}
