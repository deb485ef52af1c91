package compare

import (
	"strings"
	"testing"
)

func testPlaces(t *testing.T, form Form, file, categories []byte) *Places {
	t.Helper()
	p, err := NewPlaces(form, file, categories, testZone(t, "Europe/Moscow"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPlaces(t *testing.T) {
	const winter, summer = 1768000000, 1784000000
	one, two, both := Form{Edition: 1}, Form{Edition: 2}, Form{}
	protobuf := Form{Edition: 1, Protobuf: true}
	for _, c := range []struct {
		form                  Form
		path, category, venue string
		start                 int64
		want                  string
	}{
		{one, "category", "c1", "", 0, "develpoment"},
		{two, "category", "c1", "", 0, "development"},
		{both, "category", "c1", "", 0, "develpoment"},
		{one, "category", "c2", "", 0, "other"},
		{two, "category", "c2", "", 0, "games"},
		{two, "category", "c3", "", 0, "other"}, // a name that the table does not have
		{two, "category", "c9", "v1", 0, "other"},
		{two, "category", "", "", 0, "other"},
		{one, "venue.id", "", "v1", 0, "v1"},
		{one, "venue.name", "", "v1", 0, "Hall"},
		{one, "venue.description", "", "v1", 0, "large"},
		{one, "venue.address", "", "v1", 0, "1 Street"},
		{one, "venue.zipcode", "", "v1", 0, ""},
		{one, "venue.city_name", "", "v1", 0, "Pune"},
		{one, "venue.lat", "", "v1", 0, "55.75"},
		{one, "venue.lon", "", "v1", 0, "-0.1"},
		{one, "timezone", "", "v1", 0, "Asia/Kolkata"},
		{one, "timezone", "", "v2", 0, ""},
		{one, "venue.city_name", "", "v4", 0, ""},
		{one, "venue.lat", "", "v4", 0, ""},
		{one, "venue.lat", "", "v2", 0, "0"},
		{one, "venue.lon", "", "v3", 0, "0"}, // it is -0
		{protobuf, "venue.lat", "", "v2", 0, ""},
		{protobuf, "venue.lon", "", "v2", 0, "12"},
		{protobuf, "venue.lon", "", "v3", 0, ""},
		{one, "venue.id", "", "v9", 0, ""},
		{one, "venue.name", "", "", 0, ""},
		{one, "timezone", "", "v9", 0, ""},
		{two, "offset", "", "v1", winter, "5.5"},
		{two, "offset", "", "v3", winter, "0"},
		{two, "offset", "", "v3", summer, "1"},
		{two, "offset", "", "v2", winter, "3"}, // a city without a zone
		{both, "offset", "", "v9", winter, "3"},
	} {
		if got := testPlaces(t, c.form, []byte(legacyPlaces), nil).Text(c.path, c.category, c.venue, c.start); got != c.want {
			t.Errorf("%+v: %s of %q, %q: %q, want %q", c.form, c.path, c.category, c.venue, got, c.want)
		}
	}
	empty := testPlaces(t, two, nil, nil)
	if got := empty.Text("category", "c1", "v1", 0) + empty.Text("venue.name", "c1", "v1", 0) + empty.Text("offset", "c1", "v1", winter); got != "other3" {
		t.Errorf("without a file %q", got)
	}
}

func TestPlacesWithATableOfItsOwn(t *testing.T) {
	p := testPlaces(t, Form{Edition: 2}, []byte(legacyPlaces), []byte("categories:\n  - {names: [opera], v1: theater, v2: musical}\n"))
	if got := p.Text("category", "c3", "", 0) + " " + p.Text("category", "c1", "", 0); got != "musical other" {
		t.Errorf("%q: the table replaces the built-in one", got)
	}
}

func TestPlacesRefuseWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ file, categories, want string }{
		{`{"venues":[{"id":"v"}]}`, "", "has no name"},
		{`{}`, "categories: [{names: [a], v1: opera, v2: other}]", "no category of edition"},
		{`[`, "", "places: read directory"},
	} {
		var categories []byte
		if c.categories != "" {
			categories = []byte(c.categories)
		}
		if _, err := NewPlaces(Form{Edition: 1}, []byte(c.file), categories, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: %v, want %s", c.file, c.categories, err, c.want)
		}
	}
}
