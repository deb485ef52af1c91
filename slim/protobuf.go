package slim

import (
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/slim/vibev1"
)

// How values go into Protobuf where the slim contract leaves room:
//
//   - Event.organizer_id repeats organizer.id, for readers of the first ten
//     fields; without an organizer both are absent.
//   - Order.event_id and Order.organizer_id come from [Order.EventID] and
//     [Order.OrganizerID], and are not derived from the tickets; the tickets
//     carry their own, as in JSON.
//   - A category outside the vocabulary of edition 1.0 becomes OTHER, an empty
//     one CATEGORY_UNSPECIFIED; a legal type or currency outside becomes the
//     unspecified value. "develpoment" is DEVELOPMENT.
//   - Event.start_at is 0 when StartAt is nil.
//   - The customer is always there, also when all its fields are empty.
//
// The bytes are those of the generated code, marshalled deterministically:
// fields in the order of their numbers, nothing for a default value. The
// golden files show it when a new version of the protobuf module changes them.

// appendMessage cannot fail: the only error of marshalling these messages is a
// string that is not UTF-8, and utf8Text has mended every string.
func appendMessage(dst []byte, m proto.Message) []byte {
	dst, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(dst, m)
	if err != nil {
		panic("slim: marshal " + string(m.ProtoReflect().Descriptor().FullName()) + ": a string has bypassed utf8Text")
	}
	return dst
}

// utf8Text replaces each byte that is not UTF-8 by U+FFFD, so that a reader
// sees the text that the JSON of the same record would give.
func utf8Text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

func eventToProto(e *Event) *vibev1.Event {
	m := &vibev1.Event{
		Id:          utf8Text(e.ID),
		GroupId:     utf8Text(e.GroupID),
		Name:        utf8Text(e.Name),
		Category:    categoryToProto(e.Category),
		FinishAt:    e.FinishAt,
		Media:       utf8Text(e.Media),
		Timezone:    utf8Text(e.Timezone),
		Description: utf8Text(e.Description),
	}
	if e.StartAt != nil {
		m.StartAt = *e.StartAt
	}
	if e.Organizer != nil {
		m.Organizer = organizerToProto(e.Organizer)
		m.OrganizerId = m.Organizer.Id
	}
	if e.Venue != nil {
		m.Venue = venueToProto(e.Venue)
	}
	return m
}

func organizerToProto(o *Organizer) *vibev1.Organizer {
	m := &vibev1.Organizer{Id: utf8Text(o.ID), Name: utf8Text(o.Name)}
	if o.Legals != nil {
		m.Legals = &vibev1.Organizer_Legals{
			Name:    utf8Text(o.Legals.Name),
			Type:    legalTypeToProto(o.Legals.Type),
			Inn:     utf8Text(o.Legals.INN),
			Ogrn:    utf8Text(o.Legals.OGRN),
			Address: utf8Text(o.Legals.Address),
		}
	}
	return m
}

func venueToProto(v *Venue) *vibev1.Event_Venue {
	return &vibev1.Event_Venue{
		Id:          utf8Text(v.ID),
		Name:        utf8Text(v.Name),
		Address:     utf8Text(v.Address),
		Description: utf8Text(v.Description),
		Zipcode:     utf8Text(v.Zipcode),
		CityName:    utf8Text(v.CityName),
		Lat:         coordinateToProto(v.Lat),
		Lon:         coordinateToProto(v.Lon),
	}
}

func coordinateToProto(degrees *float64) float64 {
	if degrees == nil {
		return 0
	}
	return positiveZero(finiteOrZero(*degrees))
}

func orderToProto(o *Order) *vibev1.Order {
	m := &vibev1.Order{
		Id:          utf8Text(o.ID),
		EventId:     utf8Text(o.EventID),
		OrganizerId: utf8Text(o.OrganizerID),
		Customer: &vibev1.Order_Customer{
			Email: utf8Text(o.Customer.Email),
			Phone: utf8Text(o.Customer.Phone),
			Name:  utf8Text(o.Customer.Name),
		},
	}
	if len(o.Tickets) > 0 {
		m.Tickets = make([]*vibev1.Ticket, len(o.Tickets))
	}
	for i := range o.Tickets {
		m.Tickets[i] = ticketToProto(&o.Tickets[i])
	}
	return m
}

func ticketToProto(t *Ticket) *vibev1.Ticket {
	return &vibev1.Ticket{
		Id:           utf8Text(t.ID),
		EventId:      utf8Text(t.EventID),
		OrganizerId:  utf8Text(t.OrganizerID),
		Barcode:      utf8Text(t.Barcode),
		Number:       utf8Text(t.Number),
		Series:       utf8Text(t.Series),
		Row:          utf8Text(t.Row),
		Seat:         utf8Text(t.Seat),
		Category:     utf8Text(t.Category),
		Description:  utf8Text(t.Description),
		PriceNominal: t.PriceNominal,
		Currency:     currencyToProto(t.Currency),
	}
}

func refundToProto(r *Refund) *vibev1.Refund {
	m := &vibev1.Refund{
		Customer: &vibev1.Refund_Customer{
			Email: utf8Text(r.Customer.Email),
			Phone: utf8Text(r.Customer.Phone),
			Name:  utf8Text(r.Customer.Name),
		},
	}
	if len(r.TicketIDs) > 0 {
		m.TicketIds = make([]string, len(r.TicketIDs))
	}
	for i, id := range r.TicketIDs {
		m.TicketIds[i] = utf8Text(id)
	}
	return m
}

// protoCategories holds, in the order of the enum, what edition 1.0 calls its
// values in JSON.
var protoCategories = [...]string{
	vibev1.Event_CATEGORY_UNSPECIFIED: "",
	vibev1.Event_BALLET:               "ballet",
	vibev1.Event_BUSINESS:             "business",
	vibev1.Event_CONCERT:              "concert",
	vibev1.Event_DEVELOPMENT:          "develpoment",
	vibev1.Event_EXCURSION:            "excursion",
	vibev1.Event_EXHIBITION:           "exhibition",
	vibev1.Event_FESTIVAL:             "festival",
	vibev1.Event_HEALTH:               "health",
	vibev1.Event_KIDS:                 "kids",
	vibev1.Event_MOVIE:                "movie",
	vibev1.Event_MUSEUM:               "museum",
	vibev1.Event_PARTY:                "party",
	vibev1.Event_SHOW:                 "show",
	vibev1.Event_SPORT:                "sport",
	vibev1.Event_TEST:                 "test",
	vibev1.Event_THEATER:              "theater",
	vibev1.Event_OTHER:                CategoryOther,
}

func categoryToProto(category string) vibev1.Event_Category {
	for number, name := range protoCategories {
		if name == category {
			return vibev1.Event_Category(number)
		}
	}
	return vibev1.Event_OTHER
}

// The empty string is the unspecified value of these two.
var (
	protoLegalTypes = [...]string{
		vibev1.Organizer_UNSPECIFIED: "",
		vibev1.Organizer_RU_LP:       LegalTypeSoleTrader,
		vibev1.Organizer_RU_LTD:      LegalTypeLimitedCompany,
		vibev1.Organizer_EN_LTD:      LegalTypeForeignCompany,
	}
	protoCurrencies = [...]string{
		vibev1.Ticket_CURRENCY_UNSPECIFIED: "",
		vibev1.Ticket_USD:                  "USD",
		vibev1.Ticket_EUR:                  "EUR",
		vibev1.Ticket_RUB:                  "RUB",
		vibev1.Ticket_GBP:                  "GBP",
		vibev1.Ticket_CNY:                  "CNY",
	}
)

func legalTypeToProto(legalType string) vibev1.Organizer_LegalType {
	for number, name := range protoLegalTypes {
		if name == legalType {
			return vibev1.Organizer_LegalType(number)
		}
	}
	return vibev1.Organizer_UNSPECIFIED
}

func currencyToProto(currency string) vibev1.Ticket_Currency {
	for number, name := range protoCurrencies {
		if name == currency {
			return vibev1.Ticket_Currency(number)
		}
	}
	return vibev1.Ticket_CURRENCY_UNSPECIFIED
}
