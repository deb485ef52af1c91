package slim_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/slim"
)

func TestValidateEvent(t *testing.T) {
	tests := []struct {
		name   string
		enc    slim.Encoding
		change func(*slim.Event)
		want   string // "" when the event stays valid
	}{
		{"no id", json1, func(e *slim.Event) { e.ID = "" }, "event: id: is required and missing"},
		{"no name", json1, func(e *slim.Event) { e.Name = "" }, "event: name: is required and missing"},
		{"no status in 2.0", json2, func(e *slim.Event) { e.Status = "" }, "event: status: is required and missing"},
		{"unknown status in 2.0", json2, func(e *slim.Event) { e.Status = "canceled" }, `event: status: "canceled" is not one of the statuses`},
		{"any status in 1.0", json1, func(e *slim.Event) { e.Status = "canceled" }, ""},
		{"no category", json1, func(e *slim.Event) { e.Category = "" }, "event: category: is required and missing"},
		{"category of 2.0 in 1.0", json1, func(e *slim.Event) { e.Category = "development" },
			`event: category: "development" is not one of the categories of edition 1.0`},
		{"category of 2.0 in Protobuf", protobuf1, func(e *slim.Event) { e.Category = "circus" }, "event: category:"},
		{"category of 1.0 in 2.0", json2, func(e *slim.Event) { e.Category = "develpoment" }, "event: category:"},
		{"no start in 1.0", json1, func(e *slim.Event) { e.StartAt = nil }, "event: start_at: is required and missing"},
		{"no start in 2.0", json2, func(e *slim.Event) { e.StartAt = nil }, ""},
		{"offset that is no number", json2, func(e *slim.Event) { e.Offset = math.NaN() }, "event: offset: is not a finite number"},
		{"no offset in 1.0", json1, func(e *slim.Event) { e.Offset = math.NaN() }, ""},
		{"no organizer in 1.0", json1, func(e *slim.Event) { e.Organizer = nil }, ""},
		{"no organizer in 2.0", json2, func(e *slim.Event) { e.Organizer = nil }, "event: organizer: is required and missing"},
		{"organizer without id", json1, func(e *slim.Event) { e.Organizer.ID = "" }, "event: organizer.id: is required and missing"},
		{"organizer without name", json2, func(e *slim.Event) { e.Organizer.Name = "" }, "event: organizer.name: is required and missing"},
		{"no legals", json1, func(e *slim.Event) { e.Organizer.Legals = nil }, ""},
		{"legals without name in 1.0", json1, func(e *slim.Event) { e.Organizer.Legals.Name = "" }, "event: organizer.legals.name: is required"},
		{"legals without type in 1.0", json1, func(e *slim.Event) { e.Organizer.Legals.Type = "" }, "event: organizer.legals.type: is required"},
		{"legals without name and type in 2.0", json2, func(e *slim.Event) { e.Organizer.Legals = &slim.Legals{INN: "7700000000"} }, ""},
		{"unknown legal type", json2, func(e *slim.Event) { e.Organizer.Legals.Type = "ip" }, `event: organizer.legals.type: "ip" is not one of`},
		{"no venue", json1, func(e *slim.Event) { e.Venue = nil }, ""},
		{"venue without id", json1, func(e *slim.Event) { e.Venue.ID = "" }, "event: venue.id: is required and missing"},
		{"venue without name", json1, func(e *slim.Event) { e.Venue.Name = "" }, "event: venue.name: is required and missing"},
		{"lat that is not finite", json1, func(e *slim.Event) { *e.Venue.Lat = math.Inf(1) }, "event: venue.lat: is not a finite number"},
		{"lon that is not finite", protobuf1, func(e *slim.Event) { *e.Venue.Lon = math.NaN() }, "event: venue.lon: is not a finite number"},
		{"no optional field", json1, func(e *slim.Event) {
			e.GroupID, e.Media, e.Timezone, e.Description = "", "", "", ""
			e.Venue = &slim.Venue{ID: "v", Name: "n"}
		}, ""},
	}
	for _, enc := range allEncodings {
		if err := fullEvent(enc.Edition).Validate(enc); err != nil {
			t.Errorf("full event in %s: %v", encodingName(enc), err)
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := fullEvent(tt.enc.Edition)
			tt.change(e)
			checkProblem(t, e.Validate(tt.enc), tt.want)
		})
	}
}

func TestValidateOrder(t *testing.T) {
	tests := []struct {
		name   string
		enc    slim.Encoding
		change func(*slim.Order)
		want   string
	}{
		{"no id", json1, func(o *slim.Order) { o.ID = "" }, "order: id: is required and missing"},
		{"no event id in JSON", json1, func(o *slim.Order) { o.EventID = "" }, ""},
		{"no event id in Protobuf", protobuf1, func(o *slim.Order) { o.EventID = "" }, "order: event_id: is required and missing"},
		{"no organizer id in Protobuf", protobuf1, func(o *slim.Order) { o.OrganizerID = "" }, ""},
		{"no number in 1.0", json1, func(o *slim.Order) { o.Number = "" }, ""},
		{"no number in 2.0", json2, func(o *slim.Order) { o.Number = "" }, "order: number: is required and missing"},
		{"no phone", json1, func(o *slim.Order) { o.Customer.Phone = "" }, "order: customer.phone: is required and missing"},
		{"no email", json1, func(o *slim.Order) { o.Customer.Email = "" }, ""},
		{"no names", json2, func(o *slim.Order) { o.Customer.FirstName, o.Customer.LastName = "", "" }, ""},
		{"phone as people write it", json1, func(o *slim.Order) { o.Customer.Phone = "8 (900) 123-45-67" }, "order: customer.phone: is not an E.164 number"},
		{"phone without plus", json1, func(o *slim.Order) { o.Customer.Phone = "79001234567" }, "order: customer.phone: is not an E.164 number"},
		{"phone with a national zero", json1, func(o *slim.Order) { o.Customer.Phone = "+09001234567" }, "order: customer.phone: is not an E.164 number"},
		{"phone of a plus", json1, func(o *slim.Order) { o.Customer.Phone = "+" }, "order: customer.phone: is not an E.164 number"},
		{"phone with other digits", json1, func(o *slim.Order) { o.Customer.Phone = "+7٩٠٠" }, "order: customer.phone: is not an E.164 number"},
		{"no tickets", json1, func(o *slim.Order) { o.Tickets = nil }, "order: tickets: is required and missing"},
		{"ticket without id", json1, func(o *slim.Order) { o.Tickets = append(o.Tickets, slim.Ticket{EventID: "e"}) },
			"order: tickets[1].id: is required and missing"},
		{"ticket without event id", json2, func(o *slim.Order) { o.Tickets[0].EventID = "" }, "order: tickets[0].event_id: is required"},
		{"unknown currency", json1, func(o *slim.Order) { o.Tickets[0].Currency = "rub" }, `order: tickets[0].currency: "rub" is not one of`},
		{"ticket with what it needs", json1, func(o *slim.Order) { o.Tickets[0] = slim.Ticket{ID: "t", EventID: "e"} }, ""},
	}
	for _, enc := range allEncodings {
		if err := fullOrder().Validate(enc); err != nil {
			t.Errorf("full order in %s: %v", encodingName(enc), err)
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := fullOrder()
			tt.change(o)
			checkProblem(t, o.Validate(tt.enc), tt.want)
		})
	}
}

func TestValidateRefund(t *testing.T) {
	tests := []struct {
		name   string
		change func(*slim.Refund)
		want   string
	}{
		{"full", func(*slim.Refund) {}, ""},
		{"no phone", func(r *slim.Refund) { r.Customer.Phone = "" }, "refund: customer.phone: is required and missing"},
		{"name for a phone", func(r *slim.Refund) { r.Customer.Phone = "Sample" }, "refund: customer.phone: is not an E.164 number"},
		{"no tickets", func(r *slim.Refund) { r.TicketIDs = nil }, "refund: ticket_ids: is required and missing"},
		{"empty ticket id", func(r *slim.Refund) { r.TicketIDs[1] = "" }, "refund: ticket_ids[1]: is empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, enc := range allEncodings {
				r := fullRefund()
				tt.change(r)
				checkProblem(t, r.Validate(enc), tt.want)
			}
		})
	}
}

func checkProblem(t *testing.T, err error, want string) {
	t.Helper()
	checkPrivate(t, err)
	if want == "" {
		if err != nil {
			t.Errorf("error %v, want none", err)
		}
		return
	}
	var fieldErr *slim.FieldError
	if !errors.As(err, &fieldErr) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestErrorsQuoteNoLongWords(t *testing.T) {
	e := fullEvent(slim.Edition1)
	e.Category = strings.Repeat("x", 1<<20)
	if err := e.Validate(json1); err == nil || len(err.Error()) > 200 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
}
