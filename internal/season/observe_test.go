package season_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto/intake"
)

// observe finds the kinds of trouble in the records themselves, knowing
// nothing of how they were made, and counts them.
func observe(t *testing.T, cfg season.Config) map[season.Kind]int {
	t.Helper()
	o := &observer{found: map[season.Kind]int{}, directory: directoryIDs(t, cfg), seen: map[[sha256.Size]byte]bool{}}
	for r := range season.Generate(cfg) {
		o.add(t, r)
	}
	o.partners()
	o.eventRecords()
	o.orderRecords()
	o.refundRecords()
	return o.found
}

type observer struct {
	found     map[season.Kind]int
	directory map[string]bool
	seen      map[[sha256.Size]byte]bool // topic, key and value of records
	log       []any                      // decoded messages in their order
}

// prefixes of the kinds that every topic has.
var prefixes = map[string]string{
	season.TopicPartners: "partner", season.TopicEvents: "event", season.TopicOrders: "order", season.TopicRefunds: "refund",
}

func (o *observer) note(kind season.Kind, when bool) {
	if when {
		o.found[kind]++
	}
}

func (o *observer) add(t *testing.T, r season.Record) {
	t.Helper()
	of := func(suffix string) season.Kind { return season.Kind(prefixes[r.Topic] + "_" + suffix) }
	if len(r.Value) == 0 {
		o.note(of("tombstone"), r.Value == nil)
		o.note(of("empty"), r.Value != nil)
		return
	}
	content := sha256.Sum256(slices.Concat([]byte(r.Topic), r.Key, r.Value))
	o.note(of("duplicate"), o.seen[content])
	o.seen[content] = true
	m, err := decode(r)
	if err == nil {
		o.log = append(o.log, m)
		return
	}
	o.note(of("utf8"), errors.Is(err, intake.ErrInvalidUTF8))
	if errors.Is(err, intake.ErrUndecodable) {
		beginsWell := r.Value[0] == 0x0a // the id comes first
		o.note(of("truncated"), beginsWell)
		o.note(of("garbage"), !beginsWell)
	}
}

// decode reads a record as the bridge does.
func decode(r season.Record) (proto.Message, error) {
	switch r.Topic {
	case season.TopicPartners:
		m := new(intake.Partner)
		return m, intake.DecodePartner(r.Value, m)
	case season.TopicEvents:
		m := new(intake.Event)
		return m, intake.DecodeEvent(r.Value, m)
	case season.TopicOrders:
		m := new(intake.Order)
		return m, intake.DecodeOrder(r.Value, m)
	case season.TopicRefunds:
		m := new(intake.RefundRequest)
		return m, intake.DecodeRefundRequest(r.Value, m)
	default:
		return nil, errors.New("unknown topic " + r.Topic)
	}
}

// each calls f for the messages of one type that have an id.
func each[M interface{ GetId() string }](o *observer, f func(at int, m M)) {
	for at, m := range o.log {
		if m, ok := m.(M); ok && m.GetId() != "" {
			f(at, m)
		}
	}
}

// first returns where in the log each id of a type occurs for the first time.
func first[M interface{ GetId() string }](o *observer) map[string]int {
	firsts := map[string]int{}
	each(o, func(at int, m M) {
		if _, ok := firsts[m.GetId()]; !ok {
			firsts[m.GetId()] = at
		}
	})
	return firsts
}

func countWithoutID[M interface{ GetId() string }](o *observer, kind season.Kind) {
	for _, m := range o.log {
		if m, ok := m.(M); ok {
			o.note(kind, m.GetId() == "")
		}
	}
}

func (o *observer) partners() {
	countWithoutID[*intake.Partner](o, season.PartnerWithoutID)
	each(o, func(_ int, p *intake.Partner) {
		o.note(season.PartnerWithoutName, p.GetName() == "")
		switch strings.ToLower(p.GetCurrency()) {
		case "rub", "eur", "kzt", "gbp", "usd":
		default:
			o.note(season.PartnerUnknownCurrency, true)
		}
	})
	firsts := first[*intake.Partner](o)
	each(o, func(at int, e *intake.Event) {
		published, ok := firsts[e.GetOrg()]
		o.note(season.PartnerNever, !ok)
		o.note(season.PartnerLate, ok && published > at)
	})
}

func (o *observer) eventRecords() {
	countWithoutID[*intake.Event](o, season.EventWithoutID)
	last := map[string]*intake.Event{}
	each(o, func(_ int, e *intake.Event) {
		before := last[e.GetId()]
		o.note(season.EventUnknownStatus, e.GetStatus() > 3)
		o.note(season.EventUnknownCategory, !o.directory[e.GetCategory()])
		o.note(season.EventUnknownVenue, !o.directory[e.GetVenue()])
		o.note(season.EventHuge, len(e.GetDescription()) >= 50_000)
		o.note(season.EventWithoutDates, e.GetLifetime().GetStart() == nil && e.GetLifetime().GetFinish() == nil)
		o.note(season.EventWithoutName, e.GetName() == "" && before == nil)
		o.note(season.EventBrokenUpdate, e.GetName() == "" && before.GetName() != "")
		o.note(season.EventMoved, before != nil && before.GetOrg() != e.GetOrg())
		last[e.GetId()] = e
	})
	firsts := first[*intake.Event](o)
	early := map[string]int{}
	each(o, func(at int, order *intake.Order) {
		if order.GetEvent() == "" {
			return
		}
		published, ok := firsts[order.GetEvent()]
		o.note(season.EventNever, !ok)
		if ok && published > at {
			early[order.GetEvent()]++
			o.note(season.EventLate, early[order.GetEvent()] == 2)
		}
	})
}

func (o *observer) orderRecords() {
	countWithoutID[*intake.Order](o, season.OrderWithoutID)
	events := first[*intake.Event](o)
	sets := map[string]int{} // event and set, to the first version that has it
	each(o, func(at int, e *intake.Event) {
		for _, s := range e.GetSets() {
			if _, ok := sets[e.GetId()+s.GetId()]; !ok {
				sets[e.GetId()+s.GetId()] = at
			}
		}
	})
	each(o, func(at int, m *intake.Order) {
		customer := m.GetSettings().GetCustomer()
		o.note(season.OrderWithoutPhone, customer.GetPhone() == "")
		o.note(season.OrderImpossiblePhone, customer.GetPhone() != "" && !possiblePhone(customer.GetPhone()))
		o.note(season.OrderWithoutEmail, customer.GetEmail() == "")
		o.note(season.OrderWithoutEvent, m.GetEvent() == "")
		o.note(season.OrderWithoutTickets, len(m.GetTickets()) == 0)
		o.note(season.OrderUnknownStatus, m.GetStatus() > 4)
		published, eventKnown := events[m.GetEvent()]
		for _, ticket := range m.GetTickets() {
			o.note(season.OrderTicketWithoutID, ticket.GetId() == "")
			o.note(season.OrderWithoutBarcode, ticket.GetBarcode() == "")
			setAt, ok := sets[m.GetEvent()+ticket.GetSet()]
			o.note(season.OrderUnknownSet, eventKnown && !ok)
			o.note(season.OrderLateSet, eventKnown && ok && published < at && setAt > at)
		}
	})
}

func (o *observer) refundRecords() {
	countWithoutID[*intake.RefundRequest](o, season.RefundWithoutID)
	orders := first[*intake.Order](o)
	tickets := map[string]string{}
	each(o, func(_ int, m *intake.Order) {
		for _, ticket := range m.GetTickets() {
			tickets[ticket.GetId()] = m.GetId()
		}
	})
	each(o, func(at int, m *intake.RefundRequest) {
		o.note(season.RefundWithoutOrder, m.GetOrder() == "")
		o.note(season.RefundWithoutEvent, m.GetEvent() == "")
		o.note(season.RefundWithoutTickets, len(m.GetTickets()) == 0)
		o.note(season.RefundUnknownStatus, m.GetStatus() > 3)
		published, ok := orders[m.GetOrder()]
		o.note(season.RefundUnknownOrder, m.GetOrder() != "" && !ok)
		o.note(season.RefundEarly, ok && published > at)
		for _, ticket := range m.GetTickets() {
			o.note(season.RefundForeignTicket, ok && tickets[ticket.GetId()] != m.GetOrder())
		}
	})
}

// possiblePhone asks the library only about texts without a plausible number of
// digits, because it is slow; TestContactsAreMadeUp asks it about the others.
func possiblePhone(text string) bool {
	digits := 0
	for _, c := range text {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	if digits >= 10 && digits <= 12 {
		return true
	}
	number, err := phonenumbers.Parse(text, "RU")
	return err == nil && phonenumbers.IsPossibleNumber(number)
}

// directoryIDs returns the ids of the categories and venues of a directory.
func directoryIDs(t *testing.T, cfg season.Config) map[string]bool {
	t.Helper()
	var file struct{ Categories, Venues []struct{ ID string } }
	if err := json.Unmarshal(season.Directory(cfg), &file); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, entry := range append(file.Categories, file.Venues...) {
		ids[entry.ID] = true
	}
	return ids
}
