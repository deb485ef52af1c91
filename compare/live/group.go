package live

import (
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/logging"
)

// group is what every processor group has in common.
type group struct {
	s        *session
	name     string
	graph    *goka.GroupGraph
	inputs   kafka.Cluster
	admin    *kafka.Admin // of the cluster with the inputs
	topics   []string     // inputs, but for the loop
	tracker  *kafka.Tracker
	producer *kafka.Producer
}

// cleanupTimeout is well inside the rebalance timeout of the client profile.
const cleanupTimeout = kafka.DefaultRebalanceTimeout / 2

// newGroup prepares a group whose inputs are on the cluster of admin. Its graph is still to be set.
func newGroup(s *session, name string, inputs kafka.Cluster, admin *kafka.Admin, topics ...string) *group {
	g := &group{s: s, name: name, inputs: inputs, admin: admin, topics: topics}
	g.tracker = kafka.NewTracker(kafka.TrackerOptions{
		Group: name, KeepRecords: true,
		Commits: func(topics map[string][]int32) (map[string]map[int32]kafka.Commit, error) {
			return admin.GroupCommits(name, topics)
		},
		SessionTimeout: kafka.ConsumerOptions{SessionTimeout: s.cfg.SessionTimeout}.WithDefaults().SessionTimeout,
		Log:            s.log.With("group", name),
		Failed:         func(err error) { s.fail(fmt.Errorf("%s: %w", name, err)) },
		CleanupTimeout: cleanupTimeout,
		Overdue: func() {
			s.fail(fmt.Errorf("group %s had to give its partitions up and could not have everything acknowledged in time; nothing is lost", name))
			s.wire.Cut()
		},
		Flushed: func() bool { return len(g.producer.Unacknowledged()) == 0 },
	})
	return g
}

func (g *group) processor() (*goka.Processor, error) {
	s := g.s
	wired := kafka.ClientOptions{Wire: s.wire}
	consumer := kafka.ConsumerOptions{ClientOptions: wired, SessionTimeout: s.cfg.SessionTimeout}
	p, err := goka.NewProcessor(g.inputs.Brokers, g.graph,
		goka.WithClientID(g.inputs.WithDefaults().ClientID),
		goka.WithHasher(kafka.NewPrefixHasher),
		goka.WithNilHandling(goka.NilProcess),
		goka.WithLogger(logging.Lines{Log: s.log.With("group", g.name), From: "goka", Clean: withoutKeys}),
		goka.WithStorageBuilder(g.storage),
		goka.WithConsumerGroupBuilder(g.tracker.Builder(func(_ []string, group, _ string) (sarama.ConsumerGroup, error) {
			return g.inputs.NewConsumerGroup(group, consumer)
		})),
		goka.WithConsumerSaramaBuilder(func(brokers []string, _ string) (sarama.Consumer, error) {
			cfg, err := g.inputs.ConsumerConfig(consumer)
			if err != nil {
				return nil, err
			}
			return sarama.NewConsumer(brokers, cfg)
		}),
		goka.WithTopicManagerBuilder(func(brokers []string) (goka.TopicManager, error) {
			cfg, err := g.inputs.AdminConfig(wired)
			if err != nil {
				return nil, err
			}
			never := goka.NewTopicManagerConfig()
			never.NoCreate = true
			return goka.NewTopicManager(brokers, cfg, never)
		}),
		goka.WithProducerBuilder(func([]string, string, func() hash.Hash32) (goka.Producer, error) {
			var err error
			g.producer, err = s.newProducer(g.tracker.Fail)
			return g.producer, err
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("group %s: %w", g.name, err)
	}
	return p, nil
}

// newProducer writes to the state cluster, where all that is written here goes.
func (s *session) newProducer(refused func(error)) (*kafka.Producer, error) {
	cfg, err := s.cfg.State.ProducerConfig(kafka.ProducerOptions{ClientOptions: kafka.ClientOptions{Wire: s.wire}, Partitioner: s.topics.partitioner})
	if err != nil {
		return nil, err
	}
	client, err := sarama.NewAsyncProducer(s.cfg.State.Brokers, cfg)
	if err != nil {
		return nil, err
	}
	return kafka.NewProducer([]sarama.AsyncProducer{client}, kafka.ProducerHooks{
		Route:   func(string) (sarama.AsyncProducer, error) { return client, nil },
		Refused: refused,
	}), nil
}

// storage opens the store of a partition. One that knows records which its changelog does
// not have is of another changelog: it is deleted, and filled again.
func (g *group) storage(topic string, partition int32) (storage.Storage, error) {
	build := g.s.stores.Builder()
	st, err := build(topic, partition)
	if err != nil {
		return nil, err
	}
	known, err := st.GetOffset(-1)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	end, err := g.admin.NewestOffset(topic, partition)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	if known < end {
		return st, nil
	}
	if err := st.Close(); err != nil {
		return nil, err
	}
	g.s.log.Warn("local state is of another changelog, and is built anew", "table", topic, "partition", partition)
	if err := os.RemoveAll(filepath.Join(g.s.cfg.StateFolder(), topic, strconv.Itoa(int(partition)))); err != nil {
		return nil, err
	}
	return build(topic, partition)
}

// begin is the first thing every callback does, and end the last: a callback that ends
// after its session is abandoned, whatever it did, and one that fails ends the session at once.
func (g *group) begin(ctx goka.Context) (end func()) {
	topic, partition, offset := string(ctx.Topic()), ctx.Partition(), ctx.Offset()
	g.tracker.Begin(topic, partition, offset)
	return func() {
		if ctx.Context().Err() != nil {
			g.tracker.Abandon(topic, partition, offset)
		}
		if v := recover(); v != nil {
			err := callbackFailure(ctx, v)
			g.tracker.Fail(err)
			panic(err) // Goka's to handle
		}
	}
}

// callbackFailure never shows a key or a value, which errors of others may hold.
func callbackFailure(ctx goka.Context, v any) error {
	what := fmt.Sprintf("a value of type %T", v)
	var own *recordError
	if err, ok := v.(error); ok {
		if errors.As(err, &own) {
			what = own.Error()
		} else if _, ok := v.(runtime.Error); ok {
			what = err.Error()
		}
	}
	return fmt.Errorf("%s/%d/%d: %s", ctx.Topic(), ctx.Partition(), ctx.Offset(), what)
}

// recordError is why a callback gives up. It holds nothing of the record.
type recordError struct{ text string }

func (e *recordError) Error() string { return e.text }

// decode reads a record of an internal topic. ok is false when the callback must return at once.
func decode(ctx goka.Context, value any, into proto.Message) (ok bool) {
	raw, _ := value.([]byte)
	if err := proto.Unmarshal(raw, into); err != nil {
		ctx.Fail(&recordError{"not a record of this program; has something else written to the internal topic?"})
		return false
	}
	return true
}

// marshal encodes always in the same way.
func marshal(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(&recordError{fmt.Sprintf("encode %T: a text is not UTF-8", m)})
	}
	return b
}

// keyed is what Goka writes around the key of a record whose commit failed. A key may be a phone number.
var keyed = regexp.MustCompile(`(?s)with key '.*': `)

// withoutKeys is an error of Goka's without the keys in it.
func withoutKeys(err error) error {
	if err == nil {
		return nil
	}
	return &keylessError{keyed.ReplaceAllString(err.Error(), ": "), err}
}

type keylessError struct {
	text  string
	cause error
}

func (e *keylessError) Error() string { return e.text }
func (e *keylessError) Unwrap() error { return e.cause }
