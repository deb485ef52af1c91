package sample

import (
	"context"
	"errors"
	"net"
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
		late, cancel := context.WithCancel(t.Context())
		cancel()
		if r, err := f.Fetch(late, false, compare.Orders, &rowpb.Place{Offset: 2}); r != nil || err == nil {
			t.Errorf("when nobody waits any more: %+v, %v", r, err)
		}
	})
}

// Where compaction has removed a record the next one comes, which is another entity's.
func TestNextRecordIsAnother(t *testing.T) {
	if is(&kgo.Record{Offset: 8}, 7) || !is(&kgo.Record{Offset: 7}, 7) {
		t.Error("the next record is taken for the one that is gone, or none is there")
	}
}

// Whoever does not wait any more is not kept by brokers that do not answer.
func TestConnectingIsGivenUp(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	f := &Fetcher{Clusters: [2]kafka.Cluster{{Brokers: []string{listener.Addr().String()}, ConnectTimeout: time.Hour}}}
	defer f.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := f.Fetch(ctx, false, compare.Orders, &rowpb.Place{}); r != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", r, err)
	}
}

// Brokers that are away do not make a record gone.
func TestFetchFromNobody(t *testing.T) {
	f := &Fetcher{Clusters: [2]kafka.Cluster{{Brokers: []string{"127.0.0.1:1"}}}}
	f.Topics[0][compare.Orders] = "orders"
	defer f.Close()
	_, first := f.Fetch(t.Context(), false, compare.Orders, &rowpb.Place{})
	if r, err := f.Fetch(t.Context(), false, compare.Orders, &rowpb.Place{}); r != nil || err == nil || err != first {
		t.Errorf("%+v, %v, and before %v", r, err, first)
	}
}
