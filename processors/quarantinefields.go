package processors

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ticketscloud/vibe-bridge/internal/personal"
	projection "github.com/ticketscloud/vibe-bridge/legacyproto/intake"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// Field is a field of a legacy record as people may see it.
type Field struct {
	Path  string `json:"path"` // as in tickets[0].id
	Value string `json:"value"`
}

// shownFields are those whose text is not personal. Of all other texts only the shape
// is shown, and so it is of any that a later schema adds.
var shownFields = map[protoreflect.FullName]bool{}

func init() {
	const all = "vibebridge.intake.v1."
	for message, fields := range map[string]string{
		"Partner":              "id currency",
		"Event":                "id meta name org venue category",
		"Event.TicketSet":      "id name",
		"Order":                "id event org",
		"Order.Ticket":         "id set",
		"Order.Ticket.Seat":    "row number",
		"RefundRequest":        "id order event",
		"RefundRequest.Ticket": "id",
	} {
		for field := range strings.FieldsSeq(fields) {
			shownFields[protoreflect.FullName(all+message+"."+field)] = true
		}
	}
}

// ShownFields decodes what intake takes of a legacy record. An error says which field
// cannot be read, and nothing of what it holds.
func ShownFields(s mapping.Stream, value []byte) ([]Field, error) {
	leaves, err := legacyLeaves(s, value)
	if err != nil {
		return nil, err
	}
	var fields []Field
	for _, l := range leaves {
		if l.text {
			l.value = shownText(l.value, !l.personal)
		}
		fields = append(fields, Field{l.path, l.value})
	}
	return fields, nil
}

// legacyLeaves decodes what intake takes of a legacy record.
func legacyLeaves(s mapping.Stream, value []byte) ([]leaf, error) {
	m, err := decodeProjection(s, value)
	if err != nil {
		return nil, err
	}
	w := fieldWriter{shown: shownFields}
	w.message("", m.ProtoReflect())
	return w.leaves, nil
}

// leaf is a field as it is.
type leaf struct {
	path, value string
	text        bool // it is a string of the record
	personal    bool // it is not known to be anything else
}

func decodeProjection(s mapping.Stream, value []byte) (proto.Message, error) {
	switch s {
	case mapping.Partners:
		m := &projection.Partner{}
		return m, projection.DecodePartner(value, m)
	case mapping.Events:
		m := &projection.Event{}
		return m, projection.DecodeEvent(value, m)
	case mapping.Orders:
		m := &projection.Order{}
		return m, projection.DecodeOrder(value, m)
	default:
		m := &projection.RefundRequest{}
		return m, projection.DecodeRefundRequest(value, m)
	}
}

// fieldWriter lists the fields of a message. Texts but the shown ones are personal.
type fieldWriter struct {
	shown  map[protoreflect.FullName]bool
	leaves []leaf
}

func (w *fieldWriter) message(path string, m protoreflect.Message) {
	if at, ok := m.Interface().(*timestamppb.Timestamp); ok {
		w.add(path, shownTime(at))
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.Has(f) {
			continue
		}
		name := strings.TrimPrefix(path+"."+string(f.Name()), ".")
		if !f.IsList() {
			w.value(name, f, m.Get(f))
			continue
		}
		list := m.Get(f).List()
		for j := range list.Len() {
			w.value(name+"["+strconv.Itoa(j)+"]", f, list.Get(j))
		}
	}
}

func (w *fieldWriter) value(path string, f protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch f.Kind() {
	case protoreflect.MessageKind:
		w.message(path, v.Message())
	case protoreflect.EnumKind:
		name := strconv.Itoa(int(v.Enum()))
		if known := f.Enum().Values().ByNumber(v.Enum()); known != nil {
			name = string(known.Name())
		}
		w.add(path, name)
	case protoreflect.StringKind:
		w.leaves = append(w.leaves, leaf{path, v.String(), true, !w.shown[f.FullName()]})
	case protoreflect.BytesKind:
		w.add(path, fmt.Sprintf("%d bytes", len(v.Bytes())))
	default:
		w.add(path, v.String())
	}
}

func (w *fieldWriter) add(path, value string) {
	w.leaves = append(w.leaves, leaf{path: path, value: value})
}

func shownTime(at *timestamppb.Timestamp) string {
	if at.CheckValid() != nil {
		return fmt.Sprintf("%d s and %d ns since 1970, which is no time", at.GetSeconds(), at.GetNanos())
	}
	return at.AsTime().Format(time.RFC3339Nano)
}

// mostShown is how many characters of a text are shown.
const mostShown = 60

func shownText(text string, whole bool) string {
	short := text
	if n := utf8.RuneCountInString(text); n > mostShown {
		short = string([]rune(text)[:mostShown])
		return ShownID(shape(short, whole)) + fmt.Sprintf(" and %d more characters", n-mostShown)
	}
	return ShownID(shape(short, whole))
}

func shape(text string, whole bool) string {
	if whole {
		return text
	}
	return personal.Shape(text)
}
