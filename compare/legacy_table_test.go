package compare

import (
	"fmt"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ticketscloud/vibe-bridge/legacyproto/intake"
)

func TestFieldTableCoversEveryField(t *testing.T) {
	table, err := parseFieldTable(fieldTableText)
	if err != nil {
		t.Fatal(err)
	}
	for s := Events; s < Streams; s++ {
		all := slices.Clone(Fields(s))
		if s == Orders {
			all = append(all, ItemFields()...)
		}
		for _, f := range all {
			for edition := 1; edition <= 2; edition++ {
				if has, r := (Form{Edition: edition}).Has(f), table.cell(s, f.Path, edition); has != (r != nil) {
					t.Errorf("%s of %s in edition %d: there is a row: %v", f.Path, s, edition, r != nil)
				} else if r != nil && (r.sources[0] != Own || len(r.sources) > 1) != (f.Borrowable) {
					t.Errorf("%s of %s: borrowable is %v, and its sources are %v", f.Path, s, f.Borrowable, r.sources)
				}
			}
		}
	}
}

func TestFieldTableIsChecked(t *testing.T) {
	const good = "events\tname\t-\tname\town\ttext"
	if _, err := parseFieldTable("# comment\n\n" + good); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ row, want string }{
		{"events\tname\t-\tname\town", "5 columns"},
		{"event\tname\t-\tname\town\ttext", `no stream "event"`},
		{"events\ttitle\t-\tname\town\ttext", `events have no "title"`},
		{"events\ttickets[].row\t-\tname\town\ttext", `events have no "tickets[].row"`},
		{"events\tstatus\t1\tstatus\town\tevent_status", `no "status" in edition 1`},
		{"events\tstatus\t-\tstatus\town\tevent_status", `no "status" in edition 1 and 2`},
		{"events\tname\t3\tname\town\ttext", `edition "3"`},
		{"events\tname\t12\tname\town\ttext", `edition "12"`},
		{"events\t@colour\t-\tname\town\ttext", `no "colour"`},
		{"events\t\t-\tname\town\ttext", `no ""`},
		{good + "\n" + good, "line 5: name stands in line 4 already"},
		{"events\tname\t1\tname\town\ttext\n" + good, "line 5: name stands in line 4"},
		{"events\tname\t-\ttitle\town\ttext", `Event has no field "title"`},
		{"events\tname\t-\tmedia.front\town\ttext", `Media has no field "front"`},
		{"events\tname\t-\tname.first\town\ttext", "must lead to a text"},
		{"events\tname\t-\tmedia\town\ttext", "must lead to a text"},
		{"events\tstart_at\t-\tlifetime.start.seconds\town\tdecimal", "must lead to a text"},
		{"events\tname\t-\topen_date\town\ttext", "must lead to a text"},
		{"events\tname\t-\tsets.name\town\ttext", "[] belongs behind a list"},
		{"events\tname\t-\tname[]\town\ttext", "[] belongs behind a list"},
		{"orders\t+a\t-\ttickets[].id\town\tjoined\norders\t+b\t-\tpayments[].id\town\tjoined", "line 5: legacy path \"payments[].id\": a stream has one list"},
		{"events\tname\t-\tname\tpartner | theirs\ttext", `no source "theirs"`},
		{"events\tname\t-\tname\town\tupper", `no normaliser "upper"`},
		{"events\tname\t-\tname\town\tdecimal", "does not take these"},
		{"events\tname\t-\tname, meta\town\ttext", "does not take these"},
		{"events\tname\t-\tname | lifetime.start\town\ttext", "does not take these"},
		{"events\tname\t-\t-\town\ttext", "does not take these"},
		{"orders\tid\t-\ttickets[].id\town\ttext", "one value of a list"},
		{"orders\ttickets\t-\tid\town\tjoined", "whole of it"},
		{"events\t!gone\t-\tname\tdrop\tempty", "want skip or quarantine"},
		{"events\t!gone\t-\tname\tskip\tmissing", `no check "missing"`},
		{"events\t!gone\t-\tstatus\tskip\tnot:SOLD", `no value "SOLD"`},
		{"events\t!gone\t-\tname\tskip\tnot:PUBLIC", "does not take these"},
	} {
		_, err := parseFieldTable("\n# comment\n\n" + c.row)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "fields.tsv, line ") {
			t.Errorf("%q: %v, want %s", c.row, err, c.want)
		}
	}
	if _, err := parseFieldTable("x\n" + good + "\ny"); err == nil || !strings.Contains(err.Error(), "line 1") || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("of two lines that are wrong: %v", err)
	}
}

// What the table names is what the bridge decodes: so both call the same records
// undecodable (decision 10).
func TestFieldTableNamesWhatIsDecoded(t *testing.T) {
	table, err := loadFieldTable()
	if err != nil {
		t.Fatal(err)
	}
	projections := [Streams]protoreflect.ProtoMessage{&intake.Partner{}, &intake.Event{}, &intake.Order{}, &intake.RefundRequest{}}
	for s, m := range projections {
		want, got := descriptorPaths("", m.ProtoReflect().Descriptor()), planPaths("", &table.plans[s].record)
		slices.Sort(want)
		slices.Sort(got)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: the table decodes %v, the bridge %v", Stream(s), got, want)
		}
	}
}

func descriptorPaths(prefix string, d protoreflect.MessageDescriptor) (paths []string) {
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		path := fmt.Sprint(prefix, ".", f.Number())
		if f.Message() != nil {
			paths = append(paths, descriptorPaths(path, f.Message())...)
			continue
		}
		paths = append(paths, path)
	}
	return paths
}

func planPaths(prefix string, m *wireMessage) (paths []string) {
	for number, f := range m.byNumber {
		path := fmt.Sprint(prefix, ".", number)
		switch {
		case f == nil:
		case f.inner != nil:
			paths = append(paths, planPaths(path, f.inner)...)
		default:
			paths = append(paths, path)
		}
	}
	return paths
}

// A mistake of package mapping has to be found here, and so must not be made here.
func TestNothingOfMappingIsUsed(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil || len(names) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			for _, forbidden := range []string{"/mapping", "/verify", "/processors", "/legacyproto/intake", "/internal/dryrun"} {
				if strings.Contains(spec.Path.Value, "vibe-bridge"+forbidden) {
					t.Errorf("%s imports %s", name, spec.Path.Value)
				}
			}
		}
	}
}
