// Package store measures what the gate does to its local state for one new order: it looks for
// the order's row, which is not there, reads the row of its event, writes the order's row, and
// hears of an offset of the changelog.
//
// The store of the product and Goka's LevelDB are measured as they are, and Pebble by itself with
// what the product has ("pebble") and with one thing changed at a time. All start on the same rows,
// compacted, of which each run has its own copy (hard links to files that nobody changes).
package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/lovoo/goka/storage"
	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/ticketscloud/vibe-bridge/bench/micro/samples"
	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

const perEvent = 500 // orders

// cacheBytes is what an instance with all of a dozen partitions has for blocks and memtables, here for one.
var cacheBytes = store.CacheBytes(12)

// state is as much of storage.Storage as the gate uses for an order.
type state interface {
	Get(key string) ([]byte, error)
	Set(key string, value []byte) error
	SetOffset(offset int64) error
}

type variant struct {
	name string
	// base names the files that a run starts on: variants that write the same files share them.
	base string
	open func(dir string) (s state, closeAll func() error, err error)
}

func withLog(o *pebble.Options) {
	o.DisableWAL = false
	o.WALBytesPerSync = 512 << 10
}

// What the product sets, see internal/store/open.go.
func asTheProduct(o *pebble.Options) {
	o.FormatMajorVersion = pebble.FormatWALSyncChunks
	o.MemTableSize = store.DefaultMemTableBytes
	o.CacheSize = cacheBytes
	o.DisableWAL = true
	o.L0StopWritesThreshold = 1000
	o.Logger = quiet{}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

func compressed(profile *sstable.CompressionProfile) func(*pebble.Options) {
	return func(o *pebble.Options) {
		for i := range o.Levels {
			o.Levels[i].Compression = func() *sstable.CompressionProfile { return profile }
		}
	}
}

func memTable(bytes uint64) func(*pebble.Options) {
	return func(o *pebble.Options) { o.MemTableSize = bytes }
}

var variants = []variant{
	{"product", "product", openProduct},
	{"leveldb", "leveldb", openLevel},
	{"pebble", "pebble", openPebble(bare{}, nil)},
	{"two-writes", "pebble", openPebble(bare{offsetAlone: true}, nil)}, // the offset by itself, as Goka does
	{"wal", "pebble", openPebble(bare{}, withLog)},
	{"memtable-16M", "pebble", openPebble(bare{}, memTable(16<<20))},
	{"memtable-64M", "pebble", openPebble(bare{}, memTable(64<<20))},
	{"no-bloom", "no-bloom", openPebble(bare{}, func(o *pebble.Options) {
		for i := range o.Levels {
			o.Levels[i].FilterPolicy = pebble.NoFilterPolicy
		}
	})},
	{"no-compression", "no-compression", openPebble(bare{}, compressed(sstable.NoCompression))},
	{"zstd", "zstd", openPebble(bare{}, compressed(sstable.ZstdCompression))},
}

// A synced write waits for the disk: it is measured apart, with fewer writes.
var synced = variant{"sync", "pebble", openPebble(bare{sync: true}, withLog)}

func openProduct(dir string) (state, func() error, error) {
	r, err := store.NewRegistry(store.Options{Dir: dir, CacheBytes: cacheBytes, IndexVersion: 1, Indexer: waiting})
	if err != nil {
		return nil, nil, err
	}
	s, err := r.Builder()("table", 0)
	if err != nil {
		return nil, nil, errors.Join(err, r.Close())
	}
	if err = s.MarkRecovered(); err == nil {
		err = known(s.(*store.Store))
	}
	return s, r.Close, err
}

// known waits until the store has read its keys, which it does beside its work after a start: once, and not for each order.
func known(s *store.Store) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(time.Minute); !s.KeysKnown(); {
		select {
		case <-tick.C:
		case <-deadline:
			return errors.New("the store has not read its keys within a minute")
		}
	}
	return nil
}

func waiting(_ string, value []byte) (w store.Waiting, ok bool) {
	reason, since, deadline, ok := mapping.WaitingIn(value)
	return store.Waiting{Reason: uint8(reason), Since: since, Deadline: deadline}, ok
}

func openLevel(dir string) (state, func() error, error) {
	s, err := storage.DefaultBuilder(dir)("table", 0)
	if err == nil {
		err = s.Open()
	}
	if err == nil {
		err = s.MarkRecovered()
	}
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}

// bare is Pebble without what the product adds: no index, no locks, no checks.
type bare struct {
	db          *pebble.DB
	sync        bool
	offsetAlone bool

	offset []byte
}

func openPebble(b bare, change func(*pebble.Options)) func(string) (state, func() error, error) {
	return func(dir string) (state, func() error, error) {
		o := new(pebble.Options)
		asTheProduct(o)
		if change != nil {
			change(o)
		}
		db, err := pebble.Open(dir, o)
		if err != nil {
			return nil, nil, err
		}
		opened := b
		opened.db = db
		return &opened, func() error { return errors.Join(db.Flush(), db.Close()) }, nil
	}
}

func (b *bare) Get(key string) ([]byte, error) {
	value, closer, err := b.db.Get([]byte(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return bytes.Clone(value), closer.Close()
}

var offsetKey = []byte("!offset")

func (b *bare) Set(key string, value []byte) error {
	batch := b.db.NewBatch()
	err := batch.Set([]byte(key), value, nil)
	if b.offset != nil && !b.offsetAlone {
		err = errors.Join(err, batch.Set(offsetKey, b.offset, nil))
	}
	return errors.Join(err, batch.Commit(&pebble.WriteOptions{Sync: b.sync}), batch.Close())
}

func (b *bare) SetOffset(offset int64) error {
	b.offset = binary.BigEndian.AppendUint64(b.offset[:0], uint64(offset))
	if b.offsetAlone {
		return b.db.Set(offsetKey, b.offset, pebble.NoSync)
	}
	return nil
}

// rows makes keys and values: events with ids of their time, orders too, values that compress as those of the gate do.
type rows struct {
	random       *rand.Rand
	order, event []byte // values of the gate
	orderID      string
	eventID      string
}

func newRows() *rows {
	all, event, order, _ := samples.Rows(1)
	_, id, _ := strings.Cut(order, "/")
	return &rows{random: rand.New(rand.NewPCG(1, 2)), order: all[order], event: all[event], orderID: id, eventID: event}
}

func eventKey(event int) string {
	return fmt.Sprintf("%08x%016x", 0x69a38180+event*600, uint64(event+1)*0x9e3779b97f4a7c15)
}

func (r *rows) orderKey(event, n int) string {
	return eventKey(event) + "/" + fmt.Sprintf("%08x%016x", 0x69a4c299+n*7, r.random.Uint64())
}

// orderRow is a row of the gate with ids and personal texts of its own.
func (r *rows) orderRow(key string) []byte {
	event, order, _ := strings.Cut(key, "/")
	row := bytes.ReplaceAll(bytes.Clone(r.order), []byte(r.orderID), []byte(order))
	row = bytes.ReplaceAll(row, []byte(r.eventID), []byte(event))
	for i, c := range row { // barcode, phone, e-mail
		if c >= '0' && c <= '9' && i > len(row)-150 {
			row[i] = '0' + byte(r.random.IntN(10))
		}
	}
	return row
}

func (r *rows) eventRow(key string) []byte {
	return bytes.ReplaceAll(bytes.Clone(r.event), []byte(r.eventID), []byte(key))
}

var bases struct {
	sync.Mutex
	dir  string
	made map[string]string
}

func TestMain(m *testing.M) {
	var err error
	if bases.dir, err = os.MkdirTemp("", "vibe-bridge-micro-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bases.made = map[string]string{}
	code := m.Run()
	os.RemoveAll(bases.dir)
	os.Exit(code)
}

// base returns a folder with so many rows of orders in it, as the variant writes them, compacted.
func base(b *testing.B, v variant, known int) string {
	bases.Lock()
	defer bases.Unlock()
	name := fmt.Sprintf("%s-%d", v.base, known)
	if dir := bases.made[name]; dir != "" {
		return dir
	}
	dir := filepath.Join(bases.dir, name)
	must(b, os.MkdirAll(dir, 0o700))
	s, closeAll, err := v.open(dir)
	must(b, err)
	r := newRows()
	for event := range known / perEvent {
		key := eventKey(event)
		must(b, s.Set(key, r.eventRow(key)))
		for n := range perEvent {
			key := r.orderKey(event, n)
			must(b, s.Set(key, r.orderRow(key)))
		}
	}
	must(b, s.SetOffset(1))
	must(b, s.Set("last", r.order))
	must(b, closeAll())
	must(b, compact(v, dir))
	bases.made[name] = dir
	return dir
}

// compact leaves one sorted run, so that no run depends on how far compactions had come.
func compact(v variant, dir string) error {
	switch v.base {
	case "leveldb":
		db, err := leveldb.OpenFile(filepath.Join(dir, "table.0"), nil)
		if err != nil {
			return err
		}
		return errors.Join(db.CompactRange(util.Range{}), db.Close())
	case "product":
		dir = filepath.Join(dir, "table", "0")
		v.open = openPebble(bare{}, nil)
	}
	s, closeAll, err := v.open(dir)
	if err != nil {
		return err
	}
	return errors.Join(s.(*bare).db.Compact(context.Background(), []byte{0}, []byte{0xff}, false), closeAll())
}

// copied returns a copy of a closed database. Tables are never changed in place: a link to them will do.
func copied(b *testing.B, dir string) string {
	to := b.TempDir()
	must(b, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, dir))
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o700)
		case isTable(path):
			return os.Link(path, target)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o600)
	}))
	return to
}

func isTable(path string) bool {
	return slices.Contains([]string{".sst", ".ldb"}, filepath.Ext(path))
}

func BenchmarkOrder(b *testing.B) {
	for _, known := range []int{10_000, 1_000_000} {
		for _, v := range variants {
			b.Run(fmt.Sprintf("known=%d/variant=%s", known, v.name), func(b *testing.B) { newOrders(b, v, known) })
		}
	}
}

// BenchmarkSynced is BenchmarkOrder for the variant that waits for the disk at every write.
func BenchmarkSynced(b *testing.B) {
	for _, known := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("known=%d/variant=%s", known, synced.name), func(b *testing.B) { newOrders(b, synced, known) })
	}
}

func newOrders(b *testing.B, v variant, known int) {
	s, closeAll, err := v.open(copied(b, base(b, v, known)))
	must(b, err)
	r := newRows()
	r.random = rand.New(rand.NewPCG(3, 4))
	// Keys and values are made ahead, so many that none comes twice.
	type order struct {
		event, key string
		row        []byte
	}
	orders := make([]order, b.N)
	for i := range orders {
		event := r.random.IntN(known / perEvent)
		key := r.orderKey(event, perEvent+i)
		orders[i] = order{eventKey(event), key, r.orderRow(key)}
	}
	b.ReportAllocs()
	before := processorTime(b)
	b.ResetTimer()
	for i := range b.N {
		o := &orders[i]
		if own, err := s.Get(o.key); err != nil || own != nil {
			b.Fatalf("%x, %v", own, err)
		}
		if event, err := s.Get(o.event); err != nil || len(event) == 0 {
			b.Fatalf("%x, %v", event, err)
		}
		if err := s.Set(o.key, o.row); err != nil {
			b.Fatal(err)
		}
		if err := s.SetOffset(int64(i + 2)); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	// What flushes and compactions took beside it, as far as they have come.
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
	must(b, closeAll())
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
