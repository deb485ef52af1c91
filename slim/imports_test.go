package slim_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The package is pure: it has no clock, no I/O, no logger and no client, and
// it knows nothing of the packages that use it.
func TestImports(t *testing.T) {
	allowed := []string{
		"bytes", "encoding/binary", "encoding/json", "errors", "fmt", "math", "slices", "strconv", "strings", "unicode/utf8",
		"google.golang.org/protobuf/encoding/protowire",
		"google.golang.org/protobuf/proto",
		"google.golang.org/protobuf/reflect/protoreflect",
		"github.com/ticketscloud/vibe-bridge/slim/vibev1",
	}
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		checked++
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			if name, err := strconv.Unquote(spec.Path.Value); err != nil || !slices.Contains(allowed, name) {
				t.Errorf("%s imports %s", path, spec.Path.Value)
			}
		}
	}
	if checked == 0 {
		t.Error("there was no file to check")
	}
}
