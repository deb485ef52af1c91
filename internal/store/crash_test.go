package store

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// The crash tests write a fixed sequence of operations, cut it off at some point,
// and ask which prefix of it is left. It plays the changelog: operation i has
// offset i, which is set as soon as the operation is stored, as in Goka's recovery.

const (
	crashOps  = 4_000
	crashKeys = 200
)

// operation i: a key and its value, or nil for a deletion.
func operation(i int) (key string, value []byte) {
	rng := rand.New(rand.NewPCG(uint64(i), 7))
	key = fmt.Sprintf("event%d/%d", rng.IntN(5), rng.IntN(crashKeys))
	payload := fmt.Sprintf("%d %s", i, strings.Repeat("x", rng.IntN(300)))
	switch rng.IntN(8) {
	case 0:
		return key, nil
	case 1, 2, 3:
		return key, plainValue(payload)
	}
	return key, waitingValue(Waiting{Reason: 1, Since: int64(i), Deadline: int64(rng.IntN(3) * i)}, payload)
}

// replay applies the operations [from, to) the way a Goka processor does.
func replay(s *Store, from, to int, wrote func(i int)) error {
	for i := from; i < to; i++ {
		if err := apply(s, i); err != nil {
			return err
		}
		if err := s.SetOffset(int64(i)); err != nil {
			return err
		}
		wrote(i)
	}
	return nil
}

func apply(s *Store, i int) error {
	key, value := operation(i)
	if value == nil {
		return s.Delete(key)
	}
	return s.Set(key, value)
}

// prefix finds the n for which the store holds what the first n operations leave:
// the largest, where operations change nothing.
func prefix(s *Store) (n int, err error) {
	got, err := contents(s)
	if err != nil {
		return 0, err
	}
	var gotSum sum
	for key, value := range got {
		gotSum.toggle(key, value)
	}
	n = -1
	want := map[string]string{}
	var wantSum sum
	for i := 0; ; i++ {
		same := gotSum == wantSum && maps.Equal(got, want)
		if same {
			n = i
		}
		if i == crashOps || n >= 0 && !same {
			break
		}
		key, value := operation(i)
		if old, ok := want[key]; ok {
			wantSum.toggle(key, old)
			delete(want, key)
		}
		if value != nil {
			want[key] = string(value)
			wantSum.toggle(key, string(value))
		}
	}
	if n < 0 {
		return 0, fmt.Errorf("the %d keys of the store are no prefix of the writes", len(got))
	}
	return n, nil
}

// sum is a checksum of a set of pairs, which saves comparing the whole set each time.
type sum uint64

func (s *sum) toggle(key, value string) {
	*s ^= sum(xxhash.Sum64String(fmt.Sprintf("%q=%q", key, value)))
}

// checkSurvivor checks a store that was opened after a crash, lets it recover from
// the offset that it remembers, and checks the result.
func checkSurvivor(t *testing.T, s *Store) (survived int) {
	t.Helper()
	n, err := prefix(s)
	must(t, err)
	if offset := checkRecovery(t, s); offset >= int64(n) {
		t.Fatalf("offset %d leads the values: only operations below %d are there", offset, n)
	}
	return n
}

// checkRecovery has a store that was opened after a crash recover from the offset that it remembers, and checks the result.
func checkRecovery(t *testing.T, s *Store) (offset int64) {
	t.Helper()
	must(t, indexError(s))
	offset, err := s.GetOffset(-1)
	must(t, err)
	must(t, replay(s, int(offset)+1, crashOps, func(int) {}))
	must(t, s.SetOffset(crashOps-1))
	must(t, s.MarkRecovered())
	must(t, indexError(s))
	if end, err := prefix(s); err != nil || end != crashOps {
		t.Fatalf("after recovery from offset %d: operations below %d, %v", offset, end, err)
	}
	return offset
}

// openFilled opens a new store that is filled already: what is written then is not held.
func openFilled(t *testing.T, r *Registry) *Store {
	t.Helper()
	s := openTestStore(t, r)
	must(t, s.MarkRecovered())
	return s
}

// writeUntilKilled is the child process of TestKill9.
func writeUntilKilled(dir string) error {
	r, err := NewRegistry(crashOptions(dir, nil))
	if err != nil {
		return err
	}
	s, err := r.Builder()(testTopic, testPartition)
	if err != nil {
		return err
	}
	if err := s.MarkRecovered(); err != nil {
		return err
	}
	if err := replay(s.(*Store), 0, crashOps, func(i int) { fmt.Println("wrote", i) }); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin) // to be killed without having closed the store
	return err
}

func crashOptions(dir string, fs vfs.FS) Options {
	return Options{Dir: dir, FS: fs, Indexer: testIndexer, MemTableBytes: minMemTableBytes}
}

func TestKill9(t *testing.T) {
	lost := 0
	for run := range 6 {
		dir := t.TempDir()
		reported := killAfter(t, dir, rand.IntN(crashOps))
		s := openTestStore(t, newTestRegistry(t, crashOptions(dir, nil)))
		survived := checkSurvivor(t, s)
		t.Logf("run %d: killed after operation %d, %d survived", run, reported, survived)
		if survived <= reported {
			lost++
		}
	}
	// What the package comment says about Pebble's log buffer. If this fails, the
	// log no longer loses its tail in a kill, and the comment can be made stronger.
	if lost == 0 {
		t.Error("no run has lost the tail of its log")
	}
}

// killAfter runs the child until it reports an operation, kills it, and returns the
// last operation that it reported.
func killAfter(t *testing.T, dir string, op int) (reported int) {
	t.Helper()
	child := startChild(t, childWrite, dir)
	reported = -1
	for child.lines.Scan() {
		number, ok := strings.CutPrefix(child.lines.Text(), "wrote ")
		if !ok {
			t.Fatalf("the child says %q", child.lines.Text())
		}
		var err error
		reported, err = strconv.Atoi(number)
		must(t, err)
		if reported == op {
			must(t, child.cmd.Process.Kill())
		}
	}
	if reported < op {
		t.Fatalf("the child ended after operation %d, before it was killed: %v", reported, child.cmd.Wait())
	}
	return reported
}

// A machine crash keeps what was synced and any part of the rest, block by block.
func TestMachineCrash(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, percent := range []int{0, 10, 50, 90, 100} {
		t.Run(fmt.Sprintf("%d percent written back", percent), func(t *testing.T) {
			fs := vfs.NewCrashableMem()
			dir := filepath.Join("/deep", "state")
			s := openFilled(t, newTestRegistry(t, crashOptions(dir, fs)))
			stop := 1 + rng.IntN(crashOps)
			must(t, replay(s, 0, stop, func(int) {}))
			crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
			after := openTestStore(t, newTestRegistry(t, crashOptions(dir, crashed)))
			t.Logf("%d of %d operations survived", checkSurvivor(t, after), stop)
		})
	}
}

// Close syncs: a machine crash right after it loses nothing.
func TestMachineCrashAfterClose(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := openTestStore(t, newTestRegistry(t, crashOptions("/state", fs)))
	const stop = 1000
	must(t, replay(s, 0, stop, func(int) {}))
	must(t, s.Close())
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	after := openTestStore(t, newTestRegistry(t, crashOptions("/state", crashed)))
	offset, err := after.GetOffset(-1)
	must(t, err)
	if n := checkSurvivor(t, after); n != stop || offset != stop-1 {
		t.Errorf("%d of %d operations and offset %d survived", n, stop, offset)
	}
}

// A store that a crash catches while it is filled has lost no row by the time it is filled again, whatever it held back.
func TestMachineCrashWhileFilling(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	gaps, offsets := 0, 0
	for run := range 24 {
		fs := vfs.NewCrashableMem()
		r := newTestRegistry(t, crashOptions("/state", fs))
		r.shared.held.limit = []int64{0, 20_000, heldBudget}[run%3]
		s := openTestStore(t, r)
		stop := 1 + rng.IntN(crashOps)
		must(t, replay(s, 0, stop, func(int) {}))
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		after := openTestStore(t, newTestRegistry(t, crashOptions("/state", crashed)))
		if _, err := prefix(after); err != nil {
			gaps++
		}
		if checkRecovery(t, after) > 100 {
			offsets++
		}
		must(t, after.Close())
	}
	if gaps == 0 || offsets == 0 {
		t.Errorf("of 24 crashes %d left gaps in the rows, and %d an offset above 100: both are to be seen", gaps, offsets)
	}
}
