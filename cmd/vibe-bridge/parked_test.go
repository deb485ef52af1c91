package main

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// personal is what the fixtures have of a customer, and what stands on a ticket.
var personal = regexp.MustCompile(`Secret|79001234567|@example\.com|460001`)

func (o *operated) parked(args ...string) (r parkedReport) {
	o.t.Helper()
	out := mustRun(o.t, append([]string{"parked", "--config", o.config, "--json"}, args...)...)
	if found := personal.FindString(out.stdout + out.stderr); found != "" {
		o.t.Errorf("it shows %q", found)
	}
	if err := json.Unmarshal([]byte(out.stdout), &r); err != nil {
		o.t.Fatalf("%v: %s", err, out.stdout)
	}
	return r
}

// lines are the entries without times and positions.
func lines(r parkedReport) (found []string) {
	for _, p := range r.Entries {
		found = append(found, strings.Join([]string{p.Kind, p.Event, p.Order, p.Refund, p.Reason, p.WaitsFor}, "|"))
	}
	slices.Sort(found)
	return found
}

// Every reason to wait, in words, as long as it lasts.
func TestParked(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		o := newOperated(t, target)
		o.createTopics()
		if r := mustRun(t, "parked", "--config", o.config); r.stdout != "nothing waits\n" {
			t.Errorf("of an empty table: %s", r.stdout)
		}
		stop := o.run()
		now := time.Now()
		withOrg, withSet := legacyEvent("unled"), legacyEvent("seated")
		withOrg.Org = "org1"
		withSet.Sets = []*legacyproto.Event_TicketSet{{Id: "s1"}}
		seated, unpaid := legacyOrder("o3", "seated"), legacyOrder("o5", "seated")
		seated.Tickets = []*legacyproto.Order_Ticket{{Id: "t1", Set: "s1", Barcode: "460001"}, {Id: "t2", Set: "s9", Barcode: "460001"}}
		unpaid.Status = legacyproto.Order_CANCELLED
		o.legacy(mapping.Events, now, withOrg, withSet)
		o.legacy(mapping.Orders, now, legacyOrder("a/1", "late/%"), legacyOrder("o2", "unled"), seated, unpaid, legacyOrder("o6", "seated"))
		o.legacy(mapping.Refunds, now, legacyRefund("r1", "a/1", "late/%"), legacyRefund("r5", "o5", "seated"))
		want := []string{
			"event|unled|||organizer|organizer org1",
			"order|late/%|a/1||event|event late/% is not published",
			"order|seated|o3||set|set s9 of ticket t2",
			"order|unled|o2||event|event unled is not published",
			"refund|late/%|a/1|r1|order|order a/1 is not published",
			"refund|seated|o5|r5|order_not_published|order o5 was skipped",
		}
		slices.Sort(want)
		var r parkedReport
		kafkatest.Eventually(t, "all of it to wait, and what is listed to stand", func() bool {
			r = o.parked()
			return slices.Equal(lines(r), want)
		})
		checkParked(t, r, o.cfg.Topics, now)

		for _, event := range []string{"late/%", "unled", "seated"} {
			own := slices.DeleteFunc(slices.Clone(want), func(line string) bool { return strings.Split(line, "|")[1] != event })
			if got := lines(o.parked("--event", event)); !slices.Equal(got, own) || len(own) != 2 {
				t.Errorf("of event %s: %q, want %q", event, got, own)
			}
		}
		if got := o.parked("--event", "nobody"); got.Waiting != 0 || len(got.Entries) != 0 || got.UnknownEvent != "nobody" {
			t.Errorf("of an event that nobody knows: %+v", got)
		}
		if text := mustRun(t, "parked", "--config", o.config, "--event", "nobody").stdout; !strings.Contains(text, "nothing is known of an event nobody") || !strings.Contains(text, "quarantine list --id nobody") {
			t.Errorf("of an event that nobody knows: %s", text)
		}
		if got := o.parked("--limit", "2"); got.Waiting != 6 || len(got.Entries) != 2 {
			t.Errorf("with a limit: %+v", got)
		}
		text := mustRun(t, "parked", "--config", o.config, "--limit", "5").stdout
		if !regexp.MustCompile(`(?m)^event +2 +\d+s$`).MatchString(text) || !strings.HasSuffix(text, "\nand 1 more: --limit 0 lists all\n") || personal.MatchString(text) {
			t.Errorf("text:\n%s", text)
		}

		// The event comes: nothing of it waits any longer.
		o.legacy(mapping.Events, now, legacyEvent("late/%"))
		kafkatest.Eventually(t, "the event's order and refund to go out", func() bool { return o.parked().Waiting == 4 })
		if text := mustRun(t, "parked", "--config", o.config, "--event", "late/%").stdout; text != "nothing waits\n" {
			t.Errorf("of an event that is through: %s", text)
		}
		stop()
		if got := o.parked(); got.Waiting != 4 {
			t.Errorf("without an instance %d wait, want 4", got.Waiting)
		}
	})
}

// checkParked looks at what lines leaves out.
func checkParked(t *testing.T, r parkedReport, topics processors.Topics, began time.Time) {
	t.Helper()
	if r.Waiting != len(r.Entries) || !slices.IsSortedFunc(r.Entries, func(a, b processors.Parked) int { return a.Since.Compare(b.Since) }) {
		t.Errorf("%d wait, in this order: %+v", r.Waiting, r.Entries)
	}
	for _, p := range r.Entries {
		stream := map[string]mapping.Stream{"event": mapping.Events, "order": mapping.Orders, "refund": mapping.Refunds}[p.Kind]
		if p.Source.Topic != topics.Legacy[stream] || p.Source.Offset < 0 || p.Since.Before(began.Truncate(time.Millisecond)) {
			t.Errorf("of record %s since %s", p.Source, p.Since)
		}
		limited := p.Reason == "organizer" || p.Reason == "set"
		if limited != !p.Until.IsZero() || limited && p.Until.Sub(p.Since).Truncate(time.Minute) != time.Hour {
			t.Errorf("%s waits from %s until %s", p.Reason, p.Since, p.Until)
		}
	}
	counts := map[string]int{}
	for _, s := range r.Reasons {
		counts[s.Reason] = s.Count
	}
	if len(counts) != 5 || counts["event"] != 2 || counts["set"] != 1 {
		t.Errorf("reasons %+v", r.Reasons)
	}
}

func TestParkedWithoutTopics(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	r := execute(t, nil, "parked", "--config", d.config)
	if want := "vibe-bridge: 2 topics are missing, trial-gate-table on the state cluster among them: run `vibe-bridge topics create` with the same configuration\n"; r.code != codeRefused || r.stderr != want {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	mustCreate(d)
	other := execute(t, nil, "parked", "--config", d.config, "--partitions", "4")
	if want := "vibe-bridge: topic trial-gate-table (state cluster): has 2 partitions, want 4: "; other.code != codeRefused || !strings.HasPrefix(other.stderr, want) {
		t.Errorf("exit code %d: %s", other.code, other.stderr)
	}
	d.target.seen.forget()
	if r := execute(t, nil, "parked", "--config", d.config); r.code != codeOK || len(d.target.seen.names()) != 0 {
		t.Errorf("exit code %d: %s; the cluster saw %v", r.code, r.stderr, d.target.seen.names())
	}
}

// Text and summary of a list that stands.
func TestParkedReport(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	list := []processors.Parked{
		{Kind: "order", Event: "e 1", Order: "o1", Reason: "event", WaitsFor: "event \"e 1\" is not published", Since: now.Add(-26 * time.Hour), Source: processors.Position{Topic: "orders_done", Partition: 3, Offset: 17}},
		{Kind: "event", Event: "e2", Reason: "organizer", WaitsFor: "organizer org", Since: now.Add(-90 * time.Second), Until: now.Add(510 * time.Second), Source: processors.Position{Topic: "events"}},
		{Kind: "order", Event: "e1", Order: "o2", Reason: "event", WaitsFor: "event e1 is not published", Since: now.Add(time.Second), Source: processors.Position{Topic: "orders_done"}},
	}
	var b bytes.Buffer
	if err := newParkedReport(list, 2, now).print(&b); err != nil {
		t.Fatal(err)
	}
	const want = `REASON     WAITING  OLDEST
event      2        26h0m0s
organizer  1        1m30s

AGE      SINCE                 UNTIL                 KIND   EVENT  ORDER  REFUND  WAITS FOR                     LEGACY RECORD
26h0m0s  2026-04-30T10:00:00Z  -                     order  "e 1"  o1     -       event "e 1" is not published  orders_done/3/17
1m30s    2026-05-01T11:58:30Z  2026-05-01T12:08:30Z  event  e2     -      -       organizer org                 events/0/0
and 1 more: --limit 0 lists all
`
	if b.String() != want {
		t.Errorf("prints\n%s\nwant\n%s", b.String(), want)
	}
	if r := newParkedReport(list, 0, now); len(r.Entries) != 3 || r.Reasons[0].OldestAge != 26*3600 || r.Reasons[0].Count != 2 {
		t.Errorf("report %+v", r)
	}
}
