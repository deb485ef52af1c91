package kafkatest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// PKI is a certificate authority of a test's own, with its files in a temporary folder.
type PKI struct {
	CAFile string // the authority's certificate

	t    testing.TB
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	next int64 // serial number
}

// Leaf is a certificate with its key, as files and in memory.
type Leaf struct {
	CertFile, KeyFile string
	// KeystoreFile has key and chain together, as Kafka's ssl.keystore.type=PEM wants them.
	KeystoreFile string
	Certificate  tls.Certificate
}

// NewPKI makes an authority. Its name appears in its certificates.
func NewPKI(t testing.TB, name string) *PKI {
	t.Helper()
	p := &PKI{t: t, dir: t.TempDir(), next: 1}
	p.key = newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(p.next), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, p.key.Public(), p.key)
	if err != nil {
		t.Fatal(err)
	}
	if p.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	p.CAFile = p.write("ca.pem", pemOf("CERTIFICATE", der))
	return p
}

// Pool has the authority alone.
func (p *PKI) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.cert)
	return pool
}

// Issue makes a certificate for hosts, names or IP addresses, that is good for servers and clients until expiry.
func (p *PKI) Issue(name string, expiry time.Time, hosts ...string) Leaf {
	p.t.Helper()
	p.next++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(p.next), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: expiry,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, h)
	}
	key := newKey(p.t)
	der, err := x509.CreateCertificate(rand.Reader, template, p.cert, key.Public(), p.key)
	if err != nil {
		p.t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		p.t.Fatal(err)
	}
	certPEM, keyPEM := pemOf("CERTIFICATE", der), pemOf("PRIVATE KEY", pkcs8)
	chain := append(bytes.Clone(certPEM), pemOf("CERTIFICATE", p.cert.Raw)...)
	pair, err := tls.X509KeyPair(chain, keyPEM)
	if err != nil {
		p.t.Fatal(err)
	}
	return Leaf{
		CertFile:     p.write(name+".pem", chain),
		KeyFile:      p.write(name+".key", keyPEM),
		KeystoreFile: p.write(name+"-keystore.pem", append(bytes.Clone(keyPEM), chain...)),
		Certificate:  pair,
	}
}

// Valid is an expiry for Issue that outlives any test.
func Valid() time.Time { return time.Now().Add(24 * time.Hour) }

// Expired is an expiry for Issue that has passed.
func Expired() time.Time { return time.Now().Add(-24 * time.Hour) }

func (p *PKI) write(name string, b []byte) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
