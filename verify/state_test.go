package verify

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestNewest follows decision 8: offsets within a partition; between partitions the
// latest time of any record there, then the number of the partition.
func TestNewest(t *testing.T) {
	tests := []struct {
		name      string
		positions []position
		out       int64 // offset of a record that does not count; 0: none
		want      int64 // offset; -1: none
	}{
		{"none", nil, 0, -1},
		{"highest offset, whatever the times", []position{{offset: 1, time: 9}, {offset: 2, time: 3}}, 0, 2},
		{"in any order", []position{{offset: 2, time: 3}, {offset: 1, time: 9}}, 0, 2},
		{"latest partition", []position{{offset: 7, time: 5}, {offset: 1, time: 6, partition: 1}}, 0, 1},
		{"by its latest record, which is not its last", []position{{offset: 7, time: 9}, {offset: 8, time: 1}, {offset: 1, time: 6, partition: 1}}, 0, 8},
		{"in the middle", []position{{offset: 7, time: 1}, {offset: 8, time: 9}, {offset: 9, time: 2}, {offset: 1, time: 6, partition: 1}}, 0, 9},
		{"a tie", []position{{offset: 7, time: 6}, {offset: 1, time: 6, partition: 1}}, 0, 1},
		{"a tie, in any order", []position{{offset: 1, time: 6, partition: 1}, {offset: 7, time: 6}}, 0, 1},
		{"without what is in quarantine", []position{{offset: 1, time: 1}, {offset: 2, time: 2}}, 2, 1},
		{"of which the time does not count either", []position{{offset: 1, time: 1}, {offset: 2, time: 9}, {offset: 3, time: 5, partition: 1}}, 2, 3},
		{"all in quarantine", []position{{offset: 2, time: 2}}, 2, -1},
	}
	for _, tt := range tests {
		h := history[partnerFacts]{positions: tt.positions}
		got := int64(-1)
		if at := h.newest(func(p position) bool { return tt.out != 0 && p.offset == tt.out }); at != nil {
			got = at.offset
		}
		if got != tt.want {
			t.Errorf("%s: offset %d, want %d", tt.name, got, tt.want)
		}
	}
}

// The vectors of the slim contract.
func TestMurmur2(t *testing.T) {
	for key, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("%s: %d, want %d", key, got, want)
		}
	}
}

func TestEditions(t *testing.T) {
	if slices.Contains(categories2, "develpoment") || !slices.Contains(categories1, "develpoment") || len(categories1) != 17 || len(categories2) != 22 {
		t.Errorf("categories %v and %v", categories1, categories2)
	}
	d, err := ParseDirectory(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	good := Config{Edition: "1.0", Format: "json", Directory: d, Zone: moscow(t)}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
	for what, bad := range map[string]func(*Config){
		"edition": func(c *Config) { c.Edition = "3" }, "protobuf": func(c *Config) { c.Edition, c.Format = "2.0", "protobuf" },
		"directory": func(c *Config) { c.Directory = nil },
	} {
		c := good
		bad(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A table of category names of the deployment's own replaces the built-in one.
func TestOwnCategories(t *testing.T) {
	d, err := ParseDirectory([]byte(`{"categories":[{"id":"1","name":"OPERA "},{"id":"2","name":"Show"}]}`),
		[]byte("categories:\n- {names: [Opera, Опера], v1: theater, v2: musical}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.categories; len(got) != 1 || got["1"] != (words{"theater", "musical"}) {
		t.Errorf("categories are %v", got)
	}
	for i, bad := range []string{"{", `{"cities":[{"id":1,"timezone":"Nowhere/City"}]}`} {
		if _, err := ParseDirectory([]byte(bad), nil); err == nil {
			t.Error("no error for " + strconv.Itoa(i))
		}
	}
}
