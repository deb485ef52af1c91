package processors

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ticketscloud/vibe-bridge/mapping"
)

// rulebook hands out the present rules, and knows whether a callback still runs
// that took earlier ones: until it has ended, it may write a row by them.
//
// Neither callbacks nor publish wait for anybody.
type rulebook struct {
	present atomic.Pointer[edition]

	mu      sync.Mutex
	earlier []*edition // those that were in use when last looked at
}

// edition is the rules from one publish to the next.
type edition struct {
	*mapping.Rules
	users atomic.Int64
}

// publish replaces the present rules.
func (b *rulebook) publish(rules *mapping.Rules) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if before := b.present.Swap(&edition{Rules: rules}); before != nil {
		b.earlier = append(b.earlier, before)
	}
}

// current gives the present rules to who writes nothing by them.
func (b *rulebook) current() *mapping.Rules { return b.present.Load().Rules }

// open gives the present rules to a callback, which closes them when its row is written.
//
// A callback that is counted only after its edition was replaced starts over:
// settled may have looked at the count before. One that is counted before that is
// seen by every settled that knows of the replacement.
func (b *rulebook) open() *edition {
	for {
		e := b.present.Load()
		e.users.Add(1)
		if b.present.Load() == e {
			return e
		}
		e.close()
	}
}

func (e *edition) close() { e.users.Add(-1) }

// settled gives the present edition; ok is false while an earlier one is in use.
func (b *rulebook) settled() (e *edition, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.earlier = slices.DeleteFunc(b.earlier, func(e *edition) bool { return e.users.Load() == 0 })
	return b.present.Load(), len(b.earlier) == 0
}
