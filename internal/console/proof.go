package console

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An instance asks another one for a viewer without giving the viewer's token away, as whoever may join the gate's group
// names the address. What it sends shows that it knows a token, and is good for one path of one instance, for a while.
// Nobody makes a token of it, or a request to another instance.

const (
	proofScheme = "Vibe-Bridge-Proof"
	proofAge    = 5 * time.Minute // of which clocks may take a part
)

// prove is the Authorization for asking the instance that others reach at url for what is at uri, a path with its query.
func prove(token, url, uri string, now time.Time) string {
	at := strconv.FormatInt(now.Unix(), 10)
	return proofScheme + " " + at + "." + hex.EncodeToString(proofOf(token, url, uri, at))
}

// proofOf is what only who knows the token can tell. Neither of the texts has a line break.
func proofOf(token, url, uri, at string) []byte {
	m := hmac.New(sha256.New, []byte(token))
	fmt.Fprintf(m, "vibe-bridge: GET for a viewer\n%s\n%s\n%s", strings.TrimSuffix(url, "/"), uri, at)
	return m.Sum(nil)
}

// byProof is the viewer for whom another instance asks.
func (a *Access) byProof(r *http.Request, proof string, now time.Time) (Viewer, *denied) {
	at, given, _ := strings.Cut(proof, ".")
	seconds, err1 := strconv.ParseInt(at, 10, 64)
	got, err2 := hex.DecodeString(given)
	if err := cmp.Or(err1, err2); err != nil || r.Method != http.MethodGet || !isForwarded(r) || a.url == "" {
		return Viewer{}, &denied{http.StatusUnauthorized, "that is not how an instance asks for a viewer"}
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > proofAge || age < -proofAge {
		return Viewer{}, &denied{http.StatusUnauthorized, fmt.Sprintf("the request was made %s ago, by the clocks of both instances: set them right", age.Round(time.Second))}
	}
	v, known := a.known(func(token string) bool { return hmac.Equal(got, proofOf(token, a.url, requestURI(r), at)) })
	if !known {
		return v, &denied{http.StatusUnauthorized, "asked with a token that is not known here, or for an instance at another address than " + a.url}
	}
	v.Name += ", asked by another instance"
	return v, nil
}
