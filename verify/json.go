package verify

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// object writes a JSON object field by field.
type object struct{ b []byte }

func (o *object) name(name string) {
	if n := len(o.b); n == 0 || o.b[n-1] == '{' || o.b[n-1] == '[' {
		if n == 0 {
			o.b = append(o.b, '{')
		}
	} else {
		o.b = append(o.b, ',')
	}
	o.b = append(o.b, '"')
	o.b = append(o.b, name...)
	o.b = append(o.b, '"', ':')
}

func (o *object) text(name, value string) {
	o.name(name)
	o.b = appendText(o.b, value)
}

func (o *object) optional(name, value string) {
	if value != "" {
		o.text(name, value)
	}
}

func (o *object) integer(name string, value *int64) {
	if value != nil {
		o.name(name)
		o.b = strconv.AppendInt(o.b, *value, 10)
	}
}

func (o *object) number(name string, value *float64) {
	if value != nil {
		o.name(name)
		text, _ := json.Marshal(*value) // an error leaves it out: only what is no number
		o.b = append(o.b, text...)
	}
}

func (o *object) open(name string) {
	o.name(name)
	o.b = append(o.b, '{')
}

func (o *object) close() { o.b = append(o.b, '}') }

// appendText quotes a string without HTML escaping.
func appendText(b []byte, s string) []byte {
	if isPlain(s) {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	var buffer bytes.Buffer
	e := json.NewEncoder(&buffer)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // of a string into memory: cannot fail
	return append(b, bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))...)
}

// isPlain: nothing in it needs an escape.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c == 0xe2 { // U+2028 and U+2029 begin with 0xe2
			return false
		}
	}
	return utf8.ValidString(s)
}

// json writes the event in the field order of the slim contract.
func (e *Event) json(v2 bool) []byte {
	o := &object{b: []byte{'{'}}
	o.text("id", e.ID)
	o.optional("group_id", e.GroupID)
	o.text("name", e.Name)
	if v2 {
		o.text("status", e.Status)
	}
	o.text("category", e.Category)
	o.integer("start_at", e.StartAt)
	o.integer("finish_at", e.FinishAt)
	if v2 {
		o.number("offset", e.Offset)
	}
	o.optional("media", e.Media)
	if !v2 {
		o.optional("timezone", e.Timezone)
	}
	o.optional("description", e.Description)
	e.Organizer.json(o, v2)
	e.Venue.json(o)
	o.close()
	return o.b
}

func (g *Organizer) json(o *object, v2 bool) {
	if g == nil {
		return
	}
	o.open("organizer")
	o.text("id", g.ID)
	o.text("name", g.Name)
	if l := g.Legals; l != nil {
		required := o.text
		if v2 {
			required = o.optional
		}
		o.open("legals")
		required("name", l.Name)
		required("type", l.Type)
		o.optional("inn", l.INN)
		o.optional("ogrn", l.OGRN)
		o.optional("address", l.Address)
		o.close()
	}
	o.close()
}

func (v *Venue) json(o *object) {
	if v == nil {
		return
	}
	o.open("venue")
	o.text("id", v.ID)
	o.text("name", v.Name)
	o.optional("address", v.Address)
	o.optional("description", v.Description)
	o.optional("zipcode", v.Zipcode)
	o.optional("city_name", v.CityName)
	o.number("lat", v.Lat)
	o.number("lon", v.Lon)
	o.close()
}

func (r *Order) json(v2 bool) []byte {
	o := &object{b: make([]byte, 1, 512)}
	o.b[0] = '{'
	o.text("id", r.ID)
	if v2 {
		o.text("number", r.Number)
	}
	r.Customer.json(o, v2)
	o.name("tickets")
	o.b = append(o.b, '[')
	for i := range r.Tickets {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = append(o.b, '{')
		r.Tickets[i].json(o, v2)
		o.close()
	}
	o.b = append(o.b, ']', '}')
	return o.b
}

func (c *Customer) json(o *object, v2 bool) {
	o.open("customer")
	o.text("email", c.Email)
	o.text("phone", c.Phone)
	if v2 {
		o.optional("first_name", c.FirstName)
		o.optional("last_name", c.LastName)
	} else {
		o.optional("name", c.Name)
	}
	o.close()
}

func (t *Ticket) json(o *object, v2 bool) {
	o.text("id", t.ID)
	o.text("event_id", t.EventID)
	if !v2 {
		o.text("organizer_id", t.OrganizerID)
	}
	o.text("barcode", t.Barcode)
	o.optional("number", t.Number)
	o.optional("series", t.Series)
	o.optional("row", t.Row)
	o.optional("seat", t.Seat)
	o.text("category", t.Category)
	o.optional("description", t.Description)
	o.integer("price_nominal", t.PriceNominal)
	o.optional("currency", t.Currency)
}

func (r *Refund) json(v2 bool) []byte {
	o := &object{b: []byte{'{'}}
	r.Customer.json(o, v2)
	o.name("ticket_ids")
	o.b = append(o.b, '[')
	for i, id := range r.TicketIDs {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = appendText(o.b, id)
	}
	o.b = append(o.b, ']', '}')
	return o.b
}
