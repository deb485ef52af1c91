// Package schemacheck holds slim records against the published schemas: key, headers and value.
//
// It serves tests, and programs that check runs of the bridge. What belongs here: whether one record is as its schema says. What
// does not: where records come from and what they say (package verify), and the schemas (package schemas).
package schemacheck

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/schemas"
	"github.com/ticketscloud/vibe-bridge/slim"
	"github.com/ticketscloud/vibe-bridge/slim/vibev1"
)

// Stream is a slim stream by the name that its schemas have.
type Stream string

const (
	Events  Stream = "event"
	Orders  Stream = "order"
	Refunds Stream = "refund"
)

// StreamOf tells which stream a topic has that is called events, orders or refunds, with or without a prefix and a suffix; ""
// for other names. The last such word counts.
func StreamOf(topic string) Stream {
	words := strings.FieldsFunc(topic, func(r rune) bool { return r < 'a' || r > 'z' })
	for _, word := range slices.Backward(words) {
		switch s := Stream(strings.TrimSuffix(word, "s")); s {
		case Events, Orders, Refunds:
			if word != string(s) {
				return s
			}
		}
	}
	return ""
}

// IsSlim tells whether the headers are those of a slim record, right or wrong: nothing else has a schema-version.
func IsSlim(headers []slim.Header) bool {
	for _, h := range headers {
		if h.Key == slim.HeaderSchemaVersion {
			return true
		}
	}
	return false
}

// CheckRecorded does for a record of a file what Check does, by its topic; records that are not slim are fine.
func CheckRecorded(r recordfile.Record) error {
	headers := make([]slim.Header, len(r.Headers))
	for i, h := range r.Headers {
		headers[i] = slim.Header{Key: h.Key, Value: h.Value}
	}
	if stream := StreamOf(r.Topic); stream != "" && IsSlim(headers) {
		return Check(stream, r.Key, r.Value, headers)
	}
	return nil
}

// Check returns an error unless the record is as the contract and the published schema of its edition and format say. What a
// published schema leaves to later versions, fields that it does not know, is an error here. Errors name places in the record
// and quote nothing of it.
func Check(stream Stream, key, value []byte, headers []slim.Header) error {
	enc, err := encodingOf(headers)
	if err != nil {
		return err
	}
	if len(key) == 0 {
		return errors.New("the key is empty")
	}
	var id string
	if enc.Format == slim.Protobuf {
		id, err = checkProtobuf(stream, enc, value)
	} else {
		id, err = checkJSON(stream, enc, value)
	}
	if err != nil {
		return fmt.Errorf("%s of edition %v in %v: %w", stream, enc.Edition, enc.Format, err)
	}
	if stream != Refunds && id != string(key) { // a refund does not say its id
		return fmt.Errorf("%s of edition %v in %v: the key is not the id", stream, enc.Edition, enc.Format)
	}
	return nil
}

var sourceForm = regexp.MustCompile(`^[a-zA-Z0-9._-]+/[0-9]+/[0-9]+$`)

// encodingOf reads the headers, of which there is each once.
func encodingOf(headers []slim.Header) (slim.Encoding, error) {
	values := map[string]string{}
	for _, h := range headers {
		if _, twice := values[h.Key]; twice {
			return slim.Encoding{}, fmt.Errorf("the header %s is there twice", h.Key)
		}
		if !utf8.Valid(h.Value) {
			return slim.Encoding{}, fmt.Errorf("the header %s is not UTF-8", h.Key)
		}
		values[h.Key] = string(h.Value)
	}
	source, traced := values[slim.HeaderBridgeSource]
	if traced && !sourceForm.MatchString(source) {
		return slim.Encoding{}, fmt.Errorf("the header %s is not topic/partition/offset", slim.HeaderBridgeSource)
	}
	if values[slim.HeaderApplicationID] == "" {
		return slim.Encoding{}, fmt.Errorf("the header %s is missing or empty", slim.HeaderApplicationID)
	}
	if known := len(values) - btoi(traced); known != 3 {
		return slim.Encoding{}, fmt.Errorf("%d headers beside %s, want 3", known, slim.HeaderBridgeSource)
	}
	for _, enc := range []slim.Encoding{
		{Edition: slim.Edition1, Format: slim.JSON}, {Edition: slim.Edition1, Format: slim.Protobuf}, {Edition: slim.Edition2, Format: slim.JSON},
	} {
		if values[slim.HeaderContentType] == enc.ContentType() && values[slim.HeaderSchemaVersion] == enc.SchemaVersion() {
			return enc, nil
		}
	}
	return slim.Encoding{}, fmt.Errorf("%s and %s are of no edition", slim.HeaderContentType, slim.HeaderSchemaVersion)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// schemaOf has the strict form of every published JSON Schema, by its name.
var schemaOf = sync.OnceValue(func() map[string]*jsonschema.Schema {
	compiled := map[string]*jsonschema.Schema{}
	for _, name := range Names() {
		s, err := compile(name, true)
		if err != nil {
			panic(err) // it is part of the program, and the tests of package schemas compile it
		}
		compiled[name] = s
	}
	return compiled
})

// Names lists the published JSON Schemas.
func Names() []string {
	names, err := fs.Glob(schemas.Files, "*/*.schema.json")
	if err != nil {
		panic(err) // the pattern is good
	}
	return names
}

// Published compiles a JSON Schema as it is published, which checks it against the metaschema that it names.
func Published(name string) (*jsonschema.Schema, error) { return compile(name, false) }

func compile(name string, strict bool) (*jsonschema.Schema, error) {
	text, err := schemas.Files.ReadFile(name)
	if err != nil {
		return nil, err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if strict {
		forbidUnknown(document)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(name, document); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return compiler.Compile(name)
}

// forbidUnknown closes every object of a schema.
func forbidUnknown(schema any) {
	switch s := schema.(type) {
	case map[string]any:
		if _, object := s["properties"].(map[string]any); object && s["type"] == "object" {
			s["additionalProperties"] = false
		}
		for _, inner := range s {
			forbidUnknown(inner)
		}
	case []any:
		for _, inner := range s {
			forbidUnknown(inner)
		}
	}
}

func checkJSON(stream Stream, enc slim.Encoding, value []byte) (id string, err error) {
	if !utf8.Valid(value) {
		return "", errors.New("is not UTF-8")
	}
	schema := schemaOf()[enc.Edition.String()+"/"+string(stream)+".schema.json"]
	if schema == nil {
		return "", errors.New("has no schema")
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err != nil {
		return "", errors.New("is not JSON, or more than one value") // the decoder may quote what it read
	}
	if err := schema.Validate(document); err != nil {
		return "", explain(err)
	}
	var record struct{ ID string }
	if err := json.Unmarshal(value, &record); err != nil {
		return "", errors.New("is not an object")
	}
	return record.ID, nil
}

// explain says where a value breaks which rules, and not what is there.
func explain(err error) error {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return err
	}
	for len(invalid.Causes) > 0 {
		invalid = invalid.Causes[0]
	}
	text := "/" + strings.Join(invalid.InstanceLocation, "/") + " breaks " + strings.Join(invalid.ErrorKind.KeywordPath(), "/")
	return errors.New(text)
}

func checkProtobuf(stream Stream, enc slim.Encoding, value []byte) (id string, err error) {
	switch stream {
	case Events:
		var m vibev1.Event
		if err := unmarshal(value, &m); err != nil {
			return "", err
		}
		e, err := slim.ParseEvent(enc, value)
		if err != nil {
			return "", err
		}
		return m.GetId(), e.Validate(enc)
	case Orders:
		var m vibev1.Order
		if err := unmarshal(value, &m); err != nil {
			return "", err
		}
		o, err := slim.ParseOrder(enc, value)
		if err != nil {
			return "", err
		}
		return m.GetId(), o.Validate(enc)
	case Refunds:
		if err := unmarshal(value, new(vibev1.Refund)); err != nil {
			return "", err
		}
		r, err := slim.ParseRefund(enc, value)
		if err != nil {
			return "", err
		}
		return "", r.Validate(enc)
	}
	return "", errors.New("has no schema")
}

// unmarshal refuses what the generated code of the published file does not know.
func unmarshal(value []byte, m proto.Message) error {
	if err := proto.Unmarshal(value, m); err != nil {
		return errors.New("is not Protobuf")
	}
	return unknown(m.ProtoReflect())
}

func unknown(m protoreflect.Message) (err error) {
	if len(m.GetUnknown()) > 0 {
		return fmt.Errorf("%s has a field that its schema does not know", m.Descriptor().FullName())
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Enum() != nil && f.Enum().Values().ByNumber(v.Enum()) == nil:
			err = fmt.Errorf("%s has a value that its schema does not know", f.FullName())
		case f.Message() != nil && f.IsList():
			for i := 0; i < v.List().Len() && err == nil; i++ {
				err = unknown(v.List().Get(i).Message())
			}
		case f.Message() != nil:
			err = unknown(v.Message())
		}
		return err == nil
	})
	return err
}
