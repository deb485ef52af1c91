package intake_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto/intake"
)

// reader has read what was compared before.
var reader intake.OrderReader

// agree fails when the scan and proto.Unmarshal differ about b, or the scan and
// the other decoders about the reason to refuse it. It returns what was decoded,
// nil for what is refused.
func agree(t interface {
	Helper()
	Fatalf(string, ...any)
}, b []byte) *intake.Order {
	t.Helper()
	want := new(intake.Order)
	wantErr := proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(b, want)
	// Not empty, so that what it held before would show, and of shared memory, so that what is kept of it would.
	got := &intake.Order{Id: "old", Number: 5, Settings: new(intake.Order_Settings), Tickets: []*intake.Order_Ticket{{Id: "old"}}}
	given := bytes.Clone(b)
	err := intake.DecodeOrder(given, got)
	read, readErr := reader.Decode(given)
	switch {
	case (err == nil) != (readErr == nil) || err != nil && err.Error() != readErr.Error():
		t.Fatalf("%x: DecodeOrder says %v, a reader %v", b, err, readErr)
	case err == nil && !proto.Equal(got, read):
		t.Fatalf("%x: DecodeOrder says %v, a reader %v", b, got, read)
	}
	clear(given)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%x: the scan says %v, proto.Unmarshal %v", b, err, wantErr)
	}
	if err == nil {
		if !proto.Equal(got, want) {
			t.Fatalf("%x: got %v, want %v", b, got, want)
		}
		return got
	}
	reason := intake.DecodeByReflection(b, new(intake.Order))
	for _, r := range []error{intake.ErrUndecodable, intake.ErrInvalidUTF8} {
		if errors.Is(err, r) != errors.Is(reason, r) {
			t.Fatalf("%x: the scan says %v, the library %v", b, err, reason)
		}
	}
	if errors.Is(err, intake.ErrUndecodable) == errors.Is(err, intake.ErrInvalidUTF8) {
		t.Fatalf("%x: not exactly one reason: %v", b, err)
	}
	return nil
}

func number(n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v)
}

func group(n protowire.Number, content ...[]byte) []byte {
	b := append(protowire.AppendTag(nil, n, protowire.StartGroupType), bytes.Join(content, nil)...)
	return protowire.AppendTag(b, n, protowire.EndGroupType)
}

func customer(fields ...[]byte) []byte { return field(20, field(1, fields...)) }

// nested is n groups in one another.
func nested(n int) []byte {
	return append(bytes.Repeat([]byte{9<<3 | 3}, n), bytes.Repeat([]byte{9<<3 | 4}, n)...)
}

// cases name the rules one by one; they seed the fuzz function, too.
var cases = []struct {
	name string
	wire []byte
	want *intake.Order // nil: refused
}{
	{"nothing", nil, &intake.Order{}},
	{"every field", join(
		field(1, text("o")), number(2, 7), number(4, 2), field(7, text("e")), field(8, text("p")),
		customer(field(2, text("Имя")), field(3, text("a@example.com")), field(4, text("+7 900 000-00-00"))),
		field(33, field(1, text("t")), field(3, text("АА")), number(4, 9), field(5, text("2")), field(6, text("s")),
			field(8, field(1, text("r")), field(2, text("n"))), number(11, 100)),
	), &intake.Order{
		Id: "o", Number: 7, Status: intake.Order_DONE, Event: "e", Org: "p",
		Settings: &intake.Order_Settings{Customer: &intake.Order_Settings_Customer{Name: "Имя", Email: "a@example.com", Phone: "+7 900 000-00-00"}},
		Tickets: []*intake.Order_Ticket{{
			Id: "t", Serial: "АА", Number: 9, Barcode: "2", Set: "s", Nominal: 100, Seat: &intake.Order_Ticket_Seat{Row: "r", Number: "n"},
		}},
	}},
	{"the last scalar wins, an empty one too", join(field(1, text("a")), field(7, text("e")), number(2, 5), field(1, text("b")), field(7), number(2, 0)), &intake.Order{Id: "b"}},
	{"embedded messages are merged", join(
		customer(field(2, text("a")), field(3, text("b"))), field(20), customer(field(3, text("c"))),
		field(33, field(8, field(1, text("r"))), field(8, field(2, text("n")))),
	), &intake.Order{
		Settings: &intake.Order_Settings{Customer: &intake.Order_Settings_Customer{Name: "a", Email: "c"}},
		Tickets:  []*intake.Order_Ticket{{Seat: &intake.Order_Ticket_Seat{Row: "r", Number: "n"}}},
	}},
	{"empty messages are there", join(field(20), field(33), field(33, field(8))), &intake.Order{
		Settings: &intake.Order_Settings{}, Tickets: []*intake.Order_Ticket{{}, {Seat: &intake.Order_Ticket_Seat{}}},
	}},
	{"tickets in several places keep their order", join(
		field(33, field(1, text("1"))), field(33, field(1, text("2"))), field(1, text("o")), field(33, field(1, text("3"))), number(33, 1), field(33, field(1, text("4"))),
	), &intake.Order{Id: "o", Tickets: []*intake.Order_Ticket{{Id: "1"}, {Id: "2"}, {Id: "3"}, {Id: "4"}}}},
	{"other wire types are unknown fields", join(
		number(1, 1), field(2, text(bad)), field(4, text("\x02")), protowire.AppendFixed64(protowire.AppendTag(nil, 7, protowire.Fixed64Type), 1),
		protowire.AppendFixed32(protowire.AppendTag(nil, 8, protowire.Fixed32Type), 1), group(20, field(1, field(2, text("a")))), group(33), number(33, 1),
	), &intake.Order{}},
	{"packed numbers are unknown fields", join(field(2, []byte{7}), field(33, field(11, []byte{7, 8}))), &intake.Order{Tickets: []*intake.Order_Ticket{{}}}},
	{"what is not projected is not looked into", join(field(9, text(bad)), field(50, text("\xff\xff")), customer(field(1, text(bad))), field(1<<29-1, text("x"))),
		&intake.Order{Settings: &intake.Order_Settings{Customer: &intake.Order_Settings_Customer{}}}},
	{"numbers wrap", join(number(2, 1<<64-1), number(4, 1<<32|3), field(33, number(4, 1<<63))), &intake.Order{
		Number: -1, Status: intake.Order_CANCELLED, Tickets: []*intake.Order_Ticket{{Number: -1 << 63}},
	}},
	{"unknown status", number(4, 77), &intake.Order{Status: 77}},
	{"negative status", number(4, 1<<64-1), &intake.Order{Status: -1}},
	{"overlong varints", []byte{0x8a, 0x80, 0x00, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 'o'}, &intake.Order{Id: "o"}},
	{"groups in groups, with numbers that no field has", group(5, group(5), field(1, text(bad)), []byte{0xf8, 0xff, 0xff, 0xff, 0x3f, 0x01}), &intake.Order{}},
	{"a group named as a field of ours", group(1, field(1, text("x"))), &intake.Order{}},
	{"groups as deep as they may be", nested(protowire.DefaultRecursionLimit + 1), &intake.Order{}},

	{"groups deeper than that", nested(protowire.DefaultRecursionLimit + 2), nil},
	{"a number over 31 bits in a group", group(5, []byte{0x80, 0x80, 0x80, 0x80, 0x40, 0x01}), nil},
	{"field number zero in a group", group(5, []byte{0x00, 0x01}), nil},
	{"reserved wire type in a group", group(5, []byte{0x0f}), nil},
	{"group with the wrong end", []byte{0x2b, 0x34}, nil},
	{"group without an end", []byte{0x2b, 0x08, 0x01}, nil},
	{"end without a group", []byte{0x2c}, nil},
	{"end of a group inside of another message", join([]byte{0x2b}, field(20, []byte{0x2c})), nil},
	{"group that ends inside of a ticket only", join(field(33, []byte{0x2b})), nil},
	{"field number zero", []byte{0x02, 0x00}, nil},
	{"field number of 30 bits", protowire.AppendVarint(protowire.AppendVarint(nil, 1<<29<<3), 1), nil},
	{"field number of 61 bits", protowire.AppendVarint(protowire.AppendVarint(nil, 1<<63), 1), nil},
	{"reserved wire types", []byte{0x0e}, nil},
	{"the other reserved wire type", []byte{0x0f}, nil},
	{"varint of 65 bits", append([]byte{0x10}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02), nil},
	{"varint of eleven bytes", append([]byte{0x10}, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00), nil},
	{"unknown varint of eleven bytes", append([]byte{0x18}, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00), nil},
	{"key of eleven bytes", []byte{0x88, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0x01}, nil},
	{"length over 63 bits", append([]byte{0x0a}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), nil},
	{"cut in a varint", []byte{0x10, 0x80}, nil},
	{"cut in a key", []byte{0x80}, nil},
	{"cut behind a key", []byte{0x0a}, nil},
	{"cut in a text", []byte{0x0a, 0x02, 'o'}, nil},
	{"cut in an unknown field", []byte{0x4a, 0x02, 'o'}, nil},
	{"cut in 32 bits", []byte{0x4d, 1, 2, 3}, nil},
	{"cut in 64 bits", []byte{0x49, 1, 2, 3, 4, 5, 6, 7}, nil},
	{"cut in settings", field(20, []byte{0x0a, 0x01}), nil},
	{"cut in a customer", customer([]byte{0x12, 0x01}), nil},
	{"cut in a ticket", field(33, []byte{0x0a, 0x01}), nil},
	{"cut in a seat", field(33, field(8, []byte{0x0a, 0x01})), nil},
	{"cut between tickets", join(field(33), []byte{0x8a, 0x02, 0x01}), nil},
	{"invalid UTF-8", field(1, text(bad)), nil},
	{"invalid UTF-8 in a number of two bytes", field(8, text("\xc0\x80")), nil},
	{"surrogate half", field(7, text("\xed\xa0\x80")), nil},
	{"invalid UTF-8 that a later text would replace", join(field(1, text(bad)), field(1, text("o"))), nil},
	{"invalid UTF-8 in a customer", customer(field(4, text(bad))), nil},
	{"invalid UTF-8 in a ticket", field(33, field(5, text(bad))), nil},
	{"invalid UTF-8 in a seat", field(33, field(8, field(2, text(bad)))), nil},
	{"invalid UTF-8, and broken behind it", join(field(1, text(bad)), []byte{0x0a, 0x05}), nil},
	{"JSON", text(`{"id":"o"}`), nil},
}

func TestDecodeOrder(t *testing.T) {
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			got := agree(t, test.wire)
			if (got == nil) != (test.want == nil) || got != nil && !proto.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestErrorsShowNoContent(t *testing.T) {
	err := intake.DecodeOrder(field(1, text("Zolotareva\xff")), new(intake.Order))
	if !errors.Is(err, intake.ErrInvalidUTF8) || strings.Contains(err.Error(), "Zolotareva") {
		t.Errorf("got %v", err)
	}
}

func TestOrdersOfASeason(t *testing.T) {
	orders := 0
	for r := range season.Generate(season.Config{Orders: 300, Seed: 1, Hostile: 0.2}) {
		if r.Topic == season.TopicOrders {
			agree(t, r.Value)
			orders++
		}
	}
	if orders < 300 {
		t.Errorf("%d orders, want 300", orders)
	}
}

// An order of one ticket takes two allocations: the copy of the texts, and settings with customer, ticket and
// list. Several tickets take one more, and their list another.
func TestAllocations(t *testing.T) {
	for tickets, want := range map[int]float64{1: 2, 5: 4} {
		wire := cases[1].wire
		for range tickets - 1 {
			wire = append(bytes.Clone(wire), field(33, field(1, text("more")))...)
		}
		n := testing.AllocsPerRun(100, func() {
			var m intake.Order
			if intake.DecodeOrder(wire, &m) != nil || len(m.GetTickets()) != tickets {
				t.Fatal("not decoded")
			}
		})
		if n != want {
			t.Errorf("%d tickets: %v allocations, want %v", tickets, n, want)
		}
	}
}

// fields says which fields a message of the projection has: messages by their
// own fields, nil for texts and numbers.
type fields map[protowire.Number]fields

var orderFields = fields{
	1: nil, 2: nil, 4: nil, 7: nil, 8: nil,
	20: {1: {2: nil, 3: nil, 4: nil}},
	33: {1: nil, 3: nil, 4: nil, 5: nil, 6: nil, 8: {1: nil, 2: nil}, 11: nil},
}

// TestRandomWire compares on fields that are mostly the projection's, mostly sound, in any order and number.
func TestRandomWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := randomMessage(t, orderFields, 0)
		if rapid.IntRange(0, 9).Draw(t, "damage") == 0 && len(b) > 0 {
			at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
			if rapid.Bool().Draw(t, "cut") {
				b = b[:at]
			} else {
				b[at] = rapid.Byte().Draw(t, "byte")
			}
		}
		agree(t, b)
	})
}

func randomMessage(t *rapid.T, known fields, depth int) []byte {
	var b []byte
	for range rapid.IntRange(0, 6).Draw(t, "fields") {
		n := protowire.Number(rapid.SampledFrom([]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 20, 30, 30, 33, 33, 40, 5000, 1<<29 - 1}).Draw(t, "number"))
		inner, isKnown := known[n]
		kind := protowire.BytesType
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0, 1, 2, 3:
			kind = protowire.VarintType
		case 4:
			kind = rapid.SampledFrom([]protowire.Type{protowire.Fixed32Type, protowire.Fixed64Type, protowire.StartGroupType}).Draw(t, "type")
		}
		b = appendPadded(t, b, protowire.EncodeTag(n, kind))
		switch kind {
		case protowire.VarintType:
			b = appendPadded(t, b, rapid.OneOf(rapid.Uint64Range(0, 5), rapid.Uint64()).Draw(t, "value"))
		case protowire.Fixed32Type:
			b = append(b, 1, 2, 3, 4)
		case protowire.Fixed64Type:
			b = append(b, 1, 2, 3, 4, 5, 6, 7, 8)
		case protowire.StartGroupType:
			if depth < 4 {
				b = append(b, randomMessage(t, nil, depth+1)...)
			}
			b = protowire.AppendTag(b, n, protowire.EndGroupType)
		case protowire.BytesType:
			content := []byte(rapid.SampledFrom([]string{"", "a", "text", "текст", "\x08\x01", strings.Repeat("x", 130)}).Draw(t, "text"))
			if isKnown && inner != nil {
				content = randomMessage(t, inner, depth+1)
			} else if rapid.IntRange(0, 30).Draw(t, "bad") == 0 {
				content = []byte(bad)
			}
			b = append(appendPadded(t, b, uint64(len(content))), content...)
		}
	}
	return b
}

// appendPadded appends a varint, in more bytes than it needs now and then.
func appendPadded(t *rapid.T, b []byte, v uint64) []byte {
	at := len(b)
	b = protowire.AppendVarint(b, v)
	if rapid.IntRange(0, 15).Draw(t, "padded") > 0 {
		return b
	}
	for range rapid.IntRange(1, 10-min(9, len(b)-at)).Draw(t, "padding") {
		b[len(b)-1] |= 0x80
		b = append(b, 0)
	}
	return b
}

// FuzzDecodeOrder: any bytes are read as proto.Unmarshal reads them, or refused for the same reason.
func FuzzDecodeOrder(f *testing.F) {
	for _, c := range cases {
		if len(c.wire) < 1000 {
			f.Add(c.wire)
		}
	}
	for r := range season.Generate(season.Config{Orders: 3, Seed: 1}) {
		if r.Topic == season.TopicOrders {
			f.Add(r.Value)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) { agree(t, b) })
}
