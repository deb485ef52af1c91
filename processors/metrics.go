package processors

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/ticketscloud/vibe-bridge/mapping"
)

// Metrics count what one instance does. They count processing, repeats after a
// crash included; the exact accounting of records is ReadReport's.
type Metrics struct {
	Registry  *prometheus.Registry
	consumedC *prometheus.CounterVec
	emittedC  *prometheus.CounterVec
	countedC  *prometheus.CounterVec
	rebuilds  prometheus.Counter
	priming   prometheus.Gauge
	pausedG   *prometheus.GaugeVec
}

func newMetrics() *Metrics {
	m := &Metrics{
		Registry:  prometheus.NewRegistry(),
		consumedC: mConsumed.counterVec(), emittedC: mEmitted.counterVec(), countedC: mCounted.counterVec(),
		rebuilds: mRebuilds.counter(), priming: mPrimingLeft.gauge(), pausedG: mPaused.gaugeVec(),
	}
	m.Registry.MustRegister(m.consumedC, m.emittedC, m.countedC, m.rebuilds, m.priming, m.pausedG)
	return m
}

func (m *Metrics) primingLeft(n int64) { m.priming.Set(float64(n)) }

func (m *Metrics) paused(s mapping.Stream, paused bool) {
	value := 0.0
	if paused {
		value = 1
	}
	m.pausedG.WithLabelValues(s.String()).Set(value)
}

func (m *Metrics) consumed(s mapping.Stream) { m.consumedC.WithLabelValues(s.String()).Inc() }
func (m *Metrics) emitted(s mapping.Stream)  { m.emittedC.WithLabelValues(s.String()).Inc() }

func (m *Metrics) count(reasons []mapping.Reason) {
	for _, r := range reasons {
		m.countedC.WithLabelValues(string(r)).Inc()
	}
}

// Consumed legacy records of this instance so far, by default topic name.
func (m *Metrics) Consumed() map[string]int64 { return values(m.consumedC, "topic") }

// Emitted slim records of this instance so far, by default legacy topic name.
func (m *Metrics) Emitted() map[string]int64 { return values(m.emittedC, "topic") }

// Counted is what the mapping rules counted in this instance so far, by reason.
func (m *Metrics) Counted() map[string]int64 { return values(m.countedC, "reason") }

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
			if l.GetName() == label {
				out[l.GetValue()] = int64(m.GetCounter().GetValue())
			}
		}
	}
	return out
}
