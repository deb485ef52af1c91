package compare

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

var updateReportText = flag.Bool("update-report-text", false, "write the golden files of TestReportText anew")

func noGoReport() *Report {
	facts := goodFacts()
	facts.Coverage, facts.CoverageStream, facts.Unexplained, facts.UnexplainedStream, facts.Violations = 0.9899, "orders", 1204, "orders", 3
	facts.Expired = 12
	c := DefaultCutover()
	c.DaysClean = 3
	place := func(topic string) string { return topic + "/3/104211" }
	return &Report{
		Version: 1, Deployment: "vibe", Verdict: Decide(c, facts),
		Left:  Party{Label: "legacy", Kind: "legacy", Records: 1_204_331, Newest: 1_780_000_000_000, Behind: 4.2},
		Right: Party{Label: "slim", Kind: "slim", Edition: "2.0", Format: "json", Behind: -1},
		Streams: []StreamCount{
			{Stream: "events", Left: 40_000, Right: 40_000, Entities: 40_000, Equal: 40_000, Coverage: 1},
			{Stream: "orders", Left: 1_000_000, Right: 989_900, Entities: 1_000_000, Equal: 988_000, Different: 1900, Unexplained: 1204, Coverage: 0.9899,
				Pending: map[string]int64{"event": 10_000, "set": 100}, Undecidable: map[string]int64{}, Skipped: map[string]int64{"no_phone": 12, "status_canceled": 30_004}},
			{Stream: "refunds", Coverage: 1, Quarantined: map[string]int64{"refund_without_id": 1}},
		},
		Counts: []FieldCount{
			{Stream: "orders", Category: Absent, Count: 4, Unexplained: 4, Compared: 1_000_000},
			{Stream: "orders", Category: Value, Field: "tickets[].row", Count: 1200, Unexplained: 1200, Compared: 1_000_000},
			{Stream: "events", Category: Value, Field: "media", Count: 700, Expected: 696, Noise: 4, Compared: 40_000},
			{Stream: "orders", Category: OrderViolation, Count: 3, Unexplained: 300, Compared: 1_000_000},
		},
		Samples: []Sample{
			{Stream: "orders", Category: Value, Field: "tickets[].row", ID: "65a000000000000000000001", Item: "65a000000000000000000009",
				Left:  Shown{Place: place("orders_done"), Parts: []Part{{"Row ", false}, {"12", true}}},
				Right: Shown{Place: place("orders"), Parts: []Part{{"Row ", false}, {"1\x1b[2J2", true}}}},
			{Stream: "events", Category: Value, Field: "description", ID: "65a000000000000000000002", Rule: "media-cdn",
				Left:  Shown{Place: place("events"), Parts: []Part{{strings.Repeat("длинный текст ", 20), true}}},
				Right: Shown{}},
			{Stream: "orders", Category: Value, Field: "customer.phone", ID: "65a000000000000000000003",
				Left:  Shown{Place: place("orders_done"), Masked: true, Parts: []Part{{"+99999999999", false}}},
				Right: Shown{Place: place("orders"), Gone: true}},
			{Stream: "orders", Category: Value, Field: "customer.phone", ID: "the fourth is not shown"},
			{Stream: "orders", Category: Absent, ID: "65a000000000000000000004", Detail: "no record on the right side", Left: Shown{Place: place("orders_done")}},
			{Stream: "orders", Category: Pending, ID: "65a000000000000000000005", Detail: "waits for its event"},
		},
		Expected: []ExpectedCount{
			{ID: "media-cdn", Owner: "platform on-call", Reason: "the new CDN has other names; " + strings.Repeat("they redirect to the old ones, ", 4) + "for now", Expires: "2026-12-31", Count: 696},
			{ID: "old-seats", Owner: "sales", Reason: "not migrated", Expires: "2026-01-31", Expired: true, Count: 12},
		},
		Noise: &NoiseCount{Of: "right", Compared: map[string]int64{"events": 40_000, "orders": 1_000_000}, Fields: []NoiseField{{"events", "media", 4}}},
		Notes: []string{"the topic orders is compacted: " + strings.Repeat("what came before the newest record of a key may be gone. ", 3), "no baseline of refunds"},
		Run: Run{Time: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), Seconds: 71.3, Records: 2_300_000, RecordsPerSecond: 32_258.06, PeakMemory: 412 << 20,
			Resumed: true},
		Digest: "5d41402abc4b2a76",
	}
}

func goReport() *Report {
	return &Report{
		Deployment: "vibe", Verdict: Decide(DefaultCutover(), goodFacts()), Left: Party{Label: "1.0", Kind: "slim"}, Right: Party{Label: "2.0", Kind: "slim"},
		Streams: []StreamCount{{Stream: "events", Left: 3, Right: 3, Entities: 3, Equal: 3, Coverage: 1}},
		Noise:   &NoiseCount{Of: "left"},
		Run:     Run{Continuous: true, PeakMemory: 3 << 29},
	}
}

func TestReportText(t *testing.T) {
	for name, r := range map[string]*Report{"nogo": noGoReport(), "go": goReport()} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := r.WriteText(&b); err != nil {
				t.Fatal(err)
			}
			checkReportText(t, b.String())
			path := filepath.Join("testdata", "reporttext", name+".txt")
			if *updateReportText {
				if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if b.String() != string(want) {
				t.Errorf("the text is not that of %s (-update-report-text writes it anew):\n%s", path, b.String())
			}
		})
	}
}

func checkReportText(t rapidOrTest, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if n := utf8.RuneCountInString(line); n > textWidth {
			t.Errorf("%d columns: %s", n, line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("not printable: %q", line)
		}
	}
}

// Whatever texts are in a report: the lines are printable and short, the verdict is first.
func TestReportTextOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringN(90, 300, -1))
		draw := func() string { return text.Draw(t, "text") }
		shown := func() Shown {
			return Shown{Place: draw(), Parts: []Part{{draw(), false}, {draw(), true}}, Masked: rapid.Bool().Draw(t, "masked")}
		}
		r := &Report{
			Deployment: draw(), Left: Party{Label: draw(), Newest: rapid.Int64().Draw(t, "newest")}, Right: Party{Label: draw(), Behind: rapid.Float64().Draw(t, "behind")},
			Verdict:  Verdict{Checks: []Check{{draw(), false, draw(), draw(), draw()}}},
			Streams:  []StreamCount{{Stream: draw(), Coverage: rapid.Float64().Draw(t, "coverage"), Pending: map[string]int64{draw(): rapid.Int64().Draw(t, "pending")}}},
			Counts:   []FieldCount{{Stream: draw(), Category: Category(draw()), Field: draw(), Unexplained: rapid.Int64().Draw(t, "unexplained")}},
			Samples:  []Sample{{draw(), Category(draw()), draw(), draw(), draw(), draw(), draw(), shown(), shown()}},
			Expected: []ExpectedCount{{ID: draw(), Owner: draw(), Reason: draw(), Expires: draw()}},
			Notes:    []string{draw()}, Digest: draw(),
		}
		var b bytes.Buffer
		if err := r.WriteText(&b); err != nil {
			t.Fatalf("%v", err)
		}
		checkReportText(t, b.String())
		if !strings.HasPrefix(b.String(), "NO-GO ") {
			t.Errorf("begins with %.20s", b.String())
		}
	})
}

type fullDisk struct{}

var errFull = errors.New("disk full")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestReportTextError(t *testing.T) {
	if err := goReport().WriteText(fullDisk{}); !errors.Is(err, errFull) {
		t.Errorf("%v", err)
	}
}
