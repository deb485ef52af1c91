package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/processors"
)

type quarantineReplayOptions struct {
	config string
	filter quarantineFilter
	all    bool
	dryRun bool
	rate   int
	limit  int
	json   bool

	// progressEvery is how often to say how far it is.
	progressEvery time.Duration
}

func newQuarantineReplayCommand(a *app) *cobra.Command {
	o := quarantineReplayOptions{progressEvery: 5 * time.Second}
	cmd := &cobra.Command{
		Use:   "replay --config FILE (FILTER... | --all)",
		Short: "Process records in quarantine again, by the rules of today",
		Long: `replay takes records from quarantine, runs the rules on them as they are now, and
hands what no longer has to be in quarantine to the running bridge as if it had just
been read: it waits for its event or order, goes out, or changes nothing because the
bridge has newer facts of the same event, order or refund. Records go in the order
of the legacy topics. The quarantine topic is not touched but for a marker behind
each record that was replayed, and a record that is replayed twice counts once.

What to replay is said by --reason, --topic, --since, --until and --id, or by --all.

The rules are those of the configuration and the directory that this command is
given. They have to be those of the running instances; raise a limit there first,
with an orderly stop. A record that the bridge itself has to reject again comes back
to quarantine.

It ends with exit code 3 when records stay in quarantine: they are still bad, or
were there by their place alone and the legacy topic has them no more.`,
		Example: `  vibe-bridge quarantine replay --config bridge.yaml --reason too_large --dry-run
  vibe-bridge quarantine replay --config bridge.yaml --reason too_large --rate 50
  vibe-bridge quarantine replay --config bridge.yaml --id 5f0c1a --again`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.all && givenFilter(cmd):
				return refusef("--all and a filter are both given: want one of them")
			case !o.all && !givenFilter(cmd):
				return refusef("nothing to replay: want --%s, or --all", strings.Join(filterFlags, ", --"))
			case o.rate < 0:
				return refusef("--rate %d: want 0 or more", o.rate)
			case o.limit < 0:
				return refusef("--limit %d: want 0 or more", o.limit)
			}
			cfg, err := quarantineConfig(a, o.config, cmd, true)
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
	flags := cmd.Flags()
	flags.BoolVar(&o.all, "all", false, "everything in quarantine that was not replayed")
	flags.BoolVar(&o.filter.marked, "again", false, "also what was replayed before")
	flags.BoolVar(&o.dryRun, "dry-run", false, "only say what would happen now")
	flags.IntVar(&o.rate, "rate", 100, "records per second, at most; 0: without limit")
	flags.IntVar(&o.limit, "limit", 0, "how many records to replay; 0: all")
	bindQuarantine(cmd, &o.config, &o.json, append(slices.Clone(filterFlags), "all", "again", "dry-run", "rate", "limit")...)
	return cmd
}

func (o *quarantineReplayOptions) run(ctx context.Context, a *app, cfg processors.Config) error {
	check := func() error { return processors.CheckReplay(ctx, cfg) }
	if o.dryRun {
		check = func() error { return processors.CheckQuarantine(cfg) }
	}
	if err := check(); err != nil {
		return refuse(err)
	}
	chosen, _, err := o.filter.choose(ctx, a, cfg)
	if err != nil {
		return refuse(err)
	}
	if o.limit > 0 && o.limit < len(chosen) {
		chosen = chosen[:o.limit]
	}
	if (o.dryRun || o.json) && o.filter.id == "" { // ids are shown
		if err := processors.FillReferences(ctx, cfg, chosen); err != nil {
			return refuse(err)
		}
	}
	results := replayResults{of: len(chosen), last: time.Now()}
	var printed error
	err = processors.Replay(ctx, cfg, chosen, processors.ReplayOptions{
		DryRun: o.dryRun, Rate: o.rate,
		Report: func(r processors.Replayed) {
			results.add(r)
			if err := o.print(a, r, results.listed); err != nil && printed == nil {
				printed = err
			}
			if time.Since(results.last) >= o.progressEvery {
				results.last = time.Now()
				fmt.Fprintf(a.stderr, "%d of %d records\n", results.all, results.of)
			}
		},
	})
	switch {
	case err != nil:
		return fmt.Errorf("replay: %d of %s done; it may be repeated: %w", results.done, count(len(chosen), "record"), err)
	case printed != nil:
		return printed
	}
	return o.conclude(a, results)
}

// print lists a record: all of them of a dry run or as JSON, else those that stay.
func (o *quarantineReplayOptions) print(a *app, r processors.Replayed, listed int) error {
	switch {
	case o.json:
		return printLine(a.stdout, r)
	case !o.dryRun && (r.Done() || listed > mostPlanned):
		return nil
	}
	_, err := fmt.Fprintf(a.stdout, "%d/%d  %s  %s at %s  %s: %s\n", r.Partition, r.Offset, r.Source, processors.ShownID(r.Reason), r.Stage, idsOf(r.Quarantined), r.Result)
	return err
}

func (o *quarantineReplayOptions) conclude(a *app, r replayResults) error {
	out := a.stdout
	if o.json {
		out = a.stderr
	}
	if !o.json && !o.dryRun && r.listed > mostPlanned {
		fmt.Fprintf(out, "and %d more that stay: --dry-run lists all\n", r.listed-mostPlanned)
	}
	verb := "replayed"
	if o.dryRun {
		verb = "would be replayed"
	}
	if _, err := fmt.Fprintf(out, "%d of %s %s%s\n", r.done, count(r.all, "record"), verb, r.details()); err != nil {
		return err
	}
	if r.done == r.all {
		return nil
	}
	return &codedError{code: codeChecks, err: fmt.Errorf("quarantine replay: %s in quarantine", stays(r.all-r.done))}
}

func stays(n int) string {
	if n == 1 {
		return "1 record stays"
	}
	return fmt.Sprintf("%d records stay", n)
}

// replayResults counts what became of records.
type replayResults struct {
	of, all, done int
	listed        int // of those that stay
	by            map[string]int
	last          time.Time // when it was last said how far it is
}

func (r *replayResults) add(x processors.Replayed) {
	r.all++
	if x.Done() {
		r.done++
	} else {
		r.listed++
	}
	if r.by == nil {
		r.by = map[string]int{}
	}
	r.by[x.Result]++
}

// details says how many records had which outcome.
func (r *replayResults) details() string {
	var parts []string
	for _, outcome := range slices.Sorted(maps.Keys(r.by)) {
		parts = append(parts, fmt.Sprintf("%d %s", r.by[outcome], outcome))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
