package mapping

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ticketscloud/vibe-bridge/legacyproto/intake"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// Intake is what intake makes of one legacy record.
type Intake struct {
	Key        string         // of the internal topic
	Input      *statepb.Input // never nil: facts, or a note that accounts for the record
	Quarantine Reason         // set: the raw record goes to quarantine too
	Counts     []Reason
}

// Intake decodes and checks one legacy record. A nil or empty value is a tombstone.
// Texts of the Input may be parts of value, which nobody may change from then on. The key is not.
//
// The checks are those of the mapping contract that need nothing but the record,
// in the contract's order; what needs another entity is left to the gate.
func (r *Rules) Intake(s Stream, src *statepb.Source, value []byte) Intake {
	if len(value) == 0 {
		return note(s, src, &statepb.Note{Tombstone: true})
	}
	in := r.intake(s, src, value)
	if in.Quarantine == "" && r.oversized(s, in) {
		return quarantined(s, src, ReasonTooLarge)
	}
	return in
}

func (r *Rules) intake(s Stream, src *statepb.Source, value []byte) Intake {
	switch s {
	case Partners:
		return r.intakePartner(src, value)
	case Events:
		return r.intakeEvent(src, value)
	case Orders:
		return r.intakeOrder(src, value)
	case Refunds:
		return r.intakeRefund(src, value)
	}
	panic("mapping: unknown stream " + s.String())
}

func (r *Rules) intakePartner(src *statepb.Source, value []byte) Intake {
	var m intake.Partner
	if err := intake.DecodePartner(value, &m); err != nil {
		return quarantined(Partners, src, decodeReason(err))
	}
	if m.GetId() == "" {
		return quarantined(Partners, src, ReasonPartnerWithoutID)
	}
	f := &statepb.OrganizerFacts{Id: m.GetId(), Name: m.GetName(), Currency: m.GetCurrency()}
	if l := m.GetLegal(); l != nil {
		f.Legal = legalFacts(&statepb.Legal{Name: l.GetName(), Address: l.GetAddress(), Inn: l.GetInn(), Ogrn: l.GetOgrn(), Ogrnip: l.GetOgrnip()})
	}
	return Intake{Key: OrganizerKey(f.Id), Input: &statepb.Input{Source: src, Body: &statepb.Input_Organizer{Organizer: f}}}
}

func (r *Rules) intakeEvent(src *statepb.Source, value []byte) Intake {
	var m intake.Event
	if err := intake.ViewEvent(value, &m); err != nil {
		return quarantined(Events, src, decodeReason(err))
	}
	switch {
	case m.GetId() == "":
		return quarantined(Events, src, ReasonEventWithoutID)
	case m.GetName() == "":
		return quarantined(Events, src, ReasonEventWithoutName)
	}
	var counts []Reason
	start, badStart := millis(m.GetLifetime().GetStart())
	finish, badFinish := millis(m.GetLifetime().GetFinish())
	if badStart || badFinish {
		counts = append(counts, CountInvalidTimestamp)
	}
	if start == nil && finish == nil {
		return quarantined(Events, src, ReasonEventWithoutDates)
	}
	f := eventFacts(&m, start, finish)
	if len(value) > r.MaxRecordBytes/8 && r.slimEventTooLarge(f) {
		return quarantined(Events, src, ReasonTooLarge)
	}
	return Intake{
		Key:    strings.Clone(EventKey(f.Id)),
		Input:  &statepb.Input{Source: src, Body: &statepb.Input_Event{Event: f}},
		Counts: counts,
	}
}

func eventFacts(m *intake.Event, start, finish *int64) *statepb.EventFacts {
	media := m.GetMedia()
	f := &statepb.EventFacts{
		Id: m.GetId(), GroupId: m.GetMeta(), Name: m.GetName(), Status: int32(m.GetStatus()),
		Category: m.GetCategory(), Start: start, Finish: finish,
		Media: firstOf(media.GetCover(), media.GetCoverOriginal(), media.GetCoverSmall()),
		Venue: m.GetVenue(), Description: m.GetDescription(), Org: m.GetOrg(),
	}
	if l := m.GetLegalRu(); l != nil {
		f.LegalRu = legalFacts(&statepb.Legal{
			Name: l.GetName(), Address: l.GetAddress(), Inn: l.GetInn(),
			Ogrn: l.GetOgrn(), Ogrnip: l.GetOgrnip(), Type: int32(l.GetType()),
		})
	}
	for _, s := range m.GetSets() {
		f.Sets = append(f.Sets, &statepb.TicketSet{Id: s.GetId(), Name: s.GetName(), Description: s.GetDescription()})
	}
	return f
}

// slimEventTooLarge tells early that the slim event cannot fit, while the raw
// record is still at hand for quarantine.
func (r *Rules) slimEventTooLarge(f *statepb.EventFacts) bool {
	ev, _ := r.slimEvent(f, nil)
	return len(r.encodeEvent(&ev)) > r.MaxRecordBytes-envelopeReserve
}

func (r *Rules) intakeOrder(src *statepb.Source, value []byte) Intake {
	reader := intake.BorrowOrderReader()
	defer reader.Return() // what is made of the order keeps its texts alone
	m, err := reader.Decode(value)
	if err != nil {
		return quarantined(Orders, src, decodeReason(err))
	}
	if m.GetStatus() != intake.Order_DONE {
		return skippedOrder(m, src, statusReason(m.GetStatus()))
	}
	switch {
	case m.GetId() == "":
		return quarantined(Orders, src, ReasonOrderWithoutID)
	case m.GetEvent() == "":
		return quarantined(Orders, src, ReasonOrderWithoutEvent)
	}
	customer := m.GetSettings().GetCustomer()
	if customer.GetPhone() == "" {
		return skippedOrder(m, src, ReasonNoPhone)
	}
	phone, ok := normalizePhone(customer.GetPhone())
	if !ok {
		return quarantined(Orders, src, ReasonInvalidPhone)
	}
	for _, t := range m.GetTickets() {
		if t.GetId() == "" {
			return quarantined(Orders, src, ReasonTicketWithoutID)
		}
	}
	if len(m.GetTickets()) == 0 {
		return skippedOrder(m, src, ReasonNoTickets)
	}
	in := newOrderInput(src, m, phone)
	f := in.GetOrder()
	if len(value) > r.MaxRecordBytes/8 && r.slimOrderTooLarge(f) {
		return quarantined(Orders, src, ReasonTooLarge)
	}
	return Intake{Key: OrderKey(f.Event, f.Id), Input: in}
}

// orderParts are allocated together, as they come together. Most orders have one ticket, which comes with them too.
type orderParts struct {
	input    statepb.Input
	body     statepb.Input_Order
	facts    statepb.OrderFacts
	customer statepb.Customer
	tickets  [1]*statepb.Ticket
	ticket   [1]statepb.Ticket
}

func newOrderInput(src *statepb.Source, m *intake.Order, phone string) *statepb.Input {
	p := new(orderParts)
	p.input.Source, p.input.Body = src, &p.body
	p.body.Order = &p.facts
	f := &p.facts
	f.Id, f.Event, f.Number, f.Org = m.GetId(), m.GetEvent(), m.GetNumber(), m.GetOrg()
	customer := m.GetSettings().GetCustomer()
	f.Customer = &p.customer
	p.customer.Name, p.customer.Email, p.customer.Phone = collapse(customer.GetName()), customer.GetEmail(), phone

	tickets := p.ticket[:]
	f.Tickets = p.tickets[:]
	if n := len(m.GetTickets()); n != 1 {
		tickets = make([]statepb.Ticket, n)
		f.Tickets = make([]*statepb.Ticket, n)
	}
	for i, from := range m.GetTickets() {
		t := &tickets[i]
		t.Id, t.Barcode, t.Number, t.Serial = from.GetId(), from.GetBarcode(), from.GetNumber(), from.GetSerial()
		t.Row, t.Seat, t.Set, t.Nominal = from.GetSeat().GetRow(), from.GetSeat().GetNumber(), from.GetSet(), from.GetNominal()
		f.Tickets[i] = t
	}
	return &p.input
}

func (r *Rules) slimOrderTooLarge(f *statepb.OrderFacts) bool {
	o, _ := r.slimOrder(f, &statepb.EventFacts{}, "")
	return len(r.encodeOrder(&o)) > r.MaxRecordBytes-envelopeReserve
}

func (r *Rules) intakeRefund(src *statepb.Source, value []byte) Intake {
	var m intake.RefundRequest
	if err := intake.DecodeRefundRequest(value, &m); err != nil {
		return quarantined(Refunds, src, decodeReason(err))
	}
	if m.GetStatus() != intake.RefundRequest_APPROVED {
		return note(Refunds, src, &statepb.Note{Skipped: string(statusReason(m.GetStatus()))})
	}
	switch {
	case m.GetId() == "":
		return quarantined(Refunds, src, ReasonRefundWithoutID)
	case m.GetOrder() == "":
		return quarantined(Refunds, src, ReasonRefundWithoutOrder)
	case m.GetEvent() == "":
		return quarantined(Refunds, src, ReasonRefundWithoutEvent)
	}
	f := &statepb.RefundFacts{Id: m.GetId(), Order: m.GetOrder(), Event: m.GetEvent()}
	for _, t := range m.GetTickets() {
		if t.GetId() != "" {
			f.TicketIds = append(f.TicketIds, t.GetId())
		}
	}
	if len(f.TicketIds) == 0 {
		return quarantined(Refunds, src, ReasonRefundWithoutTickets)
	}
	return Intake{
		Key:   RefundKey(f.Event, f.Order, f.Id),
		Input: &statepb.Input{Source: src, Body: &statepb.Input_Refund{Refund: f}},
	}
}

// skippedOrder tells the gate of a skipped order, because its refunds depend on
// it; without ids there is nobody to tell.
func skippedOrder(m *intake.Order, src *statepb.Source, reason Reason) Intake {
	n := &statepb.Note{Skipped: string(reason)}
	if m.GetId() == "" || m.GetEvent() == "" {
		return note(Orders, src, n)
	}
	in := note(Orders, src, n)
	in.Key = OrderKey(m.GetEvent(), m.GetId())
	return in
}

func quarantined(s Stream, src *statepb.Source, reason Reason) Intake {
	in := note(s, src, &statepb.Note{Quarantined: string(reason)})
	in.Quarantine = reason
	return in
}

func note(s Stream, src *statepb.Source, n *statepb.Note) Intake {
	return Intake{
		Key:   LedgerKey(s, src.GetPartition()),
		Input: &statepb.Input{Source: src, Body: &statepb.Input_Note{Note: n}},
	}
}

func decodeReason(err error) Reason {
	if errors.Is(err, intake.ErrInvalidUTF8) {
		return ReasonInvalidUTF8
	}
	return ReasonUndecodable
}

// statusReason is status_<name> in lower case, or status_unknown.
func statusReason(status fmt.Stringer) Reason {
	name := status.String()
	if name == "" || name[0] == '-' || (name[0] >= '0' && name[0] <= '9') {
		return "status_unknown"
	}
	return Reason("status_" + strings.ToLower(name))
}

// millis converts a timestamp to Unix milliseconds. One that is outside the
// years 1 to 9999 is bad and counts as absent.
func millis(ts *timestamppb.Timestamp) (ms *int64, bad bool) {
	if ts == nil {
		return nil, false
	}
	if ts.CheckValid() != nil {
		return nil, true
	}
	v := ts.AsTime().UnixMilli()
	return &v, false
}

// legalFacts drops a legal entity of which no source field is set.
func legalFacts(l *statepb.Legal) *statepb.Legal {
	if l.GetName() == "" && l.GetAddress() == "" && l.GetInn() == "" && l.GetOgrn() == "" && l.GetOgrnip() == "" {
		return nil
	}
	return l
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
