package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/live"
	"github.com/ticketscloud/vibe-bridge/compare/once"
	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// world is a season, the bridge's deployment, and a comparison beside it.
type world struct {
	t      *testing.T
	target kafkatest.Target
	season season.Config
	bridge processors.Config
	admins kafka.Admins
	cfg    live.Config
}

const limit = 4 * time.Minute

var streams = []compare.Stream{compare.Events, compare.Orders, compare.Refunds}

// onEmbedded runs a test of what is decided about records once they are read: the broker has no part in it, and that
// real Kafka's are read as the embedded one's the other tests show.
func onEmbedded(t *testing.T, test func(t *testing.T, target kafkatest.Target)) {
	t.Run("embedded", func(t *testing.T) { test(t, kafkatest.Embedded(t, embedded.Options{})) })
}

func newWorld(t *testing.T, target kafkatest.Target, s season.Config) *world {
	t.Helper()
	w := &world{t: t, target: target, season: s}
	zone, err := time.LoadLocation("Europe/Moscow")
	w.must(err)
	places := season.Directory(s)
	d, err := directory.Parse(places, nil)
	w.must(err)
	p := target.Prefix
	cluster := kafka.Cluster{Brokers: target.Addrs, Replication: 1}.WithDefaults()
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("VIBE_BRIDGE_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	w.bridge = processors.Config{
		Topics: processors.NewTopics(p+"bridge", [4]string{p + "legacy-partners", p + "legacy-events", p + "legacy-orders", p + "legacy-refunds"},
			p+"events", p+"orders", p+"refunds"),
		Settings: processors.TopicSettings{
			Partitions: 2, SlimPartitions: 3, Replication: 1, MinInsync: 1,
			InternalRetention: 24 * time.Hour, MaxInternalBytes: cluster.MaxMessageBytes, MaxSlimBytes: mapping.DefaultMaxRecordBytes,
		},
		Rules: &mapping.Rules{
			Encoding: slim.Encoding{Edition: slim.Edition1, Format: slim.JSON}, Directory: d, DefaultLocation: zone,
			OrganizerHold: time.Second, SetHold: time.Second, MaxRecordBytes: mapping.DefaultMaxRecordBytes,
		},
		ApplicationID: "ticketscloud", SourceHeader: true,
		Source: cluster, State: cluster, Target: cluster, StateDir: t.TempDir(),
		SweepInterval: 200 * time.Millisecond, SessionTimeout: 10 * time.Second, Log: log,
	}
	form := compare.Form{Edition: 1}
	left, err := compare.NewLegacyReader(compare.LegacyOptions{
		Form: form, Edition: 1, ContentType: "application/json", SchemaVersion: "1.0", ApplicationID: "ticketscloud",
	})
	w.must(err)
	right, err := compare.NewSlimReader(compare.SlimOptions{Form: form, Edition: 1, Format: "json", ApplicationID: "ticketscloud", DefaultZone: zone})
	w.must(err)
	directory, err := compare.NewPlaces(form, places, nil, zone)
	w.must(err)
	w.cfg = live.Config{
		Name: p + "bridge",
		Left: live.Side{Label: "legacy", Legacy: true, Cluster: cluster, Reader: left, Topics: map[compare.Stream]string{
			compare.Partners: p + "legacy-partners", compare.Events: p + "legacy-events", compare.Orders: p + "legacy-orders", compare.Refunds: p + "legacy-refunds",
		}},
		Right: live.Side{Label: "slim", Edition: "1.0", Format: "json", Cluster: cluster, Reader: right, Topics: map[compare.Stream]string{
			compare.Events: p + "events", compare.Orders: p + "orders", compare.Refunds: p + "refunds",
		}},
		State:      cluster,
		Settings:   live.TopicSettings{Partitions: 2, Replication: 1, MinInsync: 1, Retention: 24 * time.Hour, MaxBytes: 1 << 20},
		Quarantine: p + "bridge-quarantine", Form: form, Directory: directory.Text, Cutover: compare.DefaultCutover(),
		AuditInterval: 300 * time.Millisecond, Samples: 3, SessionTimeout: 10 * time.Second, Log: log,
	}
	w.cfg.LegacyTopics = w.cfg.Left.Topics
	w.createTopics()
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) createTopics() {
	w.t.Helper()
	for _, topic := range w.bridge.Topics.Legacy {
		kafkatest.CreateTopic(w.t, w.target.Addrs, topic, 3, nil)
	}
	admins, closeAdmins, err := processors.OpenAdmins(w.bridge.Source, w.bridge.State, w.bridge.Target)
	w.must(err)
	w.t.Cleanup(closeAdmins)
	plan, err := admins.Plan(w.bridge.Topics.Specs(w.bridge.Settings))
	w.must(err)
	_, err = admins.Create(w.t.Context(), plan)
	w.must(err)
	w.admins = admins
	w.must(live.EnsureTopics(w.t.Context(), w.cfg, true))
}

var legacyNames = []string{"partners", "events", "orders_done", "refund_requests"}

// produce writes the season to the legacy topics.
func (w *world) produce() {
	w.t.Helper()
	byTopic := map[string][]*kafkatest.Record{}
	for r := range season.Generate(w.season) {
		topic := w.bridge.Topics.Legacy[slices.Index(legacyNames, r.Topic)]
		byTopic[topic] = append(byTopic[topic], &kafkatest.Record{Key: r.Key, Value: r.Value, Timestamp: r.Time})
	}
	for topic, records := range byTopic {
		kafkatest.Produce(w.t, w.target.Addrs, topic, records...)
	}
}

// bridged has the bridge run until it has nothing left to do.
func (w *world) bridged() {
	w.t.Helper()
	w.produce()
	b, err := processors.New(w.bridge)
	w.must(err)
	in := w.run(b.Run)
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	_, err = processors.WaitDrained(ctx, w.admins, w.bridge, func(processors.Lag) error { return in.alive() })
	w.must(err)
	w.leave(in)
}

// instance is something that runs.
type instance struct {
	*live.Instance
	stop context.CancelFunc
	done chan error
}

func (in *instance) alive() error {
	select {
	case err := <-in.done:
		return errors.Join(errors.New("an instance ended"), err)
	default:
		return nil
	}
}

func (w *world) run(run func(context.Context) error) *instance {
	ctx, stop := context.WithCancel(context.Background())
	in := &instance{stop: stop, done: make(chan error, 1)}
	go func() { in.done <- run(ctx) }()
	w.t.Cleanup(stop)
	return in
}

// start runs an instance of the comparison.
func (w *world) start(stateDir string) *instance {
	w.t.Helper()
	cfg := w.cfg
	cfg.StateDir = stateDir
	i, err := live.New(cfg)
	w.must(err)
	in := w.run(i.Run)
	in.Instance = i
	return in
}

// leave stops an instance in an orderly way.
func (w *world) leave(in *instance) {
	w.t.Helper()
	in.stop()
	select {
	case err := <-in.done:
		w.must(err)
	case <-time.After(2 * time.Minute):
		w.t.Fatal("an instance did not end within 2 minutes")
	}
}

// kill ends an instance in the middle of what it does: nothing that it has begun is acknowledged any more.
func (w *world) kill(in *instance) {
	w.t.Helper()
	in.Kill()
	in.stop()
	select {
	case <-in.done:
	case <-time.After(2 * time.Minute):
		w.t.Fatal("an instance did not end within 2 minutes")
	}
}

// until waits for a report that will do.
func (w *world) until(in *instance, what string, will func(*compare.Report) bool) *compare.Report {
	w.t.Helper()
	began := time.Now()
	deadline := time.After(limit)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last *compare.Report
	for {
		w.must(in.alive())
		r, err := in.Report(time.Now())
		if err == nil && will(r) {
			w.t.Logf("%s after %s", what, time.Since(began).Round(time.Millisecond))
			return r
		}
		if err == nil {
			last = r
		}
		select {
		case <-tick.C:
		case <-deadline:
			text, _ := json.MarshalIndent(last, "", " ")
			w.t.Fatalf("not %s within %s: %v, not ready: %q, last report %s", what, limit, err, in.NotReady(), text)
		}
	}
}

// through waits for a report of everything that is in the topics now.
func (w *world) through(in *instance) *compare.Report {
	w.t.Helper()
	now := time.Now().UnixMilli()
	return w.until(in, "everything compared", func(*compare.Report) bool { return in.Compared() > now })
}

// newest are the newest slim records of a stream, by key.
func (w *world) newest(s compare.Stream) map[string]*kafkatest.Record {
	w.t.Helper()
	found := map[string]*kafkatest.Record{}
	for _, r := range kafkatest.ReadAll(w.t, w.target.Addrs, w.cfg.Right.Topics[s]) {
		found[string(r.Key)] = r
	}
	return found
}

// some is a key of the newest records, the n-th in their order.
func some(records map[string]*kafkatest.Record, n int) *kafkatest.Record {
	return records[slices.Sorted(maps.Keys(records))[n]]
}

// slim writes a record to a slim topic, under the headers of the contract alone.
func (w *world) slim(s compare.Stream, key string, value []byte) {
	w.t.Helper()
	r := &kafkatest.Record{Key: []byte(key), Value: value}
	for _, h := range slim.Headers(w.bridge.Rules.Encoding, "ticketscloud", "") {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	kafkatest.Produce(w.t, w.target.Addrs, w.cfg.Right.Topics[s], r)
}

// changed is a JSON value with something else in it.
func (w *world) changed(value []byte, change func(map[string]any)) []byte {
	w.t.Helper()
	v := map[string]any{}
	w.must(json.Unmarshal(value, &v))
	change(v)
	b, err := json.Marshal(v)
	w.must(err)
	return b
}

// once is what the comparison of everything at once finds in the same topics.
func (w *world) once() compare.Totals {
	w.t.Helper()
	var legacy [compare.Streams]string
	copy(legacy[:], w.bridge.Topics.Legacy[:])
	e, err := once.Open(once.Options{
		Dir: "rows", FS: vfs.NewMem(), Form: w.cfg.Form, Legacy: true, LegacyTopics: legacy,
		Readers: [3]compare.Reader{once.Left: w.cfg.Left.Reader, once.Right: w.cfg.Right.Reader},
	})
	w.must(err)
	defer e.Close()
	for side, from := range map[once.Side]live.Side{once.Left: w.cfg.Left, once.Right: w.cfg.Right} {
		for s, topic := range from.Topics {
			for _, r := range kafkatest.ReadAll(w.t, w.target.Addrs, topic) {
				w.must(e.Take(side, s, topic, recordOf(r)))
			}
		}
	}
	for _, r := range kafkatest.ReadAll(w.t, w.target.Addrs, w.cfg.Quarantine) {
		w.must(e.TakeQuarantine(w.cfg.Quarantine, recordOf(r)))
	}
	result, err := e.Judge(w.t.Context(), once.Judging{
		Judge: compare.Judge{
			Directory: w.cfg.Directory, Young: func(bool, compare.Stream, *rowpb.Side) bool { return false },
		},
		QuarantineKnown: true, Now: time.Now(), Samples: 3,
	})
	w.must(err)
	return result.Totals
}

func recordOf(r *kafkatest.Record) *compare.Record {
	out := &compare.Record{
		Place: compare.Place{Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp.UnixMilli()}, Key: r.Key, Value: r.Value,
	}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, compare.Header{Key: h.Key, Value: h.Value})
	}
	return out
}
