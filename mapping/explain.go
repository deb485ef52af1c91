package mapping

import (
	"strings"

	"github.com/ticketscloud/vibe-bridge/slim"
)

// Origin says where a slim field comes from.
type Origin struct {
	Legacy string // legacy field, or what else
	Rule   string // of the mapping contract, in short
}

// Explain says where a field of a slim record comes from. path is as in
// "tickets[0].price_nominal". An unknown path gives an empty Origin.
func Explain(s Stream, e slim.Edition, path string) Origin {
	path = withoutIndexes(path)
	if o, ok := originsOf2[s][path]; ok && e == slim.Edition2 {
		return o
	}
	o, isCustomer := customerOrigins[path]
	switch {
	case isCustomer && s == Refunds:
		return Origin{Legacy: "its order's " + o.Legacy, Rule: "exactly as the published order carries it"}
	case isCustomer && s == Orders:
		return o
	}
	return origins[s][path]
}

var customerOrigins = map[string]Origin{
	"customer.phone":      {"settings.customer.phone", "normalised to E.164, default region RU"},
	"customer.email":      {"settings.customer.email", `"" when absent`},
	"customer.name":       {"settings.customer.name", "trimmed, inner white space collapsed"},
	"customer.first_name": {"settings.customer.name", "the first word; the second of Last First Patronymic"},
	"customer.last_name":  {"settings.customer.name", "the rest; the first of Last First Patronymic"},
}

// origins of the fields as edition 1.0 has them, and of those that only 2.0 has.
var origins = map[Stream]map[string]Origin{
	Events: {
		"id":                       {"id", "as it is"},
		"group_id":                 {"meta", "as it is"},
		"name":                     {"name", "as it is"},
		"status":                   {"status", "STAND_BY paused, PUBLIC active, CANCELED cancelled, FINISHED finished, other paused"},
		"category":                 {"category", "directory: id to name to enum; unknown: other"},
		"start_at":                 {"lifetime.start", "Unix seconds; lifetime.finish when absent"},
		"finish_at":                {"lifetime.finish", "Unix seconds; lifetime.start when absent"},
		"offset":                   {"venue, lifetime.start", "hours east of UTC of the venue's zone, else of the default zone"},
		"media":                    {"media.cover", "else media.cover_original, else media.cover_small"},
		"timezone":                 {"venue", "directory: venue to city to time zone; left out when unknown"},
		"description":              {"description", "as it is"},
		"organizer.id":             {"org", "as it is"},
		"organizer.name":           {"Partner.name", "of the partner whose id is org"},
		"organizer.legals.name":    {"legal_ru.name", "else Partner.legal.name, else the organizer's name"},
		"organizer.legals.type":    {"legal_ru.type", "LTD ru_ltd, IP ru_lp; else ru_lp by OGRNIP or a 12-digit INN, else ru_ltd"},
		"organizer.legals.inn":     {"legal_ru.inn", "else Partner.legal.inn"},
		"organizer.legals.ogrn":    {"legal_ru.ogrn or ogrnip", "else Partner.legal.ogrn or ogrnip"},
		"organizer.legals.address": {"legal_ru.address", "else Partner.legal.address"},
		"venue.id":                 {"venue", "directory"},
		"venue.name":               {"venue", "directory"},
		"venue.address":            {"venue", "directory"},
		"venue.description":        {"venue", "directory"},
		"venue.city_name":          {"venue", "directory: venue to city"},
		"venue.lat":                {"venue", "directory"},
		"venue.lon":                {"venue", "directory"},
	},
	Orders: {
		"id":                      {"id", "as it is"},
		"number":                  {"number", "decimal string"},
		"tickets[].id":            {"tickets[].id", "as it is"},
		"tickets[].event_id":      {"event", "as it is"},
		"tickets[].organizer_id":  {"org", "else the event's org"},
		"tickets[].barcode":       {"tickets[].barcode", `"" when absent`},
		"tickets[].number":        {"tickets[].number", "decimal string; 0 is left out"},
		"tickets[].series":        {"tickets[].serial", "as it is"},
		"tickets[].row":           {"tickets[].seat.row", "as it is"},
		"tickets[].seat":          {"tickets[].seat.number", "as it is"},
		"tickets[].category":      {"tickets[].set", "Event.sets[].name of that set; \"\" when unknown after the hold"},
		"tickets[].description":   {"tickets[].set", "Event.sets[].description of that set"},
		"tickets[].price_nominal": {"tickets[].nominal", "minor units, 0 included"},
		"tickets[].currency":      {"Partner.currency", "of the event's organizer, upper-cased; left out unless one of five"},
	},
	Refunds: {
		"ticket_ids[]": {"tickets[].id", "as they are"},
	},
}

// originsOf2 are the fields whose rule differs in edition 2.0.
var originsOf2 = map[Stream]map[string]Origin{
	Events: {
		"start_at":              {"lifetime.start", "Unix milliseconds; left out when absent"},
		"finish_at":             {"lifetime.finish", "Unix milliseconds; lifetime.start when absent"},
		"organizer.name":        {"Partner.name", "of the partner whose id is org; else legal_ru.name"},
		"organizer.legals.name": {"legal_ru.name", "else Partner.legal.name"},
	},
}

// withoutIndexes makes "tickets[3].id" "tickets[].id".
func withoutIndexes(path string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(path, "[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		_, path, _ = strings.Cut(rest, "]")
		b.WriteString("[]")
	}
}
