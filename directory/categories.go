package directory

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/ticketscloud/vibe-bridge/slim"
)

// Category is the enum word of one category in each edition of the slim
// contract: V1 for edition 1.0, V2 for edition 2.0.
//
// Invariant: in every Category that this package returns with true, both words
// are members of their edition's enum.
type Category struct{ V1, V2 string }

// CategoryTable translates the names of categories into enum words. It is
// immutable.
type CategoryTable struct {
	byName map[string]Category // key: folded(name)
}

//go:embed categories.yaml
var defaultCategories []byte

// DefaultCategories returns the built-in table, the one of the mapping contract.
func DefaultCategories() *CategoryTable { return parseDefaultCategories() }

var parseDefaultCategories = sync.OnceValue(func() *CategoryTable {
	table, err := ParseCategories(defaultCategories)
	if err != nil {
		panic("built-in categories.yaml: " + err.Error()) // a test parses it
	}
	return table
})

// ParseCategories reads a category table in the form of categories.yaml, as
// YAML or as JSON. Unknown keys, names that occur twice and words that the
// slim contract does not have are errors.
func ParseCategories(data []byte) (*CategoryTable, error) {
	entries, err := decodeCategories(data)
	if err != nil {
		return nil, fmt.Errorf("read category table: %w", err)
	}
	table := &CategoryTable{byName: make(map[string]Category, 2*len(entries))}
	var problems []error
	for i, entry := range entries {
		if err := table.add(entry); err != nil {
			problems = append(problems, fmt.Errorf("read category table: categories[%d]: %w", i, err))
		}
	}
	if len(entries) == 0 {
		problems = append(problems, errors.New(`read category table: the list "categories" is missing or empty`))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return table, nil
}

type categoryEntry struct {
	Names  []string
	V1, V2 string
}

func decodeCategories(data []byte) ([]categoryEntry, error) {
	document, err := toJSON(data)
	if err != nil {
		return nil, err
	}
	var list []json.RawMessage
	if err := decodeDocument(document, map[string]any{"categories": &list}); err != nil {
		return nil, err
	}
	entries := make([]categoryEntry, len(list))
	for i, raw := range list {
		entry := &entries[i]
		if err := decodeObject(raw, map[string]any{"names": &entry.Names, "v1": &entry.V1, "v2": &entry.V2}); err != nil {
			return nil, fmt.Errorf("categories[%d]: %w", i, err)
		}
	}
	return entries, nil
}

// toJSON leaves JSON as it is (indented with tabs it would not be YAML) and
// turns YAML into it, so that one strict reader serves both.
func toJSON(data []byte) ([]byte, error) {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return data, nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	document := any(map[string]any{}) // of an empty file
	if err := decoder.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something after the table; a file holds one table")
	}
	return json.Marshal(document)
}

func (t *CategoryTable) add(entry categoryEntry) error {
	if len(entry.Names) == 0 {
		return errors.New("has no names")
	}
	if err := checkWord(slim.Edition1, entry.V1); err != nil {
		return fmt.Errorf("v1: %w", err)
	}
	if err := checkWord(slim.Edition2, entry.V2); err != nil {
		return fmt.Errorf("v2: %w", err)
	}
	for _, name := range entry.Names {
		key := folded(name)
		if key == "" {
			return errors.New("names: one of them is empty")
		}
		if _, twice := t.byName[key]; twice {
			return fmt.Errorf("names: %s stands in the table twice", quoted(name))
		}
		t.byName[key] = Category{V1: entry.V1, V2: entry.V2}
	}
	return nil
}

func checkWord(edition slim.Edition, word string) error {
	if edition.IsCategory(word) {
		return nil
	}
	return fmt.Errorf("%s is no category of edition %s; it has: %s", quoted(word), edition, strings.Join(edition.Categories(), " "))
}

// Lookup finds a category by one of its names. Letter case (of any script) and
// surrounding white space do not matter.
func (t *CategoryTable) Lookup(name string) (Category, bool) {
	category, ok := t.byName[folded(name)]
	return category, ok
}

// folded maps names that strings.EqualFold calls equal to one spelling, and
// drops surrounding white space.
func folded(name string) string {
	return strings.Map(foldRune, strings.TrimSpace(name))
}

// foldRune returns the smallest rune of r's case orbit: the one member that
// does not depend on where in the orbit one starts.
func foldRune(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return least
}
