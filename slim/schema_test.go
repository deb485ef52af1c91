package slim_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ticketscloud/vibe-bridge/slim/vibev1"
)

// contractTable repeats, row by row, the Protobuf section of the slim contract.
// Consumers rely on its numbers: rows are added to it, none is changed.
const contractTable = "testdata/vibe_v1.tsv"

func TestSchemaIsTheContracts(t *testing.T) {
	want := readContractTable(t)
	got := schemaRows(vibev1.File_vibev1_vibe_proto)
	for _, row := range want {
		if !slices.Contains(got, row) {
			t.Errorf("the contract has, vibe.proto has not: %s", row)
		}
	}
	for _, row := range got {
		if !slices.Contains(want, row) {
			t.Errorf("vibe.proto has, the contract has not: %s", row)
		}
	}
	if len(got) != len(want) {
		t.Errorf("vibe.proto has %d fields and values, the contract %d", len(got), len(want))
	}
}

// readContractTable returns the rows without the last column, which says
// whether a row was published or added later.
func readContractTable(t *testing.T) []string {
	t.Helper()
	table, err := os.ReadFile(contractTable)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(string(table)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.Split(line, "\t")
		if len(columns) != 6 {
			t.Fatalf("%s: %d columns, want 6: %q", contractTable, len(columns), line)
		}
		rows = append(rows, strings.Join(columns[:5], "\t"))
	}
	return rows
}

func schemaRows(file protoreflect.FileDescriptor) []string {
	rows := enumRows(file.Enums())
	return append(rows, messageRows(file.Messages())...)
}

func messageRows(messages protoreflect.MessageDescriptors) []string {
	var rows []string
	for i := range messages.Len() {
		m := messages.Get(i)
		for j := range m.Fields().Len() {
			field := m.Fields().Get(j)
			rows = append(rows, fmt.Sprintf("field\t%s\t%s\t%d\t%s", relativeName(m), field.Name(), field.Number(), fieldType(field)))
		}
		rows = append(rows, enumRows(m.Enums())...)
		rows = append(rows, messageRows(m.Messages())...)
	}
	return rows
}

func enumRows(enums protoreflect.EnumDescriptors) []string {
	var rows []string
	for i := range enums.Len() {
		values := enums.Get(i).Values()
		for j := range values.Len() {
			rows = append(rows, fmt.Sprintf("value\t%s\t%s\t%d\t", relativeName(enums.Get(i)), values.Get(j).Name(), values.Get(j).Number()))
		}
	}
	return rows
}

// relativeName is the name within the package: Event.Venue.
func relativeName(d protoreflect.Descriptor) string {
	return strings.TrimPrefix(string(d.FullName()), "vibe.v1.")
}

func fieldType(field protoreflect.FieldDescriptor) string {
	name := field.Kind().String()
	switch field.Kind() {
	case protoreflect.EnumKind:
		name = "enum " + relativeName(field.Enum())
	case protoreflect.MessageKind:
		name = relativeName(field.Message())
	}
	switch {
	case field.IsList():
		return "repeated " + name
	case field.HasOptionalKeyword() || field.ContainingOneof() != nil:
		return "optional " + name // no row of the contract: presence is implicit
	}
	return name
}

func TestSchemaFile(t *testing.T) {
	file := protodesc.ToFileDescriptorProto(vibev1.File_vibev1_vibe_proto)
	for _, tt := range []struct{ what, got, want string }{
		{"name", file.GetName(), "vibev1/vibe.proto"},
		{"package", file.GetPackage(), "vibe.v1"},
		{"syntax", file.GetSyntax(), "proto3"},
		{"go_package", file.GetOptions().GetGoPackage(), "github.com/ticketscloud/vibe-bridge/slim/vibev1;vibev1"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s is %q, want %q", tt.what, tt.got, tt.want)
		}
	}
}

// vibe.pb.go must be generated anew when vibe.proto changes.
func TestGeneratedCodeIsThatOfTheSchema(t *testing.T) {
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{ImportPaths: []string{"."}}}
	files, err := compiler.Compile(t.Context(), "vibev1/vibe.proto")
	if err != nil {
		t.Fatal(err)
	}
	want := protoutil.ProtoFromFileDescriptor(files[0])
	got := protodesc.ToFileDescriptorProto(vibev1.File_vibev1_vibe_proto)
	if !proto.Equal(got, want) {
		t.Errorf("vibe.pb.go is not that of vibe.proto: run go run ./internal/protogen\nvibe.pb.go %v\nvibe.proto %v", got, want)
	}
}
