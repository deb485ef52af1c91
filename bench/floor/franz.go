package main

import (
	"context"
	"errors"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// moveFranz moves with franz-go: fetches of all partitions, an idempotent producer.
func moveFranz(ctx context.Context, brokers []string, flows []flow, c *counters) error {
	byTopic := map[string]*flow{}
	var topics []string
	for i := range flows {
		byTopic[flows[i].from] = &flows[i]
		topics = append(topics, flows[i].from)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.MaxBufferedRecords(50_000), kgo.FetchMaxBytes(16<<20))
	if err != nil {
		return err
	}
	defer client.Close()
	from, left, err := spans(ctx, kadm.NewClient(client), topics)
	if err != nil {
		return err
	}
	client.AddConsumePartitions(from)
	var refused error
	var once sync.Once
	counts := map[string]int64{}
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			at := partition{p.Topic, p.Partition}
			end, wanted := left[at]
			f := byTopic[p.Topic]
			for _, r := range p.Records {
				if !wanted || r.Offset >= end {
					break
				}
				c.read.Add(1)
				c.readBytes.Add(int64(len(r.Value)))
				if n := counts[p.Topic]; f.writes(n) {
					value := f.value(r.Value)
					c.written.Add(1)
					c.writtenBytes.Add(int64(len(value)))
					client.Produce(ctx, &kgo.Record{Topic: f.to, Key: r.Key, Value: value}, func(_ *kgo.Record, err error) {
						if err != nil {
							once.Do(func() { refused = err })
						}
					})
				}
				counts[p.Topic]++
				if r.Offset == end-1 {
					delete(left, at)
				}
			}
		})
	}
	return errors.Join(client.Flush(ctx), refused)
}

type partition struct {
	topic string
	id    int32
}

// spans are where to begin, and up to which offset to read: partitions without records are left out.
func spans(ctx context.Context, admin *kadm.Client, topics []string) (from map[string]map[int32]kgo.Offset, left map[partition]int64, err error) {
	starts, err := admin.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, nil, err
	}
	ends, err := admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, nil, err
	}
	from, left = map[string]map[int32]kgo.Offset{}, map[partition]int64{}
	ends.Each(func(e kadm.ListedOffset) {
		start, _ := starts.Lookup(e.Topic, e.Partition)
		err = errors.Join(err, e.Err, start.Err)
		if start.Offset >= e.Offset {
			return
		}
		if from[e.Topic] == nil {
			from[e.Topic] = map[int32]kgo.Offset{}
		}
		from[e.Topic][e.Partition] = kgo.NewOffset().At(start.Offset)
		left[partition{e.Topic, e.Partition}] = e.Offset
	})
	return from, left, err
}
