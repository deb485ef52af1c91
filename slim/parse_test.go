package slim_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/slim"
	"github.com/ticketscloud/vibe-bridge/slim/vibev1"
)

// Each case replaces a part of a valid record and names the reason for which
// it must be refused. "personal" stands where personal data may stand.
func TestJSONThatBreaksTheContractIsRefused(t *testing.T) {
	const (
		phone   = `"+79001234567"`
		event1  = `{"id":"e","name":"n","category":"show","start_at":1,"finish_at":2,"organizer":{"id":"o","name":"n","legals":{"name":"l","type":"ru_lp"}},"venue":{"id":"v","name":"n","lat":1.5}}`
		event2  = `{"id":"e","name":"n","status":"active","category":"show","finish_at":2,"offset":3,"organizer":{"id":"o","name":"n","legals":{}}}`
		order1  = `{"id":"o","customer":{"email":"","phone":` + phone + `,"name":"personal"},"tickets":[{"id":"t","event_id":"e","organizer_id":"o","barcode":"","category":""}]}`
		order2  = `{"id":"o","number":"1","customer":{"email":"","phone":` + phone + `,"first_name":"personal"},"tickets":[{"id":"t","event_id":"e","barcode":"","category":""}]}`
		refund1 = `{"customer":{"email":"","phone":` + phone + `},"ticket_ids":["t"]}`
	)
	tests := []struct {
		name     string
		enc      slim.Encoding
		record   string
		old, new string
		want     string // "" when the record stays valid
	}{
		{"as it is", json1, event1, "", "", ""},
		{"as it is", json2, event2, "", "", ""},
		{"as it is", json1, order1, "", "", ""},
		{"as it is", json2, order2, "", "", ""},
		{"as it is", json1, refund1, "", "", ""},
		{"white space and another order", json1, refund1, refund1, " {\n\"ticket_ids\" : [ \"t\" ] ,\t\"customer\" : { \"phone\" : \"\" , \"email\" : \"\" } }\n", ""},
		{"escapes of all kinds", json1, refund1, `"t"`, `"\"]}\\", "\u0022\ud83c\udfad"`, ""},
		{"an optional string that is empty", json1, event1, `"id":"e"`, `"id":"e","group_id":""`, ""},

		{"nothing", json1, event1, event1, "", "event: is not one JSON value"},
		{"no object", json1, event1, event1, `["id"]`, "event: is not an object"},
		{"null", json1, event1, event1, `null`, "event: is not an object"},
		{"cut off", json1, order1, `}]}`, `}]`, "order: is not one JSON value: byte"},
		{"bare personal text", json1, order1, order1, `personal`, "order: is not one JSON value: byte 1"},
		{"more behind it", json1, refund1, `["t"]}`, `["t"]}{}`, "refund: is not one JSON value"},
		{"not UTF-8", json1, order1, "personal", "personal\xff", "order: is not UTF-8"},

		{"an unknown field", json1, event1, `"id":"e"`, `"id":"e","rating":5`, "event: rating: is not a field"},
		{"an unknown field deep down", json1, event1, `"lat":1.5`, `"lat":1.5,"geo":{}`, "event: venue.geo: is not a field"},
		{"an unknown field of a ticket", json1, order1, `"barcode":""`, `"barcode":"","price":1`, "order: tickets[0].price: is not a field"},
		{"a name in upper case", json1, event1, `"id":"e"`, `"ID":"e"`, "event: id: is required"},
		{"an upper-case twin", json1, event1, `"id":"e"`, `"id":"e","Id":"f"`, "event: (name withheld): is not a field"},
		{"the same field twice", json1, order1, `"email":""`, `"email":"","email":"personal@example.com"`, "order: customer: has the field email twice"},
		{"the same field twice, once escaped", json1, event1, `"id":"e"`, `"id":"e","\u0069d":"f"`, "event: has the field id twice"},
		{"more fields than there are", json1, event1, `"id":"e"`, `"id":"e"` + manyFields(100), "event: has more fields than any object of the contract"},
		{"personal data for a name", json1, order1, `"email":""`, `"email":"","+79001234567":1`, "order: customer.(name withheld): is not a field"},
		{"a name of a person for a name", json1, order1, `"email":""`, `"email":"","Sample":1`, "order: customer.(name withheld): is not a field"},
		{"a field of the other edition", json2, event2, `"offset":3`, `"offset":3,"timezone":"Europe/Moscow"`, "event: timezone: is not a field"},
		{"a field of the other edition", json1, event1, `"name":"n","category"`, `"name":"n","status":"active","category"`, "event: status: is not a field"},
		{"a field of the other edition", json1, event1, `"finish_at":2`, `"finish_at":2,"offset":3`, "event: offset: is not a field"},
		{"a field of the other edition", json1, order1, `"id":"o"`, `"id":"o","number":"1"`, "order: number: is not a field"},
		{"a field of the other edition", json2, order2, `"first_name"`, `"name"`, "order: customer.name: is not a field"},
		{"a field of the other edition", json1, order1, `"name":"personal"`, `"first_name":"personal"`, "order: customer.first_name: is not a field"},
		{"a field of the other edition", json2, order2, `"barcode"`, `"organizer_id":"o","barcode"`, "order: tickets[0].organizer_id: is not a field"},

		{"no id", json1, event1, `"id":"e",`, "", "event: id: is required and missing"},
		{"no start in 1.0", json1, event1, `"start_at":1,`, "", "event: start_at: is required and missing"},
		{"no finish", json2, event2, `"finish_at":2,`, "", "event: finish_at: is required and missing"},
		{"no status", json2, event2, `"status":"active",`, "", "event: status: is required and missing"},
		{"no offset", json2, event2, `"offset":3,`, "", "event: offset: is required and missing"},
		{"no organizer in 2.0", json2, event2, `,"organizer":{"id":"o","name":"n","legals":{}}`, "", "event: organizer: is required and missing"},
		{"no name of legals in 1.0", json1, event1, `"name":"l",`, "", "event: organizer.legals.name: is required and missing"},
		{"no name of the venue", json1, event1, `"id":"v","name":"n",`, `"id":"v",`, "event: venue.name: is required and missing"},
		{"no number in 2.0", json2, order2, `"number":"1",`, "", "order: number: is required and missing"},
		{"no customer", json1, order1, `"customer":{"email":"","phone":` + phone + `,"name":"personal"},`, "", "order: customer: is required and missing"},
		{"no tickets", json2, order2, `,"tickets":[{"id":"t","event_id":"e","barcode":"","category":""}]`, "", "order: tickets: is required and missing"},
		{"no barcode", json1, order1, `"barcode":"",`, "", "order: tickets[0].barcode: is required and missing"},
		{"no category of a ticket", json1, order1, `,"category":""`, "", "order: tickets[0].category: is required and missing"},
		{"no ticket ids", json1, refund1, `,"ticket_ids":["t"]`, "", "refund: ticket_ids: is required and missing"},

		{"null for a required string", json1, order1, phone, `null`, "order: customer.phone: is not a string"},
		{"null for an optional string", json1, event1, `"id":"e"`, `"id":"e","media":null`, "event: media: is not a string"},
		{"null for an object", json1, event1, `{"id":"v","name":"n","lat":1.5}`, `null`, "event: venue: is not an object"},
		{"null for an array", json1, refund1, `["t"]`, `null`, "refund: ticket_ids: is not an array"},
		{"null in an array", json1, refund1, `["t"]`, `["t",null]`, "refund: ticket_ids[1]: is not a string"},
		{"null for a ticket", json1, order1, `[{`, `[null,{`, "order: tickets[0]: is not an object"},
		{"null for an integer", json1, event1, `"finish_at":2`, `"finish_at":null`, "event: finish_at: is not a 64-bit integer"},
		{"null for a number", json1, event1, `1.5`, `null`, "event: venue.lat: is not a number"},
		{"a number for a string", json1, order1, phone, `79001234567`, "order: customer.phone: is not a string"},
		{"a string for a number", json1, event1, `"finish_at":2`, `"finish_at":"2"`, "event: finish_at: is not a 64-bit integer"},
		{"a fraction for an integer", json1, event1, `"finish_at":2`, `"finish_at":2.5`, "event: finish_at: is not a 64-bit integer"},
		{"an integer that is too large", json1, event1, `"finish_at":2`, `"finish_at":9223372036854775808`, "event: finish_at: is not a 64-bit integer"},
		{"a fraction for a price", json1, order1, `"category":""`, `"category":"","price_nominal":1.5`, "order: tickets[0].price_nominal: is not a 64-bit integer"},
		{"a number that is too large", json2, event2, `"offset":3`, `"offset":1e999`, "event: offset: is not a number"},
		{"an array for an object", json1, event1, `{"id":"v","name":"n","lat":1.5}`, `[]`, "event: venue: is not an object"},
		{"an object for an array", json1, refund1, `["t"]`, `{}`, "refund: ticket_ids: is not an array"},
	}
	for _, tt := range tests {
		t.Run(encodingName(tt.enc)+" "+tt.name+" "+tt.want, func(t *testing.T) {
			if !strings.Contains(tt.record, tt.old) {
				t.Fatalf("the record does not contain %s", tt.old)
			}
			err := parseAny(tt.enc, tt.record, strings.Replace(tt.record, tt.old, tt.new, 1))
			if tt.want == "" && err != nil {
				t.Fatal(err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Fatalf("error %v, want %s", err, tt.want)
			}
			checkPrivate(t, err)
		})
	}
}

// manyFields returns n fields, each with a comma before it.
func manyFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"f%d":0`, i)
	}
	return b.String()
}

// parseAny reads text as the kind of record that original is.
func parseAny(enc slim.Encoding, original, text string) error {
	var err error
	switch {
	case strings.Contains(original, "finish_at"):
		_, err = slim.ParseEvent(enc, []byte(text))
	case strings.Contains(original, "tickets"):
		_, err = slim.ParseOrder(enc, []byte(text))
	default:
		_, err = slim.ParseRefund(enc, []byte(text))
	}
	return err
}

func checkPrivate(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, personal := range []string{"79001234567", "personal", "example.com", "4600000000017", "Sample", "Buyer"} {
		if strings.Contains(err.Error(), personal) {
			t.Errorf("the error shows %q: %v", personal, err)
		}
	}
}

// A record may be broken anywhere; what it held must not show in the error.
func TestErrorsOfReadersKeepPersonalDataToThemselves(t *testing.T) {
	for _, enc := range allEncodings {
		order := slim.AppendOrder(nil, enc, fullOrder())
		refused := 0
		for i := range order {
			for _, with := range []string{"", "\"", "{", "7", "\xff", "x"} {
				broken := string(order[:i]) + with + string(order[i+1:])
				_, err := slim.ParseOrder(enc, []byte(broken))
				checkPrivate(t, err)
				if err != nil {
					refused++
				}
			}
		}
		if refused < len(order) {
			t.Errorf("%s: %d of %d broken records were refused: the test breaks too little", encodingName(enc), refused, 6*len(order))
		}
	}
}

func TestProtobufThatIsNotOfTheSchemaIsRefused(t *testing.T) {
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1)
	marshal := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	withUnknown := new(vibev1.Ticket)
	withUnknown.ProtoReflect().SetUnknown(unknown)

	parseEvent := func(b []byte) error { _, err := slim.ParseEvent(protobuf1, b); return err }
	parseOrder := func(b []byte) error { _, err := slim.ParseOrder(protobuf1, b); return err }
	parseRefund := func(b []byte) error { _, err := slim.ParseRefund(protobuf1, b); return err }
	tests := []struct {
		name  string
		parse func([]byte) error
		value []byte
		want  string
	}{
		{"no bytes", parseEvent, nil, "event: has no bytes: an empty value is a tombstone"},
		{"not Protobuf", parseOrder, []byte("\xff\xff"), "order: read vibe.v1.Order:"},
		{"JSON", parseRefund, []byte(`{"customer":{}}`), "refund: read vibe.v1.Refund:"},
		{"an unknown field", parseEvent, append(marshal(&vibev1.Event{Id: "e"}), unknown...), "event: field 99: is not a field of vibe.v1.Event"},
		{"an unknown field of a ticket", parseOrder,
			marshal(&vibev1.Order{Tickets: []*vibev1.Ticket{{}, withUnknown}}), "order: tickets[1].field 99: is not a field of vibe.v1.Ticket"},
		{"an unknown category", parseEvent, marshal(&vibev1.Event{Category: 18}), "event: category: is 18, which is not a value of vibe.v1.Event.Category"},
		{"a negative category", parseEvent, marshal(&vibev1.Event{Category: -1}), "event: category: is -1"},
		{"an unknown legal type", parseEvent, marshal(&vibev1.Event{Organizer: &vibev1.Organizer{Legals: &vibev1.Organizer_Legals{Type: 4}}}),
			"event: organizer.legals.type: is 4"},
		{"an unknown currency", parseOrder, marshal(&vibev1.Order{Tickets: []*vibev1.Ticket{{Currency: 6}}}), "order: tickets[0].currency: is 6"},
		{"two organizers", parseEvent, marshal(&vibev1.Event{OrganizerId: "a", Organizer: &vibev1.Organizer{Id: "b"}}),
			"event: organizer_id: is another than organizer.id"},
		{"an order without customer", parseOrder, marshal(&vibev1.Order{Id: "o"}), "order: customer: is required and missing"},
		{"a refund without customer", parseRefund, marshal(&vibev1.Refund{TicketIds: []string{"t"}}), "refund: customer: is required and missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.parse(tt.value); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// Before vibe.v1 had organizer, event_id and organizer_id of a ticket, records
// were published without; they stay readable.
func TestProtobufFromBeforeTheAdditionsIsRead(t *testing.T) {
	value, err := proto.Marshal(&vibev1.Event{Id: "e", OrganizerId: "o", Venue: &vibev1.Event_Venue{Name: "Example Hall", Lon: 37.5}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := slim.ParseEvent(protobuf1, value)
	if err != nil {
		t.Fatal(err)
	}
	if want := (&slim.Organizer{ID: "o"}); !reflect.DeepEqual(e.Organizer, want) {
		t.Errorf("organizer %+v, want %+v", e.Organizer, want)
	}
	if e.Venue.Lat == nil || *e.Venue.Lat != 0 || *e.Venue.Lon != 37.5 {
		t.Errorf("coordinates on the equator are read as %v, %v", e.Venue.Lat, e.Venue.Lon)
	}
}

func TestErrorsOfRecordsCanBeTakenApart(t *testing.T) {
	_, err := slim.ParseRefund(json1, []byte(`{}`))
	var fieldErr *slim.FieldError
	if !errors.As(err, &fieldErr) || fieldErr.Record != "refund" || fieldErr.Field != "customer" {
		t.Errorf("error %#v", err)
	}
}
