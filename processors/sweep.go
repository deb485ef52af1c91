package processors

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// sweepPage bounds how many keys one sweep wakes per partition.
const sweepPage = 1000

// sweep looks, every SweepInterval, for holds that are over, and after a new
// assignment or a new directory for events whose slim record would now be
// another. It only sends commands to the gate (protocol rule R1).
func (b *Bridge) sweep(ctx context.Context) error {
	producer, err := b.client(kafka.StateCluster, b.cfg.State, nil)
	if err != nil {
		return err
	}
	s := newSweeper(b, producer)
	defer s.close()
	tick := time.NewTicker(b.cfg.SweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-producer.Errors():
			s.refused(err)
		case m := <-producer.Successes():
			s.acknowledged(m)
		case <-tick.C:
			s.all(ctx)
		}
		if s.err != nil {
			return s.err
		}
	}
}

type sweeper struct {
	b        *Bridge
	producer sarama.AsyncProducer
	reviewed map[int32]review // by partition
	asked    map[int32]asked  // by partition
	checked  time.Time        // when the ends of the changelogs were last looked at
	err      error            // the first refused command
}

func newSweeper(b *Bridge, producer sarama.AsyncProducer) *sweeper {
	return &sweeper{b: b, producer: producer, reviewed: map[int32]review{}, asked: map[int32]asked{}}
}

// asked is what the gate was told of a partition.
type asked struct {
	open   int   // commands that are not acknowledged by the brokers
	behind int64 // offset behind the last that is; 0: none was
}

func (s *sweeper) acknowledged(m *sarama.ProducerMessage) {
	a := s.asked[m.Partition]
	s.asked[m.Partition] = asked{max(a.open-1, 0), max(a.behind, m.Offset+1)}
}

// answered tells whether the gate has done all that it was told of a partition. Until then the same keys would be
// found due again: a gate that waits for a cluster, or is slower than the sweep, would be told the same without end.
func (s *sweeper) answered(partition int32) bool {
	a := s.asked[partition]
	if a.open > 0 {
		return false
	}
	g := s.b.gate.Load()
	return a.behind == 0 || g != nil && g.tracker.Settled(loopOf(s.b.topics.gateGroup()), partition) >= a.behind
}

func (s *sweeper) refused(err *sarama.ProducerError) {
	if err != nil && s.err == nil {
		s.err = fmt.Errorf("send command: %w", err.Err)
	}
}

// review is what was last compared with what. Every session has a store of its
// own, so another owner's rows are never taken for reviewed, and rules that come
// back are another edition: events were decided under others meanwhile.
type review struct {
	st    *store.Store
	rules *edition
}

func (s *sweeper) close() {
	s.producer.AsyncClose()
	go func() {
		for range s.producer.Errors() {
		}
	}()
	for range s.producer.Successes() {
	}
}

// all sweeps the partitions that are open here. One that is still being filled
// from its changelog shows old rows and lacks others: it is swept when it is
// recovered. A store that closes meanwhile gives an error; its next owner sweeps it.
func (s *sweeper) all(ctx context.Context) {
	table := tableOf(s.b.topics.gateGroup())
	for p := range s.b.cfg.Settings.Partitions {
		st := s.b.stores.Recovered(table, p)
		if st == nil {
			delete(s.reviewed, p)
			continue
		}
		if s.answered(p) {
			if err := s.due(ctx, p, st); err != nil {
				continue
			}
		}
		s.review(ctx, p, st)
	}
	s.checkEnds(ctx)
}

// endsInterval is how often the ends of quiet changelogs are looked at.
const endsInterval = 10 * time.Second

// checkEnds looks for records of former owners where the session writes nothing.
func (s *sweeper) checkEnds(ctx context.Context) {
	if time.Since(s.checked) < endsInterval {
		return
	}
	s.checked = time.Now()
	for _, g := range []*group{s.b.organizers.Load(), s.b.gate.Load()} {
		if g == nil || ctx.Err() != nil {
			continue
		}
		if err := g.checkEnds(); err != nil && s.err == nil {
			s.err = err
		}
	}
}

func (s *sweeper) due(ctx context.Context, partition int32, st *store.Store) error {
	var keys []string
	err := st.ScanDue(time.Now().UnixMilli(), sweepPage, func(key string, _ store.Waiting) bool {
		keys = append(keys, key)
		return true
	})
	for _, key := range keys {
		s.recheck(ctx, partition, key)
	}
	return err
}

// review compares the events of a partition with what the present directory
// makes of them, once per store and directory. It waits for the next sweep while
// a callback runs that took the rules before that directory came: its row may be
// written behind the review.
func (s *sweeper) review(ctx context.Context, partition int32, st *store.Store) {
	rules, settled := s.b.rules.settled()
	now := review{st, rules}
	if !settled || s.reviewed[partition] == now {
		return
	}
	for after := ""; ; {
		key, value, err := nextEvent(st, after)
		if err != nil || ctx.Err() != nil {
			return
		}
		if key == "" {
			break
		}
		if drifted, err := rules.EventDrifted(value); err == nil && drifted {
			s.recheck(ctx, partition, key)
		}
		after = key
	}
	s.reviewed[partition] = now
}

// nextEvent finds the first event behind a key. Of the orders of an event it
// visits only the first. Ids are opaque, so other events may stand between an
// event and its orders: E, E-1, E/ORDER.
func nextEvent(st *store.Store, after string) (key string, value []byte, err error) {
	for {
		key = ""
		err = st.Scan("", after, 1, func(k string, v []byte) bool {
			key, value = k, append([]byte(nil), v...)
			return false
		})
		if err != nil || key == "" || mapping.KindOf(key) == mapping.EventKind {
			return key, value, err
		}
		if after = key; mapping.KindOf(key) != mapping.LedgerKind {
			after = mapping.BehindEvent(mapping.KeyPrefix(key))
		}
	}
}

func (s *sweeper) recheck(ctx context.Context, partition int32, key string) {
	loop := mapping.Recheck(key)
	m := &sarama.ProducerMessage{
		Topic: loopOf(s.b.topics.gateGroup()),
		Key:   sarama.StringEncoder(loop.Key), Value: sarama.ByteEncoder(marshal(loop.Command)),
	}
	for {
		select {
		case s.producer.Input() <- m:
			a := s.asked[partition]
			a.open++
			s.asked[partition] = a
			return
		case m := <-s.producer.Successes():
			s.acknowledged(m)
		case err := <-s.producer.Errors():
			s.refused(err)
		case <-ctx.Done():
			return
		}
	}
}

// Waiting is what waits in the partitions of this instance, by reason, those left
// out that are still being recovered. It visits every waiting key.
func (b *Bridge) Waiting() map[string]int64 {
	n := map[string]int64{}
	b.visitWaiting(func(w store.Waiting) {
		if reason := mapping.WaitReason(w.Reason); reason != mapping.WaitRepeat {
			n[reason.String()]++
		}
	})
	return n
}

func (b *Bridge) visitWaiting(visit func(store.Waiting)) {
	if b.gate.Load() == nil {
		return
	}
	for p := range b.cfg.Settings.Partitions {
		st := b.stores.Recovered(tableOf(b.topics.gateGroup()), p)
		if st == nil || st.WaitingCount() == 0 {
			continue
		}
		_ = st.ScanWaiting("", "", int(st.WaitingCount()), func(_ string, w store.Waiting) bool { // a store that closes has nothing to show
			visit(w)
			return true
		})
	}
}
