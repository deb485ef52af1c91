package compare

import (
	"encoding/binary"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// digestOf is the digest of a cell: 0 for absent alone.
func digestOf(text string) uint32 {
	if text == "" {
		return 0
	}
	sum := xxhash.Sum64String(text)
	return max(1, uint32(sum)^uint32(sum>>32))
}

// idDigest is 0 for "" alone.
func idDigest(id string) uint64 {
	if id == "" {
		return 0
	}
	return max(1, xxhash.Sum64String(id))
}

// summer makes the digest of a sequence of texts.
type summer struct{ d *xxhash.Digest }

func newSummer() summer { return summer{xxhash.New()} }

func (s summer) text(t string) {
	var size [4]byte
	binary.LittleEndian.PutUint32(size[:], uint32(len(t)))
	_, _ = s.d.Write(size[:])
	_, _ = s.d.WriteString(t)
}

func (s summer) number(n int) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	_, _ = s.d.Write(b[:])
}

// sum is never 0.
func (s summer) sum() uint64 { return max(1, s.d.Sum64()) }

// factKey is a fact's key in a row. Of a set's fact it is that of setFact.
func factKey(key string) uint64 {
	if set, path, ok := strings.Cut(key, "\x00"); ok {
		return setFact(idDigest(set), path)
	}
	return idDigest(key)
}

// setFact is the key of what the tickets of a set take for a field.
func setFact(set uint64, path string) uint64 {
	s := newSummer()
	s.number(int(set))
	s.text(path)
	return s.sum()
}

// ItemDigest is what a row, a Difference and a SampleRef have for a ticket's id.
func ItemDigest(id string) uint64 { return idDigest(id) }
