package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// newResynced is a deployment that has sent two events with their orders and
// refunds. Those of event "old" have legacy records of some hours ago, but for
// order o2; order "twice" is one of both events.
func newResynced(t *testing.T, target kafkatest.Target) *operated {
	t.Helper()
	o := newOperated(t, target)
	o.createTopics()
	o.run()
	now := time.Now()
	old := now.Add(-3 * time.Hour)
	o.legacy(mapping.Events, old, legacyEvent("old/1"))
	o.legacy(mapping.Orders, old, legacyOrder("o1", "old/1"), legacyOrder("twice", "old/1"))
	o.legacy(mapping.Refunds, old, legacyRefund("r1", "o1", "old/1"))
	o.legacy(mapping.Events, now, legacyEvent("new"))
	o.legacy(mapping.Orders, now, legacyOrder("o2", "old/1"), legacyOrder("o3", "new"), legacyOrder("lost", "nowhere"))
	o.legacy(mapping.Refunds, now, legacyRefund("r3", "o3", "new"))
	o.awaitSlim(2, 4, 2)
	o.legacy(mapping.Orders, now, legacyOrder("twice", "new"))
	o.awaitSlim(2, 5, 2)
	return o
}

// again runs a resync and gives the ids that come again, by slim topic. It holds
// each against what the topic held before, byte by byte, and the order of all
// against the acknowledgements.
func (o *operated) again(events, orders, refunds int, args ...string) (ids [3][]string, report resyncReport) {
	o.t.Helper()
	streams := []mapping.Stream{mapping.Events, mapping.Orders, mapping.Refunds}
	var before [3][]string
	for i, s := range streams {
		before[i] = o.slimNow(s)
	}
	mark := o.sent.len()
	out := mustRun(o.t, append([]string{"resync", "--config", o.config, "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out.stdout), &report); err != nil || personal.MatchString(out.stdout+out.stderr) {
		o.t.Fatalf("%v: %s%s", err, out.stdout, out.stderr)
	}
	o.awaitSlim(len(before[0])+events, len(before[1])+orders, len(before[2])+refunds)
	for i, s := range streams {
		all := o.slimNow(s)
		for _, record := range all[len(before[i]):] {
			id, _, _ := strings.Cut(record, " ")
			ids[i] = append(ids[i], id)
			if !slices.Contains(before[i], record) {
				o.t.Errorf("other bytes than before: %s", record)
			}
		}
		slices.Sort(ids[i])
	}
	o.checkOrder(mark)
	return ids, report
}

// checkOrder wants the acknowledgement of an event between its own sending and
// those of its orders, where it is sent at all; and so for an order and its refunds.
func (o *operated) checkOrder(mark int) {
	o.t.Helper()
	above := map[string]string{"o1": "old/1", "o2": "old/1", "o3": "new", "r1": "o1", "r3": "o3"}
	o.sent.mu.Lock()
	defer o.sent.mu.Unlock()
	sent := o.sent.seen[mark:]
	for i, s := range sent {
		parent := above[s.key]
		if s.acked || !o.isSlim(s.topic) || parent == "" {
			continue
		}
		ofParent := func(acked bool) int {
			return slices.IndexFunc(sent, func(x sending) bool {
				return x.key == parent && x.acked == acked && o.isSlim(x.topic)
			})
		}
		if began, acked := ofParent(false), ofParent(true); began >= 0 && (acked < 0 || acked > i) {
			o.t.Errorf("%s was sent before %s was acknowledged", s.key, parent)
		}
	}
}

func (o *operated) isSlim(topic string) bool {
	for _, name := range o.cfg.Topics.Slim {
		if name == topic {
			return true
		}
	}
	return false
}

func (s *sendings) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// What is asked for comes again, in order and with the bytes that it had, and nothing else.
func TestResync(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		o := newResynced(t, target)
		expect := func(what string, got [3][]string, events, orders, refunds string) {
			t.Helper()
			want := []string{events, orders, refunds}
			for i := range got {
				if strings.Join(got[i], " ") != want[i] {
					t.Errorf("%s: %q came again, want %q", what, got, want)
				}
			}
		}
		for range 2 { // it may be repeated
			got, r := o.again(1, 3, 1, "--event", "old/1")
			expect("an event", got, "old/1", "o1 o2 twice", "r1")
			if r.Sent != 1 || r.Commands != 1 || r.Events != 1 || r.Orders != 3 || r.Refunds != 1 || r.Waiting != 0 || r.Planned != nil {
				t.Errorf("report %+v", r)
			}
		}
		got, _ := o.again(0, 1, 1, "--order", "o3")
		expect("an order", got, "", "o3", "r3")
		got, _ = o.again(0, 1, 0, "--order", "twice", "--event", "new")
		expect("an order of an event", got, "", "twice", "")
		got, r := o.again(1, 3, 1, "--since", "1h", "--rate", "50")
		expect("since a time", got, "new", "o2 o3 twice", "r3")
		if r.Commands != 6 || r.Sent != 6 || r.Orders != 4 || r.Waiting != 1 {
			t.Errorf("report %+v", r)
		}
		got, r = o.again(0, 0, 0, "--since", time.Now().UTC().Add(-time.Second/2).Format(time.RFC3339Nano))
		if expect("since just now", got, "", "", ""); r.Sent != 0 {
			t.Errorf("report %+v", r)
		}
		got, r = o.again(0, 0, 0, "--since", "24h", "--dry-run")
		if expect("a dry run", got, "", "", ""); r.Sent != 0 || !r.DryRun || len(r.Planned) != 10 {
			t.Errorf("report %+v", r)
		}
		if kinds := kindsOf(r.Planned); kinds != "event event order order order order order order refund refund" || r.Planned[0].Event != "old/1" {
			t.Errorf("planned %+v", r.Planned)
		}
		o.checkRefusals()
	})
}

func kindsOf(planned []processors.ResyncCommand) string {
	var kinds []string
	for _, c := range planned {
		kinds = append(kinds, c.Kind)
	}
	return strings.Join(kinds, " ")
}

// checkRefusals asks for what is not there: exit code 3, one line, and no command.
func (o *operated) checkRefusals() {
	o.t.Helper()
	before := o.commands()
	for _, c := range []struct{ args, says string }{
		{"--event nobody", "event nobody is not known, or was never fit to be sent"},
		{"--event nowhere", "event nowhere is not known, or was never fit to be sent; 1 orders and refunds name it: see `vibe-bridge parked --event`"},
		{"--event old", "event old is not known, or was never fit to be sent"},
		{"--order o9", "order o9 is not known, or was never fit to be sent"},
		{"--order o1 --event new", "event new has no order o1 that was ever fit to be sent"},
		{"--order twice", "order twice is known of several events (new, old/1): choose one with --event"},
		{"--order twice --dry-run", "order twice is known of several events (new, old/1): choose one with --event"},
	} {
		r := runCommand(append([]string{"resync", "--config", o.config}, strings.Fields(c.args)...)...)
		if r.code != codeChecks || r.stdout != "" || r.stderr != "vibe-bridge: nothing was sent: "+c.says+"\n" {
			o.t.Errorf("%s: exit code %d: %s%s", c.args, r.code, r.stdout, r.stderr)
		}
	}
	if after := o.commands(); after != before {
		o.t.Errorf("%d commands were written all the same", after-before)
	}
}

// commands counts the records of the gate's loop topic.
func (o *operated) commands() (n int64) {
	o.t.Helper()
	for _, end := range kafkatest.EndOffsets(o.t, o.target.Addrs, o.cfg.Topics.Name+"-gate-loop") {
		n += end
	}
	return n
}

func TestResyncWithoutTopics(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	r := execute(t, nil, "resync", "--config", d.config, "--event", "e")
	if r.code != codeRefused || !strings.HasPrefix(r.stderr, "vibe-bridge: 2 topics are missing, ") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}

func TestParseSince(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"2h": "2026-05-01T10:00:00Z", "0s": "2026-05-01T12:00:00Z", "90m": "2026-05-01T10:30:00Z",
		"2026-05-01T12:00:00+03:00": "2026-05-01T09:00:00Z", "2026-05-01T12:00:00Z": "2026-05-01T12:00:00Z",
		"-2h": "", "2026-05-01T12:00:01Z": "", "yesterday": "", "2026-05-01": "",
	} {
		at, err := parseSince(text, now)
		if want == "" && exitCode(err) != codeRefused || want != "" && (err != nil || at.UTC().Format(time.RFC3339) != want) {
			t.Errorf("%q: %s, %v; want %q", text, at, err, want)
		}
	}
}

func TestResyncReport(t *testing.T) {
	var b strings.Builder
	p := processors.Resync{Waiting: 1, Entities: [4]int{mapping.Events: 1, mapping.Orders: 2}}
	for range mostPlanned + 1 {
		p.Commands = append(p.Commands, processors.ResyncCommand{Kind: "order", Event: "e 1", Order: "o", Below: true})
	}
	if err := newResyncReport(p, true).print(&b); err != nil {
		t.Fatal(err)
	}
	got := strings.Split(b.String(), "\n")
	want := []string{"order o of event \"e 1\" and what is below it", "and 1 more: --json lists all",
		"would send 51 commands: to emit again 1 event, 2 orders and 0 refunds; 1 of them are held back and go out later", ""}
	if len(got) != mostPlanned+3 || !slices.Equal(got[mostPlanned-1:], want) {
		t.Errorf("prints %s", b.String())
	}
	var said strings.Builder
	tell := progress(&said, 3, time.Hour)
	for i := range 3 {
		tell(i + 1)
	}
	if said.String() != "sent 3 of 3 commands\n" {
		t.Errorf("progress says %q", said.String())
	}
}

// No instance need run: the command waits in its topic. One that the brokers
// refuse is an error, and says how far it came.
func TestResyncWithoutAnInstance(t *testing.T) {
	t.Parallel()
	o := newOperated(t, kafkatest.Embedded(t, embedded.Options{}))
	o.createTopics()
	row, err := proto.Marshal(&statepb.Row{State: &statepb.Row_Event{Event: &statepb.EventState{
		Entity: &statepb.Entity{Source: &statepb.Source{}}, Facts: &statepb.EventFacts{Id: "e"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	table := o.cfg.Topics.Name + "-gate-table"
	kafkatest.Produce(t, o.target.Addrs, table, &kafkatest.Record{Key: []byte("e"), Value: row})
	if r := mustRun(t, "resync", "--config", o.config, "--event", "e"); r.stdout != "1 command sent and acknowledged: to emit again 1 event, 0 orders and 0 refunds\n" || r.stderr != "" {
		t.Errorf("says %s%s", r.stdout, r.stderr)
	}
	loop := kafkatest.ReadAll(t, o.target.Addrs, o.cfg.Topics.Name+"-gate-loop")
	want, err := proto.Marshal(mapping.Resend("e", true).Command)
	if err != nil || len(loop) != 1 || string(loop[0].Key) != "e" || !bytes.Equal(loop[0].Value, want) {
		t.Fatalf("the loop topic holds %v, %v", loop, err)
	}
	if home := kafkatest.ReadAll(t, o.target.Addrs, table)[0].Partition; loop[0].Partition != home {
		t.Errorf("the command is in partition %d, the event's row in %d", loop[0].Partition, home)
	}
	refuseProduce(o.target)
	r := runCommand("resync", "--config", o.config, "--event", "e")
	if r.code != codeFailed || r.stdout != "" || !strings.Contains(r.stderr, "resync: 0 of 1 command acknowledged; it may be repeated: ") {
		t.Errorf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
}

// Commands go where their event's rows are: in another partition the gate would
// find nothing. They go oldest first.
func TestResyncPartitions(t *testing.T) {
	t.Parallel()
	o := newOperated(t, kafkatest.Embedded(t, embedded.Options{}))
	o.createTopics()
	now := time.Now().UnixMilli()
	var rows []*kafkatest.Record
	for i := range 8 {
		entity := &statepb.Entity{Source: &statepb.Source{Time: now - int64(i)}}
		event, err := proto.Marshal(&statepb.Row{State: &statepb.Row_Event{Event: &statepb.EventState{Entity: entity}}})
		if err != nil {
			t.Fatal(err)
		}
		order, err := proto.Marshal(&statepb.Row{State: &statepb.Row_Order{Order: &statepb.OrderState{Entity: entity}}})
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint("event", i)
		rows = append(rows, &kafkatest.Record{Key: []byte(id), Value: event}, &kafkatest.Record{Key: []byte(mapping.OrderKey(id, "o")), Value: order})
	}
	table := o.cfg.Topics.Name + "-gate-table"
	kafkatest.Produce(t, o.target.Addrs, table, rows...)
	home := map[string]int32{}
	for _, r := range kafkatest.ReadAll(t, o.target.Addrs, table) {
		if key := string(r.Key); mapping.KindOf(key) == mapping.EventKind {
			home[key] = r.Partition
		}
	}
	r := mustRun(t, "resync", "--config", o.config, "--since", "1h")
	if r.stdout != "16 commands sent and acknowledged: to emit again 8 events, 8 orders and 0 refunds\n" || r.stderr != "sent 16 of 16 commands\n" {
		t.Errorf("says %s%s", r.stdout, r.stderr)
	}
	byPartition := map[int32][]string{}
	for _, r := range kafkatest.ReadAll(t, o.target.Addrs, o.cfg.Topics.Name+"-gate-loop") {
		key := string(r.Key)
		if want := home[mapping.KeyPrefix(key)]; r.Partition != want {
			t.Errorf("%s is in partition %d, its event in %d", key, r.Partition, want)
		}
		byPartition[r.Partition] = append(byPartition[r.Partition], key)
	}
	for p, keys := range byPartition {
		events := keys[:len(keys)/2]
		if !slices.IsSortedFunc(events, func(a, b string) int { return strings.Compare(b, a) }) || strings.Contains(strings.Join(events, ""), "/") {
			t.Errorf("partition %d has %q", p, keys)
		}
	}
}

// refuseProduce has the brokers refuse every record for good.
func refuseProduce(target kafkatest.Target) {
	cluster := target.Embedded.Cluster()
	cluster.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		response := request.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range request.(*kmsg.ProduceRequest).Topics {
			answer := kmsg.ProduceResponseTopic{Topic: topic.Topic, TopicID: topic.TopicID}
			for _, p := range topic.Partitions {
				answer.Partitions = append(answer.Partitions, kmsg.ProduceResponseTopicPartition{Partition: p.Partition, ErrorCode: kerr.TopicAuthorizationFailed.Code})
			}
			response.Topics = append(response.Topics, answer)
		}
		return response, nil, true
	})
}
