package kafka

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

func TestClusterValidate(t *testing.T) {
	good := Cluster{Brokers: []string{"kafka-1.example.com:9092", "[::1]:9092"}}
	tests := []struct {
		name   string
		change func(*Cluster)
		want   []string // parts of the error; none: valid
	}{
		{"defaults", func(c *Cluster) {}, nil},
		{"no brokers", func(c *Cluster) { c.Brokers = nil }, []string{"brokers: empty"}},
		{"no port", func(c *Cluster) { c.Brokers[0] = "kafka-1" }, []string{`brokers[0]: "kafka-1"`, "host:port"}},
		{"no host", func(c *Cluster) { c.Brokers[1] = ":9092" }, []string{`brokers[1]: ":9092"`, "host is missing"}},
		{"port out of range", func(c *Cluster) { c.Brokers[0] = "kafka-1:99999" }, []string{`"99999"`, "1 to 65535"}},
		{"scheme", func(c *Cluster) { c.Brokers[0] = "SASL_SSL://kafka-1:9093" }, []string{"security.protocol"}},
		{"comma list", func(c *Cluster) { c.Brokers[0] = "kafka-1:9092,kafka-2:9092" }, []string{"one host:port per list entry"}},
		{"twice", func(c *Cluster) { c.Brokers[1] = c.Brokers[0] }, []string{"brokers[1]", "listed twice"}},
		{"two faults", func(c *Cluster) { c.Brokers = nil; c.Replication = -1 }, []string{"brokers: empty", "replication: -1: want 1 or more"}},
		{"client id", func(c *Cluster) { c.ClientID = "a b" }, []string{`client_id: "a b"`}},
		{"version", func(c *Cluster) { c.Version = "three" }, []string{`version: "three"`, "leave it out"}},
		{"old version", func(c *Cluster) { c.Version = "0.10.2.0" }, []string{"0.11.0.0 or newer"}},
		{"compression", func(c *Cluster) { c.Compression = "gzip" }, []string{`compression: "gzip": want lz4 or zstd`}},
		{"lz4", func(c *Cluster) { c.Compression = "lz4" }, nil},
		{"small messages", func(c *Cluster) { c.MaxMessageBytes = 1000 }, []string{"max_message_bytes: 1000: want 1048576"}},
		{"large messages", func(c *Cluster) { c.MaxMessageBytes = 65 << 20 }, []string{"max_message_bytes", "67108864"}},
		{"slow flush", func(c *Cluster) { c.FlushInterval = 100 * time.Millisecond }, []string{"flush_interval: 100ms: want 1ms to 10ms"}},
		{"connect timeout", func(c *Cluster) { c.ConnectTimeout = time.Hour }, []string{"connect_timeout: 1h0m0s: want 1s to 1m"}},
		{"single broker", func(c *Cluster) { c.Replication = 1 }, nil},
		{"min_insync above replication", func(c *Cluster) { c.Replication, c.MinInsync = 2, 3 }, []string{"min_insync: 3: want 1 to 2 (replication)"}},
		{"protocol", func(c *Cluster) { c.Security.Protocol = "TLS" }, []string{`security.protocol: "TLS": want PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := good
			c.Brokers = append([]string(nil), good.Brokers...)
			tt.change(&c)
			wantError(t, c.Validate(), tt.want)
		})
	}
}

func TestClusterDefaults(t *testing.T) {
	c := Cluster{}.WithDefaults()
	if c.Replication != 3 || c.MinInsync != 2 || c.MaxMessageBytes != 8<<20 || c.Compression != "lz4" || c.Security.Protocol != "PLAINTEXT" {
		t.Errorf("defaults: %+v", c)
	}
	if c := (Cluster{Replication: 1}).WithDefaults(); c.MinInsync != 1 {
		t.Errorf("min_insync of one replica: %d, want 1", c.MinInsync)
	}
}

func TestSecurityValidate(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pki := kafkatest.NewPKI(t, "test authority")
	leaf, other := pki.Issue("bridge", kafkatest.Valid(), "127.0.0.1"), pki.Issue("other", kafkatest.Valid(), "127.0.0.1")
	password, empty, notPEM := write("password", "s3cret-word\n"), write("empty", "\n"), write("not.pem", "s3cret-word")
	sasl := SASL{Mechanism: MechanismScram512, Username: "bridge", PasswordFile: password}
	with := func(change func(*SASL)) SASL { s := sasl; change(&s); return s }

	tests := []struct {
		name string
		s    Security
		want []string
	}{
		{"plain text", Security{}, nil},
		{"password file", Security{Protocol: SASLPlaintext, SASL: sasl}, nil},
		{"password from the environment", Security{Protocol: SASLSSL, SASL: with(func(s *SASL) { s.PasswordFile, s.Password = "", "s3cret-word" })}, nil},
		{"login without SASL", Security{SASL: sasl}, []string{"security.sasl: set", "PLAINTEXT does not log in"}},
		{"login over TLS alone", Security{Protocol: SSL, SASL: sasl}, []string{"security.sasl: set", "SSL does not log in"}},
		{"no mechanism", Security{Protocol: SASLSSL, SASL: with(func(s *SASL) { s.Mechanism = "" })}, []string{`security.sasl.mechanism: ""`, "SCRAM-SHA-512"}},
		{"unknown mechanism", Security{Protocol: SASLSSL, SASL: with(func(s *SASL) { s.Mechanism = "GSSAPI" })}, []string{`security.sasl.mechanism: "GSSAPI"`}},
		{"no user", Security{Protocol: SASLSSL, SASL: with(func(s *SASL) { s.Username = "" })}, []string{"security.sasl.username: empty"}},
		{"no password", Security{Protocol: SASLSSL, SASL: with(func(s *SASL) { s.PasswordFile = "" })}, []string{"security.sasl.password_file: empty"}},
		{"two passwords", Security{Protocol: SASLSSL, SASL: with(func(s *SASL) { s.Password = "s3cret-word" })}, []string{"want one of the two"}},
		{"missing password file", Security{Protocol: SASLSSL, SASL: with(func(s *SASL) { s.PasswordFile = dir + "/none" })}, []string{"security.sasl.password_file", dir + "/none", "no such file"}},
		{"empty password file", Security{Protocol: SASLSSL, SASL: with(func(s *SASL) { s.PasswordFile = empty })}, []string{"security.sasl.password_file", "the file is empty"}},
		{"TLS without encryption", Security{TLS: TLS{CAFile: pki.CAFile}}, []string{"security.tls: set", "PLAINTEXT does not encrypt"}},
		{"authority", Security{Protocol: SSL, TLS: TLS{CAFile: pki.CAFile}}, nil},
		{"missing authority", Security{Protocol: SSL, TLS: TLS{CAFile: dir + "/none"}}, []string{"security.tls.ca_file", "no such file"}},
		{"authority is no PEM", Security{Protocol: SSL, TLS: TLS{CAFile: notPEM}}, []string{"security.tls.ca_file", "no certificate in it"}},
		{"client certificate", Security{Protocol: SSL, TLS: TLS{CertFile: leaf.CertFile, KeyFile: leaf.KeyFile}}, nil},
		{"certificate without key", Security{Protocol: SSL, TLS: TLS{CertFile: leaf.CertFile}}, []string{"security.tls.key_file: empty"}},
		{"key without certificate", Security{Protocol: SSL, TLS: TLS{KeyFile: leaf.KeyFile}}, []string{"security.tls.cert_file: empty"}},
		{"missing key", Security{Protocol: SSL, TLS: TLS{CertFile: leaf.CertFile, KeyFile: dir + "/none"}}, []string{"security.tls.key_file", "no such file"}},
		{"another's key", Security{Protocol: SSL, TLS: TLS{CertFile: leaf.CertFile, KeyFile: other.KeyFile}}, []string{"security.tls.cert_file", "private key does not match"}},
		{"key is no PEM", Security{Protocol: SSL, TLS: TLS{CertFile: leaf.CertFile, KeyFile: notPEM}}, []string{notPEM}},
		{"all at once", Security{Protocol: SASLSSL, TLS: TLS{CAFile: dir + "/none"}}, []string{"security.sasl.mechanism", "security.sasl.username", "security.tls.ca_file"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.s.Validate()
			wantError(t, err, tt.want)
			if err != nil && strings.Contains(err.Error(), "s3cret-word") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

func TestPasswordFileEndsOfLine(t *testing.T) {
	for content, want := range map[string]string{"pw": "pw", "pw\n": "pw", "pw\r\n": "pw", " pw \n": " pw ", "p\nw\n": "p\nw"} {
		path := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := SASL{PasswordFile: path}.password()
		if err != nil || got != want {
			t.Errorf("file %q: password %q, %v; want %q", content, got, err, want)
		}
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	c := Cluster{Security: Security{SASL: SASL{Password: "s3cret-word"}}}
	text, err := c.Security.SASL.Password.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v %q %x", c, c, c.Security.SASL, c.Security.SASL.Password), string(text)} {
		if strings.Contains(s, "s3cret-word") || strings.Contains(s, fmt.Sprintf("%x", "s3cret-word")) {
			t.Errorf("printed: %s", s)
		}
	}
}

// wantError checks that err has all parts, or is nil when there are none.
func wantError(t *testing.T, err error, parts []string) {
	t.Helper()
	if len(parts) == 0 {
		if err != nil {
			t.Errorf("error: %v, want none", err)
		}
		return
	}
	if err == nil {
		t.Errorf("no error, want one with %q", parts)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q\ndoes not say %q", err, p)
		}
	}
}
