package verify

import (
	"slices"

	"github.com/cespare/xxhash/v2"
)

// splitEvent parts an event into what its legacy record alone decides and what it
// borrows from its organizer and from the directory; both as hashes.
func splitEvent(r *rules, v *Event) (own, borrowed uint64) {
	mine := *v
	mine.Organizer, mine.Venue, mine.Category, mine.Timezone, mine.Offset = nil, nil, "", "", nil
	return hash(mine.json(r.v2)), borrowedEvent(r, v)
}

func borrowedEvent(r *rules, v *Event) uint64 {
	theirs := Event{Organizer: v.Organizer, Venue: v.Venue, Category: v.Category, Timezone: v.Timezone, Offset: v.Offset}
	if r.protobuf && v.Venue != nil { // 0 and absent are one
		venue := *v.Venue
		venue.Lat, venue.Lon = coordinate(degrees(venue.Lat)), coordinate(degrees(venue.Lon))
		theirs.Venue = &venue
	}
	return hash(theirs.json(r.v2))
}

// splitOrder parts an order likewise: it borrows its tickets' organizer, category,
// description and currency.
func splitOrder(r *rules, v *Order) (own, borrowed uint64) {
	mine := *v
	mine.Tickets = slices.Clone(v.Tickets)
	b := newBorrowed()
	for i := range mine.Tickets {
		t := &mine.Tickets[i]
		b.ticket(setText{t.Category, t.Description}, t.Currency, hashID(t.OrganizerID))
		t.OrganizerID, t.Category, t.Description, t.Currency = "", "", "", ""
	}
	return hash(mine.json(r.v2)), b.sum()
}

// borrowedTickets hashes what the tickets of an order borrow.
type borrowedTickets struct{ d *xxhash.Digest }

func newBorrowed() borrowedTickets { return borrowedTickets{xxhash.New()} }

func (b borrowedTickets) ticket(text setText, currency string, organizer uint64) {
	for _, s := range []string{text.name, text.description, currency} {
		_, _ = b.d.WriteString(s)
		_, _ = b.d.Write([]byte{0xff}) // no byte of UTF-8
	}
	var o [8]byte
	for i := range o {
		o[i] = byte(organizer >> (8 * i))
	}
	_, _ = b.d.Write(o[:])
}

func (b borrowedTickets) sum() uint64 { return b.d.Sum64() }

// splitRefund parts a refund: it borrows its customer.
func splitRefund(r *rules, v *Refund) (own, borrowed uint64) {
	mine := Refund{TicketIDs: v.TicketIDs}
	return hash(mine.json(r.v2)), v.Customer.hash(r.v2)
}

// candidates are the versions that a record may show: the one that bridge-source
// names, or any.
func candidates[F any](h *history[F], source sourceRef) []F {
	if source != noSource {
		if p := h.at(source); p != nil {
			return h.versions[p.version : p.version+1]
		}
	}
	return h.versions
}

func (c *Checker) explainsEvent(e *event, source sourceRef, own uint64, v *Event) bool {
	return slices.ContainsFunc(candidates(&e.history, source), func(f eventFacts) bool {
		return f.own == own && (v.Venue == nil || v.Venue.ID == f.venue) && c.explainsOrganizer(&f, v.Organizer)
	})
}

// explainsOrganizer: as any version of the partner makes it, or as it is without.
func (c *Checker) explainsOrganizer(f *eventFacts, o *Organizer) bool {
	id := ""
	choices := []*partnerFacts{nil}
	if f.org != nil {
		id = f.org.id
		for i := range f.org.versions {
			choices = append(choices, &f.org.versions[i])
		}
	}
	if o == nil {
		return !c.rules.v2 // goes out without: its hold was over, or it has none
	}
	return slices.ContainsFunc(choices, func(p *partnerFacts) bool {
		made, ok := c.rules.organizer(id, f.legal, p)
		return ok && sameOrganizer(made, o, c.rules.v2)
	})
}

func sameOrganizer(a, b *Organizer, v2 bool) bool {
	one, other := Event{Organizer: a}, Event{Organizer: b}
	return hash(one.json(v2)) == hash(other.json(v2))
}

func (c *Checker) explainsOrder(o *order, source sourceRef, own uint64, v *Order) bool {
	return slices.ContainsFunc(candidates(&o.history, source), func(f orderFacts) bool {
		return f.own == own && c.explainsTickets(&f, v)
	})
}

func (c *Checker) explainsTickets(f *orderFacts, v *Order) bool {
	pool := poolOf(f.event)
	for i, t := range v.Tickets {
		if t.Currency != v.Tickets[0].Currency || !slices.Contains(pool.currencies, t.Currency) {
			return false
		}
		if !c.rules.v2 && !pool.hasOrganizer(f.org, hashID(t.OrganizerID)) {
			return false
		}
		if i < len(f.sets) && !slices.Contains(pool.texts(f.sets[i]), setText{t.Category, t.Description}) {
			return false
		}
	}
	return true
}

// pool is everything that an order may ever have borrowed from its event.
type pool struct {
	event      *event
	currencies []string
}

func poolOf(e *event) pool {
	p := pool{event: e, currencies: []string{""}} // while the partner had not been seen
	for i := range e.versions {
		if org := e.versions[i].org; org != nil {
			for _, f := range org.versions {
				if !slices.Contains(p.currencies, f.currency) {
					p.currencies = append(p.currencies, f.currency)
				}
			}
		}
	}
	return p
}

// texts of a set: of any version of the event, or none, before its hold was over.
func (p pool) texts(set uint64) []setText {
	found := []setText{{}}
	for i := range p.event.versions {
		if text, known := p.event.versions[i].sets[set]; known && !slices.Contains(found, text) {
			found = append(found, text)
		}
	}
	return found
}

func (p pool) hasOrganizer(own, organizer uint64) bool {
	if own != 0 {
		return organizer == own
	}
	return slices.ContainsFunc(p.event.versions, func(f eventFacts) bool { return f.orgHash() == organizer })
}

func (f *eventFacts) orgHash() uint64 {
	if f.org == nil {
		return 0
	}
	return hashID(f.org.id)
}

// explainsRefund: the customer of any version of the order.
func (c *Checker) explainsRefund(r *refund, source sourceRef, own, customer uint64) bool {
	return slices.ContainsFunc(candidates(&r.history, source), func(f refundFacts) bool {
		o := c.orders[f.order]
		return f.own == own && o != nil && slices.ContainsFunc(o.versions, func(v orderFacts) bool { return v.customer == customer })
	})
}

// suspect is a record that nothing explains.
type suspect struct {
	example Example
	stream  Stream
	source  sourceRef
}

// mostSuspects bounds what is kept of them; those beyond count as foreign.
const mostSuspects = 100_000

// judge tells explained values from others.
func (c *Checker) judge(r *slimRecord, e entity, explained bool) {
	if explained {
		e.state.explained = true
		if p := e.at(r.source); p != nil {
			p.shown = true
		}
		return
	}
	r.faulty = true
	switch {
	case c.incomplete():
		c.undecidable("unexplained, but legacy records are gone")
	case len(c.suspects) >= mostSuspects:
		c.fault(Foreign, r, e.id, reasonForeign)
	default:
		c.suspects = append(c.suspects, suspect{
			example: Example{ID: e.id, Topic: c.cfg.Topics.Slim[r.stream], Partition: r.Partition, Offset: r.Offset},
			stream:  r.stream,
			source:  r.source,
		})
	}
}

const (
	reasonForeign   = "no version of its sources gives this value"
	reasonDuplicate = "differs from another record made of the same legacy record"
)

// isDuplicate: another slim record, which is explained, was made of the same
// legacy record; without bridge-source this is sure where all say the same.
func (c *Checker) isDuplicate(s suspect) bool {
	e, ok := c.find(s.stream, s.example.ID)
	if !ok {
		return false
	}
	if p := e.at(s.source); p != nil {
		return p.shown || e.versions == 1 && e.state.explained
	}
	return e.versions == 1 && e.state.explained
}
