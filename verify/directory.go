package verify

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // zones must resolve alike on every machine

	"go.yaml.in/yaml/v3"
)

// Directory is what the streams lack: names of categories, and venues with their
// cities (the mapping contract, "Directory").
type Directory struct {
	categories map[string]words
	venues     map[string]place
}

// words are the two editions' names of a category.
type words struct{ v1, v2 string }

type place struct {
	venue    Venue
	timezone string // IANA name, "" when unknown
	zone     *time.Location
}

// The contract's table of category names.
const categoryTable = `
Балет/Ballet ballet ballet
Бизнес/Business business business
Вечеринки/Parties party party
Выставки/Exhibitions exhibition exhibition
Детям/Kids kids kids
Здоровье/Health health health
Кино/Movies movie movie
Концерты/Concerts concert concert
Музеи/Museums museum museum
Развитие/Development develpoment development
Спорт/Sport sport sport
Театры/Theaters theater theater
Фестивали/Festivals festival festival
Шоу/Show show show
Экскурсии/Excursions excursion excursion
Квесты/Quests other games
Цирк/Circus show circus
Мюзиклы/Musicals theater musical
Стендап/Standup show standup
Мастер-классы/Workshops other workshop`

func builtInCategories() map[string]words {
	table := map[string]words{}
	for _, line := range strings.Split(strings.TrimSpace(categoryTable), "\n") {
		fields := strings.Fields(line)
		for _, name := range strings.Split(fields[0], "/") {
			table[sameName(name)] = words{fields[1], fields[2]}
		}
	}
	return table
}

func sameName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// parseCategories reads a deployment's own table: YAML, as the built-in one.
func parseCategories(data []byte) (map[string]words, error) {
	var file struct {
		Categories []struct {
			Names  []string
			V1, V2 string
		}
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("read categories: %w", err)
	}
	table := map[string]words{}
	for _, c := range file.Categories {
		for _, name := range c.Names {
			table[sameName(name)] = words{c.V1, c.V2}
		}
	}
	return table, nil
}

// ParseDirectory reads the directory file and the deployment's own table of
// category names. nil stands for no file, and for the built-in table.
func ParseDirectory(data, categories []byte) (*Directory, error) {
	names := builtInCategories()
	if categories != nil {
		var err error
		if names, err = parseCategories(categories); err != nil {
			return nil, err
		}
	}
	d := &Directory{categories: map[string]words{}, venues: map[string]place{}}
	if data == nil {
		return d, nil
	}
	var file directoryFile
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("read directory: %w", err)
	}
	for _, c := range file.Categories {
		if w, known := names[sameName(c.Name)]; known {
			d.categories[c.ID] = w
		}
	}
	return d, d.addVenues(file)
}

type directoryFile struct {
	Categories []struct{ ID, Name string }
	Cities     []struct {
		ID             int64
		Name, Timezone string
	}
	Venues []struct {
		ID, Name, Description, Address string
		City                           int64
		Lat, Lon                       *float64
	}
}

func (d *Directory) addVenues(file directoryFile) error {
	cities := map[int64]place{}
	for _, c := range file.Cities {
		city := place{venue: Venue{CityName: c.Name}, timezone: c.Timezone}
		if c.Timezone != "" {
			var err error
			if city.zone, err = time.LoadLocation(c.Timezone); err != nil {
				return fmt.Errorf("read directory: city %d: %w", c.ID, err)
			}
		}
		cities[c.ID] = city
	}
	for _, v := range file.Venues {
		at := cities[v.City]
		at.venue = Venue{
			ID: v.ID, Name: v.Name, Address: v.Address, Description: v.Description,
			CityName: at.venue.CityName, Lat: v.Lat, Lon: v.Lon,
		}
		d.venues[v.ID] = at
	}
	return nil
}
