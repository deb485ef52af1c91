package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/schemacheck"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// result is what a run left behind.
type result struct {
	code           int
	stdout, stderr string
}

func runCommand(args ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(args, strings.NewReader(""), &stdout, &stderr, nil)
	return result{code, stdout.String(), stderr.String()}
}

func mustRun(t *testing.T, args ...string) result {
	t.Helper()
	r := runCommand(args...)
	if r.code != codeOK {
		t.Fatalf("%v: exit code %d: %s", args, r.code, r.stderr)
	}
	return r
}

func readRecords(t *testing.T, path string) []recordfile.Record {
	t.Helper()
	r, err := recordfile.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var records []recordfile.Record
	for record, err := range r.All() {
		if err != nil {
			t.Fatal(err)
		}
		if err := schemacheck.CheckRecorded(record); err != nil {
			t.Errorf("%s/%d/%d: %v", record.Topic, record.Partition, record.Offset, err)
		}
		records = append(records, record)
	}
	return records
}

// configFor is a configuration whose legacy topics are the test's own.
func configFor(t *testing.T, target kafkatest.Target) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bridge.yaml")
	text := fmt.Sprintf("source: {brokers: [%s]}\ntarget: {brokers: [localhost:1]}\ntopics: {partners: %s, events: %s, orders: %s, refunds: %s}\n",
		strings.Join(target.Addrs, ", "), target.Topic("partners"), target.Topic("events"), target.Topic("orders"), target.Topic("refunds"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A season that goes into a cluster and is captured again is the same season.
func TestGenerateThenCapture(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		config := configFor(t, target)
		mustRun(t, "generate", "--config", config) // creates the topics
		again := runCommand("generate", "--config", config)
		if again.code != codeRefused || !strings.Contains(again.stderr, "records already, and generated ones would mix with them: give --add") {
			t.Fatalf("into topics with records: exit code %d: %s", again.code, again.stderr)
		}
		before := captureAll(t, config)
		mustRun(t, "generate", "--config", config, "--add", "--orders", "300", "--seed", "3", "--hostile", "0.2")
		after := captureAll(t, config)

		var added []recordfile.Record
		for _, r := range after {
			if r.Offset >= endOf(before, r.Topic, r.Partition) {
				added = append(added, r)
			}
		}
		if len(after)-len(added) != len(before) {
			t.Errorf("%d records before, %d after, %d of them new", len(before), len(after), len(added))
		}
		compareWithSeason(t, added, season.Config{Orders: 300, Seed: 3, Hostile: 0.2})
		if !slices.IsSortedFunc(after, func(a, b recordfile.Record) int { return int(a.Timestamp - b.Timestamp) }) {
			t.Error("the file is not in the order of timestamps")
		}
	})
}

func captureAll(t *testing.T, config string) []recordfile.Record {
	t.Helper()
	out := filepath.Join(t.TempDir(), "capture.ndjson.gz")
	r := mustRun(t, "capture", "--config", config, "--until-end", "--out", out)
	records := readRecords(t, out)
	if want := fmt.Sprintf("captured %d records (", len(records)); !strings.HasPrefix(r.stderr, want) {
		t.Errorf("says %q, want %q…", r.stderr, want)
	}
	return records
}

func endOf(records []recordfile.Record, topic string, partition int32) int64 {
	var end int64
	for _, r := range records {
		if r.Topic == topic && r.Partition == partition {
			end = max(end, r.Offset+1)
		}
	}
	return end
}

// compareWithSeason compares by topic and key, as far as the order is promised.
// In the file the legacy topics have their default names, which are the season's.
func compareWithSeason(t *testing.T, records []recordfile.Record, c season.Config) {
	t.Helper()
	want, got := make(map[string][]string), make(map[string][]string)
	for r := range season.Generate(c) {
		id := r.Topic + "/" + string(r.Key)
		want[id] = append(want[id], fmt.Sprintf("%t %x %v", r.Value == nil, r.Value, fileHeaders(r.Headers)))
	}
	for _, r := range records {
		id := r.Topic + "/" + string(r.Key)
		got[id] = append(got[id], fmt.Sprintf("%t %x %v", r.Value == nil, r.Value, r.Headers))
		if len(r.Key) > 0 && r.Partition != slim.Partition(r.Key, 12) {
			t.Errorf("%s/%d/%d: a standard client would have put it into partition %d", r.Topic, r.Partition, r.Offset, slim.Partition(r.Key, 12))
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%d keys are there, %d were generated, or their records differ", len(got), len(want))
	}
}

// What a record file can hold comes back exactly, and nothing else is captured.
func TestCaptureIsExact(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		topic, other := target.Topic("a"), target.Topic("b")
		kafkatest.CreateTopic(t, target.Addrs, topic, 2, nil)
		kafkatest.CreateTopic(t, target.Addrs, other, 1, nil)
		base := time.Now().Add(-time.Minute).Truncate(time.Millisecond)
		at := func(ms int) time.Time { return base.Add(time.Duration(ms) * time.Millisecond) }
		kafkatest.ProducePinned(t, target.Addrs, topic,
			&kgo.Record{Partition: 1, Timestamp: at(5), Key: []byte{0xff, 0}, Value: []byte{}},
			&kgo.Record{Partition: 0, Timestamp: at(3), Key: nil, Value: nil},
			&kgo.Record{Partition: 1, Timestamp: at(4), Key: []byte{}, Value: []byte("x"), Headers: []kgo.RecordHeader{{Key: "h", Value: nil}, {Key: "g", Value: []byte{0x80}}}},
		)
		kafkatest.ProducePinned(t, target.Addrs, other, &kgo.Record{Timestamp: at(0), Value: []byte("other")})
		ms := func(n int) int64 { return at(n).UnixMilli() }
		want := []recordfile.Record{
			{Topic: topic, Partition: 0, Offset: 0, Timestamp: ms(3)},
			{Topic: topic, Partition: 1, Offset: 0, Timestamp: ms(5), Key: []byte{0xff, 0}, Value: []byte{}},
			// Earlier than the one before, but the order of offsets is kept.
			{Topic: topic, Partition: 1, Offset: 1, Timestamp: ms(4), Key: []byte{}, Value: []byte("x"), Headers: []recordfile.Header{{Key: "h"}, {Key: "g", Value: []byte{0x80}}}},
		}
		out := filepath.Join(t.TempDir(), "a.ndjson")
		mustRun(t, "capture", "--brokers", strings.Join(target.Addrs, ","), "--topics", topic, "--until-end", "--out", out)
		if got := readRecords(t, out); !reflect.DeepEqual(got, want) {
			t.Errorf("captured\n%+v\nwant\n%+v", got, want)
		}
	})
}

// The last offset of a topic that is written to in transactions is a marker, not
// a record: waiting for a record there would take for ever.
func TestCaptureOfTransactions(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		topic := target.Topic("t")
		kafkatest.CreateTopic(t, target.Addrs, topic, 1, nil)
		client, err := kgo.NewClient(kgo.SeedBrokers(target.Addrs...), kgo.TransactionalID(target.Topic("id")))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		for value, end := range map[string]kgo.TransactionEndTry{"committed": kgo.TryCommit, "aborted": kgo.TryAbort} {
			err := errors.Join(client.BeginTransaction(),
				client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr(),
				client.EndTransaction(t.Context(), end))
			if err != nil {
				t.Fatal(err)
			}
		}
		out := filepath.Join(t.TempDir(), "a.ndjson")
		mustRun(t, "capture", "--brokers", strings.Join(target.Addrs, ","), "--topics", topic, "--until-end", "--out", out)
		if got := readRecords(t, out); len(got) != 1 || string(got[0].Value) != "committed" {
			t.Errorf("captured %+v", got)
		}
	})
}

// Without --until-end it copies what comes, and an interruption is its orderly
// end.
func TestCaptureUntilInterrupted(t *testing.T) {
	target := kafkatest.Embedded(t, embedded.Options{})
	kafkatest.CreateTopic(t, target.Addrs, "t", 1, nil)
	kafkatest.Produce(t, target.Addrs, "t", &kgo.Record{Value: []byte("first")})
	ctx, interrupt := context.WithCancel(t.Context())
	pipe, stdout := io.Pipe()
	done := make(chan error, 1)
	go func() {
		o := captureOptions{source: clusterFlags{brokers: target.Addrs}, topics: []string{"t"}, out: "-"}
		done <- o.run(ctx, &app{stdout: stdout, stderr: io.Discard})
		stdout.Close()
	}()
	r, err := recordfile.NewReader("pipe", pipe)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"first", "second"} {
		if got, err := r.Next(); err != nil || string(got.Value) != want {
			t.Fatalf("read %q, %v; want %q", got.Value, err, want)
		}
		kafkatest.Produce(t, target.Addrs, "t", &kgo.Record{Value: []byte("second")})
	}
	interrupt()
	for err == nil {
		_, err = r.Next()
	}
	if err != io.EOF {
		t.Errorf("the stream ends with %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("ends with %v", err)
	}
}

// An interrupted copy is not whole, and must not look so.
func TestInterruptedCommandsLeaveNoFile(t *testing.T) {
	target := kafkatest.Embedded(t, embedded.Options{})
	kafkatest.CreateTopic(t, target.Addrs, "t", 1, nil)
	kafkatest.Produce(t, target.Addrs, "t", &kgo.Record{Value: []byte("x")})
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := &app{stderr: io.Discard}
	capture := captureOptions{source: clusterFlags{brokers: target.Addrs}, topics: []string{"t"}, out: filepath.Join(folder, "a"), untilEnd: true}
	if err := capture.run(ctx, a); !errors.Is(err, context.Canceled) {
		t.Errorf("capture: %v", err)
	}
	generate := generateOptions{season: season.Config{Orders: 10}, out: filepath.Join(folder, "b"), partitions: 1}
	if err := generate.run(ctx, a); !errors.Is(err, context.Canceled) {
		t.Errorf("generate: %v", err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 0 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

// Offsets at the end that hold no record, as compaction leaves them.
func TestCaptureEndsAtHoles(t *testing.T) {
	target := kafkatest.Embedded(t, embedded.Options{})
	kafkatest.CreateTopic(t, target.Addrs, "t", 2, nil)
	kafkatest.ProducePinned(t, target.Addrs, "t", &kgo.Record{Partition: 0, Value: []byte("x")}, &kgo.Record{Partition: 1, Value: []byte("y")})
	client, err := connect(kafka.Cluster{Brokers: target.Addrs}.WithDefaults())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var out bytes.Buffer
	c := &capture{client: client, admin: kadm.NewClient(client), names: map[string]string{"t": "t"}, out: recordfile.NewWriter(&out), idleLimit: 100 * time.Millisecond}
	starts := map[partitionID]int64{{"t", 0}: 0, {"t", 1}: 0}
	ends := map[partitionID]int64{{"t", 0}: 4, {"t", 1}: 1}
	c.consumeFrom(starts)
	if err := c.copyUntil(t.Context(), starts, ends); err != nil {
		t.Fatal(err)
	}
	if c.copied.of("t") != 2 {
		t.Errorf("copied %s", c.copied)
	}
	if err := c.checkComplete(); exitCode(err) != codeChecks || !strings.Contains(err.Error(), "the last offsets of t/0 (1 to 3): ") {
		t.Errorf("says %v", err)
	}
}

func TestCaptureOfNoTopic(t *testing.T) {
	target := kafkatest.Embedded(t, embedded.Options{})
	out := filepath.Join(t.TempDir(), "a")
	r := runCommand("capture", "--brokers", target.Addrs[0], "--topics", "none", "--out", out)
	if r.code != codeRefused || r.stderr != "vibe-bridge: topic none does not exist on the cluster, or the user may not see it\n" {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}

func TestGenerateReportsRefusedRecords(t *testing.T) {
	target := kafkatest.Embedded(t, embedded.Options{})
	const produce = 0
	target.Embedded.Cluster().ControlKey(produce, func(request kmsg.Request) (kmsg.Response, error, bool) {
		target.Embedded.Cluster().KeepControl()
		response := request.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range request.(*kmsg.ProduceRequest).Topics {
			answer := kmsg.ProduceResponseTopic{Topic: topic.Topic, TopicID: topic.TopicID}
			for _, partition := range topic.Partitions {
				answer.Partitions = append(answer.Partitions, kmsg.ProduceResponseTopicPartition{Partition: partition.Partition, ErrorCode: kerr.TopicAuthorizationFailed.Code})
			}
			response.Topics = append(response.Topics, answer)
		}
		return response, nil, true
	})
	r := runCommand("generate", "--orders", "10", "--brokers", target.Addrs[0])
	if r.code != codeFailed || !strings.HasPrefix(r.stderr, "vibe-bridge: generate: after no records: write to ") || !strings.Contains(r.stderr, "TOPIC_AUTHORIZATION_FAILED") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}

func TestConnectLogsIn(t *testing.T) {
	pki := kafkatest.NewPKI(t, "authority")
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("a-password\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	target := kafkatest.Embedded(t, embedded.Options{More: []kfake.Opt{
		kfake.EnableSASL(),
		kfake.Superuser(kafka.MechanismPlain, "bridge", "a-password"),
		kfake.Superuser(kafka.MechanismScram256, "bridge", "a-password"),
		kfake.Superuser(kafka.MechanismScram512, "bridge", "a-password"),
		kfake.TLS(&tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pki.Issue("broker", kafkatest.Valid(), "127.0.0.1").Certificate}}),
	}})
	for _, mechanism := range []string{kafka.MechanismPlain, kafka.MechanismScram256, kafka.MechanismScram512} {
		client, err := connect(kafka.Cluster{Brokers: target.Addrs, Security: kafka.Security{
			Protocol: kafka.SASLSSL,
			SASL:     kafka.SASL{Mechanism: mechanism, Username: "bridge", PasswordFile: password},
			TLS:      kafka.TLS{CAFile: pki.CAFile},
		}}.WithDefaults())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if _, err := kadm.NewClient(client).ListTopics(t.Context()); err != nil {
			t.Errorf("%s: %v", mechanism, err)
		}
	}
}
