package main

import (
	"runtime"
	"slices"
	"sync/atomic"
)

// orderedChunk is how many items are read together: enough that handing them over costs nothing beside it.
const orderedChunk = 32

// inOrder reads the items, on all processors at once, and calls what read returned, one after the other in the order of
// the items. It returns after the last call.
func inOrder[T any](items []T, read func(T) (take func())) {
	chunks := slices.Collect(slices.Chunk(items, orderedChunk))
	taking := make([]chan []func(), len(chunks))
	for i := range taking {
		taking[i] = make(chan []func(), 1)
	}
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), len(chunks)) {
		go func() {
			for i := next.Add(1) - 1; i < int64(len(chunks)); i = next.Add(1) - 1 {
				takes := make([]func(), len(chunks[i]))
				for n, item := range chunks[i] {
					takes[n] = read(item)
				}
				taking[i] <- takes
			}
		}()
	}
	for _, ready := range taking {
		for _, take := range <-ready {
			take()
		}
	}
}
