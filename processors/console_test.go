package processors_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/console"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/seal/sealtest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
)

const (
	viewToken     = "view-token-0123456789"
	personalToken = "personal-token-0123456789"
	actToken      = "act-token-0123456789"
)

// watched is an instance with a console.
type watched struct {
	*instance
	t      *testing.T
	url    string
	server *httptest.Server
	heard  *strings.Builder // all that was answered without the right to see personal data
}

// watch starts an instance whose console answers.
func (w *world) watch(http config.HTTP, said *said, heard *strings.Builder) *watched {
	w.t.Helper()
	server := httptest.NewUnstartedServer(nil)
	cfg := w.cfg
	cfg.StateDir, cfg.ConsoleURL, cfg.Version = w.t.TempDir(), "http://"+server.Listener.Addr().String(), "1.2.3"
	cfg.Log = slog.New(slog.NewTextHandler(said, nil))
	b, err := processors.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	answers, err := console.New(console.Options{HTTP: http, URL: cfg.ConsoleURL, Source: b.Console(nil), Log: cfg.Log, Metrics: promhttp.HandlerFor(b.Metrics().Registry, promhttp.HandlerOpts{})})
	if err != nil {
		w.t.Fatal(err)
	}
	server.Config.Handler = answers.Handler()
	server.Start()
	w.t.Cleanup(server.Close)
	ctx, stop := context.WithCancel(context.Background())
	in := &instance{stop: stop, done: make(chan error, 1)}
	go func() { in.done <- b.Run(ctx) }()
	w.t.Cleanup(func() { in.stop() })
	return &watched{in, w.t, cfg.ConsoleURL, server, heard}
}

// ask gives the status, and the answer in what unless that is nil.
func (in *watched) ask(method, path, token, body string, what any) int {
	in.t.Helper()
	r, err := http.NewRequestWithContext(in.t.Context(), method, in.url+path, strings.NewReader(body))
	if err != nil {
		in.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		in.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		in.t.Fatal(err)
	}
	if token != personalToken {
		in.heard.Write(text)
	}
	if what != nil {
		if err := json.Unmarshal(text, what); err != nil {
			in.t.Fatalf("%s: %v: %s", path, err, text)
		}
	}
	return answer.StatusCode
}

func (in *watched) get(path string, what any) int {
	in.t.Helper()
	return in.ask("GET", path, viewToken, "", what)
}

func (in *watched) overview() (o console.Overview) {
	in.t.Helper()
	if status := in.get("/api/v1/overview", &o); status != 200 {
		in.t.Fatalf("overview: %d", status)
	}
	return o
}

// fill gives every text that is empty one that can be known again, and returns those.
func fill(m protoreflect.Message, path string) (filled []string) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		at := path + "-" + string(f.Name())
		switch {
		case f.IsMap(), f.ContainingOneof() != nil && f.Message() == nil:
		case f.IsList() && f.Message() != nil:
			for j := range m.Get(f).List().Len() {
				filled = append(filled, fill(m.Get(f).List().Get(j).Message(), at)...)
			}
		case f.IsList():
		case f.Message() != nil:
			if m.Has(f) {
				filled = append(filled, fill(m.Get(f).Message(), at)...)
			}
		case f.Kind() == protoreflect.StringKind && m.Get(f).String() == "":
			m.Set(f, protoreflect.ValueOfString("canary"+at))
			filled = append(filled, "canary"+at)
		}
	}
	return filled
}

// personalOrder has a value that can be known again in every text of an order.
func personalOrder(id, event string) (*legacyproto.Order, []string) {
	o := order(id, event)
	c := o.GetSettings().GetCustomer()
	c.Phone, c.Email = "+79000000017", "canary@example.com"
	o.Tickets[0].Barcode = "canary-barcode"
	return o, append(fill(o.ProtoReflect(), "-order"), "79000000017", "canary@example.com", "canary-barcode")
}

// shownCanaries are not personal: ids, and what is in the whitelists of shown fields.
var shownCanaries = []string{"canary-order-org", "canary-order-tickets-set", "canary-order-tickets-id", "canary-event-org", "canary-event-meta", "canary-event-venue", "canary-event-category", "canary-partner-currency"}

// TestConsoleOfTwoInstances is the console of two instances: each shows what both have, one that does not answer is said
// to, its partitions are looked up where they went, and nothing personal is shown, logged or counted.
func TestConsoleOfTwoInstances(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w := newWorld(t, target, 4, season.Config{})
		w.cfg.Personal = sealtest.Keys(t, "k1") // a story is told to who may see it all the same
		said, heard := &said{}, &strings.Builder{}
		files := config.HTTP{Listen: "127.0.0.1:0"}
		for file, token := range map[*string]string{&files.ViewTokenFile: viewToken, &files.PersonalTokenFile: personalToken, &files.ActTokenFile: actToken} {
			*file = filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(*file, []byte(token), 0o600); err != nil {
				t.Fatal(err)
			}
		}

		partner := &legacyproto.Partner{Id: "canary-event-org"}
		canaries := fill(partner.ProtoReflect(), "-partner")
		w.legacy(mapping.Partners, partner)
		events := 8
		for i := range events {
			e := event(fmt.Sprint("e", i))
			e.Legal = &legacyproto.Event_LegalRu_{LegalRu: &legacyproto.Event_LegalRu{}}
			canaries = append(canaries, fill(e.ProtoReflect(), "-event")...)
			o, of := personalOrder(fmt.Sprint("o", i), e.GetId())
			canaries = append(canaries, of...)
			w.legacy(mapping.Events, e)
			w.legacy(mapping.Orders, o)
		}
		early, _ := personalOrder("early", "late")
		bad, _ := personalOrder("bad", "e0")
		bad.Settings.Customer.Phone = "canary-phone"
		skipped, _ := personalOrder("skipped", "e0")
		skipped.Settings.Customer.Phone = ""
		w.legacy(mapping.Orders, early, bad, skipped)
		w.legacy(mapping.Refunds, &legacyproto.RefundRequest{Id: "r0", Order: "o0", Event: "e0", Status: legacyproto.RefundRequest_APPROVED, Tickets: []*legacyproto.RefundRequest_Ticket{{Id: "ticket1"}}})

		a, b := w.watch(files, said, heard), w.watch(files, said, heard)
		both := []*instance{a.instance, b.instance}
		of := func(o console.Overview, group string) (has []int) {
			for _, in := range o.Instances {
				for _, g := range in.Groups {
					if g.Group == w.cfg.Topics.Name+group {
						has = append(has, len(g.Partitions))
					}
				}
			}
			return has
		}
		w.until("both to see both", both, func() bool {
			for _, in := range []*watched{a, b} {
				if o := in.overview(); !slices.Equal(of(o, "-gate"), []int{2, 2}) || !o.Instances[0].Reachable || !o.Instances[1].Reachable || len(o.Unassigned) > 0 {
					return false
				}
			}
			return true
		})
		w.drain(a.instance, b.instance)

		// Whoever is asked finds everything, by the event and without.
		found := map[string]int{}
		for _, in := range []*watched{a, b} {
			for i := range events {
				for _, path := range []string{fmt.Sprintf("/api/v1/events/e%d", i), fmt.Sprintf("/api/v1/orders/o%d?event=e%[1]d", i), fmt.Sprintf("/api/v1/orders/o%d", i)} {
					var s console.Story
					if status := in.get(path, &s); status != 200 || !s.Found || !slices.ContainsFunc(s.Story, func(s console.Step) bool {
						return s.What == "emitted" && strings.Contains(s.Text, "it is acknowledged")
					}) {
						t.Errorf("%s: %d %+v", path, status, s)
					}
					found[s.Instance]++
				}
			}
		}
		if len(found) != 2 || found[a.url] == 0 || found[b.url] == 0 {
			t.Errorf("found at %v, want both", found)
		}
		var refund, waiting, twice console.Story
		if a.get("/api/v1/refunds/r0", &refund); refund.Key != "e0/o0/r0" || len(refund.Parents) != 2 || refund.Parents[0].State != "emitted" {
			t.Errorf("refund %+v", refund)
		}
		if b.get("/api/v1/orders/early", &waiting); len(waiting.Story) == 0 || !strings.Contains(waiting.Story[len(waiting.Story)-1].Text, "event late is not published; it waits for as long as it takes") {
			t.Errorf("order that waits: %+v", waiting)
		}
		if status := a.get("/api/v1/orders/skipped", &twice); status != 200 || !strings.Contains(fmt.Sprint(twice.Story), "no_phone: the customer has no phone number") {
			t.Errorf("order that was skipped: %+v", twice)
		}
		if status := a.get("/api/v1/orders/nobody", &console.Failure{}); status != 404 {
			t.Errorf("nobody: %d", status)
		}
		for _, in := range []*watched{a, b} {
			var parked console.ParkedList
			if in.get("/api/v1/parked?reason=event", &parked); parked.Total != 1 || len(parked.Records) != 1 || parked.Records[0].ID != "early" || len(parked.Missing) > 0 {
				t.Errorf("parked %+v", parked)
			}
		}
		w.until("what waits to be counted", both, func() bool {
			p := a.overview().Parked
			return len(p) == 1 && p[0].Reason == "event" && p[0].Count == 1 && p[0].OldestSeconds > 0
		})
		w.look(a)
		w.seesPersonal(a)
		w.acts(a)

		// One goes silent, and then is gone.
		b.server.CloseClientConnections()
		b.server.Close()
		w.until("the silent one to be told", both, func() bool {
			o := a.overview()
			return len(o.Instances) == 2 && !o.Instances[1].Reachable && strings.Contains(fmt.Sprint(o.Instances[1].Reasons), "does not answer") && !o.Accounts.Known
		})
		for i := range events {
			if status := a.get(fmt.Sprintf("/api/v1/events/e%d", i), nil); status != 200 && status != 503 {
				t.Errorf("event %d: %d", i, status)
			}
		}
		w.leave(b.instance)
		w.until("its partitions to be taken over", both[:1], func() bool {
			o := a.overview()
			return len(o.Instances) == 1 && slices.Equal(of(o, "-gate"), []int{4}) && o.Instances[0].Ready
		})
		w.until("everything to be found", both[:1], func() bool {
			for i := range events {
				if a.get(fmt.Sprintf("/api/v1/orders/o%d", i), nil) != 200 {
					return false
				}
			}
			return true
		})
		w.leave(a.instance)

		metrics := heard.String() + said.String()
		for _, canary := range append(canaries, "canary-phone") {
			if !slices.Contains(shownCanaries, canary) && strings.Contains(metrics, canary) {
				t.Errorf("%s was shown or logged: …%s…", canary, around(metrics, canary))
			}
		}
	})
}

func around(text, part string) string {
	at := strings.Index(text, part)
	return text[max(0, at-100):min(len(text), at+len(part)+50)]
}

// look looks at the rest.
func (w *world) look(in *watched) {
	w.t.Helper()
	o := in.overview()
	if o.Deployment != w.cfg.Topics.Name || o.Version != "1.2.3" || !o.Accounts.Known || o.Accounts.Balance != 0 {
		w.t.Errorf("overview %+v", o)
	}
	if len(o.Quarantine) != 1 || o.Quarantine[0] != (console.BadSum{Topic: w.cfg.Topics.Legacy[mapping.Orders], Reason: "invalid_phone", Count: 1}) {
		w.t.Errorf("quarantine %+v", o.Quarantine)
	}
	known := map[string]bool{}
	for _, n := range o.Nodes {
		known[n.ID] = true
	}
	for _, e := range o.Edges {
		if !known[e.From] || !known[e.To] || e.LagRecords != 0 {
			w.t.Errorf("edge %+v", e)
		}
	}
	var list console.BadList
	if in.get("/api/v1/quarantine?topic=orders_done&id=bad", &list); len(list.Records) != 1 || list.Records[0].ID != "bad" || list.Reasons["invalid_phone"] != 1 {
		w.t.Fatalf("quarantine %+v", list)
	}
	var detail console.BadDetail
	if in.get("/api/v1/quarantine/"+list.Records[0].Position, &detail); detail.ID != "bad" || len(detail.Fields) < 5 {
		w.t.Errorf("quarantine %+v", detail)
	}
	var lost console.Failure
	if status := in.get("/api/v1/orders/bad", &lost); status != 404 || lost.Quarantine != list.Records[0].Position ||
		!strings.Contains(lost.Error, "no instance has seen order bad; it is in quarantine, "+lost.Quarantine+", because invalid_phone: ") {
		w.t.Errorf("an order that is in quarantine alone: %d %+v", status, lost)
	}
	for path, want := range map[string]int{
		"/api/v1/quarantine?topic=none": 404, "/api/v1/quarantine/0/999": 404, "/api/v1/compare": 404, "/compare/report.html": 404, "/metrics": 200, "/readyz": 200,
		"/api/v1/parked?reason=none": 400, "/api/v1/quarantine?reason=none": 400, "/api/v1/events/e0": 200,
	} {
		if status := in.get(path, nil); status != want {
			w.t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
}

// seesPersonal is what the right to see personal data shows.
func (w *world) seesPersonal(in *watched) {
	w.t.Helper()
	var s console.Story
	in.ask("GET", "/api/v1/orders/o0", personalToken, "", &s)
	values := map[string]string{}
	for _, f := range s.Fields {
		values[f.Name] = f.Value
	}
	if values["customer.phone"] != "+79000000017" || values["customer.email"] != "canary@example.com" || values["tickets[0].barcode"] != "canary-barcode" {
		w.t.Errorf("fields %v", values)
	}
}

func (w *world) acts(in *watched) {
	w.t.Helper()
	act := func(path, body string, status int, want string) {
		w.t.Helper()
		var got json.RawMessage
		if s := in.ask("POST", path, actToken, body, &got); s != status || !strings.Contains(string(got), want) {
			w.t.Errorf("%s %s: %d %s, want %d %s", path, body, s, got, status, want)
		}
	}
	act("/api/v1/resync", `{"event":"e0"}`, 200, `{"commands":1,"sent":1,"events":1,"orders":1,"refunds":`)
	act("/api/v1/resync", `{"order":"o1","dry_run":true}`, 200, `{"commands":1,"sent":0,"events":0,"orders":1,"refunds":`)
	act("/api/v1/resync", `{"event":"nobody"}`, 404, "not known")
	act("/api/v1/resync", `{"since":"tomorrow"}`, 400, "since: want")
	act("/api/v1/topics/orders_done/resume", "", 200, `{"resumed":false,"paused_since":null}`)
	act("/api/v1/topics/none/resume", "", 404, "is no legacy topic")
	act("/api/v1/quarantine/replay", `{"reason":"invalid_phone"}`, 200, `{"records":1,"outcomes":{"still invalid_phone":1}}`)
	act("/api/v1/quarantine/replay", `{"reason":"nonsense","dry_run":true}`, 400, "reason: nonsense is none: want one of undecodable, ")
	act("/api/v1/quarantine/replay", `{"positions":["0/999"]}`, 404, "no record at 0/999")
}
