// Package intake reads legacy records into projections: messages that carry
// only the fields that the mapping contract needs.
//
// What belongs here: the projections, their decoding, and the two ways in
// which decoding fails. What does not: judging the content of a decoded record
// (package mapping), and the full messages (package legacyproto).
package intake

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
)

// The mapping contract's reasons for records that cannot be read ("Any
// topic"). Every error of the Decode functions wraps exactly one of them.
var (
	// ErrUndecodable means that the bytes are not a protobuf message.
	ErrUndecodable = errors.New("undecodable")
	// ErrInvalidUTF8 means that the bytes are a well-formed message in which
	// a projected string field is not valid UTF-8. Strings that no projection
	// lists are skipped unread.
	ErrInvalidUTF8 = errors.New("invalid UTF-8")
)

// DecodePartner sets m to what the value of a partners record says. Values of
// zero length are tombstones and the caller's business; here they read as an
// empty message.
//
// Errors wrap ErrUndecodable or ErrInvalidUTF8, leave m in an undefined state,
// and name fields and offsets, never content.
func DecodePartner(b []byte, m *Partner) error { return decode(b, m) }

// DecodeRefundRequest is DecodePartner for records of the refund_requests topic.
func DecodeRefundRequest(b []byte, m *RefundRequest) error { return decode(b, m) }

var unmarshal = proto.UnmarshalOptions{DiscardUnknown: true}

func decode(b []byte, m proto.Message) error {
	if unmarshal.Unmarshal(b, m) == nil {
		return nil
	}
	// The library's own error is dropped: it has no exported type to tell the
	// two reasons apart, and nothing promises that its text is free of content.
	descriptor := m.ProtoReflect().Descriptor()
	return fmt.Errorf("decode %s: %w", descriptor.Name(), explain(b, descriptor))
}
