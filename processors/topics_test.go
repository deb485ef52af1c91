package processors

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/internal/golden"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/slim"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func testTopics() Topics {
	return NewTopics("bridge", [4]string{"partners", "events", "orders_done", "refund_requests"}, "slim-events", "slim-orders", "slim-refunds")
}

// What is created on the clusters, setting by setting. A change here changes
// what running deployments are checked against.
func TestTopicSpecs(t *testing.T) {
	topics := testTopics()
	specs := topics.Specs(TopicSettings{
		Partitions: 12, SlimPartitions: 6, Replication: 3, MinInsync: 2,
		InternalRetention: 7 * 24 * time.Hour, MaxInternalBytes: 8 << 20, MaxSlimBytes: 1 << 20,
	})
	var b strings.Builder
	for _, s := range specs {
		fmt.Fprintf(&b, "%s on %s: %s\n", s.Name, s.Cluster, s.Purpose)
		if s.Partitions != 0 {
			fmt.Fprintf(&b, "  partitions=%d replication=%d\n", s.Partitions, s.Replication)
		}
		for _, key := range slices.Sorted(maps.Keys(s.Config)) {
			fmt.Fprintf(&b, "  %s=%s\n", key, s.Config[key])
		}
	}
	golden.File(t, "testdata/topics.golden", b.String(), *update)

	// Protocol rule R8: everything on the state cluster whose offsets state refers to is recorded.
	recorded := topics.StateTopics()
	for _, s := range specs {
		own := s.Cluster == kafka.StateCluster && !slices.Contains([]string{topics.Quarantine(), topics.Identity(), topics.Control()}, s.Name)
		if own != slices.Contains(recorded, s.Name) {
			t.Errorf("%s: identity is recorded %t, want %t", s.Name, !own, own)
		}
		if own && !strings.Contains(s.Config["cleanup.policy"], "compact") && s.Config["retention.bytes"] != "-1" {
			t.Errorf("%s loses records by size", s.Name)
		}
	}
}

// Numbers of inputs stand in every row of the tables. They must never change or
// be used again for another topic.
func TestInputNumbersNeverChange(t *testing.T) {
	want := map[string]int32{
		"bridge-events": 1, "bridge-orders": 2, "bridge-refunds": 3, "bridge-organizers": 4, "bridge-gate-loop": 5,
		"bridge-partners": 6, "bridge-memberships": 7, "bridge-organizers-loop": 8,
	}
	got := testTopics().inputNumbers()
	if !maps.Equal(got, want) {
		t.Errorf("numbers %v, want %v", got, want)
	}
	seen := map[int32]string{}
	for topic, n := range got {
		if n <= 0 || seen[n] != "" {
			t.Errorf("%s and %q have the number %d; 0 is nobody's", topic, seen[n], n)
		}
		seen[n] = topic
	}
}

func TestTopicsValidate(t *testing.T) {
	legacy := [4]string{"partners", "events", "orders_done", "refund_requests"}
	for _, c := range []struct {
		name   string
		topics Topics
		says   string
	}{
		{"default names", NewTopics("bridge", legacy, "events", "orders", "refunds"), ""},
		{"no name", NewTopics("", legacy, "events", "orders", "refunds"), "name is empty"},
		{"slim topic twice", NewTopics("bridge", legacy, "events", "events", "refunds"), "events"},
		{"legacy topic twice", NewTopics("bridge", [4]string{"p", "x", "x", "r"}, "events", "orders", "refunds"), "x"},
		// The producer and the partition function know a topic by its name alone.
		{"slim topic with an internal name", NewTopics("bridge", legacy, "bridge-events", "orders", "refunds"), "bridge-events"},
		{"slim topic with a table's name", NewTopics("bridge", legacy, "events", "bridge-gate-table", "refunds"), "bridge-gate-table"},
		{"slim topic with the control topic's name", NewTopics("bridge", legacy, "events", "bridge-control", "refunds"), "bridge-control"},
		{"slim topic with the quarantine's name", NewTopics("bridge", legacy, "events", "orders", "bridge-quarantine"), "bridge-quarantine"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.topics.Validate()
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error %v, want one with %q", err, c.says)
			}
		})
	}
}

// anyID draws ids with everything that keys treat specially.
func anyID() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[0-9a-f]{24}`),
		rapid.StringMatching(`[a/%25F]{1,8}`),
		rapid.String(),
	)
}

// All keys of an event meet in one partition, whatever the ids, and so do all of an organizer.
func TestKeysOfOneEventMeet(t *testing.T) {
	topics := testTopics()
	rapid.Check(t, func(t *rapid.T) {
		event, order, refund, org := anyID().Draw(t, "event"), anyID().Draw(t, "order"), anyID().Draw(t, "refund"), anyID().Draw(t, "org")
		n := rapid.Int32Range(1, 64).Draw(t, "partitions")
		at := func(topic any, key string) int32 { return topics.partition(fmt.Sprint(topic), []byte(key), n) }
		want := slim.Partition([]byte(mapping.EventKey(event)), n)
		for topic, key := range map[any]string{
			topics.internal(mapping.Events):  mapping.EventKey(event),
			topics.internal(mapping.Orders):  mapping.OrderKey(event, order),
			topics.internal(mapping.Refunds): mapping.RefundKey(event, order, refund),
			topics.answers():                 mapping.EventKey(event),
			loopOf(topics.gateGroup()):       mapping.OrderKey(event, order),
			tableOf(topics.gateGroup()):      mapping.RefundKey(event, order, refund),
		} {
			if got := at(topic, key); got != want {
				t.Fatalf("%s: key %q in partition %d, its event in %d", topic, key, got, want)
			}
		}
		if a, b := at(topics.internal(mapping.Partners), mapping.OrganizerKey(org)), at(topics.memberships(), mapping.MemberKey(org, event)); a != b {
			t.Fatalf("organizer in partition %d, its member in %d", a, b)
		}
		for _, topic := range topics.Slim {
			if got := at(topic, event); got != slim.Partition([]byte(event), n) {
				t.Fatalf("slim key %q in partition %d, Kafka's own clients look in %d", event, got, slim.Partition([]byte(event), n))
			}
		}
	})
}

// smallestHash is the key whose hash is the smallest integer, which has no positive counterpart.
const smallestHash = "\xa7\xd6Pl"

func anyKey() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		rapid.StringMatching(`[ab/%]{0,12}`),
		rapid.SampledFrom([]string{"", "/", smallestHash, smallestHash + "/order"}),
	)
}

// Goka and sarama find the partition of a key through the hasher. They must find
// it where the producer has put it, for any number of partitions, although
// they hand the hasher a key in pieces and use one hasher for many keys.
func TestHasherAgreesWithPartition(t *testing.T) {
	if slim.Murmur2([]byte(smallestHash)) != -1<<31 {
		t.Fatalf("hash of %q is %d, not the smallest", smallestHash, slim.Murmur2([]byte(smallestHash)))
	}
	topics := testTopics()
	internal := string(topics.internal(mapping.Orders))
	reused := kafka.NewPrefixHasher()
	partitioner := sarama.NewCustomHashPartitioner(kafka.NewPrefixHasher)(internal)
	rapid.Check(t, func(t *rapid.T) {
		key := anyKey().Draw(t, "key")
		reused.Reset()
		for rest := key; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			if wrote, err := reused.Write([]byte(rest[:n])); wrote != n || err != nil {
				t.Fatalf("Write = %d, %v; want %d", wrote, err, n)
			}
			rest = rest[n:]
		}
		if got := reused.Sum32(); got >= 1<<31 {
			t.Fatalf("sum %#x is negative for Goka", got)
		}
		for _, n := range []int32{1, 2, 3, 5, 7, 12} {
			want := topics.partition(internal, []byte(key), n)
			if want != slim.Partition([]byte(mapping.KeyPrefix(key)), n) {
				t.Fatalf("key %q is not in the partition of its prefix", key)
			}
			if got := asGoka(reused.Sum32(), n); got != want {
				t.Fatalf("Goka reads key %q in partition %d of %d, it is in %d", key, got, n, want)
			}
			got, err := partitioner.Partition(&sarama.ProducerMessage{Key: sarama.StringEncoder(key)}, n)
			if err != nil || got != want {
				t.Fatalf("sarama puts key %q into partition %d of %d (%v), it belongs into %d", key, got, n, err, want)
			}
			got, err = topics.partitioner(internal).Partition(&sarama.ProducerMessage{Key: sarama.StringEncoder(key)}, n)
			if err != nil || got != want {
				t.Fatalf("the producer puts key %q into partition %d of %d (%v), it belongs into %d", key, got, n, err, want)
			}
		}
	})
}

// asGoka is how Goka's processors and views turn a hash into a partition.
func asGoka(sum uint32, partitions int32) int32 {
	hash := int32(sum)
	if hash < 0 {
		hash = -hash
	}
	return hash % partitions
}

func TestHasherForm(t *testing.T) {
	h := kafka.NewPrefixHasher()
	h.Write([]byte("foobar/order"))
	if got, want := h.Sum32(), uint32(-790332482&0x7fffffff); got != want {
		t.Errorf("sum %#x, want %#x: murmur2 of foobar in Java clients is -790332482", got, want)
	}
	if sum := h.Sum([]byte{9}); len(sum) != 1+h.Size() || sum[0] != 9 || uint32(sum[1])<<24|uint32(sum[2])<<16|uint32(sum[3])<<8|uint32(sum[4]) != h.Sum32() {
		t.Errorf("Sum %v does not append Sum32 %#x", sum, h.Sum32())
	}
	h.Reset()
	if got := h.Sum32(); got != uint32(slim.Murmur2(nil))&0x7fffffff {
		t.Errorf("sum %#x after Reset", got)
	}
}

// A quarantined record keeps its key, if it has one.
func TestPartitionOfQuarantine(t *testing.T) {
	p := testTopics().partitioner(testTopics().Quarantine())
	if got, err := p.Partition(&sarama.ProducerMessage{}, 7); got != 0 || err != nil {
		t.Errorf("no key: partition %d, %v; want 0", got, err)
	}
	key := "any/key"
	got, err := p.Partition(&sarama.ProducerMessage{Key: sarama.StringEncoder(key)}, 7)
	if want := slim.Partition([]byte(key), 7); got != want || err != nil {
		t.Errorf("partition %d, %v; want %d as for Kafka's own clients", got, err, want)
	}
	if !p.RequiresConsistency() {
		t.Error("a record of an absent leader would go to another partition")
	}
}
