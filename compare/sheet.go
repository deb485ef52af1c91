package compare

// Record is a Kafka record.
type Record struct {
	Place
	Key, Value []byte
	Headers    []Header
}

// Header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Place is where a record is.
type Place struct {
	Partition  int32
	Offset     int64
	Time       int64 // Unix milliseconds
	AppendTime bool  // Time is the broker's, not the producer's
}

// Outcome says what a record is by itself.
type Outcome uint8

// Outcomes.
const (
	Present     Outcome = iota // it says what its entity is
	Skipped                    // not for the slim topics by policy
	Quarantined                // cannot be mapped
	Tombstone                  // no value
)

// Source is where the value of a cell comes from.
type Source uint8

// Sources. All but Own are of the legacy side alone. Where what they name is not known or
// has no such value, the cell's own text counts, which may be "".
const (
	// Own: the record itself.
	Own Source = iota
	// Organizer: the record itself, as long as the event has an organizer with a name;
	// else the value is absent.
	Organizer
	// Partner: the fact of the event's partner under this field's path; absent when the
	// organizer has no name.
	Partner
	// PartnerName: the organizer's name; absent when it has none.
	PartnerName
	// EventOrg: the fact "org" of the order's event.
	EventOrg
	// Set: the fact of the order's event that SetKey names.
	Set
	// Currency: the fact "currency" of the partner of the order's event.
	Currency
	// OrderCell: the same field of the refund's order.
	OrderCell
	// Directory: what the directory says of the event's category and venue.
	Directory
)

// Cell is the value of a field. Text is the canonical one, "" for absent: texts as they
// are, integers in decimal, numbers as strconv formats them shortest.
type Cell struct {
	Text string
	From Source
}

// FaultKind is what is wrong with the type of a value.
type FaultKind uint8

// Fault kinds.
const (
	WrongType  FaultKind = iota + 1 // another JSON type than the field's
	Missing                         // a required field is absent
	Empty                           // null, or an optional field with ""
	Unknown                         // a field that the edition does not have; Path says which
	Unreadable                      // the value as a whole
)

var faultNames = [...]string{"", "wrong_type", "missing", "empty", "unknown_field", "unreadable"}

func (k FaultKind) String() string { return faultNames[k] }

// Fault is a value that is not of its field's type. Field is an index of Fields, or of
// ItemFields when Item is set; of a field that there is not, or of the value as a
// whole, it is the length of that list.
type Fault struct {
	Field int
	Item  string
	Kind  FaultKind
	Path  string // of an unknown field
}

// Fact is what other entities borrow from this one.
type Fact struct{ Key, Text string }

// SetKey is the key of the fact of an event that says what the tickets of a set take
// for a field: "tickets[].category" or "tickets[].description".
func SetKey(set, path string) string { return set + "\x00" + path }

// Item is a ticket of an order.
type Item struct {
	ID, Set string
	Cells   []Cell // for each of ItemFields
}

// Sheet is one record in canonical form. Its texts may be those of the record.
//
// Invariant: when Outcome is Present, ID is not empty and Cells has one for each of
// Fields(stream). Of another outcome, ID may be empty, and only it, Outcome and Reason
// count; and Event and Order, where the record says them.
type Sheet struct {
	Outcome Outcome
	Reason  string // a word of the mapping contract; of Skipped and Quarantined
	ID      string

	// What it refers to, where the record says so. A slim refund says none of it.
	Event, Order, Org string
	Category, Venue   string // ids in the directory, of a legacy event
	Start             int64  // of a legacy event, its finish without one; Unix seconds

	Cells  []Cell
	Items  []Item
	Facts  []Fact // partners: by the paths of events, and "currency"; events: "org" and SetKey
	Faults []Fault
	Cause  string // the header bridge-source
}

// Reset makes the sheet empty for a record of the stream, and keeps its memory.
func (s *Sheet) Reset(stream Stream) {
	cells, items, facts, faults := s.Cells[:0], s.Items[:0], s.Facts[:0], s.Faults[:0]
	*s = Sheet{Cells: cells, Items: items, Facts: facts, Faults: faults}
	for range fields[stream] {
		s.Cells = append(s.Cells, Cell{})
	}
}

// NewItem adds a ticket, and gives its cells.
func (s *Sheet) NewItem(id, set string) []Cell {
	if len(s.Items) < cap(s.Items) {
		s.Items = s.Items[:len(s.Items)+1]
	} else {
		s.Items = append(s.Items, Item{})
	}
	item := &s.Items[len(s.Items)-1]
	item.ID, item.Set = id, set
	item.Cells = item.Cells[:0]
	for range itemFields {
		item.Cells = append(item.Cells, Cell{})
	}
	return item.Cells
}

// Reader reads the records of one side. It never fails: what is wrong with a record is
// its Outcome, or a Fault.
type Reader interface {
	// Read makes a sheet of a record. The sheet's texts may alias the record's.
	Read(s Stream, r *Record, into *Sheet)
}

// Form is the canonical form in which two sides meet.
type Form struct {
	// Edition whose fields are compared: 1 or 2; 0 when the sides have different ones: then
	// the fields that both have, categories and times as edition 1.0 has them, names as
	// 2.0 divides them, and the zone as an offset.
	Edition int
	// Protobuf: one of the sides cannot tell a coordinate of 0 from none.
	Protobuf bool
}

// Has tells whether the form has the field.
func (f Form) Has(field Field) bool {
	switch {
	case field.Edition == 0 || field.Edition == f.Edition:
		return true
	case f.Edition != 0:
		return false
	}
	// Both have them: names can be divided, and a zone has an offset.
	return field.Path == "customer.first_name" || field.Path == "customer.last_name" || field.Path == "offset"
}
