package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// TestMigration follows the page from the first line to the last, on real Kafka, beside
// a consumer that imports what it is told to.
func TestMigration(t *testing.T) {
	text, err := os.ReadFile(migrationPage)
	if err != nil {
		t.Fatal(err)
	}
	page, err := parsePage(string(text))
	if err != nil {
		t.Fatalf("%s: %v", migrationPage, err)
	}
	m := &migration{t: t, background: map[string]*instance{}}
	steps := m.steps()
	if found := drift(page, steps); found != "" {
		t.Fatalf("%s and this test differ:\n%s", migrationPage, found)
	}
	if testing.Short() {
		t.Skip("takes a minute or two: runs without -short")
	}
	t.Parallel()
	m.prepare(kafkatest.Kafka(t))
	for i, step := range steps {
		began := time.Now()
		if page[i].command() {
			m.last = m.line(strings.TrimPrefix(step.text, "$ "))
		}
		if step.do != nil {
			step.do()
		}
		if t.Failed() {
			t.Fatalf("at %s: %s", step.section, step.text)
		}
		t.Logf("%6.1f s  %s: %.90s", time.Since(began).Seconds(), step.section, page[i].text)
	}
	m.end()
}

// migration is a deployment on its way, and the consumer.
type migration struct {
	t      *testing.T
	target kafkatest.Target
	folder string
	cfg    processors.Config
	admin  *kadm.Client

	legacy, slim *imports

	background map[string]*instance // by their lines
	last       result               // of the last command
	created    []string             // topics, by the page's command
	report     *compare.Report      // the last one
	order      string               // one that is sent again
	seed       int                  // of the last season that was written
}

const (
	mainSeason = 2000 // orders
	moreOrders = 200  // while something else happens
)

// steps are those of the page, with what the test does and looks at.
func (m *migration) steps() []rehearsed {
	section := ""
	in := func(name string) { section = name }
	var all []rehearsed
	step := func(text string, do func()) { all = append(all, rehearsed{section, text, do}) }

	in("1. Try the mapping, with no broker")
	step("$ vibe-bridge capture --config bridge.yaml --until-end --out legacy.ndjson.gz", nil)
	step("$ vibe-bridge dry-run --in legacy.ndjson.gz --directory directory.json --expire-holds --out slim.ndjson.gz --summary summary.json", nil)
	step("**Look at** `summary.json`", m.lookAtSummary)

	in("2. Create the topics")
	step("$ vibe-bridge topics plan --config bridge.yaml", m.keepPlan)
	step("$ vibe-bridge topics create --config bridge.yaml", m.keepCreated)
	step("**Look at** the plan: no line may say `mismatch`", nil) // keepPlan has
	step("**Back:** delete the topics that `topics create` named", m.deleteTopicsAndCreateThem)

	in("3. Start in shadow")
	step("$ "+runLine, nil)
	step("**Look at** `/readyz` until it says `\"ready\":true`", m.awaitReady)
	step("$ vibe-bridge parked --config bridge.yaml", m.lookAtParked)
	step("$ vibe-bridge quarantine list --config bridge.yaml", m.lookAtQuarantine)
	step("$ vibe-bridge verify --config bridge.yaml", nil) // clean is exit code 0
	step("**Back:** stop the instances (SIGTERM)", m.stopAndStartAgain)

	in("4. Compare once")
	step("$ vibe-bridge compare once --config bridge.yaml --html report.html --out report.json", m.keepReport)
	step("**Look at** the report", m.lookAtReport)
	step("$ vibe-bridge compare once --config bridge.yaml --marks report.json --out again.json", m.sameDigest)

	in("5. Compare for days")
	step("$ "+compareLine, nil)
	step("**Look at** `vibe_bridge_compare_unexplained_entities` and `vibe_bridge_compare_coverage_ratio`", m.awaitComparison)
	step("$ vibe-bridge compare report --config bridge.yaml --html report.html", m.lookAtLiveReport)
	step("$ vibe-bridge compare differences --config bridge.yaml", m.lookAtDifferences)
	step("$ "+cutoverLine, m.cutoverSaysGo)
	step("$ vibe-bridge compare once --config bridge.yaml --history results.ndjson --html report.html --out report.json", func() { m.keepReport(); m.lookAtTrend() })
	step("$ "+cutoverLine+" --report report.json", m.cutoverSaysGo)
	step("**Back:** stop it (SIGTERM)", m.stopComparisonAndStartAgain)

	in("6. Switch the consumer")
	step("1. Stop the consumer's import of the legacy streams", m.stopLegacy)
	step("2. Start its import of the slim topics, from their beginning", m.startSlim)
	step("3. Wait until it has no lag", m.awaitSlimImport)
	step("**Look at** the consumer", m.lookAtConsumer)
	step("**Back:** stop the import of the slim topics", m.goBack)
	step("**Forth again:** as above", m.goForth)

	in("7. Watch")
	step("$ "+cutoverLine, m.cutoverSaysGo)
	step("**Look at** the same as in step 5", func() { m.awaitComparison(); m.chooseOrder() })
	step(`$ vibe-bridge compare show --config bridge.yaml --order "$ORDER"`, m.lookAtShown)
	step(`$ vibe-bridge resync --config bridge.yaml --order "$ORDER"`, m.lookAtResent)
	step("**Back:** as in step 6", nil) // has been done there

	in("8. Turn the legacy reading off")
	step("1. Delete the consumer's groups on the legacy topics", m.deleteLegacyGroup)
	step("2. Stop `compare run`. Delete its groups and topics", m.deleteComparison)
	return all
}

// Lines of the page that occur, or are meant, more than once.
const (
	createLine  = "vibe-bridge topics create --config bridge.yaml"
	runLine     = "vibe-bridge run --config bridge.yaml"
	compareLine = `vibe-bridge compare run --config bridge.yaml --create-topics --listen "$LISTEN"`
	cutoverLine = "vibe-bridge cutover-check --config bridge.yaml"
)

// runsOn tells the commands that do not end by themselves.
var runsOn = regexp.MustCompile(`^vibe-bridge (compare )?run `)

// prepare is the world before the first step: legacy topics with a season in them and two
// bad records, a configuration, and the consumer, which imports the legacy streams.
func (m *migration) prepare(target kafkatest.Target) {
	m.t.Helper()
	m.target, m.folder = target, m.t.TempDir()
	client, err := kgo.NewClient(kgo.SeedBrokers(target.Addrs...))
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(client.Close)
	m.admin = kadm.NewClient(client)
	text := fmt.Sprintf(`name: %[1]sbridge
source: {brokers: [%[2]s]}
target: {brokers: [%[2]s]}
topics: {partners: %[1]spartners, events: %[1]sevents, orders: %[1]sorders, refunds: %[1]srefunds}
slim: {prefix: %[1]sslim-, partitions: 2}
partitions: 3
replication: 1
min_insync: 1
state_dir: %[3]q
directory_file: %[4]q
holds: {organizer: 2s, set: 2s}
sweep_interval: 200ms
takeover_repeat: 5s
session_timeout: 10s
compare: {grace: 3s, audit_interval: 1s}
http: {listen: "127.0.0.1:0"}
`, target.Prefix, strings.Join(target.Addrs, ", "), m.path("state"), m.path("directory.json"))
	if err := os.WriteFile(m.path("bridge.yaml"), []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	m.sell(mainSeason)
	c, err := config.Load(m.path("bridge.yaml"), nil, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	if m.cfg, err = bridgeConfig(c); err != nil {
		m.t.Fatal(err)
	}
	orphan, err := proto.Marshal(legacyOrder(orphanOrder, "never-published"))
	if err != nil {
		m.t.Fatal(err)
	}
	kafkatest.Produce(m.t, target.Addrs, m.cfg.Topics.Legacy[mapping.Orders],
		&kafkatest.Record{Key: []byte(orphanOrder), Value: orphan}, &kafkatest.Record{Key: []byte("bad"), Value: []byte{0xff}})
	m.legacy = newImports(m.t, target, "shop-legacy", m.cfg.Topics.Legacy[mapping.Events:], readLegacy)
	m.slim = newImports(m.t, target, "shop-slim", m.slimTopics(), readSlim(m.cfg.Rules.Encoding))
	m.legacy.start()
}

const orphanOrder = "order-without-event"

func (m *migration) path(name string) string { return filepath.Join(m.folder, name) }

// sell has more legacy records written.
func (m *migration) sell(orders int) {
	m.t.Helper()
	m.seed++
	line := fmt.Sprintf("vibe-bridge generate --config bridge.yaml --add --partitions 3 --orders %d --seed %d", orders, m.seed)
	if m.seed == 1 {
		line += " --directory-out directory.json"
	}
	m.line(line)
}

// slimTopics are events, orders and refunds.
func (m *migration) slimTopics() []string {
	slim := m.cfg.Topics.Slim
	return []string{slim[mapping.Events], slim[mapping.Orders], slim[mapping.Refunds]}
}

const lineDeadline = 5 * time.Minute

// line runs one as a shell would, in the folder of the configuration.
func (m *migration) line(line string) result {
	m.t.Helper()
	if runsOn.MatchString(line) {
		m.startLine(line)
		return result{}
	}
	ctx, cancel := context.WithTimeout(m.t.Context(), lineDeadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", "exec "+line)
	cmd.Dir, cmd.Env = m.folder, m.environment()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	r := result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	if err != nil {
		m.t.Fatalf("%s: %v\n%s%s", line, err, r.stdout, r.stderr)
	}
	if found := regexp.MustCompile(`\+7\d{10}|@example\.com`).FindString(r.stdout + r.stderr); found != "" {
		m.t.Errorf("%s shows %s", line, found)
	}
	return r
}

// environment has no variable of the program, and those that the page uses.
func (m *migration) environment() []string {
	return append(program(m.t.Context(), nil).Env, "ORDER="+m.order, "LISTEN=127.0.0.1:0")
}

func (m *migration) startLine(line string) {
	m.t.Helper()
	cmd := exec.Command("sh", "-c", "exec "+line) // the shell becomes the program, and gets its signals
	cmd.Dir, cmd.Env = m.folder, m.environment()
	in := &instance{t: m.t, cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &in.stdout, &in.log
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // the exit code says it
		close(in.ended)
	}()
	m.t.Cleanup(func() {
		_ = cmd.Process.Kill() // has ended, unless the test failed
		<-in.ended
	})
	m.background[line] = in
}

// stopLine ends one, which has to end well.
func (m *migration) stopLine(line string) {
	m.t.Helper()
	in := m.background[line]
	if code := in.stop(syscall.SIGTERM); code != codeOK {
		m.t.Errorf("%s ended with exit code %d: %s", line, code, &in.log)
	}
	delete(m.background, line)
}

// end stops what still runs.
func (m *migration) end() {
	m.t.Helper()
	m.slim.stop()
	for line := range m.background {
		m.stopLine(line)
	}
	m.t.Logf("imported from the legacy streams: %s; from the slim ones: %s", m.legacy, m.slim)
}

func (m *migration) eventually(what string, condition func() bool) {
	m.t.Helper()
	limit := time.NewTimer(lineDeadline)
	defer limit.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-limit.C:
			m.t.Fatalf("waited %s for: %s", lineDeadline, what)
		case <-tick.C:
		}
	}
}

// says wants texts in what the last command has printed.
func (m *migration) says(texts ...string) {
	m.t.Helper()
	for _, text := range texts {
		if !strings.Contains(m.last.stdout, text) {
			m.t.Errorf("there is no %q in\n%s", text, m.last.stdout)
		}
	}
}

func (m *migration) lookAtSummary() {
	m.t.Helper()
	text, err := os.ReadFile(m.path("summary.json"))
	if err != nil {
		m.t.Fatal(err)
	}
	var summary map[string]json.RawMessage
	if err := json.Unmarshal(text, &summary); err != nil {
		m.t.Fatal(err)
	}
	var orders struct {
		Consumed, Emitted, Parked int
		Quarantined               map[string]int
	}
	if err := json.Unmarshal(summary["orders_done"], &orders); err != nil {
		m.t.Fatal(err)
	}
	if orders.Emitted < mainSeason/2 || orders.Parked != 1 || len(orders.Quarantined) != 1 || orders.Quarantined["undecodable"] != 1 {
		m.t.Errorf("orders %+v", orders)
	}
}

func (m *migration) keepPlan() {
	m.t.Helper()
	m.says("\ncreate ", m.cfg.Topics.Slim[mapping.Orders])
	if strings.Contains(m.last.stdout, "mismatch") {
		m.t.Errorf("the plan:\n%s", m.last.stdout)
	}
}

func (m *migration) keepCreated() {
	m.t.Helper()
	for line := range strings.Lines(m.last.stdout) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "created "); ok {
			m.created = append(m.created, name)
		}
	}
	if !slices.Contains(m.created, m.cfg.Topics.Slim[mapping.Events]) || slices.ContainsFunc(m.cfg.Topics.Legacy[:], func(s string) bool { return slices.Contains(m.created, s) }) {
		m.t.Errorf("created %q", m.created)
	}
}

// untouched runs what must not change the legacy topics.
func (m *migration) untouched(act func()) {
	m.t.Helper()
	ends := func() string {
		var all []map[int32]int64
		for _, topic := range m.cfg.Topics.Legacy {
			all = append(all, kafkatest.EndOffsets(m.t, m.target.Addrs, topic))
		}
		return fmt.Sprint(all)
	}
	before := ends()
	act()
	if after := ends(); after != before {
		m.t.Errorf("the legacy topics ended at %s, and now at %s", before, after)
	}
}

func (m *migration) deleteTopicsAndCreateThem() {
	m.t.Helper()
	m.untouched(func() {
		deleted, err := m.admin.DeleteTopics(m.t.Context(), m.created...)
		if err == nil {
			err = deleted.Error()
		}
		if err != nil {
			m.t.Fatal(err)
		}
		m.eventually("the topics to be gone", func() bool {
			left, err := m.admin.ListTopics(m.t.Context())
			return err == nil && !slices.ContainsFunc(m.created, left.Has)
		})
		m.last = m.line(createLine)
		m.says(fmt.Sprintf("%d topics created, 4 were there", len(m.created)))
	})
}

// awaitReady looks at /readyz of the instance, and waits until nothing is on its way.
func (m *migration) awaitReady() {
	m.t.Helper()
	in := m.background[runLine]
	m.eventually("/readyz to say ready", func() bool { in.alive(); return len(in.readyz()) == 0 })
	m.drained()
}

// drained waits until nothing is on its way in the bridge, whose accounts have to balance.
func (m *migration) drained() {
	m.t.Helper()
	admins, closeAdmins, err := processors.OpenAdmins(m.cfg.Source, m.cfg.State, m.cfg.Target)
	if err != nil {
		m.t.Fatal(err)
	}
	defer closeAdmins()
	ctx, cancel := context.WithTimeout(m.t.Context(), lineDeadline)
	defer cancel()
	r, err := processors.WaitDrained(ctx, admins, m.cfg, func(processors.Lag) error { m.background[runLine].alive(); return nil })
	if err != nil {
		m.t.Fatalf("wait until nothing is on its way: %v: %s", err, &m.background[runLine].log)
	}
	if !r.Accounts.Balanced() {
		m.t.Errorf("accounts %+v", r.Accounts)
	}
}

func (m *migration) lookAtParked() {
	m.t.Helper()
	m.says(orphanOrder, "event never-published is not published")
	if !regexp.MustCompile(`(?m)^event +1 `).MatchString(m.last.stdout) || strings.Contains(m.last.stdout, "\norganizer ") {
		m.t.Errorf("parked:\n%s", m.last.stdout)
	}
}

func (m *migration) lookAtQuarantine() {
	m.t.Helper()
	if !regexp.MustCompile(`(?m)^\S*orders +undecodable +1 +0 `).MatchString(m.last.stdout) {
		m.t.Errorf("in quarantine:\n%s", m.last.stdout)
	}
}

func (m *migration) stopAndStartAgain() {
	m.t.Helper()
	m.untouched(func() {
		m.stopLine(runLine)
		m.legacy.await(m.eventually)
	})
	m.sell(moreOrders)
	m.legacy.await(m.eventually) // all that is sold meanwhile comes, too
	m.line(runLine)
	m.awaitReady()
}

func (m *migration) keepReport() {
	m.t.Helper()
	if !strings.HasPrefix(m.last.stdout, "GO  ") {
		m.t.Errorf("says\n%s", m.last.stdout)
	}
	m.report = m.readReport("report.json")
}

func (m *migration) readReport(name string) *compare.Report {
	m.t.Helper()
	text, err := os.ReadFile(m.path(name))
	if err != nil {
		m.t.Fatal(err)
	}
	r, err := compare.ReadReport(text)
	if err != nil {
		m.t.Fatal(err)
	}
	return r
}

func (m *migration) lookAtReport() {
	m.t.Helper()
	page, err := os.ReadFile(m.path("report.html"))
	if err != nil {
		m.t.Fatal(err)
	}
	if !bytes.Contains(page, []byte(m.report.Deployment)) || !bytes.HasPrefix(bytes.ToLower(page), []byte("<!doctype html>")) {
		m.t.Errorf("%d bytes that are no page of %s", len(page), m.report.Deployment)
	}
	if !m.report.Verdict.Go || m.report.Deployment != m.cfg.Topics.Name {
		m.t.Errorf("verdict %+v of %s", m.report.Verdict, m.report.Deployment)
	}
	for _, s := range m.report.Streams {
		if s.Equal == 0 || s.Different != 0 || s.Coverage < 0.999 {
			m.t.Errorf("%+v", s)
		}
		if s.Stream == "orders" && (s.Equal < mainSeason/2 || s.Pending["event"] != 1) {
			m.t.Errorf("%+v", s)
		}
	}
}

func (m *migration) sameDigest() {
	m.t.Helper()
	if again := m.readReport("again.json"); again.Digest != m.report.Digest || again.Digest == "" {
		m.t.Errorf("digest %q, and again %q", m.report.Digest, again.Digest)
	}
}

// lookAtTrend wants the result in the file, and in the report.
func (m *migration) lookAtTrend() {
	m.t.Helper()
	text, err := os.ReadFile(m.path("results.ndjson"))
	if err != nil || bytes.Count(text, []byte("\n")) != 1 || len(m.report.Trend) != 1 {
		m.t.Fatalf("%d results in the report, want 1; %v: %s", len(m.report.Trend), err, text)
	}
	if p := m.report.Trend[0]; !p.Go || p.Violations != 0 || p.Unexplained != 0 {
		m.t.Errorf("%+v", p)
	}
}

// awaitComparison waits until compare run has compared all that is in the slim topics, and looks at its metrics.
func (m *migration) awaitComparison() {
	m.t.Helper()
	in := m.background[compareLine]
	in.says("metrics, health and report", 1)
	keys := map[string]bool{}
	for _, r := range kafkatest.ReadAll(m.t, m.target.Addrs, m.cfg.Topics.Slim[mapping.Orders]) {
		keys[string(r.Key)] = true
	}
	var r compare.Report
	m.eventually(fmt.Sprint("GO, and ", len(keys), " orders compared"), func() bool {
		in.alive()
		code, body := get(m.t, "http://"+in.reportAddress()+"/report")
		r = compare.Report{}
		if code != http.StatusOK {
			return false
		}
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			m.t.Fatal(err)
		}
		return r.Verdict.Go && slices.ContainsFunc(r.Streams, func(s compare.StreamCount) bool { return s.Stream == "orders" && s.Equal == int64(len(keys)) })
	})
	_, metrics := get(m.t, "http://"+in.reportAddress()+"/metrics")
	for _, want := range []string{`vibe_bridge_compare_unexplained_entities{stream="orders"} 0` + "\n", `vibe_bridge_compare_coverage_ratio{stream="orders"} 0.999`, "vibe_bridge_compare_verdict 1\n"} {
		if !strings.Contains(metrics, want) {
			m.t.Errorf("no %q in the metrics:\n%s", want, metrics)
		}
	}
}

func (m *migration) lookAtLiveReport() {
	m.t.Helper()
	m.says("GO  "+m.cfg.Topics.Name, "Compared continuously")
	if page, err := os.ReadFile(m.path("report.html")); err != nil || !bytes.Contains(page, []byte(m.cfg.Topics.Name)) {
		m.t.Errorf("%d bytes that are no page of it, %v", len(page), err)
	}
}

func (m *migration) lookAtDifferences() {
	m.t.Helper()
	if m.last.stdout != "no differences in "+m.cfg.Topics.Name+"-differences\n" {
		m.t.Errorf("differences:\n%s", m.last.stdout)
	}
}

func (m *migration) stopComparisonAndStartAgain() {
	m.t.Helper()
	m.stopLine(compareLine)
	m.line(compareLine)
	m.awaitComparison()
}

func (m *migration) lookAtShown() {
	m.t.Helper()
	m.says(m.order)
	if !regexp.MustCompile(`(?m)^STATE +equal\b`).MatchString(m.last.stdout) {
		m.t.Errorf("shows\n%s", m.last.stdout)
	}
}

func (m *migration) cutoverSaysGo() {
	m.t.Helper()
	if !strings.HasPrefix(m.last.stdout, "GO  "+m.cfg.Topics.Name) || strings.Contains(m.last.stdout, "FAILED") {
		m.t.Errorf("says\n%s", m.last.stdout)
	}
}

func (m *migration) stopLegacy() {
	m.t.Helper()
	m.legacy.stop()
	// An import that cannot fail would show nothing.
	if !slices.ContainsFunc(m.legacy.failures(), func(s string) bool { return strings.HasSuffix(s, "no ticket found: event never-published") }) {
		m.t.Errorf("the import of the legacy streams did not find that an order has no event: %q", m.legacy.failures())
	}
}

// startSlim starts the import while more is sold.
func (m *migration) startSlim() {
	m.t.Helper()
	m.slim.start()
	m.sell(moreOrders)
}

func (m *migration) awaitSlimImport() {
	m.t.Helper()
	m.drained()
	m.slim.await(m.eventually)
}

// lookAtConsumer wants all that is in the slim topics imported, and no failure.
func (m *migration) lookAtConsumer() {
	m.t.Helper()
	if failures := m.slim.failures(); len(failures) > 0 {
		m.t.Errorf("%d imports failed: %q", len(failures), failures[:min(len(failures), 5)])
	}
	for s, topic := range m.slimTopics() {
		keys := map[string]bool{}
		for _, r := range kafkatest.ReadAll(m.t, m.target.Addrs, topic) {
			keys[string(r.Key)] = true
		}
		if got := m.slim.entities(s); got != len(keys) || got == 0 {
			m.t.Errorf("%d were imported of %s, which has %d", got, topic, len(keys))
		}
	}
}

func (m *migration) goBack() {
	m.t.Helper()
	m.slim.stop()
	m.legacy.start()
	m.sell(moreOrders)
	m.legacy.await(m.eventually)
	m.legacy.wentOn()
}

func (m *migration) goForth() {
	m.t.Helper()
	m.legacy.stop()
	m.slim.start()
	m.awaitSlimImport()
	m.slim.wentOn()
	m.lookAtConsumer()
	m.awaitComparison() // what is new is pending at first
}

// chooseOrder takes the order of the last slim record.
func (m *migration) chooseOrder() {
	m.t.Helper()
	orders := kafkatest.ReadAll(m.t, m.target.Addrs, m.cfg.Topics.Slim[mapping.Orders])
	m.order = string(orders[len(orders)-1].Key)
}

func (m *migration) lookAtResent() {
	m.t.Helper()
	m.eventually("the order to be sent again", func() bool {
		n := 0
		for _, r := range kafkatest.ReadAll(m.t, m.target.Addrs, m.cfg.Topics.Slim[mapping.Orders]) {
			if string(r.Key) == m.order {
				n++
			}
		}
		return n >= 2
	})
	m.awaitSlimImport()
	m.lookAtConsumer()
}

// deleteLegacyGroup leaves the bridge and the import of the slim topics as they are.
func (m *migration) deleteLegacyGroup() {
	m.t.Helper()
	deleted, err := m.admin.DeleteGroups(m.t.Context(), m.legacy.group)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		m.t.Fatal(err)
	}
	if left := kafkatest.CommittedOffsets(m.t, m.target.Addrs, m.legacy.group, m.cfg.Topics.Legacy[mapping.Orders]); len(left) > 0 {
		m.t.Errorf("the group still has offsets: %v", left)
	}
	before := m.slim.entities(1)
	m.sell(moreOrders)
	m.awaitSlimImport()
	m.lookAtConsumer()
	if after := m.slim.entities(1); after <= before {
		m.t.Errorf("%d orders were imported before, and %d now", before, after)
	}
}

// deleteComparison leaves the bridge as it is.
func (m *migration) deleteComparison() {
	m.t.Helper()
	m.stopLine(compareLine)
	name := m.cfg.Topics.Name
	groups, err := m.admin.ListGroups(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	topics, err := m.admin.ListTopics(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	own := func(names []string) []string {
		return slices.DeleteFunc(names, func(s string) bool { return !strings.HasPrefix(s, name+"-compare-") && s != name+"-differences" })
	}
	deletedGroups, err := m.admin.DeleteGroups(m.t.Context(), own(groups.Groups())...)
	if err == nil {
		err = deletedGroups.Error()
	}
	if err != nil || len(deletedGroups) == 0 {
		m.t.Errorf("deleted %d groups: %v", len(deletedGroups), err)
	}
	deletedTopics, err := m.admin.DeleteTopics(m.t.Context(), own(topics.Names())...)
	if err == nil {
		err = deletedTopics.Error()
	}
	if err != nil || len(deletedTopics) == 0 {
		m.t.Errorf("deleted %d topics: %v", len(deletedTopics), err)
	}
	m.sell(moreOrders)
	m.awaitSlimImport()
	m.lookAtConsumer()
}
