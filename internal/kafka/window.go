package kafka

import (
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// slotState is how far one delivered record has come.
type slotState uint8

const (
	delivered slotState = iota // handed to Goka, its callback has not begun
	begun                      // its callback has begun
	done                       // everything it wrote is acknowledged
	abandoned                  // its callback gave up; it must be replayed whatever Goka marks
	kept                       // what it leads to is not written yet, whatever Goka marks; see Keeper
)

type slot struct {
	offset    int64
	appended  int64 // when, Unix milliseconds
	delivered int64 // the same
	state     slotState
	record    *sarama.ConsumerMessage // kept for intake's quarantine; nil otherwise
}

// window tracks the records of one topic-partition in one session (protocol rule R2).
//
// Invariants: offsets in slots rise; slots before head are done; mark is the
// offset behind the last slot before head, or the committed offset at the
// session's start while there is none, and negative when nothing was committed.
type window struct {
	mu      sync.Mutex
	slots   []slot
	head    int
	mark    int64
	initial int64  // mark at the session's start
	count   uint64 // records of this partition ended since the group began
	reset   bool   // see Progress; it does not change once the first record is delivered
	limit   int
	waiters map[int64]chan struct{}
	// appended tells when a record was appended, Unix milliseconds; nil: what the record says.
	appended func(*sarama.ConsumerMessage) int64
	room     chan struct{} // closed when the window is no longer full; nil while it is not
}

func newWindow(limit int) *window {
	return &window{mark: -1, initial: -1, limit: limit, waiters: map[int64]chan struct{}{}}
}

func (w *window) start(committed int64, count uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mark, w.initial, w.count = committed, committed, count
}

// startFrom is start with what the commit of the partition says.
func (w *window) startFrom(committed int64, p Progress) {
	w.start(committed, p.Ended)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reset = p.Reset
}

// deliver appends a record. full is non-nil when the window is full: wait for it
// to be closed and try again.
func (w *window) deliver(m *sarama.ConsumerMessage, keep bool) (full <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.slots)-w.head >= w.limit {
		if w.room == nil {
			w.room = make(chan struct{})
		}
		return w.room
	}
	w.compact()
	now := time.Now().UnixMilli()
	s := slot{offset: m.Offset, appended: w.appendedAt(m), delivered: now}
	if s.appended <= 0 { // the record does not say
		s.appended = now
	}
	if keep {
		s.record = m
	}
	w.slots = append(w.slots, s)
	return nil
}

func (w *window) appendedAt(m *sarama.ConsumerMessage) int64 {
	if w.appended != nil {
		return w.appended(m)
	}
	return m.Timestamp.UnixMilli()
}

// oldest is the oldest record that is not done: when it was appended and delivered. untouched tells that no record has
// been delivered in this session.
func (w *window) oldest() (appended, delivered int64, found, untouched bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.head == len(w.slots) {
		return 0, 0, false, w.mark == w.initial
	}
	return w.slots[w.head].appended, w.slots[w.head].delivered, true, false
}

// ended is how many records of the partition the group has ended, and whether an offset was once set by hand.
func (w *window) ended() (count uint64, reset bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count, w.reset
}

// compact gives the space of ended slots back once they are most of the slice.
func (w *window) compact() {
	if w.head < 1024 || w.head*2 < len(w.slots) {
		return
	}
	n := copy(w.slots, w.slots[w.head:])
	clear(w.slots[n:])
	w.slots, w.head = w.slots[:n], 0
}

func (w *window) find(offset int64) *slot {
	live := w.slots[w.head:]
	i, ok := slices.BinarySearchFunc(live, offset, func(s slot, o int64) int {
		switch {
		case s.offset < o:
			return -1
		case s.offset > o:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return &live[i]
}

// set moves a record that is not done to another state.
func (w *window) set(offset int64, state slotState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.find(offset); s != nil && s.state != done {
		s.state = state
	}
}

// finish marks a record done. next is the contiguous acknowledged offset and
// count the records before it; ok is false when it did not advance.
func (w *window) finish(offset int64) (next int64, count uint64, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.find(offset)
	if s == nil || s.state == abandoned || s.state == kept {
		return 0, 0, false
	}
	s.state, s.record = done, nil
	if ch := w.waiters[offset]; ch != nil {
		close(ch)
		delete(w.waiters, offset)
	}
	for w.head < len(w.slots) && w.slots[w.head].state == done {
		w.mark, ok = w.slots[w.head].offset+1, true
		w.count++
		w.head++
	}
	if ok && w.room != nil {
		close(w.room)
		w.room = nil
	}
	return w.mark, w.count, ok
}

func (w *window) settled() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mark
}

func (w *window) status(offset int64) Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.statusLocked(offset)
}

func (w *window) statusLocked(offset int64) Status {
	s := w.find(offset)
	switch {
	case offset < w.initial:
		return Committed
	case offset < w.mark:
		return Acked
	case s == nil:
		return Unseen
	case s.state == done:
		return Acked
	case s.state == begun, s.state == kept:
		return InFlight
	}
	return Unseen
}

// wait returns a channel that is closed when the record is done; nil when it is already acknowledged.
func (w *window) wait(offset int64) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.statusLocked(offset) >= Acked {
		return nil
	}
	ch := w.waiters[offset]
	if ch == nil {
		ch = make(chan struct{})
		w.waiters[offset] = ch
	}
	return ch
}

func (w *window) record(offset int64) *sarama.ConsumerMessage {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.find(offset); s != nil {
		return s.record
	}
	return nil
}

// keep keeps a record back, whose callback runs. One that was given up stays so.
func (w *window) keep(offset int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.find(offset); s != nil && s.state == begun {
		s.state, s.record = kept, nil
	}
}

// release lets a record that is kept back be finished.
func (w *window) release(offset int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.find(offset); s != nil && s.state == kept {
		s.state = begun
	}
}

// pending is the number of records delivered and not contiguously acknowledged.
func (w *window) pending() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.slots) - w.head
}

// left tells where a session that is cleaned up leaves the partition: at the mark, and touched when a callback has
// begun with a record behind it. What was merely delivered was never touched.
func (w *window) left() (mark int64, ended uint64, touched bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	touched = slices.ContainsFunc(w.slots[w.head:], func(s slot) bool { return s.state != delivered })
	return w.mark, w.count, touched
}
