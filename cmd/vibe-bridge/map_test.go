package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/slim"
	"github.com/ticketscloud/vibe-bridge/slim/vibev1"
)

// rawFiles are files with raw records.
type rawFiles struct {
	t      *testing.T
	folder string
}

func (f rawFiles) path(name string) string { return filepath.Join(f.folder, name) }

func (f rawFiles) add(name string, value []byte) {
	f.t.Helper()
	if err := os.WriteFile(f.path(name), value, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// rawRecords are the records that the tests of map refer to by name.
func rawRecords(t *testing.T) rawFiles {
	t.Helper()
	f := rawFiles{t, t.TempDir()}
	f.add("partner", raw(t, partnerRecord("org1")))
	f.add("partner2", raw(t, partnerRecord("org2")))
	f.add("nameless", raw(t, &legacyproto.Partner{Id: "org1"}))
	f.add("event", raw(t, eventRecord("event1", "org1")))
	f.add("event2", raw(t, eventRecord("event2", "org1")))
	f.add("order", raw(t, orderRecord("order1", "event1", "set1")))
	f.add("order2", raw(t, orderRecord("order2", "event1", "")))
	f.add("refund", raw(t, refundRecord("refund1", "order1", "event1")))
	undated := eventRecord("event1", "org1")
	undated.Lifetime = nil
	f.add("undated", raw(t, undated))
	cancelled := orderRecord("order1", "event1", "")
	cancelled.Status = legacyproto.Order_CANCELLED
	f.add("cancelled", raw(t, cancelled))
	phoneless := orderRecord("order1", "event1", "")
	phoneless.Settings.Customer.Phone = ""
	f.add("phoneless", raw(t, phoneless))
	wrongPhone := orderRecord("order1", "event1", "")
	wrongPhone.Settings.Customer.Phone = "12"
	f.add("wrongphone", raw(t, wrongPhone))
	newRefund := refundRecord("refund1", "order1", "event1")
	newRefund.Status = legacyproto.RefundRequest_NEW
	f.add("newrefund", raw(t, newRefund))
	f.add("garbage", []byte("garbage"))
	f.add("empty", nil)
	return f
}

// runMap runs "map ARGS < FILE" in which @NAME is a file.
func (f rawFiles) runMap(command string) result {
	f.t.Helper()
	args := strings.Fields(strings.ReplaceAll(command, "@", f.folder+"/"))
	i := slices.Index(args, "<")
	input, err := os.ReadFile(args[i+1])
	if err != nil {
		f.t.Fatal(err)
	}
	return runWithInput(string(input), append([]string{"map"}, args[:i]...)...)
}

func TestMap(t *testing.T) {
	files := rawRecords(t)
	const (
		bareEvent = `{"id":"event1","name":"Evening","category":"other","start_at":1777651200,"finish_at":1777651200}`
		fullEvent = `{"id":"event1","name":"Evening","category":"other","start_at":1777651200,"finish_at":1777651200,"organizer":{"id":"org1","name":"Organizer"}}`
		refund    = `{"customer":{"email":"buyer@example.com","phone":"+79001234567","name":"Sample Buyer"},"ticket_ids":["ticket1"]}`
	)
	withoutCurrency := strings.Replace(slimOrder1, `,"currency":"RUB"`, "", 1)
	tests := []struct{ name, command, want string }{
		{"event, whose hold is over", "event < @event", bareEvent},
		{"event with its partner", "event --partner @partner < @event", fullEvent},
		{"order, whose hold is over", "order --event @event < @order", withoutCurrency},
		{"order with its event and partner", "order --event @event --partner @partner < @order", slimOrder1},
		{"refund", "refund --order @order --event @event < @refund", refund},

		{"partner", "partner < @partner", "no slim record of its own: events and orders of this organizer take its facts"},
		{"tombstone", "event < @empty", "tombstone: an empty value is counted and nothing else"},
		{"partner tombstone", "partner < @empty", "tombstone: an empty value is counted and nothing else"},
		{"garbage", "event < @garbage", "quarantined: undecodable (the value is not a protobuf message of this topic's type)"},
		{"partner garbage", "partner < @garbage", "quarantined: undecodable (the value is not a protobuf message of this topic's type)"},
		{"event that is quarantined", "event < @undated", "quarantined: event_without_dates (lifetime has neither start nor finish)"},
		{"order that is quarantined", "order --event @event < @wrongphone", "quarantined: invalid_phone (settings.customer.phone is not a possible phone number)"},
		{"order that is skipped", "order --event @event < @cancelled", "skipped: status_cancelled"},
		{"order without phone", "order < @phoneless", "skipped: no_phone"},
		{"refund that is skipped", "refund < @newrefund", "skipped: status_new"},
		{"refund of a skipped order", "refund --order @phoneless --event @event < @refund", "skipped: order_not_published"},

		{"order without its event", "order < @order", "parked: it waits for its event: give that with --event"},
		{"order with another event", "order --event @event2 < @order", "parked: it waits for its event, and the one given with --event has another id"},
		{"refund without its order", "refund --event @event < @refund", "parked: it waits for its order: give that with --order"},
		{"refund with another order", "refund --event @event --order @order2 < @refund", "parked: it waits for its order, and the one given with --order has another id"},
		{"refund of a parked order", "refund --order @order < @refund", "parked: it waits for its order, which is not published itself (parked: it waits for its event: give that with --event)"},
		{"event of 2.0 without partner", "event --edition 2.0 < @event", "parked: it waits for its partner: give that with --partner"},
		{"event of 2.0 with another partner", "event --edition 2.0 --partner @partner2 < @event", "parked: it waits for its partner, and the one given with --partner has another id or no name"},
		{"event of 2.0 with a partner without name", "event --edition 2.0 --partner @nameless < @event", "parked: it waits for its partner, and the one given with --partner has another id or no name"},
		{"order of 2.0 without partner", "order --edition 2.0 --event @event < @order", "parked: it waits for its event, which is not published itself (parked: it waits for its partner: give that with --partner)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := files.runMap(tt.command)
			if r.code != codeOK || r.stdout != tt.want+"\n" || r.stderr != "" {
				t.Errorf("exit code %d: %s%swant %s", r.code, r.stdout, r.stderr, tt.want)
			}
		})
	}
}

func TestMapToProtobuf(t *testing.T) {
	r := rawRecords(t).runMap("order --format protobuf --event @event --partner @partner < @order")
	var order vibev1.Order
	if err := proto.Unmarshal([]byte(r.stdout), &order); err != nil || r.code != codeOK || order.GetId() != "order1" || order.GetCustomer().GetEmail() != "buyer@example.com" {
		t.Errorf("exit code %d: %v, %v; %s", r.code, &order, err, r.stderr)
	}
}

func TestMapRefuses(t *testing.T) {
	files := rawRecords(t)
	tests := []struct{ name, command, want string }{
		{"no kind", "< @event", "no kind of record given: want partner, event, order or refund; see vibe-bridge map --help"},
		{"unknown kind", "ticket < @event", `unexpected argument "ticket": want partner, event, order or refund; see vibe-bridge map --help`},
		{"two kinds", "event order < @event", `unexpected argument "order": want one of partner, event, order or refund; see vibe-bridge map --help`},
		{"no such file", "order --event @none < @order", "--event: open FOLDER/none: no such file or directory"},
		{"garbage beside", "order --event @garbage < @order", "--event FOLDER/garbage: it is no usable event record: undecodable (the value is not a protobuf message of this topic's type)"},
		{"quarantined beside", "refund --event @event --order @wrongphone < @refund", "--order FOLDER/wrongphone: it is no usable order record: invalid_phone (settings.customer.phone is not a possible phone number)"},
		{"what it does not depend on", "event --order @order < @event", "--order: a slim event does not depend on one: leave it out"},
		{"itself", "event --event @event < @event", "--event: a slim event does not depend on one: leave it out"},
		{"unknown edition", "event --edition 1.1 < @event", `configuration: edition: "1.1": want one of 1.0, 2.0`},
		{"explained protobuf", "event --explain --format protobuf < @event", "--explain works with --format json"},
		{"no directory", "event --directory @none < @event", "read directory: open FOLDER/none: no such file or directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := files.runMap(tt.command)
			want := "vibe-bridge: " + strings.ReplaceAll(tt.want, "FOLDER", files.folder) + "\n"
			if r.code != codeRefused || r.stdout != "" || r.stderr != want {
				t.Errorf("exit code %d: %s%swant %s", r.code, r.stdout, r.stderr, want)
			}
		})
	}
}

func TestMapExplains(t *testing.T) {
	r := rawRecords(t).runMap("order --explain --event @event --partner @partner < @order")
	var got []string
	for line := range strings.Lines(r.stdout) {
		got = append(got, strings.Join(regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(line), -1), " | "))
	}
	want := []string{ // in the order of the slim contract
		`SLIM FIELD | VALUE | LEGACY FIELD | RULE`,
		`id | "order1" | id | as it is`,
		`customer.email | "buyer@example.com" | settings.customer.email | "" when absent`,
		`customer.phone | "+79001234567" | settings.customer.phone | normalised to E.164, default region RU`,
		`customer.name | "Sample Buyer" | settings.customer.name | trimmed, inner white space collapsed`,
		`tickets[0].id | "ticket1" | tickets[].id | as it is`,
		`tickets[0].event_id | "event1" | event | as it is`,
		`tickets[0].organizer_id | "org1" | org | else the event's org`,
		`tickets[0].barcode | "460001" | tickets[].barcode | "" when absent`,
		`tickets[0].category | "" | tickets[].set | Event.sets[].name of that set; "" when unknown after the hold`,
		`tickets[0].price_nominal | 0 | tickets[].nominal | minor units, 0 included`,
		`tickets[0].currency | "RUB" | Partner.currency | of the event's organizer, upper-cased; left out unless one of five`,
	}
	if r.code != codeOK || !slices.Equal(got, want) {
		t.Errorf("exit code %d: %s\n%s\nwant\n%s", r.code, r.stderr, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	skipped := rawRecords(t).runMap("order --explain < @cancelled")
	if skipped.code != codeOK || skipped.stdout != "skipped: status_cancelled\n" {
		t.Errorf("exit code %d: %s%s", skipped.code, skipped.stdout, skipped.stderr)
	}
}

// neverWritten are slim fields that the bridge has no source for: the directory
// has no post codes.
var neverWritten = map[string]bool{"venue.zipcode": true}

// Every field of every full golden record of both editions has an explanation.
func TestEveryFieldIsExplained(t *testing.T) {
	goldens := map[mapping.Stream]string{mapping.Events: "event_full", mapping.Orders: "order_full", mapping.Refunds: "refund_full"}
	met := map[string]bool{}
	for stream, name := range goldens {
		for edition, record := range goldenRecords(t, name) {
			fields, err := leaves(record)
			if err != nil || len(fields) < 5 {
				t.Fatalf("%s: %d fields, %v", name, len(fields), err)
			}
			for _, field := range fields {
				origin := mapping.Explain(stream, edition, field.path)
				explained := origin.Legacy != "" && origin.Rule != ""
				if neverWritten[field.path] {
					met[field.path] = true
				}
				if explained == neverWritten[field.path] {
					t.Errorf("%s of edition %s: %s: explained %t: %+v", name, edition, field.path, explained, origin)
				}
			}
		}
	}
	if len(met) != len(neverWritten) {
		t.Errorf("no golden record has %v", neverWritten)
	}
	if o := mapping.Explain(mapping.Events, slim.Edition1, "nonsense"); o != (mapping.Origin{}) {
		t.Errorf("a field that does not exist is explained: %+v", o)
	}
}

// goldenRecords are the JSON forms of one of package slim's golden cases.
func goldenRecords(t *testing.T, name string) map[slim.Edition][]byte {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("..", "..", "slim", "testdata", "golden", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	records := map[slim.Edition][]byte{}
	for _, file := range archive.Files {
		for _, edition := range []slim.Edition{slim.Edition1, slim.Edition2} {
			if file.Name == edition.String()+"/json" {
				records[edition] = file.Data
			}
		}
	}
	if len(records) != 2 {
		t.Fatalf("%s has %d JSON records, want one of each edition", name, len(records))
	}
	return records
}

// Fields are listed as they stand there, and values as they are written.
func TestLeaves(t *testing.T) {
	got, err := leaves([]byte(`{"b":"<&>","a":{"z":[1,[2.50,{"y":null}]],"e":{},"f":[]},"n":12345678901234567890,"t":true}`))
	want := []leaf{{"b", `"<&>"`}, {"a.z[0]", "1"}, {"a.z[1][0]", "2.50"}, {"a.z[1][1].y", "null"}, {"n", "12345678901234567890"}, {"t", "true"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, broken := range []string{``, `{`, `{"a"`, `{"a":[1}`, `{"a":1`} {
		if got, err := leaves([]byte(broken)); err == nil {
			t.Errorf("%q gives %v", broken, got)
		}
	}
}
