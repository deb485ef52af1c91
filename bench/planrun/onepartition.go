package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/ticketscloud/vibe-bridge/bench/steady"
	"github.com/ticketscloud/vibe-bridge/internal/capacity"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

// onePartition measures what the goroutine of one partition takes, and what intake takes, each while the other rests.
func (b *bench) onePartition(ctx context.Context) (o capacity.OnePartition, err error) {
	d := &deployment{b: b, name: "one-partition", season: season.Config{Orders: b.partitionOrders, Seed: b.seed}, partitions: 1,
		more: fmt.Sprintf("target: {brokers: [%q]}\nstate: {brokers: [%q]}\n", b.valve.Address(), b.addr)}
	if err := d.create(ctx); err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, d.remove(context.WithoutCancel(ctx))) }()
	if _, err := d.load(ctx, d.season, season.TopicPartners, season.TopicEvents); err != nil {
		return o, err
	}
	i, err := d.start(d.state())
	if err != nil {
		return o, err
	}
	defer i.discard()
	if _, err := i.drained(ctx); err != nil {
		return o, err
	}
	before, err := i.look(ctx)
	if err != nil {
		return o, err
	}
	b.valve.Shut()
	defer b.valve.Open()
	records, err := d.load(ctx, d.season, season.TopicOrders, season.TopicRefunds)
	if err != nil {
		return o, err
	}
	if err := i.until(ctx, "intake is through", func() (bool, error) {
		left, err := d.left(ctx, d.groups()[2:4]...)
		return left == 0, err
	}); err != nil {
		return o, err
	}
	between, err := i.look(ctx)
	if err != nil {
		return o, err
	}
	b.valve.Open()
	seen, err := i.drained(ctx)
	if err != nil {
		return o, err
	}
	o.Orders = b.partitionOrders
	if o.Records, o.CPU, o.BrokerCPU, err = steady.Of(seen, float64(records)); err != nil {
		return o, err
	}
	// A little too much: until its window is full of what the target does not acknowledge, the gate has worked, too.
	o.IntakeCPU = (between.CPU - before.CPU).Seconds() / float64(records)
	b.say("one partition: %.0f records/s, %.0f µs of processor time a record; intake %.0f µs", o.Records, o.CPU*1e6, o.IntakeCPU*1e6)
	return o, i.end(ctx)
}
