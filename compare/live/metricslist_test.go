package live

import (
	"flag"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/internal/golden"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

var update = flag.Bool("update", false, "rewrite the golden list and the document of the metrics")

// The names and labels that rules and dashboards are written against.
func TestMetricsGolden(t *testing.T) {
	var list strings.Builder
	for _, m := range allMetrics {
		fmt.Fprintln(&list, m)
	}
	golden.File(t, "testdata/metrics.golden", list.String(), *update)
}

const metricsDocument = "../../docs/metrics.md"

// The document has every metric, as it is.
func TestMetricsDocument(t *testing.T) {
	const begin, end = "<!-- generated: go test ./compare/live -run TestMetricsDocument -update -->\n", "<!-- end -->"
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
		fmt.Fprintf(&table, "| `%s` | gauge | %s | %s |\n", m.fullName(), strings.Join(labels, " "), m.help)
	}
	return table.String()
}

func TestLagSeconds(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for name, c := range map[string]struct {
		p    kafka.Position
		want float64
	}{
		"nothing to do":                    {kafka.Position{Acknowledged: 7, End: 7}, 0},
		"the head was read and is not in":  {kafka.Position{Acknowledged: 7, End: 8, Pending: 1, Oldest: ago(time.Minute), Delivered: ago(time.Second)}, 60},
		"clocks differ":                    {kafka.Position{Acknowledged: 7, End: 8, Pending: 1, Oldest: ago(-time.Minute)}, 0},
		"nothing read of a backlog yet":    {kafka.Position{Acknowledged: 7, End: 7 + markers + 1, Unread: ago(time.Hour)}, 3600},
		"what may be markers alone":        {kafka.Position{Acknowledged: 7, End: 7 + markers, Unread: ago(time.Hour)}, 0},
		"all read, and the end is further": {kafka.Position{Acknowledged: 7, End: 1007}, 0},
	} {
		if got := lagSeconds(c.p, now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Fields that the contract does not have are one, or records would make series without end.
func TestUnknownFieldsAreOne(t *testing.T) {
	metrics := make(chan prometheus.Metric, 10)
	collectReport(sink(metrics), &compare.Report{Counts: []compare.FieldCount{
		{Stream: "orders", Category: compare.WrongValueType, Field: "promo", Count: 2}, {Stream: "orders", Category: compare.WrongValueType, Field: "extra", Count: 3},
		{Stream: "orders", Category: compare.Value, Field: "customer.email", Count: 7}, {Stream: "orders", Category: compare.Absent, Count: 9},
	}})
	close(metrics)
	got := map[string]float64{}
	for m := range metrics {
		var shown dto.Metric
		if err := m.Write(&shown); err != nil {
			t.Fatal(err)
		}
		if m.Desc() == mDifferent.desc { // labels in the order of their names
			got[shown.GetLabel()[0].GetValue()+" "+shown.GetLabel()[1].GetValue()] = shown.GetGauge().GetValue()
		}
	}
	if want := map[string]float64{"type other": 5, "value customer.email": 7, "missing ": 9}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
