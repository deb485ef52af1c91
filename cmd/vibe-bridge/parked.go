package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/processors"
)

type parkedOptions struct {
	config string
	event  string
	limit  int
	json   bool
}

func newParkedCommand(a *app) *cobra.Command {
	var o parkedOptions
	cmd := &cobra.Command{
		Use:   "parked --config FILE",
		Short: "Show what waits for what, since when",
		Long: `parked lists the events, orders and refunds that the bridge holds back, oldest first:
what each waits for, since when, until when if the wait has a limit, and where its
legacy record is. It shows ids and nothing personal.

It reads the bridge's state on the state cluster, all of it, and changes nothing; the
bridge need not run. What waits is no fault: the exit code is 0 also then.`,
		Example: `  vibe-bridge parked --config bridge.yaml
  vibe-bridge parked --config bridge.yaml --event 5f0c1a --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(cmd); err != nil {
				return err
			}
			cfg, err := gateConfig(a, o.config, cmd)
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), a, cfg)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.config, "config", "", "configuration file (YAML)")
	flags.StringVar(&o.event, "event", "", "only what belongs to the event with this id, itself included")
	flags.IntVar(&o.limit, "limit", 50, "how many to list; 0: all (with --json, all is the default)")
	flags.BoolVar(&o.json, "json", false, "print one JSON object")
	config.BindFlags(flags)
	showFlags(cmd, "config", "event", "limit", "json", "name", "state-brokers")
	return cmd
}

func (o *parkedOptions) check(cmd *cobra.Command) error {
	if o.limit < 0 {
		return refusef("--limit %d: want 0 or more", o.limit)
	}
	if o.json && !cmd.Flags().Changed("limit") {
		o.limit = 0
	}
	return checkID(cmd, "event", o.event)
}

// checkID refuses an id that is given and empty, as an unset variable of a script is.
func checkID(cmd *cobra.Command, flag, id string) error {
	if cmd.Flags().Changed(flag) && id == "" {
		return refusef("--%s is empty: want an id", flag)
	}
	return nil
}

// gateConfig is the configuration of a command that looks at the gate from the outside.
func gateConfig(a *app, path string, cmd *cobra.Command) (processors.Config, error) {
	c, err := loadConfig(a, path, cmd.Flags())
	if err != nil {
		return processors.Config{}, err
	}
	c.DirectoryFile, c.CategoriesFile = "", "" // nothing is mapped here
	return bridgeConfig(c)
}

func (o *parkedOptions) run(ctx context.Context, a *app, cfg processors.Config) error {
	if err := processors.CheckGate(cfg); err != nil {
		return refuse(err)
	}
	list, err := processors.ReadParked(ctx, cfg, o.event)
	if err != nil {
		return refuse(err)
	}
	report := newParkedReport(list, o.limit, time.Now())
	if o.event != "" && len(list) == 0 {
		known, err := processors.KnowsEvent(ctx, cfg, o.event)
		if err != nil {
			return refuse(err)
		}
		if !known {
			report.UnknownEvent = o.event
		}
	}
	if o.json {
		return printJSON(a.stdout, report)
	}
	return report.print(a.stdout)
}

// parkedReport is what the command prints.
type parkedReport struct {
	At      time.Time           `json:"at"`
	Waiting int                 `json:"waiting"` // Entries may be fewer, see --limit
	Reasons []reasonSummary     `json:"reasons"`
	Entries []processors.Parked `json:"entries"`
	// UnknownEvent is the event that was asked for, when the bridge has nothing of it; "" otherwise.
	UnknownEvent string `json:"unknown_event,omitempty"`
}

// reasonSummary is what waits for one reason.
type reasonSummary struct {
	Reason      string    `json:"reason"`
	Count       int       `json:"count"`
	OldestSince time.Time `json:"oldest_since"`
	OldestAge   float64   `json:"oldest_age_seconds"`
}

// newParkedReport sums up a list that begins with the oldest, and keeps limit of its entries; 0 keeps all.
func newParkedReport(list []processors.Parked, limit int, now time.Time) parkedReport {
	r := parkedReport{At: now.UTC().Truncate(time.Millisecond), Waiting: len(list), Reasons: []reasonSummary{}, Entries: list}
	for _, p := range list {
		at := slices.IndexFunc(r.Reasons, func(s reasonSummary) bool { return s.Reason == p.Reason })
		if at < 0 { // the oldest comes first
			at = len(r.Reasons)
			r.Reasons = append(r.Reasons, reasonSummary{Reason: p.Reason, OldestSince: p.Since, OldestAge: max(r.At.Sub(p.Since), 0).Seconds()})
		}
		r.Reasons[at].Count++
	}
	if limit > 0 && limit < len(list) {
		r.Entries = list[:limit]
	}
	return r
}

func (r parkedReport) print(w io.Writer) error {
	if r.UnknownEvent != "" {
		id := processors.ShownID(r.UnknownEvent)
		_, err := fmt.Fprintf(w, "nothing waits: nothing is known of an event %s, nor of orders and refunds of it; vibe-bridge quarantine list --id %s tells whether they are in quarantine\n", id, id)
		return err
	}
	if r.Waiting == 0 {
		_, err := fmt.Fprintln(w, "nothing waits")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "REASON\tWAITING\tOLDEST")
	for _, s := range r.Reasons {
		fmt.Fprintf(table, "%s\t%d\t%s\n", s.Reason, s.Count, r.age(s.OldestSince))
	}
	fmt.Fprintln(table)
	if err := table.Flush(); err != nil { // columns of its own for what follows
		return err
	}
	fmt.Fprintln(table, "AGE\tSINCE\tUNTIL\tKIND\tEVENT\tORDER\tREFUND\tWAITS FOR\tLEGACY RECORD")
	for _, p := range r.Entries {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.age(p.Since), clock(p.Since), clock(p.Until), p.Kind,
			processors.ShownID(p.Event), idBelow(p.Kind != "event", p.Order), idBelow(p.Kind == "refund", p.Refund), p.WaitsFor, p.Source)
	}
	if more := r.Waiting - len(r.Entries); more > 0 {
		fmt.Fprintf(table, "and %d more: --limit 0 lists all\n", more)
	}
	return table.Flush()
}

// age is how long ago something was, to the second.
func (r parkedReport) age(since time.Time) string {
	return max(r.At.Sub(since), 0).Truncate(time.Second).String()
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.RFC3339)
}

// idBelow is the id of an order or a refund, "-" for an entity without one.
func idBelow(has bool, id string) string {
	if !has {
		return "-"
	}
	return processors.ShownID(id)
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
