package processors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// While a session ends, ctx.Fail returns instead of ending the callback, in
// Goka's own SetValue and Delete as well, and Goka takes a callback that returns for
// a success: the record would be committed though its state was not written. The
// disk of one partition fails, the session ends, the disk of the next one fails: this
// is how it happens.
func TestCallbackThatFailsAfterItsSessionIsNotCommitted(t *testing.T) {
	order := &statepb.Input{Source: &statepb.Source{Offset: 1}, Body: &statepb.Input_Order{Order: &statepb.OrderFacts{Id: "o", Event: "e"}}}
	for _, c := range []struct {
		name    string
		value   []byte
		refused bool // SetValue fails
		ended   bool // the session is over
		marks   []string
	}{
		{"all is well", marshal(order), false, false, []string{"@8"}},
		{"disk refuses the state", marshal(order), true, true, nil},
		{"record is not readable", []byte("nonsense"), false, true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStubSession(t, "bridge-orders", 7)
			g := newTestGate(t, s)
			if c.ended {
				s.end()
			}
			g.record(&stubContext{ctx: s.ctx, topic: "bridge-orders", offset: 7, key: "e/o", refuse: c.refused}, c.value)
			s.asGokaSeesIt.MarkOffset("bridge-orders", 0, 8, "") // Goka, when the callback has returned and nothing is on its way
			if !slices.Equal(s.marks, c.marks) {
				t.Errorf("marks %q, want %q", s.marks, c.marks)
			}
		})
	}
}

// The same for intake, which has no state: whatever it does after its session may
// not have been done.
func TestIntakeAfterItsSessionIsNotCommitted(t *testing.T) {
	for _, ended := range []bool{false, true} {
		t.Run(fmt.Sprint("ended=", ended), func(t *testing.T) {
			s := newStubSession(t, "events", 7)
			in := &intake{group: newGroup(testBridge(), "bridge-intake-events", s.tracker, nil), stream: mapping.Events}
			if ended {
				s.end()
			}
			in.record(&stubContext{ctx: s.ctx, topic: "events", offset: 7}, nil)
			s.asGokaSeesIt.MarkOffset("events", 0, 8, "")
			if got := len(s.marks) == 0; got != ended {
				t.Errorf("marks %q", s.marks)
			}
		})
	}
}

// A record that is to be quarantined is taken from the session's window. When that
// has gone, a record without the original's key, value and headers must not stand in for it.
func TestIntakeSendsNothingOfARecordThatIsGone(t *testing.T) {
	for _, ended := range []bool{true, false} {
		t.Run(fmt.Sprint("ended=", ended), func(t *testing.T) {
			s := newStubSession(t, "events", 7) // its tracker keeps no records
			in := &intake{group: newGroup(testBridge(), "bridge-intake-events", s.tracker, nil), stream: mapping.Events}
			var sent []string
			in.producer = kafka.NewProducer(nil, kafka.ProducerHooks{
				Route: func(topic string) (sarama.AsyncProducer, error) {
					sent = append(sent, topic)
					return nil, errors.New("no broker")
				},
				Refused: func(error) {},
			})
			if ended {
				s.end()
			}
			ctx := &stubContext{ctx: s.ctx, topic: "events", offset: 7, emit: func(topic string) { sent = append(sent, topic) }}
			if failed := panics(func() { in.record(ctx, []byte("nonsense")) }); failed == ended {
				t.Errorf("the callback fails: %t", failed)
			}
			s.asGokaSeesIt.MarkOffset("events", 0, 8, "")
			if len(sent) != 0 || len(s.marks) != 0 {
				t.Errorf("sent to %q, marks %q; want nothing, and that the record comes again", sent, s.marks)
			}
			if n := in.b.metrics.Consumed()[mapping.Events.String()]; n != 0 {
				t.Errorf("%d records counted as consumed", n)
			}
		})
	}
}

// What is held back when its session ends has sent nothing, and comes again.
func TestIntakeHeldBackGivesUpWithItsSession(t *testing.T) {
	s := newStubSession(t, "events", 7)
	in := &intake{group: newGroup(testBridge(), "bridge-intake-events", s.tracker, nil), stream: mapping.Events}
	in.b.admission.set(hold{"events", byBreaker}, true)
	sent := 0
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		in.record(&stubContext{ctx: s.ctx, topic: "events", offset: 7, emit: func(string) { sent++ }}, nil)
	}()
	s.end()
	<-ended
	s.asGokaSeesIt.MarkOffset("events", 0, 8, "")
	if sent != 0 || len(s.marks) != 0 || len(in.b.metrics.Consumed()) != 0 {
		t.Errorf("%d sent, marks %q, consumed %v; want nothing, and that the record comes again", sent, s.marks, in.b.metrics.Consumed())
	}
}

func panics(f func()) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	f()
	return false
}

func testBridge() *Bridge {
	b := &Bridge{topics: testTopics(), metrics: newMetrics(), admission: newAdmission()}
	b.breaker = newBreaker(Config{Topics: b.topics}, b.admission, slog.New(slog.DiscardHandler), b.Metrics)
	b.rules.publish(&mapping.Rules{
		Encoding: testEncoding, Directory: directory.Empty(), DefaultLocation: time.UTC, MaxRecordBytes: mapping.DefaultMaxRecordBytes,
	})
	return b
}

func newTestStores(t *testing.T) *store.Registry {
	t.Helper()
	stores, err := store.NewRegistry(store.Options{Dir: t.TempDir(), Indexer: waiting, IndexVersion: waitingVersion})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stores.Close() })
	return stores
}

func newTestGate(t *testing.T, s *stubSession) *gate {
	t.Helper()
	stores := newTestStores(t)
	b := testBridge()
	st, err := stores.Builder()(tableOf(b.topics.gateGroup()), 0)
	if err != nil {
		t.Fatal(err)
	}
	g := newGroup(b, b.topics.gateGroup(), s.tracker, stores)
	g.producer = swallowingProducer()
	g.fences.Store(int32(0), &fence{Store: st.(*store.Store), g: g, live: true, generation: 1})
	return &gate{group: g}
}

func swallowingProducer() *kafka.Producer {
	return kafka.NewProducer(nil, kafka.ProducerHooks{Route: func(string) (sarama.AsyncProducer, error) { return swallowing{}, nil }})
}

// swallowing is a client that acknowledges nothing.
type swallowing struct{ sarama.AsyncProducer }

func (swallowing) Input() chan<- *sarama.ProducerMessage {
	return make(chan *sarama.ProducerMessage, 1)
}

type gokaContext = goka.Context // has a method of its own name

// stubContext is Goka's context of one record.
type stubContext struct {
	gokaContext
	ctx    context.Context
	topic  string
	key    string
	offset int64
	refuse bool
	set    func(value []byte) // nil: SetValue writes nothing
	emit   func(topic string)
}

func (c *stubContext) Context() context.Context { return c.ctx }
func (c *stubContext) Topic() goka.Stream       { return goka.Stream(c.topic) }
func (c *stubContext) Partition() int32         { return 0 }
func (c *stubContext) Offset() int64            { return c.offset }
func (c *stubContext) Key() string              { return c.key }
func (c *stubContext) Timestamp() time.Time     { return time.Time{} }
func (c *stubContext) DeferCommit() func(error) { return func(error) {} }
func (c *stubContext) Fail(error)               { c.failIf(true) }

func (c *stubContext) Emit(topic goka.Stream, _ string, _ any, _ ...goka.ContextOption) {
	if c.emit != nil {
		c.emit(string(topic))
	}
}

func (c *stubContext) SetValue(value any, _ ...goka.ContextOption) {
	c.failIf(c.refuse)
	if c.set != nil {
		c.set(value.([]byte))
	}
}

// failIf does as Goka: it panics, unless the session is over.
func (c *stubContext) failIf(failed bool) {
	if failed && c.ctx.Err() == nil {
		panic("failed in a live session")
	}
}

// stubSession is a session of one claim, under a tracker, in which one record has been delivered.
type stubSession struct {
	sarama.ConsumerGroupSession
	ctx          context.Context
	end          context.CancelFunc
	topic        string
	tracker      *kafka.Tracker
	asGokaSeesIt sarama.ConsumerGroupSession
	marks        []string
}

func (s *stubSession) Claims() map[string][]int32 { return map[string][]int32{s.topic: {0}} }
func (s *stubSession) Context() context.Context   { return s.ctx }
func (s *stubSession) GenerationID() int32        { return 1 }
func (s *stubSession) MarkOffset(_ string, _ int32, offset int64, _ string) {
	s.marks = append(s.marks, fmt.Sprint("@", offset))
}

func newStubSession(t *testing.T, topic string, offset int64) *stubSession {
	t.Helper()
	s := &stubSession{topic: topic, tracker: kafka.NewTracker(kafka.TrackerOptions{})}
	s.ctx, s.end = context.WithCancel(context.Background())
	group, err := s.tracker.Builder(func([]string, string, string) (sarama.ConsumerGroup, error) {
		return &stubGroup{session: s, offset: offset}, nil
	})(nil, "", "")
	if err != nil {
		t.Fatal(err)
	}
	h := &stubHandler{session: s, took: make(chan struct{})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = group.Consume(s.ctx, nil, h)
	}()
	<-h.took
	t.Cleanup(func() { s.end(); <-ended })
	return s
}

// stubGroup runs its session as sarama would.
type stubGroup struct {
	sarama.ConsumerGroup
	session *stubSession
	offset  int64
}

func (g *stubGroup) Consume(_ context.Context, _ []string, h sarama.ConsumerGroupHandler) error {
	if err := h.Setup(g.session); err != nil {
		return err
	}
	messages := make(chan *sarama.ConsumerMessage, 1)
	messages <- &sarama.ConsumerMessage{Topic: g.session.topic, Offset: g.offset}
	return h.ConsumeClaim(g.session, &stubClaim{topic: g.session.topic, initial: g.offset, messages: messages})
}

type stubClaim struct {
	sarama.ConsumerGroupClaim
	topic    string
	initial  int64
	messages chan *sarama.ConsumerMessage
}

func (*stubClaim) HighWaterMarkOffset() int64                 { return 0 }
func (c *stubClaim) Topic() string                            { return c.topic }
func (c *stubClaim) Partition() int32                         { return 0 }
func (c *stubClaim) InitialOffset() int64                     { return c.initial }
func (c *stubClaim) Messages() <-chan *sarama.ConsumerMessage { return c.messages }

// stubHandler stands where Goka does: it takes the record and keeps the session until its end.
type stubHandler struct {
	session *stubSession
	took    chan struct{}
}

func (h *stubHandler) Setup(s sarama.ConsumerGroupSession) error {
	h.session.asGokaSeesIt = s
	return nil
}

func (h *stubHandler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (h *stubHandler) ConsumeClaim(_ sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	<-c.Messages()
	close(h.took)
	<-h.session.ctx.Done()
	return nil
}
