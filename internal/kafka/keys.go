package kafka

import (
	"fmt"
	"hash"

	"github.com/ticketscloud/vibe-bridge/slim"
)

// PrefixHasher is the partitioning of internal topics in the form that Goka
// wants: Kafka's murmur2 over the bytes before the first slash.
//
// Invariant: Sum32 is below 1<<31. Goka and sarama take it as a signed number,
// and a negative one would end in another partition than Kafka's own clients use.
type PrefixHasher struct {
	prefix []byte
	ended  bool
}

// NewPrefixHasher is a PrefixHasher as Goka takes it.
func NewPrefixHasher() hash.Hash32 { return &PrefixHasher{} }

func (h *PrefixHasher) Write(b []byte) (int, error) {
	for _, c := range b {
		if h.ended = h.ended || c == '/'; h.ended {
			break
		}
		h.prefix = append(h.prefix, c)
	}
	return len(b), nil
}

func (h *PrefixHasher) Sum32() uint32 { return uint32(slim.Murmur2(h.prefix)) & 0x7fffffff }

func (h *PrefixHasher) Sum(b []byte) []byte {
	s := h.Sum32()
	return append(b, byte(s>>24), byte(s>>16), byte(s>>8), byte(s))
}

// Reset makes the hasher usable for another key: sarama keeps one for many.
func (h *PrefixHasher) Reset() { h.prefix, h.ended = h.prefix[:0], false }

func (h *PrefixHasher) Size() int      { return 4 }
func (h *PrefixHasher) BlockSize() int { return 1 }

// Bytes is a codec that passes bytes through. Callbacks decode by themselves: an error of a
// codec would stop the whole processor.
type Bytes struct{}

func (Bytes) Encode(value any) ([]byte, error) {
	b, ok := value.([]byte)
	if !ok {
		return nil, fmt.Errorf("encode: %T is not bytes", value)
	}
	return b, nil
}

func (Bytes) Decode(data []byte) (any, error) { return data, nil }
