package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
	"github.com/ticketscloud/vibe-bridge/verify"
)

type verifyOptions struct {
	config   string
	follow   bool
	json     bool
	grace    time.Duration
	interval time.Duration
	examples int
}

func newVerifyCommand(a *app) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify --config FILE",
		Short: "Check the slim topics against the legacy ones",
		Long: `verify reads the legacy topics, the slim topics and the quarantine topic from their
first records on, and says what is lost, out of order, out of date, or not as the
contract wants it. It is independent of the bridge: it has rules of its own, and
knows nothing of the bridge's state, groups or tables. It only reads: it joins no
consumer group and commits nothing.

  lost                 an eligible legacy record without a slim one that has no
                       reason to wait; or one that ought to be in quarantine
  order_before_event   an order before its event's first record, or without any
  refund_before_order  a refund before its order's first record, or without any
  stale                the newest record of a key is an older value of it
  unexpected           no eligible legacy record has the key; or a record is in
                       quarantine and nothing is wrong with it
  foreign              no version of its sources gives the value
  duplicate            foreign, beside a good record of the same legacy record
  malformed, headers, key, partition
                       not as the contract writes it

Which of two records in two topics came first shows only where the slim topics have
one partition each, on one broker, with message.timestamp.type=LogAppendTime; verify
sees by itself whether that is so, and says what it could not decide. Directory and
edition are taken to be those of the configuration all the time.

What is missing or out of date counts once it has been so for --grace; verify waits
that long for it. With --follow it goes on checking until it is interrupted, prints
a line per --interval, and ends with what stands then.

It needs about 1 GB of memory for a million orders, and ends with exit code 3 when
anything is wrong. Its report holds ids and positions, no personal data.`,
		Example: `  vibe-bridge verify --config bridge.yaml
  vibe-bridge verify --config bridge.yaml --json --grace 1m
  vibe-bridge verify --config bridge.yaml --follow --interval 30s`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			c, err := loadConfig(a, o.config, cmd.Flags())
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), a, c)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.config, "config", "", "configuration file (YAML)")
	flags.BoolVar(&o.follow, "follow", false, "go on checking until interrupted")
	flags.BoolVar(&o.json, "json", false, "print the report as one JSON object")
	flags.DurationVar(&o.grace, "grace", 10*time.Second, "how long a record may be on its way")
	flags.DurationVar(&o.interval, "interval", 10*time.Second, "how often --follow looks")
	flags.IntVar(&o.examples, "examples", 5, "how many findings of a kind are listed")
	config.BindFlags(flags)
	showFlags(cmd, "config", "follow", "json", "grace", "interval", "examples")
	return cmd
}

func (o *verifyOptions) check() error {
	switch {
	case o.grace < 0:
		return refusef("--grace %s: want 0 or more", o.grace)
	case o.interval <= 0:
		return refusef("--interval %s: want more than 0", o.interval)
	case o.examples < 0:
		return refusef("--examples %d: want 0 or more", o.examples)
	}
	return nil
}

func (o *verifyOptions) run(ctx context.Context, a *app, c config.Config) error {
	places, err := verifyDirectory(c)
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(c.DefaultTimezone)
	if err != nil {
		return refusef("default_timezone: %w", err)
	}
	clusters, err := openVerified(ctx, c, verifiedTopics(c))
	if err != nil {
		return err
	}
	defer clusters.close()
	checker, err := verify.New(verify.Config{
		Edition: c.Edition, Format: c.Format, ApplicationID: c.ApplicationID, SourceHeader: c.SourceHeader,
		Directory: places, Zone: zone, Topics: clusters.topics, Layout: clusters.layout, Examples: o.examples,
	})
	if err != nil {
		return refuse(err)
	}
	defer saveMemory()()
	report, err := o.watch(ctx, a, clusters, checker)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	return o.conclude(a, report)
}

// verifiedTopics are the names of everything that is read.
func verifiedTopics(c config.Config) verify.Topics {
	legacy := [4]string{
		mapping.Partners: c.Topics.Partners, mapping.Events: c.Topics.Events,
		mapping.Orders: c.Topics.Orders, mapping.Refunds: c.Topics.Refunds,
	}
	events, orders, refunds := c.Slim.Names()
	var t verify.Topics
	t.Legacy[verify.Partners], t.Legacy[verify.Events] = c.Topics.Partners, c.Topics.Events
	t.Legacy[verify.Orders], t.Legacy[verify.Refunds] = c.Topics.Orders, c.Topics.Refunds
	t.Slim[verify.Events], t.Slim[verify.Orders], t.Slim[verify.Refunds] = events, orders, refunds
	t.Quarantine = processors.NewTopics(c.Name, legacy, events, orders, refunds).Quarantine()
	return t
}

// verifyDirectory reads the files again with the checker's own parser.
func verifyDirectory(c config.Config) (*verify.Directory, error) {
	var data [2][]byte
	for i, path := range []string{c.DirectoryFile, c.CategoriesFile} {
		if path == "" {
			continue
		}
		var err error
		if data[i], err = os.ReadFile(path); err != nil {
			return nil, refuse(err)
		}
	}
	d, err := verify.ParseDirectory(data[0], data[1])
	if err != nil {
		return nil, refuse(err)
	}
	return d, nil
}

// settleInterval is how often one look follows another while something is on its
// way.
const settleInterval = 500 * time.Millisecond

// watch looks until nothing is on its way or the grace period is over; with
// --follow, until ctx ends.
func (o *verifyOptions) watch(ctx context.Context, a *app, clusters *verifiedClusters, checker *verify.Checker) (*verify.Report, error) {
	began := time.Now()
	clusters.progress = a.stderr
	if err := clusters.read(ctx, checker); err != nil {
		return nil, err
	}
	clusters.progress = nil
	first := time.Now()
	report := checker.Evaluate(first, o.grace)
	readFor := first.Sub(began)
	fmt.Fprintf(a.stderr, "read %s in %s\n", count(clusters.taken, "record"), readFor.Round(time.Millisecond))
	for {
		pause := settleInterval
		if o.follow {
			pause = o.interval
			o.line(a, report)
		} else if report.InFlight == 0 || time.Since(first) >= o.grace {
			return report, nil
		}
		if !wait(ctx, pause) {
			return ended(ctx, o.follow, report)
		}
		if err := clusters.read(ctx, checker); err != nil {
			if ctx.Err() != nil { // half a look says nothing
				return ended(ctx, o.follow, report)
			}
			return nil, err
		}
		report = checker.Evaluate(time.Now(), o.grace)
	}
}

// ended is what an interruption leaves: with --follow it is the way to end, and the
// last whole look counts.
func ended(ctx context.Context, follow bool, report *verify.Report) (*verify.Report, error) {
	if follow {
		return report, nil
	}
	return nil, ctx.Err()
}

// wait is false when ctx ends before the time is over.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (o *verifyOptions) conclude(a *app, report *verify.Report) error {
	var err error
	if o.json {
		encoder := json.NewEncoder(a.stdout)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(report)
	} else {
		err = report.WriteText(a.stdout)
	}
	if err != nil {
		return fmt.Errorf("verify: write report: %w", err)
	}
	if report.Clean {
		return nil
	}
	return &codedError{code: codeChecks, err: errors.New("verify: " + count(report.Total(), "finding") + ": see the report")}
}

// line is one look of --follow. Standard output is for the report with --json.
func (o *verifyOptions) line(a *app, report *verify.Report) {
	out := a.stdout
	if o.json {
		out = a.stderr
	}
	fmt.Fprintf(out, "%s %s\n", time.Now().Format(time.TimeOnly), report.Line())
}
