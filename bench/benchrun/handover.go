package main

import (
	"context"
	"fmt"
	"time"
)

const (
	// lightLoad is what flows while an instance is killed, orders a second.
	lightLoad = 200
	// settled is how long it flows before, and how long after the time by which the other one has noticed.
	settled = 10 * time.Second
	// knownOrders bounds how many orders the instances have in their state when one of them is killed.
	knownOrders = 100_000
)

// handoverFigures are those of the death of one of two instances.
type handoverFigures struct {
	Contestant string  `json:"contestant"`
	Round      int     `json:"round"`
	Known      int     `json:"known_orders"` // in the state of both together before the load
	Offered    int     `json:"offered"`      // by the load
	Seen       int     `json:"seen"`
	Gap        float64 `json:"gap_seconds"`    // the longest that an order took from when it was due until it was seen
	Beyond     float64 `json:"beyond_seconds"` // the session timeout
	Verified   bool    `json:"verified"`
}

func (f *handoverFigures) who() string { return f.Contestant }

func (f *handoverFigures) String() string {
	return fmt.Sprintf("hand-over with %d known orders: %.1fs, %.1fs beyond the session timeout; %d of %d seen; verified", f.Known, f.Gap, f.Beyond, f.Seen, f.Offered)
}

// knows is how many orders are known before an instance is killed.
func (c config) knows() int { return min(c.orders, knownOrders) }

// handover has two instances share the work and kills one of them.
func (b *bench) handover(ctx context.Context, c contestant, n int) (*handoverFigures, error) {
	f := &handoverFigures{Contestant: c.name, Round: n, Known: b.knows()}
	places := b.both(fmt.Sprintf("%s-handover-%d", c.name, n))
	err := b.onStage(ctx, c, places, func(ctx context.Context, s *stage) error { return s.measureHandover(ctx, f) })
	if err != nil {
		return nil, fmt.Errorf("hand-over: %w", err)
	}
	f.Verified = true
	return f, nil
}

func (s *stage) measureHandover(ctx context.Context, f *handoverFigures) error {
	if err := s.share(ctx); err != nil {
		return err
	}
	for range f.Known {
		if err := s.offer(ctx, time.Now()); err != nil {
			return err
		}
	}
	if err := s.arrived(ctx); err != nil {
		return err
	}
	flowing, stop := context.WithCancel(ctx)
	defer stop()
	at := schedule{start: time.Now(), rate: lightLoad}
	paced := make(chan error, 1)
	go func() { paced <- s.pace(flowing, at, lightOrders) }()
	// Everything comes out, up to a second ago.
	flows := func(now time.Time) bool { return s.flow.missing(now.Add(-time.Second)) == 0 }
	if err := wait(ctx, "the load to flow", func(now time.Time) bool { return now.Sub(at.start) > settled && flows(now) }); err != nil {
		return err
	}
	if err := s.share(ctx); err != nil {
		return err
	}
	killed := time.Now()
	s.lives[1].kill()
	if err := wait(ctx, "the load to flow again", func(now time.Time) bool { return now.Sub(killed) > sessionTimeout+settled && flows(now) }); err != nil {
		return err
	}
	stop()
	<-paced // stopped, or at its end
	if err := s.arrived(ctx); err != nil {
		return err
	}
	passages := s.flow.passages(f.Known)
	f.Offered, f.Seen = len(passages), len(waits(passages, seenAt))
	f.Gap = longestGap(passages, killed).Seconds()
	f.Beyond = f.Gap - sessionTimeout.Seconds()
	return nil
}

// lightOrders is more than will be offered before all is well again: three minutes of the load.
const lightOrders = lightLoad * 180

// share waits until all members of the deployment's groups have something to do.
func (s *stage) share(ctx context.Context) error {
	last := "nothing is known of the groups"
	err := wait(ctx, "all instances to have partitions", func(time.Time) bool {
		groups, err := s.b.groups(ctx, s.p)
		if err != nil {
			last = err.Error()
			return false
		}
		last = unshared(groups, len(s.lives)*s.c.members)
		return last == ""
	})
	if err != nil {
		return fmt.Errorf("%w: %s", err, last)
	}
	return nil
}
