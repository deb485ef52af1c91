package compare

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

var checkedAt = time.Date(2026, time.May, 2, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return checkedAt.Add(-d) }

// cutoverCase is all that is decided on; readyCase is GO, every value at its threshold.
type cutoverCase struct {
	thresholds Cutover
	limits     RunningLimits
	report     Report
	now        Running
}

func readyCase() *cutoverCase {
	return &cutoverCase{
		thresholds: DefaultCutover(),
		limits:     RunningLimits{MaxReportAge: 24 * time.Hour, MaxLag: 1000, MaxParkedAge: 24 * time.Hour, MaxParked: 2, MaxQuarantineAge: 24 * time.Hour},
		report: Report{
			Version: 1, Deployment: "vibe", Digest: "d", Quarantine: QuarantineFacts{Known: true},
			Streams: []StreamCount{
				{Stream: "events", Equal: 999, Pending: map[string]int64{"recent": 1}, Coverage: 0.999},
				{Stream: "orders", Equal: 9_999, Different: 1, Unexplained: 1, Coverage: 1},
				{Stream: "refunds", Coverage: 1},
			},
			Verdict: Verdict{Go: true, Checks: []Check{{Name: "cutover.min_coverage", OK: true}}},
			Run:     Run{Time: ago(24 * time.Hour)},
		},
		now: Running{
			Deployment: "vibe", Time: checkedAt, Lag: [2]int64{1000, 1000},
			Parked: []ParkedSince{
				{"event", ago(25 * time.Hour)}, {"set", ago(26 * time.Hour)}, // as many as may be old
				{"event", ago(24 * time.Hour)}, {"event", ago(time.Hour)}, // and such that are not
			},
			Quarantine: QuarantineFacts{Known: true, Records: 3, Oldest: ago(24 * time.Hour)},
		},
	}
}

// Every check at its threshold, within it and beyond it.
func TestDecideCutover(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*cutoverCase)
		failed string // names, separated by spaces
		got    string // of the first that failed
	}{
		{"all at their thresholds", func(*cutoverCase) {}, "", ""},
		{"all well within", func(c *cutoverCase) {
			c.report.Run.Time, c.now.Lag, c.now.Parked, c.now.Quarantine = checkedAt, [2]int64{}, nil, QuarantineFacts{Known: true}
		}, "", ""},
		{"all beyond", func(c *cutoverCase) {
			c.report.Run.Time, c.now.Lag[0] = ago(24*time.Hour+1), 1001
			c.now.Parked[2].Since, c.now.Quarantine.Oldest = ago(24*time.Hour+1), ago(24*time.Hour+1)
		}, "cutover.max_report_age cutover.max_lag cutover.max_parked cutover.max_quarantine_age", "1 d 1 min"},

		{"a report that is NO-GO", func(c *cutoverCase) {
			c.report.Verdict = Verdict{Checks: []Check{{Name: "cutover.min_coverage"}, {Name: "cutover.max_lag", OK: true}, {Name: "cutover.max_violations"}}}
			c.report.Streams[0].Coverage, c.report.Counts = 0.998, []FieldCount{{Category: OrderViolation, Count: 1}}
		}, "report.verdict", "NO-GO: cutover.min_coverage, cutover.max_violations"},
		{"a report of looser thresholds", func(c *cutoverCase) { c.thresholds.MinCoverage, c.thresholds.MaxUnexplainedRate = 0.9991, 0 }, "report.verdict",
			"NO-GO: cutover.min_coverage, cutover.max_unexplained_rate; by the thresholds that it was made with the report said GO"},
		{"a report of stricter thresholds", func(c *cutoverCase) { c.report.Verdict = Verdict{Checks: []Check{{Name: "cutover.min_coverage"}}} }, "", ""},
		{"a report that has compared nothing", func(c *cutoverCase) { c.report.Streams = nil }, "report.verdict",
			"NO-GO: cutover.min_entities; by the thresholds that it was made with the report said GO"},
		{"too few clean days", func(c *cutoverCase) { c.thresholds.DaysClean, c.report.Trend = 1, nil }, "report.verdict",
			"NO-GO: cutover.days_clean; by the thresholds that it was made with the report said GO"},
		{"as many clean days as there have to be", func(c *cutoverCase) {
			c.thresholds.DaysClean, c.report.Trend = 1, []TrendPoint{{Time: ago(48 * time.Hour), Coverage: 1}}
		}, "", ""},
		{"a right side that is behind", func(c *cutoverCase) { c.thresholds.MaxBehind, c.report.Right.Behind = time.Minute, 61 }, "report.verdict",
			"NO-GO: cutover.max_behind; by the thresholds that it was made with the report said GO"},
		{"a report without the quarantine", func(c *cutoverCase) { c.report.Quarantine = QuarantineFacts{} }, "report.verdict",
			"NO-GO: cutover.max_quarantine_age; by the thresholds that it was made with the report said GO"},
		{"a report of which something was in quarantine for long", func(c *cutoverCase) {
			c.report.Quarantine = QuarantineFacts{Known: true, Records: 1, Oldest: c.report.Run.Time.Add(-24*time.Hour - 1)}
		}, "report.verdict", "NO-GO: cutover.max_quarantine_age; by the thresholds that it was made with the report said GO"},

		{"an older report", func(c *cutoverCase) { c.report.Run.Time = ago(24*time.Hour + 1) }, "cutover.max_report_age", "1 d 1 min"},
		{"a newer report", func(c *cutoverCase) { c.report.Run.Time = ago(24*time.Hour - 1) }, "", ""},
		{"clocks that are a little apart", func(c *cutoverCase) { c.report.Run.Time = ago(-time.Minute) }, "", ""},
		{"a report of tomorrow", func(c *cutoverCase) { c.report.Run.Time = ago(-24 * time.Hour) }, "cutover.max_report_age", "1 d in the future"},

		{"no instance", func(c *cutoverCase) { c.now.Idle = []string{"vibe-gate", "vibe-organizers"} }, "bridge.running", "none in vibe-gate, vibe-organizers"},

		{"more lag at first", func(c *cutoverCase) { c.now.Lag = [2]int64{1001, 0} }, "cutover.max_lag", "1,001, then 0"},
		{"more lag at last", func(c *cutoverCase) { c.now.Lag = [2]int64{0, 1001} }, "cutover.max_lag", "0, then 1,001"},
		{"less lag", func(c *cutoverCase) { c.now.Lag = [2]int64{999, 999} }, "", ""},

		{"one more that is parked for long", func(c *cutoverCase) { c.now.Parked[3].Since = ago(27 * time.Hour) }, "cutover.max_parked", "3 of 4: event 2, set 1; the oldest 1 d 3 h"},
		{"parked for a moment longer", func(c *cutoverCase) { c.now.Parked[2].Since = ago(24*time.Hour + 1) }, "cutover.max_parked", "3 of 4: event 2, set 1; the oldest 1 d 2 h"},
		{"one fewer", func(c *cutoverCase) { c.now.Parked = c.now.Parked[1:] }, "", ""},
		{"none may be parked for long", func(c *cutoverCase) { c.limits.MaxParked = 0 }, "cutover.max_parked", "2 of 4: event 1, set 1; the oldest 1 d 2 h"},

		{"older quarantine", func(c *cutoverCase) { c.now.Quarantine.Oldest = ago(24*time.Hour + 1) }, "cutover.max_quarantine_age", "3 records, the oldest 1 d 1 min"},
		{"younger quarantine", func(c *cutoverCase) { c.now.Quarantine.Oldest = ago(24*time.Hour - 1) }, "", ""},
		{"none in quarantine", func(c *cutoverCase) { c.now.Quarantine = QuarantineFacts{Known: true} }, "", ""},
		{"a quarantine that was not read", func(c *cutoverCase) { c.now.Quarantine = QuarantineFacts{} }, "cutover.max_quarantine_age", "not known: the quarantine topic was not read"},

		{"a paused topic", func(c *cutoverCase) {
			c.now.Paused = map[string]string{"orders_done": "since today", "events": ""}
		}, "bridge.paused", "events, orders_done"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := readyCase()
			tt.change(c)
			d := DecideCutover(c.thresholds, c.limits, &c.report, c.now)
			failed := d.Verdict.failed()
			if strings.Join(failed, " ") != tt.failed || d.Verdict.Go != (tt.failed == "") {
				t.Fatalf("GO is %t, failed %q, want %q", d.Verdict.Go, failed, tt.failed)
			}
			if d.Report.Said.Go != c.report.Verdict.Go || d.Report.Verdict.Go == strings.Contains(tt.failed, "report.verdict") {
				t.Errorf("the report: %+v", d.Report)
			}
			if len(d.Verdict.Checks) != 7 {
				t.Errorf("%d checks: %+v", len(d.Verdict.Checks), d.Verdict.Checks)
			}
			for _, check := range d.Verdict.Checks {
				if check.Want == "" || check.Got == "" || check.OK == (check.Why != "") {
					t.Errorf("does not say what it should: %+v", check)
				}
				if len(failed) > 0 && check.Name == failed[0] && check.Got != tt.got {
					t.Errorf("%s: got %q, want %q", check.Name, check.Got, tt.got)
				}
			}
			var text bytes.Buffer
			if err := d.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			if ok, bad := strings.Index(text.String(), "\n  ok "), strings.LastIndex(text.String(), "\n  FAILED "); ok >= 0 && bad > ok {
				t.Errorf("what failed is not first:\n%s", &text)
			}
		})
	}
}

// What to do about a lag depends on whether anything is read.
func TestWhyLag(t *testing.T) {
	c := readyCase()
	c.now.Lag[1] = 5000
	why := func() string { return DecideCutover(c.thresholds, c.limits, &c.report, c.now).Verdict.Checks[3].Why }
	if got := why(); !strings.HasPrefix(got, "nothing was read") {
		t.Errorf("says %q", got)
	}
	c.now.Taken = 1
	if got := why(); !strings.HasPrefix(got, "the bridge is behind and reads") {
		t.Errorf("says %q", got)
	}
}

func TestCutoverText(t *testing.T) {
	c := readyCase()
	c.report.Streams[0].Coverage = 0.98
	c.now.Paused = map[string]string{"orders_done": "since today\x1b[2J"}
	var text bytes.Buffer
	if err := DecideCutover(c.thresholds, c.limits, &c.report, c.now).WriteText(&text); err != nil {
		t.Fatal(err)
	}
	want := `NO-GO  vibe: the report of 2026-05-01T12:00:00Z and the running bridge

  FAILED  report.verdict              NO-GO: cutover.min_coverage; by the thresholds that it was
                                      made with the report said GO; want GO
  FAILED  bridge.paused               orders_done; want no legacy topic paused
  ok      cutover.max_report_age      1 d; want at most 1 d
  ok      bridge.running              so it is; want an instance in every group
  ok      cutover.max_lag             1,000, then 1,000; want at most 1,000 records
  ok      cutover.max_parked          2 of 4: event 1, set 1; the oldest 1 d 2 h; want at most 2
                                      over 1 d
  ok      cutover.max_quarantine_age  3 records, the oldest 1 d; want none older than 1 d

What to look at
  - report.verdict: look at the report: it says what to do; then compare again
  - bridge.paused: put right what floods the quarantine, then vibe-bridge quarantine resume:
    orders_done is paused since today?[2J

What the report says
  - cutover.min_coverage: 98 % in events; want at least 99.9 %: look at what is pending or
    undecidable, and at the notes; what is pending may only need time

Parked
  REASON  COUNT  OLD                OLDEST
  event       3    1  2026-05-01T11:00:00Z
  set         1    1  2026-05-01T10:00:00Z
`
	if text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &text, want)
	}
}

// A report that was written is read as it was.
func TestReadReport(t *testing.T) {
	r := readyCase().report
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadReport(text)
	if err != nil || !reflect.DeepEqual(*got, r) {
		t.Errorf("%v: %+v\nwant %+v", err, got, r)
	}
	for text, want := range map[string]string{
		"":                                    "not a report of compare once or compare run: unexpected end",
		"[]":                                  "not a report of compare once or compare run: want what compare once writes with --out",
		"{}":                                  "not a report of compare once or compare run: want what",
		`{"version":1,"counts":{"in":3}}`:     "not a report of compare once or compare run: want what",
		string(text[:len(text)-1]):            "not a report of compare once or compare run: unexpected end",
		`{"version":2}`:                       "its version is 2, want 1",
		`{"version":1,"verdict":{"go":true}}`: "it has no time",
	} {
		if _, err := ReadReport([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %q", text, err, want)
		}
	}
}

// Whatever a report says, it is GO only where all its checks are, and every line can be shown.
func FuzzReadReport(f *testing.F) {
	text, err := json.Marshal(readyCase().report)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"version":1,"deployment":"vibe\u001b","verdict":{"go":true,"checks":[{"name":"a\n"}]},"run":{"time":"2026-05-02T12:00:00Z"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ReadReport(text)
		if err != nil {
			return
		}
		c := readyCase()
		d := DecideCutover(c.thresholds, c.limits, r, c.now)
		for _, s := range r.Streams {
			if compared := s.Equal + s.Different; d.Verdict.Go && (s.Coverage < c.thresholds.MinCoverage || unexplainedRate(s.Unexplained, compared) > c.thresholds.MaxUnexplainedRate) {
				t.Errorf("GO with %+v", s)
			}
		}
		var out bytes.Buffer
		if err := d.WriteText(&out); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			line = strings.TrimSuffix(line, "\n")
			if utf8.RuneCountInString(line) > textWidth || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("a line that cannot be shown: %q", line)
			}
		}
	})
}

// A report has all that its verdict is made of: read again, it is judged as it was.
func TestJudgedAgain(t *testing.T) {
	r := reportOfStreams(StreamTotals{Left: 5, Right: 5, Entities: 5, Equal: 5})
	c := DefaultCutover()
	c.DaysClean, c.MaxBehind = 1, time.Minute
	concluded(t, r, c, TrendPoint{Time: r.Run.Time.Add(-24 * time.Hour), Coverage: 1})
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadReport(text)
	if err != nil {
		t.Fatal(err)
	}
	d := DecideCutover(c, RunningLimits{}, again, Running{Time: r.Run.Time})
	if !d.Report.Verdict.Go || !reflect.DeepEqual(d.Report.Verdict, r.Verdict) || len(r.Verdict.Checks) != 7 {
		t.Errorf("%+v, it said %+v", d.Report.Verdict, r.Verdict)
	}
}

// Of is the same for the same alone.
func TestOf(t *testing.T) {
	legacy := Party{Label: "legacy", Kind: "legacy", Topics: []string{"p", "e", "o", "r"}, Records: 7}
	slim := Party{Label: "slim", Kind: "slim", Edition: "1.0", Format: "json", Topics: []string{"events", "orders", "refunds"}}
	want := "vibe: legacy (p, e, o, r) against slim 1.0 json (events, orders, refunds)"
	if got := Of("vibe", legacy, slim); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	seen := map[string]bool{want: true}
	for _, change := range []func(*Party){
		func(p *Party) { p.Kind = "legacy" }, func(p *Party) { p.Edition = "2.0" }, func(p *Party) { p.Format = "protobuf" },
		func(p *Party) { p.Topics = []string{"events", "orders-2", "refunds"} },
	} {
		other := slim
		change(&other)
		for _, got := range []string{Of("vibe", legacy, other), Of("vibe", other, slim)} {
			if seen[got] {
				t.Errorf("twice %q", got)
			}
			seen[got] = true
		}
	}
	slim.Label, slim.Newest = "other", 9
	if got := Of("vibe", legacy, slim); got != want || Of("vibe-2", legacy, slim) == want {
		t.Errorf("%q, want %q", got, want)
	}
}
