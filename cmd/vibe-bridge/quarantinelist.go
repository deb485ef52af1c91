package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/processors"
)

type quarantineListOptions struct {
	config string
	filter quarantineFilter
	limit  int
	json   bool
}

func newQuarantineListCommand(a *app) *cobra.Command {
	var o quarantineListOptions
	cmd := &cobra.Command{
		Use:   "list --config FILE",
		Short: "List what is in quarantine, and why",
		Long: `list shows the legacy records in quarantine: where each is, since when, for which
reason, and its ids. A record that is there several times for the same reason is
listed once. What was replayed is left out, unless --replayed asks for it.

It reads the whole quarantine topic, and the legacy topics where a record is in
quarantine by its place alone, and changes nothing. It shows nothing personal.
Records in quarantine are no fault of the command: the exit code is 0 also then.`,
		Example: `  vibe-bridge quarantine list --config bridge.yaml
  vibe-bridge quarantine list --config bridge.yaml --reason too_large --since 24h --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.limit < 0 {
				return refusef("--limit %d: want 0 or more", o.limit)
			}
			if o.json && !cmd.Flags().Changed("limit") {
				o.limit = 0
			}
			cfg, err := quarantineConfig(a, o.config, cmd, false)
			if err != nil {
				return err
			}
			if err := o.filter.check(cmd, cfg.Topics, time.Now()); err != nil {
				return err
			}
			return o.run(cmd.Context(), a, cfg)
		},
	}
	o.filter.bind(cmd)
	cmd.Flags().BoolVar(&o.filter.marked, "replayed", false, "also what was replayed")
	cmd.Flags().IntVar(&o.limit, "limit", 50, "how many to list; 0: all (with --json, all is the default)")
	bindQuarantine(cmd, &o.config, &o.json, append(filterFlags, "replayed", "limit")...)
	return cmd
}

func (o *quarantineListOptions) run(ctx context.Context, a *app, cfg processors.Config) error {
	if err := processors.CheckQuarantine(cfg); err != nil {
		return refuse(err)
	}
	list, all, err := o.filter.choose(ctx, a, cfg)
	if err != nil {
		return refuse(err)
	}
	shown := list
	if o.limit > 0 && o.limit < len(list) {
		shown = list[:o.limit]
	}
	if o.filter.id == "" {
		if err := processors.FillReferences(ctx, cfg, shown); err != nil {
			return refuse(err)
		}
	}
	switch {
	case !o.json && len(list) == 0 && all > 0:
		_, err := fmt.Fprintf(a.stdout, "nothing that matches: %s in quarantine, replayed ones included\n", count(all, "record"))
		return err
	case !o.json:
		return printQuarantined(a.stdout, list, shown)
	}
	for _, e := range shown {
		if err := printLine(a.stdout, e); err != nil {
			return err
		}
	}
	return nil
}

// printQuarantined prints a summary of all and the details of those that are shown.
func printQuarantined(w io.Writer, all, shown []*processors.Quarantined) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "nothing in quarantine")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TOPIC\tREASON\tRECORDS\tREPLAYED\tLAST")
	for _, s := range sumUp(all) {
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\n", s.topic, s.reason, s.records, s.replayed, clock(s.last))
	}
	fmt.Fprintln(table)
	if err := table.Flush(); err != nil { // columns of its own for what follows
		return err
	}
	fmt.Fprintln(table, "QUARANTINE\tTIME\tLEGACY RECORD\tSTAGE\tREASON\tBYTES\tREPLAYED\tIDS")
	for _, e := range shown {
		fmt.Fprintf(table, "%d/%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Partition, e.Offset, clock(e.Time), e.Source, e.Stage, processors.ShownID(e.Reason),
			bytesOf(e), clock(e.Replayed), idsOf(e))
	}
	if more := len(all) - len(shown); more > 0 {
		fmt.Fprintf(table, "and %d more: --limit 0 lists all\n", more)
	}
	return table.Flush()
}

// bytesOf is the size of a record, or that there is none.
func bytesOf(e *processors.Quarantined) string {
	switch {
	case e.Unavailable:
		return "gone"
	case e.Reference && e.Bytes == 0:
		return "-"
	}
	return fmt.Sprint(e.Bytes)
}

// quarantineSum is what is in quarantine of a topic for a reason.
type quarantineSum struct {
	topic, reason     string
	records, replayed int
	last              time.Time
}

func sumUp(list []*processors.Quarantined) []quarantineSum {
	sums := map[[2]string]*quarantineSum{}
	for _, e := range list {
		id := [2]string{e.Source.Topic, e.Reason}
		s := sums[id]
		if s == nil {
			s = &quarantineSum{topic: id[0], reason: processors.ShownID(id[1])}
			sums[id] = s
		}
		s.records++
		if !e.Replayed.IsZero() {
			s.replayed++
		}
		if e.Time.After(s.last) {
			s.last = e.Time
		}
	}
	var sorted []quarantineSum
	for s := range maps.Values(sums) {
		sorted = append(sorted, *s)
	}
	slices.SortFunc(sorted, func(a, b quarantineSum) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.reason, b.reason))
	})
	return sorted
}
