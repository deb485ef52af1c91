package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ticketscloud/vibe-bridge/bench/steady"
)

// partsOrders bounds the orders that intake has to be through with before the gate begins: the target answers none of the
// gate's requests until then, and clients give up on one after 30 s.
const partsOrders = 100_000

// partsFigures are those of the two halves of the bridge at work on orders, each while the other rests.
type partsFigures struct {
	Contestant string `json:"contestant"`
	Round      int    `json:"round"`
	Orders     int    `json:"orders"`
	// A little too much: until its window is full of what the target does not acknowledge, the gate has worked, too.
	IntakeCPU    float64 `json:"intake_cpu_seconds_per_order"`
	IntakeBroker float64 `json:"intake_broker_cpu_seconds_per_order"`
	// See steady.Of.
	GateRate   float64 `json:"gate_orders_per_second"`
	GateCPU    float64 `json:"gate_cpu_seconds_per_order"`
	GateBroker float64 `json:"gate_broker_cpu_seconds_per_order"`
	Verified   bool    `json:"verified"`
}

func (f *partsFigures) who() string { return f.Contestant }

func (f *partsFigures) String() string {
	return fmt.Sprintf("%d orders: intake alone %.1f µs of processor time an order and %.1f of the broker's; the gate alone %.0f orders/s, %.1f µs and %.1f; verified",
		f.Orders, f.IntakeCPU*1e6, f.IntakeBroker*1e6, f.GateRate, f.GateCPU*1e6, f.GateBroker*1e6)
}

// partly is how many orders the halves are measured with.
func (c config) partly() int { return min(c.orders, partsOrders) }

// parts has intake work through orders while the target stands still, and then the gate alone.
func (b *bench) parts(ctx context.Context, c contestant, n int) (*partsFigures, error) {
	f := &partsFigures{Contestant: c.name, Round: n, Orders: b.partly()}
	places := b.both(fmt.Sprintf("%s-parts-%d", c.name, n))[:1]
	places[0].target = b.valve.Address()
	err := b.onStage(ctx, c, places, func(ctx context.Context, s *stage) error { return s.measureParts(ctx, f) })
	if err != nil {
		return nil, fmt.Errorf("parts: %w", err)
	}
	f.Verified = true
	return f, nil
}

func (s *stage) measureParts(ctx context.Context, f *partsFigures) error {
	before, err := s.used()
	if err != nil {
		return err
	}
	s.b.valve.Shut()
	defer s.b.valve.Open() // whatever happens
	for range f.Orders {
		if err := s.offer(ctx, time.Now()); err != nil {
			return err
		}
	}
	if err := s.client.Flush(ctx); err != nil {
		return err
	}
	if err := s.taken(ctx); err != nil {
		return err
	}
	between, err := s.used()
	if err != nil {
		return err
	}
	s.b.valve.Open()
	seen, err := s.sampled(ctx, f.Orders)
	if err != nil {
		return err
	}
	orders := float64(f.Orders)
	f.IntakeCPU, f.IntakeBroker = (between.own-before.own).Seconds()/orders, (between.broker-before.broker).Seconds()/orders
	f.GateRate, f.GateCPU, f.GateBroker, err = steady.Of(seen, orders)
	return err
}

// taken waits until intake has committed all orders.
func (s *stage) taken(ctx context.Context) error {
	group := s.p.name + "-intake-orders"
	last := errors.New("nothing is known of it")
	err := wait(ctx, "intake to be through", func(time.Time) bool {
		lags, err := s.b.admin.Lag(ctx, group)
		lag := lags[group]
		if last = errors.Join(err, lag.Error()); last != nil {
			return false
		}
		return len(lag.Lag) > 0 && lag.Lag.Total() == 0
	})
	if err != nil {
		return errors.Join(err, last)
	}
	return nil
}

// sampled looks until all orders have come out.
func (s *stage) sampled(ctx context.Context, all int) (seen []steady.Sample, err error) {
	look := func(now time.Time) bool {
		u, failed := s.used()
		if failed != nil {
			err = failed
			return true
		}
		out := float64(all - s.flow.missing(now))
		if len(seen) == 0 || out > seen[len(seen)-1].Written {
			seen = append(seen, steady.Sample{At: now, Written: out, CPU: u.own, Broker: u.broker})
		}
		return out == float64(all)
	}
	look(time.Now())
	return seen, errors.Join(wait(ctx, "all orders to come out", look), err)
}

func (r *results) partsTable(names []string) string {
	if len(r.Parts) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Intake and the gate, each while the other rests, with %d orders whose events are there:\n\n", r.Parts[0].Orders)
	b.WriteString("| | µs of processor time an order | broker's | orders/s |\n|---|---|---|---|\n")
	for _, name := range measuredOf(r.Parts, names) {
		of := func(digits int, figure func(*partsFigures) float64) string {
			return cell(spreadAmong(r.Parts, name, figure), digits)
		}
		fmt.Fprintf(&b, "| %s, intake alone | %s | %s | - |\n", name,
			of(1, func(f *partsFigures) float64 { return f.IntakeCPU * 1e6 }), of(1, func(f *partsFigures) float64 { return f.IntakeBroker * 1e6 }))
		fmt.Fprintf(&b, "| %s, the gate alone | %s | %s | %s |\n", name,
			of(1, func(f *partsFigures) float64 { return f.GateCPU * 1e6 }), of(1, func(f *partsFigures) float64 { return f.GateBroker * 1e6 }),
			of(0, func(f *partsFigures) float64 { return f.GateRate }))
	}
	return b.String()
}
