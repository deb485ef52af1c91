package intake_test

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto/intake"
)

// agreeEvent is agree for an event.
func agreeEvent(t interface {
	Helper()
	Fatalf(string, ...any)
}, b []byte) *intake.Event {
	t.Helper()
	want := new(intake.Event)
	wantErr := proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(b, want)
	got := &intake.Event{Id: "old", Lifetime: new(intake.Lifetime), Sets: []*intake.Event_TicketSet{{Id: "old"}}}
	given := bytes.Clone(b)
	err := intake.DecodeEvent(given, got)
	viewed := new(intake.Event)
	viewErr := intake.ViewEvent(given, viewed)
	same := proto.Equal(viewed, got)
	clear(given)
	switch {
	case (err == nil) != (viewErr == nil) || err != nil && err.Error() != viewErr.Error() || err == nil && !same:
		t.Fatalf("%x: DecodeEvent says %v, ViewEvent %v", b, err, viewErr)
	case (err == nil) != (wantErr == nil):
		t.Fatalf("%x: the scan says %v, proto.Unmarshal %v", b, err, wantErr)
	case err == nil && !proto.Equal(got, want):
		t.Fatalf("%x: got %v, want %v", b, got, want)
	case err == nil:
		return got
	}
	if errors.Is(err, intake.ErrUndecodable) == errors.Is(err, intake.ErrInvalidUTF8) {
		t.Fatalf("%x: not exactly one reason: %v", b, err)
	}
	if reason := intake.DecodeByReflection(b, new(intake.Event)); err.Error() != reason.Error() {
		t.Fatalf("%x: the scan says %v, the library %v", b, err, reason)
	}
	return nil
}

func stamp(fields ...[]byte) []byte { return field(1, fields...) }

var eventCases = []struct {
	name string
	wire []byte
	want *intake.Event // nil: refused
}{
	{"nothing", nil, &intake.Event{}},
	{"every field", join(
		field(1, text("e")), field(2, text("m")), field(3, text("Имя")), field(4, text("d")), number(5, 3), field(6, text("o")), field(7, text("v")),
		field(9, field(1, number(1, 5), number(2, 6)), field(2, number(1, 7))), field(10, text("c")),
		field(14, field(1, text("1")), field(2, text("2")), field(3, text("3"))),
		field(20, number(2, 1), field(3, text("n")), field(4, text("i")), field(5, text("a")), field(6, text("g"))),
		field(30, field(1, text("s")), field(2, text("t")), field(3, text("u"))), field(30),
	), &intake.Event{
		Id: "e", Meta: "m", Name: "Имя", Description: "d", Status: intake.Event_FINISHED, Org: "o", Venue: "v", Category: "c",
		Lifetime: &intake.Lifetime{Start: &timestamppb.Timestamp{Seconds: 5, Nanos: 6}, Finish: &timestamppb.Timestamp{Seconds: 7}},
		Media:    &intake.Event_Media{Cover: "1", CoverSmall: "2", CoverOriginal: "3"},
		Legal: &intake.Event_LegalRu_{LegalRu: &intake.Event_LegalRu{
			Type: intake.Event_LegalRu_IP, Name: "n", Inn: "i", Address: "a", Ogrns: &intake.Event_LegalRu_Ogrn{Ogrn: "g"},
		}},
		Sets: []*intake.Event_TicketSet{{Id: "s", Name: "t", Description: "u"}, {}},
	}},
	{"embedded messages are merged", join(
		field(9, field(1, number(1, 5))), field(9, stamp(number(2, 6))), field(14, field(1, text("1"))), field(14, field(2, text("2"))),
		field(20, field(3, text("n")), field(6, text("g"))), field(20, field(4, text("i")), field(7, text("p"))),
	), &intake.Event{
		Lifetime: &intake.Lifetime{Start: &timestamppb.Timestamp{Seconds: 5, Nanos: 6}},
		Media:    &intake.Event_Media{Cover: "1", CoverSmall: "2"},
		Legal:    &intake.Event_LegalRu_{LegalRu: &intake.Event_LegalRu{Name: "n", Inn: "i", Ogrns: &intake.Event_LegalRu_Ogrnip{Ogrnip: "p"}}},
	}},
	{"an empty number of a legal entity is one", field(20, field(7)), &intake.Event{
		Legal: &intake.Event_LegalRu_{LegalRu: &intake.Event_LegalRu{Ogrns: &intake.Event_LegalRu_Ogrnip{}}},
	}},
	{"numbers wrap", field(9, stamp(number(1, 1<<64-1), number(2, 1<<32|7))), &intake.Event{
		Lifetime: &intake.Lifetime{Start: &timestamppb.Timestamp{Seconds: -1, Nanos: 7}},
	}},
	{"other wire types are unknown fields", join(field(5, text("x")), number(30, 1), number(9, 1), field(9, number(1, 1), stamp(field(1, text(bad))))), &intake.Event{
		Lifetime: &intake.Lifetime{Start: &timestamppb.Timestamp{}},
	}},
	{"sets in several places keep their order", join(field(30, field(1, text("1"))), field(1, text("e")), field(30, field(1, text("2"))), field(30, field(1, text("3")))), &intake.Event{
		Id: "e", Sets: []*intake.Event_TicketSet{{Id: "1"}, {Id: "2"}, {Id: "3"}},
	}},
	{"cut in a set", field(30, []byte{0x0a, 0x01}), nil},
	{"cut in a time", field(9, stamp([]byte{0x08})), nil},
	{"cut in media", field(14, []byte{0x0a, 0x01}), nil},
	{"cut in a legal entity", field(20, []byte{0x1a, 0x01}), nil},
	{"cut between sets", join(field(30), []byte{0xf2, 0x01, 0x01}), nil},
	{"invalid UTF-8 in a set", field(30, field(3, text(bad))), nil},
	{"invalid UTF-8 in the member of a oneof that loses", field(20, field(6, text(bad)), field(7, text("p"))), nil},
}

func TestDecodeEvent(t *testing.T) {
	for _, test := range eventCases {
		t.Run(test.name, func(t *testing.T) {
			got := agreeEvent(t, test.wire)
			if (got == nil) != (test.want == nil) || got != nil && !proto.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

var eventFields = fields{
	1: nil, 2: nil, 3: nil, 4: nil, 5: nil, 6: nil, 7: nil, 10: nil,
	9:  {1: {1: nil, 2: nil}, 2: {1: nil, 2: nil}},
	14: {1: nil, 2: nil, 3: nil},
	20: {2: nil, 3: nil, 4: nil, 5: nil, 6: nil, 7: nil},
	30: {1: nil, 2: nil, 3: nil},
}

// TestRandomEvent is TestRandomWire for events.
func TestRandomEvent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := randomMessage(t, eventFields, 0)
		if rapid.IntRange(0, 9).Draw(t, "damage") == 0 && len(b) > 0 {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		agreeEvent(t, b)
	})
}

// FuzzDecodeEvent is FuzzDecodeOrder for events.
func FuzzDecodeEvent(f *testing.F) {
	for _, c := range eventCases {
		f.Add(c.wire)
	}
	for r := range season.Generate(season.Config{Orders: 3, Seed: 1}) {
		if r.Topic == season.TopicEvents {
			f.Add(r.Value)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) { agreeEvent(t, b) })
}
