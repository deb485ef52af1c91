package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/live"
	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/processors"
)

type cutoverOptions struct {
	config string
	report string
	json   bool
}

func newCutoverCommand(a *app) *cobra.Command {
	var o cutoverOptions
	cmd := &cobra.Command{
		Use:   "cutover-check --config FILE [--report FILE]",
		Short: "Say whether it is safe to switch: a comparison and the running bridge",
		Long: `cutover-check takes the report of a comparison and looks at the bridge that runs. The
report is what compare run has found last, or with --report one that compare once has
written with --out. It says GO only if

  - the figures of the report keep the thresholds of this configuration, whatever the
    report says by those that it was made with, and it is not older than
    cutover.max_report_age;
  - there is an instance in every consumer group of the bridge, and at most
    cutover.max_lag records are on their way, in two looks a second apart;
  - at most cutover.max_parked records are parked for longer than
    cutover.max_parked_age;
  - no record that was not replayed is in quarantine for longer than
    cutover.max_quarantine_age;
  - no legacy topic is paused.

A report of anything else than what the configuration compares (compare.against, the
deployment, the topics, editions and formats of both sides) is refused.

It reads all of the bridge's state and of its quarantine topic, and changes nothing. It
shows names of topics and groups, numbers and times, and nothing personal.

Exit codes: 0 GO, 3 NO-GO, 2 it could not check, 1 it was interrupted.`,
		Example: `  vibe-bridge cutover-check --config bridge.yaml
  vibe-bridge cutover-check --config bridge.yaml --report report.json --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("report") && o.report == "" {
				return refusef("--report is empty: want a file that compare once has written with --out")
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
	flags.StringVar(&o.report, "report", "", "report of compare once --out (default: what compare run has found last)")
	flags.BoolVar(&o.json, "json", false, "print one JSON object")
	config.BindFlags(flags)
	showFlags(cmd, "config", "report", "json", "cutover-max-report-age", "cutover-max-lag", "cutover-max-parked-age", "cutover-max-parked", "cutover-max-quarantine-age",
		"cutover-min-entities", "cutover-min-coverage", "cutover-max-unexplained-rate", "cutover-max-violations", "cutover-days-clean", "cutover-max-behind")
	return cmd
}

func (o *cutoverOptions) run(ctx context.Context, a *app, c config.Config) error {
	report, err := o.readReport(ctx, c)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	}
	if err := checkSame(report, c); err != nil {
		return err
	}
	now, err := readRunning(ctx, c)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return refusef("cutover-check: %w", err)
	}
	check := compare.DecideCutover(cutoverOf(c.Cutover), compare.RunningLimits{
		MaxReportAge: c.Cutover.MaxReportAge, MaxLag: int64(c.Cutover.MaxLag), MaxParkedAge: c.Cutover.MaxParkedAge,
		MaxParked: int64(c.Cutover.MaxParked), MaxQuarantineAge: c.Cutover.MaxQuarantineAge,
	}, report, now)
	if o.json {
		err = printJSON(a.stdout, check)
	} else {
		err = check.WriteText(a.stdout)
	}
	switch {
	case err != nil:
		return fmt.Errorf("cutover-check: write the result: %w", err)
	case !check.Verdict.Go:
		return &codedError{code: codeChecks, err: errors.New("cutover-check: NO-GO: see above")}
	}
	return nil
}

// checkSame refuses a report of anything else than what the configuration compares.
func checkSame(r *compare.Report, c config.Config) error {
	c.DirectoryFile, c.CategoriesFile, c.Compare.ExpectedFile = "", "", "" // nothing is compared here
	p, err := newComparison(c)
	if err != nil {
		return err
	}
	if got, want := compare.Of(r.Deployment, r.Left, r.Right), p.named(); got != want {
		return refusef("cutover-check: the report is of another comparison, %q; this configuration compares %q", got, want)
	}
	return nil
}

// readReport is that of the file, or else of compare run.
func (o *cutoverOptions) readReport(ctx context.Context, c config.Config) (*compare.Report, error) {
	if o.report == "" {
		report, err := lastReport(ctx, c)
		if err != nil {
			return nil, refusef("cutover-check: no report of compare run, and none is given with --report: %w", err)
		}
		return report, nil
	}
	text, err := os.ReadFile(o.report)
	if err != nil {
		return nil, refusef("--report: %w", err)
	}
	report, err := compare.ReadReport(text)
	if err != nil {
		return nil, refusef("--report %s: %w", o.report, err)
	}
	return report, nil
}

// lastReport is what all instances of compare run have found last.
func lastReport(ctx context.Context, c config.Config) (*compare.Report, error) {
	cfg, err := liveConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := live.EnsureTopics(ctx, cfg, false); err != nil {
		return nil, err
	}
	return live.ReadReport(ctx, cfg, time.Now())
}

// looksApart is how long after the first look at the lag the second one is.
const looksApart = time.Second

// readRunning looks at the bridge from the outside.
func readRunning(ctx context.Context, c config.Config) (now compare.Running, err error) {
	c.DirectoryFile, c.CategoriesFile = "", "" // nothing is mapped here
	cfg, err := bridgeConfig(c)
	if err != nil {
		return now, err
	}
	for _, check := range []func(processors.Config) error{processors.CheckGate, processors.CheckControl, processors.CheckQuarantine} {
		if err := check(cfg); err != nil {
			return now, err
		}
	}
	now = compare.Running{Deployment: c.Name}
	admins, closeAdmins, err := processors.OpenAdminsFor(ctx, cfg.Source, cfg.State, cfg.Target)
	if err != nil {
		return now, err
	}
	defer closeAdmins()
	first, err := processors.ReadLag(admins, cfg.Topics)
	if err != nil {
		return now, fmt.Errorf("read the lag: %w", err)
	}
	again := time.Now().Add(looksApart)
	if err := readState(ctx, cfg, &now); err != nil {
		return now, err
	}
	if !wait(ctx, time.Until(again)) {
		return now, ctx.Err()
	}
	second, err := processors.ReadLag(admins, cfg.Topics)
	if err != nil {
		return now, fmt.Errorf("read the lag: %w", err)
	}
	now.Lag = [2]int64{first.Records, second.Records}
	now.Taken = (second.Ends - second.Records) - (first.Ends - first.Records)
	now.Time = time.Now().UTC().Truncate(time.Millisecond)
	return now, nil
}

// readState is what waits, what is in quarantine, what is paused, and who is there.
func readState(ctx context.Context, cfg processors.Config, now *compare.Running) error {
	parked, err := processors.ReadParked(ctx, cfg, "")
	if err != nil {
		return fmt.Errorf("read what is parked: %w", err)
	}
	for _, p := range parked {
		now.Parked = append(now.Parked, compare.ParkedSince{Reason: p.Reason, Since: p.Since})
	}
	list, err := processors.ReadQuarantine(ctx, cfg)
	if err != nil {
		return fmt.Errorf("read the quarantine: %w", err)
	}
	now.Quarantine = quarantineFacts(list)
	paused, err := processors.ReadPauses(ctx, cfg)
	if err != nil {
		return fmt.Errorf("read what is paused: %w", err)
	}
	now.Paused = map[string]string{}
	for topic, pause := range paused {
		now.Paused[topic] = pause.String()
	}
	source, state := cfg.Topics.Groups()
	for _, in := range []struct {
		cluster kafka.Cluster
		groups  []string
	}{{cfg.Source, source}, {cfg.State, state}} {
		idle, err := idleGroups(ctx, in.cluster, in.groups)
		if err != nil {
			return fmt.Errorf("look at the consumer groups: %w", err)
		}
		now.Idle = append(now.Idle, idle...)
	}
	slices.Sort(now.Idle)
	return nil
}

func quarantineFacts(list processors.QuarantineList) compare.QuarantineFacts {
	facts := compare.QuarantineFacts{Known: true}
	for _, q := range list.Records {
		if !q.Replayed.IsZero() {
			continue
		}
		facts.Records++
		if facts.Oldest.IsZero() || q.Time.Before(facts.Oldest) {
			facts.Oldest = q.Time
		}
	}
	return facts
}

// idleGroups are the groups that nobody is in.
func idleGroups(ctx context.Context, cluster kafka.Cluster, groups []string) (idle []string, err error) {
	client, err := connect(cluster)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	described, err := kadm.NewClient(client).DescribeGroups(ctx, groups...)
	if err != nil {
		return nil, err
	}
	for _, group := range groups {
		found, known := described[group]
		if known && found.Err != nil && !errors.Is(found.Err, kerr.GroupIDNotFound) {
			return nil, fmt.Errorf("group %s: %w", group, found.Err)
		}
		if len(found.Members) == 0 {
			idle = append(idle, group)
		}
	}
	return idle, nil
}
