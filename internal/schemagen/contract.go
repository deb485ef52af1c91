package main

import "github.com/ticketscloud/vibe-bridge/slim"

// The slim contract as data, from which the schemas and types are made. Objects and fields are in the order of its tables.
// The tests of package schemas hold the result against the encoders of package slim.

// editions is a set of editions.
type editions uint8

const (
	only1 editions = 1 << iota
	only2
	none editions = 0
	both          = only1 | only2
)

func (e editions) has(edition slim.Edition) bool { return e&(1<<(edition-1)) != 0 }

type kind string

const (
	text    kind = "string"
	integer kind = "integer"
	number  kind = "number"
	record  kind = "object" // of field.object
)

type object struct {
	name   string // in Go, TypeScript and, lower case, in $defs
	doc    string
	fields []field
}

type field struct {
	name         string
	kind         kind
	list         bool // of the kind, with one element at least
	in, required editions
	// empty says that a text may be "": it is required, and its source may lack it. All others have one character at least.
	empty   bool
	words   *vocabulary // closed
	pattern string
	object  *object
	doc     string
	doc2    string // in edition 2.0, where it is another
}

// vocabulary is a closed set of words.
type vocabulary struct {
	name string // in TypeScript
	of   func(slim.Edition) []string
}

var (
	categories = &vocabulary{"Category", slim.Edition.Categories}
	statuses   = words("Status", slim.StatusActive, slim.StatusPaused, slim.StatusFinished, slim.StatusCancelled)
	legalTypes = words("LegalType", slim.LegalTypeSoleTrader, slim.LegalTypeLimitedCompany, slim.LegalTypeForeignCompany)
	currencies = words("Currency", "USD", "EUR", "RUB", "GBP", "CNY")
)

func words(name string, list ...string) *vocabulary {
	return &vocabulary{name, func(slim.Edition) []string { return list }}
}

// e164 is a plus sign and digits, without an upper bound: there are numbers longer than 15 digits.
const e164 = `^\+[1-9][0-9]+$`

// records are the values of the three topics.
var records = []*object{event, order, refund}

var event = &object{
	name: "Event",
	doc:  "The value of a record of the events topic. Its key is id. An upsert: the newest record of a key is the truth.",
	fields: []field{
		{name: "id", kind: text, in: both, required: both, doc: "Id of the event, and the key of the record."},
		{name: "group_id", kind: text, in: both, doc: "Id of the group of events that this one belongs to."},
		{name: "name", kind: text, in: both, required: both, doc: "Title."},
		{name: "status", kind: text, in: only2, required: only2, words: statuses, doc: "Whether tickets are on sale."},
		{name: "category", kind: text, in: both, required: both, words: categories,
			doc: `Kind of event. "develpoment" is spelled so in edition 1.0.`, doc2: "Kind of event."},
		{name: "start_at", kind: integer, in: both, required: only1, doc: "Begin, in Unix seconds.", doc2: "Begin, in Unix milliseconds. Left out when it is not known."},
		{name: "finish_at", kind: integer, in: both, required: both, doc: "End, in Unix seconds.", doc2: "End, in Unix milliseconds."},
		{name: "offset", kind: number, in: only2, required: only2, doc: "Local time at the venue: hours east of UTC at the begin, fractions allowed."},
		{name: "media", kind: text, in: both, doc: "URL of an image."},
		{name: "timezone", kind: text, in: only1, doc: "Time zone of the venue, as an IANA name such as Europe/Moscow."},
		{name: "description", kind: text, in: both, doc: "Text for visitors; may be long."},
		{name: "organizer", kind: record, in: both, required: only2, object: organizer, doc: "Who holds the event."},
		{name: "venue", kind: record, in: both, object: venue, doc: "Where it takes place."},
	},
}

var organizer = &object{
	name: "Organizer",
	doc:  "Who holds an event.",
	fields: []field{
		{name: "id", kind: text, in: both, required: both, doc: "Id of the organizer."},
		{name: "name", kind: text, in: both, required: both, doc: "Name for visitors."},
		{name: "legals", kind: record, in: both, object: legals, doc: "The organizer as a legal entity."},
	},
}

var legals = &object{
	name: "Legals",
	doc:  "An organizer as a legal entity.",
	fields: []field{
		{name: "name", kind: text, in: both, required: only1, doc: "Registered name."},
		{name: "type", kind: text, in: both, required: only1, words: legalTypes, doc: "ru_lp: a Russian sole trader; ru_ltd: a Russian limited company; en_ltd: a foreign company."},
		{name: "inn", kind: text, in: both, doc: "Russian taxpayer number."},
		{name: "ogrn", kind: text, in: both, doc: "Russian registration number."},
		{name: "address", kind: text, in: both, doc: "Registered address."},
	},
}

var venue = &object{
	name: "Venue",
	doc:  "Where an event takes place.",
	fields: []field{
		{name: "id", kind: text, in: both, required: both, doc: "Id of the venue."},
		{name: "name", kind: text, in: both, required: both, doc: "Name."},
		{name: "address", kind: text, in: both, doc: "Street address."},
		{name: "description", kind: text, in: both, doc: "Text for visitors."},
		{name: "zipcode", kind: text, in: both, doc: "Postal code."},
		{name: "city_name", kind: text, in: both, doc: "City."},
		{name: "lat", kind: number, in: both, doc: "Latitude in degrees."},
		{name: "lon", kind: number, in: both, doc: "Longitude in degrees."},
	},
}

var order = &object{
	name: "Order",
	doc: "The value of a record of the orders topic: an order that is done. Its key is id. An upsert: the newest record of a key is the truth. " +
		"The record of its event is in the events topic before it.",
	fields: []field{
		{name: "id", kind: text, in: both, required: both, doc: "Id of the order, and the key of the record."},
		{name: "number", kind: text, in: only2, required: only2, doc: "Number of the order for people."},
		{name: "customer", kind: record, in: both, required: both, object: customer, doc: "Who bought."},
		{name: "tickets", kind: record, list: true, in: both, required: both, object: ticket, doc: "What was bought."},
	},
}

var customer = &object{
	name: "Customer",
	doc:  "Who bought. Personal data.",
	fields: []field{
		{name: "email", kind: text, in: both, required: both, empty: true, doc: "E-mail address; empty when there is none."},
		{name: "phone", kind: text, in: both, required: both, pattern: e164, doc: "Telephone number in E.164."},
		{name: "name", kind: text, in: only1, doc: "Name, as it was entered."},
		{name: "first_name", kind: text, in: only2, doc: "First name."},
		{name: "last_name", kind: text, in: only2, doc: "Last name."},
	},
}

var ticket = &object{
	name: "Ticket",
	doc:  "One ticket of an order.",
	fields: []field{
		{name: "id", kind: text, in: both, required: both, doc: "Id of the ticket."},
		{name: "event_id", kind: text, in: both, required: both, doc: "Id of the event."},
		{name: "organizer_id", kind: text, in: only1, required: only1, empty: true, doc: "Id of the organizer; empty when it is not known."},
		{name: "barcode", kind: text, in: both, required: both, empty: true, doc: "What the ticket shows at the door; empty when there is none."},
		{name: "number", kind: text, in: both, doc: "Number of the ticket."},
		{name: "series", kind: text, in: both, doc: "Series of the ticket."},
		{name: "row", kind: text, in: both, doc: "Row of the seat."},
		{name: "seat", kind: text, in: both, doc: "Seat in the row."},
		{name: "category", kind: text, in: both, required: both, empty: true, doc: "Name of the group of seats; empty when it is not known."},
		{name: "description", kind: text, in: both, doc: "Text about the group of seats."},
		{name: "price_nominal", kind: integer, in: both, doc: "Price without discounts and fees, in minor units of the currency."},
		{name: "currency", kind: text, in: both, words: currencies, doc: "Currency of the price."},
	},
}

var refund = &object{
	name: "Refund",
	doc: "The value of a record of the refunds topic: a refund request that is approved. Its key is the id of the request. An upsert: the newest record " +
		"of a key is the truth. The record of its order is in the orders topic before it.",
	fields: []field{
		{name: "customer", kind: record, in: both, required: both, object: customer, doc: "The customer of the order."},
		{name: "ticket_ids", kind: text, list: true, in: both, required: both, doc: "Ids of the tickets that are given back."},
	},
}

// fieldsOf are an object's fields in an edition.
func (o *object) fieldsOf(edition slim.Edition) []field {
	var fields []field
	for _, f := range o.fields {
		if f.in.has(edition) {
			if edition == slim.Edition2 && f.doc2 != "" {
				f.doc = f.doc2
			}
			fields = append(fields, f)
		}
	}
	return fields
}

// within lists the objects inside o in an edition, each once, in the order in which they are met.
func (o *object) within(edition slim.Edition) []*object {
	var found []*object
	for _, f := range o.fieldsOf(edition) {
		if f.object != nil {
			found = append(append(found, f.object), f.object.within(edition)...)
		}
	}
	return found
}
