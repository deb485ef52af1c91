package directory

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Parse reads a directory file, the JSON object of the mapping contract:
//
//	{"categories": [{"id", "name"}],
//	 "cities":     [{"id": 524901, "name", "timezone"}],
//	 "venues":     [{"id", "name", "description", "address", "city": 524901, "lat", "lon"}]}
//
// Every list may be missing. Of an entry, the id and (of categories and venues)
// the name are required, the rest is optional and null counts as missing. A nil
// table stands for DefaultCategories.
//
// Errors, each naming the list, the index and the id: unknown and repeated
// keys, values of a wrong type, missing or repeated ids, missing names, time
// zones that do not exist, coordinates out of range, and venues in a city that
// the file does not list. A directory with such a slip is refused as a whole,
// because half of one would silently strip events of what they had before.
func Parse(data []byte, categories *CategoryTable) (*Directory, error) {
	if categories == nil {
		categories = DefaultCategories()
	}
	var lists struct{ categories, cities, venues []json.RawMessage }
	err := decodeDocument(data, map[string]any{
		"categories": &lists.categories,
		"cities":     &lists.cities,
		"venues":     &lists.venues,
	})
	if err != nil {
		return nil, fmt.Errorf("read directory: %w", err)
	}
	p := parser{zones: make(map[string]*time.Location)}
	words := p.parseCategories(lists.categories, categories)
	venues := p.parseVenues(lists.venues, p.parseCities(lists.cities))
	if err := p.problems(); err != nil {
		return nil, err
	}
	return newDirectory(words, venues), nil
}

// parser collects problems over the whole file, so that one look at the report
// is enough to mend it.
type parser struct {
	found []error
	more  int                       // problems beyond maxProblems
	zones map[string]*time.Location // loaded already; a thousand cities share a few
}

const maxProblems = 20

// problem notes what is wrong with entry index of a list; id is what is known
// of the entry's id, "" when that is the problem.
func (p *parser) problem(list string, index int, id string, err error) {
	if len(p.found) == maxProblems {
		p.more++
		return
	}
	where := fmt.Sprintf("%s[%d]", list, index)
	if id != "" {
		where += " (id " + id + ")"
	}
	p.found = append(p.found, fmt.Errorf("read directory: %s: %w", where, err))
}

func (p *parser) problems() error {
	if p.more > 0 {
		return errors.Join(append(p.found, fmt.Errorf("read directory: and %d more problems", p.more))...)
	}
	return errors.Join(p.found...)
}

var (
	errNoID   = errors.New("has no id")
	errNoName = errors.New("has no name")
)

func (p *parser) parseCategories(entries []json.RawMessage, table *CategoryTable) map[string]Category {
	words := make(map[string]Category, len(entries))
	firstAt := make(map[string]int, len(entries))
	for i, entry := range entries {
		var id, name string
		err := decodeObject(entry, map[string]any{"id": &id, "name": &name})
		if err == nil {
			err = checkEntry(firstAt, i, id, id == "", name == "")
		}
		if err != nil {
			p.problem("categories", i, shownID(id), err)
			continue
		}
		if category, ok := table.Lookup(name); ok {
			words[id] = category
		}
	}
	return words
}

type city struct {
	name, timezone string
	location       *time.Location
}

func (p *parser) parseCities(entries []json.RawMessage) map[int64]city {
	cities := make(map[int64]city, len(entries))
	firstAt := make(map[int64]int, len(entries))
	for i, entry := range entries {
		id, parsed, err := p.parseCity(entry)
		if err == nil {
			err = checkEntry(firstAt, i, *id, false, false)
		}
		if err != nil {
			p.problem("cities", i, shownNumber(id), err)
		}
		// A faulty city stays known: its venues are not a second problem.
		if id != nil {
			cities[*id] = parsed
		}
	}
	return cities
}

func (p *parser) parseCity(entry json.RawMessage) (id *int64, parsed city, err error) {
	err = decodeObject(entry, map[string]any{"id": &id, "name": &parsed.name, "timezone": &parsed.timezone})
	if err != nil {
		return id, parsed, err
	}
	if id == nil {
		return nil, parsed, errNoID
	}
	parsed.location, err = p.location(parsed.timezone)
	return id, parsed, err
}

// location loads a time zone; nil for "".
func (p *parser) location(name string) (*time.Location, error) {
	if name == "" {
		return nil, nil
	}
	if loaded, ok := p.zones[name]; ok {
		return loaded, nil
	}
	if name == "Local" { // the standard library's word for this machine's zone
		return nil, errors.New(`timezone "Local" means another zone on every machine; write an IANA name such as Europe/Moscow`)
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("timezone %s is not known; write an IANA name such as Europe/Moscow", quoted(name))
	}
	p.zones[name] = location
	return location, nil
}

func (p *parser) parseVenues(entries []json.RawMessage, cities map[int64]city) map[string]Venue {
	venues := make(map[string]Venue, len(entries))
	firstAt := make(map[string]int, len(entries))
	for i, entry := range entries {
		venue, err := parseVenue(entry, cities)
		if err == nil {
			err = checkEntry(firstAt, i, venue.ID, venue.ID == "", venue.Name == "")
		}
		if err != nil {
			p.problem("venues", i, shownID(venue.ID), err)
			continue
		}
		venues[venue.ID] = venue
	}
	return venues
}

func parseVenue(entry json.RawMessage, cities map[int64]city) (Venue, error) {
	var venue Venue
	var cityID *int64
	err := decodeObject(entry, map[string]any{
		"id": &venue.ID, "name": &venue.Name, "description": &venue.Description, "address": &venue.Address,
		"city": &cityID, "lat": &venue.Lat, "lon": &venue.Lon,
	})
	if err != nil {
		return venue, err
	}
	if err := checkDegrees("lat", venue.Lat, 90); err != nil {
		return venue, err
	}
	if err := checkDegrees("lon", venue.Lon, 180); err != nil {
		return venue, err
	}
	if cityID == nil {
		return venue, nil
	}
	home, ok := cities[*cityID]
	if !ok {
		return venue, fmt.Errorf("city %d is not in the list of cities; add it there, or leave the venue's city out", *cityID)
	}
	venue.CityName, venue.Timezone, venue.Location = home.name, home.timezone, home.location
	return venue, nil
}

func checkDegrees(key string, value *float64, bound float64) error {
	if value == nil || (-bound <= *value && *value <= bound) {
		return nil
	}
	return fmt.Errorf("%s %v is out of range; it must be between %v and %v", key, *value, -bound, bound)
}

// checkEntry applies what holds for every list; firstAt remembers at which
// index an id was seen first.
func checkEntry[ID comparable](firstAt map[ID]int, index int, id ID, noID, noName bool) error {
	if noID {
		return errNoID
	}
	if first, twice := firstAt[id]; twice {
		return fmt.Errorf("the same id stands at index %d already", first)
	}
	firstAt[id] = index
	if noName {
		return errNoName
	}
	return nil
}

func shownID(id string) string {
	if id == "" {
		return ""
	}
	return quoted(id)
}

func shownNumber(id *int64) string {
	if id == nil || *id == 0 { // zero is what a value of the wrong type leaves
		return ""
	}
	return fmt.Sprint(*id)
}
