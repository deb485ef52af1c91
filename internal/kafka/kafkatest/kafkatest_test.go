package kafkatest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
)

func TestReadAll(t *testing.T) {
	Each(t, func(t *testing.T, tg Target) {
		topic := tg.Topic("t")
		CreateTopic(t, tg.Addrs, topic, 3, nil)
		if r := ReadAll(t, tg.Addrs, topic); len(r) != 0 {
			t.Errorf("%d records in an empty topic", len(r))
		}
		var records []*Record
		for i := range 100 {
			records = append(records, &Record{Partition: int32(i % 2), Key: []byte{byte(i)}, Value: []byte{byte(i)}})
		}
		ProducePinned(t, tg.Addrs, topic, records...)
		byPartition := map[int32][]byte{}
		for _, r := range ReadAll(t, tg.Addrs, topic) {
			byPartition[r.Partition] = append(byPartition[r.Partition], r.Value...)
		}
		if len(byPartition[0]) != 50 || len(byPartition[1]) != 50 || len(byPartition[2]) != 0 {
			t.Errorf("records by partition: %d, %d, %d", len(byPartition[0]), len(byPartition[1]), len(byPartition[2]))
		}
		for p, values := range byPartition {
			if !slices.IsSorted(values) {
				t.Errorf("partition %d is out of order", p)
			}
		}
		if c := CommittedOffsets(t, tg.Addrs, tg.Topic("group"), topic); len(c) != 0 {
			t.Errorf("offsets of a group that does not exist: %v", c)
		}
		if ends := EndOffsets(t, tg.Addrs, topic); ends[0] != 50 || ends[2] != 0 {
			t.Errorf("ends %v", ends)
		}
	})
}

// Keys go to the partition that Java clients choose: murmur2 of "foobar" is -790332482.
func TestProducePartitions(t *testing.T) {
	tg := Embedded(t, embedded.Options{})
	CreateTopic(t, tg.Addrs, "t", 7, nil)
	Produce(t, tg.Addrs, "t", &Record{Key: []byte("foobar"), Value: []byte("v")})
	hash := int64(-790332482)
	want := int32((hash & 0x7fffffff) % 7)
	if r := ReadAll(t, tg.Addrs, "t"); len(r) != 1 || r[0].Partition != want {
		t.Errorf("records %v, want one in partition %d", r, want)
	}
}

func TestNamesAreUniqueAndLegal(t *testing.T) {
	t.Run("with a name/that is (not) legal: in topics, ünd much too long for them, by far", func(t *testing.T) {
		a, b := prefix(t), prefix(t)
		if a == b {
			t.Error("two prefixes are the same")
		}
		if len(a) > 80 || strings.Trim(a, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
			t.Errorf("prefix %q", a)
		}
	})
}

// outcome stands in for a test and notes how it ended.
type outcome struct {
	testing.TB
	said string
}

func (o *outcome) Helper()          {}
func (o *outcome) Skip(args ...any) { o.said = "skip: " + fmt.Sprint(args...); runtime.Goexit() }
func (o *outcome) Fatalf(f string, a ...any) {
	o.said = "fatal: " + fmt.Sprintf(f, a...)
	runtime.Goexit()
}

func TestWithoutKafka(t *testing.T) {
	t.Setenv(EnvBrokers, "")
	for require, want := range map[string]string{"": "skip: real-Kafka tests skipped: set KAFKA_BROKERS", "1": "fatal: VIBE_BRIDGE_REQUIRE_KAFKA=1, but: real-Kafka tests skipped"} {
		t.Setenv(EnvRequire, require)
		o := &outcome{TB: t}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			Kafka(o)
		}()
		<-ended
		if !strings.HasPrefix(o.said, want) {
			t.Errorf("%s=%q: %q, want %q", EnvRequire, require, o.said, want)
		}
	}
}

func TestCleanUp(t *testing.T) {
	outer := Kafka(t)
	var topic string
	t.Run("inner", func(t *testing.T) {
		tg := Kafka(t)
		topic = tg.Topic("t")
		CreateTopic(t, tg.Addrs, topic, 1, nil)
	})
	Eventually(t, "the topic to be gone", func() bool { return !topicExists(t, outer.Addrs, topic) })
}
