package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lovoo/goka/storage"
)

const (
	onDisk    = "pebble on disk"
	inMemory  = "pebble in memory"
	levelDB   = "goka leveldb"
	gokaInMem = "goka memory"
)

func backends(t *testing.T) map[string]storage.Builder {
	disk := newTestRegistry(t, Options{Dir: t.TempDir(), Indexer: testIndexer})
	mem := newTestRegistry(t, Options{Dir: "state", FS: vfs.NewMem(), Indexer: testIndexer})
	return map[string]storage.Builder{
		onDisk:    disk.Builder(),
		inMemory:  mem.Builder(),
		levelDB:   storage.DefaultBuilder(t.TempDir()),
		gokaInMem: storage.MemoryBuilder(),
	}
}

// deviation is what another store does instead, and why it is not followed.
type deviation struct{ outcome, reason string }

// contract is one thing that can be asked of a storage.Storage: run does it and
// tells the outcome. A deviation that is no longer true fails like any other case.
type contract struct {
	name    string
	run     func(t *testing.T, s *subject) string
	want    string
	differs map[string]deviation
}

// subject is the store under test, with the steps of the cases.
type subject struct {
	t *testing.T
	storage.Storage
	reopen func() storage.Storage
}

func (s *subject) set(keys ...string) {
	s.t.Helper()
	for _, key := range keys {
		must(s.t, s.Set(key, []byte("v"+key)))
	}
}

func (s *subject) get(key string) string {
	s.t.Helper()
	value, err := s.Get(key)
	must(s.t, err)
	if value == nil {
		return "nil"
	}
	return fmt.Sprintf("%q", value)
}

func (s *subject) rangeOf(start, limit []byte) string {
	s.t.Helper()
	it, err := s.IteratorWithRange(start, limit)
	must(s.t, err)
	defer it.Release()
	return strings.Join(collect(s.t, it), " ")
}

func (s *subject) all() string {
	s.t.Helper()
	it, err := s.Iterator()
	must(s.t, err)
	defer it.Release()
	return strings.Join(collect(s.t, it), " ")
}

func (s *subject) offset(def int64) string {
	s.t.Helper()
	offset, err := s.GetOffset(def)
	must(s.t, err)
	return fmt.Sprint(offset)
}

func pair(it storage.Iterator) string {
	value, err := it.Value()
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s=%s", it.Key(), value)
}

func outcome(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}

var contracts = []contract{
	{name: "get of a missing key", run: func(_ *testing.T, s *subject) string { return s.get("a") }, want: "nil"},
	{name: "get returns what was set last", run: func(t *testing.T, s *subject) string {
		s.set("a")
		must(t, s.Set("a", []byte("second")))
		return s.get("a")
	}, want: `"second"`},
	{name: "an empty value is not nil", run: func(t *testing.T, s *subject) string {
		must(t, s.Set("a", []byte{}))
		return s.get("a")
	}, want: `""`},
	{name: "set of a nil value", run: func(_ *testing.T, s *subject) string {
		return outcome(s.Set("a", nil)) + " " + s.get("a")
	}, want: "error nil", differs: map[string]deviation{
		levelDB: {`ok ""`, "stores an empty value where the changelog gets a deletion"},
	}},
	{name: "the store copies the value", run: func(t *testing.T, s *subject) string {
		value := []byte("abc")
		must(t, s.Set("a", value))
		value[0] = 'X'
		return s.get("a")
	}, want: `"abc"`, differs: map[string]deviation{
		gokaInMem: {`"Xbc"`, "keeps the caller's slice"},
	}},
	{name: "the caller owns what Get returns", run: func(t *testing.T, s *subject) string {
		s.set("a")
		value, err := s.Get("a")
		must(t, err)
		value[0] = 'X'
		return s.get("a")
	}, want: `"va"`, differs: map[string]deviation{
		gokaInMem: {`"Xa"`, "returns its own slice"},
	}},
	{name: "the empty key", run: func(t *testing.T, s *subject) string {
		must(t, s.Set("", []byte("v")))
		it, err := s.Iterator()
		must(t, err)
		defer it.Release()
		return fmt.Sprint(s.get(""), it.Next(), it.Key() != nil, it.Next())
	}, want: `"v"true true false`},
	{name: "keys are bytes", run: func(_ *testing.T, s *subject) string {
		s.set("\xff\xff", "\x00", "ж")
		return s.all()
	}, want: "\x00=v\x00 ж=vж \xff\xff=v\xff\xff"},
	{name: "has", run: func(t *testing.T, s *subject) string {
		s.set("a")
		must(t, s.Set("empty", []byte{}))
		var got []bool
		for _, key := range []string{"a", "empty", "b"} {
			has, err := s.Has(key)
			must(t, err)
			got = append(got, has)
		}
		return fmt.Sprint(got)
	}, want: "[true true false]"},
	{name: "delete", run: func(_ *testing.T, s *subject) string {
		s.set("a", "b")
		return outcome(s.Delete("a")) + " " + s.get("a") + " " + s.all()
	}, want: "ok nil b=vb"},
	{name: "delete of a missing key", run: func(_ *testing.T, s *subject) string { return outcome(s.Delete("a")) }, want: "ok"},

	{name: "offset never set", run: func(_ *testing.T, s *subject) string { return s.offset(-3) }, want: "-3"},
	{name: "offset before recovery", run: func(t *testing.T, s *subject) string {
		must(t, s.SetOffset(7))
		return s.offset(-3)
	}, want: "7"},
	{name: "offset zero before recovery", run: func(t *testing.T, s *subject) string {
		must(t, s.SetOffset(0))
		return s.offset(-3)
	}, want: "0", differs: map[string]deviation{
		levelDB: {"-3", "takes 0 for never set until it is recovered"},
	}},
	{name: "offset after recovery, lower again", run: func(t *testing.T, s *subject) string {
		must(t, s.MarkRecovered())
		must(t, s.SetOffset(7))
		must(t, s.SetOffset(6))
		return s.offset(-3)
	}, want: "6"},
	{name: "state survives reopening", run: func(t *testing.T, s *subject) string {
		s.set("a", "b")
		must(t, s.Delete("a"))
		must(t, s.SetOffset(41))
		must(t, s.Close())
		again := &subject{t: t, Storage: s.reopen()}
		defer again.Close()
		return again.all() + " " + again.offset(-3)
	}, want: "b=vb 41", differs: map[string]deviation{
		gokaInMem: {" -3", "is gone when closed"},
	}},
	{name: "state survives reopening after recovery", run: func(t *testing.T, s *subject) string {
		must(t, s.MarkRecovered())
		s.set("a")
		must(t, s.SetOffset(41))
		must(t, s.Close())
		again := &subject{t: t, Storage: s.reopen()}
		defer again.Close()
		return again.all() + " " + again.offset(-3)
	}, want: "a=va 41", differs: map[string]deviation{
		gokaInMem: {" -3", "is gone when closed"},
	}},
	{name: "a key named like the offset of LevelDB", run: func(t *testing.T, s *subject) string {
		must(t, s.MarkRecovered())
		must(t, s.SetOffset(7))
		s.set("__offset", "z")
		offset, err := s.GetOffset(-3)
		return s.all() + " " + fmt.Sprint(offset, err != nil)
	}, want: "__offset=v__offset z=vz 7 false", differs: map[string]deviation{
		levelDB:   {"z=vz 0 true", "keeps the offset under that key"},
		gokaInMem: {"z=vz 7 false", "hides the key from iterators"},
	}},

	{name: "iterator in byte order without offset and meta", run: func(t *testing.T, s *subject) string {
		must(t, s.MarkRecovered())
		s.set("c", "a", "b", "~", "B")
		must(t, s.Set("w", waitingValue(Waiting{Reason: 1, Deadline: 9}, "")))
		must(t, s.SetOffset(7))
		must(t, s.Delete("w"))
		s.set("d")
		return s.all()
	}, want: "B=vB a=va b=vb c=vc d=vd ~=v~"},
	{name: "offset as the last key", run: func(t *testing.T, s *subject) string {
		must(t, s.MarkRecovered())
		s.set("A")
		must(t, s.SetOffset(7))
		return s.all()
	}, want: "A=vA"},
	{name: "range is half-open", run: func(_ *testing.T, s *subject) string {
		s.set("a", "b", "c", "d")
		return s.rangeOf([]byte("b"), []byte("d"))
	}, want: "b=vb c=vc", differs: map[string]deviation{
		gokaInMem: {"b=vb c=vc d=vd", "the limit is inclusive"},
	}},
	{name: "the orders of an event", run: func(_ *testing.T, s *subject) string {
		s.set("e", "e/", "e/1", "e/2", "e0", "e1", "f/1")
		return s.rangeOf([]byte("e/"), []byte("e0"))
	}, want: "e/=ve/ e/1=ve/1 e/2=ve/2", differs: map[string]deviation{
		gokaInMem: {"e/=ve/ e/1=ve/1 e/2=ve/2 e0=ve0", "the limit is inclusive"},
	}},
	{name: "range without limit", run: func(_ *testing.T, s *subject) string {
		s.set("a", "b", "b1", "d")
		return s.rangeOf([]byte("b"), nil)
	}, want: "b=vb b1=vb1 d=vd", differs: map[string]deviation{
		levelDB:   {"b=vb b1=vb1", "takes the start for a prefix, against the interface's comment"},
		gokaInMem: {"b=vb b1=vb1", "takes the start for a prefix, against the interface's comment"},
	}},
	{name: "range with an empty limit, as views pass it", run: func(_ *testing.T, s *subject) string {
		s.set("a", "b", "b1", "d")
		return s.rangeOf([]byte("b"), []byte{})
	}, want: "b=vb b1=vb1 d=vd", differs: map[string]deviation{
		levelDB:   {"b=vb b1=vb1", "takes the start for a prefix"},
		gokaInMem: {"b=vb b1=vb1", "takes the start for a prefix"},
	}},
	{name: "range without start", run: func(_ *testing.T, s *subject) string {
		s.set("a", "b", "d")
		return s.rangeOf(nil, []byte("c"))
	}, want: "a=va b=vb"},
	{name: "range without both", run: func(_ *testing.T, s *subject) string {
		s.set("a", "b")
		return s.rangeOf(nil, nil)
	}, want: "a=va b=vb", differs: map[string]deviation{
		gokaInMem: {"", "the limit of an empty prefix is before all keys"},
	}},
	{name: "limit before start", run: func(_ *testing.T, s *subject) string {
		s.set("a", "b", "c")
		return s.rangeOf([]byte("c"), []byte("a"))
	}, want: ""},
	{name: "iterator is a snapshot", run: func(t *testing.T, s *subject) string {
		s.set("a", "b", "d")
		it, err := s.Iterator()
		must(t, err)
		defer it.Release()
		s.set("c")
		must(t, s.Delete("b"))
		must(t, s.Set("d", []byte("new")))
		return strings.Join(collect(t, it), " ")
	}, want: "a=va b=vb d=vd"},
	{name: "iterator before Next", run: func(t *testing.T, s *subject) string {
		s.set("a")
		it, err := s.Iterator()
		must(t, err)
		defer it.Release()
		value, err := it.Value()
		return fmt.Sprint(it.Key() == nil, value == nil, err)
	}, want: "true true <nil>", differs: map[string]deviation{
		gokaInMem: {"panic", "reads at index -1"},
	}},
	{name: "iterator after the end", run: func(t *testing.T, s *subject) string {
		s.set("a")
		it, err := s.Iterator()
		must(t, err)
		defer it.Release()
		collect(t, it)
		value, err := it.Value()
		return fmt.Sprint(it.Next(), it.Next(), it.Key() == nil, value == nil, err, it.Err())
	}, want: "false false true true <nil> <nil>"},
	{name: "released iterator", run: func(t *testing.T, s *subject) string {
		s.set("a", "b")
		it, err := s.Iterator()
		must(t, err)
		it.Next()
		it.Release()
		it.Release()
		return fmt.Sprint(it.Next(), it.Seek([]byte("a")), it.Key() == nil)
	}, want: "false false true"},

	{name: "seek, then read", run: func(t *testing.T, s *subject) string {
		s.set("a", "c", "d")
		it, err := s.Iterator()
		must(t, err)
		defer it.Release()
		found := it.Seek([]byte("b"))
		return fmt.Sprint(found, " ", pair(it), " ", it.Next(), " ", pair(it))
	}, want: "true c=vc true d=vd", differs: map[string]deviation{
		gokaInMem: {"false = false =", "looks for a key that starts with the argument"},
	}},
	{name: "seek, then read the key only", run: func(t *testing.T, s *subject) string {
		s.set("a", "c", "d")
		it, err := s.Iterator()
		must(t, err)
		defer it.Release()
		it.Seek([]byte("c"))
		key := string(it.Key())
		return fmt.Sprintf("%s %v %s", key, it.Next(), it.Key())
	}, want: "c true d"},
	{name: "seek, then read the value only", run: func(t *testing.T, s *subject) string {
		s.set("a", "c", "d")
		it, err := s.Iterator()
		must(t, err)
		defer it.Release()
		it.Seek([]byte("c"))
		value, err := it.Value()
		must(t, err)
		found := string(value)
		return fmt.Sprintf("%s %v %s", found, it.Next(), it.Key())
	}, want: "vc true d"},
	{name: "seek, then next, as the interface says", run: func(t *testing.T, s *subject) string {
		s.set("a", "c", "d")
		it, err := s.Iterator()
		must(t, err)
		defer it.Release()
		found := it.Seek([]byte("c"))
		return fmt.Sprint(found, " ", it.Next(), " ", pair(it))
	}, want: "true true c=vc", differs: map[string]deviation{
		levelDB:   {"true true d=vd", "Next skips the pair that Seek found"},
		gokaInMem: {"true true d=vd", "Next skips the pair that Seek found"},
	}},
	{name: "seek through the merging iterator of views", run: func(t *testing.T, s *subject) string {
		s.set("a", "c", "d")
		it, err := s.Iterator()
		must(t, err)
		merged := storage.NewMultiIterator([]storage.Iterator{it})
		defer merged.Release()
		found := merged.Seek([]byte("c"))
		return fmt.Sprint(found, collect(t, merged))
	}, want: "true [c=vc d=vd]"},
	{name: "seek backwards", run: func(t *testing.T, s *subject) string {
		s.set("a", "b", "c")
		it, err := s.Iterator()
		must(t, err)
		defer it.Release()
		collect(t, it)
		return fmt.Sprint(it.Seek([]byte("a")), " ", pair(it))
	}, want: "true a=va", differs: map[string]deviation{
		gokaInMem: {"false =", "goes forward only"},
	}},
	{name: "seek behind the end", run: func(t *testing.T, s *subject) string {
		s.set("a", "b")
		it, err := s.Iterator()
		must(t, err)
		defer it.Release()
		return fmt.Sprint(it.Seek([]byte("c")), it.Key() == nil, it.Next())
	}, want: "false true false"},
	{name: "seek stays in the range", run: func(t *testing.T, s *subject) string {
		s.set("a", "b", "c", "d")
		it, err := s.IteratorWithRange([]byte("b"), []byte("c"))
		must(t, err)
		defer it.Release()
		low := fmt.Sprint(it.Seek([]byte("a")), " ", pair(it))
		return low + " " + fmt.Sprint(it.Seek([]byte("c")))
	}, want: "true b=vb false", differs: map[string]deviation{
		gokaInMem: {"false = false", "looks for a key that starts with the argument"},
	}},

	{name: "use after close", run: func(t *testing.T, s *subject) string {
		s.set("a")
		must(t, s.Close())
		_, getErr := s.Get("a")
		_, hasErr := s.Has("a")
		_, offsetErr := s.GetOffset(0)
		_, iterErr := s.Iterator()
		_, rangeErr := s.IteratorWithRange(nil, nil)
		errs := []error{getErr, hasErr, offsetErr, iterErr, rangeErr,
			s.Set("a", []byte("x")), s.Delete("a"), s.SetOffset(1), s.MarkRecovered()}
		got := 0
		for _, err := range errs {
			if errors.Is(err, ErrClosed) {
				got++
			}
		}
		return fmt.Sprintf("%d of %d", got, len(errs))
	}, want: "9 of 9", differs: map[string]deviation{
		levelDB:   {"0 of 9", "has errors of its own for some, and none for iterators and SetOffset"},
		gokaInMem: {"0 of 9", "cannot be closed"},
	}},
	{name: "close twice", run: func(t *testing.T, s *subject) string {
		must(t, s.Close())
		return outcome(s.Close())
	}, want: "ok", differs: map[string]deviation{
		levelDB: {"panic", "closes a channel twice; Goka's proxy calls once"},
	}},
	{name: "iterator at its end at close", run: func(t *testing.T, s *subject) string {
		s.set("a")
		it, err := s.Iterator()
		must(t, err)
		defer it.Release()
		collect(t, it)
		must(t, s.Close())
		return fmt.Sprint(it.Next(), it.Err())
	}, want: "false <nil>"},
	{name: "iterator open at close", run: func(t *testing.T, s *subject) string {
		s.set("a", "b")
		it, err := s.Iterator()
		must(t, err)
		it.Next()
		must(t, s.Close())
		defer it.Release()
		return fmt.Sprintf("%s next %v seek %v closed %v", it.Key(), it.Next(), it.Seek([]byte("a")), errors.Is(it.Err(), ErrClosed))
	}, want: "a next false seek false closed true", differs: map[string]deviation{
		levelDB:   {"a next true seek true closed false", "iterators go on; LevelDB counts references"},
		gokaInMem: {"a next true seek false closed false", "iterators are copies"},
	}},
}

func TestContract(t *testing.T) {
	for name, build := range backends(t) {
		for i, c := range contracts {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				want := c.want
				if d, ok := c.differs[name]; ok {
					want = d.outcome
				}
				if got := runContract(t, build, int32(i), c); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		}
	}
}

// The two Pebble backends must not deviate, and a deviation has to be one.
func TestContractDeviations(t *testing.T) {
	for _, c := range contracts {
		for name, d := range c.differs {
			if name != levelDB && name != gokaInMem {
				t.Errorf("%s: %s must keep the contract", c.name, name)
			}
			if d.outcome == c.want || d.reason == "" {
				t.Errorf("%s: %s: not a deviation, or no reason", c.name, name)
			}
		}
	}
}

func runContract(t *testing.T, build storage.Builder, partition int32, c contract) (got string) {
	open := func() storage.Storage {
		st, err := build("topic", partition)
		must(t, err)
		must(t, st.Open())
		return st
	}
	st := open()
	// Only Goka's own stores panic; they are left open then, in a directory of the test.
	defer func() {
		if r := recover(); r != nil {
			got = "panic"
			return
		}
	}()
	got = c.run(t, &subject{t: t, Storage: st, reopen: open})
	if _, ok := st.(*Store); ok {
		must(t, st.Close())
	}
	return got
}
