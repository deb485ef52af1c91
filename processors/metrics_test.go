package processors_test

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kfake"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// shown are the samples of an instance: name{label="value",…} to value. Histograms have _count and _sum.
type shown map[string]float64

func gather(t *testing.T, b *processors.Bridge) shown {
	t.Helper()
	families, err := b.Metrics().Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := shown{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			switch {
			case m.GetHistogram() != nil:
				all[name+"_count"+labelsOf(m)] = float64(m.GetHistogram().GetSampleCount())
				all[name+"_sum"+labelsOf(m)] = m.GetHistogram().GetSampleSum()
			case m.GetCounter() != nil:
				all[name+labelsOf(m)] = m.GetCounter().GetValue()
			default:
				all[name+labelsOf(m)] = m.GetGauge().GetValue()
			}
		}
	}
	return all
}

func labelsOf(m *dto.Metric) string {
	var parts []string
	for _, l := range m.GetLabel() {
		parts = append(parts, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// sum over all series of a metric that have the labels.
func (s shown) sum(name string, labels ...string) (total float64) {
	s.each(name, labels, func(v float64) { total += v })
	return total
}

// most is the highest, and negative when there is none.
func (s shown) most(name string, labels ...string) float64 {
	most := -1.0
	s.each(name, labels, func(v float64) { most = max(most, v) })
	return most
}

func (s shown) each(name string, labels []string, visit func(float64)) {
	for series, v := range s {
		of, rest, _ := strings.Cut(series, "{")
		if of == "vibe_bridge_"+name && !slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(rest, l) }) {
			visit(v)
		}
	}
}

// The numbers of a hostile season are those of its report, every metric of the list is there with its labels, and
// every label has a value of a fixed set.
func TestMetricsOfASeason(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		w := newWorld(t, target, 2, season.Config{Orders: 1500, Seed: 31, Hostile: 0.1})
		w.cfg.Breaker = processors.BreakerConfig{MaxShare: 0.9, Window: time.Hour, MinRecords: 1000}
		w.produce()
		b, in := w.bridge(t.TempDir())
		r := w.drain(in)
		w.check(r)
		kafkatest.Eventually(t, "the accounts to be added up", func() bool { return gather(t, b).sum("accounting_unread_partitions") == 0 })
		now := gather(t, b)
		for _, s := range mapping.Streams {
			topic, a := fmt.Sprintf("topic=%q", s), r.Accounts[s]
			want := map[string]uint64{"emitted": a.Emitted, "unchanged": a.Unchanged, "parked": a.Parked, "tombstone": a.Tombstone, "superseded": a.Superseded}
			for reason, n := range a.Skipped {
				want["skipped"] += n
				now.expect(t, "skipped_records_total", float64(n), topic, fmt.Sprintf("reason=%q", reason))
			}
			for reason, n := range a.Quarantined {
				want["quarantined"] += n
				now.expect(t, "quarantined_records_total", float64(n), topic, fmt.Sprintf("reason=%q", reason))
			}
			for end, n := range want {
				now.expect(t, "accounted_records", float64(n), topic, fmt.Sprintf("end=%q", end))
			}
			now.expect(t, "accounting_balance_records", 0, topic)
			now.expect(t, "accounting_reset", 0, topic)
			now.expect(t, "consumed_records_total", float64(w.produced[s]), topic)
			if s != mapping.Partners {
				now.expect(t, "end_to_end_latency_seconds_count", float64(a.Emitted), topic)
			}
		}
		parked := 0
		for reason, n := range r.Waiting {
			parked += n
			now.expect(t, "parked_records", float64(n), fmt.Sprintf("reason=%q", reason))
		}
		now.expect(t, "parked_records", float64(parked))
		if parked == 0 || now.most("parked_oldest_seconds") <= 0 {
			t.Errorf("%d parked, the oldest for %v seconds", parked, now.most("parked_oldest_seconds"))
		}
		for _, zero := range []string{"lag_records", "lag_seconds", "in_flight_records", "in_flight_oldest_seconds", "order_violations_total", "producer_unacknowledged_records", "restore_partitions"} {
			now.expect(t, zero, 0)
		}
		now.expect(t, "group_joined", 6)
		now.expect(t, "assigned_partitions", 4*3+2*3+2*5)
		now.expect(t, "rebalance_duration_seconds_count", 6)
		now.expect(t, "ready", 1)
		for _, positive := range []string{"emitted_records_total", "state_disk_free_bytes", "state_disk_size_bytes", "state_bytes", "client_requests_total", "client_sent_bytes_total",
			"client_received_bytes_total", "client_request_p99_seconds", "producer_records_total", "consumer_fetches_total"} {
			if now.sum(positive) <= 0 {
				t.Errorf("%s is %v", positive, now.sum(positive))
			}
		}
		checkListed(t, b)
		w.leave(in)
		if after := gather(t, b); after.sum("ready") != 0 || after.most("lag_records") != -1 || after.sum("consumed_records_total") != now.sum("consumed_records_total") {
			t.Error("an instance that has ended shows what it does not have any more, or has lost its counters")
		}
	})
}

func (s shown) expect(t *testing.T, name string, want float64, labels ...string) {
	t.Helper()
	if got := s.sum(name, labels...); got != want {
		t.Errorf("%s%v: %v, want %v", name, labels, got, want)
	}
}

// labelSets are all values that a label can have; numbers are written as *.
var labelSets = map[string]string{
	"topic": "partners events orders_done refund_requests memberships answers organizers_loop gate_loop",
	"stage": "intake organizers gate", "partition": "*",
	"group":  "intake-partners intake-events intake-orders intake-refunds organizers gate",
	"end":    "emitted unchanged skipped parked quarantined tombstone superseded",
	"path":   "direct parked",
	"client": "consumer producer", "cluster": "source state target",
	"edition": "1.0 2.0", "format": "json protobuf",
}

// words are reasons, of the mapping contract.
var words = func() map[string]bool {
	known := map[string]bool{}
	for _, r := range mapping.QuarantineReasons {
		known[string(r)] = true
	}
	for _, r := range strings.Fields(`no_phone no_tickets order_not_published status_executed status_in_progress status_cancelled status_expired
		status_new status_rejected status_unknown unknown_event_status unknown_category unknown_venue organizer_missing invalid_timestamp
		status_regressed no_email no_barcode unknown_set unmapped_currency foreign_ticket re_emitted repeated organizer event set order`) {
		known[r] = true
	}
	return known
}()

var number = regexp.MustCompile(`^\d{1,4}$`)

// checkListed compares what an instance shows with the list of metrics.
func checkListed(t *testing.T, b *processors.Bridge) {
	t.Helper()
	problems, err := testutil.GatherAndLint(b.Metrics().Registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	families, err := b.Metrics().Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	listed := processors.ListedMetrics() // name to "type {labels}"
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "vibe_bridge_") {
			continue
		}
		want, known := listed[f.GetName()]
		if !known {
			t.Errorf("%s is not in the list", f.GetName())
		}
		delete(listed, f.GetName())
		for _, m := range f.GetMetric() {
			names := map[string]bool{}
			for _, l := range m.GetLabel() {
				names[l.GetName()] = true
				if !bounded(l.GetName(), l.GetValue()) {
					t.Errorf("%s: label %s has the value %q", f.GetName(), l.GetName(), l.GetValue())
				}
			}
			wantNames := strings.Fields(want.Labels)
			slices.Sort(wantNames)
			if !slices.Equal(slices.Sorted(maps.Keys(names)), wantNames) || strings.ToLower(f.GetType().String()) != want.Kind {
				t.Errorf("%s is a %s with labels %v, want %+v", f.GetName(), f.GetType(), slices.Sorted(maps.Keys(names)), want)
			}
			if h := m.GetHistogram(); h.GetSampleCount() > 0 && (len(h.GetBucket()) == 0 || len(h.GetPositiveSpan()) == 0) {
				t.Errorf("%s has %d classic buckets and %d native spans", f.GetName(), len(h.GetBucket()), len(h.GetPositiveSpan()))
			}
		}
	}
	for name := range listed {
		t.Errorf("%s is listed, and the instance does not have it", name)
	}
}

func bounded(label, value string) bool {
	switch label {
	case "reason":
		return words[value]
	case "version", "commit", "goversion", "deployment":
		return true // one value each
	}
	set := labelSets[label]
	return set == "*" && number.MatchString(value) || slices.Contains(strings.Fields(set), value)
}

// appended writes records into a legacy topic, appended so long ago.
func (w *world) appended(s mapping.Stream, ago time.Duration, messages ...proto.Message) {
	w.t.Helper()
	for _, m := range messages {
		value, err := proto.Marshal(m)
		if err != nil {
			w.t.Fatal(err)
		}
		kafkatest.Produce(w.t, w.source.Addrs, w.cfg.Topics.Legacy[s], &kafkatest.Record{Key: []byte("k"), Value: value, Timestamp: time.Now().Add(-ago)})
	}
}

// While the target is away the lag grows with the age of the legacy record, also behind intake, and what is held
// back is to be seen; when it is back, the latency has been what the lag was.
func TestLagWhileTheTargetIsAway(t *testing.T) {
	t.Parallel()
	var outage kafkatest.Outage
	source := kafkatest.Embedded(t, embedded.Options{})
	target := kafkatest.Embedded(t, embedded.Options{More: []kfake.Opt{outage.Option()}})
	w := newWorldOnThree(t, source, source, target, 1, season.Config{})
	w.cfg.Rules = holeRules()
	b, in := w.bridge(t.TempDir())
	const events = `topic="events"`
	await := func(what string, condition func(shown) bool) {
		t.Helper()
		w.until(what, []*instance{in}, func() bool { return condition(gather(t, b)) })
	}
	await("all groups read", func(s shown) bool { return s.sum("rebalance_duration_seconds_count") == 6 })
	if s := gather(t, b); s.most("lag_seconds") != 0 || s.most("lag_records") != 0 {
		t.Fatalf("without a backlog, lag %v seconds, %v records", s.most("lag_seconds"), s.most("lag_records"))
	}
	w.appended(mapping.Events, 0, event("E0")) // opens the connections
	await("a slim record", func(s shown) bool { return s.sum("emitted_records_total", events) == 1 })
	outage.Silence()
	const hour = 3600.0
	w.appended(mapping.Events, time.Hour, event("E1"))
	await("the gate holds the record", func(s shown) bool {
		return s.most("lag_seconds", events, `stage="gate"`) >= hour && s.sum("in_flight_records", events, `stage="gate"`) == 1 &&
			s.sum("producer_unacknowledged_records", `cluster="target"`) == 1 && s.sum("lag_seconds", events, `stage="intake"`) == 0
	})
	before := gather(t, b).most("lag_seconds", events)
	await("the lag to grow", func(s shown) bool { return s.most("lag_seconds", events) >= before+0.5 })
	if s := gather(t, b); s.most("in_flight_oldest_seconds", events) < 0.5 || s.most("in_flight_oldest_seconds", events) > 600 || s.most("lag_seconds", events) > hour+600 ||
		s.sum("lag_records", events) != 1 || s.sum("emitted_records_total") != 1 || s.sum("accounting_balance_records", events) != 0 {
		t.Errorf("while the target is away: %v", s)
	}
	outage.End()
	await("the lag to be over", func(s shown) bool {
		return s.most("lag_seconds") == 0 && s.sum("lag_records") == 0 && s.sum("producer_unacknowledged_records") == 0
	})
	s := gather(t, b)
	direct, took := s.sum("end_to_end_latency_seconds_count", events, `path="direct"`), s.sum("end_to_end_latency_seconds_sum", events)
	if direct != 2 || took < before || took > before+600 || s.sum("emitted_records_total", events) != 2 {
		t.Errorf("latency of %v records is %v, want about %v", direct, took, before)
	}
	w.leave(in)
}

// An order without its event is parked, by reason and with its age; when the event comes the latency is one of
// parked records. A bad record is quarantined by its reason.
func TestMetricsOfWhatWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kafkatest.Embedded(t, embedded.Options{}), 1, season.Config{})
	w.cfg.Rules = holeRules()
	b, in := w.bridge(t.TempDir())
	await := func(what string, condition func(shown) bool) {
		t.Helper()
		w.until(what, []*instance{in}, func() bool { return condition(gather(t, b)) })
	}
	nameless := event("E2")
	nameless.Name = ""
	w.appended(mapping.Events, 0, nameless)
	w.appended(mapping.Orders, time.Minute, order("O1", "E1"))
	await("what is parked and quarantined to be seen", func(s shown) bool {
		return s.sum("parked_records", `topic="orders_done"`, `reason="event"`) == 1 && s.sum("parked_records") == 1 &&
			s.sum("parked_oldest_seconds", `reason="event"`) > 0 && s.sum("parked_oldest_seconds") < 600 &&
			s.sum("quarantined_records_total", `topic="events"`, `stage="intake"`, `reason="event_without_name"`) == 1 &&
			s.sum("quarantined_records_total") == 1 && s.sum("quarantine_share_ratio", `topic="events"`) == 0 // the breaker is off, and counts nothing
	})
	if s := gather(t, b); s.sum("lag_seconds") != 0 && s.most("lag_seconds", `topic="orders_done"`, `stage="gate"`) != 0 {
		t.Errorf("what is parked lags: %v", s)
	}
	w.appended(mapping.Events, 0, event("E1"))
	await("nothing to be parked", func(s shown) bool {
		return s.sum("parked_records") == 0 && s.sum("parked_oldest_seconds") == 0 && s.sum("emitted_records_total") == 2
	})
	s := gather(t, b)
	if parked := s.sum("end_to_end_latency_seconds_sum", `topic="orders_done"`, `path="parked"`); parked < 60 || parked > 660 ||
		s.sum("end_to_end_latency_seconds_count", `path="parked"`) != 1 || s.sum("end_to_end_latency_seconds_count", `path="direct"`) != 1 {
		t.Errorf("latency after parking %v: %v", parked, s)
	}
	w.leave(in)
}

// A row that has lost a record is an imbalance, in the next instance and for good; sent again is no new latency.
func TestImbalanceIsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kafkatest.Embedded(t, embedded.Options{}), 1, season.Config{})
	w.cfg.Rules = holeRules()
	b, in := w.bridge(t.TempDir())
	w.appended(mapping.Events, 0, event("E1"), event("E2"))
	balanced := func(b *processors.Bridge, in *instance, want float64) {
		t.Helper()
		got := math.NaN()
		w.until(fmt.Sprint("a balance of ", want), []*instance{in}, func() bool {
			s := gather(t, b)
			got = s.sum("accounting_balance_records", `topic="events"`)
			return s.sum("rebalance_duration_seconds_count") == 6 && s.sum("accounting_unread_partitions") == 0 && s.sum("lag_records") == 0 &&
				s.sum("accounted_records") > 0 && got == want
		})
	}
	balanced(b, in, 0)
	w.leave(in)
	_, _, _, table := w.cfg.Topics.Gate()
	var planted []byte
	for _, rec := range kafkatest.ReadAll(t, w.target.Addrs, table) {
		if string(rec.Key) != mapping.EventKey("E1") {
			continue
		}
		row, err := mapping.DecodeRow(rec.Value)
		if err != nil {
			t.Fatal(err)
		}
		mapping.EntityOf(row).Tallies.Emitted-- // as if it had never come
		if planted, err = proto.Marshal(row); err != nil {
			t.Fatal(err)
		}
	}
	kafkatest.ProducePinned(t, w.target.Addrs, table, &kafkatest.Record{Key: []byte(mapping.EventKey("E1")), Value: planted})
	b, in = w.bridge(t.TempDir())
	balanced(b, in, 1)
	if n := gather(t, b).sum("end_to_end_latency_seconds_count"); n != 0 {
		t.Errorf("%v latencies without a new record", n)
	}
	w.leave(in)
}
