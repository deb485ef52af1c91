package found

import (
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/internal/planted"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

func TestOutcome(t *testing.T) {
	kind := planted.Kind{Stream: "orders", Category: "value", Field: "tickets"}
	sample := func(stream, id, field string) compare.SampleRef {
		return compare.SampleRef{Stream: stream, ID: id, Category: compare.Value, Field: field}
	}
	clean := compare.Totals{Streams: map[string]*compare.StreamTotals{"orders": {Entities: 9, Left: 9, Right: 9, Equal: 8, Pending: map[string]int64{"event": 1}}}}
	found := func(different int64, pending map[string]int64, samples ...compare.SampleRef) compare.Totals {
		equal := 9 - different
		for _, n := range pending {
			equal -= n
		}
		return compare.Totals{Samples: samples, Streams: map[string]*compare.StreamTotals{
			"orders": {Entities: 9, Left: 9, Right: 9, Equal: equal, Different: different, Unexplained: different, Pending: pending},
		}}
	}
	one := map[string]int64{"event": 1}
	for name, tt := range map[string]struct {
		got   compare.Totals
		found int
		false int
		wrong string // "": nothing is
	}{
		"as planted":     {found(2, one, sample("orders", "a", "tickets"), sample("orders", "b", "tickets")), 2, 0, ""},
		"one not found":  {found(1, one, sample("orders", "a", "tickets")), 1, 0, "orders b is not told"},
		"another field":  {found(2, one, sample("orders", "a", "tickets"), sample("orders", "b", "number")), 1, 1, `value in field "number" was not planted`},
		"another entity": {found(2, one, sample("orders", "a", "tickets"), sample("orders", "c", "tickets")), 1, 1, "orders c: value"},
		"a field more":   {found(2, one, sample("orders", "a", "tickets"), sample("orders", "b", "tickets"), sample("orders", "b", "number")), 2, 1, `value in field "number"`},
		"another stream": {found(2, one, sample("orders", "a", "tickets"), sample("orders", "b", "tickets"), sample("refunds", "r", "x")), 2, 1, "refunds r"},
		"one more waits": {found(2, map[string]int64{"event": 2}, sample("orders", "a", "tickets"), sample("orders", "b", "tickets")), 2, 0, "counts of orders"},
	} {
		t.Run(name, func(t *testing.T) {
			o := outcome(kind, []string{"a", "b"}, clean, tt.got)
			text := strings.Join(o.Wrong, "\n")
			if o.Planted != 2 || o.Found != tt.found || o.False != tt.false || (text == "") != (tt.wrong == "") || !strings.Contains(text, tt.wrong) {
				t.Errorf("%+v", o)
			}
		})
	}
}

// A plan that says something else than what is planted does not hold.
func TestWrongPlan(t *testing.T) {
	s, err := planted.New(season.Config{Orders: 100, Seed: 4}, Encoding)
	if err != nil {
		t.Fatal(err)
	}
	base, err := NewBase(s, vfs.NewMem(), "rows")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range planted.Kinds() {
		if kind.Name != "phone" {
			continue
		}
		for name, change := range map[string]func(*planted.Kind){
			"field":    func(k *planted.Kind) { k.Field = "customer.email" },
			"category": func(k *planted.Kind) { k.Category = "type" },
		} {
			wrong := kind
			change(&wrong)
			if o, err := base.Kind(t.Context(), wrong, 2, 1); err != nil || o.Planted != 2 || o.Found != 0 || o.False != 2 {
				t.Errorf("another %s: %+v, %v", name, o, err)
			}
		}
		if o, err := base.Kind(t.Context(), kind, 2, 1); err != nil || o.Found != 2 || len(o.Wrong) > 0 {
			t.Errorf("as it is: %+v, %v", o, err)
		}
		return
	}
	t.Error("there is no such kind")
}
