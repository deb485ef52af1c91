package main

import (
	"runtime/debug"
	"testing"
)

func TestSaveMemory(t *testing.T) {
	for _, test := range []struct {
		name, environment string
		want              int
	}{{"by itself", "", gcPercent}, {"GOGC", "400", 170}} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("GOGC", test.environment)
			defer debug.SetGCPercent(debug.SetGCPercent(170)) // as if the runtime had read something
			restore := saveMemory()
			during := debug.SetGCPercent(170)
			debug.SetGCPercent(during)
			restore()
			after := debug.SetGCPercent(170)
			if during != test.want || after != 170 {
				t.Errorf("%d %% while it saves, want %d; %d afterwards, want 170", during, test.want, after)
			}
		})
	}
}
