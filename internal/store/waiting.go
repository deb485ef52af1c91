package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
)

// Waiting describes why a key waits. Times are unix milliseconds.
type Waiting struct {
	Reason   uint8
	Since    int64
	Deadline int64 // 0: waits without limit
}

// An Indexer computes from a stored value whether its key waits; ok is false if it
// does not. It must depend on its arguments alone, must not keep or change value,
// and is called from several goroutines. When its answers change between releases,
// raise Options.IndexVersion.
type Indexer func(key string, value []byte) (w Waiting, ok bool)

// rebuildBatchBytes bounds the memory that a rebuild of the index takes.
const rebuildBatchBytes = 1 << 20

func (s *Store) describe(key string, value []byte) (Waiting, bool) {
	if s.indexer == nil {
		return Waiting{}, false
	}
	return s.indexer(key, value)
}

// putIndex adds to b what brings the index entries of key from their present state,
// old if it had any, to w, or away if the key does not wait, and adjusts the count. Under writeMu.
func (s *Store) putIndex(b *pebble.Batch, key string, old Waiting, had bool, w Waiting, waits bool) error {
	if had == waits && (!waits || old == w) { // of a key that does not wait, w says nothing
		return nil
	}
	if had && old.Deadline != 0 {
		s.scratch = appendDeadlineKey(s.scratch[:0], old.Deadline, key)
		if err := b.Delete(s.scratch, nil); err != nil {
			return err
		}
	}
	if waits {
		return s.putWaiting(b, key, w, had)
	}
	s.waiting.Add(-1)
	s.mayWait.add(key, -1)
	delete(s.recent, key)
	s.scratch = appendKey(s.scratch[:0], spaceWaiting, key)
	return b.Delete(s.scratch, nil)
}

func (s *Store) putWaiting(b *pebble.Batch, key string, w Waiting, had bool) error {
	if !had {
		s.waiting.Add(1)
		s.mayWait.add(key, 1)
	}
	s.remember(key, w)
	var entry [waitingBytes]byte
	value := appendWaiting(entry[:0], w)
	s.scratch = appendKey(s.scratch[:0], spaceWaiting, key)
	if err := b.Set(s.scratch, value, nil); err != nil || w.Deadline == 0 {
		return err
	}
	s.scratch = appendDeadlineKey(s.scratch[:0], w.Deadline, key)
	return b.Set(s.scratch, value[:deadlineBytes], nil)
}

// recentEntries is how many entries of the index a store remembers while it is filled.
const recentEntries = 8192

// remember keeps what was last written of a key that waits. A recovery needs it when the key's next row comes, which is
// soon for most. Under writeMu.
func (s *Store) remember(key string, w Waiting) {
	if !s.filling.Load() {
		return
	}
	if s.recent == nil {
		s.recent = map[string]Waiting{}
	}
	if _, is := s.recent[key]; is || len(s.recent) < recentEntries {
		s.recent[key] = w
	}
}

// lookup reads the index entry of key. It costs little where the key cannot be among those that wait, or is remembered.
// Under writeMu.
func (s *Store) lookup(key string) (w Waiting, ok bool, err error) {
	if !s.mayWait.any(key) {
		return Waiting{}, false, nil
	}
	if w, is := s.recent[key]; is {
		return w, true, nil
	}
	s.scratch = appendKey(s.scratch[:0], spaceWaiting, key)
	value, closer, err := s.db.Get(s.scratch)
	if errors.Is(err, pebble.ErrNotFound) {
		return Waiting{}, false, nil
	}
	if err != nil {
		return Waiting{}, false, s.readError(err)
	}
	w, err = decodeWaiting(value)
	if err != nil {
		err = corruptError(s.dir, err)
	}
	closer.Close() // a Get's closer has nothing to report once the value was read
	return w, err == nil, err
}

// waitCounts counts the waiting keys and, below each of their prefixes that ends with a slash, the keys that begin with
// it, all texts with the same hash in one: where it is 0 none waits, and the index need not be searched. The gate asks for
// every order that it sends, a recovery for every row, and at the start of a season many refunds wait for orders.
type waitCounts struct {
	counts atomic.Pointer[[1 << 18]atomic.Int32] // nil: none has ever waited
}

// any tells whether a key may wait, or keys below a prefix may.
func (k *waitCounts) any(text string) bool {
	counts := k.counts.Load()
	return counts != nil && counts[k.index(text)].Load() != 0
}

func (*waitCounts) index(text string) uint64 { return xxhash.Sum64String(text) % (1 << 18) }

// add counts a key that begins to wait, or with -1 one that does no longer.
func (k *waitCounts) add(key string, n int32) {
	counts := k.counts.Load()
	if counts == nil {
		counts = new([1 << 18]atomic.Int32)
		k.counts.Store(counts)
	}
	counts[k.index(key)].Add(n)
	for i := range len(key) {
		if key[i] == '/' {
			counts[k.index(key[:i+1])].Add(n)
		}
	}
}

func (k *waitCounts) clear() { k.counts.Store(nil) }

// WaitingBelow tells whether any key waits that starts with prefix, which ends with a slash.
func (s *Store) WaitingBelow(prefix string) (found bool, err error) {
	if !s.mayWait.any(prefix) {
		return false, nil
	}
	err = s.ScanWaiting(prefix, "", 1, func(string, Waiting) bool { found = true; return false })
	return found, err
}

// countWaiting counts what waits when the store is opened.
func (s *Store) countWaiting() error {
	s.mayWait.clear()
	if s.waiting.Load() == 0 {
		return nil
	}
	return s.ScanWaiting("", "", math.MaxInt, func(key string, _ Waiting) bool { s.mayWait.add(key, 1); return true })
}

// WaitingCount is the exact number of keys in the index; zero after Close.
func (s *Store) WaitingCount() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return 0
	}
	return s.waiting.Load()
}

// ScanWaiting calls fn for the waiting keys that start with prefix and are strictly
// greater than after, in byte order, at most limit of them, until fn returns false.
// An empty after starts at the prefix; to page, pass the last key that was seen.
// The scan sees the state at its start; fn may write to the store.
func (s *Store) ScanWaiting(prefix, after string, limit int, fn func(key string, w Waiting) bool) error {
	lower, upper := pageBounds(spaceWaiting, prefix, after)
	return s.scan(lower, upper, limit, func(key, value []byte) (bool, error) {
		w, err := decodeWaiting(value)
		if err != nil {
			return false, err
		}
		return fn(string(key), w), nil
	})
}

// ScanDue calls fn for the keys whose deadline is not 0 and not later than now
// (unix milliseconds), in order of deadline, then key, at most limit of them, until
// fn returns false. A key is due until its value is changed: the same keys come
// again in the next scan. The scan sees the state at its start; fn may write to the store.
func (s *Store) ScanDue(now int64, limit int, fn func(key string, w Waiting) bool) error {
	lower, upper := spaceBounds(spaceDeadline)
	if now < math.MaxInt64 {
		upper = appendTime([]byte{spaceDeadline}, now+1)
	}
	return s.scan(lower, upper, limit, func(key, value []byte) (bool, error) {
		k, w, err := decodeDue(key, value)
		if err != nil {
			return false, err
		}
		return fn(k, w), nil
	})
}

// Scan calls fn for the keys that start with prefix and are strictly greater than
// after, with their values, in byte order, at most limit of them, until fn returns
// false. The value is valid during the call only. The scan sees the state at its
// start; fn may write to the store.
func (s *Store) Scan(prefix, after string, limit int, fn func(key string, value []byte) bool) error {
	lower, upper := pageBounds(spaceData, prefix, after)
	return s.scan(lower, upper, limit, func(key, value []byte) (bool, error) {
		return fn(string(key), value), nil
	})
}

// scan runs fn over a range. fn runs without locks, so that it may use the store
// and so that Close need not wait for it.
func (s *Store) scan(lower, upper []byte, limit int, fn func(key, value []byte) (bool, error)) error {
	if limit < 1 {
		return ErrLimit
	}
	it, err := s.newIterator(lower, upper)
	if err != nil {
		return err
	}
	defer it.Release()
	for ; limit > 0 && it.Next(); limit-- {
		value, err := it.Value()
		if err != nil {
			return err
		}
		more, err := fn(it.Key(), value)
		if err != nil {
			return corruptError(s.dir, err)
		}
		if !more {
			return nil
		}
	}
	return it.Err()
}

// rebuildIndex computes the whole index anew. Until it is complete the index has no
// version, so that an interrupted rebuild starts again at the next open. The store
// is not yet in use.
func (s *Store) rebuildIndex(version []byte) error {
	s.log.Info("local state: rebuilding the index of waiting keys", "dir", s.dir)
	if err := s.clearIndex(); err != nil {
		return fmt.Errorf("clear the index: %w", err)
	}
	if err := s.fillIndex(); err != nil {
		return fmt.Errorf("fill the index: %w", err)
	}
	b := s.db.NewBatch()
	if err := b.Set(metaIndex, version, nil); err != nil {
		return err
	}
	if err := s.commit(b); err != nil {
		return err
	}
	return s.flush()
}

func (s *Store) clearIndex() error {
	b := s.db.NewBatch()
	for _, space := range []byte{spaceWaiting, spaceDeadline} {
		lower, upper := spaceBounds(space)
		if err := b.DeleteRange(lower, upper, nil); err != nil {
			return err
		}
	}
	if err := b.Delete(metaIndex, nil); err != nil {
		return err
	}
	if err := b.Delete(metaCount, nil); err != nil {
		return err
	}
	s.waiting.Store(0)
	s.mayWait.clear()
	return s.commit(b)
}

func (s *Store) fillIndex() error {
	it, err := s.newIterator(spaceBounds(spaceData))
	if err != nil {
		return err
	}
	defer it.Release()
	b := s.db.NewBatch()
	for it.Next() {
		value, err := it.Value()
		if err != nil {
			return err
		}
		key := string(it.Key())
		w, waits := s.describe(key, value)
		if !waits {
			continue
		}
		if err := s.putWaiting(b, key, w, false); err != nil {
			return err
		}
		if b.Len() < rebuildBatchBytes {
			continue
		}
		if err := s.commit(b); err != nil {
			return err
		}
		b = s.db.NewBatch()
	}
	if err := it.Err(); err != nil {
		return err
	}
	count := binary.BigEndian.AppendUint64(nil, uint64(s.waiting.Load()))
	if err := b.Set(metaCount, count, nil); err != nil {
		return err
	}
	return s.commit(b)
}
