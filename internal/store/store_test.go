package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lovoo/goka/storage"

	"github.com/cockroachdb/pebble/v2"
)

const (
	testTopic     = "gate-table"
	testPartition = 3
)

// Test values say themselves whether their key waits: 'w' and the encoded Waiting,
// or 'p', then any payload.

func plainValue(payload string) []byte { return []byte("p" + payload) }

func waitingValue(w Waiting, payload string) []byte {
	return append(appendWaiting([]byte("w"), w), payload...)
}

func testIndexer(_ string, value []byte) (Waiting, bool) {
	if len(value) < 1+waitingBytes || value[0] != 'w' {
		return Waiting{}, false
	}
	w, err := decodeWaiting(value[1 : 1+waitingBytes])
	return w, err == nil
}

func memOptions() Options {
	return Options{Dir: "/state", FS: vfs.NewMem(), Indexer: testIndexer}
}

func newTestRegistry(t testing.TB, opts Options) *Registry {
	t.Helper()
	r, err := NewRegistry(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("close registry: %v", err)
		}
	})
	return r
}

func openTestStore(t testing.TB, r *Registry) *Store {
	t.Helper()
	st, err := r.Builder()(testTopic, testPartition)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Open(); err != nil {
		t.Fatal(err)
	}
	return st.(*Store)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

// due and waiting print index entries, so that a difference can be read.

func waitingKeys(t testing.TB, s *Store, prefix, after string, limit int) []string {
	t.Helper()
	var got []string
	must(t, s.ScanWaiting(prefix, after, limit, func(key string, w Waiting) bool {
		got = append(got, fmt.Sprintf("%s:%d/%d/%d", key, w.Reason, w.Since, w.Deadline))
		return true
	}))
	return got
}

func dueKeys(t testing.TB, s *Store, now int64, limit int) []string {
	t.Helper()
	var got []string
	must(t, s.ScanDue(now, limit, func(key string, w Waiting) bool {
		got = append(got, fmt.Sprintf("%s:%d/%d/%d", key, w.Reason, w.Since, w.Deadline))
		return true
	}))
	return got
}

func dataKeys(t testing.TB, s *Store, prefix, after string, limit int) []string {
	t.Helper()
	var got []string
	must(t, s.Scan(prefix, after, limit, func(key string, value []byte) bool {
		got = append(got, key+"="+string(value))
		return true
	}))
	return got
}

func wantList(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func collect(t testing.TB, it storage.Iterator) []string {
	t.Helper()
	got := []string{}
	for it.Next() {
		value, err := it.Value()
		must(t, err)
		got = append(got, string(it.Key())+"="+string(value))
	}
	must(t, it.Err())
	return got
}

func TestScanPages(t *testing.T) {
	s := openTestStore(t, newTestRegistry(t, memOptions()))
	for _, key := range []string{"a", "b/", "b/1", "b/2", "b/3", "b0", "b\xff", "c"} {
		must(t, s.Set(key, waitingValue(Waiting{Reason: 7, Since: 5}, "")))
	}
	must(t, s.Set("b/plain", plainValue("")))
	entry := func(keys ...string) (list []string) {
		for _, key := range keys {
			list = append(list, key+":7/5/0")
		}
		return list
	}
	tests := []struct {
		name, prefix, after string
		limit               int
		want                []string
	}{
		{"all", "", "", 100, entry("a", "b/", "b/1", "b/2", "b/3", "b0", "b\xff", "c")},
		{"first page", "b/", "", 2, entry("b/", "b/1")},
		{"after is exclusive", "b/", "b/1", 2, entry("b/2", "b/3")},
		{"last page", "b/", "b/3", 2, nil},
		{"after between keys", "b/", "b/11", 1, entry("b/2")},
		{"after before the prefix", "b/", "a", 9, entry("b/", "b/1", "b/2", "b/3")},
		{"after equal to the prefix", "b/", "b/", 9, entry("b/1", "b/2", "b/3")},
		{"after behind the prefix", "b/", "c", 9, nil},
		{"after without prefix", "", "b\xff", 9, entry("c")},
		{"prefix that ends in 0xff", "b\xff", "", 9, entry("b\xff")},
		{"prefix of nothing", "x", "", 9, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantList(t, "waiting", waitingKeys(t, s, tt.prefix, tt.after, tt.limit), tt.want)
		})
	}

	wantList(t, "data of b/", dataKeys(t, s, "b/p", "", 9), []string{"b/plain=p"})
	wantList(t, "data after b0", dataKeys(t, s, "b", "b0", 1), []string{"b\xff=" + string(waitingValue(Waiting{Reason: 7, Since: 5}, ""))})
}

func TestScanDueOrder(t *testing.T) {
	s := openTestStore(t, newTestRegistry(t, memOptions()))
	set := func(key string, deadline int64) {
		must(t, s.Set(key, waitingValue(Waiting{Reason: 1, Since: 2, Deadline: deadline}, "")))
	}
	set("never", 0)
	set("c", 10)
	set("b", 300)
	set("a", 300)
	set("past", -5)
	set("far", 1<<62)

	wantList(t, "due at 299", dueKeys(t, s, 299, 9), []string{"past:1/2/-5", "c:1/2/10"})
	wantList(t, "due at 300", dueKeys(t, s, 300, 9), []string{"past:1/2/-5", "c:1/2/10", "a:1/2/300", "b:1/2/300"})
	wantList(t, "limit", dueKeys(t, s, 300, 3), []string{"past:1/2/-5", "c:1/2/10", "a:1/2/300"})
	wantList(t, "end of time", dueKeys(t, s, 1<<63-1, 9), []string{"past:1/2/-5", "c:1/2/10", "a:1/2/300", "b:1/2/300", "far:1/2/4611686018427387904"})

	set("c", 400)
	set("past", 0)
	must(t, s.Delete("a"))
	must(t, s.Set("far", plainValue("")))
	wantList(t, "after changes", dueKeys(t, s, 1<<63-1, 9), []string{"b:1/2/300", "c:1/2/400"})
	if got := s.WaitingCount(); got != 4 {
		t.Errorf("WaitingCount: got %d, want 4 (never, c, b, past)", got)
	}
}

func TestScanStopsAndRefuses(t *testing.T) {
	s := openTestStore(t, newTestRegistry(t, memOptions()))
	for _, key := range []string{"a", "b", "c"} {
		must(t, s.Set(key, waitingValue(Waiting{Deadline: 1}, "")))
	}
	calls := 0
	stop := func(string, Waiting) bool { calls++; return calls < 2 }
	must(t, s.ScanWaiting("", "", 9, stop))
	if calls != 2 {
		t.Errorf("ScanWaiting went on after false: %d calls", calls)
	}
	wantError(t, s.ScanWaiting("", "", 0, stop), ErrLimit)
	wantError(t, s.ScanDue(1, -1, stop), ErrLimit)
	wantError(t, s.Scan("", "", 0, nil), ErrLimit)
}

// A release reads the parked keys of an event and changes them while it reads.
func TestScanCallbackMayWrite(t *testing.T) {
	s := openTestStore(t, newTestRegistry(t, memOptions()))
	for i := range 50 {
		must(t, s.Set(fmt.Sprintf("e/%02d", i), waitingValue(Waiting{Deadline: 1}, "")))
	}
	seen := 0
	must(t, s.ScanWaiting("e/", "", 100, func(key string, _ Waiting) bool {
		seen++
		must(t, s.Set(key, plainValue("released")))
		must(t, s.Set("e/x"+key, waitingValue(Waiting{}, ""))) // not part of this scan
		return true
	}))
	if seen != 50 || s.WaitingCount() != 50 {
		t.Errorf("saw %d keys, %d wait; want 50 and 50", seen, s.WaitingCount())
	}
}

func TestOffsetIsWrittenWithTheNextValue(t *testing.T) {
	opts := memOptions()
	r := newTestRegistry(t, opts)
	s := openTestStore(t, r)
	stored := func() string {
		value, err := s.read(metaOffset)
		must(t, err)
		return fmt.Sprintf("%x", value)
	}
	must(t, s.SetOffset(258))
	if got := stored(); got != "" {
		t.Fatalf("offset was written ahead of a value: %s", got)
	}
	must(t, s.Set("a", plainValue("")))
	if got := stored(); got != "0000000000000102" {
		t.Fatalf("after Set: got %s", got)
	}
	must(t, s.SetOffset(259))
	must(t, s.MarkRecovered())
	if got := stored(); got != "0000000000000103" {
		t.Fatalf("after MarkRecovered: got %s", got)
	}
	must(t, s.SetOffset(4)) // Goka starts lower when the changelog was made anew
	must(t, s.Close())
	s = openTestStore(t, r)
	got, err := s.GetOffset(-3)
	must(t, err)
	if got != 4 {
		t.Errorf("after reopen: got %d, want 4", got)
	}
}

func TestSizes(t *testing.T) {
	s := openTestStore(t, newTestRegistry(t, memOptions()))
	for i := range 1000 {
		must(t, s.Set(fmt.Sprint(i), plainValue("some payload")))
	}
	before := s.Sizes()
	if before.DiskBytes == 0 || before.MemTableBytes == 0 || before.ReadAmplification != 1 {
		t.Errorf("with a memtable only: %+v", before)
	}
	must(t, s.db.Flush())
	if after := s.Sizes(); after.DiskBytes <= before.DiskBytes {
		t.Errorf("flushed: %+v, before %+v", after, before)
	}
	must(t, s.Close())
	if closed := s.Sizes(); closed != (Sizes{}) {
		t.Errorf("closed: %+v", closed)
	}
	if n := s.WaitingCount(); n != 0 {
		t.Errorf("closed: %d wait", n)
	}
}

// What an indexer says beside "does not wait" is nothing: the count stays right, and
// with it the shortcut for an empty index, on which the removal of entries depends.
func TestIndexerMaySayAnythingOfKeysThatDoNotWait(t *testing.T) {
	s := openTestStore(t, newTestRegistry(t, Options{Dir: t.TempDir(), Indexer: func(_ string, value []byte) (Waiting, bool) {
		return Waiting{Reason: 7, Deadline: 1}, string(value) == "waits"
	}}))
	for _, step := range []struct {
		key, value string
		want       int64
	}{{"a", "rests", 0}, {"b", "waits", 1}, {"a", "rests", 1}, {"b", "rests", 0}} {
		if err := s.Set(step.key, []byte(step.value)); err != nil {
			t.Fatal(err)
		}
		if n := s.WaitingCount(); n != step.want {
			t.Errorf("%d keys wait after %s %s, want %d", n, step.key, step.value, step.want)
		}
	}
	if err := s.ScanDue(2, 10, func(key string, _ Waiting) bool { t.Errorf("%s is due", key); return true }); err != nil {
		t.Fatal(err)
	}
}

// An earlier release had a write-ahead log. What it left there is read.
func TestLogOfAnEarlierRelease(t *testing.T) {
	opts := memOptions()
	s := openTestStore(t, newTestRegistry(t, opts))
	must(t, s.Set("a", plainValue("flushed")))
	must(t, s.Close())
	db, err := pebble.Open(s.dir, &pebble.Options{FS: opts.FS, FormatMajorVersion: databaseFormat})
	must(t, err)
	must(t, db.Set(appendKey(nil, spaceData, "a"), plainValue("logged"), pebble.Sync))
	must(t, db.Close())
	s = openTestStore(t, newTestRegistry(t, opts))
	if got, err := s.Get("a"); err != nil || string(got) != string(plainValue("logged")) {
		t.Errorf("read %q, %v", got, err)
	}
}
