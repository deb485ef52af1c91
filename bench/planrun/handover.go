package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/capacity"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

// handOver has one of two instances end in order, and then one be killed, and measures after how long the other one has
// done what came just then. The state is that of the smallest size, so that there is next to nothing to restore.
func (b *bench) handOver(ctx context.Context) (h capacity.HandOver, err error) {
	d := &deployment{b: b, name: "hand-over", season: season.Config{Orders: b.sizes[0], Seed: b.seed}, partitions: b.partitions,
		more: fmt.Sprintf("target: {brokers: [%q]}\n", b.addr)}
	if err := d.create(ctx); err != nil {
		return h, err
	}
	defer func() { err = errors.Join(err, d.remove(context.WithoutCancel(ctx))) }()
	if _, err := d.load(ctx, d.season, legacyTopics...); err != nil {
		return h, err
	}
	stays, err := d.start(d.state())
	if err != nil {
		return h, err
	}
	defer stays.discard()
	if _, err := stays.drained(ctx); err != nil {
		return h, err
	}
	h.SessionTimeoutSeconds = sessionTimeout.Seconds()
	if h.OrderlySeconds, err = d.lose(ctx, stays, syscall.SIGTERM, 1); err != nil {
		return h, fmt.Errorf("in order: %w", err)
	}
	if h.KilledSeconds, err = d.lose(ctx, stays, syscall.SIGKILL, 2); err != nil {
		return h, fmt.Errorf("killed: %w", err)
	}
	b.say("hand-over: %.1fs when an instance ends in order, %.1fs when it is killed, with a session timeout of %s", h.OrderlySeconds, h.KilledSeconds, sessionTimeout)
	return h, stays.end(ctx)
}

// lose starts a second instance, ends it with a signal once both have their partitions, and tells after how many seconds
// the last slim record is there of what was written at that moment.
func (d *deployment) lose(ctx context.Context, stays *instance, signal syscall.Signal, seed uint64) (float64, error) {
	goes, err := d.start(filepath.Join(d.folder(), fmt.Sprintf("state-%d", seed)))
	if err != nil {
		return 0, err
	}
	defer goes.discard()
	if _, err := goes.reads(ctx); err != nil {
		return 0, err
	}
	if err := stays.until(ctx, "both have their partitions", func() (bool, error) { return d.stable(ctx, 2) }); err != nil {
		return 0, err
	}
	if _, err := stays.reads(ctx); err != nil { // its tables, after the rebalance
		return 0, err
	}
	at := time.Now()
	if err := syscall.Kill(goes.PID(), signal); err != nil {
		return 0, err
	}
	more := season.Config{Orders: 1000, Seed: d.season.Seed + seed}
	if _, err := d.load(ctx, more, season.TopicPartners, season.TopicEvents); err != nil {
		return 0, err
	}
	seen, err := stays.drained(ctx)
	if err != nil {
		return 0, err
	}
	if len(seen) < 2 {
		return 0, errors.New("nothing has come out")
	}
	<-goes.Done()
	return seen[len(seen)-1].At.Sub(at).Seconds(), nil
}

// stable tells whether all groups have settled with so many members.
func (d *deployment) stable(ctx context.Context, members int) (bool, error) {
	described, err := d.b.admin.DescribeGroups(ctx, d.groups()...)
	if err != nil {
		return false, err
	}
	for _, g := range described {
		if g.Err != nil {
			return false, fmt.Errorf("group %s: %w", g.Group, g.Err)
		}
		if g.State != "Stable" || len(g.Members) != members {
			return false, nil
		}
	}
	return len(described) == len(d.groups()), nil
}
