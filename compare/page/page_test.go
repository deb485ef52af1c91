package page

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"io"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare"
	"pgregory.net/rapid"
)

func written(t *testing.T, r *compare.Report) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// body is a page without what is the same in all of them.
func body(page string) string {
	page = strings.Replace(page, "<style>"+style+"</style>", "", 1)
	return strings.Replace(page, "<script>"+script+"</script>", "", 1)
}

// evil is what a text of a record or of a file could be.
const evil = `"'><script>hacked=1</script><img src=x onerror=hacked=1>{{.}}</style>javascript:hacked=1 `

// hostileReport has evil before every text of it, of whatever field there is.
func hostileReport() *compare.Report {
	r := noGoReport()
	spoil(reflect.ValueOf(r).Elem())
	return r
}

func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(evil + v.String())
	case reflect.Slice:
		for i := range v.Len() {
			spoil(v.Index(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			spoil(v.Elem())
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			n := v.MapIndex(k)
			v.SetMapIndex(k, reflect.Value{})
			v.SetMapIndex(reflect.ValueOf(evil+k.String()), n)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			spoil(v.Field(i))
		}
	}
}

var sections = []string{"verdict", "figures", "streams", "differences", "samples", "expected", "run"}

func TestSectionsInOrder(t *testing.T) {
	for name, r := range map[string]*compare.Report{"go": goReport(), "no-go": noGoReport(), "zero": {}, "hostile": hostileReport()} {
		t.Run(name, func(t *testing.T) {
			page, last := body(written(t, r)), -1
			for _, s := range sections {
				at := strings.Index(page, `<section id="`+s+`"`)
				if at <= last {
					t.Errorf("section %s at %d, the one before it at %d", s, at, last)
				}
				last = at
			}
			if got, want := strings.Contains(page, `id="trend"`), len(r.Trend) > 1; got != want {
				t.Errorf("trend shown: %v, want %v", got, want)
			}
		})
	}
}

func TestTrendNeedsTwoPoints(t *testing.T) {
	r := goReport()
	for n, want := range []bool{false, false, true} {
		r.Trend = trendOf(3)[:n]
		if got := strings.Contains(written(t, r), `id="trend"`); got != want {
			t.Errorf("%d points: trend shown %v, want %v", n, got, want)
		}
	}
	r.Trend = trendOf(200)
	page := written(t, r)
	if n := strings.Count(page, `class="run"`); n != 2*199 {
		t.Errorf("%d lines, want %d", n, 2*199)
	}
	if n := strings.Count(page, `class="dot `); n >= 2*200 {
		t.Errorf("%d dots: as many as points", n)
	}
	for i := range r.Trend {
		r.Trend[i].Time = marked
	}
	if strings.Contains(written(t, r), "NaN") {
		t.Error("results of one moment are drawn nowhere")
	}
}

func TestEverythingIsEscaped(t *testing.T) {
	page := body(written(t, hostileReport()))
	for _, raw := range []string{"<script", "<img", `"'`, `'>`, "</style>"} {
		if strings.Contains(page, raw) {
			t.Errorf("%q stands in the page", raw)
		}
	}
	if found := regexp.MustCompile(`href="[^#][^"]*`).FindAllString(page, -1); found != nil {
		t.Errorf("links that lead away: %q", found)
	}
	if strings.Contains(page, "ZgotmplZ") {
		t.Error("the template has put data where it does not belong")
	}
}

// Every text of the report is to be found on the page, but for those that are given in
// other words.
func TestEverythingIsShown(t *testing.T) {
	for name, r := range map[string]*compare.Report{"go": goReport(), "no-go": noGoReport()} {
		page := html.UnescapeString(body(written(t, r)))
		var missing []string
		var look func(v reflect.Value)
		look = func(v reflect.Value) {
			switch v.Kind() {
			case reflect.String:
				if s := strings.TrimSpace(strings.ReplaceAll(v.String(), "\u00a0", "")); !strings.Contains(page, s) {
					missing = append(missing, s)
				}
			case reflect.Int64:
				if s := number(v.Int()); v.Int() < 1e12 && !strings.Contains(page, s) && !strings.Contains(page, size(v.Int())) {
					missing = append(missing, s)
				}
			case reflect.Slice:
				for i := range v.Len() {
					look(v.Index(i))
				}
			case reflect.Pointer:
				look(v.Elem())
			case reflect.Map:
				for _, k := range v.MapKeys() {
					look(k)
					look(v.MapIndex(k))
				}
			case reflect.Struct:
				if v.Type() != reflect.TypeFor[time.Time]() {
					for i := range v.NumField() {
						if v.Type().Field(i).Name != "Different" { // the sum of two that are shown
							look(v.Field(i))
						}
					}
				}
			}
		}
		look(reflect.ValueOf(r))
		if len(missing) > 0 {
			t.Errorf("%s: not on the page: %q", name, missing)
		}
	}
}

func TestNothingIsLoaded(t *testing.T) {
	outside := regexp.MustCompile(`(?i)https?:|\bsrc\s*=|@import|url\(\s*['"]?[^#'")]|//[a-z0-9-]+\.[a-z]|<(link|iframe|object|embed|base)\b|href="[^#]`)
	for name, r := range map[string]*compare.Report{"go": goReport(), "no-go": noGoReport(), "zero": {}} {
		if found := outside.FindAllString(written(t, r), -1); found != nil {
			t.Errorf("%s: %q", name, found)
		}
	}
	page := written(t, goReport())
	for _, want := range []string{"default-src 'none'", hash(style), hash(script)} {
		if !strings.Contains(html.UnescapeString(page[:strings.Index(page, "<title>")]), want) {
			t.Errorf("the policy lacks %s", want)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Error("the policy allows what its hashes do not name:", policy)
	}
	if n := strings.Count(page, "style="); n > 0 {
		t.Errorf("%d style attributes, which the policy forbids", n)
	}
}

func TestSameReportSameBytes(t *testing.T) {
	first := written(t, noGoReport())
	for range 20 {
		if written(t, noGoReport()) != first {
			t.Fatal("another page of the same report")
		}
	}
}

func TestReportIsLeftAlone(t *testing.T) {
	r := noGoReport()
	written(t, r)
	if !reflect.DeepEqual(r, noGoReport()) {
		t.Error("writing changed the report")
	}
}

func TestVerdictInWords(t *testing.T) {
	yes, no := compare.Check{OK: true}, compare.Check{}
	for _, c := range []struct {
		verdict compare.Verdict
		want    string
	}{
		{compare.Verdict{}, "Nothing was checked, so nothing says that it is safe to cut over."},
		{compare.Verdict{Go: true}, "No check is configured, and nothing stands against a cut-over."},
		{compare.Verdict{Go: true, Checks: []compare.Check{yes}}, "The one check has passed: it is safe to cut over from old to new."},
		{compare.Verdict{Go: true, Checks: []compare.Check{yes, yes}}, "All 2 checks have passed: it is safe to cut over from old to new."},
		{compare.Verdict{Checks: []compare.Check{no}}, "The one check has failed: do not cut over from old to new yet."},
		{compare.Verdict{Checks: []compare.Check{yes, no, yes}}, "1 of 3 checks has failed: do not cut over from old to new yet."},
		{compare.Verdict{Checks: []compare.Check{yes, no, no}}, "2 of 3 checks have failed: do not cut over from old to new yet."},
	} {
		if got := sentence(c.verdict, "old", "new"); got != c.want {
			t.Errorf("%+v: %q, want %q", c.verdict, got, c.want)
		}
	}
}

func TestFailingChecksFirst(t *testing.T) {
	var got []string
	for _, c := range look(noGoReport()).Checks {
		got = append(got, c.Name)
	}
	want := []string{"cutover.max_unexplained", "cutover.violations", "cutover.days_clean", "cutover.min_coverage", "cutover.max_behind", "cutover.quarantine_age"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestFieldsSortedByUnexplained(t *testing.T) {
	for _, f := range look(noGoReport()).Fields {
		if !slices.IsSortedFunc(f.Rows, func(a, b fieldRow) int { return int(b.Unexplained - a.Unexplained) }) {
			t.Errorf("%s: not sorted", f.Stream)
		}
	}
}

func TestPercent(t *testing.T) {
	for share, want := range map[float64]string{
		0: "0 %", 1: "100 %", 0.5: "50 %", 0.123: "12.3 %", 0.00479: "0.479 %", 0.99927: "99.927 %", 0.995: "99.5 %",
		1e-9: "< 0.001 %", 1 - 1e-9: "> 99.999 %", 0.00001: "0.001 %", math.NaN(): "–", math.Inf(1): "–",
	} {
		if got := strings.ReplaceAll(percent(share), nbsp, " "); got != want {
			t.Errorf("percent(%v) = %q, want %q", share, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", -1234567: "-1,234,567", -12: "-12", math.MinInt64: "-9,223,372,036,854,775,808"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "0 s", 0.04: "0 s", 1.4: "1.4 s", 9.96: "10 s", 10: "10 s", 59.6: "1 min", 134: "2 min 14 s", 3600: "1 h", 3661: "1 h 1 min", 90_000: "1 d 1 h", 864e5: "1,000 d", -1: "–", math.NaN(): "–",
	} {
		if got := strings.ReplaceAll(duration(seconds), nbsp, " "); got != want {
			t.Errorf("duration(%v) = %q, want %q", seconds, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 MiB", 344 << 20: "344 MiB", 2_000 << 20: "2,000 MiB", 12 << 30: "12.0 GiB"} {
		if got := strings.ReplaceAll(size(n), nbsp, " "); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestInvisibleCharactersAreNamed(t *testing.T) {
	for _, c := range []struct {
		part compare.Part
		want string
	}{
		{same("a b\nc"), "a b\nc"},
		{differs("a b"), "a b"},
		{differs("\n"), "[U+000A]"},
		{differs("x\u00a0y"), "x[U+00A0]y"},
		{same("pay\u202eelif"), "pay[U+202E]elif"},
		{same("\u200b\t"), "[U+200B][U+0009]"},
		{same("a\xffb"), "a[\\xFF]b"},
		{same("a\ufffdb"), "a\ufffdb"},
		{same("привет"), "привет"},
		{same(""), ""},
	} {
		got := ""
		for _, p := range pieces(c.part) {
			if p.Code {
				p.Text = "[" + p.Text + "]"
			}
			got += p.Text
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.part, got, c.want)
		}
	}
}

// What a bar promises: segments side by side, none too thin to be seen, and none wider
// than its share but for that, as long as there is room.
func TestMeasure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.Int64Range(0, 1e9), 0, 7).Draw(t, "counts")
		var all []segment
		var full int64
		for _, n := range counts {
			all = append(all, segment{Count: n})
			full += n
		}
		x := 0.0
		for _, s := range measure(all, full) {
			var at, width float64
			if _, err := fmt.Sscanf(s.X+" "+s.Width, "%f%% %f%%", &at, &width); err != nil {
				t.Fatal(err)
			}
			if math.Abs(at-x) > 0.01 {
				t.Fatalf("a segment at %v, the one before it ends at %v", at, x)
			}
			x = at + width
			if share := 100 * float64(s.Count) / float64(full); width < leastWidth-0.001 || width > max(share, leastWidth)+0.001 {
				t.Fatalf("%d of %d is %v wide", s.Count, full, width)
			}
		}
		if full > 0 && math.Abs(x-100) > 0.01 {
			t.Fatalf("the bar ends at %v", x)
		}
	})
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestErrorOfTheWriter(t *testing.T) {
	if err := Write(broken{}, goReport()); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v", err)
	}
}
