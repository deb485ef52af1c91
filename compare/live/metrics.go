package live

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ticketscloud/vibe-bridge/compare"
)

// Metrics of an instance, gathered when they are asked for. All but the lag and the
// duration of walks are those of the whole, and every instance shows the same.
func (i *Instance) Metrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collector{i})
	return r
}

type collector struct{ i *Instance }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("vibe_bridge_compare_"+name, help, labels, nil)
}

var (
	entitiesDesc    = desc("entities", "Entities by what became of them: equal, different, pending, undecidable, skipped, quarantined.", "stream", "state")
	differencesDesc = desc("differences", "Entities that differ, by category and field.", "stream", "category", "field")
	unexplainedDesc = desc("unexplained", "Entities with a difference that is not expected.", "stream")
	coverageDesc    = desc("coverage", "Share compared of the entities that are to be.", "stream")
	verdictDesc     = desc("verdict", "1: GO, 0: NO-GO, also while nothing is known.")
	horizonDesc     = desc("horizon_seconds", "How long ago everything was in the topics that has been read by this instance's knowledge; -1: nothing yet.")
	auditDesc       = desc("audit_seconds", "How long the last round of walks of this instance took.")
	lagDesc         = desc("lag_records", "Records of this instance's partitions that a group has not acknowledged.", "group")
)

func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{entitiesDesc, differencesDesc, unexplainedDesc, coverageDesc, verdictDesc, horizonDesc, auditDesc, lagDesc} {
		to <- d
	}
}

// contractFields bound the label: records may have any number of unknown ones.
var contractFields = func() map[string]bool {
	known := map[string]bool{"": true}
	for s := range compare.Streams {
		for _, f := range compare.Fields(s) {
			known[f.Path] = true
		}
	}
	for _, f := range compare.ItemFields() {
		known[f.Path] = true
	}
	return known
}()

func (c collector) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	now := time.Now()
	horizon := -1.0
	if h := c.i.horizon.Load(); h != 0 {
		horizon = now.Sub(time.UnixMilli(h)).Seconds()
	}
	gauge(horizonDesc, horizon)
	gauge(auditDesc, time.Duration(c.i.round.Load()).Seconds())
	if s, _ := c.i.session(); s != nil {
		for _, g := range s.groups() {
			lag := int64(0)
			for _, p := range g.tracker.Positions() {
				lag += max(0, p.End-p.Acknowledged)
			}
			gauge(lagDesc, float64(lag), g.name)
		}
	}
	r, err := c.i.Report(now)
	if err != nil {
		gauge(verdictDesc, 0)
		return
	}
	verdict := 0.0
	if r.Verdict.Go {
		verdict = 1
	}
	gauge(verdictDesc, verdict)
	for _, s := range r.Streams {
		gauge(entitiesDesc, float64(s.Equal), s.Stream, "equal")
		gauge(entitiesDesc, float64(s.Different), s.Stream, "different")
		for state, reasons := range map[string]map[string]int64{"pending": s.Pending, "undecidable": s.Undecidable, "skipped": s.Skipped, "quarantined": s.Quarantined} {
			sum := int64(0)
			for _, n := range reasons {
				sum += n
			}
			gauge(entitiesDesc, float64(sum), s.Stream, state)
		}
		gauge(unexplainedDesc, float64(s.Unexplained), s.Stream)
		gauge(coverageDesc, s.Coverage, s.Stream)
	}
	type key struct {
		stream   string
		category compare.Category
		field    string
	}
	differences := map[key]int64{}
	for _, n := range r.Counts {
		field := n.Field
		if !contractFields[field] {
			field = "other"
		}
		differences[key{n.Stream, n.Category, field}] += n.Count
	}
	for k, n := range differences {
		gauge(differencesDesc, float64(n), k.stream, string(k.category), k.field)
	}
}
