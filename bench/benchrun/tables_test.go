package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
)

func TestTables(t *testing.T) {
	r := &results{Orders: 1_000_000, Records: 2, Bytes: 2000, Partitions: 4, CPUs: 2, Go: "go1"}
	for round, factor := range []float64{1, 2, 4} {
		r.Rounds = append(r.Rounds,
			&figures{Contestant: "bridge", Round: round, Rate: 100, CPU: 5, PeakMiB: 40},
			&figures{Contestant: "kafka-streams", Round: round, Rate: 40, CPU: 10, PeakMiB: 100})
		r.Latency = append(r.Latency,
			&latencyFigures{Contestant: "bridge", Round: round, Load: 2000, Offered: 1000, Seen: 1000, P50: 10, P99: 20 * factor, P999: 90, Max: 200, WrittenP99: 3, CPU: 2, BrokerCPU: 1},
			&latencyFigures{Contestant: "kafka-streams", Round: round, Load: 2000, Offered: 1000, Seen: 1000, P50: 30, P99: 120, P999: 400, Max: 900, WrittenP99: 3, CPU: 8, BrokerCPU: 3})
		r.Recovery = append(r.Recovery,
			&recoveryFigures{Contestant: "bridge", Round: round, StateMiB: 300, Works: 5 * factor, Ready: 4, Rows: 3_000_000, Restored: 2, PeakMiB: 90},
			&recoveryFigures{Contestant: "kafka-streams", Round: round, StateMiB: 500, Works: 40, PeakMiB: 600})
		r.Handover = append(r.Handover,
			&handoverFigures{Contestant: "bridge", Round: round, Known: 100_000, Offered: 10, Seen: 10, Gap: 17, Beyond: 2},
			&handoverFigures{Contestant: "kafka-streams", Round: round, Known: 100_000, Offered: 10, Seen: 10, Gap: 20, Beyond: 5})
	}
	const want = `
Latency at 2000 orders/s, milliseconds from when an order is due until a consumer of the slim topic has it (6000 offered, 6000 seen):

| | p50 | p99 | p99.9 | max | p99 until written | CPU s per 1,000,000 orders | broker's |
|---|---|---|---|---|---|---|---|
| bridge | 10.0 (10.0 to 10.0) | 40.0 (20.0 to 80.0) | 90.0 (90.0 to 90.0) | 200.0 (200.0 to 200.0) | 3.0 (3.0 to 3.0) | 2000.0 (2000.0 to 2000.0) | 1000.0 (1000.0 to 1000.0) |
| kafka-streams | 30.0 (30.0 to 30.0) | 120.0 (120.0 to 120.0) | 400.0 (400.0 to 400.0) | 900.0 (900.0 to 900.0) | 3.0 (3.0 to 3.0) | 8000.0 (8000.0 to 8000.0) | 3000.0 (3000.0 to 3000.0) |

Cold recovery of the state of 1000000 orders, seconds from the start of the process:

| | state MiB | works after | says so after | rows | read within | rows/s | peak MiB |
|---|---|---|---|---|---|---|---|
| bridge | 300 (300 to 300) | 10.0 (5.0 to 20.0) | 4.0 (4.0 to 4.0) | 3000000 (3000000 to 3000000) | 2.00 (2.00 to 2.00) | 1500000 (1500000 to 1500000) | 90 (90 to 90) |
| kafka-streams | 500 (500 to 500) | 40.0 (40.0 to 40.0) | - | - | - | - | 600 (600 to 600) |

One of two instances is killed, with 100000 orders in their state, under 200 orders/s (60 offered, 60 seen). The session timeout is 15s:

| | longest wait of an order, s | beyond the session timeout |
|---|---|---|
| bridge | 17.0 (17.0 to 17.0) | 2.0 (2.0 to 2.0) |
| kafka-streams | 20.0 (20.0 to 20.0) | 5.0 (5.0 to 5.0) |

Goals, by medians:

| | goal | measured | |
|---|---|---|---|
| drain rate, bridge ÷ kafka-streams | ≥ 2 | 2.50 | reached |
| CPU per record, bridge ÷ kafka-streams | ≤ 0.4 | 0.50 | missed |
| peak memory, bridge ÷ kafka-streams | ≤ 0.3 | 0.40 | missed |
| latency at the load, p99, ms | ≤ 50 | 40.00 | reached |
| cold recovery, s | ≤ 8 | 10.00 | missed |
| hand-over beyond the session timeout, s | ≤ 3 | 2.00 | reached |
`
	names := []string{"sarama", "bridge", "kafka-streams"}
	table := r.table(names)
	if _, rest, _ := strings.Cut(table, "\nLatency"); "\nLatency"+rest != want {
		t.Errorf("prints\n%s\nwant at its end\n%s", table, want)
	}
	dir := t.TempDir()
	if err := r.write(dir, names, io.Discard); err != nil {
		t.Fatal(err)
	}
	if found := elements(t, filepath.Join(dir, "latency.svg")); found["circle"] != 2 || found["path"] != 2 {
		t.Errorf("a plot of two contestants has %v", found)
	}
	// The goal is within the scale, also where everybody is slower.
	slow := &results{Latency: []*latencyFigures{{Contestant: "bridge", P50: 400, P99: 500, P999: 600, Max: 700}}}
	if plot := slow.latencyPlot(names); !strings.Contains(plot, ">10</text>") || !strings.Contains(plot, ">1000</text>") {
		t.Errorf("the scale does not go from 10 to 1000: %s", plot)
	}
}
