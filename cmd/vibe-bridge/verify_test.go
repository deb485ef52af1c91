package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/verify"
)

// verified is a deployment whose topics are checked: slim topics of one partition,
// on one cluster with the legacy ones.
type verified struct {
	*deployment
	kafkatest.Target
	found map[verify.Kind]int // planted so far: what was written stays
}

func newVerified(t *testing.T, target kafkatest.Target, edition, format string) *verified {
	t.Helper()
	v := &verified{&deployment{t: t, folder: t.TempDir()}, target, map[verify.Kind]int{}}
	p := target.Prefix
	v.config = v.write("bridge.yaml", fmt.Sprintf(`
name: %[1]sb
edition: %[2]q
format: %[3]s
replication: 1
min_insync: 1
partitions: 2
slim: {partitions: 1, prefix: %[1]sslim-}
topics: {partners: %[1]spartners, events: %[1]sevents, orders: %[1]sorders, refunds: %[1]srefunds}
source: {brokers: [%[4]q]}
target: {brokers: [%[4]q]}
state_dir: %[5]q
directory_file: %[6]q
holds: {organizer: 1s, set: 1s}
sweep_interval: 200ms
session_timeout: 10s
http: {listen: ""}
`, p, edition, format, target.Addrs[0], v.stateDir(), filepath.Join(v.folder, "directory.json")))
	for _, name := range []string{"partners", "events", "orders", "refunds"} {
		kafkatest.CreateTopic(t, target.Addrs, p+name, 2, nil)
	}
	v.must("generate", "--seed", "7", "--orders", "400", "--hostile", "0.1", "--directory-out", filepath.Join(v.folder, "directory.json"))
	v.must("topics", "create", "--config", v.config)
	return v
}

func (v *verified) slimTopic(name string) string { return v.Prefix + "slim-" + name }

// appendTime lets the broker say when slim records were appended.
func (v *verified) appendTime() {
	v.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(v.Addrs...))
	if err != nil {
		v.t.Fatal(err)
	}
	defer client.Close()
	set := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "message.timestamp.type", Value: kadm.StringPtr("LogAppendTime")}}
	answers, err := kadm.NewClient(client).AlterTopicConfigs(v.t.Context(), set, v.slimTopic("events"), v.slimTopic("orders"), v.slimTopic("refunds"))
	if err != nil {
		v.t.Fatal(err)
	}
	for _, answer := range answers {
		if answer.Err != nil {
			v.t.Fatal(answer.Err)
		}
	}
}

// bridgeSeason runs the bridge over a season until all of it is drained.
func (v *verified) bridgeSeason() {
	v.t.Helper()
	v.appendTime()
	in := v.run()
	v.must("generate", "--config", v.config, "--seed", "7", "--orders", "400", "--hostile", "0.1")
	v.drain(in)
	if code := in.stop(syscall.SIGTERM); code != codeOK {
		v.t.Fatalf("the bridge ended with exit code %d: %s", code, &in.log)
	}
}

// check runs the command and wants its exit code and these findings.
func (v *verified) check(what string, want map[verify.Kind]int) *verify.Report {
	v.t.Helper()
	r := execute(v.t, nil, "verify", "--config", v.config, "--json", "--grace", "0s")
	code := codeOK
	if len(want) > 0 {
		code = codeChecks
	}
	var report verify.Report
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil || r.code != code {
		v.t.Fatalf("%s: exit code %d, %v: %s%s", what, r.code, err, r.stdout, r.stderr)
	}
	got := map[verify.Kind]int{}
	for kind, f := range report.Findings {
		if f.Count > 0 {
			got[kind] = f.Count
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || report.Clean != (len(want) == 0) {
		v.t.Errorf("%s: found %v, want %v: %s", what, got, want, r.stdout)
	}
	return &report
}

// TestVerifyEmbedded: what the bridge writes is found clean, in every encoding.
func TestVerifyEmbedded(t *testing.T) {
	for _, encoding := range [][2]string{{"1.0", "json"}, {"1.0", "protobuf"}, {"2.0", "json"}} {
		t.Run(strings.Join(encoding[:], " "), func(t *testing.T) {
			t.Parallel()
			v := newVerified(t, kafkatest.Embedded(t, embedded.Options{}), encoding[0], encoding[1])
			v.bridgeSeason()
			r := v.check("after a season", nil)
			if r.Slim["orders"].Keys < 200 || r.Quarantine == 0 {
				t.Errorf("this shows nothing: %+v", r)
			}
			v.text()
		})
	}
}

// text checks the report for people.
func (v *verified) text() {
	v.t.Helper()
	r := execute(v.t, nil, "verify", "--config", v.config, "--grace", "0s")
	if r.code != codeOK || !strings.Contains(r.stdout, "order_before_event   0\n") || !strings.Contains(r.stderr, "read ") {
		v.t.Errorf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
}

// TestVerifyKafka: on a real broker, where the time of append is real, a season is
// found clean, and then one tampered record after another is found.
func TestVerifyKafka(t *testing.T) {
	t.Parallel()
	v := newVerified(t, kafkatest.Kafka(t), "1.0", "json")
	v.bridgeSeason()
	r := v.check("after a season", nil)
	if !r.Ordering.Comparable || r.Ordering.Checked < 200 {
		t.Errorf("ordering %+v", r.Ordering)
	}
	for reason, n := range r.Undecidable {
		if !strings.Contains(reason, "same millisecond") {
			t.Errorf("undecidable: %d: %s", n, reason)
		}
	}
	t.Logf("ordering %+v, undecidable %v", r.Ordering, r.Undecidable)

	v.tamperWithCopies()
	v.tamperWithOrder()
	v.tamperWithLegacy()
	v.follows()
}

// plant notes what the next check has to find as well.
func (v *verified) plant(kinds ...verify.Kind) map[verify.Kind]int {
	for _, k := range kinds {
		v.found[k]++
	}
	return v.found
}

// tamperWithCopies writes changed copies of good slim records.
func (v *verified) tamperWithCopies() {
	v.t.Helper()
	orders := kafkatest.ReadAll(v.t, v.Addrs, v.slimTopic("orders"))
	if len(orders) < 10 {
		v.t.Fatalf("only %d slim orders", len(orders))
	}
	copies := []struct {
		kind   verify.Kind
		change func(*kgo.Record)
	}{
		{verify.Duplicate, func(r *kgo.Record) {
			r.Value = bytes.Replace(r.Value, []byte(`"price_nominal":`), []byte(`"price_nominal":9`), 1)
		}},
		{verify.Malformed, func(r *kgo.Record) { r.Value = append(r.Value, ' ', '{') }},
		{verify.Headers, func(r *kgo.Record) { r.Headers = r.Headers[1:] }},
		{verify.Key, func(r *kgo.Record) { r.Key = []byte("another") }},
		{verify.Unexpected, func(r *kgo.Record) {
			r.Value = bytes.Replace(r.Value, r.Key, []byte("another"), 1)
			r.Key = []byte("another")
		}},
	}
	for i, c := range copies {
		old := orders[len(orders)-1-i]
		r := &kgo.Record{Key: old.Key, Value: bytes.Clone(old.Value), Headers: old.Headers}
		c.change(r)
		kafkatest.Produce(v.t, v.Addrs, v.slimTopic("orders"), r)
		v.check(string(c.kind), v.plant(c.kind))
	}
}

// produceLegacy writes a legacy record and returns what bridge-source must say.
func (v *verified) produceLegacy(topic, id string, m proto.Message) string {
	v.t.Helper()
	value, err := proto.Marshal(m)
	if err != nil {
		v.t.Fatal(err)
	}
	r := &kgo.Record{Key: []byte(id), Value: value}
	kafkatest.Produce(v.t, v.Addrs, v.Prefix+topic, r)
	return fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset)
}

func (v *verified) produceSlim(topic, id, source, value string) {
	v.t.Helper()
	headers := []kgo.RecordHeader{
		{Key: "content-type", Value: []byte("application/json")}, {Key: "schema-version", Value: []byte("1.0")},
		{Key: "application-id", Value: []byte("ticketscloud")}, {Key: "bridge-source", Value: []byte(source)},
	}
	kafkatest.Produce(v.t, v.Addrs, v.slimTopic(topic), &kgo.Record{Key: []byte(id), Value: []byte(value), Headers: headers})
}

// nextMillisecond waits until what is appended next has another time.
func nextMillisecond(t *testing.T) {
	t.Helper()
	now := time.Now().UnixMilli()
	kafkatest.Eventually(t, "the next millisecond", func() bool { return time.Now().UnixMilli() > now+1 })
}

// tamperWithOrder writes what is right, in the wrong order.
func (v *verified) tamperWithOrder() {
	v.t.Helper()
	event := v.produceLegacy("events", "e1", &legacyproto.Event{Id: "e1", Name: "n", Lifetime: &legacyproto.Lifetime{Start: &timestamppb.Timestamp{Seconds: 9}}})
	order := v.produceLegacy("orders", "o1", &legacyproto.Order{
		Id: "o1", Event: "e1", Status: legacyproto.Order_DONE, Tickets: []*legacyproto.Order_Ticket{{Id: "t1"}},
		Settings: &legacyproto.Order_Settings{Customer: &legacyproto.Order_Settings_Customer{Phone: "+79000000001"}},
	})
	refund := v.produceLegacy("refunds", "r1", &legacyproto.RefundRequest{
		Id: "r1", Order: "o1", Event: "e1", Status: legacyproto.RefundRequest_APPROVED, Tickets: []*legacyproto.RefundRequest_Ticket{{Id: "t1"}},
	})
	v.produceSlim("refunds", "r1", refund, `{"customer":{"email":"","phone":"+79000000001"},"ticket_ids":["t1"]}`)
	nextMillisecond(v.t)
	v.produceSlim("orders", "o1", order, `{"id":"o1","customer":{"email":"","phone":"+79000000001"},"tickets":[{"id":"t1","event_id":"e1","organizer_id":"","barcode":"","category":"","price_nominal":0}]}`)
	nextMillisecond(v.t)
	v.produceSlim("events", "e1", event, `{"id":"e1","name":"n","category":"other","start_at":9,"finish_at":9}`)
	v.check("in the wrong order", v.plant(verify.OrderViolation, verify.RefundViolation))
}

// tamperWithLegacy writes what no bridge is there to take.
func (v *verified) tamperWithLegacy() {
	v.t.Helper()
	v.produceLegacy("events", "e1", &legacyproto.Event{Id: "e1", Name: "renamed", Lifetime: &legacyproto.Lifetime{Start: &timestamppb.Timestamp{Seconds: 9}}})
	v.check("a new version", v.plant(verify.Stale))
	v.produceLegacy("events", "e2", &legacyproto.Event{Id: "e2", Name: "n", Lifetime: &legacyproto.Lifetime{Start: &timestamppb.Timestamp{Seconds: 9}}})
	v.check("a new event", v.plant(verify.Lost))
	v.produceLegacy("events", "", &legacyproto.Event{Name: "n"})
	v.check("an event without id", v.plant(verify.Lost))
}

// follows: --follow sees what comes meanwhile, and its end is the exit code.
func (v *verified) follows() {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), executeDeadline)
	defer cancel()
	cmd := program(ctx, nil, "verify", "--config", v.config, "--follow", "--interval", "200ms", "--grace", "0s")
	var stdout, stderr safeBuffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	sees := func(text string) {
		v.t.Helper()
		kafkatest.Eventually(v.t, fmt.Sprintf("%q", text), func() bool { return strings.Contains(stdout.String(), text) })
	}
	sees(", lost 2, ")
	v.produceLegacy("events", "e3", &legacyproto.Event{Id: "e3", Name: "n", Lifetime: &legacyproto.Lifetime{Start: &timestamppb.Timestamp{Seconds: 9}}})
	sees(", lost 3, ")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		v.t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code says it
	if code := cmd.ProcessState.ExitCode(); code != codeChecks || !strings.Contains(stdout.String(), "\nlost, 3 of 3:\n") {
		v.t.Errorf("exit code %d: %s%s", code, &stdout, &stderr)
	}
}

// What cannot be read cannot be checked.
func TestVerifyNeedsTopics(t *testing.T) {
	v := newVerified(t, kafkatest.Embedded(t, embedded.Options{}), "1.0", "json")
	client, err := kgo.NewClient(kgo.SeedBrokers(v.Addrs...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).DeleteTopics(t.Context(), v.slimTopic("orders")); err != nil {
		t.Fatal(err)
	}
	r := execute(t, nil, "verify", "--config", v.config)
	if r.code != codeRefused || r.stdout != "" || !strings.Contains(r.stderr, "topic "+v.slimTopic("orders")+" does not exist") {
		t.Errorf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
}
