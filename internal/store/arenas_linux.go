//go:build cgo && linux

package store

/*
#include <malloc.h>

// Before main, and so before any thread: the first thread that allocates fixes the number of arenas.
static void __attribute__((constructor)) set_malloc(void) {
#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX, 1);
#endif
#ifdef M_MMAP_THRESHOLD
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
}
*/
import "C"

// Pebble keeps its cache and memtables in C memory. glibc gives each thread an arena of its own there, and what is
// freed in one is of no use to the others: memory rises long after the cache is full. While 960,000 legacy records were
// read with a cache of 64 MiB, an instance had 328 MiB at most and most of it to the end; with one arena, 259 and 215.
//
// The threshold is that above which memory comes from the kernel and goes back to it. Unless it is set, glibc raises it
// when the first memtable is freed, and all later ones are cut out of the arena among the blocks of the cache.
