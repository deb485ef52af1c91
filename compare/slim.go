package compare

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// NoKey is the ID of all records without a key: an entity that no other side has.
const NoKey = "(no key)"

// SlimOptions say what the slim topics of a side hold.
type SlimOptions struct {
	Form    Form
	Edition int    // 1 or 2
	Format  string // "json" or "protobuf"
	// ApplicationID is the header's value that the side should have.
	ApplicationID string
	// NormaliseHeaders: a header that is what its side should have reads "ok", so that
	// sides of different encodings can be equal. Else cells have what headers say.
	NormaliseHeaders bool
	// DefaultZone is that of events without one. Only a side of edition 1 whose form is
	// of both editions needs it.
	DefaultZone *time.Location
}

func (o SlimOptions) validate() error {
	switch {
	case o.Edition != 1 && o.Edition != 2:
		return fmt.Errorf("edition %d: use 1 or 2", o.Edition)
	case o.Format != "json" && o.Format != "protobuf":
		return fmt.Errorf(`format %q: use "json" or "protobuf"`, o.Format)
	case o.Format == "protobuf" && o.Edition != 1:
		return errors.New("protobuf is defined for edition 1.0 only")
	case o.Form.Edition != 0 && o.Form.Edition != o.Edition:
		return fmt.Errorf("a form of edition %d cannot take records of edition %d", o.Form.Edition, o.Edition)
	case o.Format == "protobuf" && !o.Form.Protobuf:
		return errors.New("the form of a Protobuf side must not tell a coordinate of 0 from none")
	case o.Form.Edition == 0 && o.Edition == 1 && o.DefaultZone == nil:
		return errors.New("offsets of edition 1.0 need a default zone")
	}
	return nil
}

// SlimReader reads slim records. It may be used by several goroutines at once.
//
// What is read, where the contract leaves room:
//
//   - Faults are judged by the side's own edition and format, also in fields that the
//     form does not have. Words outside a vocabulary are values, not faults: the other
//     side has another one.
//   - A JSON field that occurs twice is a fault WrongType, and its last value counts. Of
//     an object, or of the list of tickets, the fault is in its first field.
//   - An object that is none, or null, is a fault in its first field; its cells are "".
//   - An integer with a fraction, an exponent or beyond 64 bits is a fault WrongType,
//     as is a number beyond a float64.
//   - An empty list of ids is Missing, as is an empty id in it.
//   - The faults of a ticket without an id are in the field "tickets".
//   - Protobuf cannot tell "" from absent. Missing are only the required fields that the
//     mapping contract never leaves empty. Event.organizer_id, Order.event_id and
//     Order.organizer_id that are not those of the organizer or a ticket are faults
//     WrongType of the latter.
//   - A required word that Protobuf does not have reads as the number of its enum.
//   - In the form of both editions, an event of edition 2.0 without a start starts when
//     it finishes, as in 1.0.
type SlimReader struct {
	opt     SlimOptions
	schemas [Streams]*slimSchema
	zones   zoneCache
}

// NewSlimReader checks the options.
func NewSlimReader(o SlimOptions) (*SlimReader, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("slim side: %w", err)
	}
	r := &SlimReader{opt: o}
	for s := Events; s < Streams; s++ {
		r.schemas[s] = newSlimSchema(s, o)
	}
	return r, nil
}

// Read makes a sheet of a record of events, orders or refunds.
func (r *SlimReader) Read(s Stream, rec *Record, into *Sheet) {
	into.Reset(s)
	into.ID = keyText(rec.Key)
	for i := range rec.Headers {
		if rec.Headers[i].Key == "bridge-source" {
			into.Cause = headerText(rec.Headers[i].Value)
		}
	}
	if len(rec.Value) == 0 {
		into.Outcome = Tombstone
		return
	}
	schema := r.schemas[s]
	readable := false
	if r.opt.Format == "protobuf" {
		readable = readSlimProtobuf(s, rec.Value, into)
	} else {
		readable = readSlimJSON(schema, rec.Value, into)
	}
	if !readable {
		id, cause := into.ID, into.Cause
		into.Reset(s)
		into.ID, into.Cause = id, cause
		into.Faults = append(into.Faults, Fault{Field: len(fields[s]), Kind: Unreadable})
		return
	}
	r.toForm(schema, into)
	schema.readHeaders(rec.Headers, into)
}

func keyText(key []byte) string {
	if len(key) == 0 {
		return NoKey
	}
	return headerText(key)
}

// headerText mends what is not UTF-8, which rows cannot hold.
func headerText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// slimSchema is what a stream's records look like on one side, and where it goes.
type slimSchema struct {
	stream  Stream
	root    slimNode
	headers []slimHeader
	// What the form does not have: indexes of Fields and ItemFields.
	drop, dropItem []int

	start, finish, offset, category, zone, lat, lon, name, firstName, lastName int // of Fields; -1
	organizerName, legalName, legalAddress                                     int // likewise; those of legals lie beside each other
}

type slimHeader struct {
	name  string
	field int
	want  string // what the side should have
	exact bool   // whether a cell has what the header says, not whether it is as it should be
}

func newSlimSchema(s Stream, o SlimOptions) *slimSchema {
	schema := &slimSchema{stream: s, root: newSlimTree(s, o.Edition)}
	wants := map[string]string{
		"content-type":   map[string]string{"json": "application/json", "protobuf": "application/x-protobuf"}[o.Format],
		"schema-version": map[int]string{1: "1.0", 2: "2.0"}[o.Edition],
		"application-id": o.ApplicationID,
	}
	for i, f := range fields[s] {
		if name, ok := f.Header(); ok {
			schema.headers = append(schema.headers, slimHeader{name, i, wants[name], !o.NormaliseHeaders})
		}
	}
	schema.drop = lacking(fields[s], o.Form)
	if s == Orders {
		schema.dropItem = lacking(itemFields, o.Form)
	}
	for path, index := range map[string]*int{
		"start_at": &schema.start, "finish_at": &schema.finish, "offset": &schema.offset, "category": &schema.category,
		"organizer.name": &schema.organizerName, "organizer.legals.name": &schema.legalName, "organizer.legals.address": &schema.legalAddress,
		"timezone": &schema.zone, "venue.lat": &schema.lat, "venue.lon": &schema.lon,
		"customer.name": &schema.name, "customer.first_name": &schema.firstName, "customer.last_name": &schema.lastName,
	} {
		*index = -1
		for i, f := range fields[s] {
			if f.Path == path {
				*index = i
			}
		}
	}
	return schema
}

func lacking(list []Field, form Form) (indexes []int) {
	for i, f := range list {
		if !form.Has(f) {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

func (schema *slimSchema) readHeaders(headers []Header, into *Sheet) {
	for i := range schema.headers {
		h, n := &schema.headers[i], 0
		for j := range headers {
			if headers[j].Key == h.name {
				n++
				into.Cells[h.field].Text = h.text(headers[j].Value)
			}
		}
		switch {
		case n == 0:
			into.Faults = append(into.Faults, Fault{Field: h.field, Kind: Missing})
		case n > 1:
			into.Faults = append(into.Faults, Fault{Field: h.field, Kind: WrongType})
		}
	}
}

const headerOK = "ok"

func (h *slimHeader) text(value []byte) string {
	switch {
	case string(value) == h.want && h.exact:
		return h.want
	case string(value) == h.want:
		return headerOK
	case string(value) == headerOK && !h.exact:
		return headerOK + ", which is another value"
	}
	return headerText(value)
}
