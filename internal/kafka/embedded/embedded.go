// Package embedded runs a Kafka broker inside the process: franz-go's fake, kfake. The demo and most tests use it.
//
// What belongs here: starting and stopping the fake with the bridge's settings (loopback only, topics are never
// created by accident), and giving tests its fault injection. What does not: real Kafka, which is in localkafka,
// and anything that production clusters need.
//
// It is a fake, so what matters is proven on real Kafka as well. Known differences:
//   - it ignores message.timestamp.type=LogAppendTime, checks no topic settings when a topic is created,
//     and has only those it lists: any other is accepted and reported back as it was set;
//   - it does not enforce min.insync.replicas: every broker is in sync for as long as the process lives;
//   - it answers a wrong password by closing the connection, where Kafka says that the login failed;
//   - offsets of a group that nobody joined yet are GROUP_ID_NOT_FOUND, where Kafka says that there are none;
//   - sarama does not read past transaction markers in it;
//   - a group member whose connection ends while it waits to be let in is not forgotten: it holds its partitions for ever,
//     and holds up every rebalance for as long as the coordinator waits.
package embedded

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Options of a fake cluster.
type Options struct {
	// Brokers is their number; 0 means 1.
	Brokers int
	// Ports to listen on, one per broker; empty picks free ones.
	Ports []int
	// DataDir keeps the records across restarts; empty keeps them in memory.
	DataDir string
	// More are options of kfake itself, such as TLS, EnableSASL and MaxVersions.
	More []kfake.Opt
}

// Broker is a running fake cluster. Close it.
type Broker struct {
	cluster *kfake.Cluster
	addrs   []string
}

// Start starts a fake cluster on loopback.
func Start(o Options) (*Broker, error) {
	if o.Brokers == 0 {
		o.Brokers = max(1, len(o.Ports))
	}
	if o.Brokers < 1 {
		return nil, fmt.Errorf("start the embedded broker: %d brokers: want 1 or more", o.Brokers)
	}
	if len(o.Ports) > 0 && len(o.Ports) != o.Brokers {
		return nil, fmt.Errorf("start the embedded broker: %d ports for %d brokers: want one each", len(o.Ports), o.Brokers)
	}
	opts := []kfake.Opt{
		kfake.NumBrokers(o.Brokers),
		// Kafka's limit for whole batches is 1 MiB; the client profile's default is 8 MiB, as on topics that the bridge creates.
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": "16777216"}),
	}
	if len(o.Ports) > 0 {
		opts = append(opts, kfake.Ports(o.Ports...))
	}
	if o.DataDir != "" {
		opts = append(opts, kfake.DataDir(o.DataDir))
	}
	cluster, err := kfake.NewCluster(append(opts, o.More...)...)
	if err != nil {
		return nil, fmt.Errorf("start the embedded broker: %w", err)
	}
	return &Broker{cluster: cluster, addrs: cluster.ListenAddrs()}, nil
}

// Addrs returns host:port of every broker.
func (b *Broker) Addrs() []string { return append([]string(nil), b.addrs...) }

// Cluster gives access to fault injection: Control, ControlKey, SleepControl, Fault, MoveTopicPartition, and others.
func (b *Broker) Cluster() *kfake.Cluster { return b.cluster }

// Close stops the cluster and drops its connections. It may be called more than once.
func (b *Broker) Close() { b.cluster.Close() }
