package slim_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/slim"
)

// The second, obvious implementation of the JSON: structs that repeat the
// contract's tables, written by encoding/json.

type referenceEvent1 struct {
	ID          string              `json:"id"`
	GroupID     string              `json:"group_id,omitempty"`
	Name        string              `json:"name"`
	Category    string              `json:"category"`
	StartAt     *int64              `json:"start_at,omitempty"`
	FinishAt    int64               `json:"finish_at"`
	Media       string              `json:"media,omitempty"`
	Timezone    string              `json:"timezone,omitempty"`
	Description string              `json:"description,omitempty"`
	Organizer   *referenceOrganizer `json:"organizer,omitempty"`
	Venue       *referenceVenue     `json:"venue,omitempty"`
}

type referenceEvent2 struct {
	ID          string              `json:"id"`
	GroupID     string              `json:"group_id,omitempty"`
	Name        string              `json:"name"`
	Status      string              `json:"status"`
	Category    string              `json:"category"`
	StartAt     *int64              `json:"start_at,omitempty"`
	FinishAt    int64               `json:"finish_at"`
	Offset      json.Number         `json:"offset"`
	Media       string              `json:"media,omitempty"`
	Description string              `json:"description,omitempty"`
	Organizer   *referenceOrganizer `json:"organizer,omitempty"`
	Venue       *referenceVenue     `json:"venue,omitempty"`
}

type referenceOrganizer struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Legals any    `json:"legals,omitempty"`
}

type referenceLegals1 struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	INN     string `json:"inn,omitempty"`
	OGRN    string `json:"ogrn,omitempty"`
	Address string `json:"address,omitempty"`
}

type referenceLegals2 struct {
	Name    string `json:"name,omitempty"`
	Type    string `json:"type,omitempty"`
	INN     string `json:"inn,omitempty"`
	OGRN    string `json:"ogrn,omitempty"`
	Address string `json:"address,omitempty"`
}

type referenceVenue struct {
	ID          string       `json:"id"`
	Name        string       `json:"name"`
	Address     string       `json:"address,omitempty"`
	Description string       `json:"description,omitempty"`
	Zipcode     string       `json:"zipcode,omitempty"`
	CityName    string       `json:"city_name,omitempty"`
	Lat         *json.Number `json:"lat,omitempty"`
	Lon         *json.Number `json:"lon,omitempty"`
}

type referenceCustomer1 struct {
	Email string `json:"email"`
	Phone string `json:"phone"`
	Name  string `json:"name,omitempty"`
}

type referenceCustomer2 struct {
	Email     string `json:"email"`
	Phone     string `json:"phone"`
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
}

type referenceOrder1 struct {
	ID       string             `json:"id"`
	Customer referenceCustomer1 `json:"customer"`
	Tickets  []referenceTicket1 `json:"tickets"`
}

type referenceOrder2 struct {
	ID       string             `json:"id"`
	Number   string             `json:"number"`
	Customer referenceCustomer2 `json:"customer"`
	Tickets  []referenceTicket2 `json:"tickets"`
}

type referenceTicket1 struct {
	ID           string `json:"id"`
	EventID      string `json:"event_id"`
	OrganizerID  string `json:"organizer_id"`
	Barcode      string `json:"barcode"`
	Number       string `json:"number,omitempty"`
	Series       string `json:"series,omitempty"`
	Row          string `json:"row,omitempty"`
	Seat         string `json:"seat,omitempty"`
	Category     string `json:"category"`
	Description  string `json:"description,omitempty"`
	PriceNominal int64  `json:"price_nominal"`
	Currency     string `json:"currency,omitempty"`
}

type referenceTicket2 struct {
	ID           string `json:"id"`
	EventID      string `json:"event_id"`
	Barcode      string `json:"barcode"`
	Number       string `json:"number,omitempty"`
	Series       string `json:"series,omitempty"`
	Row          string `json:"row,omitempty"`
	Seat         string `json:"seat,omitempty"`
	Category     string `json:"category"`
	Description  string `json:"description,omitempty"`
	PriceNominal int64  `json:"price_nominal"`
	Currency     string `json:"currency,omitempty"`
}

type referenceRefund1 struct {
	Customer  referenceCustomer1 `json:"customer"`
	TicketIDs []string           `json:"ticket_ids"`
}

type referenceRefund2 struct {
	Customer  referenceCustomer2 `json:"customer"`
	TicketIDs []string           `json:"ticket_ids"`
}

func referenceJSON(t *rapid.T, v any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		t.Fatalf("reference: %v", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func referenceNumber(f float64) json.Number {
	if math.IsNaN(f) || math.IsInf(f, 0) || f == 0 {
		return "0"
	}
	return json.Number(strconv.FormatFloat(f, 'f', -1, 64))
}

func referenceCoordinate(f *float64) *json.Number {
	if f == nil || math.IsNaN(*f) || math.IsInf(*f, 0) {
		return nil
	}
	n := referenceNumber(*f)
	return &n
}

func referenceEvent(edition slim.Edition, e *slim.Event) any {
	var organizer *referenceOrganizer
	if e.Organizer != nil {
		organizer = &referenceOrganizer{ID: e.Organizer.ID, Name: e.Organizer.Name}
	}
	if e.Organizer != nil && e.Organizer.Legals != nil && edition == slim.Edition1 {
		organizer.Legals = referenceLegals1(*e.Organizer.Legals)
	}
	if e.Organizer != nil && e.Organizer.Legals != nil && edition == slim.Edition2 {
		organizer.Legals = referenceLegals2(*e.Organizer.Legals)
	}
	var venue *referenceVenue
	if v := e.Venue; v != nil {
		venue = &referenceVenue{v.ID, v.Name, v.Address, v.Description, v.Zipcode, v.CityName,
			referenceCoordinate(v.Lat), referenceCoordinate(v.Lon)}
	}
	if edition == slim.Edition1 {
		return referenceEvent1{e.ID, e.GroupID, e.Name, e.Category, e.StartAt, e.FinishAt,
			e.Media, e.Timezone, e.Description, organizer, venue}
	}
	return referenceEvent2{e.ID, e.GroupID, e.Name, e.Status, e.Category, e.StartAt, e.FinishAt, referenceNumber(e.Offset),
		e.Media, e.Description, organizer, venue}
}

func referenceOrder(edition slim.Edition, o *slim.Order) any {
	if edition == slim.Edition1 {
		tickets := []referenceTicket1{}
		for _, t := range o.Tickets {
			tickets = append(tickets, referenceTicket1(t))
		}
		return referenceOrder1{o.ID, customer1(o.Customer), tickets}
	}
	tickets := []referenceTicket2{}
	for _, t := range o.Tickets {
		tickets = append(tickets, referenceTicket2{t.ID, t.EventID, t.Barcode, t.Number, t.Series, t.Row, t.Seat,
			t.Category, t.Description, t.PriceNominal, t.Currency})
	}
	return referenceOrder2{o.ID, o.Number, customer2(o.Customer), tickets}
}

func referenceRefund(edition slim.Edition, r *slim.Refund) any {
	ids := append([]string{}, r.TicketIDs...)
	if edition == slim.Edition1 {
		return referenceRefund1{customer1(r.Customer), ids}
	}
	return referenceRefund2{customer2(r.Customer), ids}
}

func customer1(c slim.Customer) referenceCustomer1 {
	return referenceCustomer1{c.Email, c.Phone, c.Name}
}

func customer2(c slim.Customer) referenceCustomer2 {
	return referenceCustomer2{c.Email, c.Phone, c.FirstName, c.LastName}
}

func TestJSONIsThatOfEncodingJSON(t *testing.T) {
	for _, enc := range jsonEncodings {
		g := recordGenerator{enc: enc, anyBytes: true}
		t.Run(encodingName(enc)+"/event", rapid.MakeCheck(func(t *rapid.T) {
			e := g.event(t)
			checkAppended(t, slim.AppendEvent(existing(), enc, e), referenceJSON(t, referenceEvent(enc.Edition, e)))
		}))
		t.Run(encodingName(enc)+"/order", rapid.MakeCheck(func(t *rapid.T) {
			o := g.order(t)
			checkAppended(t, slim.AppendOrder(existing(), enc, o), referenceJSON(t, referenceOrder(enc.Edition, o)))
		}))
		t.Run(encodingName(enc)+"/refund", rapid.MakeCheck(func(t *rapid.T) {
			r := g.refund(t)
			checkAppended(t, slim.AppendRefund(existing(), enc, r), referenceJSON(t, referenceRefund(enc.Edition, r)))
		}))
	}
}

// existing is what dst holds already and must keep.
func existing() []byte { return []byte("before,") }

func checkAppended(t *rapid.T, got, want []byte) {
	t.Helper()
	got, kept := bytes.CutPrefix(got, existing())
	if !kept {
		t.Fatalf("what stood in dst is gone: %q", got)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

// Every single byte and every rune that encoding/json treats in its own way,
// alone and between others.
func TestStringsAreEscapedAsEncodingJSONDoes(t *testing.T) {
	var texts []string
	for b := range 256 {
		texts = append(texts, string([]byte{byte(b)}), "a"+string([]byte{byte(b)})+"b")
	}
	for r := rune(0x80); r < 0x3000; r++ {
		texts = append(texts, string(r), "a"+string(r))
	}
	for pair := range 1 << 16 { // letters of two bytes are passed at once
		texts = append(texts, string([]byte{byte(pair >> 8), byte(pair)}))
	}
	// Plain texts are looked at in eights: an escape is found wherever it stands, and behind others.
	for at := range 17 {
		for _, r := range []string{"\x00", "\x1f", " ", "!", "\"", "#", "[", "\\", "]", "\x7f", "\x80", "\xe2", "я", "\u2027", "\u2028", "\u2029", "\u202a", "\"\x1f#\\]"} {
			texts = append(texts, strings.Repeat("a", at)+r+strings.Repeat("z", 17-at), strings.Repeat("я", at)+r)
		}
	}
	texts = append(texts, "\ufffd", "\uffff", "\U0010ffff", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x80", "\xe2\x80\xa8\xe2\x80", "</script>&")
	for _, text := range texts {
		checkText(t, text)
	}
}

func FuzzJSONText(f *testing.F) {
	for _, text := range []string{"", "Пример — № 1", "quote \" slash \\", "eight by\x1fte", "пример\xff\u2029", "\xe2\x80"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { checkText(t, text) })
}

func checkText(t *testing.T, text string) {
	t.Helper()
	var want bytes.Buffer
	encoder := json.NewEncoder(&want)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode([]string{text}); err != nil {
		t.Fatal(err)
	}
	got := slim.AppendRefund(nil, json1, &slim.Refund{TicketIDs: []string{text}})
	_, ids, _ := bytes.Cut(got, []byte(`"ticket_ids":`))
	if string(ids) != string(bytes.TrimSuffix(want.Bytes(), []byte("\n")))+"}" {
		t.Errorf("%q is written as %s, want %s", text, ids, want.Bytes())
	}
}

func TestNumbersHaveNoExponent(t *testing.T) {
	tests := []struct {
		value float64
		want  string
	}{
		{3, "3"}, {5.5, "5.5"}, {-3.5, "-3.5"}, {0, "0"}, {math.Copysign(0, -1), "0"}, {12.75, "12.75"},
		{1e21, "1000000000000000000000"}, {1e-7, "0.0000001"}, {0.1, "0.1"}, {55.755864, "55.755864"},
		{math.NaN(), "0"}, {math.Inf(1), "0"}, {math.Inf(-1), "0"},
	}
	for _, tt := range tests {
		got := slim.AppendEvent(nil, json2, &slim.Event{Offset: tt.value})
		want := `{"id":"","name":"","status":"","category":"","finish_at":0,"offset":` + tt.want + `}`
		if string(got) != want {
			t.Errorf("offset %v:\ngot  %s\nwant %s", tt.value, got, want)
		}
	}
}

// The one object that may have no field at all.
func TestEmptyLegalsAreAnEmptyObject(t *testing.T) {
	got := slim.AppendEvent(nil, json2, &slim.Event{Organizer: &slim.Organizer{Legals: new(slim.Legals)}})
	want := `{"id":"","name":"","status":"","category":"","finish_at":0,"offset":0,"organizer":{"id":"","name":"","legals":{}}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A refund's customer is, by contract, exactly the bytes that the order carried.
func TestRefundCarriesTheBytesOfTheOrdersCustomer(t *testing.T) {
	for _, enc := range jsonEncodings {
		g := recordGenerator{enc: enc, anyBytes: true}
		t.Run(encodingName(enc), rapid.MakeCheck(func(t *rapid.T) {
			customer := g.customer(t)
			var order, refund struct{ Customer json.RawMessage }
			mustUnmarshal(t, slim.AppendOrder(nil, enc, &slim.Order{Customer: customer}), &order)
			mustUnmarshal(t, slim.AppendRefund(nil, enc, &slim.Refund{Customer: customer}), &refund)
			if !bytes.Equal(order.Customer, refund.Customer) {
				t.Fatalf("order  %s\nrefund %s", order.Customer, refund.Customer)
			}
		}))
	}
}

func mustUnmarshal(t *rapid.T, b []byte, v any) {
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("not JSON: %v: %s", err, b)
	}
}

func TestJSONIsAppendedWithoutAllocating(t *testing.T) {
	dst := make([]byte, 0, 64<<10)
	for _, enc := range jsonEncodings {
		event, order, refund := fullEvent(enc.Edition), fullOrder(), fullRefund()
		allocations := testing.AllocsPerRun(100, func() {
			dst = slim.AppendEvent(dst[:0], enc, event)
			dst = slim.AppendOrder(dst, enc, order)
			dst = slim.AppendRefund(dst, enc, refund)
		})
		if allocations != 0 {
			t.Errorf("%s: %v allocations for three records", encodingName(enc), allocations)
		}
	}
}
