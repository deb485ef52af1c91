package sample

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

// A record that is there is read, in any order of places; one that was deleted is gone, and so is what is no record.
func TestFetch(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		topic := target.Topic("orders")
		kafkatest.CreateTopic(t, target.Addrs, topic, 1, nil)
		for _, value := range []string{"zero", "one", "two"} {
			kafkatest.Produce(t, target.Addrs, topic, &kafkatest.Record{Key: []byte("k"), Value: []byte(value), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte(value)}}})
		}
		client, err := kgo.NewClient(kgo.SeedBrokers(target.Addrs...))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		offsets := kadm.Offsets{}
		offsets.Add(kadm.Offset{Topic: topic, At: 1})
		if deleted, err := kadm.NewClient(client).DeleteRecords(t.Context(), offsets); err != nil || deleted.Error() != nil {
			t.Fatal(err, deleted.Error())
		}
		f := &Fetcher{Clusters: [2]kafka.Cluster{{Brokers: target.Addrs}, {Brokers: target.Addrs}}}
		f.Topics[0][compare.Orders], f.Topics[1][compare.Orders] = topic, topic
		f.Topics[0][compare.Events] = target.Topic("none")
		defer f.Close()
		for _, c := range []struct {
			s      compare.Stream
			offset int64
			want   string // "": gone
		}{{compare.Orders, 2, "two"}, {compare.Orders, 1, "one"}, {compare.Orders, 0, ""}, {compare.Orders, 2, "two"}, {compare.Orders, 900, ""}} {
			for _, right := range []bool{false, true} {
				r, err := f.Fetch(t.Context(), right, c.s, &rowpb.Place{Offset: c.offset})
				switch {
				case err != nil || (r == nil) != (c.want == ""):
					t.Errorf("%s/%d: %+v, %v", c.s, c.offset, r, err)
				case r != nil && (string(r.Value) != c.want || string(r.Key) != "k" || string(r.Headers[0].Value) != c.want || r.Offset != c.offset):
					t.Errorf("%s/%d: %+v", c.s, c.offset, r)
				}
			}
		}
	})
}

// Brokers that are away do not make a record gone.
func TestFetchFromNobody(t *testing.T) {
	f := &Fetcher{Clusters: [2]kafka.Cluster{{Brokers: []string{"127.0.0.1:1"}}}}
	f.Topics[0][compare.Orders] = "orders"
	defer f.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if r, err := f.Fetch(ctx, false, compare.Orders, &rowpb.Place{}); r != nil || err == nil {
		t.Errorf("%+v, %v", r, err)
	}
}
