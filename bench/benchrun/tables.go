package main

import (
	"fmt"
	"slices"
	"strings"
)

// The tables of what is measured beside the drain; "" when it was not.

func p50Of(f *latencyFigures) float64     { return f.P50 }
func p99Of(f *latencyFigures) float64     { return f.P99 }
func p999Of(f *latencyFigures) float64    { return f.P999 }
func maxOf(f *latencyFigures) float64     { return f.Max }
func worksOf(f *recoveryFigures) float64  { return f.Works }
func beyondOf(f *handoverFigures) float64 { return f.Beyond }

func (r *results) latencyOf(name string, figure func(*latencyFigures) float64) spread {
	return spreadAmong(r.Latency, name, figure)
}

// measuredOf are those of the names that have figures.
func measuredOf[F interface{ who() string }](all []F, names []string) (some []string) {
	for _, name := range names {
		if slices.ContainsFunc(all, func(f F) bool { return f.who() == name }) {
			some = append(some, name)
		}
	}
	return some
}

func (r *results) withLatency(names []string) []string { return measuredOf(r.Latency, names) }

func (r *results) latencyTable(names []string) string {
	if len(r.Latency) == 0 {
		return ""
	}
	var b strings.Builder
	offered, seen := 0, 0
	for _, f := range r.Latency {
		offered, seen = offered+f.Offered, seen+f.Seen
	}
	fmt.Fprintf(&b, "Latency at %d orders/s, milliseconds from when an order is due until a consumer of the slim topic has it (%d offered, %d seen):\n\n", r.Latency[0].Load, offered, seen)
	b.WriteString("| | p50 | p99 | p99.9 | max | p99 until written | CPU s per 1,000,000 orders | broker's |\n|---|---|---|---|---|---|---|---|\n")
	for _, name := range r.withLatency(names) {
		of := func(figure func(*latencyFigures) float64) string { return cell(r.latencyOf(name, figure), 1) }
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", name, of(p50Of), of(p99Of), of(p999Of), of(maxOf),
			of(func(f *latencyFigures) float64 { return f.WrittenP99 }),
			of(func(f *latencyFigures) float64 { return f.perMillion(f.CPU) }),
			of(func(f *latencyFigures) float64 { return f.perMillion(f.BrokerCPU) }))
	}
	return b.String()
}

func (r *results) recoveryTable(names []string) string {
	if len(r.Recovery) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Cold recovery of the state of %d orders, seconds from the start of the process:\n\n", r.Orders)
	b.WriteString("| | state MiB | works after | says so after | rows | read within | rows/s | peak MiB |\n|---|---|---|---|---|---|---|---|\n")
	for _, name := range measuredOf(r.Recovery, names) {
		of := func(digits int, figure func(*recoveryFigures) float64) string {
			s := spreadAmong(r.Recovery, name, figure)
			if s.most == 0 {
				return "-"
			}
			return cell(s, digits)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", name,
			of(0, func(f *recoveryFigures) float64 { return f.StateMiB }), of(1, worksOf),
			of(1, func(f *recoveryFigures) float64 { return f.Ready }), of(0, func(f *recoveryFigures) float64 { return float64(f.Rows) }),
			of(2, func(f *recoveryFigures) float64 { return f.Restored }), of(0, (*recoveryFigures).rate),
			of(0, func(f *recoveryFigures) float64 { return f.PeakMiB }))
	}
	return b.String()
}

func (r *results) handoverTable(names []string) string {
	if len(r.Handover) == 0 {
		return ""
	}
	var b strings.Builder
	offered, seen := 0, 0
	for _, f := range r.Handover {
		offered, seen = offered+f.Offered, seen+f.Seen
	}
	fmt.Fprintf(&b, "One of two instances is killed, with %d orders in their state, under %d orders/s (%d offered, %d seen). The session timeout is %s:\n\n",
		r.Handover[0].Known, lightLoad, offered, seen, sessionTimeout)
	b.WriteString("| | longest wait of an order, s | beyond the session timeout |\n|---|---|---|\n")
	for _, name := range measuredOf(r.Handover, names) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, cell(spreadAmong(r.Handover, name, func(f *handoverFigures) float64 { return f.Gap }), 1),
			cell(spreadAmong(r.Handover, name, beyondOf), 1))
	}
	return b.String()
}
