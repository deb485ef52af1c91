package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	for _, args := range []string{"-orders -1", "-each 0", "-hostile 2", "-part x", "more", "-none"} {
		var out, text bytes.Buffer
		if code := run(t.Context(), strings.Fields(args), nil, &out, &text); code != 2 || text.Len() == 0 {
			t.Errorf("%s: exit code %d: %s", args, code, &text)
		}
	}
}

func TestKindsArePrinted(t *testing.T) {
	var out, text bytes.Buffer
	code := run(t.Context(), []string{"-orders", "1000", "-each", "1", "-entities", "0", "-dir", t.TempDir()}, nil, &out, &text)
	if code != 0 || !strings.Contains(out.String(), "\nrefund_before_order      refunds  refund_violation ") || !strings.HasSuffix(out.String(), "\nPASSED\n") {
		t.Errorf("exit code %d: %s%s", code, &out, &text)
	}
}

// What one process writes the other one finds equal, unless something is missing, or
// there is too little.
func TestFlawlessSeason(t *testing.T) {
	var season, text bytes.Buffer
	if code := run(t.Context(), []string{"-part", "write", "-entities", "200"}, nil, &season, &text); code != 0 {
		t.Fatalf("exit code %d: %s", code, &text)
	}
	without := func(begin string) string {
		var kept strings.Builder
		gone := false
		for line := range strings.Lines(season.String()) {
			if !gone && strings.HasPrefix(line, begin) {
				gone = true
				continue
			}
			kept.WriteString(line)
		}
		if !gone {
			t.Fatalf("no line begins with %s", begin)
		}
		return kept.String()
	}
	for name, tt := range map[string]struct {
		records  string
		entities string
		want     string // "": passed
	}{
		"as it is":        {season.String(), "200", ""},
		"a slim event":    {without(`{"topic":"made-events"`), "200", "events: 1 different"},
		"a legacy refund": {without(`{"topic":"refund_requests"`), "200", "refunds"},
		"too few":         {season.String(), "300", "want 300"},
		"broken off":      {season.String()[:season.Len()-5], "200", "season"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, text bytes.Buffer
			code := run(t.Context(), []string{"-part", "clean", "-entities", tt.entities, "-dir", t.TempDir()}, strings.NewReader(tt.records), &out, &text)
			if (code == 0) != (tt.want == "") || !strings.Contains(text.String(), tt.want) {
				t.Errorf("exit code %d: %s%s", code, &out, &text)
			}
			if tt.want == "" && !strings.Contains(out.String(), "coverage 1\n") {
				t.Errorf("%s", &out)
			}
		})
	}
}
