package live

import (
	"slices"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// Rights are what an instance of `compare run` needs on its own topics and groups, and on those that it compares.
// left names the cluster of the left side's topics.
func (c Config) Rights(left string) []kafka.Right {
	var rights []kafka.Right
	add := func(cluster string, kind kafka.ResourceKind, name, why string, operations ...kafka.Operation) {
		for _, o := range operations {
			rights = append(rights, kafka.Right{Cluster: cluster, Resource: kind, Name: name, Operation: o, Why: why})
		}
	}
	t := c.topics()
	side := func(cluster, name string, s Side) {
		for stream := range compare.Streams {
			if topic := s.Topics[stream]; topic != "" {
				add(cluster, kafka.TopicResource, topic, "compared", kafka.OpRead, kafka.OpDescribeConfigs)
				add(cluster, kafka.GroupResource, t.intakeGroup(name, stream), "positions in what is compared", kafka.OpRead)
			}
		}
	}
	side(left, "left", c.Left)
	side(kafka.TargetCluster, "right", c.Right)
	for _, name := range t.own() {
		add(kafka.StateCluster, kafka.TopicResource, name, "of the comparison", kafka.OpRead, kafka.OpWrite, kafka.OpDescribeConfigs)
	}
	for _, g := range []string{t.partnersGroup(), t.joinsGroup(), t.eventsGroup()} {
		add(kafka.StateCluster, kafka.GroupResource, g, "positions of the comparison", kafka.OpRead)
	}
	if c.Quarantine != "" && !slices.Contains(t.own(), c.Quarantine) {
		add(kafka.StateCluster, kafka.TopicResource, c.Quarantine, "compared", kafka.OpRead)
	}
	return kafka.SortRights(rights)
}
