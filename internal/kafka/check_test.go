package kafka

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

// profileCluster needs no broker: its version is given.
func profileCluster() Cluster { return Cluster{Brokers: []string{"127.0.0.1:1"}, Version: "3.6.0"} }

var offline = ClientOptions{Version: sarama.V3_6_0_0}

func TestCheckProfileAcceptsWhatItBuilds(t *testing.T) {
	encrypted := profileCluster()
	encrypted.Security = Security{Protocol: SASLSSL, SASL: login(t, MechanismScram512, testPassword), TLS: TLS{CAFile: kafkatest.NewPKI(t, "authority").CAFile}}
	for name, build := range map[string]func() (*sarama.Config, error){
		"consumer": func() (*sarama.Config, error) {
			return profileCluster().ConsumerConfig(ConsumerOptions{ClientOptions: offline})
		},
		"producer": func() (*sarama.Config, error) {
			return profileCluster().ProducerConfig(ProducerOptions{ClientOptions: offline})
		},
		"with TLS and a login": func() (*sarama.Config, error) {
			return encrypted.ConsumerConfig(ConsumerOptions{ClientOptions: offline})
		},
	} {
		cfg, err := build()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := CheckProfile(cfg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		other, err := build()
		if err != nil {
			t.Fatal(err)
		}
		if cfg == other || cfg.MetricRegistry == other.MetricRegistry {
			t.Errorf("%s: two calls share a configuration or a metric registry", name)
		}
	}
}

func TestCheckProfileRefusesEachWeakening(t *testing.T) {
	tests := map[string]func(*sarama.Config){
		"Version is 0.10.2.0":                func(c *sarama.Config) { c.Version = sarama.V0_10_2_0; c.Producer.Idempotent = false },
		"ApiVersionsRequest":                 func(c *sarama.Config) { c.ApiVersionsRequest = false },
		"Net.MaxOpenRequests is 5":           func(c *sarama.Config) { c.Net.MaxOpenRequests = 5 },
		"ChannelBufferSize is 0":             func(c *sarama.Config) { c.ChannelBufferSize = 0 },
		"ChannelBufferSize is 100000":        func(c *sarama.Config) { c.ChannelBufferSize = 100000 },
		"Metadata.AllowAutoTopicCreation":    func(c *sarama.Config) { c.Metadata.AllowAutoTopicCreation = true },
		"Metadata.Retry is 750ms":            func(c *sarama.Config) { c.Metadata.Retry.Max = 3; c.Metadata.Retry.Backoff = 250 * time.Millisecond },
		"Metadata.Timeout":                   func(c *sarama.Config) { c.Metadata.Timeout = time.Second },
		"MetricRegistry":                     func(c *sarama.Config) { c.MetricRegistry = nil },
		"Net.Proxy.Dialer":                   func(c *sarama.Config) { c.Net.Proxy.Enable = true },
		"Net.TLS.Config is":                  func(c *sarama.Config) { c.Net.TLS.Enable = true },
		"Net.TLS.Config.InsecureSkipVerify":  func(c *sarama.Config) { withTLS(c).InsecureSkipVerify = true },
		"Net.TLS.Config.MinVersion":          func(c *sarama.Config) { withTLS(c).MinVersion = tls.VersionTLS10 },
		"Net.ReadTimeout":                    func(c *sarama.Config) { c.Net.ReadTimeout = c.Consumer.Group.Rebalance.Timeout },
		"Producer.RequiredAcks is 1":         func(c *sarama.Config) { c.Producer.RequiredAcks = sarama.WaitForLocal },
		"Producer.RequiredAcks is 0":         func(c *sarama.Config) { c.Producer.RequiredAcks = sarama.NoResponse },
		"Producer.Idempotent":                func(c *sarama.Config) { c.Producer.Idempotent = false },
		"Producer.Transaction.ID":            func(c *sarama.Config) { c.Producer.Transaction.ID = "bridge" },
		"Producer.Return.Errors":             func(c *sarama.Config) { c.Producer.Return.Errors = false },
		"Producer.Return.Successes":          func(c *sarama.Config) { c.Producer.Return.Successes = false },
		"Producer.Compression is none":       func(c *sarama.Config) { c.Producer.Compression = sarama.CompressionNone },
		"Producer.Compression is gzip":       func(c *sarama.Config) { c.Producer.Compression = sarama.CompressionGZIP },
		"Producer.Flush.Frequency is 0s":     func(c *sarama.Config) { c.Producer.Flush.Frequency = 0 },
		"Producer.Flush.Frequency is 100ms":  func(c *sarama.Config) { c.Producer.Flush.Frequency = 100 * time.Millisecond },
		"Producer.Flush.Bytes":               func(c *sarama.Config) { c.Producer.Flush.Bytes = 512 << 10 },
		"Producer.MaxMessageBytes is 1000":   func(c *sarama.Config) { c.Producer.MaxMessageBytes = 1000 },
		"Producer.MaxMessageBytes is 104857": func(c *sarama.Config) { c.Producer.MaxMessageBytes = 100 << 20 },
		"Producer.Retry.MaxBufferBytes":      func(c *sarama.Config) { c.Producer.Retry.MaxBufferBytes = 0 },
		"Producer.Retry is 300ms": func(c *sarama.Config) {
			c.Producer.Retry.Max, c.Producer.Retry.BackoffFunc, c.Producer.Retry.Backoff = 3, nil, 100*time.Millisecond
		},
		"Producer.Retry is 10m1s": func(c *sarama.Config) {
			c.Producer.Retry.Max, c.Producer.Retry.BackoffFunc = 1<<30, nil
			c.Producer.Retry.Backoff = time.Second
		},
		"Consumer.Offsets.Initial":               func(c *sarama.Config) { c.Consumer.Offsets.Initial = sarama.OffsetNewest },
		"Consumer.Offsets.AutoCommit.Enable":     func(c *sarama.Config) { c.Consumer.Offsets.AutoCommit.Enable = false },
		"Consumer.Offsets.AutoCommit.Interval":   func(c *sarama.Config) { c.Consumer.Offsets.AutoCommit.Interval = time.Hour },
		"Consumer.IsolationLevel":                func(c *sarama.Config) { c.Consumer.IsolationLevel = sarama.ReadUncommitted },
		"Consumer.Return.Errors":                 func(c *sarama.Config) { c.Consumer.Return.Errors = false },
		"Consumer.Fetch.Max":                     func(c *sarama.Config) { c.Consumer.Fetch.Max = 1 << 20 },
		"Consumer.Group.ResetInvalidOffsets":     func(c *sarama.Config) { c.Consumer.Group.ResetInvalidOffsets = true },
		"Consumer.Group.Session.Timeout is 7s":   func(c *sarama.Config) { c.Consumer.Group.Session.Timeout = 7 * time.Second },
		"Consumer.Group.Session.Timeout is 1h":   func(c *sarama.Config) { c.Consumer.Group.Session.Timeout = time.Hour },
		"Consumer.Group.Heartbeat.Interval":      func(c *sarama.Config) { c.Consumer.Group.Heartbeat.Interval = 10 * time.Second },
		"Consumer.Group.Rebalance.Timeout is 5s": func(c *sarama.Config) { c.Consumer.Group.Rebalance.Timeout = 5 * time.Second },
		"Consumer.Group.Rebalance.GroupStrategies is [range]": func(c *sarama.Config) {
			c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
		},
		"Consumer.Group.Rebalance.GroupStrategies is [none]": func(c *sarama.Config) {
			c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{nil}
		},
		"Consumer.Group.Rebalance.GroupStrategies is [sticky]": func(c *sarama.Config) {
			c.Consumer.Group.Rebalance.Strategy = sarama.NewBalanceStrategySticky()
		},
		"Admin.Timeout": func(c *sarama.Config) { c.Admin.Timeout = 0 }, // sarama's own rules hold as well
	}
	for want, weaken := range tests {
		t.Run(want, func(t *testing.T) {
			cfg, err := profileCluster().ConsumerConfig(ConsumerOptions{ClientOptions: offline})
			if err != nil {
				t.Fatal(err)
			}
			weaken(cfg)
			err = CheckProfile(cfg)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one with %q", err, want)
			}
		})
	}
	if err := CheckProfile(nil); err == nil {
		t.Error("no error for no configuration")
	}
}

func withTLS(c *sarama.Config) *tls.Config {
	c.Net.TLS.Enable = true
	c.Net.TLS.Config = &tls.Config{MinVersion: tls.VersionTLS12}
	return c.Net.TLS.Config
}

func TestConsumerOptions(t *testing.T) {
	tests := []struct {
		name string
		o    ConsumerOptions
		want []string
	}{
		{"defaults", ConsumerOptions{}, nil},
		{"H9", ConsumerOptions{SessionTimeout: 7 * time.Second}, []string{"session_timeout: 7s", "more than 7s"}},
		{"just above", ConsumerOptions{SessionTimeout: 7*time.Second + time.Millisecond}, nil},
		{"negative", ConsumerOptions{SessionTimeout: -1}, []string{"session_timeout"}},
		{"endless", ConsumerOptions{SessionTimeout: time.Hour}, []string{"session_timeout: 1h0m0s", "at most 5m"}},
		{"short rebalance", ConsumerOptions{RebalanceTimeout: 10 * time.Second}, []string{"rebalance_timeout: 10s: want 15s to 5m"}},
		{"long rebalance", ConsumerOptions{RebalanceTimeout: 5 * time.Minute}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Version = sarama.V3_6_0_0
			cfg, err := profileCluster().ConsumerConfig(tt.o)
			wantError(t, err, tt.want)
			if err == nil && tt.o.RebalanceTimeout != 0 && cfg.Net.ReadTimeout <= tt.o.RebalanceTimeout {
				t.Errorf("read timeout %s with a rebalance timeout of %s", cfg.Net.ReadTimeout, tt.o.RebalanceTimeout)
			}
		})
	}
}

func TestZstdNeedsKafka21(t *testing.T) {
	old := ProducerOptions{ClientOptions: ClientOptions{Version: sarama.V2_0_0_0}}
	c := profileCluster()
	c.Compression = CompressionZstd
	_, err := c.ProducerConfig(old)
	wantError(t, err, []string{`compression: "zstd"`, "2.0.0", "set compression: lz4"})
	cfg, err := profileCluster().ProducerConfig(old)
	if err != nil || cfg.Producer.Compression != sarama.CompressionLZ4 {
		t.Errorf("lz4: %v", err)
	}
}

func TestProduceBackoff(t *testing.T) {
	want := []time.Duration{100, 200, 400, 800, 1000, 1000}
	for i, w := range want {
		if got := produceBackoff(i+1, produceRetries); got != w*time.Millisecond {
			t.Errorf("before try %d: %s, want %dms", i+1, got, w)
		}
	}
}
