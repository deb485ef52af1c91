package main

import (
	"os"
	"runtime/debug"
)

// gcPercent is the share of the heap that a reading of all topics lets pass as garbage: nearly all its memory is what is
// known of orders, which stays, and as much again would be a waste.
const gcPercent = 40

// saveMemory collects garbage early until restore is called. Who sets GOGC has decided otherwise.
func saveMemory() (restore func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(gcPercent)
	return func() { debug.SetGCPercent(before) }
}
