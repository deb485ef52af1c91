package processors

import (
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// A row without an eligible record has nothing to send: an order that was only ever skipped, a ledger, a session.
func TestResyncConcernsWhatCanBeSent(t *testing.T) {
	const at = 1_000
	sendable := &statepb.Row{State: &statepb.Row_Order{Order: &statepb.OrderState{Entity: &statepb.Entity{Source: &statepb.Source{Time: at}}}}}
	skipped := &statepb.Row{State: &statepb.Row_Order{Order: &statepb.OrderState{Entity: &statepb.Entity{}, Skipped: true}}}
	order, refund := mapping.OrderKey("e", "o/1"), mapping.RefundKey("e", "o/1", "r")
	since := func(ms int64) ResyncRequest { return ResyncRequest{Since: time.UnixMilli(ms)} }
	for _, c := range []struct {
		req  ResyncRequest
		key  string
		row  *statepb.Row
		want bool
	}{
		{since(at), order, sendable, true},
		{since(at + 1), order, sendable, false},
		{since(-1), order, skipped, false},
		{since(-1), mapping.SessionKey, sendable, false},
		{since(-1), mapping.LedgerKey(mapping.Orders, 0), sendable, false},
		{ResyncRequest{Event: "e"}, "e", sendable, true},
		{ResyncRequest{Event: "e"}, refund, sendable, true},
		{ResyncRequest{Event: "e"}, order, skipped, false},
		{ResyncRequest{Event: "e"}, mapping.OrderKey("e2", "o"), sendable, false},
		{ResyncRequest{Order: "o/1"}, order, sendable, true},
		{ResyncRequest{Order: "o/1"}, refund, sendable, true},
		{ResyncRequest{Order: "o/1"}, mapping.OrderKey("e", "o"), sendable, false},
		{ResyncRequest{Order: ""}, "e", sendable, true},
		{ResyncRequest{Order: "o/1", Event: "f"}, order, sendable, false},
	} {
		if got := c.req.concerns(c.key, resendableOf(c.row)); got != c.want {
			t.Errorf("%+v of %s: %t", c.req, c.key, got)
		}
	}
}

func TestDueAfter(t *testing.T) {
	for _, c := range []struct {
		i, rate int
		want    time.Duration
	}{
		{0, 1, 0}, {1, 1, time.Second}, {999, 1000, 999 * time.Millisecond}, {1500, 1000, 1500 * time.Millisecond},
		{2_000_000_000, 1000, 2_000_000 * time.Second}, {1, 1_000_000_000, 1},
	} {
		if got := dueAfter(c.i, c.rate); got != c.want {
			t.Errorf("command %d at %d per second is due after %s, want %s", c.i, c.rate, got, c.want)
		}
	}
}
