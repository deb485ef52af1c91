package live

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

var update = flag.Bool("update", false, "rewrite the golden list and the document of the metrics")

const metricsDocument = "../../docs/metrics.md"

var described = regexp.MustCompile(`fqName: "([^"]*)", help: "([^"]*)", .*variableLabels: \{([^}]*)\}`)

// The names and labels that rules and dashboards are written against, and the document that has them. All are gauges.
func TestMetricsDocument(t *testing.T) {
	var list, table strings.Builder
	table.WriteString("| name | type | labels | meaning |\n|---|---|---|---|\n")
	descs := make(chan *prometheus.Desc, 100)
	collector{}.Describe(descs)
	close(descs)
	for d := range descs {
		parts := described.FindStringSubmatch(d.String())
		if parts == nil {
			t.Fatalf("%s is described in another way", d)
		}
		fmt.Fprintf(&list, "%s gauge {%s}\n", parts[1], parts[3])
		labels := ""
		if parts[3] != "" {
			labels = "`" + strings.ReplaceAll(parts[3], ",", "` `") + "`"
		}
		fmt.Fprintf(&table, "| `%s` | gauge | %s | %s |\n", parts[1], labels, parts[2])
	}
	path := filepath.Join("testdata", "metrics.golden")
	const begin, end = "<!-- generated: go test ./compare/live -run TestMetricsDocument -update -->\n", "<!-- end -->"
	b, err := os.ReadFile(metricsDocument)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(b), begin)
	present, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the metrics", metricsDocument)
	}
	if *update {
		if err := os.WriteFile(path, []byte(list.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		present = table.String()
		if err := os.WriteFile(metricsDocument, []byte(before+begin+present+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if list.String() != string(golden) {
		t.Errorf("%s differs: with -update it becomes\n%s", path, list.String())
	}
	if table.String() != present {
		t.Errorf("%s does not have the metrics as they are: with -update they become\n%s", metricsDocument, table.String())
	}
}
