package directory

import (
	"fmt"
	"io"
	"os"
	"time"
)

// Directory answers what a category id and a venue id stand for.
//
// It is immutable and safe for concurrent use. A change of the file makes a new
// Directory.
type Directory struct {
	categories map[string]Category // only those that the table has a word for
	venues     map[string]Venue
	digest     uint64
}

// Venue is a place with what is known of its city.
type Venue struct {
	ID          string
	Name        string // never empty
	Address     string // "" when unknown, as every other string here
	Description string
	CityName    string
	// Lat and Lon are degrees, within [-90, 90] and [-180, 180]; nil when
	// unknown. What they point to must not be changed.
	Lat, Lon *float64
	// Timezone is an IANA name, "" when unknown.
	Timezone string
	// Location is Timezone loaded, nil when unknown.
	//
	// Invariant: Location is nil exactly when Timezone is "".
	Location *time.Location
}

// Empty returns the directory that knows nothing.
func Empty() *Directory { return newDirectory(nil, nil) }

func newDirectory(categories map[string]Category, venues map[string]Venue) *Directory {
	return &Directory{categories: categories, venues: venues, digest: digest(categories, venues)}
}

// Category returns the enum words of a category id. It is false for an id that
// the directory does not list, and for one whose name the category table does
// not have.
func (d *Directory) Category(id string) (Category, bool) {
	category, ok := d.categories[id]
	return category, ok
}

// Venue returns the venue of an id, false for an id that the directory does
// not list.
func (d *Directory) Venue(id string) (Venue, bool) {
	venue, ok := d.venues[id]
	return venue, ok
}

// Digest is equal for directories that give equal answers, whatever the layout
// and the order of the files they come from, and the same in every process.
func (d *Directory) Digest() uint64 { return d.digest }

// maxFileBytes bounds what Load reads. A venue takes well under a kilobyte.
const maxFileBytes = 256 << 20

// Load reads the file at path and parses it as Parse does.
func Load(path string, categories *CategoryTable) (*Directory, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read directory: %w", err)
	}
	directory, err := Parse(data, categories)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return directory, nil
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("%s is larger than %d MiB; is it the right file?", path, maxFileBytes>>20)
	}
	return data, nil
}
