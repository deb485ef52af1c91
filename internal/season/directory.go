package season

import (
	"encoding/json"
	"math"
	"strconv"
)

// venue is a place that the directory knows.
type venue struct {
	id   string
	city int // index into cities
}

// makeVenues derives the venues of a season. They depend on the configuration
// alone, so that the directory can be written before the first record.
func makeVenues(cfg Config) []venue {
	ids := idSource{seed: cfg.Seed}
	r := newRNG(mix(cfg.Seed, 77))
	venues := make([]venue, min(max(cfg.Events/10, len(venueNames)), 500))
	for i := range venues {
		venues[i] = venue{id: ids.fixed(venueNumbers + i), city: r.intn(len(cities))}
	}
	return venues
}

type directoryFile struct {
	Categories []directoryCategory `json:"categories"`
	Cities     []directoryCity     `json:"cities"`
	Venues     []directoryVenue    `json:"venues"`
}

type directoryCategory struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type directoryCity struct {
	ID       int    `json:"id"`
	Name     string `json:"name"`
	Timezone string `json:"timezone"`
}

type directoryVenue struct {
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	Description string  `json:"description,omitempty"`
	Address     string  `json:"address"`
	City        int     `json:"city"`
	Lat         float64 `json:"lat"`
	Lon         float64 `json:"lon"`
}

// Directory returns the directory file of a season: JSON in the form that the
// mapping contract gives ("Directory"). It has every category and venue that
// the events of the season name, except those of the kinds
// EventUnknownCategory and EventUnknownVenue.
func Directory(cfg Config) []byte {
	cfg = cfg.normalized()
	ids := idSource{seed: cfg.Seed}
	var file directoryFile
	for i, s := range shows {
		file.Categories = append(file.Categories, directoryCategory{ID: ids.fixed(categoryNumbers + i), Name: s.category})
	}
	for _, c := range cities {
		file.Cities = append(file.Cities, directoryCity{ID: c.id, Name: c.name, Timezone: c.timezone})
	}
	for i, v := range makeVenues(cfg) {
		file.Venues = append(file.Venues, describeVenue(i, v))
	}
	content, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		panic("season: encode the directory: " + err.Error()) // strings and finite numbers always encode
	}
	return append(content, '\n')
}

func describeVenue(index int, v venue) directoryVenue {
	c := cities[v.city]
	d := directoryVenue{
		ID:      v.id,
		Name:    venueNames[index%len(venueNames)],
		Address: c.name + ", " + streetAddress(index),
		City:    c.id,
		// A few streets away from the centre, and from each other.
		Lat: cents(c.lat + float64(index%20)/100),
		Lon: cents(c.lon + float64(index%30)/100),
	}
	if index >= len(venueNames) {
		d.Name += " " + strconv.Itoa(index/len(venueNames)+1)
	}
	if index%3 == 0 {
		d.Description = sentences[index%len(sentences)]
	}
	return d
}

// cents rounds to two decimals, which also levels out differences between
// processors in the last bit.
func cents(degrees float64) float64 { return math.Round(degrees*100) / 100 }
