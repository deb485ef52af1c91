package main

import (
	"fmt"
	"strings"
)

// goal is what the bridge has to reach, of what is measured here.
type goal struct {
	what  string
	least bool // the bound is the least that is good, not the most
	bound float64
	// got is false where it was not measured.
	got func(*results) (value float64, got bool)
}

// latencyGoal is the bound of p99 under the load, milliseconds.
const latencyGoal = 50

// goalOrders is how many orders the goals speak of.
const goalOrders = 1_000_000

var goals = []goal{
	{"drain rate, bridge ÷ franz", true, 0.5, drainRatio("franz", rateOf)},
	{"drain rate, bridge ÷ kafka-streams", true, 2, drainRatio("kafka-streams", rateOf)},
	{"CPU per record, bridge ÷ kafka-streams", false, 0.4, drainRatio("kafka-streams", cpuOf)},
	{"peak memory, bridge ÷ kafka-streams", false, 0.3, drainRatio("kafka-streams", memoryOf)},
	{"latency at the load, p99, ms", false, latencyGoal, func(r *results) (float64, bool) {
		return r.latencyOf("bridge", p99Of).median, len(measuredOf(r.Latency, []string{"bridge"})) > 0
	}},
	{"cold recovery, s", false, 8, func(r *results) (float64, bool) {
		return spreadAmong(r.Recovery, "bridge", worksOf).median, len(measuredOf(r.Recovery, []string{"bridge"})) > 0
	}},
	{"CPU per record, most ÷ fewest known orders", false, 1.3, (*results).flatRatio},
	{"hand-over beyond the session timeout, s", false, 3, func(r *results) (float64, bool) {
		return spreadAmong(r.Handover, "bridge", beyondOf).median, len(measuredOf(r.Handover, []string{"bridge"})) > 0
	}},
}

// drainRatio holds the bridge against another.
func drainRatio(other string, figure func(*figures) float64) func(*results) (float64, bool) {
	return func(r *results) (float64, bool) {
		own, others := r.of("bridge", figure).median, r.of(other, figure).median
		return own / max(others, 1e-9), own > 0 && others > 0
	}
}

// goalTable has the goals that can be judged by what was measured.
func (r *results) goalTable([]string) string {
	var lines strings.Builder
	for _, g := range goals {
		value, got := g.got(r)
		if !got {
			continue
		}
		sign, reached := "≤", value <= g.bound
		if g.least {
			sign, reached = "≥", value >= g.bound
		}
		verdict := "missed"
		if reached {
			verdict = "reached"
		}
		fmt.Fprintf(&lines, "| %s | %s %g | %.2f | %s |\n", g.what, sign, g.bound, value, verdict)
	}
	if lines.Len() == 0 {
		return ""
	}
	note := ""
	if r.Orders < goalOrders {
		note = fmt.Sprintf(" (they are meant for %d orders, not for %d)", goalOrders, r.Orders)
	}
	return "Goals, by medians" + note + ":\n\n| | goal | measured | |\n|---|---|---|---|\n" + lines.String()
}
