package mapping

import (
	"bytes"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// stateSeeds are rows of every kind, sound and odd ones: without an entity, with
// offsets out of order, with an unknown field, cut short.
func stateSeeds(f testing.TB) [][]byte {
	claim := &statepb.Claim{Digest: 7, Cause: &statepb.Cause{Topic: 1, Offset: 3}}
	entity := func() *statepb.Entity {
		return &statepb.Entity{
			Source: &statepb.Source{Partition: 1, Offset: 9, Time: 5}, Sent: claim, Spread: claim, Tallies: &statepb.Tallies{Emitted: 1},
			Disposition: statepb.Disposition_EMITTED, Seen: []*statepb.Seen{{Partition: 1, Settled: 3, Above: []int64{9, 4}}},
			Written: &statepb.Cause{Topic: 1, Offset: 3}, Generation: 4,
		}
	}
	waits := entity()
	waits.Wait, waits.Sent, waits.Disposition = &statepb.Wait{Reason: int32(WaitEvent), Since: 1, Deadline: 2}, nil, statepb.Disposition_PARKED
	start := int64(1<<63 - 1)
	event := &statepb.EventFacts{Id: "e", Name: "n", Org: "g", Start: &start, Sets: []*statepb.TicketSet{{Id: "s", Name: "z"}}}
	organizer := &statepb.OrganizerFacts{Id: "g", Name: "org", Currency: "RUB"}
	order := &statepb.OrderFacts{Id: "o", Event: "e", Customer: &statepb.Customer{Phone: "+79001234567"}, Tickets: []*statepb.Ticket{{Id: "t", Set: "s"}}}
	var seeds [][]byte
	for _, row := range []*statepb.Row{
		{State: &statepb.Row_Event{Event: &statepb.EventState{Entity: entity(), Facts: event, Organizer: &statepb.Answer{Organizer: organizer}, MemberOf: "g", Asked: claim}}},
		{State: &statepb.Row_Event{Event: &statepb.EventState{Entity: waits, Facts: event, Kept: event}}},
		{State: &statepb.Row_Order{Order: &statepb.OrderState{Entity: entity(), Facts: order, Skipped: true}}},
		{State: &statepb.Row_Order{Order: &statepb.OrderState{Entity: waits, Facts: order, Kept: order}}},
		{State: &statepb.Row_Refund{Refund: &statepb.RefundState{Entity: waits, Facts: &statepb.RefundFacts{Id: "r", Order: "o", Event: "e", TicketIds: []string{"t"}}}}},
		{State: &statepb.Row_Organizer{Organizer: &statepb.OrganizerState{Entity: entity(), Facts: organizer}}},
		{State: &statepb.Row_Member{Member: &statepb.MemberState{Generation: 2, Left: true}}},
		{State: &statepb.Row_Ledger{Ledger: &statepb.LedgerState{Entity: entity()}}},
		{State: &statepb.Row_Session{Session: &statepb.SessionState{Generation: 3}}},
	} {
		b := marshalled(f, row)
		seeds = append(seeds, b, b[:len(b)/2], append(b[:len(b):len(b)], 0x9a, 0x06, 1, 'x'))
	}
	for number := byte(1); number <= 7; number++ {
		seeds = append(seeds, []byte{number<<3 | 2, 0}) // a state with nothing in it
	}
	return append(seeds, nil, []byte{0x3a, 2, 8, 0xff})
}

var keySeeds = []string{"e", "e/o", "e/o/r", "%events:3", SessionKey, "%25/o", ""}

// FuzzRow: of any bytes under any key, DecodeRow gives an error or a row, and a
// row can be asked everything that is asked of rows. Encoded, it decodes to an
// equal row, and encodes to the same bytes again.
func FuzzRow(f *testing.F) {
	for i, seed := range stateSeeds(f) {
		f.Add(keySeeds[i%len(keySeeds)], seed)
	}
	rules := simRules(slim.Edition2)
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		row, err := DecodeRow(value)
		if err != nil {
			if row != nil {
				t.Fatalf("an error and a row: %v", err)
			}
			return
		}
		checkStable(t, row)
		Generation(row)
		if _, _, _, waits := WaitingOf(row); waits && EntityOf(row) == nil {
			t.Error("what has no entity waits")
		}
		if _, err := rules.EventDrifted(value); err != nil {
			t.Errorf("drifted: %v", err)
		}
		NewAccounts().AddRow(key, row)
	})
}

// checkStable encodes a row, and decodes what came out.
func checkStable(t *testing.T, row *statepb.Row) {
	t.Helper()
	first, err := encodeRow(row)
	if err != nil {
		t.Fatalf("a decoded row cannot be encoded: %v", err)
	}
	again, err := DecodeRow(first)
	if err != nil {
		t.Fatalf("what was encoded cannot be decoded: %v", err)
	}
	second, err := encodeRow(again)
	if err != nil || !bytes.Equal(first, second) || !proto.Equal(row, again) {
		t.Fatalf("encoded to %x, and then to %x (%v)", first, second, err)
	}
}

// FuzzGate: with any bytes for the row of a key, for that of its parent and for the
// input, the gate gives an error or an outcome and does not panic. An outcome is
// the same each time, writes a row of its key's kind, stable and of the
// session's generation, and emits nothing but records that can be read. Rows that
// were read are not changed.
func FuzzGate(f *testing.F) {
	addSteps(f)
	f.Fuzz(func(t *testing.T, key string, own, parent, input []byte, kind, env uint8) {
		checkStep(t, step0{key, own, parent, input, kind % 3, env}, (*Rules).Gate, gateKind)
	})
}

// FuzzOrganizers is FuzzGate for the organizers' group.
func FuzzOrganizers(f *testing.F) {
	addSteps(f)
	f.Fuzz(func(t *testing.T, key string, own, parent, input []byte, kind, env uint8) {
		checkStep(t, step0{key, own, parent, input, kind % 4, env}, (*Rules).Organizers, organizersKind)
	})
}

func addSteps(f *testing.F) {
	addForeignRows(f)
	rules := simRules(slim.Edition1)
	src := &statepb.Source{Partition: 1, Offset: 12, Time: 77}
	inputs := [][]byte{nil}
	kinds := []uint8{0}
	add := func(kind uint8, m proto.Message) {
		inputs, kinds = append(inputs, marshalled(f, m)), append(kinds, kind)
	}
	for i, m := range []proto.Message{validPartner(), validEvent(), validOrder(), validRefund()} {
		add(0, rules.Intake(Streams[i], src, marshalled(f, m)).Input)
	}
	add(0, &statepb.Input{Source: src, Body: &statepb.Input_Note{Note: &statepb.Note{Skipped: "no_phone"}}, Settled: 12})
	add(1, &statepb.Answer{Organizer: &statepb.OrganizerFacts{Id: "g", Name: "org"}, Source: src})
	for kind := range statepb.Loop_Kind_name {
		add(2, &statepb.Loop{Kind: statepb.Loop_Kind(kind), After: "e/a", Below: true})
	}
	add(3, &statepb.Membership{Event: "e"})
	add(3, &statepb.Membership{Event: "e", Leave: true})
	rows := stateSeeds(f)
	n := 0
	for i := range inputs {
		for _, key := range []string{"e", "e/o", "e/o/r", "%events:3"} {
			f.Add(key, rows[n%len(rows)], rows[(n*7+3)%len(rows)], inputs[i], kinds[i], uint8(n*37))
			n++
		}
	}
}

// addForeignRows adds rows of every kind, with nothing in them, under every kind of key.
func addForeignRows(f *testing.F) {
	recheck := marshalled(f, &statepb.Loop{})
	for number := byte(1); number <= 7; number++ {
		for _, key := range keySeeds {
			f.Add(key, []byte{number<<3 | 2, 0}, []byte(nil), recheck, uint8(2), uint8(0))
			f.Add(key, []byte{number<<3 | 2, 4, number<<3 | 2, 2, 8, 1}, []byte(nil), recheck, uint8(2), uint8(0))
		}
	}
}

// step0 is one fuzzed input of a group's step. Of env, two bits are the status of
// every cause, two its kind of replay, and one the edition.
type step0 struct {
	key                string
	own, parent, input []byte
	kind, env          uint8
}

type internalMessage interface {
	proto.Message
	UnmarshalVTUnsafe([]byte) error
}

func (s step0) message() internalMessage {
	return []internalMessage{&statepb.Input{}, &statepb.Answer{}, &statepb.Loop{}, &statepb.Membership{}}[s.kind]
}

func (s step0) rules() *Rules {
	rules := simRules(slim.Edition1)
	if s.env&16 != 0 {
		rules = simRules(slim.Edition2)
	}
	rules.MaxRecordBytes = 2 * envelopeReserve
	return rules
}

func (s step0) environment() *Env {
	status := func(c Cause) Status { return Status((uint8(c.Offset) ^ s.env) & 3) }
	return &Env{
		Now: 1000, Self: Cause{1, 7}, Generation: 5, Replay: s.env&4 != 0, Inherited: s.env&8 != 0, Status: status,
		Settle: func(c Cause) (Status, error) {
			if st := status(c); st != InFlight {
				return st, nil
			}
			return Acked, nil
		},
		Waiting: func(string) bool { return s.env&32 != 0 },
	}
}

func (s step0) read(key string) ([]byte, error) {
	switch key {
	case s.key:
		return s.own, nil
	case ParentKey(s.key), KeyPrefix(s.key):
		return s.parent, nil
	}
	return nil, nil
}

type groupStep func(*Rules, *Env, string, Reader, proto.Message) (Outcome, error)

func checkStep(t *testing.T, s step0, run groupStep, isKind func(string, *statepb.Row) bool) {
	t.Helper()
	outcome := func(event func(string) (*statepb.Row, error)) (Outcome, error, bool) {
		in := s.message()
		if in.UnmarshalVTUnsafe(s.input) != nil {
			return Outcome{}, nil, false
		}
		env := s.environment()
		env.Event = event
		out, err := run(s.rules(), env, s.key, s.read, in)
		return out, err, true
	}
	own, parent := bytes.Clone(s.own), bytes.Clone(s.parent)
	out, err, read := outcome(nil)
	if !read {
		return
	}
	if !bytes.Equal(own, s.own) || !bytes.Equal(parent, s.parent) {
		t.Fatal("a row that was read is another now")
	}
	// With what the cache keeps of the row of the event it is the same.
	shared, sharedErr := DecodeRow(s.parent)
	if sharedErr == nil {
		shared, sharedErr = DecodeRow(OrderView(shared))
	}
	kept := proto.CloneOf(shared)
	again, err2, _ := outcome(func(string) (*statepb.Row, error) { return shared, sharedErr })
	if !proto.Equal(shared, kept) {
		t.Fatalf("a row that other steps see is %v, and was %v", shared, kept)
	}
	if (err == nil) != (err2 == nil) || !bytes.Equal(out.Value, again.Value) || !reflect.DeepEqual(out.Emits, again.Emits) ||
		!reflect.DeepEqual(out.Rejections, again.Rejections) || !reflect.DeepEqual(out.Counts, again.Counts) || len(out.Loops) != len(again.Loops) {
		t.Fatalf("first %+v (%v), then %+v (%v)", out, err, again, err2)
	}
	if err != nil {
		if out.Value != nil || out.Emits != nil {
			t.Errorf("an error, and something to do: %+v", out)
		}
		return
	}
	for _, e := range out.Emits {
		if _, err := parseSlim(s.rules().Encoding, e); err != nil {
			t.Errorf("emits what nobody can read: %v", err)
		}
	}
	checkWritten(t, out.Value)
	if row, err := DecodeRow(out.Value); out.Value != nil && (err != nil || !isKind(s.key, row)) {
		t.Errorf("wrote a row of another kind under %q: %v", s.key, row)
	}
}

func parseSlim(enc slim.Encoding, e Emit) (any, error) {
	switch e.Stream {
	case Events:
		return slim.ParseEvent(enc, e.Value)
	case Orders:
		return slim.ParseOrder(enc, e.Value)
	}
	return slim.ParseRefund(enc, e.Value)
}

func checkWritten(t *testing.T, value []byte) {
	t.Helper()
	if value == nil {
		return
	}
	row, err := DecodeRow(value)
	if err != nil {
		t.Fatalf("wrote a row that cannot be read: %v", err)
	}
	checkStable(t, row)
	if Generation(row) != 5 {
		t.Errorf("wrote a row of generation %d in that of 5", Generation(row))
	}
}
