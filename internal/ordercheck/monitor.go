// Package ordercheck watches what bridges of one process produce, and counts
// orders sent before their event was acknowledged and refunds sent before their
// order was. It looks at records alone and knows nothing of the bridge's state.
//
// It serves the demo and tests, where everything runs in one process and
// memory for every key is at hand.
package ordercheck

import (
	"encoding/json"
	"slices"
	"sync"

	"github.com/ticketscloud/vibe-bridge/legacyproto/intake"
)

// Monitor is a kafka.Observer. It reads JSON records. It is safe for concurrent use.
type Monitor struct {
	events, orders, refunds string // topics

	mu         sync.Mutex
	acked      map[string]bool   // topic and key
	refundedBy map[string]string // refund id to order id, from the legacy records
	violations Violations
}

// Violations counts what was sent too early, and what was sent.
type Violations struct {
	Orders  int `json:"order_violations"`
	Refunds int `json:"refund_violations"`
	Sent    int `json:"-"`
}

// New watches three slim topics.
func New(events, orders, refunds string) *Monitor {
	return &Monitor{events: events, orders: orders, refunds: refunds, acked: map[string]bool{}, refundedBy: map[string]string{}}
}

// Legacy takes note of a legacy record, by the default name of its topic: a slim
// refund does not say which order it is for. It must be called before the bridge
// can have read the record.
func (m *Monitor) Legacy(topic string, value []byte) {
	if topic != "refund_requests" || len(value) == 0 {
		return
	}
	// As the bridge reads it: what the bridge can read must be known here, or its
	// refund would count as a violation.
	var r intake.RefundRequest
	if intake.DecodeRefundRequest(value, &r) != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refundedBy[r.GetId()] = r.GetOrder()
}

// Sending checks a record before it is sent. A record that does not say what it
// depends on is a violation: nothing shows that it was in order.
func (m *Monitor) Sending(topic string, key, value []byte) {
	var parents []string
	if topic == m.orders {
		parents = m.eventsOf(value)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch topic {
	case m.events:
		m.violations.Sent++
	case m.orders:
		m.violations.Sent++
		if !m.allAcked(parents) {
			m.violations.Orders++
		}
	case m.refunds:
		m.violations.Sent++
		if !m.allAcked([]string{entry(m.orders, m.refundedBy[string(key)])}) {
			m.violations.Refunds++
		}
	}
}

// eventsOf lists the events of an order's tickets.
func (m *Monitor) eventsOf(value []byte) []string {
	var order struct {
		Tickets []struct {
			EventID string `json:"event_id"`
		} `json:"tickets"`
	}
	if json.Unmarshal(value, &order) != nil {
		return nil
	}
	var events []string
	for _, ticket := range order.Tickets {
		events = append(events, entry(m.events, ticket.EventID))
	}
	return events
}

func (m *Monitor) allAcked(entries []string) bool {
	return len(entries) > 0 && !slices.ContainsFunc(entries, func(e string) bool { return !m.acked[e] })
}

// Acked takes note of an acknowledged record.
func (m *Monitor) Acked(topic string, key, _ []byte) {
	if topic != m.events && topic != m.orders {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acked[entry(topic, string(key))] = true
}

// Violations counted so far.
func (m *Monitor) Violations() Violations {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.violations
}

// entry is a record's place in Monitor.acked.
func entry(topic, key string) string { return topic + "\x00" + key }
