package kafka

import (
	"testing"

	"github.com/rcrowley/go-metrics"
)

// A client's registry has the histograms that are read, and no others.
func TestFigures(t *testing.T) {
	r := newFigures()
	histogram := func(name string) metrics.Histogram {
		return r.GetOrRegister(name, func() metrics.Histogram { return metrics.NewHistogram(metrics.NewUniformSample(8)) }).(metrics.Histogram)
	}
	for name, kept := range map[string]bool{
		LatencyFigure: true, ThrottleFigure + "1": true, "request-size": false, "batch-size-for-topic-orders": false, LatencyFigure + "-for-broker-1": false,
	} {
		histogram(name).Update(7)
		count, found := histogram(name).Count(), r.Get(name) != nil
		if found != kept || count != map[bool]int64{true: 1}[kept] {
			t.Errorf("%s: in the registry %t, with %d samples", name, found, count)
		}
	}
	if metrics.GetOrRegisterMeter("request-rate", r).Mark(3); r.Get("request-rate").(metrics.Meter).Count() != 3 {
		t.Error("a meter does not count")
	}
}
