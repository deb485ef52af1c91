package verify

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

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
