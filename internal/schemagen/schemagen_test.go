package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const repository = "../.."

func TestPublishedFilesAreCurrent(t *testing.T) {
	expect(t, repository, []string{"-check"}, 0, "", "")
}

func TestRun(t *testing.T) {
	repo := newRepository(t)
	proto, schema := filepath.Join(repo, protoSource), filepath.Join(repo, folder, "1.0", "order.schema.json")
	source := readFile(t, proto)

	expect(t, repo, nil, 1, "", "schemas/1.0/vibe.proto: is missing: restore it, or give -new")
	expect(t, repo, []string{"-check"}, 1, "schemas/1.0/vibe.proto\n", "schemas/2.0/refund.schema.json: is missing")
	expect(t, repo, []string{"-new"}, 0, "wrote schemas/1.0/vibe.proto\n", "")
	expect(t, repo, []string{"-check"}, 0, "", "")
	expect(t, repo, nil, 0, "", "")

	// An addition is written and is protected from then on.
	writeFile(t, proto, strings.Replace(source, "Organizer organizer = 12;", "Organizer organizer = 12;\n  string poster = 13;", 1))
	expect(t, repo, []string{"-check"}, 1, "schemas/1.0/vibe.proto\n", "1 published files differ")
	expect(t, repo, nil, 0, "wrote schemas/1.0/vibe.proto\n", "")
	writeFile(t, proto, source)
	expect(t, repo, nil, 1, "", "vibe.v1.Event.poster is gone")
	expect(t, repo, []string{"-check"}, 1, "schemas/1.0/vibe.proto\n", "vibe.v1.Event.poster is gone")
	if !strings.Contains(readFile(t, filepath.Join(repo, folder, "1.0", "vibe.proto")), "poster") {
		t.Error("a breaking change was written")
	}
	writeFile(t, filepath.Join(repo, folder, "1.0", "vibe.proto"), source)

	// What a record promises no more. The contract is in the program, so the published file is what differs here.
	published := readFile(t, schema)
	writeFile(t, schema, strings.Replace(published, `"barcode",`, `"barcode", "row",`, 1))
	expect(t, repo, nil, 1, "", "schemas/1.0/order.schema.json: tickets[] does not require row any more")
	writeFile(t, schema, published)

	// Types and examples are no baseline.
	if err := os.Remove(filepath.Join(repo, folder, "2.0", "slim.ts")); err != nil {
		t.Fatal(err)
	}
	expect(t, repo, nil, 0, "wrote schemas/2.0/slim.ts\n", "")

	writeFile(t, proto, "syntax = \"proto3\";\nmessage Event { nothing name = 1; }\n")
	expect(t, repo, nil, 1, "", "vibe.proto as it is now: ")
	expect(t, t.TempDir(), nil, 1, "", "run it from the root of the repository")
	expect(t, repo, []string{"x"}, 2, "", `unexpected argument "x"`)
	expect(t, repo, []string{"-chek"}, 2, "", "-chek")
}

func TestBreakingChangesOfProtobuf(t *testing.T) {
	source := readFile(t, filepath.Join(repository, protoSource))
	tests := []struct {
		name     string
		old, new string
		want     []string
	}{
		{"comment", "// Unix seconds.", "// Seconds.", nil},
		{"field added", "string group_id = 11;", "string group_id = 11;\n  string more = 13;", nil},
		{"value added", "OTHER = 17;", "OTHER = 17;\n    CIRCUS = 18;", nil},
		{"message added", "// Refund is", "message More { string id = 1; }\n// Refund is", nil},
		{"field removed", "string group_id = 11;", "", []string{"vibe.v1.Event.group_id is gone"}},
		{"field removed and reserved", "string group_id = 11;", "reserved 11;", []string{"vibe.v1.Event.group_id is gone"}},
		{"number", "string media = 7;", "string media = 13;", []string{`vibe.v1.Event.media is field 13, optional string, "media" in JSON, and was field 7, optional string, "media" in JSON`}},
		{"numbers exchanged", "string row = 5;\n  string seat = 6;", "string row = 6;\n  string seat = 5;", []string{
			`vibe.v1.Ticket.row is field 6, optional string, "row" in JSON, and was field 5, optional string, "row" in JSON`,
			`vibe.v1.Ticket.seat is field 5, optional string, "seat" in JSON, and was field 6, optional string, "seat" in JSON`}},
		{"name", "string media = 7;", "string picture = 7;", []string{"vibe.v1.Event.media is gone"}},
		{"type", "int64 start_at = 4;", "sint64 start_at = 4;", []string{`vibe.v1.Event.start_at is field 4, optional sint64, "startAt" in JSON, and was field 4, optional int64, "startAt" in JSON`}},
		{"type of message", "Venue venue = 10;", "Organizer venue = 10;", []string{`vibe.v1.Event.venue is field 10, optional message vibe.v1.Organizer, "venue" in JSON, and was field 10, optional message vibe.v1.Event.Venue, "venue" in JSON`}},
		{"label", "string ticket_ids = 2;", "", []string{"vibe.v1.Refund.ticket_ids is gone"}},
		{"repeated", "repeated string ticket_ids", "string ticket_ids", []string{`vibe.v1.Refund.ticket_ids is field 2, optional string, "ticketIds" in JSON, and was field 2, repeated string, "ticketIds" in JSON`}},
		{"presence", "string media = 7;", "optional string media = 7;", []string{`vibe.v1.Event.media is field 7, optional string, "media" in JSON, in _media, and was field 7, optional string, "media" in JSON`}},
		{"name in JSON", "string media = 7;", "string media = 7 [json_name = \"m\"];", []string{`vibe.v1.Event.media is field 7, optional string, "m" in JSON, and was field 7, optional string, "media" in JSON`}},
		{"value removed", "    CNY = 5;\n", "", []string{"vibe.v1.Ticket.Currency.CNY is gone"}},
		{"value renumbered", "CNY = 5;", "CNY = 6;", []string{"vibe.v1.Ticket.Currency.CNY is value 6, and was value 5"}},
		{"value renamed", "CNY = 5;", "RMB = 5;", []string{"vibe.v1.Ticket.Currency.CNY is gone"}},
		{"package", "package vibe.v1;", "package vibe.v2;", nil}, // everything is gone; below
		{"syntax", `syntax = "proto3";`, `edition = "2023";`, []string{"the syntax is editions, not proto3 any more"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			edited := strings.Replace(source, tt.old, tt.new, 1)
			if tt.name == "label" { // the line has more before it
				edited = strings.Replace(source, "repeated "+tt.old, tt.new, 1)
			}
			if edited == source {
				t.Fatalf("%q is not in the schema", tt.old)
			}
			got, err := breaks(t.Context(), "schemas/1.0/vibe.proto", []byte(source), []byte(edited))
			if err != nil {
				t.Fatal(err)
			}
			if tt.name == "package" {
				if len(got) < 80 || got[0] != "the package is vibe.v2, not vibe.v1 any more" {
					t.Errorf("%d breaks, the first %q", len(got), got[:1])
				}
				return
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestBreakingChangesOfJSON(t *testing.T) {
	name := "schemas/1.0/order.schema.json"
	source := readFile(t, filepath.Join(repository, name))
	tests := []struct {
		name     string
		old, new string
		want     []string
	}{
		{"description", "Who bought. Personal data.", "The buyer.", nil},
		{"example", "Near the stage", "Far", nil},
		{"field added", `"series": {`, `"more": {"type": "string"}, "series": {`, nil},
		{"more required", `"barcode",`, `"barcode", "row",`, nil},
		{"longer", `"minLength": 1`, `"minLength": 2`, nil},
		{"word removed", "\"GBP\",\n", "", nil},
		{"field removed", `"series": {`, `"series_of": {`, []string{"tickets[] has no series any more"}},
		{"inner object", "\"customer\": {\n      \"$ref\": \"#/$defs/customer\"", "\"customer\": {\n      \"$ref\": \"#/$defs/ticket\"", []string{
			"customer does not require email any more", "customer does not require phone any more", "customer has no email any more",
			"customer has no name any more", "customer has no phone any more"}},
		{"required", "\"organizer_id\",\n", "", []string{"tickets[] does not require organizer_id any more"}},
		{"required of the record", "\"customer\",\n", "", []string{"the record does not require customer any more"}},
		{"type", "\"type\": \"integer\",", "\"type\": \"number\",", []string{"tickets[].price_nominal has type number, and had integer"}},
		{"pattern", `"pattern": "^\\+`, `"pattern": "^[+]`, []string{`customer.phone has pattern ^[+][1-9][0-9]+$, and had ^\+[1-9][0-9]+$`}},
		{"empty", "\"minLength\": 1", "\"maxLength\": 99", []string{"id has minLength 0, and had 1"}},
		{"no elements", `"minItems": 1,`, "", []string{"tickets has minItems 0, and had 1"}},
		{"word added", `"CNY"`, `"CNY", "KZT"`, []string{"tickets[].currency may be KZT, which no reader knows"}},
		{"any word", `"enum"`, `"examples"`, []string{"tickets[].currency may be any word, and was one of [USD EUR RUB GBP CNY]"}},
		{"no object inside", `"properties": {`, `"patternProperties": {`, []string{"the record has no customer any more", "the record has no id any more", "the record has no tickets any more"}},
		{"no items", `"items": {`, `"contains": {`, []string{
			"tickets[] has type <nil>, and had object", "tickets[] does not require id any more", "tickets[] does not require event_id any more",
			"tickets[] does not require organizer_id any more", "tickets[] does not require barcode any more", "tickets[] does not require category any more"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			edited := strings.Replace(source, tt.old, tt.new, 1)
			if edited == source {
				t.Fatalf("%q is not in the schema", tt.old)
			}
			got, err := breaks(t.Context(), name, []byte(source), []byte(edited))
			if err != nil {
				t.Fatal(err)
			}
			if tt.name == "no items" && len(got) > len(tt.want) {
				got = got[:len(tt.want)] // and no field any more
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
	for _, broken := range [][2]string{{"{", "{}"}, {"{}", "{"}} {
		if _, err := breaks(t.Context(), name, []byte(broken[0]), []byte(broken[1])); err == nil {
			t.Errorf("compared %q", broken)
		}
	}
}

// newRepository has the one source outside this program.
func newRepository(t *testing.T) string {
	t.Helper()
	repo := t.TempDir()
	name := filepath.Join(repo, protoSource)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, name, readFile(t, filepath.Join(repository, protoSource)))
	return repo
}

// expect runs the command. Output begins, and errors go, as wanted.
func expect(t *testing.T, repo string, args []string, code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	got := run(t.Context(), repo, args, &out, &errs)
	if got != code || !strings.HasPrefix(out.String(), stdout) || (stdout == "") != (out.Len() == 0) ||
		!strings.Contains(errs.String(), stderr) || (stderr == "") != (errs.Len() == 0) {
		t.Fatalf("schemagen %v\n got code %d, stdout %q, stderr %q\nwant code %d, stdout %q, stderr with %q", args, got, &out, &errs, code, stdout, stderr)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
