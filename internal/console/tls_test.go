package console

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

// Over HTTPS a certificate of the authority gives the right to view, also to other instances, and nothing else does.
func TestClientCertificates(t *testing.T) {
	pki, foreign := kafkatest.NewPKI(t, "own"), kafkatest.NewPKI(t, "foreign")
	own := pki.Issue("instance", kafkatest.Valid(), "127.0.0.1")
	h := config.HTTP{Listen: ":9477", TLSCertFile: own.CertFile, TLSKeyFile: own.KeyFile, ClientCAFile: pki.CAFile, ActTokenFile: token(t, actToken)}
	serveTLS, ask, err := TLS(h)
	if err != nil {
		t.Fatal(err)
	}
	start := func(source *instance) (string, *lines) {
		log := &lines{}
		s, err := New(Options{HTTP: h, Source: source, TLS: ask, Log: logTo(log)})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(s.Handler())
		server.Listener = tls.NewListener(server.Listener, serveTLS)
		server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
		server.Start()
		t.Cleanup(server.Close)
		return "https://" + server.Listener.Addr().String(), log
	}
	a, b := &instance{partition: 0}, &instance{partition: 1, entities: map[string]string{"1e": "x"}}
	atA, log := start(a)
	atB, _ := start(b)
	a.peers = []Peer{{ID: "b", URL: atB, Partitions: []int32{1}}}
	get := func(path, method string, certificates ...tls.Certificate) int {
		t.Helper()
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pki.Pool(), Certificates: certificates}}}
		defer client.CloseIdleConnections()
		r, err := http.NewRequestWithContext(t.Context(), method, atA+path, strings.NewReader(`{"event":"0e"}`))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(r)
		if err != nil {
			return 0
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	viewer := pki.Issue("viewer", kafkatest.Valid()).Certificate
	for name, c := range map[string]struct{ got, want int }{
		"viewer":              {get("/api/v1/overview", "GET", viewer), 200},
		"viewer acts":         {get("/api/v1/resync", "POST", viewer), 403},
		"viewer, elsewhere":   {get("/api/v1/events/1e", "GET", viewer), 200},
		"nobody":              {get("/api/v1/overview", "GET"), 401},
		"health":              {get("/healthz", "GET"), 200},
		"of another":          {get("/api/v1/overview", "GET", foreign.Issue("viewer", kafkatest.Valid()).Certificate), 401},
		"that has expired":    {get("/api/v1/overview", "GET", pki.Issue("old", kafkatest.Expired()).Certificate), 0},
		"of nobody, metrics":  {get("/metrics", "GET"), 404},
		"viewer, not allowed": {get("/api/v1/quarantine/replay", "POST", viewer), 403},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", name, c.got, c.want)
		}
	}
	if strings.Contains(log.String(), actToken) {
		t.Error("a token is in the log")
	}
}

func TestTLSRefuses(t *testing.T) {
	own := kafkatest.NewPKI(t, "own").Issue("instance", kafkatest.Valid(), "127.0.0.1")
	for want, h := range map[string]config.HTTP{
		"http.tls_cert_file":  {TLSCertFile: own.KeyFile, TLSKeyFile: own.CertFile},
		"http.client_ca_file": {TLSCertFile: own.CertFile, TLSKeyFile: own.KeyFile, ClientCAFile: own.KeyFile},
	} {
		if _, _, err := TLS(h); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if serve, ask, err := TLS(config.HTTP{}); serve != nil || ask != nil || err != nil {
		t.Error("HTTP is not HTTP")
	}
}
