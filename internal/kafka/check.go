package kafka

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
)

// CheckProfile refuses a client configuration that is weaker than the profile: one that could lose records,
// reorder them, skip some, or grow without bound. It is called on what ConsumerConfig and ProducerConfig build and once
// more on what Goka is about to use, since its builders change configurations. The error has one line per weakness.
func CheckProfile(cfg *sarama.Config) error {
	if cfg == nil {
		return errors.New("client profile: no configuration")
	}
	var errs []error
	for _, check := range []func(*sarama.Config) []error{checkClient, checkTLS, checkProducer, checkRetries, checkConsumer, checkGroup} {
		errs = append(errs, check(cfg)...)
	}
	if err := cfg.Validate(); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return fmt.Errorf("client profile: %w", errors.Join(errs...))
	}
	return nil
}

// findings gathers the rules that do not hold.
type findings []error

// must records field, its value and what is wanted when ok is false.
func (f *findings) must(ok bool, field string, value any, want string) {
	if !ok {
		*f = append(*f, fmt.Errorf("%s is %v: want %s", field, value, want))
	}
}

func checkClient(c *sarama.Config) []error {
	var f findings
	f.must(c.Version.IsAtLeast(minVersion), "Version", c.Version, minVersion.String()+" or newer: records carry headers")
	f.must(c.ApiVersionsRequest, "ApiVersionsRequest", c.ApiVersionsRequest, "true: requests are fitted to each broker")
	f.must(c.Net.MaxOpenRequests == 1, "Net.MaxOpenRequests", c.Net.MaxOpenRequests, "1: more can reorder records")
	f.must(c.ChannelBufferSize > 0 && c.ChannelBufferSize <= maxChannelBuffer, "ChannelBufferSize", c.ChannelBufferSize, fmt.Sprintf("1 to %d: memory is bounded", maxChannelBuffer))
	f.must(!c.Metadata.AllowAutoTopicCreation, "Metadata.AllowAutoTopicCreation", c.Metadata.AllowAutoTopicCreation, "false: a misspelt topic must fail")
	f.must(c.MetricRegistry != nil, "MetricRegistry", nil, "one of its own: Goka's builders panic without it")
	f.must(!c.Net.Proxy.Enable || c.Net.Proxy.Dialer != nil, "Net.Proxy.Dialer", nil, "a dialer, since Net.Proxy is enabled")
	return f
}

func checkTLS(c *sarama.Config) []error {
	var f findings
	if !c.Net.TLS.Enable {
		return nil
	}
	t := c.Net.TLS.Config
	if t == nil {
		f.must(false, "Net.TLS.Config", nil, "a configuration")
		return f
	}
	f.must(!t.InsecureSkipVerify, "Net.TLS.Config.InsecureSkipVerify", t.InsecureSkipVerify, "false: brokers prove who they are")
	f.must(t.MinVersion >= 0x0303, "Net.TLS.Config.MinVersion", fmt.Sprintf("%#04x", t.MinVersion), "TLS 1.2 or newer")
	return f
}

func checkProducer(c *sarama.Config) []error {
	var f findings
	p := &c.Producer
	f.must(p.RequiredAcks == sarama.WaitForAll, "Producer.RequiredAcks", p.RequiredAcks, "all (-1): a leader that dies alone must not lose records")
	f.must(p.Idempotent, "Producer.Idempotent", p.Idempotent, "true: a retry must neither double nor reorder records")
	f.must(p.Transaction.ID == "", "Producer.Transaction.ID", p.Transaction.ID, "none: a table that ends in a transaction marker can never be recovered by Goka")
	f.must(p.Return.Errors, "Producer.Return.Errors", p.Return.Errors, "true: a failed record must be seen")
	f.must(p.Return.Successes, "Producer.Return.Successes", p.Return.Successes, "true: an acknowledgement is what a commit waits for")
	f.must(p.Compression == sarama.CompressionZSTD || p.Compression == sarama.CompressionLZ4, "Producer.Compression", p.Compression, "zstd or lz4")
	f.must(p.Flush.Frequency > 0 && p.Flush.Frequency <= maxFlushInterval, "Producer.Flush.Frequency", p.Flush.Frequency, "up to "+maxFlushInterval.String()+": an order waits for its event's acknowledgement")
	f.must(p.Flush.Bytes > 0 && p.Flush.Bytes <= flushBytes, "Producer.Flush.Bytes", p.Flush.Bytes, fmt.Sprintf("1 to %d", flushBytes))
	f.must(p.MaxMessageBytes >= minMaxMessageBytes && p.MaxMessageBytes <= maxMaxMessageBytes, "Producer.MaxMessageBytes", p.MaxMessageBytes, fmt.Sprintf("%d to %d", minMaxMessageBytes, maxMaxMessageBytes))
	f.must(p.Retry.MaxBufferBytes > 0 && p.Retry.MaxBufferBytes <= retryBufferBytes, "Producer.Retry.MaxBufferBytes", p.Retry.MaxBufferBytes, fmt.Sprintf("1 to %d: memory is bounded", retryBufferBytes))
	return f
}

func checkRetries(c *sarama.Config) []error {
	var f findings
	bounds := fmt.Sprintf("%s to %s in all: a broker's restart is survived, an absent cluster is noticed", minRetryTime, maxRetryTime)
	produce := retryTime(c.Producer.Retry.Max, c.Producer.Retry.Backoff, c.Producer.Retry.BackoffFunc)
	f.must(produce >= minRetryTime && produce <= maxRetryTime, "Producer.Retry", produce, bounds)
	lookup := retryTime(c.Metadata.Retry.Max, c.Metadata.Retry.Backoff, c.Metadata.Retry.BackoffFunc)
	f.must(lookup >= minRetryTime && lookup <= maxRetryTime, "Metadata.Retry", lookup, bounds)
	f.must(c.Metadata.Timeout == 0 || c.Metadata.Timeout >= minRetryTime, "Metadata.Timeout", c.Metadata.Timeout, "none, or "+minRetryTime.String()+" and more")
	return f
}

// retryTime is how long a client waits in all between its tries, up to a bit above the maximum that is allowed.
func retryTime(tries int, fixed time.Duration, f func(retries, maxRetries int) time.Duration) time.Duration {
	var sum time.Duration
	for i := 1; i <= tries && sum <= maxRetryTime; i++ {
		if f != nil {
			sum += f(i, tries)
			continue
		}
		sum += fixed
	}
	return sum
}

func checkConsumer(c *sarama.Config) []error {
	var f findings
	s := &c.Consumer
	f.must(s.Offsets.Initial == sarama.OffsetOldest, "Consumer.Offsets.Initial", s.Offsets.Initial, "oldest (-2): the newest would skip what is there")
	f.must(s.Offsets.AutoCommit.Enable, "Consumer.Offsets.AutoCommit.Enable", s.Offsets.AutoCommit.Enable, "true: nobody else commits")
	f.must(s.Offsets.AutoCommit.Interval > 0 && s.Offsets.AutoCommit.Interval <= maxCommitInterval, "Consumer.Offsets.AutoCommit.Interval", s.Offsets.AutoCommit.Interval, "up to "+maxCommitInterval.String())
	f.must(s.IsolationLevel == sarama.ReadCommitted, "Consumer.IsolationLevel", s.IsolationLevel, "read committed (1): aborted transactions are not data")
	f.must(s.Return.Errors, "Consumer.Return.Errors", s.Return.Errors, "true: a failing partition must be seen")
	f.must(s.Fetch.Max == 0 || int(s.Fetch.Max) >= c.Producer.MaxMessageBytes, "Consumer.Fetch.Max", s.Fetch.Max, "none, or at least Producer.MaxMessageBytes: what is written must be readable")
	return f
}

func checkGroup(c *sarama.Config) []error {
	var f findings
	g := &c.Consumer.Group
	f.must(!g.ResetInvalidOffsets, "Consumer.Group.ResetInvalidOffsets", g.ResetInvalidOffsets, "false: a lost position must stop the bridge, not skip records")
	f.must(g.Session.Timeout > minSessionTimeout && g.Session.Timeout <= maxSessionTimeout, "Consumer.Group.Session.Timeout", g.Session.Timeout, fmt.Sprintf("more than %s, at most %s", minSessionTimeout, maxSessionTimeout))
	f.must(g.Heartbeat.Interval <= g.Session.Timeout/3, "Consumer.Group.Heartbeat.Interval", g.Heartbeat.Interval, "at most a third of the session timeout")
	f.must(g.Rebalance.Timeout >= minRebalanceTimeout && g.Rebalance.Timeout <= maxRebalanceTimeout, "Consumer.Group.Rebalance.Timeout", g.Rebalance.Timeout, fmt.Sprintf("%s to %s", minRebalanceTimeout, maxRebalanceTimeout))
	f.must(c.Net.ReadTimeout > g.Rebalance.Timeout, "Net.ReadTimeout", c.Net.ReadTimeout, "more than Consumer.Group.Rebalance.Timeout: a join is answered when the rebalance is over")
	strategies := g.Rebalance.GroupStrategies
	if g.Rebalance.Strategy != nil {
		strategies = []sarama.BalanceStrategy{g.Rebalance.Strategy}
	}
	copartitioned := len(strategies) == 1 && strategies[0] != nil && strategies[0].Name() == goka.CopartitioningStrategy.Name()
	f.must(copartitioned, "Consumer.Group.Rebalance.GroupStrategies", names(strategies), "Goka's copartitioning strategy alone: a table's partition and its inputs' go together")
	return f
}

func names(strategies []sarama.BalanceStrategy) []string {
	var ns []string
	for _, s := range strategies {
		if s == nil {
			ns = append(ns, "none")
			continue
		}
		ns = append(ns, s.Name())
	}
	return ns
}
