package main

import (
	"context"
	"slices"
	"sync"
	"time"
)

// schedule is fixed ahead: number i is due at start + i/rate, whatever became of those before it. What is sent late was
// due all the same, so that nothing hides how long it had to wait (no coordinated omission).
type schedule struct {
	start time.Time
	rate  int // a second
}

func (s schedule) due(i int) time.Time {
	return s.start.Add(time.Duration(i) * time.Second / time.Duration(s.rate))
}

// dueBy is how many are due at a moment.
func (s schedule) dueBy(now time.Time) int {
	if now.Before(s.start) {
		return 0
	}
	n := int(now.Sub(s.start) * time.Duration(s.rate) / time.Second)
	for !s.due(n).After(now) { // due rounds down
		n++
	}
	return n
}

// run calls send with each number below n when it is due, until ctx ends.
func (s schedule) run(ctx context.Context, n int, send func(i int)) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for sent := 0; sent < n; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		}
		for until := min(s.dueBy(time.Now()), n); sent < until; sent++ {
			send(sent)
		}
		timer.Reset(time.Until(s.due(sent)))
	}
	return nil
}

// flow is a load of orders on its way through a contestant.
type flow struct {
	mu     sync.Mutex
	number map[string]int // of an order, by id
	orders []passage
	seen   int // of orders
}

// passage is when an order was due, when the legacy topic had it and when the reader of the slim topic did: the latter
// two are zero before that.
type passage struct{ due, written, seen time.Time }

func newFlow() *flow { return &flow{number: map[string]int{}} }

// offer notes an order that is about to be sent.
func (f *flow) offer(id string, due time.Time) (number int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.number[id] = len(f.orders)
	f.orders = append(f.orders, passage{due: due})
	return len(f.orders) - 1
}

func (f *flow) wrote(number int, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.orders[number].written = at
}

// saw notes a slim record. Only the first one of an order counts.
func (f *flow) saw(id string, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n, known := f.number[id]; known && f.orders[n].seen.IsZero() {
		f.orders[n].seen = at
		f.seen++
	}
}

// missing is how many of the orders that were due before a moment are not seen.
func (f *flow) missing(before time.Time) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen == len(f.orders) {
		return 0
	}
	for _, p := range f.orders {
		if p.due.Before(before) && p.seen.IsZero() {
			n++
		}
	}
	return n
}

// passages are those of the orders from some number on.
func (f *flow) passages(from int) []passage {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.orders[from:])
}

// waits are how long orders took from when they were due until some moment of theirs, the shortest first.
func waits(passages []passage, until func(passage) time.Time) []time.Duration {
	all := make([]time.Duration, len(passages))
	for i, p := range passages {
		all[i] = until(p).Sub(p.due)
	}
	slices.Sort(all)
	return all
}

func seenAt(p passage) time.Time    { return p.seen }
func writtenAt(p passage) time.Time { return p.written }

// percentile is the least value that so many per mille of all do not exceed (the nearest rank).
func percentile(sorted []time.Duration, perMille int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*perMille + 999) / 1000
	return sorted[max(rank, 1)-1]
}

// longestGap is the longest wait of an order that was seen after a moment.
func longestGap(passages []passage, after time.Time) (gap time.Duration) {
	for _, p := range passages {
		if p.seen.After(after) {
			gap = max(gap, p.seen.Sub(p.due))
		}
	}
	return gap
}
