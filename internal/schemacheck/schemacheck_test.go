package schemacheck

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ticketscloud/vibe-bridge/slim"
)

var (
	json1     = slim.Encoding{Edition: slim.Edition1, Format: slim.JSON}
	json2     = slim.Encoding{Edition: slim.Edition2, Format: slim.JSON}
	protobuf1 = slim.Encoding{Edition: slim.Edition1, Format: slim.Protobuf}
)

func sample(stream Stream, enc slim.Encoding) []byte {
	startAt, lat := int64(1798736400), 55.7
	customer := slim.Customer{Email: "buyer@example.com", Phone: "+79000000001", Name: "Sample Buyer", FirstName: "Sample"}
	switch stream {
	case Events:
		return slim.AppendEvent(nil, enc, &slim.Event{
			ID: "k", Name: "n", Status: "active", Category: "show", StartAt: &startAt, FinishAt: startAt,
			Organizer: &slim.Organizer{ID: "o", Name: "n", Legals: &slim.Legals{Name: "n", Type: "ru_lp"}},
			Venue:     &slim.Venue{ID: "v", Name: "n", Lat: &lat},
		})
	case Orders:
		return slim.AppendOrder(nil, enc, &slim.Order{
			ID: "k", EventID: "e", OrganizerID: "o", Number: "1", Customer: customer,
			Tickets: []slim.Ticket{{ID: "t", EventID: "e", OrganizerID: "o", PriceNominal: 100, Currency: "RUB"}},
		})
	default:
		return slim.AppendRefund(nil, enc, &slim.Refund{Customer: customer, TicketIDs: []string{"t"}})
	}
}

func TestGoodRecords(t *testing.T) {
	for _, enc := range []slim.Encoding{json1, json2, protobuf1} {
		for _, stream := range []Stream{Events, Orders, Refunds} {
			for _, source := range []string{"", "orders_done/3/41"} {
				if err := Check(stream, []byte("k"), sample(stream, enc), slim.Headers(enc, "ticketscloud", source)); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

func TestFaultyRecords(t *testing.T) {
	replace := func(old, new string) func([]byte) []byte {
		return func(b []byte) []byte {
			if !bytes.Contains(b, []byte(old)) {
				t.Fatalf("%q is not in %s", old, b)
			}
			return bytes.Replace(b, []byte(old), []byte(new), 1)
		}
	}
	// A field that no version has, in the record and in its last inner message.
	further := protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1)
	inTicket := func(b []byte) []byte {
		end := protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), slices.Concat([]byte{0x0a, 1, 't', 0x5a, 1, 'e'}, further))
		return append(b, end...)
	}
	tests := []struct {
		name    string
		stream  Stream
		enc     slim.Encoding
		change  func([]byte) []byte
		key     string
		headers func([]slim.Header) []slim.Header
		want    string
	}{
		{name: "unknown field", stream: Events, enc: json1, change: replace(`{`, `{"status":"active",`), want: "/ breaks additionalProperties"},
		{name: "unknown field inside", stream: Orders, enc: json2, change: replace(`"barcode":`, `"organizer_id":"o","barcode":`), want: "/tickets/0 breaks additionalProperties"},
		{name: "required field missing", stream: Orders, enc: json2, change: replace(`"number":"1",`, ``), want: "/ breaks required"},
		{name: "another type", stream: Orders, enc: json1, change: replace(`"price_nominal":100`, `"price_nominal":"100"`), want: "/tickets/0/price_nominal breaks type"},
		{name: "no integer", stream: Events, enc: json1, change: replace(`"finish_at":1798736400`, `"finish_at":1798736400.5`), want: "/finish_at breaks type"},
		{name: "null", stream: Events, enc: json2, change: replace(`"venue":{`, `"media":null,"venue":{`), want: "/media breaks type"},
		{name: "empty", stream: Events, enc: json2, change: replace(`"venue":{`, `"media":"","venue":{`), want: "/media breaks minLength"},
		{name: "word of another edition", stream: Events, enc: json2, change: replace(`"show"`, `"develpoment"`), want: "/category breaks enum"},
		{name: "phone", stream: Refunds, enc: json1, change: replace(`+79000000001`, `89000000001`), want: "/customer/phone breaks pattern"},
		{name: "no tickets", stream: Refunds, enc: json1, change: replace(`["t"]`, `[]`), want: "/ticket_ids breaks minItems"},
		{name: "no JSON", stream: Refunds, enc: json1, change: replace(`["t"]`, `["t"`), want: "is not JSON"},
		{name: "more than one value", stream: Refunds, enc: json1, change: func(b []byte) []byte { return append(b, '{', '}') }, want: "is not JSON"},
		{name: "no UTF-8", stream: Events, enc: json1, change: replace(`"name":"n"`, "\"name\":\"\xff\""), want: "is not UTF-8"},
		{name: "no object", stream: Events, enc: json1, change: func([]byte) []byte { return []byte(`[]`) }, want: "/ breaks type"},
		{name: "nothing", stream: Events, enc: json1, change: func([]byte) []byte { return nil }, want: "is not JSON"},
		{name: "nothing in Protobuf", stream: Events, enc: protobuf1, change: func([]byte) []byte { return nil }, want: "event: "},
		{name: "unknown field in Protobuf", stream: Refunds, enc: protobuf1, change: func(b []byte) []byte { return append(b, further...) }, want: "vibe.v1.Refund has a field"},
		{name: "unknown field inside in Protobuf", stream: Orders, enc: protobuf1, change: inTicket, want: "vibe.v1.Ticket has a field"},
		{name: "unknown word in Protobuf", stream: Events, enc: protobuf1, change: func(b []byte) []byte { return append(b, 0x18, 99) }, want: "vibe.v1.Event.category has a value"},
		{name: "no Protobuf", stream: Orders, enc: protobuf1, change: func(b []byte) []byte { return append(b, 0x0a) }, want: "is not Protobuf"},
		{name: "JSON that says Protobuf", stream: Orders, enc: protobuf1, change: func([]byte) []byte { return sample(Orders, json1) }, want: "is not Protobuf"},
		{name: "required in Protobuf", stream: Events, enc: protobuf1, change: func(b []byte) []byte { return append(b, 0x0a, 0) }, want: "id: is required"},
		{name: "another key", stream: Events, enc: json1, key: "x", want: "the key is not the id"},
		{name: "another key in Protobuf", stream: Orders, enc: protobuf1, key: "x", want: "the key is not the id"},
		{name: "no key", stream: Refunds, enc: json1, key: "-", want: "the key is empty"},
		{name: "header missing", stream: Events, enc: json1, headers: func(h []slim.Header) []slim.Header { return h[1:] }, want: "2 headers"},
		{name: "header too many", stream: Events, enc: json1, headers: func(h []slim.Header) []slim.Header { return append(h, slim.Header{Key: "x"}) }, want: "4 headers"},
		{name: "header twice", stream: Events, enc: json1, headers: func(h []slim.Header) []slim.Header { return append(h, h[0]) }, want: "content-type is there twice"},
		{name: "no application", stream: Events, enc: json1, headers: func([]slim.Header) []slim.Header { return slim.Headers(json1, "", "") }, want: "application-id is missing"},
		{name: "no such edition", stream: Events, enc: json1, headers: func(h []slim.Header) []slim.Header { h[1].Value = []byte("3.0"); return h }, want: "of no edition"},
		{name: "Protobuf of edition 2.0", stream: Events, enc: protobuf1, headers: func(h []slim.Header) []slim.Header { h[1].Value = []byte("2.0"); return h }, want: "of no edition"},
		{name: "trace", stream: Events, enc: json1, headers: func([]slim.Header) []slim.Header { return slim.Headers(json1, "a", "orders/1") }, want: "is not topic/partition/offset"},
		{name: "header that is no UTF-8", stream: Events, enc: json1, headers: func([]slim.Header) []slim.Header { return slim.Headers(json1, "\xff", "") }, want: "application-id is not UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			value, headers, key := sample(tt.stream, tt.enc), slim.Headers(tt.enc, "ticketscloud", ""), []byte("k")
			if tt.change != nil {
				value = tt.change(value)
			}
			if tt.headers != nil {
				headers = tt.headers(headers)
			}
			if tt.key != "" {
				key = []byte(strings.Trim(tt.key, "-"))
			}
			err := Check(tt.stream, key, value, headers)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want one with %q", err, tt.want)
			}
			for _, quoted := range []string{"79000000001", "89000000001", "buyer@", "develpoment"} {
				if strings.Contains(err.Error(), quoted) {
					t.Errorf("the error quotes the record: %v", err)
				}
			}
		})
	}
}

func TestStreamOf(t *testing.T) {
	for topic, want := range map[string]Stream{
		"events": Events, "slim-orders": Orders, "refunds.stage": Refunds, "a-1-events-2": Events,
		"orders_done":     Orders, // without its headers nobody takes it for a slim one
		"a-orders-events": Events, "event": "", "refund_requests": "", "reorders": "", "quarantine": "", "": "",
	} {
		if got := StreamOf(topic); got != want {
			t.Errorf("%q: %q, want %q", topic, got, want)
		}
	}
}

// Whatever comes, Check says what it is and does not fall over.
func FuzzCheck(f *testing.F) {
	for _, enc := range []slim.Encoding{json1, json2, protobuf1} {
		for i, stream := range []Stream{Events, Orders, Refunds} {
			f.Add(uint8(i), enc.ContentType(), enc.SchemaVersion(), sample(stream, enc))
		}
	}
	f.Fuzz(func(t *testing.T, stream uint8, contentType, version string, value []byte) {
		headers := []slim.Header{
			{Key: slim.HeaderContentType, Value: []byte(contentType)},
			{Key: slim.HeaderSchemaVersion, Value: []byte(version)},
			{Key: slim.HeaderApplicationID, Value: []byte("a")},
		}
		s := []Stream{Events, Orders, Refunds}[stream%3]
		if Check(s, []byte("k"), value, headers) != nil {
			return
		}
		// What the schemas let through, the strict readers of package slim do, too.
		edition, _ := slim.ParseEdition(version)
		enc := slim.Encoding{Edition: edition, Format: slim.JSON}
		if contentType == protobuf1.ContentType() {
			enc.Format = slim.Protobuf
		}
		if err := parse(s, enc, value); err != nil && !strings.Contains(err.Error(), "twice") && !strings.Contains(err.Error(), "integer") {
			t.Errorf("the schema accepts what the reader refuses: %v", err)
		}
	})
}

func parse(s Stream, enc slim.Encoding, value []byte) error {
	switch s {
	case Events:
		e, err := slim.ParseEvent(enc, value)
		if err == nil {
			err = e.Validate(enc)
		}
		return err
	case Orders:
		o, err := slim.ParseOrder(enc, value)
		if err == nil {
			err = o.Validate(enc)
		}
		return err
	}
	r, err := slim.ParseRefund(enc, value)
	if err == nil {
		err = r.Validate(enc)
	}
	return err
}
