package processors

import (
	"fmt"

	"google.golang.org/protobuf/proto"
)

// rawCodec passes bytes through. Callbacks decode by themselves: an error of a
// codec would stop the whole processor.
type rawCodec struct{}

func (rawCodec) Encode(value any) ([]byte, error) {
	b, ok := value.([]byte)
	if !ok {
		return nil, fmt.Errorf("encode: %T is not bytes", value)
	}
	return b, nil
}

func (rawCodec) Decode(data []byte) (any, error) { return data, nil }

// marshal encodes an internal message, always in the same way.
func marshal(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", m, err)) // strings were checked at intake
	}
	return b
}
