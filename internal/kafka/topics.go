package kafka

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Names of the clusters in TopicSpec.Cluster.
const (
	SourceCluster = "source" // the legacy streams: read, never created
	StateCluster  = "state"  // internal topics and group tables
	TargetCluster = "target" // the slim streams
)

// TopicSpec is a topic as the bridge needs it.
type TopicSpec struct {
	Name string
	// Cluster is SourceCluster, StateCluster or TargetCluster. A missing topic of the source is a mismatch, not
	// something to create.
	Cluster string
	// Partitions must be met exactly; 0 accepts any number of an existing topic.
	Partitions int32
	// Replication must be met at least; 0 accepts any of an existing topic.
	Replication int16
	// Config holds the settings that matter, such as cleanup.policy. Limits and times (see atLeast) must
	// be met at least, where -1 is without limit; cleanup.policy as a set; proposals (see there) not at all;
	// everything else exactly.
	Config map[string]string
	// Purpose is half a line for people, shown in a plan.
	Purpose string
}

// TopicInfo is a topic as a cluster has it.
type TopicInfo struct {
	Exists     bool
	Partitions int32
	// Replication is the smallest number of replicas of any partition.
	Replication int16
	// ID is the topic's UUID in the form of Kafka's tools, 22 characters. It changes when the topic is deleted
	// and created anew. Empty where brokers are older than Kafka 2.8.
	ID string
	// Config has every setting that the brokers report, defaults included; nil if they could not be read.
	Config map[string]string
	// Brokers are the addresses of its cluster, for commands that people are to run.
	Brokers []string
}

// Action is what a plan has for a topic.
type Action string

// Actions of a plan.
const (
	ActionOK       Action = "ok"
	ActionCreate   Action = "create"
	ActionMismatch Action = "mismatch"
)

// PlannedTopic is one line of a plan.
type PlannedTopic struct {
	TopicSpec
	Action Action
	Have   TopicInfo // what was found
	// Differences say what is wrong and how to put it right; only with ActionMismatch.
	Differences []string
}

// Plan says for every topic whether it is right, will be created, or is wrong.
type Plan struct{ Topics []PlannedTopic }

// Mismatch returns an error with one line per difference, or nil when there is none.
func (p Plan) Mismatch() error {
	var lines []string
	for _, t := range p.Topics {
		for _, d := range t.Differences {
			lines = append(lines, fmt.Sprintf("topic %s (%s cluster): %s", t.Name, t.Cluster, d))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return &MismatchError{Lines: lines}
}

// Missing returns the topics that the plan creates.
func (p Plan) Missing() []TopicSpec {
	var specs []TopicSpec
	for _, t := range p.Topics {
		if t.Action == ActionCreate {
			specs = append(specs, t.TopicSpec)
		}
	}
	return specs
}

// MismatchError says that topics exist and are not as the bridge needs them. They are never changed for it.
type MismatchError struct {
	Lines []string // one per difference: topic, what differs, how to fix it
}

// Error implements error.
func (e *MismatchError) Error() string {
	return "topics are not as the bridge needs them:\n\t" + strings.Join(e.Lines, "\n\t")
}

// PlanTopics compares what is needed with what there is, by topic name. It is a pure function; specs of different
// clusters may share a plan only through Admins.Plan, which keeps equal names of two clusters apart.
func PlanTopics(specs []TopicSpec, found map[string]TopicInfo) Plan {
	var p Plan
	for _, s := range specs {
		p.Topics = append(p.Topics, planTopic(s, found[s.Name]))
	}
	return p
}

func planTopic(s TopicSpec, have TopicInfo) PlannedTopic {
	t := PlannedTopic{TopicSpec: s, Action: ActionOK, Have: have}
	switch {
	case !have.Exists && s.Cluster == SourceCluster:
		t.Differences = []string{"does not exist, or the bridge's user may not describe it: check the name and the user's rights; the bridge creates nothing on the source cluster"}
	case !have.Exists:
		t.Action = ActionCreate
		return t
	default:
		t.Differences = differences(s, have)
	}
	if len(t.Differences) > 0 {
		t.Action = ActionMismatch
	}
	return t
}

func differences(s TopicSpec, have TopicInfo) []string {
	var ds []string
	if s.Partitions != 0 && have.Partitions != s.Partitions {
		ds = append(ds, fmt.Sprintf("has %d partitions, want %d: the number of an existing topic is not changed, since keys would move to other partitions: configure %d, or delete the topic if its records may go",
			have.Partitions, s.Partitions, have.Partitions))
	}
	if have.Replication < s.Replication {
		ds = append(ds, fmt.Sprintf("has %d replicas, want %d: add replicas with kafka-reassign-partitions, or configure replication: %d",
			have.Replication, s.Replication, have.Replication))
	}
	if have.Config == nil && len(s.Config) > 0 {
		return append(ds, "has settings that the bridge's user may not read: grant it DescribeConfigs on the topic")
	}
	for _, key := range slices.Sorted(maps.Keys(s.Config)) {
		want := s.Config[key]
		got, known := have.Config[key]
		if known && settingMet(key, want, got) {
			continue
		}
		if !known {
			got = "not reported"
		}
		ds = append(ds, fmt.Sprintf("has %s=%s, want %s: %s", key, got, wanted(key, want), alterCommand(s.Name, have.Brokers, key, want)))
	}
	return ds
}

// atLeast names the settings where more than needed is as good.
var atLeast = map[string]bool{
	"retention.ms":          true,
	"retention.bytes":       true,
	"max.message.bytes":     true,
	"min.compaction.lag.ms": true,
	"max.compaction.lag.ms": true,
	"delete.retention.ms":   true,
	"min.insync.replicas":   true,
}

// proposals are for topics that are created. An existing topic may have them otherwise: with LogAppendTime, for
// example, it can be seen in the topics themselves that orders came after their events.
var proposals = map[string]bool{"message.timestamp.type": true}

func wanted(key, want string) string {
	if atLeast[key] && want != "-1" {
		return "at least " + want
	}
	return want
}

// alterCommand changes one setting of a topic when it is pasted into a shell. Who runs it has the right to,
// and has written into admin.properties who that is, as for the commands of `vibe-bridge acls`.
func alterCommand(topic string, brokers []string, key, value string) string {
	setting := key + "=" + value
	if strings.Contains(value, ",") {
		setting = "'" + key + "=[" + value + "]'" // lists in brackets, which are a pattern for a shell
	}
	return fmt.Sprintf("kafka-configs --bootstrap-server %s --command-config admin.properties --alter --entity-type topics --entity-name %s --add-config %s",
		strings.Join(brokers, ","), topic, setting)
}

func settingMet(key, want, got string) bool {
	if want == got || proposals[key] {
		return true
	}
	if key == "cleanup.policy" {
		return slices.Equal(sortedList(want), sortedList(got))
	}
	if !atLeast[key] {
		return false
	}
	w, err1 := strconv.ParseInt(want, 10, 64)
	g, err2 := strconv.ParseInt(got, 10, 64)
	if err1 != nil || err2 != nil {
		return false
	}
	if g < 0 { // without limit
		return true
	}
	return w >= 0 && g >= w
}

func sortedList(s string) []string {
	items := strings.Split(s, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	slices.Sort(items)
	return items
}
