package processors

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

type rawCodec = kafka.Bytes

// internal is a message of package statepb.
type internal interface {
	proto.Message
	MarshalVT() ([]byte, error)
	UnmarshalVTUnsafe([]byte) error
}

// marshal encodes an internal message, always in the same way.
func marshal(m internal) []byte {
	b, err := m.MarshalVT()
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", m, err)) // there is no way for it to fail
	}
	return b
}
