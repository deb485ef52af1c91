package season

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// Kind names one kind of trouble. It concerns the records of the topic that
// its name begins with.
type Kind string

// Kinds of trouble. "Broken" records stand in for a good one, which follows
// later in half of the cases.
const (
	PartnerLate            Kind = "partner_late"     // published after events of the partner
	PartnerNever           Kind = "partner_never"    // not published at all
	PartnerUnknownCurrency Kind = "partner_currency" // a currency that does not exist, or none
	PartnerWithoutName     Kind = "partner_no_name"
	PartnerWithoutID       Kind = "partner_no_id"
	PartnerGarbage         Kind = "partner_garbage"   // not protobuf
	PartnerTruncated       Kind = "partner_truncated" // cut inside of a field
	PartnerInvalidUTF8     Kind = "partner_utf8"      // in a field that is mapped
	PartnerTombstone       Kind = "partner_tombstone" // no value
	PartnerEmpty           Kind = "partner_empty"     // a value of zero bytes
	PartnerDuplicate       Kind = "partner_duplicate" // the same bytes again later
	EventLate              Kind = "event_late"        // published after several of its orders
	EventNever             Kind = "event_never"       // has orders, is not published at all
	EventUnknownCategory   Kind = "event_category"    // not in the directory
	EventUnknownVenue      Kind = "event_venue"       // not in the directory
	EventHuge              Kind = "event_huge"        // a description of 50 to 200 kB
	EventWithoutName       Kind = "event_no_name"     // the first record
	EventWithoutDates      Kind = "event_no_dates"    // the first record
	EventWithoutID         Kind = "event_no_id"
	EventBrokenUpdate      Kind = "event_broken_update" // no name any more, after a good record
	EventMoved             Kind = "event_moved"         // to another organizer
	EventUnknownStatus     Kind = "event_status"        // 77
	EventGarbage           Kind = "event_garbage"       // not protobuf
	EventTruncated         Kind = "event_truncated"     // cut inside of a field
	EventInvalidUTF8       Kind = "event_utf8"          // in a field that is mapped
	EventTombstone         Kind = "event_tombstone"     // no value
	EventEmpty             Kind = "event_empty"         // a value of zero bytes
	EventDuplicate         Kind = "event_duplicate"     // the same bytes again later
	OrderWithoutPhone      Kind = "order_no_phone"
	OrderImpossiblePhone   Kind = "order_phone"
	OrderWithoutEmail      Kind = "order_no_email"
	OrderWithoutBarcode    Kind = "order_no_barcode"
	OrderLateSet           Kind = "order_late_set"     // a set that a later version of the event has
	OrderUnknownSet        Kind = "order_unknown_set"  // a set that no version has
	OrderWithoutID         Kind = "order_no_id"        // broken
	OrderWithoutEvent      Kind = "order_no_event"     // broken
	OrderWithoutTickets    Kind = "order_no_tickets"   // broken
	OrderTicketWithoutID   Kind = "order_no_ticket_id" // broken
	OrderUnknownStatus     Kind = "order_status"       // 77; broken
	OrderGarbage           Kind = "order_garbage"      // not protobuf; broken
	OrderTruncated         Kind = "order_truncated"    // cut inside of a field; broken
	OrderInvalidUTF8       Kind = "order_utf8"         // in a field that is mapped; broken
	OrderTombstone         Kind = "order_tombstone"    // no value; broken
	OrderEmpty             Kind = "order_empty"        // a value of zero bytes; broken
	OrderDuplicate         Kind = "order_duplicate"    // the same bytes again later
	RefundEarly            Kind = "refund_early"       // published before its order
	RefundUnknownOrder     Kind = "refund_order"       // for an order that is never published
	RefundForeignTicket    Kind = "refund_ticket"      // lists a ticket that the order does not have
	RefundWithoutID        Kind = "refund_no_id"       // broken
	RefundWithoutOrder     Kind = "refund_no_order"    // broken
	RefundWithoutEvent     Kind = "refund_no_event"    // broken
	RefundWithoutTickets   Kind = "refund_no_tickets"  // broken
	RefundUnknownStatus    Kind = "refund_status"      // 77; broken
	RefundGarbage          Kind = "refund_garbage"     // not protobuf; broken
	RefundTruncated        Kind = "refund_truncated"   // cut inside of a field; broken
	RefundInvalidUTF8      Kind = "refund_utf8"        // in a field that is mapped; broken
	RefundTombstone        Kind = "refund_tombstone"   // no value; broken
	RefundEmpty            Kind = "refund_empty"       // a value of zero bytes; broken
	RefundDuplicate        Kind = "refund_duplicate"   // the same bytes again later

	noTrouble Kind = ""
)

// dose says how much of a kind there is: its share of Config.Hostile.
type dose struct {
	kind  Kind
	share float64
}

// The tables of doses. A subject (a partner, an update of an event, an order)
// gets at most one kind.
var (
	partnerDoses = []dose{
		{PartnerLate, 0.3}, {PartnerNever, 0.05}, {PartnerUnknownCurrency, 0.2}, {PartnerWithoutName, 0.05},
	}
	partnerUpdateDoses = []dose{
		{PartnerWithoutID, 0.1}, {PartnerGarbage, 0.1}, {PartnerTruncated, 0.1}, {PartnerInvalidUTF8, 0.1},
		{PartnerTombstone, 0.1}, {PartnerEmpty, 0.1}, {PartnerDuplicate, 0.1},
	}
	eventDoses = []dose{
		{EventLate, 0.3}, {EventNever, 0.02}, {EventUnknownCategory, 0.1}, {EventUnknownVenue, 0.1},
		{EventHuge, 0.005}, {EventWithoutName, 0.05}, {EventWithoutDates, 0.05},
	}
	eventUpdateDoses = []dose{
		{EventWithoutID, 0.03}, {EventBrokenUpdate, 0.1}, {EventMoved, 0.1}, {EventUnknownStatus, 0.05},
		{EventGarbage, 0.03}, {EventTruncated, 0.05}, {EventInvalidUTF8, 0.05}, {EventTombstone, 0.03},
		{EventEmpty, 0.03}, {EventDuplicate, 0.15},
	}
	orderDoses = []dose{
		{OrderWithoutPhone, 0.15}, {OrderImpossiblePhone, 0.08}, {OrderWithoutEmail, 0.1}, {OrderWithoutBarcode, 0.08},
		{OrderLateSet, 0.08}, {OrderUnknownSet, 0.03}, {OrderWithoutID, 0.03}, {OrderWithoutEvent, 0.03},
		{OrderWithoutTickets, 0.03}, {OrderTicketWithoutID, 0.03}, {OrderUnknownStatus, 0.03}, {OrderGarbage, 0.03},
		{OrderTruncated, 0.04}, {OrderInvalidUTF8, 0.04}, {OrderTombstone, 0.03}, {OrderEmpty, 0.03},
		{OrderDuplicate, 0.1}, {RefundEarly, 0.04}, {RefundUnknownOrder, 0.02},
	}
	refundDoses = []dose{
		{RefundForeignTicket, 0.15}, {RefundWithoutID, 0.05}, {RefundWithoutOrder, 0.05}, {RefundWithoutEvent, 0.05},
		{RefundWithoutTickets, 0.05}, {RefundUnknownStatus, 0.05}, {RefundGarbage, 0.05}, {RefundTruncated, 0.05},
		{RefundInvalidUTF8, 0.05}, {RefundTombstone, 0.05}, {RefundEmpty, 0.05}, {RefundDuplicate, 0.15},
	}
)

// Kinds lists all kinds of trouble.
func Kinds() []Kind {
	var kinds []Kind
	for _, doses := range [][]dose{
		partnerDoses, partnerUpdateDoses, eventDoses, eventUpdateDoses, orderDoses, refundDoses,
	} {
		for _, d := range doses {
			kinds = append(kinds, d.kind)
		}
	}
	return kinds
}

// trouble hands out the kinds of one table. It keeps a debt per kind instead of
// rolling dice, so that even a rare kind shows up in a short season.
type trouble struct {
	doses []dose
	rates []float64
	debts []float64
}

// newTrouble makes a source of trouble. With a head start of 1 every kind is
// due at once, which suits tables with few subjects.
func newTrouble(doses []dose, hostile, headStart float64) *trouble {
	t := &trouble{doses: doses, rates: make([]float64, len(doses)), debts: make([]float64, len(doses))}
	if hostile == 0 {
		return t
	}
	for i, d := range doses {
		t.rates[i] = d.share * hostile
		t.debts[i] = headStart
	}
	return t
}

// next returns the kind for the next subject.
func (t *trouble) next(r *rng) Kind {
	due := -1
	for i := range t.doses {
		t.debts[i] += t.rates[i]
		if t.debts[i] >= 1 && due < 0 && r.chance(0.5) {
			due = i
		}
	}
	if due < 0 {
		return noTrouble
	}
	t.debts[due]--
	return t.doses[due].kind
}

// garbage returns bytes that are no protobuf message, whatever the schema.
func garbage(r *rng) []byte {
	switch r.intn(4) {
	case 0: // a message behind a schema registry's header: field number 0
		return append([]byte{0, 0, 0, 0, byte(r.intn(256)), 0x0a, 0x18}, r.digits(24)...)
	case 1: // gzip: reserved wire type
		return append([]byte{0x1f, 0x8b, 0x08, 0x00}, r.digits(r.between(20, 200))...)
	case 2: // JSON: the brace opens a group that nothing closes
		return []byte(`{"id":"` + r.digits(24) + `","status":"done"}`)
	default: // noise behind a reserved wire type
		b := []byte{0x0f}
		for range r.between(20, 200) {
			b = append(b, byte(r.intn(256)))
		}
		return b
	}
}

// truncate cuts an encoded message inside of a field. A cut between two fields
// would leave a smaller but valid message.
func truncate(r *rng, value []byte) []byte {
	cut := r.between(1, len(value)-1)
	for end := 0; end <= cut; {
		_, _, n := protowire.ConsumeField(value[end:])
		end += n
		if end == cut {
			cut-- // the field that ends here loses its last byte
			break
		}
	}
	return value[:cut:cut]
}

// invalidText is not UTF-8: a windows-1251 rendering of a Russian word, as an
// old system would send it.
var invalidText = []byte("\xcf\xf0\xe8\xec\xe5\xf0")

// appendInvalidText appends a string field with invalid text. On the wire the
// last occurrence of a field wins and nested messages merge, so it becomes the
// value of the field at the given path of field numbers.
func appendInvalidText(value []byte, path ...protowire.Number) []byte {
	field := invalidText
	for i := len(path) - 1; i >= 0; i-- {
		field = protowire.AppendBytes(protowire.AppendTag(nil, path[i], protowire.BytesType), field)
	}
	return append(value[:len(value):len(value)], field...)
}
