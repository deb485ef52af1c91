package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/processors"
)

type quarantineShowOptions struct {
	config    string
	topic, at string
	raw       string
	json      bool
}

func newQuarantineShowCommand(a *app) *cobra.Command {
	var o quarantineShowOptions
	cmd := &cobra.Command{
		Use:   "show --config FILE (PARTITION/OFFSET | --topic TOPIC --at PARTITION/OFFSET)",
		Short: "Show one record in quarantine",
		Long: `show says what is known of one record in quarantine, and what a replay would make of
it now. The record is named by its place in the quarantine topic, as list shows it,
or by that of the legacy record. When a later record there says the same, that one
is shown, and its place is said.

Of its fields, texts that may be personal are shown by their shape: 9 for a digit, a
for a letter. --raw writes the untouched value to a file that only its owner may
read; it holds personal data.`,
		Example: `  vibe-bridge quarantine show --config bridge.yaml 3/1041
  vibe-bridge quarantine show --config bridge.yaml --topic orders_done --at 7/88120 --raw order.bin`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := quarantineConfig(a, o.config, cmd, true)
			if err != nil {
				return err
			}
			is, err := o.which(cmd, args, cfg.Topics)
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), a, cfg, is, args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.topic, "topic", "", "legacy topic of the record")
	flags.StringVar(&o.at, "at", "", "partition and offset of the legacy record")
	flags.StringVar(&o.raw, "raw", "", "file to write the untouched value to")
	bindQuarantine(cmd, &o.config, &o.json, "topic", "at", "raw")
	return cmd
}

// which tells the record that is asked for.
func (o *quarantineShowOptions) which(cmd *cobra.Command, args []string, topics processors.Topics) (func(*processors.Quarantined) bool, error) {
	legacy := cmd.Flags().Changed("topic") || cmd.Flags().Changed("at")
	switch {
	case len(args) == 1 && legacy:
		return nil, refusef("%s and --topic or --at are both given: want one place", args[0])
	case len(args) == 1:
		partition, offset, err := parsePlace(args[0])
		return func(e *processors.Quarantined) bool { return e.StandsAt(partition, offset) }, err
	case o.topic == "" || o.at == "":
		return nil, refusef("no record named: want PARTITION/OFFSET of the quarantine topic, or --topic and --at of the legacy record")
	}
	topic, err := legacyTopic(topics, o.topic)
	if err != nil {
		return nil, err
	}
	partition, offset, err := parsePlace(o.at)
	return func(e *processors.Quarantined) bool {
		return e.Source == processors.Position{Topic: topic, Partition: partition, Offset: offset}
	}, err
}

func parsePlace(text string) (partition int32, offset int64, err error) {
	before, after, _ := strings.Cut(text, "/")
	p, err1 := strconv.ParseInt(before, 10, 32)
	offset, err2 := strconv.ParseInt(after, 10, 64)
	if err1 != nil || err2 != nil || p < 0 || offset < 0 {
		return 0, 0, refusef("%q is no place: want PARTITION/OFFSET, such as 3/1041", text)
	}
	return int32(p), offset, nil
}

func (o *quarantineShowOptions) run(ctx context.Context, a *app, cfg processors.Config, is func(*processors.Quarantined) bool, place []string) error {
	if err := processors.CheckQuarantine(cfg); err != nil {
		return refuse(err)
	}
	list, err := processors.ReadQuarantine(ctx, cfg)
	if err != nil {
		return refuse(err)
	}
	var found []*processors.Quarantined
	for _, e := range list.Records {
		if is(e) {
			found = append(found, e)
		}
	}
	if len(found) == 0 {
		return &codedError{code: codeChecks, err: fmt.Errorf("no such record in quarantine: vibe-bridge quarantine list --replayed shows those that there are")}
	}
	for _, e := range found {
		if now := fmt.Sprintf("%d/%d", e.Partition, e.Offset); len(place) == 1 && place[0] != now {
			fmt.Fprintf(a.stderr, "%s: the record at %s says the same again and stands for it\n", place[0], now)
		}
		if err := o.show(ctx, a, cfg, e); err != nil {
			return err
		}
	}
	return nil
}

// shownRecord is what is printed of a record.
type shownRecord struct {
	processors.Replayed                    // its result is what a replay would make of it now
	KeyBytes            int                `json:"key_bytes"`
	Headers             []string           `json:"headers"` // their names
	Fields              []processors.Field `json:"fields"`
	Unreadable          string             `json:"unreadable,omitempty"` // why there are no fields
}

func (o *quarantineShowOptions) show(ctx context.Context, a *app, cfg processors.Config, e *processors.Quarantined) error {
	if err := processors.FillReferences(ctx, cfg, []*processors.Quarantined{e}); err != nil {
		return refuse(err)
	}
	originals, err := processors.ReadOriginals(ctx, cfg, []*processors.Quarantined{e})
	if err != nil {
		return refuse(err)
	}
	r := shownRecord{Headers: []string{}, Fields: []processors.Field{}, Replayed: processors.WouldReplay(cfg, e, originals[0])}
	if original := originals[0]; original != nil {
		r.KeyBytes = len(original.Key)
		for _, h := range original.Headers {
			r.Headers = append(r.Headers, h.Key)
		}
		if fields, err := processors.ShownFields(e.Stream(), original.Value); err != nil {
			r.Unreadable = err.Error()
		} else {
			r.Fields = append(r.Fields, fields...)
		}
	}
	if err := o.writeRaw(a, originals[0]); err != nil {
		return err
	}
	if o.json {
		return printLine(a.stdout, r)
	}
	return r.print(a.stdout)
}

func (o *quarantineShowOptions) writeRaw(a *app, original *processors.Original) error {
	switch {
	case o.raw == "":
		return nil
	case original == nil:
		return &codedError{code: codeChecks, err: fmt.Errorf("%s is not written: the record is in quarantine by its place, and the legacy topic has it no more", o.raw)}
	}
	if err := replaceFile(o.raw, readableByOwner, original.Value); err != nil {
		return fmt.Errorf("write value: %w", err)
	}
	fmt.Fprintf(a.stderr, "%s written to %s: personal data, untouched\n", count(len(original.Value), "byte"), o.raw)
	return nil
}

// mostFields is how many fields are listed for people: a record that is too large has many.
const mostFields = 100

func (r shownRecord) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	e := r.Quarantined
	line := func(name, value string) { fmt.Fprintf(table, "%s\t%s\n", name, value) }
	line("quarantine", fmt.Sprintf("%d/%d, %s, since %s", e.Partition, e.Offset, count(e.Copies, "record"), clock(e.Time)))
	line("legacy record", e.Source.String()+" of "+clock(e.SourceTime))
	line("reason", fmt.Sprintf("%s at %s: %s", processors.ShownID(e.Reason), e.Stage, e.Explanation))
	line("ids", idsOf(e))
	line("bytes", fmt.Sprintf("%s, and %d of its key", bytesOf(e), r.KeyBytes))
	if len(r.Headers) > 0 {
		var names []string
		for _, name := range r.Headers {
			names = append(names, processors.ShownID(name))
		}
		line("headers", strings.Join(names, " "))
	}
	if !e.Replayed.IsZero() {
		line("replayed", clock(e.Replayed)+": "+processors.ShownID(e.Outcome))
	}
	line("a replay now", r.Result)
	if r.Unreadable != "" {
		line("unreadable", r.Unreadable)
	}
	for i, f := range r.Fields {
		if i == mostFields {
			line(fmt.Sprintf("and %d more", len(r.Fields)-i), "--json lists all")
			break
		}
		line("  "+f.Path, f.Value)
	}
	return table.Flush()
}
