package processors

import (
	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// decodedEvents is of how many events a partition keeps decoded what orders want. Sales come in waves, of few events at a
// time; all others are kept encoded, which is a quarter of the memory and nothing for the garbage collector to look through.
const decodedEvents = 256

// eventCacheBytes bounds, by their encoded size, the rows of events that are kept in each half of a partition's cache.
// Many orders ask for few events, and an event is decided about several times in a row: reading and decoding its row each
// time was a tenth of the gate's work.
const eventCacheBytes = 1 << 20

// rowCache is what the callbacks of one partition and session have read and written. They run one after the other, and
// nobody else writes to the partition's store while they do: it needs no lock, and nothing in it can be out of date.
type rowCache struct {
	limit int // of the encoded bytes of each half of the events

	key   string // the row that the present callback is about,
	value []byte // as it has been read
	known bool

	// Rows of events, and in the table of the organizers of those. When the younger half is full it becomes the older
	// one, which is dropped.
	young, old map[string]cachedRow
	size       int // of the younger half

	decoded map[string]*statepb.Row // what orders want of some of them
}

// cachedRow is a row that is stored. Nobody changes it.
type cachedRow struct {
	value []byte // nil: not kept
	order []byte // what an order wants of it, see mapping.OrderView; nil: not yet
}

func (r cachedRow) size() int { return len(r.value) + len(r.order) }

// read reads the row of a key, and remembers that of the key that the callback is about. Nobody changes the value.
func (c *rowCache) read(st *store.Store, about, key string) ([]byte, error) {
	value, err := c.get(st, key)
	if err == nil && key == about {
		c.key, c.value, c.known = key, value, true
	}
	return value, err
}

func (c *rowCache) get(st *store.Store, key string) ([]byte, error) {
	if mapping.KindOf(key) != mapping.EventKind {
		return st.Get(key)
	}
	if r := c.find(key); r.value != nil {
		return r.value, nil
	}
	value, err := st.Get(key)
	if value != nil && err == nil {
		c.keep(key, cachedRow{value: value})
	}
	return value, err
}

// event reads what orders want of the row of an event. Nobody changes it.
func (c *rowCache) event(st *store.Store, key string) (*statepb.Row, error) {
	if row := c.decoded[key]; row != nil {
		return row, nil
	}
	order, err := c.orderView(st, key)
	if err != nil {
		return nil, err
	}
	row, err := mapping.ViewRow(order)
	if err != nil {
		return nil, err
	}
	if c.decoded == nil {
		c.decoded = make(map[string]*statepb.Row, decodedEvents)
	}
	if len(c.decoded) == decodedEvents {
		clear(c.decoded)
	}
	c.decoded[key] = row
	return row, nil
}

func (c *rowCache) orderView(st *store.Store, key string) ([]byte, error) {
	r := c.find(key)
	if r.order != nil {
		return r.order, nil
	}
	value := r.value
	if value == nil {
		var err error
		if value, err = st.Get(key); err != nil {
			return nil, err
		}
	}
	row, err := mapping.ViewRow(value)
	if err != nil {
		return nil, err
	}
	order := mapping.OrderView(row)
	if value != nil {
		c.keep(key, cachedRow{order: order}) // the rest is not wanted again soon
	}
	return order, nil
}

// find is empty for a row that is not kept.
func (c *rowCache) find(key string) cachedRow {
	r, kept := c.young[key]
	if !kept {
		if r, kept = c.old[key]; kept {
			c.keep(key, r)
		}
	}
	return r
}

func (c *rowCache) keep(key string, r cachedRow) {
	c.forget(key)
	if c.size+r.size() > c.limit {
		c.old, c.young, c.size = c.young, nil, 0
	}
	if c.young == nil {
		c.young = map[string]cachedRow{}
	}
	c.young[key] = r
	c.size += r.size()
}

func (c *rowCache) forget(key string) {
	if r, kept := c.young[key]; kept {
		c.size -= r.size()
		delete(c.young, key)
	}
	delete(c.old, key)
	delete(c.decoded, key)
}

// write writes a row that nobody changes any more.
func (c *rowCache) write(st *store.Store, key string, value []byte) error {
	c.forget(key)
	known := c.known && c.key == key
	old := c.value
	c.key, c.value, c.known = "", nil, false
	var err error
	if known {
		err = st.Replace(key, old, value)
	} else {
		err = st.Set(key, value)
	}
	if err == nil && mapping.KindOf(key) == mapping.EventKind {
		c.keep(key, cachedRow{value: value})
	}
	return err
}
