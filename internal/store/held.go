package store

import (
	"maps"
	"slices"
	"sync/atomic"
)

// heldBudget bounds what all stores of a registry hold back, in bytes.
const heldBudget = 128 << 20

// heldWrites bounds how many writes of a store come without an offset because it holds rows: a crash costs them.
const heldWrites = 250_000

// heldOverhead is about what a row takes beside its key and value.
const heldOverhead = 64

// spillBytes is about how large the batches are in which held rows are written.
const spillBytes = 256 << 10

// heldRows are rows of a database that is being filled from a changelog and that have a newer version than what is stored.
// Only the last version of them is written: when there are too many, from time to time, when somebody iterates, and at the
// end. A row that was written twice will be again, and rows of events, which are large, are written a dozen times in a
// season: to flush and merge all of their versions took most of the time of a recovery.
//
// While rows are held, no offset is written: what is read from it on after a crash has them all.
type heldRows struct {
	budget *heldTotal
	rows   map[string][]byte
	bytes  int64
	writes int // since the last offset
}

// heldTotal is what the stores of a registry hold together.
type heldTotal struct {
	limit   int64
	bytes   atomic.Int64
	filling atomic.Int64 // stores that are being filled
}

// put holds the row of a key. It may reuse the memory of the one before.
func (h *heldRows) put(key string, value []byte) {
	old, had := h.rows[key]
	if h.rows == nil {
		h.rows = map[string][]byte{}
	}
	if !had {
		h.count(int64(len(key)) + heldOverhead)
	}
	h.count(int64(len(value) - len(old)))
	h.rows[key] = append(old[:0], value...)
}

// drop forgets a row that is about to be replaced in the database itself.
func (h *heldRows) drop(key string) {
	value, had := h.rows[key]
	if !had {
		return
	}
	h.count(-int64(len(value)+len(key)) - heldOverhead)
	delete(h.rows, key)
}

func (h *heldRows) count(bytes int64) {
	h.bytes += bytes
	h.budget.bytes.Add(bytes)
}

// full tells whether this store has to write what it holds: it has for long, or all together hold too much, and it has its
// share of that.
func (h *heldRows) full() bool {
	return len(h.rows) > 0 && (h.writes > heldWrites ||
		h.budget.bytes.Load() > h.budget.limit && h.bytes*max(h.budget.filling.Load(), 1) >= h.budget.limit)
}

func (h *heldRows) clear() {
	h.count(-h.bytes)
	h.rows, h.writes = nil, 0
}

// hold takes a row that comes again while the database is filled, and tells whether it did. Under writeMu.
func (s *Store) hold(key string, value []byte) bool {
	if !s.filling.Load() || s.known.absent(key) {
		return false
	}
	s.held.put(key, value)
	return true
}

// heldRow gives a copy of the value that is held of a key; nil if none is.
func (s *Store) heldRow(key string) []byte {
	if !s.filling.Load() {
		return nil
	}
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	value, is := s.held.rows[key]
	if !is {
		return nil
	}
	return append([]byte{}, value...)
}

// heldBytes is the memory of the rows that are held.
func (s *Store) heldBytes() uint64 {
	if !s.filling.Load() {
		return 0
	}
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	return uint64(s.held.bytes)
}

// spill writes the rows that are held. The caller holds mu.
func (s *Store) spill() error {
	if !s.filling.Load() {
		return nil
	}
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	if len(s.held.rows) == 0 {
		return nil
	}
	return s.syncRows()
}

// syncRows writes the rows that are held, and then the offset. Under writeMu.
func (s *Store) syncRows() error {
	if err := s.failed(); err != nil {
		return err
	}
	b := s.db.NewBatch()
	for _, key := range slices.Sorted(maps.Keys(s.held.rows)) {
		s.scratch = appendKey(s.scratch[:0], spaceData, key)
		if err := b.Set(s.scratch, s.held.rows[key], nil); err != nil {
			return err
		}
		if b.Len() < spillBytes {
			continue
		}
		if err := s.commit(b); err != nil {
			return err
		}
		b = s.db.NewBatch()
	}
	if err := s.commit(b); err != nil {
		return err
	}
	s.held.clear()
	return s.writeLocked(nothing)
}
