// Package golden holds generated text against files that are kept in the repository.
package golden

import (
	"os"
	"strings"
	"testing"
)

// File wants a file to have the text; with update it gets it.
func File(t testing.TB, path, text string, update bool) {
	t.Helper()
	if update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	present, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(present) {
		t.Errorf("%s differs: with -update it becomes\n%s", path, text)
	}
}

// Section wants the text between the line begin and the next end in a document; with update it gets there.
func Section(t testing.TB, path, begin, end, text string, update bool) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(b), begin)
	present, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s lacks %q or %q", path, begin, end)
	}
	if update {
		if err := os.WriteFile(path, []byte(before+begin+text+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if present != text {
		t.Errorf("%s differs: run this test with -update\n got %s\nwant %s", path, present, text)
	}
}
