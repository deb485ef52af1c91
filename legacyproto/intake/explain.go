package intake

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// explain says why b could not be decoded as the described message. Structure
// goes before text: bytes that are broken in both ways are undecodable,
// whichever comes first.
func explain(b []byte, message protoreflect.MessageDescriptor) error {
	w := walk{}
	if err := w.message(b, 0, message); err != nil {
		return err
	}
	if w.invalidText != nil {
		return w.invalidText
	}
	return fmt.Errorf("%w: the decoder refuses the record although its structure is sound", ErrUndecodable)
}

// walk passes over the wire bytes of a message in the way the decoder does.
type walk struct {
	invalidText error // wraps ErrInvalidUTF8; the first one met
}

// message walks the fields of one message whose first byte is at offset base
// of the record. The depth of the recursion is that of the schema, which has
// no cycles.
func (w *walk) message(b []byte, base int, message protoreflect.MessageDescriptor) error {
	for at := 0; at < len(b); {
		number, wireType, n := protowire.ConsumeTag(b[at:])
		if n < 0 {
			return malformed(base+at, "field tag", n)
		}
		if number > protowire.MaxValidNumber {
			return fmt.Errorf("%w: field number out of range at offset %d", ErrUndecodable, base+at)
		}
		at += n
		size := protowire.ConsumeFieldValue(number, wireType, b[at:])
		if size < 0 {
			return malformed(base+at, fmt.Sprintf("field %d of %s", number, message.Name()), size)
		}
		if wireType == protowire.BytesType {
			if err := w.bytes(b[at:at+size], base+at, message.Fields().ByNumber(number)); err != nil {
				return err
			}
		}
		at += size
	}
	return nil
}

// bytes walks a length-delimited value, its length prefix included. The field
// is nil when the schema does not know it.
func (w *walk) bytes(b []byte, base int, field protoreflect.FieldDescriptor) error {
	if field == nil {
		return nil
	}
	content, n := protowire.ConsumeBytes(b)
	base += n - len(content)
	switch field.Kind() {
	case protoreflect.MessageKind:
		return w.message(content, base, field.Message())
	case protoreflect.StringKind:
		w.text(content, base, field)
	}
	return nil
}

func (w *walk) text(content []byte, base int, field protoreflect.FieldDescriptor) {
	if w.invalidText != nil || utf8.Valid(content) {
		return
	}
	w.invalidText = fmt.Errorf("%w in field %s (number %d) of %s, whose text starts at offset %d",
		ErrInvalidUTF8, field.Name(), field.Number(), field.ContainingMessage().Name(), base)
}

// malformed describes a negative result of a protowire function.
func malformed(offset int, what string, code int) error {
	problem := "not valid wire format"
	if errors.Is(protowire.ParseError(code), io.ErrUnexpectedEOF) {
		problem = "cut short"
	}
	return fmt.Errorf("%w: %s at offset %d is %s", ErrUndecodable, what, offset, problem)
}
