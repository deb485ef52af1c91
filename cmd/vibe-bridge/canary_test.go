package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// publicTexts are those of the legacy schemas that everybody may see: a listing or a report may quote them. Every
// other text of a legacy record is private, also one that a later schema adds.
var publicTexts = map[protoreflect.FullName]bool{
	"Event.meta": true, "Event.name": true, "Event.description": true,
	"Event.Media.cover": true, "Event.Media.cover_small": true, "Event.Media.cover_original": true,
	"Event.TicketSet.name": true, "Event.TicketSet.description": true,
	"Order.Ticket.serial": true, "Order.Ticket.Seat.row": true, "Order.Ticket.Seat.number": true,
}

// keptTexts decide how a record goes, and are set by the test.
var keptTexts = map[protoreflect.FullName]bool{
	"Partner.id": true, "Partner.currency": true,
	"Event.id": true, "Event.org": true, "Event.venue": true, "Event.category": true, "Event.TicketSet.id": true,
	"Order.id": true, "Order.event": true, "Order.org": true, "Order.Ticket.id": true, "Order.Ticket.set": true,
	"RefundRequest.id": true, "RefundRequest.order": true, "RefundRequest.event": true, "RefundRequest.Ticket.id": true,
}

// canary is a planted text in any writing: a phone number, with or without blanks, or a word.
var canary = regexp.MustCompile(`(?i)(qzx\d{4}k)|900[ -]?000[ -]?(\d\d)[ -]?(\d\d)`)

// canaries are the planted texts by what names them, with the field that each stands in.
type canaries struct {
	fields map[string]string // all
	public map[string]bool
}

// found are the planted texts in a text.
func (c *canaries) found(text string) (names []string) {
	for _, m := range canary.FindAllStringSubmatch(text, -1) {
		name := strings.ToLower(m[1])
		if name == "" {
			name = m[2] + m[3]
		}
		if c.fields[name] != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (c *canaries) word(field string, public bool) string {
	name := fmt.Sprintf("qzx%04dk", len(c.fields))
	c.fields[name], c.public[name] = field, public
	return "Q" + name[1:]
}

func (c *canaries) phone(field string) string {
	name := fmt.Sprintf("%04d", len(c.fields))
	c.fields[name] = field
	return "+7 900 000-" + name[:2] + "-" + name[2:]
}

// plant sets every text of a message, and of all below it, that is not kept. Lists have one element.
func (c *canaries) plant(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.ContainingOneof() != nil && m.WhichOneof(f.ContainingOneof()) != nil:
		case f.Message() != nil && f.IsList():
			list := m.Mutable(f).List()
			if list.Len() == 0 {
				list.AppendMutable()
			}
			c.plant(list.Get(0).Message())
		case f.Message() != nil:
			if _, isTime := m.Get(f).Message().Interface().(*timestamppb.Timestamp); !isTime {
				c.plant(m.Mutable(f).Message())
			}
		case f.Kind() != protoreflect.StringKind || keptTexts[f.FullName()]:
		case f.IsList():
			m.Mutable(f).List().Append(protoreflect.ValueOfString(c.text(f)))
		default:
			m.Set(f, protoreflect.ValueOfString(c.text(f)))
		}
	}
}

func (c *canaries) text(f protoreflect.FieldDescriptor) string {
	name := string(f.FullName())
	word := c.word(name, publicTexts[f.FullName()])
	switch {
	case name == "Order.Settings.Customer.phone" || name == "Partner.ContactDetails.phones":
		return c.phone(name)
	case strings.HasSuffix(name, "email"):
		return word + "@example.com"
	case name == "Order.Settings.Customer.name":
		return word + " " + c.word(name, false)
	}
	return word
}

// actToken is for the actions of the console.
const actToken = "a-token-to-act-with"

// A deployment in which all that is private is planted, and every output is looked through.
type privateDeployment struct {
	*deployment
	canaries
	outputs int
	refuse  atomic.Bool // records for the target cluster
	ids     int
}

// clean wants nothing private in an output.
func (d *privateDeployment) clean(what, text string) {
	d.t.Helper()
	d.outputs++
	for _, name := range d.found(text) {
		if !d.public[name] {
			at := strings.Index(strings.ToLower(text), name)
			if at < 0 {
				at = canary.FindStringIndex(text)[0]
			}
			d.t.Errorf("%s: shows %s: …%s…", what, d.fields[name], text[max(0, at-80):min(len(text), at+40)])
		}
	}
}

// says runs a command, looks at what it says, and wants one of the exit codes.
func (d *privateDeployment) says(codes []int, args ...string) result {
	d.t.Helper()
	return d.saysOf(nil, codes, args...)
}

func (d *privateDeployment) saysOf(stdin []byte, codes []int, args ...string) result {
	d.t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(args, bytes.NewReader(stdin), &stdout, &stderr, nil)
	if !slices.Contains(codes, code) {
		d.t.Errorf("%v: exit code %d: %s%s", args, code, &stdout, &stderr)
	}
	what := strings.Join(args, " ")
	d.clean(what, stdout.String()+stderr.String())
	return result{code, stdout.String(), stderr.String()}
}

// answers looks through what an instance answers.
func (d *privateDeployment) answers(in *instance, paths ...string) {
	d.t.Helper()
	for _, path := range paths {
		d.asked(in, "GET", path, "")
	}
}

// asked sends a request, an action with the token for it, and looks through the answer: of a stream, the first event.
func (d *privateDeployment) asked(in *instance, method, path, body string) (status int) {
	d.t.Helper()
	address := regexp.MustCompile(`address"?[:=]"?(127\.0\.0\.1:\d+)`).FindStringSubmatch(in.log.String())
	if address == nil {
		d.t.Fatalf("no address in the log: %s", &in.log)
	}
	r, err := http.NewRequestWithContext(d.t.Context(), method, "http://"+address[1]+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if method != "GET" {
		r.Header.Set("Authorization", "Bearer "+actToken)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	var text bytes.Buffer
	for lines := bufio.NewReader(answer.Body); err == nil; {
		var line string
		line, err = lines.ReadString('\n')
		if text.WriteString(line); answer.Header.Get("Content-Type") == "text/event-stream" && line == "\n" {
			break
		}
	}
	if text.Len() == 0 {
		d.t.Errorf("%s %s: %s, empty", method, path, answer.Status)
	}
	d.clean(method+" "+path, text.String())
	return answer.StatusCode
}

// looksAround asks an instance for all that its console shows and does.
func (d *privateDeployment) looksAround(in *instance, event, order string, quarantined []processors.Replayed) {
	d.t.Helper()
	for path, want := range map[string]int{
		"/": 200, "/healthz": 200, "/api/v1/overview": 200, "/api/v1/parked": 200, "/api/v1/quarantine": 200, "/api/v1/stream": 200,
		"/api/v1/events/" + event: 200, "/api/v1/orders/" + order: 200, "/api/v1/refunds/" + order: 404, "/api/v1/none": 404,
	} {
		if got := d.asked(in, "GET", path, ""); got != want {
			d.t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	d.answers(in, "/api/v1/compare", "/compare/report.html")
	for _, x := range quarantined {
		if got := d.asked(in, "GET", fmt.Sprintf("/api/v1/quarantine/%d/%d", x.Partition, x.Offset), ""); got != 200 {
			d.t.Errorf("%s in quarantine: %d", x.Reason, got)
		}
	}
	for action, want := range map[[2]string]int{
		{"/api/v1/resync", `{"order":"` + order + `"}`}:                          200,
		{"/api/v1/resync", `{"nothing":"` + d.word("request", false) + `"}`}:     400,
		{"/api/v1/quarantine/replay", `{"reason":"invalid_phone"}`}:              200,
		{"/api/v1/quarantine/replay", `{"reason":"undecodable","dry_run":true}`}: 200,
		{"/api/v1/topics/orders_done/resume", `{}`}:                              200,
	} {
		if got := d.asked(in, "POST", action[0], action[1]); got != want {
			d.t.Errorf("%v: %d, want %d", action, got, want)
		}
	}
}

// ends stops an instance and looks through all that it has logged.
func (d *privateDeployment) ends(in *instance, what string) {
	d.t.Helper()
	if code := in.stop(syscall.SIGTERM); code != codeOK {
		d.t.Errorf("%s: exit code %d: %s", what, code, &in.log)
	}
	d.clean(what, in.log.String()+in.stdout.String())
}

func (d *privateDeployment) id() string {
	d.ids++
	return fmt.Sprintf("%024x", 0xabc000+d.ids)
}

func (d *privateDeployment) partner() *legacyproto.Partner {
	m := &legacyproto.Partner{Id: d.id(), Currency: "rub"}
	d.plant(m.ProtoReflect())
	return m
}

func (d *privateDeployment) event(org string) *legacyproto.Event {
	m := &legacyproto.Event{Id: d.id(), Org: org, Status: legacyproto.Event_PUBLIC, Lifetime: &legacyproto.Lifetime{Start: &timestamppb.Timestamp{Seconds: 1777651200}}}
	m.Sets = []*legacyproto.Event_TicketSet{{Id: "set"}}
	d.plant(m.ProtoReflect())
	return m
}

func (d *privateDeployment) order(event, org string) *legacyproto.Order {
	m := &legacyproto.Order{Id: d.id(), Event: event, Org: org, Status: legacyproto.Order_DONE}
	m.Tickets = []*legacyproto.Order_Ticket{{Id: d.id(), Set: "set", Nominal: 100000}}
	d.plant(m.ProtoReflect())
	return m
}

func (d *privateDeployment) refund(o *legacyproto.Order) *legacyproto.RefundRequest {
	m := &legacyproto.RefundRequest{Id: d.id(), Order: o.Id, Event: o.Event, Status: legacyproto.RefundRequest_APPROVED}
	m.Tickets = []*legacyproto.RefundRequest_Ticket{{Id: o.Tickets[0].Id}}
	d.plant(m.ProtoReflect())
	return m
}

// legacy writes a record as a producer might that knows nothing of privacy: key and headers are private, too.
func (d *privateDeployment) legacy(s mapping.Stream, value []byte) {
	d.t.Helper()
	kafkatest.Produce(d.t, d.source.Brokers, d.load().Topics.Legacy[s], &kafkatest.Record{
		Key: []byte(d.phone("key")), Value: value, Headers: []kgo.RecordHeader{{Key: "user", Value: []byte(d.word("header", false))}},
	})
}

func (d *privateDeployment) encoded(m proto.Message) []byte {
	d.t.Helper()
	value, err := proto.Marshal(m)
	if err != nil {
		d.t.Fatal(err)
	}
	return value
}

// bad gives a record for every reason to go to quarantine.
func (d *privateDeployment) bad(org, event string) map[mapping.Reason][]byte {
	changed := func(s mapping.Stream, change func(p *legacyproto.Partner, e *legacyproto.Event, o *legacyproto.Order, r *legacyproto.RefundRequest)) []byte {
		o := d.order(event, org)
		p, e, r := d.partner(), d.event(org), d.refund(o)
		change(p, e, o, r)
		return d.encoded(map[mapping.Stream]proto.Message{mapping.Partners: p, mapping.Events: e, mapping.Orders: o, mapping.Refunds: r}[s])
	}
	type (
		p = *legacyproto.Partner
		e = *legacyproto.Event
		o = *legacyproto.Order
		r = *legacyproto.RefundRequest
	)
	whole := d.encoded(d.order(event, org))
	broken := d.order(event, org)
	broken.Settings.Customer.Name += "~~"
	return map[mapping.Reason][]byte{
		mapping.ReasonUndecodable:          whole[:len(whole)-3],
		mapping.ReasonInvalidUTF8:          bytes.Replace(d.encoded(broken), []byte("~~"), []byte("\xff\xfe"), 1),
		mapping.ReasonTooLarge:             changed(mapping.Events, func(_ p, e e, _ o, _ r) { e.Description += swelling(300 * kib) }),
		mapping.ReasonPartnerWithoutID:     changed(mapping.Partners, func(p p, _ e, _ o, _ r) { p.Id = "" }),
		mapping.ReasonEventWithoutID:       changed(mapping.Events, func(_ p, e e, _ o, _ r) { e.Id = "" }),
		mapping.ReasonEventWithoutName:     changed(mapping.Events, func(_ p, e e, _ o, _ r) { e.Name = "" }),
		mapping.ReasonEventWithoutDates:    changed(mapping.Events, func(_ p, e e, _ o, _ r) { e.Lifetime = nil }),
		mapping.ReasonOrderWithoutID:       changed(mapping.Orders, func(_ p, _ e, o o, _ r) { o.Id = "" }),
		mapping.ReasonOrderWithoutEvent:    changed(mapping.Orders, func(_ p, _ e, o o, _ r) { o.Event = "" }),
		mapping.ReasonInvalidPhone:         changed(mapping.Orders, func(_ p, _ e, o o, _ r) { o.Settings.Customer.Phone = "12 34 " + d.word("phone", false) }),
		mapping.ReasonTicketWithoutID:      changed(mapping.Orders, func(_ p, _ e, o o, _ r) { o.Tickets[0].Id = "" }),
		mapping.ReasonRefundWithoutID:      changed(mapping.Refunds, func(_ p, _ e, _ o, r r) { r.Id = "" }),
		mapping.ReasonRefundWithoutOrder:   changed(mapping.Refunds, func(_ p, _ e, _ o, r r) { r.Order = "" }),
		mapping.ReasonRefundWithoutEvent:   changed(mapping.Refunds, func(_ p, _ e, _ o, r r) { r.Event = "" }),
		mapping.ReasonRefundWithoutTickets: changed(mapping.Refunds, func(_ p, _ e, _ o, r r) { r.Tickets = nil }),
	}
}

func badStream(reason mapping.Reason) mapping.Stream {
	switch text := string(reason); {
	case strings.HasPrefix(text, "partner"):
		return mapping.Partners
	case strings.HasPrefix(text, "event"), reason == mapping.ReasonTooLarge:
		return mapping.Events
	case strings.HasPrefix(text, "refund"):
		return mapping.Refunds
	}
	return mapping.Orders
}

// refusing has the target cluster refuse records as long as it is told to.
func (d *privateDeployment) refusing() {
	d.target.broker.Cluster().ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
		d.target.broker.Cluster().KeepControl()
		if !d.refuse.Load() {
			return nil, nil, false
		}
		response := request.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range request.(*kmsg.ProduceRequest).Topics {
			answer := kmsg.ProduceResponseTopic{Topic: topic.Topic, TopicID: topic.TopicID}
			for _, partition := range topic.Partitions {
				answer.Partitions = append(answer.Partitions, kmsg.ProduceResponseTopicPartition{Partition: partition.Partition, ErrorCode: kerr.MessageTooLarge.Code})
			}
			response.Topics = append(response.Topics, answer)
		}
		return response, nil, true
	})
}

// Whatever goes in, and whatever goes wrong: no phone, e-mail, name, barcode or other private text comes out but in
// slim records, in the quarantine topic, and in files that are there to hold records.
func TestNothingPrivateIsShown(t *testing.T) {
	t.Parallel()
	d := &privateDeployment{deployment: newDeployment(t), canaries: canaries{fields: map[string]string{}, public: map[string]bool{}}}
	path := func(name string) string { return filepath.Join(d.folder, name) }
	d.configure(fmt.Sprintf(`holds: {organizer: 1s, set: 1s}
sweep_interval: 200ms
session_timeout: 10s
quarantine: {max_share: 0}
log: {level: debug}
http: {listen: "127.0.0.1:0", act_token_file: %q}
compare: {grace: 1s, audit_interval: 1s}
cutover: {max_behind: 0s}
`, d.write("token", actToken)))
	d.refusing()
	ok, checks, refused := []int{codeOK}, []int{codeChecks}, []int{codeRefused}
	either := []int{codeOK, codeChecks}
	d.says(ok, "topics", "plan", "--config", d.config)
	d.says(ok, "topics", "create", "--config", d.config)

	partner := d.partner()
	event := d.event(partner.Id)
	order := d.order(event.Id, partner.Id)
	noPhone, expired := d.order(event.Id, partner.Id), d.order(event.Id, partner.Id)
	noPhone.Settings.Customer.Phone, expired.Status = "", legacyproto.Order_EXPIRED
	waits := d.order(d.id(), partner.Id)
	d.legacy(mapping.Partners, d.encoded(partner))
	d.legacy(mapping.Events, d.encoded(event))
	for _, o := range []*legacyproto.Order{order, noPhone, expired, waits} {
		d.legacy(mapping.Orders, d.encoded(o))
		d.legacy(mapping.Refunds, d.encoded(d.refund(o)))
	}
	bad := d.bad(partner.Id, event.Id)
	for _, reason := range mapping.QuarantineReasons {
		if bad[reason] == nil {
			t.Fatalf("no record is %s", reason)
		}
		d.legacy(badStream(reason), bad[reason])
	}

	// It runs: every reason is there, and what is private has come through.
	in := d.run()
	var quarantined []processors.Replayed
	kafkatest.Eventually(t, "a record for every reason in quarantine", func() bool {
		in.alive()
		quarantined = nil
		reasons := map[string]bool{}
		for line := range strings.Lines(d.says(ok, "quarantine", "list", "--config", d.config, "--json").stdout) {
			var x processors.Replayed
			if err := json.Unmarshal([]byte(line), &x); err != nil {
				t.Fatal(err)
			}
			quarantined, reasons[x.Reason] = append(quarantined, x), true
		}
		return len(reasons) == len(mapping.QuarantineReasons)
	})
	d.drain(in)
	emitted := lastOf(t, d.target.Brokers, "orders")
	if through := d.found(string(emitted.Value)); len(through) < 4 || canary.FindString(string(emitted.Value)) == "" {
		t.Fatalf("of what was planted only %v is in the slim order %s", through, emitted.Value)
	}
	d.answers(in, "/metrics", "/readyz", "/healthz")
	d.ends(in, "log in JSON")

	// It runs again, and the target refuses what it writes; then no more.
	d.refuse.Store(true)
	in = d.run("--log-format", "text")
	order.Number++
	order.Tickets[0].Nominal++
	d.legacy(mapping.Orders, d.encoded(order))
	in.says("instance failed, and is built anew", 1)
	d.answers(in, "/metrics", "/readyz")
	d.says([]int{codeFailed, codeRefused}, "quarantine", "replay", "--config", d.config, "--again", "--reason", "invalid_phone", "--dry-run=false", "--stop-timeout", "1s", "--state-brokers", "127.0.0.1:1")
	d.refuse.Store(false)
	d.drain(in)
	for _, how := range [][]string{nil, {"--json"}} {
		with := func(args ...string) []string { return append(append(args, "--config", d.config), how...) }
		d.says(ok, with("quarantine", "list")...)
		d.says(checks, with("quarantine", "replay", "--all", "--dry-run")...)
		d.says(checks, with("quarantine", "replay", "--all", "--rate", "1000")...)
		d.says(ok, with("parked")...)
		d.says(ok, with("resync", "--event", event.Id)...)
		d.says(ok, with("resync", "--since", "1h", "--dry-run")...)
		d.says(either, with("verify", "--grace", "1s")...)
		d.says([]int{codeOK, codeFailed, codeRefused}, with("check")...)
	}
	d.looksAround(in, event.Id, order.Id, quarantined)
	for i, x := range quarantined {
		args := []string{"quarantine", "show", "--config", d.config, fmt.Sprintf("%d/%d", x.Partition, x.Offset)}
		if i%2 == 1 {
			args = append(args, "--json")
		}
		d.says(ok, args...)
	}
	d.says(ok, "quarantine", "show", "--config", d.config, fmt.Sprintf("%d/%d", quarantined[0].Partition, quarantined[0].Offset), "--raw", path("raw.bin"))
	d.says(ok, "acls", "--config", d.config, "--principal", "User:bridge")
	d.says(ok, "config", "show", "--config", d.config)
	d.drain(in)

	// Files hold records; what is said of them is clean. map shows the slim record of one that its caller has.
	d.says(ok, "capture", "--config", d.config, "--until-end", "--out", path("legacy.ndjson"))
	d.says(ok, "dry-run", "--in", path("legacy.ndjson"), "--expire-holds", "--out", path("slim.ndjson"))
	d.says(ok, "dry-run", "--in", path("legacy.ndjson"), "--out", path("slim.ndjson"), "--summary", "-")
	for _, name := range []string{"partner.bin", "event.bin"} {
		d.write(name, string(d.encoded(map[string]proto.Message{"partner.bin": partner, "event.bin": event}[name])))
	}
	for reason, value := range bad {
		stream := badStream(reason)
		args := []string{"map", mapNames[stream], "--explain"}
		if stream == mapping.Orders {
			args = append(args, "--event", path("event.bin"))
		}
		d.saysOf(value, ok, args...)
	}
	d.write("bad.bin", string(bad[mapping.ReasonInvalidUTF8]))
	d.saysOf(d.encoded(d.refund(order)), refused, "map", "refund", "--order", path("bad.bin"))
	d.write("bad.ndjson", strings.Replace(mustRead(t, path("legacy.ndjson")), `"topic":"orders_done"`, `"topic":"elsewhere"`, 1))
	d.says(refused, "dry-run", "--in", path("bad.ndjson"), "--out", path("slim.ndjson"))
	d.write("torn.ndjson", mustRead(t, path("legacy.ndjson"))[:5000])
	d.says(refused, "dry-run", "--in", path("torn.ndjson"), "--out", path("slim.ndjson"))

	// A slim record is wrong in every private field.
	wrong := strings.NewReplacer(`"email":"`, `"email":"other-`, `"name":"Q`, `"name":"Other Q`, `"barcode":"`, `"barcode":"9`).Replace(string(emitted.Value))
	d.slim("orders", string(emitted.Key), regexp.MustCompile(`"phone":"[^"]+"`).ReplaceAllString(wrong, `"phone":"`+strings.NewReplacer(" ", "", "-", "").Replace(d.phone("slim phone"))+`"`))
	d.slim("orders", d.id(), strings.Replace(wrong, `"tickets":[`, `"tickets":[[],`, 1))
	d.slim("events", d.id(), `{"name":"`+d.word("malformed event", false)+`","organizer":{"name":7}}`)
	d.says(checks, "compare", "once", "--config", d.config, "--grace", "0s", "--html", path("once.html"), "--out", path("once.json"))
	d.says(checks, "compare", "once", "--config", d.config, "--grace", "0s", "--json")
	d.clean("once.html", mustRead(t, path("once.html")))
	d.clean("once.json", mustRead(t, path("once.json")))
	d.says(checks, "cutover-check", "--config", d.config, "--report", path("once.json"))
	d.says(checks, "verify", "--config", d.config, "--grace", "0s")
	comparison := d.start("compare", "run", "--config", d.config, "--state-dir", path("compare"), "--listen", "127.0.0.1:0", "--create-topics")
	d.reportUntil(comparison, "NO-GO", func(r *compare.Report) bool { return !r.Verdict.Go && len(r.Samples) > 0 })
	kafkatest.Eventually(t, "the differences published", func() bool {
		return runCommand("compare", "differences", "--config", d.config, "--field", "customer.phone").code == codeChecks
	})
	d.answers(comparison, "/metrics", "/readyz", "/report", "/report.html")
	d.says(checks, "compare", "differences", "--config", d.config)
	d.says(checks, "compare", "differences", "--config", d.config, "--json")
	d.says(either, "compare", "show", "--config", d.config, "--order", string(emitted.Key))
	d.says(checks, "compare", "report", "--config", d.config, "--html", path("run.html"))
	d.clean("run.html", mustRead(t, path("run.html")))
	d.says(checks, "cutover-check", "--config", d.config)
	for _, r := range kafkatest.ReadAll(t, d.target.Brokers, "trial-differences") {
		d.clean("topic of differences", fmt.Sprintf("%s %s %s", r.Key, r.Value, r.Headers))
	}
	d.ends(comparison, "log of compare run")

	// What cannot be reached.
	for _, args := range [][]string{{"parked"}, {"resync", "--event", event.Id}, {"quarantine", "list"}, {"verify"}, {"compare", "once"}, {"topics", "plan"}, {"cutover-check", "--report", path("once.json")}} {
		d.says([]int{codeRefused, codeFailed, codeChecks}, append(args, "--config", d.config, "--target-brokers", "127.0.0.1:1", "--state-brokers", "127.0.0.1:1")...)
	}
	d.ends(in, "log in text")
	if d.outputs < 80 || len(d.fields) < 500 {
		t.Errorf("%d outputs were looked through for %d texts: want more", d.outputs, len(d.fields))
	}
}

// A search that finds nothing because it cannot find anything is no search.
func TestCanariesAreFound(t *testing.T) {
	c := canaries{fields: map[string]string{}, public: map[string]bool{}}
	o := &legacyproto.Order{}
	c.plant(o.ProtoReflect())
	customer := o.Settings.Customer
	for _, text := range []string{customer.Name, customer.Email, customer.Phone, o.Tickets[0].Barcode, o.Payments[0].CardInfo.MaskedPan, o.LastRequest.Client.Ip, o.LastRequest.UserAgent} {
		compact := strings.NewReplacer(" ", "", "-", "").Replace(text)
		for _, written := range []string{text, strings.ToUpper(text), "before" + compact + "after", fmt.Sprintf("%q", text)} {
			if len(c.found(written)) == 0 {
				t.Errorf("%q is not found in %q", text, written)
			}
		}
	}
	if c.found("qzx9999k +7 900 000-99-99") != nil {
		t.Error("what was not planted is found")
	}
}
