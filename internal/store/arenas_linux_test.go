//go:build cgo && linux

package store

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
)

// All threads that allocate for Pebble share one arena.
func TestOneArena(t *testing.T) {
	const stores = 8
	r := newTestRegistry(t, Options{Dir: t.TempDir(), Indexer: testIndexer, MemTableBytes: minMemTableBytes})
	var all sync.WaitGroup
	for i := range stores {
		st, err := r.Builder()(testTopic, int32(i))
		must(t, err)
		all.Go(func() {
			for k := range 5000 {
				if err := st.Set(fmt.Sprint("key-", k), plainValue(strings.Repeat("x", 100))); err != nil {
					t.Error(err)
					return
				}
				if _, err := st.Get(fmt.Sprint("key-", k/2)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if heaps := arenaHeaps(t); len(heaps) > 0 {
		t.Errorf("glibc has made arenas beside the main one, with their heaps at %q", heaps)
	}
}

// arenaHeaps are what glibc reserves for arenas beside the main one: 64 MiB each, aligned, of which the beginning can be
// written to. A part of Go's heap may look like that, too; but a heap of glibc begins with a heap_info, the fourth word of
// which is how much of it can be written to.
func arenaHeaps(t *testing.T) (heaps []string) {
	t.Helper()
	const heapBytes = 64 << 20
	file, err := os.Open("/proc/self/maps")
	must(t, err)
	defer file.Close()
	memory, err := os.Open("/proc/self/mem")
	must(t, err)
	defer memory.Close()
	var start, end uint64 // of a writable mapping that begins as a heap does
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		var from, to uint64
		if _, err := fmt.Sscanf(fields[0], "%x-%x", &from, &to); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		anonymous := len(fields) < 6
		switch {
		case anonymous && fields[1] == "rw-p" && from%heapBytes == 0:
			start, end = from, to
		case anonymous && fields[1] == "---p" && from == end && to-start == heapBytes:
			var info [4]uint64
			must(t, binary.Read(io.NewSectionReader(memory, int64(start), heapBytes), binary.NativeEndian, &info))
			if info[3] != end-start {
				continue
			}
			heaps = append(heaps, fmt.Sprintf("%x", start))
		}
	}
	return heaps
}
