package compare

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

const goodExpected = `# why they differ
expected:
  - id: media-cdn
    owner: platform on-call
    reason: the new CDN has other names
    expires: 2026-12-31
    streams: [events]
    categories: [value]
    fields: ["media", "organizer.legals.*"]
  - id: old_orders
    owner: sales
    reason: not migrated
    expires: 2026-06-30
    categories: [missing, extra]
    ids: [o1, 77]
    ids_file: more.txt
  - id: seats
    owner: sales
    reason: the old side has none
    expires: 2026-12-31
    streams: [orders]
    fields: ["tickets[].*"]
    absent: left
  - id: all
    owner: sales
    reason: until the summer
    expires: 2026-06-30
    streams: [events, orders, refunds]
`

func readIDs(path string) ([]byte, error) {
	if path != "dir/more.txt" {
		return nil, errors.New("no such file")
	}
	return []byte("o2\r\n\n o3 \n"), nil
}

func TestExpectedMatch(t *testing.T) {
	e, err := ParseExpected("dir/expected.yaml", []byte(goodExpected), readIDs)
	if err != nil {
		t.Fatal(err)
	}
	june, july := time.Date(2026, 6, 30, 23, 59, 59, 0, time.UTC), time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name string
		d    ExpectedQuery
		now  time.Time
		want string // the rule, "" for none; "expired ..." for one that has expired
	}{
		{"a field", ExpectedQuery{Stream: Events, Category: Value, Field: "media"}, july, "media-cdn"},
		{"a glob", ExpectedQuery{Stream: Events, Category: Value, Field: "organizer.legals.inn"}, july, "media-cdn"},
		{"another field", ExpectedQuery{Stream: Events, Category: Value, Field: "organizer.name"}, june, "all"},
		{"another category", ExpectedQuery{Stream: Events, Category: WrongValueType, Field: "media"}, july, "expired all"},
		{"another stream", ExpectedQuery{Stream: Orders, Category: Absent, ID: "o1"}, june, "old_orders"},
		{"an id that looks like a number", ExpectedQuery{Stream: Orders, Category: Extra, ID: "77"}, june, "old_orders"},
		{"an id of the file", ExpectedQuery{Stream: Refunds, Category: Extra, ID: "o3"}, june, "old_orders"},
		{"expired", ExpectedQuery{Stream: Orders, Category: Extra, ID: "o2"}, july, "expired old_orders"},
		{"another id", ExpectedQuery{Stream: Orders, Category: Extra, ID: "o4"}, june, "all"},
		{"absent on the left", ExpectedQuery{Stream: Orders, Category: Value, Field: "tickets[].seat", LeftAbsent: true}, july, "seats"},
		{"first match", ExpectedQuery{Stream: Orders, Category: Value, Field: "tickets[].seat", LeftAbsent: true}, june, "seats"},
		{"absent on the right", ExpectedQuery{Stream: Orders, Category: Value, Field: "tickets[].seat", RightAbsent: true}, july, "expired all"},
		{"as a whole: not with fields", ExpectedQuery{Stream: Orders, Category: Value, LeftAbsent: true}, july, "expired all"},
		{"an unknown field", ExpectedQuery{Stream: Events, Category: Value, Field: "organizer.legals.kpp"}, july, "media-cdn"},
		{"no difference", ExpectedQuery{Stream: Events, Category: Pending}, june, ""},
		{"no unknown difference", ExpectedQuery{Stream: Events, Category: Pending, Field: "x"}, june, ""},
		{"a live one behind an expired one", ExpectedQuery{Stream: Orders, Category: Absent, ID: "o1", Field: "tickets[].row", LeftAbsent: true}, july, "seats"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := e.Match(tt.d, tt.now)
			got := m.Rule
			if m.Expired {
				got = "expired " + got
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	none := (*Expected)(nil)
	if m := none.Match(tests[0].d, june); m != (ExpectedMatch{}) || none.Counts(nil, june) != nil {
		t.Errorf("no rules: %+v", m)
	}
	counts := e.Counts(map[string]int64{"seats": 3}, july)
	want := ExpectedCount{ID: "seats", Owner: "sales", Reason: "the old side has none", Expires: "2026-12-31", Count: 3}
	if len(counts) != 4 || counts[2] != want || counts[0].Count != 0 || !counts[1].Expired || !counts[3].Expired {
		t.Errorf("counts are %+v", counts)
	}
}

func TestExpectedErrors(t *testing.T) {
	const head = "expected:\n  - id: a\n    owner: b\n    reason: c\n    expires: 2026-12-31\n"
	for _, tt := range []struct{ data, want string }{
		{"", "f.yaml:1: want the key expected"},
		{"# only this\n", "f.yaml:1: want the key expected"},
		{"{}", "f.yaml:1: want the key expected"},
		{"[]", "f.yaml:1: the file: want keys"},
		{"expected:\n", "f.yaml:1: expected: want a list"},
		{"expected: [\n", "f.yaml: yaml: line"},
		{"expected: []\nexpcted: []\n", `f.yaml:2: "expcted": there is no such key`},
		{"expected: []\nexpected: []\n", `f.yaml:2: "expected" occurs twice`},
		{"expected: []\n---\nexpected: []\n", "f.yaml:2: a second document"},
		{"expected: [7]", "f.yaml:1: a rule: want keys"},
		{head + "    who: d\n", `f.yaml:6: "who": there is no such key`},
		{head + "    <<: {}\n", `f.yaml:6: "<<": there is no such key`},
		{head + "    owner: d\n", `f.yaml:6: "owner" occurs twice`},
		{head + "    streams: [events]\n  - id: a\n    owner: b\n    reason: c\n    expires: 2026-12-31\n    streams: [events]\n", "f.yaml:7: the rule a occurs twice, first in line 2"},
		{head, "f.yaml:2: the rule a would explain every difference"},
		{strings.Replace(head, "id: a", "id: A b", 1), `f.yaml:2: id "A b": want small letters`},
		{strings.Replace(head, "  - id: a\n    owner", "  - owner", 1), "f.yaml:2: a rule without id"},
		{strings.Replace(head, "    owner: b\n", "", 1), "f.yaml:2: a rule without owner"},
		{strings.Replace(head, "owner: b", "owner: ' '", 1), "f.yaml:3: owner: want a text"},
		{strings.Replace(head, "owner: b", "owner: [b]", 1), "f.yaml:3: owner: want a text"},
		{strings.Replace(head, "reason: c", "reason:", 1), "f.yaml:4: reason: want a text"},
		{strings.Replace(head, "    reason: c\n", "", 1), "f.yaml:2: a rule without reason"},
		{strings.Replace(head, "    expires: 2026-12-31\n", "", 1), "f.yaml:2: a rule without expires"},
		{strings.Replace(head, "2026-12-31", "2026-02-30", 1), `f.yaml:5: expires "2026-02-30": want a day`},
		{strings.Replace(head, "2026-12-31", "2026-12-31T00:00:00Z", 1), "want a day"},
		{head + "    streams: [partners]\n", `f.yaml:6: unknown stream "partners": use events, orders, refunds`},
		{head + "    streams: events\n", "f.yaml:6: streams: want a list"},
		{head + "    streams: []\n", "f.yaml:6: streams: the list is empty"},
		{head + "    categories: [value, pending]\n", `f.yaml:6: unknown category "pending"`},
		{head + "    categories:\n    - value\n    - value\n", "f.yaml:8: categories: one occurs twice"},
		{head + "    fields:\n    - media\n    - medium\n", `f.yaml:8: "medium" matches no field`},
		{head + "    streams: [orders]\n    fields: [media]\n", `f.yaml:7: "media" matches no field`},
		{head + "    fields: ['']\n", "f.yaml:6: fields: want a text"},
		{head + "    ids: [null]\n", "f.yaml:6: ids: want a text"},
		{head + "    ids: []\n", "f.yaml:6: ids: the list is empty"},
		{head + "    ids_file: none.txt\n", "f.yaml:6: ids_file: no such file"},
		{head + "    ids_file: empty.txt\n", "f.yaml:6: ids_file: empty.txt has no id"},
		{head + "    absent: both\n", `f.yaml:6: absent "both": use left or right`},
		{head + "    categories: [duplicate]\n    before: 2026-12-31\n", `f.yaml:7: before "2026-12-31": want a time such as 2026-12-31T18:00:00Z`},
		{head + "    categories: [duplicate]\n    before:\n", "f.yaml:7: before: want a text"},
		{head + "    before: 2026-12-31T18:00:00Z\n    streams: [orders]\n", "f.yaml:6: before is for rules of which the only category is duplicate"},
		{head + "    before: 2026-12-31T18:00:00Z\n    categories: [duplicate, value]\n", "f.yaml:6: before is for rules of which the only category is duplicate"},
		{head + "    ids: &x [a]\n    streams: *x\n", "f.yaml:7: streams: want a list"},
	} {
		_, err := ParseExpected("f.yaml", []byte(tt.data), func(path string) ([]byte, error) {
			if path == "empty.txt" {
				return []byte(" \n"), nil
			}
			return nil, errors.New("no such file")
		})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q:\n%v, want\n%s", tt.data, err, tt.want)
		}
	}
}

func TestGlobs(t *testing.T) {
	for _, tt := range []struct {
		glob string
		yes  []string
		no   []string
	}{
		{"a.b", []string{"a.b"}, []string{"a.bc", "a", "xa.b", ""}},
		{"*", []string{"", "a", "a.b"}, nil},
		{"a.*", []string{"a.", "a.b.c"}, []string{"a", "ba."}},
		{"*.b", []string{".b", "a.c.b"}, []string{"a.bc"}},
		{"a*a", []string{"aa", "aba"}, []string{"a", "ab"}},
		{"a*b*c", []string{"abc", "a.bb.c"}, []string{"acb", "ac"}},
		{"t[].*", []string{"t[].x"}, []string{"t.x"}},
	} {
		for _, text := range tt.yes {
			if !matchesGlob(tt.glob, text) {
				t.Errorf("%s does not match %q", tt.glob, text)
			}
		}
		for _, text := range tt.no {
			if matchesGlob(tt.glob, text) {
				t.Errorf("%s matches %q", tt.glob, text)
			}
		}
	}
	// Against a second, slow matcher.
	rapid.Check(t, func(t *rapid.T) {
		glob, text := rapid.StringMatching(`[ab*]{0,6}`).Draw(t, "glob"), rapid.StringMatching(`[ab]{0,8}`).Draw(t, "text")
		var slow func(glob, text string) bool
		slow = func(glob, text string) bool {
			switch {
			case glob == "":
				return text == ""
			case glob[0] == '*':
				return slow(glob[1:], text) || text != "" && slow(glob, text[1:])
			}
			return text != "" && text[0] == glob[0] && slow(glob[1:], text[1:])
		}
		if got := matchesGlob(glob, text); got != slow(glob, text) {
			t.Errorf("%s and %q: %v", glob, text, got)
		}
	})
}

// FuzzExpected reads any bytes as a file of expected differences. What is read is
// complete, matches the same way prepared and not, and reads back as it was.
func FuzzExpected(f *testing.F) {
	f.Add([]byte(goodExpected))
	f.Add([]byte("expected: []"))
	f.Add([]byte("expected:\n- {id: a, owner: b, reason: c, expires: 2026-12-31, fields: [\"*\"], ids: [~]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ParseExpected("dir/f.yaml", data, readIDs)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "dir/f.yaml:") {
				t.Fatalf("the error does not say where: %v", err)
			}
			return
		}
		for _, r := range e.Rules {
			if r.ID == "" || strings.TrimSpace(r.Owner) == "" || strings.TrimSpace(r.Reason) == "" || r.Expires.IsZero() {
				t.Fatalf("a rule is not complete: %+v", r)
			}
		}
		for key, list := range e.candidates {
			if !slices.Equal(list, e.covering(key)) {
				t.Fatalf("candidates of %v are %v", key, list)
			}
		}
		again, err := ParseExpected("f.yaml", writeExpected(t, e), nil)
		if err != nil {
			t.Fatalf("what was written: %v", err)
		}
		for i := range again.Rules {
			again.Rules[i].line = e.Rules[i].line
		}
		if len(again.Rules) != len(e.Rules) || len(e.Rules) > 0 && !reflect.DeepEqual(again.Rules, e.Rules) {
			t.Fatalf("read %+v, and of what was written %+v", e.Rules, again.Rules)
		}
	})
}

func writeExpected(t *testing.T, e *Expected) []byte {
	list := []map[string]any{}
	for _, r := range e.Rules {
		m := map[string]any{"id": r.ID, "owner": r.Owner, "reason": r.Reason, "expires": r.Expires.Format(time.DateOnly)}
		var streams, ids []string
		for _, s := range r.Streams {
			streams = append(streams, s.String())
		}
		for id := range r.IDs {
			ids = append(ids, id)
		}
		for key, value := range map[string]any{"streams": streams, "categories": r.Categories, "fields": r.Fields, "ids": ids, "absent": r.Absent} {
			if reflect.ValueOf(value).Len() > 0 {
				m[key] = value
			}
		}
		list = append(list, m)
	}
	data, err := yaml.Marshal(map[string]any{"expected": list})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func BenchmarkExpectedMatch(b *testing.B) {
	var data strings.Builder
	data.WriteString("expected:\n")
	for i := range 50 {
		fmt.Fprintf(&data, "- {id: r%d, owner: o, reason: r, expires: 2026-12-31, fields: [media], ids: [e%d]}\n", i, i)
	}
	e, err := ParseExpected("f.yaml", []byte(data.String()), nil)
	if err != nil {
		b.Fatal(err)
	}
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		e.Match(ExpectedQuery{Stream: Orders, Category: Value, Field: "tickets[].row", ID: "o1"}, now)
	}
}
