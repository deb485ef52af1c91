package processors

import (
	"context"
	"fmt"
	"hash"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// buildProducer is Goka's producer builder: slim records go to the target
// cluster, everything else to the state cluster. Slim records have a client of
// their own even where the clusters are one: their limit on size is lower.
func (g *group) buildProducer([]string, string, func() hash.Hash32) (goka.Producer, error) {
	state, err := g.b.client(kafka.StateCluster, g.b.cfg.State, g.tracker.Hold)
	if err != nil {
		return nil, err
	}
	clients := []sarama.AsyncProducer{state}
	var target sarama.AsyncProducer
	if g.name == g.b.topics.gateGroup() {
		if target, err = g.b.client(kafka.TargetCluster, g.b.cfg.Target, g.tracker.Hold); err != nil {
			state.Close()
			return nil, err
		}
		clients = append(clients, target)
	}
	route := func(topic string) (sarama.AsyncProducer, error) {
		switch {
		case g.b.topics.clusterOf(topic) == kafka.StateCluster:
			return state, nil
		case target == nil:
			return nil, fmt.Errorf("group %s does not write slim records", g.name)
		}
		return target, nil
	}
	g.producer = kafka.NewProducer(clients, kafka.ProducerHooks{Route: route, Refused: g.tracker.Fail, Observer: g.b.cfg.Observer})
	g.sender.Store(g.producer)
	g.b.end.producing(string(g.name), g.producer)
	return g.producer, nil
}

// clusterOf tells where a topic that the bridge writes is.
func (t Topics) clusterOf(topic string) string {
	if t.slimIs[topic] {
		return kafka.TargetCluster
	}
	return kafka.StateCluster
}

// client is a producer of the instance to the cluster of that name. hold keeps back what it writes; nil does not.
func (b *Bridge) client(name string, c kafka.Cluster, hold func(context.Context)) (sarama.AsyncProducer, error) {
	cfg, err := c.ProducerConfig(kafka.ProducerOptions{ClientOptions: kafka.ClientOptions{Wire: b.end.wire, Hold: hold}, Partitioner: b.topics.partitioner})
	if err != nil {
		return nil, err
	}
	b.clients.add(name, producerClient, cfg)
	return sarama.NewAsyncProducer(c.Brokers, cfg)
}

// partitioner is sarama's view of Topics.partition.
func (t Topics) partitioner(topic string) sarama.Partitioner { return topicPartitioner{t, topic} }

type topicPartitioner struct {
	topics Topics
	topic  string
}

func (p topicPartitioner) Partition(m *sarama.ProducerMessage, partitions int32) (int32, error) {
	if m.Key == nil {
		return 0, nil // a quarantined record without a key
	}
	if pinned(m) {
		return m.Partition, nil
	}
	key, err := m.Key.Encode()
	if err != nil {
		return 0, err
	}
	return p.topics.partition(p.topic, key, partitions), nil
}

func (topicPartitioner) RequiresConsistency() bool { return true }
