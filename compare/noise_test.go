package compare

import (
	"testing"
	"time"
)

// A replay at its limits is one, and one that is just beyond them hides nothing and is told.
func TestNoiseLimits(t *testing.T) {
	for _, c := range []struct {
		name   string
		replay Replay
		noisy  int64 // of 1000
		noise  int64
		notes  int
	}{
		{"half of both", Replay{true, 2000, 2000, 1000}, 10, 5, 0},
		{"a part that is too small", Replay{true, 2000, 999, 999}, 10, 0, 1},
		{"too much beside it", Replay{true, 1000, 2001, 1000}, 10, 0, 1},
		{"nothing", Replay{true, 1000, 0, 0}, 10, 0, 1},
		{"not given", Replay{false, 1000, 0, 0}, 10, 0, 0},
		{"as noisy as may be", Replay{true, 1000, 1000, 1000}, 100, 5, 0},
		{"too noisy", Replay{true, 1000, 1000, 1000}, 101, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := &Noise{Of: "left", Totals: Totals{
				Streams: map[string]*StreamTotals{"orders": {Equal: 1000 - c.noisy, Different: c.noisy}},
				Fields:  []FieldTotals{{Stream: "orders", Category: Value, Field: "number", Count: c.noisy}},
			}}
			n.Replays[Orders] = c.replay
			all := &Totals{
				Streams: map[string]*StreamTotals{"orders": {Equal: 995, Different: 5}},
				Fields:  []FieldTotals{{Stream: "orders", Category: Value, Field: "number", Count: 5}},
			}
			// As a Tally does.
			if n.Noisy(Orders, "number") {
				all.Streams["orders"].Noisy = 5
			} else {
				all.Streams["orders"].Unexplained = 5
			}
			r := &Report{}
			all.Fill(r, nil, n, time.Now())
			if got := r.Counts[0]; got.Noise != c.noise || got.Unexplained != 5-c.noise || r.Streams[1].Unexplained != 5-c.noise || len(r.Notes) != c.notes {
				t.Errorf("%+v, orders %+v, notes %q", got, r.Streams[1], r.Notes)
			}
		})
	}
}
