package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// field is a row of a table in the slim contract.
type field struct {
	name     string
	kind     kind
	required bool
	fields   []field // of an object, or of the objects of a list
}

type kind int

const (
	isText kind = iota
	isInteger
	isNumber
	isObject
	isObjects // a list of objects
	isTexts   // a list of strings
)

func req(name string, k kind, fields ...field) field { return field{name, k, true, fields} }
func opt(name string, k kind, fields ...field) field { return field{name, k, false, fields} }

var venueField = opt("venue", isObject, req("id", isText), req("name", isText), opt("address", isText), opt("description", isText),
	opt("zipcode", isText), opt("city_name", isText), opt("lat", isNumber), opt("lon", isNumber))

func eventFields(v2 bool) []field {
	if v2 {
		return eventFields2
	}
	return eventFields1
}

var eventFields1 = []field{
	req("id", isText), opt("group_id", isText), req("name", isText), req("category", isText), req("start_at", isInteger), req("finish_at", isInteger),
	opt("media", isText), opt("timezone", isText), opt("description", isText),
	opt("organizer", isObject, req("id", isText), req("name", isText),
		opt("legals", isObject, req("name", isText), req("type", isText), opt("inn", isText), opt("ogrn", isText), opt("address", isText))),
	venueField,
}

var eventFields2 = []field{
	req("id", isText), opt("group_id", isText), req("name", isText), req("status", isText), req("category", isText),
	opt("start_at", isInteger), req("finish_at", isInteger), req("offset", isNumber), opt("media", isText), opt("description", isText),
	req("organizer", isObject, req("id", isText), req("name", isText),
		opt("legals", isObject, opt("name", isText), opt("type", isText), opt("inn", isText), opt("ogrn", isText), opt("address", isText))),
	venueField,
}

func customerField(v2 bool) field {
	if v2 {
		return req("customer", isObject, req("email", isText), req("phone", isText), opt("first_name", isText), opt("last_name", isText))
	}
	return req("customer", isObject, req("email", isText), req("phone", isText), opt("name", isText))
}

func orderFields(v2 bool) []field {
	tickets := []field{req("id", isText), req("event_id", isText)}
	if !v2 {
		tickets = append(tickets, req("organizer_id", isText))
	}
	tickets = append(tickets, req("barcode", isText), opt("number", isText), opt("series", isText), opt("row", isText), opt("seat", isText),
		req("category", isText), opt("description", isText), opt("price_nominal", isInteger), opt("currency", isText))
	fields := []field{req("id", isText)}
	if v2 {
		fields = append(fields, req("number", isText))
	}
	return append(fields, customerField(v2), req("tickets", isObjects, tickets...))
}

func refundFields(v2 bool) []field {
	return []field{customerField(v2), req("ticket_ids", isTexts)}
}

// walkJSON checks a value field by field against the contract's JSON rules.
func walkJSON(b []byte, fields []field) string {
	if !utf8.Valid(b) {
		return "not UTF-8"
	}
	w := &walker{d: json.NewDecoder(bytes.NewReader(b))}
	w.d.UseNumber()
	if token, err := w.d.Token(); err != nil || token != json.Delim('{') {
		return "not a JSON object"
	}
	if fault := w.object("", fields); fault != "" {
		return fault
	}
	if _, err := w.d.Token(); !errors.Is(err, io.EOF) {
		return "not one JSON value"
	}
	if escapesHTML(b) {
		return "HTML escaping"
	}
	return ""
}

type walker struct{ d *json.Decoder }

// object reads on behind the opening brace, to the closing one.
func (w *walker) object(path string, fields []field) string {
	next := 0 // fields before it have been passed
	for w.d.More() {
		token, err := w.d.Token()
		name, isName := token.(string)
		if err != nil || !isName {
			return "not JSON"
		}
		at := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		switch {
		case at < 0:
			return join(path, "") + "a field that the contract does not have"
		case at < next:
			return join(path, name) + ": twice, or not in its place"
		}
		if missing := firstRequired(fields[next:at]); missing != "" {
			return join(path, missing) + ": missing, or not in its place"
		}
		if fault := w.value(join(path, name), fields[at]); fault != "" {
			return fault
		}
		next = at + 1
	}
	if _, err := w.d.Token(); err != nil {
		return "not JSON"
	}
	if missing := firstRequired(fields[next:]); missing != "" {
		return join(path, missing) + ": missing"
	}
	return ""
}

func firstRequired(fields []field) string {
	for _, f := range fields {
		if f.required {
			return f.name
		}
	}
	return ""
}

func join(path, name string) string {
	switch {
	case path == "":
		return name
	case name == "":
		return path + ": "
	}
	return path + "." + name
}

func (w *walker) value(path string, f field) string {
	token, err := w.d.Token()
	if err != nil {
		return "not JSON"
	}
	switch f.kind {
	case isText:
		text, ok := token.(string)
		switch {
		case !ok:
			return path + ": not a string"
		case text == "" && !f.required:
			return path + ": empty, must be left out"
		}
	case isInteger, isNumber:
		n, ok := token.(json.Number)
		if !ok || f.kind == isInteger && strings.ContainsAny(n.String(), ".eE") {
			return path + ": not a number of its type"
		}
	case isObject:
		if token != json.Delim('{') {
			return path + ": not an object"
		}
		return w.object(path, f.fields)
	default:
		if token != json.Delim('[') {
			return path + ": not a list"
		}
		return w.list(path, f)
	}
	return ""
}

func (w *walker) list(path string, f field) string {
	for w.d.More() {
		item := field{name: f.name, kind: isText, required: true}
		if f.kind == isObjects {
			item = field{name: f.name, kind: isObject, required: true, fields: f.fields}
		}
		if fault := w.value(path, item); fault != "" {
			return fault
		}
	}
	if _, err := w.d.Token(); err != nil {
		return "not JSON"
	}
	return ""
}
