package kafka

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

// leakless fails the test if it leaves goroutines behind. Call it first, so
// that it looks after everything else was cleaned up.
func leakless(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	// The clients' metrics share one goroutine for the life of the process.
	metrics := goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick")
	t.Cleanup(func() { goleak.VerifyNone(t, before, metrics) })
}

// diary notes what a producer tells, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.lines)
}

func (d *diary) Sending(topic string, key, value []byte) {
	d.note("sending %s %s=%s", topic, key, value)
}
func (d *diary) Acked(topic string, key, value []byte) { d.note("acked %s %s=%s", topic, key, value) }

func newAsyncProducer(t *testing.T, addrs []string) sarama.AsyncProducer {
	t.Helper()
	cfg, err := Cluster{Brokers: addrs, Replication: 1}.ProducerConfig(ProducerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := sarama.NewAsyncProducer(addrs, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newTestProducer has one client for all topics but "nowhere".
func newTestProducer(t *testing.T, tg kafkatest.Target, d *diary) *Producer {
	t.Helper()
	c := newAsyncProducer(t, tg.Addrs)
	p := NewProducer([]sarama.AsyncProducer{c}, ProducerHooks{
		Route: func(topic string) (sarama.AsyncProducer, error) {
			if topic == "nowhere" {
				return nil, errors.New("topic nowhere has no cluster")
			}
			return c, nil
		},
		Refused:  func(err error) { d.note("refused: %v", err) },
		Observer: d,
	})
	t.Cleanup(func() { p.Close() })
	return p
}

// await waits for a promise.
func await(t *testing.T, p *goka.Promise) error {
	t.Helper()
	ended := make(chan error, 1)
	p.Then(func(err error) { ended <- err })
	var err error
	kafkatest.Eventually(t, "the promise to end", func() bool {
		select {
		case err = <-ended:
			return true
		default:
			return false
		}
	})
	return err
}

// Headers are a map; a repeated record must have the same bytes all the same.
func TestProducerSortsHeaders(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		t.Parallel()
		topic := tg.Topic("t")
		kafkatest.CreateTopic(t, tg.Addrs, topic, 1, nil)
		p := newTestProducer(t, tg, &diary{})
		headers := goka.Headers{}
		for _, name := range []string{"version", "application-id", "bridge-source", "type", "zone", "content-type"} {
			headers[name] = []byte("of " + name)
		}
		const repeats = 20
		for range repeats {
			if err := await(t, p.EmitWithHeaders(topic, "k", []byte("v"), headers)); err != nil {
				t.Fatal(err)
			}
		}
		records := kafkatest.ReadAll(t, tg.Addrs, topic)
		for _, r := range records {
			var names []string
			for _, h := range r.Headers {
				names = append(names, h.Key)
				if string(h.Value) != "of "+h.Key {
					t.Errorf("header %s=%s", h.Key, h.Value)
				}
			}
			if len(names) != len(headers) || !slices.IsSorted(names) {
				t.Fatalf("headers %q, want all %d in the order of their names", names, len(headers))
			}
		}
		if len(records) != repeats {
			t.Errorf("%d records, want %d", len(records), repeats)
		}
	})
}

func TestProducerRoutesByTopic(t *testing.T) {
	leakless(t)
	state, target := kafkatest.Embedded(t, embedded.Options{}), kafkatest.Embedded(t, embedded.Options{})
	for _, tg := range []kafkatest.Target{state, target} {
		kafkatest.CreateTopic(t, tg.Addrs, "table", 1, nil)
		kafkatest.CreateTopic(t, tg.Addrs, "events", 1, nil)
	}
	clients := map[string]sarama.AsyncProducer{"table": newAsyncProducer(t, state.Addrs), "events": newAsyncProducer(t, target.Addrs)}
	p := NewProducer([]sarama.AsyncProducer{clients["table"], clients["events"]}, ProducerHooks{
		Route:   func(topic string) (sarama.AsyncProducer, error) { return clients[topic], nil },
		Refused: func(err error) { t.Errorf("refused: %v", err) },
	})
	for range 3 {
		p.Emit("table", "k", []byte("row"))
	}
	p.Emit("events", "k", []byte("event"))
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		tg    kafkatest.Target
		topic string
		want  int
	}{{state, "table", 3}, {state, "events", 0}, {target, "table", 0}, {target, "events", 1}} {
		if n := len(kafkatest.ReadAll(t, c.tg.Addrs, c.topic)); n != c.want {
			t.Errorf("%d records of %s, want %d", n, c.topic, c.want)
		}
	}
}

func TestProducerWithoutARoute(t *testing.T) {
	leakless(t)
	d := &diary{}
	p := newTestProducer(t, kafkatest.Embedded(t, embedded.Options{}), d)
	if err := await(t, p.Emit("nowhere", "k", nil)); err == nil || !strings.Contains(err.Error(), "no cluster") {
		t.Errorf("error %v", err)
	}
	if lines := d.read(); !slices.Equal(lines, []string{"refused: topic nowhere has no cluster"}) {
		t.Errorf("told %q", lines)
	}
}

// A nil value is a deletion in a compacted topic, an empty one is a value.
func TestProducerTombstone(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		t.Parallel()
		topic := tg.Topic("t")
		kafkatest.CreateTopic(t, tg.Addrs, topic, 1, nil)
		p := newTestProducer(t, tg, &diary{})
		for _, value := range [][]byte{nil, {}, []byte("v")} {
			if err := await(t, p.Emit(topic, "k", value)); err != nil {
				t.Fatal(err)
			}
		}
		r := kafkatest.ReadAll(t, tg.Addrs, topic)
		if len(r) != 3 || r[0].Value != nil || r[1].Value == nil || len(r[1].Value) != 0 || string(r[2].Value) != "v" {
			t.Errorf("%d records, want nil, empty and v: %+v", len(r), r)
		}
	})
}

// Order of what is told: sending, then acknowledged, then Goka's callback; or
// refused, then Goka's callback. Waiters must be woken before Goka acts (hole H5b).
func TestProducerTellsInOrder(t *testing.T) {
	leakless(t)
	tg := kafkatest.Embedded(t, embedded.Options{})
	kafkatest.CreateTopic(t, tg.Addrs, "good", 1, nil)
	kafkatest.CreateTopic(t, tg.Addrs, "bad", 1, nil)
	tg.Embedded.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "bad", Err: kerr.TopicAuthorizationFailed, Count: -1})
	d := &diary{}
	p := newTestProducer(t, tg, d)
	for _, topic := range []string{"good", "bad"} {
		promise := p.Emit(topic, "k", []byte("v")).Then(func(err error) { d.note("promise of %s: %v", topic, err) })
		_ = await(t, promise)
	}
	refusal := "produce to bad: " + sarama.ErrTopicAuthorizationFailed.Error()
	want := []string{
		"sending good k=v", "acked good k=v", "promise of good: <nil>",
		"sending bad k=v", "refused: " + refusal, "promise of bad: " + refusal,
	}
	if got := d.read(); !slices.Equal(got, want) {
		t.Errorf("told %q\nwant %q", got, want)
	}
}

// Send passes a record on as it is: no key, header order, several headers of one name.
func TestProducerSendsAsIs(t *testing.T) {
	leakless(t)
	tg := kafkatest.Embedded(t, embedded.Options{})
	kafkatest.CreateTopic(t, tg.Addrs, "t", 1, nil)
	p := newTestProducer(t, tg, &diary{})
	ended := make(chan error, 1)
	p.Send(&sarama.ProducerMessage{Topic: "t", Value: sarama.ByteEncoder("v"), Headers: []sarama.RecordHeader{
		{Key: []byte("z"), Value: []byte("1")}, {Key: []byte("a"), Value: []byte("2")}, {Key: []byte("z"), Value: nil},
	}}, func(_ *sarama.ProducerMessage, err error) { ended <- err })
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	r := kafkatest.ReadAll(t, tg.Addrs, "t")
	if len(r) != 1 || r[0].Key != nil || fmt.Sprint(r[0].Headers) != "[{z [49]} {a [50]} {z []}]" {
		t.Errorf("records %+v", r)
	}
}

// Close flushes what was sent, and nothing goes out behind it.
func TestProducerClose(t *testing.T) {
	leakless(t)
	tg := kafkatest.Embedded(t, embedded.Options{})
	kafkatest.CreateTopic(t, tg.Addrs, "t", 1, nil)
	d := &diary{}
	p := newTestProducer(t, tg, d)
	const n = 1000
	for i := range n {
		p.Emit("t", fmt.Sprint(i), []byte("v")).Then(func(err error) {
			if err != nil {
				t.Errorf("record %d: %v", i, err)
			}
		})
	}
	for range 2 {
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if got := len(kafkatest.ReadAll(t, tg.Addrs, "t")); got != n {
		t.Errorf("%d records after Close, want %d", got, n)
	}
	if got := len(d.read()); got != 2*n {
		t.Errorf("%d lines before Close returned, want one sending and one acked of each of %d", got, n)
	}
	if err := await(t, p.Emit("t", "late", []byte("v"))); !errors.Is(err, ErrProducerClosed) {
		t.Errorf("Emit after Close: %v, want %v", err, ErrProducerClosed)
	}
	if lines := d.read(); lines[len(lines)-1] != "refused: "+ErrProducerClosed.Error() {
		t.Errorf("last told %q, want the refusal", lines[len(lines)-1])
	}
}

// Whoever closes a producer may end what it writes to next, the second one as well
// as the first: nobody returns before the flush is over.
func TestSecondCloseWaitsForTheFlush(t *testing.T) {
	leakless(t)
	tg := kafkatest.Embedded(t, embedded.Options{})
	kafkatest.CreateTopic(t, tg.Addrs, "t", 1, nil)
	held := make(chan struct{})
	arrived := make(chan struct{}, 1)
	tg.Embedded.Cluster().ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		arrived <- struct{}{}
		tg.Embedded.Cluster().SleepControl(func() { <-held })
		return nil, nil, false
	})
	p := newTestProducer(t, tg, &diary{})
	acked := make(chan struct{})
	p.Emit("t", "k", nil).Then(func(error) { close(acked) })
	<-arrived
	const closers = 3
	returned := make(chan bool, closers) // whether the record was acknowledged by then
	for range closers {
		go func() {
			p.Close()
			select {
			case <-acked:
				returned <- true
			default:
				returned <- false
			}
		}()
	}
	kafkatest.Eventually(t, "the producer to be closing", func() bool {
		p.mu.RLock()
		defer p.mu.RUnlock()
		return p.closed
	})
	// The others have nothing that keeps them from returning, if they do.
	for range 1000 {
		runtime.Gosched()
	}
	close(held)
	for range closers {
		if !<-returned {
			t.Error("a Close returned before the record was acknowledged")
		}
	}
}

// Goka closes the producer while callbacks of other partitions may still emit:
// every record ends exactly once, in the log or with an error.
func TestProducerCloseDuringSend(t *testing.T) {
	leakless(t)
	tg := kafkatest.Embedded(t, embedded.Options{})
	kafkatest.CreateTopic(t, tg.Addrs, "t", 1, nil)
	p := newTestProducer(t, tg, &diary{})
	const senders, each = 4, 2000
	var mu sync.Mutex
	acked, refused, ends := 0, 0, sync.WaitGroup{}
	ends.Add(senders * each)
	var sending sync.WaitGroup
	begun := make(chan struct{}, senders)
	for range senders {
		sending.Go(func() {
			for i := range each {
				if i == each/10 {
					begun <- struct{}{}
				}
				p.Emit("t", "k", []byte("v")).Then(func(err error) {
					defer ends.Done()
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						acked++
					} else {
						refused++
					}
				})
			}
		})
	}
	<-begun
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	sending.Wait()
	ends.Wait()
	if n := len(kafkatest.ReadAll(t, tg.Addrs, "t")); n != acked || acked+refused != senders*each || acked == 0 {
		t.Errorf("%d records in the log, %d acknowledged, %d refused of %d", n, acked, refused, senders*each)
	}
}
