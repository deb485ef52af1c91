package slim

import (
	"math"
	"strconv"
)

// The JSON of both editions, written by hand: the order of the calls below is
// the order of the fields in the slim contract's tables.
//
// Rules of this file:
//   - Every field is written with a comma before it. The first comma of an
//     object is overwritten by its brace when the object is closed, so that no
//     field needs to know whether it is the first.
//   - A name is passed with its comma, quotes and colon, and the quote that opens
//     a string, as one constant that is copied in one go.
//   - appendText writes a required string, also when it is empty;
//     appendOptionalText leaves an empty one out. null is never written.

func appendEventJSON(dst []byte, edition Edition, e *Event) []byte {
	start := len(dst)
	dst = appendText(dst, `,"id":"`, e.ID)
	dst = appendOptionalText(dst, `,"group_id":"`, e.GroupID)
	dst = appendText(dst, `,"name":"`, e.Name)
	if edition == Edition2 {
		dst = appendText(dst, `,"status":"`, e.Status)
	}
	dst = appendText(dst, `,"category":"`, e.Category)
	if e.StartAt != nil {
		dst = appendInteger(dst, `,"start_at":`, *e.StartAt)
	}
	dst = appendInteger(dst, `,"finish_at":`, e.FinishAt)
	if edition == Edition2 {
		dst = appendNumber(dst, `,"offset":`, finiteOrZero(e.Offset))
	}
	dst = appendOptionalText(dst, `,"media":"`, e.Media)
	if edition == Edition1 {
		dst = appendOptionalText(dst, `,"timezone":"`, e.Timezone)
	}
	dst = appendOptionalText(dst, `,"description":"`, e.Description)
	if e.Organizer != nil {
		dst = appendOrganizerJSON(append(dst, `,"organizer":`...), edition, e.Organizer)
	}
	if e.Venue != nil {
		dst = appendVenueJSON(append(dst, `,"venue":`...), e.Venue)
	}
	return closeObject(dst, start)
}

func appendOrganizerJSON(dst []byte, edition Edition, o *Organizer) []byte {
	start := len(dst)
	dst = appendText(dst, `,"id":"`, o.ID)
	dst = appendText(dst, `,"name":"`, o.Name)
	if o.Legals != nil {
		dst = appendLegalsJSON(append(dst, `,"legals":`...), edition, o.Legals)
	}
	return closeObject(dst, start)
}

func appendLegalsJSON(dst []byte, edition Edition, l *Legals) []byte {
	start := len(dst)
	if edition == Edition1 {
		dst = appendText(dst, `,"name":"`, l.Name)
		dst = appendText(dst, `,"type":"`, l.Type)
	} else {
		dst = appendOptionalText(dst, `,"name":"`, l.Name)
		dst = appendOptionalText(dst, `,"type":"`, l.Type)
	}
	dst = appendOptionalText(dst, `,"inn":"`, l.INN)
	dst = appendOptionalText(dst, `,"ogrn":"`, l.OGRN)
	dst = appendOptionalText(dst, `,"address":"`, l.Address)
	return closeObject(dst, start)
}

func appendVenueJSON(dst []byte, v *Venue) []byte {
	start := len(dst)
	dst = appendText(dst, `,"id":"`, v.ID)
	dst = appendText(dst, `,"name":"`, v.Name)
	dst = appendOptionalText(dst, `,"address":"`, v.Address)
	dst = appendOptionalText(dst, `,"description":"`, v.Description)
	dst = appendOptionalText(dst, `,"zipcode":"`, v.Zipcode)
	dst = appendOptionalText(dst, `,"city_name":"`, v.CityName)
	dst = appendOptionalNumber(dst, `,"lat":`, v.Lat)
	dst = appendOptionalNumber(dst, `,"lon":`, v.Lon)
	return closeObject(dst, start)
}

func appendOrderJSON(dst []byte, edition Edition, o *Order) []byte {
	start := len(dst)
	dst = appendText(dst, `,"id":"`, o.ID)
	if edition == Edition2 {
		dst = appendText(dst, `,"number":"`, o.Number)
	}
	dst = appendCustomerJSON(append(dst, `,"customer":`...), edition, &o.Customer)
	dst = append(dst, `,"tickets":[`...)
	for i := range o.Tickets {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendTicketJSON(dst, edition, &o.Tickets[i])
	}
	dst = append(dst, ']')
	return closeObject(dst, start)
}

// appendCustomerJSON writes the customer of orders and of refunds: one
// function, so that both carry the same bytes.
func appendCustomerJSON(dst []byte, edition Edition, c *Customer) []byte {
	start := len(dst)
	dst = appendText(dst, `,"email":"`, c.Email)
	dst = appendText(dst, `,"phone":"`, c.Phone)
	if edition == Edition1 {
		dst = appendOptionalText(dst, `,"name":"`, c.Name)
	} else {
		dst = appendOptionalText(dst, `,"first_name":"`, c.FirstName)
		dst = appendOptionalText(dst, `,"last_name":"`, c.LastName)
	}
	return closeObject(dst, start)
}

func appendTicketJSON(dst []byte, edition Edition, t *Ticket) []byte {
	start := len(dst)
	dst = appendText(dst, `,"id":"`, t.ID)
	dst = appendText(dst, `,"event_id":"`, t.EventID)
	if edition == Edition1 {
		dst = appendText(dst, `,"organizer_id":"`, t.OrganizerID)
	}
	dst = appendText(dst, `,"barcode":"`, t.Barcode)
	dst = appendOptionalText(dst, `,"number":"`, t.Number)
	dst = appendOptionalText(dst, `,"series":"`, t.Series)
	dst = appendOptionalText(dst, `,"row":"`, t.Row)
	dst = appendOptionalText(dst, `,"seat":"`, t.Seat)
	dst = appendText(dst, `,"category":"`, t.Category)
	dst = appendOptionalText(dst, `,"description":"`, t.Description)
	dst = appendInteger(dst, `,"price_nominal":`, t.PriceNominal)
	dst = appendOptionalText(dst, `,"currency":"`, t.Currency)
	return closeObject(dst, start)
}

func appendRefundJSON(dst []byte, edition Edition, r *Refund) []byte {
	start := len(dst)
	dst = appendCustomerJSON(append(dst, `,"customer":`...), edition, &r.Customer)
	dst = append(dst, `,"ticket_ids":[`...)
	for i, id := range r.TicketIDs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, id)
	}
	dst = append(dst, ']')
	return closeObject(dst, start)
}

// closeObject closes the object whose fields were appended from start on.
func closeObject(dst []byte, start int) []byte {
	if len(dst) == start {
		return append(dst, '{', '}')
	}
	dst[start] = '{' // in place of the first comma
	return append(dst, '}')
}

func appendText(dst []byte, name, value string) []byte {
	return appendStringBody(append(dst, name...), value)
}

func appendOptionalText(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return appendText(dst, name, value)
}

func appendInteger(dst []byte, name string, value int64) []byte {
	return strconv.AppendInt(append(dst, name...), value, 10)
}

func appendOptionalNumber(dst []byte, name string, value *float64) []byte {
	if value == nil || !isFinite(*value) {
		return dst
	}
	return appendNumber(dst, name, *value)
}

// appendNumber writes the shortest digits that read back to the same float64,
// never with an exponent. value must be finite.
func appendNumber(dst []byte, name string, value float64) []byte {
	return strconv.AppendFloat(append(dst, name...), positiveZero(value), 'f', -1, 64)
}

// positiveZero makes -0 a 0: equal values are equal bytes.
func positiveZero(value float64) float64 {
	if value == 0 {
		return 0
	}
	return value
}

func isFinite(value float64) bool {
	return !math.IsNaN(value) && !math.IsInf(value, 0)
}

func finiteOrZero(value float64) float64 {
	if !isFinite(value) {
		return 0
	}
	return value
}
