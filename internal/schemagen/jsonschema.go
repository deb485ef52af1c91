package main

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/ticketscloud/vibe-bridge/slim"
)

// schema is a JSON Schema, with its keywords in the order in which they are written.
type schema struct {
	Schema      string            `json:"$schema,omitempty"`
	ID          string            `json:"$id,omitempty"`
	Title       string            `json:"title,omitempty"`
	Ref         string            `json:"$ref,omitempty"`
	Description string            `json:"description,omitempty"`
	Type        kind              `json:"type,omitempty"`
	Format      string            `json:"format,omitempty"`
	Enum        []string          `json:"enum,omitempty"`
	MinLength   int               `json:"minLength,omitempty"`
	Pattern     string            `json:"pattern,omitempty"`
	MinItems    int               `json:"minItems,omitempty"`
	Items       *schema           `json:"items,omitempty"`
	Required    []string          `json:"required,omitempty"`
	Properties  members           `json:"properties,omitempty"`
	Defs        members           `json:"$defs,omitempty"`
	Examples    []json.RawMessage `json:"examples,omitempty"`
}

// members are schemas by name that keep their order.
type members []member

type member struct {
	name   string
	schema *schema
}

func (m members) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, each := range m {
		if i > 0 {
			b = append(b, ',')
		}
		value, err := plainJSON(each.schema)
		if err != nil {
			return nil, err
		}
		b = append(append(append(append(b, '"'), each.name...), '"', ':'), value...)
	}
	return append(b, '}'), nil
}

// plainJSON does not escape what only HTML needs escaped.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

const arrayKind kind = "array"

// jsonSchema returns the file of a record.
func jsonSchema(o *object, edition slim.Edition) ([]byte, error) {
	s := schemaOf(o, edition)
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.ID = "https://github.com/" + strings.TrimPrefix(modulePath, "github.com/") + "/schemas/" + schemaName(o, edition)
	s.Title = o.name + " of edition " + edition.String()
	for _, inner := range o.within(edition) {
		s.Defs = append(s.Defs, member{strings.ToLower(inner.name), schemaOf(inner, edition)})
	}
	s.Examples = []json.RawMessage{example(o, edition)}
	b, err := plainJSON(s)
	if err != nil {
		return nil, err
	}
	return indented(b), nil
}

// schemaOf does not forbid further fields: new ones may come, and readers ignore what they do not know.
func schemaOf(o *object, edition slim.Edition) *schema {
	s := &schema{Description: o.doc, Type: record}
	for _, f := range o.fieldsOf(edition) {
		if f.required.has(edition) {
			s.Required = append(s.Required, f.name)
		}
		s.Properties = append(s.Properties, member{f.name, f.schema(edition)})
	}
	return s
}

func (f field) schema(edition slim.Edition) *schema {
	s := &schema{Type: f.kind}
	switch {
	case f.object != nil:
		s = &schema{Ref: "#/$defs/" + strings.ToLower(f.object.name)}
	case f.words != nil:
		s.Enum = f.words.of(edition)
	case f.pattern != "":
		s.Pattern = f.pattern
	case f.kind == text && !f.empty:
		s.MinLength = 1
	case f.kind == integer:
		s.Format = "int64"
	}
	if f.list {
		s = &schema{Type: arrayKind, MinItems: 1, Items: s}
	}
	s.Description = f.doc
	return s
}
