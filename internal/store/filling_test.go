package store

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"
)

// A new database is merged later while it is filled, and as usual when it is marked as recovered. One that was opened again
// is merged while it is written to.
func TestFillingMergesLater(t *testing.T) {
	opts := memOptions()
	opts.MemTableBytes = minMemTableBytes
	r := newTestRegistry(t, opts)
	s := openTestStore(t, r)
	rows := &filler{random: rand.New(rand.NewSource(1))}
	for range 3 * compactSublevels {
		rows.write(t, s)
	}
	if runs := s.Sizes().ReadAmplification; runs < 2*compactSublevels {
		t.Errorf("%d sorted runs: some were merged", runs)
	}
	wait(t, "flushes", func() bool { return s.Sizes().MemTableBytes <= minMemTableBytes })
	must(t, s.MarkRecovered())
	wait(t, "the runs to be merged", func() bool { return s.Sizes().ReadAmplification <= compactSublevels })
	must(t, s.Close())

	s = openTestStore(t, r)
	for range 4 * compactSublevels {
		rows.write(t, s)
	}
	wait(t, "the runs to be merged", func() bool { return s.Sizes().ReadAmplification <= compactSublevels })
	rows.check(t, s)
}

// A database that is filled for long is merged before writers would have to wait for ever.
func TestFillingMergesInTheEnd(t *testing.T) {
	opts := memOptions()
	opts.MemTableBytes = minMemTableBytes
	s := openTestStore(t, newTestRegistry(t, opts))
	rows := &filler{random: rand.New(rand.NewSource(2))}
	most := 0
	for range 4 * fillSublevels {
		rows.write(t, s)
		most = max(most, s.Sizes().ReadAmplification)
	}
	wait(t, "the runs to be merged", func() bool { return s.Sizes().ReadAmplification <= fillSublevels })
	if most < fillSublevels || most > maxSublevels/2 {
		t.Errorf("%d sorted runs at most, want about %d", most, fillSublevels)
	}
	rows.check(t, s)
}

// filler writes rows with random keys, about a memtable at a time.
type filler struct {
	random *rand.Rand
	keys   []string
}

func (f *filler) write(t *testing.T, s *Store) {
	t.Helper()
	const bytes = 600
	for range minMemTableBytes / bytes {
		key := fmt.Sprintf("%016x", f.random.Uint64())
		must(t, s.Set(key, plainValue(key+strings.Repeat("x", bytes))))
		f.keys = append(f.keys, key)
	}
}

func (f *filler) check(t *testing.T, s *Store) {
	t.Helper()
	for _, key := range f.keys {
		value, err := s.Get(key)
		if err != nil || !strings.HasPrefix(string(value), "p"+key) {
			t.Fatalf("%s: %.40q, %v", key, value, err)
		}
	}
}
