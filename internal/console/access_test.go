package console

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/internal/config"
)

const (
	viewToken     = "view-token-0123456789"
	actToken      = "act-token-0123456789"
	personalToken = "personal-token-0123456789"
	metricsToken  = "metrics-token-0123456789"
)

func token(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// All that may be set, and all who may ask.
func TestAccess(t *testing.T) {
	view, act, personal, metrics := token(t, viewToken), token(t, actToken), token(t, personalToken), token(t, metricsToken)
	all := config.HTTP{Listen: ":9477", ViewTokenFile: view, ActTokenFile: act, PersonalTokenFile: personal, MetricsTokenFile: metrics}
	with := func(change func(*config.HTTP)) config.HTTP { h := all; change(&h); return h }
	loopback := config.HTTP{Listen: "127.0.0.1:9477"}
	const certificate = "certificate"
	for name, c := range map[string]struct {
		http config.HTTP
		give string // token, certificate, or ""
		want string // status of view, personal, act, metrics; 200 is granted
	}{
		"nobody":                         {all, "", "401 401 401 401"},
		"view token":                     {all, viewToken, "200 403 403 401"},
		"personal token":                 {all, personalToken, "200 200 403 401"},
		"act token":                      {all, actToken, "200 403 200 401"},
		"metrics token":                  {all, metricsToken, "401 401 401 200"},
		"wrong token":                    {all, "view-token-0123456780", "401 401 401 401"},
		"part of a token":                {all, viewToken[:18], "401 401 401 401"},
		"certificate":                    {with(func(h *config.HTTP) { h.ViewTokenFile = "" }), certificate, "200 403 403 401"},
		"wrong token with a certificate": {all, certificate + " wrong-token-0123456789", "401 401 401 401"},
		"loopback, nothing set":          {loopback, "", "200 403 403 200"},
		"loopback with an act token":     {config.HTTP{Listen: "127.0.0.1:9477", ActTokenFile: act}, "", "200 403 403 200"},
		"loopback, acting":               {config.HTTP{Listen: "127.0.0.1:9477", ActTokenFile: act}, actToken, "200 403 200 200"},
		"loopback with a view token":     {config.HTTP{Listen: "127.0.0.1:9477", ViewTokenFile: view}, "", "401 401 403 200"},
		"everybody, nothing set":         {config.HTTP{Listen: ":9477"}, "", "403 403 403 200"},
		"everybody, an act token":        {config.HTTP{Listen: ":9477", ActTokenFile: act}, "", "401 401 401 200"},
		"any token where there is none":  {loopback, viewToken, "401 401 403 200"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := NewAccess(c.http)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, "http://localhost:9477/", nil)
			given := c.give
			if rest, ok := strings.CutPrefix(given, certificate); ok {
				r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{Subject: pkix.Name{CommonName: "viewer"}}}}}
				given = strings.TrimSpace(rest)
			}
			if given != "" {
				r.Header.Set("Authorization", "Bearer "+given)
			}
			var got []string
			status := func(d *denied) {
				if d == nil {
					got = append(got, "200")
					return
				}
				got = append(got, http.StatusText(d.status))
				if strings.Contains(d.text, "0123456789") {
					t.Errorf("%q has a token", d.text)
				}
			}
			for _, right := range []Right{View, Personal, Act} {
				_, d := a.require(r, right)
				status(d)
			}
			status(a.metrics(r))
			want := strings.NewReplacer("401", http.StatusText(http.StatusUnauthorized), "403", http.StatusText(http.StatusForbidden)).Replace(strings.ReplaceAll(c.want, " ", "|"))
			if strings.Join(got, "|") != want {
				t.Errorf("view, personal, act, metrics: %s, want %s", strings.Join(got, "|"), want)
			}
		})
	}
}

// On loopback without tokens: whoever is not on this machine is told what to configure.
func TestAccessFromElsewhere(t *testing.T) {
	a, err := NewAccess(config.HTTP{Listen: "127.0.0.1:9477"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		host, header string
		may          bool
	}{
		{"127.0.0.1:9477", "", true}, {"localhost", "", true}, {"[::1]:9477", "", true}, {"[::1]", "", true},
		{"console.example.com", "", false}, {"192.0.2.1:9477", "", false}, {"", "", false},
		{"127.0.0.1:9477", "X-Forwarded-For", false}, {"127.0.0.1:9477", "Forwarded", false}, {"127.0.0.1:9477", "Via", false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = c.host
		if c.header != "" {
			r.Header.Set(c.header, "x")
		}
		if _, d := a.require(r, View); (d == nil) != c.may {
			t.Errorf("%q with %q: %v", c.host, c.header, d)
		}
	}
}

// A token is changed by changing its file.
func TestTokenChanges(t *testing.T) {
	path := token(t, viewToken)
	a, err := NewAccess(config.HTTP{Listen: ":1", ViewTokenFile: path})
	if err != nil {
		t.Fatal(err)
	}
	may := func(given string) bool {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+given)
		_, d := a.require(r, View)
		return d == nil
	}
	const other = "another-token-0123456789"
	if !may(viewToken) || may(other) {
		t.Error("the first token is not the one")
	}
	if err := os.WriteFile(path, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if may(viewToken) || !may(other) {
		t.Error("the second token is not the one")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if may(other) || may("") {
		t.Error("without a file there is a token")
	}
}

// What is no token is refused at the start, and not shown.
func TestNewAccessRefuses(t *testing.T) {
	same := token(t, viewToken)
	for want, h := range map[string]config.HTTP{
		"http.view_token_file: ":                       {ViewTokenFile: token(t, "short")},
		"http.act_token_file: ":                        {ActTokenFile: token(t, "two tokens 0123456789")},
		"http.personal_token_file: ":                   {PersonalTokenFile: filepath.Join(t.TempDir(), "none")},
		"http.metrics_token_file: ":                    {MetricsTokenFile: token(t, "")},
		"holds the same token as http.view_token_file": {ViewTokenFile: same, ActTokenFile: token(t, viewToken)},
	} {
		_, err := NewAccess(h)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), viewToken) || strings.Contains(err.Error(), "two tokens") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
