// Package json measures encoders of slim records, and says in which bytes they differ.
//
// jsonv2_test.go adds encoding/json/v2, which Go 1.26 builds with GOEXPERIMENT=jsonv2. In such
// a build encoding/json is another implementation too, on top of it.
package json

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"testing"

	"github.com/bytedance/sonic"
	goccy "github.com/goccy/go-json"
	segmentio "github.com/segmentio/encoding/json"

	"github.com/ticketscloud/vibe-bridge/bench/micro/samples"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// The order of edition 1.0 as a library is told of it.
type order struct {
	ID       string   `json:"id"`
	Customer customer `json:"customer"`
	Tickets  []ticket `json:"tickets"`
}

type customer struct {
	Email string `json:"email"`
	Phone string `json:"phone"`
	Name  string `json:"name,omitempty"`
}

type ticket struct {
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

func tagged(o *slim.Order) *order {
	out := &order{ID: o.ID, Customer: customer{o.Customer.Email, o.Customer.Phone, o.Customer.Name}}
	for _, t := range o.Tickets {
		out.Tickets = append(out.Tickets, ticket{
			t.ID, t.EventID, t.OrganizerID, t.Barcode, t.Number, t.Series, t.Row, t.Seat, t.Category, t.Description, t.PriceNominal, t.Currency,
		})
	}
	return out
}

var slimEncoding = slim.Encoding{Edition: slim.Edition1, Format: slim.JSON}

// encode returns the value of an orders record in memory that the caller may keep, as the producer does.
type variant struct {
	name   string
	encode func(*slim.Order, any) ([]byte, error)
}

var variants = []variant{
	{"slim", func(o *slim.Order, _ any) ([]byte, error) { return slim.AppendOrder(nil, slimEncoding, o), nil }},
	{"slim-sized", func(o *slim.Order, _ any) ([]byte, error) { // into a buffer that is large enough
		return slim.AppendOrder(make([]byte, 0, 256+384*len(o.Tickets)), slimEncoding, o), nil
	}},
	{"std", func(_ *slim.Order, v any) ([]byte, error) {
		var b bytes.Buffer
		e := stdjson.NewEncoder(&b)
		e.SetEscapeHTML(false)
		err := e.Encode(v)
		return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
	}},
	{"goccy", func(_ *slim.Order, v any) ([]byte, error) {
		return goccy.MarshalWithOption(v, goccy.DisableHTMLEscape())
	}},
	{"segmentio", func(_ *slim.Order, v any) ([]byte, error) { return segmentio.Append(nil, v, 0) }},
	{"sonic", func(_ *slim.Order, v any) ([]byte, error) { return sonicPlain.Marshal(v) }},
}

var sonicPlain = sonic.Config{}.Froze()

func BenchmarkOrder(b *testing.B) {
	for _, tickets := range []int{1, 5} {
		_, _, _, value := samples.Rows(tickets)
		o := parsed(b, value)
		v := any(tagged(o))
		for _, variant := range variants {
			b.Run(fmt.Sprintf("tickets=%d/variant=%s", tickets, variant.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if out, err := variant.encode(o, v); err != nil || len(out) != len(value) {
						b.Fatalf("%d bytes, %v; want %d", len(out), err, len(value))
					}
				}
			})
		}
	}
}

func parsed(t testing.TB, value []byte) *slim.Order {
	t.Helper()
	o, err := slim.ParseOrder(slimEncoding, value)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// An order of the season has the same bytes from all of them.
func TestSameBytes(t *testing.T) {
	_, _, _, value := samples.Rows(5)
	o := parsed(t, value)
	for _, v := range variants {
		if got, err := v.encode(o, tagged(o)); err != nil || !bytes.Equal(got, value) {
			t.Errorf("%s: %s (%v), want %s", v.name, got, err, value)
		}
	}
}

// Where the bytes differ from those of the contract, as decision 17 says. A text that is missing is as slim writes it.
var differences = map[string]map[string]string{
	"\u2028":           {"sonic": "\u2028"},
	"№ — \u2027\u2029": {"sonic": "№ — \u2027\u2029"},
	"a\xffb":           {"sonic": "a\xffb"},
	"\b\f":             {"sonic": `\u0008\u000c`},
	"\x01":             {},
	"<a href='&'>":     {},
	"\x7f":             {},
	"пример":           {},
	`quote " slash \`:  {},
}

func TestDifferences(t *testing.T) {
	for text, differ := range differences {
		o := &slim.Order{ID: text, Tickets: []slim.Ticket{{}}}
		want := written(t, variants[0], o)
		for _, v := range variants {
			expected, differs := differ[v.name]
			if !differs {
				expected = want
			}
			if got := written(t, v, o); got != expected {
				t.Errorf("%s writes %q as %q, want %q", v.name, text, got, expected)
			}
		}
	}
}

// written is how the id of an order was written, "refused" when it was not.
func written(t *testing.T, v variant, o *slim.Order) string {
	t.Helper()
	b, err := v.encode(o, tagged(o))
	if err != nil {
		return "refused"
	}
	id, _, ok := bytes.Cut(bytes.TrimPrefix(b, []byte(`{"id":"`)), []byte(`","customer"`))
	if !ok {
		t.Fatalf("%s: %s", v.name, b)
	}
	return string(id)
}

// Numbers of events: slim never writes an exponent, all others do below 1e-6 and from 1e21 on, where no place on earth is.
func TestNumbers(t *testing.T) {
	type venue struct {
		Lat float64 `json:"lat"`
	}
	for value, want := range map[float64]string{55.7558: `{"lat":55.7558}`, 1e-7: `{"lat":1e-7}`, 1e21: `{"lat":1e+21}`} {
		for _, v := range variants[2:] {
			got, err := v.encode(nil, venue{value})
			if err != nil || string(got) != want && !(v.name == "goccy" && string(got) == goccyNumbers[value]) {
				t.Errorf("%s: %s (%v), want %s", v.name, got, err, want)
			}
		}
	}
}

var goccyNumbers = map[float64]string{}
