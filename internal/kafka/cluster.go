package kafka

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// Cluster is the configuration of one Kafka cluster: where it is, how to log in, and the few settings of
// the client profile that are for the operator to choose. The zero value of a field means its default.
//
// Example:
//
//	brokers: [kafka-1.example.com:9093, kafka-2.example.com:9093]
//	client_id: vibe-bridge
//	security:
//	  protocol: SASL_SSL
//	  sasl: {mechanism: SCRAM-SHA-512, username: bridge, password_file: /run/secrets/kafka}
//	  tls: {ca_file: /etc/kafka/ca.pem}
//	replication: 3
//	min_insync: 2
type Cluster struct {
	// Brokers are host:port addresses to start from; the rest of the cluster is found through any of them.
	Brokers []string
	// ClientID appears in the brokers' logs, quotas and metrics. Default "vibe-bridge".
	ClientID string
	Security Security

	// Version of the brokers, for example "3.6.0". Empty (the default) asks the first broker that answers.
	// Only for brokers that misreport what they support.
	Version string

	// Compression of what the bridge writes: "lz4" (the default) or "zstd".
	Compression string
	// MaxMessageBytes bounds one record, and one batch of records before compression. Default 8 MiB, between 1 MiB
	// and 64 MiB. Every topic that the bridge writes needs max.message.bytes of at least this much: a batch grows
	// with the load, so a lower limit on the topic fails only when it hurts most. Kafka's own default is 1 MiB.
	MaxMessageBytes int
	// FlushInterval is how long the producer gathers records before it sends them, unless 64 KiB come together
	// sooner. Default 5ms, between 1ms and 10ms: an order waits for the acknowledgement of its event.
	FlushInterval time.Duration
	// ConnectTimeout bounds the attempt to connect and log in to one broker. Default 10s, between 1s and 1m.
	ConnectTimeout time.Duration

	// Replication of the topics that the bridge creates here. Default 3. A cluster of one broker needs 1, said so
	// explicitly: it is never lowered silently to the number of brokers.
	Replication int16
	// MinInsync is min.insync.replicas of those topics. Default 2, or 1 where Replication is 1.
	MinInsync int16
}

const (
	defaultClientID        = "vibe-bridge"
	defaultMaxMessageBytes = 8 << 20
	defaultFlushInterval   = 5 * time.Millisecond
	defaultConnectTimeout  = 10 * time.Second
	defaultReplication     = 3
	defaultMinInsync       = 2

	minMaxMessageBytes = 1 << 20
	maxMaxMessageBytes = 64 << 20 // sarama refuses requests above 100 MiB
	maxFlushInterval   = 10 * time.Millisecond
)

// Compression names.
const (
	CompressionZstd = "zstd"
	CompressionLZ4  = "lz4"
)

// WithDefaults returns the cluster with every unset field at its default.
func (c Cluster) WithDefaults() Cluster {
	if c.ClientID == "" {
		c.ClientID = defaultClientID
	}
	if c.Compression == "" {
		c.Compression = CompressionLZ4
	}
	if c.MaxMessageBytes == 0 {
		c.MaxMessageBytes = defaultMaxMessageBytes
	}
	if c.FlushInterval == 0 {
		c.FlushInterval = defaultFlushInterval
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = defaultConnectTimeout
	}
	if c.Replication == 0 {
		c.Replication = defaultReplication
	}
	if c.MinInsync == 0 {
		c.MinInsync = min(defaultMinInsync, c.Replication)
	}
	c.Security = c.Security.withDefaults()
	return c
}

// clientIDRule is what brokers accept in metric names and quotas without quoting.
var clientIDRule = regexp.MustCompile(`^[A-Za-z0-9._-]{1,200}$`)

// Validate checks every field and reads the files that Security names. Its error joins one line per fault, each
// with the field (as in the YAML file), the value and the bound; passwords never appear.
func (c Cluster) Validate() error {
	c = c.WithDefaults()
	errs := c.validateBrokers()
	if !clientIDRule.MatchString(c.ClientID) {
		errs = append(errs, fmt.Errorf("client_id: %q: want letters, digits, dots, dashes and underscores, at most 200", c.ClientID))
	}
	if c.Version != "" {
		if _, err := parseVersion(c.Version); err != nil {
			errs = append(errs, err)
		}
	}
	if c.Compression != CompressionZstd && c.Compression != CompressionLZ4 {
		errs = append(errs, fmt.Errorf("compression: %q: want %s or %s", c.Compression, CompressionLZ4, CompressionZstd))
	}
	if c.MaxMessageBytes < minMaxMessageBytes || c.MaxMessageBytes > maxMaxMessageBytes {
		errs = append(errs, fmt.Errorf("max_message_bytes: %d: want %d (1 MiB) to %d (64 MiB)", c.MaxMessageBytes, minMaxMessageBytes, maxMaxMessageBytes))
	}
	if c.FlushInterval < time.Millisecond || c.FlushInterval > maxFlushInterval {
		errs = append(errs, fmt.Errorf("flush_interval: %s: want 1ms to %s", c.FlushInterval, maxFlushInterval))
	}
	if c.ConnectTimeout < time.Second || c.ConnectTimeout > time.Minute {
		errs = append(errs, fmt.Errorf("connect_timeout: %s: want 1s to 1m", c.ConnectTimeout))
	}
	if c.Replication < 1 {
		errs = append(errs, fmt.Errorf("replication: %d: want 1 or more", c.Replication))
	}
	if c.MinInsync < 1 || c.MinInsync > c.Replication {
		errs = append(errs, fmt.Errorf("min_insync: %d: want 1 to %d (replication)", c.MinInsync, c.Replication))
	}
	if err := c.Security.Validate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c Cluster) validateBrokers() []error {
	if len(c.Brokers) == 0 {
		return []error{errors.New("brokers: empty: want at least one host:port")}
	}
	var errs []error
	seen := map[string]bool{}
	for i, b := range c.Brokers {
		if err := checkAddress(b); err != nil {
			errs = append(errs, fmt.Errorf("brokers[%d]: %q: %w", i, b, err))
			continue
		}
		if seen[b] {
			errs = append(errs, fmt.Errorf("brokers[%d]: %q: listed twice", i, b))
		}
		seen[b] = true
	}
	return errs
}

func checkAddress(addr string) error {
	if strings.Contains(addr, "://") {
		return errors.New("want host:port without a scheme: the protocol goes to security.protocol")
	}
	if strings.ContainsAny(addr, ", \t\r\n") {
		return errors.New("want one host:port per list entry")
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return errors.New("want host:port, for example kafka-1.example.com:9092")
	}
	if host == "" {
		return errors.New("want host:port: the host is missing")
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("port %q: want 1 to 65535", port)
	}
	return nil
}

func parseVersion(s string) (sarama.KafkaVersion, error) {
	v, err := sarama.ParseKafkaVersion(s)
	if err != nil {
		return v, fmt.Errorf("version: %q: want a Kafka version such as 3.6.0, or leave it out to ask the brokers", s)
	}
	if !v.IsAtLeast(minVersion) {
		return v, fmt.Errorf("version: %q: want %s or newer: older brokers know no record headers", s, minVersion)
	}
	return v, nil
}
