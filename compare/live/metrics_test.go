package live_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/live"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

// labelSets are all values that a label can have; numbers are written as *, paths of fields as field.
var labelSets = map[string]string{
	"stream": "events orders refunds", "side": "left right", "partition": "*", "field": "field",
	"state":    "equal different pending undecidable skipped quarantined",
	"category": "missing extra value type duplicate order_violation refund_violation stale late",
	"group": "intake-left-partners intake-left-events intake-left-orders intake-left-refunds intake-right-events intake-right-orders intake-right-refunds " +
		"partners joins events",
}

var (
	number = regexp.MustCompile(`^\d{1,4}$`)
	field  = regexp.MustCompile(`^[a-z0-9_.\[\]-]{0,40}$`)
)

func bounded(metric, label, value string) bool {
	switch set := labelSets[label]; {
	case label == "stream" && strings.HasSuffix(metric, "_lag_seconds") && value == "partners": // which are read, and not compared
		return true
	case set == "*":
		return number.MatchString(value)
	case set == "field":
		return field.MatchString(value)
	default:
		return slices.Contains(strings.Fields(set), value)
	}
}

// checkListed compares what an instance shows, while something differs, with the list of metrics.
func checkListed(t *testing.T, r *prometheus.Registry) {
	t.Helper()
	problems, err := testutil.GatherAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	listed := live.ListedMetrics()
	for _, f := range families {
		want, known := listed[f.GetName()]
		if !known {
			t.Errorf("%s is not in the list", f.GetName())
		}
		delete(listed, f.GetName())
		for _, m := range f.GetMetric() {
			names := map[string]bool{}
			for _, l := range m.GetLabel() {
				names[l.GetName()] = true
				if !bounded(f.GetName(), l.GetName(), l.GetValue()) {
					t.Errorf("%s: label %s has the value %q", f.GetName(), l.GetName(), l.GetValue())
				}
			}
			if have := slices.Sorted(maps.Keys(names)); !slices.Equal(have, slices.Sorted(slices.Values(want))) || m.GetGauge() == nil {
				t.Errorf("%s is a %s with labels %v, want a gauge with %v", f.GetName(), f.GetType(), have, want)
			}
		}
	}
	for name := range listed {
		t.Errorf("%s is listed, and the instance does not have it", name)
	}
}

// values are those of a metric, by the values of its labels in the order of their names.
func values(t *testing.T, r *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "vibe_bridge_compare_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			all[strings.Join(labels, " ")] = m.GetGauge().GetValue()
		}
	}
	return all
}

// While nothing can be written the lag of a side is the age of its first record that is not taken in; that of the others is 0.
func TestLagOfBothSides(t *testing.T) {
	t.Parallel()
	var outage kafkatest.Outage
	state := kafkatest.Embedded(t, embedded.Options{More: []kfake.Opt{outage.Option()}})
	w := newWorld(t, kafkatest.Embedded(t, embedded.Options{}), season.Config{Orders: 20})
	w.produce()
	w.cfg.State, w.cfg.Quarantine = kafka.Cluster{Brokers: state.Addrs, Replication: 1}.WithDefaults(), ""
	w.must(live.EnsureTopics(t.Context(), w.cfg, true))
	in := w.start(t.TempDir())
	registry := in.Metrics()
	if got := values(t, registry, "horizon_age_seconds"); len(got) != 0 {
		t.Errorf("before anything is known, the horizon is %v", got)
	}
	lag := func() map[string]float64 { return values(t, registry, "lag_seconds") }
	w.until(in, "everything taken in", func(*compare.Report) bool {
		got := lag()
		return len(got) == 4*3+3*3 && slices.Max(slices.Collect(maps.Values(got))) == 0 && len(values(t, registry, "horizon_age_seconds")) == 1
	})
	outage.Silence()
	late := []struct {
		stream compare.Stream
		topic  string
		side   string
		ago    time.Duration
	}{
		{compare.Orders, w.cfg.Left.Topics[compare.Orders], "left", time.Hour},
		{compare.Refunds, w.cfg.Right.Topics[compare.Refunds], "right", 2 * time.Hour},
	}
	for _, l := range late {
		kafkatest.Produce(t, w.target.Addrs, l.topic, &kafkatest.Record{Key: []byte("k"), Value: []byte("{"), Timestamp: time.Now().Add(-l.ago)})
	}
	kafkatest.Eventually(t, "both sides behind", func() bool {
		w.must(in.alive())
		behind := map[string]float64{}
		for labels, age := range lag() {
			if age > 0 {
				_, rest, _ := strings.Cut(labels, " ")
				behind[rest] = age
			}
		}
		for _, l := range late {
			age := behind[l.side+" "+l.stream.String()]
			if age < l.ago.Seconds() || age > l.ago.Seconds()+600 {
				return false
			}
		}
		return len(behind) == len(late)
	})
	outage.End()
	kafkatest.Eventually(t, "no side behind", func() bool {
		w.must(in.alive())
		got := lag()
		return len(got) == 4*3+3*3 && slices.Max(slices.Collect(maps.Values(got))) == 0
	})
	w.leave(in)
	if len(lag()) != 0 {
		t.Error("an instance that has ended shows what it does not have any more")
	}
}
