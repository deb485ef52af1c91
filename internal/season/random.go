package season

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"math/rand/v2"
)

// rng is a source of random choices. Only the raw PCG output of the standard
// library is used, because that algorithm is documented; how it becomes a
// choice is decided here, so that a new Go version cannot change a season.
type rng struct{ pcg rand.PCG }

func newRNG(seed uint64) *rng {
	r := new(rng)
	r.pcg.Seed(mix(seed, 1), mix(seed, 2))
	return r
}

// mix derives a seed from another one and a number.
func mix(seed, n uint64) uint64 {
	z := seed + (n+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// intn returns a number from 0 to n-1; n must be positive.
func (r *rng) intn(n int) int {
	high, _ := bits.Mul64(r.pcg.Uint64(), uint64(n))
	return int(high)
}

// between returns a number from low to high, both included.
func (r *rng) between(low, high int) int { return low + r.intn(high-low+1) }

// skewed returns a number from 0 to n-1, small ones more often.
func (r *rng) skewed(n int) int { return r.intn(r.intn(n) + 1) }

// unit returns a number from 0 up to but not including 1.
func (r *rng) unit() float64 { return float64(r.pcg.Uint64()>>11) / (1 << 53) }

func (r *rng) chance(p float64) bool { return r.unit() < p }

func pick[T any](r *rng, from []T) T { return from[r.intn(len(from))] }

// digits returns n random decimal digits.
func (r *rng) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + r.intn(10))
	}
	return string(b)
}

// What ids are made for. Ids of different kinds never collide.
const (
	idPartner = iota
	idEvent
	idMeta
	idSet
	idOrder
	idTicket
	idRefund
	idOther
	idFixed // ids that are the same from the first record to the last
	idKinds
)

// idSource makes ids that look like Mongo ObjectIds: 24 lowercase hex digits
// of which the first 8 are a time.
type idSource struct {
	seed     uint64
	counters [idKinds]uint64
}

// next returns a new id of a kind; seconds is the Unix time.
func (s *idSource) next(kind int, seconds int64) string {
	s.counters[kind]++
	return s.at(kind, s.counters[kind], seconds)
}

// The numbers of fixed ids: managers and owners below the first of these.
const (
	categoryNumbers = 100
	agentNumbers    = 200
	venueNumbers    = 1_000
)

// fixed returns the id of something that is older than the season.
func (s *idSource) fixed(number int) string {
	return s.at(idFixed, uint64(number), 1_500_000_000)
}

// at returns the id with a given number. The number fills the last four bytes,
// so that ids differ even when a season has more than 2^24 of a kind.
func (s *idSource) at(kind int, number uint64, seconds int64) string {
	var id [12]byte
	binary.BigEndian.PutUint32(id[0:], uint32(seconds))
	binary.BigEndian.PutUint64(id[4:], mix(s.seed, uint64(kind))<<32|number&0xffffffff)
	id[4] = id[4]&0xf0 | byte(kind)
	var text [24]byte
	hex.Encode(text[:], id[:])
	return string(text[:])
}
