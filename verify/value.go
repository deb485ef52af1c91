package verify

// The slim records as values, with the fields of both editions. The tags are for
// reading; package encoding/json writes none of them (see json.go).

// Event is a record of the events topic.
type Event struct {
	ID          string     `json:"id"`
	GroupID     string     `json:"group_id"`
	Name        string     `json:"name"`
	Status      string     `json:"status"` // 2.0
	Category    string     `json:"category"`
	StartAt     *int64     `json:"start_at"`  // seconds in 1.0, milliseconds in 2.0
	FinishAt    *int64     `json:"finish_at"` // likewise
	Offset      *float64   `json:"offset"`    // 2.0, hours
	Media       string     `json:"media"`
	Timezone    string     `json:"timezone"` // 1.0
	Description string     `json:"description"`
	Organizer   *Organizer `json:"organizer"`
	Venue       *Venue     `json:"venue"`
}

// Organizer is who holds an event.
type Organizer struct {
	ID     string  `json:"id"`
	Name   string  `json:"name"`
	Legals *Legals `json:"legals"`
}

// Legals are an organizer's requisites.
type Legals struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	INN     string `json:"inn"`
	OGRN    string `json:"ogrn"`
	Address string `json:"address"`
}

// Venue is the place of an event.
type Venue struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Address     string   `json:"address"`
	Description string   `json:"description"`
	Zipcode     string   `json:"zipcode"`
	CityName    string   `json:"city_name"`
	Lat         *float64 `json:"lat"`
	Lon         *float64 `json:"lon"`
}

// Order is a record of the orders topic.
type Order struct {
	ID       string   `json:"id"`
	Number   string   `json:"number"` // 2.0
	Customer Customer `json:"customer"`
	Tickets  []Ticket `json:"tickets"`
}

// Customer is a person: nothing of it may be printed.
type Customer struct {
	Email     string `json:"email"`
	Phone     string `json:"phone"`
	Name      string `json:"name"`       // 1.0
	FirstName string `json:"first_name"` // 2.0
	LastName  string `json:"last_name"`  // 2.0
}

// Ticket is one of an order.
type Ticket struct {
	ID           string `json:"id"`
	EventID      string `json:"event_id"`
	OrganizerID  string `json:"organizer_id"` // 1.0
	Barcode      string `json:"barcode"`
	Number       string `json:"number"`
	Series       string `json:"series"`
	Row          string `json:"row"`
	Seat         string `json:"seat"`
	Category     string `json:"category"`
	Description  string `json:"description"`
	PriceNominal *int64 `json:"price_nominal"`
	Currency     string `json:"currency"`
}

// Refund is a record of the refunds topic.
type Refund struct {
	Customer  Customer `json:"customer"`
	TicketIDs []string `json:"ticket_ids"`
}
