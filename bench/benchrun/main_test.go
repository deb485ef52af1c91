package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/bench/steady"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

func TestConfigOf(t *testing.T) {
	for _, args := range [][]string{{"-orders", "5"}, {"-rounds", "0"}, {"-partitions", "0"}, {"-contestants", "nobody"}, {"-contestants", ""}, {"one"}, {"-none"},
		{"-measure", "everything"}, {"-measure", ""}, {"-known", "1000,many"}, {"-known", "0"}, {"-load", "0"}, {"-warmup", "0s"}, {"-for", "10ms"}, {"-partitions", "1"}} {
		if c, err := configOf(args, io.Discard); err == nil {
			t.Errorf("%q: %+v", args, c)
		}
	}
	c, err := configOf([]string{"-orders", "500", "-contestants", "bridge,franz"}, io.Discard)
	if err != nil || c.orders != 500 || !slices.Equal(c.measured, usual) || !slices.Equal(c.contestants, []string{"bridge", "franz"}) || filepath.Base(c.dir) != "bench" {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := configOf([]string{"-measure", "drain", "-partitions", "1"}, io.Discard); err != nil || c.measures(handoverName) || c.soldOrders() != 0 {
		t.Errorf("the drain alone: %+v, %v", c, err)
	}
	if got := c.soldOrders(); got != 75*2000 {
		t.Errorf("%d orders are made up for the load, want 150000", got)
	}
	if c.load = 10; c.soldOrders() != 500+lightOrders {
		t.Errorf("%d orders are made up for the hand-over, want %d", c.soldOrders(), 500+lightOrders)
	}
	if c, err := configOf([]string{"-measure", "parts"}, io.Discard); err != nil || c.soldOrders() != partsOrders {
		t.Errorf("%d orders are made up for the parts, want %d; %v", c.soldOrders(), partsOrders, err)
	}
}

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   spread
	}{
		{nil, spread{}}, {[]float64{3}, spread{3, 3, 3}}, {[]float64{3, 1}, spread{2, 1, 3}}, {[]float64{9, 1, 2}, spread{2, 1, 9}},
	} {
		if got := spreadOf(c.values); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.values, got, c.want)
		}
	}
}

func madeUp() *results {
	r := &results{Orders: 100, Records: 2_000_000, Bytes: 2_000_000_000, Partitions: 4, CPUs: 2, Go: "go1"}
	for round, factor := range []float64{1, 1.5, 2} {
		r.Rounds = append(r.Rounds,
			&figures{Contestant: "franz", Round: round, Rate: 100 * factor, CPU: 10, BrokerCPU: 4, PeakMiB: 100},
			&figures{Contestant: "bridge", Round: round, Rate: 50 * factor, CPU: 40, BrokerCPU: 8, PeakMiB: 300})
	}
	return r
}

func TestResults(t *testing.T) {
	const want = `100 orders, 2000000 legacy records of 1000 bytes, 4 partitions, 2 processors, go1

| | records/s | CPU s per 1,000,000 records | broker's | peak MiB | rate ÷ franz |
|---|---|---|---|---|---|
| franz | 150 (100 to 200) | 5.0 (5.0 to 5.0) | 2.0 (2.0 to 2.0) | 100 (100 to 100) | 1.00 |
| bridge | 75 (50 to 100) | 20.0 (20.0 to 20.0) | 4.0 (4.0 to 4.0) | 300 (300 to 300) | 0.50 |

| bridge ÷ | rate | CPU | peak memory |
|---|---|---|---|
| franz | 0.50 | 4.00 | 3.00 |

Goals, by medians (they are meant for 1000000 orders, not for 100):

| | goal | measured | |
|---|---|---|---|
| drain rate, bridge ÷ franz | ≥ 0.5 | 0.50 | reached |
`
	dir := t.TempDir()
	var out strings.Builder
	if err := madeUp().write(dir, []string{"franz", "bridge"}, &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != "\n"+want {
		t.Errorf("prints\n%s\nwant\n%s", out.String(), want)
	}
	if bars := elements(t, filepath.Join(dir, "rate.svg"))["path"]; bars != 2 {
		t.Errorf("%d bars", bars)
	}
	if _, err := os.Stat(filepath.Join(dir, "latency.svg")); err == nil {
		t.Error("a plot of what was not measured")
	}
	if table := (&results{Records: 1}).table([]string{"franz"}); strings.Contains(table, "NaN") || strings.Contains(table, "bridge ÷") {
		t.Errorf("without rounds: %s", table)
	}
}

// elements counts those of a plot, which has to be XML, by name.
func elements(t *testing.T, path string) map[string]int {
	plot, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(plot), "NaN") || strings.Contains(string(plot), "Inf") {
		t.Errorf("%s has what is no number: %s", path, plot)
	}
	decoder, found := xml.NewDecoder(strings.NewReader(string(plot))), map[string]int{}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok {
			found[start.Name.Local]++
		}
	}
}

// What the floor is to write is what the mapping makes of a season.
func TestShapeOf(t *testing.T) {
	s, err := shapeOf(season.Config{Orders: 300, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{season.TopicEvents, season.TopicOrders, season.TopicRefunds} {
		if of := s.Slim[topic]; of.Of <= 0 || of.Of > 1 || of.Bytes < 50 || of.Bytes > 10_000 {
			t.Errorf("%s: %+v", topic, of)
		}
	}
	if s.LegacyBytes < 200 || s.LegacyBytes > 5000 || math.IsNaN(s.LegacyBytes) {
		t.Errorf("legacy records have %v bytes", s.LegacyBytes)
	}
}

func TestPlaceOwns(t *testing.T) {
	p := &place{name: "bridge-1", prefix: "slim-bridge-1-"}
	for topic, want := range map[string]bool{"bridge-1-gate-table": true, "slim-bridge-1-orders": true, "bridge-10-x": false, "events": false, "slim-bridge-10-orders": false} {
		if p.owns(topic) != want {
			t.Errorf("%s: %t", topic, !want)
		}
	}
	own := (&bench{}).both("bridge-1")
	if topic := own[1].reads("events"); p.owns(topic) || !own[0].owns(topic) || topic == p.reads("events") {
		t.Errorf("%s is of a place, or not of one, against its name", topic)
	}
	if own[0].state() == own[1].state() || own[0].config() == own[1].config() || own[0].name != own[1].name {
		t.Errorf("two instances of a deployment: %+v, %+v", own[0], own[1])
	}
}

// All contestants take an instance for gone after the same time, and read the legacy topics of their place.
func TestInstances(t *testing.T) {
	b := &bench{config: config{dir: t.TempDir(), partitions: 4}, addr: "127.0.0.1:2"}
	for _, p := range b.both("x") {
		p.target = "127.0.0.1:9"
		if err := b.configure(p, noSource); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(p.config())
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"name: x\n", "session_timeout: 15s\n", "target: {brokers: [\"127.0.0.1:9\"]}\nstate: {brokers: [\"127.0.0.1:2\"]}\n", "orders: legacy-x-orders_done,", "state_dir: \"" + p.state() + "\"\n", noSource} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s has no %q:\n%s", p.config(), want, text)
			}
		}
		args := " " + strings.Join(b.streams(p, "at_least_once"), " ") + " "
		for _, want := range []string{" --session-timeout-ms 15000 ", " --orders legacy-x-orders_done ", " --state-dir " + p.state() + " "} {
			if !strings.Contains(args, want) {
				t.Errorf("Kafka Streams is started with %q, without %q", args, want)
			}
		}
	}
}

func TestDrainedAt(t *testing.T) {
	at := func(written ...int64) (all []steady.Sample) {
		for i, w := range written {
			all = append(all, steady.Sample{At: time.Unix(int64(i), 0), Written: float64(w)})
		}
		return all
	}
	for _, c := range []struct {
		written []int64
		want    int64
	}{
		{[]int64{5}, 0},
		{[]int64{1, 998, 999, 1000}, 2},
		{[]int64{1, 998, 1000}, 2},
		{[]int64{10, 20, 30}, 2},
	} {
		if got := drainedAt(at(c.written...)).At.Unix(); got != c.want {
			t.Errorf("%v: at %d, want %d", c.written, got, c.want)
		}
	}
}

// What was built before its sources changed is built again: figures of an old peer would be shown as those of the new one.
func TestIsBuilt(t *testing.T) {
	dir := t.TempDir()
	source, built := filepath.Join(dir, "src", "a"), filepath.Join(dir, "target", "a.jar")
	at := func(path string, seconds int64) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600), os.Chtimes(path, time.Unix(seconds, 0), time.Unix(seconds, 0))); err != nil {
			t.Fatal(err)
		}
	}
	at(source, 10)
	if isBuilt(built, dir) {
		t.Error("nothing was built")
	}
	at(built, 20)
	at(filepath.Join(dir, "target", "log"), 30)
	if !isBuilt(built, dir) {
		t.Error("it was built, and nothing has changed")
	}
	at(source, 30)
	if isBuilt(built, dir) {
		t.Error("the source is newer")
	}
}
