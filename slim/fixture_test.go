package slim_test

import "github.com/ticketscloud/vibe-bridge/slim"

// Records with every field set, each to another value, so that no two fields
// can be mixed up unseen. Times are the same moments in both editions.

func fullEvent(edition slim.Edition) *slim.Event {
	startAt, finishAt, category := int64(1798736400), int64(1798747200), "develpoment"
	if edition == slim.Edition2 {
		startAt, finishAt, category = startAt*1000, finishAt*1000, "development"
	}
	lat, lon := 55.755864, 37.617698
	return &slim.Event{
		ID: "64a000000000000000000001", GroupID: "64a000000000000000000002", Name: "Щелкунчик", Status: slim.StatusActive,
		Category: category, StartAt: &startAt, FinishAt: finishAt, Offset: 5.5,
		Media: "https://media.example.com/1.jpg", Timezone: "Europe/Moscow", Description: "Line one\nline <two>",
		Organizer: &slim.Organizer{
			ID: "64a000000000000000000003", Name: "Example Concerts",
			Legals: &slim.Legals{
				Name: "Example Concerts LLC", Type: slim.LegalTypeLimitedCompany,
				INN: "7700000000", OGRN: "1000000000000", Address: "1 Example Street",
			},
		},
		Venue: &slim.Venue{
			ID: "64a000000000000000000004", Name: "Example Hall", Address: "2 Example Square", Description: "The big one",
			Zipcode: "101000", CityName: "Moscow", Lat: &lat, Lon: &lon,
		},
	}
}

func fullCustomer() slim.Customer {
	return slim.Customer{
		Email: "buyer@example.com", Phone: "+79001234567", Name: "Sample Buyer", FirstName: "Sample", LastName: "Buyer",
	}
}

func fullOrder() *slim.Order {
	return &slim.Order{
		ID: "64b000000000000000000001", EventID: "64a000000000000000000001", OrganizerID: "64a000000000000000000003",
		Number: "1204511", Customer: fullCustomer(),
		Tickets: []slim.Ticket{{
			ID: "64c000000000000000000001", EventID: "64a0000000000000000000e1", OrganizerID: "64a0000000000000000000f3",
			Barcode: "4600000000017", Number: "17", Series: "AB", Row: "3", Seat: "12", Category: "Parterre",
			Description: "Near the stage", PriceNominal: 250000, Currency: "RUB",
		}},
	}
}

func fullRefund() *slim.Refund {
	return &slim.Refund{
		Customer:  fullCustomer(),
		TicketIDs: []string{"64c000000000000000000001", "64c000000000000000000002"},
	}
}
