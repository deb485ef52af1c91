package console

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/logging"
)

// instance is a source whose entities are a few texts.
type instance struct {
	partition int32 // that it has
	entities  map[string]string
	peers     []Peer
	peersErr  error
	notReady  []string
	acts      chan struct{} // each action takes one when it begins and one before it ends; nil: none waits
	actErr    error
	away      error // Kafka is; nil: it is there
	bad       *BadRecord

	mu    sync.Mutex
	asked []StoryQuery
}

const (
	canaryPhone = "+79000000017"
	canaryName  = "Canary Person"
)

func (i *instance) Ready() Readiness {
	return Readiness{Ready: len(i.notReady) == 0, Reasons: i.notReady, Restored: map[string]float64{"b-gate": 50}}
}

func (i *instance) Overview(context.Context) (Overview, error) {
	o := Overview{Deployment: "b", Rights: []Right{}, Instances: []Instance{{ID: string(rune('a' + i.partition)), Self: true, Reachable: true, Version: "1"}},
		Edges:    []Edge{{From: "legacy:events", To: "intake:events", Topic: "events", RecordsPerSecond: 1.5, LagRecords: 2, LagSeconds: float64(i.partition)}},
		Parked:   []ParkedSum{{Reason: "event", Count: 3, OldestSeconds: float64(i.partition)}},
		Accounts: NewAccounts(map[string]int64{"events": 4 - 8*int64(i.partition)}, true), Latency: Latency{0.1 * float64(i.partition), 0.2}}
	for _, p := range i.peers {
		o.Instances = append(o.Instances, Instance{ID: p.ID, URL: p.URL})
	}
	return o, nil
}

func (i *instance) Peers(context.Context) ([]Peer, error) { return i.peers, i.peersErr }

func (i *instance) Owner(event string) int32 { return int32(event[0] - '0') }

func (i *instance) Parked(_ context.Context, q ParkedQuery) (ParkedList, error) {
	since := time.Unix(1000+int64(i.partition), 0).UTC()
	return ParkedList{Records: []ParkedRecord{{ID: fmt.Sprint("parked", i.partition), Since: since}}, Total: 3, Missing: []string{}}, nil
}

func (i *instance) Story(_ context.Context, q StoryQuery) (Story, error) {
	i.mu.Lock()
	i.asked = append(i.asked, q)
	i.mu.Unlock()
	if q.Event != "" && i.Owner(q.Event) != i.partition {
		return Story{}, &UnavailableError{fmt.Sprintf("partition %d is on another instance", i.Owner(q.Event))}
	}
	name, is := i.entities[q.ID]
	if !is {
		return Story{}, &NotFoundError{"no record of it"}
	}
	return Story{Kind: q.Kind, ID: q.ID, Found: true, Partition: i.partition, Fields: []Field{
		{Name: "id", Value: q.ID}, {Name: "customer.name", Value: name, Personal: true}, {Name: "customer.phone", Value: canaryPhone, Personal: true},
	}}, nil
}

func (i *instance) Quarantine(context.Context, BadQuery) (BadList, error) {
	return BadList{Records: []BadRecord{{Position: "3/1041"}}, Reasons: map[string]int64{"invalid_phone": 1}}, i.away
}

func (i *instance) QuarantineRecord(_ context.Context, partition int32, offset int64) (BadDetail, error) {
	return BadDetail{BadRecord: BadRecord{Position: fmt.Sprintf("%d/%d", partition, offset)},
		Headers: []Field{{Name: "h", Value: canaryName, Personal: true}}, Fields: []Field{{Name: "phone", Value: canaryPhone, Personal: true}}}, i.away
}

func (i *instance) InQuarantine(_ context.Context, kind, id string) (*BadRecord, error) {
	if i.bad == nil || kind != KindOrder || i.bad.ID != id {
		return nil, i.away
	}
	return i.bad, i.away
}

func (i *instance) Report(context.Context) (json.RawMessage, error) {
	return json.RawMessage(`{"version":1}`), i.away
}
func (i *instance) ReportPage(context.Context) ([]byte, error) {
	return []byte("<html>report</html>"), i.away
}

func (i *instance) act() error {
	if i.acts != nil {
		<-i.acts
		<-i.acts
	}
	return errors.Join(i.actErr, i.away)
}

func (i *instance) Resync(context.Context, ResyncOrder) (Resynced, error) {
	return Resynced{Commands: 3, Sent: 3, Orders: 1, Refunds: 2}, i.act()
}
func (i *instance) Resume(context.Context, string) (Resumed, error) {
	return Resumed{Resumed: true}, i.act()
}
func (i *instance) Replay(context.Context, ReplayOrder) (Replayed, error) {
	return Replayed{Records: 1, Outcomes: map[string]int{"sent": 1}}, i.act()
}

// served is a console that answers.
type served struct {
	t   *testing.T
	url string
	log *lines
}

// lines are what was logged.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func logTo(l *lines) *slog.Logger { return slog.New(logging.Limit(slog.NewTextHandler(l, nil))) }

func serve(t *testing.T, h config.HTTP, source Source) served {
	t.Helper()
	log := &lines{}
	server := httptest.NewUnstartedServer(nil)
	url := "http://" + server.Listener.Addr().String()
	s, err := New(Options{HTTP: h, URL: url, Source: source, Log: logTo(log),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "metrics\n") })})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = s.Handler()
	server.Start()
	t.Cleanup(server.Close)
	return served{t, url, log}
}

// withTokens listens everywhere, and every right has its token.
func withTokens(t *testing.T) config.HTTP {
	return config.HTTP{Listen: ":9477", ViewTokenFile: token(t, viewToken), ActTokenFile: token(t, actToken), PersonalTokenFile: token(t, personalToken), MetricsTokenFile: token(t, metricsToken)}
}

func (s served) do(method, path, token, body string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer, string(text)
}

// reads are all paths that show data, acts those that change something, with what they want to be told.
var reads = []string{
	"/api/v1/overview", "/api/v1/parked", "/api/v1/events/0e", "/api/v1/orders/0o", "/api/v1/refunds/0r", "/api/v1/quarantine", "/api/v1/quarantine/3/1041",
	"/api/v1/compare", "/compare/report.html",
}

var acts = map[string]string{
	"/api/v1/resync": `{"event":"0e"}`, "/api/v1/topics/orders_done/resume": "", "/api/v1/quarantine/replay": `{"reason":"invalid_phone"}`,
}

// Every path, and everybody who may ask. What shows nothing is open.
func TestEveryPathAsksWhoItIs(t *testing.T) {
	s := serve(t, withTokens(t), &instance{entities: map[string]string{"0e": canaryName, "0o": canaryName, "0r": canaryName}})
	want := func(method, path, token string, status int) http.Header {
		t.Helper()
		answer, body := s.do(method, path, token, acts[path])
		if answer.StatusCode != status {
			t.Errorf("%s %s with %q: %d, want %d: %s", method, path, token, answer.StatusCode, status, body)
		}
		var f Failure
		if status >= 400 && (json.Unmarshal([]byte(body), &f) != nil || f.Error == "" || strings.Contains(f.Error, "\n")) {
			t.Errorf("%s %s: no line of JSON that says what is wrong: %s", method, path, body)
		}
		for name, value := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
			if answer.Header.Get(name) != value {
				t.Errorf("%s %s: %s is %q", method, path, name, answer.Header.Get(name))
			}
		}
		if !strings.HasPrefix(answer.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: policy %q", path, answer.Header.Get("Content-Security-Policy"))
		}
		return answer.Header
	}
	for _, path := range reads {
		if h := want("GET", path, "", 401); h.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: a refusal does not say how to log in", path)
		}
		want("GET", path, viewToken[:18], 401)
		want("GET", path, metricsToken, 401)
		for _, may := range []string{viewToken, personalToken, actToken} {
			if h := want("GET", path, may, 200); h.Get("Cache-Control") != "no-store" {
				t.Errorf("%s may be kept: %q", path, h.Get("Cache-Control"))
			}
		}
	}
	for path := range acts {
		want("POST", path, "", 401)
		want("POST", path, viewToken, 403)
		want("POST", path, personalToken, 403)
		want("POST", path, actToken, 200)
		want("GET", path, actToken, 404)
	}
	for _, path := range []string{"/", "/console.js", "/console.css", "/healthz", "/readyz"} {
		want("GET", path, "", 200)
	}
	want("GET", "/metrics", viewToken, 401)
	want("GET", "/metrics", metricsToken, 200)
	want("GET", "/api/v1/nothing", viewToken, 404)
	want("POST", "/", actToken, 405)
	if log := s.log.String(); strings.Count(log, "requests refused") != 1 {
		t.Errorf("refusals are logged once in a while: %s", log)
	}
	for _, token := range []string{viewToken, actToken, personalToken, metricsToken, viewToken[:18]} {
		if strings.Contains(s.log.String(), token) {
			t.Errorf("a token is in the log: %s", s.log)
		}
	}
}

// Without act_token_file nobody acts, on loopback either; without tokens elsewhere nobody sees anything.
func TestWhatIsNotConfiguredIsOff(t *testing.T) {
	here := serve(t, config.HTTP{Listen: "127.0.0.1:0"}, &instance{})
	if answer, body := here.do("POST", "/api/v1/resync", "", `{"event":"0e"}`); answer.StatusCode != 403 || !strings.Contains(body, "http.act_token_file") {
		t.Errorf("to act: %d %s", answer.StatusCode, body)
	}
	if answer, body := here.do("GET", "/api/v1/overview", "", ""); answer.StatusCode != 200 {
		t.Errorf("to see: %d %s", answer.StatusCode, body)
	}
	everywhere := serve(t, config.HTTP{Listen: ":9477"}, &instance{})
	if answer, body := everywhere.do("GET", "/api/v1/overview", "", ""); answer.StatusCode != 403 || !strings.Contains(body, "http.view_token_file") {
		t.Errorf("to see: %d %s", answer.StatusCode, body)
	}
}

func TestReady(t *testing.T) {
	source := &instance{notReady: []string{"starting"}}
	s := serve(t, config.HTTP{Listen: ":9477"}, source)
	answer, body := s.do("GET", "/readyz", "", "")
	if want := `{"ready":false,"reasons":["starting"],"restored":{"b-gate":50}}` + "\n"; answer.StatusCode != 503 || body != want {
		t.Errorf("%d %s, want %s", answer.StatusCode, body, want)
	}
	source.notReady = nil
	if answer, body := s.do("GET", "/readyz", "", ""); answer.StatusCode != 200 || !strings.HasPrefix(body, `{"ready":true`) {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
}

// Personal values are shown by their shape, but for the right to see them, and that is logged.
func TestPersonalIsMasked(t *testing.T) {
	s := serve(t, withTokens(t), &instance{entities: map[string]string{"0o": canaryName}})
	for _, path := range []string{"/api/v1/orders/0o", "/api/v1/orders/0o?event=0e", "/api/v1/quarantine/3/1041"} {
		for _, token := range []string{viewToken, actToken} {
			_, body := s.do("GET", path, token, "")
			if strings.Contains(body, canaryName) || strings.Contains(body, canaryPhone) || !strings.Contains(body, `"value":"+99999999999","personal":true,"masked":true`) {
				t.Errorf("%s: %s", path, body)
			}
		}
	}
	if strings.Contains(s.log.String(), "personal data shown") {
		t.Errorf("nothing was shown: %s", s.log)
	}
	for _, path := range []string{"/api/v1/orders/0o", "/api/v1/quarantine/3/1041"} {
		if _, body := s.do("GET", path, personalToken, ""); !strings.Contains(body, canaryName) || !strings.Contains(body, canaryPhone) || strings.Contains(body, `"masked":true`) {
			t.Errorf("%s: %s", path, body)
		}
	}
	log := s.log.String()
	if strings.Count(log, "personal data shown") != 2 || !strings.Contains(log, `of="order 0o"`) || strings.Contains(log, canaryPhone) || strings.Contains(log, canaryName) {
		t.Errorf("the log says %s", log)
	}
}

// An action is logged with who, what and the result, and there is one at a time.
func TestActions(t *testing.T) {
	source := &instance{acts: make(chan struct{})}
	s := serve(t, withTokens(t), source)
	first := make(chan string)
	go func() {
		_, body := s.do("POST", "/api/v1/resync", actToken, `{"order":"0o","dry_run":true}`)
		first <- body
	}()
	source.acts <- struct{}{}
	source.acts <- struct{}{}
	if body := <-first; body != `{"commands":3,"sent":3,"events":0,"orders":1,"refunds":2,"waiting":0}`+"\n" {
		t.Errorf("resync: %s", body)
	}
	go func() {
		_, body := s.do("POST", "/api/v1/topics/orders_done/resume", actToken, "")
		first <- body
	}()
	source.acts <- struct{}{} // it is under way
	if answer, body := s.do("POST", "/api/v1/quarantine/replay", actToken, "{"); answer.StatusCode != 503 || !strings.Contains(body, "another action") {
		t.Errorf("a second action: %d %s", answer.StatusCode, body)
	}
	source.actErr = errors.New("brokers\nare away")
	source.acts <- struct{}{}
	if body := <-first; !strings.Contains(body, `{"error":"failed: brokers are away"}`) {
		t.Errorf("resume: %s", body)
	}
	for _, line := range []string{
		`who="act token" from=127.0.0.1:`, `path="POST /api/v1/resync" what="order 0o dry run" result="{\"commands\":3,\"sent\":3,`,
		`msg="console: action failed" who="act token"`, `what=orders_done error="brokers\nare away"`,
	} {
		if !strings.Contains(s.log.String(), line) {
			t.Errorf("no %s in the log: %s", line, s.log)
		}
	}
	if strings.Contains(s.log.String(), actToken) {
		t.Errorf("a token is in the log: %s", s.log)
	}
}

// What somebody has done or was shown is logged each time, however often it is the same.
func TestEachActionIsLogged(t *testing.T) {
	source := &instance{entities: map[string]string{"0o": canaryName}}
	s := serve(t, withTokens(t), source)
	const times = 5
	for range times {
		s.do("GET", "/api/v1/orders/0o?event=0e", personalToken, "")
		for path, body := range acts {
			s.do("POST", path, actToken, body)
			s.do("POST", path, actToken, "x"+body) // not JSON, or good: resume takes anything
		}
	}
	source.actErr = errors.New("brokers are away")
	for range times {
		for path, body := range acts {
			s.do("POST", path, actToken, body)
		}
	}
	log := s.log.String()
	for line, want := range map[string]int{
		`msg="console: personal data shown"`: times, `msg="console: action" `: 4 * times, `msg="console: action failed"`: 5 * times,
		`path="POST /api/v1/resync" what="event 0e" error="brokers are away"`: times,
	} {
		if got := strings.Count(log, line); got != want {
			t.Errorf("%d lines with %s, want %d", got, line, want)
		}
	}
}

func TestBadRequests(t *testing.T) {
	s := serve(t, withTokens(t), &instance{})
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/api/v1/parked?limit=0", "", 400, "limit"},
		{"GET", "/api/v1/parked?limit=1001", "", 400, "1 to 1000"},
		{"GET", "/api/v1/parked?older_than=soon", "", 400, "older_than"},
		{"GET", "/api/v1/quarantine?since=soon", "", 400, "since"},
		{"GET", "/api/v1/quarantine?replayed=maybe", "", 400, "replayed"},
		{"GET", "/api/v1/quarantine/3/x", "", 400, "PARTITION/OFFSET"},
		{"GET", "/api/v1/quarantine/-1/5", "", 400, "PARTITION/OFFSET"},
		{"GET", "/api/v1/orders/none", "", 404, "no instance has seen order none"},
		{"POST", "/api/v1/resync", "", 400, "JSON"},
		{"POST", "/api/v1/resync", `{"event":"0e"} {}`, 400, "more behind it"},
		{"POST", "/api/v1/resync", `{"all":true}`, 400, "unknown field"},
		{"POST", "/api/v1/resync", `{}`, 400, "want event, order or since"},
		{"POST", "/api/v1/resync", `{"event":"0e","since":"2h"}`, 400, "want one of them"},
		{"POST", "/api/v1/quarantine/replay", `{"positions":["x"]}`, 400, `positions: \"x\" is no place: want PARTITION/OFFSET`},
		{"POST", "/api/v1/quarantine/replay", `{"positions":["3/1041","3/-1"]}`, 400, "is no place"},
		{"POST", "/api/v1/quarantine/replay", `{"positions":["3"]}`, 400, "is no place"},
		{"GET", "/api", "", 404, `{"error":"there is no such path`},
		{"POST", "/api/v1/quarantine/replay", `{"dry_run":true}`, 400, "want reason, topic or positions"},
		{"POST", "/api/v1/quarantine/replay", `{"reason":"` + strings.Repeat("x", mostBody) + `"}`, 413, "more than 65536 bytes"},
	} {
		answer, body := s.do(c.method, c.path, actToken, c.body)
		if answer.StatusCode != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s %s %.40s: %d %s, want %d and %q", c.method, c.path, c.body, answer.StatusCode, body, c.status, c.says)
		}
	}
}

// While Kafka is away it is said so, and to ask again: nothing of it is an error of the bridge.
func TestKafkaAway(t *testing.T) {
	s := serve(t, withTokens(t), &instance{away: fmt.Errorf("read quarantine: %w", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED})})
	is503 := func(method, path, body string) {
		t.Helper()
		if answer, body := s.do(method, path, actToken, body); answer.StatusCode != 503 || !strings.Contains(body, `{"error":"Kafka is out of reach, try again when it is there: `) {
			t.Errorf("%s %s: %d %s", method, path, answer.StatusCode, body)
		}
	}
	for _, path := range []string{"/api/v1/quarantine", "/api/v1/quarantine/3/1041", "/api/v1/compare", "/compare/report.html"} {
		is503("GET", path, "")
	}
	for path, body := range acts {
		is503("POST", path, body)
	}
	if answer, body := s.do("GET", "/api/v1/orders/none", viewToken, ""); answer.StatusCode != 404 || !strings.Contains(body, "no instance has seen order none\"") {
		t.Errorf("without the quarantine: %d %s", answer.StatusCode, body)
	}
	if strings.Contains(s.log.String(), "level=ERROR") {
		t.Errorf("logs %s", s.log)
	}
}

// What no instance has seen is looked for in quarantine, and where it is there its place is said.
func TestStoryOfWhatIsInQuarantine(t *testing.T) {
	s := serve(t, withTokens(t), &instance{bad: &BadRecord{Position: "3/9", Reason: "invalid_phone", Message: "no possible phone number", ID: "0o"}})
	for path, want := range map[string]string{
		"/api/v1/orders/0o":          `{"error":"no instance has seen order 0o; it is in quarantine, 3/9, because invalid_phone: no possible phone number","quarantine":"3/9"}`,
		"/api/v1/orders/0o?event=0e": `{"error":"no record of it; it is in quarantine, 3/9, because invalid_phone: no possible phone number","quarantine":"3/9"}`,
		"/api/v1/refunds/0o":         `{"error":"no instance has seen refund 0o"}`,
		"/api/v1/orders/0x":          `{"error":"no instance has seen order 0x"}`,
	} {
		if answer, body := s.do("GET", path, viewToken, ""); answer.StatusCode != 404 || body != want+"\n" {
			t.Errorf("%s: %d %s, want %s", path, answer.StatusCode, body, want)
		}
	}
}

// Whose token file has gone is refused, and why is in the log, once in a while.
func TestTokenFileThatIsGoneIsLogged(t *testing.T) {
	h := withTokens(t)
	s := serve(t, h, &instance{})
	for _, file := range []string{h.ViewTokenFile, h.MetricsTokenFile} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	for path, token := range map[string]string{"/api/v1/overview": viewToken, "/metrics": metricsToken} {
		for range 3 {
			if answer, _ := s.do("GET", path, token, ""); answer.StatusCode != 401 {
				t.Errorf("%s: %d", path, answer.StatusCode)
			}
		}
	}
	if answer, _ := s.do("GET", "/api/v1/overview", actToken, ""); answer.StatusCode != 200 {
		t.Errorf("the other token: %d", answer.StatusCode)
	}
	for right, file := range map[string]string{"view": h.ViewTokenFile, "metrics": h.MetricsTokenFile} {
		if n := strings.Count(s.log.String(), "a token file cannot be read, and who has its token is refused until it can\" right="+right+" file="+file); n != 1 {
			t.Errorf("%s is named %d times: %s", file, n, s.log)
		}
	}
}

// Events come one after the other, and end when the token is no longer one.
func TestStream(t *testing.T) {
	t.Parallel()
	h := withTokens(t)
	s := serve(t, h, &instance{})
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/api/v1/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+viewToken)
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" || answer.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", answer.Header)
	}
	events := 0
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		data, is := strings.CutPrefix(lines.Text(), "data: ")
		if !is {
			continue
		}
		var o Overview
		if err := json.Unmarshal([]byte(data), &o); err != nil || o.Deployment != "b" || !slices.Equal(o.Rights, []Right{View}) {
			t.Fatalf("event %s: %v", data, err)
		}
		if events++; events == 2 {
			if err := os.WriteFile(h.ViewTokenFile, []byte("another-token-0123456789"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if events > 2 {
			t.Fatal("the stream goes on without a right")
		}
	}
	if events != 2 {
		t.Errorf("%d events", events)
	}
}

// two instances that know each other: one has partition 0, the other partition 1.
func two(t *testing.T, h config.HTTP) (a, b *instance, at [2]served) {
	a = &instance{partition: 0, entities: map[string]string{"0e": canaryName, "0o": canaryName}}
	b = &instance{partition: 1, entities: map[string]string{"1e": canaryName, "1o": canaryName, "1/o": canaryName}}
	at = [2]served{serve(t, h, a), serve(t, h, b)}
	a.peers = []Peer{{ID: "b", URL: at[1].url, Partitions: []int32{1}}}
	b.peers = []Peer{{ID: "a", URL: at[0].url, Partitions: []int32{0}}}
	return a, b, at
}

// What the other instance has is looked up there, in the viewer's name.
func TestTheOwnerIsAsked(t *testing.T) {
	a, b, at := two(t, withTokens(t))
	for _, s := range at {
		for path, instance := range map[string]string{
			"/api/v1/events/0e": at[0].url, "/api/v1/events/1e": at[1].url, "/api/v1/orders/1o?event=1e": at[1].url, "/api/v1/orders/0o": at[0].url,
			"/api/v1/orders/1o": at[1].url, "/api/v1/orders/1%2Fo": at[1].url,
		} {
			answer, body := s.do("GET", path, viewToken, "")
			var found Story
			if err := json.Unmarshal([]byte(body), &found); err != nil || answer.StatusCode != 200 || !found.Found {
				t.Fatalf("%s: %d %s", path, answer.StatusCode, body)
			}
			if found.Instance != "" && found.Instance != instance {
				t.Errorf("%s is said to be at %s, want %s", path, found.Instance, instance)
			}
			if strings.Contains(body, canaryName) {
				t.Errorf("%s: personal data came from the other instance", path)
			}
			if _, body := s.do("GET", path, personalToken, ""); !strings.Contains(body, canaryName) {
				t.Errorf("%s: with the right it did not: %s", path, body)
			}
		}
	}
	if answer, body := at[0].do("GET", "/api/v1/events/1none", viewToken, ""); answer.StatusCode != 404 {
		t.Errorf("unknown: %d %s", answer.StatusCode, body)
	}
	// Both take the other for the owner: nobody asks for ever.
	a.peers[0].Partitions, b.peers[0].Partitions = []int32{2}, []int32{2}
	before := len(a.asked) + len(b.asked)
	if answer, body := at[0].do("GET", "/api/v1/events/2e", viewToken, ""); answer.StatusCode != 503 || !strings.Contains(body, "partition 2") {
		t.Errorf("of nobody: %d %s", answer.StatusCode, body)
	}
	if asked := len(a.asked) + len(b.asked) - before; asked != 2 {
		t.Errorf("asked %d times, want 2", asked)
	}
}

// An instance that does not answer, or that answers otherwise, is said to do so, and the rest is shown.
func TestOneDoesNotAnswer(t *testing.T) {
	other := func(status int, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if status == http.StatusFound {
				http.Redirect(w, r, "http://127.0.0.1:1/", status)
				return
			}
			w.WriteHeader(status)
			io.WriteString(w, body)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	hung := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hung }))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(hung) })
	for name, c := range map[string]struct{ url, says string }{
		"closed":          {"http://127.0.0.1:1", "does not answer"},
		"slow":            {slow.URL, "not within 1.5s"},
		"other tokens":    {other(401, `{"error":"want a token"}`), "same tokens"},
		"older version":   {other(404, "404 page not found"), "older version"},
		"another program": {other(200, "<html>"), "in another way"},
		"redirects":       {other(302, ""), "Found"},
		"another one":     {other(200, `{"instances":[{"id":"c","self":true}]}`), "another instance answers at"},
		"says no address": {"", "it says nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &instance{entities: map[string]string{"0e": "x"}, peers: []Peer{{ID: "b", URL: c.url, Why: "it says nothing", Partitions: []int32{1}}}}
			s := serve(t, config.HTTP{Listen: "127.0.0.1:0"}, a)
			_, body := s.do("GET", "/api/v1/overview", "", "")
			var o Overview
			if err := json.Unmarshal([]byte(body), &o); err != nil || len(o.Instances) != 2 {
				t.Fatalf("overview: %s", body)
			}
			if b := o.Instances[1]; b.Reachable || !strings.Contains(strings.Join(b.Reasons, " "), c.says) || o.Accounts.Known {
				t.Errorf("%+v, want %q", b, c.says)
			}
			if name == "slow" || name == "another one" {
				return // for 10 seconds; it is asked for JSON of another kind
			}
			if answer, body := s.do("GET", "/api/v1/events/1e", "", ""); answer.StatusCode != 503 || !strings.Contains(body, "partition 1") {
				t.Errorf("of the other: %d %s", answer.StatusCode, body)
			}
			if answer, body := s.do("GET", "/api/v1/orders/1o", "", ""); answer.StatusCode != 503 || !strings.Contains(body, "is not found where it could be looked for") {
				t.Errorf("of anybody: %d %s", answer.StatusCode, body)
			}
			if answer, _ := s.do("GET", "/api/v1/events/0e", "", ""); answer.StatusCode != 200 {
				t.Errorf("of its own: %d", answer.StatusCode)
			}
			if _, body := s.do("GET", "/api/v1/parked", "", ""); !strings.Contains(body, `"total":3`) || strings.Contains(body, `"missing":[]`) {
				t.Errorf("parked: %s", body)
			}
		})
	}
}

// What both say of themselves is one picture.
func TestOverviewOfAll(t *testing.T) {
	_, _, at := two(t, withTokens(t))
	_, body := at[0].do("GET", "/api/v1/overview", viewToken, "")
	var o Overview
	if err := json.Unmarshal([]byte(body), &o); err != nil {
		t.Fatal(err)
	}
	if len(o.Instances) != 2 || !o.Instances[0].Self || o.Instances[1].Self || !o.Instances[1].Reachable || o.Instances[1].ID != "b" || o.Instances[1].Version != "1" {
		t.Errorf("instances %+v", o.Instances)
	}
	if e := o.Edges[0]; len(o.Edges) != 1 || e.RecordsPerSecond != 3 || e.LagRecords != 4 || e.LagSeconds != 1 {
		t.Errorf("edges %+v", o.Edges)
	}
	if p := o.Parked[0]; p.Count != 6 || p.OldestSeconds != 1 {
		t.Errorf("parked %+v", o.Parked)
	}
	if !o.Accounts.Known || o.Accounts.Balance != 0 || o.Accounts.Topics["events"] != 0 || o.Latency.P50 != 0.1 {
		t.Errorf("accounts %+v, latency %+v", o.Accounts, o.Latency)
	}
	_, body = at[1].do("GET", "/api/v1/parked?limit=1", viewToken, "")
	var l ParkedList
	if err := json.Unmarshal([]byte(body), &l); err != nil || len(l.Records) != 1 || l.Records[0].ID != "parked0" || l.Total != 6 || !l.Truncated || len(l.Missing) != 0 {
		t.Errorf("parked %s", body)
	}
}

// Which instances there are is not known: what this one has is shown, and what it has not is not said to be nowhere.
func TestPeersAreNotKnown(t *testing.T) {
	s := serve(t, config.HTTP{Listen: "127.0.0.1:0"}, &instance{entities: map[string]string{"0e": "x"}, peersErr: errors.New("brokers away")})
	if answer, body := s.do("GET", "/api/v1/orders/1o", "", ""); answer.StatusCode != 503 || !strings.Contains(body, "brokers away") {
		t.Errorf("of anybody: %d %s", answer.StatusCode, body)
	}
	if answer, body := s.do("GET", "/api/v1/events/1e", "", ""); answer.StatusCode != 503 || !strings.Contains(body, "brokers away") {
		t.Errorf("of another: %d %s", answer.StatusCode, body)
	}
	if answer, _ := s.do("GET", "/api/v1/events/0e", "", ""); answer.StatusCode != 200 {
		t.Errorf("of its own: %d", answer.StatusCode)
	}
	if answer, _ := s.do("GET", "/api/v1/overview", "", ""); answer.StatusCode != 200 {
		t.Errorf("overview: %d", answer.StatusCode)
	}
}
