package legacyproto_test

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/ticketscloud/vibe-bridge/legacyproto"
)

// wireTable is a copy of the table in the contract folder: one line per field
// and enum value of the published schemas.
const wireTable = "testdata/legacy-wire.tsv"

const wireTableHeader = "file\tkind\tparent\tname\tnumber\tlabel\ttype\toneof"

var schemaFiles = []string{
	"generic.proto", "partner.proto", "event.proto", "order.proto", "refund_request.proto",
}

// TestSchemasMatchWireTable compares the compiled schemas with the table, line
// by line and in both directions.
func TestSchemasMatchWireTable(t *testing.T) {
	table := readWireTable(t)
	var compiled []string
	for _, name := range schemaFiles {
		compiled = append(compiled, describeFile(schemaFile(t, name))...)
	}
	for _, line := range missingFrom(compiled, table) {
		t.Errorf("in the table, not in the schemas: %q", line)
	}
	for _, line := range missingFrom(table, compiled) {
		t.Errorf("in the schemas, not in the table: %q", line)
	}
	if len(table) != len(compiled) {
		t.Errorf("the table has %d lines, the schemas give %d", len(table), len(compiled))
	}
}

// TestSchemasDeclareNoOtherMessages finds what a table of fields cannot show:
// messages and enums without any line of their own.
func TestSchemasDeclareNoOtherMessages(t *testing.T) {
	known := map[string]bool{}
	for _, line := range readWireTable(t) {
		for name := strings.Split(line, "\t")[2]; name != ""; name, _ = cutLast(name) {
			known[name] = true
		}
	}
	for _, name := range schemaFiles {
		file := schemaFile(t, name)
		if file.Extensions().Len() > 0 || file.Services().Len() > 0 {
			t.Errorf("%s declares extensions or services", name)
		}
		for _, declared := range declaredTypes(file) {
			if !known[declared] {
				t.Errorf("%s declares %s, which the table does not have", name, declared)
			}
		}
	}
}

func TestSchemasKeepFileProperties(t *testing.T) {
	for _, name := range schemaFiles {
		file := schemaFile(t, name)
		if file.Package() != "" {
			t.Errorf("%s has package %q, the published schemas have none", name, file.Package())
		}
		if file.Syntax() != protoreflect.Proto3 {
			t.Errorf("%s has syntax %v", name, file.Syntax())
		}
		if name != "generic.proto" && !imports(file, "generic.proto") {
			t.Errorf("%s does not import generic.proto", name)
		}
	}
}

func readWireTable(t *testing.T) []string {
	t.Helper()
	content, err := os.ReadFile(wireTable)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	if lines[0] != wireTableHeader {
		t.Fatalf("%s starts with %q", wireTable, lines[0])
	}
	if len(lines) < 100 {
		t.Fatalf("%s has only %d lines", wireTable, len(lines))
	}
	return lines[1:]
}

func schemaFile(t *testing.T, name string) protoreflect.FileDescriptor {
	t.Helper()
	file, err := protoregistry.GlobalFiles.FindFileByPath(name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return file
}

// describeFile returns the table's lines for a file.
func describeFile(file protoreflect.FileDescriptor) []string {
	lines := describeEnums(file, file.Enums())
	return append(lines, describeMessages(file, file.Messages())...)
}

func describeMessages(file protoreflect.FileDescriptor, messages protoreflect.MessageDescriptors) []string {
	var lines []string
	for i := range messages.Len() {
		message := messages.Get(i)
		for j := range message.Fields().Len() {
			lines = append(lines, describeField(file, message.Fields().Get(j)))
		}
		lines = append(lines, describeEnums(file, message.Enums())...)
		lines = append(lines, describeMessages(file, message.Messages())...)
	}
	return lines
}

func describeField(file protoreflect.FileDescriptor, field protoreflect.FieldDescriptor) string {
	label := ""
	switch {
	case field.IsList():
		label = "repeated"
	case field.HasOptionalKeyword():
		label = "optional"
	}
	oneof := ""
	if o := field.ContainingOneof(); o != nil && !o.IsSynthetic() {
		oneof = string(o.Name())
	}
	return strings.Join([]string{
		file.Path(), "field", string(field.ContainingMessage().FullName()), string(field.Name()),
		strconv.Itoa(int(field.Number())), label, describeType(field), oneof,
	}, "\t")
}

func describeType(field protoreflect.FieldDescriptor) string {
	switch field.Kind() {
	case protoreflect.EnumKind:
		return "enum " + string(field.Enum().FullName())
	case protoreflect.MessageKind:
		return string(field.Message().FullName())
	default:
		return field.Kind().String()
	}
}

func describeEnums(file protoreflect.FileDescriptor, enums protoreflect.EnumDescriptors) []string {
	var lines []string
	for i := range enums.Len() {
		values := enums.Get(i).Values()
		for j := range values.Len() {
			lines = append(lines, strings.Join([]string{
				file.Path(), "enum", string(enums.Get(i).FullName()), string(values.Get(j).Name()),
				strconv.Itoa(int(values.Get(j).Number())), "", "", "",
			}, "\t"))
		}
	}
	return lines
}

// declaredTypes returns the full names of all messages and enums of a file.
func declaredTypes(file protoreflect.FileDescriptor) []string {
	var names []string
	addEnums := func(enums protoreflect.EnumDescriptors) {
		for i := range enums.Len() {
			names = append(names, string(enums.Get(i).FullName()))
		}
	}
	var addMessages func(protoreflect.MessageDescriptors)
	addMessages = func(messages protoreflect.MessageDescriptors) {
		for i := range messages.Len() {
			names = append(names, string(messages.Get(i).FullName()))
			addEnums(messages.Get(i).Enums())
			addMessages(messages.Get(i).Messages())
		}
	}
	addEnums(file.Enums())
	addMessages(file.Messages())
	return names
}

func imports(file protoreflect.FileDescriptor, name string) bool {
	for i := range file.Imports().Len() {
		if file.Imports().Get(i).Path() == name {
			return true
		}
	}
	return false
}

// missingFrom returns the elements of want that have lacks.
func missingFrom(have, want []string) []string {
	return slices.DeleteFunc(slices.Clone(want), func(s string) bool { return slices.Contains(have, s) })
}

// cutLast splits a dotted name before its last element.
func cutLast(name string) (before, last string) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return "", name
	}
	return name[:i], name[i+1:]
}
