package ordercheck_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/ordercheck"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
)

var _ kafka.Observer = (*ordercheck.Monitor)(nil)

const (
	order12 = `{"id":"o1","tickets":[{"id":"t1","event_id":"e1"},{"id":"t2","event_id":"e2"}]}`
	order1  = `{"id":"o1","tickets":[{"id":"t1","event_id":"e1"}]}`
)

func request(t *testing.T, id, order string) []byte {
	t.Helper()
	value, err := proto.Marshal(&legacyproto.RefundRequest{Id: id, Order: order})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// action is one thing that a monitor hears of.
type action func(*ordercheck.Monitor)

func sending(topic, key, value string) action {
	return func(m *ordercheck.Monitor) { m.Sending(topic, []byte(key), []byte(value)) }
}

func acked(topic, key string) action {
	return func(m *ordercheck.Monitor) { m.Acked(topic, []byte(key), nil) }
}

func legacy(topic string, value []byte) action {
	return func(m *ordercheck.Monitor) { m.Legacy(topic, value) }
}

func TestMonitor(t *testing.T) {
	refund := request(t, "r1", "o1")
	// A field that the bridge does not read, with bytes that are not UTF-8.
	odd := protowire.AppendBytes(protowire.AppendTag(request(t, "r1", "o1"), 4, protowire.BytesType), []byte{0xff})
	tests := []struct {
		name    string
		actions []action
		want    ordercheck.Violations
	}{
		{"nothing", nil, ordercheck.Violations{}},
		{"in order", []action{
			legacy("refund_requests", refund),
			sending("E", "e1", "{}"), acked("E", "e1"), sending("O", "o1", order1), acked("O", "o1"), sending("R", "r1", "{}"),
		}, ordercheck.Violations{Sent: 3}},
		{"order before its event", []action{sending("O", "o1", order1)}, ordercheck.Violations{Orders: 1, Sent: 1}},
		{"order while its event is on its way", []action{sending("E", "e1", "{}"), sending("O", "o1", order1)}, ordercheck.Violations{Orders: 1, Sent: 2}},
		{"order after another event", []action{acked("E", "e2"), sending("O", "o1", order1)}, ordercheck.Violations{Orders: 1, Sent: 1}},
		{"event of a later ticket is missing", []action{acked("E", "e1"), sending("O", "o1", order12)}, ordercheck.Violations{Orders: 1, Sent: 1}},
		{"events of all tickets", []action{acked("E", "e1"), acked("E", "e2"), sending("O", "o1", order12)}, ordercheck.Violations{Sent: 1}},
		{"order without tickets", []action{acked("E", ""), sending("O", "o1", `{"tickets":[]}`)}, ordercheck.Violations{Orders: 1, Sent: 1}},
		{"order that is not JSON", []action{acked("E", ""), sending("O", "o1", "\x0a")}, ordercheck.Violations{Orders: 1, Sent: 1}},
		{"each repeat counts", []action{sending("O", "o1", order1), sending("O", "o1", order1)}, ordercheck.Violations{Orders: 2, Sent: 2}},
		{"refund before its order", []action{legacy("refund_requests", refund), acked("E", "e1"), sending("R", "r1", "{}")}, ordercheck.Violations{Refunds: 1, Sent: 1}},
		{"refund after another order", []action{legacy("refund_requests", refund), acked("O", "o2"), sending("R", "r1", "{}")}, ordercheck.Violations{Refunds: 1, Sent: 1}},
		{"refund of an unknown request", []action{acked("O", "o1"), sending("R", "r1", "{}")}, ordercheck.Violations{Refunds: 1, Sent: 1}},
		{"an event's key is no order's", []action{legacy("refund_requests", refund), acked("E", "o1"), sending("R", "r1", "{}")}, ordercheck.Violations{Refunds: 1, Sent: 1}},
		{"request in fields that the bridge does not read", []action{legacy("refund_requests", odd), acked("O", "o1"), sending("R", "r1", "{}")}, ordercheck.Violations{Sent: 1}},
		{"legacy records of other topics say nothing", []action{legacy("orders_done", refund), acked("O", "o1"), sending("R", "r1", "{}")}, ordercheck.Violations{Refunds: 1, Sent: 1}},
		{"tombstones and garbage are no requests", []action{
			legacy("refund_requests", refund), legacy("refund_requests", nil), legacy("refund_requests", []byte{0xff}),
			acked("O", "o1"), sending("R", "r1", "{}"),
		}, ordercheck.Violations{Sent: 1}},
		{"other topics", []action{sending("demo-events", "e1", "{}"), sending("demo-quarantine", "", "")}, ordercheck.Violations{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := ordercheck.New("E", "O", "R")
			for _, act := range tt.actions {
				act(m)
			}
			if got := m.Violations(); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// The names are those of the demo's accounting; what was sent is not part of it.
func TestViolationsJSON(t *testing.T) {
	got, err := json.Marshal(ordercheck.Violations{Orders: 1, Refunds: 2, Sent: 3})
	if want := `{"order_violations":1,"refund_violations":2}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

// Producers of several instances call it at once; the race detector watches.
func TestMonitorIsSafeForConcurrentUse(t *testing.T) {
	m := ordercheck.New("E", "O", "R")
	const workers, each = 4, 200
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for i := range each {
				key := fmt.Sprint(w, "-", i)
				sending("E", key, "{}")(m)
				acked("E", key)(m)
				sending("O", key, fmt.Sprintf(`{"tickets":[{"event_id":%q}]}`, key))(m)
				legacy("refund_requests", request(t, key, key))(m)
				acked("O", key)(m)
				sending("R", key, "{}")(m)
				m.Violations()
			}
		})
	}
	running.Wait()
	if got, want := m.Violations(), (ordercheck.Violations{Sent: 3 * workers * each}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
