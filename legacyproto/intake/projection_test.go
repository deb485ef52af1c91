package intake_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/legacyproto/intake"
)

// stream ties a projection to its full message.
type stream struct {
	name       string
	full       func() proto.Message
	projection func() proto.Message
	decode     func([]byte, proto.Message) error
}

var streams = []stream{
	{
		name:       "Partner",
		full:       func() proto.Message { return new(legacyproto.Partner) },
		projection: func() proto.Message { return new(intake.Partner) },
		decode:     func(b []byte, m proto.Message) error { return intake.DecodePartner(b, m.(*intake.Partner)) },
	},
	{
		name:       "Event",
		full:       func() proto.Message { return new(legacyproto.Event) },
		projection: func() proto.Message { return new(intake.Event) },
		decode:     func(b []byte, m proto.Message) error { return intake.DecodeEvent(b, m.(*intake.Event)) },
	},
	{
		name:       "Order",
		full:       func() proto.Message { return new(legacyproto.Order) },
		projection: func() proto.Message { return new(intake.Order) },
		decode:     func(b []byte, m proto.Message) error { return intake.DecodeOrder(b, m.(*intake.Order)) },
	},
	{
		name:       "RefundRequest",
		full:       func() proto.Message { return new(legacyproto.RefundRequest) },
		projection: func() proto.Message { return new(intake.RefundRequest) },
		decode:     func(b []byte, m proto.Message) error { return intake.DecodeRefundRequest(b, m.(*intake.RefundRequest)) },
	},
}

// projectedFields is what the mapping contract takes from each record.
var projectedFields = map[string][]string{
	"Partner": {
		"id", "name", "currency", "legal",
		"legal.name", "legal.address", "legal.inn", "legal.ogrn", "legal.ogrnip",
	},
	"Event": {
		"id", "meta", "name", "description", "status", "org", "venue", "category",
		"lifetime", "lifetime.start", "lifetime.start.seconds", "lifetime.start.nanos",
		"lifetime.finish", "lifetime.finish.seconds", "lifetime.finish.nanos",
		"media", "media.cover", "media.cover_small", "media.cover_original",
		"legal_ru", "legal_ru.type", "legal_ru.name", "legal_ru.inn", "legal_ru.address",
		"legal_ru.ogrn", "legal_ru.ogrnip",
		"sets", "sets.id", "sets.name", "sets.description",
	},
	"Order": {
		"id", "number", "status", "event", "org",
		"settings", "settings.customer", "settings.customer.name", "settings.customer.email", "settings.customer.phone",
		"tickets", "tickets.id", "tickets.serial", "tickets.number", "tickets.barcode", "tickets.set",
		"tickets.seat", "tickets.seat.row", "tickets.seat.number", "tickets.nominal",
	},
	"RefundRequest": {"id", "status", "order", "event", "tickets", "tickets.id"},
}

func TestProjectionsListWhatMappingNeeds(t *testing.T) {
	for _, s := range streams {
		t.Run(s.name, func(t *testing.T) {
			have := fieldPaths(descriptorOf(s.projection()), "")
			want := slices.Sorted(slices.Values(projectedFields[s.name]))
			slices.Sort(have)
			if !slices.Equal(have, want) {
				t.Errorf("projected fields\n got %v\nwant %v", have, want)
			}
		})
	}
}

func TestProjectionsAgreeWithFullSchema(t *testing.T) {
	for _, s := range streams {
		t.Run(s.name, func(t *testing.T) {
			checkMessage(t, s.name, descriptorOf(s.projection()), descriptorOf(s.full()))
		})
	}
}

func checkMessage(t *testing.T, path string, projected, full protoreflect.MessageDescriptor) {
	t.Helper()
	if projected.FullName() == full.FullName() {
		return // the very same message, such as Timestamp
	}
	for i := range projected.Fields().Len() {
		field := projected.Fields().Get(i)
		at := path + "." + string(field.Name())
		original := full.Fields().ByName(field.Name())
		if original == nil {
			t.Errorf("%s: not in the full schema", at)
			continue
		}
		checkField(t, at, field, original)
	}
	for i := range projected.Oneofs().Len() {
		oneof := projected.Oneofs().Get(i)
		original := full.Oneofs().ByName(oneof.Name())
		// With a member left out, a record in which that member comes last
		// would read as if an earlier one were set.
		if original == nil || original.Fields().Len() != oneof.Fields().Len() {
			t.Errorf("%s: oneof %s does not list all members", path, oneof.Name())
		}
	}
}

func checkField(t *testing.T, at string, field, original protoreflect.FieldDescriptor) {
	t.Helper()
	if field.Number() != original.Number() {
		t.Errorf("%s: number %d, in the full schema %d", at, field.Number(), original.Number())
	}
	if field.Kind() != original.Kind() {
		t.Errorf("%s: kind %v, in the full schema %v", at, field.Kind(), original.Kind())
		return
	}
	if field.Cardinality() != original.Cardinality() {
		t.Errorf("%s: %v, in the full schema %v", at, field.Cardinality(), original.Cardinality())
	}
	if field.HasPresence() != original.HasPresence() {
		t.Errorf("%s: presence %v, in the full schema %v", at, field.HasPresence(), original.HasPresence())
	}
	if oneofName(field) != oneofName(original) {
		t.Errorf("%s: oneof %q, in the full schema %q", at, oneofName(field), oneofName(original))
	}
	switch field.Kind() {
	case protoreflect.MessageKind:
		checkMessage(t, at, field.Message(), original.Message())
	case protoreflect.EnumKind:
		checkEnum(t, at, field.Enum(), original.Enum())
	}
}

func checkEnum(t *testing.T, at string, projected, full protoreflect.EnumDescriptor) {
	t.Helper()
	if projected.IsClosed() {
		t.Errorf("%s: the enum is closed, unknown values would be lost", at)
	}
	have, want := enumValues(projected), enumValues(full)
	if !slices.Equal(have, want) {
		t.Errorf("%s: enum values %v, in the full schema %v", at, have, want)
	}
}

type enumValue struct {
	name   protoreflect.Name
	number protoreflect.EnumNumber
}

func enumValues(enum protoreflect.EnumDescriptor) []enumValue {
	values := make([]enumValue, enum.Values().Len())
	for i := range values {
		values[i] = enumValue{enum.Values().Get(i).Name(), enum.Values().Get(i).Number()}
	}
	return values
}

func oneofName(field protoreflect.FieldDescriptor) protoreflect.Name {
	if field.ContainingOneof() == nil {
		return ""
	}
	return field.ContainingOneof().Name()
}

func fieldPaths(message protoreflect.MessageDescriptor, prefix string) []string {
	var paths []string
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		paths = append(paths, prefix+string(field.Name()))
		if field.Kind() == protoreflect.MessageKind {
			paths = append(paths, fieldPaths(field.Message(), prefix+string(field.Name())+".")...)
		}
	}
	return paths
}

func descriptorOf(m proto.Message) protoreflect.MessageDescriptor {
	return m.ProtoReflect().Descriptor()
}

// TestProjectionReadsWhatFullMessageReads states the purpose of projections:
// decoding by one equals decoding in full and then leaving out the rest. Two
// messages written one after the other are one message on the wire, in which
// oneofs, repeated and nested fields occur twice.
func TestProjectionReadsWhatFullMessageReads(t *testing.T) {
	for _, s := range streams {
		t.Run(s.name, rapid.MakeCheck(func(t *rapid.T) {
			var wire []byte
			for range rapid.IntRange(1, 2).Draw(t, "messages") {
				m := s.full()
				fill(t, m.ProtoReflect())
				part, err := proto.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				wire = append(wire, part...)
			}
			full := s.full()
			if err := proto.Unmarshal(wire, full); err != nil {
				t.Fatal(err)
			}
			got := s.projection()
			if err := s.decode(wire, got); err != nil {
				t.Fatalf("decode: %v", err)
			}
			if want := project(full, s.projection()); !proto.Equal(got, want) {
				t.Fatalf("decoded\n got %v\nwant %v", got, want)
			}
		}))
	}
}

// project copies the fields that the projection has.
func project(full, projection proto.Message) proto.Message {
	projectInto(full.ProtoReflect(), projection.ProtoReflect())
	return projection
}

func projectInto(full, projection protoreflect.Message) {
	full.Range(func(original protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		field := projection.Descriptor().Fields().ByName(original.Name())
		switch {
		case field == nil:
		case field.IsList():
			list := projection.Mutable(field).List()
			for i := range value.List().Len() {
				if field.Kind() == protoreflect.MessageKind {
					projectInto(value.List().Get(i).Message(), list.AppendMutable().Message())
					continue
				}
				list.Append(value.List().Get(i))
			}
		case field.Kind() == protoreflect.MessageKind:
			projectInto(value.Message(), projection.Mutable(field).Message())
		default:
			projection.Set(field, value)
		}
		return true
	})
}

// fill sets random fields to random valid values, unknown enum numbers among
// them.
func fill(t *rapid.T, m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if !rapid.Bool().Draw(t, string(field.Name())) {
			continue
		}
		switch {
		case field.IsList():
			list := m.Mutable(field).List()
			for range rapid.IntRange(0, 3).Draw(t, "length") {
				if field.Kind() == protoreflect.MessageKind {
					fill(t, list.AppendMutable().Message())
					continue
				}
				list.Append(scalar(t, field))
			}
		case field.Kind() == protoreflect.MessageKind:
			fill(t, m.Mutable(field).Message())
		default:
			m.Set(field, scalar(t, field))
		}
	}
}

func scalar(t *rapid.T, field protoreflect.FieldDescriptor) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, "bool"))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(rapid.SampledFrom([]int32{0, 1, 2, 3, 4, 77, -1}).Draw(t, "enum")))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(rapid.Int32().Draw(t, "int32"))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(rapid.Int64().Draw(t, "int64"))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(rapid.Uint32().Draw(t, "uint32"))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(rapid.Uint64().Draw(t, "uint64"))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(rapid.Float64().Draw(t, "double"))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(rapid.StringN(0, 8, -1).Draw(t, "string"))
	default:
		t.Fatalf("no generator for %v, which %s has", field.Kind(), field.FullName())
		return protoreflect.Value{}
	}
}
