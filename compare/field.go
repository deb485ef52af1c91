package compare

import "strings"

// Stream is one of the four legacy topics, or the slim topic that goes with it.
type Stream uint8

// The streams, in the order in which they depend on each other. Partners have no slim
// topic; their rows only lend.
const (
	Partners Stream = iota
	Events
	Orders
	Refunds
	Streams // how many there are
)

var streamNames = [Streams]string{"partners", "events", "orders", "refunds"}

func (s Stream) String() string { return streamNames[s] }

// Type of a field's value.
type Type uint8

// Types.
const (
	Text Type = iota
	Integer
	Number
)

var typeNames = [...]string{"string", "integer", "number"}

func (t Type) String() string { return typeNames[t] }

// Field is one value of a stream's canonical form.
type Field struct {
	// Path in slim JSON, as in "customer.phone" and "tickets[].row"; or "header.NAME",
	// or, for a list of ids, its name.
	Path string
	Type Type
	// Required: absent is a fault. Where it is not, "" and null are.
	Required bool
	// Edition that has it: 1, 2, or 0 for both.
	Edition int
	// Borrowable: on the legacy side it may come from another entity or the directory.
	Borrowable bool
	// Personal texts are never shown.
	Personal bool
}

// Item tells whether each ticket of an order has one.
func (f Field) Item() bool { return strings.HasPrefix(f.Path, "tickets[].") }

// Header is its name when it is a record header.
func (f Field) Header() (name string, ok bool) { return strings.CutPrefix(f.Path, "header.") }

var headers = []Field{
	{Path: "header.content-type", Required: true},
	{Path: "header.schema-version", Required: true},
	{Path: "header.application-id", Required: true},
}

func customer() []Field {
	return []Field{
		{Path: "customer.email", Required: true, Personal: true},
		{Path: "customer.phone", Required: true, Personal: true},
		{Path: "customer.name", Edition: 1, Personal: true},
		{Path: "customer.first_name", Edition: 2, Personal: true},
		{Path: "customer.last_name", Edition: 2, Personal: true},
	}
}

// fields are the canonical form of each stream: the slim contract's tables, then the
// headers. The form of the tickets is apart.
var fields = func() (all [Streams][]Field) {
	all[Events] = []Field{
		{Path: "id", Required: true},
		{Path: "group_id"},
		{Path: "name", Required: true},
		{Path: "status", Required: true, Edition: 2},
		{Path: "category", Required: true, Borrowable: true},
		{Path: "start_at", Type: Integer},
		{Path: "finish_at", Type: Integer, Required: true},
		{Path: "offset", Type: Number, Required: true, Edition: 2, Borrowable: true},
		{Path: "media"},
		{Path: "timezone", Edition: 1, Borrowable: true},
		{Path: "description"},
		{Path: "organizer.id", Borrowable: true},
		{Path: "organizer.name", Borrowable: true, Personal: true},
		{Path: "organizer.legals.name", Borrowable: true, Personal: true},
		{Path: "organizer.legals.type", Borrowable: true},
		{Path: "organizer.legals.inn", Borrowable: true, Personal: true},
		{Path: "organizer.legals.ogrn", Borrowable: true, Personal: true},
		{Path: "organizer.legals.address", Borrowable: true, Personal: true},
		{Path: "venue.id", Borrowable: true},
		{Path: "venue.name", Borrowable: true},
		{Path: "venue.address", Borrowable: true},
		{Path: "venue.description", Borrowable: true},
		{Path: "venue.zipcode", Borrowable: true},
		{Path: "venue.city_name", Borrowable: true},
		{Path: "venue.lat", Type: Number, Borrowable: true},
		{Path: "venue.lon", Type: Number, Borrowable: true},
	}
	all[Orders] = append([]Field{
		{Path: "id", Required: true},
		{Path: "number", Required: true, Edition: 2},
		{Path: "tickets", Required: true}, // the ids, in their order, separated by a space; those in them are %20
	}, customer()...)
	all[Refunds] = customer()
	for i := range all[Refunds] {
		all[Refunds][i].Borrowable = true
	}
	all[Refunds] = append(all[Refunds], Field{Path: "ticket_ids", Required: true}) // likewise
	for s := Events; s < Streams; s++ {
		all[s] = append(all[s], headers...)
	}
	return all
}()

// itemFields are the canonical form of an order's ticket.
var itemFields = []Field{
	{Path: "tickets[].event_id", Required: true},
	{Path: "tickets[].organizer_id", Required: true, Edition: 1, Borrowable: true},
	{Path: "tickets[].barcode", Required: true, Personal: true},
	{Path: "tickets[].number"},
	{Path: "tickets[].series"},
	{Path: "tickets[].row"},
	{Path: "tickets[].seat"},
	{Path: "tickets[].category", Required: true, Borrowable: true},
	{Path: "tickets[].description", Borrowable: true},
	{Path: "tickets[].price_nominal", Type: Integer},
	{Path: "tickets[].currency", Borrowable: true},
}

// Fields are those of a stream's value and headers. A Sheet has a cell for each.
func Fields(s Stream) []Field { return fields[s] }

// ItemFields are those of each ticket of an order.
func ItemFields() []Field { return itemFields }

// indexOf finds a field that exists; anything else is a slip of this package.
func indexOf(list []Field, path string) int {
	for i, f := range list {
		if f.Path == path {
			return i
		}
	}
	panic("compare: no field " + path)
}
