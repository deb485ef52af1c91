package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare"
)

// A line that is JSON and no result is not passed over, nor one of something else.
func TestHistoryOfSomethingElse(t *testing.T) {
	const good = `{"of":"this","time":"2026-07-01T00:00:00Z","coverage":1}` + "\n"
	for text, want := range map[string]string{
		"{}\n":                                   "not a line of results",
		"null\n":                                 "not a line of results",
		good + "null\n":                          "after 1 result: not a line of results",
		good + "{\n":                             "after 1 result: not a line of results",
		good + `{"time":"2026-07-02T00:00:00Z"}`: `result 2 does not say of what it is: an older version wrote it; take another file, or put "of":"this" into`,
		good + `{"of":"that","time":"2026-07-02T00:00:00Z"}`:     `result 2 is of another comparison, "that"; this one is "this"`,
		strings.ReplaceAll(good, "this", "that") + good + "null": `result 1 is of another comparison`,
	} {
		path := filepath.Join(t.TempDir(), "h.ndjson")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if points, err := readHistory(path, "this"); err == nil || exitCode(err) != codeRefused || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v, want %q", text, points, err, want)
		}
	}
}

// What is added is read again, once, by the same comparison alone.
func TestHistoryIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h.ndjson")
	at := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	of := `vibe: legacy (a, b) against slim 1.0 json ("c")`
	for day := range 3 {
		r := &compare.Report{Run: compare.Run{Time: at.AddDate(0, 0, day)}}
		r.Trend = []compare.TrendPoint{{Time: r.Run.Time, Coverage: 0.5, Violations: int64(day)}}
		for range 2 {
			if err := addHistory(path, of, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	points, err := readHistory(path, of)
	if err != nil || len(points) != 3 || points[2] != (compare.TrendPoint{Time: at.AddDate(0, 0, 2), Coverage: 0.5, Violations: 2}) {
		t.Errorf("%+v, %v", points, err)
	}
	if _, err := readHistory(path, of+"x"); err == nil {
		t.Error("taken by another comparison")
	}
}
