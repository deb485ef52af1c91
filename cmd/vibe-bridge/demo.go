package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/internal/demo"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

type demoOptions struct {
	season season.Config
	pace   int
	exit   bool
	json   bool
}

func newDemoCommand(a *app) *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the bridge at work, with brokers of its own",
		Long: `demo starts two brokers inside this process, writes a made-up season of ticket
sales into one of them, and runs the bridge from there to the other. It shows
rates, what waits for what, and slim records as they come out. Nothing outside
this process is touched.

It goes on until Ctrl-C. With --exit it ends when everything has arrived, accounts
for every legacy record, and exits with 0 only if the accounts balance and nothing
was out of order; with 3 otherwise.`,
		Example: `  vibe-bridge demo
  vibe-bridge demo --orders 20000 --exit
  vibe-bridge demo --orders 5000 --seed 7 --exit --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), a) },
	}
	flags := cmd.Flags()
	flags.IntVar(&o.season.Orders, "orders", 10_000, "number of orders in the season")
	flags.Uint64Var(&o.season.Seed, "seed", 1, "another number gives another season")
	flags.Float64Var(&o.season.Hostile, "hostile", 0.05, "share of trouble, 0 to 1: broken, late, repeated and missing records")
	flags.IntVar(&o.pace, "pace", 0, "legacy records written per second (0: as fast as they go with --exit, otherwise 500)")
	flags.BoolVar(&o.exit, "exit", false, "end when the season has arrived, with the accounting")
	flags.BoolVar(&o.json, "json", false, "print the accounting as one JSON object, and nothing else on standard output")
	return cmd
}

// demoHold keeps the demonstration short: in production holds are minutes.
const demoHold = 3 * time.Second

func (o *demoOptions) run(ctx context.Context, a *app) error {
	if err := o.season.Validate(); err != nil {
		return refuse(err)
	}
	if o.pace < 0 {
		return refusef("--pace %d: want 0 or more", o.pace)
	}
	if o.pace == 0 && !o.exit {
		o.pace = 500
	}
	d, err := demo.Start(ctx, demo.Config{Season: o.season, Pace: o.pace, Hold: demoHold, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer d.Close()
	view := newLiveView(a, o.json)
	result, err := d.Run(ctx, o.exit, view.show)
	view.end()
	if err != nil {
		return err
	}
	if err := o.print(a.stdout, result); err != nil {
		return err
	}
	if o.exit && !result.Good() {
		return &codedError{code: codeChecks, err: errors.New("the accounts do not balance, or something was out of order: see above")}
	}
	return nil
}

func (o *demoOptions) print(w io.Writer, r *demo.Result) error {
	if o.json {
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", text)
		return err
	}
	fmt.Fprintf(w, "\n%-16s %9s %9s %9s %9s %7s %7s %9s %9s  %s\n", "legacy topic", "consumed", "emitted", "unchanged", "skipped", "parked", "quarant", "tombstone", "superseded", "balance")
	for _, s := range mapping.Streams {
		account := r.Accounts[s]
		fmt.Fprintf(w, "%-16s %9d %9d %9d %9d %7d %7d %9d %9d  %d\n", s, account.Consumed, account.Emitted, account.Unchanged,
			sum(account.Skipped), account.Parked, sum(account.Quarantined), account.Tombstone, account.Superseded, account.Balance())
	}
	for _, s := range mapping.Streams {
		printReasons(w, s.String()+" skipped", r.Accounts[s].Skipped)
		printReasons(w, s.String()+" quarantined", r.Accounts[s].Quarantined)
	}
	printReasons(w, "counts", r.Counts)
	printReasons(w, "waiting for", r.Waiting)
	_, err := fmt.Fprintf(w, "order_violations %d, refund_violations %d\n", r.Violations.Orders, r.Violations.Refunds)
	return err
}

func sum(m map[string]uint64) (n uint64) {
	for _, v := range m {
		n += v
	}
	return n
}

func printReasons[N int | int64 | uint64](w io.Writer, title string, m map[string]N) {
	if len(m) == 0 {
		return
	}
	fmt.Fprintf(w, "%s:", title)
	for _, reason := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(w, " %s %d", reason, m[reason])
	}
	fmt.Fprintln(w)
}

// liveView shows a demonstration: redrawn in place on a terminal, a line now and
// then elsewhere.
type liveView struct {
	w        io.Writer
	quiet    bool
	terminal bool
	began    time.Time
	last     time.Time
	before   demo.Status
	lines    int
}

func newLiveView(a *app, quiet bool) *liveView {
	return &liveView{w: a.stdout, quiet: quiet, terminal: isTerminal(a.stdout), began: time.Now()}
}

// Intervals between two pictures.
const (
	redrawEvery = 500 * time.Millisecond
	lineEvery   = 2 * time.Second
)

func (v *liveView) show(s demo.Status) {
	now := time.Now()
	every := lineEvery
	if v.terminal {
		every = redrawEvery
	}
	if v.quiet || now.Sub(v.last) < every {
		return
	}
	seconds := now.Sub(v.last).Seconds()
	if v.last.IsZero() {
		seconds = now.Sub(v.began).Seconds()
	}
	text := v.picture(s, seconds)
	if v.terminal && v.lines > 0 {
		fmt.Fprintf(v.w, "\x1b[%dA\x1b[J", v.lines) // back to the top of the last picture
	}
	fmt.Fprint(v.w, text)
	v.lines, v.last, v.before = strings.Count(text, "\n"), now, s
}

func (v *liveView) end() {
	if !v.quiet {
		fmt.Fprintln(v.w)
	}
}

func (v *liveView) picture(s demo.Status, seconds float64) string {
	rate := func(now, before map[string]int64, topic string) string {
		return fmt.Sprintf("%d (%.0f/s)", now[topic], float64(now[topic]-before[topic])/seconds)
	}
	var b strings.Builder
	if !v.terminal {
		fmt.Fprintf(&b, "%5.1fs  legacy %d  consumed %d  events %s  orders %s  refunds %s  on the way %d  waiting %s  violations %d\n",
			time.Since(v.began).Seconds(), s.Produced, total(s.Consumed), rate(s.Emitted, v.before.Emitted, "events"),
			rate(s.Emitted, v.before.Emitted, "orders_done"), rate(s.Emitted, v.before.Emitted, "refund_requests"),
			s.Lag, reasons(s.Waiting), s.Violation.Orders+s.Violation.Refunds)
		return b.String()
	}
	fmt.Fprintf(&b, "vibe-bridge demo, %.0f s: %d legacy records written, %d on the way\n\n", time.Since(v.began).Seconds(), s.Produced, s.Lag)
	fmt.Fprintf(&b, "  %-16s %18s   %-8s %18s\n", "legacy", "read", "slim", "sent")
	slimName := map[mapping.Stream]string{mapping.Events: "events", mapping.Orders: "orders", mapping.Refunds: "refunds"}
	for _, st := range mapping.Streams {
		sent := ""
		if st != mapping.Partners {
			sent = rate(s.Emitted, v.before.Emitted, st.String())
		}
		fmt.Fprintf(&b, "  %-16s %18s   %-8s %18s\n", st, rate(s.Consumed, v.before.Consumed, st.String()), slimName[st], sent)
	}
	fmt.Fprintf(&b, "\n  waiting for: %s\n  out of order: %d orders, %d refunds\n\n", reasons(s.Waiting), s.Violation.Orders, s.Violation.Refunds)
	for _, topic := range []string{"events", "orders", "refunds"} {
		fmt.Fprintf(&b, "  %-8s %s\n", topic, shorten(maskCustomer(s.Sample[topic]), 110))
	}
	return b.String()
}

func total(m map[string]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

func reasons(m map[string]int64) string {
	var list []string
	for _, reason := range slices.Sorted(maps.Keys(m)) {
		list = append(list, fmt.Sprintf("%s %d", reason, m[reason]))
	}
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}

var (
	customer = regexp.MustCompile(`"customer":\{[^}]*\}`)
	barcode  = regexp.MustCompile(`"barcode":"[^"]*"`)
)

// maskCustomer hides what is personal in a slim record, made up as it is here.
func maskCustomer(record string) string {
	return barcode.ReplaceAllString(customer.ReplaceAllString(record, `"customer":{…}`), `"barcode":"…"`)
}

func shorten(s string, limit int) string {
	r := []rune(s)
	if len(r) <= limit {
		return s
	}
	return string(r[:limit-1]) + "…"
}
