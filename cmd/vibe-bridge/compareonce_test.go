package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

// compareOnce runs the command and wants its exit code and a report.
func (v *verified) compareOnce(code int, args ...string) *compare.Report {
	v.t.Helper()
	// In a hostile season some things wait for ever.
	all := append([]string{"compare", "once", "--config", v.config, "--json", "--grace", "0s", "--cutover-min-coverage", "0.5"}, args...)
	r := execute(v.t, nil, all...)
	var report compare.Report
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil || r.code != code {
		v.t.Fatalf("%v: exit code %d, %v: %s%s", args, r.code, err, r.stdout, r.stderr)
	}
	if report.Verdict.Go != (code == codeOK) || !strings.Contains(r.stderr, "records/s while reading, peak memory ") {
		v.t.Errorf("%v: %+v, says %s", args, report.Verdict, r.stderr)
	}
	if entries, err := os.ReadDir(filepath.Join(v.stateDir(), "compare-once")); err == nil && len(entries) > 0 {
		v.t.Errorf("a finished run leaves %v", entries)
	}
	return &report
}

// TestCompareOnce: what the bridge makes of a season is GO, and NO-GO with a wrong record; marks of a report give it again.
func TestCompareOnce(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		v := newVerified(t, target, "1.0", "json")
		v.bridgeSeason()
		html, out, history := filepath.Join(v.folder, "r.html"), filepath.Join(v.folder, "r.json"), filepath.Join(v.folder, "h.ndjson")
		clean := v.compareOnce(codeOK, "--html", html, "--out", out, "--history", history)
		if len(clean.Counts) > 0 || clean.Streams[1].Equal < 200 || len(clean.Marks) == 0 {
			t.Errorf("%+v", clean)
		}
		for _, path := range []string{html, out, history} {
			if text, err := os.ReadFile(path); err != nil || len(text) < 50 {
				t.Errorf("%s: %d bytes, %v", path, len(text), err)
			}
		}
		v.plantWrongPrice()
		dirty := v.compareOnce(codeChecks, "--history", history)
		if !slices.ContainsFunc(dirty.Counts, func(c compare.FieldCount) bool { return c.Field == "tickets[].price_nominal" && c.Count == 1 }) || len(dirty.Trend) != 2 {
			t.Errorf("counts %+v, trend %+v", dirty.Counts, dirty.Trend)
		}
		sampled := false
		for _, s := range dirty.Samples {
			sampled = sampled || s.Field == "tickets[].price_nominal" && s.Item != "" && len(s.Left.Parts) > 0 && len(s.Right.Parts) > 0
		}
		if !sampled {
			t.Errorf("samples %+v", dirty.Samples)
		}
		if again := v.compareOnce(codeOK, "--marks", out); again.Digest != clean.Digest || again.Digest == dirty.Digest {
			t.Errorf("digests %s, again %s, with other marks %s", clean.Digest, again.Digest, dirty.Digest)
		}
		v.tellsOfLostRecords(out, clean)
		v.compareSlim(t)
		v.refusesToCompare(out, history)
	})
}

// plantWrongPrice writes a changed copy of an order of which there is one record.
func (v *verified) plantWrongPrice() {
	v.t.Helper()
	orders := kafkatest.ReadAll(v.t, v.Addrs, v.slimTopic("orders"))
	old := orders[len(orders)-1]
	r := &kgo.Record{Key: old.Key, Headers: old.Headers, Value: bytes.Replace(old.Value, []byte(`"price_nominal":`), []byte(`"price_nominal":9`), 1)}
	kafkatest.Produce(v.t, v.Addrs, v.slimTopic("orders"), r)
}

// compareSlim compares the slim topics with a copy of them.
func (v *verified) compareSlim(t *testing.T) {
	t.Helper()
	var args []string
	for _, name := range []string{"events", "orders", "refunds"} {
		other := v.Prefix + "other-" + name
		kafkatest.CreateTopic(t, v.Addrs, other, 1, nil)
		var records []*kgo.Record
		for _, r := range kafkatest.ReadAll(t, v.Addrs, v.slimTopic(name)) {
			records = append(records, &kgo.Record{Key: r.Key, Value: r.Value, Headers: r.Headers})
		}
		kafkatest.Produce(t, v.Addrs, other, records...)
		args = append(args, "--compare-other-"+name, other)
	}
	if r := v.compareOnce(codeOK, append(args, "--compare-against", "slim", "--cutover-max-unexplained-rate", "1")...); r.Left.Kind != "slim" || r.Streams[1].Equal < 200 {
		t.Errorf("%+v", r)
	}
}

// refusesToCompare: what cannot be compared has an exit code of its own, and one line.
func (v *verified) refusesToCompare(report, history string) {
	v.t.Helper()
	marks := func(name string, change func([]compare.Mark) []compare.Mark) string {
		return v.changedMarks(report, name, func(r *compare.Report) { r.Marks = change(r.Marks) })
	}
	lacking := marks("lacking.json", func(m []compare.Mark) []compare.Mark { return m[1:] })
	more := marks("more.json", func(m []compare.Mark) []compare.Mark {
		one := m[0]
		one.Partition = 99
		return append(m, one)
	})
	beyond := marks("beyond.json", func(m []compare.Mark) []compare.Mark { m[0].End += 1_000_000; return m })
	twice := marks("twice.json", func(m []compare.Mark) []compare.Mark { return append(m, m[0]) })
	backwards := marks("backwards.json", func(m []compare.Mark) []compare.Mark { m[0].Start = m[0].End + 1; return m })
	anew := marks("anew.json", func(m []compare.Mark) []compare.Mark { m[0].TopicID = "another"; return m })
	notMarks := v.write("none.json", "{}")
	badExpected := v.write("expected.yaml", "expected: 1")
	for what, args := range map[string][]string{
		"does not exist": {"--slim-prefix", v.Prefix + "nowhere-"},
		"there are none": {"--marks", notMarks},
		"/0 on the left side: partitions were added since, or the file is not whole": {"--marks", lacking},
		" has no partition 99":                            {"--marks", more},
		"it has been created anew since, or lost records": {"--marks", beyond},
		"is marked twice":                                 {"--marks", twice},
		" and ends at ":                                   {"--marks", backwards},
		"has been created anew since":                     {"--marks", anew},
		"result 1 is of another comparison":               {"--history", history, "--edition", "2.0"},
		"is not compared by":                              {"--marks", report, "--slim-prefix", v.Prefix + "other-"},
		"expected.yaml":                                   {"--compare-expected-file", badExpected},
		"want 0 or more":                                  {"--grace", "-1s"},
		"connect to":                                      {"--target-brokers", "127.0.0.1:1"},
		"want the name of the other":                      {"--compare-against", "slim"},
	} {
		r := execute(v.t, nil, append([]string{"compare", "once", "--config", v.config, "--grace", "0s"}, args...)...)
		if r.code != codeRefused || !strings.Contains(r.stderr, what) {
			v.t.Errorf("%v: exit code %d: %s; want %q", args, r.code, r.stderr, what)
		}
	}
}

// changedMarks writes a report with something else in it.
func (v *verified) changedMarks(report, name string, change func(*compare.Report)) string {
	v.t.Helper()
	text, err := os.ReadFile(report)
	if err != nil {
		v.t.Fatal(err)
	}
	var r compare.Report
	if err := json.Unmarshal(text, &r); err != nil {
		v.t.Fatal(err)
	}
	change(&r)
	if text, err = json.Marshal(&r); err != nil {
		v.t.Fatal(err)
	}
	return v.write(name, string(text))
}

// tellsOfLostRecords: as if the topic had had more records between the marks when they were made.
func (v *verified) tellsOfLostRecords(report string, clean *compare.Report) {
	v.t.Helper()
	i := slices.IndexFunc(clean.Marks, func(m compare.Mark) bool { return m.Topic == v.slimTopic("orders") })
	total := int64(0)
	for _, m := range clean.Marks {
		if m.Records == nil || *m.Records > m.End-m.Start {
			v.t.Fatalf("%+v does not say how many records there were", m)
		}
		total += *m.Records
	}
	if total != clean.Run.Records || *clean.Marks[i].Records == 0 {
		v.t.Errorf("%d records by the marks, %d were read", total, clean.Run.Records)
	}
	lost := v.changedMarks(report, "lost.json", func(r *compare.Report) { *r.Marks[i].Records += 3 })
	want := fmt.Sprintf("of %s (right) %d records lay between the marks when these were made, and %d do now", v.slimTopic("orders"), *clean.Marks[i].Records+3, *clean.Marks[i].Records)
	again := v.compareOnce(codeOK, "--marks", lost)
	if !slices.ContainsFunc(again.Notes, func(n string) bool { return strings.HasPrefix(n, want) }) || again.Digest == clean.Digest {
		v.t.Errorf("notes %q, want %q; digest %s", again.Notes, want, again.Digest)
	}
	all := append([]string{"compare", "once", "--config", v.config, "--json", "--grace", "0s", "--cutover-min-coverage", "0.5"}, "--marks")
	if r := execute(v.t, nil, append(all, lost)...); r.code != codeOK || !strings.Contains(r.stderr, "\nwarning: "+want) && !strings.HasPrefix(r.stderr, "warning: "+want) {
		v.t.Errorf("exit code %d, says %s", r.code, r.stderr)
	}
	uncounted := v.changedMarks(report, "uncounted.json", func(r *compare.Report) { r.Marks[i].Records = nil })
	if r := execute(v.t, nil, append(all, uncounted)...); r.code != codeOK || !strings.Contains(r.stderr, "warning: the marks do not say how many records") {
		v.t.Errorf("exit code %d, says %s", r.code, r.stderr)
	}
}

// While the bridge has records of its own unread and does not go on, nobody can tell what is missing from what is on
// its way. With more days of history the report of the same marks is the same.
func TestCompareOnceBesideABridgeThatStandsStill(t *testing.T) {
	t.Parallel()
	v := newVerified(t, kafkatest.Embedded(t, embedded.Options{}), "1.0", "json")
	v.bridgeSeason()
	orders := kafkatest.ReadAll(t, v.Addrs, v.slimTopic("orders"))
	kafkatest.Produce(t, v.Addrs, v.slimTopic("orders"), &kgo.Record{Key: orders[len(orders)-1].Key}) // takes it away
	kafkatest.Produce(t, v.Addrs, v.Prefix+"b-orders", &kgo.Record{Key: []byte("e/o"), Value: []byte("x")})
	out := filepath.Join(v.folder, "r.json")
	r := v.compareOnce(codeOK, "--out", out)
	if len(r.Counts) > 0 || r.Streams[1].Pending["recent"] < 1 || !slices.Contains(r.Notes, bridgeBehind) {
		t.Errorf("counts %+v, orders %+v, notes %q", r.Counts, r.Streams[1], r.Notes)
	}
	if again := v.compareOnce(codeChecks, "--marks", out, "--cutover-days-clean", "1"); again.Digest != r.Digest {
		t.Errorf("digest %s, want %s", again.Digest, r.Digest)
	}
}

// An interrupted run says how to go on, and does.
func TestCompareOnceGoesOn(t *testing.T) {
	t.Parallel()
	v := newVerified(t, kafkatest.Embedded(t, embedded.Options{}), "1.0", "json")
	v.bridgeSeason()
	want := v.compareOnce(codeOK)
	ctx, cancel := context.WithTimeout(t.Context(), executeDeadline)
	defer cancel()
	cmd := program(ctx, nil, "compare", "once", "--config", v.config, "--grace", "1h")
	var stderr safeBuffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kafkatest.Eventually(t, "the wait", func() bool { return strings.Contains(stderr.String(), "waiting 1h") })
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != codeFailed || !strings.Contains(stderr.String(), "interrupted before anything was read") {
		t.Errorf("%v: %s", err, &stderr)
	}
	v.leaveHalf(want)
	got := v.compareOnce(codeOK)
	if !got.Run.Resumed || got.Digest != want.Digest {
		t.Errorf("resumed %v, digest %s, want %s", got.Run.Resumed, got.Digest, want.Digest)
	}
	v.leaveHalf(want)
	if fresh := v.compareOnce(codeOK, "--fresh"); fresh.Run.Resumed {
		t.Error("--fresh goes on")
	}
}

// leaveHalf leaves what an interrupted run with the marks of a report would: its marks,
// and the rows of the left side.
func (v *verified) leaveHalf(r *compare.Report) {
	v.t.Helper()
	c, err := loadConfig(&app{}, v.config, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	p, err := newComparison(c)
	if err != nil {
		v.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(v.t.Context())
	defer cancel()
	if err := p.connect(ctx); err != nil {
		v.t.Fatal(err)
	}
	defer p.close()
	o := compareOnceOptions{}
	w, err := o.openWork(p, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	w.marks = &compareMarks{Marks: r.Marks}
	w.marks.Run.Time = r.Run.Time
	if err := w.keepMarks(); err != nil {
		v.t.Fatal(err)
	}
	var failed error
	reader := p.readerOf(0, w, &failed)
	if err := reader.readAll(ctx, func() error { return failed }); err != nil {
		v.t.Fatal(err)
	}
	if err := errors.Join(w.engine.Commit(), w.close()); err != nil {
		v.t.Fatal(err)
	}
}
