package kafka

import (
	"strings"

	"github.com/rcrowley/go-metrics"
)

// Names of sarama's histograms that somebody reads.
const (
	// LatencyFigure is a histogram of a client, in milliseconds.
	LatencyFigure = "request-latency-in-ms"
	// ThrottleFigure is one for each broker, in milliseconds, and the id of the broker follows.
	ThrottleFigure = "throttle-time-in-ms-for-broker-"
)

// figures is a client's registry without the histograms that nobody reads. Each keeps 1,028 samples, and there is one
// for every topic and broker: of an instance that was a seventh of the live heap.
type figures struct{ metrics.Registry }

func newFigures() metrics.Registry { return figures{metrics.NewRegistry()} }

func (f figures) GetOrRegister(name string, figure any) any {
	if _, histogram := figure.(func() metrics.Histogram); histogram && name != LatencyFigure && !strings.HasPrefix(name, ThrottleFigure) {
		return metrics.NilHistogram{}
	}
	return f.Registry.GetOrRegister(name, figure)
}
