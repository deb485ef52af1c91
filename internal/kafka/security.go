package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/IBM/sarama"
)

// Security says how to reach and to log in to the brokers. There is no switch that turns the check of the
// brokers' certificates off.
type Security struct {
	// Protocol is Kafka's security.protocol: PLAINTEXT (the default), SSL, SASL_PLAINTEXT or SASL_SSL.
	Protocol string
	SASL     SASL
	TLS      TLS
}

// SASL is the login of the protocols SASL_PLAINTEXT and SASL_SSL.
type SASL struct {
	// Mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
	Mechanism string
	Username  string
	// Password is meant to be filled from the environment; a configuration file names a PasswordFile instead.
	Password Secret
	// PasswordFile holds the password alone; one trailing line end is dropped.
	PasswordFile string
}

// TLS is the encryption of the protocols SSL and SASL_SSL. All files are PEM.
type TLS struct {
	// CAFile holds the authorities that sign the brokers' certificates. Empty: those of the system.
	CAFile string
	// CertFile and KeyFile are the client's certificate, with its chain, and key, for brokers that ask for one (mTLS).
	CertFile string
	KeyFile  string
	// ServerName is expected in every broker's certificate instead of the host name that was dialed.
	ServerName string
}

// Kafka's security protocols.
const (
	Plaintext     = "PLAINTEXT"
	SSL           = "SSL"
	SASLPlaintext = "SASL_PLAINTEXT"
	SASLSSL       = "SASL_SSL"
)

// SASL mechanisms.
const (
	MechanismPlain    = sarama.SASLTypePlaintext
	MechanismScram256 = sarama.SASLTypeSCRAMSHA256
	MechanismScram512 = sarama.SASLTypeSCRAMSHA512
)

// Secret is a text that formats as "(hidden)", so that a printed configuration shows no password.
type Secret string

func (s Secret) hidden() string {
	if s == "" {
		return ""
	}
	return "(hidden)"
}

// String implements fmt.Stringer.
func (s Secret) String() string { return s.hidden() }

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return s.hidden() }

// MarshalText implements encoding.TextMarshaler, for JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.hidden()), nil }

func (s Security) withDefaults() Security {
	if s.Protocol == "" {
		s.Protocol = Plaintext
	}
	return s
}

func (s Security) usesTLS() bool  { return s.Protocol == SSL || s.Protocol == SASLSSL }
func (s Security) usesSASL() bool { return s.Protocol == SASLPlaintext || s.Protocol == SASLSSL }

// Validate checks the fields and reads the files; its error joins one line per fault and shows no password.
func (s Security) Validate() error {
	s = s.withDefaults()
	switch s.Protocol {
	case Plaintext, SSL, SASLPlaintext, SASLSSL:
	default:
		return fmt.Errorf("security.protocol: %q: want %s, %s, %s or %s", s.Protocol, Plaintext, SSL, SASLPlaintext, SASLSSL)
	}
	return errors.Join(s.validateSASL(), s.validateTLS())
}

func (s Security) validateSASL() error {
	if !s.usesSASL() {
		if s.SASL != (SASL{}) {
			return fmt.Errorf("security.sasl: set, but security.protocol %s does not log in: want %s or %s, or no security.sasl", s.Protocol, SASLPlaintext, SASLSSL)
		}
		return nil
	}
	var errs []error
	switch s.SASL.Mechanism {
	case MechanismPlain, MechanismScram256, MechanismScram512:
	default:
		errs = append(errs, fmt.Errorf("security.sasl.mechanism: %q: want %s, %s or %s", s.SASL.Mechanism, MechanismPlain, MechanismScram256, MechanismScram512))
	}
	if s.SASL.Username == "" {
		errs = append(errs, fmt.Errorf("security.sasl.username: empty: security.protocol %s needs one", s.Protocol))
	}
	if _, err := s.SASL.password(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// password returns the password from wherever it is configured.
func (s SASL) password() (string, error) {
	if s.Password != "" && s.PasswordFile != "" {
		return "", fmt.Errorf("security.sasl.password_file: %q: security.sasl.password is set as well: want one of the two", s.PasswordFile)
	}
	if s.Password != "" {
		return string(s.Password), nil
	}
	if s.PasswordFile == "" {
		return "", errors.New("security.sasl.password_file: empty: want a file with the password, or the password in the environment")
	}
	b, err := os.ReadFile(s.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("security.sasl.password_file: %w", err)
	}
	p := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if p == "" {
		return "", fmt.Errorf("security.sasl.password_file: %q: the file is empty", s.PasswordFile)
	}
	return p, nil
}

func (s Security) validateTLS() error {
	if s.usesTLS() {
		_, err := s.tlsConfig()
		return err
	}
	if s.TLS != (TLS{}) {
		return fmt.Errorf("security.tls: set, but security.protocol %s does not encrypt: want %s or %s, or no security.tls", s.Protocol, SSL, SASLSSL)
	}
	return nil
}

func (s Security) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.TLS.ServerName}
	var errs []error
	if s.TLS.CAFile != "" {
		pool, err := readCAs(s.TLS.CAFile)
		if err != nil {
			errs = append(errs, err)
		}
		c.RootCAs = pool
	}
	switch {
	case s.TLS.CertFile == "" && s.TLS.KeyFile == "":
	case s.TLS.KeyFile == "":
		errs = append(errs, fmt.Errorf("security.tls.key_file: empty: security.tls.cert_file %q needs its key", s.TLS.CertFile))
	case s.TLS.CertFile == "":
		errs = append(errs, fmt.Errorf("security.tls.cert_file: empty: security.tls.key_file %q needs its certificate", s.TLS.KeyFile))
	default:
		cert, err := readKeyPair(s.TLS.CertFile, s.TLS.KeyFile)
		if err != nil {
			errs = append(errs, err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return c, nil
}

func readCAs(path string) (*x509.CertPool, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("security.tls.ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("security.tls.ca_file: %q: no certificate in it: want PEM (-----BEGIN CERTIFICATE-----); convert a JKS store with keytool -exportcert -rfc", path)
	}
	return pool, nil
}

func readKeyPair(certFile, keyFile string) (tls.Certificate, error) {
	certPEM, err := os.ReadFile(certFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("security.tls.cert_file: %w", err)
	}
	keyPEM, err := os.ReadFile(keyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("security.tls.key_file: %w", err)
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		// The package's errors name what is wrong with the PEM, never its content.
		return tls.Certificate{}, fmt.Errorf("security.tls.cert_file: %q with security.tls.key_file: %q: %w", certFile, keyFile, err)
	}
	return cert, nil
}

// apply puts the security settings into a client configuration.
func (s Security) apply(cfg *sarama.Config) error {
	s = s.withDefaults()
	if s.usesTLS() {
		c, err := s.tlsConfig()
		if err != nil {
			return err
		}
		cfg.Net.TLS.Enable = true
		cfg.Net.TLS.Config = c
	}
	if !s.usesSASL() {
		return nil
	}
	password, err := s.SASL.password()
	if err != nil {
		return err
	}
	cfg.Net.SASL.Enable = true
	cfg.Net.SASL.Mechanism = sarama.SASLMechanism(s.SASL.Mechanism)
	cfg.Net.SASL.User = s.SASL.Username
	cfg.Net.SASL.Password = password
	if s.SASL.Mechanism != MechanismPlain {
		cfg.Net.SASL.SCRAMClientGeneratorFunc = scramClientOf(s.SASL.Mechanism)
	}
	return nil
}
