package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/demo"
	"github.com/ticketscloud/vibe-bridge/internal/planted"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/slim"
)

type compareDemoOptions struct {
	season season.Config
	dir    string
}

func newCompareDemoCommand(a *app) *cobra.Command {
	var o compareDemoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the comparison at work, with brokers of its own",
		Long: `demo starts two brokers inside this process, writes a made-up season of ticket sales
into one of them, and bridges it to the other, once in edition 1.0 and once in 2.0. It
compares the two with each other, then writes known faults into the slim topics of
edition 1.0 and compares them with the legacy ones, as compare once does. Nothing outside
this process is touched but the folder with the reports.

Exit codes: 0 it found the faults that were planted and nothing else, 1 otherwise.`,
		Example: `  vibe-bridge compare demo
  vibe-bridge compare demo --orders 20000 --seed 7 --dir reports`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), a) },
	}
	flags := cmd.Flags()
	flags.IntVar(&o.season.Orders, "orders", 3000, "number of orders in the season, 1000 at least")
	flags.Uint64Var(&o.season.Seed, "seed", 1, "another number gives another season and other faults")
	flags.StringVar(&o.dir, "dir", filepath.Join("build", "compare-demo"), "folder for the reports")
	return cmd
}

const (
	// demoHostile is some trouble: records wait, are skipped and quarantined.
	demoHostile = 0.02
	// demoOther is the deployment of edition 2.0.
	demoOther   = "next"
	demoSamples = 5 // as many as there are faults of a kind, at most
	// fewestDemoOrders have entities for all faults.
	fewestDemoOrders = 1000
)

// demoFaults are planted, in so many entities each.
var demoFaults = []struct {
	kind     string
	n        int
	expected bool // the file of expected differences declares it
}{
	{"event_name", 2, false},
	{"event_an_hour_off", 1, false},
	{"venue_address", 3, true},
	{"order_deleted", 2, false},
	{"order_extra", 1, false},
	{"phone", 3, false},
	{"price", 5, false},
	{"ticket_category", 2, false},
	{"price_as_text", 1, false},
	{"unknown_field", 2, false},
	{"order_stale", 1, false},
	{"other_bytes", 2, false},
	{"refund_email", 1, false},
	{"refund_extra", 1, false},
}

// demoFault is a fault that was planted.
type demoFault struct {
	kind     planted.Kind
	ids      []string
	expected bool
}

func (o *compareDemoOptions) run(ctx context.Context, a *app) error {
	if err := o.season.Validate(); err != nil {
		return refuse(err)
	}
	if o.season.Orders < fewestDemoOrders {
		return refusef("--orders %d: want %d or more, so that there are entities for all faults", o.season.Orders, fewestDemoOrders)
	}
	// Events and organizers are many, so that the trouble of one of them is that of few others.
	o.season.Hostile, o.season.Events, o.season.Partners = demoHostile, o.season.Orders/10, o.season.Orders/50
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return refusef("--dir: %w", err)
	}
	faults, records, err := o.plan()
	if err != nil {
		return err
	}
	d, err := demo.Start(ctx, demo.Config{Season: o.season, Hold: time.Second, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer d.Close()
	if err := o.bridge(ctx, a, d); err != nil {
		return err
	}
	between, err := o.slimAgainstSlim(ctx, a, d)
	if err != nil {
		return err
	}
	if err := d.Write(ctx, records); err != nil {
		return err
	}
	report, err := o.legacyAgainstSlim(ctx, a, d)
	if err != nil {
		return err
	}
	return o.conclude(a.stdout, between, report, faults)
}

// plan chooses what is planted: faults in the newest records of as many entities, which
// are written behind the bridge's own, as a program would that is not the bridge.
func (o *compareDemoOptions) plan() (faults []demoFault, records []recordfile.Record, err error) {
	s, err := planted.New(o.season, slim.Encoding{Edition: slim.Edition1, Format: slim.JSON})
	if err != nil {
		return nil, nil, err
	}
	kinds := map[string]planted.Kind{}
	for _, k := range planted.Kinds() {
		kinds[k.Name] = k
	}
	used := map[string]bool{} // topic/id
	for _, f := range demoFaults {
		fault := demoFault{kind: kinds[f.kind], expected: f.expected}
		spoiled, ids := s.Plant(fault.kind, f.n+len(used), o.season.Seed)
		for _, id := range ids {
			if name := fault.kind.Stream + "/" + id; len(fault.ids) < f.n && !used[name] {
				used[name] = true
				fault.ids = append(fault.ids, id)
				records = append(records, newestOf(spoiled, fault.kind.Stream, id))
			}
		}
		if len(fault.ids) == 0 {
			return nil, nil, fmt.Errorf("the season has no entity for %s: try another --seed, or more --orders", f.kind)
		}
		faults = append(faults, fault)
	}
	return faults, records, nil
}

// newestOf is the last record of a key that is there, without the place of a legacy record: it
// does not come from one.
func newestOf(records []recordfile.Record, topic, id string) (r recordfile.Record) {
	for _, r = range slices.Backward(records) {
		if r.Topic == topic && string(r.Key) == id {
			break
		}
	}
	r.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h recordfile.Header) bool { return h.Key == slim.HeaderBridgeSource })
	return r
}

// bridge runs both deployments until everything has arrived.
func (o *compareDemoOptions) bridge(ctx context.Context, a *app, d *demo.Demo) error {
	next, err := d.Beside(ctx, demoOther, slim.Encoding{Edition: slim.Edition2, Format: slim.JSON})
	if err != nil {
		return err
	}
	defer next.Close()
	for _, part := range []struct {
		d    *demo.Demo
		what string
	}{{d, fmt.Sprintf("a season of %d orders is bridged, edition 1.0", o.season.Orders)}, {next, "the same in edition 2.0"}} {
		began := time.Now()
		fmt.Fprintf(a.stderr, "%s …\n", part.what)
		r, err := part.d.Run(ctx, true, demo.Viewer{Step: func(demo.Status) {}, Ending: func() {}})
		if err != nil {
			return err
		}
		if !r.Good() {
			return errors.New("compare demo: the bridge's accounts do not balance, or something was out of order: vibe-bridge demo --exit shows them")
		}
		fmt.Fprintf(a.stderr, "%s: drained after %s\n", part.what, time.Since(began).Round(100*time.Millisecond))
	}
	return nil
}

// config is what a file would say of the deployment.
func (o *compareDemoOptions) config(d *demo.Demo, stateDir string) config.Config {
	c := config.Default()
	c.Name, c.StateDir, c.DirectoryFile = "demo", stateDir, filepath.Join(stateDir, "directory.json")
	c.Replication, c.MinInsync = 1, 1
	source, target := d.Clusters()
	c.Source.Brokers, c.Target.Brokers = source.Brokers, target.Brokers
	c.Compare.Samples = demoSamples
	c.Complete()
	return c
}

func (o *compareDemoOptions) slimAgainstSlim(ctx context.Context, a *app, d *demo.Demo) (*compare.Report, error) {
	fmt.Fprintln(a.stdout, "\nSlim against slim: edition 2.0 on the left side, 1.0 on the right one.")
	return o.once(ctx, a, d, "slim-against-slim", func(c *config.Config) (err error) {
		c.Compare.Against = config.AgainstSlim
		c.Compare.ExpectedFile, err = o.writeExpected("expected-of-editions.yaml", editionRules)
		c.Compare.Other.Edition = slim.Edition2.String()
		c.Compare.Other.Events, c.Compare.Other.Orders, c.Compare.Other.Refunds = "events-"+demoOther, "orders-"+demoOther, "refunds-"+demoOther
		return err
	})
}

func (o *compareDemoOptions) legacyAgainstSlim(ctx context.Context, a *app, d *demo.Demo) (*compare.Report, error) {
	fmt.Fprintln(a.stdout, "\nLegacy against slim: edition 1.0, with the faults that were planted.")
	return o.once(ctx, a, d, "report", func(c *config.Config) (err error) {
		c.Compare.ExpectedFile, err = o.writeExpected("expected.yaml", faultRules)
		return err
	})
}

// demoRule is the id of the only rule in faultRules.
const demoRule = "venue-addresses"

// Files of expected differences; %s is the day until which they hold.
const (
	faultRules = `expected:
  - id: venue-addresses
    owner: integration team
    reason: Venues are getting their addresses from another source.
    expires: %s
    streams: [events]
    categories: [value]
    fields: [venue.address]
`
	editionRules = `expected:
  - id: no-organizer-no-event
    owner: integration team
    reason: >-
      Edition 2.0 requires an organizer with a name. Events without one are not published
      in it, nor what belongs to them.
    expires: %[1]s
    categories: [extra]
  - id: former-organizer
    owner: integration team
    reason: >-
      Where an organizer has lost its name, edition 2.0 has the event as it was before, and
      1.0 has it without an organizer.
    expires: %[1]s
    streams: [events]
    categories: [value]
    fields: ["organizer.*"]
    absent: right
`
)

func (o *compareDemoOptions) writeExpected(name, rules string) (path string, err error) {
	expires := time.Now().AddDate(0, 3, 0).UTC().Format(time.DateOnly)
	return o.path(name), replaceFile(o.path(name), readableByAll, fmt.Appendf(nil, rules, expires))
}

// once compares as the command does, and reads the report that it writes.
func (o *compareDemoOptions) once(ctx context.Context, a *app, d *demo.Demo, name string, change func(*config.Config) error) (r *compare.Report, err error) {
	stateDir, err := os.MkdirTemp("", "vibe-bridge-compare-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(stateDir)) }()
	c := o.config(d, stateDir)
	if err := change(&c); err != nil {
		return nil, err
	}
	if err := os.WriteFile(c.DirectoryFile, season.Directory(o.season), readableByOwner); err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	command := compareOnceOptions{out: filepath.Join(o.dir, name+".json"), html: filepath.Join(o.dir, name+".html")}
	if err := command.run(ctx, a, c); err != nil && exitCode(err) != codeChecks {
		return nil, err
	}
	text, err := os.ReadFile(command.out)
	if err != nil {
		return nil, err
	}
	r = &compare.Report{}
	return r, json.Unmarshal(text, r)
}

// conclude says what was found of what was planted, and what to open.
func (o *compareDemoOptions) conclude(w io.Writer, between, report *compare.Report, faults []demoFault) error {
	var wrong []string
	if !between.Verdict.Go || slices.ContainsFunc(between.Counts, func(c compare.FieldCount) bool { return c.Unexplained > 0 }) {
		wrong = append(wrong, "the two editions differ otherwise than expected, and nothing was planted there")
	}
	if report.Verdict.Go {
		wrong = append(wrong, "the verdict is GO, in spite of the faults")
	}
	fmt.Fprintf(w, "\n%-18s %-8s %-10s %-24s %8s %8s\n", "planted", "stream", "category", "field", "entities", "found")
	told := toldIn(report)
	for _, f := range faults {
		found := 0
		for _, id := range f.ids {
			d := toldFault{f.kind.Stream, f.kind.Category, f.kind.Field, id, f.expected}
			if told[d] {
				found++
			}
			delete(told, d)
		}
		fmt.Fprintf(w, "%-18s %-8s %-10s %-24s %8d %8d\n", f.kind.Name, f.kind.Stream, f.kind.Category, f.kind.Field, len(f.ids), found)
		if found != len(f.ids) || !counted(report, f) {
			wrong = append(wrong, f.kind.Name+" was not found as it was planted")
		}
	}
	if len(told) > 0 || len(report.Counts) != len(faults) {
		wrong = append(wrong, fmt.Sprintf("something was found that was not planted: %d differences too many", len(told)))
	}
	fmt.Fprintf(w, `
Open %s
  and %s
in a browser. %s says the same to programs, and %s
is the file of expected differences.
`, o.path("report.html"), o.path("slim-against-slim.html"), o.path("report.json"), o.path("expected.yaml"))
	if len(wrong) > 0 {
		return fmt.Errorf("compare demo: %s", wrong[0])
	}
	return nil
}

func (o *compareDemoOptions) path(name string) string { return filepath.Join(o.dir, name) }

// toldFault is a difference of a report.
type toldFault struct {
	stream, category, field, id string
	expected                    bool
}

func toldIn(r *compare.Report) map[toldFault]bool {
	told := map[toldFault]bool{}
	for _, s := range r.Samples {
		told[toldFault{s.Stream, string(s.Category), s.Field, s.ID, s.Rule == demoRule}] = true
	}
	return told
}

// counted tells whether the report counts as many as were planted.
func counted(r *compare.Report, f demoFault) bool {
	n := int64(len(f.ids))
	return slices.ContainsFunc(r.Counts, func(c compare.FieldCount) bool {
		same := c.Stream == f.kind.Stream && string(c.Category) == f.kind.Category && c.Field == f.kind.Field && c.Count == n
		return same && (c.Expected == n) == f.expected && (c.Unexplained == n) != f.expected
	})
}
