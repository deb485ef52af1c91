package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/codec"
	"github.com/twmb/franz-go/pkg/kfake"
)

const (
	gokaGroup      = goka.Group("gate")
	gokaInput      = goka.Stream("orders")
	gokaPartitions = 2
	gokaRecords    = 300
	gokaPatience   = 60 * time.Second
)

// A real Goka processor on an embedded broker: callbacks find their store and their
// own writes in it, every session has its own store, and the state comes back both
// from the disk and, when the directory is lost, from the changelog.
func TestGokaProcessor(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(gokaPartitions, string(gokaInput)))
	must(t, err)
	defer cluster.Close()
	brokers := cluster.ListenAddrs()
	emitRecords(t, brokers, 0, gokaRecords)

	dir := t.TempDir()
	kept := filepath.Join(dir, "kept")
	want := map[string]string{}
	for i := range gokaRecords {
		key, value := gokaRecord(i)
		want[key] = string(value)
	}
	runGoka(t, brokers, kept, 0, gokaRecords)
	wantState(t, kept, want)

	// The directory is lost: Goka recovers the table before it processes.
	emitRecords(t, brokers, gokaRecords, gokaRecords+1)
	key, value := gokaRecord(gokaRecords)
	want[key] = string(value)
	lost := filepath.Join(dir, "lost")
	runGoka(t, brokers, lost, gokaRecords, gokaRecords+1)
	wantState(t, lost, want)

	// The first directory has missed a record and catches up from its offset.
	emitRecords(t, brokers, gokaRecords+1, gokaRecords+2)
	key, value = gokaRecord(gokaRecords + 1)
	want[key] = string(value)
	runGoka(t, brokers, kept, gokaRecords+1, gokaRecords+2)
	wantState(t, kept, want)
}

func gokaRecord(i int) (key string, value []byte) {
	key = fmt.Sprintf("event%d/%d", i%7, i)
	if i%3 == 0 {
		return key, plainValue(fmt.Sprint(i))
	}
	return key, waitingValue(Waiting{Reason: 1, Since: int64(i), Deadline: int64(i % 2)}, fmt.Sprint(i))
}

func emitRecords(t *testing.T, brokers []string, from, to int) {
	t.Helper()
	emitter, err := goka.NewEmitter(brokers, gokaInput, new(codec.Bytes),
		goka.WithEmitterLogger(log.New(io.Discard, "", 0)),
		goka.WithEmitterProducerBuilder(goka.ProducerBuilderWithConfig(gokaConfig())))
	must(t, err)
	for i := from; i < to; i++ {
		key, value := gokaRecord(i)
		must(t, emitter.EmitSync(key, value))
	}
	must(t, emitter.Finish())
}

// runGoka runs a processor until it has processed the records [from, to), and
// whatever comes again, and stops it.
func runGoka(t *testing.T, brokers []string, dir string, from, to int) {
	t.Helper()
	var missing sync.Map
	for i := from; i < to; i++ {
		key, _ := gokaRecord(i)
		missing.Store(key, true)
	}
	var processed atomic.Int64
	r := newTestRegistry(t, Options{Dir: dir, Indexer: testIndexer})
	table := string(goka.GroupTable(gokaGroup))
	ctx, cancel := context.WithTimeout(context.Background(), gokaPatience)
	defer cancel()
	park := func(ctx goka.Context, msg any) {
		ctx.SetValue(msg)
		if err := seesItself(r.Recovered(table, ctx.Partition()), ctx.Key(), msg.([]byte)); err != nil {
			ctx.Fail(err)
			return
		}
		if _, awaited := missing.LoadAndDelete(ctx.Key()); awaited && processed.Add(1) == int64(to-from) {
			cancel()
		}
	}
	topics := goka.NewTopicManagerConfig()
	topics.Table.Replication, topics.Stream.Replication = 1, 1
	p, err := goka.NewProcessor(brokers,
		goka.DefineGroup(gokaGroup, goka.Input(gokaInput, new(codec.Bytes), park), goka.Persist(new(codec.Bytes))),
		goka.WithStorageBuilder(r.Builder()),
		goka.WithLogger(log.New(io.Discard, "", 0)),
		goka.WithProducerBuilder(goka.ProducerBuilderWithConfig(gokaConfig())),
		goka.WithConsumerGroupBuilder(goka.ConsumerGroupBuilderWithConfig(gokaConfig())),
		goka.WithConsumerSaramaBuilder(goka.SaramaConsumerBuilderWithConfig(gokaConfig())),
		goka.WithTopicManagerBuilder(goka.TopicManagerBuilderWithConfig(gokaConfig(), topics)))
	must(t, err)
	must(t, p.Run(ctx))
	if got := processed.Load(); got < int64(to-from) {
		t.Fatalf("processed %d of %d records in %v", got, to-from, gokaPatience)
	}
	for partition := range int32(gokaPartitions) {
		if r.Open(table, partition) != nil {
			t.Errorf("the store of partition %d is open after the run", partition)
		}
	}
}

// seesItself checks that a key's store, asked inside the callback, has its new value
// and index entry.
func seesItself(s *Store, key string, value []byte) error {
	if s == nil {
		return errors.New("no recovered store is open in the callback")
	}
	stored, err := s.Get(key)
	if err != nil || string(stored) != string(value) {
		return fmt.Errorf("stored %q, %v", stored, err)
	}
	_, waits := testIndexer(key, value)
	found := false
	err = s.ScanWaiting(key, "", 1, func(k string, _ Waiting) bool {
		found = k == key
		return true
	})
	if err != nil || found != waits {
		return fmt.Errorf("waiting %t, want %t, %v", found, waits, err)
	}
	return nil
}

// wantState opens the stores of all partitions and compares their contents.
func wantState(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	r := newTestRegistry(t, Options{Dir: dir, Indexer: testIndexer})
	defer r.Close()
	got := map[string]string{}
	for partition := range int32(gokaPartitions) {
		st, err := r.Builder()(string(goka.GroupTable(gokaGroup)), partition)
		must(t, err)
		values, err := contents(st.(*Store))
		must(t, err)
		maps.Copy(got, values)
		must(t, indexError(st.(*Store)))
		if offset, err := st.GetOffset(-3); err != nil || offset < 0 {
			t.Errorf("partition %d: offset %d, %v", partition, offset, err)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("%d keys are stored, want %d; or their values differ", len(got), len(want))
	}
}

func gokaConfig() *sarama.Config {
	c := goka.DefaultConfig()
	c.Version = sarama.V2_8_0_0
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Interval = 100 * time.Millisecond
	c.Consumer.MaxWaitTime = 50 * time.Millisecond
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Flush.Frequency = 5 * time.Millisecond
	return c
}
