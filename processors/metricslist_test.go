package processors

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/internal/golden"
)

// The names, types and labels that rules and dashboards are written against.
func TestMetricsGolden(t *testing.T) {
	var list strings.Builder
	for _, m := range allMetrics {
		fmt.Fprintln(&list, m)
	}
	golden.File(t, "testdata/metrics.golden", list.String(), *update)
}

const metricsDocument = "../docs/metrics.md"

// The document has every metric, as it is.
func TestMetricsDocument(t *testing.T) {
	const begin, end = "<!-- generated: go test ./processors -run TestMetricsDocument -update -->\n", "<!-- end -->"
	golden.Section(t, metricsDocument, begin, end, metricsTable(), *update)
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
