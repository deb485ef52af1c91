package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/ticketscloud/vibe-bridge/internal/demo"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// liveView shows a demonstration: redrawn in place on a terminal, a line now and
// then elsewhere.
type liveView struct {
	w        io.Writer
	quiet    bool
	terminal bool
	width    func() int // columns of the terminal at this moment

	began  time.Time
	last   time.Time // of the last picture
	before demo.Status
	lines  int // of the last picture
}

func newLiveView(w io.Writer, quiet bool) *liveView {
	return &liveView{w: w, quiet: quiet, terminal: isTerminal(w), width: func() int { return columns(w) }, began: time.Now()}
}

// Intervals between two pictures.
const (
	redrawEvery = 500 * time.Millisecond
	lineEvery   = 2 * time.Second
)

const usualColumns = 80

// columns of a terminal; the usual number where it does not say.
func columns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return usualColumns
}

func (v *liveView) show(s demo.Status) {
	now := time.Now()
	every := lineEvery
	if v.terminal {
		every = redrawEvery
	}
	since := v.began
	if !v.last.IsZero() {
		since = v.last
	}
	if v.quiet || !v.last.IsZero() && now.Sub(v.last) < every {
		return
	}
	v.draw(v.picture(s, now.Sub(v.began), now.Sub(since)))
	v.last, v.before = now, s
}

// draw puts a picture in the place of the one before, on a terminal. A line that
// wraps would make it two, so lines are cut to the terminal's width.
func (v *liveView) draw(text string) {
	if v.terminal {
		text = cutLines(text, v.width()-1)
		if v.lines > 0 {
			text = fmt.Sprintf("\x1b[%dA\x1b[J", v.lines) + text // back to the top of the last picture
		}
	}
	fmt.Fprint(v.w, text)
	v.lines = strings.Count(text, "\n")
}

// ending tells that the demonstration ends, as that takes a few seconds.
func (v *liveView) ending() {
	if !v.quiet {
		fmt.Fprintln(v.w, "\nending, and reading the accounts…")
	}
}

// picture is what is shown: elapsed since the beginning, interval since the last
// picture.
func (v *liveView) picture(s demo.Status, elapsed, interval time.Duration) string {
	rate := func(now, before map[string]int64, stream mapping.Stream) string {
		name := stream.String()
		perSecond := float64(now[name]-before[name]) / max(interval, time.Millisecond).Seconds()
		return fmt.Sprintf("%d (%.0f/s)", now[name], perSecond)
	}
	sent := func(stream mapping.Stream) string { return rate(s.Emitted, v.before.Emitted, stream) }
	if !v.terminal {
		return fmt.Sprintf("%5.1fs  legacy %d  read %d  on the way: legacy %d, internal %d  sent: events %s, orders %s, refunds %s  waiting for: %s  out of order: %d\n",
			elapsed.Seconds(), s.Produced, total(s.Consumed), s.Unread, s.Internal,
			sent(mapping.Events), sent(mapping.Orders), sent(mapping.Refunds),
			reasons(s.Waiting), s.Violation.Orders+s.Violation.Refunds)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "vibe-bridge demo, %.0f s: %d legacy records written, %d of them on the way, and %d internal ones\n\n", elapsed.Seconds(), s.Produced, s.Unread, s.Internal)
	fmt.Fprintf(&b, "  %-16s %18s   %-8s %18s\n", "legacy", "read", "slim", "sent")
	for _, stream := range mapping.Streams {
		name, slimSent := slimNames[stream], ""
		if name != "" {
			slimSent = sent(stream)
		}
		fmt.Fprintf(&b, "  %-16s %18s   %-8s %18s\n", stream, rate(s.Consumed, v.before.Consumed, stream), name, slimSent)
	}
	fmt.Fprintf(&b, "\n  waiting for: %s\n  out of order: %d orders, %d refunds\n\n", reasons(s.Waiting), s.Violation.Orders, s.Violation.Refunds)
	for _, stream := range mapping.Streams[mapping.Events:] {
		name := slimNames[stream]
		fmt.Fprintf(&b, "  %-8s %s\n", name, shorten(mask(s.Sample[name]), sampleRunes))
	}
	b.WriteString("\n  Ctrl-C ends the demo and prints the accounts.\n")
	return b.String()
}

const sampleRunes = 160

var slimNames = map[mapping.Stream]string{mapping.Events: "events", mapping.Orders: "orders", mapping.Refunds: "refunds"}

func total(m map[string]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

// reasons lists numbers by reason, "nothing" when there are none.
func reasons[N int | int64 | uint64](m map[string]N) string {
	var list []string
	for _, reason := range slices.Sorted(maps.Keys(m)) {
		list = append(list, fmt.Sprintf("%s %d", reason, m[reason]))
	}
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}

// What is personal in a slim record. A bracket or an escaped quote within a text
// does not end it.
var (
	customer = regexp.MustCompile(`"customer":\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\}`)
	barcode  = regexp.MustCompile(`"barcode":"(?:[^"\\]|\\.)*"`)
)

// mask hides what is personal in a slim record, made up as it is here: what the
// demo shows may end in a screenshot, and real records look the same.
func mask(record string) string {
	return barcode.ReplaceAllString(customer.ReplaceAllString(record, `"customer":{…}`), `"barcode":"…"`)
}

func shorten(s string, limit int) string {
	r := []rune(s)
	if len(r) <= limit {
		return s
	}
	return string(r[:limit-1]) + "…"
}

func cutLines(text string, width int) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = shorten(line, max(width, 1))
	}
	return strings.Join(lines, "\n")
}
