package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// repositoryRoot is where this package's tests find the repository.
const repositoryRoot = "../.."

// TestGeneratedCodeIsCurrent fails when a schema was edited and its Go code
// was not generated again.
func TestGeneratedCodeIsCurrent(t *testing.T) {
	code, stdout, stderr := runIn(t, repositoryRoot, "-check")
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// TestGenerationIsReproducible generates the same schemas in two places: a
// path, a time or a name of the machine in the output would show.
func TestGenerationIsReproducible(t *testing.T) {
	elsewhere := newRepository(t)
	copySchemas(t, elsewhere)
	want, err := generate(t.Context(), repositoryRoot)
	if err != nil {
		t.Fatal(err)
	}
	got, err := generate(t.Context(), elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) || len(got) == 0 {
		t.Fatalf("generated %d files, then %d", len(want), len(got))
	}
	for i := range want {
		if got[i].path != want[i].path || !bytes.Equal(got[i].content, want[i].content) {
			t.Errorf("%s and %s differ", want[i].path, got[i].path)
		}
	}
}

func TestRunWritesChecksAndRemoves(t *testing.T) {
	repo := newRepository(t)
	schema := filepath.Join(repo, "legacyproto", "thing.proto")
	generated := filepath.Join(repo, "legacyproto", "thing.pb.go")
	writeFile(t, schema, thingSchema)

	expectRun(t, repo, []string{"-check"}, 1, "legacyproto/thing.pb.go\n", "1 generated files differ")
	expectRun(t, repo, nil, 0, "wrote legacyproto/thing.pb.go\n", "")
	expectRun(t, repo, []string{"-check"}, 0, "", "")
	expectRun(t, repo, nil, 0, "", "")
	if code := readFile(t, generated); !strings.Contains(code, "// Says what it is.") {
		t.Error("the schema's comments are missing from the generated code")
	}

	writeFile(t, schema, strings.Replace(thingSchema, "name = 1", "name = 2", 1))
	expectRun(t, repo, []string{"-check"}, 1, "legacyproto/thing.pb.go\n", "")
	expectRun(t, repo, nil, 0, "wrote legacyproto/thing.pb.go\n", "")

	if err := os.Remove(schema); err != nil {
		t.Fatal(err)
	}
	expectRun(t, repo, []string{"-check"}, 1, "legacyproto/thing.pb.go\n", "")
	expectRun(t, repo, nil, 0, "removed legacyproto/thing.pb.go\n", "")
	if _, err := os.Stat(generated); !os.IsNotExist(err) {
		t.Errorf("the generated file is still there (%v)", err)
	}
}

func TestRunExplainsFailures(t *testing.T) {
	broken := newRepository(t)
	writeFile(t, filepath.Join(broken, "legacyproto", "thing.proto"), "syntax = \"proto3\";\nmessage Thing { nothing name = 1; }\n")
	foreign := t.TempDir()
	writeFile(t, filepath.Join(foreign, "go.mod"), "module example.com/other\n")
	tests := []struct {
		name   string
		repo   string
		args   []string
		code   int
		stderr string
	}{
		{name: "schema error", repo: broken, code: 1, stderr: "thing.proto:2:"},
		{name: "no go.mod", repo: t.TempDir(), code: 1, stderr: "run it from the root of the repository"},
		{name: "another module", repo: foreign, code: 1, stderr: "run it from the root of the repository"},
		{name: "argument", repo: broken, args: []string{"thing.proto"}, code: 2, stderr: `unexpected argument "thing.proto"`},
		{name: "flag", repo: broken, args: []string{"-chek"}, code: 2, stderr: "-chek"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			expectRun(t, test.repo, test.args, test.code, "", test.stderr)
		})
	}
}

const thingSchema = `syntax = "proto3";

option go_package = "example.com/thing;thing";

// Says what it is.
message Thing {
  string name = 1;
}
`

// newRepository returns a directory that has this module's go.mod and go.sum,
// and so the same generator, and nothing else.
func newRepository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum"} {
		writeFile(t, filepath.Join(dir, name), readFile(t, filepath.Join(repositoryRoot, name)))
	}
	return dir
}

func copySchemas(t *testing.T, to string) {
	t.Helper()
	for _, root := range importRoots {
		names, err := root.match(repositoryRoot, ".proto")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			name = filepath.Join(root.dir, filepath.FromSlash(name))
			writeFile(t, filepath.Join(to, name), readFile(t, filepath.Join(repositoryRoot, name)))
		}
	}
}

func runIn(t *testing.T, repo string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	code = run(t.Context(), repo, args, &out, &errOut)
	return code, out.String(), errOut.String()
}

func expectRun(t *testing.T, repo string, args []string, code int, stdout, stderr string) {
	t.Helper()
	gotCode, gotOut, gotErr := runIn(t, repo, args...)
	if gotCode != code || gotOut != stdout || !strings.Contains(gotErr, stderr) {
		t.Fatalf("protogen %v\n got code %d, stdout %q, stderr %q\nwant code %d, stdout %q, stderr with %q",
			args, gotCode, gotOut, gotErr, code, stdout, stderr)
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
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
