package processors

import (
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/rcrowley/go-metrics"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// clients are the Kafka clients of one build of an instance, for their figures. Every client has a registry of its
// own: it takes out what it has put in when it is closed.
type clients struct {
	mu  sync.Mutex
	all []client
}

type client struct {
	cluster, kind string
	figures       metrics.Registry
}

const (
	consumerClient = "consumer"
	producerClient = "producer"
)

// add notes the client that will be made of a configuration.
func (c *clients) add(cluster, kind string, cfg *sarama.Config) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, client{cluster, kind, cfg.MetricRegistry})
}

// clientSum is what the clients of one cluster and kind show together.
type clientSum struct {
	requests, sent, received, open, records, fetches int64
	latency, throttle                                float64 // of the worst, milliseconds
}

func (c *clients) collect(to sink) {
	type kindOf struct{ cluster, kind string }
	sums := map[kindOf]*clientSum{
		{kafka.SourceCluster, consumerClient}: {}, {kafka.StateCluster, consumerClient}: {},
		{kafka.StateCluster, producerClient}: {}, {kafka.TargetCluster, producerClient}: {},
	}
	c.mu.Lock()
	for _, one := range c.all {
		if sum := sums[kindOf{one.cluster, one.kind}]; sum != nil {
			sum.add(one.figures)
		}
	}
	c.mu.Unlock()
	for of, sum := range sums {
		to.counter(mClientRequests, float64(sum.requests), of.cluster, of.kind)
		to.counter(mClientSent, float64(sum.sent), of.cluster, of.kind)
		to.counter(mClientReceived, float64(sum.received), of.cluster, of.kind)
		to.gauge(mClientOpen, float64(sum.open), of.cluster, of.kind)
		to.gauge(mClientLatency, milliseconds(sum.latency), of.cluster, of.kind)
		to.gauge(mClientThrottle, milliseconds(sum.throttle), of.cluster, of.kind)
		if of.kind == producerClient {
			to.counter(mProducerRecords, float64(sum.records), of.cluster)
		} else {
			to.counter(mConsumerFetches, float64(sum.fetches), of.cluster)
		}
	}
}

func milliseconds(ms float64) float64 { return ms * time.Millisecond.Seconds() }

// add takes the figures of one client. They are sarama's, by sarama's names.
func (s *clientSum) add(r metrics.Registry) {
	marked := func(name string) int64 {
		if m, ok := r.Get(name).(metrics.Meter); ok {
			return m.Count()
		}
		return 0
	}
	const p99 = 0.99
	s.requests += marked("request-rate")
	s.sent += marked("outgoing-byte-rate")
	s.received += marked("incoming-byte-rate")
	s.records += marked("record-send-rate")
	s.fetches += marked("consumer-fetch-rate")
	if n, ok := r.Get("requests-in-flight").(metrics.Counter); ok {
		s.open += n.Count()
	}
	if h, ok := r.Get(kafka.LatencyFigure).(metrics.Histogram); ok {
		s.latency = max(s.latency, h.Percentile(p99))
	}
	r.Each(func(name string, figure any) { // throttling is known by broker only
		if h, ok := figure.(metrics.Histogram); ok && strings.HasPrefix(name, kafka.ThrottleFigure) {
			s.throttle = max(s.throttle, h.Percentile(p99))
		}
	})
}
