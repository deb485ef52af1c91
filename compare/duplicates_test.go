package compare

import (
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
)

// After a fault was put right and sent again there are two records of one legacy record for ever. They may be
// declared, up to a time, and only while the newest is right.
func TestDuplicatesBefore(t *testing.T) {
	price := func(text string) func(*Sheet) {
		return func(s *Sheet) { set(Orders, "tickets[].price_nominal", text)(s); s.Cause = "orders/0/7" }
	}
	for _, c := range []struct {
		name   string
		change func(w *world)
		want   string // category of what is unexplained, "" for nothing
	}{
		{"sent again before", func(w *world) { w.say(right, Orders, price("1")); w.say(right, Orders, price("100")) }, ""},
		{"twice", func(w *world) {
			w.say(right, Orders, price("1"))
			w.say(right, Orders, price("2"))
			w.say(right, Orders, price("100"))
		}, ""},
		{"and once more since", func(w *world) {
			w.say(right, Orders, price("1"))
			w.say(right, Orders, price("100"))
			w.clock = 1000
			w.say(right, Orders, price("1"))
			w.say(right, Orders, price("100"))
		}, "duplicate"},
		{"at that time", func(w *world) {
			w.say(right, Orders, price("1"))
			w.clock = 99
			w.say(right, Orders, price("100"))
		}, "duplicate"},
		{"just before", func(w *world) {
			w.say(right, Orders, price("1"))
			w.clock = 98
			w.say(right, Orders, price("100"))
		}, ""},
		{"the newest is wrong", func(w *world) { w.say(right, Orders, price("100")); w.say(right, Orders, price("1")) }, "value"},
		{"the newest is wrong, and may be for now", func(w *world) {
			w.say(right, Orders, price("100"))
			w.say(right, Orders, price("1"))
			w.judge.Young = func(l bool, s Stream, _ *rowpb.Side) bool { return l && s == Orders }
		}, "duplicate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			c.change(w)
			before := time.UnixMilli(100_000).UTC().Format(time.RFC3339) // the clock at 100
			e, err := ParseExpected("f.yaml", []byte(`
expected:
  - id: prices
    owner: platform on-call
    reason: put right and sent again
    expires: 2026-12-31
    categories: [duplicate]
    before: `+before+"\n"), nil)
			if err != nil {
				t.Fatal(err)
			}
			row := w.rows["orders/o1"]
			f, err := w.judge.Entity(Orders, row)
			if err != nil || f.State != Different {
				t.Fatalf("%+v, %v: this shows nothing", f, err)
			}
			tally := Tally{Expected: e, Now: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), Samples: 1}
			tally.Add(Orders, "o1", row, f)
			got := ""
			for _, n := range tally.Totals().Fields {
				if n.Count > n.Expected {
					got += string(n.Category)
				}
			}
			if unexplained := tally.Totals().Streams["orders"].Unexplained; got != c.want || (unexplained > 0) != (c.want != "") {
				t.Errorf("unexplained: %q, %d, want %q", got, unexplained, c.want)
			}
		})
	}
}
