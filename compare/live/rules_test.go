package live_test

import (
	"encoding/json"
	"fmt"
	"reflect"
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
		w.cfg.Noise = &compare.Noise{Of: "left", Totals: compare.Totals{ // 4 of 400 orders, of which one is planted
			Streams: map[string]*compare.StreamTotals{"orders": {Equal: 100}},
			Fields:  []compare.FieldTotals{{Stream: "orders", Category: compare.Value, Field: "tickets[].event_id", Count: 1}},
		}}
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
		if unexplained != len(want)-2 {
			t.Errorf("%d entities are unexplained, want all of %d but one that is expected and one that is noise", unexplained, len(want))
		}
		if r.Noise == nil || r.Noise.Compared["orders"] != 100 {
			t.Errorf("noise: %+v", r.Noise)
		}
		if e := r.Expected; len(e) != 2 || e[0].ID != "renamed" || e[0].Count != 1 || e[0].Expired || e[1].ID != "mails" || e[1].Count != 1 || !e[1].Expired {
			t.Errorf("expected: %+v", e)
		}
		w.differ(want)
		w.sampled(in)
		w.leave(in)
	})
}

// sampled: samples say where their records are and what both sides say there, nothing personal but by its shape, and are
// read once.
func (w *world) sampled(in *instance) {
	w.t.Helper()
	quick, err := in.Report(time.Now())
	w.must(err)
	r, err := in.SampledReport(w.t.Context(), time.Now())
	w.must(err)
	if len(r.Samples) == 0 || len(quick.Samples) != len(r.Samples) || r.Digest != quick.Digest {
		w.t.Fatalf("%d samples, and %d without texts", len(r.Samples), len(quick.Samples))
	}
	topics := map[string]bool{}
	for _, side := range []live.Side{w.cfg.Left, w.cfg.Right} {
		for _, topic := range side.Topics {
			topics[topic] = true
		}
	}
	for n, s := range r.Samples {
		for _, side := range []compare.Shown{s.Left, s.Right} {
			if topic, _, _ := strings.Cut(side.Place, "/"); side.Place != "" && !topics[topic] || side.Unread || side.Gone {
				w.t.Errorf("sample %+v is in no topic that is compared, or was not read", s)
			}
		}
		if s.Left.Place+s.Right.Place == "" {
			w.t.Errorf("sample %+v names no record", s)
		}
		if q := quick.Samples[n]; q.Left.Place != s.Left.Place || len(q.Left.Parts) > 0 || !q.Right.Unread && q.Right.Place != "" {
			w.t.Errorf("without texts: %+v", q)
		}
		order := w.newest(compare.Orders)[s.ID]
		switch s.Field {
		case "name":
			if text(s.Left) == "" || text(s.Right) != "another" || s.Left.Masked {
				w.t.Errorf("name: %+v", s)
			}
		case "customer.email":
			if !s.Left.Masked || !s.Right.Masked || text(s.Right) != "aaaaa@aaaaaaa.aaa" {
				w.t.Errorf("mail: %+v", s)
			}
		case "tickets[].category": // the left side borrows it of the event
			if text(s.Left) == "" || text(s.Left) == anotherCategory || text(s.Right) != anotherCategory || s.Item == "" || order == nil {
				w.t.Errorf("ticket category: %+v", s)
			}
		}
	}
	w.nothingPersonal(r)
	before := in.SampleReads()
	again, err := in.SampledReport(w.t.Context(), time.Now())
	w.must(err)
	if n := in.SampleReads(); n != before || !reflect.DeepEqual(again.Samples, r.Samples) {
		w.t.Errorf("%d samples were read again", n-before)
	}
	read, err := live.ReadReport(w.t.Context(), w.cfg, time.Now())
	w.must(err)
	if !reflect.DeepEqual(read.Samples, r.Samples) {
		w.t.Errorf("without an instance: %+v, with one: %+v", read.Samples, r.Samples)
	}
}

func text(s compare.Shown) (all string) {
	for _, p := range s.Parts {
		all += p.Text
	}
	return all
}

// nothingPersonal: no personal text of any slim order is in the report, or in the topic of results.
func (w *world) nothingPersonal(r *compare.Report) {
	w.t.Helper()
	said, err := json.Marshal(r)
	w.must(err)
	for _, rec := range kafkatest.ReadAll(w.t, w.target.Addrs, w.cfg.Name+"-compare-totals") {
		said = append(said, rec.Value...)
	}
	canaries := 0
	for _, rec := range kafkatest.ReadAll(w.t, w.target.Addrs, w.cfg.Right.Topics[compare.Orders]) {
		order := struct {
			Customer map[string]any
			Tickets  []struct{ Barcode string }
		}{}
		_ = json.Unmarshal(rec.Value, &order) // some are planted and cannot be read
		var personal []string
		for _, v := range order.Customer {
			personal = append(personal, fmt.Sprint(v))
		}
		for _, ticket := range order.Tickets {
			personal = append(personal, ticket.Barcode)
		}
		for _, p := range personal {
			if len(p) < 5 {
				continue
			}
			canaries++
			if strings.Contains(string(said), p) {
				w.t.Errorf("%s is shown", p)
			}
		}
	}
	if canaries < 100 {
		w.t.Errorf("%d personal texts were looked for", canaries)
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
