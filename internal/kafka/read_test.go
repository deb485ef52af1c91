package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

// A topic ends in a transaction's marker, in what an aborted one has left, or before what
// an open one has written: the end is found, and only what counts is read.
func TestReadOfTransactions(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		topic := tg.Topic("t")
		kafkatest.CreateTopic(t, tg.Addrs, topic, 3, nil)
		client, err := kgo.NewClient(kgo.SeedBrokers(tg.Addrs...), kgo.TransactionalID(tg.Topic("id")), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		write := func(p int32, value string) error {
			return errors.Join(client.BeginTransaction(), client.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: p, Value: []byte(value)}).FirstErr())
		}
		c := Cluster{Brokers: tg.Addrs, Replication: 1}
		read := func(from map[int32]int64) []string {
			t.Helper()
			var got []string
			if err := c.ReadFrom(ctx, topic, from, func(r *kgo.Record) { got = append(got, fmt.Sprint(r.Partition, " ", string(r.Value))) }); err != nil {
				t.Fatal(err)
			}
			slices.Sort(got)
			return got
		}
		if got := read(nil); got != nil {
			t.Errorf("read %q of an empty topic", got)
		}
		if err := errors.Join(
			write(0, "a"), client.EndTransaction(ctx, kgo.TryCommit),
			write(1, "b"), client.EndTransaction(ctx, kgo.TryCommit),
			write(1, "aborted"), client.EndTransaction(ctx, kgo.TryAbort),
			write(2, "aborted"), client.EndTransaction(ctx, kgo.TryAbort),
			write(0, "open"),
		); err != nil {
			t.Fatal(err)
		}
		// A transaction has ended before its marker is in the partitions: the coordinator writes it afterwards.
		awaitRead := func(from map[int32]int64, want ...string) {
			t.Helper()
			kafkatest.Eventually(t, fmt.Sprintf("%q to be read", want), func() bool { return slices.Equal(read(from), want) })
		}
		awaitRead(nil, "0 a", "1 b")
		if got := read(map[int32]int64{0: 1, 1: 1, 2: 1}); got != nil {
			t.Errorf("read %q behind the last record", got)
		}
		if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
		awaitRead(map[int32]int64{0: 1}, "0 open", "1 b")
	})
}

// A topic that does not exist is an error, and not empty.
func TestReadOfNoTopic(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		t.Parallel()
		err := Cluster{Brokers: tg.Addrs}.Read(t.Context(), tg.Topic("none"), func(*kgo.Record) {})
		wantError(t, err, []string{"read " + tg.Topic("none")})
	})
}
