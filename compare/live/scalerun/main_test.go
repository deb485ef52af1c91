package main

import (
	"io"
	"slices"
	"testing"
)

func TestConfigOf(t *testing.T) {
	for _, args := range [][]string{{"-orders", "0"}, {"-instances", "0"}, {"-instances", "1,5"}, {"-instances", ""}, {"one"}, {"-none"}} {
		if c, err := configOf(args, io.Discard); err == nil {
			t.Errorf("%q: %+v", args, c)
		}
	}
	c, err := configOf([]string{"-instances", "1,4", "-orders", "7"}, io.Discard)
	if err != nil || !slices.Equal(c.instances, []int{1, 4}) || c.orders != 7 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestMetric(t *testing.T) {
	text := "# HELP vibe_bridge_compare_horizon_age_seconds How long ago\nvibe_bridge_compare_horizon_age_seconds 0.25\nvibe_bridge_compare_audit_duration_seconds x\n"
	for name, want := range map[string]float64{"horizon_age_seconds": 0.25, "audit_duration_seconds": -1, "verdict": -1} {
		if got := metric(text, name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestProcessorTime(t *testing.T) {
	stat := "7 (a (name) b) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 0"
	if got, err := processorTimeIn(stat); err != nil || got != 2 {
		t.Errorf("%v, %v, want 2", got, err)
	}
	for _, short := range []string{"", "7 (x) S 1"} {
		if got, err := processorTimeIn(short); err == nil {
			t.Errorf("%q: %v", short, got)
		}
	}
}
