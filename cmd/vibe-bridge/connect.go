package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// clusterFlags name the cluster of a command that is a plain Kafka client, not a
// part of the bridge: by its addresses, or as one of a configuration's.
type clusterFlags struct {
	brokers []string
	config  string
	cluster string
}

func (f *clusterFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.brokers, "brokers", nil, "addresses (host:port) of a cluster without login and encryption")
	flags.StringVar(&f.config, "config", "", "configuration file that has the cluster, its login and the names of topics")
	flags.StringVar(&f.cluster, "cluster", "", "which cluster of --config: source, target or state (default source)")
}

func (f *clusterFlags) given() bool { return len(f.brokers) > 0 || f.config != "" }

// check looks at the flags alone.
func (f *clusterFlags) check() error {
	switch {
	case len(f.brokers) > 0 && f.config != "":
		return refusef("--brokers and --config are both given: want one of them")
	case f.cluster != "" && f.config == "":
		return refusef("--cluster %s: it chooses among the clusters of a configuration: want --config", f.cluster)
	}
	switch f.cluster {
	case "", kafka.SourceCluster, kafka.TargetCluster, kafka.StateCluster:
		return nil
	}
	return refusef("--cluster %q: want source, target or state", f.cluster)
}

// resolve returns the cluster, and the configuration that names its topics.
func (f *clusterFlags) resolve(a *app) (kafka.Cluster, config.Config, error) {
	if f.config != "" {
		return f.fromConfig(a)
	}
	cluster := kafka.Cluster{Brokers: f.brokers}.WithDefaults()
	if err := cluster.Validate(); err != nil {
		return kafka.Cluster{}, config.Config{}, refusef("--%w", err) // the errors begin with "brokers"
	}
	return cluster, config.Default(), nil
}

func (f *clusterFlags) fromConfig(a *app) (kafka.Cluster, config.Config, error) {
	c, err := config.Load(f.config, a.env, nil)
	if err != nil {
		return kafka.Cluster{}, config.Config{}, refuse(err)
	}
	switch f.cluster {
	case kafka.TargetCluster:
		return c.Target, c, nil
	case kafka.StateCluster:
		return c.State, c, nil
	}
	return c.Source, c, nil
}

// connect returns a franz-go client with the cluster's login and encryption. It
// has reached a broker and logged in before it returns; errors are
// *kafka.ConnectError.
func connect(c kafka.Cluster, opts ...kgo.Opt) (*kgo.Client, error) {
	all, err := c.FranzOptions()
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append(all, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	return client, nil
}
