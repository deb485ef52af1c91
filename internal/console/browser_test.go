package console

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/config"
)

// Tokens of the fixture. No others are taken, but for viewing on "open".
var fixtureTokens = map[string]string{"view": "view-token-of-the-tests", "act": "act-token-of-the-tests", "personal": "personal-token-of-the-tests"}

// TestInBrowser uses the page in a real Chromium, against made-up deployments in known states; what it does is in
// browser/console.mjs. Screenshots stay in build/screenshots. With VIBE_BRIDGE_PICTURES it takes the pictures of the
// documentation, into that folder.
func TestInBrowser(t *testing.T) {
	if testing.Short() && os.Getenv("VIBE_BRIDGE_REQUIRE_BROWSER") != "1" {
		t.Skip("the browser tests are not part of the short form: they run without -short, or with VIBE_BRIDGE_REQUIRE_BROWSER=1")
	}
	const shared = "../../compare/page/browser/"
	for _, missing := range []error{found("node"), found(chromium()), have(shared + "node_modules/playwright-core/package.json")} {
		if missing == nil {
			continue
		}
		if os.Getenv("VIBE_BRIDGE_REQUIRE_BROWSER") == "1" {
			t.Fatalf("the browser tests are required: %v (.ci/browser installs what they need)", missing)
		}
		t.Skipf("the browser tests are skipped: %v (.ci/browser installs what they need)", missing)
	}
	// go test remembers a result until a file changes that it has seen this process open.
	for _, f := range []string{"browser/console.mjs", shared + "launch.mjs", shared + "readable.mjs", shared + "package-lock.json"} {
		if _, err := os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
	folder, err := filepath.Abs("../../build/screenshots")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}

	fix := newFixture(t)
	about, err := json.Marshal(map[string]any{"folder": folder, "pictures": os.Getenv("VIBE_BRIDGE_PICTURES"), "only": os.Getenv("VIBE_BRIDGE_ONLY"),
		"control": fix.control.URL, "at": fix.addresses, "tokens": fixtureTokens, "canary": canary})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "browser/console.mjs", string(about))
	var stdout, stderr bytes.Buffer
	node.Stdout, node.Stderr = &stdout, &stderr
	ran := node.Run()
	done := false
	for lines := json.NewDecoder(&stdout); lines.More(); {
		var line struct {
			Name, Error string
			Done        bool
		}
		if err := lines.Decode(&line); err != nil {
			t.Fatalf("%v; node: %v\n%s", err, ran, stderr.Bytes())
		}
		if line.Done {
			done = true
			continue
		}
		t.Run(line.Name, func(t *testing.T) {
			if line.Error != "" {
				t.Error(line.Error)
			}
		})
	}
	t.Logf("%s", stderr.Bytes()) // how long each took
	if ran != nil || !done {
		t.Fatalf("the look at the page broke off: %v\n%s", ran, stderr.Bytes())
	}
}

func chromium() string {
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path
	}
	return "/usr/bin/chromium"
}

func found(program string) error { _, err := exec.LookPath(program); return err }
func have(file string) error     { _, err := os.Stat(file); return err }

// fixture has a console for each made-up deployment, and one more address by which the tests look behind them.
type fixture struct {
	addresses map[string]string
	sources   map[string]*madeUp
	control   *httptest.Server
	streams   atomic.Int64 // that are open
	down      atomic.Bool  // every connection to "shaky" is refused
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
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name == "shaky" && f.down.Load() {
			hangUp(w)
			return
		}
		if name == "shaky" && r.URL.Path == "/api/v1/stream" {
			f.streams.Add(1)
			defer f.streams.Add(-1)
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
	case "/mend":
		f.down.Store(false)
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
