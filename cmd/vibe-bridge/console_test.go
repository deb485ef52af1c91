package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/internal/console"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

const (
	testViewToken = "view-token-0123456789"
	testActToken  = "act-token-0123456789"
)

// asked asks an address with a token.
func asked(t *testing.T, method, url, token, body string) (code int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(read)
}

// Two instances and a comparison, as processes, with tokens: what the page shows of all of them, an action, and an
// instance that is killed.
func TestConsoleOfProcesses(t *testing.T) {
	t.Parallel()
	d := &deployment{t: t, source: startCluster(t), target: startCluster(t), folder: t.TempDir()}
	view, act := d.write("view", testViewToken+"\n"), d.write("act", testActToken+"\n")
	d.configure(fmt.Sprintf("http: {listen: \"127.0.0.1:0\", pprof_listen: \"127.0.0.1:0\", view_token_file: %q, act_token_file: %q}\n", view, act) +
		"holds: {organizer: 1s, set: 1s}\nsweep_interval: 200ms\nsession_timeout: 10s\ncompare: {grace: 1s, audit_interval: 1s}\ncutover: {max_behind: 0s}\n")
	d.must("generate", "--config", d.config, "--orders", "100", "--seed", "7", "--hostile", "0", "--partitions", "3")
	d.must("topics", "create", "--config", d.config)
	a, b := d.run("--state-dir", filepath.Join(d.folder, "a")), d.run("--state-dir", filepath.Join(d.folder, "b"))
	for _, in := range []*instance{a, b} {
		in.says("metrics and health", 1)
		in.says(`"msg":"profiles"`, 1)
	}
	at := "http://" + a.address()
	overview := func() (o console.Overview) {
		a.alive()
		code, body := asked(t, "GET", at+"/api/v1/overview", testViewToken, "")
		if err := json.Unmarshal([]byte(body), &o); err != nil || code != http.StatusOK {
			t.Fatalf("overview: %d %s", code, body)
		}
		return o
	}
	kafkatest.Eventually(t, "both to be seen", func() bool {
		o := overview()
		return len(o.Instances) == 2 && o.Instances[1].Reachable && o.Instances[1].Ready && o.Instances[0].Ready && len(o.Unassigned) == 0
	})
	profiles := regexp.MustCompile(`"msg":"profiles","address":"([^"]+)"`).FindStringSubmatch(a.log.String())
	for url, want := range map[string]int{
		at + "/": 200, at + "/healthz": 200, at + "/metrics": 200, at + "/api/v1/overview": 401, at + "/compare/report.html": 401, at + "/debug/pprof/": 404,
		"http://" + profiles[1] + "/debug/pprof/cmdline": 200,
	} {
		if code, body := asked(t, "GET", url, "", ""); code != want {
			t.Errorf("%s: %d, want %d: %.100s", url, code, want, body)
		}
	}
	if code, body := asked(t, "POST", at+"/api/v1/resync", testActToken, `{"since":"1h","dry_run":true}`); code != 200 || !strings.Contains(body, `"sent":0`) {
		t.Errorf("resync: %d %s", code, body)
	}
	a.says(`"msg":"console: action","who":"act token"`, 1)

	// The comparison, under the same rules, and as the page shows it.
	c := d.start("compare", "run", "--config", d.config, "--state-dir", filepath.Join(d.folder, "c"), "--listen", "127.0.0.1:0", "--create-topics")
	c.says("comparison starts", 1)
	kafkatest.Eventually(t, "a report", func() bool {
		c.alive()
		code, body := asked(t, "GET", "http://"+c.reportAddress()+"/report", testViewToken, "")
		r := compare.Report{}
		return code == 200 && json.Unmarshal([]byte(body), &r) == nil && r.Version == 1
	})
	for _, path := range []string{"/report", "/report.html"} {
		if code, body := asked(t, "GET", "http://"+c.reportAddress()+path, "", ""); code != 401 || strings.Contains(body, "GO") {
			t.Errorf("%s without a token: %d %s", path, code, body)
		}
	}
	var report string
	kafkatest.Eventually(t, "the report of the console", func() bool {
		code, body := asked(t, "GET", at+"/api/v1/compare", testViewToken, "")
		report = body
		return code == 200
	})
	if code, body := asked(t, "GET", at+"/compare/report.html", testViewToken, ""); code != 200 || !strings.Contains(body, "GO") {
		t.Errorf("the report's page: %d %.200s", code, body)
	}
	r := compare.Report{}
	if err := json.Unmarshal([]byte(report), &r); err != nil {
		t.Fatal(err)
	}
	if v := overview().Compare; v == nil || v.Go != r.Verdict.Go || v.Coverage <= 0 || v.Report != "/compare/report.html" {
		t.Errorf("the verdict is %+v, want that of %s", v, report)
	}

	// One is killed: that is said, and then the other has all.
	if err := b.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-b.ended
	kafkatest.Eventually(t, "the killed one to be told", func() bool {
		o := overview()
		return len(o.Instances) == 2 && !o.Instances[1].Reachable && strings.Contains(fmt.Sprint(o.Instances[1].Reasons), "does not answer")
	})
	kafkatest.Eventually(t, "its partitions to be taken over", func() bool {
		o := overview()
		return len(o.Instances) == 1 && o.Instances[0].Ready && len(o.Instances[0].Groups[5].Partitions) == testPartitions
	})
	for _, in := range []*instance{a, c} {
		if code := in.stop(syscall.SIGTERM); code != codeOK {
			t.Errorf("exit code %d: %s", code, &in.log)
		}
		for _, token := range []string{testViewToken, testActToken} {
			if strings.Contains(in.log.String(), token) {
				t.Errorf("a token is in the log: %s", &in.log)
			}
		}
	}
}

// What is wrong with files is said before anything is joined.
func TestRunRefusesConsole(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	mustCreate(d)
	short := d.write("short", "short")
	for want, more := range map[string]string{
		"http.view_token_file: ": fmt.Sprintf("http: {listen: \"127.0.0.1:0\", view_token_file: %q}\n", short),
		"http.tls_cert_file: ":   fmt.Sprintf("http: {listen: \"127.0.0.1:0\", tls_cert_file: %q, tls_key_file: %q}\n", short, short),
		"http.pprof_listen: ":    "http: {listen: \"127.0.0.1:0\", pprof_listen: \"192.0.2.1:1\"}\n",
	} {
		d.configure(more)
		if r := execute(t, nil, "run", "--config", d.config); r.code != codeRefused || !strings.Contains(r.stderr, want) {
			t.Errorf("exit code %d: %s, want %s", r.code, r.stderr, want)
		}
	}
}

// The demo's console shows its season, and with the token that is printed one may act.
func TestDemoConsole(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	s := startProgram(t, []string{"TMPDIR=" + tmp}, "demo", "--orders", "100000", "--pace", "500")
	s.await(`^console  http://127`)
	said := regexp.MustCompile(`^console  (http://127\.0\.0\.1:\d+)/  \(to act there: token ([A-Z0-9]{16,})\)$`).FindStringSubmatch(s.lines.Text())
	if said == nil {
		t.Fatalf("it says %s", s.lines.Text())
	}
	var o console.Overview
	kafkatest.Eventually(t, "the demo's console to be ready", func() bool {
		code, body := asked(t, "GET", said[1]+"/api/v1/overview", "", "")
		return code == 200 && json.Unmarshal([]byte(body), &o) == nil && o.Instances[0].Ready && o.Edges[1].RecordsPerSecond > 0
	})
	if code, body := asked(t, "GET", said[1]+"/", "", ""); code != 200 || !strings.Contains(body, "<html") {
		t.Errorf("the page: %d %.100s", code, body)
	}
	if code, _ := asked(t, "POST", said[1]+"/api/v1/topics/orders_done/resume", "", ""); code != 401 && code != 403 {
		t.Errorf("without the token: %d", code)
	}
	if code, body := asked(t, "POST", said[1]+"/api/v1/topics/orders_done/resume", said[2], ""); code != 200 {
		t.Errorf("with the token: %d %s", code, body)
	}
	if _, code := s.end(os.Interrupt); code != codeOK {
		t.Errorf("exit code %d: %s", code, s.stderr)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if r := runCommand("demo", "--listen", ":9477"); r.code != codeRefused || !strings.Contains(r.stderr, "loopback") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}

// A report that is slow to read, or cannot be read, keeps nobody from the rest.
func TestComparisonSeen(t *testing.T) {
	reading := make(chan *compare.Report)
	reads := 0
	s := &comparisonSeen{ctx: t.Context(), log: testLogger(), read: readFrom(reading, &reads)}
	if v := s.Verdict(); v != nil {
		t.Errorf("before it was read: %+v", v)
	}
	reading <- &compare.Report{Version: 1, Run: compare.Run{Time: time.Unix(5, 0)}, Streams: []compare.StreamCount{{Coverage: 0.5, Equal: 8, Different: 2, Unexplained: 1}, {Coverage: 1}},
		Counts:  []compare.FieldCount{{Category: compare.OrderViolation, Count: 3}, {Category: compare.Value, Count: 9}},
		Verdict: compare.Verdict{Checks: []compare.Check{{Name: "cutover.min_coverage", Want: "99 %", Got: "50 %", Why: "look"}, {Name: "x", OK: true}}}}
	if _, err := s.Report(t.Context()); err != nil {
		t.Fatal(err)
	}
	v := s.Verdict()
	if v == nil || v.Go || v.Coverage != 0.5 || v.Unexplained != 0.1 || v.Violations != 3 || len(v.Reasons) != 1 || v.Reasons[0] != "cutover.min_coverage: 50 %, want 99 %: look" {
		t.Errorf("verdict %+v", v)
	}
	if page, err := s.ReportPage(t.Context()); err != nil || !strings.Contains(string(page), "<html") {
		t.Errorf("page: %v", err)
	}
	if reads != 1 {
		t.Errorf("read %d times", reads)
	}
}

func testLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }

func readFrom(reports <-chan *compare.Report, reads *int) func(context.Context) (*compare.Report, error) {
	return func(ctx context.Context) (*compare.Report, error) {
		*reads++
		select {
		case r := <-reports:
			return r, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
