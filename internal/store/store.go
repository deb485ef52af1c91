package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/lovoo/goka/storage"
)

// Store is one partition of a Goka table. It implements storage.Storage.
//
// Any number of goroutines may read, and Goka's two writers (the partition's
// goroutine, and the producer's that reports changelog offsets) may write, while
// another closes it. After Close every method returns ErrClosed; WaitingCount and
// Sizes, which have no error, return zero.
type Store struct {
	dir     string
	indexer Indexer
	log     *slog.Logger
	db      *pebble.DB
	lock    *pebble.Lock
	release func() // tells the registry that the directory is free again

	// mu is held for reading during every use of db and for writing only to set
	// closed, so that db is never used after Close has begun. No foreign code
	// runs under it.
	mu     sync.RWMutex
	closed bool

	closeOnce sync.Once
	closeErr  error

	known        knownKeys
	stopLearning context.CancelFunc // nil: there was nothing to learn

	iterMu sync.Mutex
	iters  map[*iterator]struct{}

	// writeMu makes read-modify-write of the index atomic. Taken under mu.
	writeMu sync.Mutex
	// Invariant: waiting equals the number of keys in the space i, and the stored
	// count, whenever writeMu is free. Written under writeMu.
	waiting atomic.Int64
	mayWait waitCounts         // the same keys
	scratch []byte             // under writeMu
	held    heldRows           // under writeMu; of keys that do not wait, and only while filling
	recent  map[string]Waiting // under writeMu; entries of the index, and only while filling

	failure   atomic.Pointer[error] // why no more writes are accepted
	recovered atomic.Bool           // MarkRecovered has succeeded
	filling   atomic.Bool           // the database is new, and MarkRecovered is still to come

	// offsetMu is not writeMu: the producer's goroutine must not wait for a disk.
	offsetMu    sync.Mutex
	offset      int64
	hasOffset   bool
	offsetDirty bool // not yet handed to a batch
}

var _ storage.Storage = (*Store)(nil)

// Open does nothing: the builder returns open stores, so that a directory that
// cannot be used is reported with the partition it belongs to.
func (s *Store) Open() error { return nil }

// Has tells whether key is stored.
func (s *Store) Has(key string) (bool, error) {
	value, err := s.Get(key)
	return value != nil, err
}

// Get returns a copy of the value of key, or nil if there is none. An empty value
// is not nil.
func (s *Store) Get(key string) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, ErrClosed
	}
	if s.known.absent(key) {
		return nil, nil
	}
	if value := s.heldRow(key); value != nil {
		return value, nil
	}
	return s.read(appendKey(nil, spaceData, key))
}

// read copies a value out of the database; nil if there is none. The caller holds mu.
func (s *Store) read(key []byte) ([]byte, error) {
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, s.readError(err)
	}
	copied := append([]byte{}, value...)
	return copied, closer.Close()
}

// Set stores value under key and updates the index. The value must not be nil.
func (s *Store) Set(key string, value []byte) error {
	return s.set(key, value, func() (Waiting, bool, error) { return s.lookup(key) })
}

// Replace is Set for a key of which the caller has just read that its value is old, nil for none, and which nobody has
// written since: it spares looking up what the index has of it.
func (s *Store) Replace(key string, old, value []byte) error {
	return s.set(key, value, func() (w Waiting, had bool, err error) {
		if old != nil {
			w, had = s.describe(key, old)
		}
		return w, had, nil
	})
}

func (s *Store) set(key string, value []byte, standing func() (Waiting, bool, error)) error {
	if value == nil {
		return ErrNilValue
	}
	w, waits := s.describe(key, value)
	return s.write(func(b *pebble.Batch) error {
		old, had, err := standing()
		if err != nil {
			return err
		}
		if err := s.putIndex(b, key, old, had, w, waits); err != nil {
			return err
		}
		if !had && !waits && s.hold(key, value) {
			return nil
		}
		s.held.drop(key)
		s.known.add(key)
		s.scratch = appendKey(s.scratch[:0], spaceData, key)
		return b.Set(s.scratch, value, nil)
	})
}

// Delete removes key and its index entries. A key that is not there is no error.
func (s *Store) Delete(key string) error {
	return s.write(func(b *pebble.Batch) error {
		old, had, err := s.lookup(key)
		if err != nil {
			return err
		}
		if err := s.putIndex(b, key, old, had, Waiting{}, false); err != nil {
			return err
		}
		s.held.drop(key)
		s.scratch = appendKey(s.scratch[:0], spaceData, key)
		return b.Delete(s.scratch, nil)
	})
}

// GetOffset returns the offset last set, or def if there has never been one.
func (s *Store) GetOffset(def int64) (int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return 0, ErrClosed
	}
	s.offsetMu.Lock()
	defer s.offsetMu.Unlock()
	if !s.hasOffset {
		return def, nil
	}
	return s.offset, nil
}

// SetOffset remembers the changelog offset up to which the values are stored. It
// reaches the disk with the next Set or Delete, with MarkRecovered or with Close; of a
// database that is being filled perhaps only with one of the latter.
func (s *Store) SetOffset(offset int64) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	if err := s.failed(); err != nil {
		return err
	}
	s.offsetMu.Lock()
	defer s.offsetMu.Unlock()
	s.offset, s.hasOffset, s.offsetDirty = offset, true, true
	return nil
}

// MarkRecovered writes what recovery has held back, and the offset that it has reached.
//
// Goka calls it once per session and partition, before the first callback, also
// when there was nothing to recover (PartitionTable.markRecovered). It calls it as
// well when the session ends in the middle of a recovery, and closes the store then.
func (s *Store) MarkRecovered() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	if err := s.syncRows(); err != nil {
		return err
	}
	s.recovered.Store(true)
	if !s.endFilling() {
		return nil
	}
	// The database looks whether there is something to merge after a flush.
	_, err := s.db.AsyncFlush()
	return err
}

// endFilling tells whether the database was being filled until now. Under writeMu.
func (s *Store) endFilling() bool {
	s.recent = nil
	was := s.filling.Swap(false)
	if was {
		s.held.budget.filling.Add(-1)
	}
	return was
}

// nothing to put into a batch but what writeLocked adds.
func nothing(*pebble.Batch) error { return nil }

// write commits what fill puts into a batch, together with the offset and the
// count. fill runs under writeMu.
func (s *Store) write(fill func(b *pebble.Batch) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	return s.writeLocked(fill)
}

func (s *Store) writeLocked(fill func(b *pebble.Batch) error) error {
	if err := s.failed(); err != nil {
		return err
	}
	before := s.waiting.Load()
	b := s.db.NewBatch()
	err := fill(b)
	if err == nil {
		err = s.putMeta(b, before)
	}
	if err == nil {
		err = s.commit(b)
	}
	if err != nil {
		s.waiting.Store(before)
		s.recent = nil // it may have what was not written
		return err
	}
	if s.held.writes++; s.held.full() {
		return s.syncRows()
	}
	return nil
}

// putMeta adds the count, if the index has changed it, and the offset. The offset
// was set before this batch, so the values up to it come before it, unless some are held.
func (s *Store) putMeta(b *pebble.Batch, before int64) error {
	if count := s.waiting.Load(); count != before {
		if err := b.Set(metaCount, binary.BigEndian.AppendUint64(nil, uint64(count)), nil); err != nil {
			return err
		}
	}
	s.offsetMu.Lock()
	defer s.offsetMu.Unlock()
	if !s.offsetDirty || len(s.held.rows) > 0 {
		return nil
	}
	s.offsetDirty, s.held.writes = false, 0
	return b.Set(metaOffset, binary.BigEndian.AppendUint64(nil, uint64(s.offset)), nil)
}

// commit commits b and frees it.
func (s *Store) commit(b *pebble.Batch) error {
	if err := b.Commit(pebble.NoSync); err != nil {
		return s.fail(failedError(s.dir, err))
	}
	if err := b.Close(); err != nil {
		return s.fail(failedError(s.dir, err))
	}
	return nil
}

// fail makes every later write return the first error that fail was given.
func (s *Store) fail(err error) error {
	if s.failure.CompareAndSwap(nil, &err) {
		s.log.Error("local state takes no more writes", "dir", s.dir, "error", err)
	}
	return s.failed()
}

func (s *Store) failed() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *Store) readError(err error) error { return readError(s.dir, err) }

// Close ends all iterators, writes the offset, flushes the memtable and closes the
// database. It waits for calls that are under way. Later calls return what the
// first one returned.
func (s *Store) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Store) close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	if s.stopLearning != nil {
		s.stopLearning()
	}
	s.abortIterators()

	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	err := s.sync()
	s.held.clear()
	s.endFilling()
	if dbErr := s.closeDB(); err == nil {
		err = dbErr
	}
	s.release()
	return err
}

func (s *Store) abortIterators() {
	s.iterMu.Lock()
	iters := s.iters
	s.iters = nil
	s.iterMu.Unlock()
	for i := range iters {
		i.abort()
	}
}

// sync writes the offset and brings everything written so far to the disk.
func (s *Store) sync() error {
	if err := s.syncRows(); err != nil {
		return err
	}
	return s.flush()
}

// flush brings everything written so far to the disk. A refused write is not an error for Pebble (see freezer).
func (s *Store) flush() error {
	if err := s.db.Flush(); err != nil {
		return s.fail(failedError(s.dir, err))
	}
	return s.failed()
}

// closeDB closes the database and gives up the directory. A write may have been
// refused as late as this.
func (s *Store) closeDB() error {
	if err := errors.Join(s.db.Close(), s.lock.Close()); err != nil {
		return fmt.Errorf("close %s: %w", s.dir, err)
	}
	return s.failed()
}

// Sizes of a store, for metrics.
type Sizes struct {
	DiskBytes           uint64 // all files of the database
	MemTableBytes       uint64 // memory of memtables, those that wait for a flush and held rows included
	CompactionDebtBytes uint64 // estimate of what is still to be compacted
	ReadAmplification   int    // sorted runs that a read may have to look at
}

// Sizes returns the current sizes; zero after Close.
func (s *Store) Sizes() Sizes {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return Sizes{}
	}
	m := s.db.Metrics()
	return Sizes{
		DiskBytes:           m.DiskSpaceUsage(),
		MemTableBytes:       m.MemTable.Size + s.heldBytes(),
		CompactionDebtBytes: m.Compact.EstimatedDebt,
		ReadAmplification:   m.ReadAmp(),
	}
}
