package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/store"
)

// slimAt is a slim record that was appended at a time in milliseconds.
func slimAt(key string, ms int64) *kgo.Record {
	return &kgo.Record{Key: []byte(key), Timestamp: time.UnixMilli(ms)}
}

// check gives everything in the right order, changed by spoil.
func check(spoil func(r *parkRun, events, orders, refunds *[]*kgo.Record)) error {
	r := &parkRun{orders: 41, seed: 3}
	events := []*kgo.Record{slimAt(eventID, 10)}
	var orders, refunds []*kgo.Record
	for n := range r.orders {
		orders = append(orders, slimAt(r.orderID(n), 10))
		if n%refundEvery == 0 {
			refunds = append(refunds, slimAt(refundID(r.orderID(n)), 10))
		}
	}
	sortByKey(orders)
	if spoil != nil {
		spoil(r, &events, &orders, &refunds)
	}
	c := newSlimCheck(r)
	for _, rec := range events {
		c.takeEvent(rec)
	}
	for _, rec := range orders {
		c.takeOrder(rec)
	}
	for _, rec := range refunds {
		c.takeRefund(rec)
	}
	return c.end()
}

func sortByKey(records []*kgo.Record) {
	for i := range records {
		for j := i; j > 0 && string(records[j].Key) < string(records[j-1].Key); j-- {
			records[j], records[j-1] = records[j-1], records[j]
		}
	}
}

func TestSlimCheck(t *testing.T) {
	if err := check(nil); err != nil {
		t.Errorf("of a good run: %v", err)
	}
	for want, spoil := range map[string]func(r *parkRun, events, orders, refunds *[]*kgo.Record){
		"ms before its event":        func(_ *parkRun, _, orders, _ *[]*kgo.Record) { (*orders)[0].Timestamp = time.UnixMilli(9) },
		"there is no slim event":     func(_ *parkRun, events, _, _ *[]*kgo.Record) { *events = nil },
		"1 of 41 orders are missing": func(_ *parkRun, _, orders, _ *[]*kgo.Record) { *orders = (*orders)[:40] },
		"a second time":              func(_ *parkRun, _, orders, _ *[]*kgo.Record) { *orders = append(*orders, (*orders)[40]) },
		"with a greater key":         func(_ *parkRun, _, orders, _ *[]*kgo.Record) { o := *orders; o[3], o[4] = o[4], o[3] },
		"that of no order":           func(_ *parkRun, _, orders, _ *[]*kgo.Record) { (*orders)[5].Key = []byte("00000000-0000001") },
		"was appended before it": func(_ *parkRun, _, orders, _ *[]*kgo.Record) {
			(*orders)[0].Timestamp = time.UnixMilli(11)
			setAll(*orders, 11)
		},
		"1 of 3 refunds are missing":  func(_ *parkRun, _, _, refunds *[]*kgo.Record) { *refunds = (*refunds)[1:] },
		"that of no refund":           func(r *parkRun, _, _, refunds *[]*kgo.Record) { (*refunds)[0].Key = []byte(refundID(r.orderID(1))) },
		"the key is not the event's":  func(_ *parkRun, events, _, _ *[]*kgo.Record) { *events = append(*events, slimAt("another", 10)) },
		"the refund of order 0 a sec": func(_ *parkRun, _, _, refunds *[]*kgo.Record) { *refunds = append(*refunds, (*refunds)[0]) },
	} {
		if err := check(spoil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error that says %q", err, want)
		}
	}
}

func setAll(records []*kgo.Record, ms int64) {
	for _, r := range records {
		r.Timestamp = time.UnixMilli(ms)
	}
}

// The second run may take what the cache does and a share more, and no run more than the limit.
func TestJudgeMemory(t *testing.T) {
	c := config{maxRSS: 512, growth: 1.3}
	most := 1.3*150 + float64(store.DefaultCacheBytes>>20)
	for _, m := range []struct {
		base, all float64
		fine      bool
	}{{150, most - 5, true}, {150, most + 5, false}, {350, 511, true}, {350, 513, false}, {513, 200, false}} {
		if err := judgeMemory(c, []*figures{{Orders: 1, PeakMiB: m.base}, {Orders: 10, PeakMiB: m.all}}, io.Discard); (err == nil) != m.fine {
			t.Errorf("%.0f and %.0f MiB: %v", m.base, m.all, err)
		}
	}
}

func TestOrderNumbers(t *testing.T) {
	r := &parkRun{orders: 1000, seed: 9}
	for n := range r.orders {
		if got := r.orderNumber(r.orderID(n)); got != n {
			t.Fatalf("order %d is read as %d", n, got)
		}
	}
	for _, id := range []string{"", "x", r.orderID(1000), "00000000-0000001", "x-y", "-1"} {
		if got := r.orderNumber(id); got != -1 {
			t.Errorf("%q is read as order %d", id, got)
		}
	}
}
