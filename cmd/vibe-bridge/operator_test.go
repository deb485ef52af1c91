package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// operated is a deployment whose instance runs in the test's own process, where
// what it sends can be watched, and which commands look at from the outside.
type operated struct {
	t      *testing.T
	target kafkatest.Target
	config string // file
	cfg    processors.Config
	sent   *sendings
}

func newOperated(t *testing.T, target kafkatest.Target) *operated {
	t.Helper()
	o := &operated{t: t, target: target, config: filepath.Join(t.TempDir(), "bridge.yaml"), sent: &sendings{}}
	d := &deployment{t: t, folder: filepath.Dir(o.config)}
	brokers := strings.Join(target.Addrs, ", ")
	p := target.Prefix
	d.write("bridge.yaml", fmt.Sprintf(`name: %sbridge
source: {brokers: [%s]}
target: {brokers: [%s]}
topics: {partners: %sl-partners, events: %sl-events, orders: %sl-orders, refunds: %sl-refunds}
slim: {prefix: %s, partitions: 1}
partitions: 3
replication: 1
min_insync: 1
state_dir: %q
holds: {organizer: 1h, set: 1h}
session_timeout: 10s
http: {listen: ""}
`, p, brokers, brokers, p, p, p, p, p, d.stateDir()))
	c, err := config.Load(o.config, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if o.cfg, err = bridgeConfig(c); err != nil {
		t.Fatal(err)
	}
	o.cfg.Observer = o.sent
	for _, topic := range o.cfg.Topics.Legacy {
		kafkatest.CreateTopic(t, target.Addrs, topic, 2, nil)
	}
	return o
}

// createTopics creates the bridge's topics.
func (o *operated) createTopics() {
	o.t.Helper()
	mustRun(o.t, "topics", "create", "--config", o.config)
}

// run runs an instance until the test ends or the returned function is called.
func (o *operated) run() (stop func()) {
	o.t.Helper()
	b, err := processors.New(o.cfg)
	if err != nil {
		o.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := b.Run(ctx); err != nil {
			o.t.Errorf("the instance ended with %v", err)
		}
	}()
	stop = func() { cancel(); <-ended }
	o.t.Cleanup(stop)
	return stop
}

// legacy writes legacy records of one stream at a time of theirs.
func (o *operated) legacy(s mapping.Stream, at time.Time, messages ...proto.Message) {
	o.t.Helper()
	var records []*kafkatest.Record
	for _, m := range messages {
		value, err := proto.Marshal(m)
		if err != nil {
			o.t.Fatal(err)
		}
		id := m.(interface{ GetId() string }).GetId()
		records = append(records, &kafkatest.Record{Key: []byte(id), Value: value, Timestamp: at})
	}
	kafkatest.Produce(o.t, o.target.Addrs, o.cfg.Topics.Legacy[s], records...)
}

// slimNow is what a slim topic holds: key, headers and value of each record, in order.
func (o *operated) slimNow(s mapping.Stream) (records []string) {
	o.t.Helper()
	for _, r := range kafkatest.ReadAll(o.t, o.target.Addrs, o.cfg.Topics.Slim[s]) {
		records = append(records, fmt.Sprintf("%s %q %q", r.Key, r.Headers, r.Value))
	}
	return records
}

// awaitSlim waits until the slim topics hold so many records, and no more are under way.
func (o *operated) awaitSlim(events, orders, refunds int) {
	o.t.Helper()
	for s, want := range map[mapping.Stream]int{mapping.Events: events, mapping.Orders: orders, mapping.Refunds: refunds} {
		kafkatest.Eventually(o.t, fmt.Sprint(want, " slim records of ", s), func() bool { return len(o.slimNow(s)) >= want })
	}
	o.awaitQuiet()
	for s, want := range map[mapping.Stream]int{mapping.Events: events, mapping.Orders: orders, mapping.Refunds: refunds} {
		if got := o.slimNow(s); len(got) != want {
			o.t.Fatalf("%d slim records of %s, want %d: %q", len(got), s, want, got)
		}
	}
}

// awaitQuiet waits until nothing is on its way, holds left aside.
func (o *operated) awaitQuiet() {
	o.t.Helper()
	admins, closeAdmins, err := processors.OpenAdmins(o.cfg.Source, o.cfg.State, o.cfg.Target)
	if err != nil {
		o.t.Fatal(err)
	}
	defer closeAdmins()
	last := processors.Lag{Ends: -1}
	kafkatest.Eventually(o.t, "nothing on its way", func() bool {
		now, err := processors.ReadLag(admins, o.cfg.Topics)
		if err != nil {
			o.t.Fatal(err)
		}
		quiet := now.Records == 0 && now == last
		last = now
		return quiet
	})
}

// sendings is an observer that keeps what was sent and acknowledged, in order.
type sendings struct {
	mu   sync.Mutex
	seen []sending
}

type sending struct {
	acked      bool
	topic, key string
	value      []byte
}

func (s *sendings) Sending(topic string, key, value []byte) { s.add(false, topic, key, value) }
func (s *sendings) Acked(topic string, key, value []byte)   { s.add(true, topic, key, value) }

func (s *sendings) add(acked bool, topic string, key, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, sending{acked, topic, string(key), bytes.Clone(value)})
}

func legacyEvent(id string) *legacyproto.Event {
	return &legacyproto.Event{Id: id, Name: "Evening", Lifetime: &legacyproto.Lifetime{Start: &timestamppb.Timestamp{Seconds: 1777651200}}}
}

func legacyOrder(id, event string) *legacyproto.Order {
	return &legacyproto.Order{
		Id: id, Event: event, Status: legacyproto.Order_DONE,
		Settings: &legacyproto.Order_Settings{Customer: &legacyproto.Order_Settings_Customer{Name: "Anna Secret", Phone: "+79001234567", Email: "buyer@example.com"}},
		Tickets:  []*legacyproto.Order_Ticket{{Id: "t-" + id, Barcode: "460001"}},
	}
}

func legacyRefund(id, order, event string) *legacyproto.RefundRequest {
	return &legacyproto.RefundRequest{
		Id: id, Order: order, Event: event, Status: legacyproto.RefundRequest_APPROVED,
		Tickets: []*legacyproto.RefundRequest_Ticket{{Id: "t-" + order}},
	}
}
