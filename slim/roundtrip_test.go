package slim_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/slim"
)

func TestWhatIsWrittenReadsBack(t *testing.T) {
	for _, enc := range allEncodings {
		g := recordGenerator{enc: enc}
		t.Run(encodingName(enc)+"/event", rapid.MakeCheck(func(t *rapid.T) {
			e := g.event(t)
			got, err := slim.ParseEvent(enc, slim.AppendEvent(nil, enc, e))
			checkReadBack(t, got, err, carriedEvent(enc, *e))
		}))
		t.Run(encodingName(enc)+"/order", rapid.MakeCheck(func(t *rapid.T) {
			o := g.order(t)
			got, err := slim.ParseOrder(enc, slim.AppendOrder(nil, enc, o))
			checkReadBack(t, got, err, carriedOrder(enc, *o))
		}))
		t.Run(encodingName(enc)+"/refund", rapid.MakeCheck(func(t *rapid.T) {
			r := g.refund(t)
			got, err := slim.ParseRefund(enc, slim.AppendRefund(nil, enc, r))
			checkReadBack(t, got, err, &slim.Refund{Customer: carriedCustomer(enc, r.Customer), TicketIDs: r.TicketIDs})
		}))
	}
}

func checkReadBack[T any](t *rapid.T, got *T, err error, want *T) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		gotText, _ := json.Marshal(got)
		wantText, _ := json.Marshal(want)
		t.Fatalf("got  %s\nwant %s", gotText, wantText)
	}
}

// The carried functions return what of a record an encoding carries.

func carriedEvent(enc slim.Encoding, e slim.Event) *slim.Event {
	if enc.Edition == slim.Edition1 {
		e.Status, e.Offset = "", 0
	} else {
		e.Timezone = ""
	}
	if enc.Format == slim.Protobuf && e.Venue != nil {
		venue := *e.Venue
		venue.Lat, venue.Lon = carriedCoordinates(e.Venue.Lat, e.Venue.Lon)
		e.Venue = &venue
	}
	return &e
}

func carriedCoordinates(lat, lon *float64) (*float64, *float64) {
	var zero float64
	if lat == nil {
		lat = &zero
	}
	if lon == nil {
		lon = &zero
	}
	if *lat == 0 && *lon == 0 {
		return nil, nil
	}
	return lat, lon
}

func carriedOrder(enc slim.Encoding, o slim.Order) *slim.Order {
	o.Customer = carriedCustomer(enc, o.Customer)
	if enc.Format == slim.JSON {
		o.EventID, o.OrganizerID = "", ""
	}
	if enc.Edition == slim.Edition1 {
		o.Number = ""
		return &o
	}
	for i := range o.Tickets {
		o.Tickets[i].OrganizerID = ""
	}
	return &o
}

func carriedCustomer(enc slim.Encoding, c slim.Customer) slim.Customer {
	if enc.Edition == slim.Edition1 {
		c.FirstName, c.LastName = "", ""
	} else {
		c.Name = ""
	}
	return c
}

// What encoders make of anything is well-formed: JSON that the strict reader
// takes, or that lacks only what the record lacked.
func TestAnythingIsWrittenWellFormed(t *testing.T) {
	for _, enc := range allEncodings {
		g := recordGenerator{enc: enc, anyBytes: true}
		t.Run(encodingName(enc), rapid.MakeCheck(func(t *rapid.T) {
			e := g.event(t)
			if e.Organizer == nil && enc.Edition == slim.Edition2 {
				e.Organizer = g.organizer(t)
			}
			if e.StartAt == nil && enc.Edition == slim.Edition1 {
				e.StartAt = new(int64)
			}
			e.ID += "1" // an event of zeros has no bytes in Protobuf
			if _, err := slim.ParseEvent(enc, slim.AppendEvent(nil, enc, e)); err != nil {
				t.Fatal(err)
			}
			if _, err := slim.ParseOrder(enc, slim.AppendOrder(nil, enc, g.order(t))); err != nil {
				t.Fatal(err)
			}
			if _, err := slim.ParseRefund(enc, slim.AppendRefund(nil, enc, g.refund(t))); err != nil {
				t.Fatal(err)
			}
		}))
	}
}

// A reader of Protobuf sees the text that a reader of JSON sees.
func TestBrokenTextReadsTheSameInBothFormats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		refund := &slim.Refund{TicketIDs: []string{brokenText().Draw(t, "text")}}
		fromJSON, err := slim.ParseRefund(json1, slim.AppendRefund(nil, json1, refund))
		if err != nil {
			t.Fatal(err)
		}
		fromProtobuf, err := slim.ParseRefund(protobuf1, slim.AppendRefund(nil, protobuf1, refund))
		if err != nil {
			t.Fatal(err)
		}
		if fromJSON.TicketIDs[0] != fromProtobuf.TicketIDs[0] {
			t.Fatalf("JSON %q, Protobuf %q", fromJSON.TicketIDs[0], fromProtobuf.TicketIDs[0])
		}
	})
}
