package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/live"
	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// The comparison beside the bridge, as processes: two instances, one of which is killed, and the commands that look at
// what they find.
func TestCompareRun(t *testing.T) {
	t.Parallel()
	d := &deployment{t: t, source: startCluster(t), target: startCluster(t), folder: t.TempDir()}
	path := func(name string) string { return filepath.Join(d.folder, name) }
	d.configure(fmt.Sprintf("directory_file: %q\nholds: {organizer: 1s, set: 1s}\nsweep_interval: 200ms\nsession_timeout: 10s\ncompare: {grace: 1s, audit_interval: 1s}\ncutover: {max_behind: 0s}\n",
		path("directory.json")))
	d.must("generate", "--config", d.config, "--orders", "300", "--seed", "7", "--hostile", "0", "--partitions", "3", "--directory-out", path("directory.json"))
	d.must("topics", "create", "--config", d.config)
	bridge := d.run()
	d.drain(bridge)

	started := func(folder string, more ...string) *instance {
		return d.start(append([]string{"compare", "run", "--config", d.config, "--state-dir", path(folder), "--listen", "127.0.0.1:0"}, more...)...)
	}
	if r := execute(t, nil, "compare", "run", "--config", d.config); r.code != codeRefused || !strings.Contains(r.stderr, "--create-topics") {
		t.Fatalf("without topics: exit code %d: %s", r.code, r.stderr)
	}
	d.must("compare", "once", "--config", d.config, "--grace", "0s", "--work-dir", path("once"), "--out", path("once.json"))
	for file, want := range map[string]string{"once.json": "compare.baseline", "none.json": "no such file", "directory.json": "not a report of compare once or compare run"} {
		r := execute(t, []string{"VIBE_BRIDGE_COMPARE_NOISE_FILE=" + path(file)}, "compare", "run", "--config", d.config)
		if r.code != codeRefused || !strings.Contains(r.stderr, "compare.noise_file") || !strings.Contains(r.stderr, want) {
			t.Errorf("with noise of %s: exit code %d: %s", file, r.code, r.stderr)
		}
	}
	a := started("a", "--create-topics")
	a.says("comparison starts", 1)
	if r := execute(t, nil, "compare", "report", "--config", d.config); r.code != codeRefused || !strings.Contains(r.stderr, "no result yet") {
		t.Errorf("before any result: exit code %d: %s", r.code, r.stderr)
	}
	b := started("b")
	report := d.reportUntil(b, "GO", func(r *compare.Report) bool { return r.Verdict.Go })
	if n := report.Streams[1].Equal; n < 200 {
		t.Errorf("%d orders are equal", n)
	}
	a.signal(syscall.SIGKILL)
	<-a.ended

	order := lastOf(t, d.target.Brokers, "orders")
	d.slim("orders", string(order.Key), strings.Replace(string(order.Value), `"email":"`, `"email":"other-`, 1))
	d.reportUntil(b, "NO-GO", func(r *compare.Report) bool { return !r.Verdict.Go && r.Streams[1].Different == 1 })
	// What lags is known of a partition some time after it was taken over from the instance that was killed.
	awaitLines(t, "http://"+b.reportAddress()+"/metrics",
		`vibe_bridge_compare_different_entities{category="value",field="customer.email",stream="orders"} 1`,
		`vibe_bridge_compare_unexplained_entities{stream="orders"} 1`, "vibe_bridge_compare_verdict 0", `vibe_bridge_compare_coverage_ratio{stream="orders"} 1`,
		`vibe_bridge_compare_lag_records{group="events",partition="1"}`, `vibe_bridge_compare_lag_seconds{partition="2",side="left",stream="orders"} `, "vibe_bridge_build_info{", "process_resident_memory_bytes ", "vibe_bridge_compare_horizon_age_seconds ", "vibe_bridge_compare_audit_duration_seconds ",
		`vibe_bridge_compare_entities{state="different",stream="orders"} 1`)
	email := regexp.MustCompile(`"email":"([^"]+)"`).FindStringSubmatch(string(order.Value))[1]
	for _, answer := range []string{"/report.html", "/report"} {
		code, text := get(t, "http://"+b.reportAddress()+answer)
		if code != 200 || answer == "/report.html" && !strings.Contains(text, "NO-GO") || !strings.Contains(text, "@aaaa.aaaaaaa.aaa") || strings.Contains(text, email) {
			t.Errorf("%s: %d, %s", answer, code, text)
		}
	}
	kafkatest.Eventually(t, "every group to have joined without the instance that was killed", func() bool {
		code, _ := get(t, "http://"+b.reportAddress()+"/readyz")
		return code == 200
	})
	d.looks(string(order.Key))

	d.slim("orders", string(order.Key), string(order.Value))
	d.reportUntil(b, "GO again", func(r *compare.Report) bool { return r.Verdict.Go })
	if code := b.stop(syscall.SIGTERM); code != codeOK {
		t.Errorf("exit code %d: %s", code, &b.log)
	}
	if text := d.must("compare", "report", "--config", d.config).stdout; !strings.Contains(text, "GO") {
		t.Errorf("report: %s", text)
	}
	if text := d.must("compare", "differences", "--config", d.config).stdout; text != "no differences in trial-differences\n" {
		t.Errorf("differences: %s", text)
	}
	if code := bridge.stop(syscall.SIGTERM); code != codeOK {
		t.Errorf("the bridge ended with exit code %d", code)
	}
}

// The quarantine topic names records of the legacy topics, also where slim topics are compared with others.
func TestComparisonKnowsTheLegacyTopics(t *testing.T) {
	for _, against := range []string{"legacy", "slim"} {
		c, err := config.Load("../../deploy/bridge.example.yaml", []string{
			"VIBE_BRIDGE_COMPARE_AGAINST=" + against, "VIBE_BRIDGE_TOPICS_ORDERS=sales",
			"VIBE_BRIDGE_COMPARE_OTHER_EVENTS=e2", "VIBE_BRIDGE_COMPARE_OTHER_ORDERS=o2", "VIBE_BRIDGE_COMPARE_OTHER_REFUNDS=r2",
		}, nil)
		must(t, err)
		cfg, _, err := comparedOffline(c)
		must(t, err)
		if len(cfg.LegacyTopics) != 4 || cfg.LegacyTopics[compare.Orders] != "sales" {
			t.Errorf("against %s: legacy topics %v", against, cfg.LegacyTopics)
		}
	}
}

// looks runs the commands while this order differs.
func (d *deployment) looks(order string) {
	d.t.Helper()
	look := func(code int, args ...string) string {
		d.t.Helper()
		r := execute(d.t, nil, append([]string{"compare", args[0], "--config", d.config}, args[1:]...)...)
		if r.code != code {
			d.t.Errorf("%v: exit code %d, want %d: %s%s", args, r.code, code, r.stdout, r.stderr)
		}
		return r.stdout
	}
	kafkatest.Eventually(d.t, "the difference published", func() bool {
		return execute(d.t, nil, "compare", "differences", "--config", d.config, "--field", "customer.email").code == codeChecks
	})
	p := live.Published{}
	if err := json.Unmarshal([]byte(look(codeChecks, "differences", "--json")), &p); err != nil || p.ID != order || p.Right == nil {
		d.t.Errorf("differences: %+v, %v", p, err)
	}
	look(codeOK, "differences", "--field", "customer.phone")
	if text := look(codeOK, "show", "--order", order); !strings.Contains(text, "value customer.email") || strings.Contains(text, "@") {
		d.t.Errorf("show: %s", text)
	}
	look(codeChecks, "show", "--event", "nobody")
	look(codeRefused, "show")
	look(codeRefused, "show", "--order", order, "--event", "one")
	look(codeRefused, "differences", "--category", "none")
	html := filepath.Join(d.folder, "report.html")
	if text := look(codeChecks, "report", "--html", html); !strings.Contains(text, "@aaaa.aaaaaaa.aaa") || !strings.Contains(text, "(masked)") {
		d.t.Errorf("report: %s", text)
	}
	if text, err := os.ReadFile(html); err != nil || !strings.Contains(string(text), "NO-GO") {
		d.t.Errorf("page: %v", err)
	}
}

// reportAddress is where an instance of the comparison answers.
func (in *instance) reportAddress() string {
	in.t.Helper()
	found := regexp.MustCompile(`"msg":"metrics, health and report","address":"([^"]+)"`).FindStringSubmatch(in.log.String())
	if found == nil {
		in.t.Fatalf("the log has no address: %s", &in.log)
	}
	return found[1]
}

// reportUntil asks an instance for its report until it will do.
func (d *deployment) reportUntil(in *instance, what string, will func(*compare.Report) bool) (r *compare.Report) {
	d.t.Helper()
	in.says("metrics, health and report", 1)
	kafkatest.Eventually(d.t, what, func() bool {
		in.alive()
		code, body := get(d.t, "http://"+in.reportAddress()+"/report")
		r = &compare.Report{}
		return code == 200 && json.Unmarshal([]byte(body), r) == nil && will(r)
	})
	return r
}

// lastOf is the last record of a topic.
func lastOf(t *testing.T, brokers []string, topic string) *kafkatest.Record {
	t.Helper()
	all := kafkatest.ReadAll(t, brokers, topic)
	last := all[0]
	byKey := map[string]*kafkatest.Record{}
	for _, r := range all {
		byKey[string(r.Key)] = r
		if string(r.Key) >= string(last.Key) {
			last = r
		}
	}
	return byKey[string(last.Key)]
}

// slim writes a slim record as the deployment would, but for bridge-source.
func (d *deployment) slim(topic, key, value string) {
	d.t.Helper()
	cfg := d.load()
	r := &kafkatest.Record{Key: []byte(key), Value: []byte(value)}
	for _, h := range slim.Headers(cfg.Rules.Encoding, cfg.ApplicationID, "") {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	kafkatest.Produce(d.t, d.target.Brokers, topic, r)
}

// awaitLines waits until a page has all of these texts.
func awaitLines(t *testing.T, url string, texts ...string) {
	t.Helper()
	missing := func() (text, page string) {
		_, page = get(t, url)
		for _, text := range texts {
			if !strings.Contains(page, text) {
				return text, page
			}
		}
		return "", page
	}
	text, page := missing()
	for deadline := time.Now().Add(30 * time.Second); text != "" && time.Now().Before(deadline); text, page = missing() {
		time.Sleep(50 * time.Millisecond)
	}
	if text != "" {
		t.Errorf("no %s in %s: %s", text, url, page)
	}
}
