package compare

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/slim"
)

var (
	legacyV1 = legacyOptionsOf(slim.Encoding{Edition: slim.Edition1, Format: slim.JSON})
	legacyV2 = legacyOptionsOf(slim.Encoding{Edition: slim.Edition2, Format: slim.JSON})
)

func readLegacy(t testing.TB, o LegacyOptions, s Stream, m proto.Message) *Sheet {
	t.Helper()
	value, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	sheet := &Sheet{}
	newLegacyReader(t, o).Read(s, &Record{Value: value}, sheet)
	checkSheet(t, s, sheet)
	return sheet
}

// cellAtPath is a cell as text with its source: "text" of the record itself, "text<4" from
// another source.
func cellAtPath(list []Field, cells []Cell, path string) string {
	c := cells[indexOf(list, path)]
	if c.From == Own {
		return c.Text
	}
	return fmt.Sprintf("%s<%d", c.Text, c.From)
}

func wantCells(t *testing.T, what string, list []Field, cells []Cell, want map[string]string) {
	t.Helper()
	for path, text := range want {
		if got := cellAtPath(list, cells, path); got != text {
			t.Errorf("%s: %s is %q, want %q", what, path, got, text)
		}
	}
}

func borrowedText(text string, from Source) string { return fmt.Sprintf("%s<%d", text, from) }

func legacyEvent(change func(*legacyproto.Event)) *legacyproto.Event {
	e := &legacyproto.Event{
		Id: "e1", Name: "Show", Org: "p1", Status: legacyproto.Event_PUBLIC, Venue: "v1", Category: "c1",
		Lifetime: &legacyproto.Lifetime{Start: &timestamppb.Timestamp{Seconds: 100, Nanos: 7_999_999}, Finish: &timestamppb.Timestamp{Seconds: 200}},
	}
	if change != nil {
		change(e)
	}
	return e
}

func legacyOrder(change func(*legacyproto.Order)) *legacyproto.Order {
	o := &legacyproto.Order{
		Id: "o1", Number: 12, Event: "e1", Org: "p1", Status: legacyproto.Order_DONE,
		Settings: &legacyproto.Order_Settings{Customer: &legacyproto.Order_Settings_Customer{Name: " Анна  Петрова", Phone: "8 900 000-00-11", Email: "a@example.com"}},
		Tickets: []*legacyproto.Order_Ticket{
			{Id: "t1", Set: "s1", Serial: "A", Number: 5, Barcode: "46", Nominal: 100, Seat: &legacyproto.Order_Ticket_Seat{Row: "3", Number: "4"}},
			{Id: "t2"},
		},
	}
	if change != nil {
		change(o)
	}
	return o
}

func legacyRefund(change func(*legacyproto.RefundRequest)) *legacyproto.RefundRequest {
	r := &legacyproto.RefundRequest{
		Id: "r1", Order: "o1", Event: "e1", Status: legacyproto.RefundRequest_APPROVED,
		Tickets: []*legacyproto.RefundRequest_Ticket{{Id: "t2"}, {}, {Id: "t1"}},
	}
	if change != nil {
		change(r)
	}
	return r
}

func TestLegacyChecks(t *testing.T) {
	customer := func(o *legacyproto.Order) *legacyproto.Order_Settings_Customer { return o.Settings.Customer }
	for _, c := range []struct {
		stream  Stream
		message proto.Message
		outcome Outcome
		reason  string
	}{
		{Partners, &legacyproto.Partner{Id: "p1"}, Present, ""},
		{Partners, &legacyproto.Partner{Name: "Theatre"}, Quarantined, "partner_without_id"},
		{Events, legacyEvent(nil), Present, ""},
		{Events, legacyEvent(func(e *legacyproto.Event) { e.Id, e.Name = "", "" }), Quarantined, "event_without_id"},
		{Events, legacyEvent(func(e *legacyproto.Event) { e.Name, e.Lifetime = "", nil }), Quarantined, "event_without_name"},
		{Events, legacyEvent(func(e *legacyproto.Event) { e.Lifetime = nil }), Quarantined, "event_without_dates"},
		{Events, legacyEvent(func(e *legacyproto.Event) {
			e.Lifetime = &legacyproto.Lifetime{Start: &timestamppb.Timestamp{Seconds: 1e15}, Finish: &timestamppb.Timestamp{Nanos: -1}}
		}), Quarantined, "event_without_dates"},
		{Orders, legacyOrder(nil), Present, ""},
		{Orders, legacyOrder(func(o *legacyproto.Order) { o.Status, o.Id = legacyproto.Order_EXECUTED, "" }), Skipped, "status_executed"},
		{Orders, legacyOrder(func(o *legacyproto.Order) { o.Status = legacyproto.Order_IN_PROGRESS }), Skipped, "status_in_progress"},
		{Orders, legacyOrder(func(o *legacyproto.Order) { o.Status = legacyproto.Order_CANCELLED }), Skipped, "status_cancelled"},
		{Orders, legacyOrder(func(o *legacyproto.Order) { o.Status = legacyproto.Order_EXPIRED }), Skipped, "status_expired"},
		{Orders, legacyOrder(func(o *legacyproto.Order) { o.Status = 77 }), Skipped, "status_unknown"},
		{Orders, legacyOrder(func(o *legacyproto.Order) { o.Id, o.Event = "", "" }), Quarantined, "order_without_id"},
		{Orders, legacyOrder(func(o *legacyproto.Order) { o.Event = ""; customer(o).Phone = "" }), Quarantined, "order_without_event"},
		{Orders, legacyOrder(func(o *legacyproto.Order) { customer(o).Phone = ""; o.Tickets = nil }), Skipped, "no_phone"},
		{Orders, legacyOrder(func(o *legacyproto.Order) { o.Settings = nil }), Skipped, "no_phone"},
		{Orders, legacyOrder(func(o *legacyproto.Order) { customer(o).Phone = "12"; o.Tickets[0].Id = "" }), Quarantined, "invalid_phone"},
		{Orders, legacyOrder(func(o *legacyproto.Order) { o.Tickets[1].Id = "" }), Quarantined, "ticket_without_id"},
		{Orders, legacyOrder(func(o *legacyproto.Order) { o.Tickets = nil }), Skipped, "no_tickets"},
		{Refunds, legacyRefund(nil), Present, ""},
		{Refunds, legacyRefund(func(r *legacyproto.RefundRequest) { r.Status, r.Id = legacyproto.RefundRequest_NEW, "" }), Skipped, "status_new"},
		{Refunds, legacyRefund(func(r *legacyproto.RefundRequest) { r.Status = legacyproto.RefundRequest_REJECTED }), Skipped, "status_rejected"},
		{Refunds, legacyRefund(func(r *legacyproto.RefundRequest) { r.Status = -1 }), Skipped, "status_unknown"},
		{Refunds, legacyRefund(func(r *legacyproto.RefundRequest) { r.Id, r.Order = "", "" }), Quarantined, "refund_without_id"},
		{Refunds, legacyRefund(func(r *legacyproto.RefundRequest) { r.Order, r.Event = "", "" }), Quarantined, "refund_without_order"},
		{Refunds, legacyRefund(func(r *legacyproto.RefundRequest) { r.Event, r.Tickets = "", nil }), Quarantined, "refund_without_event"},
		{Refunds, legacyRefund(func(r *legacyproto.RefundRequest) { r.Tickets = r.Tickets[1:2] }), Quarantined, "refund_without_tickets"},
	} {
		sheet := readLegacy(t, legacyV1, c.stream, c.message)
		if sheet.Outcome != c.outcome || sheet.Reason != c.reason {
			t.Errorf("%s, %v: outcome %d, %q, want %d, %q", c.stream, c.message, sheet.Outcome, sheet.Reason, c.outcome, c.reason)
		}
	}
	if s := readLegacy(t, legacyV1, Orders, legacyOrder(func(o *legacyproto.Order) { o.Settings = nil })); s.ID != "o1" {
		t.Errorf("a skipped order has id %q: its refunds do not find it", s.ID)
	}
}

// Only what the table names has to be readable (decision 10).
func TestLegacyBytes(t *testing.T) {
	order, err := proto.Marshal(legacyOrder(nil))
	if err != nil {
		t.Fatal(err)
	}
	text := func(number protowire.Number, text string) []byte {
		return protowire.AppendString(protowire.AppendTag(order[:len(order):len(order)], number, protowire.BytesType), text)
	}
	reader := newLegacyReader(t, legacyV1)
	for _, c := range []struct {
		what    string
		value   []byte
		outcome Outcome
		reason  string
	}{
		{"nothing", nil, Tombstone, ""},
		{"no bytes", []byte{}, Tombstone, ""},
		{"whole", order, Present, ""},
		{"cut", order[:len(order)-1], Quarantined, "undecodable"},
		{"id that is not UTF-8, overridden", append(text(1, "\xff"), 0x0a, 0x01, 'o'), Quarantined, "invalid_utf8"},
		{"not UTF-8, and cut", append(text(1, "\xff"), 0x0a), Quarantined, "undecodable"},
		{"vendor that is not UTF-8", text(9, "\xff"), Present, ""},
		{"unknown field that is not UTF-8", text(999, "\xff"), Present, ""},
		{"payment that is no message", text(15, "\xff"), Present, ""},
		{"ticket that is no message", text(33, "\xff"), Quarantined, "undecodable"},
		{"ticket's sector that is not UTF-8", text(33, "\x0a\x01t\x3a\x01\xff"), Present, ""},
		{"ticket's id that is not UTF-8", text(33, "\x0a\x01\xff"), Quarantined, "invalid_utf8"},
		{"time that is no message", text(12, "\xff"), Present, ""},
		{"id as a number", append(order[:len(order):len(order)], 0x08, 0x01), Present, ""},
		{"status DONE with bits beyond 32", append(order[:len(order):len(order)], 0x20, 0x82, 0x80, 0x80, 0x80, 0x10), Present, ""},
		{"field number 0", append(order[:len(order):len(order)], 0x00, 0x01), Quarantined, "undecodable"},
		{"group that is closed", append(order[:len(order):len(order)], 0x0b, 0x0c), Present, ""},
		{"group that is open", append(order[:len(order):len(order)], 0x0b), Quarantined, "undecodable"},
		{"group that another one closes", append(order[:len(order):len(order)], 0x0b, 0x14), Quarantined, "undecodable"},
	} {
		sheet := &Sheet{}
		reader.Read(Orders, &Record{Value: c.value}, sheet)
		if sheet.Outcome != c.outcome || sheet.Reason != c.reason {
			t.Errorf("%s: outcome %d, %q, want %d, %q", c.what, sheet.Outcome, sheet.Reason, c.outcome, c.reason)
		}
	}
}

// A sheet used again says nothing of what it said before.
func TestLegacySheetIsReused(t *testing.T) {
	reader, sheet := newLegacyReader(t, legacyV1), &Sheet{}
	read := func(s Stream, m proto.Message) {
		value, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		reader.Read(s, &Record{Value: value}, sheet)
	}
	read(Events, legacyEvent(func(e *legacyproto.Event) {
		e.Sets = []*legacyproto.Event_TicketSet{{Id: "s1", Name: "Parterre"}}
		e.Legal = &legacyproto.Event_LegalRu_{LegalRu: &legacyproto.Event_LegalRu{Inn: "1"}}
	}))
	read(Orders, legacyOrder(nil))
	read(Orders, &legacyproto.Order{
		Id: "o2", Event: "e2", Status: legacyproto.Order_DONE, Tickets: []*legacyproto.Order_Ticket{{Id: "t3"}},
		Settings: &legacyproto.Order_Settings{Customer: &legacyproto.Order_Settings_Customer{Phone: "+79000000012"}},
	})
	if len(sheet.Items) != 1 || len(sheet.Facts) != 0 || sheet.Org != "" || sheet.Category != "" {
		t.Errorf("%+v", sheet)
	}
	wantCells(t, "order", Fields(Orders), sheet.Cells, map[string]string{"id": "o2", "tickets": "t3", "customer.email": "", "customer.name": "", "customer.phone": "+79000000012"})
	wantCells(t, "ticket", ItemFields(), sheet.Items[0].Cells, map[string]string{"tickets[].row": "", "tickets[].barcode": "", "tickets[].number": "", "tickets[].organizer_id": borrowedText("", EventOrg)})
	read(Events, legacyEvent(func(e *legacyproto.Event) { e.Legal = nil }))
	wantCells(t, "event", Fields(Events), sheet.Cells, map[string]string{"organizer.legals.inn": borrowedText("", Partner)})
}

func TestLegacyOrderCells(t *testing.T) {
	first := readLegacy(t, legacyV1, Orders, legacyOrder(nil))
	if first.ID != "o1" || first.Event != "e1" || first.Org != "p1" || first.Items[0].ID != "t1" || first.Items[0].Set != "s1" || first.Items[1].Set != "" {
		t.Errorf("%+v", first)
	}
	wantCells(t, "1.0", Fields(Orders), first.Cells, map[string]string{
		"id": "o1", "number": "", "tickets": "t1 t2", "customer.email": "a@example.com", "customer.phone": "+79000000011",
		"customer.name": "Анна Петрова", "customer.first_name": "", "customer.last_name": "",
		"header.content-type": "application/json", "header.schema-version": "1.0", "header.application-id": "ticketscloud",
	})
	wantCells(t, "1.0 ticket", ItemFields(), first.Items[0].Cells, map[string]string{
		"tickets[].event_id": "e1", "tickets[].organizer_id": "p1", "tickets[].barcode": "46", "tickets[].number": "5", "tickets[].series": "A",
		"tickets[].row": "3", "tickets[].seat": "4", "tickets[].price_nominal": "100",
		"tickets[].category": borrowedText("", Set), "tickets[].description": borrowedText("", Set), "tickets[].currency": borrowedText("", Currency),
	})
	wantCells(t, "1.0 bare ticket", ItemFields(), first.Items[1].Cells, map[string]string{
		"tickets[].event_id": "e1", "tickets[].number": "", "tickets[].barcode": "", "tickets[].seat": "", "tickets[].price_nominal": "0",
	})
	second := readLegacy(t, legacyV2, Orders, legacyOrder(func(o *legacyproto.Order) { o.Number, o.Org = 0, "" }))
	wantCells(t, "2.0", Fields(Orders), second.Cells, map[string]string{
		"number": "0", "customer.name": "", "customer.first_name": "Анна", "customer.last_name": "Петрова", "header.schema-version": "2.0",
	})
	wantCells(t, "2.0 ticket", ItemFields(), second.Items[0].Cells, map[string]string{"tickets[].organizer_id": ""})
	other := readLegacy(t, legacyV1, Orders, legacyOrder(func(o *legacyproto.Order) { o.Org = "" }))
	wantCells(t, "without org", ItemFields(), other.Items[0].Cells, map[string]string{"tickets[].organizer_id": borrowedText("", EventOrg)})
}

func TestLegacyRefundCells(t *testing.T) {
	s := readLegacy(t, legacyV2, Refunds, legacyRefund(nil))
	if s.ID != "r1" || s.Event != "e1" || s.Order != "o1" {
		t.Errorf("%+v", s)
	}
	wantCells(t, "refund", Fields(Refunds), s.Cells, map[string]string{
		"ticket_ids": "t2 t1", "customer.email": borrowedText("", OrderCell), "customer.phone": borrowedText("", OrderCell),
		"customer.name": "", "customer.first_name": borrowedText("", OrderCell), "customer.last_name": borrowedText("", OrderCell),
	})
}

func TestLegacyEventCells(t *testing.T) {
	directory := borrowedText("", Directory)
	for _, c := range []struct {
		what    string
		options LegacyOptions
		change  func(*legacyproto.Event)
		want    map[string]string
	}{
		{"1.0", legacyV1, nil, map[string]string{
			"id": "e1", "name": "Show", "status": "", "start_at": "100", "finish_at": "200", "category": directory, "timezone": directory, "offset": "",
			"venue.id": directory, "venue.lat": directory, "venue.zipcode": directory, "group_id": "", "media": "", "description": "",
		}},
		{"2.0", legacyV2, nil, map[string]string{"status": "active", "start_at": "100007", "finish_at": "200000", "timezone": "", "offset": directory}},
		{"1.0 only finish", legacyV1, func(e *legacyproto.Event) { e.Lifetime.Start = nil }, map[string]string{"start_at": "200", "finish_at": "200"}},
		{"2.0 only finish", legacyV2, func(e *legacyproto.Event) { e.Lifetime.Start = nil }, map[string]string{"start_at": "", "finish_at": "200000"}},
		{"2.0 only start", legacyV2, func(e *legacyproto.Event) { e.Lifetime.Finish = nil }, map[string]string{"start_at": "100007", "finish_at": "100007"}},
		{"1.0 start that is none", legacyV1, func(e *legacyproto.Event) { e.Lifetime.Start.Nanos = 1_000_000_000 }, map[string]string{"start_at": "200"}},
		{"1970", legacyV1, func(e *legacyproto.Event) { e.Lifetime.Start = &timestamppb.Timestamp{} }, map[string]string{"start_at": "0"}},
		{"before 1970", legacyV2, func(e *legacyproto.Event) {
			e.Lifetime.Start = &timestamppb.Timestamp{Seconds: -1, Nanos: 1_000_000}
		}, map[string]string{"start_at": "-999"}},
		{"paused", legacyV2, func(e *legacyproto.Event) { e.Status = legacyproto.Event_STAND_BY }, map[string]string{"status": "paused"}},
		{"cancelled", legacyV2, func(e *legacyproto.Event) { e.Status = legacyproto.Event_CANCELED }, map[string]string{"status": "cancelled"}},
		{"finished", legacyV2, func(e *legacyproto.Event) { e.Status = legacyproto.Event_FINISHED }, map[string]string{"status": "finished"}},
		{"unknown status", legacyV2, func(e *legacyproto.Event) { e.Status = 99 }, map[string]string{"status": "paused"}},
		{"cover", legacyV1, func(e *legacyproto.Event) {
			e.Media = &legacyproto.Event_Media{Cover: "1", CoverOriginal: "2", CoverSmall: "3"}
		}, map[string]string{"media": "1"}},
		{"original", legacyV1, func(e *legacyproto.Event) {
			e.Media = &legacyproto.Event_Media{CoverOriginal: "2", CoverSmall: "3"}
		}, map[string]string{"media": "2"}},
		{"small", legacyV1, func(e *legacyproto.Event) { e.Media = &legacyproto.Event_Media{CoverSmall: "3"} }, map[string]string{"media": "3"}},
		{"texts", legacyV1, func(e *legacyproto.Event) { e.Meta, e.Description = "g", " d " }, map[string]string{"group_id": "g", "description": " d "}},
	} {
		s := readLegacy(t, c.options, Events, legacyEvent(c.change))
		wantCells(t, c.what, Fields(Events), s.Cells, c.want)
		if s.Org != "p1" || s.Category != "c1" || s.Venue != "v1" {
			t.Errorf("%s: %+v", c.what, s)
		}
	}
	if s := readLegacy(t, legacyV2, Events, legacyEvent(nil)); s.Start != 100 {
		t.Errorf("start %d", s.Start)
	}
	if s := readLegacy(t, legacyV2, Events, legacyEvent(func(e *legacyproto.Event) { e.Lifetime.Start = nil })); s.Start != 200 {
		t.Errorf("without a start %d, want its finish", s.Start)
	}
}

func TestLegacyOrganizerCells(t *testing.T) {
	partner := borrowedText("", Partner)
	none := map[string]string{"organizer.id": "", "organizer.name": "", "organizer.legals.name": "", "organizer.legals.type": "", "organizer.legals.inn": ""}
	legal := func(l *legacyproto.Event_LegalRu) func(*legacyproto.Event) {
		return func(e *legacyproto.Event) { e.Legal = &legacyproto.Event_LegalRu_{LegalRu: l} }
	}
	full := &legacyproto.Event_LegalRu{
		Type: legacyproto.Event_LegalRu_IP, Name: "ИП", Inn: "7700000000", Address: "street", Ogrns: &legacyproto.Event_LegalRu_Ogrnip{Ogrnip: "30"},
	}
	own := func(text string) string { return borrowedText(text, Organizer) }
	for _, c := range []struct {
		what    string
		options LegacyOptions
		change  func(*legacyproto.Event)
		want    map[string]string
	}{
		{"1.0 without org", legacyV1, func(e *legacyproto.Event) { legal(full)(e); e.Org = "" }, none},
		{"2.0 without org", legacyV2, func(e *legacyproto.Event) { legal(full)(e); e.Org = "" }, none},
		{"1.0 without requisites", legacyV1, nil, map[string]string{"organizer.id": partner, "organizer.name": partner, "organizer.legals.name": partner, "organizer.legals.type": partner, "organizer.legals.ogrn": partner, "organizer.legals.address": partner}},
		{"1.0 only a type and an id", legacyV1, legal(&legacyproto.Event_LegalRu{Id: "l", Type: legacyproto.Event_LegalRu_IP}), map[string]string{"organizer.legals.type": partner, "organizer.legals.name": partner}},
		{"1.0", legacyV1, legal(full), map[string]string{"organizer.id": partner, "organizer.name": partner, "organizer.legals.name": own("ИП"), "organizer.legals.type": own("ru_lp"), "organizer.legals.inn": own("7700000000"), "organizer.legals.ogrn": own("30"), "organizer.legals.address": own("street")}},
		{"2.0", legacyV2, legal(full), map[string]string{"organizer.id": borrowedText("p1", Partner), "organizer.name": borrowedText("ИП", Partner), "organizer.legals.name": own("ИП")}},
		{"1.0 without its name", legacyV1, legal(&legacyproto.Event_LegalRu{Inn: "770000000000"}), map[string]string{"organizer.legals.name": borrowedText("", PartnerName), "organizer.legals.inn": own("770000000000"), "organizer.legals.ogrn": own(""), "organizer.legals.type": own("ru_ltd")}},
		{"2.0 without its name", legacyV2, legal(&legacyproto.Event_LegalRu{Address: "street"}), map[string]string{"organizer.id": partner, "organizer.name": partner, "organizer.legals.name": own(""), "organizer.legals.address": own("street")}},
		{"LTD whatever its numbers", legacyV1, legal(&legacyproto.Event_LegalRu{Ogrns: &legacyproto.Event_LegalRu_Ogrnip{Ogrnip: "30"}}), map[string]string{"organizer.legals.type": own("ru_ltd"), "organizer.legals.ogrn": own("30")}},
		{"unknown type, ogrnip", legacyV1, legal(&legacyproto.Event_LegalRu{Type: 7, Ogrns: &legacyproto.Event_LegalRu_Ogrnip{Ogrnip: "30"}}), map[string]string{"organizer.legals.type": own("ru_lp")}},
		{"unknown type, long inn", legacyV1, legal(&legacyproto.Event_LegalRu{Type: 7, Inn: "770000000000"}), map[string]string{"organizer.legals.type": own("ru_lp")}},
		{"unknown type, no inn", legacyV1, legal(&legacyproto.Event_LegalRu{Type: 7, Inn: "77000000000x", Ogrns: &legacyproto.Event_LegalRu_Ogrn{Ogrn: "10"}}), map[string]string{"organizer.legals.type": own("ru_ltd"), "organizer.legals.ogrn": own("10")}},
	} {
		wantCells(t, c.what, Fields(Events), readLegacy(t, c.options, Events, legacyEvent(c.change)).Cells, c.want)
	}
}

// Of a oneof the field that comes last is there, even when it is empty.
func TestLegacyOneof(t *testing.T) {
	p := &legacyproto.Partner{Id: "p1", Name: "Theatre", Legal: &legacyproto.Partner_Legal{Name: "ООО", Ogrns: &legacyproto.Partner_Legal_Ogrn{Ogrn: "10"}}}
	value, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	value = append(value, 0xc2, 0x02, 0x02, 0x3a, 0x00) // legal.ogrnip ""
	sheet := &Sheet{}
	newLegacyReader(t, legacyV1).Read(Partners, &Record{Value: value}, sheet)
	if text, known := factOf(sheet, "organizer.legals.ogrn"); known {
		t.Errorf("ogrn %q, want none", text)
	}
	if text, _ := factOf(sheet, "organizer.legals.name"); text != "ООО" {
		t.Errorf("name %q: messages that come twice are merged", text)
	}
}

func factsText(s *Sheet) string {
	var all []string
	for _, f := range s.Facts {
		all = append(all, strings.ReplaceAll(f.Key, "\x00", "/")+"="+f.Text)
	}
	return strings.Join(all, " ")
}

func TestLegacyPartnerFacts(t *testing.T) {
	legal := &legacyproto.Partner_Legal{Inn: "770000000000", Address: "street"}
	for _, c := range []struct {
		options LegacyOptions
		partner *legacyproto.Partner
		want    string
	}{
		{legacyV1, &legacyproto.Partner{Id: "p1"}, ""},
		{legacyV1, &legacyproto.Partner{Id: "p1", Currency: "rub", Legal: legal}, "currency=RUB"},
		{legacyV1, &legacyproto.Partner{Id: "p1", Name: "Theatre", Currency: "kzt", Legal: &legacyproto.Partner_Legal{}}, "organizer.id=p1 organizer.name=Theatre"},
		{legacyV1, &legacyproto.Partner{Id: "p1", Name: "Theatre", Legal: legal}, "organizer.id=p1 organizer.name=Theatre organizer.legals.name=Theatre organizer.legals.type=ru_lp organizer.legals.inn=770000000000 organizer.legals.address=street"},
		{legacyV2, &legacyproto.Partner{Id: "p1", Name: "Theatre", Legal: legal}, "organizer.id=p1 organizer.name=Theatre organizer.legals.type=ru_lp organizer.legals.inn=770000000000 organizer.legals.address=street"},
		{legacyV2, &legacyproto.Partner{Id: "p1", Name: "Theatre", Legal: &legacyproto.Partner_Legal{Name: "ООО", Ogrns: &legacyproto.Partner_Legal_Ogrn{Ogrn: "10"}}}, "organizer.id=p1 organizer.name=Theatre organizer.legals.name=ООО organizer.legals.type=ru_ltd organizer.legals.ogrn=10"},
		{legacyV2, &legacyproto.Partner{Id: "p1", Name: "Theatre", Legal: &legacyproto.Partner_Legal{Ogrns: &legacyproto.Partner_Legal_Ogrnip{Ogrnip: "30"}}}, "organizer.id=p1 organizer.name=Theatre organizer.legals.type=ru_lp organizer.legals.ogrn=30"},
	} {
		if got := factsText(readLegacy(t, c.options, Partners, c.partner)); got != c.want {
			t.Errorf("edition %d, %v:\n%s, want\n%s", c.options.Edition, c.partner, got, c.want)
		}
	}
}

func TestLegacyEventFacts(t *testing.T) {
	s := readLegacy(t, legacyV1, Events, legacyEvent(func(e *legacyproto.Event) {
		e.Sets = []*legacyproto.Event_TicketSet{
			{Id: "s1", Name: "Old", Description: "old"}, {Name: "nobody's"}, {Id: "s2", Removed: true}, {Id: "s1", Name: "New"},
		}
	}))
	for key, want := range map[string]string{
		"org": "p1", SetKey("s1", "tickets[].category"): "New", SetKey("s1", "tickets[].description"): "",
		SetKey("s2", "tickets[].category"): "", SetKey("s2", "tickets[].description"): "",
	} {
		if got, known := factOf(s, key); !known || got != want {
			t.Errorf("%q: %q, %v, want %q", key, got, known, want)
		}
	}
	if len(s.Facts) != 5 {
		t.Errorf("facts %s", factsText(s))
	}
	if s := readLegacy(t, legacyV1, Events, legacyEvent(func(e *legacyproto.Event) { e.Org = "" })); len(s.Facts) != 0 {
		t.Errorf("without org and sets: %s", factsText(s))
	}
}

// Across editions: times as in 1.0, names as in 2.0, and the rest as in the edition.
func TestLegacyFormOfNoEdition(t *testing.T) {
	o := legacyV2
	o.Form.Edition = 0
	event := readLegacy(t, o, Events, legacyEvent(func(e *legacyproto.Event) {
		e.Lifetime.Start = nil
		e.Legal = &legacyproto.Event_LegalRu_{LegalRu: &legacyproto.Event_LegalRu{Name: "ИП"}}
	}))
	wantCells(t, "event", Fields(Events), event.Cells, map[string]string{
		"start_at": "200", "finish_at": "200", "status": "", "timezone": "", "offset": borrowedText("", Directory), "organizer.name": borrowedText("ИП", Partner),
	})
	o = legacyV1
	o.Form.Edition = 0
	order := readLegacy(t, o, Orders, legacyOrder(nil))
	wantCells(t, "order", Fields(Orders), order.Cells, map[string]string{"number": "", "customer.name": "", "customer.first_name": "Анна", "customer.last_name": "Петрова"})
	wantCells(t, "ticket", ItemFields(), order.Items[0].Cells, map[string]string{"tickets[].organizer_id": ""})
}

func TestLegacyOptions(t *testing.T) {
	for _, c := range []struct {
		change func(*LegacyOptions)
		want   string
	}{
		{func(o *LegacyOptions) { o.Edition = 0 }, "edition 0, want 1 or 2"},
		{func(o *LegacyOptions) { o.Edition = 3 }, "edition 3"},
		{func(o *LegacyOptions) { o.Form.Edition = 2 }, "edition 1 in the form of edition 2"},
		{func(o *LegacyOptions) { o.ContentType = "" }, "must say something"},
		{func(o *LegacyOptions) { o.SchemaVersion = "" }, "must say something"},
		{func(o *LegacyOptions) { o.ApplicationID = "" }, "must say something"},
	} {
		o := legacyV1
		c.change(&o)
		if _, err := NewLegacyReader(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %s", o, err, c.want)
		}
	}
}

func TestLegacyReaderIsSafeForConcurrentUse(t *testing.T) {
	reader := newLegacyReader(t, legacyV1)
	var wait sync.WaitGroup
	for n := range 4 {
		id := fmt.Sprint("o", n)
		value, err := proto.Marshal(legacyOrder(func(o *legacyproto.Order) { o.Id = id }))
		if err != nil {
			t.Fatal(err)
		}
		wait.Go(func() {
			sheet := &Sheet{}
			for range 200 {
				if reader.Read(Orders, &Record{Value: value}, sheet); sheet.ID != id || len(sheet.Items) != 2 {
					t.Errorf("read %q with %d tickets, want %q", sheet.ID, len(sheet.Items), id)
					return
				}
			}
		})
	}
	wait.Wait()
}
