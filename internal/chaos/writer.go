package chaos

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/season"
)

// writer writes seasons, one after the other, at a steady rate until it is told to stop or has written its bound. It
// goes on through faults of Kafka: the client tries again until the record is in.
type writer struct {
	client  *kgo.Client
	seed    uint64
	rate    int
	most    int
	written atomic.Int64
	refused atomic.Pointer[error]
	stop    chan struct{}
	once    sync.Once
	done    chan struct{}
}

// seasonOrders is the length of one season: short, so that many events begin, end and change in a run.
const (
	seasonOrders = 4000
	hostile      = 0.05
)

// seasonOf is the configuration of season number n. Ids of two seeds differ.
func seasonOf(seed uint64, n int) season.Config {
	return season.Config{Orders: seasonOrders, Seed: seed*1_000_003 + uint64(n), Hostile: hostile}
}

func startWriter(ctx context.Context, client *kgo.Client, c Config) *writer {
	w := &writer{client: client, seed: c.Seed, rate: c.Rate, most: c.MaxRecords, stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		w.write(ctx)
	}()
	return w
}

func (w *writer) write(ctx context.Context) {
	began := time.Now()
	for n := 0; ; n++ {
		for r := range season.Generate(seasonOf(w.seed, n)) {
			if !w.wait(ctx, began) {
				return
			}
			w.client.Produce(ctx, &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Timestamp: time.Now()}, w.acknowledged)
			w.written.Add(1)
		}
	}
}

// wait keeps the rate. It is false when the writer has to end.
func (w *writer) wait(ctx context.Context, began time.Time) bool {
	n := w.written.Load()
	ahead := time.Duration(n)*time.Second/time.Duration(w.rate) - time.Since(began)
	select {
	case <-w.stop:
		return false
	default:
	}
	if n >= int64(w.most) {
		return false
	}
	return ahead < 5*time.Millisecond || pause(ctx, ahead)
}

func (w *writer) acknowledged(_ *kgo.Record, err error) {
	if err != nil {
		w.refused.CompareAndSwap(nil, &err)
	}
}

// end stops the writer and waits until everything is in.
func (w *writer) end(ctx context.Context) error {
	w.once.Do(func() { close(w.stop) })
	<-w.done
	if err := w.client.Flush(ctx); err != nil {
		return fmt.Errorf("write the season: %w", err)
	}
	if err := w.refused.Load(); err != nil {
		return fmt.Errorf("write the season: %w", *err)
	}
	return nil
}
