package mapping

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ticketscloud/vibe-bridge/legacyproto/intake"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// slimEvent maps everything of an event but whether it may go out now. organizer
// is nil when it is left out.
func (r *Rules) slimEvent(f *statepb.EventFacts, organizer *slim.Organizer) (slim.Event, []Reason) {
	var counts []Reason
	ev := slim.Event{
		ID: f.GetId(), GroupID: f.GetGroupId(), Name: f.GetName(),
		Media: f.GetMedia(), Description: f.GetDescription(), Organizer: organizer,
	}
	var known bool
	if ev.Category, known = r.category(f.GetCategory()); !known {
		counts = append(counts, CountUnknownCategory)
	}
	location := r.DefaultLocation
	if f.GetVenue() != "" {
		v, ok := r.Directory.Venue(f.GetVenue())
		if ok {
			ev.Venue = &slim.Venue{
				ID: v.ID, Name: v.Name, Address: v.Address, Description: v.Description,
				CityName: v.CityName, Lat: v.Lat, Lon: v.Lon,
			}
		} else {
			counts = append(counts, CountUnknownVenue)
		}
		if v.Location != nil {
			location = v.Location
			ev.Timezone = v.Timezone
		}
	}
	if r.Encoding.Edition == slim.Edition1 {
		r.datesV1(&ev, f)
		return ev, counts
	}
	ev.Timezone = ""
	if ev.Status, known = eventStatus(f.GetStatus()); !known {
		counts = append(counts, CountUnknownEventStatus)
	}
	r.datesV2(&ev, f, location)
	return ev, counts
}

// datesV1 sets both dates in seconds; either stands in for a missing other.
func (r *Rules) datesV1(ev *slim.Event, f *statepb.EventFacts) {
	start, finish := f.GetStart(), f.GetFinish()
	if f.Start == nil {
		start = finish
	}
	if f.Finish == nil {
		finish = start
	}
	s := floorSeconds(start)
	ev.StartAt, ev.FinishAt = &s, floorSeconds(finish)
}

// datesV2 sets the dates in milliseconds, without a start when there is none,
// and the zone's offset at the start.
func (r *Rules) datesV2(ev *slim.Event, f *statepb.EventFacts, location *time.Location) {
	ev.StartAt = f.Start
	at := f.GetFinish()
	if f.Start != nil {
		at = f.GetStart()
	}
	ev.FinishAt = at
	if f.Finish != nil {
		ev.FinishAt = f.GetFinish()
	}
	_, seconds := time.UnixMilli(at).In(location).Zone()
	ev.Offset = float64(seconds) / 3600
}

func floorSeconds(ms int64) int64 { return time.UnixMilli(ms).Unix() }

func eventStatus(status int32) (word string, known bool) {
	switch intake.Event_EventStatus(status) {
	case intake.Event_STAND_BY:
		return "paused", true
	case intake.Event_PUBLIC:
		return "active", true
	case intake.Event_CANCELED:
		return "cancelled", true
	case intake.Event_FINISHED:
		return "finished", true
	}
	return "paused", false
}

func (r *Rules) category(id string) (word string, known bool) {
	c, ok := r.Directory.Category(id)
	switch {
	case !ok:
		return "other", false
	case r.Encoding.Edition == slim.Edition1:
		return c.V1, true
	}
	return c.V2, true
}

// organizer builds the slim organizer from what is known. nil: it has no id or
// no name, and both are required.
//
// partner is nil while the partner was not seen. The name then comes from the
// event's own legal entity in edition 2.0, where an organizer is required;
// edition 1.0 leaves the organizer out.
func (r *Rules) organizer(f *statepb.EventFacts, partner *statepb.OrganizerFacts) *slim.Organizer {
	name := partner.GetName()
	if name == "" && r.Encoding.Edition == slim.Edition2 {
		name = f.GetLegalRu().GetName()
	}
	if f.GetOrg() == "" || name == "" {
		return nil
	}
	return &slim.Organizer{ID: f.GetOrg(), Name: name, Legals: r.legals(f, partner, name)}
}

func (r *Rules) legals(f *statepb.EventFacts, partner *statepb.OrganizerFacts, organizerName string) *slim.Legals {
	l := f.GetLegalRu()
	kind := ""
	if l == nil {
		l = partner.GetLegal()
	} else {
		kind = legalTypeOfEvent(l.GetType())
	}
	if l == nil {
		return nil
	}
	if kind == "" {
		kind = legalTypeByNumbers(l)
	}
	out := &slim.Legals{Name: l.GetName(), Type: kind, INN: l.GetInn(), OGRN: firstOf(l.GetOgrn(), l.GetOgrnip()), Address: l.GetAddress()}
	if out.Name == "" && r.Encoding.Edition == slim.Edition1 {
		out.Name = organizerName
	}
	return out
}

func legalTypeOfEvent(t int32) string {
	switch intake.Event_LegalRu_Type(t) {
	case intake.Event_LegalRu_LTD:
		return "ru_ltd"
	case intake.Event_LegalRu_IP:
		return "ru_lp"
	}
	return ""
}

// legalTypeByNumbers: a sole trader has an OGRNIP, or an INN of twelve digits.
func legalTypeByNumbers(l *statepb.Legal) string {
	if l.GetOgrnip() != "" || isTwelveDigits(l.GetInn()) {
		return "ru_lp"
	}
	return "ru_ltd"
}

func isTwelveDigits(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

// slimOrder maps an order with its event's newest sets and its organizer's
// newest currency. Sets that the event lacks give "" as category.
func (r *Rules) slimOrder(f *statepb.OrderFacts, ev *statepb.EventFacts, currency string) (slim.Order, []Reason) {
	var counts []Reason
	o := slim.Order{ID: f.GetId(), EventID: f.GetEvent(), Customer: r.slimCustomer(f.GetCustomer())}
	if o.Customer.Email == "" {
		counts = append(counts, CountNoEmail)
	}
	if r.Encoding.Edition == slim.Edition1 {
		o.OrganizerID = firstOf(f.GetOrg(), ev.GetOrg())
	} else {
		o.Number = strconv.FormatInt(f.GetNumber(), 10)
	}
	money, ok := slimCurrency(currency)
	if !ok {
		counts = append(counts, CountUnmappedCurrency)
	}
	sets := setsFor(f, ev)
	o.Tickets = make([]slim.Ticket, len(f.GetTickets()))
	for i, t := range f.GetTickets() {
		set := sets.of(t.GetSet())
		if set == nil {
			counts = append(counts, CountUnknownSet)
		}
		if t.GetBarcode() == "" {
			counts = append(counts, CountNoBarcode)
		}
		o.Tickets[i] = slimTicket(t, set)
		o.Tickets[i].EventID = f.GetEvent()
		o.Tickets[i].OrganizerID = o.OrganizerID
		o.Tickets[i].Currency = money
	}
	return o, counts
}

func slimTicket(t *statepb.Ticket, set *statepb.TicketSet) slim.Ticket {
	out := slim.Ticket{
		ID: t.GetId(), Barcode: t.GetBarcode(), Series: t.GetSerial(), Row: t.GetRow(), Seat: t.GetSeat(),
		Category: set.GetName(), Description: set.GetDescription(), PriceNominal: t.GetNominal(),
	}
	if t.GetNumber() != 0 {
		out.Number = strconv.FormatInt(t.GetNumber(), 10)
	}
	return out
}

// hasUnknownSet tells whether a ticket names a set that the event lacks. A
// ticket that names none has nothing to wait for.
func hasUnknownSet(f *statepb.OrderFacts, ev *statepb.EventFacts) bool {
	return UnknownSet(f, ev) != nil
}

// UnknownSet is the first ticket of an order that names a set which the event lacks, nil when there is none.
func UnknownSet(f *statepb.OrderFacts, ev *statepb.EventFacts) *statepb.Ticket {
	sets := setsFor(f, ev)
	for _, t := range f.GetTickets() {
		if t.GetSet() != "" && sets.of(t.GetSet()) == nil {
			return t
		}
	}
	return nil
}

// fewPairs of a ticket and a set are compared one by one: an order mostly has few tickets, and a map costs more.
const fewPairs = 256

// setFinder finds the sets of an event by id, for the tickets of an order.
type setFinder struct {
	sets []*statepb.TicketSet
	byID map[string]*statepb.TicketSet // nil: sets are few enough to compare
}

func setsFor(f *statepb.OrderFacts, ev *statepb.EventFacts) setFinder {
	sets := ev.GetSets()
	if len(sets)*len(f.GetTickets()) <= fewPairs {
		return setFinder{sets: sets}
	}
	byID := make(map[string]*statepb.TicketSet, len(sets))
	for _, s := range sets {
		byID[s.GetId()] = s
	}
	delete(byID, "")
	return setFinder{byID: byID}
}

// of is nil for a set that the event does not have. Of several with one id it is the last. No ticket names a set
// without an id.
func (f setFinder) of(id string) *statepb.TicketSet {
	if f.byID != nil {
		return f.byID[id]
	}
	for _, s := range slices.Backward(f.sets) {
		if s.GetId() == id && id != "" {
			return s
		}
	}
	return nil
}

func (r *Rules) slimCustomer(c *statepb.Customer) slim.Customer {
	out := slim.Customer{Email: c.GetEmail(), Phone: c.GetPhone()}
	if r.Encoding.Edition == slim.Edition1 {
		out.Name = c.GetName()
	} else {
		out.FirstName, out.LastName = splitName(c.GetName())
	}
	return out
}

// slimCurrency maps a partner's currency to one of the five of the slim contract.
func slimCurrency(currency string) (code string, ok bool) {
	for _, code := range [...]string{"RUB", "USD", "EUR", "GBP", "CNY"} {
		if strings.EqualFold(currency, code) {
			return code, true
		}
	}
	return "", false
}

func (r *Rules) slimRefund(f *statepb.RefundFacts, customer *statepb.Customer, order *statepb.OrderFacts) (slim.Refund, []Reason) {
	var counts []Reason
	known := make(map[string]bool, len(order.GetTickets()))
	for _, t := range order.GetTickets() {
		known[t.GetId()] = true
	}
	for _, id := range f.GetTicketIds() {
		if !known[id] {
			counts = append(counts, CountForeignTicket)
		}
	}
	return slim.Refund{Customer: r.slimCustomer(customer), TicketIDs: f.GetTicketIds()}, counts
}

func (r *Rules) encodeEvent(ev *slim.Event) []byte {
	return slim.AppendEvent(make([]byte, 0, eventRoom+len(ev.Name)+len(ev.Description)), r.Encoding, ev)
}

func (r *Rules) encodeOrder(o *slim.Order) []byte {
	return slim.AppendOrder(make([]byte, 0, orderRoom+ticketRoom*len(o.Tickets)), r.Encoding, o)
}

// What most records need beside their long texts: a buffer that is too small is copied until it is large enough.
const (
	eventRoom  = 1 << 10
	orderRoom  = 192
	ticketRoom = 384
)

func (r *Rules) encodeRefund(f *slim.Refund) []byte { return slim.AppendRefund(nil, r.Encoding, f) }
