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
		operations := []kafka.Operation{kafka.OpRead, kafka.OpWrite, kafka.OpDescribeConfigs}
		if name == t.differences() { // for others to read
			operations = operations[1:]
		}
		add(kafka.StateCluster, kafka.TopicResource, name, "of the comparison", operations...)
	}
	for _, g := range []string{t.partnersGroup(), t.joinsGroup(), t.eventsGroup()} {
		add(kafka.StateCluster, kafka.GroupResource, g, "positions of the comparison", kafka.OpRead)
	}
	if c.Quarantine != "" {
		add(kafka.StateCluster, kafka.TopicResource, c.Quarantine, "for the verdict", kafka.OpRead)
	}
	return kafka.SortRights(rights)
}

// CreateRights are what an instance needs beyond Rights to create its topics.
func (c Config) CreateRights() []kafka.Right {
	var rights []kafka.Right
	for _, s := range c.Specs() {
		rights = append(rights, kafka.Right{Cluster: s.Cluster, Resource: kafka.TopicResource, Name: s.Name, Operation: kafka.OpCreate, Why: s.Purpose})
	}
	return rights
}

// ReportRights are what is needed to read the report, but for the texts of its samples, which are in the topics that are compared.
func (c Config) ReportRights() []kafka.Right {
	return []kafka.Right{{Cluster: kafka.StateCluster, Resource: kafka.TopicResource, Name: c.topics().totals(), Operation: kafka.OpRead, Why: "what compare run has found"}}
}

// LookRights are what the commands need that read what instances have found, on the comparison's own topics.
func (c Config) LookRights() []kafka.Right {
	t := c.topics()
	read := []string{t.totals(), t.differences(), tableOf(t.partnersGroup()), tableOf(t.joinsGroup()), tableOf(t.eventsGroup())}
	var rights []kafka.Right
	for _, name := range t.own() {
		operations := []kafka.Operation{kafka.OpDescribe, kafka.OpDescribeConfigs} // whether all are there, and right
		if slices.Contains(read, name) {
			operations[0] = kafka.OpRead
		}
		for _, o := range operations {
			rights = append(rights, kafka.Right{Cluster: kafka.StateCluster, Resource: kafka.TopicResource, Name: name, Operation: o, Why: "what compare run has found"})
		}
	}
	return rights
}
