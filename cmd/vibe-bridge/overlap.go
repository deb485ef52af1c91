package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// checkOverlap refuses topics that would meet on one cluster: slim records among
// the legacy ones would be read as such. Loading a configuration compares broker
// addresses; this asks the clusters, which may be one under two addresses.
func checkOverlap(ctx context.Context, c config.Config) error {
	everything := config.Overlap{SourceTarget: true, SourceState: true, TargetState: true}
	if c.CheckTopics(everything) == nil {
		return nil // no two topics have one name
	}
	var found [3]clusterIdentity
	for i, cluster := range []kafka.Cluster{c.Source, c.Target, c.State} {
		var err error
		if found[i], err = identify(ctx, cluster); err != nil {
			return refusef("ask a cluster for its id: %w", err)
		}
	}
	source, target, state := found[0], found[1], found[2]
	overlap := c.Overlap()
	overlap.SourceTarget = overlap.SourceTarget || source.is(target)
	overlap.SourceState = overlap.SourceState || source.is(state)
	overlap.TargetState = overlap.TargetState || target.is(state)
	if err := c.CheckTopics(overlap); err != nil {
		return refuse(err)
	}
	return nil
}

// clusterIdentity is what a cluster says of itself.
type clusterIdentity struct {
	id      string   // "" where brokers have none
	brokers []string // advertised addresses
}

// kafkaIDBytes is the length of the ids that Kafka gives to clusters. Others are
// made up, as those of fakes, and may be the same for all.
const kafkaIDBytes = 22

func (c clusterIdentity) is(other clusterIdentity) bool {
	if c.id != other.id {
		return false
	}
	shared := slices.ContainsFunc(c.brokers, func(b string) bool { return slices.Contains(other.brokers, b) })
	return len(c.id) == kafkaIDBytes || shared
}

func identify(ctx context.Context, c kafka.Cluster) (clusterIdentity, error) {
	client, err := connect(c)
	if err != nil {
		return clusterIdentity{}, err
	}
	defer client.Close()
	metadata, err := kadm.NewClient(client).BrokerMetadata(ctx)
	if err != nil {
		return clusterIdentity{}, err
	}
	found := clusterIdentity{id: metadata.Cluster}
	for _, b := range metadata.Brokers {
		found.brokers = append(found.brokers, fmt.Sprintf("%s:%d", b.Host, b.Port))
	}
	return found, nil
}
