package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"
)

// sarama gives a group that loses a connection while it joins no second try: Consume returns what the connection
// said, often no more than EOF, and Goka ends at any error of Consume. Nothing has begun by then, and the
// same call may well succeed: brokers close connections when they end, when they are idle, and when they move.
const (
	// joinTries bounds how often a group tries to join before the instance is built anew. Against brokers that
	// cannot be reached at all the client itself tries for minutes in each.
	joinTries        = 10
	joinBackoffFirst = 250 * time.Millisecond
	joinBackoffMax   = 5 * time.Second
)

// Consume implements sarama.ConsumerGroup.
func (g *trackedGroup) Consume(ctx context.Context, topics []string, h sarama.ConsumerGroupHandler) error {
	backoff := joinBackoffFirst
	g.t.away.CompareAndSwap(0, time.Now().UnixNano())
	for try := 1; ; try++ {
		handler := &trackedHandler{h: h, t: g.t}
		err := g.ConsumerGroup.Consume(ctx, topics, handler)
		if err == nil || handler.begun || try == joinTries || !Unreachable(err) {
			return err
		}
		g.t.rejoins(err, backoff)
		select {
		case <-time.After(backoff):
		case <-ctx.Done():
			return ctx.Err()
		}
		backoff = min(2*backoff, joinBackoffMax)
	}
}

func (t *Tracker) rejoins(err error, backoff time.Duration) {
	if t.opts.Log != nil {
		t.opts.Log.Warn("consumer group: could not join, trying again", "error", oneLine(err.Error()), "in", backoff.String())
	}
}

// passing are the brokers' and the client's words for what may be over at the next try.
var passing = []error{
	sarama.ErrOutOfBrokers,
	sarama.ErrNotConnected,
	sarama.ErrBrokerNotAvailable,
	sarama.ErrLeaderNotAvailable,
	sarama.ErrNotLeaderForPartition,
	sarama.ErrRequestTimedOut,
	sarama.ErrNetworkException,
	sarama.ErrConsumerCoordinatorNotAvailable,
	sarama.ErrNotCoordinatorForConsumer,
	sarama.ErrOffsetsLoadInProgress,
	sarama.ErrRebalanceInProgress,
	sarama.ErrNotController,
	sarama.ErrControllerNotAvailable,
	errIdentityTimeout,
}

// Unreachable tells whether an error says no more than that brokers could not be reached or could not answer at
// that moment, so that the same may succeed later. A refused login, a certificate or a listener of another
// kind are not such, nor is anything about topics.
func Unreachable(err error) bool {
	if err == nil || errors.As(err, new(cutError)) {
		return false
	}
	for _, h := range hopeless {
		if errors.Is(err, h) {
			return false
		}
	}
	var ce *ConnectError
	if errors.As(err, &ce) {
		return ce.Reason.passes()
	}
	if reason, _ := (Cluster{}).classifyTLS("", err); reason != "" {
		return false
	}
	for _, p := range passing {
		if errors.Is(err, p) {
			return true
		}
	}
	return isClosed(err) || isNetwork(err)
}
