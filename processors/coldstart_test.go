package processors_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// early sees what intake of all instances had sent and had acknowledged when the first order or
// refund was sent.
type early struct {
	kafka.Observer
	topics processors.Topics

	mu     sync.Mutex
	acked  map[string]int // internal records, by topic
	before map[string]int // acked when the first order or refund was sent; nil: none was

	// rows, if not nil, is closed when the gate has written so many rows that it shows something;
	// events are sent after that.
	rows  chan struct{}
	table string
}

const enoughRows = 1000

func (e *early) Sending(topic string, key, value []byte) {
	e.Observer.Sending(topic, key, value)
	if topic == e.topics.Internal(mapping.Events) && e.rows != nil {
		<-e.rows
	}
	if topic != e.topics.Internal(mapping.Orders) && topic != e.topics.Internal(mapping.Refunds) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.before == nil {
		e.before = map[string]int{}
		for t, n := range e.acked {
			e.before[t] = n
		}
	}
}

func (e *early) Acked(topic string, key, value []byte) {
	e.Observer.Acked(topic, key, value)
	e.mu.Lock()
	defer e.mu.Unlock()
	if topic == e.topics.Internal(mapping.Events) {
		in := &statepb.Input{}
		if err := in.UnmarshalVT(value); err == nil && in.GetRepeats() != nil {
			e.acked[topic] += len(in.GetRepeats().GetOffsets()) - 1
		}
	}
	if e.acked[topic]++; topic == e.table && e.acked[topic] == enoughRows && e.rows != nil {
		close(e.rows)
	}
}

// everParked are the orders that a row has ever said to wait for their event.
func (w *world) everParked() int {
	w.t.Helper()
	_, _, _, table := w.cfg.Topics.Gate()
	parked := map[string]bool{}
	for _, r := range kafkatest.ReadAll(w.t, w.target.Addrs, table) {
		if mapping.KindOf(string(r.Key)) == mapping.OrderKind && mapping.WaitReason(entity(w.t, r.Value).GetWait().GetReason()) == mapping.WaitEvent {
			parked[string(r.Key)] = true
		}
	}
	return len(parked)
}

// coldStart processes a backlog with so many new instances. Without priming, events come last.
func coldStart(t *testing.T, target kafkatest.Target, instances int, priming bool) (w *world, seen *early) {
	t.Helper()
	w = newWorld(t, target, 3, season.Config{Orders: 3000, Seed: 31})
	w.cfg.Priming = priming
	var log lines
	w.cfg.Log = logTo(&log)
	seen = &early{Observer: w.monitor, topics: w.cfg.Topics, acked: map[string]int{}}
	if _, _, _, seen.table = w.cfg.Topics.Gate(); !priming {
		seen.rows = make(chan struct{})
	}
	w.cfg.Observer = seen
	w.produce()
	var running []*instance
	for range instances {
		running = append(running, w.start(t.TempDir()))
	}
	w.check(w.drain(running...))
	for _, in := range running {
		w.leave(in)
	}
	if n := log.count("primed: orders and refunds are read"); priming && n != instances {
		t.Errorf("%d of %d instances say that they are primed: %s", n, instances, log.all())
	}
	if strings.Contains(log.all(), "level=ERROR") {
		t.Errorf("errors in the log: %s", log.all())
	}
	return w, seen
}

// A backlog is read in the order in which it can be processed: no order or refund is
// sent before all partners and events are through, and next to none is parked.
func TestColdStartIsPrimed(t *testing.T) {
	t.Parallel()
	for _, instances := range []int{1, 2} {
		t.Run([]string{"", "one instance", "two instances"}[instances], func(t *testing.T) {
			t.Parallel()
			kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
				t.Parallel()
				w, seen := coldStart(t, target, instances, true)
				for _, s := range []mapping.Stream{mapping.Partners, mapping.Events} {
					if got := seen.before[w.cfg.Topics.Internal(s)]; got < w.produced[s] {
						t.Errorf("the first order was sent when %d of %d records of %s were through", got, w.produced[s], s)
					}
				}
				parked := w.everParked()
				t.Logf("%d of %d orders were parked", parked, w.produced[mapping.Orders])
				if parked > w.produced[mapping.Orders]/100 {
					t.Errorf("%d of %d orders were parked", parked, w.produced[mapping.Orders])
				}
			})
		})
	}
}

// Without priming nothing keeps orders from being faster: the test above shows something.
func TestColdStartWithoutPriming(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w, seen := coldStart(t, target, 1, false)
		if got := seen.before[w.cfg.Topics.Internal(mapping.Events)]; got != 0 {
			t.Errorf("%d events were through before the first order was sent", got)
		}
		parked := w.everParked()
		t.Logf("%d of %d orders were parked", parked, w.produced[mapping.Orders])
		if parked < enoughRows/2 { // other rows are of refunds
			t.Errorf("%d of %d orders were parked", parked, w.produced[mapping.Orders])
		}
	})
}

// What a transaction aborted, and what one has not committed yet, is nothing to wait
// for: nobody reads the one ever, and the other now.
func TestColdStartOverTransactions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kafkatest.Kafka(t), 2, season.Config{Orders: 100, Seed: 36})
	w.cfg.Priming = true
	w.produceInTransactions()
	open, err := kgo.NewClient(kgo.SeedBrokers(w.source.Addrs...), kgo.TransactionalID(w.source.Topic("open")))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := open.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := open.ProduceSync(t.Context(), &kgo.Record{Topic: w.cfg.Topics.Legacy[mapping.Events], Value: []byte("open")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	in := w.start(t.TempDir())
	w.check(w.drain(in))
	w.leave(in)
	if err := open.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
}
