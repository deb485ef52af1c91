package processors

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The names, types and labels that rules and dashboards are written against.
func TestMetricsGolden(t *testing.T) {
	var list strings.Builder
	for _, m := range allMetrics {
		fmt.Fprintln(&list, m)
	}
	golden(t, "metrics.golden", list.String())
}

const metricsDocument = "../docs/metrics.md"

// The document has every metric, as it is.
func TestMetricsDocument(t *testing.T) {
	b, err := os.ReadFile(metricsDocument)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- generated: go test ./processors -run TestMetricsDocument -update -->\n", "<!-- end -->"
	before, rest, found := strings.Cut(string(b), begin)
	present, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the metrics", metricsDocument)
	}
	want := metricsTable()
	if *update {
		if err := os.WriteFile(metricsDocument, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if present != want {
		t.Errorf("%s does not have the metrics as they are: run this test with -update\n got %s\nwant %s", metricsDocument, present, want)
	}
}

func metricsTable() string {
	var table strings.Builder
	table.WriteString("| name | type | labels | meaning |\n|---|---|---|---|\n")
	for _, m := range allMetrics {
		var labels []string
		for _, l := range m.labels {
			labels = append(labels, "`"+l+"`")
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", m.fullName(), m.kind, strings.Join(labels, " "), m.help)
	}
	return table.String()
}
