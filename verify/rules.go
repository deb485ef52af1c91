package verify

import (
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ticketscloud/vibe-bridge/legacyproto"
)

// rules are the mapping contract for one deployment.
type rules struct {
	v2        bool // edition 2.0
	protobuf  bool
	directory *Directory
	zone      *time.Location // of events without a known one
}

// legal is a legal entity as the source has it; nil where no field is set.
type legal struct {
	name, inn, address, ogrn string
	soleTrader               bool
}

// ownEvent is the part of a slim event that its legacy record alone decides.
func (r *rules) ownEvent(e *legacyproto.Event) *Event {
	v := &Event{
		ID: e.GetId(), GroupID: e.GetMeta(), Name: e.GetName(), Description: e.GetDescription(),
		Media: firstSet(e.GetMedia().GetCover(), e.GetMedia().GetCoverOriginal(), e.GetMedia().GetCoverSmall()),
	}
	if r.v2 {
		v.Status = eventStatus(e.GetStatus())
	}
	start, finish := dates(e)
	if finish == nil {
		finish = start
	}
	if start == nil && !r.v2 {
		start = finish
	}
	v.StartAt, v.FinishAt = r.moment(start), r.moment(finish)
	return v
}

func firstSet(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func eventStatus(s legacyproto.Event_EventStatus) string {
	switch s {
	case legacyproto.Event_PUBLIC:
		return "active"
	case legacyproto.Event_CANCELED:
		return "cancelled"
	case legacyproto.Event_FINISHED:
		return "finished"
	}
	return "paused"
}

// moment is in the edition's unit.
func (r *rules) moment(t *timestamppb.Timestamp) *int64 {
	if t == nil {
		return nil
	}
	at := t.GetSeconds()
	if r.v2 {
		at = at*1000 + int64(t.GetNanos())/1_000_000
	}
	return &at
}

// place fills in what the directory knows of a category and a venue. at is the
// start of the event, or its finish without one, in Unix seconds.
func (r *rules) place(v *Event, category, venue string, at int64) {
	v.Category = "other"
	if w, known := r.directory.categories[category]; known {
		v.Category = w.v1
		if r.v2 {
			v.Category = w.v2
		}
	}
	zone := r.zone
	if p, known := r.directory.venues[venue]; known {
		place := p.venue
		v.Venue = &place
		v.Timezone = p.timezone
		if p.zone != nil {
			zone = p.zone
		}
	}
	if r.v2 {
		v.Timezone = ""
		_, seconds := time.Unix(at, 0).In(zone).Zone()
		hours := float64(seconds) / 3600
		v.Offset = &hours
	}
}

// startOf is the moment whose zone offset counts, in Unix seconds.
func startOf(e *legacyproto.Event) int64 {
	start, finish := dates(e)
	if start == nil {
		start = finish
	}
	return start.GetSeconds()
}

// organizer is who holds an event of the org; ok is false where the event cannot
// go out with it, and must wait or, in edition 1.0 after the hold, go without.
// partner is nil while it has not been seen.
func (r *rules) organizer(org string, own *legal, partner *partnerFacts) (o *Organizer, ok bool) {
	if org == "" {
		return nil, !r.v2 // decision 4
	}
	o = &Organizer{ID: org}
	requisites := own
	if partner != nil {
		o.Name = partner.name
		if requisites == nil {
			requisites = partner.legal
		}
	}
	if o.Name == "" && r.v2 && own != nil {
		o.Name = own.name
	}
	if o.Name == "" {
		return nil, false
	}
	o.Legals = r.legals(requisites, o.Name)
	return o, true
}

func (r *rules) legals(l *legal, organizer string) *Legals {
	if l == nil {
		return nil
	}
	v := &Legals{Name: l.name, Type: "ru_ltd", INN: l.inn, OGRN: l.ogrn, Address: l.address}
	if l.soleTrader {
		v.Type = "ru_lp"
	}
	if v.Name == "" && !r.v2 {
		v.Name = organizer
	}
	return v
}

func eventLegal(l *legacyproto.Event_LegalRu) *legal {
	found := legal{name: l.GetName(), inn: l.GetInn(), address: l.GetAddress(), ogrn: firstSet(l.GetOgrn(), l.GetOgrnip())}
	if found == (legal{}) {
		return nil
	}
	switch l.GetType() {
	case legacyproto.Event_LegalRu_LTD:
	case legacyproto.Event_LegalRu_IP:
		found.soleTrader = true
	default:
		found.soleTrader = isSoleTrader(l.GetOgrnip(), l.GetInn())
	}
	return &found
}

func partnerLegal(l *legacyproto.Partner_Legal) *legal {
	found := legal{name: l.GetName(), inn: l.GetInn(), address: l.GetAddress(), ogrn: firstSet(l.GetOgrn(), l.GetOgrnip())}
	if found == (legal{}) {
		return nil
	}
	found.soleTrader = isSoleTrader(l.GetOgrnip(), l.GetInn())
	return &found
}

// ownOrder is the part of a slim order that its legacy record alone decides:
// without the tickets' organizer, category, description and currency.
func (r *rules) ownOrder(o *legacyproto.Order) *Order {
	c := o.GetSettings().GetCustomer()
	v := &Order{ID: o.GetId(), Customer: Customer{Email: c.GetEmail(), Phone: c.GetPhone()}} // see readOrder
	if r.v2 {
		v.Number = strconv.FormatInt(o.GetNumber(), 10)
		v.Customer.FirstName, v.Customer.LastName = firstAndLast(c.GetName())
	} else {
		v.Customer.Name = wholeName(c.GetName())
	}
	for _, t := range o.GetTickets() {
		price := t.GetNominal()
		ticket := Ticket{
			ID: t.GetId(), EventID: o.GetEvent(), Barcode: t.GetBarcode(), Series: t.GetSerial(),
			Row: t.GetSeat().GetRow(), Seat: t.GetSeat().GetNumber(), PriceNominal: &price,
		}
		if t.GetNumber() != 0 {
			ticket.Number = strconv.FormatInt(t.GetNumber(), 10)
		}
		v.Tickets = append(v.Tickets, ticket)
	}
	return v
}
