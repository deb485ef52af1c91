package kafka

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/codec"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

// Why the tracker exists: stock Goka marks every record by itself and sarama
// keeps the maximum, so a record whose output is not acknowledged is committed
// past as soon as a later one's is. The same faults are run with Goka's own
// wiring, which has to lose, and with the tracker and the producer of this
// package, which must not. The client profile is the same in both: what is lost
// is not lost for want of acks=all.
func TestStockGokaLosesAndTheTrackerDoesNot(t *testing.T) {
	t.Parallel()
	for _, f := range []struct {
		name string
		run  func(r *relay, tracked bool) (committed int64)
	}{
		{"killed while a broker owes acknowledgements", killedWhileUnacknowledged},
		{"flushed after an emit was refused", flushedAfterRefusal},
	} {
		for _, tracked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/tracked=%t", f.name, tracked), func(t *testing.T) {
				t.Parallel()
				r := newRelayOverTwo(t)
				r.produce(0, relayed)
				committed := f.run(r, tracked)
				lost := r.lostAfterRestart(tracked)
				if !tracked && (committed != relayed || lost != relayed/2) {
					t.Errorf("stock Goka committed up to %d and lost %d of %d: the fault does not show what it should", committed, lost, relayed)
				}
				if tracked && (committed > 0 || lost != 0) {
					t.Errorf("committed up to %d though record 0 is not acknowledged; %d of %d lost", committed, lost, relayed)
				}
			})
		}
	}
}

// killedWhileUnacknowledged has the broker of output partition 0 swallow what it
// is sent. The other one acknowledges, and a commit passes. Then the instance dies.
func killedWhileUnacknowledged(r *relay, tracked bool) int64 {
	fault := holdProduce(r.tg, r.out, 0, nil)
	run := r.start(tracked, commitOften)
	r.awaitOdd()
	// A record of another input partition that is committed proves that a commit has been
	// made since every acknowledgement so far was processed.
	r.produceTo(1, "clock1")
	kafkatest.Eventually(r.t, "a commit", func() bool { return r.committed()[1] == 1 })
	committed := r.committed()[0]
	run.kill()
	fault.end()
	return committed
}

// flushedAfterRefusal has one broker refuse what it is sent after the other has
// acknowledged; the only commit is the last one, when the processor ends.
func flushedAfterRefusal(r *relay, tracked bool) int64 {
	fault := holdProduce(r.tg, r.out, 0, kerr.MessageTooLarge)
	run := r.start(tracked, commitAtTheEnd)
	r.awaitOdd()
	r.produceTo(1, "clock1")
	kafkatest.Eventually(r.t, "all acknowledgements to be processed", func() bool { return run.acked.Load() == relayed/2+1 })
	fault.release()
	if err := run.end(); err == nil || !strings.Contains(err.Error(), sarama.ErrMessageSizeTooLarge.Error()) {
		r.t.Errorf("processor ended with %v, want the refusal", err)
	}
	fault.end()
	return r.committed()[0]
}

// relayed records 0 to 19 have their number as key; even ones go to output partition 0.
const relayed = 20

// relay is the smallest Goka group: what comes in goes out. Input and output
// have two partitions each; the key's last digit chooses the output's.
type relay struct {
	t       *testing.T
	tg      kafkatest.Target
	in, out string
	group   goka.Group
	cuts    *cuts // of the runs' connections; nil: none
}

func newRelay(t *testing.T, tg kafkatest.Target) *relay {
	t.Helper()
	r := &relay{t: t, tg: tg, in: tg.Topic("in"), out: tg.Topic("out"), group: goka.Group(tg.Topic("relay"))}
	kafkatest.CreateTopic(t, tg.Addrs, r.in, 2, nil)
	kafkatest.CreateTopic(t, tg.Addrs, r.out, 2, nil)
	return r
}

// newRelayOverTwo has a broker for each output partition, so that one can be slow.
func newRelayOverTwo(t *testing.T) *relay {
	t.Helper()
	r := newRelay(t, kafkatest.Embedded(t, embedded.Options{Brokers: 2}))
	for p := range int32(2) {
		if err := r.tg.Embedded.Cluster().MoveTopicPartition(r.out, p, p); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *relay) produce(first, n int) {
	r.t.Helper()
	var records []*kafkatest.Record
	for i := first; i < first+n; i++ {
		records = append(records, &kafkatest.Record{Key: fmt.Append(nil, i), Value: []byte("v")})
	}
	kafkatest.ProducePinned(r.t, r.tg.Addrs, r.in, records...)
}

func (r *relay) produceTo(partition int32, key string) {
	r.t.Helper()
	kafkatest.ProducePinned(r.t, r.tg.Addrs, r.in, &kafkatest.Record{Partition: partition, Key: []byte(key), Value: []byte("v")})
}

func (r *relay) committed() map[int32]int64 {
	r.t.Helper()
	return kafkatest.CommittedOffsets(r.t, r.tg.Addrs, string(r.group), r.in)
}

// awaitOdd waits until all odd records are in the output.
func (r *relay) awaitOdd() {
	r.t.Helper()
	kafkatest.Eventually(r.t, "the odd records", func() bool { return kafkatest.EndOffsets(r.t, r.tg.Addrs, r.out)[1] == relayed/2 })
}

// lostAfterRestart starts the group anew, without faults, and counts the keys that never come out.
func (r *relay) lostAfterRestart(tracked bool) (lost int) {
	r.t.Helper()
	run := r.start(tracked, commitOften)
	r.produceTo(0, "last0")
	var out map[string]bool
	kafkatest.Eventually(r.t, "what was produced last", func() bool {
		out = map[string]bool{}
		for _, rec := range kafkatest.ReadAll(r.t, r.tg.Addrs, r.out) {
			out[string(rec.Key)] = true
		}
		return out["last0"]
	})
	run.stop()
	if err := run.end(); err != nil {
		r.t.Errorf("processor ended with %v", err)
	}
	for i := range relayed {
		if !out[fmt.Sprint(i)] {
			lost++
		}
	}
	return lost
}

const (
	commitOften    = 100 * time.Millisecond
	commitAtTheEnd = time.Hour
)

// relayRun is a running processor on a wire of its own.
type relayRun struct {
	r       *relay
	wire    *wire
	tracker *Tracker
	acked   atomic.Int64 // emits whose acknowledgement Goka has processed, the last of them aside
	stop    context.CancelFunc
	ended   chan error
}

// start runs the group with Goka's own wiring, or with the tracker and this package's producer.
func (r *relay) start(tracked bool, commits time.Duration, options ...func(*TrackerOptions)) *relayRun {
	r.t.Helper()
	run := &relayRun{r: r, wire: &wire{cuts: r.cuts}, ended: make(chan error, 1)}
	o := TrackerOptions{Group: string(r.group)}
	for _, option := range options {
		option(&o)
	}
	run.tracker = NewTracker(o)
	c := Cluster{Brokers: r.tg.Addrs, Replication: 1}
	v, err := c.Negotiate(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	net := ClientOptions{Version: v, Dialer: run.wire}
	consumer := impatient(c.ConsumerConfig(ConsumerOptions{ClientOptions: net}))
	consumer.Consumer.Offsets.AutoCommit.Interval = commits
	admin := impatient(c.AdminConfig(net))
	producer := impatient(c.ProducerConfig(ProducerOptions{ClientOptions: net, Partitioner: sarama.NewCustomHashPartitioner(newDigitHasher)}))

	group, build := goka.ConsumerGroupBuilderWithConfig(consumer), goka.ProducerBuilderWithConfig(producer)
	if tracked {
		group = run.tracker.Builder(group)
		build = func(brokers []string, _ string, _ func() hash.Hash32) (goka.Producer, error) {
			client, err := sarama.NewAsyncProducer(brokers, producer)
			if err != nil {
				return nil, err
			}
			return NewProducer([]sarama.AsyncProducer{client}, ProducerHooks{
				Route:   func(string) (sarama.AsyncProducer, error) { return client, nil },
				Refused: run.tracker.Fail,
			}), nil
		}
	}
	noTopics := goka.NewTopicManagerConfig()
	noTopics.NoCreate = true
	p, err := goka.NewProcessor(r.tg.Addrs,
		goka.DefineGroup(r.group, goka.Input(goka.Stream(r.in), new(codec.Bytes), run.forward), goka.Output(goka.Stream(r.out), new(codec.Bytes))),
		goka.WithLogger(log.New(io.Discard, "", 0)),
		goka.WithHasher(newDigitHasher),
		goka.WithConsumerGroupBuilder(group),
		goka.WithConsumerSaramaBuilder(goka.SaramaConsumerBuilderWithConfig(impatient(c.ConsumerConfig(ConsumerOptions{ClientOptions: net})))),
		goka.WithTopicManagerBuilder(goka.TopicManagerBuilderWithConfig(admin, noTopics)),
		goka.WithProducerBuilder(func(brokers []string, id string, hasher func() hash.Hash32) (goka.Producer, error) {
			inner, err := build(brokers, id, hasher)
			return &ackCounter{inner, &run.acked}, err
		}))
	if err != nil {
		r.t.Fatal(err)
	}
	var ctx context.Context
	ctx, run.stop = context.WithCancel(context.Background())
	go func() { run.ended <- p.Run(ctx) }()
	r.t.Cleanup(run.stop)
	return run
}

// impatient lets a client that has lost its brokers end soon, where production would wait.
func impatient(c *sarama.Config, err error) *sarama.Config {
	if err != nil {
		panic(err)
	}
	c.Producer.Retry.Max, c.Producer.Retry.Backoff, c.Producer.Retry.BackoffFunc = 2, 10*time.Millisecond, nil
	c.Metadata.Retry.Max, c.Metadata.Retry.Backoff, c.Metadata.Retry.BackoffFunc = 2, 10*time.Millisecond, nil
	return c
}

func (run *relayRun) forward(ctx goka.Context, msg any) {
	run.tracker.Begin(string(ctx.Topic()), ctx.Partition(), ctx.Offset())
	ctx.Emit(goka.Stream(run.r.out), ctx.Key(), msg)
}

// end waits for the processor's end.
func (run *relayRun) end() (err error) {
	run.r.t.Helper()
	kafkatest.Eventually(run.r.t, "the processor to end", func() bool {
		select {
		case err = <-run.ended:
			return true
		default:
			return false
		}
	})
	return err
}

// kill cuts the instance off: nothing that it has not sent will ever be sent.
// The group forgets it at once, where it would wait for the session timeout.
func (run *relayRun) kill() {
	run.r.t.Helper()
	run.wire.cut()
	run.stop()
	_ = run.end() // as it may: nobody hears it
	leaveForIt(run.r.t, run.r.tg.Addrs, string(run.r.group))
}

// leaveForIt removes the dead members of a group.
func leaveForIt(t *testing.T, addrs []string, group string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	described, err := kadm.NewClient(cl).DescribeGroups(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = group
	for _, m := range described[group].Members {
		member := kmsg.NewLeaveGroupRequestMember()
		member.MemberID = m.MemberID
		leave.Members = append(leave.Members, member)
	}
	if _, err := leave.RequestWith(t.Context(), cl); err != nil {
		t.Fatal(err)
	}
}

// wire is a dialer whose connections can be cut for good.
type wire struct {
	mu    sync.Mutex
	dead  bool
	conns []net.Conn
	cuts  *cuts // nil: none
}

var errCut = errors.New("the wire is cut")

func (w *wire) Dial(network, address string) (net.Conn, error) {
	conn, err := net.DialTimeout(network, address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		conn.Close()
		return nil, errCut
	}
	w.conns = append(w.conns, conn)
	if w.cuts != nil {
		return &cutConn{Conn: conn, cuts: w.cuts}, nil
	}
	return conn, nil
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = true
	for _, c := range w.conns {
		c.Close()
	}
}

// ackCounter counts acknowledged emits. Its callback on a promise runs before
// Goka's on the same promise, and behind those on all earlier ones.
type ackCounter struct {
	goka.Producer
	n *atomic.Int64
}

func (c *ackCounter) EmitWithHeaders(topic, key string, value []byte, h goka.Headers) *goka.Promise {
	return c.Producer.EmitWithHeaders(topic, key, value, h).Then(func(err error) {
		if err == nil {
			c.n.Add(1)
		}
	})
}

// digitHasher hashes a key to its last digit.
type digitHasher struct{ last byte }

func newDigitHasher() hash.Hash32 { return &digitHasher{} }

func (h *digitHasher) Write(b []byte) (int, error) {
	if len(b) > 0 {
		h.last = b[len(b)-1]
	}
	return len(b), nil
}
func (h *digitHasher) Sum32() uint32       { return uint32(h.last - '0') }
func (h *digitHasher) Sum(b []byte) []byte { return append(b, h.last) }
func (h *digitHasher) Reset()              { h.last = '0' }
func (h *digitHasher) Size() int           { return 4 }
func (h *digitHasher) BlockSize() int      { return 1 }

// heldProduce holds the produce requests for one partition until release, and
// answers them with an error then, or never.
type heldProduce struct {
	released, ended chan struct{}
}

func (h *heldProduce) release() { close(h.released) }
func (h *heldProduce) end()     { close(h.ended) }

// holdProduce holds from now until end. Without an error, requests are swallowed:
// neither written nor answered.
func holdProduce(tg kafkatest.Target, topic string, partition int32, answer *kerr.Error) *heldProduce {
	h := &heldProduce{make(chan struct{}), make(chan struct{})}
	cluster := tg.Embedded.Cluster()
	cluster.ControlKey(int16(kmsg.Produce), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req := kreq.(*kmsg.ProduceRequest)
		if ended(h.ended) || !produces(req, topic, partition) {
			return nil, nil, false
		}
		if answer == nil {
			return nil, nil, true
		}
		cluster.SleepControl(func() {
			select {
			case <-h.released:
			case <-h.ended:
			}
		})
		return refuseAll(req, answer), nil, true
	})
	return h
}

func produces(req *kmsg.ProduceRequest, topic string, partition int32) bool {
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			if t.Topic == topic && p.Partition == partition {
				return true
			}
		}
	}
	return false
}

// refuseAll answers every partition of a produce request with an error.
func refuseAll(req *kmsg.ProduceRequest, answer *kerr.Error) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewProduceResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, answer.Code
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}
