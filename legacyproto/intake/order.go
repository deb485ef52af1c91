package intake

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// DecodeOrder is DecodePartner for records of the orders_done topic. Orders are most of what there is to read: they are
// scanned by hand, with two allocations for one ticket and four for several (decision 17). The strings of m share memory
// with each other, and none with b.
func DecodeOrder(b []byte, m *Order) error {
	*m = Order{} // and not Reset, which would move every m to the heap
	if !scanOrder(unsafe.String(unsafe.SliceData(b), len(b)), m, new(orderParts)) {
		return notAnOrder(b)
	}
	ownTexts(m)
	return nil
}

// OrderReader is DecodeOrder for whoever reads one order after the other: it has one piece of memory for all of them.
type OrderReader struct {
	order Order
	parts orderParts
}

var orderReaders = sync.Pool{New: func() any { return new(OrderReader) }}

// BorrowOrderReader gives a reader to whoever reads an order now and then.
func BorrowOrderReader() *OrderReader { return orderReaders.Get().(*OrderReader) }

// Return takes back one that was borrowed. Neither it nor the order that it has read is to be used any more.
func (r *OrderReader) Return() { orderReaders.Put(r) }

// Decode reads an order. It is good until the next one is read, and its texts are parts of b: they are good for as long
// as nobody changes b.
func (r *OrderReader) Decode(b []byte) (*Order, error) {
	r.order, r.parts = Order{}, orderParts{}
	if !scanOrder(unsafe.String(unsafe.SliceData(b), len(b)), &r.order, &r.parts) {
		return nil, notAnOrder(b)
	}
	return &r.order, nil
}

func notAnOrder(b []byte) error {
	return fmt.Errorf("decode Order: %w", explain(b, (*Order)(nil).ProtoReflect().Descriptor()))
}

// The scan follows the rules of proto3 as proto.Unmarshal has them, and
// FuzzDecodeOrder compares the two:
//
//   - the last of several scalars wins, also when it is the default value;
//   - several occurrences of an embedded message are merged, those of a repeated one appended;
//   - a known number in another wire type is an unknown field;
//   - unknown fields are skipped, with their structure checked only as far as their length
//     depends on it: not inside of length-delimited ones, but all through groups;
//   - varints may be longer than need be, up to ten bytes and 64 bits;
//   - an enum takes the low 32 bits, of any value;
//   - strings have to be UTF-8.
//
// Fields are told apart by number and wire type at once, as they stand on the wire.
const (
	varint = uint64(protowire.VarintType)
	length = uint64(protowire.BytesType)

	minKey = uint64(protowire.MinValidNumber) << 3
	maxKey = uint64(protowire.MaxValidNumber)<<3 | 7
)

// orderParts are allocated together, as they come together. Most orders have one ticket, which comes with them too.
type orderParts struct {
	settings Order_Settings
	customer Order_Settings_Customer
	list     [1]*Order_Ticket
	ticket   [1]ticketParts
}

type ticketParts struct {
	ticket Order_Ticket
	seat   Order_Ticket_Seat
}

// scanOrder reads s into m, which is empty, as parts are, of which m is made. The result
// is false, and m undefined, when s is not wire format or has a string that is not UTF-8.
// The strings of m are parts of s.
func scanOrder(s string, m *Order, parts *orderParts) bool {
	var spare []ticketParts
	for i := 0; i < len(s); {
		key, v, content, next := scanField(s, i)
		ok := next >= 0
		switch key {
		case 1<<3 | length:
			ok = setText(&m.Id, content)
		case 2<<3 | varint:
			m.Number = int64(v)
		case 4<<3 | varint:
			m.Status = Order_Status(v)
		case 7<<3 | length:
			ok = setText(&m.Event, content)
		case 8<<3 | length:
			ok = setText(&m.Org, content)
		case 20<<3 | length:
			m.Settings = &parts.settings
			ok = scanSettings(content, parts)
		case 33<<3 | length:
			if len(spare) == 0 {
				n := runOf(s, i)
				switch {
				case m.Tickets != nil:
					spare, m.Tickets = make([]ticketParts, n), slices.Grow(m.Tickets, n)
				case n == 1:
					spare, m.Tickets = parts.ticket[:], parts.list[:0]
				default:
					spare, m.Tickets = make([]ticketParts, n), make([]*Order_Ticket, 0, n)
				}
			}
			ok = scanTicket(content, &spare[0])
			m.Tickets = append(m.Tickets, &spare[0].ticket)
			spare = spare[1:]
		}
		if !ok {
			return false
		}
		i = next
	}
	return true
}

// runOf counts the fields that begin at s[i] and have the same key: writers put all
// elements of a list in one place.
func runOf(s string, i int) (n int) {
	first, _, _, next := scanField(s, i)
	for key := first; key == first && key != 0; n++ {
		if next >= len(s) {
			return n + 1
		}
		key, _, _, next = scanField(s, next)
	}
	return n
}

func scanSettings(s string, parts *orderParts) bool {
	for i := 0; i < len(s); {
		key, _, content, next := scanField(s, i)
		ok := next >= 0
		if key == 1<<3|length {
			parts.settings.Customer = &parts.customer
			ok = scanCustomer(content, &parts.customer)
		}
		if !ok {
			return false
		}
		i = next
	}
	return true
}

func scanCustomer(s string, m *Order_Settings_Customer) bool {
	for i := 0; i < len(s); {
		key, _, content, next := scanField(s, i)
		ok := next >= 0
		switch key {
		case 2<<3 | length:
			ok = setText(&m.Name, content)
		case 3<<3 | length:
			ok = setText(&m.Email, content)
		case 4<<3 | length:
			ok = setText(&m.Phone, content)
		}
		if !ok {
			return false
		}
		i = next
	}
	return true
}

func scanTicket(s string, parts *ticketParts) bool {
	m := &parts.ticket
	for i := 0; i < len(s); {
		key, v, content, next := scanField(s, i)
		ok := next >= 0
		switch key {
		case 1<<3 | length:
			ok = setText(&m.Id, content)
		case 3<<3 | length:
			ok = setText(&m.Serial, content)
		case 4<<3 | varint:
			m.Number = int64(v)
		case 5<<3 | length:
			ok = setText(&m.Barcode, content)
		case 6<<3 | length:
			ok = setText(&m.Set, content)
		case 8<<3 | length:
			m.Seat = &parts.seat
			ok = scanSeat(content, &parts.seat)
		case 11<<3 | varint:
			m.Nominal = int64(v)
		}
		if !ok {
			return false
		}
		i = next
	}
	return true
}

func scanSeat(s string, m *Order_Ticket_Seat) bool {
	for i := 0; i < len(s); {
		key, _, content, next := scanField(s, i)
		ok := next >= 0
		switch key {
		case 1<<3 | length:
			ok = setText(&m.Row, content)
		case 2<<3 | length:
			ok = setText(&m.Number, content)
		}
		if !ok {
			return false
		}
		i = next
	}
	return true
}

func setText(to *string, text string) (ok bool) {
	*to = text
	return utf8.ValidString(text)
}

// scanField reads the field that begins at s[i]: its number, shifted by three bits,
// with its wire type, the value of a varint or of a length-delimited field, and where
// the next one begins. key is 0 and next negative when s is cut short there or is not
// wire format.
func scanField(s string, i int) (key, v uint64, content string, next int) {
	if key, i = scanVarint(s, i); key < minKey || key > maxKey {
		return 0, 0, "", -1
	}
	switch protowire.Type(key & 7) {
	case protowire.VarintType:
		v, next = scanVarint(s, i)
	case protowire.BytesType:
		if v, i = scanVarint(s, i); i < 0 || v > uint64(len(s)-i) {
			return 0, 0, "", -1
		}
		next = i + int(v)
		content = s[i:next]
	case protowire.Fixed32Type:
		next = i + 4
	case protowire.Fixed64Type:
		next = i + 8
	case protowire.StartGroupType:
		next = skipGroup(s, i, key>>3)
	default: // the end of a group that never began, or a reserved type
		next = -1
	}
	if next < 0 || next > len(s) {
		return 0, 0, "", -1
	}
	return key, v, content, next
}

// scanVarint reads a varint of at most ten bytes, of which the last holds at most the
// 64th bit. It is 0 with a negative offset when s is cut short there, or it is longer.
func scanVarint(s string, i int) (v uint64, next int) {
	if i < len(s) && s[i] < 0x80 {
		return uint64(s[i]), i + 1
	}
	if i+1 < len(s) && s[i+1] < 0x80 { // as keys of fields from 16 on and most lengths
		return uint64(s[i]&0x7f) | uint64(s[i+1])<<7, i + 2
	}
	return scanLongVarint(s, i)
}

func scanLongVarint(s string, i int) (v uint64, next int) {
	for n := range min(len(s)-i, 10) {
		c := s[i+n]
		v |= uint64(c&0x7f) << (7 * n)
		if c < 0x80 {
			if n == 9 && c > 1 {
				break
			}
			return v, i + n + 1
		}
	}
	return 0, -1
}

// skipGroup passes over a group behind its first key, up to and with its end. As
// in package protowire, numbers inside of groups may exceed those of fields, up to
// 31 bits, and groups may be nested protowire.DefaultRecursionLimit deep.
func skipGroup(s string, i int, number uint64) (next int) {
	const maxNumber = 1<<31 - 1
	open := []uint64{number}
	for len(open) > 0 {
		var key, v uint64
		if key, i = scanVarint(s, i); key < minKey || key>>3 > maxNumber {
			return -1
		}
		switch protowire.Type(key & 7) {
		case protowire.VarintType:
			_, i = scanVarint(s, i)
		case protowire.BytesType:
			if v, i = scanVarint(s, i); i < 0 || v > uint64(len(s)-i) {
				return -1
			}
			i += int(v)
		case protowire.Fixed32Type:
			i += 4
		case protowire.Fixed64Type:
			i += 8
		case protowire.StartGroupType:
			if len(open) > protowire.DefaultRecursionLimit {
				return -1
			}
			open = append(open, key>>3)
		case protowire.EndGroupType:
			if open[len(open)-1] != key>>3 {
				return -1
			}
			open = open[:len(open)-1]
		default:
			return -1
		}
		if i < 0 || i > len(s) {
			return -1
		}
	}
	return i
}

// ownTexts moves the strings of m into memory of their own: they are a third of a
// record, and what the caller does with its bytes is its own affair.
func ownTexts(m *Order) {
	customer := m.GetSettings().GetCustomer()
	size := len(m.Id) + len(m.Event) + len(m.Org) + len(customer.GetName()) + len(customer.GetEmail()) + len(customer.GetPhone())
	for _, t := range m.Tickets {
		size += len(t.Id) + len(t.Serial) + len(t.Barcode) + len(t.Set) + len(t.Seat.GetRow()) + len(t.Seat.GetNumber())
	}
	var to textMemory
	to.Grow(size)
	to.own(&m.Id)
	to.own(&m.Event)
	to.own(&m.Org)
	if customer != nil {
		to.own(&customer.Name)
		to.own(&customer.Email)
		to.own(&customer.Phone)
	}
	for _, t := range m.Tickets {
		to.own(&t.Id)
		to.own(&t.Serial)
		to.own(&t.Barcode)
		to.own(&t.Set)
		if t.Seat != nil {
			to.own(&t.Seat.Row)
			to.own(&t.Seat.Number)
		}
	}
}

// textMemory is one piece of memory for all texts of a message.
type textMemory struct{ strings.Builder }

// own moves a text there. There has to be room for it.
func (m *textMemory) own(text *string) {
	at := m.Len()
	m.WriteString(*text)
	*text = m.String()[at:]
}
