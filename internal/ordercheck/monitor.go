// Package ordercheck watches what bridges of one process produce, and counts
// orders sent before their event was acknowledged and refunds sent before their
// order was. It looks at records alone and knows nothing of the bridge's state.
//
// It serves the demo and tests, where everything runs in one process and
// memory for every key is at hand.
package ordercheck

import (
	"encoding/json"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/legacyproto"
)

// Monitor is a kafka.Observer. It reads JSON records.
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
// refund does not say which order it is for.
func (m *Monitor) Legacy(topic string, value []byte) {
	if topic != "refund_requests" || len(value) == 0 {
		return
	}
	var r legacyproto.RefundRequest
	if proto.Unmarshal(value, &r) != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refundedBy[r.GetId()] = r.GetOrder()
}

// Sending checks a record before it is sent.
func (m *Monitor) Sending(topic string, key, value []byte) {
	switch topic {
	case m.orders:
		var order struct {
			Tickets []struct {
				EventID string `json:"event_id"`
			} `json:"tickets"`
		}
		ok := json.Unmarshal(value, &order) == nil && len(order.Tickets) > 0
		m.check(&m.violations.Orders, ok && m.has(m.events, order.Tickets[0].EventID))
	case m.refunds:
		m.check(&m.violations.Refunds, m.has(m.orders, m.orderOf(string(key))))
	case m.events:
		m.check(new(int), true)
	}
}

// Acked takes note of an acknowledged record.
func (m *Monitor) Acked(topic string, key, _ []byte) {
	if topic != m.events && topic != m.orders {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acked[topic+"\x00"+string(key)] = true
}

// Violations counted so far.
func (m *Monitor) Violations() Violations {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.violations
}

func (m *Monitor) check(counter *int, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.violations.Sent++
	if !ok {
		*counter++
	}
}

func (m *Monitor) has(topic, key string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.acked[topic+"\x00"+key]
}

func (m *Monitor) orderOf(refund string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.refundedBy[refund]
}
