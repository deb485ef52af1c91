package verify

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// shape lists the fields of a message that slim records depend on; a field that
// is a message has a shape of its own, any other nil.
type shape map[protowire.Number]shape

// The fields that the mapping contract names (its tables, column "from").
var (
	timeShape    = shape{1: nil, 2: nil}
	partnerShape = shape{1: nil, 2: nil, 15: nil, 40: {1: nil, 2: nil, 3: nil, 6: nil, 7: nil}}
	eventShape   = shape{
		1: nil, 2: nil, 3: nil, 4: nil, 5: nil, 6: nil, 7: nil, 9: {1: timeShape, 2: timeShape}, 10: nil,
		14: {1: nil, 2: nil, 3: nil}, 20: {2: nil, 3: nil, 4: nil, 5: nil, 6: nil, 7: nil}, 30: {1: nil, 2: nil, 3: nil},
	}
	orderShape = shape{
		1: nil, 2: nil, 4: nil, 7: nil, 8: nil, 20: {1: {2: nil, 3: nil, 4: nil}},
		33: {1: nil, 3: nil, 4: nil, 5: nil, 6: nil, 8: {1: nil, 2: nil}, 11: nil},
	}
	refundShape = shape{1: nil, 2: nil, 7: nil, 24: {1: nil}, 40: nil}
)

var errBroken = errors.New("not a protobuf message")

// prune leaves of a message the fields of the shape. What is broken inside of
// another field does not matter (decision 10).
func prune(b []byte, s shape) ([]byte, error) {
	var kept []byte
	for len(b) > 0 {
		number, kind, head := protowire.ConsumeTag(b)
		if head < 0 || number > protowire.MaxValidNumber {
			return nil, errBroken
		}
		size := protowire.ConsumeFieldValue(number, kind, b[head:])
		if size < 0 {
			return nil, errBroken
		}
		field, value := b[:head+size], b[head:head+size]
		b = b[head+size:]
		inner, wanted := s[number]
		switch {
		case !wanted:
		case inner == nil || kind != protowire.BytesType:
			kept = append(kept, field...)
		default:
			content, _ := protowire.ConsumeBytes(value)
			content, err := prune(content, inner)
			if err != nil {
				return nil, err
			}
			kept = protowire.AppendBytes(protowire.AppendTag(kept, number, protowire.BytesType), content)
		}
	}
	return kept, nil
}

// decode reads a legacy value; the verdict is that of an unreadable one, or none.
func decode(value []byte, s shape, m proto.Message) verdict {
	if len(value) == 0 {
		return verdict{Tombstone, "tombstone"}
	}
	pruned, err := prune(value, s)
	if err != nil {
		return quarantine("undecodable")
	}
	// What is left is well-formed, so that only its text can be at fault.
	if proto.Unmarshal(pruned, m) != nil {
		return quarantine("invalid_utf8")
	}
	return verdict{}
}
