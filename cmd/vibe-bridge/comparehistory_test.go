package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A line that is JSON and no result is not passed over.
func TestHistoryWithoutTimes(t *testing.T) {
	for _, text := range []string{"{}\n", "null\n", `{"time":"2026-07-01T00:00:00Z","coverage":1}` + "\nnull\n"} {
		path := filepath.Join(t.TempDir(), "h.ndjson")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if points, err := readHistory(path); err == nil || !strings.Contains(err.Error(), "not a line of results") {
			t.Errorf("%q: %+v, %v", text, points, err)
		}
	}
}
