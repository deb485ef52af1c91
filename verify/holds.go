package verify

import "slices"

// mostChoices bounds how many values of an order are tried. Beyond it any value
// that is explained may stand.
const mostChoices = 256

// mayStand says whether an order that waits for a set or an organizer may stand as
// it does: with an older version of itself, or with the newest where what is
// missing is left out or is as some version of its event had it. What is not missing
// must be up to date all the same.
func (c *Checker) mayStand(o *order, f *orderFacts, newest *eventFacts) bool {
	if o.slim.own != f.own {
		return true // not yet; that the value is explained was checked when it was read
	}
	pool := poolOf(f.event)
	unknown := f.unknownSets(newest)
	slices.Sort(unknown)
	try := &choices{
		order: f, known: newest.sets, unknown: slices.Compact(unknown), pool: pool,
		currencies: []string{""}, organizers: []uint64{c.organizerOf(f, newest)}, chosen: map[uint64]setText{}, want: o.slim.borrowed, left: mostChoices,
	}
	if p := c.newestPartner(newest.org); p != nil {
		try.currencies[0] = p.currency
	}
	if c.organizerUnknown(newest) {
		try.currencies = pool.currencies
		for i := range f.event.versions {
			try.organizers = append(try.organizers, c.organizerOf(f, &f.event.versions[i]))
		}
	}
	return try.any(0) || len(unknown) > 0 && c.standsAsBefore(o, f, pool)
}

// standsAsBefore says whether an order is as a version of its event had it that knew all its sets. When the event loses
// one of them, the order begins to wait for it, and waits as a whole: nothing else that it borrows is
// brought up to date before the hold is over. One that went out without a set has no hold any more.
func (c *Checker) standsAsBefore(o *order, f *orderFacts, pool pool) bool {
	return slices.ContainsFunc(f.event.versions, func(version eventFacts) bool {
		if len(f.unknownSets(&version)) > 0 {
			return false
		}
		return slices.ContainsFunc(pool.currencies, func(currency string) bool {
			return f.borrowed(func(set uint64) setText { return version.sets[set] }, currency, c.organizerOf(f, &version)) == o.slim.borrowed
		})
	})
}

// choices goes through everything that the tickets of an order may borrow.
type choices struct {
	order      *orderFacts
	known      map[uint64]setText
	unknown    []uint64 // sets
	pool       pool
	currencies []string
	organizers []uint64
	chosen     map[uint64]setText
	want       uint64
	left       int
}

// any tries all texts of the n-th unknown set and those after it.
func (c *choices) any(n int) bool {
	if n < len(c.unknown) {
		set := c.unknown[n]
		return slices.ContainsFunc(c.pool.texts(set), func(text setText) bool {
			c.chosen[set] = text
			return c.any(n + 1)
		})
	}
	for _, currency := range c.currencies {
		for _, organizer := range c.organizers {
			c.left--
			if c.left < 0 || c.order.borrowed(c.text, currency, organizer) == c.want {
				return true
			}
		}
	}
	return false
}

func (c *choices) text(set uint64) setText {
	if text, known := c.known[set]; known {
		return text
	}
	return c.chosen[set]
}
