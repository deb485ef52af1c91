package check

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

// Rules and dashboards against the metrics that there are. What rules do, promtool tests: see .ci/deploy.

type rule struct {
	Record, Alert, Expr string
	For                 string
	Labels, Annotations map[string]string
}

// rules of all files.
func rules(t *testing.T) []rule {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(deploy, "prometheus", "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("rules: %v, %v", paths, err)
	}
	var all []rule
	for _, path := range paths {
		var file struct{ Groups []struct{ Rules []rule } }
		if err := yaml.Unmarshal(read(t, path), &file); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, group := range file.Groups {
			all = append(all, group.Rules...)
		}
	}
	return all
}

// metrics are the labels of every name that a query may have: the golden lists, and what is recorded.
func metrics(t *testing.T) map[string][]string {
	t.Helper()
	target := []string{"namespace", "job", "instance"}
	known := map[string][]string{"process_resident_memory_bytes": target, "process_cpu_seconds_total": target}
	everything := slices.Clone(target)
	for _, path := range []string{"../../processors/testdata/metrics.golden", "../../compare/live/testdata/metrics.golden"} {
		for line := range strings.Lines(string(read(t, path))) {
			found := regexp.MustCompile(`^(\S+) (counter|gauge|histogram) \{(.*)\}\s*$`).FindStringSubmatch(line)
			if found == nil {
				t.Fatalf("%s: %q: want NAME TYPE {LABELS}", path, line)
			}
			labels := append(slices.Clone(target), strings.Split(found[3], ",")...)
			everything = append(everything, labels...)
			known[found[1]] = labels
			if found[2] == "histogram" {
				known[found[1]+"_sum"], known[found[1]+"_count"] = labels, labels
				known[found[1]+"_bucket"] = append(labels, "le")
			}
		}
	}
	for _, r := range rules(t) {
		if r.Record != "" {
			known[r.Record] = everything
		}
	}
	return known
}

// queryFault is "" for a query of metrics and labels that there are.
func queryFault(query string, known map[string][]string) string {
	query = strings.NewReplacer("$__rate_interval", "5m", "$job", ".*").Replace(query)
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return err.Error()
	}
	var faults, labels []string
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if selector, is := node.(*parser.VectorSelector); is {
			of, there := known[selector.Name]
			if !there {
				faults = append(faults, "there is no metric "+selector.Name)
			}
			labels = append(labels, of...)
			for _, m := range selector.LabelMatchers {
				if m.Name != "__name__" && !slices.Contains(of, m.Name) {
					faults = append(faults, fmt.Sprintf("%s has no label %s", selector.Name, m.Name))
				}
			}
		}
		return nil
	})
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if sum, is := node.(*parser.AggregateExpr); is {
			for _, label := range sum.Grouping {
				if !slices.Contains(labels, label) {
					faults = append(faults, "nothing has a label "+label)
				}
			}
		}
		return nil
	})
	return strings.Join(faults, "; ")
}

func TestQueryFault(t *testing.T) {
	known := metrics(t)
	for query, want := range map[string]string{
		`sum by (topic) (rate(vibe_bridge_consumed_records_total{job=~"$job"}[$__rate_interval]))`: "",
		`vibe_bridge_consumed_total`:                            "no metric vibe_bridge_consumed_total",
		`vibe_bridge_ready{topic="events"}`:                     "vibe_bridge_ready has no label topic",
		`sum by (topik) (vibe_bridge_consumed_records_total)`:   "nothing has a label topik",
		`sum(vibe_bridge_ready`:                                 "parse error",
		`vibe_bridge_rebalance_duration_seconds_bucket{le="1"}`: "",
	} {
		if fault := queryFault(query, known); (fault == "") != (want == "") || !strings.Contains(fault, want) {
			t.Errorf("%s: %q, want %q", query, fault, want)
		}
	}
}

func TestRules(t *testing.T) {
	known := metrics(t)
	tested := testedAlerts(t)
	chapters, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Log("NOT TESTED: runbooks: there is no docs/operations.md yet")
	}
	for _, r := range rules(t) {
		name := r.Record + r.Alert
		if fault := queryFault(r.Expr, known); fault != "" {
			t.Errorf("%s: %s", name, fault)
		}
		if r.Alert == "" {
			continue
		}
		if !tested[r.Alert].fires || !tested[r.Alert].silent {
			t.Errorf("%s: want a test in which it fires, and one in which it does not", name)
		}
		if severity := r.Labels["severity"]; severity != "warning" && severity != "critical" {
			t.Errorf("%s: severity %q: want warning or critical", name, severity)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s: no summary or description", name)
		}
		anchor := strings.ToLower(r.Alert)
		if book := r.Annotations["runbook_url"]; !strings.HasSuffix(book, "/docs/operations.md#"+anchor) {
			t.Errorf("%s: runbook_url %s: want the chapter #%s of docs/operations.md", name, book, anchor)
		}
		if chapters != nil && !regexp.MustCompile(`(?m)^#+ `+r.Alert+`\s*$`).Match(chapters) {
			t.Errorf("%s: docs/operations.md has no chapter of this name", name)
		}
	}
}

type testedAlert struct{ fires, silent bool }

// testedAlerts says what the tests of promtool have of each alert.
func testedAlerts(t *testing.T) map[string]testedAlert {
	t.Helper()
	var file struct {
		Tests []struct {
			Alerts []struct {
				Name     string           `json:"alertname"`
				Expected []map[string]any `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal(read(t, filepath.Join(deploy, "prometheus/tests/alerts.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	found := map[string]testedAlert{}
	for _, test := range file.Tests {
		for _, a := range test.Alerts {
			tested := found[a.Name]
			tested.fires, tested.silent = tested.fires || len(a.Expected) > 0, tested.silent || len(a.Expected) == 0
			found[a.Name] = tested
		}
	}
	return found
}

// TestDashboards: every panel asks for something that there is, and none lies on another.
func TestDashboards(t *testing.T) {
	known := metrics(t)
	paths, err := filepath.Glob(filepath.Join(deploy, "grafana", "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("dashboards: %v, %v", paths, err)
	}
	for _, path := range paths {
		var dashboard struct {
			Title, UID string
			Panels     []struct {
				Type, Title string
				GridPos     struct{ X, Y, W, H int }
				Targets     []struct{ Expr string }
			}
		}
		if err := json.Unmarshal(read(t, path), &dashboard); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		covered := map[[2]int]string{}
		for _, p := range dashboard.Panels {
			if p.Title == "" || (p.Type != "row") != (len(p.Targets) > 0) {
				t.Errorf("%s: %q: no title, or nothing to ask", path, p.Title)
			}
			for _, target := range p.Targets {
				if fault := queryFault(target.Expr, known); fault != "" {
					t.Errorf("%s: %s: %s", path, p.Title, fault)
				}
			}
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := covered[[2]int{x, y}]; other != "" || x >= 24 {
						t.Fatalf("%s: %q lies on %q or outside", path, p.Title, other)
					}
					covered[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}
