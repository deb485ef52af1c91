package processors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

const bad = mapping.ReasonInvalidPhone

// The window counts what is younger than it, to one part in breakerSlots, whatever
// the gaps between records: it is compared with a list of all of them.
func TestOutcomesAreThoseOfTheWindow(t *testing.T) {
	const window = breakerSlots * time.Second
	rapid.Check(t, func(t *rapid.T) {
		o := newOutcomes(window)
		type record struct {
			at     time.Duration
			reason mapping.Reason
		}
		var all []record
		var now time.Duration
		for range rapid.IntRange(1, 200).Draw(t, "records") {
			now += time.Duration(rapid.OneOf(rapid.Int64Range(0, int64(3*time.Second)), rapid.Int64Range(0, int64(3*window))).Draw(t, "gap"))
			r := record{now, rapid.SampledFrom([]mapping.Reason{"", "", bad, mapping.ReasonUndecodable}).Draw(t, "reason")}
			o.add(r.at, r.reason)
			all = append(all, r)
			want := endings{reasons: map[mapping.Reason]int{}}
			for _, r := range all {
				if int64(r.at/time.Second) <= int64(now/time.Second)-breakerSlots {
					continue
				}
				want.records++
				if r.reason != "" {
					want.bad++
					want.reasons[r.reason]++
				}
			}
			if fmt.Sprint(o.total) != fmt.Sprint(want) {
				t.Fatalf("after %s: %v, want %v", now, o.total, want)
			}
		}
	})
}

func TestOutcomesAbove(t *testing.T) {
	for _, c := range []struct {
		good, bad int
		share     float64
		least     int
		want      bool
	}{
		{0, 9, 0.5, 10, false},
		{0, 10, 0.5, 10, true},
		{5, 5, 0.5, 10, false}, // the share itself is allowed
		{5, 6, 0.5, 10, true},
		{99, 1, 0.01, 10, false},
		{98, 2, 0.01, 10, true},
	} {
		o := newOutcomes(time.Minute)
		for range c.good {
			o.add(0, "")
		}
		for range c.bad {
			o.add(0, bad)
		}
		if got := o.above(c.share, c.least); got != c.want {
			t.Errorf("%d good and %d bad above %v of at least %d: %t, want %t", c.good, c.bad, c.share, c.least, got, c.want)
		}
	}
}

// testBreaker is a breaker whose control topic is a list.
type testBreaker struct {
	*breaker
	t       *testing.T
	log     *lineLog
	topic   string
	written []func(int64) // of the pauses that it has sent
	sent    []Pause
}

// lineLog keeps what is logged.
type lineLog struct{ strings.Builder }

func newTestBreaker(t *testing.T) *testBreaker {
	topics := testTopics()
	tb := &testBreaker{t: t, log: &lineLog{}, topic: topics.Legacy[mapping.Orders]}
	m := newMetrics()
	cfg := Config{Topics: topics, Version: "v1", Breaker: BreakerConfig{MaxShare: 0.5, Window: time.Hour, MinRecords: 4}}
	tb.breaker = newBreaker(cfg, newAdmission(), slog.New(slog.NewTextHandler(tb.log, nil)), func() *Metrics { return m })
	tb.write = func(topic string, p Pause, written func(int64)) {
		if topic != tb.topic {
			t.Errorf("paused %s", topic)
		}
		tb.sent, tb.written = append(tb.sent, p), append(tb.written, written)
	}
	tb.loaded(map[string]Pause{}, 0)
	return tb
}

func (tb *testBreaker) flood(n int) {
	for range n {
		tb.count(tb.topic, bad)
	}
}

func (tb *testBreaker) want(paused bool, when string) {
	tb.t.Helper()
	held, _ := tb.admission.held(tb.topic)
	gauge := pausedGauge(tb.metrics())[mapping.Orders.String()]
	if held != paused || tb.isPaused(tb.topic) != paused || (gauge == 1) != paused || (len(tb.reasons()) > 0) != paused {
		tb.t.Fatalf("%s: held %t, paused %t, gauge %v, reasons %v; want paused %t", when, held, tb.isPaused(tb.topic), gauge, tb.reasons(), paused)
	}
}

func pausedGauge(m *Metrics) map[string]float64 {
	found := map[string]float64{}
	families, err := m.Registry.Gather()
	if err != nil {
		return nil
	}
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			if f.GetName() == "vibe_bridge_paused" {
				found[metric.GetLabel()[0].GetValue()] = metric.GetGauge().GetValue()
			}
		}
	}
	return found
}

// The instance that finds too many bad records holds the topic at once, writes one
// pause, alarms once, and starts anew after a tombstone.
func TestBreakerPausesAndResumes(t *testing.T) {
	b := newTestBreaker(t)
	b.flood(3)
	b.want(false, "below min_records")
	b.flood(1)
	b.want(true, "at once")
	b.flood(10) // other partitions' records that were admitted before
	if len(b.sent) != 1 || b.sent[0].Bad != 4 || b.sent[0].Records != 4 || b.sent[0].Version != "v1" || b.sent[0].Reasons[string(bad)] != 4 {
		t.Fatalf("sent %+v, want one pause for 4 of 4 records", b.sent)
	}
	if reasons := b.reasons()[0]; !strings.Contains(reasons, "paused: orders_done since 2") || !strings.Contains(reasons, "4 of 4 records within 1h0m0s") || !strings.Contains(reasons, string(bad)) {
		t.Errorf("says %q", reasons)
	}
	b.shown(b.topic, &b.sent[0], 0)
	b.written[0](0)
	b.want(true, "when all know it")
	if n := strings.Count(b.log.String(), "level=ERROR"); n != 1 {
		t.Errorf("alarmed %d times: %s", n, b.log)
	}
	b.shown(b.topic, nil, 1)
	b.want(false, "after a tombstone")
	b.flood(3)
	b.want(false, "with an empty window")
	b.flood(1)
	b.want(true, "when it is as bad again")
}

// Whatever comes first, the acknowledgement of a pause or its record in the control
// topic, the order in the control topic decides.
func TestBreakerFollowsTheOrderOfTheControlTopic(t *testing.T) {
	old := &Pause{Records: 1}
	for name, c := range map[string]struct {
		events func(b *testBreaker)
		paused bool
	}{
		"the tombstone is before the pause": {func(b *testBreaker) {
			b.shown(b.topic, nil, 1)
			b.want(true, "the pause is on its way")
			b.written[0](2)
			b.want(true, "the pause is written")
			b.shown(b.topic, &b.sent[0], 2)
		}, true},
		"the tombstone is behind the pause": {func(b *testBreaker) {
			b.shown(b.topic, &b.sent[0], 1)
			b.shown(b.topic, nil, 2)
			b.written[0](1)
		}, false},
		"the tombstone is behind the acknowledged pause": {func(b *testBreaker) {
			b.written[0](1)
			b.shown(b.topic, &b.sent[0], 1)
			b.shown(b.topic, nil, 2)
		}, false},
		"the pause is compacted away before it is seen": {func(b *testBreaker) {
			b.written[0](1)
			b.want(true, "acknowledged")
			b.shown(b.topic, nil, 2)
		}, false},
		"the topic is read anew, with the pause": {func(b *testBreaker) {
			b.written[0](1)
			b.loaded(map[string]Pause{b.topic: b.sent[0]}, 2)
		}, true},
		"the topic is read anew, without the pause": {func(b *testBreaker) {
			b.written[0](1)
			b.loaded(map[string]Pause{}, 3)
		}, false},
		"the topic is read anew before the pause is written": {func(b *testBreaker) {
			b.loaded(map[string]Pause{}, 1)
		}, true},
		"another topic is resumed": {func(b *testBreaker) {
			b.written[0](1)
			b.shown(b.topic, &b.sent[0], 1)
			b.shown("events", nil, 2)
		}, true},
		"an unknown topic is paused": {func(b *testBreaker) {
			b.written[0](1)
			b.shown(b.topic, &b.sent[0], 1)
			b.shown("renamed", old, 2)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newTestBreaker(t)
			b.flood(4)
			c.events(b)
			b.want(c.paused, "in the end")
		})
	}
}

// A pause of another instance holds the topic, and so does one that nobody can read.
func TestBreakerTakesPausesOfOthers(t *testing.T) {
	b := newTestBreaker(t)
	b.shown(b.topic, pauseIn([]byte(`{"since":"2026-01-02T03:04:05Z","bad":6,"records":7,"window":"1m0s","share":0.5,"reasons":{"too_large":6},"version":"v0","later":1}`)), 0)
	b.want(true, "of another instance")
	if reasons := b.reasons()[0]; !strings.Contains(reasons, "since 2026-01-02T03:04:05Z: 6 of 7 records within 1m0s went to quarantine (too_large 6)") {
		t.Errorf("says %q", reasons)
	}
	b.shown(b.topic, pauseIn(nil), 1)
	b.want(false, "after a tombstone")
	b.shown(b.topic, pauseIn([]byte("?")), 2)
	b.want(true, "by a record that is no pause")
	if reasons := b.reasons()[0]; !strings.Contains(reasons, "cannot be read") {
		t.Errorf("says %q", reasons)
	}
}

// While the control topic is not followed, what is known stays and it is said.
func TestBreakerSaysThatItIsBlind(t *testing.T) {
	b := newTestBreaker(t)
	b.flood(4)
	b.lost(errors.New("no broker"))
	if r := b.reasons(); len(r) != 2 || !strings.Contains(r[1], "no broker") || !b.isPaused(b.topic) {
		t.Errorf("says %q, paused %t", r, b.isPaused(b.topic))
	}
	b.loaded(map[string]Pause{}, 0)
	if r := b.reasons(); len(r) != 1 {
		t.Errorf("says %q", r)
	}
}

func TestBreakerThatIsOff(t *testing.T) {
	for _, share := range []float64{0, 1} {
		b := newTestBreaker(t)
		b.cfg.MaxShare = share
		b.flood(1000)
		b.want(false, fmt.Sprint("with max_share ", share))
	}
}

// Who waits gets on when all holds are over, and gives up with its session.
func TestAdmissionWaits(t *testing.T) {
	a := newAdmission()
	if err := a.wait(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	a.set(hold{"orders", byPriming}, true)
	a.set(hold{"orders", byBreaker}, true)
	if err := a.wait(t.Context(), "events"); err != nil {
		t.Errorf("another topic: %v", err)
	}
	session, end := context.WithCancel(t.Context())
	results := make(chan error)
	waiting := func(ctx context.Context) { results <- a.wait(ctx, "orders") }
	go waiting(session)
	end()
	if err := <-results; !errors.Is(err, kafka.ErrSessionOver) {
		t.Errorf("at the end of its session: %v", err)
	}
	go waiting(t.Context())
	_, changed := a.held("orders")
	a.set(hold{"orders", byPriming}, false)
	select {
	case <-changed:
	default:
		t.Fatal("who waits is not told of a change")
	}
	if held, _ := a.held("orders"); !held {
		t.Error("the hold of one ended that of the other")
	}
	a.set(hold{"orders", byBreaker}, false)
	if err := <-results; err != nil {
		t.Error(err)
	}
}
