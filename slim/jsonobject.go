package slim

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// object is a JSON object that is read field by field. encoding/json alone
// would not do: it matches names in any case, takes the last of two equal
// names, and cannot tell an absent field from an empty one.
//
// A field that was read is gone from fields; what is left at the end is
// unknown. The first problem wins, and after it reads give zero values, so
// that callers check once, with finish.
type object struct {
	fields []field
	prefix string // of a field's path: "", "customer.", "tickets[2]."
	record *recordProblem
}

type field struct {
	name  string
	value []byte // JSON without white space around it
}

// maxFields is more than any object of the contract has. It bounds the work on
// an object that is none of the contract's.
const maxFields = 64

// recordProblem is shared by all objects of a record.
type recordProblem struct {
	name  string
	first *FieldError
}

func (p *recordProblem) report(field, problem string) {
	if p.first == nil {
		p.first = &FieldError{Record: p.name, Field: field, Problem: problem}
	}
}

// openRecord reads the object that is the value of a record. When it returns
// no error, all of b is valid JSON.
func openRecord(name string, b []byte) (*object, error) {
	if !utf8.Valid(b) {
		return nil, &FieldError{Record: name, Problem: "is not UTF-8"}
	}
	if !json.Valid(b) {
		return nil, &FieldError{Record: name, Problem: describeInvalid(b)}
	}
	o := newObject(&recordProblem{name: name}, "", skipSpace(b))
	if err := o.record.first; err != nil {
		return nil, err
	}
	return o, nil
}

// describeInvalid gives the place and not the text of the error, which quotes
// the input.
func describeInvalid(b []byte) string {
	var syntax *json.SyntaxError
	var value json.RawMessage
	if errors.As(json.Unmarshal(b, &value), &syntax) {
		return fmt.Sprintf("is not one JSON value: byte %d is out of place or the text ends there", syntax.Offset)
	}
	return "is not one JSON value"
}

func newObject(record *recordProblem, path string, value []byte) *object {
	o := &object{record: record}
	if path != "" {
		o.prefix = path + "."
	}
	fields, problem := splitObject(value)
	if problem != "" {
		record.report(path, problem)
	}
	o.fields = fields
	return o
}

// splitObject takes an object apart.
func splitObject(value []byte) (fields []field, problem string) {
	if value[0] != '{' {
		return nil, "is not an object"
	}
	fields = make([]field, 0, 16)
	for rest := skipSpace(value[1:]); rest[0] != '}'; {
		quoted, afterName := cutValue(rest)
		name, ok := readText(quoted)
		if !ok {
			return nil, "has a name that is not a string" // unreachable in valid JSON
		}
		colon := skipSpace(afterName)
		fieldValue, afterValue := cutValue(skipSpace(colon[1:]))
		if indexField(fields, name) >= 0 {
			return nil, "has the field " + fieldNameForError(name) + " twice"
		}
		if len(fields) == maxFields {
			return nil, "has more fields than any object of the contract"
		}
		fields = append(fields, field{name, fieldValue})
		rest = skipComma(afterValue)
	}
	return fields, ""
}

// splitArray takes an array apart.
func splitArray(value []byte) (elements [][]byte, problem string) {
	if value[0] != '[' {
		return nil, "is not an array"
	}
	for rest := skipSpace(value[1:]); rest[0] != ']'; {
		element, after := cutValue(rest)
		elements = append(elements, element)
		rest = skipComma(after)
	}
	return elements, ""
}

func indexField(fields []field, name string) int {
	return slices.IndexFunc(fields, func(f field) bool { return f.name == name })
}

// fieldNameForError withholds what does not look like one of the contract's
// names, lower-case letters and underscores: wrong input may have anything for
// a name, a phone number too.
func fieldNameForError(name string) string {
	const longest = 40
	if name == "" || len(name) > longest || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "(name withheld)"
	}
	return name
}

// finish ends the record and returns its first problem.
func (o *object) finish() error {
	o.end()
	if o.record.first == nil {
		return nil // not o.record.first: a nil *FieldError is no nil error
	}
	return o.record.first
}

// end reports a field that nobody has read.
func (o *object) end() {
	if len(o.fields) > 0 {
		o.report(fieldNameForError(o.fields[0].name), "is not a field of this edition")
	}
}

func (o *object) report(name, problem string) {
	o.record.report(o.prefix+name, problem)
}

func (o *object) has(name string) bool {
	return indexField(o.fields, name) >= 0
}

// take returns the value of a required field and removes it. ok is false when
// there is none, which it reports.
func (o *object) take(name string) (value []byte, ok bool) {
	i := indexField(o.fields, name)
	if i < 0 {
		o.report(name, problemMissing)
		return nil, false
	}
	value = o.fields[i].value
	o.fields = slices.Delete(o.fields, i, i+1)
	return value, true
}

func (o *object) text(name string) string {
	value, ok := o.take(name)
	if !ok {
		return ""
	}
	text, ok := readText(value)
	if !ok {
		o.report(name, "is not a string")
	}
	return text
}

func (o *object) optionalText(name string) string {
	if !o.has(name) {
		return ""
	}
	return o.text(name)
}

func (o *object) integer(name string) int64 {
	value, ok := o.take(name)
	if !ok {
		return 0
	}
	var n int64
	if !isNumber(value) || json.Unmarshal(value, &n) != nil {
		o.report(name, "is not a 64-bit integer")
	}
	return n
}

func (o *object) number(name string) float64 {
	value, ok := o.take(name)
	if !ok {
		return 0
	}
	var n float64
	if !isNumber(value) || json.Unmarshal(value, &n) != nil {
		o.report(name, "is not a number")
	}
	return n
}

func (o *object) optionalNumber(name string) *float64 {
	if !o.has(name) {
		return nil
	}
	n := o.number(name)
	return &n
}

// child returns the object in a required field.
func (o *object) child(name string) *object {
	value, ok := o.take(name)
	if !ok {
		return &object{prefix: o.prefix + name + ".", record: o.record}
	}
	return newObject(o.record, o.prefix+name, value)
}

// children returns the objects in a required array.
func (o *object) children(name string) []*object {
	var children []*object
	for i, value := range o.array(name) {
		children = append(children, newObject(o.record, fmt.Sprintf("%s%s[%d]", o.prefix, name, i), value))
	}
	return children
}

// texts returns the strings in a required array.
func (o *object) texts(name string) []string {
	var texts []string
	for i, value := range o.array(name) {
		text, ok := readText(value)
		if !ok {
			o.report(fmt.Sprintf("%s[%d]", name, i), "is not a string")
		}
		texts = append(texts, text)
	}
	return texts
}

func (o *object) array(name string) [][]byte {
	value, ok := o.take(name)
	if !ok {
		return nil
	}
	elements, problem := splitArray(value)
	if problem != "" {
		o.report(name, problem)
	}
	return elements
}
