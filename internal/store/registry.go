package store

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"runtime"
	"strconv"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lovoo/goka/storage"
)

// Defaults of Options.
const (
	DefaultCacheBytes    = blockBytes + 12*2*DefaultMemTableBytes // as for 12 partitions
	DefaultMemTableBytes = 4 << 20
	DefaultMaxOpenFiles  = 1000
)

const blockBytes = 32 << 20 // of the cache, beside memtables

// CacheBytes is how large a cache so many partitions want: for blocks, and for two memtables of each.
func CacheBytes(partitions int32) int64 {
	return blockBytes + 2*DefaultMemTableBytes*int64(partitions)
}

// minMemTableBytes is the least that Pebble works with sensibly.
const minMemTableBytes = 64 << 10

// Options of a Registry. Zero values take the defaults.
type Options struct {
	Dir string // parent of all state directories
	FS  vfs.FS // nil: the disk

	// Indexer describes which keys wait; nil: none do.
	Indexer Indexer
	// IndexVersion is raised when the answers of Indexer change. A store whose
	// index was written by another version rebuilds it when it is opened.
	IndexVersion uint32

	// CacheBytes bounds the block cache that all stores share. Pebble accounts
	// memtables in it: it should exceed twice MemTableBytes for every partition
	// that this process may own, or nothing is left for blocks.
	CacheBytes int64
	// MemTableBytes is the size at which a store's memtable is flushed. A store
	// holds two at most; a writer that is faster than the disk then waits.
	MemTableBytes int64
	// MaxOpenFiles bounds the table files kept open, over all stores.
	MaxOpenFiles int

	Logger *slog.Logger // nil: discard
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = DefaultCacheBytes
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = DefaultMemTableBytes
	}
	if o.MaxOpenFiles == 0 {
		o.MaxOpenFiles = DefaultMaxOpenFiles
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.Dir == "":
		return errors.New("state directory: no path given")
	case o.CacheBytes < 0:
		return fmt.Errorf("cache size %d bytes: must not be negative", o.CacheBytes)
	case o.MemTableBytes < minMemTableBytes || o.MemTableBytes > 1<<30:
		return fmt.Errorf("memtable size %d bytes: must be between %d and %d", o.MemTableBytes, minMemTableBytes, 1<<30)
	case o.MaxOpenFiles < 0:
		return fmt.Errorf("open files %d: must not be negative", o.MaxOpenFiles)
	}
	return nil
}

type partitionKey struct {
	topic     string
	partition int32
}

// Registry owns what the stores of a process share, and remembers the open one of
// each partition. Use one for each run of a processor: closing it closes stores
// that Goka has left open after a failed start.
type Registry struct {
	opts   Options
	shared shared

	mu      sync.Mutex
	closed  bool
	stores  map[partitionKey]*Store // nil value: being opened
	opening sync.WaitGroup

	closeOnce sync.Once
	closeErr  error
}

// shared is what the stores of a process have in common.
type shared struct {
	cache  *pebble.Cache
	files  *pebble.FileCache
	learns chan struct{} // holds the one that reads its keys
	held   *heldTotal
}

// NewRegistry checks the options and creates the parent directory, mode 0700.
func NewRegistry(opts Options) (*Registry, error) {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	if err := makeDir(opts.FS, opts.Dir); err != nil {
		return nil, fmt.Errorf("create state directory %s: %w", opts.Dir, err)
	}
	return &Registry{
		opts: opts,
		shared: shared{
			cache:  pebble.NewCache(opts.CacheBytes),
			files:  pebble.NewFileCache(runtime.GOMAXPROCS(0), opts.MaxOpenFiles),
			learns: make(chan struct{}, 1),
			held:   &heldTotal{limit: heldBudget},
		},
		stores: make(map[partitionKey]*Store),
	}, nil
}

// Builder is for goka.WithStorageBuilder. It opens the database in
// Dir/topic/partition, and fails with ErrInUse while the previous store of that
// partition is open: a processor and a view of the same table need registries with
// different directories.
func (r *Registry) Builder() storage.Builder {
	return func(topic string, partition int32) (storage.Storage, error) {
		s, err := r.build(partitionKey{topic, partition})
		if err != nil {
			return nil, fmt.Errorf("open state of %s/%d: %w", topic, partition, err)
		}
		return s, nil
	}
}

// Open returns the store of a partition that is open at this moment, or nil. Goka
// builds a new one for every session, so do not keep it beyond a callback.
func (r *Registry) Open(topic string, partition int32) *Store {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stores[partitionKey{topic, partition}]
}

// Recovered is Open for those who must not see a store that is still being filled
// from its changelog: it returns nil until MarkRecovered.
func (r *Registry) Recovered(topic string, partition int32) *Store {
	s := r.Open(topic, partition)
	if s == nil || !s.recovered.Load() {
		return nil
	}
	return s
}

// Close closes the stores that are still open and frees what they shared. Later
// calls return what the first one returned.
func (r *Registry) Close() error {
	r.closeOnce.Do(func() { r.closeErr = r.close() })
	return r.closeErr
}

func (r *Registry) close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.opening.Wait()

	var errs []error
	for _, s := range r.openStores() {
		errs = append(errs, s.Close())
	}
	r.shared.files.Unref()
	r.shared.cache.Unref()
	return errors.Join(errs...)
}

func (r *Registry) openStores() []*Store {
	r.mu.Lock()
	defer r.mu.Unlock()
	stores := make([]*Store, 0, len(r.stores))
	for _, s := range r.stores {
		stores = append(stores, s)
	}
	return stores
}

func (r *Registry) build(key partitionKey) (*Store, error) {
	dir, err := r.dir(key)
	if err != nil {
		return nil, err
	}
	if err := r.reserve(key, dir); err != nil {
		return nil, err
	}
	defer r.opening.Done()
	s, err := openStore(dir, r.opts, &r.shared, func() { r.forget(key) })
	if err != nil {
		r.forget(key)
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stores[key] = s
	return s, nil
}

// reserve claims a partition before its database is opened, which may take long
// and must not hold up other partitions.
func (r *Registry) reserve(key partitionKey, dir string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fmt.Errorf("registry: %w", ErrClosed)
	}
	if _, taken := r.stores[key]; taken {
		return fmt.Errorf("%w: %s; close the processor or view that uses it, and its registry, first", ErrInUse, dir)
	}
	r.stores[key] = nil
	r.opening.Add(1)
	return nil
}

func (r *Registry) forget(key partitionKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.stores, key)
}

// topicName is Kafka's own rule; together with the ban of dot names it keeps a
// topic from leading out of Dir.
var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

func (r *Registry) dir(key partitionKey) (string, error) {
	if !topicName.MatchString(key.topic) || key.topic == "." || key.topic == ".." {
		return "", fmt.Errorf("%q is not a valid topic name: letters, digits, dot, underscore and hyphen, at most 249, not only dots", key.topic)
	}
	if key.partition < 0 {
		return "", fmt.Errorf("%d is not a valid partition", key.partition)
	}
	fs := r.opts.FS
	return fs.PathJoin(r.opts.Dir, key.topic, strconv.Itoa(int(key.partition))), nil
}
