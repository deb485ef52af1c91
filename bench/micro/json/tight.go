package json

import (
	"strconv"
	"unicode/utf8"

	"github.com/ticketscloud/vibe-bridge/slim"
)

// appendOrder writes the same bytes as slim.AppendOrder does for edition 1.0, in the ways
// in which that could be faster: names with what is around them are one constant, and of a text
// that needs no escape, which nearly all are, eight bytes are looked at in one go.
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
	i := plainPrefix(s)
	if !utf8.ValidString(s[i:]) {
		return appendEscaped(dst, s)
	}
	for ; i < len(s); i++ {
		if plain[s[i]] || s[i] == 0xe2 && (s[i+1] != 0x80 || s[i+2]|1 != 0xa9) {
			continue
		}
		return appendEscaped(dst, s)
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// plainPrefix returns a length up to which s is plain ASCII, a multiple of eight: eight bytes
// at a time are looked at as one number, in which a byte's highest bit tells of it.
func plainPrefix(s string) (n int) {
	const ones, highest = 0x0101010101010101, 0x8080808080808080
	for ; len(s)-n >= 8; n += 8 {
		b := s[n : n+8]
		w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		control, quote, backslash := w-' '*ones, (w^'"'*ones)-ones, (w^'\\'*ones)-ones
		if (w|control|quote|backslash)&highest != 0 {
			break
		}
	}
	return n
}

// appendEscaped is what slim does with every text.
func appendEscaped(dst []byte, s string) []byte {
	const before, behind = `{"customer":{"email":"","phone":""},"ticket_ids":[`, `]}`
	at := len(dst)
	dst = slim.AppendRefund(dst, slimEncoding, &slim.Refund{TicketIDs: []string{s}})
	return append(dst[:at], dst[at+len(before):len(dst)-len(behind)]...)
}

var slimEncoding = slim.Encoding{Edition: slim.Edition1, Format: slim.JSON}
