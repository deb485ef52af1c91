package processors

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

type rawCodec = kafka.Bytes

// marshal encodes an internal message, always in the same way.
func marshal(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", m, err)) // strings were checked at intake
	}
	return b
}
