package verify

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteText writes the report for people: a table, and the examples below it.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TOPIC\tLEGACY\tELIGIBLE\tSKIPPED\tQUARANTINED\tSLIM\tKEYS\tWAITING")
	for s := range streams {
		l, out := r.Legacy[s.String()], r.Slim[s.String()]
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", s, l.Records, l.Eligible, sum(l.Skipped), sum(l.Quarantined),
			out.Records, out.Keys, reasons(r.Waiting[s.String()]))
	}
	fmt.Fprintln(table)
	fmt.Fprintln(table, "CHECK\tFINDINGS")
	for _, k := range Kinds() {
		fmt.Fprintf(table, "%s\t%d\n", k, r.Findings[k].Count)
	}
	table.Flush()
	r.writeRemarks(&b)
	r.writeExamples(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) writeRemarks(b *strings.Builder) {
	o := r.Ordering
	if o.Comparable {
		fmt.Fprintf(b, "\nOrder between topics: %d records checked by the time of their append.\n", o.Checked)
	} else {
		fmt.Fprintf(b, "\nOrder between topics cannot be told from positions: %s. Of %d records it was checked\nonly that what they need has a record; %d have an earlier timestamp than that, which proves nothing.\n", o.Why, o.Checked, o.Earlier)
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Undecidable)) {
		fmt.Fprintf(b, "Undecidable: %d: %s\n", r.Undecidable[reason], reason)
	}
	for _, note := range r.Notes {
		fmt.Fprintln(b, "Note:", note)
	}
}

func (r *Report) writeExamples(b *strings.Builder) {
	for _, k := range Kinds() {
		f := r.Findings[k]
		if f.Count == 0 {
			continue
		}
		fmt.Fprintf(b, "\n%s, %d of %d:\n", k, len(f.Examples), f.Count)
		for _, x := range f.Examples {
			fmt.Fprintf(b, "  %s/%d/%d %s%s\n", x.Topic, x.Partition, x.Offset, named(x.ID), x.Reason)
		}
	}
}

func named(id string) string {
	if id == "" {
		return ""
	}
	return fmt.Sprintf("%q: ", id)
}

// Line is the report on one line.
func (r *Report) Line() string {
	legacy, out, waiting := 0, 0, 0
	for s := range streams {
		legacy += r.Legacy[s.String()].Records
		out += r.Slim[s.String()].Records
		waiting += sum(r.Waiting[s.String()])
	}
	line := fmt.Sprintf("legacy %d, slim %d, waiting %d (%d in flight), undecidable %d", legacy, out, waiting, r.InFlight, sum(r.Undecidable))
	if r.Clean {
		return line + ", clean"
	}
	for _, k := range Kinds() {
		if n := r.Findings[k].Count; n > 0 {
			line += fmt.Sprintf(", %s %d", k, n)
		}
	}
	return line
}

func sum(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

// reasons are counts as "event 3, set 1".
func reasons(counts map[string]int) string {
	var list []string
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, fmt.Sprintf("%s %d", reason, counts[reason]))
	}
	if len(list) == 0 {
		return "-"
	}
	return strings.Join(list, ", ")
}
