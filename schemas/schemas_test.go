package schemas_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ticketscloud/vibe-bridge/internal/schemacheck"
	"github.com/ticketscloud/vibe-bridge/schemas"
	"github.com/ticketscloud/vibe-bridge/slim"
)

var (
	editions = []slim.Edition{slim.Edition1, slim.Edition2}
	streams  = []schemacheck.Stream{schemacheck.Events, schemacheck.Orders, schemacheck.Refunds}
)

// requireReaders, set to 1, makes a test fail where it would be skipped for want of a reader's tools.
const requireReaders = "VIBE_BRIDGE_REQUIRE_READERS"

func TestSchemasAreOfTheirMetaschema(t *testing.T) {
	names := schemacheck.Names()
	if len(names) != len(editions)*len(streams) {
		t.Fatalf("there are %q", names)
	}
	for _, name := range names {
		if _, err := schemacheck.Published(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		document := decoded(t, published(t, name)).(map[string]any)
		if document["$schema"] != "https://json-schema.org/draft/2020-12/schema" || !strings.HasSuffix(document["$id"].(string), "/schemas/"+name) {
			t.Errorf("%s calls itself %v of %v", name, document["$id"], document["$schema"])
		}
	}
}

// Examples are complete and in the order of the contract: what is true of them is true of every field.
func TestExamples(t *testing.T) {
	for _, edition := range editions {
		for _, stream := range streams {
			name := fmt.Sprintf("%v/%s", edition, stream)
			example := published(t, name+".example.json")
			schema := decoded(t, published(t, name+".schema.json")).(map[string]any)
			if !equal(t, schema["examples"], []any{decoded(t, example)}) {
				t.Errorf("%s: the example in the schema is not that of the file", name)
			}
			if _, err := parse(stream, edition, example); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if err := check(stream, edition, example); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			want := keysOfSchema(t, published(t, name+".schema.json"))
			if got := keysOf(t, example); !slices.Equal(got, want) {
				t.Errorf("%s: the example has\n%q, the schema\n%q", name, got, want)
			}
		}
	}
}

// Whatever is done to a field of an example, the published schema and the strict reader of package slim agree on whether it is
// a record.
func TestSchemasAndReadersAgree(t *testing.T) {
	for _, edition := range editions {
		for _, stream := range streams {
			t.Run(fmt.Sprint(edition, " ", stream), func(t *testing.T) {
				example := published(t, fmt.Sprintf("%v/%s.example.json", edition, stream))
				valid, refused := 0, 0
				for _, at := range places(decoded(t, example), nil) {
					for i, value := range append(replacements(), remove) {
						changed, err := json.Marshal(with(decoded(t, example), at, value))
						if err != nil {
							t.Fatal(err)
						}
						_, reader := parse(stream, edition, changed)
						schema := check(stream, edition, changed)
						if (reader == nil) != (schema == nil) {
							t.Fatalf("%v, change %d: %s\nthe reader says %v\nthe schema says %v", at, i, changed, reader, schema)
						}
						if schema == nil {
							valid++
						} else {
							refused++
						}
					}
				}
				if valid < 100 || refused < 100 {
					t.Errorf("%d valid, %d refused: this shows nothing", valid, refused)
				}
			})
		}
	}
}

// place is a path of names and indices.
type place []any

// places lists the document itself, everything in it, and fields that its objects do not have.
func places(document any, at place) []place {
	found := []place{slices.Clone(at)}
	inner := func(step, value any) {
		found = append(found, places(value, append(slices.Clone(at), step))...)
	}
	switch d := document.(type) {
	case map[string]any:
		for name, value := range d {
			inner(name, value)
		}
		for _, name := range []string{"status", "timezone", "offset", "number", "name", "first_name", "organizer_id", "more"} {
			if _, there := d[name]; !there {
				inner(name, nil)
			}
		}
	case []any:
		for i, value := range d {
			inner(i, value)
		}
	}
	return found
}

// remove, as a value, takes the field away.
var remove = new(struct{})

// with changes the document, which is the caller's, at a place.
func with(document any, at place, value any) any {
	if len(at) == 0 {
		if value == any(remove) {
			return nil
		}
		return value
	}
	switch step := at[0].(type) {
	case string:
		d := document.(map[string]any)
		if len(at) == 1 && value == any(remove) {
			delete(d, step)
			return d
		}
		d[step] = with(d[step], at[1:], value)
	case int:
		d := document.([]any)
		if len(at) == 1 && value == any(remove) {
			return slices.Delete(d, step, step+1)
		}
		d[step] = with(d[step], at[1:], value)
	}
	return document
}

// replacements are values of every type, and words of the vocabularies of both editions. An empty text is not among them: the
// readers take one for absent, and the schemas, which describe what is written, refuse it.
func replacements() []any {
	all := []any{nil, true, json.Number("0"), json.Number("-3"), json.Number("5.5"), json.Number("1798736400000"), "x", "+79000000002", "89000000002", "+0",
		[]any{}, []any{"x"}, []any{map[string]any{}}, map[string]any{}, map[string]any{"id": "x", "name": "y"},
		"active", "paused", "finished", "cancelled", "canceled", "ru_lp", "ru_ltd", "en_ltd", "USD", "EUR", "RUB", "GBP", "CNY", "KZT"}
	for _, edition := range editions {
		for _, word := range edition.Categories() {
			all = append(all, word)
		}
	}
	return all
}

func parse(stream schemacheck.Stream, edition slim.Edition, value []byte) (any, error) {
	enc := slim.Encoding{Edition: edition, Format: slim.JSON}
	switch stream {
	case schemacheck.Events:
		e, err := slim.ParseEvent(enc, value)
		if err == nil {
			err = e.Validate(enc)
		}
		return e, err
	case schemacheck.Orders:
		o, err := slim.ParseOrder(enc, value)
		if err == nil {
			err = o.Validate(enc)
		}
		return o, err
	}
	r, err := slim.ParseRefund(enc, value)
	if err == nil {
		err = r.Validate(enc)
	}
	return r, err
}

// check holds the value against the strict schema.
func check(stream schemacheck.Stream, edition slim.Edition, value []byte) error {
	var record struct{ ID any }
	_ = json.Unmarshal(value, &record) // what is no object is found by the check
	key := []byte("key of the refund")
	if id, ok := record.ID.(string); ok {
		key = []byte(id)
	}
	return schemacheck.Check(stream, key, value, slim.Headers(slim.Encoding{Edition: edition, Format: slim.JSON}, "ticketscloud", ""))
}

func published(t *testing.T, name string) []byte {
	t.Helper()
	text, err := schemas.Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func decoded(t *testing.T, text []byte) any {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func equal(t *testing.T, a, b any) bool {
	t.Helper()
	x, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(x, y)
}

// keysOf lists the paths of all fields in the order of the text, each once.
func keysOf(t *testing.T, text []byte) []string {
	t.Helper()
	var found []string
	walk(t, json.NewDecoder(bytes.NewReader(text)), "", func(at string) {
		if !slices.Contains(found, at) {
			found = append(found, at)
		}
	})
	return found
}

// walk reads one value and reports each member of its objects before what is in it.
func walk(t *testing.T, d *json.Decoder, at string, field func(string)) {
	t.Helper()
	token, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	switch token {
	case json.Delim('{'):
		for d.More() {
			name, err := d.Token()
			if err != nil {
				t.Fatal(err)
			}
			inner := path.Join(at, name.(string))
			field(inner)
			walk(t, d, inner, field)
		}
	case json.Delim('['):
		for d.More() {
			walk(t, d, at, field)
		}
	default:
		return
	}
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
}

// keysOfSchema lists the paths of all fields that a schema has, in its order.
func keysOfSchema(t *testing.T, text []byte) []string {
	t.Helper()
	type object struct {
		Ref        string `json:"$ref"`
		Properties json.RawMessage
		Items      json.RawMessage
		Defs       map[string]json.RawMessage `json:"$defs"`
	}
	var root object
	unmarshal(t, text, &root)
	var found []string
	var add func(at string, schema json.RawMessage)
	add = func(at string, schema json.RawMessage) {
		var s object
		unmarshal(t, schema, &s)
		if s.Ref != "" {
			add(at, root.Defs[strings.TrimPrefix(s.Ref, "#/$defs/")])
		}
		if s.Items != nil {
			add(at, s.Items)
		}
		if s.Properties == nil {
			return
		}
		var properties map[string]json.RawMessage
		unmarshal(t, s.Properties, &properties)
		for _, name := range keysOf(t, s.Properties) {
			if property, top := properties[name]; top && !strings.Contains(name, "/") {
				found = append(found, path.Join(at, name))
				add(path.Join(at, name), property)
			}
		}
	}
	add("", text)
	return found
}

func unmarshal(t *testing.T, text []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(text, v); err != nil && err != io.EOF {
		t.Fatal(err)
	}
}

// readersTool runs a tool of schemas/testdata/node, or skips the test where it is not installed.
func readersTool(t *testing.T, installed string, args ...string) (stdout string, err error) {
	t.Helper()
	if testing.Short() && os.Getenv(requireReaders) != "1" {
		t.Skip("the tests of readers' tools are not part of the short form: they run without -short, or with " + requireReaders + "=1")
	}
	_, missing := exec.LookPath("node")
	if missing == nil {
		_, missing = os.Stat("testdata/node/node_modules/" + installed)
	}
	if missing != nil {
		if os.Getenv(requireReaders) == "1" {
			t.Fatalf("the tests of readers' tools are required: %v (.ci/readers installs what they need)", missing)
		}
		t.Skipf("the tests of readers' tools are skipped: %v (.ci/readers installs what they need)", missing)
	}
	// go test remembers a result until a file changes that it has seen this process open.
	for _, f := range []string{"testdata/node/package-lock.json", "testdata/node/asyncapi.mjs"} {
		if _, err := os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "node", args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%w: %s%s", err, &out, &errs)
	}
	return out.String(), nil
}
