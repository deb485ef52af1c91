package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/dryrun"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/slim"
)

type mapOptions struct {
	edition, format string
	directory       string
	partner, event  string
	order           string
	explain         bool
}

// kinds of records by their name on the command line.
var mapKinds = map[string]mapping.Stream{
	"partner": mapping.Partners, "event": mapping.Events, "order": mapping.Orders, "refund": mapping.Refunds,
}

func newMapCommand(a *app) *cobra.Command {
	var o mapOptions
	d := config.Default()
	cmd := &cobra.Command{
		Use:   "map partner|event|order|refund",
		Short: "Show what one legacy record becomes",
		Long: `map reads one legacy record (raw protobuf) from standard input and shows what the
bridge makes of it: the slim record, or why there is none. What the record depends
on can be given as raw files too; holds count as over.

With --explain it lists, for every field of the slim record, the legacy field and
the rule that it comes from.`,
		Example: `  vibe-bridge map event --partner partner.bin --directory directory.json < event.bin
  vibe-bridge map order --event event.bin --partner partner.bin --explain < order.bin`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"partner", "event", "order", "refund"},
		RunE:      func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), a, mapKinds[args[0]]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.edition, "edition", d.Edition, "edition of the slim contract: 1.0 or 2.0")
	flags.StringVar(&o.format, "format", d.Format, "json, or protobuf (written raw)")
	flags.StringVar(&o.directory, "directory", "", "directory file: categories, cities, venues")
	flags.StringVar(&o.partner, "partner", "", "raw partner record that the event's organizer is taken from")
	flags.StringVar(&o.event, "event", "", "raw event record that the order belongs to")
	flags.StringVar(&o.order, "order", "", "raw order record that the refund belongs to")
	flags.BoolVar(&o.explain, "explain", false, "list the origin of every slim field")
	return cmd
}

func (o *mapOptions) run(_ context.Context, a *app, stream mapping.Stream) error {
	c := config.Default()
	c.Edition, c.Format, c.DirectoryFile = o.edition, o.format, o.directory
	if err := c.CheckOutput(); err != nil {
		return refuse(err)
	}
	rules, err := bridgeRules(c)
	if err != nil {
		return err
	}
	var slimRecord, quarantined *recordfile.Record
	engine, err := dryrun.New(dryrun.Config{Rules: rules, ApplicationID: c.ApplicationID}, func(r recordfile.Record) error {
		switch r.Topic {
		case dryrun.QuarantineTopic:
			quarantined = &r
		case dryrun.SlimTopic(stream):
			slimRecord = &r
		}
		return nil
	})
	if err != nil {
		return refuse(err)
	}
	if err := o.feed(engine, stream, a.stdin); err != nil {
		return err
	}
	if quarantined != nil && slimRecord == nil {
		return o.printQuarantined(a.stdout, *quarantined)
	}
	if slimRecord == nil {
		return printEnd(a.stdout, engine.Summary(), stream)
	}
	return o.printSlim(a, rules.Encoding, stream, *slimRecord)
}

// feed gives the engine what the record depends on, and then the record.
func (o *mapOptions) feed(engine *dryrun.Engine, stream mapping.Stream, stdin io.Reader) error {
	for _, context := range []struct {
		path   string
		stream mapping.Stream
	}{{o.partner, mapping.Partners}, {o.event, mapping.Events}, {o.order, mapping.Orders}} {
		if context.path == "" || context.stream == stream {
			continue
		}
		value, err := os.ReadFile(context.path)
		if err != nil {
			return refuse(err)
		}
		if err := engine.Process(recordfile.Record{Topic: context.stream.String(), Value: value}); err != nil {
			return err
		}
	}
	value, err := io.ReadAll(stdin)
	if err != nil {
		return fmt.Errorf("read record: %w", err)
	}
	if err := engine.Process(recordfile.Record{Topic: stream.String(), Value: value}); err != nil {
		return err
	}
	return engine.ExpireHolds()
}

func (o *mapOptions) printQuarantined(w io.Writer, r recordfile.Record) error {
	for _, h := range r.Headers {
		if h.Key == mapping.HeaderErrorClass {
			_, err := fmt.Fprintf(w, "quarantined: %s (%s)\n", h.Value, mapping.Explanation(mapping.Reason(h.Value)))
			return err
		}
	}
	return nil
}

// printEnd says how a record without a slim one ended, from its account.
func printEnd(w io.Writer, s dryrun.Summary, stream mapping.Stream) error {
	account := s.Accounts[stream]
	switch {
	case stream == mapping.Partners:
		fmt.Fprintln(w, "no slim record of its own: events and orders of this organizer take its facts")
	case account.Parked > 0:
		fmt.Fprintf(w, "parked: it waits for its %s; give that with --%s\n", parents[stream], parents[stream])
	case account.Tombstone > 0:
		fmt.Fprintln(w, "tombstone: an empty value is counted and nothing else")
	default:
		for reason := range account.Skipped {
			fmt.Fprintf(w, "skipped: %s\n", reason)
		}
	}
	return nil
}

var parents = map[mapping.Stream]string{mapping.Events: "partner", mapping.Orders: "event", mapping.Refunds: "order"}

func (o *mapOptions) printSlim(a *app, enc slim.Encoding, stream mapping.Stream, r recordfile.Record) error {
	if !o.explain {
		text := r.Value
		if enc.Format == slim.JSON {
			text = append(text, '\n')
		}
		_, err := a.stdout.Write(text)
		return err
	}
	if enc.Format != slim.JSON {
		return refusef("--explain works with --format json")
	}
	var fields any
	if err := json.Unmarshal(r.Value, &fields); err != nil {
		return err
	}
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SLIM FIELD\tVALUE\tLEGACY FIELD\tRULE")
	for _, leaf := range leaves("", fields) {
		origin := mapping.Explain(stream, enc.Edition, leaf.path)
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", leaf.path, shorten(leaf.value, 48), origin.Legacy, origin.Rule)
	}
	return table.Flush()
}

type leaf struct{ path, value string }

// leaves lists the fields of a JSON value, in the order of their paths.
func leaves(path string, v any) []leaf {
	var list []leaf
	switch v := v.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			list = append(list, leaves(strings.TrimPrefix(path+"."+key, "."), v[key])...)
		}
	case []any:
		for i, item := range v {
			list = append(list, leaves(fmt.Sprintf("%s[%d]", path, i), item)...)
		}
	default:
		text, _ := json.Marshal(v) // came from JSON
		list = append(list, leaf{path, string(text)})
	}
	return list
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
