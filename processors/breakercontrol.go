package processors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

const (
	// controlTimeout bounds the reading of the control topic, which has a handful of records.
	controlTimeout = 30 * time.Second
	controlRetry   = time.Second
)

// startBreaker makes the instance know what is paused, before any record is admitted,
// and able to pause. A pause that another version has written is over: whoever
// starts a new version has put right what was wrong, or will see it paused again.
// One that says no version, or that cannot be read, stays: see pauseIn. With the breaker
// off any pause is over: see overrule.
// stop waits until what was written is acknowledged.
func (b *Bridge) startBreaker(ctx context.Context) (stop func(), err error) {
	control, next, err := readControl(ctx, b.cfg.State, b.topics.Control())
	if err != nil {
		return nil, err
	}
	client, err := b.client(kafka.StateCluster, b.cfg.State, nil)
	if err != nil {
		return nil, err
	}
	w := &controlWriter{topic: b.topics.Control(), refused: func(err error) { b.end.fail(err) }}
	w.open(client)
	b.breaker.write, b.breaker.resume = w.pause, w.resume
	b.overrule(control)
	for _, topic := range slices.Sorted(maps.Keys(control)) {
		if by := control[topic].Version; by != "" && by != b.cfg.Version && !b.rebuilt {
			b.log.Info("topic was paused by another version of the bridge and is resumed", "topic", topic, "paused_by", by, "since", control[topic].Since)
			w.resume(topic)
			delete(control, topic)
		}
	}
	b.breaker.loaded(control, next)
	return func() {
		const name = "control"
		b.end.started(name, "pauses to topic "+w.topic)
		b.end.producing(name, w.producer)
		defer b.end.ended(name)
		_ = w.producer.Close() // refusals were heard of
	}, nil
}

// overrule ends the pauses of control, for all instances, where this one has the breaker off: that is the operator's word
// that nothing is to be paused. Otherwise a pause would lie in the topic unseen, and be there again when the breaker is back
// on, with nothing bad left. While another instance still has the breaker on, it may pause the topic again, and is overruled again.
func (b *Bridge) overrule(control map[string]Pause) {
	if b.cfg.Breaker.enabled() {
		return
	}
	for _, topic := range slices.Sorted(maps.Keys(control)) {
		b.log.Info("topic was paused and is resumed, as this instance runs with quarantine.max_share 0", "topic", topic, "since", control[topic].Since)
		b.breaker.resume(topic)
		delete(control, topic)
	}
}

// followControl applies what comes to the control topic until ctx ends. While it cannot,
// what is known stays, the instance is not ready, and it tries again.
func (b *Bridge) followControl(ctx context.Context) error {
	for {
		err := b.tailControl(ctx)
		if ctx.Err() != nil {
			return nil
		}
		for err != nil {
			b.breaker.lost(err)
			b.log.Warn("the control topic cannot be followed, and it tries again", "topic", b.topics.Control(), "error", err)
			if !sleep(ctx, controlRetry) {
				return nil
			}
			var control map[string]Pause
			var next int64
			if control, next, err = readControl(ctx, b.cfg.State, b.topics.Control()); err == nil {
				b.overrule(control)
				b.breaker.loaded(control, next)
			}
		}
	}
}

// tailControl applies records from where the topic is known on. It returns when it
// cannot go on, or ctx ends.
func (b *Bridge) tailControl(ctx context.Context) error {
	cfg, err := b.cfg.State.ConsumerConfig(kafka.ConsumerOptions{ClientOptions: kafka.ClientOptions{Wire: b.end.wire}, SessionTimeout: b.cfg.SessionTimeout})
	if err != nil {
		return err
	}
	consumer, err := sarama.NewConsumer(b.cfg.State.Brokers, cfg)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer consumer.Close()
	tail, err := consumer.ConsumePartition(b.topics.Control(), 0, b.breaker.knownUpTo())
	if err != nil {
		return err
	}
	defer tail.Close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-tail.Errors():
			if err == nil {
				return errTailEnded
			}
			return err.Err
		case m := <-tail.Messages():
			if m == nil {
				return errTailEnded
			}
			b.controlSays(string(m.Key), pauseIn(m.Value), m.Offset)
		}
	}
}

// controlSays applies one record of the control topic.
func (b *Bridge) controlSays(topic string, p *Pause, offset int64) {
	if p != nil && !b.cfg.Breaker.enabled() {
		b.overrule(map[string]Pause{topic: *p})
		p = nil
	}
	b.breaker.shown(topic, p, offset)
}

var errTailEnded = errors.New("the client gave up reading")

// readControl reads what is paused, by legacy topic, and the offset up to which that is known.
func readControl(ctx context.Context, state kafka.Cluster, topic string) (paused map[string]Pause, next int64, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, controlTimeout, fmt.Errorf("not done within %s", controlTimeout))
	defer cancel()
	paused = map[string]Pause{}
	err = state.Read(ctx, topic, func(r *kgo.Record) {
		next = r.Offset + 1
		if p := pauseIn(r.Value); p != nil {
			paused[string(r.Key)] = *p
		} else {
			delete(paused, string(r.Key))
		}
	})
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read what is paused from topic %s: %w", topic, err)
	}
	return paused, next, nil
}

// pauseIn reads a value of the control topic; nil for a tombstone. One that cannot be
// read is a pause of which nothing else is known: to go on could flood the quarantine,
// and only the resume command ends it.
func pauseIn(value []byte) *Pause {
	if value == nil {
		return nil
	}
	p := &Pause{}
	if json.Unmarshal(value, p) != nil {
		return &Pause{}
	}
	return p
}

// controlWriter writes to the control topic.
type controlWriter struct {
	topic    string
	producer *kafka.Producer
	refused  func(error)
}

func (w *controlWriter) open(client sarama.AsyncProducer) {
	w.producer = kafka.NewProducer([]sarama.AsyncProducer{client}, kafka.ProducerHooks{
		Route:   func(string) (sarama.AsyncProducer, error) { return client, nil },
		Refused: w.refused,
	})
}

// pause writes that a topic is paused.
func (w *controlWriter) pause(topic string, p Pause, written func(offset int64)) {
	value, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("encode a pause: %v", err)) // it has nothing that JSON cannot say
	}
	w.producer.Send(&sarama.ProducerMessage{Topic: w.topic, Key: sarama.StringEncoder(topic), Value: sarama.ByteEncoder(value)},
		func(m *sarama.ProducerMessage, err error) {
			if err == nil { // otherwise the instance ends, and the next one finds out anew
				written(m.Offset)
			}
		})
}

// resume writes that a topic is not paused.
func (w *controlWriter) resume(topic string) {
	w.producer.Send(&sarama.ProducerMessage{Topic: w.topic, Key: sarama.StringEncoder(topic)}, func(*sarama.ProducerMessage, error) {})
}

// CheckControl reports whether the control topic is there, with one partition. It
// connects to the state cluster alone.
func CheckControl(cfg Config) error { return checkStateTopics(cfg.State, 1, cfg.Topics.Control()) }

// ReadPauses are the legacy topics of a deployment that are paused.
func ReadPauses(ctx context.Context, cfg Config) (map[string]Pause, error) {
	paused, _, err := readControl(ctx, cfg.State, cfg.Topics.Control())
	return paused, err
}

// Resume ends the pauses of legacy topics, for all instances. It returns when the
// brokers have acknowledged that.
func Resume(ctx context.Context, cfg Config, topics []string) error {
	wire := kafka.NewWire()
	defer context.AfterFunc(ctx, wire.Cut)() // or the client would go on trying for minutes
	profile, err := cfg.State.ProducerConfig(kafka.ProducerOptions{
		ClientOptions: kafka.ClientOptions{Wire: wire}, Partitioner: cfg.Topics.partitioner,
	})
	if err != nil {
		return err
	}
	client, err := sarama.NewAsyncProducer(cfg.State.Brokers, profile)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	var failure atomic.Pointer[error]
	w := &controlWriter{topic: cfg.Topics.Control(), refused: func(err error) { failure.CompareAndSwap(nil, &err) }}
	w.open(client)
	for _, topic := range topics {
		w.resume(topic)
	}
	_ = w.producer.Close()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := failure.Load(); err != nil {
		return *err
	}
	return nil
}
