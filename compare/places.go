package compare

import (
	"fmt"
	"time"

	"github.com/ticketscloud/vibe-bridge/directory"
)

// Places answer for the cells whose source is Directory, in one form.
type Places struct {
	form      Form
	directory *directory.Directory
	zone      *time.Location
}

// NewPlaces reads a directory file, and the deployment's own table of category names;
// nil stands for no file, and for the built-in table. zone is that of events without a
// known one.
func NewPlaces(form Form, file, categories []byte, zone *time.Location) (*Places, error) {
	p := &Places{form: form, directory: directory.Empty(), zone: zone}
	var table *directory.CategoryTable
	if categories != nil {
		var err error
		if table, err = directory.ParseCategories(categories); err != nil {
			return nil, fmt.Errorf("places: %w", err)
		}
	}
	if file != nil {
		var err error
		if p.directory, err = directory.Parse(file, table); err != nil {
			return nil, fmt.Errorf("places: %w", err)
		}
	}
	return p, nil
}

// Text is the canonical value of an event's field, "" for absent: by the ids of its
// category and venue, and by its start, or its finish without one, in Unix seconds.
func (p *Places) Text(path, category, venue string, start int64) string {
	if path == "category" {
		return p.category(category)
	}
	at, known := p.directory.Venue(venue)
	if path == "offset" {
		return zoneOffset(p.zoneOf(at), start)
	}
	if !known {
		return ""
	}
	switch path {
	case "timezone":
		return at.Timezone
	case "venue.id":
		return at.ID
	case "venue.name":
		return at.Name
	case "venue.address":
		return at.Address
	case "venue.description":
		return at.Description
	case "venue.city_name":
		return at.CityName
	case "venue.lat":
		return p.coordinate(at.Lat)
	case "venue.lon":
		return p.coordinate(at.Lon)
	}
	return "" // the directory has no zip codes
}

// category is a word of edition 1.0 unless the form is that of 2.0.
func (p *Places) category(id string) string {
	words, known := p.directory.Category(id)
	switch {
	case !known:
		return "other"
	case p.form.Edition == 2:
		return words.V2
	}
	return words.V1
}

func (p *Places) zoneOf(v directory.Venue) *time.Location {
	if v.Location == nil {
		return p.zone
	}
	return v.Location
}

// zoneOffset is in hours east of UTC.
func zoneOffset(zone *time.Location, at int64) string {
	_, seconds := time.Unix(at, 0).In(zone).Zone()
	return canonicalNumber(float64(seconds) / 3600)
}

func (p *Places) coordinate(degrees *float64) string {
	if degrees == nil || p.form.Protobuf && *degrees == 0 {
		return ""
	}
	return canonicalNumber(*degrees)
}
