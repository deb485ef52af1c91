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

	"github.com/ticketscloud/vibe-bridge/internal/season"
)

func TestConfigOf(t *testing.T) {
	for _, args := range [][]string{{"-orders", "5"}, {"-rounds", "0"}, {"-partitions", "0"}, {"-contestants", "nobody"}, {"-contestants", ""}, {"one"}, {"-none"}} {
		if c, err := configOf(args, io.Discard); err == nil {
			t.Errorf("%q: %+v", args, c)
		}
	}
	c, err := configOf([]string{"-orders", "500", "-contestants", "bridge,franz"}, io.Discard)
	if err != nil || c.orders != 500 || !slices.Equal(c.contestants, []string{"bridge", "franz"}) || filepath.Base(c.dir) != "bench" {
		t.Errorf("%+v, %v", c, err)
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
`
	dir := t.TempDir()
	var out strings.Builder
	if err := madeUp().write(dir, []string{"franz", "bridge"}, &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != "\n"+want {
		t.Errorf("prints\n%s\nwant\n%s", out.String(), want)
	}
	plot, err := os.ReadFile(filepath.Join(dir, "rate.svg"))
	if err != nil {
		t.Fatal(err)
	}
	decoder, bars := xml.NewDecoder(strings.NewReader(string(plot))), 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "path" {
			bars++
		}
	}
	if bars != 2 {
		t.Errorf("%d bars", bars)
	}
	if table := (&results{Records: 1}).table([]string{"franz"}); strings.Contains(table, "NaN") || strings.Contains(table, "bridge ÷") {
		t.Errorf("without rounds: %s", table)
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
}
