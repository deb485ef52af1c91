package verify

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// commonImports are all that the checker has in common with the bridge: schemas
// that are generated from the published ones.
var commonImports = map[string]bool{
	"github.com/ticketscloud/vibe-bridge/legacyproto": true,
	"github.com/ticketscloud/vibe-bridge/slim/vibev1": true,
}

// impure are standard packages that a package without clock, I/O and logger does
// not need. "time" is wanted for zones.
var impure = map[string]bool{"os": true, "net": true, "log": true, "log/slog": true, "math/rand": true, "math/rand/v2": true}

// forbidden lists the imports of a file that make the checker depend on what it
// checks.
func forbidden(t *testing.T, name string, source any) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		ours := strings.HasPrefix(path, "github.com/ticketscloud/vibe-bridge") && !commonImports[path]
		if ours || impure[path] || strings.Contains(path, "goka") {
			found = append(found, name+" imports "+path)
		}
	}
	return found
}

func TestImports(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil || len(names) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, complaint := range forbidden(t, name, nil) {
			t.Error(complaint)
		}
	}
}

// The check itself finds what it is for.
func TestImportsFinds(t *testing.T) {
	const source = `package verify
import (
	_ "time"
	_ "github.com/ticketscloud/vibe-bridge/mapping"
	_ "github.com/ticketscloud/vibe-bridge/slim"
	_ "github.com/ticketscloud/vibe-bridge/slim/vibev1"
	_ "os"
)`
	if got := forbidden(t, "made-up.go", source); len(got) != 3 {
		t.Errorf("found %q, want mapping, slim and os", got)
	}
}
