package store

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// stored is what the database itself has of a key, "" for nothing.
func stored(t *testing.T, s *Store, key string) string {
	t.Helper()
	value, err := s.read(appendKey(nil, spaceData, key))
	must(t, err)
	return string(value)
}

func storedOffset(t *testing.T, s *Store) int64 {
	t.Helper()
	offset, ok, err := s.readInt64(metaOffset)
	must(t, err)
	if !ok {
		return -1
	}
	return offset
}

// While a database is filled, of a row that comes again only the last version is written, and the offset only after it.
func TestHeldRows(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(t *testing.T, s *Store) // of holding
	}{
		{"marked as recovered", func(t *testing.T, s *Store) { must(t, s.MarkRecovered()) }},
		{"somebody looks at all", func(t *testing.T, s *Store) {
			wantList(t, "all", dataKeys(t, s, "", "", 9), []string{"a=pa3", "b=pb1"})
		}},
		{"for long", func(t *testing.T, s *Store) {
			for range heldWrites {
				must(t, s.Set("b", waitingValue(Waiting{}, "")))
			}
			must(t, s.Set("b", plainValue("b1")))
		}},
		{"too many", func(t *testing.T, s *Store) {
			s.held.budget.limit = 100
			must(t, s.Set("b", plainValue("b1")))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newTestRegistry(t, memOptions())
			s := openTestStore(t, r)
			for offset, row := range []string{"a1", "b1", "a2", "a3"} {
				value := plainValue(row)
				must(t, s.Set(row[:1], value))
				clear(value) // it is the caller's again
				must(t, s.SetOffset(int64(offset)))
			}
			if got := stored(t, s, "a") + stored(t, s, "b"); got != "pa1pb1" {
				t.Errorf("the database has %s", got)
			}
			if value, err := s.Get("a"); err != nil || string(value) != "pa3" {
				t.Errorf("Get(a) = %s, %v", value, err)
			}
			if offset := storedOffset(t, s); offset > 1 {
				t.Errorf("the database says that it has offset %d, and has not", offset)
			}
			held := uint64(r.shared.held.bytes.Load())
			if got := s.Sizes().MemTableBytes - s.db.Metrics().MemTable.Size; held < uint64(len("pa3")) || got != held {
				t.Errorf("%d bytes are held, and the sizes tell of %d", held, got)
			}
			c.end(t, s)
			if got := stored(t, s, "a") + stored(t, s, "b"); got != "pa3pb1" {
				t.Errorf("at the end the database has %s", got)
			}
			if offset := storedOffset(t, s); offset != 3 {
				t.Errorf("at the end the database says that it has offset %d", offset)
			}
			if held := r.shared.held.bytes.Load(); held != 0 {
				t.Errorf("%d bytes are said to be held yet", held)
			}
		})
	}
}

// Nothing is held by a store that is at work, or that was opened again.
func TestNothingIsHeldOutsideOfFilling(t *testing.T) {
	opts := memOptions()
	r := newTestRegistry(t, opts)
	s := openTestStore(t, r)
	write := func(version string) {
		t.Helper()
		must(t, s.Set("a", plainValue(version)))
		must(t, s.Set("a", plainValue(version+"again")))
		if got := stored(t, s, "a"); got != "p"+version+"again" {
			t.Errorf("the database has %s", got)
		}
	}
	must(t, s.MarkRecovered())
	write("1")
	must(t, s.Close())
	s = openTestStore(t, r)
	write("2")
	if n := r.shared.held.filling.Load(); n != 0 {
		t.Errorf("%d stores are said to be filled", n)
	}
}

// A row that begins to wait, or waited, is in the index at once; one that is deleted is gone.
func TestHeldRowsAndTheIndex(t *testing.T) {
	s := openTestStore(t, newTestRegistry(t, memOptions()))
	must(t, s.Set("a", plainValue("1")))
	must(t, s.Set("a", plainValue("2")))
	must(t, s.Set("a", waitingValue(Waiting{Reason: 1}, "")))
	wantList(t, "waiting", waitingKeys(t, s, "", "", 9), []string{"a:1/0/0"})
	must(t, s.Set("a", plainValue("3")))
	wantList(t, "waiting", waitingKeys(t, s, "", "", 9), nil)
	must(t, s.Set("a", plainValue("4")))
	must(t, s.Delete("a"))
	if value, err := s.Get("a"); err != nil || value != nil {
		t.Errorf("Get of what was deleted: %s, %v", value, err)
	}
	must(t, s.MarkRecovered())
	must(t, indexError(s))
	wantList(t, "all", dataKeys(t, s, "", "", 9), nil)
}

// What all stores hold is bounded; one that holds less than its share does not pay for the others.
func TestHeldRowsAreBounded(t *testing.T) {
	opts := memOptions()
	r := newTestRegistry(t, opts)
	r.shared.held.limit = 100_000
	build := func(partition int32) *Store {
		st, err := r.Builder()(testTopic, partition)
		must(t, err)
		return st.(*Store)
	}
	large, small := build(0), build(1)
	value := plainValue(strings.Repeat("x", 500))
	write := func(s *Store, from, to int) {
		for i := from; i < to; i++ {
			for range 2 {
				must(t, s.Set(fmt.Sprint("key", i), value))
			}
			must(t, s.SetOffset(int64(i)))
		}
	}
	write(small, 0, 10)
	most := int64(0)
	for i := range 1000 {
		write(large, i, i+1)
		most = max(most, r.shared.held.bytes.Load())
	}
	if most < 90_000 || most > 101_000 {
		t.Errorf("%d bytes were held at most, want about 100000", most)
	}
	for i := 1000; r.shared.held.bytes.Load() < 99_000; i++ {
		write(large, i, i+1)
	}
	write(small, 10, 13) // all together hold too much by then
	if held := r.shared.held.bytes.Load(); small.held.bytes == 0 || held <= r.shared.held.limit {
		t.Errorf("of %d bytes the small store holds %d: it had to write", held, small.held.bytes)
	}
	write(large, 0, 1)
	if large.held.bytes > 600 { // the row that it wrote last
		t.Errorf("the large store still holds %d bytes", large.held.bytes)
	}
	if offset := storedOffset(t, large); offset < 700 {
		t.Errorf("offset %d of 999: a crash would cost all that was read", offset)
	}
	must(t, large.Close())
	must(t, small.Close())
	if held, filling := r.shared.held.bytes.Load(), r.shared.held.filling.Load(); held != 0 || filling != 0 {
		t.Errorf("closed stores hold %d bytes, and %d are filled", held, filling)
	}
}

// A store that is closed while it is filled keeps everything.
func TestHeldRowsAreWrittenAtClose(t *testing.T) {
	r := newTestRegistry(t, memOptions())
	s := openTestStore(t, r)
	for i := range 3 {
		must(t, s.Set("a", plainValue(fmt.Sprint(i))))
		must(t, s.SetOffset(int64(i)))
	}
	must(t, s.Close())
	s = openTestStore(t, r)
	if got, offset := stored(t, s, "a"), storedOffset(t, s); got != "p2" || offset != 2 {
		t.Errorf("after it was closed: %s, offset %d", got, offset)
	}
}

// A store that takes no more writes has the rows that it holds as long as it is open, says so to who wants all of them, and
// is not counted after that.
func TestHeldRowsOfAFailedStore(t *testing.T) {
	r := newTestRegistry(t, memOptions())
	s := openTestStore(t, r)
	for _, row := range []string{"a1", "a2"} {
		must(t, s.Set("a", plainValue(row)))
	}
	s.fail(failedError(s.dir, syscall.ENOSPC))
	if value, err := s.Get("a"); err != nil || string(value) != "pa2" {
		t.Errorf("Get(a) = %s, %v", value, err)
	}
	wantError(t, s.Scan("", "", 9, func(string, []byte) bool { return true }), ErrFailed)
	wantError(t, s.MarkRecovered(), ErrFailed)
	if got := stored(t, s, "a"); got != "pa1" {
		t.Errorf("the failed database has taken %s", got)
	}
	wantError(t, s.Close(), ErrFailed)
	if held, filling := r.shared.held.bytes.Load(), r.shared.held.filling.Load(); held != 0 || filling != 0 {
		t.Errorf("the closed store holds %d bytes, and %d are filled", held, filling)
	}
}
