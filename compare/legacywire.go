package compare

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// kind of a legacy field, as rules use it.
type legacyKind uint8

const (
	kindText legacyKind = iota
	kindInteger
	kindEnum // integer, of 32 bits
	kindTime
	kindMessage // has fields of its own
	kindList    // of messages
	kindSeconds // of a time
	kindNanos   // of a time
)

// legacyValue is one legacy field of a record.
type legacyValue struct {
	text   string // kindText
	number int64  // kindInteger, kindEnum; the seconds of kindTime
	nanos  int32  // kindTime
	there  bool   // kindTime: the message is on the wire
}

// wireMessage says which fields of a message to decode, and whereto: a slot of the
// record, or of an item of its list.
type wireMessage struct {
	descriptor protoreflect.MessageDescriptor
	byNumber   []*wireField // nil: not wanted
}

type wireField struct {
	descriptor protoreflect.FieldDescriptor
	kind       legacyKind
	slot       int
	// rivals are the slots of the other fields of its oneof. The one that comes last on
	// the wire is the one that is there.
	rivals []int
	inner  *wireMessage
}

// wirePlan is what to decode of a stream's records. It has at most one list, as deep
// as the record itself; what is within it makes items.
type wirePlan struct {
	record wireMessage
	list   protoreflect.Name // "" without one
	slots  int               // of the record
	items  int               // slots of an item
}

// legacyField is a field of the plan.
type legacyField struct {
	kind legacyKind
	slot int
	item bool
	enum protoreflect.EnumValueDescriptors // of kindEnum
}

// wire adds the field at a path, and says where it will be. Added twice it is the same.
func (p *wirePlan) wire(path string) (legacyField, error) {
	at, in := &p.record, legacyField{}
	names := strings.Split(path, ".")
	for i, name := range names {
		name, isList := strings.CutSuffix(name, "[]")
		fd := at.descriptor.Fields().ByName(protoreflect.Name(name))
		switch {
		case fd == nil:
			return in, fmt.Errorf("legacy path %q: %s has no field %q", path, at.descriptor.Name(), name)
		case fd.IsList() != isList:
			return in, fmt.Errorf("legacy path %q: [] belongs behind a list, and only there", path)
		case isList && (i > 0 || p.list != "" && p.list != fd.Name()):
			return in, fmt.Errorf("legacy path %q: a stream has one list, in the record itself", path)
		}
		k, err := kindOf(fd)
		if last := i == len(names)-1; err != nil || last == (k == kindMessage || k == kindList) {
			return in, fmt.Errorf("legacy path %q: it must lead to a text, an integer, an enum or a time", path)
		}
		f := at.at(fd.Number())
		if f == nil {
			f = p.add(at, fd, k, in.item)
		}
		if isList {
			p.list, in.item = fd.Name(), true
		}
		in.kind, in.slot, at = k, f.slot, f.inner
		if k == kindEnum {
			in.enum = fd.Enum().Values()
		}
	}
	return in, nil
}

func kindOf(fd protoreflect.FieldDescriptor) (legacyKind, error) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return kindText, nil
	case protoreflect.Int64Kind:
		return kindInteger, nil
	case protoreflect.EnumKind:
		return kindEnum, nil
	case protoreflect.MessageKind:
		if fd.IsList() {
			return kindList, nil
		}
		if fd.Message().FullName() == "google.protobuf.Timestamp" {
			return kindTime, nil
		}
		return kindMessage, nil
	}
	return 0, fmt.Errorf("field %s is a %s", fd.Name(), fd.Kind())
}

func (m *wireMessage) at(number protowire.Number) *wireField {
	if int(number) >= len(m.byNumber) {
		return nil
	}
	return m.byNumber[number]
}

func (p *wirePlan) add(to *wireMessage, fd protoreflect.FieldDescriptor, k legacyKind, item bool) *wireField {
	f := &wireField{descriptor: fd, kind: k}
	switch k {
	case kindMessage, kindList:
		f.inner = &wireMessage{descriptor: fd.Message()}
	default:
		slots := &p.slots
		if item {
			slots = &p.items
		}
		f.slot = *slots
		*slots++
	}
	if k == kindTime {
		f.inner = &wireMessage{descriptor: fd.Message()}
		seconds, nanos := fd.Message().Fields().ByName("seconds"), fd.Message().Fields().ByName("nanos")
		f.inner.put(&wireField{descriptor: seconds, kind: kindSeconds, slot: f.slot})
		f.inner.put(&wireField{descriptor: nanos, kind: kindNanos, slot: f.slot})
	}
	to.put(f)
	return f
}

func (m *wireMessage) put(f *wireField) {
	number := int(f.descriptor.Number())
	for len(m.byNumber) <= number {
		m.byNumber = append(m.byNumber, nil)
	}
	for _, other := range m.byNumber {
		if oneof := f.descriptor.ContainingOneof(); oneof != nil && other != nil && other.descriptor.ContainingOneof() == oneof {
			other.rivals = append(other.rivals, f.slot)
			f.rivals = append(f.rivals, other.slot)
		}
	}
	m.byNumber[number] = f
}

var errNotProtobuf = errors.New("not a protobuf message")

// legacyMessage is a decoded record. Its texts are parts of one copy of the record.
type legacyMessage struct {
	options *LegacyOptions
	values  []legacyValue
	items   [][]legacyValue
	item    int  // which of them is read
	badUTF8 bool // in one of the fields of the plan
	phoneOf string
	phone   string          // of phoneOf in E.164, "" when there is none
	seen    map[string]bool // sets of an event
}

// decode reads a record as a library does that knows only the fields of the plan:
// others, and those of another wire type, are passed over; of a field that comes twice
// the last counts, and messages are merged. It fails where that library does, but for
// text that is not UTF-8, which it notes.
func (m *legacyMessage) decode(p *wirePlan, record []byte) error {
	m.values = fresh(m.values, p.slots)
	m.items, m.badUTF8 = m.items[:0], false
	return m.fill(p, &p.record, m.values, record, string(record))
}

// fresh gives n empty values in the memory of the old ones.
func fresh(old []legacyValue, n int) []legacyValue {
	if cap(old) < n {
		return make([]legacyValue, n)
	}
	old = old[:n]
	clear(old)
	return old
}

func (m *legacyMessage) newItem(n int) []legacyValue {
	if len(m.items) < cap(m.items) {
		m.items = m.items[:len(m.items)+1]
	} else {
		m.items = append(m.items, nil)
	}
	last := &m.items[len(m.items)-1]
	*last = fresh(*last, n)
	return *last
}

// fill decodes a message into values; s is the same as b.
func (m *legacyMessage) fill(p *wirePlan, plan *wireMessage, values []legacyValue, b []byte, s string) error {
	for len(b) > 0 {
		number, wireType, n := protowire.ConsumeTag(b)
		if n < 0 || number > protowire.MaxValidNumber {
			return errNotProtobuf
		}
		b, s = b[n:], s[n:]
		size := protowire.ConsumeFieldValue(number, wireType, b)
		if size < 0 {
			return errNotProtobuf
		}
		if f := plan.at(number); f != nil {
			if err := m.take(p, f, values, wireType, b[:size], s[:size]); err != nil {
				return err
			}
		}
		b, s = b[size:], s[size:]
	}
	return nil
}

// take decodes the value of a field that is sound as a whole.
func (m *legacyMessage) take(p *wirePlan, f *wireField, values []legacyValue, wireType protowire.Type, b []byte, s string) error {
	switch f.kind {
	case kindInteger, kindEnum, kindSeconds, kindNanos:
		if wireType != protowire.VarintType {
			return nil
		}
		n, _ := protowire.ConsumeVarint(b)
		switch v := &values[f.slot]; f.kind {
		case kindEnum:
			v.number = int64(int32(n))
		case kindNanos:
			v.nanos = int32(n)
		default:
			v.number = int64(n)
		}
		return nil
	}
	if wireType != protowire.BytesType {
		return nil
	}
	content, _ := protowire.ConsumeBytes(b)
	s = s[len(b)-len(content):]
	switch f.kind {
	case kindText:
		if !utf8.ValidString(s) {
			m.badUTF8 = true
		}
		values[f.slot].text = s
		for _, rival := range f.rivals {
			values[rival] = legacyValue{}
		}
		return nil
	case kindTime:
		values[f.slot].there = true
	case kindList:
		values = m.newItem(p.items)
	}
	return m.fill(p, f.inner, values, content, s)
}

// of is the value of a field, for an item that of the item being read.
func (m *legacyMessage) of(in legacyField) *legacyValue {
	if in.item {
		return &m.items[m.item][in.slot]
	}
	return &m.values[in.slot]
}

// empty tells what is absent. Integers and enums never are.
func (v *legacyValue) empty(k legacyKind) bool {
	switch k {
	case kindText:
		return v.text == ""
	case kindTime:
		return !v.isTime()
	}
	return false
}

// Bounds of a google.protobuf.Timestamp: the years 1 to 9999.
const firstSecond, lastSecond = -62135596800, 253402300799

func (v *legacyValue) isTime() bool {
	return v.there && v.number >= firstSecond && v.number <= lastSecond && v.nanos >= 0 && v.nanos < 1_000_000_000
}
