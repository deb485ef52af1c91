package processors_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// hole is a deployment of one partition. Records are put into the internal topics
// directly, so that the test says which topic has what and when.
type hole struct {
	*world
	group, loop, table string // of the gate
	inputs             []string
	sources            map[mapping.Stream]int64 // next legacy offset
}

func newHole(t *testing.T, brokers int) *hole {
	t.Helper()
	t.Parallel() // these tests wait more than they work
	w := newWorld(t, kafkatest.Embedded(t, embedded.Options{Brokers: brokers}), 1, season.Config{})
	w.cfg.Rules = holeRules() // as the victims have
	h := &hole{world: w, sources: map[mapping.Stream]int64{}}
	h.group, h.inputs, h.loop, h.table = w.cfg.Topics.Gate()
	return h
}

func (h *hole) cluster() *kfake.Cluster      { return h.target.Embedded.Cluster() }
func (h *hole) slim(s mapping.Stream) string { return h.cfg.Topics.Slim[s] }

// isolate gives the internal topic of a stream a broker of its own, so that requests
// for it can be held without holding those for others on the same connection.
func (h *hole) isolate(s mapping.Stream) {
	h.t.Helper()
	coordinator := h.cluster().CoordinatorFor(h.group)
	for _, topic := range append(h.inputs, h.table) {
		node := coordinator
		if topic == h.cfg.Topics.Internal(s) {
			node = 1 - coordinator
		}
		if err := h.cluster().MoveTopicPartition(topic, 0, node); err != nil {
			h.t.Fatal(err)
		}
	}
}

// internal does intake's work on one record.
func (h *hole) internal(s mapping.Stream, m proto.Message) {
	h.t.Helper()
	in := intakeOf(h.t, h.cfg.Rules, s, h.sources[s], m)
	h.sources[s]++
	value, err := proto.Marshal(in.Input)
	if err != nil {
		h.t.Fatal(err)
	}
	kafkatest.ProducePinned(h.t, h.target.Addrs, h.cfg.Topics.Internal(s), &kafkatest.Record{Key: []byte(in.Key), Value: value})
}

// seedEvent puts the state of an event into the local store, as sent by the record
// at the offset, and nowhere else: what a crash leaves that comes before the changelog's
// acknowledgement.
func (h *hole) seedEvent(dir, id string, offset int64) {
	h.t.Helper()
	table := map[string][]byte{}
	runGate(h.t, h.cfg.Rules, mapping.Cause{Topic: 1, Offset: offset}, nil, table, id, intakeOf(h.t, h.cfg.Rules, mapping.Events, 0, event(id)).Input)
	if entity(h.t, table[id]).GetSent() == nil {
		h.t.Fatal("the event was not sent")
	}
	stores, err := store.NewRegistry(store.Options{Dir: filepath.Join(dir, h.cfg.Topics.Name)})
	if err != nil {
		h.t.Fatal(err)
	}
	st, err := stores.Builder()(h.table, 0)
	if err == nil {
		err = st.Set(id, table[id])
	}
	if err := errors.Join(err, stores.Close()); err != nil {
		h.t.Fatal(err)
	}
}

// startBridge is start for a test that looks into the instance.
func (h *hole) startBridge(dir string) (*processors.Bridge, *instance) {
	h.t.Helper()
	cfg := h.cfg
	cfg.StateDir = dir
	b, err := processors.New(cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	in := &instance{stop: stop, done: make(chan error, 1)}
	go func() { in.done <- b.Run(ctx) }()
	h.t.Cleanup(stop)
	kafkatest.Eventually(h.t, "the gate to run", func() bool { return b.GateTracker() != nil })
	return b, in
}

func (h *hole) slimKeys(s mapping.Stream) map[string]bool {
	h.t.Helper()
	keys := map[string]bool{}
	for _, r := range kafkatest.ReadAll(h.t, h.target.Addrs, h.slim(s)) {
		keys[string(r.Key)] = true
	}
	return keys
}

func (h *hole) awaitSlim(s mapping.Stream, keys ...string) {
	h.t.Helper()
	kafkatest.Eventually(h.t, fmt.Sprint(s, " ", keys, " to go out"), func() bool {
		out := h.slimKeys(s)
		for _, key := range keys {
			if !out[key] {
				return false
			}
		}
		return true
	})
}

func (h *hole) committed(topic string) map[int32]int64 {
	h.t.Helper()
	return kafkatest.CommittedOffsets(h.t, h.target.Addrs, h.group, topic)
}

func (h *hole) awaitCommitted(s mapping.Stream, offset int64) {
	h.t.Helper()
	kafkatest.Eventually(h.t, s.String()+" to be committed", func() bool { return h.committed(h.cfg.Topics.Internal(s))[0] == offset })
}

// row is the bookkeeping part of the newest row of a key in the table.
func (h *hole) row(key string) (newest *statepb.Entity) {
	h.t.Helper()
	for _, r := range kafkatest.ReadAll(h.t, h.target.Addrs, h.table) {
		if string(r.Key) == key {
			newest = entity(h.t, r.Value)
		}
	}
	return newest
}

func (h *hole) everWaited(key string) bool {
	h.t.Helper()
	for _, r := range kafkatest.ReadAll(h.t, h.target.Addrs, h.table) {
		if bytes.Equal(r.Key, []byte(key)) && entity(h.t, r.Value).GetWait() != nil {
			return true
		}
	}
	return false
}

func event(id string) *legacyproto.Event {
	return &legacyproto.Event{Id: id, Name: "Evening", Lifetime: &legacyproto.Lifetime{Start: &timestamppb.Timestamp{Seconds: 1777651200}}}
}

func order(id, event string) *legacyproto.Order {
	return &legacyproto.Order{
		Id: id, Event: event, Status: legacyproto.Order_DONE,
		Settings: &legacyproto.Order_Settings{Customer: &legacyproto.Order_Settings_Customer{Phone: "+79001234567", Email: "buyer@example.com"}},
		Tickets:  []*legacyproto.Order_Ticket{{Id: "ticket1", Barcode: "460001"}},
	}
}

func intakeOf(t *testing.T, rules *mapping.Rules, s mapping.Stream, offset int64, m proto.Message) mapping.Intake {
	t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	in := rules.Intake(s, &statepb.Source{Offset: offset}, raw)
	if in.Quarantine != "" || in.Input.GetNote() != nil {
		t.Fatalf("intake of %v: %+v", m, in)
	}
	return in
}

// fault is something that the brokers do wrong with some requests.
type fault struct {
	hits     atomic.Int64
	once     sync.Once
	released chan struct{}
}

// release lets go what is held and ends the fault.
func (f *fault) release() { f.once.Do(func() { close(f.released) }) }

func (f *fault) awaitHit(t *testing.T) {
	t.Helper()
	kafkatest.Eventually(t, "a request that the fault is for", func() bool { return f.hits.Load() > 0 })
}

// fault puts matching requests through do until it is released. do runs in the
// cluster and tells whether it has answered.
func (h *hole) fault(key kmsg.Key, matches func(kmsg.Request) bool, do func(*fault, kmsg.Request) (kmsg.Response, bool)) *fault {
	f := &fault{released: make(chan struct{})}
	h.t.Cleanup(f.release)
	h.cluster().ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
		h.cluster().KeepControl()
		select {
		case <-f.released:
			return nil, nil, false
		default:
		}
		if !matches(req) {
			return nil, nil, false
		}
		f.hits.Add(1)
		resp, handled := do(f, req)
		return resp, nil, handled
	})
	return f
}

// swallow neither writes nor answers.
func swallow(*fault, kmsg.Request) (kmsg.Response, bool) { return nil, true }

// hold waits for the release, and goes on as if nothing had been.
func (h *hole) hold(f *fault, _ kmsg.Request) (kmsg.Response, bool) {
	h.cluster().SleepControl(func() { <-f.released })
	return nil, false
}

// refuse waits for the release, and answers a produce request with an error.
func (h *hole) refuse(e *kerr.Error) func(*fault, kmsg.Request) (kmsg.Response, bool) {
	return func(f *fault, kreq kmsg.Request) (kmsg.Response, bool) {
		h.cluster().SleepControl(func() { <-f.released })
		req := kreq.(*kmsg.ProduceRequest)
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range req.Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, e.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, true
	}
}

// observe only counts.
func observe(*fault, kmsg.Request) (kmsg.Response, bool) { return nil, false }

// fetchedPast sees the fetches of a stream from an offset on: what lies before it has arrived.
func (h *hole) fetchedPast(s mapping.Stream, offset int64) func(kmsg.Request) bool {
	topic := h.cfg.Topics.Internal(s)
	return func(req kmsg.Request) bool {
		return slices.ContainsFunc(req.(*kmsg.FetchRequest).Topics, func(t kmsg.FetchRequestTopic) bool {
			return t.Topic == topic && t.Partitions[0].FetchOffset >= offset
		})
	}
}

func produceTo(topic string) func(kmsg.Request) bool {
	return func(req kmsg.Request) bool {
		return slices.ContainsFunc(req.(*kmsg.ProduceRequest).Topics, func(t kmsg.ProduceRequestTopic) bool { return t.Topic == topic })
	}
}

// fetchFrom sees the fetches of the bridge, which name topics. Those of the tests' own client do not.
func fetchFrom(topic string) func(kmsg.Request) bool {
	return func(req kmsg.Request) bool {
		return slices.ContainsFunc(req.(*kmsg.FetchRequest).Topics, func(t kmsg.FetchRequestTopic) bool { return t.Topic == topic })
	}
}

// oldestOffset is Kafka's way to ask for the beginning of a partition.
const oldestOffset = -2

// claimStart sees what a claim of the topic asks for before it can start. The
// tracker asks for the beginning of every input once, when the session begins.
func claimStart(topic string) func(kmsg.Request) bool {
	beginnings := 0
	return func(kreq kmsg.Request) bool {
		for _, t := range kreq.(*kmsg.ListOffsetsRequest).Topics {
			if t.Topic == topic && t.Partitions[0].Timestamp == oldestOffset {
				beginnings++
				return beginnings > 1
			}
		}
		return false
	}
}

// committedOffsetOf sees the question for the committed offset of one topic alone, as sarama asks it.
func committedOffsetOf(group, topic string) func(kmsg.Request) bool {
	return func(kreq kmsg.Request) bool {
		return slices.ContainsFunc(kreq.(*kmsg.OffsetFetchRequest).Groups, func(g kmsg.OffsetFetchRequestGroup) bool {
			return g.Group == group && len(g.Topics) == 1 && g.Topics[0].Topic == topic
		})
	}
}

// A victim is an instance in a process of its own, which can be killed.
type victim struct {
	h   *hole
	cmd *exec.Cmd
}

// victimEnv, when it is set, makes this test binary an instance of the bridge.
const victimEnv = "VIBE_BRIDGE_TEST_VICTIM"

// victimSpec is all that a victim's configuration is made of.
type victimSpec struct {
	Cluster  kafka.Cluster
	Name     string
	Legacy   [4]string
	Slim     [3]string // events, orders, refunds
	Settings processors.TopicSettings
	StateDir string
}

func TestMain(m *testing.M) {
	spec := os.Getenv(victimEnv)
	if spec == "" {
		os.Exit(m.Run())
	}
	if err := beVictim(spec); err != nil {
		fmt.Fprintln(os.Stderr, "victim:", err)
		os.Exit(1)
	}
}

func beVictim(encoded string) error {
	var s victimSpec
	if err := json.Unmarshal([]byte(encoded), &s); err != nil {
		return err
	}
	b, err := processors.New(processors.Config{
		Topics:   processors.NewTopics(s.Name, s.Legacy, s.Slim[0], s.Slim[1], s.Slim[2]),
		Settings: s.Settings, Rules: holeRules(), ApplicationID: "ticketscloud",
		Source: s.Cluster, State: s.Cluster, Target: s.Cluster,
		StateDir: s.StateDir, SweepInterval: time.Second, SessionTimeout: 10 * time.Second,
	})
	if err != nil {
		return err
	}
	go func() { // it must not outlive the test that started it
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	return b.Run(context.Background())
}

func (h *hole) spawn(dir string) *victim {
	h.t.Helper()
	t := h.cfg.Topics
	spec, err := json.Marshal(victimSpec{
		Cluster: h.cfg.State, Name: t.Name, Legacy: t.Legacy,
		Slim:     [3]string{h.slim(mapping.Events), h.slim(mapping.Orders), h.slim(mapping.Refunds)},
		Settings: h.cfg.Settings, StateDir: dir,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	v := &victim{h: h, cmd: exec.Command(exe)}
	v.cmd.Env = append(os.Environ(), victimEnv+"="+string(spec))
	v.cmd.Stderr = os.Stderr
	if _, err := v.cmd.StdinPipe(); err != nil {
		h.t.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		_ = v.cmd.Process.Kill() // fails if it has ended, which is as good
		_ = v.cmd.Wait()
	})
	return v
}

// kill is kill -9. The groups forget the dead member at once, where they would
// wait for its session timeout.
func (v *victim) kill() {
	v.h.t.Helper()
	if err := v.cmd.Process.Kill(); err != nil {
		v.h.t.Fatalf("the instance had ended before it was killed: %v", err)
	}
	_ = v.cmd.Wait()
	source, state := v.h.cfg.Topics.Groups()
	cl, err := kgo.NewClient(kgo.SeedBrokers(v.h.target.Addrs...))
	if err != nil {
		v.h.t.Fatal(err)
	}
	defer cl.Close()
	described, err := kadm.NewClient(cl).DescribeGroups(v.h.t.Context(), append(source, state...)...)
	if err != nil {
		v.h.t.Fatal(err)
	}
	for _, group := range described {
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Group = group.Group
		for _, m := range group.Members {
			member := kmsg.NewLeaveGroupRequestMember()
			member.MemberID = m.MemberID
			leave.Members = append(leave.Members, member)
		}
		if _, err := leave.RequestWith(v.h.t.Context(), cl); err != nil {
			v.h.t.Fatal(err)
		}
	}
}
