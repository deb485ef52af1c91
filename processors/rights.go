package processors

import (
	"context"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// RunRights are what an instance needs, and nothing beyond: TestExactRights runs one with them.
func (t Topics) RunRights() []kafka.Right {
	var rights []kafka.Right
	add := func(cluster string, kind kafka.ResourceKind, name, why string, operations ...kafka.Operation) {
		for _, o := range operations {
			rights = append(rights, kafka.Right{Cluster: cluster, Resource: kind, Name: name, Operation: o, Why: why})
		}
	}
	for _, s := range mapping.Streams {
		add(kafka.SourceCluster, kafka.TopicResource, t.Legacy[s], "legacy stream of "+s.String(), kafka.OpRead)
	}
	source, state := t.Groups()
	for _, g := range source {
		add(kafka.SourceCluster, kafka.GroupResource, g, "positions in a legacy stream", kafka.OpRead)
	}
	for _, g := range state {
		add(kafka.StateCluster, kafka.GroupResource, g, "positions in internal topics", kafka.OpRead)
	}
	for _, name := range append(t.StateTopics(), t.Identity(), t.Control()) {
		add(kafka.StateCluster, kafka.TopicResource, name, "internal topic", kafka.OpRead, kafka.OpWrite, kafka.OpDescribeConfigs)
	}
	// Read is for the console, which shows and replays them.
	add(kafka.StateCluster, kafka.TopicResource, t.Quarantine(), "records that cannot be mapped", kafka.OpRead, kafka.OpWrite, kafka.OpDescribeConfigs)
	for _, s := range []mapping.Stream{mapping.Events, mapping.Orders, mapping.Refunds} {
		add(kafka.TargetCluster, kafka.TopicResource, t.Slim[s], "slim stream of "+s.String(), kafka.OpWrite, kafka.OpDescribeConfigs)
	}
	return kafka.SortRights(rights)
}

// CreateRights are what `vibe-bridge topics` needs to plan and create what Specs lists.
func CreateRights(specs []kafka.TopicSpec) []kafka.Right {
	var rights []kafka.Right
	for _, s := range specs {
		operations := []kafka.Operation{kafka.OpCreate, kafka.OpDescribe, kafka.OpDescribeConfigs}
		if s.Cluster == kafka.SourceCluster {
			operations = []kafka.Operation{kafka.OpDescribe}
		}
		for _, o := range operations {
			rights = append(rights, kafka.Right{Cluster: s.Cluster, Resource: kafka.TopicResource, Name: s.Name, Operation: o, Why: s.Purpose})
		}
	}
	return kafka.SortRights(rights)
}

// LookRights are what the commands need that only read: verify, parked, quarantine list and
// show, compare once, cutover-check.
func (t Topics) LookRights() []kafka.Right {
	var rights []kafka.Right
	add := func(cluster string, kind kafka.ResourceKind, name string, o kafka.Operation) {
		rights = append(rights, kafka.Right{Cluster: cluster, Resource: kind, Name: name, Operation: o, Why: "to look at"})
	}
	for _, s := range mapping.Streams {
		add(kafka.SourceCluster, kafka.TopicResource, t.Legacy[s], kafka.OpRead)
		if s != mapping.Partners {
			add(kafka.TargetCluster, kafka.TopicResource, t.Slim[s], kafka.OpRead)
			add(kafka.TargetCluster, kafka.TopicResource, t.Slim[s], kafka.OpDescribeConfigs)
		}
		add(kafka.SourceCluster, kafka.TopicResource, t.Legacy[s], kafka.OpDescribeConfigs)
	}
	for _, name := range append(t.StateTopics(), t.Identity(), t.Control(), t.Quarantine()) {
		add(kafka.StateCluster, kafka.TopicResource, name, kafka.OpRead)
		add(kafka.StateCluster, kafka.TopicResource, name, kafka.OpDescribeConfigs)
	}
	source, state := t.Groups()
	for _, g := range source {
		add(kafka.SourceCluster, kafka.GroupResource, g, kafka.OpDescribe)
	}
	for _, g := range state {
		add(kafka.StateCluster, kafka.GroupResource, g, kafka.OpDescribe)
	}
	return kafka.SortRights(rights)
}

// ActRights are what resync, quarantine replay and quarantine resume need beyond LookRights.
func (t Topics) ActRights() []kafka.Right {
	names := []string{loopOf(t.gateGroup()), t.Control(), t.Quarantine()}
	for _, s := range mapping.Streams {
		names = append(names, string(t.internal(s)))
	}
	rights := t.LookRights()
	for _, name := range names {
		rights = append(rights, kafka.Right{Cluster: kafka.StateCluster, Resource: kafka.TopicResource, Name: name, Operation: kafka.OpWrite, Why: "to act"})
	}
	return kafka.SortRights(rights)
}

// LookAtIdentity tells whether the topics are those that the state was built from, as far as that is recorded. It writes nothing.
func (t Topics) LookAtIdentity(ctx context.Context, admins kafka.Admins) (known bool, err error) {
	legacy, err := admins[kafka.SourceCluster].LegacyIdentity(t.legacyByStream())
	if err != nil {
		return false, err
	}
	return kafka.LookAtIdentity(ctx, admins[kafka.StateCluster], t.Identity(), t.StateTopics(), legacy)
}
