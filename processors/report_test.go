package processors

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

// A topic whose last offset is a transaction's marker has an end all the same.
func TestReadTableThatEndsInAMarker(t *testing.T) {
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
		row := &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte(map[kgo.TransactionEndTry]string{kgo.TryCommit: "committed", kgo.TryAbort: "aborted"}[end])}
		if err := errors.Join(client.BeginTransaction(), client.ProduceSync(ctx, row).FirstErr(), client.EndTransaction(ctx, end)); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := readTable(ctx, kafka.Cluster{Brokers: tg.Addrs}, topic)
	if err != nil || len(rows) != 1 || string(rows["k"]) != "committed" {
		t.Errorf("rows %q, %v", rows, err)
	}
}
