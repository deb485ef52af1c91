package kafka

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
)

// Producer is a goka.Producer that sends a topic's records to the topic's
// cluster, with the topic's partitioning.
//
// It differs from Goka's own in what the bridge needs: several clusters behind
// one producer, a partition function by topic, headers in one fixed order so
// that a repeated record has the same bytes, and a callback on every refused
// record that runs before Goka's.
type Producer struct {
	hooks   ProducerHooks
	all     []sarama.AsyncProducer
	drained sync.WaitGroup
	unacked sync.Map // topic to *atomic.Int64: records that have not ended

	mu     sync.RWMutex
	closed bool
}

// ErrProducerClosed refuses what is emitted after Close.
var ErrProducerClosed = errors.New("producer is closed")

// ProducerHooks are what a Producer asks and tells.
type ProducerHooks struct {
	// Route gives the client of a topic.
	Route func(topic string) (sarama.AsyncProducer, error)
	// Refused hears of every refused record.
	Refused func(error)
	// Observer, if not nil, sees every record.
	Observer Observer
}

// Observer watches what is produced. Its methods are called from several goroutines.
type Observer interface {
	Sending(topic string, key, value []byte) // before the record is handed to the client
	Acked(topic string, key, value []byte)   // after the brokers acknowledged it
}

// NewProducer starts a producer over clients that it owns from now on.
func NewProducer(clients []sarama.AsyncProducer, hooks ProducerHooks) *Producer {
	p := &Producer{hooks: hooks, all: clients}
	for _, c := range clients {
		p.drained.Add(2)
		go p.acknowledge(c)
		go p.refuse(c)
	}
	return p
}

// delivery is what is owed for one record.
type delivery func(*sarama.ProducerMessage, error)

func (p *Producer) acknowledge(c sarama.AsyncProducer) {
	defer p.drained.Done()
	for m := range c.Successes() {
		p.observe(m, Observer.Acked)
		p.count(m.Topic, -1)
		m.Metadata.(delivery)(m, nil)
	}
}

func (p *Producer) refuse(c sarama.AsyncProducer) {
	defer p.drained.Done()
	for e := range c.Errors() {
		err := fmt.Errorf("produce to %s: %w", e.Msg.Topic, e.Err)
		p.hooks.Refused(err)
		p.count(e.Msg.Topic, -1)
		e.Msg.Metadata.(delivery)(nil, err)
	}
}

// Emit sends a record without headers.
func (p *Producer) Emit(topic, key string, value []byte) *goka.Promise {
	return p.EmitWithHeaders(topic, key, value, nil)
}

// EmitWithHeaders sends a record, see NewRecord.
func (p *Producer) EmitWithHeaders(topic, key string, value []byte, headers goka.Headers) *goka.Promise {
	promise, finish := goka.NewPromiseWithFinisher()
	p.Send(NewRecord(topic, key, value, headers), func(m *sarama.ProducerMessage, err error) { finish(m, err) })
	return promise
}

// NewRecord is a record for Send. Headers go out in the order of their names.
func NewRecord(topic, key string, value []byte, headers goka.Headers) *sarama.ProducerMessage {
	m := &sarama.ProducerMessage{Topic: topic, Key: sarama.ByteEncoder(key)} // not a StringEncoder, which the client has copied twice
	if value != nil {
		m.Value = sarama.ByteEncoder(value)
	}
	if len(headers) == 0 {
		return m
	}
	m.Headers = make([]sarama.RecordHeader, 0, len(headers))
	for name, value := range headers {
		m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(name), Value: value})
	}
	SortHeaders(m.Headers)
	return m
}

// SortHeaders brings headers into the order of their names.
func SortHeaders(headers []sarama.RecordHeader) {
	slices.SortFunc(headers, func(a, b sarama.RecordHeader) int { return bytes.Compare(a.Key, b.Key) })
}

// Send sends a record as it is; ended is called once, from another goroutine,
// with the acknowledged record or an error. It must not send on this producer.
func (p *Producer) Send(m *sarama.ProducerMessage, ended func(*sarama.ProducerMessage, error)) {
	c, err := p.hooks.Route(m.Topic)
	if err != nil {
		p.reject(err, ended)
		return
	}
	m.Metadata = delivery(ended)
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		p.reject(ErrProducerClosed, ended)
		return
	}
	p.observe(m, Observer.Sending)
	p.count(m.Topic, 1)
	c.Input() <- m
}

func (p *Producer) count(topic string, n int64) {
	counter, known := p.unacked.Load(topic)
	if !known {
		counter, _ = p.unacked.LoadOrStore(topic, new(atomic.Int64))
	}
	counter.(*atomic.Int64).Add(n)
}

// Unacknowledged is how many records are neither acknowledged nor refused, by topic.
func (p *Producer) Unacknowledged() map[string]int64 {
	open := map[string]int64{}
	p.unacked.Range(func(topic, counter any) bool {
		if n := counter.(*atomic.Int64).Load(); n > 0 {
			open[topic.(string)] = n
		}
		return true
	})
	return open
}

func (p *Producer) observe(m *sarama.ProducerMessage, tell func(o Observer, topic string, key, value []byte)) {
	if p.hooks.Observer == nil {
		return
	}
	tell(p.hooks.Observer, m.Topic, encoded(m.Key), encoded(m.Value))
}

func encoded(e sarama.Encoder) []byte {
	if e == nil {
		return nil
	}
	b, _ := e.Encode() // strings and bytes cannot fail
	return b
}

func (p *Producer) reject(err error, ended func(*sarama.ProducerMessage, error)) {
	p.hooks.Refused(err)
	go ended(nil, err) // Goka holds the promise's lock only while it adds callbacks, but be as asynchronous as a broker
}

// Close flushes what was sent and waits for all acknowledgements and refusals. It
// may be called more than once, and every call returns after that.
func (p *Producer) Close() error {
	if p.close() {
		for _, c := range p.all {
			c.AsyncClose()
		}
	}
	p.drained.Wait()
	return nil
}

func (p *Producer) close() (first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first, p.closed = !p.closed, true
	return first
}
