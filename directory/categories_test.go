package directory

import (
	"strings"
	"testing"
)

// The table of the mapping contract, "Event", line for line.
const contractTable = `Балет/Ballet ballet · Бизнес/Business business · Вечеринки/Parties party · Выставки/Exhibitions exhibition ·
Детям/Kids kids · Здоровье/Health health · Кино/Movies movie · Концерты/Concerts concert · Музеи/Museums museum ·
Спорт/Sport sport · Театры/Theaters theater · Фестивали/Festivals festival · Шоу/Show show · Экскурсии/Excursions excursion`

func TestDefaultCategoriesAreThoseOfTheContract(t *testing.T) {
	want := map[string]Category{
		"Развитие": {"develpoment", "development"}, "Development": {"develpoment", "development"},
		"Квесты": {"other", "games"}, "Quests": {"other", "games"},
		"Цирк": {"show", "circus"}, "Circus": {"show", "circus"},
		"Мюзиклы": {"theater", "musical"}, "Musicals": {"theater", "musical"},
		"Стендап": {"show", "standup"}, "Standup": {"show", "standup"},
		"Мастер-классы": {"other", "workshop"}, "Workshops": {"other", "workshop"},
	}
	for _, line := range strings.Split(contractTable, "·") {
		fields := strings.Fields(line)
		ru, en, _ := strings.Cut(fields[0], "/")
		want[ru] = Category{fields[1], fields[1]}
		want[en] = Category{fields[1], fields[1]}
	}
	table := DefaultCategories()
	for name, category := range want {
		for _, spelling := range []string{name, strings.ToUpper(name), strings.ToLower(name), "\u00a0" + name + "\t"} {
			if got, ok := table.Lookup(spelling); !ok || got != category {
				t.Errorf("Lookup(%q) = %v, %t; want %v", spelling, got, ok, category)
			}
		}
	}
	if len(table.byName) != len(want) {
		t.Errorf("the built-in table has %d names, the contract %d", len(table.byName), len(want))
	}
	for _, name := range []string{"", "  ", "Шоу Шоу", "concert", "Концерт"} {
		if got, ok := table.Lookup(name); ok {
			t.Errorf("Lookup(%q) = %v", name, got)
		}
	}
}

func TestLookupFoldsEveryScript(t *testing.T) {
	table, err := ParseCategories([]byte(`{"categories": [{"names": ["Straße Σίσυφος K"], "v1": "show", "v2": "show"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	// ẞ and ß, the three sigmas, and the Kelvin sign are one letter each.
	for _, name := range []string{"STRAẞE ΣΊΣΥΦΟΣ k", "straße σίσυφος \u212a"} {
		if _, ok := table.Lookup(name); !ok || !strings.EqualFold(name, "Straße Σίσυφος K") {
			t.Errorf("%q is not found", name)
		}
	}
}

func TestParseCategories(t *testing.T) {
	for _, text := range []string{
		"categories:\n  - names: [Цирк, Circus]\n    v1: other\n    v2: circus\n",
		"{\n\t\"categories\": [\n\t\t{\"names\": [\"Цирк\", \"Circus\"], \"v1\": \"other\", \"v2\": \"circus\"}\n\t]\n}",
	} {
		table, err := ParseCategories([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, _ := table.Lookup("circus"); got != (Category{"other", "circus"}) {
			t.Errorf("%s: circus is %v", text, got)
		}
		if _, ok := table.Lookup("Шоу"); ok {
			t.Error("a table of the deployment adds to the built-in one; it must replace it")
		}
	}
}

func TestParseUsesTheTable(t *testing.T) {
	table, err := ParseCategories([]byte(`{"categories": [{"names": ["Gastronomy"], "v1": "other", "v2": "games"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	text := []byte(`{"categories": [{"id": "c", "name": "gastronomy"}]}`)
	d, err := Parse(text, table)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := d.Category("c"); got != (Category{"other", "games"}) {
		t.Errorf("category is %v", got)
	}
	if _, ok := parse(t, string(text)).Category("c"); ok {
		t.Error("the built-in table has gastronomy")
	}
}

func TestParseCategoriesRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", ``, `"categories" is missing or empty`},
		{"no list", `{}`, `"categories" is missing or empty`},
		{"not YAML", "categories: [", `yaml: line 1`},
		{"not JSON", `{"categories": `, `not JSON: line 1`},
		{"JSON and more", `{"categories": []} {}`, `not JSON`},
		{"two documents", "categories: []\n---\ncategories: []\n", `something after the table`},
		{"unknown key", "categorys: []\n", `unknown key "categorys"; known keys: categories`},
		{"unknown key of an entry", "categories: [{names: [a], v1: show, v2: show, v3: show}]", `categories[0]: unknown key "v3"`},
		{"no names", "categories: [{v1: show, v2: show}]", `categories[0]: has no names`},
		{"empty name", `categories: [{names: [a, " "], v1: show, v2: show}]`, `categories[0]: names: one of them is empty`},
		{"name twice", "categories: [{names: [Show], v1: show, v2: show}, {names: [sHOW], v1: show, v2: show}]", `categories[1]: names: "sHOW" stands in the table twice`},
		{"word of the other edition", "categories: [{names: [a], v1: circus, v2: circus}]", `categories[0]: v1: "circus" is no category of edition 1.0`},
		{"word without the misspelling", "categories: [{names: [a], v1: develpoment, v2: develpoment}]", `categories[0]: v2: "develpoment" is no category of edition 2.0`},
		{"a list for a word", "categories: [{names: [a], v1: [show], v2: show}]", `categories[0]: key "v1": wants a string, has array`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseCategories([]byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v; want in it %s", err, tt.want)
			}
		})
	}
}
