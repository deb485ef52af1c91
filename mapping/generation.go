package mapping

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// GenerationIn is Generation for an encoded row, all of which has to decode. A recovery asks it of every row, most of which
// nobody needs decoded for long: so it is found out on the bytes alone, and what does not look right there is decoded, which
// decides (FuzzGenerationIn).
func GenerationIn(value []byte) (int32, error) {
	s := rowScan{}
	if s.message(value, rowShape, 0) && s.states <= 1 {
		return s.generation, nil
	}
	row, err := ViewRow(value)
	return Generation(row), err
}

// messageShape is what decides whether a message can be decoded: the kinds of its fields, by their numbers.
type messageShape struct {
	fields     []fieldShape
	generation protowire.Number // of the field that is one; 0: none is
}

type fieldShape struct {
	known   bool
	kind    protowire.Type
	list    bool          // of varints, in one field
	message *messageShape // of a message's field
}

var rowShape = shapeOf((&statepb.Row{}).ProtoReflect().Descriptor(), map[protoreflect.FullName]*messageShape{})

func shapeOf(d protoreflect.MessageDescriptor, done map[protoreflect.FullName]*messageShape) *messageShape {
	if m := done[d.FullName()]; m != nil {
		return m
	}
	m := &messageShape{}
	done[d.FullName()] = m
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		shape := fieldShape{known: true, list: f.IsPacked()}
		switch f.Kind() {
		case protoreflect.StringKind, protoreflect.BytesKind:
			shape.kind = protowire.BytesType
		case protoreflect.MessageKind:
			shape.kind, shape.message = protowire.BytesType, shapeOf(f.Message(), done)
		case protoreflect.BoolKind, protoreflect.EnumKind, protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind:
			shape.kind = protowire.VarintType
		default:
			continue // decoding decides
		}
		if shape.list {
			shape.kind = protowire.BytesType
		}
		for len(m.fields) <= int(f.Number()) {
			m.fields = append(m.fields, fieldShape{})
		}
		m.fields[f.Number()] = shape
		if f.Name() == "generation" {
			m.generation = f.Number()
		}
	}
	return m
}

// rowScan walks over a row.
type rowScan struct {
	generation int32
	states     int // of the row: the last one would count
}

const deepest = 16 // messages of a row are at most so deep in one another

// message tells whether a message is sure to decode. A field that is not known, or is written in another way than it
// usually is, leaves that open.
func (s *rowScan) message(b []byte, m *messageShape, depth int) bool {
	if depth > deepest {
		return false
	}
	for i := 0; i < len(b); {
		key, next := varintAt(b, i)
		n, kind := key>>3, protowire.Type(key&7)
		if next < 0 || n >= uint64(len(m.fields)) || m.fields[n].kind != kind || !m.fields[n].known {
			return false
		}
		if depth == 0 {
			s.states++
		}
		v, next := varintAt(b, next) // or how many bytes there are
		if next < 0 {
			return false
		}
		if i = next; kind == protowire.VarintType {
			if protowire.Number(n) == m.generation {
				s.generation = int32(v) // the last one counts
			}
			continue
		}
		if v > uint64(len(b)-i) {
			return false
		}
		value := b[i : i+int(v)]
		if m.fields[n].message != nil && !s.message(value, m.fields[n].message, depth+1) || m.fields[n].list && !varints(value) {
			return false
		}
		i += int(v)
	}
	return true
}

// varintAt reads the varint that begins at b[i], and tells where the next field or value begins; negative when it is not
// one. Most are of one byte.
func varintAt(b []byte, i int) (v uint64, next int) {
	if i < len(b) && b[i] < 0x80 {
		return uint64(b[i]), i + 1
	}
	return longVarintAt(b, i)
}

func longVarintAt(b []byte, i int) (v uint64, next int) {
	v, size := protowire.ConsumeVarint(b[i:])
	if size < 0 {
		return 0, -1
	}
	return v, i + size
}

// varints tells whether b is a list of them.
func varints(b []byte) bool {
	for i := 0; i < len(b); {
		if _, i = varintAt(b, i); i < 0 {
			return false
		}
	}
	return true
}
