package chaos

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// stall measures how long no slim record came although one could be expected to. While none can be expected the clock
// stands still, and only a slim record sets it back: a fault must not hide that nothing comes.
type stall struct {
	last    int64 // end of the slim topics
	current time.Duration
	Longest time.Duration
}

// look takes what was seen a moment after the look before.
func (s *stall) look(ends int64, expected bool, since time.Duration) {
	if ends > s.last {
		s.last, s.current = ends, 0
		return
	}
	if expected {
		s.current += since
		s.Longest = max(s.Longest, s.current)
	}
}

// watch looks at the slim topics several times a second.
type watch struct {
	r    *run
	stop context.CancelFunc
	done chan struct{}

	blind time.Duration // since when nothing could be seen

	mu    sync.Mutex
	stall stall
}

const watchInterval = 300 * time.Millisecond

func startWatch(ctx context.Context, r *run) *watch {
	ctx, stop := context.WithCancel(ctx)
	w := &watch{r: r, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		last := time.Now()
		for pause(ctx, watchInterval) {
			now := time.Now()
			w.look(ctx, now.Sub(last))
			last = now
		}
	}()
	return w
}

func (w *watch) look(ctx context.Context, since time.Duration) {
	if w.r.weather.rough() {
		return
	}
	ends, unread, err := w.read(ctx)
	if w.r.weather.rough() || ctx.Err() != nil {
		return
	}
	bound := w.r.cfg.StallBound
	if err != nil { // for once: Kafka may only just be back
		if w.blind += since; w.blind > bound {
			w.r.fail(fmt.Errorf("it cannot be seen whether records come, for %s: %w", w.blind.Round(time.Second), err))
		}
		return
	}
	w.blind = 0
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stall.look(ends, unread > 0 && w.r.anyAlive(), since)
	if w.stall.current > bound {
		w.r.fail(fmt.Errorf("no slim record for %s, with %d legacy records waiting", w.stall.current.Round(time.Second), unread))
	}
}

// read returns the end of the slim topics and the number of legacy records that wait.
func (w *watch) read(ctx context.Context) (ends, unread int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if ends, err = w.r.target.ends(ctx, slimTopics()...); err != nil {
		return 0, 0, err
	}
	lag, err := w.r.kafka.lag(ctx)
	return ends, lag.legacy, err
}

// seen is the number of slim records at the last look.
func (w *watch) seen() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stall.last
}

func (w *watch) longest() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stall.Longest.Round(100 * time.Millisecond)
}

// progress waits until slim records come, but no longer than the bound on stalls, which fails the run by itself.
func (w *watch) progress(ctx context.Context) {
	before := w.seen()
	limit := time.Now().Add(w.r.cfg.StallBound)
	for time.Now().Before(limit) && !w.r.stopped() && pause(ctx, watchInterval) {
		if w.seen() > before {
			return
		}
	}
}

func (w *watch) end() time.Duration {
	w.stop()
	<-w.done
	return w.stall.Longest
}
