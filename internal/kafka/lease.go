package kafka

import (
	"context"
	"sync/atomic"
	"time"
)

// lease lets an instance write for as long as it is known not to have been paused for long (guard G3 of the safety
// protocol). A process that was stopped, or starved, for longer than its consumer group session does not know that
// it lost its partitions: what it had buffered would land between the records of the next owner.
//
// Two look at the clock: a goroutine at short intervals, and every write. Whichever comes first after a pause finds
// it. What the kernel was given before the pause is out of reach of both; see userTimeout and guard G5.
type lease struct {
	bound time.Duration
	now   func() time.Duration // on a clock that runs on while the process is stopped
	seen  atomic.Int64         // when the process was last known to run, as now says it
	lost  func(pause time.Duration)
}

// userTimeout is how long the other side of a connection may leave what was written unacknowledged, see
// limitUnacknowledged: as long as a broker may take to come back without its connections being lost anyway.
const userTimeout = 20 * time.Second

// checksPerBound is how often the goroutine looks at the clock while a pause is allowed.
const checksPerBound = 20

// check ends the lease when the process was paused for longer than the bound.
func (l *lease) check() {
	now := l.now()
	last := time.Duration(l.seen.Load())
	if pause := now - last; pause > l.bound {
		l.lost(pause)
		return
	}
	l.seen.CompareAndSwap(int64(last), int64(now)) // another check may have been later
}

// KeepLease cuts the wire when the process was paused for longer than bound, before anything more is written, and
// then calls paused. It watches until ctx is done, and returns a function that waits until it has stopped watching.
// Call it once, before the wire is used.
func (w *Wire) KeepLease(ctx context.Context, bound time.Duration, paused func(time.Duration)) (wait func()) {
	start := time.Now()
	return w.keepLease(ctx, bound, func() time.Duration { return time.Since(start) }, paused)
}

func (w *Wire) keepLease(ctx context.Context, bound time.Duration, now func() time.Duration, paused func(time.Duration)) (wait func()) {
	l := &lease{bound: bound, now: now}
	var once atomic.Bool
	l.lost = func(pause time.Duration) {
		w.Cut()
		if once.CompareAndSwap(false, true) {
			paused(pause)
		}
	}
	l.seen.Store(int64(now()))
	w.lease.Store(l)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(bound / checksPerBound)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				l.check()
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { <-done }
}
