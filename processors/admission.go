package processors

import (
	"context"
	"sync"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// admission is the one place where intake is held back: every callback of intake
// passes it before it sends anything. What is held waits in its callback, so that
// the client stops fetching when its buffers are full and nothing is committed.
//
// A topic is admitted while nobody holds it.
type admission struct {
	mu      sync.Mutex
	holds   map[hold]bool
	changed chan struct{} // closed, and replaced, when a hold is over
}

// hold is one reason to wait.
type hold struct {
	topic string // a legacy one
	by    holder
}

type holder int

const (
	byPriming holder = iota
	byBreaker
)

func newAdmission() *admission {
	return &admission{holds: map[hold]bool{}, changed: make(chan struct{})}
}

// set begins or ends a hold.
func (a *admission) set(h hold, held bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if held {
		a.holds[h] = true
		return
	}
	delete(a.holds, h)
	close(a.changed)
	a.changed = make(chan struct{})
}

// held tells whether records of a topic wait, and gives what is closed at the next change.
func (a *admission) held(topic string) (held bool, changed <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.holds[hold{topic, byPriming}] || a.holds[hold{topic, byBreaker}], a.changed
}

// has tells whether a hold is on.
func (a *admission) has(h hold) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.holds[h]
}

// wait returns when the topic is admitted, or kafka.ErrSessionOver when ctx, which
// is that of the record's session, ends first.
func (a *admission) wait(ctx context.Context, topic string) error {
	for {
		held, changed := a.held(topic)
		if !held {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return kafka.ErrSessionOver
		}
	}
}
