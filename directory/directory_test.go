package directory

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func load(t *testing.T, name string) *Directory {
	t.Helper()
	d, err := Load(filepath.Join("testdata", name), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func parse(t *testing.T, text string) *Directory {
	t.Helper()
	d, err := Parse([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCategory(t *testing.T) {
	d := load(t, "city.json")
	tests := []struct {
		id   string
		want Category
		ok   bool
	}{
		{"5a0000000000000000000001", Category{"concert", "concert"}, true},
		{"5a0000000000000000000002", Category{"show", "circus"}, true},
		{"5a0000000000000000000003", Category{}, false}, // a name that the table does not have
		{"5a0000000000000000000009", Category{}, false}, // an id that the file does not have
		{"Концерты", Category{}, false},                 // a name is not an id
	}
	for _, tt := range tests {
		if got, ok := d.Category(tt.id); got != tt.want || ok != tt.ok {
			t.Errorf("Category(%q) = %v, %t; want %v, %t", tt.id, got, ok, tt.want, tt.ok)
		}
	}
}

func TestVenue(t *testing.T) {
	d := load(t, "city.json")
	tests := []struct{ id, want string }{
		{"5b0000000000000000000001", `Hall|Main street 1|Two floors|Москва|55.75|37.62|Europe/Moscow|Europe/Moscow`},
		{"5b0000000000000000000002", `Yard|||Алматы|-|-|Asia/Almaty|Asia/Almaty`},
		{"5b0000000000000000000003", `Barn|||Somewhere|0|-||-`},
		{"5b0000000000000000000004", `Nowhere||||-|-||-`},
		{"5b0000000000000000000009", `-`},
	}
	for _, tt := range tests {
		v, ok := d.Venue(tt.id)
		got := "-"
		if ok {
			location := "-"
			if v.Location != nil {
				location = v.Location.String()
			}
			got = strings.Join([]string{v.Name, v.Address, v.Description, v.CityName, degrees(v.Lat), degrees(v.Lon), v.Timezone, location}, "|")
		}
		if got != tt.want {
			t.Errorf("Venue(%q) = %s; want %s", tt.id, got, tt.want)
		}
		if ok && v.ID != tt.id {
			t.Errorf("Venue(%q).ID = %q", tt.id, v.ID)
		}
	}
}

func degrees(value *float64) string {
	if value == nil {
		return "-"
	}
	return fmt.Sprint(*value)
}

func TestEmpty(t *testing.T) {
	if _, ok := Empty().Category("x"); ok {
		t.Error("the empty directory has a category")
	}
	if _, ok := Empty().Venue("x"); ok {
		t.Error("the empty directory has a venue")
	}
	for _, text := range []string{`{}`, `{"venues": null, "cities": []}`, "\ufeff{}"} {
		if parse(t, text).Digest() != Empty().Digest() {
			t.Errorf("%s differs from Empty", text)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty file", ``, `not JSON: line 1: unexpected end of JSON input`},
		{"cut file", "{\n\"venues\": [", `not JSON: line 2: unexpected end of JSON input`},
		{"list", `[]`, `wants a JSON object`},
		{"null", `null`, `wants a JSON object`},
		{"two objects", "{}\n{}", `not JSON: line 2`},
		{"not UTF-8", "{\"venues\": [{\"id\": \"\xff\", \"name\": \"x\"}]}", `not UTF-8`},
		{"unknown list", `{"venue": []}`, `unknown key "venue"; known keys: categories, cities, venues`},
		{"list twice", `{"venues": [], "venues": []}`, `key "venues" occurs twice`},
		{"list of another type", `{"venues": {}}`, `key "venues": wants a list, has object`},
		{"entry of another type", `{"venues": [7]}`, `venues[0]: wants a JSON object`},
		{"key in another case", `{"venues": [{"ID": "v"}]}`, `venues[0]: unknown key "ID"`},
		{"key twice", `{"venues": [{"id": "v", "id": "w"}]}`, `venues[0] (id "v"): key "id" occurs twice`},
		{"unknown key", `{"venues": [{"id": "v", "name": "n", "zip": "1"}]}`, `venues[0] (id "v"): unknown key "zip"; known keys: address, city, description, id, lat, lon, name`},
		{"number for text", `{"venues": [{"id": 5}]}`, `venues[0]: key "id": wants a string, has number`},
		{"text for number", `{"cities": [{"id": "5"}]}`, `cities[0]: key "id": wants an integer, has string`},
		{"fraction for integer", `{"cities": [{"id": 1.5}]}`, `cities[0]: key "id": wants an integer, has number 1.5`},
		{"venue without id", `{"venues": [{"name": "n"}]}`, `venues[0]: has no id`},
		{"venue without name", `{"venues": [{"id": "v"}]}`, `venues[0] (id "v"): has no name`},
		{"venue twice", `{"venues": [{"id": "v", "name": "n"}, {"id": "v", "name": "m"}]}`, `venues[1] (id "v"): the same id stands at index 0`},
		{"unknown city", `{"venues": [{"id": "v", "name": "n", "city": 7}]}`, `venues[0] (id "v"): city 7 is not in the list of cities`},
		{"lat", `{"venues": [{"id": "v", "name": "n", "lat": 90.5}]}`, `venues[0] (id "v"): lat 90.5 is out of range; it must be between -90 and 90`},
		{"lon", `{"venues": [{"id": "v", "name": "n", "lon": -181}]}`, `venues[0] (id "v"): lon -181 is out of range; it must be between -180 and 180`},
		{"huge number", `{"venues": [{"id": "v", "name": "n", "lon": 1e999}]}`, `venues[0] (id "v"): key "lon": wants a number, has number 1e999`},
		{"city without id", `{"cities": [{"name": "c"}]}`, `cities[0]: has no id`},
		{"city twice", `{"cities": [{"id": 1}, {"id": 1}]}`, `cities[1] (id 1): the same id stands at index 0`},
		{"bad zone", `{"cities": [{"id": 1, "timezone": "Europe/Moskva"}]}`, `cities[0] (id 1): timezone "Europe/Moskva" is not known`},
		{"zone of this machine", `{"cities": [{"id": 1, "timezone": "Local"}]}`, `cities[0] (id 1): timezone "Local"`},
		{"category without id", `{"categories": [{"name": "Шоу"}]}`, `categories[0]: has no id`},
		{"category without name", `{"categories": [{"id": "c"}]}`, `categories[0] (id "c"): has no name`},
		{"category twice", `{"categories": [{"id": "c", "name": "x"}, {"id": "c", "name": "y"}]}`, `categories[1] (id "c"): the same id`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Parse([]byte(tt.text), nil)
			if err == nil {
				t.Fatalf("was accepted: %+v", d)
			}
			if d != nil {
				t.Error("gives a directory besides the error")
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "read directory: ") {
				t.Errorf("error is\n%v\nwant in it\n%s", err, tt.want)
			}
		})
	}
}

// A faulty city must not make each of its venues a problem of its own.
func TestParseReportsEveryProblemOnce(t *testing.T) {
	_, err := Parse([]byte(`{
		"cities": [{"id": 1, "timezone": "Nowhere/At_All"}],
		"venues": [{"id": "a", "name": "n", "city": 1}, {"id": "b"}, {"id": "c"}]
	}`), nil)
	if err == nil || strings.Count(err.Error(), "read directory: ") != 3 {
		t.Errorf("want three problems, got:\n%v", err)
	}
}

func TestParseBoundsItsReport(t *testing.T) {
	text := `{"venues": [` + strings.Repeat(`{},`, 100) + `{}]}`
	_, err := Parse([]byte(text), nil)
	if err == nil {
		t.Fatal("was accepted")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != maxProblems+1 || lines[maxProblems] != "read directory: and 81 more problems" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestDigest(t *testing.T) {
	base := `{"categories":[{"id":"a","name":"Шоу"},{"id":"b","name":"Спорт"}],
		"cities":[{"id":1,"name":"C","timezone":"Europe/Moscow"}],
		"venues":[{"id":"v","name":"V","address":"A","city":1,"lat":1,"lon":2},{"id":"w","name":"W"}]}`
	same := []struct{ name, old, new string }{
		{"another layout", `"lon":2`, `"lon":   2.0`},
		{"another order", `[{"id":"a","name":"Шоу"},{"id":"b","name":"Спорт"}]`, `[{"id":"b","name":"Спорт"},{"id":"a","name":"Шоу"}]`},
		{"a category that the table does not have", `"categories":[`, `"categories":[{"id":"z","name":"Cooking"},`},
		{"a city without venues", `"cities":[`, `"cities":[{"id":7,"name":"D"},`},
		{"another name of the same category", `Спорт`, `sport`},
	}
	for _, tt := range same {
		if parse(t, replaced(t, base, tt.old, tt.new)).Digest() != parse(t, base).Digest() {
			t.Errorf("%s changes the digest", tt.name)
		}
	}
	other := []struct{ old, new string }{
		{`"Шоу"`, `"Цирк"`}, {`"id":"a"`, `"id":"A"`}, {`"name":"C"`, `"name":"D"`}, {`Europe/Moscow`, `Europe/Kirov`},
		{`"name":"V"`, `"name":"VV"`}, {`"address":"A"`, `"description":"A"`}, {`"lat":1`, `"lat":0`}, {`,"lat":1`, ``},
		{`"lon":2`, `"lon":-2`}, {`,"city":1`, ``}, {`,{"id":"w","name":"W"}`, ``},
		// Whether the digest keeps neighbouring texts apart.
		{`"name":"V","address":"A"`, `"name":"VA"`},
	}
	for _, tt := range other {
		if parse(t, replaced(t, base, tt.old, tt.new)).Digest() == parse(t, base).Digest() {
			t.Errorf("%s for %s does not change the digest", tt.new, tt.old)
		}
	}
	if a, b := parse(t, `{}`), parse(t, `{"venues":[{"id":"v","name":"V","lat":0}]}`); a.Digest() == b.Digest() {
		t.Error("a venue does not change the digest")
	}
}

// The digest is kept across restarts: another algorithm would emit everything again.
func TestDigestIsStable(t *testing.T) {
	const want = 0x71ba2d72fa2b30b4
	if got := load(t, "city.json").Digest(); got != want {
		t.Errorf("digest of city.json is %#x, want %#x", got, uint64(want))
	}
}

func replaced(t *testing.T, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("no %s in the text", old)
	}
	return strings.Replace(text, old, new, 1)
}

func TestLoadErrors(t *testing.T) {
	folder := t.TempDir()
	broken := filepath.Join(folder, "broken.json")
	if err := os.WriteFile(broken, []byte(`{"venues": [{}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ path, want string }{
		{filepath.Join(folder, "none.json"), "read directory: open " + filepath.Join(folder, "none.json")},
		{folder, "read directory: read " + folder},
		{broken, broken + ": read directory: venues[0]: has no id"},
	}
	for _, tt := range tests {
		if _, err := Load(tt.path, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Load(%q): %v; want in it %q", tt.path, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	seed, err := os.ReadFile(filepath.Join("testdata", "city.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"venues":[{"id":"v","name":"n","city":1,"lat":90,"lon":-180}],"cities":[{"id":1,"timezone":"UTC"}]}`))
	f.Add([]byte(`{"categories":[{"id":"c","name":"ШОУ"},{"id":"c"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data, nil)
		if err != nil {
			if strings.ToValidUTF8(err.Error(), "") != err.Error() {
				t.Errorf("the error is not UTF-8: %q", err)
			}
			return
		}
		if again, err := Parse(data, nil); err != nil || again.Digest() != d.Digest() {
			t.Errorf("parsed twice: digests %x and %x, error %v", d.Digest(), again.Digest(), err)
		}
		for id, venue := range d.venues {
			checkVenue(t, id, venue)
		}
		for id, category := range d.categories {
			if id == "" || category.V1 == "" || category.V2 == "" {
				t.Errorf("category %q: %+v", id, category)
			}
		}
	})
}

func checkVenue(t *testing.T, id string, v Venue) {
	t.Helper()
	if id == "" || v.ID != id || v.Name == "" {
		t.Errorf("venue %q: %+v", id, v)
	}
	if (v.Timezone == "") != (v.Location == nil) {
		t.Errorf("venue %q: zone %q, location %v", id, v.Timezone, v.Location)
	}
	if v.Lat != nil && (*v.Lat < -90 || *v.Lat > 90) || v.Lon != nil && (*v.Lon < -180 || *v.Lon > 180) {
		t.Errorf("venue %q is at %v, %v", id, *v.Lat, *v.Lon)
	}
}
