package kafka

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

const (
	testUser     = "bridge"
	testPassword = "s3cret-word"
)

// login is a SASL login of the test user with the password in a file.
func login(t *testing.T, mechanism, password string) SASL {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return SASL{Mechanism: mechanism, Username: testUser, PasswordFile: path}
}

// listener is one secured cluster and what its tests need to reach it.
type listener struct {
	addr   string
	pki    *kafkatest.PKI // nil without TLS
	client kafkatest.Leaf // a certificate that the listener accepts
}

func (l listener) cluster(s Security) Cluster {
	return Cluster{Brokers: []string{l.addr}, Security: s, ConnectTimeout: 2 * time.Second, Replication: 1}
}

// serverTLS makes the server's side of TLS for 127.0.0.1.
func serverTLS(pki *kafkatest.PKI, auth tls.ClientAuthType, expiry time.Time, hosts ...string) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{pki.Issue("broker", expiry, hosts...).Certificate},
		ClientAuth:   auth, ClientCAs: pki.Pool(),
	}
}

func startListener(t *testing.T, pki *kafkatest.PKI, opts ...kfake.Opt) listener {
	t.Helper()
	l := listener{addr: kafkatest.Embedded(t, embedded.Options{More: opts}).Addrs[0], pki: pki}
	if pki != nil {
		l.client = pki.Issue("client", kafkatest.Valid())
	}
	return l
}

var users = []kfake.Opt{
	kfake.EnableSASL(),
	kfake.Superuser("PLAIN", testUser, testPassword),
	kfake.Superuser("SCRAM-SHA-256", testUser, testPassword),
	kfake.Superuser("SCRAM-SHA-512", testUser, testPassword),
}

func TestSecuredListeners(t *testing.T) {
	t.Parallel()
	pki := kafkatest.NewPKI(t, "cluster authority")
	plain := startListener(t, nil)
	sasl := startListener(t, nil, users...)
	encrypted := startListener(t, pki, kfake.TLS(serverTLS(pki, tls.NoClientCert, kafkatest.Valid(), "127.0.0.1")))
	saslSSL := startListener(t, pki, append(users, kfake.TLS(serverTLS(pki, tls.NoClientCert, kafkatest.Valid(), "127.0.0.1")))...)
	mutual := startListener(t, pki, kfake.TLS(serverTLS(pki, tls.RequireAndVerifyClientCert, kafkatest.Valid(), "127.0.0.1")))
	named := startListener(t, pki, kfake.TLS(serverTLS(pki, tls.NoClientCert, kafkatest.Valid(), "kafka-1.example.com")))
	expired := startListener(t, pki, kfake.TLS(serverTLS(pki, tls.NoClientCert, kafkatest.Expired(), "127.0.0.1")))
	stranger := kafkatest.NewPKI(t, "another authority")
	strangersCert := stranger.Issue("client", kafkatest.Valid())
	ca := TLS{CAFile: pki.CAFile}

	tests := []struct {
		name string
		l    listener
		s    Security
		want Reason // "" is a working login
		says []string
	}{
		{"plain text", plain, Security{}, "", nil},
		{"PLAIN", sasl, Security{Protocol: SASLPlaintext, SASL: login(t, MechanismPlain, testPassword)}, "", nil},
		{"SCRAM-SHA-256", sasl, Security{Protocol: SASLPlaintext, SASL: login(t, MechanismScram256, testPassword)}, "", nil},
		{"SCRAM-SHA-512", sasl, Security{Protocol: SASLPlaintext, SASL: login(t, MechanismScram512, testPassword)}, "", nil},
		{"TLS", encrypted, Security{Protocol: SSL, TLS: ca}, "", nil},
		{"TLS with SCRAM-SHA-512", saslSSL, Security{Protocol: SASLSSL, SASL: login(t, MechanismScram512, testPassword), TLS: ca}, "", nil},
		{"TLS with PLAIN", saslSSL, Security{Protocol: SASLSSL, SASL: login(t, MechanismPlain, testPassword), TLS: ca}, "", nil},
		{"client certificate", mutual, Security{Protocol: SSL, TLS: TLS{CAFile: pki.CAFile, CertFile: mutual.client.CertFile, KeyFile: mutual.client.KeyFile}}, "", nil},
		{"server name", named, Security{Protocol: SSL, TLS: TLS{CAFile: pki.CAFile, ServerName: "kafka-1.example.com"}}, "", nil},

		{"wrong password, SCRAM", sasl, Security{Protocol: SASLPlaintext, SASL: login(t, MechanismScram512, "wr0ng-word")}, LoginRefused, []string{`SCRAM-SHA-512 login as "bridge"`, "password"}},
		{"wrong password, PLAIN", sasl, Security{Protocol: SASLPlaintext, SASL: login(t, MechanismPlain, "wr0ng-word")}, LoginRefused, []string{`PLAIN login as "bridge"`}},
		{"wrong password over TLS", saslSSL, Security{Protocol: SASLSSL, SASL: login(t, MechanismScram512, "wr0ng-word"), TLS: ca}, LoginRefused, []string{`SCRAM-SHA-512 login as "bridge"`}},
		{"no login", sasl, Security{}, LoginNeeded, []string{"PLAINTEXT", "SASL_SSL"}},
		{"no login over TLS", saslSSL, Security{Protocol: SSL, TLS: ca}, LoginNeeded, []string{"security.protocol is SSL"}},
		{"wrong authority", encrypted, Security{Protocol: SSL, TLS: TLS{CAFile: stranger.CAFile}}, UnknownCA, []string{"unknown authority", stranger.CAFile}},
		{"the system's authorities", encrypted, Security{Protocol: SSL}, UnknownCA, []string{"set security.tls.ca_file"}},
		{"wrong name", named, Security{Protocol: SSL, TLS: ca}, WrongName, []string{`"127.0.0.1"`, "kafka-1.example.com", "security.tls.server_name"}},
		{"wrong server name", encrypted, Security{Protocol: SSL, TLS: TLS{CAFile: pki.CAFile, ServerName: "kafka-2.example.com"}}, WrongName, []string{`"kafka-2.example.com"`, "127.0.0.1"}},
		{"expired", expired, Security{Protocol: SSL, TLS: ca}, BadCertificate, []string{"expired"}},
		{"no client certificate", mutual, Security{Protocol: SSL, TLS: ca}, ClientCertNeeded, []string{"security.tls.cert_file"}},
		{"another authority's client certificate", mutual, Security{Protocol: SSL, TLS: TLS{CAFile: pki.CAFile, CertFile: strangersCert.CertFile, KeyFile: strangersCert.KeyFile}}, ClientCertNeeded, []string{strangersCert.CertFile}},
		// kfake waits for the rest of what it takes for a huge request; Kafka closes the connection, see TestSecuredKafka.
		{"TLS to a plain listener", plain, Security{Protocol: SSL, TLS: ca}, TimedOut, []string{"security.protocol (SSL)"}},
		{"plain to a TLS listener", encrypted, Security{}, NeedsTLS, []string{"TLS listener", "PLAINTEXT"}},
		{"password file is gone", sasl, Security{Protocol: SASLPlaintext, SASL: SASL{Mechanism: MechanismPlain, Username: testUser, PasswordFile: "/nonexistent/password"}}, Other, []string{"security.sasl.password_file", "no such file"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, err := NewAdmin(tt.l.cluster(tt.s))
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				defer a.Close()
				if _, err := a.Describe([]string{"t"}); err != nil {
					t.Errorf("after the login: %v", err)
				}
				return
			}
			wantConnectError(t, err, tt.want, tt.says)
		})
	}
}

// wantConnectError checks the reason, that the text is one line with all parts, and that it shows no password.
func wantConnectError(t *testing.T, err error, reason Reason, says []string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	var ce *ConnectError
	got := Other
	if errors.As(err, &ce) {
		got = ce.Reason
	}
	if got != reason {
		t.Errorf("reason %q, want %q: %v", got, reason, err)
	}
	wantError(t, err, says)
	for _, text := range []string{err.Error(), Explain(err)} {
		if strings.Contains(text, "\n") {
			t.Errorf("more than one line: %q", text)
		}
		if strings.Contains(text, testPassword) || strings.Contains(text, "wr0ng-word") {
			t.Errorf("shows the password: %q", text)
		}
	}
}

func TestUnreachableBrokers(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	closed.Close()
	alive := startListener(t, nil)

	tests := []struct {
		name    string
		brokers []string
		want    Reason
		says    []string
	}{
		{"nothing listens", []string{nobody}, Refused, []string{nobody, "connection refused", "check that the broker runs"}},
		{"no answer", []string{silent.Addr().String()}, TimedOut, []string{"no answer within 1s"}},
		{"no such host", []string{"kafka.invalid:9092"}, Unresolved, []string{`"kafka.invalid"`, "DNS"}},
		{"all of several", []string{nobody, "kafka.invalid:9092"}, Refused, []string{"the other 1 brokers"}},
		{"one of several answers", []string{nobody, alive.addr}, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := Cluster{Brokers: tt.brokers, ConnectTimeout: time.Second}
			v, err := c.Negotiate(nil)
			if tt.want == "" {
				if err != nil || !v.IsAtLeast(sarama.V2_8_0_0) {
					t.Errorf("version %s, error %v", v, err)
				}
				return
			}
			wantConnectError(t, err, tt.want, tt.says)
		})
	}
}

// A refused login is not tried on the other brokers: repeated failures can lock the account.
func TestRefusedLoginEndsTheProbe(t *testing.T) {
	first, second := startListener(t, nil, users...), startListener(t, nil, users...)
	dialed := &countingDialer{}
	c := Cluster{Brokers: []string{first.addr, second.addr}, Security: Security{Protocol: SASLPlaintext, SASL: login(t, MechanismScram512, "wr0ng-word")}}
	_, err := c.Negotiate(dialed)
	wantConnectError(t, err, LoginRefused, []string{first.addr})
	if n := dialed.to(second.addr); n != 0 {
		t.Errorf("%d connections to the second broker", n)
	}
}

func TestNegotiate(t *testing.T) {
	tests := []struct {
		cluster *kversion.Versions
		want    sarama.KafkaVersion
	}{
		{kversion.V0_11_0(), sarama.V0_11_0_0},
		{kversion.V1_0_0(), sarama.V1_0_0_0},
		{kversion.V2_0_0(), sarama.V2_0_0_0},
		{kversion.V2_1_0(), sarama.V2_1_0_0},
		{kversion.V2_2_0(), sarama.V2_1_0_0},
		{kversion.V2_3_0(), sarama.V2_3_0_0},
		{kversion.V2_4_0(), sarama.V2_4_0_0},
		{kversion.V2_5_0(), sarama.V2_5_0_0},
		{kversion.V2_6_0(), sarama.V2_5_0_0},
		{kversion.V2_7_0(), sarama.V2_7_0_0},
		{kversion.V2_8_0(), sarama.V2_8_0_0},
		{kversion.V3_0_0(), sarama.V3_0_0_0},
		{kversion.V3_2_0(), sarama.V3_2_0_0},
		{kversion.V3_6_0(), sarama.V3_2_0_0},
		{kversion.V3_7_0(), sarama.V3_7_0_0},
		{kversion.V3_9_0(), sarama.V3_7_0_0},
		{kversion.V4_0_0(), sarama.V4_0_0_0},
		{kversion.V4_3_0(), sarama.V4_0_0_0},
	}
	for _, tt := range tests {
		t.Run(tt.cluster.VersionGuess(), func(t *testing.T) {
			l := startListener(t, nil, kfake.MaxVersions(tt.cluster))
			v, err := l.cluster(Security{}).Negotiate(nil)
			if err != nil || v != tt.want {
				t.Errorf("version %s, error %v; want %s", v, err, tt.want)
			}
		})
	}
	t.Run("too old", func(t *testing.T) {
		l := startListener(t, nil, kfake.MaxVersions(kversion.V0_10_2()))
		_, err := l.cluster(Security{}).Negotiate(nil)
		wantError(t, err, []string{"older than Kafka 0.11.0.0", "record headers", "upgrade"})
	})
	t.Run("configured", func(t *testing.T) {
		l := startListener(t, nil)
		c := l.cluster(Security{})
		c.Version = "3.1.0"
		if v, err := c.Negotiate(nil); err != nil || v != sarama.V3_1_0_0 {
			t.Errorf("version %s, error %v", v, err)
		}
	})
}
