package store

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/lovoo/goka/storage"
	"github.com/syndtr/goleveldb/leveldb/util"
)

// Each benchmark runs against this package and against Goka's LevelDB in the same
// process, on disk, with values of a typical gate state.

const (
	benchEvents    = 400
	benchPerEvent  = 500
	benchKeys      = benchEvents * benchPerEvent
	benchValueSize = 200
)

func benchKey(i int) string {
	return fmt.Sprintf("%024x/%024x", i/benchPerEvent, i%benchPerEvent)
}

func benchValue(w *Waiting) []byte {
	payload := make([]byte, benchValueSize)
	for i := range payload {
		payload[i] = byte(rand.Uint32()) // does not compress
	}
	if w == nil {
		return plainValue(string(payload))
	}
	return waitingValue(*w, string(payload))
}

// onBoth runs a benchmark on both backends, recovered, with benchKeys keys of which
// the share waiting waits (one in waitingEvery; 0: none).
func onBoth(b *testing.B, waitingEvery int, run func(b *testing.B, st storage.Storage, keys []string)) {
	keys := make([]string, benchKeys)
	for i := range keys {
		keys[i] = benchKey(i)
	}
	pebble := func(b *testing.B) storage.Builder {
		return newTestRegistry(b, Options{Dir: b.TempDir(), Indexer: testIndexer}).Builder()
	}
	level := func(b *testing.B) storage.Builder { return storage.DefaultBuilder(b.TempDir()) }
	for name, builder := range map[string]func(*testing.B) storage.Builder{"pebble": pebble, "leveldb": level} {
		b.Run(name, func(b *testing.B) {
			st, err := builder(b)(testTopic, testPartition)
			must(b, err)
			must(b, st.Open())
			for i, key := range keys {
				var w *Waiting
				if waitingEvery > 0 && i%waitingEvery == 0 {
					w = &Waiting{Reason: 1, Since: 1, Deadline: int64(i + 1)}
				}
				must(b, st.Set(key, benchValue(w)))
			}
			must(b, st.MarkRecovered())
			b.ReportAllocs()
			b.ResetTimer()
			run(b, st, keys)
			b.StopTimer()
			must(b, st.Close())
		})
	}
}

func BenchmarkGet(b *testing.B) {
	onBoth(b, 0, func(b *testing.B, st storage.Storage, keys []string) {
		for range b.N {
			if _, err := st.Get(keys[rand.IntN(len(keys))]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSet(b *testing.B) {
	value := benchValue(nil)
	onBoth(b, 0, func(b *testing.B, st storage.Storage, keys []string) {
		for range b.N {
			if err := st.Set(keys[rand.IntN(len(keys))], value); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Set of keys that do not wait while others do: the index is looked at.
func BenchmarkSetWhileOthersWait(b *testing.B) {
	value := benchValue(nil)
	onBoth(b, 100, func(b *testing.B, st storage.Storage, keys []string) {
		for range b.N {
			i := rand.IntN(len(keys))
			if i%100 == 0 {
				i++
			}
			if err := st.Set(keys[i], value); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A key is parked and released: its index entries come and go.
func BenchmarkParkAndRelease(b *testing.B) {
	parked, released := benchValue(&Waiting{Reason: 1, Since: 1, Deadline: 5}), benchValue(nil)
	onBoth(b, 100, func(b *testing.B, st storage.Storage, keys []string) {
		for range b.N {
			key := keys[rand.IntN(len(keys))]
			if err := st.Set(key, parked); err != nil {
				b.Fatal(err)
			}
			if err := st.Set(key, released); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSetOffset(b *testing.B) {
	onBoth(b, 0, func(b *testing.B, st storage.Storage, _ []string) {
		for i := range b.N {
			if err := st.SetOffset(int64(i)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// What one message costs in the state of a processor: read, write, acknowledge.
func BenchmarkMessage(b *testing.B) {
	value := benchValue(nil)
	onBoth(b, 100, func(b *testing.B, st storage.Storage, keys []string) {
		for i := range b.N {
			key := keys[rand.IntN(len(keys))]
			if _, err := st.Get(key); err != nil {
				b.Fatal(err)
			}
			if err := st.Set(key, value); err != nil {
				b.Fatal(err)
			}
			if err := st.SetOffset(int64(i)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Recovery of a table from its changelog: every key is new. Of those that are there already none waits, or one of 100.
func BenchmarkRecover(b *testing.B) {
	value := benchValue(nil)
	for name, waitingEvery := range map[string]int{"none waits": 0, "others wait": 100} {
		b.Run(name, func(b *testing.B) {
			onBoth(b, waitingEvery, func(b *testing.B, st storage.Storage, _ []string) {
				for i := range b.N {
					if err := st.Set(benchKey(benchKeys+i), value); err != nil {
						b.Fatal(err)
					}
					if err := st.SetOffset(int64(i)); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// Recovery of rows that come a dozen times each, as those of events do, with and without holding back what comes again.
func BenchmarkRecoverVersions(b *testing.B) {
	const keys, bytes = 10_000, 2300
	value := plainValue(strings.Repeat("half of it is the same", bytes/2/22))
	for len(value) < bytes {
		value = append(value, byte(rand.Uint32()))
	}
	for name, limit := range map[string]int64{"held": heldBudget, "written": 0} {
		b.Run(name, func(b *testing.B) {
			r := newTestRegistry(b, Options{Dir: b.TempDir(), Indexer: testIndexer})
			r.shared.held.limit = limit
			s := openTestStore(b, r)
			for i := range b.N {
				must(b, s.Set(benchKey(rand.IntN(keys)), value))
				must(b, s.SetOffset(int64(i)))
			}
			must(b, s.MarkRecovered())
			must(b, s.Close())
		})
	}
}

// A page of 500 parked keys of one event. LevelDB has no index: it reads the values
// of the event's keys, all of which are parked here, the best case for it.
func BenchmarkPageOf500(b *testing.B) {
	onBoth(b, 1, func(b *testing.B, st storage.Storage, keys []string) {
		for range b.N {
			prefix := keys[rand.IntN(benchEvents)*benchPerEvent][:25]
			if n := pageOf500(b, st, prefix); n != 500 {
				b.Fatalf("%d keys", n)
			}
		}
	})
}

// The same for an event with one parked key among 500.
func BenchmarkOneParkedOf500(b *testing.B) {
	onBoth(b, benchPerEvent, func(b *testing.B, st storage.Storage, keys []string) {
		for range b.N {
			prefix := keys[rand.IntN(benchEvents)*benchPerEvent][:25]
			if n := pageOf500(b, st, prefix); n != 1 {
				b.Fatalf("%d keys", n)
			}
		}
	})
}

func pageOf500(b *testing.B, st storage.Storage, prefix string) (n int) {
	b.Helper()
	if s, ok := st.(*Store); ok {
		must(b, s.ScanWaiting(prefix, "", 500, func(string, Waiting) bool { n++; return true }))
		return n
	}
	limit := util.BytesPrefix([]byte(prefix)).Limit
	it, err := st.IteratorWithRange([]byte(prefix), limit)
	must(b, err)
	defer it.Release()
	for n < 500 && it.Next() {
		value, err := it.Value()
		must(b, err)
		if _, waits := testIndexer(string(it.Key()), value); waits {
			n++
		}
	}
	return n
}

// The deadline index works like a queue, whose front fills with deleted entries.
func BenchmarkScanDueBehindReleased(b *testing.B) {
	s := openTestStore(b, newTestRegistry(b, Options{Dir: b.TempDir(), Indexer: testIndexer}))
	for i := range benchKeys {
		must(b, s.Set(benchKey(i), waitingValue(Waiting{Deadline: int64(i + 1)}, "")))
	}
	for i := range benchKeys - 500 {
		must(b, s.Set(benchKey(i), plainValue("")))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		n := 0
		must(b, s.ScanDue(benchKeys, 500, func(string, Waiting) bool { n++; return true }))
		if n != 500 {
			b.Fatalf("%d due", n)
		}
	}
}
