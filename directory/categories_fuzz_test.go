package directory

import (
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/slim"
)

// FuzzParseCategories reads any bytes as a category table: an error in UTF-8, or a
// table that is the same each time, whose words are members of their edition's
// enum, and whose names are found in any case and with white space around them.
func FuzzParseCategories(f *testing.F) {
	f.Add(defaultCategories)
	f.Add([]byte(`{"categories":[{"names":["Шоу"," show "],"v1":"show","v2":"show"}]}`))
	f.Add([]byte("categories: &a\n- {names: [ß, K], v1: other, v2: games}\n"))
	f.Add([]byte("categories: [*a]\n"))
	f.Add([]byte("? [categories]\n: 1\n"))
	f.Add([]byte("categories:\n- names: [~, 1, .nan]\n  v1: show\n  v2: show\n"))
	f.Add([]byte("a: .inf\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := ParseCategories(data)
		if err != nil {
			if strings.ToValidUTF8(err.Error(), "") != err.Error() {
				t.Errorf("the error is not UTF-8: %q", err)
			}
			return
		}
		again, err := ParseCategories(data)
		if err != nil || len(again.byName) != len(table.byName) || len(table.byName) == 0 {
			t.Fatalf("%d names, and then %v", len(table.byName), err)
		}
		for name, category := range table.byName {
			if !slim.Edition1.IsCategory(category.V1) || !slim.Edition2.IsCategory(category.V2) {
				t.Errorf("%q is %+v", name, category)
			}
			for _, spelt := range []string{name, strings.ToUpper(name), strings.ToLower(name), "\t" + name + "\u00a0"} {
				if got, ok := table.Lookup(spelt); strings.EqualFold(strings.TrimSpace(spelt), name) && (!ok || got != category) {
					t.Errorf("%q is %+v, and as %q %+v", name, category, spelt, got)
				}
			}
			if got, ok := again.Lookup(name); !ok || got != category {
				t.Errorf("%q is %+v, and then %+v", name, category, got)
			}
		}
	})
}
