package live_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/live"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

const expectedRules = `expected:
  - id: renamed
    owner: on-call
    reason: events have other names
    expires: 2999-12-31
    streams: [events]
    fields: [name]
  - id: mails
    owner: on-call
    reason: until the addresses were corrected
    expires: 2020-01-01
    streams: [orders]
    fields: [customer.email]
`

// What a rule declares is named and explained, and what an expired one declares is named and not. Every sample says where
// its records are.
func TestExpectedDifferences(t *testing.T) {
	t.Parallel()
	onEmbedded(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w := newWorld(t, target, season.Config{Orders: 400, Seed: 7})
		w.bridged()
		rules, err := compare.ParseExpected("expected.yaml", []byte(expectedRules), nil)
		w.must(err)
		w.cfg.Expected, w.cfg.Grace = rules, time.Second
		want, _ := w.plant()
		for id, d := range want {
			switch d.Field {
			case "name":
				d.Rule = "renamed"
			case "customer.email":
				d.Rule, d.Expired = "mails", true
			}
			want[id] = d
		}
		in := w.start(t.TempDir())
		r := w.until(in, "all differences", func(r *compare.Report) bool { return different(r) == len(want) })
		unexplained := 0
		for _, s := range r.Streams {
			unexplained += int(s.Unexplained)
		}
		if unexplained != len(want)-1 {
			t.Errorf("%d entities are unexplained, want all of %d but one", unexplained, len(want))
		}
		if e := r.Expected; len(e) != 2 || e[0].ID != "renamed" || e[0].Count != 1 || e[0].Expired || e[1].ID != "mails" || e[1].Count != 1 || !e[1].Expired {
			t.Errorf("expected: %+v", e)
		}
		w.differ(want)
		w.sampled(r)
		w.leave(in)
	})
}

// sampled: there are samples, and each names a record of the topics of its sides.
func (w *world) sampled(r *compare.Report) {
	w.t.Helper()
	if len(r.Samples) == 0 {
		w.t.Error("no samples")
	}
	topics := map[string]bool{}
	for _, side := range []live.Side{w.cfg.Left, w.cfg.Right} {
		for _, topic := range side.Topics {
			topics[topic] = true
		}
	}
	for _, s := range r.Samples {
		for _, place := range []string{s.Left.Place, s.Right.Place} {
			if topic, _, _ := strings.Cut(place, "/"); place != "" && !topics[topic] {
				w.t.Errorf("sample %+v is in no topic that is compared", s)
			}
		}
		if s.Left.Place+s.Right.Place == "" {
			w.t.Errorf("sample %+v names no record", s)
		}
	}
}

// In topics of one partition with the brokers' times an order is found that was there before its event, and a refund before
// its order, although all of them are right in the end.
func TestOrderViolations(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w := newWorld(t, target, season.Config{Orders: 300, Seed: 8})
		w.bridged()
		records := map[compare.Stream]map[string]*kafkatest.Record{}
		topics := map[compare.Stream]string{}
		for _, s := range streams {
			records[s] = w.newest(s)
			topics[s] = target.Topic("ordered-" + s.String())
			kafkatest.CreateTopic(t, target.Addrs, topics[s], 1, map[string]string{"message.timestamp.type": "LogAppendTime"})
		}
		w.cfg.Right.Topics = topics
		put := func(s compare.Stream, keys ...string) {
			for _, key := range keys {
				r := records[s][key]
				kafkatest.Produce(t, target.Addrs, topics[s], &kafkatest.Record{Key: r.Key, Value: r.Value, Headers: r.Headers})
				delete(records[s], key)
			}
		}
		rest := func(s compare.Stream) {
			var all []*kafkatest.Record
			for _, r := range records[s] {
				all = append(all, &kafkatest.Record{Key: r.Key, Value: r.Value, Headers: r.Headers})
			}
			kafkatest.Produce(t, target.Addrs, topics[s], all...)
		}
		refund, order := string(some(records[compare.Refunds], 2).Key), string(some(records[compare.Orders], 5).Key)
		put(compare.Refunds, refund)
		put(compare.Orders, order)
		for _, s := range streams {
			rest(s)
		}
		const detail = "appended before the first record of what it needs"
		want := map[string]live.PublishedDifference{
			"refunds/" + refund: {Category: compare.RefundViolation, Detail: detail},
			"orders/" + order:   {Category: compare.OrderViolation, Detail: detail},
		}
		in := w.start(t.TempDir())
		r := w.until(in, "both violations", func(r *compare.Report) bool { return different(r) == len(want) && waiting(r) == 0 })
		if r.Verdict.Go {
			t.Error("the verdict is GO")
		}
		w.differ(want)
		w.leave(in)
	})
}
