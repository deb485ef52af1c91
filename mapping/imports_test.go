package mapping_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What the package may import, and of a package that also has a clock, output
// or files, which names it may use; nil stands for all.
var allowedImports = map[string][]string{
	"bytes":   nil,
	"errors":  nil,
	"fmt":     {"Errorf", "Stringer"},
	"maps":    nil,
	"slices":  nil,
	"strconv": nil,
	"strings": nil,
	"time":    {"Duration", "Location", "UnixMilli"},
	"unicode": nil,

	"github.com/cespare/xxhash/v2":                           nil,
	"github.com/nyaruka/phonenumbers":                        nil,
	"google.golang.org/protobuf/proto":                       nil,
	"google.golang.org/protobuf/encoding/protowire":          nil,
	"google.golang.org/protobuf/reflect/protoreflect":        nil,
	"google.golang.org/protobuf/types/known/timestamppb":     {"Timestamp"},
	"github.com/ticketscloud/vibe-bridge/directory":          {"Directory"},
	"github.com/ticketscloud/vibe-bridge/legacyproto/intake": nil,
	"github.com/ticketscloud/vibe-bridge/mapping/statepb":    nil,
	"github.com/ticketscloud/vibe-bridge/slim":               nil,
}

// The package is pure: it has no clock, no I/O, no logger, no chance and no
// client, and it starts nothing that runs beside its caller.
func TestImports(t *testing.T) {
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
		for _, complaint := range impurities(t, path, nil) {
			t.Error(complaint)
		}
	}
	if checked == 0 {
		t.Error("there was no file to check")
	}
}

// The check itself finds what it is for.
func TestImportsFinds(t *testing.T) {
	const source = `package mapping
import (
	"log"
	"os"
	clock "time"
	. "strings"
	_ "github.com/lovoo/goka"
	"fmt"
)
func f() { go g(); _ = clock.Now(); fmt.Println(); log.Print(os.Args) }
`
	got := impurities(t, "made-up.go", source)
	want := []string{
		`made-up.go imports "log"`, `made-up.go imports "os"`, `made-up.go imports "strings" as .`,
		`made-up.go imports "github.com/lovoo/goka"`, `made-up.go imports "github.com/lovoo/goka" as _`,
		`made-up.go starts a goroutine`, `made-up.go uses time.Now`, `made-up.go uses fmt.Println`,
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// impurities parses the file, or source in its place, and lists what it must
// not have.
func impurities(t *testing.T, name string, source any) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	restricted := map[string]string{} // name in this file to import path
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		names, ok := allowedImports[imported]
		if !ok {
			found = append(found, name+" imports "+spec.Path.Value)
		}
		local := path.Base(imported)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		if local == "." || local == "_" {
			found = append(found, name+" imports "+spec.Path.Value+" as "+local)
		}
		if names != nil {
			restricted[local] = imported
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = append(found, name+" starts a goroutine")
		case *ast.SelectorExpr:
			pkg, ok := n.X.(*ast.Ident)
			if !ok {
				break
			}
			imported, ok := restricted[pkg.Name]
			if ok && !slices.Contains(allowedImports[imported], n.Sel.Name) {
				found = append(found, name+" uses "+imported+"."+n.Sel.Name)
			}
		}
		return true
	})
	return found
}
