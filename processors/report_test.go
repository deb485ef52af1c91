package processors

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// A topic whose last offset is a transaction's marker has an end all the same.
func TestReadTableThatEndsInAMarker(t *testing.T) {
	t.Parallel()
	tg := kafkatest.Kafka(t) // the embedded broker's transactions are not those of Kafka
	topic := tg.Topic("table")
	kafkatest.CreateTopic(t, tg.Addrs, topic, 2, map[string]string{"cleanup.policy": "compact"})
	client, err := kgo.NewClient(kgo.SeedBrokers(tg.Addrs...), kgo.TransactionalID(tg.Topic("id")))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
		name := map[kgo.TransactionEndTry]string{kgo.TryCommit: "committed", kgo.TryAbort: "aborted"}[end]
		row := &kgo.Record{Topic: topic, Key: []byte("k"), Value: rowOf(t, name, 1)}
		if err := errors.Join(client.BeginTransaction(), client.ProduceSync(ctx, row).FirstErr(), client.EndTransaction(ctx, end)); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := readTable(ctx, kafka.Cluster{Brokers: tg.Addrs}, topic)
	if err != nil || len(rows) != 1 || !bytes.Equal(rows["k"], rowOf(t, "committed", 1)) {
		t.Errorf("rows %q, %v", rows, err)
	}
}

// A row that a former owner wrote too late is not the deployment's: the next session
// ignores it, and so does a report. A row of the same generation or a higher one counts.
func TestReadTableIgnoresRowsOfFormerOwners(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		topic := tg.Topic("table")
		kafkatest.CreateTopic(t, tg.Addrs, topic, 1, map[string]string{"cleanup.policy": "compact"})
		for _, r := range []struct {
			key   string
			value []byte
		}{
			{"late", rowOf(t, "of the owner", 2)}, {"late", rowOf(t, "of the former owner", 1)},
			{"taken over", rowOf(t, "of the former owner", 1)}, {"taken over", rowOf(t, "of the owner", 2)},
			{"newer", rowOf(t, "first", 2)}, {"newer", rowOf(t, "second", 2)},
			{"his alone", rowOf(t, "of the former owner", 1)},
			{"deleted late", rowOf(t, "of the owner", 2)}, {"deleted late", nil},
			{"deleted", rowOf(t, "from before sessions", 0)}, {"deleted", nil},
		} {
			kafkatest.Produce(t, tg.Addrs, topic, &kafkatest.Record{Key: []byte(r.key), Value: r.value})
		}
		rows, err := readTable(t.Context(), kafka.Cluster{Brokers: tg.Addrs}, topic)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"late": "of the owner", "taken over": "of the owner", "newer": "second", "his alone": "of the former owner", "deleted late": "of the owner",
		}
		if len(rows) != len(want) {
			t.Errorf("%d rows, want %d", len(rows), len(want))
		}
		for key, name := range want {
			if row, err := mapping.DecodeRow(rows[key]); err != nil || row.GetEvent().GetFacts().GetName() != name {
				t.Errorf("the row of %q is %v (%v), want the name %q", key, row, err, name)
			}
		}
	})
}

// Every quiet changelog of a group is looked at with one request to its brokers.
func TestEndsAreAskedForAtOnce(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		topic := tg.Topic("table")
		kafkatest.CreateTopic(t, tg.Addrs, topic, 3, nil)
		kafkatest.ProducePinned(t, tg.Addrs, topic, &kafkatest.Record{Partition: 1, Value: []byte("x")})
		a, err := kafka.NewAdmin(kafka.Cluster{Brokers: tg.Addrs})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		asked := 0
		if tg.Embedded != nil {
			tg.Embedded.Cluster().ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
				tg.Embedded.Cluster().KeepControl()
				asked++ // before the answer
				return nil, nil, false
			})
		}
		var ends map[int32]int64
		kafkatest.Eventually(t, "the topic to have leaders", func() bool {
			ends, err = a.NewestOffsets(topic, []int32{0, 1, 2})
			return err == nil
		})
		if want := map[int32]int64{0: 0, 1: 1, 2: 0}; err != nil || !maps.Equal(ends, want) {
			t.Errorf("ends %v (%v), want %v", ends, err, want)
		}
		if tg.Embedded != nil && asked != 1 {
			t.Errorf("%d requests, want 1", asked)
		}
	})
}
