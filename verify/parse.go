package verify

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/slim/vibev1"
)

// The readers give a value and "", or what is wrong with the bytes; with some
// faults the value can be read all the same, otherwise it is nil. No fault ever
// repeats content.

func (r *rules) parseEvent(b []byte) (*Event, string) {
	if r.protobuf {
		var m vibev1.Event
		if fault := unmarshal(b, &m); fault != "" {
			return nil, fault
		}
		v, fault := eventOf(&m)
		return v, firstSet(fault, r.faultOfEvent(v))
	}
	var v Event
	if fault := parseJSON(b, eventFields(r.v2), &v, func() []byte { return v.json(r.v2) }); fault != "" {
		return nil, fault
	}
	return &v, r.faultOfEvent(&v)
}

func (r *rules) parseOrder(b []byte) (*Order, string) {
	if r.protobuf {
		var m vibev1.Order
		if fault := unmarshal(b, &m); fault != "" {
			return nil, fault
		}
		v, fault := orderOf(&m)
		return v, firstSet(fault, r.faultOfOrder(v))
	}
	var v Order
	if fault := parseJSON(b, orderFields(r.v2), &v, func() []byte { return v.json(r.v2) }); fault != "" {
		return nil, fault
	}
	return &v, r.faultOfOrder(&v)
}

func (r *rules) parseRefund(b []byte) (*Refund, string) {
	if r.protobuf {
		var m vibev1.Refund
		if fault := unmarshal(b, &m); fault != "" {
			return nil, fault
		}
		c := m.GetCustomer()
		v := &Refund{Customer: Customer{Email: c.GetEmail(), Phone: c.GetPhone(), Name: c.GetName()}, TicketIDs: m.GetTicketIds()}
		return v, faultOfRefund(v)
	}
	var v Refund
	if fault := parseJSON(b, refundFields(r.v2), &v, func() []byte { return v.json(r.v2) }); fault != "" {
		return nil, fault
	}
	return &v, faultOfRefund(&v)
}

// parseJSON reads a value strictly. What can be written again to the very same
// bytes has the right fields in the right order; only otherwise is it walked
// through, since some differences, as another spelling of a number, are none.
func parseJSON(b []byte, fields []field, v any, again func() []byte) string {
	if len(b) == 0 {
		return "no value"
	}
	if json.Unmarshal(b, v) == nil && bytes.Equal(again(), b) && utf8.Valid(b) {
		return ""
	}
	if fault := walkJSON(b, fields); fault != "" {
		return fault
	}
	if json.Unmarshal(b, v) != nil {
		return "a number out of range"
	}
	return ""
}

func unmarshal(b []byte, m proto.Message) string {
	if len(b) == 0 {
		return "no value"
	}
	if proto.Unmarshal(b, m) != nil {
		return "not a message of vibe.v1"
	}
	if hasUnknown(m) {
		return "a field that vibe.v1 does not have"
	}
	return ""
}

var (
	categories1 = categoryWords[1:]
	categories2 = append(slices.DeleteFunc(slices.Clone(categories1), func(w string) bool { return w == "develpoment" }),
		"circus", "development", "games", "musical", "standup", "workshop")
	statuses   = []string{"active", "paused", "finished", "cancelled"}
	legalTypes = legalWords[1:]
	e164       = regexp.MustCompile(`^\+[1-9][0-9]{1,14}$`)
	decimal    = regexp.MustCompile(`^-?[0-9]+$`)
)

// fault is the first of the conditions that does not hold.
type fault struct{ text string }

func (f *fault) must(holds bool, text string) {
	if f.text == "" && !holds {
		f.text = text
	}
}

// faultOfEvent checks what form alone does not show: required values and enums.
func (r *rules) faultOfEvent(v *Event) string {
	var f fault
	categories := categories1
	if r.v2 {
		categories = categories2
		f.must(slices.Contains(statuses, v.Status), "status: not in the vocabulary")
		f.must(v.Organizer != nil, "organizer: missing")
		f.must(v.Offset != nil, "offset: missing")
	} else {
		f.must(v.StartAt != nil, "start_at: missing")
	}
	f.must(v.ID != "", "id: empty")
	f.must(v.Name != "", "name: empty")
	f.must(v.FinishAt != nil, "finish_at: missing")
	f.must(slices.Contains(categories, v.Category), "category: not in the vocabulary")
	if o := v.Organizer; o != nil {
		f.must(o.ID != "", "organizer.id: empty")
		f.must(o.Name != "", "organizer.name: empty")
		if l := o.Legals; l != nil {
			f.must(r.v2 || l.Name != "", "organizer.legals.name: empty")
			f.must(r.v2 && l.Type == "" || slices.Contains(legalTypes, l.Type), "organizer.legals.type: not in the vocabulary")
		}
	}
	if p := v.Venue; p != nil {
		f.must(p.ID != "" && p.Name != "", "venue: without id or name")
	}
	return f.text
}

func (r *rules) faultOfOrder(v *Order) string {
	var f fault
	f.must(v.ID != "", "id: empty")
	f.must(!r.v2 || decimal.MatchString(v.Number), "number: not decimal")
	f.must(e164.MatchString(v.Customer.Phone), "customer.phone: not E.164")
	f.must(len(v.Tickets) > 0, "tickets: none")
	for i := range v.Tickets {
		t := &v.Tickets[i]
		f.must(t.ID != "", "tickets.id: empty")
		f.must(t.EventID != "", "tickets.event_id: empty")
		f.must(t.Number == "" || decimal.MatchString(t.Number), "tickets.number: not decimal")
		f.must(t.Currency == "" || slices.Contains(currencies, t.Currency), "tickets.currency: not in the vocabulary")
	}
	return f.text
}

func faultOfRefund(v *Refund) string {
	var f fault
	f.must(e164.MatchString(v.Customer.Phone), "customer.phone: not E.164")
	f.must(len(v.TicketIDs) > 0, "ticket_ids: none")
	f.must(!slices.Contains(v.TicketIDs, ""), "ticket_ids: an empty one")
	return f.text
}

// htmlEscapes are what an encoder with HTML escaping writes.
var htmlEscapes = []string{`\u003c`, `\u003e`, `\u0026`}

func escapesHTML(b []byte) bool {
	lower := strings.ToLower(string(b))
	for _, escape := range htmlEscapes {
		for at := strings.Index(lower, escape); at >= 0; {
			if backslashesBefore(lower, at)%2 == 0 {
				return true
			}
			next := strings.Index(lower[at+1:], escape)
			if next < 0 {
				break
			}
			at += 1 + next
		}
	}
	return false
}

func backslashesBefore(s string, at int) int {
	n := 0
	for at > n && s[at-n-1] == '\\' {
		n++
	}
	return n
}
