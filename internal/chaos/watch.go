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
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ends, err := w.r.kafka.ends(ctx, slimTopics()...)
	if err != nil {
		return
	}
	unread, err := w.r.kafka.unread(ctx)
	if err != nil {
		return
	}
	expected := unread > 0 && w.r.anyAlive() && !w.r.weather.rough()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stall.look(ends, expected, since)
	if bound := w.r.cfg.StallBound; w.stall.current > bound {
		w.r.fail(fmt.Errorf("no slim record for %s, with %d legacy records waiting", w.stall.current.Round(time.Second), unread))
	}
}

// seen is the number of slim records at the last look.
func (w *watch) seen() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stall.last
}

// progress waits until slim records come, but no longer than the bound on stalls, which fails the run by itself.
func (w *watch) progress(ctx context.Context) {
	before := w.seen()
	limit := time.Now().Add(w.r.cfg.StallBound)
	for time.Now().Before(limit) && pause(ctx, watchInterval) {
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
