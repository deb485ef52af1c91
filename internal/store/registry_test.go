package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestOptionsAreChecked(t *testing.T) {
	tests := []struct {
		name string
		opts Options
		want string
	}{
		{"no directory", Options{}, "no path given"},
		{"cache", Options{Dir: "d", CacheBytes: -1}, "cache size -1 bytes: must not be negative"},
		{"memtable too small", Options{Dir: "d", MemTableBytes: 1}, "memtable size 1 bytes: must be between 65536 and 1073741824"},
		{"memtable too large", Options{Dir: "d", MemTableBytes: 1 << 40}, "must be between 65536 and 1073741824"},
		{"open files", Options{Dir: "d", MaxOpenFiles: -1}, "open files -1: must not be negative"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.opts.FS = vfs.NewMem()
			_, err := NewRegistry(tt.opts)
			wantText(t, err, tt.want)
		})
	}
}

func wantText(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
}

func TestTopicAndPartitionMakeTheDirectory(t *testing.T) {
	dir := t.TempDir()
	r := newTestRegistry(t, Options{Dir: filepath.Join(dir, "state")})
	long := strings.Repeat("x", 249)
	for _, topic := range []string{"a", "A.b_c-9", "...", "-", long} {
		_, err := r.Builder()(topic, 0)
		must(t, err)
		if info, err := os.Stat(filepath.Join(dir, "state", topic, "0")); err != nil || !info.IsDir() {
			t.Errorf("%s: no directory: %v", topic, err)
		}
	}
	for _, topic := range []string{"", ".", "..", "../x", "a/b", `a\b`, "a b", "ж", "a\x00", long + "x"} {
		_, err := r.Builder()(topic, 0)
		wantText(t, err, "not a valid topic name")
	}
	_, err := r.Builder()("a", -1)
	wantText(t, err, "-1 is not a valid partition")

	entries, err := os.ReadDir(dir)
	must(t, err)
	if len(entries) != 1 {
		t.Errorf("something was written outside of the state directory: %v", entries)
	}
}

func TestDirectoriesArePrivate(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "deep", "state")
	r := newTestRegistry(t, Options{Dir: parent})
	openTestStore(t, r)
	must(t, filepath.WalkDir(filepath.Dir(parent), func(path string, entry fs.DirEntry, err error) error {
		must(t, err)
		info, err := entry.Info()
		must(t, err)
		if entry.IsDir() && info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v", path, info.Mode().Perm())
		}
		return nil
	}))
}

func TestStateDirectoryIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(path, nil, 0o600))
	_, err := NewRegistry(Options{Dir: path})
	wantText(t, err, path, "not a directory")
}

func TestRecoveredReturnsOnlyWhatFinishedRecoveryInThisSession(t *testing.T) {
	r := newTestRegistry(t, memOptions())
	for range 2 {
		s := openTestStore(t, r)
		if r.Recovered(testTopic, testPartition) != nil {
			t.Fatal("a store before its recovery")
		}
		must(t, s.MarkRecovered())
		if r.Recovered(testTopic, testPartition) != s {
			t.Fatal("not the recovered store")
		}
		must(t, s.Close())
		if r.Recovered(testTopic, testPartition) != nil {
			t.Fatal("a closed store")
		}
	}
	s := openTestStore(t, r)
	s.fail(errors.New("disk is full"))
	if err := s.MarkRecovered(); err == nil || r.Recovered(testTopic, testPartition) != nil {
		t.Fatalf("a store that could not be marked, %v", err)
	}
	s.Close() // what it returns is the failure above
}

func TestOpenReturnsTheStoreOfTheSession(t *testing.T) {
	r := newTestRegistry(t, memOptions())
	if s := r.Open(testTopic, testPartition); s != nil {
		t.Fatal("a store before the builder ran")
	}
	first := openTestStore(t, r)
	if r.Open(testTopic, testPartition) != first {
		t.Fatal("not the store that was built")
	}
	if r.Open(testTopic, testPartition+1) != nil || r.Open("other", testPartition) != nil {
		t.Fatal("a store of another partition or topic")
	}
	_, err := r.Builder()(testTopic, testPartition)
	wantError(t, err, ErrInUse)
	wantText(t, err, "gate-table/3", "/state/gate-table/3", "already open")
	if r.Open(testTopic, testPartition) != first {
		t.Fatal("the refused open has displaced the store")
	}
	must(t, first.Close())
	if r.Open(testTopic, testPartition) != nil {
		t.Fatal("a closed store")
	}
	second := openTestStore(t, r)
	must(t, first.Close()) // late: must not make the registry forget the second
	if r.Open(testTopic, testPartition) != second {
		t.Fatal("not the store of the second session")
	}
}

func TestRegistryClose(t *testing.T) {
	r, err := NewRegistry(memOptions())
	must(t, err)
	s := openTestStore(t, r)
	must(t, s.Set("a", plainValue("")))
	must(t, r.Close())
	must(t, r.Close())
	_, err = s.Get("a")
	wantError(t, err, ErrClosed)
	if r.Open(testTopic, testPartition) != nil {
		t.Error("a store in a closed registry")
	}
	_, err = r.Builder()(testTopic, testPartition)
	wantError(t, err, ErrClosed)
}

func TestTwoRegistriesOnOneDirectory(t *testing.T) {
	for _, filesystem := range []vfs.FS{vfs.Default, vfs.NewMem()} {
		opts := Options{Dir: filepath.Join(t.TempDir(), "state"), FS: filesystem}
		first, second := newTestRegistry(t, opts), newTestRegistry(t, opts)
		s := openTestStore(t, first)
		_, err := second.Builder()(testTopic, testPartition)
		wantError(t, err, ErrLocked)
		must(t, s.Set("a", plainValue("")))
		must(t, s.Close())
		s = openTestStore(t, second)
		if value, err := s.Get("a"); err != nil || string(value) != "p" {
			t.Errorf("after the hand-over: %q, %v", value, err)
		}
	}
}

func TestTwoProcessesOnOneDirectory(t *testing.T) {
	dir := t.TempDir()
	other := startChild(t, childHold, dir)
	if !other.lines.Scan() || other.lines.Text() != "holding" {
		t.Fatalf("the child says %q", other.lines.Text())
	}
	r := newTestRegistry(t, Options{Dir: dir})
	_, err := r.Builder()(testTopic, testPartition)
	wantError(t, err, ErrLocked)
	wantText(t, err, "gate-table/3", filepath.Join(dir, testTopic, "3"), "another process", "stop the other one")

	must(t, other.stdin.Close())
	must(t, other.cmd.Wait())
	openTestStore(t, r)
}

func TestForbiddenDirectoryIsNotCalledLocked(t *testing.T) {
	opts := Options{Dir: "/state", FS: refuse{vfs.NewMem(), func(op, _ string) error {
		if op == "lock" {
			return &fs.PathError{Op: "open", Path: "LOCK", Err: fs.ErrPermission}
		}
		return nil
	}}}
	_, err := newTestRegistry(t, opts).Builder()(testTopic, testPartition)
	wantError(t, err, fs.ErrPermission)
	if errors.Is(err, ErrLocked) || errors.Is(err, ErrCorrupt) {
		t.Errorf("misleading: %v", err)
	}
}

// editDatabase changes a closed store behind its back.
func editDatabase(t *testing.T, filesystem vfs.FS, dir string, edit func(db *pebble.DB) error) {
	t.Helper()
	db, err := pebble.Open(dir, &pebble.Options{FS: filesystem, FormatMajorVersion: databaseFormat})
	must(t, err)
	must(t, edit(db))
	must(t, db.Close())
}

func TestUnknownFormat(t *testing.T) {
	set := func(key, value string) func(db *pebble.DB) error {
		return func(db *pebble.DB) error { return db.Set([]byte(key), []byte(value), pebble.Sync) }
	}
	tests := []struct {
		name string
		edit func(db *pebble.DB) error
		is   error
		want string
	}{
		{"newer", set("mformat", "\x00\x00\x00\x02"), ErrFormat, "has format version 2, this program reads 1"},
		{"unreadable", set("mformat", "2"), ErrFormat, "unreadable format version"},
		{"somebody else's", func(db *pebble.DB) error { return db.Delete([]byte("mformat"), pebble.Sync) }, ErrFormat, "without a format version"},
		{"offset", set("moffset", "12"), ErrCorrupt, "record moffset has 2 bytes, not 8"},
		{"count", set("mcount", "12"), ErrCorrupt, "record mcount has 2 bytes, not 8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opts := memOptions()
			r := newTestRegistry(t, opts)
			must(t, openTestStore(t, r).Close())
			editDatabase(t, opts.FS, "/state/gate-table/3", tt.edit)
			for range 2 { // the refusal must leave nothing locked
				_, err := r.Builder()(testTopic, testPartition)
				wantError(t, err, tt.is)
				wantText(t, err, "/state/gate-table/3", tt.want, "delete this directory")
			}
			if r.Open(testTopic, testPartition) != nil {
				t.Error("a store that could not be opened")
			}
		})
	}
}

// Damage of any file must end in a clear error, or in the loss of a log's tail, but
// never in a panic, a wrong value or an index that disagrees.
func TestDamagedFiles(t *testing.T) {
	damages := map[string]func(path string) error{
		"deleted": os.Remove,
		"emptied": func(path string) error { return os.Truncate(path, 0) },
		"halved": func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return os.Truncate(path, info.Size()/2)
		},
		"flipped":     func(path string) error { return flip(path, func(size int) (int, int) { return size / 2, size/2 + 1 }) },
		"overwritten": func(path string) error { return flip(path, func(size int) (int, int) { return 0, size }) },
	}
	refused := 0
	for name, damage := range damages {
		for _, kind := range []string{"MANIFEST-", "marker.", "OPTIONS-", ".sst"} {
			t.Run(kind+" "+name, func(t *testing.T) {
				dir := t.TempDir()
				partition := filepath.Join(dir, testTopic, "3")
				writeDatabase(t, dir)
				damageFiles(t, partition, kind, damage)
				if readDamaged(t, dir, partition) {
					refused++
				}
			})
		}
	}
	if refused < 10 {
		t.Errorf("only %d kinds of damage were noticed", refused)
	}
}

// writeDatabase leaves a database with tables and a log.
func writeDatabase(t *testing.T, dir string) {
	t.Helper()
	r := newTestRegistry(t, crashOptions(dir, nil))
	s := openTestStore(t, r)
	must(t, s.MarkRecovered())
	must(t, replay(s, 0, 1500, func(int) {}))
	must(t, s.db.Flush())
	must(t, replay(s, 1500, 1600, func(int) {}))
	must(t, r.Close())
}

func damageFiles(t *testing.T, dir, kind string, damage func(string) error) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"+kind+"*"))
	must(t, err)
	if len(paths) == 0 {
		t.Fatalf("no file of kind %s", kind)
	}
	for _, path := range paths {
		must(t, damage(path))
	}
}

func flip(path string, part func(size int) (from, to int)) error {
	data, err := os.ReadFile(path)
	if err != nil || len(data) == 0 {
		return err
	}
	from, to := part(len(data))
	for i := from; i < to; i++ {
		data[i] ^= 0xff
	}
	return os.WriteFile(path, data, 0o600)
}

// readDamaged opens a damaged database and reads all of it; noticed tells that this
// led to an error, which must be one that an operator can act on.
func readDamaged(t *testing.T, dir, partition string) (noticed bool) {
	t.Helper()
	r, err := NewRegistry(crashOptions(dir, nil))
	must(t, err)
	defer r.Close()
	st, err := r.Builder()(testTopic, testPartition)
	if err == nil {
		s := st.(*Store)
		if _, err = prefix(s); err == nil {
			err = indexError(s)
		}
	}
	if err == nil {
		return false
	}
	if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
		t.Errorf("not called damaged: %v", err)
	}
	wantText(t, err, partition, "delete this directory: the state is rebuilt from the changelog topic")
	return true
}

func TestIndexVersion(t *testing.T) {
	opts := memOptions()
	byLength := func(key string, value []byte) (Waiting, bool) {
		return Waiting{Reason: 9, Since: int64(len(value)), Deadline: int64(len(key))}, len(value) > 1
	}
	fill := func(s *Store) {
		must(t, s.Set("a", waitingValue(Waiting{Reason: 1, Deadline: 50}, "")))
		must(t, s.Set("bb", plainValue("")))
		must(t, s.Set("ccc", plainValue("12345")))
	}
	steps := []struct {
		name    string
		indexer Indexer
		version uint32
		want    []string
	}{
		{"first", testIndexer, 0, []string{"a:1/0/50"}},
		{"same version: kept, although the indexer is another", byLength, 0, []string{"a:1/0/50"}},
		{"new version: rebuilt", byLength, 1, []string{"a:9/18/1", "ccc:9/6/3"}},
		{"no indexer: cleared", nil, 1, nil},
		{"back again", testIndexer, 0, []string{"a:1/0/50"}},
	}
	for i, step := range steps {
		opts.Indexer, opts.IndexVersion = step.indexer, step.version
		r := newTestRegistry(t, opts)
		s := openTestStore(t, r)
		if i == 0 {
			fill(s)
			must(t, s.SetOffset(12))
		}
		wantList(t, step.name, waitingKeys(t, s, "", "", 9), step.want)
		if got := s.WaitingCount(); int(got) != len(step.want) {
			t.Errorf("%s: count %d, want %d", step.name, got, len(step.want))
		}
		if offset, err := s.GetOffset(-3); err != nil || offset != 12 {
			t.Errorf("%s: offset %d, %v", step.name, offset, err)
		}
		must(t, s.Set("bb", plainValue(""))) // a write on top must not disturb the count
		must(t, r.Close())
	}
}

func TestIndexRebuildOfManyKeys(t *testing.T) {
	opts := memOptions()
	opts.Indexer = nil
	r := newTestRegistry(t, opts)
	s := openTestStore(t, r)
	for i := range 30_000 { // several batches
		must(t, s.Set(fmt.Sprintf("event/%06d", i), waitingValue(Waiting{Reason: 1, Deadline: int64(i % 3)}, "")))
	}
	must(t, r.Close())
	opts.Indexer = testIndexer
	s = openTestStore(t, newTestRegistry(t, opts))
	must(t, indexError(s))
	if s.WaitingCount() != 30_000 {
		t.Errorf("count %d", s.WaitingCount())
	}
}

// A rebuild that was interrupted starts again, whichever indexer comes next: also
// the one whose version the store had before.
func TestIndexRebuildInterrupted(t *testing.T) {
	opts := memOptions()
	r := newTestRegistry(t, opts)
	s := openTestStore(t, r)
	must(t, s.Set("a", waitingValue(Waiting{Reason: 1}, "")))
	must(t, s.Set("b", waitingValue(Waiting{Reason: 2, Deadline: 3}, "")))
	must(t, s.clearIndex()) // and then the process dies
	must(t, s.Close())
	s = openTestStore(t, r)
	must(t, indexError(s))
	if s.WaitingCount() != 2 {
		t.Errorf("count %d, want 2", s.WaitingCount())
	}
}
