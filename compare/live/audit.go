package live

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/live/livepb"
	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/store"
)

// page is how many rows are read at once: a walk holds no snapshot for longer.
const page = 1000

// auditor walks over the tables.
type auditor struct {
	s        *session
	producer *kafka.Producer

	mu     sync.Mutex
	behind map[place]int64 // by loop partition, the offset behind the last command that was acknowledged
	open   map[place]int   // commands that are not acknowledged
}

type place struct {
	group     string
	partition int32
}

// audit walks over the partitions that are here, and again after a pause.
func (s *session) audit(ctx context.Context) error {
	producer, err := s.newProducer(s.fail)
	if err != nil {
		return err
	}
	defer producer.Close()
	a := &auditor{s: s, producer: producer, behind: map[place]int64{}, open: map[place]int{}}
	for pause := s.cfg.AuditInterval; ; {
		if !sleep(ctx, pause) {
			return nil
		}
		horizon := s.horizon.Load()
		if horizon == 0 {
			pause = min(s.cfg.AuditInterval, time.Second)
			continue
		}
		pause = s.cfg.AuditInterval
		began := time.Now()
		for _, g := range []*group{s.events, s.joins} {
			for p := range s.cfg.Settings.Partitions {
				if err := a.walk(ctx, g, p, horizon); err != nil {
					return err
				}
			}
		}
		s.round.Store(int64(time.Since(began)))
	}
}

// walk judges all rows of a partition and publishes what it found. A partition that is not here, or goes away
// meanwhile, is its owner's.
func (a *auditor) walk(ctx context.Context, g *group, partition int32, horizon int64) error {
	st := a.s.stores.Recovered(tableOf(g.name), partition)
	if st == nil || !a.answered(g, partition) {
		return nil
	}
	now := time.Now()
	w := &walk{
		a: a, g: g, partition: partition, horizon: horizon, judge: a.s.judge(horizon, st.Get), now: now,
		tally: compare.Tally{Expected: a.s.cfg.Expected, Now: now, Noisy: a.s.cfg.Noise.Noisy, Samples: a.s.cfg.Samples},
		part:  Part{Group: g.name, Partition: partition, Time: now.UTC(), Horizon: horizon},
	}
	for after, more := "", true; more; {
		if ctx.Err() != nil {
			return nil
		}
		seen := 0
		w.judge.rows.forget()
		err := st.Scan("", after, page, func(key string, value []byte) bool {
			seen++
			after = key
			w.err = w.row(key, value)
			return w.err == nil
		})
		if err = errors.Join(err, w.err); err != nil {
			if errors.Is(err, store.ErrClosed) {
				return nil
			}
			return fmt.Errorf("walk over %s/%d: %w", tableOf(g.name), partition, err)
		}
		more = seen == page
	}
	w.part.Totals = w.tally.Totals()
	a.publish(w.part)
	return nil
}

// walk is one over a partition.
type walk struct {
	a         *auditor
	g         *group
	partition int32
	horizon   int64
	judge     *judge
	now       time.Time
	tally     compare.Tally
	part      Part
	err       error
}

func (w *walk) row(key string, value []byte) error {
	e := &livepb.Entity{}
	if proto.Unmarshal(value, e) != nil || e.GetStream() >= uint32(compare.Streams) {
		return errors.New("a row is not one of this program")
	}
	if e.GetSent() != "" {
		return nil // it is judged there
	}
	stream, row := compare.Stream(e.GetStream()), e.GetRow()
	for n, side := range []*rowpb.Side{row.GetLeft(), row.GetRight()} {
		w.part.Records[n] += int64(side.GetRecords())
		w.part.Newest[n] = max(w.part.Newest[n], side.GetNewest().GetTime())
	}
	if at := row.GetRight().GetFirst().GetTime(); at != 0 && (w.part.Began[stream] == 0 || at < w.part.Began[stream]) {
		w.part.Began[stream] = at
	}
	f, err := w.judge.entity(stream, row)
	if err != nil {
		return err
	}
	w.tally.Add(stream, e.GetId(), row, f)
	if _, digest, decided := w.a.s.published(stream, e.GetId(), row, f, w.now); decided && digest != e.GetPublished() {
		w.a.command(w.g, w.partition, key, w.horizon)
	}
	return nil
}

// command has the group look at a row again and publish what has changed.
func (a *auditor) command(g *group, partition int32, key string, horizon int64) {
	at := place{g.name, partition}
	a.mu.Lock()
	a.open[at]++
	a.mu.Unlock()
	a.producer.Send(&sarama.ProducerMessage{
		Topic: loopOf(g.name), Key: sarama.StringEncoder(key), Value: sarama.ByteEncoder(commandOf(horizon)),
	}, func(m *sarama.ProducerMessage, err error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.open[at]--
		if err == nil {
			a.behind[at] = max(a.behind[at], m.Offset+1)
		}
	})
}

// answered tells whether the group has done all that it was told of a partition: else the same would be
// found and told again.
func (a *auditor) answered(g *group, partition int32) bool {
	at := place{g.name, partition}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open[at] == 0 && (a.behind[at] == 0 || g.tracker.Settled(loopOf(g.name), partition) >= a.behind[at])
}

// publish writes the result of a walk, and deletes that of the same hour long ago.
func (a *auditor) publish(p Part) {
	send := func(key string, value sarama.Encoder) {
		a.producer.Send(&sarama.ProducerMessage{Topic: a.s.topics.totals(), Key: sarama.StringEncoder(key), Value: value}, func(*sarama.ProducerMessage, error) {})
	}
	send(p.key(), sarama.ByteEncoder(encoded(p)))
	old := p
	old.Time = p.Time.Add(-trendKept)
	if a.s.results.has(old.key()) {
		send(old.key(), nil)
	}
}
