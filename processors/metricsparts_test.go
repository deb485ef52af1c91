package processors

import (
	"bytes"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

func TestLagSeconds(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, c := range []struct {
		name    string
		p       kafka.Position
		markers int64
		want    float64
	}{
		{"nothing to do", kafka.Position{Acknowledged: 7, End: 7}, 0, 0},
		{"one in flight", kafka.Position{Acknowledged: 7, End: 8, Pending: 1, Oldest: ago(time.Minute), Delivered: ago(time.Second)}, 0, 60},
		{"clocks differ", kafka.Position{Acknowledged: 7, End: 8, Pending: 1, Oldest: ago(-time.Minute)}, 0, 0},
		{"nothing read of a backlog yet", kafka.Position{Acknowledged: 7, End: 9, Unread: ago(time.Hour)}, 0, 3600},
		{"nothing read, and nothing there", kafka.Position{Acknowledged: 7, End: 7, Unread: ago(time.Hour)}, 0, 0},
		{"what may be markers alone", kafka.Position{Acknowledged: 7, End: 107, Unread: ago(time.Hour)}, 100, 0},
		{"more than markers", kafka.Position{Acknowledged: 7, End: 108, Unread: ago(time.Hour)}, 100, 3600},
		{"all read, and the end is ahead for a moment", kafka.Position{Acknowledged: 7, End: 9}, 0, 0},
	} {
		if got := lagSeconds(c.p, c.markers, now); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// An order that a step sends without having seen any proof is a violation, an event is not, and an order with proof is none.
func TestUnprovenOrderIsAViolation(t *testing.T) {
	for _, c := range []struct {
		stream mapping.Stream
		proven bool
		want   float64
	}{
		{mapping.Events, false, 0}, {mapping.Orders, false, 1}, {mapping.Refunds, false, 1}, {mapping.Orders, true, 0},
	} {
		s := newStubSession(t, "bridge-orders", 7)
		g := newTestGate(t, s)
		var log bytes.Buffer
		g.b.log = slog.New(slog.NewTextHandler(&log, nil))
		s.tracker.Begin("bridge-orders", 0, 7)
		ctx := &stubContext{ctx: s.ctx, topic: "bridge-orders", offset: 7, key: "e/o"}
		step := func(env *mapping.Env, _ string, _ mapping.Reader, _ proto.Message) (mapping.Outcome, error) {
			if c.proven {
				s.asGokaSeesIt.MarkOffset("bridge-orders", 0, 8, "")
				if status, err := env.Settle(mapping.Cause{Topic: inputOrders, Offset: 7}); err != nil || !status.Done() {
					t.Fatalf("settled: %v, %v", status, err)
				}
			}
			return mapping.Outcome{Effects: mapping.Effects{Emits: []mapping.Emit{{Stream: c.stream}}}}, nil
		}
		if _, ok := g.step(ctx, []byte(nil), &statepb.Loop{}, step); !ok {
			t.Fatal("the step failed")
		}
		got := 0.0
		for _, n := range values(g.b.metrics.violationsC, "topic") {
			got += float64(n)
		}
		if got != c.want || (log.Len() > 0) != (c.want > 0) {
			t.Errorf("%s, proven %t: %v violations, want %v; log %q", c.stream, c.proven, got, c.want, log.String())
		}
	}
}

// Latency is taken once for each record, and not for what is sent again or comes from quarantine.
func TestLatencyIsOfFirstEmissions(t *testing.T) {
	m := newMetrics()
	source := &statepb.Source{Time: time.Now().Add(-time.Minute).UnixMilli()}
	for _, e := range []mapping.Emit{
		{Stream: mapping.Orders, Source: source, First: true},
		{Stream: mapping.Orders, Source: source, First: true, Released: true},
		{Stream: mapping.Orders, Source: source},
		{Stream: mapping.Orders, Source: &statepb.Source{}, First: true},
	} {
		m.acknowledged(e, false)
	}
	m.acknowledged(mapping.Emit{Stream: mapping.Orders, Source: source, First: true}, true)
	if n := m.Emitted()["orders_done"]; n != 5 {
		t.Errorf("%d emitted", n)
	}
	families, err := m.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]uint64{}
	for _, f := range families {
		if f.GetName() != mLatency.fullName() {
			continue
		}
		for _, series := range f.GetMetric() {
			if h := series.GetHistogram(); h.GetSampleCount() > 0 {
				found[series.GetLabel()[0].GetValue()] = h.GetSampleCount()
				if age := h.GetSampleSum(); age < 60 || age > 120 {
					t.Errorf("a latency of %v", age)
				}
			}
		}
	}
	if found["direct"] != 1 || found["parked"] != 1 {
		t.Errorf("latencies %v, want one of each path", found)
	}
}

func TestBuiltFrom(t *testing.T) {
	settings := func(pairs ...string) *debug.BuildInfo {
		info := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}
		for p := range slices.Chunk(pairs, 2) {
			info.Settings = append(info.Settings, debug.BuildSetting{Key: p[0], Value: p[1]})
		}
		return info
	}
	for _, c := range []struct {
		info *debug.BuildInfo
		want string
	}{
		{nil, "unknown unknown"}, {&debug.BuildInfo{}, "unknown unknown"}, {settings(), "v1.2.3 unknown"},
		{settings("vcs.revision", "abc"), "v1.2.3 abc"}, {settings("vcs.revision", "abc", "vcs.modified", "true"), "v1.2.3 abc-modified"},
	} {
		version, commit := builtFrom(c.info)
		if got := strings.Join([]string{version, commit}, " "); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// What the instance counts for every legacy record and every slim one.
func BenchmarkCounting(b *testing.B) {
	m := newMetrics()
	in := mapping.Intake{Input: &statepb.Input{}}
	out := mapping.Outcome{Effects: mapping.Effects{Counts: []mapping.Reason{mapping.CountNoEmail}}, Ended: mapping.Ends{Emitted: 1}}
	e := mapping.Emit{Stream: mapping.Orders, Source: &statepb.Source{Time: 1777651200000}, First: true}
	var accounts partitionAccounts
	b.ReportAllocs()
	for b.Loop() {
		m.intake(mapping.Orders, in)
		m.decided("e/o", out)
		accounts.changed(mapping.Orders, out.Ended)
		m.acknowledged(e, false)
	}
}

// What a restart pays for the accounts, in the background: the rows of a partition, added up.
func BenchmarkReadAccounts(b *testing.B) {
	row := marshal(&statepb.Row{State: &statepb.Row_Order{Order: &statepb.OrderState{
		Entity: &statepb.Entity{
			Source: &statepb.Source{Partition: 1, Offset: 5, Time: 1777651200000}, Disposition: statepb.Disposition_EMITTED,
			Tallies: &statepb.Tallies{Emitted: 1}, Seen: []*statepb.Seen{{Partition: 1, Settled: 5}},
		},
		Facts: &statepb.OrderFacts{
			Id: "6650a0b1c2d3e4f5a6b7c8d9", Event: "6650a0b1c2d3e4f5a6b7c8d0", Customer: &statepb.Customer{Phone: "+79000000000"},
			Tickets: []*statepb.Ticket{{Id: "6650a0b1c2d3e4f5a6b7c8d1", Barcode: "460000000001", Set: "6650a0b1c2d3e4f5a6b7c8d2"}},
		},
	}}})
	const rows = 1000
	for b.Loop() {
		if _, ok := endsOfRows(b.Context(), &sameRows{n: rows, value: row}, false); !ok {
			b.Fatal("not read")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}

type sameRows struct {
	n     int
	value []byte
}

func (r *sameRows) Next() bool             { r.n--; return r.n >= 0 }
func (r *sameRows) Key() []byte            { return []byte("e/o") }
func (r *sameRows) Value() ([]byte, error) { return r.value, nil }
func (r *sameRows) Err() error             { return nil }
func (r *sameRows) Release()               {}
func (r *sameRows) Seek([]byte) bool       { return false }
