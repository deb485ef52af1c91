package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/capacity"
	"github.com/ticketscloud/vibe-bridge/internal/process"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

// size measures a season of so many orders.
func (b *bench) size(ctx context.Context, name string, orders int) (s capacity.Size, err error) {
	d := &deployment{b: b, name: name, season: season.Config{Orders: orders, Seed: b.seed}, partitions: b.partitions,
		more: fmt.Sprintf("target: {brokers: [%q]}\n", b.addr)}
	totals := season.Stats(d.season)
	s = capacity.Size{Orders: orders, Events: totals.Entities[season.TopicEvents], Refunds: totals.Entities[season.TopicRefunds]}
	if err := d.create(ctx); err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, d.remove(context.WithoutCancel(ctx))) }()
	if s.EventPhase, err = d.phase(ctx, season.TopicPartners, season.TopicEvents); err != nil {
		return s, fmt.Errorf("events: %w", err)
	}
	b.say("%s: events %s", name, phaseText(s.EventPhase))
	if s.OrderPhase, err = d.phase(ctx, season.TopicOrders, season.TopicRefunds); err != nil {
		return s, fmt.Errorf("orders: %w", err)
	}
	b.say("%s: orders %s", name, phaseText(s.OrderPhase))
	if b.verify {
		if err := d.verify(ctx); err != nil {
			return s, err
		}
		s.OrderPhase.Verified = true
	}
	if s.WarmSeconds, err = d.starts(ctx, func() error { return nil }); err != nil {
		return s, fmt.Errorf("start with state: %w", err)
	}
	if s.ColdSeconds, err = d.starts(ctx, func() error { return os.RemoveAll(d.state()) }); err != nil {
		return s, fmt.Errorf("start without state: %w", err)
	}
	b.say("%s: reads with its state after %.1fs, without after %.1fs (%.0f rows)", name, s.WarmSeconds, s.ColdSeconds, s.EventPhase.TableRows+s.OrderPhase.TableRows)
	return s, nil
}

func phaseText(p capacity.Phase) string {
	return fmt.Sprintf("%.0f legacy records in %.1fs, %.1fs of processor time and %.1fs of the broker's, at most %.0f MiB; state folder +%.0f MiB",
		p.Records, p.Seconds, p.CPU, p.BrokerCPU, p.PeakMiB, p.StateMiB)
}

// phase loads some topics and has a process drain them.
func (d *deployment) phase(ctx context.Context, topics ...string) (p capacity.Phase, err error) {
	before, err := d.stock(ctx)
	if err != nil {
		return p, err
	}
	n, err := d.load(ctx, d.season, topics...)
	if err != nil {
		return p, err
	}
	broker, err := d.b.brokerCPU()
	if err != nil {
		return p, err
	}
	i, err := d.start(d.state())
	if err != nil {
		return p, err
	}
	defer i.discard()
	seen, err := i.drained(ctx)
	if err != nil {
		return p, err
	}
	last := seen[len(seen)-1]
	in, out, err := i.traffic()
	if err != nil {
		return p, err
	}
	if err := i.end(ctx); err != nil {
		return p, err
	}
	// What a process has left in its write-ahead log, the next one writes into tables: only then the folder's size says something.
	if _, err := d.restart(ctx); err != nil {
		return p, fmt.Errorf("start again: %w", err)
	}
	after, err := d.stock(ctx)
	if err != nil {
		return p, err
	}
	_, peak := i.Memory()
	return capacity.Phase{
		Records: float64(n), Seconds: last.At.Sub(i.began).Seconds(), CPU: last.CPU.Seconds(), BrokerCPU: (last.Broker - broker).Seconds(),
		ReceivedMiB: in / (1 << 20), SentMiB: out / (1 << 20), LegacyMiB: after.legacy - before.legacy, InternalMiB: after.internal - before.internal,
		TableMiB: after.table - before.table, SlimMiB: after.slim - before.slim, TableRows: after.rows - before.rows,
		StateMiB: after.state - before.state, PeakMiB: peak, SlimRecords: after.written - before.written,
	}, nil
}

// stock is what lies on disks.
type stock struct {
	disk
	rows, written, state float64
}

func (d *deployment) stock(ctx context.Context) (s stock, err error) {
	if s.disk, err = d.disk(ctx); err != nil {
		return s, err
	}
	if s.rows, err = d.b.endOf(ctx, d.tables()...); err != nil {
		return s, err
	}
	if s.written, err = d.b.endOf(ctx, d.slim()...); err != nil {
		return s, err
	}
	s.state = process.FolderMiB(d.state())
	return s, nil
}

// starts is the quickest of three restarts, before each of which something is done: what else runs only makes them slower.
func (d *deployment) starts(ctx context.Context, before func() error) (float64, error) {
	least := math.Inf(1)
	for range 3 {
		if err := before(); err != nil {
			return 0, err
		}
		s, err := d.restart(ctx)
		if err != nil {
			return 0, err
		}
		least = min(least, s)
	}
	return least, nil
}

// restart starts a process with nothing to do, and tells after how many seconds it reads.
func (d *deployment) restart(ctx context.Context) (float64, error) {
	i, err := d.start(d.state())
	if err != nil {
		return 0, err
	}
	defer i.discard()
	after, err := i.reads(ctx)
	if err != nil {
		return 0, err
	}
	return after.Round(time.Millisecond).Seconds(), i.end(ctx)
}
