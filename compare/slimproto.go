package compare

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/slim/vibev1"
)

// Words that the enums of vibe.v1 stand for, by their numbers (contract/slim.md). 0 is
// absent.
var (
	slimCategories = strings.Split(",ballet,business,concert,develpoment,excursion,exhibition,festival,health,kids,movie,museum,party,show,sport,test,theater,other", ",")
	slimLegalTypes = strings.Split(",ru_lp,ru_ltd,en_ltd", ",")
	slimCurrencies = strings.Split(",USD,EUR,RUB,GBP,CNY", ",")
)

// protoFields fills cells from a message, and says what is wrong with it.
type protoFields struct {
	sheet *Sheet
	list  []Field
	cells []Cell
	next  int // the cell that is expected: messages are read in the order of the form
}

// at finds a field's cell.
func (p *protoFields) at(path string) int {
	if p.next >= len(p.list) || p.list[p.next].Path != path {
		p.next = indexOf(p.list, path)
	}
	p.next++
	return p.next - 1
}

func (p *protoFields) fault(field int, kind FaultKind) {
	p.sheet.Faults = append(p.sheet.Faults, Fault{Field: field, Kind: kind})
}

func (p *protoFields) text(path, text string) { p.cells[p.at(path)].Text = text }

// must is text that is not absent.
func (p *protoFields) must(path, text string) {
	i := p.at(path)
	p.cells[i].Text = text
	if text == "" {
		p.fault(i, Missing)
	}
}

func (p *protoFields) integer(path string, v int64) { p.text(path, strconv.FormatInt(v, 10)) }

func (p *protoFields) degrees(path string, v float64) {
	i := p.at(path)
	if v == 0 {
		return
	}
	p.cells[i].Text = canonicalNumber(v)
	if v-v != 0 { // not finite
		p.fault(i, WrongType)
	}
}

func (p *protoFields) word(path string, words []string, number int32) {
	i := p.at(path)
	if 0 <= number && int(number) < len(words) {
		p.cells[i].Text = words[number]
		return
	}
	p.cells[i].Text = strconv.FormatInt(int64(number), 10)
	p.fault(i, WrongType)
}

// known reports fields that the schema does not have.
func (p *protoFields) known(m proto.Message) {
	if len(m.ProtoReflect().GetUnknown()) > 0 {
		p.sheet.Faults = append(p.sheet.Faults, Fault{Field: len(p.list), Kind: Unknown, Path: "protobuf field"})
	}
}

// same reports a repeated value that is not that of the field.
func (p *protoFields) same(path, repeated string) {
	if i := indexOf(p.list, path); p.cells[i].Text != repeated {
		p.fault(i, WrongType)
	}
}

// readSlimProtobuf fills a sheet from a value. It returns false when that is not the
// stream's message.
func readSlimProtobuf(s Stream, value []byte, into *Sheet) bool {
	p := &protoFields{sheet: into, list: fields[s], cells: into.Cells}
	switch s {
	case Events:
		var m vibev1.Event
		if proto.Unmarshal(value, &m) != nil {
			return false
		}
		p.event(&m)
	case Orders:
		var m vibev1.Order
		if proto.Unmarshal(value, &m) != nil {
			return false
		}
		p.order(&m)
	default:
		var m vibev1.Refund
		if proto.Unmarshal(value, &m) != nil {
			return false
		}
		p.refund(&m)
	}
	return true
}

func (p *protoFields) event(m *vibev1.Event) {
	p.known(m)
	p.must("id", m.GetId())
	p.text("group_id", m.GetGroupId())
	p.must("name", m.GetName())
	p.word("category", slimCategories, int32(m.GetCategory()))
	if m.GetCategory() == vibev1.Event_CATEGORY_UNSPECIFIED {
		p.fault(indexOf(p.list, "category"), Missing)
	}
	p.integer("start_at", m.GetStartAt())
	p.integer("finish_at", m.GetFinishAt())
	p.text("media", m.GetMedia())
	p.text("timezone", m.GetTimezone())
	p.text("description", m.GetDescription())
	if o := m.GetOrganizer(); o != nil {
		p.organizer(o)
		p.same("organizer.id", m.GetOrganizerId())
	} else {
		p.text("organizer.id", m.GetOrganizerId())
	}
	if v := m.GetVenue(); v != nil {
		p.known(v)
		p.must("venue.id", v.GetId())
		p.must("venue.name", v.GetName())
		p.text("venue.address", v.GetAddress())
		p.text("venue.description", v.GetDescription())
		p.text("venue.zipcode", v.GetZipcode())
		p.text("venue.city_name", v.GetCityName())
		p.degrees("venue.lat", v.GetLat())
		p.degrees("venue.lon", v.GetLon())
	}
}

func (p *protoFields) organizer(o *vibev1.Organizer) {
	p.known(o)
	p.must("organizer.id", o.GetId())
	p.must("organizer.name", o.GetName())
	l := o.GetLegals()
	if l == nil {
		return
	}
	p.known(l)
	p.must("organizer.legals.name", l.GetName())
	p.word("organizer.legals.type", slimLegalTypes, int32(l.GetType()))
	if l.GetType() == vibev1.Organizer_UNSPECIFIED {
		p.fault(indexOf(p.list, "organizer.legals.type"), Missing)
	}
	p.text("organizer.legals.inn", l.GetInn())
	p.text("organizer.legals.ogrn", l.GetOgrn())
	p.text("organizer.legals.address", l.GetAddress())
}

func (p *protoFields) order(m *vibev1.Order) {
	p.known(m)
	p.must("id", m.GetId())
	ids := make([]string, len(m.GetTickets()))
	for i, t := range m.GetTickets() {
		ids[i] = listedID(t.GetId())
	}
	tickets := p.at("tickets")
	p.cells[tickets].Text = strings.Join(ids, " ")
	if len(ids) == 0 {
		p.fault(tickets, Missing)
	}
	c := m.GetCustomer()
	p.customer(c.GetEmail(), c.GetPhone(), c.GetName())
	p.known(c)
	for _, t := range m.GetTickets() {
		before := len(p.sheet.Faults)
		item := &protoFields{sheet: p.sheet, list: itemFields, cells: p.sheet.NewItem(t.GetId(), "")}
		item.ticket(t, m)
		itemFaults(p.sheet, t.GetId(), before, tickets)
	}
	p.sheet.Event = m.GetEventId()
}

func (p *protoFields) ticket(t *vibev1.Ticket, m *vibev1.Order) {
	p.known(t)
	p.must("tickets[].event_id", t.GetEventId())
	p.same("tickets[].event_id", m.GetEventId())
	p.text("tickets[].organizer_id", t.GetOrganizerId())
	p.same("tickets[].organizer_id", m.GetOrganizerId())
	p.text("tickets[].barcode", t.GetBarcode())
	p.text("tickets[].number", t.GetNumber())
	p.text("tickets[].series", t.GetSeries())
	p.text("tickets[].row", t.GetRow())
	p.text("tickets[].seat", t.GetSeat())
	p.text("tickets[].category", t.GetCategory())
	p.text("tickets[].description", t.GetDescription())
	p.integer("tickets[].price_nominal", t.GetPriceNominal())
	p.word("tickets[].currency", slimCurrencies, int32(t.GetCurrency()))
}

func (p *protoFields) refund(m *vibev1.Refund) {
	p.known(m)
	c := m.GetCustomer()
	p.customer(c.GetEmail(), c.GetPhone(), c.GetName())
	p.known(c)
	i := p.at("ticket_ids")
	if len(m.GetTicketIds()) == 0 {
		p.fault(i, Missing)
	}
	ids := make([]string, len(m.GetTicketIds()))
	for n, id := range m.GetTicketIds() {
		if id == "" {
			p.fault(i, Missing)
		}
		ids[n] = listedID(id)
	}
	p.cells[i].Text = strings.Join(ids, " ")
}

func (p *protoFields) customer(email, phone, name string) {
	p.text("customer.email", email)
	p.must("customer.phone", phone)
	p.text("customer.name", name)
}
