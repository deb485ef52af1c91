package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/process"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

const (
	// still is how long no event may have come out before the events are taken for drained.
	still = 3 * time.Second
	// longest bounds the drain of events or orders, and everything else that is waited for.
	longest = 10 * time.Minute
)

// stage is a deployment of its own legacy topics, under a load.
type stage struct {
	b      *bench
	c      contestant
	p      *place
	client *kgo.Client // writes legacy records
	flow   *flow
	sales  []sale // that are still to be offered

	failed context.CancelCauseFunc
	lives  []*life

	mu        sync.Mutex
	events    map[string]bool // that have come out
	lastEvent time.Time
}

// life is an instance that runs.
type life struct {
	run   *process.Process
	meant atomic.Bool // it may end
}

// onStage starts instances of a contestant in these places on new topics, has them drain partners and events, and then calls act.
// What came out is verified in the end, with so many orders at least.
func (b *bench) onStage(ctx context.Context, c contestant, places []*place, act func(context.Context, *stage) error) (err error) {
	p := places[0]
	defer func() { err = errors.Join(err, b.remove(context.WithoutCancel(ctx), p)) }()
	for _, p := range places {
		if err := b.settle(c, p); err != nil {
			return err
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.ProducerLinger(time.Millisecond))
	if err != nil {
		return err
	}
	defer client.Close()
	s := &stage{b: b, c: c, p: p, client: client, flow: newFlow(), sales: b.sales.orders, events: map[string]bool{}}
	if err := b.createTopics(ctx, p); err != nil {
		return err
	}
	if err := s.perform(ctx, places, act); err != nil {
		for _, p := range places {
			err = fmt.Errorf("%w; the log in %s ends with: %s", err, p.dir, process.LastLine(p.log()))
		}
		return err
	}
	return b.verify(ctx, p, len(s.flow.orders)/2)
}

func (s *stage) perform(ctx context.Context, places []*place, act func(context.Context, *stage) error) (err error) {
	ctx, s.failed = context.WithCancelCause(ctx)
	defer s.failed(nil)
	stop, err := s.b.watch(s.p, s.saw, s.failed)
	if err != nil {
		return err
	}
	defer stop()
	defer func() {
		for _, l := range s.lives {
			l.meant.Store(true)
			l.run.Kill()
		}
	}()
	for _, p := range places {
		if err := s.enter(p); err != nil {
			return err
		}
	}
	// Work is shared before there is any: an instance of Kafka Streams that is behind would be left without for minutes.
	if err := s.share(ctx); err != nil {
		return err
	}
	if err := s.writeBefore(ctx); err != nil {
		return err
	}
	if err := wait(ctx, "events to come out", s.drained); err != nil {
		return err
	}
	if err := act(ctx, s); err != nil {
		return err
	}
	return s.leave(ctx)
}

func (b *bench) createLegacy(ctx context.Context, p *place) error {
	var own []string
	for _, topic := range legacyTopics {
		own = append(own, p.reads(topic))
	}
	created, err := b.admin.CreateTopics(ctx, int32(b.partitions), 1, map[string]*string{"retention.ms": kadm.StringPtr("-1")}, own...)
	for _, r := range created {
		err = errors.Join(err, r.Err)
	}
	if err != nil {
		return err
	}
	// A broker knows a topic some moments after it has been created.
	return wait(ctx, "the legacy topics to be known", func(time.Time) bool {
		listed, err := b.admin.ListTopics(ctx, own...)
		return err == nil && listed.Error() == nil
	})
}

func (s *stage) writeBefore(ctx context.Context) error {
	for _, r := range s.b.sales.before {
		s.client.Produce(ctx, &kgo.Record{Topic: s.p.reads(r.Topic), Key: r.Key, Value: r.Value}, s.acknowledged)
	}
	return s.client.Flush(ctx)
}

func (s *stage) acknowledged(r *kgo.Record, err error) {
	if err != nil {
		s.failed(fmt.Errorf("write to %s: %w", r.Topic, err))
	}
}

// enter starts an instance. When it ends by itself the measurement fails.
func (s *stage) enter(p *place) error {
	run, err := s.b.start(s.c, p)
	if err != nil {
		return err
	}
	l := &life{run: run}
	s.lives = append(s.lives, l)
	go func() {
		<-run.Done()
		if !l.meant.Load() {
			s.failed(fmt.Errorf("an instance ended with %s", run.State()))
		}
	}()
	return nil
}

// leave ends all instances that run.
func (s *stage) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, endLimit)
	defer cancel()
	for _, l := range s.lives {
		if l.meant.Swap(true) {
			continue
		}
		if err := l.run.End(ctx); err != nil {
			return err
		}
	}
	return nil
}

// kill ends an instance with SIGKILL.
func (l *life) kill() {
	l.meant.Store(true)
	l.run.Kill()
}

func (s *stage) saw(topic, key string, at time.Time) {
	if topic == s.p.prefix+"orders" {
		s.flow.saw(key, at)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events[key], s.lastEvent = true, at
}

// drained tells whether all events have come out, and nothing more of them does.
func (s *stage) drained(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.events) >= s.b.sales.events && now.Sub(s.lastEvent) > still
}

// wait waits until something holds.
func wait(ctx context.Context, what string, holds func(now time.Time) bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, longest, fmt.Errorf("%s: not within %s", what, longest))
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for !holds(time.Now()) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	return nil
}

// offer sends the next order, which is due at some moment. It is not taken back when ctx ends.
func (s *stage) offer(ctx context.Context, due time.Time) error {
	if len(s.sales) == 0 {
		return errors.New("all orders that were made up are offered")
	}
	next := s.sales[0]
	s.sales = s.sales[1:]
	number := s.flow.offer(next.id, due)
	s.client.Produce(context.WithoutCancel(ctx), &kgo.Record{Topic: s.p.reads(season.TopicOrders), Key: []byte(next.id), Value: next.value}, func(r *kgo.Record, err error) {
		s.acknowledged(r, err)
		s.flow.wrote(number, time.Now())
	})
	return nil
}

// pace offers n orders at a rate, and returns when the last is sent or ctx ends.
func (s *stage) pace(ctx context.Context, at schedule, n int) error {
	return at.run(ctx, n, func(i int) {
		if err := s.offer(ctx, at.due(i)); err != nil {
			s.failed(err)
		}
	})
}

// arrived waits until all that was offered is seen.
func (s *stage) arrived(ctx context.Context) error {
	err := wait(ctx, "all orders to come out", func(now time.Time) bool { return s.flow.missing(now) == 0 })
	if err != nil {
		return fmt.Errorf("%d of %d orders are lost: %w", s.flow.missing(time.Now()), len(s.flow.passages(0)), err)
	}
	return nil
}

// watch reads the slim events and orders of a place as a plain consumer would, from their first records on, and hands each
// on with the time at which it has it.
func (b *bench) watch(p *place, see func(topic, key string, at time.Time), failed func(error)) (stop func(), err error) {
	return b.consume(see, failed, kgo.ConsumeTopics(p.watched()...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
}

// watchOn is watch from the present ends of the topics on: it does not read what is there while something is measured.
func (b *bench) watchOn(ctx context.Context, p *place, see func(topic, key string, at time.Time), failed func(error)) (stop func(), err error) {
	ends, err := b.admin.ListEndOffsets(ctx, p.watched()...)
	if err = errors.Join(err, ends.Error()); err != nil {
		return nil, err
	}
	return b.consume(see, failed, kgo.ConsumePartitions(ends.KOffsets()))
}

func (p *place) watched() []string { return []string{p.prefix + "events", p.prefix + "orders"} }

func (b *bench) consume(see func(topic, key string, at time.Time), failed func(error), what ...kgo.Opt) (stop func(), err error) {
	client, err := kgo.NewClient(append(what, kgo.SeedBrokers(b.addr), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			fetches := client.PollFetches(ctx)
			if ctx.Err() != nil {
				return
			}
			at := time.Now()
			if err := fetches.Err(); err != nil {
				failed(fmt.Errorf("read the slim topics: %w", err))
			}
			fetches.EachRecord(func(r *kgo.Record) { see(r.Topic, string(r.Key), at) })
		}
	}()
	return func() {
		cancel()
		<-done
		client.Close()
	}, nil
}

// both makes the places of two instances of a deployment with legacy topics of its own.
func (b *bench) both(name string) []*place {
	p := newPlace(b, name)
	p.legacy = "legacy-" + name + "-"
	return []*place{p, p.twin()}
}
