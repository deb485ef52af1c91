package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/mapping"
)

// slimCheck holds the slim topics against what was written, by key and time of appending.
type slimCheck struct {
	r        *parkRun
	event    int64         // when the event's first record was appended, Unix milliseconds
	appended map[int]int64 // the same, by number of the order
	refunds  map[int]bool
	lastKey  string
	found    []error
}

// mostFound bounds how many faults are told.
const mostFound = 10

func (c *slimCheck) fault(format string, args ...any) {
	if len(c.found) < mostFound {
		c.found = append(c.found, fmt.Errorf(format, args...))
	}
}

func newSlimCheck(r *parkRun) *slimCheck {
	return &slimCheck{r: r, event: math.MaxInt64, appended: make(map[int]int64, r.orders), refunds: map[int]bool{}}
}

func (c *slimCheck) takeEvent(rec *kgo.Record) {
	if string(rec.Key) != eventID {
		c.fault("events/%d: the key is not the event's", rec.Offset)
		return
	}
	c.event = min(c.event, rec.Timestamp.UnixMilli())
}

func (c *slimCheck) takeOrder(rec *kgo.Record) {
	n, at := c.r.orderNumber(string(rec.Key)), rec.Timestamp.UnixMilli()
	if n < 0 {
		c.fault("orders/%d: the key is that of no order", rec.Offset)
		return
	}
	if _, twice := c.appended[n]; twice {
		c.fault("orders/%d: order %d a second time", rec.Offset, n)
	}
	c.appended[n] = at
	if at < c.event && c.event != math.MaxInt64 {
		c.fault("orders/%d: order %d was appended %d ms before its event", rec.Offset, n, c.event-at)
	}
	// One release visits keys in ascending order, and one partition keeps it.
	key := mapping.OrderKey(eventID, string(rec.Key))
	if key < c.lastKey {
		c.fault("orders/%d: order %d is behind one with a greater key", rec.Offset, n)
	}
	c.lastKey = key
}

func (c *slimCheck) takeRefund(rec *kgo.Record) {
	order, isRefund := strings.CutPrefix(string(rec.Key), refundID(""))
	n := c.r.orderNumber(order)
	if !isRefund || n < 0 || n%refundEvery != 0 {
		c.fault("refunds/%d: the key is that of no refund", rec.Offset)
		return
	}
	if c.refunds[n] {
		c.fault("refunds/%d: the refund of order %d a second time", rec.Offset, n)
	}
	c.refunds[n] = true
	if at, there := c.appended[n]; !there || rec.Timestamp.UnixMilli() < at {
		c.fault("refunds/%d: the refund of order %d was appended before it", rec.Offset, n)
	}
}

// end adds what is missing.
func (c *slimCheck) end() error {
	if c.event == math.MaxInt64 {
		c.fault("there is no slim event")
	}
	if n := c.r.orders - len(c.appended); n != 0 {
		c.fault("%d of %d orders are missing", n, c.r.orders)
	}
	if n := c.r.refundCount() - len(c.refunds); n != 0 {
		c.fault("%d of %d refunds are missing", n, c.r.refundCount())
	}
	return errors.Join(c.found...)
}

func (r *parkRun) checkSlim(ctx context.Context) error {
	c := newSlimCheck(r)
	for _, s := range []struct {
		stream mapping.Stream
		take   func(*kgo.Record)
	}{{mapping.Events, c.takeEvent}, {mapping.Orders, c.takeOrder}, {mapping.Refunds, c.takeRefund}} {
		if err := r.cluster().Read(ctx, r.topics.Slim[s.stream], s.take); err != nil {
			return err
		}
	}
	r.f.SlimOrders, r.f.SlimRefunds = len(c.appended), len(c.refunds)
	return c.end()
}
