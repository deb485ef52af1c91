package season

import (
	"time"
)

// eventUpdatesPerOrder is how many event records there are per order, the
// first record of each event not included.
const eventUpdatesPerOrder = 0.4

// event is what the generator remembers of an event. The texts are derived
// from seed and version numbers whenever a record is made.
type event struct {
	id, meta        string
	seed            uint64
	org             int // index into generator.partners
	venue, category string
	show            int // index into shows
	status          int32
	created         time.Time
	start, finish   time.Time // zero: absent
	over            time.Time // when it is marked as finished
	sets            []set

	nameVersion, textVersion, coverVersion int
	stock, rating                          int

	// published says that a record is out. Updates are made only after that.
	published bool
	// salesBeforeRecord is how many more orders a late event gets before its
	// first record; -1 for an event that is never published.
	salesBeforeRecord int
	huge              bool // the description is huge
}

type set struct {
	id                string
	name, description string
	price             int64
	seats             bool
	removed           bool
	amount            int
}

// peak is the start of the sale of an event that many wait for: for some steps
// most orders are for this event, and they come fast.
type peak struct {
	event, until int // index into events, step
}

const (
	peakEvery = 200 // one event in so many is waited for
	peakSpeed = 20  // how much faster orders come then
)

// peakLength is the number of steps of a peak. Peaks make up a fifth of the
// steps of a season.
func (g *generator) peakLength() int {
	peaks := (len(g.events) + peakEvery - 2) / peakEvery
	return g.cfg.Orders / 5 / max(peaks, 1)
}

// openEvents puts events on sale until that many are.
func (g *generator) openEvents(until int) {
	for ; g.opened < until && !g.stopped; g.opened++ {
		g.openEvent(g.opened)
	}
}

func (g *generator) openEvent(index int) {
	r := &g.random
	e := &g.events[index]
	g.initEvent(e, index)
	p := g.requirePartner(e.org)
	if index%peakEvery == 1 {
		g.peak = peak{event: index, until: g.step + g.peakLength()}
	}
	kind := noTrouble
	if p.published { // or else the event must go first, to make the partner late
		kind = g.eventTrouble.next(r)
	}
	g.count(kind)
	switch kind {
	case EventLate:
		e.salesBeforeRecord = r.between(2, 6)
		return
	case EventNever:
		e.salesBeforeRecord = -1
		return
	case EventUnknownCategory:
		e.category = g.newID(idOther)
	case EventUnknownVenue:
		e.venue = g.newID(idOther)
	case EventHuge:
		e.huge = true
	case EventWithoutName:
		m := g.eventMessage(e)
		m.Name = ""
		g.publishEventAs(e, marshal(m))
		return
	case EventWithoutDates:
		m := g.eventMessage(e)
		m.Lifetime = nil
		g.publishEventAs(e, marshal(m))
		return
	}
	g.publishEvent(e)
}

func (g *generator) initEvent(e *event, index int) {
	r := &g.random
	kind := r.intn(len(shows))
	*e = event{
		id:       g.newID(idEvent),
		seed:     mix(g.cfg.Seed, uint64(index)+1_000_000),
		org:      g.choosePartner(),
		venue:    pick(r, g.venues).id,
		category: g.ids.fixed(categoryNumbers + kind),
		show:     kind,
		status:   statusPublic,
		created:  g.clock,
		stock:    r.between(50, 5000),
		rating:   r.intn(100),
	}
	if index > 0 && r.chance(0.3) {
		e.meta = g.events[index-1].meta
	} else if r.chance(0.9) {
		e.meta = g.newID(idMeta)
	}
	if r.chance(0.1) {
		e.status = statusStandBy
	}
	g.setDates(e)
	for range r.between(2, 8) {
		e.sets = append(e.sets, g.newSet())
	}
}

// choosePartner returns the index of an organizer: a few have most events.
func (g *generator) choosePartner() int { return g.random.skewed(len(g.partners)) }

// setDates lets the event begin some weeks after its sale has begun. Now and
// then one of the two dates is missing, which the mapping contract allows.
func (g *generator) setDates(e *event) {
	r := &g.random
	start := g.clock.Truncate(time.Hour).Add(time.Duration(r.between(45*24, 75*24)) * time.Hour)
	finish := start.Add(time.Duration(r.between(2, 10)) * 30 * time.Minute)
	e.over = finish
	switch {
	case r.chance(0.03):
		e.finish = finish
	case r.chance(0.01):
		e.start = start
	default:
		e.start, e.finish = start, finish
	}
}

func (g *generator) newSet() set {
	r := &g.random
	return set{
		id:          g.newID(idSet),
		name:        pick(r, setNames),
		description: pick(r, setDescriptions),
		price:       int64(r.between(0, 100)) * 10_000,
		seats:       r.chance(0.4),
		amount:      r.between(10, 800),
	}
}

func (g *generator) publishEvent(e *event) { g.publishEventAs(e, marshal(g.eventMessage(e))) }

func (g *generator) publishEventAs(e *event, value []byte) {
	if !e.published {
		e.published = true
		g.totals.Entities[TopicEvents]++
	}
	g.publish(TopicEvents, e.id, value)
}

// sold notes that an order for the event is out, and publishes a late event
// when it has had enough of them.
func (g *generator) sold(e *event, tickets int) {
	e.stock = max(e.stock-tickets, 0)
	if e.published || e.salesBeforeRecord < 0 {
		return
	}
	e.salesBeforeRecord--
	if e.salesBeforeRecord <= 0 {
		g.publishEvent(e)
	}
}

// publishLateEvents makes up, at the end of the season, for late events that
// have not had enough orders.
func (g *generator) publishLateEvents() {
	for i := range g.events {
		if e := &g.events[i]; !e.published && e.salesBeforeRecord >= 0 {
			g.publishEvent(e)
		}
	}
}

// chooseEvent returns the event that the next order is for.
func (g *generator) chooseEvent() *event {
	r := &g.random
	if g.step < g.peak.until && r.chance(0.75) {
		return &g.events[g.peak.event]
	}
	var e *event
	for range 3 {
		e = &g.events[g.opened-1-r.skewed(g.onSale())]
		if e.status != statusCancelled {
			return e
		}
	}
	return e // an agent was slow to hear of it
}

// onSale is how many events are on sale: the last third of a season's events.
func (g *generator) onSale() int { return min(g.opened, max(len(g.events)/3, 3)) }

// updateSomeEvent publishes an event again, most of the time with nothing in it
// that concerns a ticket holder.
func (g *generator) updateSomeEvent() {
	r := &g.random
	e := &g.events[g.opened-1-r.intn(g.onSale())]
	if r.chance(0.1) {
		e = &g.events[r.intn(g.opened)]
	}
	if !e.published {
		return
	}
	e.rating += r.between(-3, 5)
	if r.chance(0.08) {
		g.changeEvent(e)
	}
	kind := g.eventUpdateTrouble.next(r)
	g.count(kind)
	g.publishEventUpdate(e, kind)
}

func (g *generator) publishEventUpdate(e *event, kind Kind) {
	r := &g.random
	switch kind {
	case EventMoved:
		e.org = g.choosePartner()
		g.requirePartner(e.org)
		g.publishEvent(e)
	case EventGarbage:
		g.publish(TopicEvents, e.id, garbage(r))
	case EventTombstone:
		g.publish(TopicEvents, e.id, nil)
	case EventEmpty:
		g.publish(TopicEvents, e.id, []byte{})
	case EventTruncated:
		g.publish(TopicEvents, e.id, truncate(r, marshal(g.eventMessage(e))))
	case EventInvalidUTF8:
		g.publish(TopicEvents, e.id, appendInvalidText(marshal(g.eventMessage(e)), 3))
	case EventDuplicate:
		value := marshal(g.eventMessage(e))
		g.publishLater(500, TopicEvents, e.id, value)
		g.publish(TopicEvents, e.id, value)
	case EventWithoutID, EventBrokenUpdate, EventUnknownStatus:
		m := g.eventMessage(e)
		switch kind {
		case EventWithoutID:
			m.Id = ""
		case EventBrokenUpdate:
			m.Name = ""
		default:
			m.Status = unknownStatus
		}
		g.publish(TopicEvents, e.id, marshal(m))
	default:
		g.publishEvent(e)
	}
}

// changeEvent changes something that ticket holders see.
func (g *generator) changeEvent(e *event) {
	r := &g.random
	switch r.intn(9) {
	case 0:
		e.nameVersion++
	case 1:
		e.textVersion++
	case 2:
		e.coverVersion++
	case 3:
		g.setDates(e)
	case 4:
		e.venue = pick(r, g.venues).id
	case 5:
		if len(e.sets) < 8 {
			e.sets = append(e.sets, g.newSet())
		}
	case 6:
		e.sets[r.intn(len(e.sets))].name = pick(r, setNames)
	case 7:
		if len(e.sets) > 2 { // the first two stay, so that there is always something to sell
			e.sets[r.between(2, len(e.sets)-1)].removed = true
		}
	default:
		if r.chance(0.2) {
			e.status = statusCancelled
		} else if e.status == statusStandBy {
			e.status = statusPublic
		}
	}
}

// finishEvents marks events that are over, in the order of their opening.
func (g *generator) finishEvents() {
	for g.finished < g.opened && g.events[g.finished].over.Before(g.clock) {
		e := &g.events[g.finished]
		g.finished++
		if !e.published || e.status == statusCancelled {
			continue
		}
		e.status = statusFinished
		g.publishEvent(e)
	}
}

// addLateSet gives the event a set that an order has already named. An event
// without a record keeps it for the record to come.
func (g *generator) addLateSet(e *event, s set) {
	e.sets = append(e.sets, s)
	if e.published {
		g.publishEvent(e)
	}
}
