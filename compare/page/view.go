package page

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare"
)

// view is a report as the page shows it: sorted, summed up, and measured out.
type view struct {
	*compare.Report
	Title     string
	Word      string // GO or NO-GO
	Sentence  string
	Checks    []compare.Check // the failing ones first
	Figures   []figure
	Sides     []side
	Streams   []stream
	Fields    []fields
	Uncounted bool // there are differences that count neither way
	Glossary  []term
	Groups    []group
	Filters   []filter
	Expected  []expected
	Trend     *trend
	Noise     *noise
	Run       []figure
}

// figure is a number with a name, and what is to be known beside it.
type figure struct {
	Key, Name, Value string
	Notes            []string
}

// side is a party with what the key figures say of it.
type side struct {
	Name string
	compare.Party
	Newest, Behind string
}

// segment of a bar; X and Width are in percent of the whole.
type segment struct {
	Class, Name string
	Count       int64
	X, Width    string
}

type stream struct {
	compare.StreamCount
	Segments []segment // those that are not 0
	Rows     []row
	Reasons  []reason
	Alt      string
}

// row of the counts beside a stream's bar.
type row struct {
	Class, Name string
	Count       int64
	Share       float64
}

type reason struct {
	Name, Word string
	Count      int64
}

// fields are the differences of a stream.
type fields struct {
	Stream   string
	Max      int64 // what the full width of a bar is
	Compared int64
	Rows     []fieldRow
}

type fieldRow struct {
	compare.FieldCount
	Anchor   string // of the samples, "" without any
	Share    float64
	Segments []segment
	Alt      string
}

type term struct{ Word, Meaning string }

// group are the samples of one stream, category and field.
type group struct {
	Anchor, Stream, Category, Field string
	Count                           int64 // of all of its differences, 0 when not known
	Samples                         []sample
}

type sample struct {
	compare.Sample
	RuleAnchor string
	Sides      []shown
}

type shown struct {
	Name string
	compare.Shown
	Parts []part
	Empty bool // there is a value, and it is ""
}

type part struct {
	Differs bool
	Pieces  []piece
}

type filter struct {
	Key, Name string
	Options   []option
}

type option struct{ Value, Name string }

type expected struct {
	compare.ExpectedCount
	Anchor string
}

type noise struct {
	compare.NoiseCount
	Of       string
	Compared []reason
	Fields   []noiseRow
}

type noiseRow struct {
	compare.NoiseField
	Share float64
}

// leastWidth in percent that a segment is drawn with, so that one difference among
// millions can be seen.
const leastWidth = 0.8

func look(r *compare.Report) view {
	v := view{Report: r, Word: "NO-GO", Checks: slices.Clone(r.Verdict.Checks)}
	if r.Verdict.Go {
		v.Word = "GO"
	}
	left, right := sideName(r.Left, "left"), sideName(r.Right, "right")
	v.Title = v.Word + " · " + left + " against " + right
	if r.Deployment != "" {
		v.Title += " · " + r.Deployment
	}
	slices.SortStableFunc(v.Checks, func(a, b compare.Check) int { return order(a.OK, b.OK) })
	v.Sentence = sentence(r.Verdict, left, right)
	v.Sides = []side{lookSide(left, r.Left), lookSide(right, r.Right)}
	v.Figures = figures(r, v.Sides)
	for _, s := range r.Streams {
		v.Streams = append(v.Streams, lookStream(s))
	}
	v.Expected = lookExpected(r.Expected)
	v.Groups = groups(r, left, right, v.Expected)
	v.Filters = filters(v.Groups)
	v.Fields = lookFields(r.Counts, v.Groups)
	v.Uncounted = slices.ContainsFunc(r.Counts, func(c compare.FieldCount) bool { return uncounted(c) > 0 })
	v.Glossary = glossary(r)
	v.Trend = lookTrend(r.Trend)
	v.Noise = lookNoise(r.Noise, left, right)
	v.Run = lookRun(r.Run)
	return v
}

func sideName(p compare.Party, otherwise string) string { return cmp.Or(p.Label, p.Kind, otherwise) }

func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func sentence(v compare.Verdict, left, right string) string {
	failed := 0
	for _, c := range v.Checks {
		if !c.OK {
			failed++
		}
	}
	all := len(v.Checks)
	switch {
	case v.Go && all == 0:
		return "No check is configured, and nothing stands against a cut-over."
	case v.Go && failed == 0:
		what := "All " + number(int64(all)) + " checks have passed"
		if all == 1 {
			what = "The one check has passed"
		}
		return fmt.Sprintf("%s: it is safe to cut over from %s to %s.", what, left, right)
	case all == 0:
		return "Nothing was checked, so nothing says that it is safe to cut over."
	}
	what := fmt.Sprintf("%s of %s checks %s failed", number(int64(failed)), number(int64(all)), plural(failed, "has", "have"))
	if all == 1 {
		what = "The one check has failed"
	}
	return fmt.Sprintf("%s: do not cut over from %s to %s yet.", what, left, right)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func lookSide(name string, p compare.Party) side {
	s := side{Name: name, Party: p, Newest: "–", Behind: "no records"}
	if p.Newest > 0 {
		s.Newest = stamp(time.UnixMilli(p.Newest))
		s.Behind = duration(max(p.Behind, 0))
	}
	return s
}

// figures are sums over the streams.
func figures(r *compare.Report, sides []side) []figure {
	var compared, open, entities, unexplained, violations int64
	least, leastOf := 1.0, ""
	for _, s := range r.Streams {
		compared += s.Equal + s.Different
		open += sum(s.Pending) + sum(s.Undecidable)
		entities += s.Entities
		unexplained += s.Unexplained
		if s.Coverage < least {
			least, leastOf = s.Coverage, s.Stream
		}
	}
	for _, c := range r.Counts {
		if c.Category == compare.OrderViolation || c.Category == compare.RefundViolation {
			violations += c.Count
		}
	}
	coverage := figure{Key: "coverage", Name: "Coverage", Value: "–", Notes: []string{"nothing was to be compared"}}
	if compared+open > 0 {
		coverage.Value = percent(float64(compared) / float64(compared+open))
		coverage.Notes = []string{"of what is to be compared"}
	}
	if leastOf != "" {
		coverage.Notes = append(coverage.Notes, "lowest in "+leastOf+": "+percent(least))
	}
	rate := figure{Key: "unexplained", Name: "Unexplained", Value: "–", Notes: []string{"nothing was compared"}}
	if compared > 0 {
		rate.Value = percent(float64(unexplained) / float64(compared))
		rate.Notes = []string{number(unexplained) + " of " + number(compared) + " entities"}
	}
	return []figure{
		coverage,
		rate,
		{Key: "violations", Name: "Violations", Value: number(violations), Notes: []string{"orders before their event, refunds before their order"}},
		{Key: "compared", Name: "Compared", Value: number(compared), Notes: []string{"of " + number(entities) + " entities"}},
	}
}

func sum(m map[string]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

func lookStream(s compare.StreamCount) stream {
	v := stream{StreamCount: s}
	v.Rows = []row{
		{Class: "equal", Name: "Equal", Count: s.Equal},
		{Class: "expected", Name: "Different, explained", Count: max(s.Different-s.Unexplained, 0)},
		{Class: "unexplained", Name: "Different, unexplained", Count: s.Unexplained},
		{Class: "pending", Name: "Pending", Count: sum(s.Pending)},
		{Class: "undecidable", Name: "Undecidable", Count: sum(s.Undecidable)},
		{Class: "skipped", Name: "Skipped", Count: sum(s.Skipped)},
		{Class: "quarantined", Name: "Quarantined", Count: sum(s.Quarantined)},
	}
	var all int64
	for _, r := range v.Rows {
		all += r.Count
	}
	alt := []string{}
	for i, r := range v.Rows {
		if all > 0 {
			v.Rows[i].Share = float64(r.Count) / float64(all)
		}
		v.Segments = append(v.Segments, segment{Class: r.Class, Name: r.Name, Count: r.Count})
		if r.Count > 0 {
			alt = append(alt, number(r.Count)+" "+strings.ToLower(r.Name))
		}
	}
	v.Segments = measure(v.Segments, all)
	v.Alt = s.Stream + ": " + cmp.Or(strings.Join(alt, ", "), "no entities")
	for _, k := range []struct {
		name   string
		counts map[string]int64
	}{{"Pending", s.Pending}, {"Undecidable", s.Undecidable}, {"Skipped", s.Skipped}, {"Quarantined", s.Quarantined}} {
		v.Reasons = append(v.Reasons, sorted(k.name, k.counts)...)
	}
	return v
}

// sorted are the counts that are not 0, the largest first.
func sorted(name string, counts map[string]int64) []reason {
	var all []reason
	for word, n := range counts {
		if n != 0 {
			all = append(all, reason{Name: name, Word: word, Count: n})
		}
	}
	slices.SortFunc(all, func(a, b reason) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Word, b.Word))
	})
	return all
}

// measure lays segments out in a bar of which `full` is the whole width, and leaves out
// what is 0. What the thin ones are widened by is taken from the widest.
func measure(all []segment, full int64) []segment {
	var kept []segment
	var widths []float64
	var want, have float64
	for _, s := range all {
		if s.Count <= 0 {
			continue
		}
		w := 100 * float64(s.Count) / float64(max(full, 1))
		want += w
		w = max(w, leastWidth)
		have += w
		kept, widths = append(kept, s), append(widths, w)
	}
	if have > want && len(widths) > 0 {
		widest := 0
		for i, w := range widths {
			if w > widths[widest] {
				widest = i
			}
		}
		widths[widest] = max(leastWidth, widths[widest]-(have-want))
	}
	x := 0.0
	for i := range kept {
		kept[i].X, kept[i].Width = coordinate(x), coordinate(widths[i])
		x += widths[i]
	}
	return kept
}

func coordinate(x float64) string { return strconv.FormatFloat(x, 'f', 3, 64) + "%" }

// uncounted are those that are said and count neither as explained nor as unexplained:
// what came late.
func uncounted(c compare.FieldCount) int64 {
	return max(c.Count-c.Unexplained-c.Expected-c.Noise, 0)
}

func lookFields(counts []compare.FieldCount, groups []group) []fields {
	var all []fields
	for _, c := range counts {
		i := slices.IndexFunc(all, func(f fields) bool { return f.Stream == c.Stream })
		if i < 0 {
			i = len(all)
			all = append(all, fields{Stream: c.Stream})
		}
		row := fieldRow{FieldCount: c}
		if c.Compared > 0 {
			row.Share = float64(c.Count) / float64(c.Compared)
		}
		for _, g := range groups {
			if g.Stream == c.Stream && g.Category == string(c.Category) && g.Field == c.Field {
				row.Anchor = g.Anchor
			}
		}
		all[i].Rows = append(all[i].Rows, row)
		all[i].Max = max(all[i].Max, c.Count)
		all[i].Compared = max(all[i].Compared, c.Compared)
	}
	for i := range all {
		slices.SortStableFunc(all[i].Rows, func(a, b fieldRow) int {
			return cmp.Or(cmp.Compare(b.Unexplained, a.Unexplained), cmp.Compare(b.Count, a.Count))
		})
		for j := range all[i].Rows {
			r := &all[i].Rows[j]
			r.Segments = measure([]segment{
				{Class: "unexplained", Name: "unexplained", Count: r.Unexplained},
				{Class: "expected", Name: "expected", Count: r.Expected},
				{Class: "noise", Name: "noise", Count: r.Noise},
				{Class: "uncounted", Name: "not counted", Count: uncounted(r.FieldCount)},
			}, all[i].Max)
			var alt []string
			for _, s := range r.Segments {
				alt = append(alt, number(s.Count)+" "+s.Name)
			}
			r.Alt = strings.Join(alt, ", ")
		}
	}
	return all
}

var meanings = map[compare.Category]string{
	compare.Absent:          "The left side has the entity, the right one not.",
	compare.Extra:           "The right side has the entity, the left one not.",
	compare.Value:           "The field's values differ.",
	compare.WrongValueType:  "A value is not of its field's type.",
	compare.Duplicate:       "The same said again with other bytes.",
	compare.OrderViolation:  "An order before its event's first record, or without any.",
	compare.RefundViolation: "A refund before its order's first record, or without any.",
	compare.Stale:           "The right side's newest record says what the left side said before.",
	compare.Late:            "It came later than the window. Said, and not counted as unexplained.",
}

// glossary has the categories that the report names.
func glossary(r *compare.Report) []term {
	var all []term
	for _, c := range compare.Categories() {
		if slices.ContainsFunc(r.Counts, func(f compare.FieldCount) bool { return f.Category == c }) {
			all = append(all, term{string(c), meanings[c]})
		}
	}
	return all
}

func groups(r *compare.Report, left, right string, rules []expected) []group {
	var all []group
	for _, s := range r.Samples {
		i := slices.IndexFunc(all, func(g group) bool {
			return g.Stream == s.Stream && g.Category == string(s.Category) && g.Field == s.Field
		})
		if i < 0 {
			i = len(all)
			g := group{Anchor: fmt.Sprintf("samples-%d", i+1), Stream: s.Stream, Category: string(s.Category), Field: s.Field}
			for _, c := range r.Counts {
				if c.Stream == s.Stream && c.Category == s.Category && c.Field == s.Field {
					g.Count = c.Count
				}
			}
			all = append(all, g)
		}
		v := sample{Sample: s, Sides: []shown{lookShown(left, s.Left), lookShown(right, s.Right)}}
		for _, e := range rules {
			if e.ID == s.Rule && s.Rule != "" {
				v.RuleAnchor = e.Anchor
			}
		}
		all[i].Samples = append(all[i].Samples, v)
	}
	return all
}

func lookShown(name string, s compare.Shown) shown {
	v := shown{Name: name, Shown: s, Empty: len(s.Parts) > 0}
	for _, p := range s.Parts {
		if p.Text == "" {
			continue
		}
		v.Empty = false
		v.Parts = append(v.Parts, part{Differs: p.Differs, Pieces: pieces(p)})
	}
	return v
}

// noField is what a filter calls a category that concerns the entity as a whole.
const noField = "(the entity)"

func filters(groups []group) []filter {
	all := []filter{{Key: "stream", Name: "Stream"}, {Key: "category", Name: "Category"}, {Key: "field", Name: "Field"}}
	for _, g := range groups {
		for i, value := range []string{g.Stream, g.Category, g.Field} {
			o := option{Value: "=" + value, Name: cmp.Or(value, noField)}
			if !slices.Contains(all[i].Options, o) {
				all[i].Options = append(all[i].Options, o)
			}
		}
	}
	for i := range all {
		slices.SortFunc(all[i].Options, func(a, b option) int { return cmp.Compare(a.Value, b.Value) })
	}
	return all
}

func lookExpected(rules []compare.ExpectedCount) []expected {
	var all []expected
	for i, e := range rules {
		all = append(all, expected{ExpectedCount: e, Anchor: fmt.Sprintf("rule-%d", i+1)})
	}
	slices.SortStableFunc(all, func(a, b expected) int { return order(!a.Expired, !b.Expired) })
	return all
}

func lookNoise(n *compare.NoiseCount, left, right string) *noise {
	if n == nil {
		return nil
	}
	v := &noise{NoiseCount: *n, Of: n.Of, Compared: sorted("", n.Compared)}
	switch n.Of {
	case "left":
		v.Of = left
	case "right":
		v.Of = right
	}
	for _, f := range n.Fields {
		row := noiseRow{NoiseField: f}
		if all := n.Compared[f.Stream]; all > 0 {
			row.Share = float64(f.Count) / float64(all)
		}
		v.Fields = append(v.Fields, row)
	}
	slices.SortStableFunc(v.Fields, func(a, b noiseRow) int { return cmp.Compare(b.Count, a.Count) })
	return v
}

func lookRun(r compare.Run) []figure {
	kind := "once, up to the marks"
	if r.Continuous {
		kind = "continuous"
	}
	if r.Resumed {
		kind += ", resumed after an interruption"
	}
	all := []figure{
		{Name: "Kind", Value: kind},
		{Name: "Records read", Value: number(r.Records)},
		{Name: "Duration", Value: duration(r.Seconds)},
		{Name: "Records per second", Value: number(int64(r.RecordsPerSecond + 0.5))},
		{Name: "Peak memory", Value: size(r.PeakMemory)},
	}
	if !r.Time.IsZero() {
		all = append(all, figure{Name: "Time of the marks", Value: stamp(r.Time)})
	}
	return all
}
