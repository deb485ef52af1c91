package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/schemacheck"
	"github.com/ticketscloud/vibe-bridge/slim"
)

const (
	readerProgram = "../../docs/examples/slim_consumer.py"
	readerPython  = "../../build/python/bin/python"
	// envRequireReaders, set to 1, makes a test fail where it would be skipped for want of Python packages.
	envRequireReaders = "VIBE_BRIDGE_REQUIRE_READERS"
)

// TestForeignReader has the consumer of docs/examples, which is made of aiokafka, read what a bridge writes meanwhile. It
// insists on the order of events, orders and refunds itself.
func TestForeignReader(t *testing.T) {
	requirePython(t)
	v := newVerified(t, kafkatest.Kafka(t), "1.0", "json")
	r := &foreignReader{t: t, v: v, env: []string{"SLIM_PASSWORD=none"}, security: []string{"--security-protocol", "PLAINTEXT"}}
	r.run("none", 2, `\Athere is no topic `+regexp.QuoteMeta(v.Prefix+"none")+`, or who does not log in may not see it$`, "--topics", strings.Join([]string{v.slimTopic("events"), v.slimTopic("orders"), v.Prefix + "none"}, ","))
	live := r.start("first", "--show")
	v.bridgeSeason()
	want := v.slimRecords()
	got := live.await(len(want))
	if code := live.stop(); code != 0 {
		t.Fatalf("the reader ended with exit code %d: %s", code, &live.stderr)
	}
	t.Logf("%s", bytes.TrimSpace(live.stderr.Bytes()))
	if !maps.Equal(got, want) {
		t.Errorf("the reader has seen %d records, the topics hold %d, or they differ", len(got), len(want))
	}
	// A group goes on where it was, and a duplicate says nothing new.
	r.run("first", 0, "^0 records")
	v.plantDuplicate()
	r.run("first", 0, "^1 records, 1 of them duplicates, 0 came before")
	// A first fetch has so many bytes of a topic: of the orders this one, of the events not yet its event.
	v.plantBehindLargeEvents()
	r.run("second", 0, fmt.Sprintf("^%d records, 1 of them duplicates, [1-9][0-9]* came before", len(want)+1+largeEvents+2))
	// What was promised and is not there ends the reader, and it does not go on without.
	v.plantOrderOf("nowhere")
	for range 2 {
		r.run("second", 1, `orders/\d+/\d+: what it needs is not in `+regexp.QuoteMeta(v.slimTopic("events")))
	}
}

// TestForeignReaderRefuses: what keeps the consumer from starting takes it one line to say, and no traceback.
func TestForeignReaderRefuses(t *testing.T) {
	requirePython(t)
	for name, c := range map[string]struct {
		args string
		says string // the last line
	}{
		"no login":      {"", `SASL_SSL wants a login: give --username, and the password in the environment variable SLIM_PASSWORD`},
		"no password":   {"--username bridge", `SASL_SSL wants a login: .*`},
		"no authority":  {"--security-protocol SSL --ca-file /nope", `--ca-file /nope: .*No such file or directory`},
		"no broker":     {"--security-protocol PLAINTEXT", `no broker of 127\.0\.0\.1:1 can be used by PLAINTEXT: see above`},
		"two topics":    {"--security-protocol PLAINTEXT --topics a,b", `--topics a,b: want the names of three topics: .*`},
		"no such place": {"--security-protocol PLAINTEXT --database /nope/x", `--database /nope/x: unable to open database file`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			args := []string{readerProgram, "--bootstrap", "127.0.0.1:1", "--group", "g", "--database", filepath.Join(t.TempDir(), "db")}
			cmd := exec.CommandContext(ctx, readerPython, append(args, strings.Fields(c.args)...)...)
			cmd.Env = append(os.Environ(), "SLIM_PASSWORD=")
			said, _ := cmd.CombinedOutput() // the exit code says it
			lines := strings.Split(strings.TrimSpace(string(said)), "\n")
			if cmd.ProcessState.ExitCode() != 2 || len(lines) > 2 || !regexp.MustCompile("^"+c.says+"$").MatchString(lines[len(lines)-1]) {
				t.Errorf("exit code %d, want 2 and %q: %s", cmd.ProcessState.ExitCode(), c.says, said)
			}
		})
	}
}

func requirePython(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(readerPython); err != nil {
		if os.Getenv(envRequireReaders) == "1" {
			t.Fatalf("the test of a foreign reader is required: %v (.ci/readers installs what it needs)", err)
		}
		t.Skipf("the test of a foreign reader is skipped: %v (.ci/readers installs what it needs)", err)
	}
	if _, err := os.ReadFile(readerProgram); err != nil { // go test notes that the result depends on it
		t.Fatal(err)
	}
}

// foreignReader is the Python program. Every group has a database of its own.
type foreignReader struct {
	t        *testing.T
	v        *verified
	security []string // arguments
	env      []string
}

// readerRun is a run of it.
type readerRun struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  *bufio.Scanner
	stderr bytes.Buffer
}

func (r *foreignReader) start(group string, args ...string) *readerRun {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	r.t.Cleanup(cancel)
	args = append(append([]string{
		readerProgram, "--bootstrap", strings.Join(r.v.Addrs, ","), "--group", r.v.Prefix + group, "--database", filepath.Join(r.v.folder, group+".db"),
		"--topics", strings.Join([]string{r.v.slimTopic("events"), r.v.slimTopic("orders"), r.v.slimTopic("refunds")}, ","),
	}, r.security...), args...)
	run := &readerRun{t: r.t, cmd: exec.CommandContext(ctx, readerPython, args...)}
	run.cmd.Env = append(os.Environ(), r.env...)
	run.cmd.Stderr = &run.stderr
	stdout, err := run.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	run.lines = bufio.NewScanner(stdout)
	run.lines.Buffer(nil, 4<<20)
	if err := run.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = run.cmd.Process.Kill() }) // has ended, unless the test failed
	return run
}

// run reads to the end of the topics.
func (r *foreignReader) run(group string, code int, says string, args ...string) {
	r.t.Helper()
	run := r.start(group, append(args, "--until-end")...)
	_ = run.cmd.Wait() // the exit code says it
	if got := run.cmd.ProcessState.ExitCode(); got != code || !regexp.MustCompile("(?m)"+says).Match(run.stderr.Bytes()) {
		r.t.Fatalf("group %s: exit code %d, want %d and %q: %s", group, got, code, says, &run.stderr)
	}
}

// await reads that many records and checks each against its schema.
func (run *readerRun) await(n int) map[string]string {
	run.t.Helper()
	found := map[string]string{}
	for len(found) < n && run.lines.Scan() {
		var line struct {
			Topic, Key, Value string
			Partition         int32
			Offset            int64
			Headers           map[string]string
		}
		if err := json.Unmarshal(run.lines.Bytes(), &line); err != nil {
			run.t.Fatal(err)
		}
		var headers []slim.Header
		for name, value := range line.Headers {
			headers = append(headers, slim.Header{Key: name, Value: []byte(value)})
		}
		place := fmt.Sprintf("%s/%d/%d", line.Topic, line.Partition, line.Offset)
		if err := schemacheck.Check(schemacheck.StreamOf(line.Topic), []byte(line.Key), []byte(line.Value), headers); err != nil {
			run.t.Errorf("%s: %v", place, err)
		}
		found[place] = line.Key + " " + line.Value
	}
	if len(found) < n {
		run.t.Fatalf("the reader has seen %d records of %d: %v: %s", len(found), n, run.lines.Err(), &run.stderr)
	}
	return found
}

// stop ends the program in an orderly way, and returns its exit code.
func (run *readerRun) stop() int {
	run.t.Helper()
	if err := run.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		run.t.Fatal(err)
	}
	for run.lines.Scan() {
		run.t.Errorf("a record too many: %s", run.lines.Bytes())
	}
	_ = run.cmd.Wait()
	return run.cmd.ProcessState.ExitCode()
}

// slimRecords are the slim topics as this project's own client reads them, by place.
func (v *verified) slimRecords() map[string]string {
	v.t.Helper()
	found := map[string]string{}
	for _, name := range []string{"events", "orders", "refunds"} {
		records := kafkatest.ReadAll(v.t, v.Addrs, v.slimTopic(name))
		if len(records) == 0 {
			v.t.Fatalf("there are no %s", name)
		}
		for _, r := range records {
			found[fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset)] = string(r.Key) + " " + string(r.Value)
		}
	}
	return found
}

// plantDuplicate writes a record again, as a bridge may that was interrupted.
func (v *verified) plantDuplicate() {
	v.t.Helper()
	records := kafkatest.ReadAll(v.t, v.Addrs, v.slimTopic("refunds"))
	last := records[len(records)-1]
	kafkatest.Produce(v.t, v.Addrs, v.slimTopic("refunds"), &kafkatest.Record{Key: last.Key, Value: last.Value, Headers: last.Headers})
}

const largeEvents = 3

// plantBehindLargeEvents writes events of more bytes than a consumer's default takes of a topic at a time, another event, and
// an order of that.
func (v *verified) plantBehindLargeEvents() {
	v.t.Helper()
	last := kafkatest.ReadAll(v.t, v.Addrs, v.slimTopic("events"))[0]
	random := make([]byte, 500_000) // does not compress
	_, _ = rand.Read(random)
	for i := range largeEvents + 1 {
		key, description := fmt.Sprint("large-", i), hex.EncodeToString(random[:400_000])
		if i == largeEvents {
			key, description = "behind", "small"
		}
		value := fmt.Appendf(nil, `{"id":%q,"name":"Large","category":"other","start_at":1,"finish_at":2,"description":%q}`, key, description)
		kafkatest.Produce(v.t, v.Addrs, v.slimTopic("events"), &kafkatest.Record{Key: []byte(key), Value: value, Headers: last.Headers})
	}
	v.plantOrderOf("behind")
}

// plantOrderOf writes an order whose tickets are of another event.
func (v *verified) plantOrderOf(event string) {
	v.t.Helper()
	order := kafkatest.ReadAll(v.t, v.Addrs, v.slimTopic("orders"))[0]
	value := regexp.MustCompile(`"event_id":"[^"]*"`).ReplaceAll(order.Value, fmt.Appendf(nil, `"event_id":%q`, event))
	kafkatest.Produce(v.t, v.Addrs, v.slimTopic("orders"), &kafkatest.Record{Key: order.Key, Value: value, Headers: order.Headers})
}
