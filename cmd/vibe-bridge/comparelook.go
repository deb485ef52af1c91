package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/live"
	"github.com/ticketscloud/vibe-bridge/compare/page"
	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// What looks at a comparison that runs, from its topics.

// lookCommand is a command that reads the comparison's topics and changes nothing. check looks at its flags alone.
func lookCommand(a *app, cmd *cobra.Command, check func() error, shown []string, look func(context.Context, live.Config) error) *cobra.Command {
	var path string
	cmd.Args = noArguments
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := check(); err != nil {
			return err
		}
		c, err := loadConfig(a, path, cmd.Flags())
		if err != nil {
			return err
		}
		cfg, err := liveConfig(cmd.Context(), c)
		if err != nil {
			return err
		}
		if err := live.EnsureTopics(cmd.Context(), cfg, false); err != nil {
			return refuse(err)
		}
		return look(cmd.Context(), cfg)
	}
	cmd.Flags().StringVar(&path, "config", "", "configuration file (YAML)")
	config.BindFlags(cmd.Flags())
	showFlags(cmd, append(shown, "config", "name")...)
	return cmd
}

func newCompareShowCommand(a *app) *cobra.Command {
	var event, order, refund string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show --config FILE (--event ID | --order ID | --refund ID)",
		Short: "Show what compare run knows of one entity",
		Long: `show prints what both sides have of an event, an order or a refund: where its records
are, when they were read, which fields differ, or why it is not compared. It judges as if the grace was over,
and says when it is not. It reads the tables of compare run, which need not run.

Exit codes: 0 shown, 3 no side has it.`,
	}
	flags := cmd.Flags()
	flags.StringVar(&event, "event", "", "id of an event")
	flags.StringVar(&order, "order", "", "id of an order")
	flags.StringVar(&refund, "refund", "", "id of a refund")
	flags.BoolVar(&asJSON, "json", false, "print one JSON object")
	check := func() error {
		given := 0
		for _, flag := range []string{"event", "order", "refund"} {
			if cmd.Flags().Changed(flag) {
				given++
			}
		}
		if given != 1 || event+order+refund == "" {
			return usageError(cmd, errors.New("want one of --event, --order and --refund, with an id"))
		}
		return nil
	}
	return lookCommand(a, cmd, check, []string{"event", "order", "refund", "json"}, func(ctx context.Context, cfg live.Config) error {
		stream, id := compare.Events, event
		switch {
		case order != "":
			stream, id = compare.Orders, order
		case refund != "":
			stream, id = compare.Refunds, refund
		}
		shown, err := live.Show(ctx, cfg, stream, id, time.Now())
		switch {
		case err != nil:
			return refuse(err)
		case shown == nil:
			return &codedError{code: codeChecks, err: fmt.Errorf("neither side has named %s in %s", processors.ShownID(id), stream)}
		case asJSON:
			return printJSON(a.stdout, shown)
		}
		return printShown(a.stdout, shown)
	})
}

func printShown(w io.Writer, s *live.Shown) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, text)
		}
	}
	line("STREAM", s.Stream)
	line("ID", processors.ShownID(s.ID))
	for _, ref := range []struct{ name, id string }{{"EVENT", s.Event}, {"ORDER", s.Order}} {
		if ref.id != "" {
			line(ref.name, processors.ShownID(ref.id))
		}
	}
	state := s.State
	if s.Reason != "" {
		state += " (" + s.Reason + ")"
	}
	if s.Young {
		state += ", and it is young: nothing counts yet"
	}
	line("STATE", state)
	for _, d := range s.Differences {
		line("DIFFERS", strings.TrimSpace(fmt.Sprintf("%s %s %s %s", d.Category, d.Field, d.Detail, d.Rule)))
	}
	line("LEFT", shownSide(s.Left))
	line("RIGHT", shownSide(s.Right))
	return table.Flush()
}

func shownSide(s *live.ShownSide) string {
	if s == nil {
		return "nothing"
	}
	text := s.Outcome
	if s.Reason != "" {
		text += " (" + s.Reason + ")"
	}
	if s.Newest != nil {
		text += fmt.Sprintf(", newest record %s/%d/%d", s.Newest.Topic, s.Newest.Partition, s.Newest.Offset)
	}
	return text + ", read " + s.Seen.Format(time.RFC3339) + ", " + count(int(s.Records), "record")
}

func newCompareDifferencesCommand(a *app) *cobra.Command {
	var f live.DifferenceFilter
	var asJSON bool
	var limit int
	cmd := &cobra.Command{
		Use:   "differences --config FILE",
		Short: "List what differs at present, as compare run has found it",
		Long: `differences reads the topic NAME-differences: the entities that differ, in which category and field, and
where their records are. It shows ids and nothing personal.

Exit codes: 0 nothing differs, 3 something does.`,
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Stream, "stream", "", "only of events, orders or refunds")
	flags.StringVar(&f.Category, "category", "", "only of this category, as missing or value")
	flags.StringVar(&f.Field, "field", "", "only in this field, as customer.phone")
	flags.BoolVar(&asJSON, "json", false, "print JSON, an object a line, all of them")
	flags.IntVar(&limit, "limit", 50, "how many to list; 0: all")
	check := func() error {
		switch {
		case limit < 0:
			return refusef("--limit %d: want 0 or more", limit)
		case f.Stream != "" && f.Stream != "events" && f.Stream != "orders" && f.Stream != "refunds":
			return refusef("--stream %q: want events, orders or refunds", f.Stream)
		case f.Category != "" && !slices.Contains(compare.Categories(), compare.Category(f.Category)):
			return refusef("--category %q: want one of %s", f.Category, categoryList())
		}
		return nil
	}
	return lookCommand(a, cmd, check, []string{"stream", "category", "field", "json", "limit"}, func(ctx context.Context, cfg live.Config) error {
		list, err := live.ReadDifferences(ctx, cfg, f)
		if err != nil {
			return refuse(err)
		}
		if err := printDifferences(a.stdout, cfg.Name+"-differences", list, asJSON, limit); err != nil {
			return err
		}
		if len(list) > 0 {
			return &codedError{code: codeChecks, err: fmt.Errorf("%s", differ(len(list)))}
		}
		return nil
	})
}

func categoryList() string {
	var names []string
	for _, c := range compare.Categories() {
		names = append(names, string(c))
	}
	return strings.Join(names, ", ")
}

func differ(n int) string {
	if n == 1 {
		return "1 entity differs"
	}
	return fmt.Sprintf("%d entities differ", n)
}

func printDifferences(w io.Writer, topic string, list []*live.Published, asJSON bool, limit int) error {
	if asJSON {
		lines := json.NewEncoder(w)
		lines.SetEscapeHTML(false)
		for _, p := range list {
			if err := lines.Encode(p); err != nil {
				return err
			}
		}
		return nil
	}
	if len(list) == 0 {
		_, err := fmt.Fprintf(w, "no differences in %s\n", topic)
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STREAM\tID\tCATEGORY\tFIELD\tRULE\tSINCE\tLEFT\tRIGHT")
	for n, p := range list {
		if limit > 0 && n == limit {
			fmt.Fprintf(table, "and %d more: --limit 0 lists all\n", len(list)-n)
			break
		}
		for _, d := range p.Differences {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Stream, processors.ShownID(p.ID), d.Category, d.Field, d.Rule, clock(p.Since), position(p.Left), position(p.Right))
		}
	}
	return table.Flush()
}

func position(p *live.Position) string {
	if p == nil {
		return "-"
	}
	return fmt.Sprintf("%s/%d/%d", p.Topic, p.Partition, p.Offset)
}

func newCompareReportCommand(a *app) *cobra.Command {
	var asJSON bool
	var html string
	cmd := &cobra.Command{
		Use:   "report --config FILE",
		Short: "Print the report of compare run, with its verdict",
		Long: `report sums up what all instances of compare run have found last, with the results of the
hours before as a trend, and gives the verdict. It reads their topics; they need not run.

Exit codes: 0 GO, 3 NO-GO, 2 there is no result.`,
		Example: `  vibe-bridge compare report --config bridge.yaml --html report.html`,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	cmd.Flags().StringVar(&html, "html", "", "file for the report as one HTML page")
	return lookCommand(a, cmd, func() error { return nil }, []string{"json", "html"}, func(ctx context.Context, cfg live.Config) error {
		r, err := live.ReadReport(ctx, cfg, time.Now())
		if err != nil {
			return refuse(err)
		}
		if html != "" {
			var text bytes.Buffer
			if err := page.Write(&text, r); err != nil {
				return err
			}
			if err := replaceFile(html, readableByOwner, text.Bytes()); err != nil {
				return refuse(err)
			}
		}
		if asJSON {
			err = printJSON(a.stdout, r)
		} else {
			err = r.WriteText(a.stdout)
		}
		if err == nil && !r.Verdict.Go {
			err = &codedError{code: codeChecks, err: errors.New("compare: NO-GO: see the report")}
		}
		return err
	})
}
