package sample

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// Fetcher reads single records of both sides again. It connects when it has to, and is not safe for concurrent use.
type Fetcher struct {
	Clusters [2]kafka.Cluster // left, right
	Topics   [2][compare.Streams]string

	clients [2]*kgo.Client
	away    [2]error // why there is no client; nobody tries again
}

// Bounds on reading a record.
const (
	patience   = 5 * time.Second
	fetchBytes = 1 << 20
)

// Close ends its connections.
func (f *Fetcher) Close() {
	for _, client := range f.clients {
		if client != nil {
			client.Close()
		}
	}
}

func (f *Fetcher) client(ctx context.Context, n int) (*kgo.Client, error) {
	if f.clients[n] != nil || f.away[n] != nil {
		return f.clients[n], f.away[n]
	}
	connected := make(chan struct{})
	var client *kgo.Client
	var err error
	go func() {
		defer close(connected)
		client, err = connect(f.Clusters[n])
	}()
	select {
	case <-connected:
		f.clients[n], f.away[n] = client, err
	case <-ctx.Done(): // connecting has a limit of its own, which is longer
		f.away[n] = ctx.Err()
		go func() {
			if <-connected; client != nil {
				client.Close()
			}
		}()
	}
	return f.clients[n], f.away[n]
}

func connect(c kafka.Cluster) (*kgo.Client, error) {
	opts, err := c.FranzOptions()
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append(opts,
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(fetchBytes), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
	)...)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	return client, nil
}

// Fetch is a Sampler's.
func (f *Fetcher) Fetch(ctx context.Context, right bool, s compare.Stream, at *rowpb.Place) (*compare.Record, error) {
	n := 0
	if right {
		n = 1
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client, err := f.client(ctx, n)
	if err != nil {
		return nil, err
	}
	rec, err := fetch(ctx, client, f.Topics[n][s], at.GetPartition(), at.GetOffset())
	if rec == nil || err != nil {
		return nil, err
	}
	record := &compare.Record{Place: compare.Place{Partition: rec.Partition, Offset: rec.Offset, Time: at.GetTime(), AppendTime: at.GetAppendTime()}, Key: rec.Key, Value: rec.Value}
	for _, h := range rec.Headers {
		record.Headers = append(record.Headers, compare.Header{Key: h.Key, Value: h.Value})
	}
	return record, nil
}

// fetch is nil where the record is gone: another one lies there, or none.
func fetch(ctx context.Context, client *kgo.Client, topic string, partition int32, offset int64) (*kgo.Record, error) {
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(offset)}})
	defer client.RemoveConsumePartitions(map[string][]int32{topic: {partition}})
	for {
		fetches := client.PollRecords(ctx, 1)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var failed error
		fetches.EachError(func(t string, p int32, err error) {
			if t == topic && p == partition {
				failed = err
			}
		})
		switch {
		case errors.Is(failed, kerr.OffsetOutOfRange), errors.Is(failed, kerr.UnknownTopicOrPartition):
			return nil, nil
		case failed != nil:
			return nil, failed
		}
		for records := fetches.RecordIter(); !records.Done(); {
			rec := records.Next()
			if rec.Topic != topic || rec.Partition != partition || rec.Offset < offset {
				continue // what another fetch has left
			}
			if !is(rec, offset) {
				return nil, nil
			}
			return rec, nil
		}
	}
}

// is tells whether the first record at or behind an offset is the one at it. Compaction leaves gaps, and transactions leave
// markers.
func is(rec *kgo.Record, offset int64) bool { return rec.Offset == offset && !rec.Attrs.IsControl() }
