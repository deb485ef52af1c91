package processors

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lovoo/goka"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// Topics names every topic and group of a deployment, and says how records of
// each are keyed and partitioned:
//
//	topic              cluster  key                     value                    partition by
//	legacy             source   not relied upon         legacy protobuf          not relied upon
//	<p>-partners       state    ORG, ledger             statepb.Input            key prefix
//	<p>-memberships    state    ORG/EVENT               statepb.Membership       key prefix
//	<p>-organizers     state    EVENT                   statepb.Answer           key prefix
//	<p>-events         state    EVENT, ledger           statepb.Input            key prefix
//	<p>-orders         state    EVENT/ORDER, ledger     statepb.Input            key prefix
//	<p>-refunds        state    EVENT/ORDER/REFUND, l.  statepb.Input            key prefix
//	<group>-loop       state    as the group's table    statepb.Loop             key prefix
//	<group>-table      state    see mapping, Gate       statepb.Row, compacted   key prefix
//	<p>-quarantine     state    the legacy record's     the legacy record's      key
//	<p>-identity       state    "topics"                JSON, compacted          one partition
//	<p>-control        state    legacy topic            JSON, see Pause, comp.   one partition
//	slim               target   entity id               slim contract            key
type Topics struct {
	Name   string                            // of the deployment, <p> above
	Legacy [len(mapping.Streams)]string      // by mapping.Stream
	Slim   map[mapping.Stream]string         // Events, Orders, Refunds
	slimIs map[string]bool                   // the values of Slim
	intern [len(mapping.Streams)]goka.Stream // by mapping.Stream
}

// NewTopics names the topics of a deployment.
func NewTopics(name string, legacy [len(mapping.Streams)]string, events, orders, refunds string) Topics {
	t := Topics{
		Name: name, Legacy: legacy,
		Slim:   map[mapping.Stream]string{mapping.Events: events, mapping.Orders: orders, mapping.Refunds: refunds},
		slimIs: map[string]bool{events: true, orders: true, refunds: true},
	}
	for s, suffix := range map[mapping.Stream]string{
		mapping.Partners: "partners", mapping.Events: "events", mapping.Orders: "orders", mapping.Refunds: "refunds",
	} {
		t.intern[s] = goka.Stream(name + "-" + suffix)
	}
	return t
}

func (t Topics) internal(s mapping.Stream) goka.Stream { return t.intern[s] }

func (t Topics) memberships() goka.Stream { return goka.Stream(t.Name + "-memberships") }
func (t Topics) answers() goka.Stream     { return goka.Stream(t.Name + "-organizers") }

// Quarantine is where records that cannot be read or mapped go.
func (t Topics) Quarantine() string { return t.Name + "-quarantine" }

// Identity is where the ids of the internal topics are recorded.
func (t Topics) Identity() string { return t.Name + "-identity" }

// Control is where pauses of legacy topics are recorded, for all instances.
func (t Topics) Control() string { return t.Name + "-control" }

func (t Topics) intakeGroup(s mapping.Stream) goka.Group {
	return goka.Group(t.Name + "-intake-" + strings.TrimPrefix(string(t.internal(s)), t.Name+"-"))
}
func (t Topics) organizersGroup() goka.Group { return goka.Group(t.Name + "-organizers") }
func (t Topics) gateGroup() goka.Group       { return goka.Group(t.Name + "-gate") }

func loopOf(g goka.Group) string  { return string(g) + "-loop" }
func tableOf(g goka.Group) string { return string(goka.GroupTable(g)) }

// Tables are the changelogs of the groups with state.
func (t Topics) Tables() []string {
	return []string{tableOf(t.organizersGroup()), tableOf(t.gateGroup())}
}

// Groups are all consumer groups of the deployment: those on the source cluster, and those on the state cluster.
func (t Topics) Groups() (source, state []string) {
	for _, s := range mapping.Streams {
		source = append(source, string(t.intakeGroup(s)))
	}
	return source, []string{string(t.organizersGroup()), string(t.gateGroup())}
}

// Numbers of input topics, as stored in causes. They are never reused.
const (
	inputEvents      = 1
	inputOrders      = 2
	inputRefunds     = 3
	inputAnswers     = 4
	inputGateLoop    = 5
	inputPartners    = 6
	inputMemberships = 7
	inputOrgLoop     = 8
)

// inputNumbers gives each input topic of the groups with state its number.
func (t Topics) inputNumbers() map[string]int32 {
	return map[string]int32{
		string(t.internal(mapping.Events)):   inputEvents,
		string(t.internal(mapping.Orders)):   inputOrders,
		string(t.internal(mapping.Refunds)):  inputRefunds,
		string(t.answers()):                  inputAnswers,
		loopOf(t.gateGroup()):                inputGateLoop,
		string(t.internal(mapping.Partners)): inputPartners,
		string(t.memberships()):              inputMemberships,
		loopOf(t.organizersGroup()):          inputOrgLoop,
	}
}

// TopicSettings are what the deployment's topics are created with.
type TopicSettings struct {
	Partitions        int32 // of internal topics and tables
	SlimPartitions    int32
	Replication       int16
	MinInsync         int16
	InternalRetention time.Duration
	MaxInternalBytes  int // of a record on an internal topic
	MaxSlimBytes      int // of a slim record
}

// tableCompactionLag keeps superseded rows for a while, so that rows of an older
// session can be told from newer ones during recovery (guard G2).
const tableCompactionLag = 10 * time.Minute

// Specs lists all topics, the legacy ones included.
func (t Topics) Specs(s TopicSettings) []kafka.TopicSpec {
	var specs []kafka.TopicSpec
	for _, name := range t.Legacy {
		specs = append(specs, kafka.TopicSpec{Name: name, Cluster: kafka.SourceCluster, Purpose: "legacy stream"})
	}
	internal := func(name string, partitions int32, purpose string, config map[string]string) {
		config["min.insync.replicas"] = strconv.Itoa(int(s.MinInsync))
		config["max.message.bytes"] = strconv.Itoa(s.MaxInternalBytes)
		specs = append(specs, kafka.TopicSpec{
			Name: name, Cluster: kafka.StateCluster, Partitions: partitions, Replication: s.Replication,
			Config: config, Purpose: purpose,
		})
	}
	kept := func() map[string]string {
		return map[string]string{
			"cleanup.policy": "delete", "retention.bytes": "-1",
			"retention.ms": strconv.FormatInt(s.InternalRetention.Milliseconds(), 10),
		}
	}
	compacted := func() map[string]string {
		return map[string]string{
			"cleanup.policy":        "compact",
			"min.compaction.lag.ms": strconv.FormatInt(tableCompactionLag.Milliseconds(), 10),
			// An instance that was away for less still sees what was deleted meanwhile.
			"delete.retention.ms": strconv.FormatInt(s.InternalRetention.Milliseconds(), 10),
		}
	}
	for _, stream := range mapping.Streams {
		internal(string(t.internal(stream)), s.Partitions, "checked facts of "+t.Legacy[stream], kept())
	}
	internal(string(t.memberships()), s.Partitions, "which events want which organizer", kept())
	internal(string(t.answers()), s.Partitions, "organizers' facts for their events", kept())
	for _, g := range []goka.Group{t.organizersGroup(), t.gateGroup()} {
		internal(loopOf(g), s.Partitions, "commands of "+string(g)+" to itself", kept())
		internal(tableOf(g), s.Partitions, "state of "+string(g), compacted())
	}
	quarantine := kept()
	quarantine["retention.ms"] = "-1"
	internal(t.Quarantine(), s.Partitions, "records that cannot be read or mapped", quarantine)
	internal(t.Identity(), 1, "ids of the internal topics", compacted())
	internal(t.Control(), 1, "legacy topics that are paused", compacted())
	return append(specs, t.slimSpecs(s)...)
}

func (t Topics) slimSpecs(s TopicSettings) []kafka.TopicSpec {
	policy := map[mapping.Stream]string{mapping.Events: "compact", mapping.Orders: "compact", mapping.Refunds: "delete"}
	var specs []kafka.TopicSpec
	for _, stream := range []mapping.Stream{mapping.Events, mapping.Orders, mapping.Refunds} {
		config := map[string]string{
			"cleanup.policy":         policy[stream],
			"min.insync.replicas":    strconv.Itoa(int(s.MinInsync)),
			"max.message.bytes":      strconv.Itoa(s.MaxSlimBytes),
			"message.timestamp.type": "CreateTime",
		}
		if stream == mapping.Refunds {
			config["retention.ms"] = "-1"
			config["retention.bytes"] = "-1" // a broker's own limit on size would delete them all the same
		}
		specs = append(specs, kafka.TopicSpec{
			Name: t.Slim[stream], Cluster: kafka.TargetCluster, Partitions: s.SlimPartitions,
			Replication: s.Replication, Config: config, Purpose: "slim stream",
		})
	}
	return specs
}

// StateTopics are the internal topics whose re-creation would make the state meaningless (protocol rule R8).
func (t Topics) StateTopics() []string {
	names := []string{string(t.memberships()), string(t.answers())}
	for _, s := range t.intern {
		names = append(names, string(s))
	}
	for _, g := range []goka.Group{t.organizersGroup(), t.gateGroup()} {
		names = append(names, loopOf(g), tableOf(g))
	}
	return names
}

// legacyByStream are the legacy topics by the default name of their stream.
func (t Topics) legacyByStream() map[string]string {
	names := map[string]string{}
	for _, s := range mapping.Streams {
		names[s.String()] = t.Legacy[s]
	}
	return names
}

// partition says where a record goes, by its topic (see Topics).
func (t Topics) partition(topic string, key []byte, partitions int32) int32 {
	if t.slimIs[topic] || topic == t.Quarantine() {
		return slim.Partition(key, partitions)
	}
	if end := bytes.IndexByte(key, '/'); end >= 0 { // see mapping.KeyPrefix
		key = key[:end]
	}
	return slim.Partition(key, partitions)
}

// Validate reports names that would collide. Slim and internal topics must differ
// even on different clusters: producer and partition function know a topic by
// its name alone.
func (t Topics) Validate() error {
	if t.Name == "" {
		return fmt.Errorf("deployment name is empty")
	}
	taken := map[string]string{}
	for _, name := range append(t.StateTopics(), t.Quarantine(), t.Identity(), t.Control()) {
		taken[name] = "an internal topic of the deployment"
	}
	for _, s := range []mapping.Stream{mapping.Events, mapping.Orders, mapping.Refunds} {
		if by, twice := taken[t.Slim[s]]; twice {
			return fmt.Errorf("topic %s cannot be the slim stream of %s: it is %s; give it another name", t.Slim[s], s, by)
		}
		taken[t.Slim[s]] = "the slim stream of " + s.String()
	}
	legacy := map[string]mapping.Stream{}
	for _, s := range mapping.Streams {
		if by, twice := legacy[t.Legacy[s]]; twice {
			return fmt.Errorf("topic %s cannot be the legacy stream of both %s and %s", t.Legacy[s], by, s)
		}
		legacy[t.Legacy[s]] = s
	}
	return nil
}
