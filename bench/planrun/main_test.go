package main

import (
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/internal/capacity"
)

func TestConfigOf(t *testing.T) {
	for _, args := range [][]string{
		{"-sizes", "5000"}, {"-sizes", "5000,9000,60000"}, {"-sizes", "50,200,800"}, {"-sizes", "5000,x,60000"}, {"-sizes", ""},
		{"-partitions", "0"}, {"-rounds", "0"}, {"-partition-orders", "10"}, {"one"}, {"-none"},
	} {
		if c, err := configOf(args, io.Discard); err == nil {
			t.Errorf("%q: %+v", args, c)
		}
	}
	c, err := configOf(nil, io.Discard)
	if err != nil || !slices.Equal(c.sizes, []int{50_000, 200_000, 800_000}) || c.partitionOrders != 200_000 || c.provisional != "" || filepath.Base(c.out) != "measured.json" {
		t.Errorf("%+v, %v", c, err)
	}
	c, err = configOf([]string{"-sizes", "5000,20000,60000", "-partition-orders", "7000"}, io.Discard)
	if err != nil || c.partitionOrders != 7000 || !strings.Contains(c.provisional, "sizes of 5000,20000,60000") {
		t.Errorf("small sizes: %+v, %v", c, err)
	}
}

func TestSumOf(t *testing.T) {
	const text = `# HELP sent_total Bytes.
# TYPE sent_total counter
sent_total{client="a } b",cluster="source"} 1.5e3
sent_total{client="producer"} 500 1700000000000
sent_total_other 9
received_total 7
broken{a="b"} x
empty{a="b"}
`
	for name, want := range map[string]float64{"sent_total": 2000, "received_total": 7} {
		if got, err := sumOf(text, name); err != nil || got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"none", "sent", "broken", "empty"} {
		if got, err := sumOf(text, name); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestKindOf(t *testing.T) {
	d := &deployment{name: "orders-5000"}
	for topic, want := range map[string]string{
		"orders-5000-gate-table": "table", "orders-5000-organizers-table": "table", "orders-5000-events": "internal", "orders-5000-gate-loop": "internal",
		"slim-orders-5000-orders": "slim", "legacy-orders-5000-orders_done": "legacy", "orders-50000-events": "", "legacy-orders-50000-events": "", "slim-orders-50000-orders": "", "__consumer_offsets": "",
	} {
		var k disk
		got := ""
		if size := d.kindOf(topic, &k); size != nil {
			*size = 1
			got = map[disk]string{{table: 1}: "table", {internal: 1}: "internal", {slim: 1}: "slim", {legacy: 1}: "legacy"}[k]
		}
		if got != want {
			t.Errorf("%s: %q, want %q", topic, got, want)
		}
	}
}

func TestMachine(t *testing.T) {
	if got := cpuModel("processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nmodel name\t: Another\n"); got != "Some CPU @ 3 GHz" {
		t.Errorf("%q", got)
	}
	if got := cpuModel(""); got != "unknown" {
		t.Errorf("%q", got)
	}
	if got := gibOf("MemFree: 1 kB\nMemTotal:       16462848 kB\n"); got != 15.7 {
		t.Errorf("%v GiB", got)
	}
	if got, err := kafkaVersion("<properties><kafka.version>4.3.1</kafka.version></properties>"); err != nil || got != "4.3.1" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := kafkaVersion("<version>4</version>"); err == nil {
		t.Errorf("%q", got)
	}
}

func TestMedianOf(t *testing.T) {
	var all []capacity.Size
	for _, seconds := range []float64{9, 3, 5} {
		all = append(all, capacity.Size{EventPhase: capacity.Phase{Seconds: seconds}, OrderPhase: capacity.Phase{Seconds: 2 * seconds}})
	}
	if got := medianOf(all); got.EventPhase.Seconds != 5 {
		t.Errorf("%+v", got)
	}
	if got := medianOf(all[:1]); got.EventPhase.Seconds != 3 {
		t.Errorf("of one: %+v", got)
	}
}

func TestOffBy(t *testing.T) {
	good := []capacity.Deviation{{What: "a", Predicted: 124, Measured: 100}, {What: "b", Predicted: 76, Measured: 100}}
	if err := offBy(good); err != nil {
		t.Error(err)
	}
	for _, bad := range []capacity.Deviation{{What: "c", Predicted: 126, Measured: 100}, {What: "c", Predicted: 74, Measured: 100}, {What: "c", Predicted: 1}} {
		if err := offBy(append(good, bad)); err == nil || !strings.Contains(err.Error(), "c ") || strings.Contains(err.Error(), "a ") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
