package directory

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// digest covers every answer that the look-ups can give. Names of categories
// that the table does not have, and cities without venues, give no answer and
// do not count.
func digest(categories map[string]Category, venues map[string]Venue) uint64 {
	h := hasher{xxhash.New()}
	h.number(uint64(len(categories)))
	for _, id := range slices.Sorted(maps.Keys(categories)) {
		h.texts(id, categories[id].V1, categories[id].V2)
	}
	for _, id := range slices.Sorted(maps.Keys(venues)) {
		v := venues[id]
		h.texts(id, v.Name, v.Address, v.Description, v.CityName, v.Timezone)
		h.degrees(v.Lat)
		h.degrees(v.Lon)
	}
	return h.Sum64()
}

type hasher struct{ *xxhash.Digest }

// texts writes each text after its length: ("ab", "c") and ("a", "bc") differ.
func (h hasher) texts(texts ...string) {
	for _, text := range texts {
		h.number(uint64(len(text)))
		_, _ = h.WriteString(text) // never fails
	}
}

func (h hasher) degrees(value *float64) {
	if value == nil {
		h.number(0)
		return
	}
	h.number(1)
	h.number(math.Float64bits(*value))
}

func (h hasher) number(n uint64) {
	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, n))
}
