package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	iofs "io/fs"
	"log/slog"
	"math"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// formatVersion of the layout in the package comment.
const formatVersion = 1

// databaseFormat is the oldest of Pebble's formats whose log tells a torn tail from
// damage. It is named, not "newest": an update of Pebble must not by itself make the
// way back to the previous release impossible.
const databaseFormat = pebble.FormatWALSyncChunks

const (
	bloomBitsPerKey = 10    // about 1 % false positives
	dirMode         = 0o700 // state holds personal data

	// So many that writers never wait for compactions, which may wait for space on
	// the disk. They wait for flushes only, which a freezer lets end.
	maxSublevels = 1000

	// Keys are random: every table in level 0 overlaps all of the next level, which is rewritten whenever so many have
	// gathered. Each costs a lookup a look at its filter.
	compactSublevels = 8

	// While a new database is being filled it is merged later: where all keys differ, merging again and again took half of the
	// time of a recovery. Where they do not, what is not merged is read and written for nothing: with 256, the recovery of a
	// table with several versions of each event took twice as long.
	fillSublevels = 32
)

func openStore(dir string, opts Options, with *shared, release func()) (*Store, error) {
	if err := makeDir(opts.FS, dir); err != nil {
		return nil, fmt.Errorf("create %s: %w", dir, err)
	}
	lock, err := lockDir(dir, opts.FS)
	if err != nil {
		return nil, err
	}
	s := &Store{
		dir:     dir,
		indexer: opts.Indexer,
		log:     opts.Logger,
		lock:    lock,
		release: release,
		iters:   make(map[*iterator]struct{}),
		held:    heldRows{budget: with.held},
	}
	s.db, err = openDB(dir, s.databaseOptions(opts, with))
	if err != nil {
		return nil, errors.Join(openError(dir, err), lock.Close())
	}
	if err := s.load(indexVersion(opts)); err != nil {
		if closeErr := s.closeDB(); !errors.Is(err, closeErr) {
			err = errors.Join(err, closeErr)
		}
		return nil, err
	}
	if !s.known.complete.Load() {
		var ctx context.Context
		ctx, s.stopLearning = context.WithCancel(context.Background())
		go s.learnKeys(ctx, with.learns)
	}
	return s, nil
}

// lockDir takes the lock ahead of Pebble, so that its refusal can be told from all
// else that can go wrong at open.
func lockDir(dir string, fs vfs.FS) (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(dir, fs)
	if err == nil {
		return lock, nil
	}
	// The lock file could not even be created: not a matter of who else is there.
	var pathErr *iofs.PathError
	if errors.As(err, &pathErr) {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return nil, lockedError(dir, err)
}

// openDB turns panics, which Pebble's reading of damaged files is not free of, into errors.
func openDB(dir string, opts *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = pebble.ErrCorruption
			if cause, ok := r.(error); ok {
				err = fmt.Errorf("%w: %w", err, cause)
			}
		}
	}()
	return pebble.Open(dir, opts)
}

func (s *Store) databaseOptions(opts Options, with *shared) *pebble.Options {
	o := &pebble.Options{
		FS: newFreezer(opts.FS, s.dir, func(err error) {
			s.fail(failedError(s.dir, err))
		}),
		Lock:                  s.lock,
		Cache:                 with.cache,
		FileCache:             with.files,
		MemTableSize:          uint64(opts.MemTableBytes),
		L0StopWritesThreshold: maxSublevels,
		L0CompactionThreshold: compactSublevels,
		DisableWAL:            true, // see the package comment
		FormatMajorVersion:    databaseFormat,
		Logger:                databaseLogger{s.log, s.dir},
		EventListener: &pebble.EventListener{
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				s.fail(corruptError(s.dir, info.Details))
			},
			WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
				s.log.Warn("local state: writes wait for the disk", "dir", s.dir, "reason", info.Reason)
			},
			WriteStallEnd: func() {
				s.log.Info("local state: writes go on", "dir", s.dir)
			},
		},
	}
	o.CompactionConcurrencyRange = func() (lower, upper int) {
		if s.filling.Load() {
			return 0, 1 // none, but for what follows
		}
		return 1, 1
	}
	o.Experimental.L0CompactionConcurrency = fillSublevels
	o.Experimental.CompactionDebtConcurrency = math.MaxUint64
	for i := range o.Levels {
		// Also in the last level: most lookups in the index are for keys that do not wait.
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBitsPerKey)
	}
	return o
}

// load reads the meta records, writes those of a new database, and brings the index
// to the given version.
func (s *Store) load(index []byte) error {
	if err := s.failed(); err != nil {
		return err // the disk refused a write while the database was opened
	}
	fresh, err := s.checkFormat()
	if err != nil {
		return err
	}
	if fresh {
		return s.initialize(index)
	}
	offset, ok, err := s.readInt64(metaOffset)
	if err != nil {
		return err
	}
	s.offset, s.hasOffset = offset, ok
	stored, err := s.read(metaIndex)
	if err != nil {
		return err
	}
	if string(stored) != string(index) {
		if err := s.rebuildIndex(index); err != nil {
			return fmt.Errorf("rebuild the index of %s: %w", s.dir, err)
		}
		return nil
	}
	count, _, err := s.readInt64(metaCount)
	s.waiting.Store(count)
	if err != nil {
		return err
	}
	return s.countWaiting()
}

// checkFormat tells whether the database is new, and refuses one of another format.
func (s *Store) checkFormat() (fresh bool, err error) {
	stored, err := s.read(metaFormat)
	if err != nil {
		return false, err
	}
	if stored == nil {
		return true, s.checkEmpty()
	}
	if len(stored) != 4 {
		return false, formatError(s.dir, "has an unreadable format version")
	}
	if version := binary.BigEndian.Uint32(stored); version != formatVersion {
		return false, formatError(s.dir, fmt.Sprintf("has format version %d, this program reads %d", version, formatVersion))
	}
	return false, nil
}

// checkEmpty keeps the store from moving into somebody else's database.
func (s *Store) checkEmpty() error {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return s.readError(err)
	}
	found := it.First()
	if err := it.Close(); err != nil {
		return s.readError(err)
	}
	if found {
		return formatError(s.dir, "is a database without a format version: of another program, or damaged")
	}
	return nil
}

func (s *Store) initialize(index []byte) error {
	b := s.db.NewBatch()
	if err := b.Set(metaFormat, binary.BigEndian.AppendUint32(nil, formatVersion), nil); err != nil {
		return err
	}
	if err := b.Set(metaIndex, index, nil); err != nil {
		return err
	}
	if err := s.commit(b); err != nil {
		return err
	}
	s.known.complete.Store(true) // there are none
	if err := s.flush(); err != nil {
		return err
	}
	s.filling.Store(true)
	s.held.budget.filling.Add(1)
	return nil
}

func (s *Store) readInt64(key []byte) (value int64, ok bool, err error) {
	b, err := s.read(key)
	if err != nil || b == nil {
		return 0, false, err
	}
	if len(b) != 8 {
		return 0, false, corruptError(s.dir, fmt.Errorf("record %s has %d bytes, not 8", key, len(b)))
	}
	return int64(binary.BigEndian.Uint64(b)), true, nil
}

// indexVersion is what the meta record of the index holds: an index without an
// Indexer is not the one of version 0.
func indexVersion(opts Options) []byte {
	if opts.Indexer == nil {
		return []byte("none")
	}
	return binary.BigEndian.AppendUint32([]byte("v"), opts.IndexVersion)
}

// makeDir creates dir and what leads to it, and syncs the parents: a directory that
// a power loss takes back would take the state with it.
func makeDir(fs vfs.FS, dir string) error {
	info, err := fs.Stat(dir)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	if err == nil {
		return nil
	}
	parent := fs.PathDir(dir)
	if parent != dir {
		if err := makeDir(fs, parent); err != nil {
			return err
		}
	}
	if err := fs.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	return syncDir(fs, parent)
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// databaseLogger passes on what goes wrong; what stops writes is an error of the store, too.
// It drops Pebble's progress reports: they are many and hold keys.
type databaseLogger struct {
	log *slog.Logger
	dir string
}

func (databaseLogger) Infof(string, ...any) {}

func (l databaseLogger) Errorf(format string, args ...any) {
	l.log.Warn("local state: the database reports", "dir", l.dir, "error", fmt.Sprintf(format, args...))
}

// Fatalf must not return. It is called when Pebble finds its own state broken, mostly
// in its own goroutines, where the panic ends the process: a kill -9 for the stores.
func (l databaseLogger) Fatalf(format string, args ...any) {
	err := failedError(l.dir, fmt.Errorf(format, args...))
	l.log.Error("local state: the database cannot go on, and the process ends", "dir", l.dir, "error", err)
	panic(err)
}
