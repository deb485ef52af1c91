package verify

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ticketscloud/vibe-bridge/slim/vibev1"
)

// Words of the JSON that the enums of vibe.v1 stand for, by number.
var (
	categoryWords = strings.Fields("- ballet business concert develpoment excursion exhibition festival health kids movie museum party show sport test theater other")
	legalWords    = strings.Fields("- ru_lp ru_ltd en_ltd")
	currencyWords = strings.Fields("- USD EUR RUB GBP CNY")
)

func numberOf(words []string, word string) int32 {
	return int32(max(0, slices.Index(words, word)))
}

// wordOf is "" for the number 0, and false for one that the schema does not have.
func wordOf(words []string, number int32) (string, bool) {
	switch {
	case number == 0:
		return "", true
	case number < 0 || int(number) >= len(words):
		return "", false
	}
	return words[number], true
}

func deterministic(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil // invalid UTF-8, which no eligible record has
	}
	return b
}

func degrees(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}

func whole(v *int64) int64 {
	if v == nil {
		return 0
	}
	return *v
}

func (e *Event) protobuf() []byte {
	m := &vibev1.Event{
		Id: e.ID, Name: e.Name, Category: vibev1.Event_Category(numberOf(categoryWords, e.Category)),
		StartAt: whole(e.StartAt), FinishAt: whole(e.FinishAt), Media: e.Media, Timezone: e.Timezone,
		Description: e.Description, GroupId: e.GroupID,
	}
	if v := e.Venue; v != nil {
		m.Venue = &vibev1.Event_Venue{
			Name: v.Name, Address: v.Address, Description: v.Description, Zipcode: v.Zipcode, CityName: v.CityName,
			Lat: degrees(v.Lat), Lon: degrees(v.Lon), Id: v.ID,
		}
	}
	if o := e.Organizer; o != nil {
		m.OrganizerId = o.ID // as the comment of the field says
		m.Organizer = &vibev1.Organizer{Id: o.ID, Name: o.Name}
		if l := o.Legals; l != nil {
			m.Organizer.Legals = &vibev1.Organizer_Legals{
				Name: l.Name, Type: vibev1.Organizer_LegalType(numberOf(legalWords, l.Type)), Inn: l.INN, Ogrn: l.OGRN, Address: l.Address,
			}
		}
	}
	return deterministic(m)
}

func (r *Order) protobuf() []byte {
	m := &vibev1.Order{Id: r.ID, Customer: &vibev1.Order_Customer{Email: r.Customer.Email, Phone: r.Customer.Phone, Name: r.Customer.Name}}
	for _, t := range r.Tickets {
		m.EventId, m.OrganizerId = t.EventID, t.OrganizerID // the same of all tickets
		m.Tickets = append(m.Tickets, &vibev1.Ticket{
			Id: t.ID, Barcode: t.Barcode, Number: t.Number, Series: t.Series, Row: t.Row, Seat: t.Seat,
			Category: t.Category, Description: t.Description, PriceNominal: whole(t.PriceNominal),
			Currency: vibev1.Ticket_Currency(numberOf(currencyWords, t.Currency)), EventId: t.EventID, OrganizerId: t.OrganizerID,
		})
	}
	return deterministic(m)
}

func (r *Refund) protobuf() []byte {
	return deterministic(&vibev1.Refund{
		Customer:  &vibev1.Refund_Customer{Email: r.Customer.Email, Phone: r.Customer.Phone, Name: r.Customer.Name},
		TicketIds: r.TicketIDs,
	})
}

// hasUnknown looks for fields that the schema does not have, at any depth.
func hasUnknown(m proto.Message) bool {
	found := false
	_ = protorange.Range(m.ProtoReflect(), func(p protopath.Values) error {
		if inner, ok := p.Index(-1).Value.Interface().(protoreflect.Message); ok && len(inner.GetUnknown()) > 0 {
			found = true
			return protorange.Terminate
		}
		return nil
	})
	return found
}

// coordinate: 0 and absent are the same on the wire.
func coordinate(v float64) *float64 {
	if v == 0 {
		return nil
	}
	return &v
}

// eventOf is what a message says, and what is wrong with it.
func eventOf(m *vibev1.Event) (*Event, string) {
	var f fault
	category, known := wordOf(categoryWords, int32(m.GetCategory()))
	f.must(known, "category: not in the vocabulary")
	start, finish := m.GetStartAt(), m.GetFinishAt()
	v := &Event{
		ID: m.GetId(), GroupID: m.GetGroupId(), Name: m.GetName(), Category: category, StartAt: &start, FinishAt: &finish,
		Media: m.GetMedia(), Timezone: m.GetTimezone(), Description: m.GetDescription(),
	}
	if o := m.GetOrganizer(); o != nil {
		v.Organizer = &Organizer{ID: o.GetId(), Name: o.GetName()}
		if l := o.GetLegals(); l != nil {
			kind, known := wordOf(legalWords, int32(l.GetType()))
			f.must(known, "organizer.legals.type: not in the vocabulary")
			v.Organizer.Legals = &Legals{Name: l.GetName(), Type: kind, INN: l.GetInn(), OGRN: l.GetOgrn(), Address: l.GetAddress()}
		}
	}
	f.must(m.GetOrganizerId() == m.GetOrganizer().GetId(), "organizer_id: not that of organizer")
	if p := m.GetVenue(); p != nil {
		v.Venue = &Venue{
			ID: p.GetId(), Name: p.GetName(), Address: p.GetAddress(), Description: p.GetDescription(), Zipcode: p.GetZipcode(),
			CityName: p.GetCityName(), Lat: coordinate(p.GetLat()), Lon: coordinate(p.GetLon()),
		}
	}
	return v, f.text
}

func orderOf(m *vibev1.Order) (*Order, string) {
	var f fault
	c := m.GetCustomer()
	v := &Order{ID: m.GetId(), Customer: Customer{Email: c.GetEmail(), Phone: c.GetPhone(), Name: c.GetName()}}
	for _, t := range m.GetTickets() {
		currency, known := wordOf(currencyWords, int32(t.GetCurrency()))
		f.must(known, "tickets.currency: not in the vocabulary")
		f.must(t.GetEventId() == m.GetEventId(), "event_id: not that of the tickets")
		f.must(t.GetOrganizerId() == m.GetOrganizerId(), "organizer_id: not that of the tickets")
		price := t.GetPriceNominal()
		v.Tickets = append(v.Tickets, Ticket{
			ID: t.GetId(), EventID: t.GetEventId(), OrganizerID: t.GetOrganizerId(), Barcode: t.GetBarcode(), Number: t.GetNumber(),
			Series: t.GetSeries(), Row: t.GetRow(), Seat: t.GetSeat(), Category: t.GetCategory(), Description: t.GetDescription(),
			PriceNominal: &price, Currency: currency,
		})
	}
	return v, f.text
}
