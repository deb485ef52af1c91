package main

import (
	"os"
	"runtime/debug"
)

// gcPercent is how much garbage a reading of whole topics lets pass, as a share of the heap. For `verify`, nearly all memory
// is what is known of orders, which stays: as much again would be a waste. For `compare once` it is of bounded size, and
// what is garbage is so at once.
const gcPercent = 40

// saveMemory collects garbage early until restore is called. Who sets GOGC has decided otherwise.
func saveMemory() (restore func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(gcPercent)
	return func() { debug.SetGCPercent(before) }
}
