package schemas_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/slim"
)

// page is a guide for readers.
type page struct {
	name     string
	headings []string // level and, where they name an object, its name
	blocks   []codeBlock
	tables   map[string][]fieldRow
	required string // the word in its tables
	optional string
}

type codeBlock struct{ language, text string }

type fieldRow struct{ name, kind, first, second string }

var (
	headingLine = regexp.MustCompile("^(#+) (.*)$")
	objectName  = regexp.MustCompile("^`([A-Z][a-z]+)`$")
	fieldLine   = regexp.MustCompile("^\\| `([a-z_]+)` \\| ([a-z]+) \\| ([^|]+) \\| ([^|]+) \\| [^|]+ \\|$")
	sectionLink = regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)
)

func readPage(t *testing.T, name, required, optional string) *page {
	t.Helper()
	text, err := os.ReadFile("../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	p := &page{name: name, tables: map[string][]fieldRow{}, required: required, optional: optional}
	object := ""
	var open *codeBlock
	for line := range strings.Lines(string(text)) {
		bare := strings.TrimSuffix(line, "\n")
		switch heading := headingLine.FindStringSubmatch(bare); {
		case open != nil && bare == "```":
			p.blocks = append(p.blocks, *open)
			open = nil
		case open != nil:
			open.text += line
		case strings.HasPrefix(bare, "```"):
			open = &codeBlock{language: strings.TrimPrefix(bare, "```")}
		case heading != nil:
			object = ""
			if found := objectName.FindStringSubmatch(heading[2]); found != nil {
				object = found[1]
			}
			p.headings = append(p.headings, heading[1]+object)
		default:
			if row := fieldLine.FindStringSubmatch(bare); row != nil && object != "" {
				p.tables[object] = append(p.tables[object], fieldRow{row[1], row[2], row[3], row[4]})
			}
		}
		if open == nil {
			for _, link := range sectionLink.FindAllStringSubmatch(line, -1) {
				if _, err := os.Stat("../docs/" + link[1]); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
	return p
}

// Both pages say of every field what the schemas say, and have the same sections and examples.
func TestIntegrationPages(t *testing.T) {
	english := readPage(t, "integration.md", "required", "optional")
	russian := readPage(t, "integration.ru.md", "обязательно", "может не быть")
	for _, p := range []*page{english, russian} {
		p.checkFields(t)
		p.checkExamples(t)
	}
	if !slices.Equal(english.headings, russian.headings) || len(english.headings) < 20 {
		t.Errorf("sections\n%q\n%q", english.headings, russian.headings)
	}
	if !slices.Equal(english.blocks, russian.blocks) {
		t.Error("the pages have other examples")
	}
}

func (p *page) checkFields(t *testing.T) {
	objects := map[string][2]map[string]any{} // by name, in both editions
	for i, edition := range editions {
		for _, stream := range streams {
			schema := decoded(t, published(t, fmt.Sprintf("%v/%s.schema.json", edition, stream))).(map[string]any)
			add := func(name string, object any) {
				both := objects[name]
				both[i] = object.(map[string]any)
				objects[name] = both
			}
			add(typeNames[string(stream)], schema)
			defs, _ := schema["$defs"].(map[string]any)
			for name, object := range defs {
				add(strings.ToUpper(name[:1])+name[1:], object)
			}
		}
	}
	if len(objects) != len(p.tables) {
		t.Errorf("%s: %d tables of fields, want %d", p.name, len(p.tables), len(objects))
	}
	for name, both := range objects {
		var want []fieldRow
		seen := map[string]bool{}
		for _, row := range p.tables[name] { // their order is looked at by eye
			kind, first := p.says(both[0], row.name)
			kind2, second := p.says(both[1], row.name)
			if kind == "" {
				kind = kind2
			}
			want = append(want, fieldRow{row.name, kind, first, second})
			seen[row.name] = true
		}
		if !slices.Equal(p.tables[name], want) {
			t.Errorf("%s: %s has\n%q, the schemas\n%q", p.name, name, p.tables[name], want)
		}
		for _, object := range both {
			for field := range object["properties"].(map[string]any) {
				if !seen[field] {
					t.Errorf("%s: %s has no %s", p.name, name, field)
				}
			}
		}
	}
}

// says is what a table has to say of a field in one edition.
func (p *page) says(object map[string]any, field string) (kind, presence string) {
	property, there := object["properties"].(map[string]any)[field].(map[string]any)
	if !there {
		return "", "—"
	}
	kind, _ = property["type"].(string)
	if property["$ref"] != nil {
		kind = "object"
	}
	required, _ := object["required"].([]any)
	if slices.Contains(required, any(field)) {
		return kind, p.required
	}
	return kind, p.optional
}

func (p *page) checkExamples(t *testing.T) {
	program, err := os.ReadFile("../docs/examples/slim_consumer.py")
	if err != nil {
		t.Fatal(err)
	}
	var examples []string
	for _, stream := range streams {
		for _, edition := range editions {
			examples = append(examples, string(published(t, fmt.Sprintf("%v/%s.example.json", edition, stream))))
		}
	}
	var found []string
	count := map[string]int{}
	for _, b := range p.blocks {
		count[b.language]++
		switch b.language {
		case "json":
			found = append(found, b.text)
		case "python":
			if !strings.Contains(string(program), b.text) {
				t.Errorf("%s: not in the program:\n%s", p.name, b.text)
			}
		case "text":
			p.checkHeaders(t, b.text)
		case "properties":
			for line := range strings.Lines(b.text) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				for host := range strings.SplitSeq(value, ",") {
					if name == "bootstrap.servers" && !strings.HasSuffix(host, ".example.com:9091") {
						t.Errorf("%s: %s", p.name, host)
					}
				}
			}
		}
	}
	// That they are valid, TestExamples says.
	if !slices.Equal(found, examples) {
		t.Errorf("%s: the examples are not those of the schemas, in their order", p.name)
	}
	if count["python"] != 3 || count["properties"] != 2 || count["text"] != 1 {
		t.Errorf("%s: blocks %v", p.name, count)
	}
}

func (p *page) checkHeaders(t *testing.T, text string) {
	enc := slim.Encoding{Edition: slim.Edition1, Format: slim.JSON}
	want := ""
	for _, h := range slim.Headers(enc, slim.DefaultApplicationID, slim.Source("orders_done", 3, 41)) {
		want += h.Key + ": " + string(h.Value) + "\n"
	}
	if text != want {
		t.Errorf("%s: headers are\n%swant\n%s", p.name, text, want)
	}
}
