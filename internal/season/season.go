// Package season generates seasons of ticket sales: deterministic streams of
// legacy records for the demo, the benchmarks and the tests that need a lot of
// realistic input.
//
// What belongs here: inventing legacy records, well-formed and hostile, and
// the directory file that goes with them. What does not: what the bridge makes
// of the records (package mapping), and sending them anywhere.
//
// Everything is made up and looks it: telephone numbers come from +7 900
// 000-xx-xx and from ranges that are set aside for fiction, e-mail addresses
// and URLs from example.com, IP addresses from the documentation ranges.
//
// # What every season promises
//
// Times never decrease. The key of a record is the id of its entity, so all
// versions of an entity share a partition. An order never changes its event; a
// refund request never changes its order or its event.
//
// Without hostility every reference resolves and in order: a partner comes
// before its events, an event before its orders, a set before its tickets, an
// order in status DONE before its refund requests; and all values are valid.
package season

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"time"
)

// The topics of a season, under their names in the legacy cluster.
const (
	TopicPartners = "partners"
	TopicEvents   = "events"
	TopicOrders   = "orders_done"
	TopicRefunds  = "refund_requests"
)

// DefaultStart is when a season begins unless the configuration says otherwise.
var DefaultStart = time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)

// seasonLength is the time from the first record to about the last.
const seasonLength = 120 * 24 * time.Hour

// Config describes a season. Equal configurations give equal bytes.
type Config struct {
	// Orders is the number of different orders. There are more order records
	// than orders, because some are published again.
	Orders int
	Seed   uint64
	// Hostile is the share of trouble, 0 to 1. At 0 the season is flawless; at
	// 1 most records have something wrong with them. Kinds lists what happens.
	// Above 0, each kind that befalls partners or new events happens at least
	// once as soon as there are enough of them, however small the share.
	Hostile float64
	// Events and Partners are derived from Orders when they are 0.
	Events   int
	Partners int
	// Start is DefaultStart when zero.
	Start time.Time
}

// Validate reports the first value out of range. Generate accepts any
// configuration and clamps such values.
func (c Config) Validate() error {
	switch {
	case c.Orders < 0:
		return fmt.Errorf("season: orders is %d, it must not be negative", c.Orders)
	case c.Events < 0:
		return fmt.Errorf("season: events is %d, it must not be negative", c.Events)
	case c.Partners < 0:
		return fmt.Errorf("season: partners is %d, it must not be negative", c.Partners)
	case math.IsNaN(c.Hostile) || c.Hostile < 0 || c.Hostile > 1:
		return fmt.Errorf("season: hostile is %v, it must be between 0 and 1", c.Hostile)
	case !c.Start.IsZero() && (c.Start.Before(earliestStart) || c.Start.After(latestStart)):
		// Ids begin with a time in 32 bits.
		return errors.New("season: start must lie between 1970 and 2100")
	}
	return nil
}

var (
	earliestStart = time.Unix(0, 0).UTC()
	latestStart   = time.Date(2100, time.January, 1, 0, 0, 0, 0, time.UTC)
)

// normalized fills in what is derived and clamps what is out of range.
func (c Config) normalized() Config {
	c.Orders = max(c.Orders, 0)
	if c.Events <= 0 {
		c.Events = c.Orders / 25
		if c.Orders > 0 {
			c.Events = max(c.Events, 3)
		}
	}
	if c.Partners <= 0 {
		c.Partners = max(c.Events/40, 3)
	}
	if !(c.Hostile > 0) { // NaN too
		c.Hostile = 0
	}
	c.Hostile = min(c.Hostile, 1)
	if c.Start.IsZero() {
		c.Start = DefaultStart
	}
	if c.Start.Before(earliestStart) {
		c.Start = earliestStart
	}
	if c.Start.After(latestStart) {
		c.Start = latestStart
	}
	c.Start = c.Start.UTC().Truncate(time.Millisecond)
	return c
}

// Record is one record of a legacy topic. A nil Value is a tombstone; an empty
// one that is not nil is a record of zero bytes. Time is whole milliseconds,
// UTC. Headers is nil for most records.
type Record struct {
	Topic   string
	Key     []byte
	Value   []byte
	Time    time.Time
	Headers map[string][]byte
}

// Generate returns the records of a season in the order of their publication.
// The sequence can be iterated over any number of times, and is made anew each
// time. Memory does not grow with the number of orders, only with that of
// events and partners. Records share no memory with the generator: the caller
// may keep and change them.
func Generate(cfg Config) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		newGenerator(cfg, yield).run()
	}
}

// Totals counts a season. Maps by topic have all four topics.
type Totals struct {
	Records map[string]int   // records by topic, tombstones included
	Bytes   map[string]int64 // bytes of values by topic
	// Entities is the number of different partners, events, orders and refund
	// requests that at least one record was published for, by topic.
	Entities map[string]int
	// Hostile is how often each kind of trouble was made; kinds that did not
	// occur are missing.
	Hostile map[Kind]int
}

// Stats generates the whole season and counts it.
func Stats(cfg Config) Totals {
	g := newGenerator(cfg, func(Record) bool { return true })
	g.run()
	return g.totals
}
