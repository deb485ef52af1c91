package main

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

func TestInOrder(t *testing.T) {
	for _, n := range []int{0, 1, orderedChunk, orderedChunk + 1, 100 * orderedChunk} {
		items := make([]int, n)
		for i := range items {
			items[i] = i
		}
		var got []int // of which the race detector knows that it is written by one goroutine at a time
		inOrder(items, func(i int) func() {
			return func() { got = append(got, i) }
		})
		if !slices.Equal(got, items) {
			t.Errorf("%d items: taken in another order, or not all: %v", n, got)
		}
	}
}

// Items are read at once: the first two that are begun wait for each other.
func TestInOrderReadsAtOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	var begun atomic.Int32
	meet := make(chan struct{})
	taken := 0
	inOrder(make([]int, 2*orderedChunk), func(int) func() {
		var met bool
		deadline := time.After(time.Minute)
		switch begun.Add(1) {
		case 1:
			select {
			case meet <- struct{}{}:
				met = true
			case <-deadline:
			}
		case 2:
			select {
			case <-meet:
				met = true
			case <-deadline:
			}
		default:
			met = true
		}
		if !met {
			t.Error("an item waits alone")
		}
		return func() { taken++ }
	})
	if taken != 2*orderedChunk {
		t.Errorf("%d taken", taken)
	}
}
