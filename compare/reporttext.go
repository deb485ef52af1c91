package compare

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	textWidth      = 100 // columns
	barWidth       = 20
	samplesOfOne   = 3 // shown of a category
	differencesMax = 40
)

// WriteText writes the report for a terminal: 100 columns, the verdict first. What comes
// from records is printable: nothing in it moves the cursor.
func (r *Report) WriteText(w io.Writer) error {
	p := &textReport{}
	p.verdict(r)
	p.coverage(r.Streams)
	p.differences(r.Counts)
	p.samples(r.Samples)
	p.expected(r.Expected)
	p.noise(r.Noise)
	p.parties(r)
	p.list("Notes", r.Notes)
	p.run(r)
	_, err := io.WriteString(w, p.b.String())
	return err
}

// textReport collects lines.
type textReport struct{ b strings.Builder }

// line writes one, printable and cut to the width.
func (p *textReport) line(format string, args ...any) {
	text := strings.TrimRight(printable(fmt.Sprintf(format, args...)), " ")
	p.b.WriteString(cutText(text, textWidth))
	p.b.WriteByte('\n')
}

func (p *textReport) heading(text string) {
	p.line("")
	p.line("%s", text)
}

// wrap writes a text of any length, with the first line behind begin and the others
// indented as much.
func (p *textReport) wrap(begin, text string) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(begin))
	room := textWidth - len(indent)
	line := ""
	for _, word := range strings.Fields(printable(text)) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= room:
			line += " " + word
		default:
			p.line("%s%s", begin, line)
			begin, line = indent, word
		}
	}
	p.line("%s%s", begin, line)
}

func (p *textReport) list(title string, texts []string) {
	if len(texts) == 0 {
		return
	}
	p.heading(title)
	for _, text := range texts {
		p.wrap("  - ", text)
	}
}

// table writes rows with aligned columns. Those in left begin at the left, numbers end at
// the right.
func (p *textReport) table(left int, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(printable(cell)))
		}
	}
	for _, row := range rows {
		line := " "
		for i, cell := range row {
			cell = printable(cell)
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i < left || i == len(row)-1 && strings.HasPrefix(cell, "█") {
				line += " " + cell + space + " "
			} else {
				line += " " + space + cell + " "
			}
		}
		p.line("%s", line)
	}
}

func (p *textReport) verdict(r *Report) {
	p.line("%s  %s: %s against %s", r.Verdict.word(), r.Deployment, partyName(r.Left), partyName(r.Right))
	p.checks(r.Verdict.Checks)
}

func (v Verdict) word() string {
	if v.Go {
		return "GO"
	}
	return "NO-GO"
}

// checks are those that failed, the others, and what to look at.
func (p *textReport) checks(checks []Check) {
	p.line("")
	type row struct{ state, name, text string }
	var rows []row
	var whys []string
	states, names := 0, 0
	for _, failed := range []bool{true, false} {
		for _, check := range checks {
			if check.OK == failed {
				continue
			}
			state := "ok"
			if failed {
				state = "FAILED"
				whys = append(whys, check.Name+": "+check.Why)
			}
			rows = append(rows, row{state, check.Name, check.Got + "; want " + check.Want})
			states, names = max(states, len(state)), max(names, utf8.RuneCountInString(check.Name))
		}
	}
	for _, r := range rows {
		p.wrap(fmt.Sprintf("  %-*s  %-*s  ", states, r.state, names, r.name), r.text)
	}
	p.list("What to look at", whys)
}

func partyName(a Party) string {
	text := a.Label
	if form := strings.TrimSpace(a.Edition + " " + a.Format); form != "" {
		text += " (" + form + ")"
	}
	return text
}

func (p *textReport) coverage(streams []StreamCount) {
	p.heading("Coverage")
	rows := [][]string{{"STREAM", "LEFT", "RIGHT", "EQUAL", "DIFFERENT", "UNEXPLAINED", "PENDING", "UNDECIDABLE", "COVERAGE"}}
	var apart []string
	for _, s := range streams {
		rows = append(rows, []string{
			s.Stream, groupDigits(s.Left), groupDigits(s.Right), groupDigits(s.Equal), groupDigits(s.Different), groupDigits(s.Unexplained),
			groupDigits(sumOf(s.Pending)), groupDigits(sumOf(s.Undecidable)), nearPercent(s.Coverage, 1),
		})
		for _, kind := range []struct {
			name   string
			counts map[string]int64
		}{{"pending", s.Pending}, {"undecidable", s.Undecidable}, {"skipped", s.Skipped}, {"quarantined", s.Quarantined}} {
			if text := reasonsOf(kind.counts); text != "" {
				apart = append(apart, s.Stream+" "+kind.name+": "+text)
			}
		}
	}
	p.table(1, rows)
	p.list("Not compared", apart)
}

func sumOf(counts map[string]int64) (sum int64) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

// reasonsOf are counts as "no_phone 12, status_canceled 3".
func reasonsOf(counts map[string]int64) string {
	var list []string
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		if counts[reason] != 0 {
			list = append(list, reason+" "+groupDigits(counts[reason]))
		}
	}
	return strings.Join(list, ", ")
}

func (p *textReport) differences(counts []FieldCount) {
	p.heading("Differences, in entities")
	if len(counts) == 0 {
		p.line("  none")
		return
	}
	counts = slices.Clone(counts)
	slices.SortStableFunc(counts, func(a, b FieldCount) int {
		return cmp.Or(cmp.Compare(b.Unexplained, a.Unexplained), cmp.Compare(b.Count, a.Count),
			cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Category, b.Category), cmp.Compare(a.Field, b.Field))
	})
	most := counts[0].Unexplained
	rows := [][]string{{"CATEGORY", "STREAM", "FIELD", "COUNT", "EXPECTED", "NOISE", "UNEXPLAINED", ""}}
	for _, c := range counts[:min(len(counts), differencesMax)] {
		rows = append(rows, []string{
			string(c.Category), c.Stream, cmp.Or(c.Field, "-"), groupDigits(c.Count), groupDigits(c.Expected), groupDigits(c.Noise),
			groupDigits(c.Unexplained), bar(c.Unexplained, most),
		})
	}
	p.table(3, rows)
	if more := len(counts) - differencesMax; more > 0 {
		p.line("  and %d more with fewer: the JSON report has them all", more)
	}
}

// bar is as long as n is of most, and is there when n is.
func bar(n, most int64) string {
	if n <= 0 {
		return ""
	}
	return strings.Repeat("█", max(1, int(float64(n)/float64(most)*barWidth)))
}

func (p *textReport) samples(samples []Sample) {
	shown := map[Category]int{}
	of := map[Category]int{}
	for _, s := range samples {
		of[s.Category]++
	}
	for _, category := range sampleOrder(of) {
		p.heading(fmt.Sprintf("%s, %d of %s", category, min(samplesOfOne, of[category]), plural(int64(of[category]), "sample", "samples")))
		for _, s := range samples {
			if s.Category != category || shown[category] == samplesOfOne {
				continue
			}
			shown[category]++
			p.sample(s)
		}
	}
}

// sampleOrder is that of Categories, then any others by name.
func sampleOrder(of map[Category]int) []Category {
	list := slices.DeleteFunc(Categories(), func(c Category) bool { return of[c] == 0 })
	for _, c := range slices.Sorted(maps.Keys(of)) {
		if !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	return list
}

func (p *textReport) sample(s Sample) {
	text := "  " + s.Stream + " " + s.ID
	if s.Item != "" {
		text += " ticket " + s.Item
	}
	if s.Field != "" {
		text += " " + s.Field
	}
	if s.Detail != "" {
		text += ": " + s.Detail
	}
	if s.Rule != "" {
		text += " [" + s.Rule + "]"
	}
	p.line("%s", text)
	p.line("    left   %s", shownText(s.Left))
	p.line("    right  %s", shownText(s.Right))
}

// shownText is a value with what differs between « and », and where it is.
func shownText(v Shown) string {
	var b strings.Builder
	switch {
	case v.Unread:
		b.WriteString("(the record was not read in time)")
	case v.Gone:
		b.WriteString("(the record cannot be read any more)")
	case len(v.Parts) == 0:
		b.WriteString("(absent)")
	}
	for _, part := range v.Parts {
		if part.Differs {
			b.WriteString("«" + part.Text + "»")
		} else {
			b.WriteString(part.Text)
		}
	}
	if v.Masked {
		b.WriteString(" (masked)")
	}
	if v.Place == "" {
		return b.String()
	}
	place := "  " + v.Place
	return cutText(printable(b.String()), max(20, textWidth-11-utf8.RuneCountInString(place))) + place
}

func (p *textReport) expected(list []ExpectedCount) {
	if len(list) == 0 {
		return
	}
	p.heading("Expected differences, in entities")
	for _, e := range list {
		until := "until " + e.Expires
		if e.Expired {
			until = "EXPIRED on " + e.Expires + ": they count"
		}
		p.line("  %s: %s, %s, of %s", e.ID, groupDigits(e.Count), until, e.Owner)
		p.wrap("    ", e.Reason)
	}
}

func (p *textReport) noise(n *NoiseCount) {
	if n == nil {
		return
	}
	p.heading("Noise: the " + n.Of + " side against a replay of itself, " + cmp.Or(reasonsOf(n.Compared), "nothing") + " compared")
	if len(n.Fields) == 0 {
		p.line("  none")
		return
	}
	rows := [][]string{{"STREAM", "FIELD", "COUNT"}}
	for _, f := range n.Fields {
		rows = append(rows, []string{f.Stream, f.Field, groupDigits(f.Count)})
	}
	p.table(2, rows)
}

func (p *textReport) parties(r *Report) {
	p.heading("Sides")
	rows := [][]string{{"SIDE", "RECORDS", "NEWEST", "BEHIND"}}
	for _, party := range []Party{r.Left, r.Right} {
		newest, behind := "-", "-"
		if party.Newest != 0 {
			newest = time.UnixMilli(party.Newest).UTC().Format(time.RFC3339)
		}
		if party.Behind >= 0 {
			behind = roundedTime(durationOf(party.Behind))
		}
		rows = append(rows, []string{partyName(party), groupDigits(party.Records), newest, behind})
	}
	p.table(1, rows)
}

func (p *textReport) run(r *Report) {
	kind := "once"
	if r.Run.Continuous {
		kind = "continuously"
	}
	if r.Run.Resumed {
		kind += ", resumed"
	}
	p.line("")
	p.wrap("", fmt.Sprintf("Compared %s, up to %s: %s records in %s, %s a second, %s of memory at most.", kind, r.Run.Time.UTC().Format(time.RFC3339),
		groupDigits(r.Run.Records), roundedTime(durationOf(r.Run.Seconds)), groupDigits(int64(r.Run.RecordsPerSecond)), memoryText(r.Run.PeakMemory)))
	if r.Digest != "" {
		p.line("Digest of the result: %s", r.Digest)
	}
}

// durationOf is a number of seconds; at most 30 years.
func durationOf(s float64) time.Duration { return time.Duration(min(s, 1e9) * float64(time.Second)) }

func memoryText(bytes int64) string {
	if bytes >= 1<<30 {
		return fmt.Sprintf("%.2f GiB", float64(bytes)/(1<<30))
	}
	return fmt.Sprintf("%d MiB", (bytes+1<<20-1)/(1<<20))
}

// printable replaces what a terminal would act on.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// cutText cuts a text to a number of characters.
func cutText(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}
