package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/internal/planted"
)

// The demonstration finds what it plants, and leaves reports and nothing else.
func TestCompareDemo(t *testing.T) {
	t.Parallel()
	folder, tmp := t.TempDir(), t.TempDir()
	r := execute(t, []string{"TMPDIR=" + tmp}, "compare", "demo", "--orders", "1000", "--seed", "3", "--dir", folder)
	if r.code != codeOK {
		t.Fatalf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	for _, want := range []string{
		"\nGO  demo: other slim (2.0 json) against slim (1.0 json)\n", "\nNO-GO  demo: legacy against slim (1.0 json)\n",
		"\nplanted ", "\nOpen " + filepath.Join(folder, "report.html") + "\n",
	} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("there is no %q in\n%s", want, r.stdout)
		}
	}
	var names []string
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{"expected-of-editions.yaml", "expected.yaml", "report.html", "report.json", "slim-against-slim.html", "slim-against-slim.json"}
	if !slices.Equal(names, want) {
		t.Errorf("files %q, want %q", names, want)
	}
	page, err := os.ReadFile(filepath.Join(folder, "report.html"))
	if err != nil || !bytes.Contains(page, []byte("NO-GO")) {
		t.Errorf("the page has no verdict, %v", err)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	checkDemoJudgement(t, text)
}

// checkDemoJudgement: a report that is not as planned is not taken for one that is.
func checkDemoJudgement(t *testing.T, text []byte) {
	t.Helper()
	kinds := map[string]planted.Kind{}
	for _, k := range planted.Kinds() {
		kinds[k.Name] = k
	}
	for name, tt := range map[string]struct {
		spoil func(between, report *compare.Report)
		want  string // "": it is as planned
	}{
		"as it is":               {func(_, _ *compare.Report) {}, ""},
		"an entity not found":    {func(_, r *compare.Report) { r.Samples = r.Samples[1:] }, "was not found as it was planted"},
		"another count":          {func(_, r *compare.Report) { r.Counts[0].Count++ }, "was not found as it was planted"},
		"unexpected":             {func(_, r *compare.Report) { spoilRules(r) }, "venue_address was not found"},
		"one too many":           {func(_, r *compare.Report) { r.Samples = append(r.Samples, compare.Sample{ID: "x"}) }, "1 differences too many"},
		"a count too many":       {func(_, r *compare.Report) { r.Counts = append(r.Counts, compare.FieldCount{}) }, "not planted"},
		"GO":                     {func(_, r *compare.Report) { r.Verdict.Go = true }, "the verdict is GO"},
		"editions NO-GO":         {func(b, _ *compare.Report) { b.Verdict.Go = false }, "two editions"},
		"editions differ":        {func(b, _ *compare.Report) { b.Counts = []compare.FieldCount{{Unexplained: 1}} }, "two editions"},
		"editions, all expected": {func(b, _ *compare.Report) { b.Counts = []compare.FieldCount{{Count: 1, Expected: 1}} }, ""},
	} {
		var report compare.Report
		if err := json.Unmarshal(text, &report); err != nil {
			t.Fatal(err)
		}
		var faults []demoFault
		for _, f := range demoFaults {
			fault := demoFault{kind: kinds[f.kind], expected: f.expected}
			for _, s := range report.Samples {
				if s.Stream == fault.kind.Stream && string(s.Category) == fault.kind.Category && s.Field == fault.kind.Field && !slices.Contains(fault.ids, s.ID) {
					fault.ids = append(fault.ids, s.ID)
				}
			}
			faults = append(faults, fault)
		}
		between := &compare.Report{Verdict: compare.Verdict{Go: true}}
		tt.spoil(between, &report)
		var out bytes.Buffer
		o := compareDemoOptions{dir: "here"}
		err := o.conclude(&out, between, &report, faults)
		if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || exitCode(err) != codeFailed) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func spoilRules(r *compare.Report) {
	for i := range r.Samples {
		r.Samples[i].Rule = ""
	}
}

func TestCompareDemoUsage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"--orders 999: want 1000 or more": {"--orders", "999"},
		"--dir: ":                         {"--dir", file},
		"takes none":                      {"more"},
	} {
		if r := execute(t, nil, append([]string{"compare", "demo"}, args...)...); r.code != codeRefused || !strings.Contains(r.stderr, want) {
			t.Errorf("%v: exit code %d: %s", args, r.code, r.stderr)
		}
	}
}
