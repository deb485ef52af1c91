package kafka

import (
	"context"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// joiner is a group's client whose end does not wait to be let into the group. A request to join is answered when all
// other members have joined again, and one that is dead or hangs holds it up for as long as the coordinator waits for
// that one; sarama waits with it, whatever the context says.
//
//	joins ──(let in)──▶ session: nothing is given up any more
//	  └──(ctx over, and still not let in)──▶ connections dropped ──▶ leaves over another one
//
// Nothing has begun before the session has: there is nothing to flush or to commit, and for the brokers this is a
// member that has lost its connection. It leaves in order, so that nobody waits for it in its turn.
type joiner struct {
	sarama.ConsumerGroup
	dialer *wireDialer // of this client alone
}

// joinPatience is how long a join goes on after the end was asked for. It is long enough for what a client asks
// brokers that answer, and then gives up by itself; it doubles with every try, for those that are slow.
const joinPatience = time.Second

// NewConsumerGroup returns a client of a consumer group of the cluster, over the wire of the options, which give it
// one. When the context of Consume ends while the group is joining, Consume returns that context's error within
// moments, whatever the other members do, and Close leaves the group. A session is untouched by that.
func (c Cluster) NewConsumerGroup(name string, o ConsumerOptions) (sarama.ConsumerGroup, error) {
	if o.Wire == nil {
		o.Wire = NewWire()
	}
	cfg, err := c.ConsumerConfig(o)
	if err != nil {
		return nil, err
	}
	cfg.Consumer.Fetch.Default, cfg.ChannelBufferSize = groupFetchBytes, channelBuffer
	client, err := sarama.NewConsumerGroup(c.Brokers, name, cfg)
	if err != nil {
		return nil, err
	}
	return &joiner{client, cfg.Net.Proxy.Dialer.(*wireDialer)}, nil
}

// Consume implements sarama.ConsumerGroup.
func (j *joiner) Consume(ctx context.Context, topics []string, h sarama.ConsumerGroupHandler) error {
	a := &joinAttempt{ConsumerGroupHandler: h, over: make(chan struct{})}
	var watching sync.WaitGroup
	watching.Go(func() { j.giveUp(ctx, a) })
	err := j.ConsumerGroup.Consume(ctx, topics, a)
	a.end()
	watching.Wait()
	if a.gaveUp {
		return ctx.Err() // and not what the dropped connections said
	}
	return err
}

// giveUp drops the connections of a join that goes on after ctx, and again where the client has tried again.
func (j *joiner) giveUp(ctx context.Context, a *joinAttempt) {
	select {
	case <-ctx.Done():
	case <-a.over:
		return
	}
	for patience := joinPatience; ; patience *= 2 {
		limit := time.NewTimer(patience)
		select {
		case <-limit.C:
			a.giveUp(j.dialer.drop)
		case <-a.over:
			limit.Stop()
			return
		}
	}
}

// joinAttempt is one call of Consume, up to where its session begins.
type joinAttempt struct {
	sarama.ConsumerGroupHandler

	mu     sync.Mutex
	ended  bool
	over   chan struct{} // closed when it has ended
	gaveUp bool          // and no session has begun
}

func (a *joinAttempt) giveUp(drop func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.ended { // or a session has begun at this moment
		a.gaveUp = true
		drop()
	}
}

func (a *joinAttempt) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.ended {
		a.ended = true
		close(a.over)
	}
}

// Setup implements sarama.ConsumerGroupHandler.
func (a *joinAttempt) Setup(s sarama.ConsumerGroupSession) error {
	a.end()
	a.gaveUp = false // it was let in all the same
	return a.ConsumerGroupHandler.Setup(s)
}
