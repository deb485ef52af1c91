package processors_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// minRecords is quarantine.min_records in these tests.
const minRecords = 50

// breaking is a world whose instances pause topics.
func breaking(t *testing.T, target kafkatest.Target, s season.Config) *world {
	t.Helper()
	w := newWorld(t, target, 2, s)
	w.cfg.Breaker = processors.BreakerConfig{MaxShare: 0.5, Window: time.Hour, MinRecords: minRecords}
	w.cfg.Version = "v1"
	w.cfg.Priming = true
	w.cfg.StallAfter = time.Second // a paused topic does not stall
	return w
}

// bridge is start for a test that looks into the instance.
func (w *world) bridge(dir string) (*processors.Bridge, *instance) {
	w.t.Helper()
	cfg := w.cfg
	cfg.StateDir = dir
	b, err := processors.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	in := &instance{stop: stop, done: make(chan error, 1)}
	go func() { in.done <- b.Run(ctx) }()
	w.t.Cleanup(stop)
	return b, in
}

func (w *world) orders() string { return w.cfg.Topics.Legacy[mapping.Orders] }

// flood writes n orders to each partition that nobody can decode.
func (w *world) flood(n int, partitions ...int32) {
	w.t.Helper()
	var records []*kafkatest.Record
	for range n {
		for _, p := range partitions {
			records = append(records, &kafkatest.Record{Partition: p, Value: []byte{0xff}})
		}
	}
	w.produced[mapping.Orders] += len(records)
	kafkatest.ProducePinned(w.t, w.source.Addrs, w.orders(), records...)
}

func (w *world) quarantined() int {
	w.t.Helper()
	return len(kafkatest.ReadAll(w.t, w.target.Addrs, w.cfg.Topics.Quarantine()))
}

// shared waits until the partitions of orders are shared by so many instances.
func (w *world) shared(members int) {
	w.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.source.Addrs...))
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	source, _ := w.cfg.Topics.Groups()
	kafkatest.Eventually(w.t, "the instances to share the orders", func() bool {
		group, err := kadm.NewClient(cl).DescribeGroups(w.t.Context(), source[mapping.Orders])
		if err != nil {
			w.t.Fatal(err)
		}
		g := group[source[mapping.Orders]]
		return g.State == "Stable" && len(g.Members) == members
	})
}

// paused tells whether an instance says that the topic of orders is paused.
func paused(b *processors.Bridge, w *world) bool {
	return slices.ContainsFunc(b.NotReady(), func(reason string) bool { return strings.HasPrefix(reason, "paused: "+w.orders()+" since ") })
}

func (w *world) awaitPaused(in []*instance, bridges ...*processors.Bridge) {
	w.t.Helper()
	w.until("pause on all instances", in, func() bool {
		return !slices.ContainsFunc(bridges, func(b *processors.Bridge) bool { return !paused(b, w) })
	})
}

// pauses is what the control topic holds of the topic of orders: "" for a tombstone.
func (w *world) pauses() (versions []string) {
	w.t.Helper()
	for _, r := range kafkatest.ReadAll(w.t, w.target.Addrs, w.cfg.Topics.Control()) {
		var p processors.Pause
		if r.Value != nil {
			if err := json.Unmarshal(r.Value, &p); err != nil {
				w.t.Fatal(err)
			}
		}
		if string(r.Key) == w.orders() {
			versions = append(versions, p.Version)
		}
	}
	return versions
}

// A flood of bad orders pauses the topic of orders on both instances, and no other.
// Nothing is lost, and after it is resumed, again and again while it is as bad,
// the accounts balance.
func TestFloodPausesTheTopicEverywhere(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w := breaking(t, target, season.Config{Orders: 300, Seed: 33})
		var before, late []season.Record
		events := 0
		for rec := range season.Generate(w.season) {
			if s := streamOf(rec.Topic); s == mapping.Orders || s == mapping.Refunds {
				late = append(late, rec)
				continue
			}
			before = append(before, rec)
			events++
		}
		b1, in1 := w.bridge(t.TempDir())
		b2, in2 := w.bridge(t.TempDir())
		both := []*instance{in1, in2}
		w.shared(2)
		w.flood(2*minRecords, 0, 1, 2)
		w.awaitPaused(both, b1, b2)

		w.producePart(before) // events still flow
		w.drainedOf(both, mapping.Partners, mapping.Events)
		// Each of the two may have found out for itself, while each of three partitions had one under way.
		if n := w.quarantined(); n < minRecords || n > 2*minRecords+3 {
			t.Errorf("%d records are in quarantine, want %d to %d", n, minRecords, 2*minRecords+3)
		}
		if lag := w.lag(); lag.Records < 6*minRecords-(2*minRecords+3) {
			t.Errorf("lag %+v: the topic of orders is not paused", lag)
		}
		if n := len(w.pauses()); n == 0 || n > 2 {
			t.Errorf("%d pauses were written", n)
		}
		for _, b := range []*processors.Bridge{b1, b2} { // groups that still join are named, too; what stalls would stay
			w.until("the pause alone to be why an instance is not ready", both, func() bool {
				reasons := b.NotReady()
				return len(reasons) == 1 && strings.HasPrefix(reasons[0], "paused: ")
			})
		}

		w.producePart(late)
		resumed := 0
		w.until("end of the flood", both, func() bool {
			if w.lag().Records == 0 {
				return true
			}
			if paused(b1, w) && paused(b2, w) {
				resumed++
				if err := processors.Resume(t.Context(), w.cfg, []string{w.orders()}); err != nil {
					t.Fatal(err)
				}
			}
			return false
		})
		if resumed < 2 {
			t.Errorf("resumed %d times: the windows do not begin anew", resumed)
		}
		w.check(w.drain(both...))
		kafkatest.Eventually(t, "both to be ready", func() bool { return len(b1.NotReady())+len(b2.NotReady()) == 0 })
		if n := w.quarantined(); n != 6*minRecords {
			t.Errorf("%d records are in quarantine, want %d", n, 6*minRecords)
		}
		w.leave(in1)
		w.leave(in2)
	})
}

// drainedOf waits until the intake of these streams has committed all that there is.
func (w *world) drainedOf(in []*instance, streams ...mapping.Stream) {
	w.t.Helper()
	source, _ := w.cfg.Topics.Groups()
	for _, s := range streams {
		w.until(fmt.Sprint("end of ", s), in, func() bool {
			committed := kafkatest.CommittedOffsets(w.t, w.source.Addrs, source[s], w.cfg.Topics.Legacy[s])
			for p, end := range kafkatest.EndOffsets(w.t, w.source.Addrs, w.cfg.Topics.Legacy[s]) {
				if committed[p] < end {
					return false
				}
			}
			return true
		})
	}
}

// A pause outlives a restart, and ends when another version starts. In one partition
// the record that trips is the last.
func TestPauseOutlivesARestart(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w := breaking(t, target, season.Config{Orders: 100, Seed: 34})
		all := slices.Collect(season.Generate(w.season))
		dir := t.TempDir()
		w.flood(minRecords+10, 0)
		b, in := w.bridge(dir)
		w.awaitPaused([]*instance{in}, b)
		w.leave(in)

		b, in = w.bridge(dir)
		w.awaitPaused([]*instance{in}, b)
		var others []season.Record
		for _, rec := range all {
			if s := streamOf(rec.Topic); s == mapping.Partners || s == mapping.Events {
				others = append(others, rec)
			}
		}
		w.producePart(others)
		w.drainedOf([]*instance{in}, mapping.Partners, mapping.Events)
		if n := w.quarantined(); n != minRecords {
			t.Errorf("%d records are in quarantine, want %d", n, minRecords)
		}
		if got := w.pauses(); !slices.Equal(got, []string{"v1"}) {
			t.Errorf("the control topic has %q", got)
		}
		w.leave(in)

		var log lines
		w.cfg.Version, w.cfg.Log = "v2", logTo(&log)
		b, in = w.bridge(dir)
		all = slices.DeleteFunc(all, func(rec season.Record) bool {
			s := streamOf(rec.Topic)
			return s == mapping.Partners || s == mapping.Events
		})
		w.producePart(all)
		w.check(w.drain(in))
		if n := w.quarantined(); n != minRecords+10 {
			t.Errorf("%d records are in quarantine, want %d", n, minRecords+10)
		}
		if got := w.pauses(); !slices.Equal(got, []string{"v1", ""}) {
			t.Errorf("the control topic has %q, want a tombstone behind the pause", got)
		}
		if n := log.count("resumed"); n != 1 {
			t.Errorf("%d lines about a resumed topic: %s", n, log.all())
		}
		kafkatest.Eventually(t, "the instance to be ready", func() bool { return len(b.NotReady()) == 0 })
		w.leave(in)
	})
}

// An instance that is built anew in the same process is no start: a pause that another
// version wrote meanwhile stays. It is taken from the control topic while it runs.
func TestPauseOutlivesARebuild(t *testing.T) {
	h := newHole(t, 1)
	h.cfg.StopTimeout = stopTimeout
	h.cfg.Breaker = processors.BreakerConfig{MaxShare: 0.5, Window: time.Hour, MinRecords: minRecords}
	h.cfg.Version = "v2"
	refused := h.fault(kmsg.Produce, produceTo(h.slim(mapping.Events)), h.refuse(kerr.InvalidRecord))
	s, in := h.supervise(t.TempDir())
	kafkatest.Eventually(t, "the instance to be ready", func() bool { return len(s.NotReady()) == 0 })
	kafkatest.Produce(t, h.target.Addrs, h.cfg.Topics.Control(),
		&kgo.Record{Key: []byte(h.orders()), Value: []byte(`{"since":"2026-01-02T03:04:05Z","bad":6,"records":7,"version":"v1"}`)})
	saysPaused := func() bool {
		return slices.ContainsFunc(s.NotReady(), func(reason string) bool { return strings.HasPrefix(reason, "paused: ") })
	}
	kafkatest.Eventually(t, "the pause", saysPaused)
	h.internal(mapping.Events, event("e"))
	refused.awaitHit(t)
	refused.release()
	kafkatest.Eventually(t, "the failure", func() bool {
		return slices.ContainsFunc(s.NotReady(), func(reason string) bool { return strings.Contains(reason, "built anew") })
	})
	h.awaitSlim(mapping.Events, "e")
	if !saysPaused() {
		t.Errorf("not paused any more: %q", s.NotReady())
	}
	if got := h.pauses(); !slices.Equal(got, []string{"v1"}) {
		t.Errorf("the control topic has %q", got)
	}
	h.leave(in)
}

// A new version that has to wait for its brokers at the start resumes what another one paused, as one does that finds
// them there: no instance of the process has run before.
func TestNewVersionResumesThoughItHadToWaitForBrokers(t *testing.T) {
	h := newHole(t, 1)
	h.cfg.Breaker = processors.BreakerConfig{MaxShare: 0.5, Window: time.Hour, MinRecords: minRecords}
	h.cfg.Version = "v2"
	h.cfg.StateDir = t.TempDir()
	kafkatest.Produce(t, h.target.Addrs, h.cfg.Topics.Control(),
		&kgo.Record{Key: []byte(h.orders()), Value: []byte(`{"since":"2026-01-02T03:04:05Z","bad":6,"records":7,"version":"v1"}`)})
	s, err := processors.NewSupervisor(h.cfg)
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	s.Require(func(context.Context) error {
		if tries++; tries == 1 {
			return &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}
		return nil
	})
	ctx, stop := context.WithCancel(context.Background())
	in := &instance{stop: stop, done: make(chan error, 1)}
	go func() { in.done <- s.Run(ctx) }()
	t.Cleanup(stop)
	// An instance that runs knows what is paused.
	kafkatest.Eventually(t, "the instance to run", func() bool {
		return !slices.ContainsFunc(s.NotReady(), func(reason string) bool { return !strings.HasPrefix(reason, "paused: ") })
	})
	if got := h.pauses(); !slices.Equal(got, []string{"v1", ""}) {
		t.Errorf("the control topic has %q, want a tombstone behind the pause; not ready for %q", got, s.NotReady())
	}
	h.leave(in)
}

// A pause that nobody can read is of no version, and no start ends it.
func TestUnreadablePauseOutlivesAStart(t *testing.T) {
	h := newHole(t, 1)
	h.cfg.Breaker = processors.BreakerConfig{MaxShare: 0.5, Window: time.Hour, MinRecords: minRecords}
	h.cfg.Version = "v2"
	control := h.cfg.Topics.Control()
	kafkatest.Produce(t, h.target.Addrs, control, &kgo.Record{Key: []byte(h.orders()), Value: []byte(`{"since":`)})
	s, in := h.supervise(t.TempDir())
	kafkatest.Eventually(t, "the instance to run", func() bool {
		return !slices.ContainsFunc(s.NotReady(), func(reason string) bool { return !strings.HasPrefix(reason, "paused: ") })
	})
	if n := len(kafkatest.ReadAll(t, h.target.Addrs, control)); n != 1 || len(s.NotReady()) != 1 {
		t.Errorf("the control topic has %d records, not ready for %q; want the pause alone", n, s.NotReady())
	}
	h.leave(in)
}

// With the breaker off an instance ends what is paused, also by a record that cannot be read and while it runs. So nothing is
// paused when the breaker is back on and nothing bad is left.
func TestInstanceWithTheBreakerOffResumes(t *testing.T) {
	h := newHole(t, 1)
	on := processors.BreakerConfig{MaxShare: 0.5, Window: time.Hour, MinRecords: minRecords}
	h.cfg.Version = "v1" // that of all of them: nothing is resumed for another version
	control := h.cfg.Topics.Control()
	pause := func(value string) {
		kafkatest.Produce(t, h.target.Addrs, control, &kgo.Record{Key: []byte(h.orders()), Value: []byte(value)})
	}
	endsWith := func(records int) {
		t.Helper()
		kafkatest.Eventually(t, "a tombstone behind the pause", func() bool {
			all := kafkatest.ReadAll(t, h.target.Addrs, control)
			return len(all) == records && all[records-1].Value == nil
		})
	}
	dir := t.TempDir()
	pause(`{"since":`)
	s, in := h.supervise(dir)
	endsWith(2)
	kafkatest.Eventually(t, "the instance to be ready", func() bool { return len(s.NotReady()) == 0 })
	pause(`{"since":"2026-01-02T03:04:05Z","bad":6,"records":7,"version":"v1"}`)
	endsWith(4)
	if reasons := s.NotReady(); len(reasons) != 0 {
		t.Errorf("not ready for %q", reasons)
	}
	h.leave(in)

	h.cfg.Breaker = on
	s, in = h.supervise(dir)
	kafkatest.Eventually(t, "the instance to be ready", func() bool { return len(s.NotReady()) == 0 })
	h.leave(in)
}

// While the control topic cannot be read, an instance does not begin; while it cannot
// be followed, it says so, and catches up.
func TestControlTopicOutOfReach(t *testing.T) {
	h := newHole(t, 1)
	h.cfg.Breaker = processors.BreakerConfig{MaxShare: 0.5, Window: time.Hour, MinRecords: minRecords}
	control := h.cfg.Topics.Control()
	if err := h.admins[kafka.StateCluster].Delete(t.Context(), []string{control}); err != nil {
		t.Fatal(err)
	}
	if err := h.refused(t.TempDir()); err == nil || !strings.Contains(err.Error(), "topic "+control+" is missing") || !strings.Contains(err.Error(), "topics create") {
		t.Errorf("ended with %v", err)
	}
	plan, err := h.admins.Plan(h.cfg.Topics.Specs(h.cfg.Settings))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.admins.Create(t.Context(), plan); err != nil {
		t.Fatal(err)
	}

	s, in := h.supervise(t.TempDir())
	kafkatest.Eventually(t, "the instance to be ready", func() bool { return len(s.NotReady()) == 0 })
	broken := h.fault(kmsg.Fetch, fetchFrom(control), func(_ *fault, kreq kmsg.Request) (kmsg.Response, bool) {
		req := kreq.(*kmsg.FetchRequest)
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		for _, t := range req.Topics {
			rt := kmsg.NewFetchResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rp := kmsg.NewFetchResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, kerr.TopicAuthorizationFailed.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, true
	})
	kafkatest.Eventually(t, "the instance to say that it is blind", func() bool {
		return slices.ContainsFunc(s.NotReady(), func(reason string) bool { return strings.Contains(reason, "control topic is not followed") })
	})
	kafkatest.Produce(t, h.target.Addrs, control, &kgo.Record{Key: []byte(h.orders()), Value: []byte(`{"bad":6,"records":7,"version":""}`)})
	broken.release()
	kafkatest.Eventually(t, "the pause that was missed, and nothing else", func() bool {
		reasons := s.NotReady()
		return len(reasons) == 1 && strings.HasPrefix(reasons[0], "paused: ")
	})
	h.leave(in)
}
