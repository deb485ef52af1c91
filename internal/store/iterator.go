package store

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/lovoo/goka/storage"
)

// iterator walks over a snapshot of one range of a space.
//
// It may outlive its store: Close ends it, and it then reports ErrClosed. Pebble
// allows neither a close under an open iterator nor its use afterwards, and the
// buffers it hands out lie in memory that it frees. So each call holds mu, and Key
// and Value return copies.
//
// Seek follows both of Goka's readings. Its interface says that Next must be called
// after Seek to reach the first pair; its merging iterator, which every view uses,
// reads Key and Value directly after Seek and calls Next to go on. Here the first
// Next after Seek stays on the pair unless Key or Value has been read.
type iterator struct {
	store *Store
	space byte

	mu      sync.Mutex
	it      *pebble.Iterator // nil once released or closed by the store
	started bool
	fresh   bool // Seek found a pair that nobody has read
	valid   bool
	hasVal  bool
	key     []byte
	val     []byte
	err     error
}

// Iterator walks over all keys in byte order, as they are at this moment.
func (s *Store) Iterator() (storage.Iterator, error) {
	return s.IteratorWithRange(nil, nil)
}

// IteratorWithRange walks over the keys in [start, limit) in byte order, as they
// are at this moment. An empty start or limit leaves that side unbounded; this is
// what Goka's interface says, while its own stores take an empty limit for "all
// keys that start with start".
func (s *Store) IteratorWithRange(start, limit []byte) (storage.Iterator, error) {
	return s.newIterator(keyBounds(spaceData, start, limit))
}

func (s *Store) newIterator(lower, upper []byte) (*iterator, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, ErrClosed
	}
	if lower[0] == spaceData { // of keys that are held the index has nothing
		if err := s.spill(); err != nil {
			return nil, err
		}
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, s.readError(err)
	}
	i := &iterator{store: s, space: lower[0], it: it, key: []byte{}, val: []byte{}}
	s.iterMu.Lock()
	defer s.iterMu.Unlock()
	s.iters[i] = struct{}{}
	return i, nil
}

func (i *iterator) Next() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.it == nil:
		i.valid = false
		return false
	case i.fresh:
		i.fresh = false
		return true
	case !i.started:
		return i.arrive(i.it.First())
	case !i.valid:
		return false
	}
	return i.arrive(i.it.Next())
}

func (i *iterator) Seek(key []byte) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.it == nil {
		return false
	}
	i.fresh = i.arrive(i.it.SeekGE(append([]byte{i.space}, key...)))
	return i.fresh
}

// arrive takes note of the position that Pebble's iterator has moved to.
func (i *iterator) arrive(valid bool) bool {
	i.started, i.valid, i.fresh, i.hasVal = true, valid, false, false
	if !valid {
		i.err = i.store.readError(i.it.Error())
		return false
	}
	i.key = append(i.key[:0], i.it.Key()[1:]...)
	return true
}

// Key returns the current key, valid until the next call of Next or Seek; nil when
// there is no current pair.
func (i *iterator) Key() []byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.valid {
		return nil
	}
	i.fresh = false
	return i.key
}

// Value returns the current value, valid until the next call of Next or Seek; nil
// when there is no current pair.
func (i *iterator) Value() ([]byte, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.valid {
		return nil, nil
	}
	i.fresh = false
	if i.hasVal {
		return i.val, nil
	}
	if i.it == nil {
		return nil, i.err
	}
	val, err := i.it.ValueAndErr()
	if err != nil {
		return nil, i.store.readError(err)
	}
	i.val, i.hasVal = append(i.val[:0], val...), true
	return i.val, nil
}

func (i *iterator) Err() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.err
}

// Release ends the iterator. It may be called more than once and after Close of the store.
func (i *iterator) Release() {
	i.end()
	// Only now: a store that closes waits for the iterators it knows of.
	i.store.iterMu.Lock()
	defer i.store.iterMu.Unlock()
	delete(i.store.iters, i)
}

func (i *iterator) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.valid, i.fresh = false, false
	i.closeLocked()
}

// abort ends the iterator because its store closes. A key and a value that were
// read stay readable.
func (i *iterator) abort() {
	i.mu.Lock()
	defer i.mu.Unlock()
	finished := i.started && !i.valid
	if !finished {
		i.err = ErrClosed
	}
	i.fresh = false
	i.closeLocked()
}

func (i *iterator) closeLocked() {
	if i.it == nil {
		return
	}
	if err := i.it.Close(); err != nil && i.err == nil {
		i.err = i.store.readError(err)
	}
	i.it = nil
}
