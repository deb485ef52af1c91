package slim

// Event is a record of the events topic. Its key is ID.
type Event struct {
	ID      string
	GroupID string // optional
	Name    string
	Status  string // one of the Status constants; edition 2.0 only
	// Category is one of the edition's [Edition.Categories].
	Category string
	// StartAt is in Unix seconds in edition 1.0, milliseconds in 2.0. nil
	// leaves it out, which only edition 2.0 allows.
	StartAt *int64
	// FinishAt has the unit of StartAt.
	FinishAt int64
	// Offset is in hours east of UTC, fractions allowed; edition 2.0 only.
	Offset      float64
	Media       string     // URL of an image; optional
	Timezone    string     // IANA name; optional, edition 1.0 only
	Description string     // optional
	Organizer   *Organizer // optional in edition 1.0, required in 2.0
	Venue       *Venue     // optional
}

// Organizer is who holds an event.
type Organizer struct {
	ID     string
	Name   string
	Legals *Legals // optional
}

// Legals are the requisites of an organizer. Name and Type are required in
// edition 1.0 and optional in 2.0.
type Legals struct {
	Name    string
	Type    string // one of the LegalType constants
	INN     string // optional
	OGRN    string // optional
	Address string // optional
}

// Venue is where an event takes place.
type Venue struct {
	ID          string
	Name        string
	Address     string // optional
	Description string // optional
	Zipcode     string // optional
	CityName    string // optional
	// Lat and Lon are degrees; nil leaves one out. Protobuf cannot tell nil
	// from zero, and reads two zeros as no coordinates.
	Lat *float64
	Lon *float64
}

// Order is a record of the orders topic. Its key is ID.
type Order struct {
	ID string
	// EventID is the event of all tickets. Only Protobuf has it at this place;
	// JSON has [Ticket.EventID] alone.
	EventID string
	// OrganizerID is the organizer of all tickets; Protobuf only, see EventID.
	OrganizerID string
	Number      string // edition 2.0 only
	Customer    Customer
	Tickets     []Ticket
}

// Customer is who bought. Every field of it is personal: it never shows in an
// error, a log line or a metric.
type Customer struct {
	Email string // may be empty, is written all the same
	Phone string // E.164
	Name  string // optional, edition 1.0 only
	// FirstName and LastName stand in edition 2.0 where Name stood in 1.0.
	FirstName string
	LastName  string
}

// Ticket is one ticket of an order.
type Ticket struct {
	ID           string
	EventID      string
	OrganizerID  string // edition 1.0 only
	Barcode      string // may be empty, is written all the same; personal
	Number       string // optional
	Series       string // optional
	Row          string // optional
	Seat         string // optional
	Category     string // may be empty, is written all the same
	Description  string // optional
	PriceNominal int64  // minor units; zero is written too
	Currency     string // one of the five that [IsCurrency] knows; optional
}

// Refund is a record of the refunds topic. Its key is the id of the refund
// request, which the value does not repeat.
type Refund struct {
	// Customer is the customer of the order, and is encoded to the bytes that
	// the order carried.
	Customer  Customer
	TicketIDs []string
}
