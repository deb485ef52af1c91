package console

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/config"
)

// Right is what a viewer may do.
type Right string

// Rights. The other two include View.
const (
	View     Right = "view"     // read everything, personal data by its shape
	Personal Right = "personal" // personal data as it is
	Act      Right = "act"      // resync, resume, replay
)

// Viewer is who asks. Name is for the log: how the viewer was known, and never a token.
type Viewer struct {
	Name   string
	Rights []Right
}

// May tells whether the viewer has a right.
func (v Viewer) May(r Right) bool {
	for _, have := range v.Rights {
		if have == r || r == View {
			return true
		}
	}
	return false
}

// Access decides who may do what, by tokens from files, client certificates, and whether anybody but this machine is heard.
type Access struct {
	http     config.HTTP
	loopback bool
	url      string       // where other instances reach this one; "": nowhere
	log      *slog.Logger // it holds repeats back; nil: none
}

// unread logs that a token file cannot be read any more: whoever has that token is refused, and cannot tell why.
func (a *Access) unread(f tokenFile, err error) {
	if a.log != nil {
		a.log.Error("console: a token file cannot be read, and who has its token is refused until it can", "right", f.name, "file", f.path, "error", err)
	}
}

// leastToken is the least length of a token: shorter ones are guessed.
const leastToken = 16

// NewAccess reads every token once, so that what is wrong shows at the start. Later ones are read at each request: a
// token is changed by changing its file.
func NewAccess(h config.HTTP) (*Access, error) {
	a := &Access{http: h, loopback: config.IsLoopback(h.Listen)}
	var errs []error
	seen := map[string]string{}
	for _, f := range a.files() {
		token, err := readToken(f.path)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("http.%s_token_file: %w", f.name, err))
		case seen[token] != "":
			errs = append(errs, fmt.Errorf("http.%s_token_file: %s holds the same token as http.%s_token_file: each right wants one of its own", f.name, f.path, seen[token]))
		default:
			seen[token] = f.name
		}
	}
	return a, errors.Join(errs...)
}

type tokenFile struct{ name, path string }

func (a *Access) files() (files []tokenFile) {
	for _, f := range []tokenFile{
		{"view", a.http.ViewTokenFile}, {"act", a.http.ActTokenFile}, {"personal", a.http.PersonalTokenFile}, {"metrics", a.http.MetricsTokenFile},
	} {
		if f.path != "" {
			files = append(files, f)
		}
	}
	return files
}

func readToken(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	token := strings.TrimRight(string(data), "\r\n")
	if len(token) < leastToken || strings.ContainsAny(token, " \t\r\n") {
		return "", fmt.Errorf("%s: want one token of %d characters or more, without spaces", path, leastToken)
	}
	return token, nil
}

// denied is why a request is not answered: an HTTP status with what to do.
type denied struct {
	status int
	text   string
}

func (d *denied) Error() string { return d.text }

// viewer is who sends a request, or why nobody is known. Tokens are compared in a time that does not depend on them.
func (a *Access) viewer(r *http.Request) (Viewer, *denied) {
	if given, ok := credentials(r.Header.Get("Authorization"), "Bearer"); ok {
		return a.byToken(given)
	}
	if given, ok := credentials(r.Header.Get("Authorization"), proofScheme); ok {
		return a.byProof(r, given, time.Now())
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return Viewer{Name: "certificate " + r.TLS.VerifiedChains[0][0].Subject.String(), Rights: []Right{View}}, nil
	}
	switch {
	case a.http.ViewTokenFile != "" || a.http.ClientCAFile != "" || a.http.PersonalTokenFile != "" || a.http.ActTokenFile != "" && !a.loopback:
		return Viewer{}, &denied{http.StatusUnauthorized, "want a token: Authorization: Bearer TOKEN"}
	case a.loopback && !fromHere(r):
		return Viewer{}, &denied{http.StatusForbidden, "without a token data is shown to this machine alone, by a loopback address and not through a proxy: set http.view_token_file"}
	case a.loopback:
		return Viewer{Name: "this machine", Rights: []Right{View}}, nil
	}
	return Viewer{}, &denied{http.StatusForbidden, "data is shown to this machine alone: set http.view_token_file or http.client_ca_file, or have http.listen on loopback"}
}

// fromHere tells whether a request on a loopback listener was meant for it. One that a proxy passes on may come from
// anywhere; one under a foreign name is that of a web page whose name was made to point here.
func fromHere(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	host := r.Host
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), "80")
	}
	return config.IsLoopback(host)
}

// credentials are those that a header Authorization has of a scheme.
func credentials(header, scheme string) (string, bool) {
	name, given, found := strings.Cut(header, " ")
	return strings.TrimSpace(given), found && strings.EqualFold(name, scheme)
}

func (a *Access) byToken(given string) (Viewer, *denied) {
	got := sha256.Sum256([]byte(given))
	v, known := a.known(func(token string) bool {
		want := sha256.Sum256([]byte(token))
		return subtle.ConstantTimeCompare(got[:], want[:]) == 1
	})
	if !known {
		return v, &denied{http.StatusUnauthorized, "the token is not one that may do this"}
	}
	return v, nil
}

// known is the viewer whose token is the one that is meant.
func (a *Access) known(is func(token string) bool) (found Viewer, known bool) {
	for _, f := range a.files() {
		token, err := readToken(f.path)
		if err != nil {
			a.unread(f, err) // it was right at the start: whoever changes it now has it right again soon
			continue
		}
		if !is(token) {
			continue
		}
		found.Name = f.name + " token"
		switch f.name {
		case "view":
			found.Rights = []Right{View}
		case "act":
			found.Rights = []Right{View, Act}
		case "personal":
			found.Rights = []Right{View, Personal}
		}
	}
	if len(found.Rights) == 0 {
		return Viewer{}, false
	}
	return found, true
}

// metrics tells whether a request may read /metrics.
func (a *Access) metrics(r *http.Request) *denied {
	if a.http.MetricsTokenFile == "" {
		return nil
	}
	given, _ := credentials(r.Header.Get("Authorization"), "Bearer")
	want, err := readToken(a.http.MetricsTokenFile)
	if err != nil {
		a.unread(tokenFile{"metrics", a.http.MetricsTokenFile}, err)
	}
	got, expected := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
	if err != nil || subtle.ConstantTimeCompare(got[:], expected[:]) != 1 {
		return &denied{http.StatusUnauthorized, "want the token of http.metrics_token_file: Authorization: Bearer TOKEN"}
	}
	return nil
}

// require is who sends a request and has a right, or why it is denied.
func (a *Access) require(r *http.Request, right Right) (Viewer, *denied) {
	if right == Act && a.http.ActTokenFile == "" {
		return Viewer{}, &denied{http.StatusForbidden, "nobody may act here: set http.act_token_file"}
	}
	v, d := a.viewer(r)
	if d != nil {
		return v, d
	}
	if !v.May(right) {
		return v, &denied{http.StatusForbidden, fmt.Sprintf("%s may not do this: it takes the token of http.%s_token_file", cmp.Or(v.Name, "this viewer"), right)}
	}
	return v, nil
}
