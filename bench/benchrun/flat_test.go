package main

import (
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// Copies are of other orders, of events before the season that the copies of an event's orders share.
func TestKnownRows(t *testing.T) {
	rows, err := rowsOf(season.Config{Orders: 500, Seed: 1})
	if err != nil || len(rows) < 400 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	begins, err := seasonBegins(rows)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	events := map[string]string{}
	for _, r := range rows {
		keys[r.event+"/"+r.order] = true
		row, err := mapping.DecodeRow(r.value)
		if err != nil || row.GetOrder() == nil || mapping.Generation(row) != firstGeneration {
			t.Fatalf("%s: %v, %v", r.order, row, err)
		}
	}
	if len(keys) != len(rows) {
		t.Fatalf("%d keys of %d rows", len(keys), len(rows))
	}
	for n := range 3 {
		for _, r := range rows {
			c := r.copy(n, begins)
			key := c.event + "/" + c.order
			if keys[key] || mapping.KindOf(key) != mapping.OrderKind {
				t.Fatalf("%s is no key of another order", key)
			}
			keys[key] = true
			if c.event >= rows[0].event || c.event >= r.event || c.event < "5" || len(c.event) != len(r.event) || len(c.order) != len(r.order) {
				t.Fatalf("%s/%s became %s", r.event, r.order, key)
			}
			if was, is := events[r.event+string(rune(n))], c.event; was != "" && was != is {
				t.Fatalf("orders of one event are now of %s and %s", was, is)
			}
			events[r.event+string(rune(n))] = c.event
		}
	}
}

func TestFlatTable(t *testing.T) {
	r := &results{Flat: []*flatFigures{
		{Known: 10_000, CPU: 12e-6}, {Known: 10, CPU: 10e-6}, {Known: 10_000, CPU: 16e-6}, {Known: 10, CPU: 8e-6},
	}}
	if text := r.flatTable(nil); !strings.Contains(text, "| 10 | 0 (0 to 0) | 9.0 (8.0 to 10.0) |") || strings.Index(text, "| 10 |") > strings.Index(text, "| 10000 |") {
		t.Error(text)
	}
	if ratio, got := r.flatRatio(); !got || ratio < 1.555 || ratio > 1.556 {
		t.Errorf("%v, %t; want 14 ÷ 9", ratio, got)
	}
	if text := r.goalTable(nil); !strings.Contains(text, "| CPU per record, most ÷ fewest known orders | ≤ 1.3 | 1.56 | missed |") {
		t.Error(text)
	}
	r.Flat = r.Flat[:1]
	if ratio, got := r.flatRatio(); got {
		t.Errorf("%v of one number of orders", ratio)
	}
}
