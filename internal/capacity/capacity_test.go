package capacity

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/store"
)

// The package does no I/O and has no clock.
func TestImports(t *testing.T) {
	allowed := []string{"bytes", "cmp", "embed", "encoding/json", "errors", "fmt", "math", "slices", "sort", "strconv", "strings"}
	paths, err := filepath.Glob("*.go")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if name, _ := strconv.Unquote(i.Path.Value); !slices.Contains(allowed, name) {
				t.Errorf("%s imports %s", path, name)
			}
		}
	}
}

// round are coefficients to calculate with by hand.
func round() Coefficients {
	record := PerRecord{CPU: 100e-6, BrokerCPU: 50e-6, Received: 1000, Sent: 2000, Legacy: 500, Internal: 100, Table: 200, Slim: 300, TableRows: 1}
	return Coefficients{
		Event: record, Order: record, StateBytesPerEvent: 1000, StateBytesPerOrder: 200, StartSeconds: 2, RowsPerSecond: 100_000,
		HandOverSeconds: 8, TakeOverSeconds: 6, MemoryMiB: 150, SlimBytesPerEvent: 400, PartitionRecords: 10_000, PartitionCPU: 80e-6, IntakeCPU: 20e-6,
	}
}

func (p Plan) value(t *testing.T, group, name string) float64 {
	t.Helper()
	for _, l := range p.Lines {
		if l.Group == group && l.Name == name {
			return l.Value
		}
	}
	t.Fatalf("there is no line %s, %s", group, name)
	return 0
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

// A plan that was calculated on paper.
func TestPlanByHand(t *testing.T) {
	l := Load{OrdersPerSecond: 10_000, Events: 1e6, OrdersKept: 1e8, OrderRecords: 1, RefundShare: 0.1, RefundRecords: 2, EventRecords: 0.8}
	d := DefaultDeployment() // one spare, 2 cores, 0.6, skew 2, 100 MiB/s, 20 GiB, 3 brokers with 3 replicas
	p, err := New(l, d, round())
	if err != nil {
		t.Fatal(err)
	}
	// 10,000 × (1 + 0.1 × 2 + 0.8) = 20,000 records/s of 100 µs are 2 cores, and 2 ÷ (2 × 0.6) = 1.67 instances. 21 GB of
	// state ÷ 14 GiB are 1.40. So 2 serve, and 3 are planned.
	for _, c := range []struct {
		group, name string
		want        float64
	}{
		{"load", "orders and refunds", 12_000},
		{"load", "events and partners", 8_000},
		{"size", "instances' worth of work", 2 / 1.2},
		{"size", "partitions' worth of work", 20_000 * 2 / 6000.0},
		{"size", "partitions", 12},
		{"size", "instances", 3},
		{"processors", "all instances", 2},
		{"processors", "the fullest instance", 1},
		{"processors", "brokers, at least", 1},
		{"disk", "state, all instances", 21e9},
		{"disk", "state, the fullest instance", 10.5e9},
		{"disk", "state grows, in a day at this rate", 10_000 * 86400 * 200},
		{"disk", "the fullest disk is full after", (2*14*(1<<30) - 21e9) / 2e6},
		{"disk", "topics: tables", 2*(1.1e8+2e6)*200 + 600*20_000*200},
		{"disk", "topics: between the stages", 604_800 * 20_000 * 100},
		{"disk", "topics: slim", 2 * (1.1e8*300 + 1e6*400)},
		{"network", "in, all instances", 20e6},
		{"network", "out, the fullest instance", 20e6},
		{"network", "in, each broker", 40e6},
		{"network", "out, each broker", (20e6 + 80e6) / 3},
		{"memory", "each instance, at most", 278 * (1 << 20)},
		{"times", "start with its state", 2},
		{"times", "start with an empty folder", 2 + (2*1.12e8+600*20_000)/2/1e5},
		{"times", "hand-over when an instance is killed", 21},
		{"times", "the same, to instances that have not had its partitions", 8 + (2*1.12e8+600*20_000)/3/1e5},
	} {
		if got := p.value(t, c.group, c.name); !near(got, c.want) {
			t.Errorf("%s, %s: %v, want %v", c.group, c.name, got, c.want)
		}
	}
	// Per order 200 µs: two instances with 2.4 cores to use do 12,000. One partition of 12 that has twice the average:
	// 12 × 6,000 ÷ (2 × 2 records).
	want := []Limit{
		{What: "processors of the instances", OrdersPerSecond: 12_000},
		{What: "network into the brokers", OrdersPerSecond: 3 * 60 * (1 << 20) / 12_000.0},
		{What: "the sequence of the busiest partition", OrdersPerSecond: 18_000},
		{What: "network out of the brokers", OrdersPerSecond: 3 * 60 * (1 << 20) / 10_000.0},
		{What: "network out of the instances", OrdersPerSecond: 2 * 60 * (1 << 20) / 4_000.0},
		{What: "network into the instances", OrdersPerSecond: 2 * 60 * (1 << 20) / 2_000.0},
	}
	if len(p.Limits) != len(want) {
		t.Fatalf("limits: %+v", p.Limits)
	}
	for i, w := range want {
		if got := p.Limits[i]; got.What != w.What || !near(got.OrdersPerSecond, w.OrdersPerSecond) {
			t.Errorf("limit %d: %s at %v, want %s at %v", i, got.What, got.OrdersPerSecond, w.What, w.OrdersPerSecond)
		}
	}
	// At full use 20,000: an hour of 10,000 is made up in an hour.
	if got := p.value(t, "times", "an hour's stop is made up after"); !near(got, 3600) {
		t.Errorf("an hour is made up after %v", got)
	}
	if len(p.Faults) > 0 || len(p.Unknown) == 0 {
		t.Errorf("faults %q, unknown %q", p.Faults, p.Unknown)
	}
}

// What was asked for and does not do is said.
func TestFaults(t *testing.T) {
	load := func(change func(*Load)) Load {
		l := DefaultLoad()
		l.OrdersPerSecond, l.Events, l.OrdersKept = 1000, 1000, 1e6
		change(&l)
		return l
	}
	for _, c := range []struct {
		name string
		load func(*Load)
		with func(*Deployment)
		want string
	}{
		{"too few instances", func(l *Load) { l.OrdersPerSecond = 1e5 }, func(d *Deployment) { d.Instances = 2 }, "processors of the instances: at"},
		{"too few partitions", func(l *Load) { l.OrdersPerSecond = 1e5 }, func(d *Deployment) { d.Partitions = 12 }, "the sequence of the busiest partition: at"},
		{"more instances than partitions", func(*Load) {}, func(d *Deployment) { d.Instances, d.Partitions = 9, 8 }, "9 instances, but 8 partitions"},
		{"too small a disk", func(l *Load) { l.OrdersKept = 1e9 }, func(d *Deployment) { d.Instances = 3 }, "does not fit in 0.7 of its disk of 20 GiB"},
		{"too small a disk of a broker", func(*Load) {}, func(d *Deployment) { d.BrokerDiskGiB = 1 }, "shorten internal_retention"},
		{"too thin a cable", func(*Load) {}, func(d *Deployment) { d.NetworkMiB, d.Instances = 1, 2 }, "network out of the instances: at"},
		{"fine", func(*Load) {}, func(*Deployment) {}, ""},
		{"many instances, and as many partitions as they want", func(*Load) {}, func(d *Deployment) { d.Instances = 30 }, ""},
	} {
		d := DefaultDeployment()
		c.with(&d)
		p, err := New(load(c.load), d, round())
		if all := strings.Join(p.Faults, "; "); err != nil || c.want == "" && all != "" || !strings.Contains(all, c.want) {
			t.Errorf("%s: %q, %v; want %q", c.name, all, err, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		load func(*Load)
		with func(*Deployment)
		want string
	}{
		{func(l *Load) { l.OrdersPerSecond = 0 }, nil, "--orders-per-second 0: want 0.001 to 10000000"},
		{func(l *Load) { l.OrdersPerSecond = math.NaN() }, nil, "--orders-per-second NaN: want"},
		{func(l *Load) { l.Events = -1 }, nil, "--events -1: want 1 to"},
		{func(l *Load) { l.OrdersKept = math.Inf(1) }, nil, "--orders-kept +Inf: want"},
		{func(l *Load) { l.RefundShare = -0.1 }, nil, "--refund-share -0.1: want 0 to 10"},
		{nil, func(d *Deployment) { d.Utilisation = 60 }, "--utilisation 60: want 0.05 to 1"},
		{nil, func(d *Deployment) { d.Replication = 4 }, "--replication 4: there are 3 brokers (--brokers)"},
		{nil, func(d *Deployment) { d.Instances, d.Spare = 1, 1 }, "--instances 1: with --spare 1 away none is left"},
		{nil, func(d *Deployment) { d.Skew, d.Partitions = 13, 12 }, "--skew 13: of 12 partitions"},
		{nil, func(d *Deployment) { d.SessionTimeout = 5 }, "--session-timeout: 5 s: want 7 s to 5 min"},
	} {
		l, d := DefaultLoad(), DefaultDeployment()
		l.OrdersPerSecond, l.Events, l.OrdersKept = 1, 1, 1
		if c.load != nil {
			c.load(&l)
		}
		if c.with != nil {
			c.with(&d)
		}
		if _, err := New(l, d, round()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	if _, err := New(Load{}, Deployment{}, Coefficients{}); err == nil {
		t.Error("nothing at all is planned")
	}
}

func drawLoad(t *rapid.T) Load {
	l := DefaultLoad()
	l.OrdersPerSecond = rapid.Float64Range(0.01, 1e6).Draw(t, "orders/s")
	l.Events = rapid.Float64Range(1, 1e7).Draw(t, "events")
	l.OrdersKept = rapid.Float64Range(1, 1e10).Draw(t, "kept")
	l.RefundShare = rapid.Float64Range(0, 1).Draw(t, "refunds")
	return l
}

// What the plan chooses itself does, nothing is negative or no number, and more load never takes less.
func TestPlanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, d := drawLoad(t), DefaultDeployment()
		d.Cores = rapid.Float64Range(0.5, 64).Draw(t, "cores")
		d.Spare = rapid.IntRange(0, 3).Draw(t, "spare")
		d.Brokers = 1000 // their cables are given, not chosen
		p, err := New(l, d, round())
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Faults) > 0 {
			t.Fatalf("faults: %q", p.Faults)
		}
		if n := p.Deployment.Instances; n > p.Deployment.Partitions {
			t.Fatalf("%d instances, %d partitions", n, p.Deployment.Partitions)
		}
		for _, line := range p.Lines {
			if !(line.Value >= 0) || math.IsInf(line.Value, 0) || line.From == "" {
				t.Fatalf("%+v", line)
			}
		}
		if !slices.IsSortedFunc(p.Limits, func(a, b Limit) int { return int(math.Copysign(1, a.OrdersPerSecond-b.OrdersPerSecond)) }) {
			t.Fatalf("limits: %+v", p.Limits)
		}
		l.OrdersPerSecond, l.OrdersKept = 2*l.OrdersPerSecond, 2*l.OrdersKept
		more, err := New(l, d, round())
		if err != nil {
			t.Fatal(err)
		}
		if more.Deployment.Instances < p.Deployment.Instances || more.Deployment.Partitions < p.Deployment.Partitions {
			t.Fatalf("twice the load takes less: %+v, then %+v", p.Deployment, more.Deployment)
		}
	})
}

// sizes of which every figure is a line, with something that every start costs.
func madeUpSizes() []Size {
	phase := func(records, seconds float64) Phase {
		return Phase{
			Records: records, Seconds: 3 + records*seconds, CPU: 1 + records*100e-6, BrokerCPU: 2 + records*50e-6, ReceivedMiB: 1 + records*1000/mib,
			SentMiB: 1 + records*2000/mib, LegacyMiB: records * 500 / mib, InternalMiB: records * 100 / mib, TableMiB: records * 200 / mib,
			SlimMiB: records * 300 / mib, TableRows: records, PeakMiB: 150,
		}
	}
	var all []Size
	for _, n := range []int{1000, 4000, 16_000} {
		s := Size{Orders: 10 * n, Events: n, Refunds: n / 2, EventPhase: phase(float64(5*n), 1e-4), OrderPhase: phase(float64(11*n), 2e-4), WarmSeconds: 2}
		s.EventPhase.StateMiB, s.OrderPhase.StateMiB = 1+float64(n)*1000/mib, 2+float64(10*n)*200/mib
		s.ColdSeconds = 2 + s.rows()/100_000
		all = append(all, s)
	}
	return all
}

// From lines, the coefficients are their slopes, and the largest size is predicted without deviation.
func TestFit(t *testing.T) {
	one := OnePartition{Records: 10_000, CPU: 80e-6, IntakeCPU: 20e-6}
	sizes := madeUpSizes()
	c, err := Fit(sizes, one, HandOver{OrderlySeconds: 8, KilledSeconds: 21, SessionTimeoutSeconds: 15})
	if err != nil {
		t.Fatal(err)
	}
	want := round()
	want.SlimBytesPerEvent = 5 * 300
	got, wanted := flat(t, c), flat(t, want)
	for name, v := range wanted {
		if math.Abs(got[name]-v) > 1e-6*v {
			t.Errorf("%s is %v, want %v", name, got[name], v)
		}
	}
	predicted, err := Predict(sizes)
	if err != nil || len(predicted) != 5 {
		t.Fatal(predicted, err)
	}
	for _, d := range predicted {
		if math.Abs(d.Share()) > 1e-9 || d.Measured <= 0 {
			t.Errorf("%+v is off by %v", d, d.Share())
		}
	}
	// 10 % more than a line is 10 % too little predicted, roughly.
	sizes[2].ColdSeconds *= 1.1
	predicted, _ = Predict(sizes)
	if worst := Worst(predicted); worst.What != "cold recovery" || !near(worst.Share(), 1/1.1-1) {
		t.Errorf("the worst is %+v, off by %v", worst, worst.Share())
	}

	same := madeUpSizes()
	same[1] = same[0]
	noisy := madeUpSizes()
	noisy[1].ColdSeconds = 0.1
	for name, bad := range map[string][]Size{"one": sizes[:1], "descending": {sizes[2], sizes[0]}, "the same twice": same, "recovery that gets faster": noisy} {
		if c, err := Fit(bad, one, HandOver{OrderlySeconds: 8}); err == nil {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if _, err := Predict(sizes[:2]); err == nil {
		t.Error("two sizes predict a third that is not there")
	}
}

// flat gives all numbers of a struct by their names.
func flat(t *testing.T, v any) map[string]float64 {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	var walk func(prefix string, m map[string]any)
	walk = func(prefix string, m map[string]any) {
		for k, v := range m {
			switch v := v.(type) {
			case float64:
				all[prefix+k] = v
			case map[string]any:
				walk(prefix+k+".", v)
			}
		}
	}
	walk("", tree)
	return all
}

// What the program was built with can be planned with, and says how far it can be trusted.
func TestDefault(t *testing.T) {
	m, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	if m.Date == "" || m.Kafka == "" || m.Go == "" || len(m.Sizes) != 3 || m.Table() == "" {
		t.Errorf("it rests on nothing: %+v", m)
	}
	again, err := Fit(m.Sizes, m.Partition, m.HandOver)
	if err != nil || again != m.Fitted {
		t.Errorf("its sizes give %+v (%v), and it has %+v", again, err, m.Fitted)
	}
	if worst := Worst(m.Predicted); m.Provisional == "" && math.Abs(worst.Share()) > MaxDeviation {
		t.Errorf("the prediction of %s is off by %v", worst.What, worst.Share())
	}
}

func TestParseMeasured(t *testing.T) {
	good, err := json.Marshal(Measured{Machine: Machine{Cores: 2}, Fitted: round()})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := ParseMeasured(good); err != nil || m.Fitted != round() {
		t.Errorf("%+v, %v", m, err)
	}
	for text, want := range map[string]string{
		"":                          "not a file of planrun",
		"[]":                        "not a file of planrun",
		`{"orders": 5}`:             `unknown field "orders"`,
		string(good) + "{}":         "there is more behind it",
		`{"machine": {"cores": 0}}`: "machine.cores is 0",
		`{"machine": {"cores": 2}}`: "fitted: hand_over_seconds is 0: want a number from 1e-12 to 1e12",
		strings.Replace(string(good), `"start_seconds":2`, `"start_seconds":-2`, 1):     "start_seconds is -2",
		strings.Replace(string(good), `"start_seconds":2`, `"start_seconds":"2"`, 1):    "not a file of planrun",
		strings.Replace(string(good), `"sent_bytes":2000`, `"sent_bytes":0`, 1):         "sent_bytes is 0",
		strings.Replace(string(good), `"cpu_seconds":0.0001`, `"cpu_seconds":1e999`, 1): "not a file of planrun",
	} {
		if _, err := ParseMeasured([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
}

// Whatever is taken for a file of planrun gives a plan of numbers or an error.
func FuzzParseMeasured(f *testing.F) {
	good, _ := json.Marshal(Measured{Machine: Machine{Cores: 2}, Fitted: round()})
	f.Add(good)
	f.Add([]byte(`{"machine":{"cores":2},"fitted":{"start_seconds":1e308}}`))
	f.Add(embedded)
	huge := round()
	huge.PartitionRecords, huge.Order.CPU = 1e-12, 1e12
	worst, _ := json.Marshal(Measured{Machine: Machine{Cores: 2}, Fitted: huge})
	f.Add(worst)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseMeasured(data)
		if err != nil {
			return
		}
		l := DefaultLoad()
		l.OrdersPerSecond, l.Events, l.OrdersKept = 100, 100, 1000
		p, err := New(l, DefaultDeployment(), m.Fitted)
		if err != nil {
			return
		}
		for _, line := range p.Lines {
			if math.IsNaN(line.Value) {
				t.Errorf("%+v", line)
			}
		}
		if _, err := p.OnSale(1000, 60, m.Fitted); err != nil && err.Error() == "" {
			t.Error("an error says nothing")
		}
		m.Table()
		Worst(m.Predicted)
	})
}

// What the model takes for given of other packages is as they have it.
func TestGiven(t *testing.T) {
	for _, partitions := range []int32{1, 12, 500} {
		if got, want := cacheMiB+memtableMiB*int64(partitions), store.CacheBytes(partitions)>>20; got != want {
			t.Errorf("the cache of the state of %d partitions has %d MiB, in the model %d", partitions, want, got)
		}
	}
	c, d := config.Default(), DefaultDeployment()
	if c.Partitions != DefaultPartitions || int(c.Replication) != d.Replication || c.SessionTimeout.Seconds() != d.SessionTimeout || c.InternalRetention.Seconds() != d.InternalRetention {
		t.Errorf("the configuration has other defaults: %d partitions, %d replicas, %s, %s", c.Partitions, c.Replication, c.SessionTimeout, c.InternalRetention)
	}
}

func TestQuantity(t *testing.T) {
	for _, c := range []struct {
		v    float64
		unit string
		want string
	}{
		{0, "", "0"}, {12, "", "12"}, {1234567, "", "1,234,567"}, {-1234.5, "", "-1,234"}, {0.0123456, "", "0.0123"}, {1.5, "", "1.5"}, {99.96, "", "100"}, {123.4, "cores", "123 cores"}, {1, "cores", "1 core"}, {1, "records/s", "1 records/s"},
		{1023, "bytes", "1,023 B"}, {1536, "bytes", "1.5 KiB"}, {5 << 30, "bytes/s", "5 GiB/s"}, {3 << 40, "bytes", "3 TiB"},
		{0, "s", "0 s"}, {25e-6, "s", "25 µs"}, {0.25, "s", "250 ms"}, {119, "s", "119 s"}, {600, "s", "10 min"}, {5400, "s", "90 min"}, {2.5 * 86400, "s", "2.5 days"}, {9000, "s", "2.5 h"}, {7 * 86400, "s", "7 days"},
		{math.Inf(1), "", "no end of"}, {math.NaN(), "", "no end of"}, {1e-300, "", "0"},
	} {
		if got := Quantity(c.v, c.unit); got != c.want {
			t.Errorf("%v %s: %q, want %q", c.v, c.unit, got, c.want)
		}
	}
}

// By hand: 2,000 records/s come for 100 s to a partition that takes 500, with 100 of others beside it. After 100 s there are
// 210,000, of which 50,000 are out: 160,000 wait. The last of the sale has all 210,000 before it, 420 s, and what comes last
// in the sale waits for 320 s. The queue is empty 160,000 ÷ (500 − 100) = 400 s after the sale.
func TestOnSaleByHand(t *testing.T) {
	s := OnSale{Sale: 2000, Length: 100, Others: 1000, Beside: 100, Partition: 500, Intake: 1e6}
	c, err := s.Simulate()
	if err != nil {
		t.Fatal(err)
	}
	at := c.Seconds[100]
	if !near(at.Arrived, 210_000) || !near(at.Out, 50_000) || !near(at.Waiting(), 160_000) || !near(at.Wait, 320) || at.Elsewhere != 0 {
		t.Errorf("after 100 s: %+v", at)
	}
	// What goes out at 100 s came when 50,000 had come: after 50,000 ÷ 2,100 s.
	if want := 100 - 50_000/2100.0; math.Abs(at.Waited-want) > 1e-6 {
		t.Errorf("what goes out at 100 s has waited %v, want %v", at.Waited, want)
	}
	if !near(c.LastOut, 420) || !near(c.MostWaiting, 160_000) || math.Abs(c.MostWait-320) > 1e-6 || len(c.Seconds)-1 != 500 {
		t.Errorf("last out %v, at most %v wait, for %v; over after %d s", c.LastOut, c.MostWaiting, c.MostWait, len(c.Seconds)-1)
	}

	// Intake is what is slow: 3,000 records/s come, it takes 1,500. After 100 s, 150,000 wait in the legacy topics, and all events
	// wait; of the partition, 2,100 of 3,000 are read: 1,050 a second, which it takes.
	s = OnSale{Sale: 2000, Length: 100, Others: 1000, Beside: 100, Partition: 5000, Intake: 1500}
	if c, err = s.Simulate(); err != nil {
		t.Fatal(err)
	}
	at = c.Seconds[100]
	if !near(at.BeforeIntake, 105_000) || at.BeforeGate != 0 || !near(c.MostUnread, 150_000) || math.Abs(c.MostElsewhere-100) > 1e-6 || !near(c.LastOut, 200) {
		t.Errorf("after 100 s: %+v; at most %v unread, %v elsewhere, last out %v", at, c.MostUnread, c.MostElsewhere, c.LastOut)
	}
}

func TestOnSaleRefused(t *testing.T) {
	good := OnSale{Sale: 10, Length: 10, Others: 5, Beside: 1, Partition: 4, Intake: 20}
	if _, err := good.Simulate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*OnSale){
		"it never ends: without the sale, 5 records/s come to the partition and it takes 4": func(s *OnSale) { s.Beside = 5 },
		"it never ends: without the sale, 30 records/s come and intake takes 20":            func(s *OnSale) { s.Others = 30 },
		"more than the 5 of all other events":                                               func(s *OnSale) { s.Beside = 6 },
		"want whole seconds, 1 s to 24 h":                                                   func(s *OnSale) { s.Length = 1.5 },
		"0 a second make no sense":                                                          func(s *OnSale) { s.Partition = 0 },
		"NaN a second make no sense":                                                        func(s *OnSale) { s.Sale = math.NaN() },
		"are not simulated":                                                                 func(s *OnSale) { s.Sale, s.Length, s.Partition = 1e6, 86400, 1.1 },
	} {
		s := good
		change(&s)
		if _, err := s.Simulate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
	}
}

func drawSale(t *rapid.T) OnSale {
	s := OnSale{
		Sale: float64(rapid.IntRange(1, 500).Draw(t, "sale")), Length: float64(rapid.IntRange(1, 60).Draw(t, "length")),
		Others: float64(rapid.IntRange(0, 100).Draw(t, "others")),
	}
	s.Beside = math.Floor(s.Others * rapid.Float64Range(0, 1).Draw(t, "beside"))
	s.Partition = s.Beside + float64(rapid.IntRange(1, 400).Draw(t, "partition"))
	s.Intake = s.Others + float64(rapid.IntRange(1, 400).Draw(t, "intake"))
	return s
}

// queue is the obvious second version: records one by one, oldest first, in steps of a tenth of a second.
type queue struct{ records []tagged }

type tagged struct {
	came  float64
	own   bool // of the partition
	share float64
}

func (q *queue) take(room float64) (out []tagged) {
	for len(q.records) > 0 && room > 1e-12 {
		r := &q.records[0]
		n := min(r.share, room)
		out = append(out, tagged{r.came, r.own, n})
		room -= n
		if r.share -= n; r.share <= 1e-12 {
			q.records = q.records[1:]
		}
	}
	return out
}

// slow simulates a sale with queues, and tells when the last record of the sale is out and how many of the partition wait at most.
func slow(s OnSale) (lastOut, mostWaiting float64) {
	const step = 0.1
	var legacy, internal queue
	waiting := 0.0
	for i := 0; ; i++ {
		t := float64(i) * step
		own, other := s.Beside*step, (s.Others-s.Beside)*step
		if t < s.Length-1e-9 {
			own += s.Sale * step
		}
		// What comes at the same time is mixed: in ten portions of each.
		for range 10 {
			legacy.records = append(legacy.records, tagged{t, true, own / 10}, tagged{t, false, other / 10})
		}
		waiting += own
		for _, r := range legacy.take(s.Intake * step) {
			if r.own {
				internal.records = append(internal.records, r)
			}
		}
		for _, r := range internal.take(s.Partition * step) {
			waiting -= r.share
			if r.came < s.Length-1e-9 {
				lastOut = t + step
			}
		}
		if math.Abs(t+step-math.Round(t+step)) < 1e-9 {
			mostWaiting = max(mostWaiting, waiting)
		}
		if t > s.Length && waiting < 1e-6*max(1, s.Beside)+s.Beside*step {
			return lastOut, mostWaiting
		}
	}
}

// Nothing is lost or made, no time is negative or goes back, Little's law holds, and the slow version says the same.
func TestOnSaleProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSale(t)
		c, err := s.Simulate()
		if err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
		total := s.Sale * s.Length
		waitingSum, waitedSum := 0.0, 0.0
		for i, now := range c.Seconds {
			if !near(now.Arrived, now.Out+now.BeforeIntake+now.BeforeGate) || now.BeforeIntake < -1e-6 || now.BeforeGate < -1e-6 {
				t.Fatalf("second %d: %+v does not add up", i, now)
			}
			if want := s.Sale*min(float64(i), s.Length) + s.Beside*float64(i); !near(now.Arrived, want) {
				t.Fatalf("second %d: %v have arrived, want %v", i, now.Arrived, want)
			}
			if now.Waited < 0 || now.Wait < 0 || now.Elsewhere < 0 || now.Waited > now.At || math.IsInf(now.Wait, 0) {
				t.Fatalf("second %d: times %+v", i, now)
			}
			if i > 0 {
				before := c.Seconds[i-1]
				if now.Out < before.Out || now.Out-before.Out > s.Partition*(1+1e-9)+1e-9 {
					t.Fatalf("second %d: %v are out after %v", i, now.Out, before.Out)
				}
				waitingSum += (before.Waiting() + now.Waiting()) / 2
				waitedSum += (now.Out - before.Out) * (before.Waited + now.Waited) / 2
			}
		}
		// Little: the time that all spend waiting is what stands there, summed up. Trapezoids are off by a little in both.
		if off := math.Abs(waitingSum - waitedSum); off > 0.02*waitingSum+2*(s.Sale+s.Beside) {
			t.Fatalf("%v record-seconds wait, and what came out has waited %v", waitingSum, waitedSum)
		}
		if c.LastOut < s.Length || c.LastOut > s.roughEnd()+2 {
			t.Fatalf("last out %v, of a sale of %v s; at the latest %v", c.LastOut, s.Length, s.roughEnd())
		}
		if last := c.Seconds[len(c.Seconds)-1]; last.Waiting() > 1e-3 || last.Out < total-1e-3 {
			t.Fatalf("it ends with %+v", last)
		}
		lastOut, most := slow(s)
		if math.Abs(lastOut-c.LastOut) > 1.1+0.01*c.LastOut { // steps are of a second
			t.Fatalf("last out %v, with queues %v", c.LastOut, lastOut)
		}
		if math.Abs(most-c.MostWaiting) > 0.3*(s.Sale+s.Beside)+0.01*most {
			t.Fatalf("at most %v wait, with queues %v", c.MostWaiting, most)
		}
		faster := s
		faster.Partition += float64(rapid.IntRange(0, 300).Draw(t, "more partition"))
		faster.Intake += float64(rapid.IntRange(0, 300).Draw(t, "more intake"))
		f, err := faster.Simulate()
		if err != nil {
			t.Fatal(err)
		}
		if f.LastOut > c.LastOut+1 || f.MostWait > c.MostWait+1 || f.MostElsewhere > c.MostElsewhere+1 {
			t.Fatalf("more capacity makes it later: %v, %v, %v after %v, %v, %v", f.LastOut, f.MostWait, f.MostElsewhere, c.LastOut, c.MostWait, c.MostElsewhere)
		}
	})
}

// The sale of the issue, by hand, on round figures.
func TestPlanOnSale(t *testing.T) {
	l := DefaultLoad()
	l.OrdersPerSecond, l.Events, l.OrdersKept, l.OrderRecords, l.RefundShare, l.EventRecords = 1000, 1000, 1e6, 1, 0, 0.2
	d := DefaultDeployment()
	d.Instances, d.Partitions, d.Cores = 4, 12, 4
	p, err := New(l, d, round())
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.OnSale(50_000, 600, round())
	if err != nil {
		t.Fatal(err)
	}
	// 50,000 and 100 beside them for 600 s are 30,060,000 at 10,000 a second.
	if !near(s.Course.LastOut, 3006) || !near(s.Course.MostWait, 2406) || s.Course.MostElsewhere != 0 {
		t.Errorf("last out %v, wait %v, elsewhere %v", s.Course.LastOut, s.Course.MostWait, s.Course.MostElsewhere)
	}
	// (16 cores − 10,000 × 80 µs − 1,200 × 80 µs) ÷ 20 µs
	if !near(s.Course.Sale.Intake, (16-0.896)/20e-6) {
		t.Errorf("intake takes %v", s.Course.Sale.Intake)
	}
	leaves := map[string]float64{}
	for _, line := range s.Lines {
		leaves[line.Name] = line.Value
	}
	for name, want := range map[string]float64{
		"in one partition between the stages": 3e9, "in one partition of the table": 6e9, "in the slim topic": 9e9, "in one instance's state": 6e9,
		"added to the recovery of that partition": 300, "unread in the legacy topics, at most": 0,
	} {
		if got, is := leaves[name]; !is || !near(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	ways := map[string]Way{}
	for _, w := range s.Ways {
		ways[w.What] = w
	}
	if got := ways["four times the partitions"].LastOut; !near(got, 50_025*600/10_000.0) {
		t.Errorf("four times the partitions: last out %v", got)
	}
	if w := ways["a waiting room in the shop lets 7,920 orders/s through"]; w.MostWait > 1e-6 || !near(w.LastOut, 3788) {
		t.Errorf("with a waiting room: %+v of %v", w, s.Ways)
	}
	if len(s.Faults) > 0 {
		t.Errorf("faults: %q", s.Faults)
	}
	if s, err = p.OnSale(50_000, 7200, round()); err != nil || len(s.Faults) != 1 || !strings.Contains(s.Faults[0], "does not fit") {
		t.Errorf("two hours: %q, %v", s.Faults, err)
	}
	p.Deployment.InternalRetention = 3600
	if s, err = p.OnSale(50_000, 600, round()); err != nil || len(s.Faults) != 1 || !strings.Contains(s.Faults[0], "internal_retention") {
		t.Errorf("retention of an hour: %q, %v", s.Faults, err)
	}
	for _, c := range []struct{ orders, seconds float64 }{{0, 600}, {-1, 600}, {math.NaN(), 600}, {1, 0}, {1, 1e9}, {1, 0.5}} {
		if _, err := p.OnSale(c.orders, c.seconds, round()); err == nil {
			t.Errorf("%+v is simulated", c)
		}
	}
	slow := round()
	slow.PartitionRecords = 90
	if _, err := p.OnSale(50_000, 600, slow); !errors.Is(err, errNeverOut) {
		t.Errorf("a partition that does not take its usual load: %v", err)
	}
}

func TestMinutes(t *testing.T) {
	for seconds, want := range map[int]int{30: 2, 60: 2, 61: 3, 3600: 61, 3700: 14, 86400: 25} {
		rows := Course{Seconds: make([]Second, seconds+1)}.Minutes()
		if len(rows) != want {
			t.Errorf("%d seconds: %d rows, want %d", seconds, len(rows), want)
		}
	}
}

func TestPlot(t *testing.T) {
	c, err := OnSale{Sale: 100, Length: 60, Others: 10, Beside: 1, Partition: 20, Intake: 500}.Simulate()
	if err != nil {
		t.Fatal(err)
	}
	decoder, lines := xml.NewDecoder(strings.NewReader(c.Plot())), 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "polyline" {
			lines++
		}
	}
	if lines != 2 || strings.Contains(c.Plot(), "NaN") {
		t.Errorf("%d lines in %s", lines, c.Plot())
	}
	if idle, err := (OnSale{Sale: 1, Length: 60, Partition: 20, Intake: 500}).Simulate(); err != nil || strings.Contains(idle.Plot(), "NaN") {
		t.Errorf("a sale that nobody notices: %v, %s", err, idle.Plot())
	}
}

func ExampleQuantity() {
	fmt.Println(Quantity(1_500_000, "bytes"), Quantity(90, "s"))
	// Output: 1.43 MiB 90 s
}
