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
