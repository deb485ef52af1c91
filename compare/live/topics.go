package live

import (
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// topics names every topic and group of a comparison; <c> is NAME-compare:
//
//	topic                 key                    value                      partition by
//	<c>-partner-records   ORG                    livepb.Record              key prefix
//	<c>-records           EVENT                  livepb.Record              key prefix
//	<c>-halves            ORDER/o, REFUND/r      livepb.Record              key prefix
//	<c>-rows              EVENT/ORDER[/REFUND]   livepb.Entity              key prefix
//	<group>-loop          as the group's table   nothing                    key prefix
//	<group>-table         as its inputs          livepb.Entity, compacted   key prefix
//	<c>-totals            see totals.go          JSON, compacted            one partition
//	NAME-differences      STREAM/ID              Published, JSON, comp.     key
//
// All are on the state cluster.
type topics struct{ name string }

func (c Config) topics() topics { return topics{c.Name} }

func (t topics) of(suffix string) string { return t.name + "-compare" + suffix }

func (t topics) partnerRecords() string { return t.of("-partner-records") }
func (t topics) records() string        { return t.of("-records") }
func (t topics) halves() string         { return t.of("-halves") }
func (t topics) rows() string           { return t.of("-rows") }
func (t topics) totals() string         { return t.of("-totals") }

// differences is for others to read.
func (t topics) differences() string { return t.name + "-differences" }

func (t topics) partnersGroup() string { return t.of("-partners") }
func (t topics) joinsGroup() string    { return t.of("-joins") }
func (t topics) eventsGroup() string   { return t.of("-events") }

func (t topics) intakeGroup(side string, s compare.Stream) string {
	return t.of("-intake-" + side + "-" + s.String())
}

func loopOf(group string) string  { return group + "-loop" }
func tableOf(group string) string { return string(goka.GroupTable(goka.Group(group))) }

func (t topics) own() []string {
	return []string{
		t.partnerRecords(), t.records(), t.halves(), t.rows(), t.totals(), t.differences(),
		tableOf(t.partnersGroup()), tableOf(t.joinsGroup()), tableOf(t.eventsGroup()),
		loopOf(t.joinsGroup()), loopOf(t.eventsGroup()),
	}
}

// tombstonesKept is for how long a table keeps what was deleted: an instance that was
// away for longer has to delete its state folder.
const tombstonesKept = 7 * 24 * time.Hour

// Specs are the comparison's own topics, all on the state cluster.
func (c Config) Specs() []kafka.TopicSpec {
	t, s := c.topics(), c.Settings
	var specs []kafka.TopicSpec
	add := func(name string, partitions int32, purpose string, config map[string]string) {
		config["min.insync.replicas"] = strconv.Itoa(int(s.MinInsync))
		config["max.message.bytes"] = strconv.Itoa(s.MaxBytes)
		specs = append(specs, kafka.TopicSpec{
			Name: name, Cluster: kafka.StateCluster, Partitions: partitions, Replication: s.Replication, Config: config, Purpose: purpose,
		})
	}
	kept := func() map[string]string {
		return map[string]string{
			"cleanup.policy": "delete", "retention.bytes": "-1", "retention.ms": strconv.FormatInt(s.Retention.Milliseconds(), 10),
		}
	}
	compacted := func() map[string]string {
		return map[string]string{
			"cleanup.policy":      "compact",
			"delete.retention.ms": strconv.FormatInt(max(s.Retention, tombstonesKept).Milliseconds(), 10),
		}
	}
	add(t.partnerRecords(), s.Partitions, "comparison: digests of partners", kept())
	add(t.records(), s.Partitions, "comparison: digests of events", kept())
	add(t.halves(), s.Partitions, "comparison: digests of orders and refunds", kept())
	add(t.rows(), s.Partitions, "comparison: orders and refunds with both sides", kept())
	for _, g := range []string{t.partnersGroup(), t.joinsGroup(), t.eventsGroup()} {
		add(tableOf(g), s.Partitions, "state of "+g, compacted())
	}
	for _, g := range []string{t.joinsGroup(), t.eventsGroup()} {
		add(loopOf(g), s.Partitions, "commands of "+g+" to itself", kept())
	}
	add(t.totals(), 1, "comparison: results by partition and hour", compacted())
	add(t.differences(), s.Partitions, "comparison: what differs", compacted())
	return specs
}

// Keys of internal topics and tables. Ids are opaque, so that a slash in one is escaped.
var keyEscaper = strings.NewReplacer("%", "%25", "/", "%2F")

func ownKey(id string) string { return keyEscaper.Replace(id) }

// halfKey is the key of an order or a refund by its own id.
func halfKey(s compare.Stream, id string) string {
	if s == compare.Orders {
		return ownKey(id) + "/o"
	}
	return ownKey(id) + "/r"
}

func orderKey(event, order string) string { return ownKey(event) + "/" + ownKey(order) }

func refundKey(event, order, refund string) string {
	return orderKey(event, order) + "/" + ownKey(refund)
}

func differenceKey(s compare.Stream, id string) string { return s.String() + "/" + id }

// partition says where a record of a topic goes.
func (t topics) partition(topic, key string, partitions int32) int32 {
	if topic != t.differences() {
		key, _, _ = strings.Cut(key, "/")
	}
	return slim.Partition([]byte(key), partitions)
}

func (t topics) partitioner(topic string) sarama.Partitioner { return partitioner{t, topic} }

type partitioner struct {
	topics topics
	topic  string
}

func (p partitioner) Partition(m *sarama.ProducerMessage, partitions int32) (int32, error) {
	key, err := m.Key.Encode()
	if err != nil {
		return 0, err
	}
	return p.topics.partition(p.topic, string(key), partitions), nil
}

func (partitioner) RequiresConsistency() bool { return true }

type rawCodec = kafka.Bytes
