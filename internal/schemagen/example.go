package main

import (
	"bytes"
	"encoding/json"

	"github.com/ticketscloud/vibe-bridge/slim"
)

// example returns a made-up record of the object, as package slim writes it.
func example(o *object, edition slim.Edition) []byte {
	enc := slim.Encoding{Edition: edition, Format: slim.JSON}
	switch o {
	case event:
		return slim.AppendEvent(nil, enc, exampleEvent(edition))
	case order:
		return slim.AppendOrder(nil, enc, exampleOrder())
	case refund:
		return slim.AppendRefund(nil, enc, &slim.Refund{Customer: exampleCustomer(), TicketIDs: []string{"64c000000000000000000002"}})
	}
	panic("no example of " + o.name)
}

func exampleEvent(edition slim.Edition) *slim.Event {
	startAt, finishAt, category := int64(1798736400), int64(1798747200), "develpoment"
	if edition == slim.Edition2 {
		startAt, finishAt, category = startAt*1000, finishAt*1000, "development"
	}
	lat, lon := 55.755864, 37.617698
	return &slim.Event{
		ID: "64a000000000000000000001", GroupID: "64a000000000000000000002", Name: "How to speak in public",
		Status: slim.StatusActive, Category: category, StartAt: &startAt, FinishAt: finishAt, Offset: 3,
		Media: "https://media.example.com/1.jpg", Timezone: "Europe/Moscow", Description: "Two hours of practice.",
		Organizer: &slim.Organizer{
			ID: "64a000000000000000000003", Name: "Example Lectures",
			Legals: &slim.Legals{
				Name: "Example Lectures LLC", Type: slim.LegalTypeLimitedCompany,
				INN: "7700000000", OGRN: "1000000000000", Address: "1 Example Street, Moscow",
			},
		},
		Venue: &slim.Venue{
			ID: "1204", Name: "Example Hall", Address: "2 Example Square", Description: "The big one", Zipcode: "101000",
			CityName: "Moscow", Lat: &lat, Lon: &lon,
		},
	}
}

func exampleCustomer() slim.Customer {
	return slim.Customer{Email: "buyer@example.com", Phone: "+79000000001", Name: "Sample Buyer", FirstName: "Sample", LastName: "Buyer"}
}

// exampleOrder has one ticket with all fields and one with none that may be left out.
func exampleOrder() *slim.Order {
	const event, organizer = "64a000000000000000000001", "64a000000000000000000003"
	return &slim.Order{
		ID: "64b000000000000000000001", EventID: event, OrganizerID: organizer, Number: "1204511", Customer: exampleCustomer(),
		Tickets: []slim.Ticket{
			{
				ID: "64c000000000000000000001", EventID: event, OrganizerID: organizer, Barcode: "4600000000011", Number: "101", Series: "AB",
				Row: "3", Seat: "12", Category: "Parterre", Description: "Near the stage", PriceNominal: 250000, Currency: "RUB",
			},
			{ID: "64c000000000000000000002", EventID: event, OrganizerID: organizer, Barcode: "4600000000012", Category: ""},
		},
	}
}

// indented is for people.
func indented(value []byte) []byte {
	var b bytes.Buffer
	if err := json.Indent(&b, value, "", "  "); err != nil {
		panic(err) // package slim wrote it
	}
	b.WriteByte('\n')
	return b.Bytes()
}
