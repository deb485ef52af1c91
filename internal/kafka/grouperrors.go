package kafka

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// What a consumer group meets with in mid-session it only reports on a channel, and tries again. Goka writes that to its
// debug log: a right that was taken away would look like a topic in which nothing happens.

// ConsumeError says that a consumer group cannot go on, and that trying again does not help.
type ConsumeError struct {
	Group     string
	Topic     string // "" when it concerns the whole group
	Partition int32
	Err       error
}

func (e *ConsumeError) Error() string {
	if e.Topic == "" {
		return fmt.Sprintf("group %s cannot go on: %v", e.Group, e.Err)
	}
	return fmt.Sprintf("group %s cannot go on reading %s/%d: %v", e.Group, e.Topic, e.Partition, e.Err)
}

// Unwrap returns the cause, which Explain says in other words.
func (e *ConsumeError) Unwrap() error { return e.Err }

// hopeless are the errors that no retry heals.
var hopeless = []error{
	sarama.ErrTopicAuthorizationFailed,
	sarama.ErrGroupAuthorizationFailed,
	sarama.ErrClusterAuthorizationFailed,
	sarama.ErrSASLAuthenticationFailed,
	sarama.ErrOffsetOutOfRange,
	sarama.ErrInvalidTopic,
	sarama.ErrOffsetMetadataTooLarge,
}

const (
	// unknownTopicPatience is how long a topic may be unknown: a broker that has just started does not know its topics yet.
	unknownTopicPatience = 30 * time.Second
	// forgottenAfter is when an error that has not come again is over.
	forgottenAfter = 5 * time.Minute
)

// handlerError marks what Goka has returned to the group, which comes back as an error of Consume too.
type handlerError struct{ error }

func (e handlerError) Unwrap() error { return e.error }

// Errors implements sarama.ConsumerGroup.
func (g *trackedGroup) Errors() <-chan error {
	g.listen.Do(func() {
		g.heard = make(chan struct{})
		go func() {
			defer close(g.heard)
			defer close(g.errors)
			for err := range g.ConsumerGroup.Errors() {
				g.t.hear(err)
				select {
				case g.errors <- err:
				default: // Goka only logs them, and not while it is between two sessions
				}
			}
		}()
	})
	return g.errors
}

// Close implements sarama.ConsumerGroup. What the group meets with at its end has been heard when it returns.
func (g *trackedGroup) Close() error {
	err := g.ConsumerGroup.Close()
	g.listen.Do(func() {}) // nobody has listened, and nobody will
	if g.heard != nil {
		<-g.heard
	}
	if err != nil {
		return fmt.Errorf("consumer group %s was not left in order: %w; its partitions are free again after the session timeout, and what was not committed is done again at the next start", g.t.opts.Group, err)
	}
	return nil
}

// hear judges an error that a group has met with in mid-session.
func (t *Tracker) hear(err error) {
	var handled handlerError
	if errors.As(err, &handled) {
		return
	}
	now := time.Now()
	if !t.met.isHopeless(err, now) {
		if t.opts.Log != nil {
			t.opts.Log.Warn("consumer group: trying again", "error", oneLine(err.Error()))
		}
		return
	}
	e := &ConsumeError{Group: t.opts.Group, Err: err}
	var of *sarama.ConsumerError
	if errors.As(err, &of) {
		e.Topic, e.Partition, e.Err = of.Topic, of.Partition, of.Err
	}
	t.Fail(e)
}

// metErrors remembers what a group has met with.
type metErrors struct {
	mu      sync.Mutex
	unknown map[string]span // topics
}

// span is when something was first and last seen.
type span struct{ first, last time.Time }

func (m *metErrors) isHopeless(err error, now time.Time) bool {
	for _, h := range hopeless {
		if errors.Is(err, h) {
			return true
		}
	}
	return errors.Is(err, sarama.ErrUnknownTopicOrPartition) && m.staysUnknown(err, now)
}

func (m *metErrors) staysUnknown(err error, now time.Time) bool {
	topic := ""
	var of *sarama.ConsumerError
	if errors.As(err, &of) {
		topic = of.Topic
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	seen, again := m.unknown[topic]
	if !again || now.Sub(seen.last) > forgottenAfter {
		seen.first = now
	}
	seen.last = now
	if m.unknown == nil {
		m.unknown = map[string]span{}
	}
	m.unknown[topic] = seen
	return now.Sub(seen.first) >= unknownTopicPatience
}
