package kafka

import (
	"errors"
	"fmt"

	"github.com/IBM/sarama"
)

// Numbers of Kafka's requests, see https://kafka.apache.org/protocol.
const (
	apiProduce     = 0
	apiFetch       = 1
	apiListOffsets = 2
	apiMetadata    = 3
	apiJoinGroup   = 11
)

// versionMarks tell Kafka releases apart by what they answer to ApiVersions: a broker is at least of a
// release when it knows the named request in the named version. Sorted by release. Only releases at which sarama
// changes what it sends are listed; every single request is lowered further to what its broker knows.
var versionMarks = []struct {
	release    sarama.KafkaVersion
	request    int16
	maxVersion int16
}{
	{sarama.V0_11_0_0, apiProduce, 3},
	{sarama.V1_0_0_0, apiProduce, 5},
	{sarama.V2_0_0_0, apiFetch, 8},
	{sarama.V2_1_0_0, apiFetch, 10},
	{sarama.V2_3_0_0, apiFetch, 11},
	{sarama.V2_4_0_0, apiProduce, 8},
	{sarama.V2_5_0_0, apiJoinGroup, 7},
	{sarama.V2_7_0_0, apiFetch, 12},
	{sarama.V2_8_0_0, apiMetadata, 11},
	{sarama.V3_0_0_0, apiListOffsets, 7},
	{sarama.V3_2_0_0, apiJoinGroup, 9},
	{sarama.V3_7_0_0, apiProduce, 10},
	{sarama.V4_0_0_0, apiProduce, 12},
}

// Negotiate connects to the first broker of the list that answers, logs in, and returns the highest protocol version
// that both it and the client know; Cluster.Version, when set, is returned instead. dialer may be nil.
// An error is a *ConnectError and says which broker, what happened, and what to check.
func (c Cluster) Negotiate(dialer Dialer) (sarama.KafkaVersion, error) {
	return c.negotiate(ClientOptions{Dialer: dialer})
}

// Reach tells whether a broker of the list answers and takes the login, over a connection of its own on the wire. An error
// is a *ConnectError, but for what is wrong with the configuration.
func (c Cluster) Reach(w *Wire) error {
	_, err := c.WithDefaults().probe(ClientOptions{Wire: w})
	return err
}

func (c Cluster) negotiate(o ClientOptions) (sarama.KafkaVersion, error) {
	c = c.WithDefaults()
	answer, err := c.probe(o)
	if err != nil {
		return sarama.KafkaVersion{}, err
	}
	if c.Version != "" {
		return parseVersion(c.Version)
	}
	v, ok := versionOf(answer)
	if !ok {
		return sarama.KafkaVersion{}, fmt.Errorf("the brokers are older than Kafka %s and know no record headers, which the slim topics carry: upgrade them", minVersion)
	}
	return v, nil
}

// versionOf returns the newest release all of whose marks, and its predecessors', the answer has.
func versionOf(answer *sarama.ApiVersionsResponse) (v sarama.KafkaVersion, ok bool) {
	known := knownVersions(answer)
	for _, m := range versionMarks {
		maxVersion, has := known[m.request]
		if !has || maxVersion < m.maxVersion {
			return v, ok
		}
		v, ok = m.release, true
	}
	return v, ok
}

// knownVersions returns the highest known version of each request.
func knownVersions(answer *sarama.ApiVersionsResponse) map[int16]int16 {
	known := make(map[int16]int16, len(answer.ApiKeys))
	for _, k := range answer.ApiKeys {
		known[k.ApiKey] = k.MaxVersion
	}
	return known
}

// probe tries the brokers in order. A refused login ends it at once: the next broker would refuse it too, and
// repeated failures may lock an account.
func (c Cluster) probe(o ClientOptions) (*sarama.ApiVersionsResponse, error) {
	if len(c.Brokers) == 0 {
		return nil, errors.New("brokers: empty: want at least one host:port")
	}
	var first *ConnectError
	for _, addr := range c.Brokers {
		answer, err := c.probeBroker(addr, o)
		if err == nil {
			return answer, nil
		}
		var ce *ConnectError
		if !errors.As(err, &ce) {
			return nil, err
		}
		if ce.Reason == LoginRefused || ce.Reason == MechanismRefused {
			return nil, ce
		}
		if first == nil {
			first = ce
		}
	}
	first.others = len(c.Brokers) - 1
	return nil, first
}

// probeBroker asks step by step, so that each failure has one meaning: reach the broker and speak Kafka (TCP, TLS,
// and ApiVersions, which brokers answer before a login), log in, use the connection.
func (c Cluster) probeBroker(addr string, o ClientOptions) (*sarama.ApiVersionsResponse, error) {
	cfg := sarama.NewConfig()
	o.Version = sarama.V2_8_0_0
	if err := c.setNet(cfg, o); err != nil {
		return nil, err
	}
	o.attach(cfg)
	cfg.Net.ReadTimeout, cfg.Net.WriteTimeout = c.ConnectTimeout, c.ConnectTimeout
	anonymous := *cfg
	anonymous.Net.SASL.Enable = false
	anonymous.Net.SASL.User, anonymous.Net.SASL.Password = "", ""
	anonymous.ApiVersionsRequest = false // asked below: sarama would ask three times where nobody answers

	b, err := openBroker(addr, &anonymous)
	if err != nil {
		if wrong := c.wrongKind(addr, &anonymous, err); wrong != nil {
			return nil, wrong
		}
		return nil, c.connectError(addr, stageReach, err)
	}
	defer b.Close()
	answer, err := b.ApiVersions(&sarama.ApiVersionsRequest{})
	if err != nil {
		if wrong := c.wrongKind(addr, &anonymous, err); wrong != nil {
			return nil, wrong
		}
		return nil, c.connectError(addr, stageReach, err)
	}
	if cfg.Net.SASL.Enable {
		b, err = openBroker(addr, cfg)
		if err != nil {
			return nil, c.connectError(addr, stageLogin, err)
		}
		defer b.Close()
	}
	use := &sarama.MetadataRequest{Version: min(4, knownVersions(answer)[apiMetadata]), Topics: []string{"__consumer_offsets"}}
	if _, err := b.GetMetadata(use); err != nil {
		return nil, c.connectError(addr, stageUse, err)
	}
	return answer, nil
}

// openBroker connects, logs in if cfg says so, and returns a broker that the caller closes.
func openBroker(addr string, cfg *sarama.Config) (*sarama.Broker, error) {
	b := sarama.NewBroker(addr)
	if err := b.Open(cfg); err != nil {
		return nil, err
	}
	if _, err := b.Connected(); err != nil { // Connected waits for the attempt to end
		_ = b.Close() // sarama may have closed it already
		return nil, err
	}
	return b, nil
}
