package slim_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/slim"
	"github.com/ticketscloud/vibe-bridge/slim/vibev1"
)

// Field by field, so that two of them cannot be swapped in the writer and in
// the reader alike.
func TestProtobufFields(t *testing.T) {
	tests := []struct {
		value []byte
		got   proto.Message
		want  proto.Message
	}{
		{slim.AppendEvent(nil, protobuf1, fullEvent(slim.Edition1)), new(vibev1.Event), &vibev1.Event{
			Id: "64a000000000000000000001", Name: "Щелкунчик", Category: vibev1.Event_DEVELOPMENT,
			StartAt: 1798736400, FinishAt: 1798747200, OrganizerId: "64a000000000000000000003",
			Media: "https://media.example.com/1.jpg", Timezone: "Europe/Moscow", Description: "Line one\nline <two>",
			GroupId: "64a000000000000000000002",
			Venue: &vibev1.Event_Venue{
				Name: "Example Hall", Address: "2 Example Square", Description: "The big one", Zipcode: "101000",
				CityName: "Moscow", Lat: 55.755864, Lon: 37.617698, Id: "64a000000000000000000004",
			},
			Organizer: &vibev1.Organizer{
				Id: "64a000000000000000000003", Name: "Example Concerts",
				Legals: &vibev1.Organizer_Legals{
					Name: "Example Concerts LLC", Type: vibev1.Organizer_RU_LTD,
					Inn: "7700000000", Ogrn: "1000000000000", Address: "1 Example Street",
				},
			},
		}},
		{slim.AppendOrder(nil, protobuf1, fullOrder()), new(vibev1.Order), &vibev1.Order{
			Id: "64b000000000000000000001", EventId: "64a000000000000000000001", OrganizerId: "64a000000000000000000003",
			Customer: &vibev1.Order_Customer{Email: "buyer@example.com", Phone: "+79001234567", Name: "Sample Buyer"},
			Tickets: []*vibev1.Ticket{{
				Id: "64c000000000000000000001", Barcode: "4600000000017", Number: "17", Series: "AB", Row: "3", Seat: "12",
				Category: "Parterre", Description: "Near the stage", PriceNominal: 250000, Currency: vibev1.Ticket_RUB,
				EventId: "64a0000000000000000000e1", OrganizerId: "64a0000000000000000000f3",
			}},
		}},
		{slim.AppendRefund(nil, protobuf1, fullRefund()), new(vibev1.Refund), &vibev1.Refund{
			Customer:  &vibev1.Refund_Customer{Email: "buyer@example.com", Phone: "+79001234567", Name: "Sample Buyer"},
			TicketIds: []string{"64c000000000000000000001", "64c000000000000000000002"},
		}},
	}
	for _, tt := range tests {
		name := tt.want.ProtoReflect().Descriptor().Name()
		if err := proto.Unmarshal(tt.value, tt.got); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !proto.Equal(tt.got, tt.want) {
			t.Errorf("%s:\ngot  %v\nwant %v", name, tt.got, tt.want)
		}
	}
}

func TestProtobufIsAppended(t *testing.T) {
	for kind, got := range map[string][]byte{
		"event":  slim.AppendEvent(existing(), protobuf1, fullEvent(slim.Edition1)),
		"order":  slim.AppendOrder(existing(), protobuf1, fullOrder()),
		"refund": slim.AppendRefund(existing(), protobuf1, fullRefund()),
	} {
		if !bytes.HasPrefix(got, existing()) {
			t.Errorf("%s: what stood in dst is gone: %q", kind, got)
		}
	}
}

// Equal values give equal bytes, and what is no place is no coordinates.
func TestCoordinatesThatProtobufLeavesOut(t *testing.T) {
	none := slim.AppendEvent(nil, protobuf1, &slim.Event{ID: "e", Venue: &slim.Venue{ID: "v"}})
	for _, degrees := range []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1)} {
		got := slim.AppendEvent(nil, protobuf1, &slim.Event{ID: "e", Venue: &slim.Venue{ID: "v", Lat: &degrees, Lon: &degrees}})
		if !bytes.Equal(got, none) {
			t.Errorf("%v is written: % x", degrees, got)
		}
	}
}

func TestProtobufVocabularies(t *testing.T) {
	category := func(word string) string {
		m := new(vibev1.Event)
		unmarshalProto(t, slim.AppendEvent(nil, protobuf1, &slim.Event{ID: "e", Category: word}), m)
		return m.Category.String()
	}
	legalType := func(word string) string {
		m := new(vibev1.Event)
		organizer := &slim.Organizer{Legals: &slim.Legals{Type: word}}
		unmarshalProto(t, slim.AppendEvent(nil, protobuf1, &slim.Event{Organizer: organizer}), m)
		return m.Organizer.Legals.Type.String()
	}
	currency := func(word string) string {
		m := new(vibev1.Order)
		unmarshalProto(t, slim.AppendOrder(nil, protobuf1, &slim.Order{Tickets: []slim.Ticket{{Currency: word}}}), m)
		return m.Tickets[0].Currency.String()
	}
	tests := []struct {
		field func(string) string
		word  string
		want  string
	}{
		{category, "", "CATEGORY_UNSPECIFIED"},
		{category, "develpoment", "DEVELOPMENT"},
		{category, "circus", "OTHER"},
		{category, "BALLET", "OTHER"},
		{legalType, "", "UNSPECIFIED"},
		{legalType, "ru_lp", "RU_LP"},
		{legalType, "ru_ltd", "RU_LTD"},
		{legalType, "en_ltd", "EN_LTD"},
		{legalType, "ip", "UNSPECIFIED"},
		{currency, "", "CURRENCY_UNSPECIFIED"},
		{currency, "USD", "USD"},
		{currency, "EUR", "EUR"},
		{currency, "RUB", "RUB"},
		{currency, "GBP", "GBP"},
		{currency, "CNY", "CNY"},
		{currency, "KZT", "CURRENCY_UNSPECIFIED"},
	}
	for _, word := range slim.Edition1.Categories() {
		if word == "develpoment" {
			continue
		}
		if got := category(word); got != strings.ToUpper(word) {
			t.Errorf("%q becomes %s", word, got)
		}
	}
	for _, tt := range tests {
		if got := tt.field(tt.word); got != tt.want {
			t.Errorf("%q becomes %s, want %s", tt.word, got, tt.want)
		}
	}
}

func unmarshalProto(t *testing.T, b []byte, m proto.Message) {
	t.Helper()
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
}
