package mapping

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ticketscloud/vibe-bridge/legacyproto/intake"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

func validPartner() *intake.Partner {
	return &intake.Partner{
		Id: "org1", Name: "Organizer", Currency: "rub",
		Legal: &intake.Partner_Legal{Name: "Organizer LLC", Ogrns: &intake.Partner_Legal_Ogrn{Ogrn: "1027700000001"}},
	}
}

func validEvent() *intake.Event {
	return &intake.Event{
		Id: "event1", Name: "Evening", Org: "org1", Category: "cat1", Venue: "venue1",
		Lifetime: &intake.Lifetime{Start: &timestamppb.Timestamp{Seconds: 1777651200}},
		Legal:    &intake.Event_LegalRu_{LegalRu: &intake.Event_LegalRu{Inn: "770000000012"}},
		Sets:     []*intake.Event_TicketSet{{Id: "set1", Name: "Parterre"}},
	}
}

func validOrder() *intake.Order {
	return &intake.Order{
		Id: "order1", Status: intake.Order_DONE, Event: "event1", Number: 5,
		Settings: &intake.Order_Settings{Customer: &intake.Order_Settings_Customer{Name: "Anna  Example", Phone: "8 (900) 123-45-67"}},
		Tickets:  []*intake.Order_Ticket{{Id: "ticket1", Set: "set1", Seat: &intake.Order_Ticket_Seat{Row: "3"}}},
	}
}

func validRefund() *intake.RefundRequest {
	return &intake.RefundRequest{
		Id: "refund1", Status: intake.RefundRequest_APPROVED, Order: "order1", Event: "event1",
		Tickets: []*intake.RefundRequest_Ticket{{Id: "ticket1"}},
	}
}

func edited[M any](m M, edit func(M)) M {
	edit(m)
	return m
}

func marshalled(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What intake sends on: to whom, and whether as facts or as a note. A skipped
// order is for the order's key, because its refunds depend on it; every other
// record that ends here is for the ledger of its legacy partition.
func TestIntakeKeys(t *testing.T) {
	for _, c := range []struct {
		name   string
		stream Stream
		record proto.Message
		key    string
		note   *statepb.Note // nil: facts
	}{
		{"partner", Partners, validPartner(), "org1", nil},
		{"event", Events, validEvent(), "event1", nil},
		{"order", Orders, validOrder(), "event1/order1", nil},
		{"refund", Refunds, validRefund(), "event1/order1/refund1", nil},
		{"ids with separators", Orders, edited(validOrder(), func(m *intake.Order) { m.Id, m.Event = "a/b", "c%2F/d" }), "c%252F%2Fd/a%2Fb", nil},
		{"order that is not done", Orders, edited(validOrder(), func(m *intake.Order) { m.Status = intake.Order_EXPIRED }),
			"event1/order1", &statepb.Note{Skipped: "status_expired"}},
		{"order without phone", Orders, edited(validOrder(), func(m *intake.Order) { m.Settings = nil }),
			"event1/order1", &statepb.Note{Skipped: "no_phone"}},
		{"order without tickets", Orders, edited(validOrder(), func(m *intake.Order) { m.Tickets = nil }),
			"event1/order1", &statepb.Note{Skipped: "no_tickets"}},
		{"order that is not done, without id", Orders, edited(validOrder(), func(m *intake.Order) { m.Status, m.Id = 77, "" }),
			"%orders_done:3", &statepb.Note{Skipped: "status_unknown"}},
		{"order that is not done, without event", Orders, edited(validOrder(), func(m *intake.Order) { m.Status, m.Event = 0, "" }),
			"%orders_done:3", &statepb.Note{Skipped: "status_executed"}},
		{"order with an invalid phone", Orders, edited(validOrder(), func(m *intake.Order) { m.Settings.Customer.Phone = "112" }),
			"%orders_done:3", &statepb.Note{Quarantined: "invalid_phone"}},
		{"refund that is not approved", Refunds, edited(validRefund(), func(m *intake.RefundRequest) { m.Status = 0 }),
			"%refund_requests:3", &statepb.Note{Skipped: "status_new"}},
		{"event without dates", Events, edited(validEvent(), func(m *intake.Event) { m.Lifetime = nil }),
			"%events:3", &statepb.Note{Quarantined: "event_without_dates"}},
		{"partner without id", Partners, edited(validPartner(), func(m *intake.Partner) { m.Id = "" }),
			"%partners:3", &statepb.Note{Quarantined: "partner_without_id"}},
		{"tombstone", Events, nil, "%events:3", &statepb.Note{Tombstone: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var value []byte
			if c.record != nil {
				value = marshalled(t, c.record)
			}
			in := simRules(slim.Edition1).Intake(c.stream, &statepb.Source{Partition: 3, Offset: 40}, value)
			if in.Key != c.key {
				t.Errorf("key %q, want %q", in.Key, c.key)
			}
			if !proto.Equal(in.Input.GetNote(), c.note) {
				t.Errorf("note %v, want %v", in.Input.GetNote(), c.note)
			}
			if string(in.Quarantine) != c.note.GetQuarantined() {
				t.Errorf("quarantine %q, want %q", in.Quarantine, c.note.GetQuarantined())
			}
		})
	}
}

// The facts are the record's, with the phone normalised and the name collapsed.
func TestIntakeFacts(t *testing.T) {
	in := simRules(slim.Edition1).Intake(Orders, &statepb.Source{}, marshalled(t, validOrder()))
	want := &statepb.OrderFacts{
		Id: "order1", Event: "event1", Number: 5,
		Customer: &statepb.Customer{Name: "Anna Example", Phone: "+79001234567"},
		Tickets:  []*statepb.Ticket{{Id: "ticket1", Set: "set1", Row: "3"}},
	}
	if got := in.Input.GetOrder(); !proto.Equal(got, want) {
		t.Errorf("facts %v, want %v", got, want)
	}
}

// knownReasons are all reasons for which intake may quarantine a record.
var knownReasons = []Reason{
	ReasonUndecodable, ReasonInvalidUTF8, ReasonTooLarge, ReasonPartnerWithoutID,
	ReasonEventWithoutID, ReasonEventWithoutName, ReasonEventWithoutDates,
	ReasonOrderWithoutID, ReasonOrderWithoutEvent, ReasonInvalidPhone, ReasonTicketWithoutID,
	ReasonRefundWithoutID, ReasonRefundWithoutOrder, ReasonRefundWithoutEvent, ReasonRefundWithoutTickets,
}

var knownSkips = []string{
	"no_phone", "no_tickets",
	"status_unknown", "status_executed", "status_in_progress", "status_cancelled", "status_expired", "status_new", "status_rejected",
}

// FuzzIntake puts arbitrary bytes through intake and the gate: nothing panics,
// every record ends in one known way, the same way each time, and what passes
// becomes a valid slim record of either edition.
func FuzzIntake(f *testing.F) {
	for _, m := range []proto.Message{validPartner(), validEvent(), validOrder(), validRefund()} {
		b := marshalled(f, m)
		f.Add(b)
		f.Add(b[:len(b)-1])
		f.Add(bytes.Replace(b, []byte("1"), []byte{0xff}, 1))
		f.Add(append(b, b...))
	}
	f.Add(marshalled(f, edited(validEvent(), func(m *intake.Event) { m.Description = strings.Repeat("\x01", 4<<10) })))
	f.Add(marshalled(f, edited(validOrder(), func(m *intake.Order) { m.Tickets[0].Serial = strings.Repeat("x", 9<<10) })))
	f.Add([]byte(nil))
	f.Add([]byte{0xff, 0x01})
	f.Fuzz(func(t *testing.T, value []byte) {
		for _, edition := range []slim.Edition{slim.Edition1, slim.Edition2} {
			rules := simRules(edition)
			rules.MaxRecordBytes = 2 * envelopeReserve
			for _, s := range Streams {
				checkIntake(t, rules, s, value)
			}
		}
	})
}

func checkIntake(t *testing.T, rules *Rules, s Stream, value []byte) {
	t.Helper()
	src := &statepb.Source{Partition: 3, Offset: 40}
	given := bytes.Clone(value)
	in := rules.Intake(s, src, given)
	if !bytes.Equal(given, value) {
		t.Fatalf("%s: intake changed the value", s)
	}
	if in.Key == "" || in.Input == nil || in.Input.GetSource() != src {
		t.Fatalf("%s: %+v is not addressed, or not to be traced", s, in)
	}
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(in.Input)
	if err != nil {
		t.Fatalf("%s: the input cannot be sent: %v", s, err)
	}
	if len(in.Key)+len(encoded) > 2*rules.MaxRecordBytes {
		t.Errorf("%s: key and input have %d bytes", s, len(in.Key)+len(encoded))
	}
	key := strings.Clone(in.Key)
	for i := range given {
		given[i]++
	}
	if in.Key != key {
		t.Fatalf("%s: the key is a part of the value", s)
	}
	copy(given, value)
	again := rules.Intake(s, src, value)
	if again.Key != in.Key || again.Quarantine != in.Quarantine || !slices.Equal(again.Counts, in.Counts) || !proto.Equal(again.Input, in.Input) {
		t.Errorf("%s: %+v, then %+v", s, in, again)
	}
	for _, count := range in.Counts {
		if count != CountInvalidTimestamp {
			t.Errorf("%s: counts %s", s, count)
		}
	}
	if note := in.Input.GetNote(); note != nil {
		checkNote(t, s, in, note, len(value) == 0)
		return
	}
	if in.Quarantine != "" {
		t.Errorf("%s: quarantined as %s without a note", s, in.Quarantine)
	}
	checkMapped(t, rules, s, in)
}

func checkNote(t *testing.T, s Stream, in Intake, note *statepb.Note, tombstone bool) {
	t.Helper()
	ends := 0
	if note.GetTombstone() {
		ends++
	}
	if reason := note.GetSkipped(); reason != "" {
		ends++
		if !slices.Contains(knownSkips, reason) {
			t.Errorf("%s: skipped as %s", s, reason)
		}
	}
	if note.GetQuarantined() != string(in.Quarantine) {
		t.Errorf("%s: the note says %q, the quarantine %q", s, note.GetQuarantined(), in.Quarantine)
	}
	if in.Quarantine != "" {
		ends++
		if !slices.Contains(knownReasons, in.Quarantine) || Explanation(in.Quarantine) == Explanation("no such reason") {
			t.Errorf("%s: quarantined as %s", s, in.Quarantine)
		}
	}
	if ends != 1 || note.GetTombstone() != tombstone {
		t.Errorf("%s: the note %v has %d ends", s, note, ends)
	}
	if kind := KindOf(in.Key); kind != LedgerKind && (kind != OrderKind || s != Orders || note.GetSkipped() == "") {
		t.Errorf("%s: the note %v is for %q", s, note, in.Key)
	}
	if stream, ok := ledgerStream(in.Key); KindOf(in.Key) == LedgerKind && (!ok || stream != s) {
		t.Errorf("%s: the note is in the ledger %q", s, in.Key)
	}
}

// checkMapped sends facts through the step of their group and holds what comes
// out against the slim contract.
func checkMapped(t *testing.T, rules *Rules, s Stream, in Intake) {
	t.Helper()
	rules.OrganizerHold, rules.SetHold = 0, 0
	done := func(Cause) Status { return Acked }
	env := &Env{
		Now: 1, Self: Cause{1, 2}, Status: done,
		Settle:  func(c Cause) (Status, error) { return done(c), nil },
		Waiting: func(string) bool { return false },
	}
	rows := map[string][]byte{}
	group := rules.Gate
	if s == Partners {
		group = rules.Organizers
	} else {
		putParents(t, rows, in)
	}
	out, err := group(env, in.Key, func(key string) ([]byte, error) { return rows[key], nil }, in.Input)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	if out.Value == nil {
		t.Errorf("%s: nothing is remembered", s)
	}
	for _, e := range out.Emits {
		if e.Stream != s || e.Key == "" {
			t.Errorf("%s: emits to %s with the key %q", s, e.Stream, e.Key)
		}
		checkValid(t, rules.Encoding, e)
	}
	if s == Orders || s == Refunds {
		if len(out.Emits)+len(out.Rejections) != 1 {
			t.Errorf("%s: %d emissions and %d rejections of a record that waits for nothing", s, len(out.Emits), len(out.Rejections))
		}
	}
}

// putParents has the event of an order, and the order of a refund, published.
func putParents(t *testing.T, rows map[string][]byte, in Intake) {
	t.Helper()
	sent := &statepb.Entity{Sent: claimBy(Cause{1, 1}), Spread: claimBy(Cause{1, 1})}
	var row *statepb.Row
	switch KindOf(in.Key) {
	case OrderKind:
		row = &statepb.Row{State: &statepb.Row_Event{Event: &statepb.EventState{Entity: sent, Facts: &statepb.EventFacts{Id: "e"}}}}
	case RefundKind:
		facts := &statepb.OrderFacts{Id: "o", Customer: &statepb.Customer{Phone: "+79001234567"}}
		row = &statepb.Row{State: &statepb.Row_Order{Order: &statepb.OrderState{Entity: sent, Facts: facts}}}
	default:
		return
	}
	rows[ParentKey(in.Key)] = marshalled(t, row)
}

func checkValid(t *testing.T, enc slim.Encoding, e Emit) {
	t.Helper()
	var record interface{ Validate(slim.Encoding) error }
	var err error
	switch e.Stream {
	case Events:
		record, err = slim.ParseEvent(enc, e.Value)
	case Orders:
		record, err = slim.ParseOrder(enc, e.Value)
	case Refunds:
		record, err = slim.ParseRefund(enc, e.Value)
	}
	if err == nil {
		err = record.Validate(enc)
	}
	if err != nil {
		t.Errorf("%s %q: %v", e.Stream, e.Value, err)
	}
}
