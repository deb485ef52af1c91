package verify

import (
	"slices"

	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/legacyproto"
)

// position is one eligible legacy record of an entity.
type position struct {
	offset    int64
	time      int64 // Unix milliseconds
	partition int32
	version   int32 // index of what it says
	shown     bool  // a slim record that names it has its value
}

// history is an entity's legacy records, and the different things that they say.
//
// Invariant: every position's version is an index of the versions.
type history[F any] struct {
	positions []position
	digests   []uint64 // of the versions
	versions  []F
}

// add takes a record. What it says is made only if it is new.
func (h *history[F]) add(p position, digest uint64, make func() F) {
	v := slices.Index(h.digests, digest)
	if v < 0 {
		v = len(h.versions)
		h.digests = append(h.digests, digest)
		h.versions = append(h.versions, make())
	}
	p.version = int32(v)
	h.positions = append(h.positions, p)
}

// newest is the position that counts (decision 8): within a partition the highest
// offset; between partitions that with the latest timestamp of any of the entity's
// records, then the highest partition. Records that are out do not take part.
func (h *history[F]) newest(out func(position) bool) *position {
	type candidate struct {
		last   *position
		latest int64
	}
	found := make([]candidate, 0, 4) // few partitions: a list is enough
	for i := range h.positions {
		p := &h.positions[i]
		if out != nil && out(*p) {
			continue
		}
		at := slices.IndexFunc(found, func(c candidate) bool { return c.last.partition == p.partition })
		if at < 0 {
			found = append(found, candidate{p, p.time})
			continue
		}
		c := &found[at]
		c.latest = max(c.latest, p.time)
		if p.offset > c.last.offset {
			c.last = p
		}
	}
	var best *candidate
	for i := range found {
		c := &found[i]
		if best == nil || c.latest > best.latest || c.latest == best.latest && c.last.partition > best.last.partition {
			best = c
		}
	}
	if best == nil {
		return nil
	}
	return best.last
}

// at finds an eligible record, nil when there is none.
func (h *history[F]) at(s sourceRef) *position {
	for i := range h.positions {
		if p := &h.positions[i]; p.offset == s.offset && p.partition == s.partition {
			return p
		}
	}
	return nil
}

// partner, event, order and refund are entities. One that is only referred to has
// no history.
type (
	partner struct {
		id string
		history[partnerFacts]
	}
	event struct {
		id string
		history[eventFacts]
		slim slimState
	}
	order struct {
		id string
		history[orderFacts]
		slim slimState
		// skipped: there are records of it, and of those some are not eligible.
		skipped bool
	}
	refund struct {
		id string
		history[refundFacts]
		slim slimState
	}
)

type partnerFacts struct {
	name, currency string // the currency as on a ticket
	legal          *legal
}

// setText is what a ticket takes from its set.
type setText struct{ name, description string }

type eventFacts struct {
	own             uint64 // hash of ownEvent
	org             *partner
	legal           *legal
	category, venue string
	at              int64 // see startOf
	sets            map[uint64]setText
}

type orderFacts struct {
	own      uint64 // hash of ownOrder
	customer uint64 // hash of its customer
	event    *event
	org      uint64   // hash of its own org's id; 0: none
	sets     []uint64 // by ticket: hash of the set's id; 0: none
}

type refundFacts struct {
	own   uint64 // hash of its ticket ids
	order string
	event *event
}

// hashID is 0 for "" alone.
func hashID(id string) uint64 {
	if id == "" {
		return 0
	}
	return max(1, xxhash.Sum64String(id))
}

func hash(b []byte) uint64 { return xxhash.Sum64(b) }

// digestOf tells what a pruned message says.
func digestOf(m proto.Message) uint64 { return hash(deterministic(m)) }

func makePartner(p *legacyproto.Partner) partnerFacts {
	return partnerFacts{name: p.GetName(), currency: slimCurrency(p.GetCurrency()), legal: partnerLegal(p.GetLegal())}
}

func (c *Checker) makeEvent(e *legacyproto.Event) eventFacts {
	f := eventFacts{
		own: hash(c.rules.ownEvent(e).json(c.rules.v2)), legal: eventLegal(e.GetLegalRu()),
		category: e.GetCategory(), venue: e.GetVenue(), at: startOf(e), sets: map[uint64]setText{},
	}
	if e.GetOrg() != "" {
		f.org = c.partner(e.GetOrg())
	}
	for _, s := range e.GetSets() {
		// Where an id is there twice, which the contract does not foresee, the last counts.
		if id := hashID(s.GetId()); id != 0 {
			f.sets[id] = setText{s.GetName(), s.GetDescription()}
		}
	}
	return f
}

// makeOrder leaves out the event.
func makeOrder(r *rules, o *legacyproto.Order) orderFacts {
	own := r.ownOrder(o)
	f := orderFacts{
		own: hash(own.json(r.v2)), customer: own.Customer.hash(r.v2),
		org: hashID(o.GetOrg()), sets: make([]uint64, len(o.GetTickets())),
	}
	for i, t := range o.GetTickets() {
		f.sets[i] = hashID(t.GetSet())
	}
	return f
}

func (c *Checker) makeRefund(r *legacyproto.RefundRequest) refundFacts {
	own := Refund{TicketIDs: ticketIDs(r)}
	return refundFacts{own: hash(own.json(c.rules.v2)), order: r.GetOrder(), event: c.event(r.GetEvent())}
}

func (c *Customer) hash(v2 bool) uint64 {
	o := &object{}
	c.json(o, v2)
	return hash(o.b)
}

// slimState is what is known of a key of a slim topic.
type slimState struct {
	firstTime   int64 // of the first record, Unix milliseconds
	firstOffset int64
	offset      int64 // of the newest record
	own         uint64
	borrowed    uint64
	partition   int32
	appendTime  bool // firstTime is the broker's
	published   bool // there is a record
	judged      bool // the newest record has a finding of its own, so that it is not stale as well
	misplaced   bool // the newest record lies in a wrong partition
	explained   bool // one of its records is
}

// sourceRef is a position named by bridge-source; partition -1 is none.
type sourceRef struct {
	offset    int64
	partition int32
}

var noSource = sourceRef{partition: -1}
