package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/IBM/sarama"
)

// Reason is why a broker could not be used: a fixed set, fit for a metric's label.
type Reason string

// Reasons of a ConnectError.
const (
	Unresolved       Reason = "unresolved"         // the host name has no address
	Refused          Reason = "refused"            // nothing listens on the port
	TimedOut         Reason = "timed-out"          // no answer in time
	UnknownCA        Reason = "unknown-ca"         // the broker's certificate is signed by nobody we trust
	WrongName        Reason = "wrong-name"         // the broker's certificate is for another host
	BadCertificate   Reason = "bad-certificate"    // the broker's certificate is expired or otherwise invalid
	ClientCertNeeded Reason = "client-certificate" // the broker did not accept our certificate, or wants one
	NotTLS           Reason = "not-tls"            // the listener does not speak TLS
	NeedsTLS         Reason = "needs-tls"          // the listener speaks TLS, and we do not
	NotKafka         Reason = "not-kafka"          // what came back is not Kafka: often TLS spoken to a plain client
	LoginRefused     Reason = "login-refused"      // wrong user name or password
	MechanismRefused Reason = "mechanism-refused"  // the broker offers other SASL mechanisms
	LoginNeeded      Reason = "login-needed"       // the listener wants a login that is not configured
	Closed           Reason = "closed"             // the broker closed the connection without a reason
	Other            Reason = "other"
)

// passes tells whether trying again may help. A host name may get its address yet, as when all of a deployment starts at once.
func (r Reason) passes() bool {
	switch r {
	case Unresolved, Refused, TimedOut, Closed:
		return true
	}
	return false
}

// ConnectError says that a broker could not be reached or logged in to. Its text is one line with the broker, what
// happened and what to check. It never holds a password.
type ConnectError struct {
	Addr   string
	Reason Reason
	Err    error // as the network, TLS or the client library reported it

	what   string // the sentence
	others int    // further brokers that were tried in vain
}

// Error implements error.
func (e *ConnectError) Error() string {
	others := ""
	if e.others > 0 {
		others = fmt.Sprintf(" (the other %d brokers could not be used either)", e.others)
	}
	return fmt.Sprintf("broker %s: %s%s", e.Addr, e.what, others)
}

// Unwrap returns the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// stage of a probe in which an error happened: the same EOF means another thing in each.
type stage int

const (
	stageReach stage = iota
	stageLogin
	stageUse
)

func (c Cluster) connectError(addr string, at stage, err error) *ConnectError {
	e := &ConnectError{Addr: addr, Err: err}
	e.Reason, e.what = c.classifyTLS(addr, err)
	if e.Reason == "" {
		e.Reason, e.what = c.classifyNet(at, err)
	}
	return e
}

// classifyTLS recognizes what crypto/tls and crypto/x509 report, or returns "".
func (c Cluster) classifyTLS(addr string, err error) (Reason, string) {
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		from := "the system's authorities; set security.tls.ca_file to the one of this cluster"
		if f := c.Security.TLS.CAFile; f != "" {
			from = fmt.Sprintf("security.tls.ca_file %q; that file must hold the authority of this cluster", f)
		}
		return UnknownCA, "its certificate is signed by an unknown authority: not by one in " + from
	}
	var name x509.HostnameError
	if errors.As(err, &name) {
		return WrongName, fmt.Sprintf("its certificate is not for %q but for %s: use that name in brokers, or set security.tls.server_name", name.Host, certificateNames(name.Certificate))
	}
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) {
		return BadCertificate, fmt.Sprintf("its certificate is not valid (%v): renew it, or check this machine's clock", invalid)
	}
	var header tls.RecordHeaderError
	if errors.As(err, &header) {
		return NotTLS, fmt.Sprintf("it does not speak TLS on this port: set security.protocol to %s or %s, or use the port of the TLS listener", Plaintext, SASLPlaintext)
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" { // a TLS alert from the broker
		return ClientCertNeeded, c.clientCertText(op.Err)
	}
	return "", ""
}

func (c Cluster) clientCertText(alert error) string {
	if c.Security.TLS.CertFile == "" {
		return fmt.Sprintf("it ended the TLS handshake (%v): it probably wants a client certificate: set security.tls.cert_file and security.tls.key_file", alert)
	}
	return fmt.Sprintf("it did not accept the client certificate %q (%v): check that the cluster trusts its issuer and that it is not expired", c.Security.TLS.CertFile, alert)
}

func certificateNames(cert *x509.Certificate) string {
	names := append([]string{}, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no host at all"
	}
	return strings.Join(names, ", ")
}

func (c Cluster) classifyNet(at stage, err error) (Reason, string) {
	login := fmt.Sprintf("%s login as %q", c.Security.SASL.Mechanism, c.Security.SASL.Username)
	var dns *net.DNSError
	var decoding sarama.PacketDecodingError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return Unresolved, fmt.Sprintf("the host name %q has no address: check the name in brokers and this machine's DNS", dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused, "connection refused: check that the broker runs and that host and port in brokers are those of a listener"
	case errors.Is(err, sarama.ErrUnsupportedSASLMechanism):
		return MechanismRefused, fmt.Sprintf("it does not offer the SASL mechanism %s: set security.sasl.mechanism to one of the broker's sasl.enabled.mechanisms", c.Security.SASL.Mechanism)
	case errors.Is(err, sarama.ErrSASLAuthenticationFailed):
		return LoginRefused, login + " was refused: check security.sasl.username and the password"
	case errors.Is(err, sarama.ErrIllegalSASLState):
		return LoginRefused, login + " is not expected on this port: the listener takes no login: set security.protocol to one without SASL, or use the port of the SASL listener"
	case errors.As(err, &timeout) && timeout.Timeout():
		return TimedOut, fmt.Sprintf("no answer within %s: check the network, firewalls, and that security.protocol (%s) is that of the listener", c.ConnectTimeout, c.Security.Protocol)
	case errors.As(err, &decoding):
		return NotKafka, fmt.Sprintf("what it answers is not Kafka's protocol: does the port belong to a TLS listener? security.protocol is %s", c.Security.Protocol)
	case isClosed(err):
		return c.classifyClosed(at, login)
	case at == stageLogin:
		return LoginRefused, fmt.Sprintf("%s failed (%v): check security.sasl", login, err)
	}
	return Other, err.Error()
}

// classifyClosed explains a connection that the broker closed. Brokers close it without a word in all these cases.
func (c Cluster) classifyClosed(at stage, login string) (Reason, string) {
	switch {
	case at == stageLogin:
		return LoginRefused, fmt.Sprintf("it closed the connection during the %s: check security.sasl.username, the password, and security.protocol (%s)", login, c.Security.Protocol)
	case at == stageUse && !c.Security.usesSASL():
		return LoginNeeded, fmt.Sprintf("it closed the connection at the first request: the listener probably wants a login, but security.protocol is %s: set %s or %s", c.Security.Protocol, SASLPlaintext, SASLSSL)
	case at == stageUse:
		return Closed, fmt.Sprintf("it closed the connection right after the %s: its log says why", login)
	}
	return Closed, "it closed the connection without an answer: it is starting or ending, or a proxy answers for brokers that are away"
}

// wrongKind says that a listener which has closed the connection speaks the other kind of protocol, if it does.
func (c Cluster) wrongKind(addr string, cfg *sarama.Config, closed error) *ConnectError {
	if !isClosed(closed) || !speaks(addr, cfg, !cfg.Net.TLS.Enable) {
		return nil
	}
	e := &ConnectError{Addr: addr, Err: closed, Reason: NeedsTLS}
	e.what = fmt.Sprintf("it closed the connection: the port belongs to a TLS listener, and security.protocol is %s: set %s or %s, or use the port of the plain listener", c.Security.Protocol, SSL, SASLSSL)
	if cfg.Net.TLS.Enable {
		e.Reason = NotTLS
		e.what = fmt.Sprintf("it closed the connection during the TLS handshake: the port belongs to a plain listener, and security.protocol is %s: set %s or %s, or use the port of the TLS listener", c.Security.Protocol, Plaintext, SASLPlaintext)
	}
	return e
}

// speaks tells whether a listener speaks Kafka with TLS, or without. Certificates do not matter: nothing is said to it.
func speaks(addr string, cfg *sarama.Config, withTLS bool) bool {
	other := *cfg
	other.Net.TLS.Enable = withTLS
	other.Net.TLS.Config = &tls.Config{InsecureSkipVerify: true}
	b, err := openBroker(addr, &other)
	if err == nil {
		defer b.Close()
		_, err = b.ApiVersions(&sarama.ApiVersionsRequest{})
	}
	var op *net.OpError
	alert := errors.As(err, &op) && op.Op == "remote error" // as for want of a client certificate
	return err == nil || alert
}

func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// isNetwork tells whether an error is of the network, and not of what was said over it.
func isNetwork(err error) bool {
	var network net.Error
	return errors.As(err, &network)
}

// explanations say what the brokers' well-known answers mean for an operator of the bridge.
var explanations = []struct {
	err  error
	text string
}{
	{sarama.ErrSASLAuthenticationFailed, "the login was refused: check security.sasl.username and the password"},
	{sarama.ErrTopicAuthorizationFailed, "not allowed on this topic: the bridge's user needs Read and Describe on what it reads, Write and Describe on what it writes, Create and DescribeConfigs on internal topics"},
	{sarama.ErrGroupAuthorizationFailed, "not allowed to use this consumer group: the bridge's user needs Read on groups with its name's prefix"},
	{sarama.ErrClusterAuthorizationFailed, "not allowed on the cluster: the bridge's user needs IdempotentWrite, and Create if it is to create topics"},
	{sarama.ErrMessageSizeTooLarge, "larger than the topic allows: raise the topic's max.message.bytes to max_message_bytes of the configuration, or lower the latter"},
	{sarama.ErrNotEnoughReplicas, "fewer replicas in sync than min.insync.replicas: a broker is down or behind"},
	{sarama.ErrNotEnoughReplicasAfterAppend, "fewer replicas in sync than min.insync.replicas: a broker is down or behind"},
	{sarama.ErrInvalidReplicationFactor, "more replicas wanted than brokers are alive: start the missing brokers, or, on a cluster of one broker, set replication: 1"},
	{sarama.ErrPolicyViolation, "the cluster's create policy forbids this topic: ask its owner to create it with the settings that `topics plan` shows"},
	{sarama.ErrOffsetOutOfRange, "the committed offset is no longer in the topic: records were deleted before they were read; the bridge does not skip them silently"},
	{sarama.ErrUnknownTopicOrPartition, "the topic does not exist, or the user may not see it"},
	{sarama.ErrUnsupportedVersion, "the brokers are too old for this request"},
	{sarama.ErrOutOfBrokers, "no broker of the cluster answers: check that it runs and that the network reaches it"},
}

// Forbidden tells whether the user lacks a right on a topic.
func Forbidden(err error) bool { return errors.Is(err, sarama.ErrTopicAuthorizationFailed) }

// Explain returns one line about a failure of a Kafka client, fit for a person: what it means and what to do, with
// the original text after it. A nil error gives "", one that is not recognized its own text.
func Explain(err error) string {
	if err == nil {
		return ""
	}
	var ce *ConnectError
	if errors.As(err, &ce) {
		return oneLine(err.Error())
	}
	for _, x := range explanations {
		if errors.Is(err, x.err) {
			return fmt.Sprintf("%s (%s)", x.text, oneLine(err.Error()))
		}
	}
	return oneLine(err.Error())
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
