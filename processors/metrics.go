package processors

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"

	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// Metrics of one instance, over all its builds. Counters and histograms count what the instance
// does, repeats after a crash included; gauges are looked up when they are asked for (see
// instanceCollector). What is counted for every record has no label to look up.
type Metrics struct {
	Registry *prometheus.Registry

	consumedC, keptBackC, emittedC, skippedC, quarantinedC, countedC, violationsC *prometheus.CounterVec

	consumedBy, emittedBy [len(mapping.Streams)]prometheus.Counter
	latency               [len(mapping.Streams)]struct{ direct, parked prometheus.Observer }

	keptBack  prometheus.Counter // of events, the only ones
	rebuilds  prometheus.Counter
	priming   prometheus.Gauge
	pausedG   *prometheus.GaugeVec
	lost      *prometheus.CounterVec
	rebalance *prometheus.HistogramVec

	instance *instanceCollector
}

// slimStreams have slim records.
var slimStreams = []mapping.Stream{mapping.Events, mapping.Orders, mapping.Refunds}

// latencyBuckets reach from what a healthy bridge takes to a backlog of days.
var latencyBuckets = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400}

var rebalanceBuckets = []float64{.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 900, 3600}

func newMetrics() *Metrics {
	m := &Metrics{
		Registry:  prometheus.NewRegistry(),
		consumedC: mConsumed.counterVec(), keptBackC: mKeptBack.counterVec(), emittedC: mEmitted.counterVec(), skippedC: mSkipped.counterVec(),
		quarantinedC: mQuarantined.counterVec(), countedC: mCounted.counterVec(), violationsC: mViolations.counterVec(),
		rebuilds: mRebuilds.counter(), priming: mPrimingLeft.gauge(), pausedG: mPaused.gaugeVec(),
		lost: mRebalances.counterVec(), rebalance: mRebalanceTime.histogramVec(rebalanceBuckets),
		instance: &instanceCollector{},
	}
	latency := mLatency.histogramVec(latencyBuckets)
	m.Registry.MustRegister(m.consumedC, m.keptBackC, m.emittedC, m.skippedC, m.quarantinedC, m.countedC, m.violationsC, latency,
		m.rebuilds, m.priming, m.pausedG, m.lost, m.rebalance, m.instance, NewBuildInfo(),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, s := range mapping.Streams {
		m.consumedBy[s] = m.consumedC.WithLabelValues(s.String())
		m.paused(s, false)
		for _, r := range mapping.QuarantineReasons { // from 0 on, or the first one would be no increase
			m.quarantinedC.WithLabelValues(s.String(), mapping.StageIntake, string(r))
		}
	}
	m.keptBack = m.keptBackC.WithLabelValues(mapping.Events.String())
	for _, s := range slimStreams {
		m.emittedBy[s] = m.emittedC.WithLabelValues(s.String())
		m.violationsC.WithLabelValues(s.String())
		m.quarantinedC.WithLabelValues(s.String(), mapping.StageGate, string(mapping.ReasonTooLarge))
		m.latency[s].direct = latency.WithLabelValues(s.String(), "direct")
		m.latency[s].parked = latency.WithLabelValues(s.String(), "parked")
	}
	return m
}

func (m *Metrics) primingLeft(n int64) { m.priming.Set(float64(n)) }

func (m *Metrics) paused(s mapping.Stream, paused bool) {
	m.pausedG.WithLabelValues(s.String()).Set(oneIf(paused))
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// intake takes what intake has made of a record.
func (m *Metrics) intake(s mapping.Stream, in mapping.Intake) {
	m.consumedBy[s].Inc()
	m.count(s, in.Counts)
	if in.Quarantine != "" {
		m.quarantined(s, mapping.StageIntake, in.Quarantine)
	}
	if reason := in.Input.GetNote().GetSkipped(); reason != "" {
		m.skippedC.WithLabelValues(s.String(), reason).Inc()
	}
}

// decided takes what a step has made of an input under a key.
func (m *Metrics) decided(key string, out mapping.Outcome) {
	if len(out.Counts) == 0 && out.Ended.Skipped <= 0 {
		return
	}
	s, ok := mapping.StreamOf(key)
	if !ok {
		return // a note of intake, which has counted it
	}
	m.count(s, out.Counts)
	if s == mapping.Refunds && out.Ended.Skipped > 0 {
		m.skippedC.WithLabelValues(s.String(), string(mapping.ReasonOrderNotPublished)).Add(float64(out.Ended.Skipped))
	}
}

func (m *Metrics) quarantined(s mapping.Stream, stage string, r mapping.Reason) {
	m.quarantinedC.WithLabelValues(s.String(), stage, string(r)).Inc()
}

func (m *Metrics) count(s mapping.Stream, reasons []mapping.Reason) {
	for _, r := range reasons {
		m.countedC.WithLabelValues(s.String(), string(r)).Inc()
	}
}

// acknowledged takes a slim record that the target cluster has.
//
// The latency is that of the legacy record that ends with it. What is sent again has none, nor has
// one that comes from quarantine: replay is its input.
func (m *Metrics) acknowledged(e mapping.Emit, replay bool) {
	m.emittedBy[e.Stream].Inc()
	appended := e.Source.GetTime()
	if !e.First || replay || appended <= 0 {
		return
	}
	took := max(time.Since(time.UnixMilli(appended)), 0).Seconds() // clocks differ
	if e.Released {
		m.latency[e.Stream].parked.Observe(took)
	} else {
		m.latency[e.Stream].direct.Observe(took)
	}
}

// isReplay tells whether an input comes from quarantine.
func isReplay(in any) bool {
	input, ok := in.(*statepb.Input)
	return ok && input.GetReplay() != nil
}

// unproven takes a slim record that was sent before what it needs was proven.
func (m *Metrics) unproven(s mapping.Stream) { m.violationsC.WithLabelValues(s.String()).Inc() }

// Consumed legacy records of this instance so far, by default topic name.
func (m *Metrics) Consumed() map[string]int64 { return values(m.consumedC, "topic") }

// Emitted slim records of this instance so far, by default legacy topic name.
func (m *Metrics) Emitted() map[string]int64 { return values(m.emittedC, "topic") }

// Counted is what the mapping rules counted in this instance so far, by reason.
func (m *Metrics) Counted() map[string]int64 { return values(m.countedC, "reason") }

// values sums a counter up by one of its labels.
func values(c *prometheus.CounterVec, label string) map[string]int64 {
	found := make(chan prometheus.Metric)
	go func() {
		c.Collect(found)
		close(found)
	}()
	out := map[string]int64{}
	for metric := range found {
		var m dto.Metric
		if metric.Write(&m) != nil {
			continue
		}
		for _, l := range m.GetLabel() {
			if n := int64(m.GetCounter().GetValue()); l.GetName() == label && n > 0 {
				out[l.GetValue()] += n
			}
		}
	}
	return out
}

// groupLabel is a group's name without that of the deployment.
func (t Topics) groupLabel(group string) string { return strings.TrimPrefix(group, t.Name+"-") }

// stageOf names the stage that a group is.
func (t Topics) stageOf(group string) string {
	switch group {
	case string(t.gateGroup()):
		return "gate"
	case string(t.organizersGroup()):
		return "organizers"
	}
	return "intake"
}

// topicLabels are the values of the label topic, by the names of all topics that groups read.
func (t Topics) topicLabels() map[string]string {
	labels := map[string]string{
		string(t.memberships()): "memberships", string(t.answers()): "answers",
		loopOf(t.organizersGroup()): "organizers_loop", loopOf(t.gateGroup()): "gate_loop",
	}
	for _, s := range mapping.Streams {
		labels[t.Legacy[s]], labels[string(t.internal(s))] = s.String(), s.String()
	}
	return labels
}
