package slim

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ticketscloud/vibe-bridge/slim/vibev1"
)

func parseEventProto(b []byte) (*Event, error) {
	m := new(vibev1.Event)
	if err := unmarshalStrictly("event", b, m); err != nil {
		return nil, err
	}
	e := &Event{
		ID:          m.Id,
		GroupID:     m.GroupId,
		Name:        m.Name,
		Category:    protoCategories[m.Category],
		StartAt:     &m.StartAt,
		FinishAt:    m.FinishAt,
		Media:       m.Media,
		Timezone:    m.Timezone,
		Description: m.Description,
		Venue:       venueFromProto(m.Venue),
	}
	if m.Organizer != nil && m.OrganizerId != m.Organizer.Id {
		return nil, &FieldError{Record: "event", Field: "organizer_id", Problem: "is another than organizer.id"}
	}
	e.Organizer = organizerFromProto(m)
	return e, nil
}

func organizerFromProto(m *vibev1.Event) *Organizer {
	if m.Organizer == nil && m.OrganizerId == "" {
		return nil
	}
	organizer := &Organizer{ID: m.OrganizerId, Name: m.Organizer.GetName()}
	if legals := m.Organizer.GetLegals(); legals != nil {
		organizer.Legals = &Legals{
			Name:    legals.Name,
			Type:    protoLegalTypes[legals.Type],
			INN:     legals.Inn,
			OGRN:    legals.Ogrn,
			Address: legals.Address,
		}
	}
	return organizer
}

func venueFromProto(m *vibev1.Event_Venue) *Venue {
	if m == nil {
		return nil
	}
	v := &Venue{
		ID:          m.Id,
		Name:        m.Name,
		Address:     m.Address,
		Description: m.Description,
		Zipcode:     m.Zipcode,
		CityName:    m.CityName,
	}
	// Coordinates are a pair: a place on the equator has a lat of 0.
	if m.Lat != 0 || m.Lon != 0 {
		v.Lat, v.Lon = &m.Lat, &m.Lon
	}
	return v
}

func parseOrderProto(b []byte) (*Order, error) {
	m := new(vibev1.Order)
	if err := unmarshalStrictly("order", b, m); err != nil {
		return nil, err
	}
	if m.Customer == nil {
		return nil, &FieldError{Record: "order", Field: "customer", Problem: problemMissing}
	}
	o := &Order{
		ID:          m.Id,
		EventID:     m.EventId,
		OrganizerID: m.OrganizerId,
		Customer:    Customer{Email: m.Customer.Email, Phone: m.Customer.Phone, Name: m.Customer.Name},
	}
	for _, ticket := range m.Tickets {
		o.Tickets = append(o.Tickets, ticketFromProto(ticket))
	}
	return o, nil
}

func ticketFromProto(m *vibev1.Ticket) Ticket {
	return Ticket{
		ID:           m.Id,
		EventID:      m.EventId,
		OrganizerID:  m.OrganizerId,
		Barcode:      m.Barcode,
		Number:       m.Number,
		Series:       m.Series,
		Row:          m.Row,
		Seat:         m.Seat,
		Category:     m.Category,
		Description:  m.Description,
		PriceNominal: m.PriceNominal,
		Currency:     protoCurrencies[m.Currency],
	}
}

func parseRefundProto(b []byte) (*Refund, error) {
	m := new(vibev1.Refund)
	if err := unmarshalStrictly("refund", b, m); err != nil {
		return nil, err
	}
	if m.Customer == nil {
		return nil, &FieldError{Record: "refund", Field: "customer", Problem: problemMissing}
	}
	return &Refund{
		Customer:  Customer{Email: m.Customer.Email, Phone: m.Customer.Phone, Name: m.Customer.Name},
		TicketIDs: m.TicketIds,
	}, nil
}

// unmarshalStrictly refuses what the schema does not know, which Protobuf
// itself would keep: afterwards every enum value of m is one of the schema's.
func unmarshalStrictly(record string, b []byte, m proto.Message) error {
	if len(b) == 0 {
		return &FieldError{Record: record, Problem: "has no bytes: an empty value is a tombstone"}
	}
	if err := proto.Unmarshal(b, m); err != nil {
		return fmt.Errorf("%s: read %s: %w", record, m.ProtoReflect().Descriptor().FullName(), err)
	}
	field, problem := findUnknown(m.ProtoReflect())
	return fieldError(record, field, problem)
}

// findUnknown returns the path of a field or an enum value in m that the
// schema does not have, "" and "" when there is none.
func findUnknown(m protoreflect.Message) (field, problem string) {
	if unknown := m.GetUnknown(); len(unknown) > 0 {
		number, _, _ := protowire.ConsumeTag(unknown)
		return fmt.Sprintf("field %d", number), "is not a field of " + string(m.Descriptor().FullName())
	}
	m.Range(func(fd protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		field, problem = findUnknownIn(fd, value)
		return problem == ""
	})
	return field, problem
}

func findUnknownIn(fd protoreflect.FieldDescriptor, value protoreflect.Value) (field, problem string) {
	name := string(fd.Name())
	switch {
	case fd.IsList() && fd.Kind() == protoreflect.MessageKind:
		for i := range value.List().Len() {
			if field, problem := findUnknown(value.List().Get(i).Message()); problem != "" {
				return fmt.Sprintf("%s[%d].%s", name, i, field), problem
			}
		}
	case fd.Kind() == protoreflect.MessageKind:
		if field, problem := findUnknown(value.Message()); problem != "" {
			return name + "." + field, problem
		}
	case fd.Kind() == protoreflect.EnumKind:
		if fd.Enum().Values().ByNumber(value.Enum()) == nil {
			return name, fmt.Sprintf("is %d, which is not a value of %s", value.Enum(), fd.Enum().FullName())
		}
	}
	return "", ""
}
