package slim_test

import (
	"math"
	"strings"

	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/slim"
)

// recordGenerator draws records. With anyBytes it draws everything that the Go
// types allow; without, only what comes back from a reader as it went in: text
// that is UTF-8, finite numbers, words of the vocabularies, and what the
// encoding requires.
type recordGenerator struct {
	enc      slim.Encoding
	anyBytes bool
}

// awkward holds what JSON escapes, what it does not, and what looks like it.
const awkward = "\x00\x01\x08\x09\x0a\x0b\x0c\x0d\x1f\x7f\u0080\u00a0\u2027\u2028\u2029\u202a\ufffd\ufeff\U0001F3AD" +
	"\"\\/<>&'{}[]:,+ aЯ"

func (g recordGenerator) text() *rapid.Generator[string] {
	generators := []*rapid.Generator[string]{
		rapid.Just(""),
		rapid.String(),
		rapid.StringOfN(rapid.SampledFrom([]rune(awkward)), 0, 12, -1),
		rapid.StringMatching(`[0-9a-f]{24}`),
	}
	if g.anyBytes {
		generators = append(generators, brokenText())
	}
	return rapid.OneOf(generators...)
}

// brokenText draws text with bytes that are not UTF-8: random ones, and runes
// cut off in the middle.
func brokenText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		var b strings.Builder
		for range rapid.IntRange(1, 6).Draw(t, "pieces") {
			piece := rapid.SampledFrom([]string{
				"ok", "\xff", "\xc0\xaf", "\xe2\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\ufffd", "Я"[:1], "\u2028", "\"",
			}).Draw(t, "piece")
			b.WriteString(piece)
			b.Write(rapid.SliceOfN(rapid.Byte(), 0, 2).Draw(t, "bytes"))
		}
		return b.String()
	})
}

func (g recordGenerator) word(vocabulary ...string) *rapid.Generator[string] {
	words := rapid.SampledFrom(vocabulary)
	if !g.anyBytes {
		return words
	}
	return rapid.OneOf(words, g.text())
}

func (g recordGenerator) number() *rapid.Generator[float64] {
	plain := []float64{0, 3, 5.5, -3.5, 37.6173, -0.000000125, 1e21, math.Copysign(0, -1)}
	if g.anyBytes {
		plain = append(plain, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64)
	}
	return rapid.OneOf(rapid.SampledFrom(plain), rapid.Float64Range(-180, 180))
}

func (g recordGenerator) event(t *rapid.T) *slim.Event {
	text := g.text()
	e := &slim.Event{
		ID:          text.Draw(t, "id"),
		GroupID:     text.Draw(t, "group_id"),
		Name:        text.Draw(t, "name"),
		Status:      g.word("active", "paused", "finished", "cancelled").Draw(t, "status"),
		Category:    g.word(g.enc.Edition.Categories()...).Draw(t, "category"),
		FinishAt:    rapid.Int64().Draw(t, "finish_at"),
		Offset:      g.number().Draw(t, "offset"),
		Media:       text.Draw(t, "media"),
		Timezone:    text.Draw(t, "timezone"),
		Description: text.Draw(t, "description"),
	}
	mayLackStart := g.anyBytes || g.enc.Edition == slim.Edition2
	if !mayLackStart || rapid.Bool().Draw(t, "has start_at") {
		startAt := rapid.Int64().Draw(t, "start_at")
		e.StartAt = &startAt
	}
	mayLackOrganizer := g.anyBytes || g.enc.Edition == slim.Edition1
	if !mayLackOrganizer || rapid.Bool().Draw(t, "has organizer") {
		e.Organizer = g.organizer(t)
	}
	if rapid.Bool().Draw(t, "has venue") {
		e.Venue = g.venue(t)
	}
	return e
}

func (g recordGenerator) organizer(t *rapid.T) *slim.Organizer {
	text := g.text()
	o := &slim.Organizer{ID: text.Draw(t, "organizer.id"), Name: text.Draw(t, "organizer.name")}
	if rapid.Bool().Draw(t, "has legals") {
		o.Legals = &slim.Legals{
			Name:    text.Draw(t, "legals.name"),
			Type:    g.word("", "ru_lp", "ru_ltd", "en_ltd").Draw(t, "legals.type"),
			INN:     text.Draw(t, "legals.inn"),
			OGRN:    text.Draw(t, "legals.ogrn"),
			Address: text.Draw(t, "legals.address"),
		}
	}
	return o
}

func (g recordGenerator) venue(t *rapid.T) *slim.Venue {
	text := g.text()
	v := &slim.Venue{
		ID:          text.Draw(t, "venue.id"),
		Name:        text.Draw(t, "venue.name"),
		Address:     text.Draw(t, "venue.address"),
		Description: text.Draw(t, "venue.description"),
		Zipcode:     text.Draw(t, "venue.zipcode"),
		CityName:    text.Draw(t, "venue.city_name"),
	}
	if rapid.Bool().Draw(t, "has lat") {
		lat := g.number().Draw(t, "lat")
		v.Lat = &lat
	}
	if rapid.Bool().Draw(t, "has lon") {
		lon := g.number().Draw(t, "lon")
		v.Lon = &lon
	}
	return v
}

func (g recordGenerator) customer(t *rapid.T) slim.Customer {
	text := g.text()
	return slim.Customer{
		Email:     text.Draw(t, "email"),
		Phone:     text.Draw(t, "phone"),
		Name:      text.Draw(t, "name"),
		FirstName: text.Draw(t, "first_name"),
		LastName:  text.Draw(t, "last_name"),
	}
}

func (g recordGenerator) order(t *rapid.T) *slim.Order {
	text := g.text()
	o := &slim.Order{
		ID:          text.Draw(t, "id"),
		EventID:     text.Draw(t, "event_id"),
		OrganizerID: text.Draw(t, "organizer_id"),
		Number:      text.Draw(t, "number"),
		Customer:    g.customer(t),
	}
	for range rapid.IntRange(0, 3).Draw(t, "tickets") {
		o.Tickets = append(o.Tickets, g.ticket(t))
	}
	return o
}

func (g recordGenerator) ticket(t *rapid.T) slim.Ticket {
	text := g.text()
	return slim.Ticket{
		ID:           text.Draw(t, "ticket.id"),
		EventID:      text.Draw(t, "ticket.event_id"),
		OrganizerID:  text.Draw(t, "ticket.organizer_id"),
		Barcode:      text.Draw(t, "barcode"),
		Number:       text.Draw(t, "number"),
		Series:       text.Draw(t, "series"),
		Row:          text.Draw(t, "row"),
		Seat:         text.Draw(t, "seat"),
		Category:     text.Draw(t, "category"),
		Description:  text.Draw(t, "description"),
		PriceNominal: rapid.OneOf(rapid.Just(int64(0)), rapid.Int64()).Draw(t, "price_nominal"),
		Currency:     g.word("", "USD", "EUR", "RUB", "GBP", "CNY").Draw(t, "currency"),
	}
}

func (g recordGenerator) refund(t *rapid.T) *slim.Refund {
	r := &slim.Refund{Customer: g.customer(t)}
	for range rapid.IntRange(0, 3).Draw(t, "tickets") {
		r.TicketIDs = append(r.TicketIDs, g.text().Draw(t, "ticket id"))
	}
	return r
}
