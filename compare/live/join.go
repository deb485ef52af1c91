package live

import (
	"context"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// joiner is a group's client that does not wait for ever, at the end, to be let into the group. A request to join is
// answered when all other members have joined again, and one that is dead or hangs holds it up for as long as the
// coordinator waits for that one; sarama waits with it, whatever the context says. Nothing has begun meanwhile, so
// that giving up leaves nothing behind but a member that the coordinator forgets, as that of a killed process.
type joiner struct {
	sarama.ConsumerGroup
	wire     *kafka.Wire // of this client alone
	patience time.Duration
}

// mostJoinPatience is for how long the end waits for a group that is joining. Members that live need
// a heartbeat to learn of a rebalance, and pause for 5 s before they join again.
const mostJoinPatience = 10 * time.Second

// joinPatience leaves the other half of the stop timeout to whatever is to be flushed still.
func (s *session) joinPatience() time.Duration { return min(mostJoinPatience, s.cfg.StopTimeout/2) }

// Consume implements sarama.ConsumerGroup.
func (j *joiner) Consume(ctx context.Context, topics []string, h sarama.ConsumerGroupHandler) error {
	joining, joined := context.WithCancel(context.Background())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		j.giveUp(ctx, joining)
	}()
	err := j.ConsumerGroup.Consume(ctx, topics, &joinHandler{h, joined})
	joined()
	<-watched
	return err
}

// giveUp cuts the client off when it is still joining long after ctx.
func (j *joiner) giveUp(ctx, joining context.Context) {
	select {
	case <-ctx.Done():
	case <-joining.Done():
		return
	}
	patience := time.NewTimer(j.patience)
	defer patience.Stop()
	select {
	case <-patience.C:
		j.wire.Cut()
	case <-joining.Done():
	}
}

type joinHandler struct {
	sarama.ConsumerGroupHandler
	joined func()
}

func (h *joinHandler) Setup(s sarama.ConsumerGroupSession) error {
	h.joined()
	return h.ConsumerGroupHandler.Setup(s)
}

// wires are the ways of an instance to its brokers: one of all clients, and one of each group's membership, which the end
// may have to cut alone.
type wires struct {
	mu     sync.Mutex
	common *kafka.Wire
	all    []*kafka.Wire
}

func newWires() *wires {
	w := kafka.NewWire()
	return &wires{common: w, all: []*kafka.Wire{w}}
}

// add gives one more, which is cut with the others.
func (w *wires) add() *kafka.Wire {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := kafka.NewWire()
	if w.common.IsCut() {
		one.Cut()
	}
	w.all = append(w.all, one)
	return one
}

// cut is kafka.Wire.Cut of all.
func (w *wires) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.all {
		one.Cut()
	}
}
