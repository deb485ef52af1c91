package orderscan_test

import (
	"bytes"

	"google.golang.org/protobuf/encoding/protowire"
)

// The tests of package intake have the same three.

// field returns one length-delimited field on the wire.
func field(number protowire.Number, content ...[]byte) []byte {
	b := protowire.AppendTag(nil, number, protowire.BytesType)
	return protowire.AppendBytes(b, bytes.Join(content, nil))
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func text(s string) []byte { return []byte(s) }
