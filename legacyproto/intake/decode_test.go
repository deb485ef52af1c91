package intake_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/legacyproto/intake"
)

// secret stands for content that must not reach an error text.
const secret = "Zolotareva"

// bad is secret text that is not valid UTF-8.
const bad = secret + "\xff"

// field returns one length-delimited field on the wire.
func field(number protowire.Number, content ...[]byte) []byte {
	b := protowire.AppendTag(nil, number, protowire.BytesType)
	return protowire.AppendBytes(b, bytes.Join(content, nil))
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func text(s string) []byte { return []byte(s) }

func TestDecodeOrderClassifiesFailures(t *testing.T) {
	id := field(1, text(secret))
	badName := field(20, field(1, field(2, text(bad))))
	tests := []struct {
		name     string
		wire     []byte
		want     error // nil: decodes
		mentions string
	}{
		{name: "good", wire: join(id, field(20, field(1, field(2, text(secret)))))},
		{name: "unknown field is skipped", wire: join(id, field(5000, text(bad)))},
		{name: "invalid UTF-8 in a field outside of the projection", wire: join(id, field(9, text(bad)))},
		{name: "garbage inside a message outside of the projection", wire: join(id, field(50, text("\xff\xff")))},
		{name: "known field in another wire type is skipped", wire: join(id, protowire.AppendVarint(protowire.AppendTag(nil, 7, protowire.VarintType), 5))},
		{name: "complete unknown group is skipped", wire: join(id, protowire.AppendTag(nil, 900, protowire.StartGroupType), id, protowire.AppendTag(nil, 900, protowire.EndGroupType))},

		{name: "top-level string", wire: field(1, text(bad)), want: intake.ErrInvalidUTF8, mentions: "field id (number 1) of Order, whose text starts at offset 2"},
		{name: "nested string", wire: join(id, badName), want: intake.ErrInvalidUTF8, mentions: "field name (number 2) of Customer, whose text starts at offset 19"},
		{name: "string in a repeated message", wire: join(field(33, id), field(33, field(5, text(bad)))), want: intake.ErrInvalidUTF8, mentions: "field barcode"},
		{name: "first of two is named", wire: join(field(7, text(bad)), badName), want: intake.ErrInvalidUTF8, mentions: "field event "},
		{name: "overlong encoding", wire: field(1, text("\xc0\x80")), want: intake.ErrInvalidUTF8},
		{name: "surrogate half", wire: field(1, text("\xed\xa0\x80")), want: intake.ErrInvalidUTF8},

		{name: "cut in a value", wire: id[:len(id)-1], want: intake.ErrUndecodable, mentions: "field 1 of Order at offset 1 is cut short"},
		{name: "cut in a tag", wire: join(id, []byte{0x80}), want: intake.ErrUndecodable, mentions: "field tag at offset 12 is cut short"},
		{name: "cut after a tag", wire: join(id, []byte{0x0a}), want: intake.ErrUndecodable},
		{name: "cut inside of a nested message", wire: field(20, field(1, field(2, text(secret)))[:9]), want: intake.ErrUndecodable, mentions: "field 1 of Settings at offset 4 is cut short"},
		{name: "broken after invalid UTF-8", wire: join(badName, []byte{0x0a, 0x7f}), want: intake.ErrUndecodable},
		{name: "broken before invalid UTF-8", wire: join(field(20, []byte{0x0a, 0x7f}), field(1, text(bad))), want: intake.ErrUndecodable},
		{name: "field number zero", wire: []byte{0x02, 0x00}, want: intake.ErrUndecodable},
		{name: "field number too large, then invalid UTF-8", wire: join(protowire.AppendVarint(nil, 1<<29<<3|2), []byte{0}, field(1, text(bad))), want: intake.ErrUndecodable, mentions: "field number out of range at offset 0"},
		{name: "reserved wire type", wire: []byte{0x0f}, want: intake.ErrUndecodable},
		{name: "end of a group that never began", wire: protowire.AppendTag(nil, 3, protowire.EndGroupType), want: intake.ErrUndecodable},
		{name: "group without an end", wire: protowire.AppendTag(nil, 900, protowire.StartGroupType), want: intake.ErrUndecodable},
		{name: "overflowing number", wire: join(protowire.AppendTag(nil, 2, protowire.VarintType), bytes.Repeat([]byte{0xff}, 10), []byte{1}), want: intake.ErrUndecodable, mentions: "not valid wire format"},
		{name: "JSON", wire: text(`{"id":"` + secret + `"}`), want: intake.ErrUndecodable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := intake.DecodeOrder(test.wire, new(intake.Order))
			checkError(t, err, test.want, test.mentions)
		})
	}
}

func checkError(t *testing.T, err, want error, mentions string) {
	t.Helper()
	if want == nil {
		if err != nil {
			t.Fatalf("unexpected error: %v", err)
		}
		return
	}
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want one that wraps %q", err, want)
	}
	if errors.Is(err, intake.ErrUndecodable) && errors.Is(err, intake.ErrInvalidUTF8) {
		t.Errorf("the error wraps both reasons: %v", err)
	}
	if !strings.Contains(err.Error(), mentions) {
		t.Errorf("error %q does not mention %q", err, mentions)
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("error %q shows content", err)
	}
}

func TestEveryDecoderClassifies(t *testing.T) {
	for _, s := range streams {
		t.Run(s.name, func(t *testing.T) {
			checkError(t, s.decode(field(1, text(secret)), s.projection()), nil, "")
			checkError(t, s.decode(nil, s.projection()), nil, "")
			checkError(t, s.decode(field(1, text(bad)), s.projection()), intake.ErrInvalidUTF8, "decode "+s.name)
			checkError(t, s.decode([]byte{0x0a}, s.projection()), intake.ErrUndecodable, "decode "+s.name)
		})
	}
}

// A message that is used again must not keep anything of the record before.
func TestDecodeStartsAfresh(t *testing.T) {
	order := &intake.Order{Id: "old", Number: 5, Tickets: []*intake.Order_Ticket{{Id: "old"}}}
	if err := intake.DecodeOrder(field(7, text("event")), order); err != nil {
		t.Fatal(err)
	}
	if want := (&intake.Order{Event: "event"}); !proto.Equal(order, want) {
		t.Errorf("got %v, want %v", order, want)
	}
}

func TestLastMemberOfOneofWins(t *testing.T) {
	legal := join(field(7, text("ip")), field(6, text("company")))
	var event intake.Event
	if err := intake.DecodeEvent(field(20, legal), &event); err != nil {
		t.Fatal(err)
	}
	if event.GetLegalRu().GetOgrn() != "company" || event.GetLegalRu().GetOgrnip() != "" {
		t.Errorf("event: got %v", event.GetLegalRu())
	}
	var partner intake.Partner
	if err := intake.DecodePartner(join(field(40, legal), field(40, field(7, text("ip again")))), &partner); err != nil {
		t.Fatal(err)
	}
	if partner.GetLegal().GetOgrnip() != "ip again" || partner.GetLegal().GetOgrn() != "" {
		t.Errorf("partner: got %v", partner.GetLegal())
	}
}

// FuzzDecode states how the projections relate to the full schema for any
// bytes: what the full schema reads, the projection reads alike; what the
// projection refuses, the full schema refuses; and every refusal has exactly
// one reason.
func FuzzDecode(f *testing.F) {
	f.Add(uint8(0), []byte{})
	f.Add(uint8(0), join(field(1, text("p")), field(40, field(6, text("1")), field(7, text("2")))))
	f.Add(uint8(1), join(field(1, text("e")), field(30, field(1, text("s")), field(2, text("зал"))), field(20, field(7, text("3")))))
	f.Add(uint8(2), join(field(1, text("o")), field(20, field(1, field(2, text(bad))))))
	f.Add(uint8(2), mustMarshal(&legacyproto.Order{Id: "o", Status: 77, Payments: []*legacyproto.Order_Payment{{Amount: -1}}}))
	f.Add(uint8(3), join(field(24, field(1, text("t"))), []byte{0x0a, 0x05, 0x00}))
	f.Add(uint8(3), []byte{0x1b, 0x0a, 0x01, 0x00, 0x1c})
	f.Fuzz(func(t *testing.T, kind uint8, wire []byte) {
		s := streams[int(kind)%len(streams)]
		full, got := s.full(), s.projection()
		fullErr := proto.Unmarshal(wire, full)
		err := s.decode(wire, got)
		if err == nil {
			if fullErr == nil && !proto.Equal(got, project(full, s.projection())) {
				t.Fatalf("%s: decoded %v, the full message is %v", s.name, got, full)
			}
			return
		}
		if fullErr == nil {
			t.Fatalf("%s: the full schema reads it, the projection says %v", s.name, err)
		}
		if errors.Is(err, intake.ErrUndecodable) == errors.Is(err, intake.ErrInvalidUTF8) {
			t.Fatalf("%s: not exactly one reason: %v", s.name, err)
		}
		if strings.Contains(err.Error(), "structure is sound") {
			t.Fatalf("%s: the decoder refuses what the walk accepts", s.name)
		}
	})
}

func mustMarshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}
