package processors

import (
	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// eventCacheBytes bounds, by their encoded size, the rows of events that are kept decoded in each half of a partition's
// cache. Many orders ask for few events: reading and decoding the event's row for each was a tenth of the gate's work.
const eventCacheBytes = 1 << 20

// rowCache is what the callbacks of one partition and session have read. They run one after the other, and nobody else
// writes to the partition's store while they do: it needs no lock, and nothing in it can be out of date.
type rowCache struct {
	limit int // of the encoded bytes of each half of the events

	key   string // the row that the present callback is about,
	value []byte // as it has been read
	known bool

	// Decoded rows of events. When the younger half is full it becomes the older one, which is dropped.
	young, old map[string]*cachedRow
	size       int // of the younger half
}

type cachedRow struct {
	row  *statepb.Row
	size int
}

// read reads the row of a key, and remembers that of the key that the callback is about.
func (c *rowCache) read(st *store.Store, about, key string) ([]byte, error) {
	value, err := st.Get(key)
	if err == nil && key == about {
		c.key, c.value, c.known = key, value, true
	}
	return value, err
}

// event reads the row of an event. Nobody changes it.
func (c *rowCache) event(st *store.Store, key string) (*statepb.Row, error) {
	if r := c.young[key]; r != nil {
		return r.row, nil
	}
	if r := c.old[key]; r != nil {
		c.keep(key, r)
		return r.row, nil
	}
	value, err := st.Get(key)
	if err != nil {
		return nil, err
	}
	row, err := mapping.DecodeRow(value)
	if err == nil && value != nil {
		c.keep(key, &cachedRow{row, len(value)})
	}
	return row, err
}

func (c *rowCache) keep(key string, r *cachedRow) {
	if c.size+r.size > c.limit {
		c.old, c.young, c.size = c.young, nil, 0
	}
	if c.young == nil {
		c.young = map[string]*cachedRow{}
	}
	c.young[key] = r
	c.size += r.size
}

// write writes a row, and forgets what was read of it.
func (c *rowCache) write(st *store.Store, key string, value []byte) error {
	if r := c.young[key]; r != nil {
		c.size -= r.size
		delete(c.young, key)
	}
	delete(c.old, key)
	known := c.known && c.key == key
	old := c.value
	c.key, c.value, c.known = "", nil, false
	if known {
		return st.Replace(key, old, value)
	}
	return st.Set(key, value)
}
