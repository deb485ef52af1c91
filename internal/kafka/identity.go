package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// Identity is the record of topics' identities, by topic name (protocol rule R8). Positions in a topic that live
// outside it, in committed offsets, in tables and as the causes of emissions, are worthless for another
// topic of the same name.
type Identity map[string]TopicIdentity

// TopicIdentity is what has to stay the same of a topic for as long as state refers to it.
type TopicIdentity struct {
	ID         string `json:"id"`         // the topic's UUID as Kafka's tools write it
	Partitions int32  `json:"partitions"` // keys move between partitions when it changes
}

// identityKey is the key of the record that CheckIdentity keeps.
const identityKey = "topics"

// identityTimeout bounds the reading and the writing of that record.
const identityTimeout = 30 * time.Second

// identityRecord is the record's value. Unknown fields of a newer version are dropped when an older one writes it.
type identityRecord struct {
	Topics Identity `json:"topics"`
}

// IdentityError says that topics are not those that the bridge's state was built from. The bridge must not start.
type IdentityError struct {
	Lines []string // one per topic: what happened to it
}

// Error implements error.
func (e *IdentityError) Error() string {
	return "internal topics are not the ones that the bridge's state was built from:\n\t" + strings.Join(e.Lines, "\n\t") +
		"\nThe committed offsets and tables of this deployment do not fit them. To rebuild: stop all its instances, delete its internal topics," +
		" consumer groups and state folders, all together, and start it; it then reads the source from the beginning. Or deploy under a new name."
}

// Compare returns an *IdentityError when a recorded topic is not the one that is present: gone, created anew, or with
// another number of partitions. Topics that are not recorded are new and no error.
func (recorded Identity) Compare(present Identity) error {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(recorded)) {
		was, is := recorded[name], present[name]
		switch {
		case is == (TopicIdentity{}):
			lines = append(lines, fmt.Sprintf("topic %s (id %s) was deleted", name, was.ID))
		case is.ID != was.ID:
			lines = append(lines, fmt.Sprintf("topic %s was deleted and created again: its id was %s and is %s", name, was.ID, is.ID))
		case is.Partitions != was.Partitions:
			lines = append(lines, fmt.Sprintf("topic %s had %d partitions and has %d: its keys are in other partitions now", name, was.Partitions, is.Partitions))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return &IdentityError{Lines: lines}
}

// Identity returns the present identity of the topics; one that does not exist is left out. Brokers older than Kafka
// 2.8, which know no topic ids, are an error.
func (a *Admin) Identity(topics []string) (Identity, error) {
	infos, err := a.Describe(topics)
	if err != nil {
		return nil, err
	}
	present := Identity{}
	for name, info := range infos {
		if !info.Exists {
			continue
		}
		if info.ID == "" {
			return nil, fmt.Errorf("topic %s has no id: the bridge keeps its state on Kafka 2.8 or newer, which tells a topic from another of the same name", name)
		}
		present[name] = TopicIdentity{ID: info.ID, Partitions: info.Partitions}
	}
	return present, nil
}

// CheckIdentity refuses, with an *IdentityError, to go on with topics that are not those of earlier starts (protocol
// rule R8). The first call records them in identityTopic, a compacted topic with one partition on the same
// cluster that must exist; later calls compare, and record topics that are new. Every topic must exist by now.
// Several instances may call it at the same time: they record the same.
func CheckIdentity(ctx context.Context, a *Admin, identityTopic string, topics []string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, identityTimeout, fmt.Errorf("not done within %s", identityTimeout))
	defer cancel()
	recorded, err := a.readIdentity(ctx, identityTopic)
	if err != nil {
		return fmt.Errorf("read the identity record in %s: %w", identityTopic, err)
	}
	present, err := a.Identity(topics)
	if err != nil {
		return err
	}
	relevant := Identity{}
	missing, added := []string(nil), false
	for _, t := range topics {
		was, known := recorded[t]
		if known {
			relevant[t] = was
			continue
		}
		if _, exists := present[t]; !exists {
			missing = append(missing, t)
		}
		added = true
	}
	if err := relevant.Compare(present); err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("record the identity of topics: %s: not created yet", strings.Join(missing, ", "))
	}
	if !added {
		return nil
	}
	all := Identity{}
	maps.Copy(all, recorded) // topics that this version no longer uses stay known
	maps.Copy(all, present)
	if err := a.writeIdentity(identityTopic, all); err != nil {
		return fmt.Errorf("write the identity record to %s: %w", identityTopic, err)
	}
	return nil
}

// readIdentity returns the newest record, or an empty one when there is none.
func (a *Admin) readIdentity(ctx context.Context, topic string) (Identity, error) {
	infos, err := a.Describe([]string{topic})
	if err != nil {
		return nil, err
	}
	switch info := infos[topic]; {
	case !info.Exists:
		return nil, errors.New("the topic does not exist: create it with the other internal topics")
	case info.Partitions != 1:
		return nil, fmt.Errorf("the topic has %d partitions: want 1", info.Partitions)
	}
	oldest, err := a.client.GetOffset(topic, 0, sarama.OffsetOldest)
	if err != nil {
		return nil, err
	}
	end, err := a.client.GetOffset(topic, 0, sarama.OffsetNewest)
	if err != nil {
		return nil, err
	}
	value, err := a.lastValue(ctx, topic, oldest, end)
	if err != nil || value == nil {
		return nil, err
	}
	var r identityRecord
	if err := json.Unmarshal(value, &r); err != nil {
		return nil, fmt.Errorf("the record is damaged (%w): was the topic written by something else?", err)
	}
	return r.Topics, nil
}

// lastValue reads partition 0 from oldest up to end and returns the newest value of identityKey, or nil.
func (a *Admin) lastValue(ctx context.Context, topic string, oldest, end int64) (value []byte, err error) {
	if oldest >= end {
		return nil, nil
	}
	consumer, err := sarama.NewConsumerFromClient(a.client)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(topic, 0, oldest)
	if err != nil {
		return nil, err
	}
	defer partition.Close()
	for {
		select {
		case m := <-partition.Messages():
			if string(m.Key) == identityKey {
				value = m.Value
			}
			// The newest record is never compacted away, so the end is always reached.
			if m.Offset+1 >= end {
				return value, nil
			}
		case err := <-partition.Errors():
			return nil, err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (a *Admin) writeIdentity(topic string, id Identity) error {
	value, err := json.Marshal(identityRecord{Topics: id}) // sorts names: equal records are equal bytes
	if err != nil {
		return err
	}
	producer, err := sarama.NewSyncProducerFromClient(a.client)
	if err != nil {
		return err
	}
	defer producer.Close()
	_, _, err = producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder(identityKey), Value: sarama.ByteEncoder(value)})
	return err
}
