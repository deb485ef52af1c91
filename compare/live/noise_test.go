package live

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare"
)

func noiseConfig() Config {
	return Config{
		Name: "b",
		Left: Side{Legacy: true, Topics: map[compare.Stream]string{compare.Partners: "p", compare.Events: "e", compare.Orders: "o", compare.Refunds: "r"}},
		Right: Side{Edition: "1.0", Format: "json", Topics: map[compare.Stream]string{
			compare.Events: "slim-e", compare.Orders: "slim-o", compare.Refunds: "slim-r",
		}},
	}
}

// noiseReport is one of compare once, in which of 1000 orders 30 differ in a field, where 20 are noise.
func noiseReport(t *testing.T, noise *compare.Noise) *compare.Report {
	t.Helper()
	totals := compare.Totals{
		Streams: map[string]*compare.StreamTotals{"orders": {Entities: 1000, Equal: 970, Different: 30, Noisy: 30}},
		Fields:  []compare.FieldTotals{{Stream: "orders", Category: compare.Value, Field: "tickets[].row", Count: 30}},
	}
	r := &compare.Report{
		Version: 1, Deployment: "b",
		Left:  compare.Party{Label: "legacy", Kind: "legacy", Topics: []string{"p", "e", "o", "r"}},
		Right: compare.Party{Label: "slim", Kind: "slim", Edition: "1.0", Format: "json", Topics: []string{"slim-e", "slim-o", "slim-r"}},
	}
	totals.Fill(r, nil, noise, time.Now())
	return r
}

func measured() *compare.Noise {
	all := compare.Replay{Given: true, Side: 500, Again: 500, Both: 500}
	return &compare.Noise{Of: "left", Replays: [compare.Streams]compare.Replay{compare.Orders: all}, Totals: compare.Totals{
		Streams: map[string]*compare.StreamTotals{"orders": {Equal: 480, Different: 20}, "events": {Equal: 7}},
		Fields: []compare.FieldTotals{
			{Stream: "orders", Category: compare.Value, Field: "tickets[].row", Count: 10},
			{Stream: "orders", Category: compare.WrongValueType, Field: "tickets[].seat", Count: 5},
		},
	}}
}

// Noise that a report has is subtracted as the noise that was measured is.
func TestNoiseOfAReport(t *testing.T) {
	want := noiseReport(t, measured())
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	read := &compare.Report{}
	if err := json.Unmarshal(text, read); err != nil {
		t.Fatal(err)
	}
	noise, err := noiseConfig().NoiseOf(read)
	if err != nil {
		t.Fatal(err)
	}
	got := noiseReport(t, noise)
	if !reflect.DeepEqual(got.Counts, want.Counts) || !reflect.DeepEqual(got.Streams, want.Streams) || !reflect.DeepEqual(got.Noise, want.Noise) {
		t.Errorf("%+v %+v, want %+v %+v", got.Counts, got.Noise, want.Counts, want.Noise)
	}
	if n := got.Counts[0]; n.Noise != 20 || n.Unexplained != 10 || !noise.Noisy(compare.Orders, "tickets[].row") || noise.Noisy(compare.Orders, "tickets[].seat") {
		t.Errorf("%+v", n)
	}
}

// What once does not subtract, as the baseline was no replay, is not subtracted here either, and told.
func TestNoiseOfABaselineThatIsNone(t *testing.T) {
	broken := measured()
	broken.Replays[compare.Orders].Both = 20
	read := noiseReport(t, broken)
	noise, err := noiseConfig().NoiseOf(read)
	if err != nil {
		t.Fatal(err)
	}
	got := noiseReport(t, noise)
	if n := got.Counts[0]; n.Noise != 0 || n.Unexplained != 30 || len(got.Notes) != 1 || !reflect.DeepEqual(got.Notes, read.Notes) {
		t.Errorf("%+v, notes %q, want %q", n, got.Notes, read.Notes)
	}
}

func TestNoiseOfNoUse(t *testing.T) {
	for want, spoil := range map[string]func(*compare.Report){
		"of the deployment":      func(r *compare.Report) { r.Deployment = "c" },
		"of compare run":         func(r *compare.Report) { r.Run.Continuous = true },
		"its left side is slim":  func(r *compare.Report) { r.Left.Kind = "slim" },
		"its right side is":      func(r *compare.Report) { r.Right.Edition = "2.0" },
		`of ["p" "e" "o" "old"]`: func(r *compare.Report) { r.Left.Topics[3] = "old" },
		"compare.baseline":       func(r *compare.Report) { r.Noise = nil },
		"wrote it":               func(r *compare.Report) { r.Noise.Replays = nil },
		`replay of stream "x"`:   func(r *compare.Report) { r.Noise.Replays["x"] = compare.Replay{} },
		"nothing in common":      func(r *compare.Report) { r.Noise.Compared = nil },
		`stream "partners"`:      func(r *compare.Report) { r.Noise.Compared["partners"] = 1 },
		"501 of 500 orders":      func(r *compare.Report) { r.Noise.Fields[0].Count = 501 },
		"-1 of 500 orders":       func(r *compare.Report) { r.Noise.Fields[0].Count = -1 },
		"1 of 0 refunds": func(r *compare.Report) {
			r.Noise.Fields = append(r.Noise.Fields, compare.NoiseField{Stream: "refunds", Count: 1})
		},
	} {
		r := noiseReport(t, measured())
		spoil(r)
		if noise, err := noiseConfig().NoiseOf(r); err == nil || noise != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
