package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/bits-and-blooms/bloom/v3"
)

const (
	firstLayerKeys = 1 << 15
	layerMistakes  = 0.003 // of a full layer: 12 bits for a key
)

// knownKeys tells of most keys that they are not stored, without a look at the database. The gate asks for the row of
// every order that comes, and nearly all orders are new: the database has to look at the filter of one table for each run
// that it has not compacted yet, and what that costs grows with what is stored.
//
// It only ever grows: a key that was deleted may be taken for a stored one.
type knownKeys struct {
	complete atomic.Bool // all stored keys are in layers

	mu     sync.RWMutex
	layers []*bloom.BloomFilter // each for twice as many keys as the one before
	room   uint                 // keys that the last one has still to take
}

// absent tells whether key is certainly not stored.
func (k *knownKeys) absent(key string) bool {
	if !k.complete.Load() {
		return false
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	return !k.has(key)
}

func (k *knownKeys) has(key string) bool {
	for i := len(k.layers) - 1; i >= 0; i-- { // the last is the largest
		if k.layers[i].TestString(key) {
			return true
		}
	}
	return false
}

// add is called before key is stored.
func (k *knownKeys) add(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.has(key) {
		return
	}
	if k.room == 0 {
		k.room = firstLayerKeys << len(k.layers)
		k.layers = append(k.layers, bloom.NewWithEstimates(k.room, layerMistakes))
	}
	k.layers[len(k.layers)-1].AddString(key)
	k.room--
}

// KeysKnown tells whether a key that is not stored costs no look at the database. A store that is not new reads its keys
// in the background first.
func (s *Store) KeysKnown() bool { return s.known.complete.Load() }

// learnKeys reads the keys of a database that is not new, in the background: until it is through, reads go to the
// database. One store of a registry does so at a time, so that the others have the processors for their work.
func (s *Store) learnKeys(ctx context.Context, turn chan struct{}) {
	select {
	case <-ctx.Done():
		return
	case turn <- struct{}{}:
		defer func() { <-turn }()
	}
	it, err := s.newIterator(spaceBounds(spaceData))
	if err != nil {
		return // closed meanwhile, or cannot be read: whoever reads a key is told
	}
	defer it.Release()
	for it.Next() {
		s.known.add(string(it.Key()))
	}
	if err := it.Err(); err == nil {
		s.known.complete.Store(true)
	} else if !errors.Is(err, ErrClosed) {
		s.log.Warn("local state: keys could not be read ahead", "dir", s.dir, "error", err)
	}
}
