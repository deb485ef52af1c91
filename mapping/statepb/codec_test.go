package statepb

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"
)

type message interface {
	proto.Message
	MarshalVT() ([]byte, error)
	UnmarshalVT([]byte) error
	UnmarshalVTUnsafe([]byte) error
}

// whole are the messages that are written and read by themselves.
func whole() []message {
	return []message{&Row{}, &Input{}, &Answer{}, &Loop{}, &Membership{}, &Tallies{}, &Personal{}}
}

// FuzzCodec holds the generated codec, which uses no reflection, against the protobuf library: what both read is equal,
// and has equal bytes when it is written. The codec refuses less, see decision 17.
func FuzzCodec(f *testing.F) {
	for kind, m := range whole() {
		f.Add(uint8(kind), []byte{})
		f.Add(uint8(kind), []byte("\x0a\x02\x0a\xff\x12\x00"))
		if b, err := proto.Marshal(m); err == nil {
			f.Add(uint8(kind), b)
		}
	}
	f.Add(uint8(0), encoded(f, &Row{State: &Row_Order{Order: &OrderState{
		Entity: &Entity{Source: &Source{Offset: -1}, Seen: []*Seen{{Above: []int64{3, 9}, Quarantined: []*Offsets{{Reason: "r", Offsets: []int64{1}}}}}},
		Facts:  &OrderFacts{Id: "o", Customer: &Customer{Name: "Анна"}, Tickets: []*Ticket{{Nominal: 1 << 62}}, Sealed: &Sealed{Text: []byte{0xff}}},
	}}}))
	start := int64(0)
	f.Add(uint8(1), encoded(f, &Input{Settled: 7, Body: &Input_Event{Event: &EventFacts{Start: &start, Sets: []*TicketSet{{Id: "s"}}}}, Replay: &Replay{Stage: "gate"}}))
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		all := whole()
		mine := all[int(kind)%len(all)]
		library, view := proto.Clone(mine), proto.Clone(mine).(message)
		refused := proto.Unmarshal(b, library)
		err := mine.UnmarshalVT(b)
		if viewed := view.UnmarshalVTUnsafe(b); (viewed == nil) != (err == nil) || err == nil && !proto.Equal(view, mine) {
			t.Fatalf("with copied texts %v (%v), without %v (%v)", mine, err, view, viewed)
		}
		switch {
		case err != nil:
			return // the library may read it: a field of another wire type is an unknown one for it
		case refused != nil:
			return // a text that is not UTF-8, or an unknown field that is malformed inside
		}
		dropUnknown(mine.ProtoReflect()) // which the library writes in another way where a tag has more bytes than it needs
		dropUnknown(library.ProtoReflect())
		if !proto.Equal(mine, library) {
			t.Fatalf("read as %v, and by the library as %v", mine, library)
		}
		compareWritten(t, mine, library)
	})
}

func dropUnknown(m protoreflect.Message) {
	m.SetUnknown(nil)
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Kind() != protoreflect.MessageKind:
		case fd.IsList():
			for i := range v.List().Len() {
				dropUnknown(v.List().Get(i).Message())
			}
		default:
			dropUnknown(v.Message())
		}
		return true
	})
}

func compareWritten(t *testing.T, mine message, library proto.Message) {
	t.Helper()
	want, err := proto.MarshalOptions{Deterministic: true}.Marshal(library)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := mine.MarshalVT(); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("written as %x (%v), by the library as %x", got, err, want)
	}
}

// TestCodecWritesWhatTheLibraryWrites: rows of an earlier release, which wrote with the library, equal those that are written now.
func TestCodecWritesWhatTheLibraryWrites(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := rapid.SampledFrom(whole()).Draw(rt, "message")
		m = proto.Clone(m).(message)
		fill(rt, m.ProtoReflect(), 5)
		want, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			rt.Fatal(err)
		}
		got, err := m.MarshalVT()
		if err != nil || !bytes.Equal(got, want) {
			rt.Fatalf("%v: written as %x (%v), by the library as %x", m, got, err, want)
		}
		back := m.ProtoReflect().New().Interface().(message)
		if err := back.UnmarshalVTUnsafe(got); err != nil || !proto.Equal(back, m) {
			rt.Fatalf("%v was read as %v (%v)", m, back, err)
		}
	})
}

// fill sets some fields of a message, in any way that it can be set.
func fill(rt *rapid.T, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if depth == 0 || rapid.IntRange(0, 2).Draw(rt, "set") == 0 {
			continue
		}
		if !fd.IsList() {
			m.Set(fd, valueOf(rt, fd, m.NewField(fd), depth))
			continue
		}
		list := m.Mutable(fd).List()
		for range rapid.IntRange(0, 3).Draw(rt, "length") {
			list.Append(valueOf(rt, fd, list.NewElement(), depth))
		}
	}
}

func valueOf(rt *rapid.T, fd protoreflect.FieldDescriptor, fresh protoreflect.Value, depth int) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.MessageKind:
		fill(rt, fresh.Message(), depth-1)
		return fresh
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(rapid.String().Draw(rt, "text"))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(rapid.SliceOf(rapid.Byte()).Draw(rt, "bytes"))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(rt, "bool"))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(rapid.Int32().Draw(rt, "enum")))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(rapid.Int32().Draw(rt, "int32"))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(rapid.Int64().Draw(rt, "int64"))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(rapid.Uint64().Draw(rt, "uint64"))
	}
	panic(errors.New("no value for " + string(fd.FullName())))
}

func encoded(f *testing.F, m proto.Message) []byte {
	f.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	return b
}
