package store

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lovoo/goka/storage"
	"go.uber.org/goleak"
)

// One writer, the producer's goroutine that sets offsets, and readers of every kind,
// while the store is closed under them: each gets right answers, then ErrClosed.
// Meaningful under the race detector.
func TestConcurrentUseAndClose(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for range 5 {
		r, err := NewRegistry(crashOptions(t.TempDir(), nil))
		must(t, err)
		s := openTestStore(t, r)
		must(t, s.Set("stays", waitingValue(Waiting{Reason: 1, Deadline: 1}, "")))
		useAndClose(t, s)
		must(t, indexError(openTestStore(t, r)))
		must(t, r.Close())
	}
}

func useAndClose(t *testing.T, s *Store) {
	var written atomic.Int64
	var users sync.WaitGroup
	progress := make(chan struct{}, 1000)
	// use repeats a step until it fails, which must be because of the Close.
	use := func(name string, step func() error) {
		users.Go(func() {
			for n := 0; ; n++ {
				err := step()
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				if n == 20 {
					progress <- struct{}{}
				}
			}
		})
	}
	use("write", func() error {
		err := apply(s, int(written.Load()))
		written.Add(1)
		return err
	})
	use("write as well", func() error { // Goka has one writer, but late ones of an old session do occur
		return apply(s, -int(written.Load()))
	})
	use("set offset", func() error { return s.SetOffset(written.Load()) })
	use("mark recovered", s.MarkRecovered)
	readers := 3
	for range readers {
		use("get", func() error { return getStays(s) })
		use("offset", func() error { _, err := s.GetOffset(0); return err })
		use("iterate", func() error { return iterateSome(s) })
		use("scan due", func() error { return scanDueStays(s) })
		use("scan waiting", func() error { return scanWaitingStays(s) })
		use("scan", func() error {
			return s.Scan("", "", 100, func(key string, value []byte) bool { return s.Sizes().DiskBytes < math.MaxUint64 })
		})
		use("metrics", func() error {
			s.Sizes()
			if n := s.WaitingCount(); n < 0 {
				return fmt.Errorf("count %d", n)
			}
			_, err := s.Has("stays")
			return err
		})
	}
	for range 4 + 6*readers {
		<-progress
	}
	var closers sync.WaitGroup
	for range 2 {
		closers.Go(func() {
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	closers.Wait()
	users.Wait()
}

func getStays(s *Store) error {
	value, err := s.Get("stays")
	if err == nil && len(value) != 1+waitingBytes {
		return fmt.Errorf("got %q", value)
	}
	return err
}

func iterateSome(s *Store) error {
	it, err := s.Iterator()
	if err != nil {
		return err
	}
	defer it.Release()
	it.Seek([]byte("event2"))
	for range 50 {
		if !it.Next() {
			break
		}
		if _, err := it.Value(); err != nil {
			return err
		}
		if len(it.Key()) == 0 {
			return errors.New("no key")
		}
	}
	return it.Err()
}

func scanDueStays(s *Store) error {
	found := false
	err := s.ScanDue(1, 10, func(key string, _ Waiting) bool {
		found = found || key == "stays"
		return true
	})
	if err == nil && !found {
		return errors.New("the key that stays is not due")
	}
	return err
}

func scanWaitingStays(s *Store) error {
	found := false
	err := s.ScanWaiting("", "stay", 1, func(key string, _ Waiting) bool {
		found = key == "stays"
		return true
	})
	if err == nil && !found {
		return errors.New("the key that stays does not wait")
	}
	return err
}

// The callback of a scan may close the store it reads.
func TestCloseInScan(t *testing.T) {
	s := openTestStore(t, newTestRegistry(t, memOptions()))
	must(t, s.Set("a", plainValue("")))
	must(t, s.Set("b", plainValue("")))
	calls := 0
	err := s.Scan("", "", 9, func(string, []byte) bool {
		calls++
		must(t, s.Close())
		return true
	})
	wantError(t, err, ErrClosed)
	if calls != 1 {
		t.Errorf("%d calls", calls)
	}
}

func TestPartitionsOpenConcurrently(t *testing.T) {
	opts := memOptions()
	r := newTestRegistry(t, opts)
	var group sync.WaitGroup
	for p := range int32(8) {
		for range 2 { // of each pair one succeeds
			group.Go(func() {
				if _, err := r.Builder()(testTopic, p); err != nil && !errors.Is(err, ErrInUse) {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	for p := range int32(8) {
		if r.Open(testTopic, p) == nil {
			t.Errorf("partition %d is not open", p)
		}
	}
}

// Close of a registry waits for a partition that is just being opened, and closes it.
func TestRegistryCloseWaitsForOpening(t *testing.T) {
	opening, proceed := make(chan struct{}), make(chan struct{})
	opts := memOptions()
	opts.FS = refuse{opts.FS, func(op, _ string) error {
		if op == "lock" {
			close(opening)
			<-proceed
		}
		return nil
	}}
	r, err := NewRegistry(opts)
	must(t, err)
	var group sync.WaitGroup
	var st storage.Storage
	var buildErr, closeErr error
	group.Go(func() { st, buildErr = r.Builder()(testTopic, testPartition) })
	<-opening
	group.Go(func() { closeErr = r.Close() })
	until(t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.closed
	})
	close(proceed)
	group.Wait()
	must(t, buildErr)
	must(t, closeErr)
	wantError(t, st.Set("a", plainValue("")), ErrClosed)
}

// until waits for a condition.
func until(t *testing.T, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatal("condition not reached")
		}
		runtime.Gosched()
	}
}

// A registry that is closed while Goka still opens partitions leaves none open.
func TestRegistryClosedWhileOpening(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for range 20 {
		r, err := NewRegistry(memOptions())
		must(t, err)
		var group sync.WaitGroup
		for p := range int32(4) {
			group.Go(func() {
				st, err := r.Builder()(testTopic, p)
				if err == nil {
					err = st.Set("a", plainValue("")) // open before the Close, or not at all
				}
				if err != nil && !errors.Is(err, ErrClosed) {
					t.Error(err)
				}
			})
		}
		must(t, r.Close())
		group.Wait()
		for p := range int32(4) {
			if r.Open(testTopic, p) != nil {
				t.Errorf("partition %d is open", p)
			}
		}
	}
}

// A store knows of an iterator until that is closed: one that closes at this moment waits for it. Otherwise the database was
// closed first, and the last reader of tables that had been merged meanwhile, which deletes them, ended the process.
func TestStoreKnowsIteratorsUntilTheyAreClosed(t *testing.T) {
	s := openTestStore(t, newTestRegistry(t, memOptions()))
	must(t, s.Set("a", plainValue("")))
	opened, err := s.Iterator()
	must(t, err)
	it := opened.(*iterator)
	known := func() bool {
		s.iterMu.Lock()
		defer s.iterMu.Unlock()
		_, known := s.iters[it]
		return known
	}

	it.mu.Lock() // its last use goes on
	released := make(chan struct{})
	go func() {
		defer close(released)
		it.Release()
	}()
	for until := time.Now().Add(50 * time.Millisecond); time.Now().Before(until); time.Sleep(time.Millisecond) {
		if !known() {
			t.Fatal("an open iterator is forgotten")
		}
	}
	it.mu.Unlock()
	<-released
	if known() {
		t.Error("a closed iterator is known still")
	}
}
