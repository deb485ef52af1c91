package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
)

type resyncOptions struct {
	config       string
	event, order string
	since        string
	rate         int
	dryRun, json bool

	// progressEvery is how often to say how far it is.
	progressEvery time.Duration
}

func newResyncCommand(a *app) *cobra.Command {
	o := resyncOptions{progressEvery: 5 * time.Second}
	cmd := &cobra.Command{
		Use:   "resync --config FILE (--event ID | --order ID [--event ID] | --since TIME)",
		Short: "Have the running bridge emit again from its state",
		Long: `resync tells the bridge to emit again what the slim topics should hold: an event with
its orders and their refunds, an order with its refunds, or every event, order and
refund whose newest legacy record is not older than a time. The bridge keeps the
order: an event, then its orders, then their refunds.

It only writes commands, to a topic of the bridge itself, and returns when they are
acknowledged; an instance that runs, or the next that starts, carries them out. What
is emitted again has the same bytes as before, unless its sources have changed. What
is held back stays so, see vibe-bridge parked. It may be repeated.

It ends with exit code 3, and has written nothing, when the bridge knows no such
event or order, or knows the order of several events and --event does not say which.`,
		Example: `  vibe-bridge resync --config bridge.yaml --event 5f0c1a
  vibe-bridge resync --config bridge.yaml --order 77e2b0 --dry-run
  vibe-bridge resync --config bridge.yaml --since 2h --rate 200`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			req, err := o.request(cmd, time.Now())
			if err != nil {
				return err
			}
			cfg, err := gateConfig(a, o.config, cmd)
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), a, cfg, req)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.config, "config", "", "configuration file (YAML)")
	flags.StringVar(&o.event, "event", "", "id of an event, to emit with all that belongs to it; or of the event of --order")
	flags.StringVar(&o.order, "order", "", "id of an order, to emit with its refunds; without --event it is looked for in all events")
	flags.StringVar(&o.since, "since", "", "a time (2026-05-01T12:00:00Z) or how long ago (2h): emit what has changed since")
	flags.IntVar(&o.rate, "rate", 1000, "commands per second, at most")
	flags.BoolVar(&o.dryRun, "dry-run", false, "only say what would be sent")
	flags.BoolVar(&o.json, "json", false, "print one JSON object")
	config.BindFlags(flags)
	showFlags(cmd, "config", "event", "order", "since", "rate", "dry-run", "json", "name", "state-brokers")
	return cmd
}

// request is what the flags ask for.
func (o *resyncOptions) request(cmd *cobra.Command, now time.Time) (processors.ResyncRequest, error) {
	req := processors.ResyncRequest{Event: o.event, Order: o.order}
	err := errors.Join(checkID(cmd, "event", o.event), checkID(cmd, "order", o.order), checkID(cmd, "since", o.since))
	switch {
	case err != nil:
		return req, err
	case o.event == "" && o.order == "" && o.since == "":
		return req, refusef("nothing to emit: want --event, --order or --since")
	case o.since != "" && (o.event != "" || o.order != ""):
		return req, refusef("--since and --event or --order are both given: want one of them")
	case o.rate < 1:
		return req, refusef("--rate %d: want 1 or more", o.rate)
	case o.since == "":
		return req, nil
	}
	req.Since, err = parseSince(o.since, now)
	return req, err
}

// parseSince reads a time in RFC 3339, or a duration before now.
func parseSince(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	switch {
	case err != nil:
		return at, refusef("--since %q: want a time such as 2026-05-01T12:00:00Z, or how long ago, such as 2h", text)
	case at.After(now):
		return at, refusef("--since %s: is in the future", text)
	}
	return at, nil
}

func (o *resyncOptions) run(ctx context.Context, a *app, cfg processors.Config, req processors.ResyncRequest) error {
	if err := processors.CheckGate(cfg); err != nil {
		return refuse(err)
	}
	plan, err := processors.PlanResync(ctx, cfg, req)
	var refused *processors.ResyncRefusedError
	switch {
	case errors.As(err, &refused):
		return &codedError{code: codeChecks, err: fmt.Errorf("nothing was sent: %w", err)}
	case err != nil:
		return refuse(err)
	}
	report := newResyncReport(plan, o.dryRun)
	if !o.dryRun {
		report.Sent, err = plan.Send(ctx, cfg, o.rate, progress(a.stderr, len(plan.Commands), o.progressEvery))
		if err != nil {
			return fmt.Errorf("resync: %d of %s acknowledged; it may be repeated: %w", report.Sent, count(len(plan.Commands), "command"), err)
		}
	}
	if o.json {
		return printJSON(a.stdout, report)
	}
	return report.print(a.stdout)
}

// progress says to w, every so often, how many commands are sent.
func progress(w io.Writer, all int, every time.Duration) func(int) {
	last := time.Now()
	return func(sent int) {
		if sent < all && time.Since(last) < every {
			return
		}
		if sent == all && all == 1 {
			return
		}
		last = time.Now()
		fmt.Fprintf(w, "sent %d of %d commands\n", sent, all)
	}
}

// resyncReport is what the command prints.
type resyncReport struct {
	DryRun   bool                       `json:"dry_run"`
	Commands int                        `json:"commands"`
	Sent     int                        `json:"acknowledged"`
	Events   int                        `json:"events"`
	Orders   int                        `json:"orders"`
	Refunds  int                        `json:"refunds"`
	Waiting  int                        `json:"waiting"`          // of the events, orders and refunds
	Planned  []processors.ResyncCommand `json:"planned,omitzero"` // of a dry run
}

func newResyncReport(p processors.Resync, dryRun bool) resyncReport {
	r := resyncReport{
		DryRun: dryRun, Commands: len(p.Commands), Waiting: p.Waiting,
		Events: p.Entities[mapping.Events], Orders: p.Entities[mapping.Orders], Refunds: p.Entities[mapping.Refunds],
	}
	if dryRun {
		r.Planned = append([]processors.ResyncCommand{}, p.Commands...)
	}
	return r
}

// mostPlanned is how many commands of a dry run are listed for people.
const mostPlanned = 50

func (r resyncReport) print(w io.Writer) error {
	what := fmt.Sprintf("%s, %s and %s", count(r.Events, "event"), count(r.Orders, "order"), count(r.Refunds, "refund"))
	if r.Waiting > 0 {
		what += fmt.Sprintf("; %d of them are held back and go out later", r.Waiting)
	}
	if !r.DryRun {
		_, err := fmt.Fprintf(w, "%s sent and acknowledged: to emit again %s\n", count(r.Sent, "command"), what)
		return err
	}
	for i, c := range r.Planned {
		if i == mostPlanned {
			fmt.Fprintf(w, "and %d more: --json lists all\n", len(r.Planned)-i)
			break
		}
		fmt.Fprintln(w, planned(c))
	}
	_, err := fmt.Fprintf(w, "would send %s: to emit again %s\n", count(r.Commands, "command"), what)
	return err
}

func planned(c processors.ResyncCommand) string {
	text := c.Kind
	switch c.Kind {
	case "event":
		text += " " + processors.ShownID(c.Event)
	case "order":
		text += " " + processors.ShownID(c.Order) + " of event " + processors.ShownID(c.Event)
	default:
		text += " " + processors.ShownID(c.Refund) + " of order " + processors.ShownID(c.Order) + " of event " + processors.ShownID(c.Event)
	}
	if c.Below {
		text += " and what is below it"
	}
	return text
}
