package console

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare/page/browser"
	"github.com/ticketscloud/vibe-bridge/internal/config"
)

// Tokens of the fixture. No others are taken, but for viewing on "open".
var fixtureTokens = map[string]string{"view": "view-token-of-the-tests", "act": "act-token-of-the-tests", "personal": "personal-token-of-the-tests"}

// TestInBrowser uses the page in a real Chromium, against made-up deployments in known states; what it does is in
// browser/console.mjs. Screenshots stay in build/screenshots. With VIBE_BRIDGE_PICTURES it takes the pictures of the
// documentation, into that folder.
func TestInBrowser(t *testing.T) {
	const script = "browser/console.mjs"
	folder := browser.Prepare(t, "../../compare/page/browser", script)
	fix := newFixture(t)
	about, err := json.Marshal(map[string]any{"folder": folder, "pictures": os.Getenv("VIBE_BRIDGE_PICTURES"), "only": os.Getenv("VIBE_BRIDGE_ONLY"),
		"control": fix.control.URL, "at": fix.addresses, "tokens": fixtureTokens, "canary": canary})
	if err != nil {
		t.Fatal(err)
	}
	browser.Run(t, 5*time.Minute, script, string(about))
}

// fixture has a console for each made-up deployment, and one more address by which the tests look behind them.
type fixture struct {
	addresses map[string]string
	sources   map[string]*madeUp
	control   *httptest.Server
	streams   atomic.Int64 // that are open
	down      atomic.Bool  // every connection to "shaky" is refused
	hushed    atomic.Bool  // nothing more comes on its streams
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{addresses: map[string]string{}, sources: map[string]*madeUp{}}
	conf := config.HTTP{Listen: "127.0.0.1:0"}
	for name, file := range map[string]*string{"view": &conf.ViewTokenFile, "act": &conf.ActTokenFile, "personal": &conf.PersonalTokenFile} {
		*file = filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(*file, []byte(fixtureTokens[name]+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"well", "shaky", "trouble", "acted", "hostile", "empty", "off"} {
		f.serve(t, name, conf)
	}
	f.serve(t, "open", config.HTTP{Listen: "127.0.0.1:0"})
	f.serve(t, "closed", config.HTTP{Listen: "0.0.0.0:0"})
	f.control = httptest.NewServer(http.HandlerFunc(f.controlled))
	t.Cleanup(f.control.Close)
	return f
}

func (f *fixture) serve(t *testing.T, name string, conf config.HTTP) {
	source := newMadeUp(name)
	server, err := New(Options{HTTP: conf, Source: source, Inline: reportHashes})
	if err != nil {
		t.Fatal(err)
	}
	handler := server.Handler()
	late := lateness(t)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			select {
			case <-time.After(late):
			case <-r.Context().Done(): // nobody waits for the answer any more
			}
		}
		if name == "shaky" && f.down.Load() {
			hangUp(w)
			return
		}
		if name == "shaky" && r.URL.Path == "/api/v1/stream" {
			f.streams.Add(1)
			defer f.streams.Add(-1)
			w = hushable{w, &f.hushed}
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		s.CloseClientConnections() // streams do not end by themselves
		s.Close()
	})
	f.addresses[name], f.sources[name] = s.URL, source
	if name == "shaky" {
		source.cut = s.CloseClientConnections
	}
}

// lateness is how long every answer of the API is held back: with VIBE_BRIDGE_LATE=300ms a check fails that asserts
// what it has not waited for.
func lateness(t *testing.T) time.Duration {
	text := os.Getenv("VIBE_BRIDGE_LATE")
	if text == "" {
		return 0
	}
	late, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("VIBE_BRIDGE_LATE: %v", err)
	}
	return late
}

// hushable drops what is written while on.
type hushable struct {
	http.ResponseWriter
	on *atomic.Bool
}

func (h hushable) Write(p []byte) (int, error) {
	if h.on.Load() {
		return len(p), nil
	}
	return h.ResponseWriter.Write(p)
}

func (h hushable) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	conn.Close()
}

// controlled is how the tests look behind the consoles.
func (f *fixture) controlled(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/cut":
		f.down.Store(true)
		f.sources["shaky"].cut()
	case "/hush":
		f.hushed.Store(true)
	case "/mend":
		f.down.Store(false)
		f.hushed.Store(false)
	case "/fail":
		f.sources["shaky"].failing.Store(true)
	case "/recover":
		f.sources["shaky"].failing.Store(false)
	case "/streams":
		say(w, http.StatusOK, f.streams.Load())
		return
	case "/asked":
		say(w, http.StatusOK, f.sources[r.URL.Query().Get("of")].asked.all())
		return
	}
	say(w, http.StatusOK, "done")
}

// requests are those that a source has got, as JSON that names them.
type requests struct {
	mu   sync.Mutex
	list []map[string]any
}

func (r *requests) add(what string, order any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, map[string]any{"what": what, "order": order})
}

func (r *requests) all() []map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]map[string]any{}, r.list...)
}
