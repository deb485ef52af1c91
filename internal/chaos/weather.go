package chaos

import "sync"

// weather counts the faults of Kafka and of the network that are on. Meanwhile no progress is expected.
type weather struct {
	mu     sync.Mutex
	faults int
}

func (w *weather) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults++
}

func (w *weather) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults--
}

// endOnce is end, for several who may be the first to say so.
func (w *weather) endOnce() func() { return sync.OnceFunc(w.end) }

func (w *weather) rough() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.faults > 0
}
