package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/dryrun"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
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
refund_requests. What waits for something stays parked, unless --expire-holds
lets the holds run out at the end of the file.

It ends with exit code 3 if the accounts do not balance.`,
		Example: `  vibe-bridge dry-run --in season.ndjson.gz --directory directory.json --out slim.ndjson.gz --summary summary.json
  vibe-bridge generate --orders 100 --out - | vibe-bridge dry-run --expire-holds`,
		Args: cobra.NoArgs,
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
	if o.out == "-" && o.summary == "-" {
		return refusef("--out and --summary are both standard output: want a file for one of them")
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
	return o.summarize(a, engine.Summary())
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
		if err := engine.Process(record); err != nil {
			return fmt.Errorf("record %s/%d/%d: %w", record.Topic, record.Partition, record.Offset, err)
		}
	}
	if o.expireHolds {
		return engine.ExpireHolds()
	}
	return nil
}

func (o *dryRunOptions) summarize(a *app, s dryrun.Summary) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	switch o.summary {
	case "":
		_, err = a.stderr.Write(text)
	case "-":
		_, err = a.stdout.Write(text)
	default:
		err = os.WriteFile(o.summary, text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	if !s.Accounts.Balanced() {
		return &codedError{code: codeChecks, err: errors.New("the accounts do not balance: see the summary")}
	}
	return nil
}
