package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// instance is a running `vibe-bridge run`, a process of its own.
type instance struct {
	t      *testing.T
	cmd    *exec.Cmd
	log    safeBuffer // standard error
	stdout safeBuffer
	ended  chan struct{}
}

// safeBuffer is written to by one goroutine and read by another.
type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (d *deployment) run(args ...string) *instance {
	d.t.Helper()
	return d.start(append([]string{"run", "--config", d.config}, args...)...)
}

// start runs a command that goes on until it is stopped.
func (d *deployment) start(args ...string) *instance {
	d.t.Helper()
	cmd := program(context.Background(), nil, args...)
	in := &instance{t: d.t, cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &in.stdout, &in.log
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // the exit code says it
		close(in.ended)
	}()
	d.t.Cleanup(func() {
		_ = cmd.Process.Kill() // has ended, unless the test failed
		<-in.ended
	})
	return in
}

// alive fails the test once the instance has ended.
func (in *instance) alive() {
	in.t.Helper()
	select {
	case <-in.ended:
		in.t.Fatalf("the instance ended with exit code %d: %s", in.cmd.ProcessState.ExitCode(), &in.log)
	default:
	}
}

// says waits until the instance has logged the text n times.
func (in *instance) says(text string, n int) {
	in.t.Helper()
	kafkatest.Eventually(in.t, fmt.Sprintf("%q in the log", text), func() bool {
		in.alive()
		return strings.Count(in.log.String(), text) >= n
	})
}

func (in *instance) signal(s os.Signal) {
	in.t.Helper()
	if err := in.cmd.Process.Signal(s); err != nil {
		in.t.Fatal(err)
	}
}

// stop asks the instance to end, and returns its exit code.
func (in *instance) stop(s os.Signal) int {
	in.t.Helper()
	in.signal(s)
	select {
	case <-in.ended:
	case <-time.After(executeDeadline):
		in.t.Fatalf("the instance did not end within %s: %s", executeDeadline, &in.log)
	}
	return in.cmd.ProcessState.ExitCode()
}

// drain waits until nothing is on its way, and returns the accounts.
func (d *deployment) drain(in *instance) *processors.Report {
	d.t.Helper()
	cfg := d.load()
	admins, closeAdmins, err := processors.OpenAdmins(cfg.Source, cfg.State, cfg.Target)
	if err != nil {
		d.t.Fatal(err)
	}
	defer closeAdmins()
	ctx, cancel := context.WithTimeout(d.t.Context(), 3*time.Minute)
	defer cancel()
	report, err := processors.WaitDrained(ctx, admins, cfg, func(processors.Lag) error { in.alive(); return nil })
	if err != nil {
		d.t.Fatalf("wait until the deployment is drained: %v: %s", err, &in.log)
	}
	return report
}

func (d *deployment) must(args ...string) result {
	d.t.Helper()
	r := execute(d.t, nil, args...)
	if r.code != codeOK {
		d.t.Fatalf("%v: exit code %d: %s", args, r.code, r.stderr)
	}
	return r
}

// newest are the newest records of a file by topic and key, with their headers in
// the order of names, but for the trace: offsets are the cluster's own.
func newest(t *testing.T, path string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, r := range readRecords(t, path) {
		if r.Topic == "quarantine" {
			continue
		}
		var headers []recordfile.Header
		for _, h := range r.Headers {
			if h.Key != "bridge-source" {
				headers = append(headers, h)
			}
		}
		slices.SortFunc(headers, func(a, b recordfile.Header) int { return strings.Compare(a.Key, b.Key) })
		found[r.Topic+"/"+string(r.Key)] = fmt.Sprintf("%q %q", headers, r.Value)
	}
	return found
}

// difference shows where two sets of newest records differ; "" when they do not.
func difference(got, want map[string]string) string {
	var b strings.Builder
	n := 0
	note := func(key string) {
		if n++; n <= 3 {
			fmt.Fprintf(&b, "%s:\n got %s\nwant %s\n", key, got[key], want[key])
		}
	}
	for key := range want {
		if got[key] != want[key] {
			note(key)
		}
	}
	for key := range got {
		if want[key] == "" {
			note(key)
		}
	}
	if n > 0 {
		fmt.Fprintf(&b, "%d of %d differ", n, len(want))
	}
	return b.String()
}

// TestEndToEnd does what a newcomer would: topics, a season, an instance, a stop,
// and then compares with dry-run what came out, byte by byte.
func TestEndToEnd(t *testing.T) {
	for _, encoding := range [][2]string{{"1.0", "json"}, {"1.0", "protobuf"}, {"2.0", "json"}} {
		t.Run(strings.Join(encoding[:], " "), func(t *testing.T) {
			t.Parallel()
			endToEnd(t, encoding[0], encoding[1])
		})
	}
}

func endToEnd(t *testing.T, edition, format string) {
	d := &deployment{t: t, source: startCluster(t), target: startCluster(t), folder: t.TempDir()}
	path := func(name string) string { return filepath.Join(d.folder, name) }
	d.configure(fmt.Sprintf("edition: %q\nformat: %s\ndirectory_file: %q\nholds: {organizer: 1s, set: 1s}\nsweep_interval: 200ms\nsession_timeout: 10s\nhttp: {listen: \"127.0.0.1:0\"}\n",
		edition, format, path("directory.json")))
	d.must("generate", "--config", d.config, "--orders", "300", "--seed", "7", "--hostile", "0.1", "--partitions", "3", "--directory-out", path("directory.json"))
	d.must("topics", "create", "--config", d.config)
	d.must("capture", "--config", d.config, "--until-end", "--out", path("legacy.ndjson.gz"))
	slimNow := func() map[string]string {
		d.must("capture", "--config", d.config, "--cluster", "target", "--until-end", "--out", path("slim.ndjson.gz"))
		return newest(t, path("slim.ndjson.gz"))
	}
	reference := func() map[string]string {
		d.must("dry-run", "--in", path("legacy.ndjson.gz"), "--directory", path("directory.json"), "--edition", edition, "--format", format,
			"--expire-holds", "--out", path("reference.ndjson.gz"), "--summary", path("summary.json"))
		return newest(t, path("reference.ndjson.gz"))
	}

	in := d.run()
	report := d.drain(in)
	if !report.Accounts.Balanced() {
		t.Errorf("accounts %+v", report.Accounts)
	}
	want := reference()
	if diff := difference(slimNow(), want); diff != "" || len(want) < 200 {
		t.Fatalf("the slim topics are not what dry-run gives:\n%s", diff)
	}
	checkHTTP(t, in)

	// A directory that cannot be read changes nothing.
	good, err := os.ReadFile(path("directory.json"))
	if err != nil {
		t.Fatal(err)
	}
	d.write("directory.json", `{"venues":`)
	in.says("directory not reloaded, the previous one stays in use", 1)
	// One that can be read, and has other names of venues, does.
	d.write("directory.json", string(renameVenues(t, good)))
	in.says("directory reloaded", 1)
	renamed := reference()
	if difference(renamed, want) == "" {
		t.Fatal("no event has a venue: this shows nothing")
	}
	kafkatest.Eventually(t, "the events with the new names of their venues", func() bool {
		in.alive()
		return difference(slimNow(), renamed) == ""
	})
	// SIGHUP reads it again though it is the same.
	in.signal(syscall.SIGHUP)
	in.says("directory reloaded", 2)
	d.drain(in)
	if diff := difference(slimNow(), renamed); diff != "" {
		t.Errorf("after SIGHUP:\n%s", diff)
	}

	if code := in.stop(syscall.SIGTERM); code != codeOK {
		t.Errorf("exit code %d", code)
	}
	checkLog(t, in)
	if seen := d.source.seen.names(); strings.Join(seen, " ") != "CreateTopics JoinGroup OffsetCommit Produce" { // topics and records by generate
		t.Errorf("the source is to be read only: %v", seen)
	}
}

// renameVenues gives every venue of a directory another name.
func renameVenues(t *testing.T, directory []byte) []byte {
	t.Helper()
	var file map[string]any
	if err := json.Unmarshal(directory, &file); err != nil {
		t.Fatal(err)
	}
	for _, venue := range file["venues"].([]any) {
		fields := venue.(map[string]any)
		fields["name"] = fmt.Sprint("Formerly ", fields["name"])
	}
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// checkHTTP asks the address that the instance has logged.
func checkHTTP(t *testing.T, in *instance) {
	t.Helper()
	m := regexp.MustCompile(`"address":"(127\.0\.0\.1:\d+)"`).FindStringSubmatch(in.log.String())
	if m == nil {
		t.Fatalf("no address in the log: %s", &in.log)
	}
	for path, want := range map[string]string{"/healthz": "ok\n", "/metrics": `vibe_bridge_consumed_records_total{topic="orders_done"} `} {
		response, err := http.Get("http://" + m[1] + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s, %v: %s", path, response.Status, err, body)
		}
	}
}

// checkLog wants lines of JSON, the beginning and the end, and nothing personal.
func checkLog(t *testing.T, in *instance) {
	t.Helper()
	log := in.log.String()
	for line := range strings.Lines(log) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
	for _, want := range []string{`"msg":"bridge starts"`, `"msg":"bridge stopped"`} {
		if strings.Count(log, want) != 1 {
			t.Errorf("there is not one %s in the log", want)
		}
	}
	if personal := regexp.MustCompile(`\+7\d{10}|@example\.com`).FindString(log); personal != "" {
		t.Errorf("the log shows %s", personal)
	}
	if out := in.stdout.String(); out != "" {
		t.Errorf("standard output has %q", out)
	}
}

// Without a directory file there is nothing to read again; that is no reason to
// end, as SIGHUP would otherwise be.
func TestRunSurvivesHangup(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	mustCreate(d)
	must(t, os.Mkdir(d.stateDir(), 0o755))
	in := d.run()
	in.says("bridge starts", 1)
	if n := strings.Count(in.log.String(), "has mode 0755: its tables have personal data"); n != 1 {
		t.Errorf("said %d times that others may read the state: %s", n, &in.log)
	}
	in.signal(syscall.SIGHUP)
	in.says("SIGHUP: there is no directory_file to read again", 1)
	if code := in.stop(os.Interrupt); code != codeOK {
		t.Errorf("exit code %d: %s", code, &in.log)
	}
}

// The example is a configuration that works as it stands: it gets as far as the
// brokers, which are not there.
func TestExampleConfiguration(t *testing.T) {
	t.Parallel()
	example := filepath.Join("..", "..", "deploy", "bridge.example.yaml")
	nobody := []string{"--source-brokers", "127.0.0.1:1", "--target-brokers", "127.0.0.1:2"}
	for _, command := range []string{"topics plan", "topics create"} {
		args := append(strings.Fields(command), "--config", example)
		r := execute(t, nil, append(args, nobody...)...)
		if r.code != codeRefused || !strings.HasPrefix(r.stderr, "vibe-bridge: source cluster: connect to Kafka: broker 127.0.0.1:1: connection refused: ") {
			t.Errorf("%s: exit code %d: %s", command, r.code, r.stderr)
		}
	}
	d := newDeployment(t)
	run := *d
	run.config = example
	in := run.run(append(nobody, "--state-dir", t.TempDir(), "--http-listen", "")...)
	in.says("instance cannot start yet, and tries again", 1)
	in.says("broker 127.0.0.1:1: connection refused: check that the broker runs", 1)
	if code := in.stop(syscall.SIGTERM); code != codeFailed || !strings.HasPrefix(lastLine(in.log.String()), "vibe-bridge: told to stop before the brokers could be reached: ") {
		t.Errorf("run: exit code %d: %s", code, &in.log)
	}
	r := execute(t, nil, "topics", "create", "--config", example, "--replication", "1", "--min-insync", "1",
		"--source-brokers", d.source.Brokers[0], "--target-brokers", d.target.Brokers[0])
	if r.code != codeOK || !strings.HasSuffix(r.stdout, "16 topics created, 4 were there\n") {
		t.Errorf("topics create: exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	d.target.Cluster = kafka.Cluster{Brokers: d.target.Brokers}.WithDefaults()
	if n := d.target.topics(t)["vibe-bridge-gate-table"]; n != 12 {
		t.Errorf("the gate's table has %d partitions", n)
	}
}

// An instance whose target is away ends within stop_timeout, says so with exit
// code 1, and a new one goes on where it had to leave off.
func TestStopWithoutTheTarget(t *testing.T) {
	t.Parallel()
	d, outage := newFragileDeployment(t, "stop_timeout: 2s\n")
	in := d.run()
	d.drain(in)
	outage.Silence()
	d.must("generate", "--config", d.config, "--add", "--orders", "100", "--seed", "8")
	began := time.Now()
	if code := in.stop(syscall.SIGTERM); code != codeFailed {
		t.Errorf("exit code %d, want %d", code, codeFailed)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
	last := lastLine(in.log.String())
	for _, part := range []string{"vibe-bridge: the instance ended before everything was acknowledged", "stop_timeout (2s)", "nothing is lost"} {
		if !strings.Contains(last, part) {
			t.Errorf("the last line does not say %q: %s", part, last)
		}
	}
	outage.End()
	in = d.run()
	if report := d.drain(in); !report.Accounts.Balanced() {
		t.Errorf("accounts %+v", report.Accounts)
	}
	if code := in.stop(syscall.SIGTERM); code != codeOK {
		t.Errorf("exit code %d: %s", code, &in.log)
	}
}

// An instance that is started while its brokers are away waits for them, and says so where whoever is on call
// looks: in the log and at /readyz. What is wrong with the topics is found when they answer.
func TestRunWaitsForItsBrokers(t *testing.T) {
	t.Parallel()
	for _, away := range []struct {
		name  string
		begin func(*kafkatest.Outage)
		says  string
	}{
		{"closed", (*kafkatest.Outage).Close, "it is starting or ending, or a proxy answers for brokers that are away"},
		{"silent", (*kafkatest.Outage).Silence, "no answer within 1s"},
	} {
		t.Run(away.name, func(t *testing.T) {
			t.Parallel()
			d, outage := newFragileDeployment(t, "http: {listen: \"127.0.0.1:0\"}\n")
			away.begin(outage)
			in := d.run("--target-connect-timeout", "1s")
			in.says("instance cannot start yet, and tries again", 1)
			in.says(away.says, 1)
			in.says("metrics and health", 1)
			kafkatest.Eventually(t, "/readyz to say why", func() bool {
				in.alive()
				code, body := get(t, "http://"+in.address()+"/readyz")
				return code == http.StatusServiceUnavailable && strings.Contains(body, away.says)
			})
			outage.End()
			if report := d.drain(in); !report.Accounts.Balanced() {
				t.Errorf("accounts %+v", report.Accounts)
			}
			kafkatest.Eventually(t, "the instance to be ready", func() bool {
				code, _ := get(t, "http://"+in.address()+"/readyz")
				return code == http.StatusOK
			})
			if code := in.stop(syscall.SIGTERM); code != codeOK {
				t.Errorf("exit code %d: %s", code, &in.log)
			}
		})
	}
}

// Told to stop while it looks at its clusters for the first time, it has failed at nothing, and says so.
func TestRunThatIsStoppedWhileItStarts(t *testing.T) {
	t.Parallel()
	d, outage := newFragileDeployment(t, "")
	before := outage.Connections()
	outage.Silence()
	in := d.run("--target-connect-timeout", "1m", "--source-connect-timeout", "1m")
	kafkatest.Eventually(t, "the first connection", func() bool { in.alive(); return outage.Connections() > before })
	if code := in.stop(syscall.SIGTERM); code != codeFailed {
		t.Errorf("exit code %d: %s", code, &in.log)
	}
	if text := in.log.String(); !strings.Contains(text, "told to stop while it was starting") {
		t.Errorf("it says: %s", text)
	}
}

// It waits for nothing else: what it finds once the brokers answer ends it, as at any start.
func TestRunThatHasWaitedIsRefused(t *testing.T) {
	t.Parallel()
	d, outage := newFragileDeployment(t, "")
	outage.Close()
	in := d.run("--partitions", "5")
	in.says("instance cannot start yet, and tries again", 1)
	outage.End()
	select {
	case <-in.ended:
	case <-time.After(executeDeadline):
		t.Fatalf("the instance did not end within %s: %s", executeDeadline, &in.log)
	}
	if code := in.cmd.ProcessState.ExitCode(); code != codeRefused || !strings.Contains(lastLine(in.log.String()), "partitions, want 5") {
		t.Errorf("exit code %d: %s", code, &in.log)
	}
}

// address is where the instance answers HTTP.
func (in *instance) address() string {
	in.t.Helper()
	found := regexp.MustCompile(`"msg":"metrics and health","address":"([^"]+)"`).FindStringSubmatch(in.log.String())
	if found == nil {
		in.t.Fatalf("the log has no address: %s", &in.log)
	}
	return found[1]
}

func get(t *testing.T, url string) (code int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// Who says it twice does not want to wait.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	for _, second := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		t.Run(second.String(), func(t *testing.T) {
			t.Parallel()
			d, outage := newFragileDeployment(t, "stop_timeout: 10m\n")
			in := d.run()
			d.drain(in)
			outage.Silence()
			in.signal(syscall.SIGTERM)
			in.says(`"msg":"instance ends"`, 1)
			kafkatest.Eventually(t, "the instance to end, as this signal is no longer the first one once more", func() bool {
				_ = in.cmd.Process.Signal(second) // it may have ended
				select {
				case <-in.ended:
					return true
				default:
					return false
				}
			})
			if code := in.cmd.ProcessState.ExitCode(); code != codeFailed {
				t.Errorf("exit code %d, want %d", code, codeFailed)
			}
			want := "vibe-bridge: told twice to stop: ended at once, with what was on its way left as it is"
			if last := lastLine(in.log.String()); last != want {
				t.Errorf("the last line is %q, want %q", last, want)
			}
		})
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// newFragileDeployment has a target that can be made unreachable.
func newFragileDeployment(t *testing.T, more string) (*deployment, *kafkatest.Outage) {
	t.Helper()
	outage := &kafkatest.Outage{}
	d := &deployment{t: t, source: startCluster(t), target: startCluster(t, outage.Option()), folder: t.TempDir()}
	d.configure(more + "session_timeout: 10s\nsweep_interval: 200ms\nholds: {organizer: 1s, set: 1s}\n")
	d.must("generate", "--config", d.config, "--orders", "100", "--seed", "7", "--partitions", "3")
	mustCreate(d)
	return d, outage
}

// A second instance with the folder of one that runs is refused, before it joins anything; it may start when that one has ended.
func TestRunWithAFolderInUse(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	mustCreate(d)
	in := d.run()
	in.says("bridge starts", 1)
	if strings.Contains(in.log.String(), "other users of this machine") {
		t.Errorf("of a folder of its own making: %s", &in.log)
	}
	r := execute(t, nil, "run", "--config", d.config)
	if r.code != codeRefused || !strings.HasPrefix(lastLine(r.stderr), "vibe-bridge: state_dir: state directory is locked: "+filepath.Join(d.stateDir(), "trial")+" is in use by another process") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	if code := in.stop(os.Interrupt); code != codeOK {
		t.Errorf("exit code %d: %s", code, &in.log)
	}
	again := d.run()
	again.says("bridge starts", 1)
	if code := again.stop(os.Interrupt); code != codeOK {
		t.Errorf("exit code %d: %s", code, &again.log)
	}
}
