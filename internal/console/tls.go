package console

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/config"
)

// TLS is how to serve HTTPS and how to ask other instances; both are nil where it is HTTP.
//
// Other instances are believed when their certificate is of an authority that the system or http.client_ca_file
// knows, or is the one of http.tls_cert_file. They are shown that certificate, as a viewer's.
func TLS(h config.HTTP) (serve, ask *tls.Config, err error) {
	if h.TLSCertFile == "" {
		return nil, nil, nil
	}
	own := &certificate{http: h}
	if _, err := own.current(); err != nil {
		return nil, nil, fmt.Errorf("http.tls_cert_file: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	chain, err := os.ReadFile(h.TLSCertFile)
	if err != nil {
		return nil, nil, fmt.Errorf("http.tls_cert_file: %w", err)
	}
	roots.AppendCertsFromPEM(chain)
	serve = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return own.current() }}
	if h.ClientCAFile != "" {
		pem, err := os.ReadFile(h.ClientCAFile)
		if err != nil {
			return nil, nil, fmt.Errorf("http.client_ca_file: %w", err)
		}
		serve.ClientCAs, serve.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
		if !serve.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, nil, errors.New("http.client_ca_file: " + h.ClientCAFile + " has no certificate in PEM")
		}
		roots.AppendCertsFromPEM(pem)
	}
	ask = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own.current() }}
	return serve, ask, nil
}

// certificate is read again now and then: a new one comes into use without a restart. One that cannot be read leaves
// the last in use.
type certificate struct {
	http config.HTTP
	mu   sync.Mutex
	last *tls.Certificate
	read time.Time
}

const certificateAge = time.Minute

func (c *certificate) current() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != nil && time.Since(c.read) < certificateAge {
		return c.last, nil
	}
	pair, err := tls.LoadX509KeyPair(c.http.TLSCertFile, c.http.TLSKeyFile)
	switch {
	case err == nil:
		c.last, c.read = &pair, time.Now()
	case c.last == nil:
		return nil, err
	}
	return c.last, nil
}
