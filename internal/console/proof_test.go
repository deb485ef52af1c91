package console

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Whoever gets into the group gets no token, and nothing that a token is good for.
func TestNoTokenIsGivenAway(t *testing.T) {
	var mu sync.Mutex
	var asked []*http.Request
	impostor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Clone(t.Context()))
		mu.Unlock()
		fail(w, http.StatusNotFound, "no record of it")
	}))
	t.Cleanup(impostor.Close)
	a, _, at := two(t, withTokens(t))
	a.peers = append(a.peers, Peer{ID: "c", URL: impostor.URL, Partitions: []int32{2}})
	for _, token := range []string{viewToken, actToken, personalToken} {
		for _, path := range []string{"/api/v1/events/2e", "/api/v1/orders/1o", "/api/v1/parked?limit=7"} {
			at[0].do("GET", path, token, "")
		}
	}
	at[0].do("GET", "/api/v1/overview", viewToken, "")
	if len(asked) != 10 {
		t.Fatalf("%d requests came: want 10", len(asked))
	}
	for _, r := range asked {
		var sent strings.Builder
		if err := r.Write(&sent); err != nil {
			t.Fatal(err)
		}
		for _, token := range []string{viewToken, actToken, personalToken, metricsToken} {
			if strings.Contains(sent.String(), token) {
				t.Errorf("%s: a token came: %s", r.RequestURI, sent.String())
			}
		}
		for _, s := range at { // what came is passed on
			passed, err := http.NewRequestWithContext(t.Context(), r.Method, s.url+r.RequestURI, nil)
			if err != nil {
				t.Fatal(err)
			}
			passed.Header = r.Header.Clone()
			answer, err := http.DefaultTransport.RoundTrip(passed)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			if answer.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s, passed on: %d %s", r.RequestURI, answer.StatusCode, body)
			}
		}
	}
}

// What shows that a token is known is good for one path of one instance, for a while.
func TestProof(t *testing.T) {
	const url, uri = "http://bridge-1.example.com:9477", "/api/v1/orders/1%2Fo?event=1e"
	now := time.Unix(1_800_000_000, 0)
	a, err := NewAccess(withTokens(t))
	if err != nil {
		t.Fatal(err)
	}
	a.url = url
	good := prove(viewToken, url, uri, now)
	for name, c := range map[string]struct {
		proof, method, uri string
		direct             bool // and not by an instance
		right              Right
		says               string // "": it is granted
	}{
		"view":             {good, "GET", uri, false, View, ""},
		"a slash behind":   {prove(viewToken, url+"/", uri, now), "GET", uri, false, View, ""},
		"personal":         {prove(personalToken, url, uri, now), "GET", uri, false, Personal, ""},
		"not personal":     {good, "GET", uri, false, Personal, "may not do this"},
		"metrics":          {prove(metricsToken, url, uri, now), "GET", uri, false, View, "not known here"},
		"another token":    {prove(viewToken+"x", url, uri, now), "GET", uri, false, View, "not known here"},
		"another path":     {good, "GET", "/api/v1/orders/1o?event=1e", false, View, "not known here"},
		"another query":    {good, "GET", uri + "&order=1o", false, View, "not known here"},
		"another instance": {prove(viewToken, "http://bridge-2.example.com:9477", uri, now), "GET", uri, false, View, "another address than " + url},
		"an action":        {prove(actToken, url, uri, now), "POST", uri, false, Act, "not how an instance asks"},
		"not by another":   {good, "GET", uri, true, View, "not how an instance asks"},
		"in time":          {prove(viewToken, url, uri, now.Add(-proofAge)), "GET", uri, false, View, ""},
		"a clock ahead":    {prove(viewToken, url, uri, now.Add(proofAge)), "GET", uri, false, View, ""},
		"too late":         {prove(viewToken, url, uri, now.Add(-proofAge-time.Second)), "GET", uri, false, View, "made 5m1s ago"},
		"too early":        {prove(viewToken, url, uri, now.Add(proofAge+time.Second)), "GET", uri, false, View, "set them right"},
		"cut":              {good[:len(good)-2], "GET", uri, false, View, "not known here"},
		"no hex":           {good + "x", "GET", uri, false, View, "not how an instance asks"},
		"no time":          {proofScheme + " x" + good[len(proofScheme)+1:], "GET", uri, false, View, "not how an instance asks"},
		"nothing":          {proofScheme + " ", "GET", uri, false, View, "not how an instance asks"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.uri, nil)
			if !c.direct {
				r.Header.Set(forwardedHeader, "1")
			}
			given, is := credentials(c.proof, proofScheme)
			if !is {
				t.Fatalf("%q is no proof", c.proof)
			}
			v, d := a.byProof(r, given, now)
			said := ""
			switch {
			case d != nil:
				said = d.text
			case !v.May(c.right):
				said = "may not do this"
			}
			if (said == "") != (c.says == "") || !strings.Contains(said, c.says) {
				t.Errorf("says %q, want %q", said, c.says)
			}
			if strings.Contains(said, viewToken) {
				t.Errorf("%q has the token", said)
			}
		})
	}
	a.url = ""
	r := httptest.NewRequest("GET", uri, nil)
	r.Header.Set(forwardedHeader, "1")
	given, _ := credentials(prove(viewToken, "", uri, now), proofScheme)
	if _, d := a.byProof(r, given, now); d == nil {
		t.Error("an instance that is reached nowhere is asked")
	}
}
