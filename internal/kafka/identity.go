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

// LegacyIdentity is the record of the legacy topics, by the stream that each is read as. The offsets that state
// remembers of a stream are worthless for another topic, of whatever name. Their numbers of partitions may grow.
type LegacyIdentity map[string]LegacyTopic

// LegacyTopic is a topic of the source cluster.
type LegacyTopic struct {
	Name string `json:"name"`
	ID   string `json:"id"` // never empty in a record
}

// identityKey is the key of the record that CheckIdentity keeps.
const identityKey = "topics"

// identityTimeout bounds the reading and the writing of that record.
const identityTimeout = 30 * time.Second

var errIdentityTimeout = fmt.Errorf("not done within %s", identityTimeout)

// identityRecord is the record's value. Unknown fields of a newer version are dropped when an older one writes it.
type identityRecord struct {
	Topics Identity       `json:"topics"`
	Legacy LegacyIdentity `json:"legacy,omitempty"`
}

// IdentityError says that topics are not those that the bridge's state was built from. The bridge must not start.
type IdentityError struct {
	Lines []string // one per topic: what happened to it
}

// Error implements error.
func (e *IdentityError) Error() string {
	return identityHeading + "\n\t" + strings.Join(e.Lines, "\n\t") + "\n" + IdentityRemedy
}

// Short is the error on one line, with the first topic alone.
func (e *IdentityError) Short() string {
	text := identityHeading
	if len(e.Lines) > 0 {
		text += " " + e.Lines[0]
	}
	if more := len(e.Lines) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text + ". " + IdentityRemedy
}

const (
	identityHeading = "topics are not the ones that the bridge's state was built from:"
	// IdentityRemedy says what to do about an IdentityError.
	IdentityRemedy = "The committed offsets and tables of this deployment do not fit them. To rebuild: stop all its instances, delete its internal topics," +
		" consumer groups and state folders, all together, and start it; it then reads the source from the beginning. Or deploy under a new name."
)

// compare says which recorded topics are not the ones that are present: gone, created anew, or with another
// number of partitions. Topics that are not recorded are new, which is no fault.
func (recorded Identity) compare(present Identity) (lines []string) {
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
	return lines
}

// compare says what is another topic than the recorded one. A topic whose id is not known is taken for the same.
func (recorded LegacyIdentity) compare(present LegacyIdentity) (lines []string) {
	for _, stream := range slices.Sorted(maps.Keys(recorded)) {
		was, is := recorded[stream], present[stream]
		switch {
		case is.ID == "" || is.ID == was.ID:
		case is.Name == was.Name:
			lines = append(lines, fmt.Sprintf("legacy topic %s was deleted and created again: its id was %s and is %s", was.Name, was.ID, is.ID))
		default:
			lines = append(lines, fmt.Sprintf("the legacy stream %s is read from another topic: it was %s (id %s) and is %s (id %s)", stream, was.Name, was.ID, is.Name, is.ID))
		}
	}
	return lines
}

// Known are those of the topics that have an id.
func (l LegacyIdentity) Known() LegacyIdentity {
	known := maps.Clone(l)
	maps.DeleteFunc(known, func(_ string, t LegacyTopic) bool { return t.ID == "" })
	return known
}

// LegacyIdentity returns the present identity of legacy topics, given by stream. It knows no ids where the brokers are
// older than Kafka 2.8.
func (a *Admin) LegacyIdentity(topics map[string]string) (LegacyIdentity, error) {
	infos, err := a.Describe(slices.Collect(maps.Values(topics)))
	if err != nil {
		return nil, err
	}
	present := LegacyIdentity{}
	for stream, name := range topics {
		present[stream] = LegacyTopic{Name: name, ID: infos[name].ID}
	}
	return present, nil
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
// rule R8): the internal ones, which are on this cluster, and the legacy ones, which may be on another. The first call
// records them in identityTopic, a compacted topic with one partition on this cluster that must exist; later
// calls compare, and record topics that are new. Every topic must exist by now. Several instances may call it
// at the same time: they record the same.
func CheckIdentity(ctx context.Context, a *Admin, identityTopic string, topics []string, legacy LegacyIdentity) error {
	ctx, cancel := context.WithTimeoutCause(ctx, identityTimeout, errIdentityTimeout)
	defer cancel()
	recorded, present, err := a.lookAtIdentity(ctx, identityTopic, topics, legacy)
	if err != nil {
		return err
	}
	all := identityRecord{Topics: Identity{}, Legacy: LegacyIdentity{}}
	maps.Copy(all.Topics, recorded.Topics) // topics that this version no longer uses stay known
	maps.Copy(all.Topics, present)
	maps.Copy(all.Legacy, recorded.Legacy)
	maps.Copy(all.Legacy, legacy.Known())
	if maps.Equal(all.Topics, recorded.Topics) && maps.Equal(all.Legacy, recorded.Legacy) {
		return nil
	}
	if err := a.writeIdentity(identityTopic, all); err != nil {
		return fmt.Errorf("write the identity record to %s: %w", identityTopic, err)
	}
	return nil
}

// LookAtIdentity makes the comparison of CheckIdentity and writes nothing. known is false where nothing is recorded yet.
func LookAtIdentity(ctx context.Context, a *Admin, identityTopic string, topics []string, legacy LegacyIdentity) (known bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, identityTimeout, errIdentityTimeout)
	defer cancel()
	recorded, _, err := a.lookAtIdentity(ctx, identityTopic, topics, legacy)
	return len(recorded.Topics) > 0, err
}

func (a *Admin) lookAtIdentity(ctx context.Context, identityTopic string, topics []string, legacy LegacyIdentity) (identityRecord, Identity, error) {
	recorded, err := a.readIdentity(ctx, identityTopic)
	if err != nil {
		return recorded, nil, fmt.Errorf("read the identity record in %s: %w", identityTopic, err)
	}
	present, err := a.Identity(topics)
	if err != nil {
		return recorded, nil, err
	}
	return recorded, present, recorded.compare(topics, identityRecord{present, legacy})
}

// compare says which of the topics are others than recorded, or are not there though nothing is recorded of them.
func (recorded identityRecord) compare(topics []string, present identityRecord) error {
	used, missing := Identity{}, []string(nil)
	for _, t := range topics {
		was, known := recorded.Topics[t]
		if known {
			used[t] = was
		} else if _, exists := present.Topics[t]; !exists {
			missing = append(missing, t)
		}
	}
	lines := append(used.compare(present.Topics), recorded.Legacy.compare(present.Legacy)...)
	switch {
	case len(lines) > 0:
		return &IdentityError{Lines: lines}
	case len(missing) > 0:
		return fmt.Errorf("record the identity of topics: %s: not created yet", strings.Join(missing, ", "))
	}
	return nil
}

// readIdentity returns the newest record, or an empty one when there is none.
func (a *Admin) readIdentity(ctx context.Context, topic string) (r identityRecord, err error) {
	infos, err := a.Describe([]string{topic})
	if err != nil {
		return r, err
	}
	switch info := infos[topic]; {
	case !info.Exists:
		return r, errors.New("the topic does not exist: create it with the other internal topics")
	case info.Partitions != 1:
		return r, fmt.Errorf("the topic has %d partitions: want 1", info.Partitions)
	}
	oldest, err := a.client.GetOffset(topic, 0, sarama.OffsetOldest)
	if err != nil {
		return r, err
	}
	end, err := a.client.GetOffset(topic, 0, sarama.OffsetNewest)
	if err != nil {
		return r, err
	}
	value, err := a.lastValue(ctx, topic, oldest, end)
	if err != nil || value == nil {
		return r, err
	}
	if err := json.Unmarshal(value, &r); err != nil {
		return r, fmt.Errorf("the record is damaged (%w): was the topic written by something else?", err)
	}
	return r, nil
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

func (a *Admin) writeIdentity(topic string, r identityRecord) error {
	value, err := json.Marshal(r) // sorts names: equal records are equal bytes
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
