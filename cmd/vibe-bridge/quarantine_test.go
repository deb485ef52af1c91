package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/processors"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// swelling is text that takes six times its size in JSON.
func swelling(n int) string { return strings.Repeat("\x01", n) }

const kib = 1 << 10

// newQuarantined is a deployment that has records of both stages in quarantine:
//
//	event "big"     intake   too_large, fits into 2 MiB
//	event "aged"    intake   too_large, likewise, and a later version of it is published
//	order "wide"    gate     too_large by the names of its sets, fits into 2 MiB
//	order "phone"   intake   invalid_phone
//	an order        intake   undecodable
//
// Order "waits" waits for event "big", refund "back" for order "wide".
func newQuarantined(t *testing.T, target kafkatest.Target) *operated {
	t.Helper()
	o := newOperated(t, target)
	o.createTopics()
	now := time.Now()
	big, aged := legacyEvent("big"), legacyEvent("aged")
	big.Description, aged.Description = swelling(300*kib), swelling(300*kib)
	sets := legacyEvent("sets")
	sets.Sets = []*legacyproto.Event_TicketSet{{Id: "s", Name: swelling(90 * kib)}}
	wide := legacyOrder("wide", "sets")
	wide.Tickets = []*legacyproto.Order_Ticket{{Id: "t-1", Set: "s"}, {Id: "t-2", Set: "s"}}
	phone := legacyOrder("phone", "sets")
	phone.Settings.Customer.Phone = "12 34"
	o.legacy(mapping.Events, now, big, aged, sets)
	o.legacy(mapping.Events, now, legacyEvent("aged"))
	stop := o.run()
	o.awaitSlim(2, 0, 0)
	o.legacy(mapping.Orders, now, wide, phone, legacyOrder("fine", "sets"), legacyOrder("waits", "big"))
	o.legacy(mapping.Refunds, now, legacyRefund("back", "wide", "sets"))
	kafkatest.Produce(t, target.Addrs, o.cfg.Topics.Legacy[mapping.Orders], &kafkatest.Record{Key: []byte("Secret"), Value: []byte{0}, Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("Secret")}}})
	o.awaitSlim(2, 1, 0)
	stop()
	return o
}

// quarantine runs a command of the group and reads what it prints with --json.
func (o *operated) quarantine(code int, args ...string) (found []processors.Replayed) {
	o.t.Helper()
	r := o.quarantineText(code, append(args, "--json")...)
	for line := range strings.Lines(r.stdout) {
		var x processors.Replayed
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			o.t.Fatalf("%v: %s", err, line)
		}
		found = append(found, x)
	}
	return found
}

func (o *operated) quarantineText(code int, args ...string) result {
	o.t.Helper()
	r := runCommand(append([]string{"quarantine", args[0], "--config", o.config}, args[1:]...)...)
	if r.code != code {
		o.t.Fatalf("%q: exit code %d, want %d: %s%s", args, r.code, code, r.stdout, r.stderr)
	}
	if found := personal.FindString(r.stdout + r.stderr); found != "" || strings.Contains(r.stdout+r.stderr, "12 34") {
		o.t.Errorf("%q shows %q", args, r.stdout)
	}
	return r
}

// described are records by their ids, with their stage, reason and result.
func described(list []processors.Replayed) (lines []string) {
	for _, x := range list {
		id := strings.TrimSpace(x.Event + x.Order)
		if x.Order != "" {
			id = x.Order
		}
		lines = append(lines, strings.Join(slices.DeleteFunc([]string{id, x.Stage, x.Reason, x.Result}, func(s string) bool { return s == "" }), " "))
	}
	slices.Sort(lines)
	return lines
}

func (o *operated) wantQuarantined(code int, want string, args ...string) []processors.Replayed {
	o.t.Helper()
	list := o.quarantine(code, args...)
	if got := strings.Join(described(list), ", "); got != want {
		o.t.Errorf("%q gives %s\nwant %s", args, got, want)
	}
	return list
}

// raiseTopics gives the deployment's topics the limits that its configuration wants.
func (o *operated) raiseTopics() {
	o.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(o.target.Addrs...))
	if err != nil {
		o.t.Fatal(err)
	}
	defer cl.Close()
	for _, spec := range o.cfg.Topics.Specs(o.cfg.Settings) {
		value := spec.Config["max.message.bytes"]
		if value == "" {
			continue
		}
		altered, err := kadm.NewClient(cl).AlterTopicConfigs(o.t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &value}}, spec.Name)
		if err != nil || altered[0].Err != nil {
			o.t.Fatal(err, altered)
		}
	}
}

// raise gives the deployment another limit, but its topics.
func (o *operated) raise(limit int) {
	o.t.Helper()
	text, err := os.ReadFile(o.config)
	if err != nil {
		o.t.Fatal(err)
	}
	text = append(text, "max_message_bytes: "+strconv.Itoa(limit)+"\n"...)
	if err := os.WriteFile(o.config, text, 0o600); err != nil {
		o.t.Fatal(err)
	}
	c, err := config.Load(o.config, nil, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	if o.cfg, err = bridgeConfig(c); err != nil {
		o.t.Fatal(err)
	}
	o.cfg.Observer = o.sent
}

// accounts are those of the deployment; all have to balance.
func (o *operated) accounts() *mapping.Accounts {
	o.t.Helper()
	admins, closeAdmins, err := processors.OpenAdmins(o.cfg.Source, o.cfg.State, o.cfg.Target)
	if err != nil {
		o.t.Fatal(err)
	}
	defer closeAdmins()
	r, err := processors.ReadReport(o.t.Context(), admins, o.cfg.State, o.cfg.Topics)
	if err != nil {
		o.t.Fatal(err)
	}
	if !r.Accounts.Balanced() {
		text, _ := json.Marshal(r.Accounts.ByTopic())
		o.t.Errorf("accounts do not balance: %s", text)
	}
	return r.Accounts
}

// ends are the ends of everything that a replay writes to.
func (o *operated) ends() (n int64) {
	o.t.Helper()
	for _, suffix := range []string{"partners", "events", "orders", "refunds", "quarantine"} {
		for _, end := range kafkatest.EndOffsets(o.t, o.target.Addrs, o.cfg.Topics.Name+"-"+suffix) {
			n += end
		}
	}
	return n
}

// The whole way: records of both stages, a limit that is raised, what would happen, a
// replay that dies before it can mark anything, the replay, and again.
func TestQuarantineReplay(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		o := newQuarantined(t, target)
		const all = "aged intake too_large, big intake too_large, intake undecodable, phone intake invalid_phone, wide gate too_large"
		o.wantQuarantined(codeOK, all, "list")
		o.checkFilters()

		// Nothing is written by a dry run, nor where the topics are not as they have to be.
		before := o.ends()
		o.wantQuarantined(codeChecks, "aged intake too_large still too_large, big intake too_large still too_large, intake undecodable still undecodable, "+
			"phone intake invalid_phone still invalid_phone, wide gate too_large sent", "replay", "--all", "--dry-run")
		o.raise(2 << 20)
		if r := o.quarantineText(codeRefused, "replay", "--all"); !strings.Contains(r.stderr, "max.message.bytes") {
			t.Errorf("before the topics are raised: %s", r.stderr)
		}
		o.raiseTopics()
		const would = "aged intake too_large sent, big intake too_large sent, intake undecodable still undecodable, " +
			"phone intake invalid_phone still invalid_phone, wide gate too_large sent"
		o.wantQuarantined(codeChecks, would, "replay", "--all", "--dry-run")
		if after := o.ends(); after != before {
			t.Fatalf("%d records were written", after-before)
		}

		stop := o.run()
		o.dieBeforeMarking()
		o.wantQuarantined(codeOK, all, "list")
		o.awaitDistinct(3, 3, 1)
		o.wantQuarantined(codeChecks, would, "replay", "--all", "--rate", "1000")
		o.wantQuarantined(codeOK, "intake undecodable, phone intake invalid_phone", "list")
		o.wantQuarantined(codeOK, "aged intake too_large, big intake too_large, wide gate too_large", "list", "--replayed", "--reason", "too_large")
		o.wantQuarantined(codeOK, "", "replay", "--reason", "too_large")
		o.wantQuarantined(codeChecks, "intake undecodable still undecodable, phone intake invalid_phone still invalid_phone", "replay", "--all")
		o.wantQuarantined(codeOK, "aged intake too_large sent, big intake too_large sent, wide gate too_large sent", "replay", "--reason", "too_large", "--again")
		o.awaitDistinct(3, 3, 1)
		o.checkFirst(map[string]string{"fine": "sets", "wide": "sets", "waits": "big", "back": "wide"})

		a := o.accounts()
		if e, x := a[mapping.Events], a[mapping.Orders]; len(e.Quarantined) != 0 || e.Emitted != 3 || e.Unchanged != 1 ||
			fmt.Sprint(x.Quarantined) != "map[invalid_phone:1 undecodable:1]" || x.Emitted != 3 || x.Parked != 0 || a[mapping.Refunds].Emitted != 1 {
			text, _ := json.Marshal(a.ByTopic())
			t.Errorf("accounts are %s", text)
		}
		stop()
		mustRun(t, "verify", "--config", o.config, "--grace", "1s")
	})
}

// awaitDistinct waits until the slim topics hold so many different records, and no more
// are under way. What lay in its topic when a session began may be sent twice.
func (o *operated) awaitDistinct(events, orders, refunds int) {
	o.t.Helper()
	distinct := func(s mapping.Stream) int {
		all := o.slimNow(s)
		slices.Sort(all)
		return len(slices.Compact(all))
	}
	want := map[mapping.Stream]int{mapping.Events: events, mapping.Orders: orders, mapping.Refunds: refunds}
	for s, n := range want {
		kafkatest.Eventually(o.t, fmt.Sprint(n, " different slim records of ", s), func() bool { return distinct(s) >= n })
	}
	o.awaitQuiet()
	for s, n := range want {
		if got := distinct(s); got != n {
			o.t.Errorf("%d different slim records of %s, want %d", got, s, n)
		}
	}
}

// checkFirst wants what is below first sent after the first acknowledgement of what it needs.
func (o *operated) checkFirst(above map[string]string) {
	o.t.Helper()
	o.sent.mu.Lock()
	defer o.sent.mu.Unlock()
	first := func(key string, acked bool) int {
		return slices.IndexFunc(o.sent.seen, func(x sending) bool { return x.key == key && x.acked == acked && o.isSlim(x.topic) })
	}
	for key, parent := range above {
		if sent, acked := first(key, false), first(parent, true); sent < 0 || acked < 0 || acked > sent {
			o.t.Errorf("%s is sent at %d, %s acknowledged at %d", key, sent, parent, acked)
		}
	}
}

// dieBeforeMarking replays and is cut off when all that can be sent is acknowledged.
func (o *operated) dieBeforeMarking() {
	o.t.Helper()
	list, err := processors.ReadQuarantine(o.t.Context(), o.cfg)
	if err != nil {
		o.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(o.t.Context())
	defer cancel()
	cfg := o.cfg
	cfg.Observer = &killer{kill: cancel, after: 3}
	err = processors.Replay(ctx, cfg, list.Records, processors.ReplayOptions{Report: func(r processors.Replayed) {
		o.t.Errorf("%v is reported although it is not marked", r.Source)
	}})
	if !errors.Is(err, context.Canceled) {
		o.t.Fatalf("the replay ends with %v", err)
	}
}

// killer cuts a replay off with an acknowledgement.
type killer struct {
	kill  func()
	after int // acknowledgements
	acked atomic.Int64
}

func (k *killer) Sending(string, []byte, []byte) {}

func (k *killer) Acked(string, []byte, []byte) {
	if k.acked.Add(1) == int64(k.after) {
		k.kill()
	}
}

// checkFilters asks for parts of what is in quarantine, and shows single records.
func (o *operated) checkFilters() {
	o.t.Helper()
	events := o.cfg.Topics.Legacy[mapping.Events]
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for _, c := range []struct{ args, want string }{
		{"--reason invalid_phone", "phone intake invalid_phone"},
		{"--reason invalid_phone,undecodable", "intake undecodable, phone intake invalid_phone"},
		{"--topic events --id big", "big intake too_large"},
		{"--topic " + events, "aged intake too_large, big intake too_large"},
		{"--id sets", "phone intake invalid_phone, wide gate too_large"},
		{"--id wide", "wide gate too_large"},
		{"--id nobody", ""},
		{"--since 1h --until " + later + " --reason undecodable", "intake undecodable"},
		{"--until 1h", ""},
		{"--since " + later, ""},
	} {
		o.wantQuarantined(codeOK, c.want, append([]string{"list"}, strings.Fields(c.args)...)...)
	}
	for args, says := range map[string]string{
		"list --topic orders":          "want one of",
		"list --since yesterday":       "--since \"yesterday\"",
		"list --limit -1":              "--limit -1",
		"replay --all --rate -1":       "--rate -1",
		"show":                         "no record named",
		"show 1-2":                     "is no place",
		"show 0/0 --at 0/0":            "both given",
		"list --id=":                   "--id is empty",
		"list --reason toolarge":       "--reason \"toolarge\": want one of undecodable,",
		"list --reason a,":             "--reason is empty",
		"list --topic events,":         "--topic is empty",
		"replay":                       "nothing to replay: want --reason, --topic, --since, --until, --id, or --all",
		"replay --again --dry-run":     "want --reason,",
		"replay --all --id wide":       "both given",
		"replay --since 1h --until 2h": "--until \"2h\" is before --since \"1h\"",
	} {
		if r := o.quarantineText(codeRefused, strings.Fields(args)...); !strings.Contains(r.stderr, says) || r.stdout != "" {
			o.t.Errorf("%s: %s%s", args, r.stdout, r.stderr)
		}
	}
	if r := o.quarantineText(codeOK, "list"); !strings.Contains(r.stdout, "invalid_phone") || !strings.Contains(r.stdout, "order wide, event sets") {
		o.t.Errorf("lists %s", r.stdout)
	}
	if r := o.quarantineText(codeOK, "list", "--limit", "2"); !strings.Contains(r.stdout, "and 3 more: --limit 0 lists all") {
		o.t.Errorf("lists %s", r.stdout)
	}
	if r := o.quarantineText(codeOK, "list", "--id", "nobody"); r.stdout != "nothing that matches: 5 records in quarantine, replayed ones included\n" {
		o.t.Errorf("lists %s", r.stdout)
	}
	if r := o.quarantineText(codeChecks, "show", "0/999"); !strings.Contains(r.stderr, "no such record in quarantine") {
		o.t.Errorf("says %s", r.stderr)
	}
	o.checkShow()
}

func (o *operated) checkShow() {
	o.t.Helper()
	for _, c := range []struct {
		id   string
		says []string
	}{
		{"phone", []string{"99 99", "Aaaa Aaaaaa", "aaaaa@aaaaaaa.aaa", "still invalid_phone", "invalid_phone at intake: settings.customer.phone is not a possible phone number"}},
		{"wide", []string{"too_large at gate", "tickets[1].set", "sent"}},
	} {
		x := o.quarantine(codeOK, "list", "--id", c.id)[0]
		raw := filepath.Join(o.t.TempDir(), "value")
		for _, place := range [][]string{
			{fmt.Sprintf("%d/%d", x.Partition, x.Offset)},
			{"--topic", "orders_done", "--at", fmt.Sprintf("%d/%d", x.Source.Partition, x.Source.Offset), "--raw", raw},
		} {
			r := o.quarantineText(codeOK, append([]string{"show"}, place...)...)
			for _, text := range c.says {
				if !strings.Contains(r.stdout, text) {
					o.t.Errorf("%s: no %q in %s", c.id, text, r.stdout)
				}
			}
		}
		value, err := os.ReadFile(raw)
		var m legacyproto.Order
		if err := errors.Join(err, proto.Unmarshal(value, &m)); err != nil || m.GetId() != c.id || m.GetSettings().GetCustomer().GetName() != "Anna Secret" {
			o.t.Errorf("the raw value of %s is not the record: %v", c.id, err)
		}
		if info, err := os.Stat(raw); err != nil || info.Mode().Perm() != 0o600 {
			o.t.Errorf("the file is %v, %v", info.Mode(), err)
		}
	}
	x := o.quarantine(codeOK, "list", "--reason", "undecodable")[0]
	r := o.quarantineText(codeOK, "show", fmt.Sprintf("%d/%d", x.Partition, x.Offset))
	if !strings.Contains(r.stdout, "unreadable") || !strings.Contains(r.stdout, "and 6 of its key") || !strings.Contains(r.stdout, "headers        h\n") {
		o.t.Errorf("shows %s", r.stdout)
	}
}

// rejected writes a record to the quarantine topic as the bridge does.
func (o *operated) rejected(key, value []byte, s mapping.Stream, src *statepb.Source, stage string, reason mapping.Reason) {
	o.t.Helper()
	r := &kafkatest.Record{Key: key, Value: value}
	for _, h := range mapping.QuarantineHeaders(o.cfg.Topics.Legacy[s], src, stage, reason) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	kafkatest.Produce(o.t, o.target.Addrs, o.cfg.Topics.Quarantine(), r)
}

// No instance need run: the input waits in its topic, in its event's partition, and the
// marker stands in the partition of what it marks. What the brokers refuse is not marked.
func TestQuarantineReplayWithoutAnInstance(t *testing.T) {
	t.Parallel()
	o := newOperated(t, kafkatest.Embedded(t, embedded.Options{}))
	o.createTopics()
	var ids []string
	var first []byte
	for i := range 8 {
		id := fmt.Sprint("event", i)
		value, err := proto.Marshal(legacyEvent(id))
		if err != nil {
			t.Fatal(err)
		}
		o.rejected([]byte(fmt.Sprint("key", i)), value, mapping.Events, &statepb.Source{Partition: 1, Offset: int64(9 - i), Time: 77}, mapping.StageIntake, mapping.ReasonTooLarge)
		if ids = append(ids, id); i == 0 {
			first = value
		}
	}
	o.rejected(nil, nil, mapping.Orders, &statepb.Source{Partition: 1, Offset: 4}, mapping.StageGate, mapping.ReasonTooLarge)
	kafkatest.Produce(t, o.target.Addrs, o.cfg.Topics.Quarantine(), &kafkatest.Record{Value: []byte("somebody else's")})

	// A place that was told to others leads to the record that stands for it now.
	old := o.quarantine(codeOK, "list", "--id", "event0")[0]
	o.rejected([]byte("key0"), first, mapping.Events, &statepb.Source{Partition: 1, Offset: 9, Time: 77}, mapping.StageIntake, mapping.ReasonTooLarge)
	newer := o.quarantine(codeOK, "list", "--id", "event0")[0]
	place := fmt.Sprintf("%d/%d", old.Partition, old.Offset)
	r := o.quarantineText(codeOK, "show", place)
	now := fmt.Sprintf("%d/%d", newer.Partition, newer.Offset)
	if place == now || r.stderr != place+": the record at "+now+" says the same again and stands for it\n" || !strings.Contains(r.stdout, now+", 2 records") {
		t.Errorf("%s, which is %s now, is shown as\n%s%s", place, now, r.stderr, r.stdout)
	}
	if r := o.quarantineText(codeOK, "show", now); r.stderr != "" {
		t.Errorf("says %s", r.stderr)
	}

	// Five records, the first of the legacy topic; a second a record.
	r = o.quarantineText(codeOK, "replay", "--reason", "too_large", "--topic", "events", "--limit", "5", "--rate", "1000")
	if r.stdout != "5 of 5 records replayed (5 sent)\n" || !strings.HasPrefix(r.stderr, "1 record of "+o.cfg.Topics.Quarantine()+" left out: ") {
		t.Errorf("says %s%s", r.stdout, r.stderr)
	}
	inputs := kafkatest.ReadAll(t, o.target.Addrs, o.cfg.Topics.Name+"-events")
	for _, in := range inputs {
		var got statepb.Input
		if err := proto.Unmarshal(in.Value, &got); err != nil {
			t.Fatal(err)
		}
		id := string(in.Key)
		want := &statepb.Source{Partition: 1, Offset: int64(9 - slices.Index(ids, id)), Time: 77}
		if !proto.Equal(got.GetSource(), want) || want.Offset > 6 || got.GetReplay().GetStage() != mapping.StageIntake || got.GetReplay().GetReason() != "too_large" ||
			got.GetEvent().GetId() != id || got.GetSettled() != 0 || in.Partition != slim.Partition(in.Key, 3) {
			t.Errorf("%s in partition %d: %v", id, in.Partition, &got)
		}
	}
	records := map[string]*kafkatest.Record{}
	markers := 0
	for _, q := range kafkatest.ReadAll(t, o.target.Addrs, o.cfg.Topics.Quarantine()) {
		headers := map[string]string{}
		for _, h := range q.Headers {
			headers[h.Key] = string(h.Value)
		}
		of := headers[mapping.HeaderErrorTopic] + headers[mapping.HeaderErrorOffset]
		if headers[mapping.HeaderReplayed] == "" {
			records[of] = q
			continue
		}
		markers++
		at := records[of]
		if at == nil || q.Partition != at.Partition || headers[mapping.HeaderReplayed] != fmt.Sprint(at.Offset) || q.Key != nil || q.Value != nil ||
			headers[mapping.HeaderReplayedOutcome] != "sent" || headers[mapping.HeaderErrorTopic] != o.cfg.Topics.Legacy[mapping.Events] || headers[mapping.HeaderReplayedTime] == "" {
			t.Errorf("marker in partition %d: %v", q.Partition, headers)
		}
	}
	if len(inputs) != 5 || markers != 5 {
		t.Errorf("%d inputs and %d markers, want 5", len(inputs), markers)
	}

	r = o.quarantineText(codeChecks, "replay", "--topic", "orders_done")
	if !strings.Contains(r.stdout, ": unavailable\n0 of 1 record replayed (1 unavailable)\n") || !strings.HasSuffix(r.stderr, "vibe-bridge: quarantine replay: 1 record stays in quarantine\n") {
		t.Errorf("says %s%s", r.stdout, r.stderr)
	}
	raw := filepath.Join(t.TempDir(), "raw")
	r = o.quarantineText(codeChecks, "show", "--topic", "orders_done", "--at", "1/4", "--raw", raw)
	if _, err := os.Stat(raw); !errors.Is(err, os.ErrNotExist) || !strings.Contains(r.stderr, "is not written") {
		t.Errorf("says %s%s, %v", r.stdout, r.stderr, err)
	}
	if r = o.quarantineText(codeOK, "list", "--topic", "orders_done"); !strings.Contains(r.stdout, "  gone  ") {
		t.Errorf("lists %s", r.stdout)
	}

	refuseProduce(o.target)
	r = o.quarantineText(codeFailed, "replay", "--topic", "events")
	if !strings.Contains(r.stderr, "replay: 0 of 3 records done; it may be repeated: ") {
		t.Errorf("says %s%s", r.stdout, r.stderr)
	}
	o.wantQuarantined(codeOK, "event0 intake too_large, event1 intake too_large, event2 intake too_large", "list", "--topic", "events")

}

// A filter that is empty, as from a variable that is not set, must not choose everything.
func TestEmptyQuarantineFiltersAreRefused(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.must("topics", "create", "--config", d.config)
	for _, flag := range []string{"--reason=", "--topic=", "--since=", "--until=", "--id="} {
		for _, command := range []string{"list", "replay"} {
			r := execute(t, nil, "quarantine", command, "--config", d.config, flag)
			if name := strings.TrimSuffix(flag, "="); r.code != codeRefused || !strings.Contains(r.stderr, name) {
				t.Errorf("%s %s: exit code %d, %q %q; want %d and the flag named", command, flag, r.code, r.stdout, r.stderr, codeRefused)
			}
		}
	}
}

func TestQuarantineWithoutTopics(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	for _, args := range []string{"list", "show 0/0", "replay --all", "replay --all --dry-run"} {
		r := execute(t, nil, append(append([]string{"quarantine"}, strings.Fields(args)...), "--config", d.config)...)
		if r.code != codeRefused || !strings.Contains(r.stderr, "missing") || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d: %s", args, r.code, r.stderr)
		}
	}
}
