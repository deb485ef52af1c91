package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/once"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// cutover runs the command and returns its result and the names of what failed, separated by spaces.
func (o *operated) cutover(report string, more ...string) (check compare.CutoverCheck, failed string) {
	o.t.Helper()
	r := runCommand(append([]string{"cutover-check", "--config", o.config, "--report", report, "--json"}, more...)...)
	if err := json.Unmarshal([]byte(r.stdout), &check); err != nil {
		o.t.Fatalf("%q: exit code %d, %v: %s%s", more, r.code, err, r.stdout, r.stderr)
	}
	var names []string
	for _, c := range check.Verdict.Checks {
		if !c.OK {
			names = append(names, c.Name)
		}
	}
	code := codeOK
	if len(names) > 0 {
		code = codeChecks
	}
	if found := personal.FindString(r.stdout + r.stderr); found != "" || r.code != code || check.Verdict.Go != (code == codeOK) {
		o.t.Errorf("%q: exit code %d, want %d; it shows %q: %s%s", more, r.code, code, found, r.stdout, r.stderr)
	}
	return check, strings.Join(names, " ")
}

func (o *operated) wantCutover(what, want, report string, more ...string) compare.CutoverCheck {
	o.t.Helper()
	check, failed := o.cutover(report, more...)
	if failed != want {
		o.t.Errorf("%s: failed %q, want %q: %+v", what, failed, want, check.Verdict.Checks)
	}
	return check
}

// change writes a copy of a report with something else in it.
func change(t *testing.T, report string, by func(*compare.Report)) string {
	t.Helper()
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	r, err := compare.ReadReport(text)
	if err != nil {
		t.Fatal(err)
	}
	by(r)
	if text, err = json.Marshal(r); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "changed.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// GO with a bridge that runs, and NO-GO as one thing after another goes wrong.
func TestCutoverCheck(t *testing.T) {
	t.Parallel()
	o := newOperated(t, kafkatest.Embedded(t, embedded.Options{}))
	o.createTopics()
	report := filepath.Join(t.TempDir(), "report.json")
	stop := o.run()
	now := time.Now()
	o.legacy(mapping.Events, now, legacyEvent("e1"))
	o.legacy(mapping.Orders, now, legacyOrder("o1", "e1"), legacyOrder("o2", "e1"))
	o.legacy(mapping.Refunds, now, legacyRefund("r1", "o1", "e1"))
	o.awaitSlim(1, 2, 1)
	if r := runCommand("compare", "once", "--config", o.config, "--grace", "0s", "--out", report); r.code != codeOK {
		t.Fatalf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}

	check := o.wantCutover("all is well", "", report)
	if check.Deployment != o.cfg.Topics.Name || check.Report.Deployment != check.Deployment || check.Report.Digest == "" || check.Lag != 0 || len(check.Verdict.Checks) != 7 {
		t.Errorf("says %+v", check)
	}
	r := mustRun(t, "cutover-check", "--config", o.config, "--report", report)
	if !strings.HasPrefix(r.stdout, "GO  "+check.Deployment+": the report of 2") || strings.Contains(r.stdout, "FAILED") {
		t.Errorf("text:\n%s", r.stdout)
	}

	o.wantCutover("a stale report", "cutover.max_report_age", report, "--cutover-max-report-age", "1ms")
	o.wantCutover("a report that is NO-GO", "report.verdict", change(t, report, func(r *compare.Report) { r.Streams[1].Unexplained = 1 }))
	check = o.wantCutover("a report of looser thresholds", "report.verdict", report, "--cutover-min-entities", "5")
	if check.Report.Verdict.Go || !check.Report.Said.Go || !strings.Contains(check.Verdict.Checks[0].Got, "NO-GO: cutover.min_entities; by the thresholds that it was made with the report said GO") {
		t.Errorf("says %+v", check)
	}
	o.refusesReports(report)

	o.legacy(mapping.Orders, now, legacyOrder("o3", "unpublished"))
	kafkatest.Eventually(t, "the order to wait", func() bool { return o.parked().Waiting == 1 })
	old := []string{"--cutover-max-parked-age", "1ms"}
	o.wantCutover("an order that waits, but not for long", "", report)
	check = o.wantCutover("an order that waits for long", "cutover.max_parked", report, old...)
	if len(check.Parked) != 1 || check.Parked[0].Reason != "event" || check.Parked[0].Count != 1 || check.Parked[0].Old != 1 || time.Since(check.Parked[0].Oldest) > time.Hour {
		t.Errorf("parked: %+v", check.Parked)
	}
	o.wantCutover("one that may", "", report, append(old, "--cutover-max-parked", "1")...)

	o.bad(1)
	kafkatest.Eventually(t, "the record in quarantine", func() bool { return len(o.quarantine(codeOK, "list")) == 1 })
	check = o.wantCutover("a record in quarantine, but not for long", "", report)
	if check.Quarantine != 1 {
		t.Errorf("in quarantine: %+v", check)
	}
	o.wantCutover("a record that is in quarantine for long", "cutover.max_quarantine_age", report, "--cutover-max-quarantine-age", "1ms")

	o.bad(o.cfg.Breaker.MinRecords)
	kafkatest.Eventually(t, "the topic to be paused", func() bool {
		paused, err := processors.ReadPauses(t.Context(), o.cfg)
		return err == nil && len(paused) == 1
	})
	check = o.wantCutover("a paused topic", "bridge.paused", report)
	if len(check.Paused) != 1 || check.Paused[0] != o.cfg.Topics.Legacy[mapping.Orders] {
		t.Errorf("paused: %q", check.Paused)
	}
	mustRun(t, "quarantine", "resume", "--config", o.config, "--all")
	o.awaitQuiet()

	stop()
	o.wantCutover("no instance", "bridge.running", report)
	o.legacy(mapping.Orders, now, legacyOrder("o4", "e1"), legacyOrder("o5", "e1"))
	check = o.wantCutover("no instance, and two records that wait for it", "bridge.running cutover.max_lag", report, "--cutover-max-lag", "1")
	if check.Lag != 2 {
		t.Errorf("lag: %+v", check)
	}
	o.wantCutover("as many as may", "bridge.running", report, "--cutover-max-lag", "2")
	r = runCommand("cutover-check", "--config", o.config, "--report", report, "--cutover-max-lag", "1")
	if !regexp.MustCompile(`(?s)^NO-GO  .*\n\n  FAILED  bridge\.running .*\n  FAILED  cutover\.max_lag +2, then 2; want at most 1 record\n  ok .*\nWhat to look at\n.*max_lag: nothing was read`).MatchString(r.stdout) {
		t.Errorf("text:\n%s", r.stdout)
	}
	if r.stderr != "vibe-bridge: cutover-check: NO-GO: see above\n" || r.code != codeChecks {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}

// refusesReports: what is of another comparison is neither GO nor NO-GO.
func (o *operated) refusesReports(report string) {
	o.t.Helper()
	slim := func(r *compare.Report) {
		r.Left = compare.Party{Label: "other slim", Kind: "slim", Edition: "2.0", Format: "json", Topics: []string{"other-e", "other-o", "other-r"}}
	}
	for what, by := range map[string]func(*compare.Report){
		"another deployment":  func(r *compare.Report) { r.Deployment += "-old" },
		"other slim topics":   func(r *compare.Report) { r.Right.Topics[1] += "-old" },
		"another edition":     func(r *compare.Report) { r.Right.Edition = "2.0" },
		"another format":      func(r *compare.Report) { r.Right.Format = "protobuf" },
		"other legacy topics": func(r *compare.Report) { r.Left.Topics[0] += "-old" },
		"slim against slim":   slim,
	} {
		r := runCommand("cutover-check", "--config", o.config, "--report", change(o.t, report, by))
		if r.code != codeRefused || r.stdout != "" || !strings.Contains(r.stderr, "cutover-check: the report is of another comparison, ") {
			o.t.Errorf("%s: exit code %d: %s%s", what, r.code, r.stdout, r.stderr)
		}
	}
	meant := []string{"--compare-against", "slim", "--compare-other-edition", "2.0", "--compare-other-events", "other-e", "--compare-other-orders", "other-o", "--compare-other-refunds", "other-r"}
	o.wantCutover("slim against slim, which the configuration says is meant", "", change(o.t, report, slim), meant...)
	if r := runCommand(append([]string{"cutover-check", "--config", o.config, "--report", report}, meant...)...); r.code != codeRefused || !strings.Contains(r.stderr, "the report is of another comparison") {
		o.t.Errorf("legacy against slim, where the configuration says otherwise: exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
}

// bad writes orders that cannot be read.
func (o *operated) bad(n int) {
	o.t.Helper()
	var records []*kafkatest.Record
	for range n {
		records = append(records, &kafkatest.Record{Value: []byte{0xff}})
	}
	kafkatest.ProducePinned(o.t, o.target.Addrs, o.cfg.Topics.Legacy[mapping.Orders], records...)
}

// Whatever keeps it from checking is no NO-GO.
func TestCutoverCheckRefuses(t *testing.T) {
	t.Parallel()
	o := newOperated(t, kafkatest.Embedded(t, embedded.Options{}))
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	away := file("away.yaml", "source: {brokers: [localhost:1]}\ntarget: {brokers: [localhost:1]}\nslim: {prefix: slim-}\nstate_dir: s\n")
	good, ofAway := file("good.json", reportFor(t, o.config)), file("of-away.json", reportFor(t, away))
	for _, c := range []struct{ config, report, says string }{
		{o.config, "", "no report of compare run, and none is given with --report: "},
		{o.config, filepath.Join(folder, "none.json"), "--report: open "},
		{o.config, file("text.json", "GO"), "text.json: not a report of compare once or compare run: "},
		{o.config, file("version.json", `{"version":7}`), "its version is 7, want 1"},
		{o.config, good, "on the state cluster among them: run `vibe-bridge topics create`"},
		{away, ofAway, "cutover-check: state cluster: "},
		{filepath.Join(folder, "none.yaml"), good, "none.yaml"},
	} {
		args := []string{"cutover-check", "--config", c.config}
		if c.report != "" {
			args = append(args, "--report", c.report)
		}
		r := runCommand(args...)
		if r.code != codeRefused || !strings.Contains(r.stderr, c.says) || r.stdout != "" {
			t.Errorf("%q: exit code %d: %s%s; want %d and %q", args, r.code, r.stdout, r.stderr, codeRefused, c.says)
		}
	}
	r := runCommand("cutover-check", "--config", o.config, "--report=")
	if r.code != codeRefused || !strings.Contains(r.stderr, "--report is empty") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	r = runCommand("cutover-check", "--config", o.config, "--report", good, "extra")
	if r.code != codeRefused || !strings.Contains(r.stderr, fmt.Sprintf("unexpected argument %q", "extra")) {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}

// reportFor is a report of what a configuration compares.
func reportFor(t *testing.T, config string) string {
	t.Helper()
	c, err := loadConfig(&app{}, config, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.DirectoryFile = ""
	p, err := newComparison(c)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(&compare.Report{Version: 1, Deployment: c.Name, Left: p.side(once.Left), Right: p.side(once.Right), Run: compare.Run{Time: time.Now()}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What was replayed does not count, whatever its age.
func TestQuarantineFacts(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2026, time.May, 2, hour, 0, 0, 0, time.UTC) }
	list := processors.QuarantineList{Records: []*processors.Quarantined{{Time: at(3)}, {Time: at(1), Replayed: at(9)}, {Time: at(2)}, {Time: at(4)}}}
	if got, want := quarantineFacts(list), (compare.QuarantineFacts{Known: true, Records: 3, Oldest: at(2)}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := quarantineFacts(processors.QuarantineList{}); got != (compare.QuarantineFacts{Known: true}) {
		t.Errorf("of none: %+v", got)
	}
}
