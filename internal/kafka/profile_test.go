package kafka

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/codec"
	"github.com/lovoo/goka/storage"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

// sendAll produces numbered records of one key and collects their fates.
type sendAll struct {
	t        *testing.T
	producer sarama.AsyncProducer
	numbers  chan int      // to send
	acked    chan struct{} // one per acknowledgement
	done     chan error    // nil when all are acknowledged
}

func startSending(t *testing.T, c Cluster, d Dialer, topic string, n int) *sendAll {
	t.Helper()
	cfg, err := c.ProducerConfig(ProducerOptions{ClientOptions: ClientOptions{Dialer: d}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := sarama.NewAsyncProducer(c.Brokers, cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &sendAll{t: t, producer: p, numbers: make(chan int, n), acked: make(chan struct{}, n), done: make(chan error, 1)}
	go func() {
		for i := range s.numbers {
			p.Input() <- &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder("k"), Value: sarama.StringEncoder(strconv.Itoa(i))}
		}
	}()
	go func() {
		for range n {
			select {
			case <-p.Successes():
				s.acked <- struct{}{}
			case err := <-p.Errors():
				s.done <- err
				return
			}
		}
		s.done <- nil
	}()
	return s
}

// send has the numbers of [from, to) sent in the background.
func (s *sendAll) send(from, to int) {
	for i := from; i < to; i++ {
		s.numbers <- i
	}
}

// waitAcked waits for n acknowledgements.
func (s *sendAll) waitAcked(n int) {
	s.t.Helper()
	limit := time.After(time.Minute)
	for range n {
		select {
		case <-s.acked:
		case err := <-s.done:
			s.t.Fatalf("ended early: %v", err)
		case <-limit:
			s.t.Fatal("no acknowledgement within a minute")
		}
	}
}

// wait waits until all records are acknowledged.
func (s *sendAll) wait() {
	s.t.Helper()
	select {
	case err := <-s.done:
		if err != nil {
			s.t.Fatalf("a record failed: %v", err)
		}
	case <-time.After(2 * time.Minute):
		s.t.Fatal("not all acknowledged within two minutes")
	}
	close(s.numbers)
	if err := s.producer.Close(); err != nil {
		s.t.Error(err)
	}
}

func wantNumbers(t *testing.T, addrs []string, topic string, n int) {
	t.Helper()
	records := kafkatest.ReadAll(t, addrs, topic)
	if len(records) != n {
		t.Errorf("%d records, want %d", len(records), n)
	}
	for i, r := range records {
		if string(r.Value) != strconv.Itoa(i) {
			t.Fatalf("record %d is %q: lost, doubled or out of order", i, r.Value)
		}
	}
}

// A broker that is away for a while costs time, not records: leader lookups are refused for seconds in which stock
// sarama has given up.
func TestProducerSurvivesABrokerRestart(t *testing.T) {
	port := freePort(t)
	o := embedded.Options{Ports: []int{port}, DataDir: t.TempDir()}
	first, err := embedded.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	const n = 20_000
	addrs := first.Addrs()
	kafkatest.CreateTopic(t, addrs, "t", 1, nil)
	d := &countingDialer{}
	s := startSending(t, Cluster{Brokers: addrs, Replication: 1}, d, "t", n)
	s.send(0, n/2)
	s.waitAcked(n / 4)
	first.Close()
	s.send(n/2, n)
	kafkatest.Eventually(t, "five refused connections", func() bool { return d.failed() >= 5 })
	second, err := embedded.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	s.wait()
	wantNumbers(t, addrs, "t", n)
}

// Brokers that refuse records for a while, as they do with too few replicas in sync, are tried again, more
// often than sarama does of itself.
func TestProducerSurvivesMissingReplicas(t *testing.T) {
	t.Parallel()
	tg := kafkatest.Embedded(t, embedded.Options{})
	kafkatest.CreateTopic(t, tg.Addrs, "t", 1, nil)
	const refusals, n = 5, 1000
	h := tg.Embedded.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "t", Err: kerr.NotEnoughReplicas, Count: refusals})
	s := startSending(t, Cluster{Brokers: tg.Addrs, Replication: 1}, nil, "t", n)
	s.send(0, n)
	s.wait()
	if h.Hits() != refusals {
		t.Errorf("%d refusals, want %d", h.Hits(), refusals)
	}
	wantNumbers(t, tg.Addrs, "t", n)
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// The largest record that is allowed goes through, one byte more is refused by the client, before any broker.
func TestLargeRecords(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		t.Parallel()
		c := Cluster{Brokers: tg.Addrs, Replication: 1}
		topic := tg.Topic("large")
		kafkatest.CreateTopic(t, tg.Addrs, topic, 1, map[string]string{"max.message.bytes": strconv.Itoa(9 << 20)})
		cfg, err := c.ProducerConfig(ProducerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := sarama.NewSyncProducer(c.Brokers, cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		const overhead = 100 // of sarama's estimate
		send := func(size int) error {
			_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(incompressible(size))})
			return err
		}
		if err := send(defaultMaxMessageBytes - overhead); err != nil {
			t.Errorf("the largest record: %v", err)
		}
		if err := send(defaultMaxMessageBytes + 1); err == nil {
			t.Error("a record above the limit was accepted")
		}
		if r := kafkatest.ReadAll(t, tg.Addrs, topic); len(r) != 1 || len(r[0].Value) != defaultMaxMessageBytes-overhead {
			t.Errorf("%d records in the topic, want the large one", len(r))
		}
	})
}

// incompressible is pseudo-random, the same every time.
func incompressible(n int) []byte {
	b := make([]byte, n)
	x := uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b
}

// Goka runs a group with a table on the profile: negotiated version, headers, committed reads.
func TestGokaRunsOnTheProfile(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		t.Parallel() // Goka waits five seconds before its first session
		c := Cluster{Brokers: tg.Addrs, Replication: 1}
		v, err := c.Negotiate(nil)
		if err != nil {
			t.Fatal(err)
		}
		net := ClientOptions{Version: v}
		in, out, group := goka.Stream(tg.Topic("in")), goka.Stream(tg.Topic("out")), goka.Group(tg.Topic("group"))
		for topic, config := range map[string]map[string]string{string(in): nil, string(out): nil, string(goka.GroupTable(group)): {"cleanup.policy": "compact"}} {
			kafkatest.CreateTopic(t, tg.Addrs, topic, 2, config)
		}
		consumer, err := c.ConsumerConfig(ConsumerOptions{ClientOptions: net})
		if err != nil {
			t.Fatal(err)
		}
		tables, err := c.ConsumerConfig(ConsumerOptions{ClientOptions: net})
		if err != nil {
			t.Fatal(err)
		}
		producer, err := c.ProducerConfig(ProducerOptions{ClientOptions: net})
		if err != nil {
			t.Fatal(err)
		}
		admin, err := c.AdminConfig(net)
		if err != nil {
			t.Fatal(err)
		}
		count := func(ctx goka.Context, msg any) {
			n, _ := ctx.Value().(int64)
			ctx.SetValue(n + 1)
			ctx.Emit(out, ctx.Key(), msg, goka.WithCtxEmitHeaders(goka.Headers{"n": []byte(strconv.FormatInt(n+1, 10))}))
		}
		tm := goka.NewTopicManagerConfig()
		tm.NoCreate = true
		p, err := goka.NewProcessor(tg.Addrs,
			goka.DefineGroup(group, goka.Input(in, new(codec.String), count), goka.Output(out, new(codec.String)), goka.Persist(new(codec.Int64))),
			goka.WithLogger(log.New(io.Discard, "", 0)),
			goka.WithStorageBuilder(storage.MemoryBuilder()),
			goka.WithConsumerGroupBuilder(goka.ConsumerGroupBuilderWithConfig(consumer)),
			goka.WithConsumerSaramaBuilder(goka.SaramaConsumerBuilderWithConfig(tables)),
			goka.WithProducerBuilder(goka.ProducerBuilderWithConfig(producer)),
			goka.WithTopicManagerBuilder(goka.TopicManagerBuilderWithConfig(admin, tm)))
		if err != nil {
			t.Fatal(err)
		}
		const n = 500
		var records []*kafkatest.Record
		for i := range n {
			records = append(records, &kafkatest.Record{Key: []byte("k" + strconv.Itoa(i%10)), Value: []byte(strconv.Itoa(i))})
		}
		kafkatest.Produce(t, tg.Addrs, string(in), records...)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		kafkatest.Eventually(t, "all outputs", func() bool { return sum(kafkatest.EndOffsets(t, tg.Addrs, string(out))) >= n })
		// Goka's builders put a partitioner and a client id into the configurations: still the profile.
		for name, cfg := range map[string]*sarama.Config{"consumer": consumer, "producer": producer, "tables": tables} {
			if err := CheckProfile(cfg); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		outputs := kafkatest.ReadAll(t, tg.Addrs, string(out))
		last := map[string]string{}
		for _, r := range outputs {
			last[string(r.Key)] = string(r.Headers[0].Value)
		}
		if len(outputs) != n || fmt.Sprint(last) != "map[k0:50 k1:50 k2:50 k3:50 k4:50 k5:50 k6:50 k7:50 k8:50 k9:50]" {
			t.Errorf("%d outputs, counts %v", len(outputs), last)
		}
		if got := sum(kafkatest.CommittedOffsets(t, tg.Addrs, string(group), string(in))); got != n {
			t.Errorf("committed %d, want %d", got, n)
		}
	})
}

func sum(offsets map[int32]int64) (n int64) {
	for _, o := range offsets {
		n += o
	}
	return n
}
