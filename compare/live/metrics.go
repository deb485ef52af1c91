package live

import (
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// Metrics of an instance, gathered when they are asked for.
func (i *Instance) Metrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collector{i})
	return r
}

type collector struct{ i *Instance }

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, m := range allMetrics {
		to <- m.desc
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

// sink takes what is collected.
type sink chan<- prometheus.Metric

func (s sink) gauge(m *metric, value float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, value, labels...)
}

// Collect implements prometheus.Collector.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	to, now := sink(metrics), time.Now()
	if h := c.i.horizon.Load(); h != 0 {
		to.gauge(mHorizonAge, age0(now.Sub(time.UnixMilli(h))))
	}
	to.gauge(mAudit, time.Duration(c.i.round.Load()).Seconds())
	if s, _ := c.i.session(); s != nil {
		s.collectLag(to, now)
	}
	r, err := c.i.Report(now)
	if err != nil {
		to.gauge(mVerdict, 0)
		return
	}
	collectReport(to, r)
}

// age0 is an age in seconds: clocks differ, and it may seem to be negative.
func age0(d time.Duration) float64 { return max(d.Seconds(), 0) }

// collectLag shows where the groups stand. Names of groups are without the deployment's.
func (s *session) collectLag(to sink, now time.Time) {
	for _, g := range s.groups() {
		behind := map[int32]int64{}
		for _, p := range g.tracker.Assigned() {
			behind[p.Partition] += max(0, p.End-p.Acknowledged)
		}
		for p, n := range behind {
			to.gauge(mLagRecords, float64(n), strings.TrimPrefix(g.name, s.topics.of("-")), partitionLabel(p))
		}
	}
	for _, in := range s.intakes {
		for _, p := range in.tracker.Assigned() {
			to.gauge(mLagSeconds, lagSeconds(p, now), in.side.name, in.stream.String(), partitionLabel(p.Partition))
		}
	}
}

func partitionLabel(p int32) string { return strconv.Itoa(int(p)) }

// markers is how many offsets at the end of a partition may be no records: a topic that is written in transactions
// ends in markers, which nobody ever consumes.
const markers = 100

// lagSeconds is the age of the oldest record that is not taken in. One that was not read yet is as old as the session at
// least.
func lagSeconds(p kafka.Position, now time.Time) float64 {
	switch {
	case !p.Oldest.IsZero():
		return age0(now.Sub(p.Oldest))
	case !p.Unread.IsZero() && p.End-p.Acknowledged > markers:
		return age0(now.Sub(p.Unread))
	}
	return 0
}

func collectReport(to sink, r *compare.Report) {
	verdict := 0.0
	if r.Verdict.Go {
		verdict = 1
	}
	to.gauge(mVerdict, verdict)
	for _, s := range r.Streams {
		states := map[string]int64{"equal": s.Equal, "different": s.Different}
		for state, reasons := range map[string]map[string]int64{"pending": s.Pending, "undecidable": s.Undecidable, "skipped": s.Skipped, "quarantined": s.Quarantined} {
			states[state] = 0
			for _, n := range reasons {
				states[state] += n
			}
		}
		for state, n := range states {
			to.gauge(mEntities, float64(n), s.Stream, state)
		}
		to.gauge(mUnexplained, float64(s.Unexplained), s.Stream)
		to.gauge(mCoverage, s.Coverage, s.Stream)
	}
	type key struct {
		stream   string
		category compare.Category
		field    string
	}
	different := map[key]int64{}
	for _, n := range r.Counts {
		field := n.Field
		if !contractFields[field] {
			field = "other"
		}
		different[key{n.Stream, n.Category, field}] += n.Count
	}
	for k, n := range different {
		to.gauge(mDifferent, float64(n), k.stream, string(k.category), k.field)
	}
}
