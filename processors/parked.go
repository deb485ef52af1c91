package processors

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// Parked is an event, order or refund that is held back. It has ids and positions
// and nothing personal.
type Parked struct {
	Kind     string    `json:"kind"` // event, order or refund
	Event    string    `json:"event"`
	Order    string    `json:"order,omitempty"`
	Refund   string    `json:"refund,omitempty"`
	Reason   string    `json:"reason"`    // see mapping.WaitReason
	WaitsFor string    `json:"waits_for"` // for people
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until,omitzero"` // zero: without limit
	Source   Position  `json:"source"`         // the legacy record that waits
}

// Position is where a legacy record is.
type Position struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// String gives topic/partition/offset.
func (p Position) String() string {
	return fmt.Sprintf("%s/%d/%d", p.Topic, p.Partition, p.Offset)
}

// ReadParked lists what waits in the gate, oldest first; with an event, only what
// belongs to that event. It takes memory for what waits.
//
// What was sent and is only to be sent once more (mapping.WaitRepeat) does not wait.
func ReadParked(ctx context.Context, cfg Config, event string) ([]Parked, error) {
	waiting, err := readGate(ctx, cfg, event, func(key string, row *statepb.Row) (held, bool) {
		h, waits := heldOf(row)
		return h, waits && belongsTo(event, key)
	})
	if err != nil {
		return nil, err
	}
	sets, err := readSets(ctx, cfg, event, waiting)
	if err != nil {
		return nil, err
	}
	list := make([]Parked, 0, len(waiting))
	for _, key := range slices.Sorted(maps.Keys(waiting)) {
		list = append(list, waiting[key].parked(key, cfg.Topics, sets[mapping.KeyPrefix(key)]))
	}
	slices.SortStableFunc(list, func(a, b Parked) int { return cmp.Compare(a.Since.UnixMilli(), b.Since.UnixMilli()) })
	return list, nil
}

// KnowsEvent tells whether the gate has anything of an event, or of its orders and refunds.
func KnowsEvent(ctx context.Context, cfg Config, event string) (bool, error) {
	rows, err := readGate(ctx, cfg, event, func(key string, _ *statepb.Row) (struct{}, bool) {
		return struct{}{}, belongsTo(event, key)
	})
	return len(rows) > 0, err
}

// held is what is kept of a row that waits.
type held struct {
	reason       mapping.WaitReason
	since, until int64 // Unix milliseconds; until 0: without limit
	partition    int32
	offset       int64
	organizer    string              // of an event
	tickets      *statepb.OrderFacts // of an order that waits for a set: ids and sets of its tickets, nothing else
}

func heldOf(row *statepb.Row) (h held, waits bool) {
	e := mapping.EntityOf(row)
	w := e.GetWait()
	if w == nil {
		return held{}, false
	}
	h = held{
		reason: mapping.WaitReason(w.GetReason()), since: w.GetSince(), until: w.GetDeadline(),
		partition: e.GetSource().GetPartition(), offset: e.GetSource().GetOffset(),
		organizer: row.GetEvent().GetFacts().GetOrg(),
	}
	if h.reason == mapping.WaitSet {
		h.tickets = ticketSets(row.GetOrder().GetFacts())
	}
	return h, true
}

func ticketSets(f *statepb.OrderFacts) *statepb.OrderFacts {
	kept := &statepb.OrderFacts{}
	for _, t := range f.GetTickets() {
		kept.Tickets = append(kept.Tickets, &statepb.Ticket{Id: t.GetId(), Set: t.GetSet()})
	}
	return kept
}

// readSets reads the sets of the events whose orders wait for one, by the events'
// keys: which set is missing is seen only beside those that are there. Most of the
// time nothing waits for a set and nothing is read again.
func readSets(ctx context.Context, cfg Config, event string, waiting map[string]held) (map[string]*statepb.EventFacts, error) {
	wanted := map[string]bool{}
	for key, h := range waiting {
		if h.reason == mapping.WaitSet {
			wanted[mapping.KeyPrefix(key)] = true
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	return readGate(ctx, cfg, event, func(key string, row *statepb.Row) (*statepb.EventFacts, bool) {
		facts := &statepb.EventFacts{}
		for _, s := range row.GetEvent().GetFacts().GetSets() {
			facts.Sets = append(facts.Sets, &statepb.TicketSet{Id: s.GetId()})
		}
		return facts, wanted[key]
	})
}

func (h held) parked(key string, t Topics, sets *statepb.EventFacts) Parked {
	s, _ := mapping.StreamOf(key)
	p := Parked{
		Kind: kinds[s], Reason: h.reason.String(), WaitsFor: h.words(key, sets), Since: time.UnixMilli(h.since).UTC(),
		Source: Position{t.Legacy[s], h.partition, h.offset},
	}
	p.Event, p.Order, p.Refund = mapping.IDs(key)
	if h.until != 0 {
		p.Until = time.UnixMilli(h.until).UTC()
	}
	return p
}

// words says what the entity waits for.
func (h held) words(key string, sets *statepb.EventFacts) string {
	event, order, _ := mapping.IDs(key)
	switch h.reason {
	case mapping.WaitEvent:
		return "event " + ShownID(event) + " is not published"
	case mapping.WaitSet:
		if t := mapping.UnknownSet(h.tickets, sets); t != nil {
			return "set " + ShownID(t.GetSet()) + " of ticket " + ShownID(t.GetId())
		}
		return "a set that its event has meanwhile"
	case mapping.WaitOrganizer:
		return "organizer " + ShownID(h.organizer)
	case mapping.WaitOrganizerMissing:
		if h.organizer == "" {
			return "an organizer: the event names none"
		}
		return "organizer " + ShownID(h.organizer) + ", without which it cannot go out"
	case mapping.WaitOrder:
		return "order " + ShownID(order) + " is not published"
	case mapping.WaitSkippedOrder:
		return "order " + ShownID(order) + " was skipped"
	}
	return h.reason.String()
}

// ShownID is an id as people are shown it: ids are opaque, and one that is empty
// or has spaces or what a terminal would act on is quoted.
func ShownID(id string) string {
	odd := func(c rune) bool {
		return !unicode.IsGraphic(c) || unicode.IsSpace(c) || c == '"' || c == unicode.ReplacementChar
	}
	if id == "" || strings.ContainsFunc(id, odd) {
		return strconv.Quote(id)
	}
	return id
}
