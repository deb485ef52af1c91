package processors_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/dryrun"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/ordercheck"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// world is a deployment under test: topics on a broker, a season, and what came of it.
type world struct {
	t        *testing.T
	source   kafkatest.Target
	target   kafkatest.Target
	cfg      processors.Config
	admins   kafka.Admins
	season   season.Config
	produced [4]int
	monitor  *ordercheck.Monitor
}

// hold is short, so that a drained season has no holds left soon.
const hold = 2 * time.Second

func newWorld(t *testing.T, target kafkatest.Target, gatePartitions int32, s season.Config) *world {
	t.Helper()
	return newWorldOn(t, target, target, gatePartitions, s)
}

func newWorldOn(t *testing.T, source, target kafkatest.Target, gatePartitions int32, s season.Config) *world {
	t.Helper()
	return newWorldOnThree(t, source, target, target, gatePartitions, s)
}

func newWorldOnThree(t *testing.T, source, state, target kafkatest.Target, gatePartitions int32, s season.Config) *world {
	t.Helper()
	p := target.Prefix
	clusterOf := func(tg kafkatest.Target) kafka.Cluster {
		return kafka.Cluster{Brokers: tg.Addrs, Replication: 1}.WithDefaults()
	}
	cluster := clusterOf(state)
	d, err := directory.Parse(season.Directory(s), nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, source: source, target: target, season: s, monitor: ordercheck.New(p+"events", p+"orders", p+"refunds")}
	w.cfg = processors.Config{
		Topics: processors.NewTopics(p+"bridge", [4]string{p + "legacy-partners", p + "legacy-events", p + "legacy-orders", p + "legacy-refunds"},
			p+"events", p+"orders", p+"refunds"),
		Settings: processors.TopicSettings{
			Partitions: gatePartitions, SlimPartitions: 3, Replication: 1, MinInsync: 1,
			InternalRetention: 24 * time.Hour, MaxInternalBytes: cluster.MaxMessageBytes, MaxSlimBytes: mapping.DefaultMaxRecordBytes,
		},
		Rules: &mapping.Rules{
			Encoding: slim.Encoding{Edition: slim.Edition1, Format: slim.JSON}, Directory: d, DefaultLocation: moscow(t),
			OrganizerHold: hold, SetHold: hold, MaxRecordBytes: mapping.DefaultMaxRecordBytes,
		},
		ApplicationID: "ticketscloud", SourceHeader: true,
		Source: clusterOf(source), State: cluster, Target: clusterOf(target),
		SweepInterval: 200 * time.Millisecond, SessionTimeout: 10 * time.Second,
		Log: testLog(t), Observer: w.monitor,
	}
	w.createTopics()
	return w
}

func moscow(t *testing.T) *time.Location {
	loc, err := time.LoadLocation("Europe/Moscow")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func testLog(t *testing.T) *slog.Logger {
	if os.Getenv("VIBE_BRIDGE_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (w *world) createTopics() {
	w.t.Helper()
	for _, topic := range w.cfg.Topics.Legacy {
		kafkatest.CreateTopic(w.t, w.source.Addrs, topic, 3, nil)
	}
	admins, closeAdmins, err := processors.OpenAdmins(w.cfg.Source, w.cfg.State, w.cfg.Target)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(closeAdmins)
	plan, err := admins.Plan(w.cfg.Topics.Specs(w.cfg.Settings))
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := admins.Create(w.t.Context(), plan); err != nil {
		w.t.Fatal(err)
	}
	w.admins = admins
}

// produce writes the season into the legacy topics: all versions of an entity
// into one partition, in order.
func (w *world) produce() {
	w.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.source.Addrs...), kgo.ProducerBatchMaxBytes(8<<20), kgo.MaxBufferedRecords(20_000))
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.Close()
	var once sync.Once
	var failed error
	for rec := range season.Generate(w.season) {
		s := streamOf(rec.Topic)
		w.produced[s]++
		w.monitor.Legacy(rec.Topic, rec.Value)
		client.Produce(context.Background(), &kgo.Record{Topic: w.cfg.Topics.Legacy[s], Key: rec.Key, Value: rec.Value, Timestamp: rec.Time}, func(_ *kgo.Record, err error) {
			if err != nil {
				once.Do(func() { failed = err })
			}
		})
	}
	if err := client.Flush(w.t.Context()); err != nil || failed != nil {
		w.t.Fatalf("produce the season: %v, %v", err, failed)
	}
}

func streamOf(topic string) mapping.Stream {
	for _, s := range mapping.Streams {
		if s.String() == topic {
			return s
		}
	}
	panic("unknown topic " + topic)
}

// instance is a running bridge.
type instance struct {
	stop context.CancelFunc
	done chan error
}

func (w *world) start(stateDir string) *instance {
	w.t.Helper()
	cfg := w.cfg
	cfg.StateDir = stateDir
	b, err := processors.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	in := &instance{stop: stop, done: make(chan error, 1)}
	go func() { in.done <- b.Run(ctx) }()
	w.t.Cleanup(func() { in.stop() })
	return in
}

// leave stops an instance in an orderly way.
func (w *world) leave(in *instance) {
	w.t.Helper()
	in.stop()
	select {
	case err := <-in.done:
		if err != nil {
			w.t.Fatalf("instance ended with %v", err)
		}
	case <-time.After(2 * time.Minute):
		w.t.Fatal("instance did not end within 2 minutes")
	}
}

// limit bounds every wait for what instances do.
const limit = 5 * time.Minute

// until waits for a condition while all instances live.
func (w *world) until(what string, instances []*instance, condition func() bool) {
	w.t.Helper()
	began := time.Now()
	defer func() {
		w.t.Logf("%s after %s, %d records sent", what, time.Since(began).Round(time.Millisecond), w.monitor.Violations().Sent)
	}()
	deadline := time.After(limit)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		if err := alive(instances); err != nil {
			w.t.Fatalf("waiting for %s: %v", what, err)
		}
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("no %s within %s; lag %+v", what, limit, w.lag())
		}
	}
}

// alive is an error when an instance has ended.
func alive(instances []*instance) error {
	for _, in := range instances {
		select {
		case err := <-in.done:
			return fmt.Errorf("an instance ended: %v", err)
		default:
		}
	}
	return nil
}

func (w *world) lag() processors.Lag {
	w.t.Helper()
	lag, err := processors.ReadLag(w.admins, w.cfg.Topics)
	if err != nil {
		w.t.Fatal(err)
	}
	return lag
}

// drain waits until nothing is on its way and all holds are over.
func (w *world) drain(instances ...*instance) *processors.Report {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	began := time.Now()
	report, err := processors.WaitDrained(ctx, w.admins, w.cfg, func(processors.Lag) error { return alive(instances) })
	if err != nil {
		w.t.Fatalf("not drained: %v; lag %+v", err, w.lag())
	}
	w.t.Logf("end after %s, %d records sent", time.Since(began).Round(time.Millisecond), w.monitor.Violations().Sent)
	return report
}

// check holds the drained deployment against the season and against dry-run.
func (w *world) check(r *processors.Report) {
	w.t.Helper()
	for _, s := range mapping.Streams {
		a := r.Accounts[s]
		if a.Consumed != uint64(w.produced[s]) || a.Balance() != 0 {
			w.t.Errorf("%s: %d produced, %d consumed, balance %d: %+v", s, w.produced[s], a.Consumed, a.Balance(), a)
		}
	}
	jsonOut := w.cfg.Rules.Encoding.Format == slim.JSON // the monitor reads no other
	if v := w.monitor.Violations(); jsonOut && (v.Orders != 0 || v.Refunds != 0 || v.Sent == 0) {
		w.t.Errorf("order violations %d, refund violations %d of %d records", v.Orders, v.Refunds, v.Sent)
	}
	w.compare(w.newest(), w.reference())
}

func (w *world) newest() map[string][]byte {
	got := map[string][]byte{}
	for _, s := range []mapping.Stream{mapping.Events, mapping.Orders, mapping.Refunds} {
		for _, rec := range kafkatest.ReadAll(w.t, w.target.Addrs, w.cfg.Topics.Slim[s]) {
			got[fmt.Sprint(s, "/", string(rec.Key))] = rec.Value
		}
	}
	return got
}

// reference is what dry-run makes of the same season.
func (w *world) reference() map[string][]byte {
	w.t.Helper()
	want := map[string][]byte{}
	slimStream := map[string]mapping.Stream{"events": mapping.Events, "orders": mapping.Orders, "refunds": mapping.Refunds}
	engine, err := dryrun.New(dryrun.Config{Rules: w.cfg.Rules, ApplicationID: "ticketscloud"}, func(rec recordfile.Record) error {
		if s, ok := slimStream[rec.Topic]; ok {
			want[fmt.Sprint(s, "/", string(rec.Key))] = rec.Value
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for rec := range season.Generate(w.season) {
		if err := engine.Process(recordfile.Record{Topic: rec.Topic, Key: rec.Key, Value: rec.Value, Timestamp: rec.Time.UnixMilli()}); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := engine.ExpireHolds(); err != nil {
		w.t.Fatal(err)
	}
	return want
}

func (w *world) compare(got, want map[string][]byte) {
	w.t.Helper()
	differing := 0
	report := func(key string) {
		if differing++; differing <= 5 {
			w.t.Errorf("%s:\n got %s\nwant %s", key, got[key], want[key])
		}
	}
	for key := range want {
		if !bytes.Equal(got[key], want[key]) {
			report(key)
		}
	}
	for key := range got {
		if want[key] == nil {
			report(key)
		}
	}
	if differing > 0 || len(want) == 0 {
		w.t.Errorf("%d of %d newest records differ from dry-run's", differing, len(want))
	}
}

// produceInTransactions is produce by a transactional producer, which leaves a marker
// behind the last record of every partition, and then what it has aborted.
func (w *world) produceInTransactions() {
	w.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.source.Addrs...), kgo.TransactionalID(w.source.Topic("id")))
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.Close()
	transaction := func(end kgo.TransactionEndTry, records []*kgo.Record) {
		w.t.Helper()
		ctx := w.t.Context()
		if err := errors.Join(client.BeginTransaction(), client.ProduceSync(ctx, records...).FirstErr(), client.EndTransaction(ctx, end)); err != nil {
			w.t.Fatal(err)
		}
	}
	var records, aborted []*kgo.Record
	for rec := range season.Generate(w.season) {
		s := streamOf(rec.Topic)
		w.produced[s]++
		w.monitor.Legacy(rec.Topic, rec.Value)
		records = append(records, &kgo.Record{Topic: w.cfg.Topics.Legacy[s], Key: rec.Key, Value: rec.Value, Timestamp: rec.Time})
		aborted = append(aborted, &kgo.Record{Topic: w.cfg.Topics.Legacy[s], Key: rec.Key, Value: []byte("aborted")})
	}
	transaction(kgo.TryCommit, records)
	transaction(kgo.TryAbort, aborted)
}
