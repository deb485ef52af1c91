package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/dryrun"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

type dryRunOptions struct {
	in, out     string
	summary     string
	directory   string
	edition     string
	format      string
	expireHolds bool
}

func newDryRunCommand(a *app) *cobra.Command {
	var o dryRunOptions
	d := config.Default()
	cmd := &cobra.Command{
		Use:   "dry-run",
		Short: "Map a record file with no broker",
		Long: `dry-run puts legacy records from a record file through the same steps as the
bridge, with no broker: one partition, in file order. It writes the slim records
(topics events, orders, refunds) and the quarantined ones (topic quarantine) to
another record file, in emission order, and a summary that accounts for every
legacy record.

Legacy topics have their default names: partners, events, orders_done,
refund_requests. What waits for something stays parked; --expire-holds lets the
holds for an organizer or a ticket set run out at the end of the file.

It ends with exit code 3 if the accounts do not balance.`,
		Example: `  vibe-bridge dry-run --in season.ndjson.gz --directory directory.json --out slim.ndjson.gz --summary summary.json
  vibe-bridge generate --orders 100 --out - | vibe-bridge dry-run --expire-holds`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), a) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.in, "in", "-", "record file to read, - for standard input")
	flags.StringVar(&o.out, "out", "-", "record file to write, - for standard output")
	flags.StringVar(&o.summary, "summary", "", "file for the summary as JSON, - for standard output (default: standard error)")
	flags.StringVar(&o.directory, "directory", "", "directory file: categories, cities, venues")
	flags.StringVar(&o.edition, "edition", d.Edition, "edition of the slim contract: 1.0 or 2.0")
	flags.StringVar(&o.format, "format", d.Format, "json or protobuf")
	flags.BoolVar(&o.expireHolds, "expire-holds", false, "let all holds run out at the end of the file")
	return cmd
}

// config is the default configuration with the options of this command.
func (o *dryRunOptions) config() (config.Config, error) {
	c := config.Default()
	c.Edition, c.Format, c.DirectoryFile = o.edition, o.format, o.directory
	if err := c.CheckOutput(); err != nil {
		return config.Config{}, refuse(err)
	}
	return c, nil
}

func (o *dryRunOptions) run(ctx context.Context, a *app) error {
	if err := o.check(a); err != nil {
		return err
	}
	c, err := o.config()
	if err != nil {
		return err
	}
	rules, err := bridgeRules(c)
	if err != nil {
		return err
	}
	reader, err := recordfile.Open(o.in, a.stdin)
	if err != nil {
		return refuse(err)
	}
	defer reader.Close()
	writer, err := recordfile.Create(o.out, a.stdout)
	if err != nil {
		return refuse(err)
	}
	defer writer.Discard()
	summary, err := o.openSummary(a)
	if err != nil {
		return refusef("write summary: %w", err)
	}
	defer summary.discard()
	engine, err := dryrun.New(dryrun.Config{Rules: rules, ApplicationID: c.ApplicationID, SourceHeader: c.SourceHeader}, writer.Write)
	if err != nil {
		return refuse(err)
	}
	if err := o.process(ctx, reader, engine); err != nil {
		return err
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return writeSummary(summary, engine.Summary())
}

// check looks at the flags that name files.
func (o *dryRunOptions) check(a *app) error {
	names := map[string]string{"--in": o.in, "--out": o.out, "--summary": o.summary}
	for _, pair := range [][2]string{{"--in", "--out"}, {"--in", "--summary"}, {"--out", "--summary"}} {
		one, other := names[pair[0]], names[pair[1]]
		switch {
		case one == "-" && other == "-" && pair[0] == "--out":
			return refusef("--out and --summary are both standard output: want a file for one of them")
		case one != "-" && other != "" && sameFile(one, other):
			return refusef("%s and %s are both %s: want two files", pair[0], pair[1], one)
		}
	}
	if o.in == "-" && isTerminal(a.stdin) {
		return refusef("no records to read: give a record file with --in, or pipe one in")
	}
	return nil
}

func (o *dryRunOptions) process(ctx context.Context, reader *recordfile.Reader, engine *dryrun.Engine) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		record, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return refuse(err)
		}
		if !isLegacy(record.Topic) {
			return refusef("read records: line %d: topic %q is not a legacy topic: want partners, events, orders_done or refund_requests", reader.Line(), record.Topic)
		}
		if err := engine.Process(record); err != nil {
			return fmt.Errorf("record %s/%d/%d: %w", record.Topic, record.Partition, record.Offset, err)
		}
	}
	if o.expireHolds {
		return engine.ExpireHolds()
	}
	return nil
}

func isLegacy(topic string) bool {
	return slices.ContainsFunc(mapping.Streams[:], func(s mapping.Stream) bool { return s.String() == topic })
}

// openSummary opens the summary's file before the work, so that a name that
// cannot be written does not cost the work.
func (o *dryRunOptions) openSummary(a *app) (output, error) {
	switch o.summary {
	case "":
		return givenStream{a.stderr}, nil
	case "-":
		return givenStream{a.stdout}, nil
	}
	return createWhole(o.summary, readableByOwner)
}

// output is a file or a stream of the process.
type output interface {
	io.Writer
	commit() error
	discard()
}

// givenStream is an output that is not ours to close.
type givenStream struct{ io.Writer }

func (givenStream) commit() error { return nil }
func (givenStream) discard()      {}

func writeSummary(w output, s dryrun.Summary) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if _, err := w.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	if err := w.commit(); err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	if !s.Accounts.Balanced() {
		return &codedError{code: codeChecks, err: errors.New("the accounts do not balance: see the summary")}
	}
	return nil
}
