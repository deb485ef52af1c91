package season_test

import (
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the directory's zones must load wherever the tests run

	"github.com/ticketscloud/vibe-bridge/internal/season"
)

func TestStatsCountWhatIsGenerated(t *testing.T) {
	cfg := season.Config{Orders: 2_000, Hostile: 0.3, Seed: 9}
	records, size, keys := map[string]int{}, map[string]int64{}, map[string]map[string]bool{}
	for r := range season.Generate(cfg) {
		records[r.Topic]++
		size[r.Topic] += int64(len(r.Value))
		if keys[r.Topic] == nil {
			keys[r.Topic] = map[string]bool{}
		}
		keys[r.Topic][string(r.Key)] = true
	}
	entities := map[string]int{}
	for topic := range keys {
		entities[topic] = len(keys[topic])
	}
	stats := season.Stats(cfg)
	if !maps.Equal(stats.Records, records) || !maps.Equal(stats.Bytes, size) || !maps.Equal(stats.Entities, entities) {
		t.Errorf("stats %+v\nrecords %v\nbytes %v\nentities %v", stats, records, size, entities)
	}
	if entities[season.TopicOrders] != cfg.Orders {
		t.Errorf("%d different orders, want %d", entities[season.TopicOrders], cfg.Orders)
	}
}

func TestConfig(t *testing.T) {
	start := time.Date(2030, 5, 6, 7, 8, 9, 123_456_789, time.FixedZone("", 3600))
	tests := []struct {
		name     string
		cfg      season.Config
		problem  string // part of Validate's error
		entities map[string]int
	}{
		{name: "zero", cfg: season.Config{}, entities: map[string]int{}},
		{name: "one order", cfg: season.Config{Orders: 1}, entities: map[string]int{season.TopicOrders: 1, season.TopicEvents: 3}},
		{name: "events alone", cfg: season.Config{Events: 5, Partners: 1}, entities: map[string]int{season.TopicEvents: 5, season.TopicPartners: 1}},
		{name: "given numbers", cfg: season.Config{Orders: 50, Events: 2, Partners: 1, Start: start}, entities: map[string]int{season.TopicOrders: 50, season.TopicEvents: 2, season.TopicPartners: 1}},
		{name: "negative orders", cfg: season.Config{Orders: -1}, problem: "orders is -1", entities: map[string]int{}},
		{name: "negative events", cfg: season.Config{Orders: 50, Events: -1}, problem: "events is -1", entities: map[string]int{season.TopicOrders: 50, season.TopicEvents: 3}},
		{name: "negative partners", cfg: season.Config{Orders: 50, Partners: -1}, problem: "partners is -1", entities: map[string]int{season.TopicOrders: 50, season.TopicEvents: 3}},
		{name: "hostile above one", cfg: season.Config{Hostile: 1.5}, problem: "hostile is 1.5", entities: map[string]int{}},
		{name: "hostile below zero", cfg: season.Config{Hostile: -1}, problem: "hostile is -1", entities: map[string]int{}},
		{name: "hostile no number", cfg: season.Config{Orders: 50, Hostile: math.NaN()}, problem: "hostile is NaN", entities: map[string]int{season.TopicOrders: 50, season.TopicEvents: 3}},
		{name: "start too early", cfg: season.Config{Start: time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)}, problem: "between 1970 and 2100", entities: map[string]int{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.cfg.Validate()
			if (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("Validate: %v, want %q", err, test.problem)
			}
			entities := season.Stats(test.cfg).Entities
			for topic, want := range test.entities {
				if entities[topic] != want {
					t.Errorf("%s: %d entities, want %d", topic, entities[topic], want)
				}
			}
			if len(test.entities) == 0 && !reflect.DeepEqual(slices.Collect(maps.Values(entities)), []int{0, 0, 0, 0}) {
				t.Errorf("entities %v, want none", entities)
			}
		})
	}
	for r := range season.Generate(season.Config{Orders: 1, Start: start}) {
		if want := start.UTC().Truncate(time.Millisecond); !r.Time.Equal(want) || r.Time.Location() != time.UTC {
			t.Errorf("the season starts at %v, want %v", r.Time, want)
		}
		break
	}
}

func TestDirectory(t *testing.T) {
	var file struct {
		Categories []struct{ ID, Name string }
		Cities     []struct {
			ID             int
			Name, Timezone string
		}
		Venues []struct {
			ID, Name, Address string
			City              int
			Lat, Lon          float64
		}
	}
	content := season.Directory(season.Config{Orders: 20_000})
	decoder := json.NewDecoder(strings.NewReader(string(content)))
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	cities := map[int]bool{}
	for _, c := range file.Cities {
		cities[c.ID] = true
		if _, err := time.LoadLocation(c.Timezone); err != nil {
			t.Errorf("city %s: %v", c.Name, err)
		}
	}
	for _, v := range file.Venues {
		if !cities[v.City] || v.ID == "" || v.Name == "" || v.Address == "" || v.Lat == 0 || v.Lon == 0 {
			t.Errorf("incomplete venue %+v", v)
		}
	}
	if len(file.Venues) != 80 || len(file.Cities) < 5 || len(file.Categories) < 20 {
		t.Errorf("%d venues, %d cities, %d categories", len(file.Venues), len(file.Cities), len(file.Categories))
	}
	if string(season.Directory(season.Config{Orders: 20_000})) != string(content) {
		t.Error("a second directory of the same configuration differs")
	}
}
