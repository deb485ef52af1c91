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

// Consume implements sarama.ConsumerGroup. It joins again at once when a rebalance has ended a session in order: Goka
// waits 5 s every time that Consume returns, and nothing reads the partitions meanwhile.
func (g *trackedGroup) Consume(ctx context.Context, topics []string, h sarama.ConsumerGroupHandler) error {
	backoff := joinBackoffFirst
	for {
		began := time.Now()
		again, err := g.session(ctx, topics, h)
		if err != nil || !again {
			return err
		}
		if time.Since(began) >= restless {
			backoff = joinBackoffFirst
			continue
		}
		if !pause(ctx, backoff) {
			return nil
		}
		backoff = min(2*backoff, joinBackoffMax)
	}
}

// restless is how short a session is after which it is better to wait a little: the next may be as short.
const restless = 5 * time.Second

// session is one session of the group, with what it takes to join. again says that a rebalance has ended it, and
// nothing is wrong.
func (g *trackedGroup) session(ctx context.Context, topics []string, h sarama.ConsumerGroupHandler) (again bool, err error) {
	backoff := joinBackoffFirst
	g.t.away.CompareAndSwap(0, time.Now().UnixNano())
	for try := 1; ; try++ {
		handler := &trackedHandler{h: h, t: g.t}
		err := g.ConsumerGroup.Consume(ctx, topics, handler)
		if err == nil || handler.begun || try == joinTries || !Unreachable(err) {
			return handler.begun && !handler.refused.Load() && ctx.Err() == nil && g.t.failed() == nil, err
		}
		g.t.rejoins(err, backoff)
		if !pause(ctx, backoff) {
			return false, ctx.Err()
		}
		backoff = min(2*backoff, joinBackoffMax)
	}
}

// pause is false when ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
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
