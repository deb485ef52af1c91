package processors_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// An instance that is stopped in the middle of a season and started again goes on
// as if nothing had been, with its state folder and without it.
func TestRestart(t *testing.T) {
	t.Parallel()
	for _, wipe := range []bool{false, true} {
		name := "state kept"
		if wipe {
			name = "state deleted"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
				t.Parallel()
				const orders = 5000
				w := newWorld(t, target, 3, season.Config{Orders: orders, Seed: 11, Hostile: 0.05})
				all := slices.Collect(season.Generate(w.season))
				w.producePart(all[:len(all)/2])
				dir := t.TempDir()
				middle := &pauseAt{Observer: w.monitor, topics: w.cfg.Topics.Slim, after: orders / 4, reached: make(chan struct{}), proceed: make(chan struct{})}
				w.cfg.Observer = middle
				in := w.start(dir)
				w.until("a quarter sent", []*instance{in}, func() bool { return over(middle.reached) })
				in.stop()
				close(middle.proceed)
				w.leave(in)
				if lag := w.lag(); lag.Records == 0 {
					t.Fatal("everything was consumed before the restart: it shows nothing")
				}
				wipeIf(t, wipe, dir)
				w.producePart(all[len(all)/2:])
				w.cfg.Observer = w.monitor
				in = w.start(dir)
				w.check(w.drain(in))
				w.leave(in)
			})
		})
	}
}

// producePart is produce for a part of the season.
func (w *world) producePart(records []season.Record) {
	w.t.Helper()
	byTopic := map[string][]*kafkatest.Record{}
	for _, rec := range records {
		s := streamOf(rec.Topic)
		w.produced[s]++
		w.monitor.Legacy(rec.Topic, rec.Value)
		topic := w.cfg.Topics.Legacy[s]
		byTopic[topic] = append(byTopic[topic], &kafkatest.Record{Key: rec.Key, Value: rec.Value, Timestamp: rec.Time})
	}
	for topic, records := range byTopic {
		kafkatest.Produce(w.t, w.source.Addrs, topic, records...)
	}
}

// pauseAt holds the acknowledgements of slim records up, once there have been so many.
type pauseAt struct {
	kafka.Observer
	topics           map[mapping.Stream]string
	after            int64
	acked            atomic.Int64
	reached, proceed chan struct{}
}

func (o *pauseAt) Acked(topic string, key, value []byte) {
	o.Observer.Acked(topic, key, value)
	for _, slim := range o.topics {
		if topic == slim && o.acked.Add(1) == o.after {
			close(o.reached)
			<-o.proceed
		}
	}
}

func over(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Protocol rule R8: an internal topic that was deleted and created again has the
// same name and none of the positions that the state refers to.
func TestRecreatedTopicIsRefused(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w := newWorld(t, target, 2, season.Config{Orders: 50, Seed: 12})
		w.produce()
		dir := t.TempDir()
		in := w.start(dir)
		w.drain(in)
		w.leave(in)

		_, _, _, table := w.cfg.Topics.Gate()
		for _, topic := range []string{w.cfg.Topics.Internal(mapping.Orders), table} {
			w.recreate(topic)
			err := w.refused(dir)
			var identity *kafka.IdentityError
			if !errors.As(err, &identity) || !strings.Contains(err.Error(), topic+" was deleted and created again") {
				t.Errorf("instance ended with %v, want an IdentityError that names %s", err, topic)
			}
		}
	})
}

// The same for a legacy topic: committed offsets and the marks in the state are
// those of the topic that is gone.
func TestRecreatedLegacyTopicIsRefused(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w := newWorld(t, target, 2, season.Config{Orders: 50, Seed: 12})
		w.produce()
		dir := t.TempDir()
		in := w.start(dir)
		w.drain(in)
		w.leave(in)

		topic := w.cfg.Topics.Legacy[mapping.Orders]
		if err := w.admins[kafka.SourceCluster].Delete(t.Context(), []string{topic}); err != nil {
			t.Fatal(err)
		}
		kafkatest.CreateTopic(t, w.source.Addrs, topic, 3, nil)
		err := w.refused(dir)
		var identity *kafka.IdentityError
		if !errors.As(err, &identity) || !strings.Contains(err.Error(), "legacy topic "+topic+" was deleted and created again") {
			t.Errorf("instance ended with %v, want an IdentityError that names %s", err, topic)
		}
	})
}

// A source that gives topics no ids is no reason to refuse, and said once.
func TestSourceWithoutTopicIDs(t *testing.T) {
	t.Parallel()
	old := kafkatest.Embedded(t, embedded.Options{More: []kfake.Opt{kfake.MaxVersions(kversion.V2_6_0())}})
	w := newWorldOn(t, old, kafkatest.Embedded(t, embedded.Options{}), 2, season.Config{Orders: 50, Seed: 15})
	var log lines
	w.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	w.produce()
	in := w.start(t.TempDir())
	w.check(w.drain(in))
	w.leave(in)
	if n := log.count("older than Kafka 2.8"); n != 1 {
		t.Errorf("%d lines about topics without ids, want 1: %s", n, log.all())
	}
}

// lines is a log that may be read while it is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) count(text string) int { return strings.Count(l.all(), text) }

// recreate deletes a topic and creates it with the same settings.
func (w *world) recreate(topic string) {
	w.t.Helper()
	admin := w.admins[kafka.StateCluster]
	if err := admin.Delete(w.t.Context(), []string{topic}); err != nil {
		w.t.Fatal(err)
	}
	plan, err := w.admins.Plan(w.cfg.Topics.Specs(w.cfg.Settings))
	if err != nil {
		w.t.Fatal(err)
	}
	if missing := plan.Missing(); len(missing) != 1 || missing[0].Name != topic {
		w.t.Fatalf("missing %v after %s was deleted", missing, topic)
	}
	if _, err := w.admins.Create(w.t.Context(), plan); err != nil {
		w.t.Fatal(err)
	}
}

// refused runs an instance that has to end by itself.
func (w *world) refused(dir string) (err error) {
	w.t.Helper()
	cfg := w.cfg
	cfg.StateDir = dir
	b, err := processors.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	ready := false
	kafkatest.Eventually(w.t, "the instance to refuse to run", func() bool {
		ready = ready || len(b.NotReady()) == 0
		select {
		case err = <-done:
			return true
		default:
			return false
		}
	})
	if ready {
		w.t.Error("the instance was ready before it refused to run")
	}
	return err
}

// An offset that was reset with Kafka's tools may have jumped over records. It is
// refused, and taken on demand: then everything behind it is processed again, which
// changes nothing.
func TestResetOffsetIsRefused(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w := newWorld(t, target, 2, season.Config{Orders: 300, Seed: 13, Hostile: 0.05})
		w.produce()
		dir := t.TempDir()
		in := w.start(dir)
		w.drain(in)
		w.leave(in)

		group, inputs, _, _ := w.cfg.Topics.Gate()
		w.resetOffsets(group, inputs)
		err := w.refused(dir)
		var foreign *kafka.ForeignOffsetError
		if !errors.As(err, &foreign) || foreign.Group != group || foreign.Offset != 0 {
			t.Fatalf("instance ended with %v, want a ForeignOffsetError for offset 0 of group %s", err, group)
		}
		for _, part := range []string{group, foreign.Topic, "reset", "--accept-reset-offsets"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("error %q does not say %q", err, part)
			}
		}
		if lag := w.lag(); lag.Records == 0 {
			t.Error("the refused instance went on")
		}

		w.cfg.AcceptForeignOffsets = true
		in = w.start(dir)
		w.check(w.drain(in))
		w.leave(in)
	})
}

// Where the offsets of a legacy topic were reset and accepted, the report says for
// good that its count of consumed records is no longer comparable.
func TestReportTellsOfResetOffsets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kafkatest.Embedded(t, embedded.Options{}), 2, season.Config{Orders: 100, Seed: 14})
	w.produce()
	dir := t.TempDir()
	in := w.start(dir)
	if r := w.drain(in); len(r.Reset) != 0 {
		t.Errorf("%v were reset, by the report", r.Reset)
	}
	w.leave(in)
	intake, _ := w.cfg.Topics.Groups()
	w.resetOffsets(intake[mapping.Orders], []string{w.cfg.Topics.Legacy[mapping.Orders]})
	w.cfg.AcceptForeignOffsets = true
	in = w.start(dir)
	w.drain(in)
	w.leave(in)
	w.cfg.AcceptForeignOffsets = false
	in = w.start(dir)
	if r := w.drain(in); !slices.Equal(r.Reset, []mapping.Stream{mapping.Orders}) {
		t.Errorf("%v were reset, by the report; want the orders", r.Reset)
	}
	w.leave(in)
}

// resetOffsets sets the group back to the beginning of its inputs.
func (w *world) resetOffsets(group string, topics []string) {
	w.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.target.Addrs...))
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	offsets := kadm.Offsets{}
	for _, topic := range topics {
		for p := range w.cfg.Settings.Partitions {
			offsets.AddOffset(topic, p, 0, -1)
		}
	}
	if err := kadm.NewClient(cl).CommitAllOffsets(w.t.Context(), group, offsets); err != nil {
		w.t.Fatal(err)
	}
}

func logTo(l *lines) *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
