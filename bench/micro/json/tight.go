package json

import (
	"strconv"
	"unicode/utf8"

	"github.com/ticketscloud/vibe-bridge/slim"
)

// appendOrder writes the same bytes as slim.AppendOrder does for edition 1.0, in the ways
// in which that could be faster: names with what is around them are one constant, and a text
// is looked at in a table, byte by byte, after one look at whether it is UTF-8.
func appendOrder(dst []byte, o *slim.Order) []byte {
	dst = appendString(append(dst, `{"id":`...), o.ID)
	dst = appendString(append(dst, `,"customer":{"email":`...), o.Customer.Email)
	dst = appendString(append(dst, `,"phone":`...), o.Customer.Phone)
	dst = appendOptional(dst, `,"name":`, o.Customer.Name)
	dst = append(dst, `},"tickets":[`...)
	for i := range o.Tickets {
		t := &o.Tickets[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, `{"id":`...), t.ID)
		dst = appendString(append(dst, `,"event_id":`...), t.EventID)
		dst = appendString(append(dst, `,"organizer_id":`...), t.OrganizerID)
		dst = appendString(append(dst, `,"barcode":`...), t.Barcode)
		dst = appendOptional(dst, `,"number":`, t.Number)
		dst = appendOptional(dst, `,"series":`, t.Series)
		dst = appendOptional(dst, `,"row":`, t.Row)
		dst = appendOptional(dst, `,"seat":`, t.Seat)
		dst = appendString(append(dst, `,"category":`...), t.Category)
		dst = appendOptional(dst, `,"description":`, t.Description)
		dst = strconv.AppendInt(append(dst, `,"price_nominal":`...), t.PriceNominal, 10)
		dst = appendOptional(dst, `,"currency":`, t.Currency)
		dst = append(dst, '}')
	}
	return append(dst, "]}"...)
}

func appendOptional(dst []byte, name, text string) []byte {
	if text == "" {
		return dst
	}
	return appendString(append(dst, name...), text)
}

// plain tells bytes that are written as they are in a text that is UTF-8: all but control
// characters, quote and backslash, and what U+2028 and U+2029 begin with.
var plain = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= ' ' && c != '"' && c != '\\' && c != 0xe2
	}
	return t
}()

func appendString(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		return appendEscaped(dst, s)
	}
	for i := range len(s) {
		if plain[s[i]] || s[i] == 0xe2 && (s[i+1] != 0x80 || s[i+2]|1 != 0xa9) {
			continue
		}
		return appendEscaped(dst, s)
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// appendEscaped is what slim does with every text.
func appendEscaped(dst []byte, s string) []byte {
	const before, behind = `{"customer":{"email":"","phone":""},"ticket_ids":[`, `]}`
	at := len(dst)
	dst = slim.AppendRefund(dst, slimEncoding, &slim.Refund{TicketIDs: []string{s}})
	return append(dst[:at], dst[at+len(before):len(dst)-len(behind)]...)
}

var slimEncoding = slim.Encoding{Edition: slim.Edition1, Format: slim.JSON}
