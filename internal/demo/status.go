package demo

import (
	"encoding/json"
	"maps"
	"sync"

	"github.com/ticketscloud/vibe-bridge/internal/ordercheck"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// Status is the picture at one moment.
type Status struct {
	Produced  int64            // legacy records written
	Consumed  map[string]int64 // by default legacy topic name
	Emitted   map[string]int64 // slim records, by default legacy topic name
	Unread    int64            // legacy records that intake has not committed
	Internal  int64            // records of internal topics on their way: a legacy record becomes several
	Waiting   map[string]int64 // what waits, by reason
	Sample    map[string]string
	Violation ordercheck.Violations
}

func (d *Demo) status(lag processors.Lag) Status {
	m := d.bridge.Metrics()
	return Status{
		Produced: d.produced.Load(), Consumed: m.Consumed(), Emitted: m.Emitted(), Unread: lag.Legacy, Internal: lag.Records - lag.Legacy,
		Waiting: d.bridge.Waiting(), Sample: d.sample.latest(), Violation: d.monitor.Violations(),
	}
}

// Result accounts for a demonstration.
type Result struct {
	Accounts   *mapping.Accounts
	Counts     map[string]int64
	Waiting    map[string]int
	Violations ordercheck.Violations
	Reset      []mapping.Stream // see processors.Report
}

func (d *Demo) result(r *processors.Report) *Result {
	return &Result{Accounts: r.Accounts, Counts: d.bridge.Metrics().Counted(), Waiting: r.Waiting, Violations: d.monitor.Violations(), Reset: r.Reset}
}

// Good tells whether the accounts balance and nothing was out of order.
func (r *Result) Good() bool {
	return r.Accounts.Balanced() && r.Violations.Orders == 0 && r.Violations.Refunds == 0
}

// MarshalJSON gives one object: an account per legacy topic, the counts, and the violations.
func (r *Result) MarshalJSON() ([]byte, error) {
	m := map[string]any{
		"counts": r.Counts, "waiting": r.Waiting, "balanced": r.Accounts.Balanced(),
		"order_violations": r.Violations.Orders, "refund_violations": r.Violations.Refunds,
	}
	for topic, account := range r.Accounts.ByTopic() {
		m[topic] = account
	}
	if len(r.Reset) > 0 {
		var topics []string
		for _, s := range r.Reset {
			topics = append(topics, s.String())
		}
		m["consumed_reset"] = topics
	}
	return json.Marshal(m)
}

// sampler keeps the newest slim record of each topic on its way to the monitor.
type sampler struct {
	*ordercheck.Monitor
	mu  sync.Mutex
	out map[string]string
}

// Sending implements kafka.Observer.
func (s *sampler) Sending(topic string, key, value []byte) {
	s.Monitor.Sending(topic, key, value)
	if topic != "events" && topic != "orders" && topic != "refunds" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out == nil {
		s.out = map[string]string{}
	}
	s.out[topic] = string(value)
}

func (s *sampler) latest() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.out)
}
