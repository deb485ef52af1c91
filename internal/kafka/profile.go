package kafka

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
)

// The client profile: one base for consumers, producers and admin clients. Every value here differs from a
// default of sarama or of Goka for a reason. CheckProfile refuses a configuration that falls behind it.
const (
	// A session timeout at or below Goka's fixed wait of 5 s, which remains after a session that failed, lets the group
	// never settle (hole H9 of the safety protocol); 7 s leaves room for the join itself.
	minSessionTimeout     = 7 * time.Second
	maxSessionTimeout     = 5 * time.Minute
	defaultSessionTimeout = 15 * time.Second

	// Within the rebalance timeout an instance has to flush and to rejoin, after Goka's wait of 5 s at worst.
	minRebalanceTimeout = 15 * time.Second
	maxRebalanceTimeout = 5 * time.Minute
	// DefaultRebalanceTimeout is that of a consumer group for which no other is asked.
	DefaultRebalanceTimeout = 30 * time.Second

	// A JoinGroup request is answered only when the rebalance is over: a read timeout below the rebalance timeout
	// would cut it off. Not much above it either: a coordinator that hangs is noticed after this time.
	readTimeoutMargin = 10 * time.Second

	// A restarting broker is away for one to two minutes. Until minRetryTime has passed, a record is tried
	// again; after maxRetryTime it fails, so that a cluster that stays away stops the instance visibly.
	minRetryTime = 2 * time.Minute
	maxRetryTime = 10 * time.Minute

	produceRetries      = 150
	produceBackoffFirst = 100 * time.Millisecond
	produceBackoffMax   = time.Second

	// sarama does not retry a record whose partition leader cannot be looked up: it fails it. So the lookup
	// itself has to last as long as the record's own retries.
	metadataRetries = 150
	metadataBackoff = time.Second

	// The producer's queue of records to be sent again. Beyond this it fails records instead of growing.
	retryBufferBytes = 256 << 20

	// Of each partition in one answer. What a group reads stays in memory, unpacked, until all of it is processed, and an
	// instance reads a dozen topics; a table is read for as long as it takes to restore it, and nothing else is done then.
	groupFetchBytes = 256 << 10
	tableFetchBytes = 1 << 20

	// sarama asks for more only when all of an answer is in the channels of its partitions, and unpacks an answer for all of
	// them in one goroutine. So that a table's partitions work meanwhile, most of an answer has to fit.
	tableBuffer = 4096

	flushBytes        = 64 << 10
	channelBuffer     = 256
	maxChannelBuffer  = tableBuffer
	commitInterval    = time.Second
	maxCommitInterval = 5 * time.Second
)

// minVersion is the oldest Kafka whose record format has headers.
var minVersion = sarama.V0_11_0_0

// Dialer opens the connections to the brokers.
type Dialer interface {
	Dial(network, address string) (net.Conn, error)
}

// ClientOptions are what one client adds to its cluster's configuration.
type ClientOptions struct {
	// Version of the protocol. The zero value negotiates it with the cluster, at the price of a connection:
	// a program that makes several clients calls Negotiate once and passes the result.
	Version sarama.KafkaVersion
	// Dialer replaces the plain TCP dialer; TLS and login still happen on top of it.
	Dialer Dialer
	// Wire, if not nil, carries the client's connections, in place of Dialer.
	Wire *Wire
	// Hold, if not nil, is called before everything that the client writes to the wire, and returns when it may be
	// written: see Tracker.Hold.
	Hold func(live context.Context)
	// Made, if not nil, sees the configuration of every client: its metric registry has the client's figures.
	Made func(*sarama.Config)
}

func (o ClientOptions) attach(cfg *sarama.Config) {
	if o.Made != nil {
		o.Made(cfg)
	}
	if o.Wire != nil {
		o.Wire.attach(cfg, o.Hold)
	}
}

// ConsumerOptions are the options of a consumer group's clients.
type ConsumerOptions struct {
	ClientOptions
	// SessionTimeout after which a silent instance loses its partitions. Default 15s, above 7s, at most 5m.
	SessionTimeout time.Duration
	// RebalanceTimeout within which an instance has to give its partitions back and to rejoin. Default 30s, 15s to 5m.
	RebalanceTimeout time.Duration
	// MemberData is what a member says of itself in its group, to whoever may describe it: see Admin.GroupStates.
	MemberData []byte
}

// WithDefaults returns the options with every unset field at its default.
func (o ConsumerOptions) WithDefaults() ConsumerOptions {
	if o.SessionTimeout == 0 {
		o.SessionTimeout = defaultSessionTimeout
	}
	if o.RebalanceTimeout == 0 {
		o.RebalanceTimeout = DefaultRebalanceTimeout
	}
	return o
}

// Validate checks the bounds.
func (o ConsumerOptions) Validate() error {
	o = o.WithDefaults()
	if o.SessionTimeout <= minSessionTimeout || o.SessionTimeout > maxSessionTimeout {
		return fmt.Errorf("session_timeout: %s: want more than %s (a group that waits 5s after a failed session never settles below it) and at most %s",
			o.SessionTimeout, minSessionTimeout, maxSessionTimeout)
	}
	if o.RebalanceTimeout < minRebalanceTimeout || o.RebalanceTimeout > maxRebalanceTimeout {
		return fmt.Errorf("rebalance_timeout: %s: want %s to %s", o.RebalanceTimeout, minRebalanceTimeout, maxRebalanceTimeout)
	}
	return nil
}

// ProducerOptions are the options of a producer.
type ProducerOptions struct {
	ClientOptions
	// Partitioner chooses the partition of a record. Nil leaves sarama's, which is right only where Goka sets its own.
	Partitioner sarama.PartitionerConstructor
}

// ConsumerConfig returns the configuration for a consumer group, or a plain consumer, of the cluster. Each call
// returns a new one with a metric registry of its own: Goka's builders change what they are given.
func (c Cluster) ConsumerConfig(o ConsumerOptions) (*sarama.Config, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.WithDefaults()
	cfg, err := c.baseConfig(o.ClientOptions)
	if err != nil {
		return nil, err
	}
	cfg.ChannelBufferSize = tableBuffer
	cfg.Net.ReadTimeout = o.RebalanceTimeout + readTimeoutMargin
	cfg.Consumer.Group.Session.Timeout = o.SessionTimeout
	cfg.Consumer.Group.Heartbeat.Interval = heartbeatOf(o.SessionTimeout)
	cfg.Consumer.Group.Rebalance.Timeout = o.RebalanceTimeout
	cfg.Consumer.Group.Member.UserData = o.MemberData
	o.attach(cfg)
	return cfg, CheckProfile(cfg)
}

// ProducerConfig returns the configuration for a producer to the cluster; see ConsumerConfig.
func (c Cluster) ProducerConfig(o ProducerOptions) (*sarama.Config, error) {
	cfg, err := c.baseConfig(o.ClientOptions)
	if err != nil {
		return nil, err
	}
	if o.Partitioner != nil {
		cfg.Producer.Partitioner = o.Partitioner
	}
	o.attach(cfg)
	return cfg, CheckProfile(cfg)
}

// AdminConfig returns the configuration for an admin client of the cluster, and for Goka's topic manager. It gives
// up on an absent cluster after some seconds, where the other two wait: an admin client runs while somebody watches.
func (c Cluster) AdminConfig(o ClientOptions) (*sarama.Config, error) {
	cfg, err := c.baseConfig(o)
	if err != nil {
		return nil, err
	}
	cfg.Metadata.Full = true // sarama finds the controller, and Goka the brokers, only so
	cfg.Metadata.Retry.Max = 10
	cfg.Metadata.Retry.Backoff = 250 * time.Millisecond
	cfg.Metadata.Timeout = cfg.Net.DialTimeout + 5*time.Second
	cfg.Admin.Timeout = 30 * time.Second
	cfg.Consumer.MaxWaitTime = 100 * time.Millisecond // a consumer's end waits for its fetch
	o.attach(cfg)
	return cfg, cfg.Validate()
}

func (c Cluster) baseConfig(o ClientOptions) (*sarama.Config, error) {
	c = c.WithDefaults()
	if o.Version == (sarama.KafkaVersion{}) {
		v, err := c.negotiate(o)
		if err != nil {
			return nil, err
		}
		o.Version = v
	}
	cfg := sarama.NewConfig()
	cfg.MetricRegistry = newFigures()
	if err := c.setNet(cfg, o); err != nil {
		return nil, err
	}
	c.setProducer(cfg)
	setConsumer(cfg)
	if c.Compression == CompressionZstd && !o.Version.IsAtLeast(sarama.V2_1_0_0) {
		return nil, fmt.Errorf("compression: %q: the brokers (Kafka %s) do not know it before 2.1: set compression: %s", c.Compression, o.Version, CompressionLZ4)
	}
	return cfg, nil
}

func (c Cluster) setNet(cfg *sarama.Config, o ClientOptions) error {
	cfg.ClientID = c.ClientID
	cfg.Version = o.Version
	cfg.ApiVersionsRequest = true // every request is lowered to what its broker knows, also amid a rolling upgrade
	cfg.ChannelBufferSize = channelBuffer
	cfg.Net.MaxOpenRequests = 1
	cfg.Net.DialTimeout = c.ConnectTimeout
	cfg.Net.ReadTimeout = DefaultRebalanceTimeout + readTimeoutMargin
	cfg.Net.WriteTimeout = 30 * time.Second
	cfg.Net.KeepAlive = 30 * time.Second
	if o.Dialer != nil {
		cfg.Net.Proxy.Enable = true
		cfg.Net.Proxy.Dialer = o.Dialer
	}
	cfg.Metadata.AllowAutoTopicCreation = false
	cfg.Metadata.Full = false // a leaderless topic of somebody else's must not hold up ours
	cfg.Metadata.RefreshFrequency = time.Minute
	cfg.Metadata.Retry.Max = metadataRetries
	cfg.Metadata.Retry.Backoff = metadataBackoff
	return c.Security.apply(cfg)
}

func (c Cluster) setProducer(cfg *sarama.Config) {
	p := &cfg.Producer
	p.RequiredAcks = sarama.WaitForAll
	p.Idempotent = true
	p.Timeout = 10 * time.Second
	p.MaxMessageBytes = c.MaxMessageBytes
	p.Compression = sarama.CompressionZSTD
	if c.Compression == CompressionLZ4 {
		p.Compression = sarama.CompressionLZ4
	}
	p.Flush.Frequency = c.FlushInterval
	p.Flush.Bytes = flushBytes
	p.Return.Successes = true // Goka's promises live on both channels
	p.Return.Errors = true
	p.Retry.Max = produceRetries
	p.Retry.BackoffFunc = produceBackoff
	p.Retry.MaxBufferBytes = retryBufferBytes
}

// produceBackoff is the wait before try number retries: a moved leader is found again quickly, a broker
// that is away is not hammered.
func produceBackoff(retries, _ int) time.Duration {
	d := produceBackoffFirst
	for i := 1; i < retries && d < produceBackoffMax; i++ {
		d *= 2
	}
	return min(d, produceBackoffMax)
}

func setConsumer(cfg *sarama.Config) {
	c := &cfg.Consumer
	c.IsolationLevel = sarama.ReadCommitted
	c.Offsets.Initial = sarama.OffsetOldest
	c.Offsets.AutoCommit.Enable = true // what the tracker has passed on, and nothing else
	c.Offsets.AutoCommit.Interval = commitInterval
	c.Offsets.Retry.Max = 10
	c.Fetch.Default = tableFetchBytes
	c.MaxProcessingTime = time.Second
	c.Return.Errors = true
	c.Group.ResetInvalidOffsets = false // a committed offset that is gone means lost records: stop and say so
	c.Group.Session.Timeout = defaultSessionTimeout
	c.Group.Heartbeat.Interval = heartbeatOf(defaultSessionTimeout)
	c.Group.Rebalance.Timeout = DefaultRebalanceTimeout
	c.Group.Rebalance.Retry.Max = 30
	c.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{goka.CopartitioningStrategy}
}

// heartbeatOf leaves fifteen heartbeats to a session timeout, and at least one per 3 s. Members hear in the answer to a
// heartbeat that there is a rebalance: until then nobody has the partitions of an instance that was killed.
func heartbeatOf(session time.Duration) time.Duration {
	return min(session/15, 3*time.Second).Truncate(time.Millisecond)
}
