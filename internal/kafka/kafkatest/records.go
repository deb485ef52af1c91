package kafkatest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// deadline bounds every helper: a test that waits longer has found a fault.
const deadline = 60 * time.Second

// Record is a franz-go record: key, value, headers, partition, offset, timestamp.
type Record = kgo.Record

// CreateTopic creates a topic with one replica and waits until brokers show all its leaders; config may be nil.
func CreateTopic(t testing.TB, addrs []string, topic string, partitions int32, config map[string]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	cl := client(t, addrs)
	defer cl.Close()
	values := map[string]*string{}
	for k, v := range config {
		values[k] = &v
	}
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, partitions, 1, values, topic); err != nil {
		t.Fatalf("create topic %s: %v", topic, err)
	}
	Eventually(t, "topic "+topic+" to have leaders", func() bool {
		topics, err := kadm.NewClient(cl).ListTopics(ctx, topic)
		if err != nil {
			t.Fatalf("create topic %s: %v", topic, err)
		}
		d := topics[topic]
		for _, p := range d.Partitions {
			if p.Err != nil || p.Leader < 0 {
				return false
			}
		}
		return d.Err == nil && len(d.Partitions) > 0
	})
}

// Produce writes the records in order, waits for their acknowledgements and fails the test on an error. Keys
// choose the partition as in Java clients (murmur2); records without a key go anywhere.
func Produce(t testing.TB, addrs []string, topic string, records ...*Record) {
	t.Helper()
	produce(t, addrs, topic, records, kgo.StickyKeyPartitioner(nil))
}

// ProducePinned writes each record to the partition that it names.
func ProducePinned(t testing.TB, addrs []string, topic string, records ...*Record) {
	t.Helper()
	produce(t, addrs, topic, records, kgo.ManualPartitioner())
}

func produce(t testing.TB, addrs []string, topic string, records []*Record, partitioner kgo.Partitioner) {
	t.Helper()
	cl := client(t, addrs, kgo.RecordPartitioner(partitioner))
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	for _, r := range records {
		r.Topic = topic
	}
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatalf("produce to %s: %v", topic, err)
	}
	for _, r := range records {
		ownRecords.Store(place{addrs[0], topic, r.Partition, r.Offset}, true)
	}
}

// ReadAll returns what the topic holds between its start and the high watermarks of this moment, each partition in order,
// partitions interleaved. Compacted topics may return fewer records than were written.
func ReadAll(t testing.TB, addrs []string, topic string) []*Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	ends := EndOffsets(t, addrs, topic)
	starts := offsets(t, addrs, topic, (*kadm.Client).ListStartOffsets)
	left := map[int32]int64{}
	from := map[int32]kgo.Offset{}
	for p, end := range ends {
		if starts[p] < end {
			left[p] = end
			from[p] = kgo.NewOffset().At(starts[p])
		}
	}
	if len(left) == 0 {
		return nil
	}
	cl := client(t, addrs, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.KeepControlRecords())
	defer cl.Close()
	var records []*Record
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("read %s: %v; still wanted of its partitions: %v", topic, err, left)
		}
		fetches.EachError(func(_ string, p int32, err error) {
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("read %s partition %d: %v", topic, p, err)
			}
		})
		fetches.EachRecord(func(r *Record) {
			end, open := left[r.Partition]
			if open && r.Offset < end && !r.Attrs.IsControl() {
				records = append(records, r)
			}
			if r.Offset+1 >= end {
				delete(left, r.Partition)
			}
		})
	}
	return records
}

// EndOffsets returns the high watermark of each partition.
func EndOffsets(t testing.TB, addrs []string, topic string) map[int32]int64 {
	t.Helper()
	return offsets(t, addrs, topic, (*kadm.Client).ListEndOffsets)
}

func offsets(t testing.TB, addrs []string, topic string, list func(*kadm.Client, context.Context, ...string) (kadm.ListedOffsets, error)) map[int32]int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	cl := client(t, addrs)
	defer cl.Close()
	listed, err := list(kadm.NewClient(cl), ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		t.Fatalf("list the offsets of %s: %v", topic, err)
	}
	byPartition := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { byPartition[o.Partition] = o.Offset })
	if len(byPartition) == 0 {
		t.Fatalf("list the offsets of %s: no such topic", topic)
	}
	return byPartition
}

// CommittedOffsets returns the offsets that the group has committed for the topic; a partition without one is left out.
func CommittedOffsets(t testing.TB, addrs []string, group, topic string) map[int32]int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	cl := client(t, addrs)
	defer cl.Close()
	fetched, err := kadm.NewClient(cl).FetchOffsets(ctx, group)
	if errors.Is(err, kerr.GroupIDNotFound) { // nobody has joined yet
		return map[int32]int64{}
	}
	if err != nil {
		t.Fatalf("fetch the offsets of group %s: %v", group, err)
	}
	byPartition := map[int32]int64{}
	fetched.Each(func(o kadm.OffsetResponse) {
		if o.Topic == topic && o.At >= 0 {
			byPartition[o.Partition] = o.At
		}
	})
	return byPartition
}

// topicExists tells whether brokers show the topic.
func topicExists(t testing.TB, addrs []string, topic string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	cl := client(t, addrs)
	defer cl.Close()
	topics, err := kadm.NewClient(cl).ListTopics(ctx)
	if err != nil {
		t.Fatalf("list topics: %v", err)
	}
	return topics.Has(topic)
}

// Eventually fails the test unless the condition holds before the deadline of this package; what says
// what was waited for. The condition is tried every few milliseconds.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	limit := time.NewTimer(deadline)
	defer limit.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-limit.C:
			t.Fatalf("waited %s for: %s", deadline, what)
		case <-tick.C:
		}
	}
}

// client returns a client that the caller closes.
func client(t testing.TB, addrs []string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addrs...), kgo.ProducerBatchMaxBytes(16 << 20)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return cl
}
