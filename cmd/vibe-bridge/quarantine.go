package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
)

func newQuarantineCommand(a *app) *cobra.Command {
	group := &cobra.Command{
		Use:   "quarantine",
		Short: "List, show and replay what could not be mapped; resume paused topics",
		Long: `quarantine works on the legacy records that the bridge could not read or map. They
are in the topic NAME-quarantine, each with its reason: from the stage intake
untouched, or by its place where it is too large; from the stage gate by its place.
None is ever taken out of the topic: what is replayed gets a marker behind it.

A legacy topic of which too many records go there is paused: resume has it read again.`,
		Args: cobra.ArbitraryArgs,
		RunE: wantCommand(a),
	}
	group.AddCommand(newQuarantineListCommand(a), newQuarantineShowCommand(a), newQuarantineReplayCommand(a), newResumeCommand(a))
	return group
}

// quarantineFilter chooses records of the quarantine topic.
type quarantineFilter struct {
	reasons, topics []string
	since, until    string
	id              string
	marked          bool // also what was replayed

	from, to time.Time // what since and until say; zero: without limit
}

func (f *quarantineFilter) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.reasons, "reason", nil, "only with this reason; may be given several times")
	flags.StringSliceVar(&f.topics, "topic", nil, "only of this legacy topic; may be given several times")
	flags.StringVar(&f.since, "since", "", "only quarantined since a time (2026-05-01T12:00:00Z) or for how long (24h)")
	flags.StringVar(&f.until, "until", "", "only quarantined before a time, or longer ago than that")
	flags.StringVar(&f.id, "id", "", "only with this id: of the record itself, or of its event, order or partner")
}

// filterFlags are the names of the flags that bind makes.
var filterFlags = []string{"reason", "topic", "since", "until", "id"}

// givenFilter tells whether anything of a filter is on the command line.
func givenFilter(cmd *cobra.Command) bool {
	return slices.ContainsFunc(filterFlags, cmd.Flags().Changed)
}

func (f *quarantineFilter) check(cmd *cobra.Command, topics processors.Topics, now time.Time) (err error) {
	for _, flag := range filterFlags[2:] {
		if err := checkID(cmd, flag, cmd.Flag(flag).Value.String()); err != nil {
			return err
		}
	}
	for _, list := range []struct {
		flag   string
		values []string
	}{{"reason", f.reasons}, {"topic", f.topics}} { // no value at all would be no filter
		if cmd.Flags().Changed(list.flag) && (len(list.values) == 0 || slices.Contains(list.values, "")) {
			return refusef("--%s is empty: want a %s", list.flag, list.flag)
		}
	}
	for i, topic := range f.topics {
		if f.topics[i], err = legacyTopic(topics, topic); err != nil {
			return err
		}
	}
	for _, reason := range f.reasons {
		if !slices.Contains(mapping.QuarantineReasons, mapping.Reason(reason)) {
			return refusef("--reason %q: want one of %s", reason, joined(mapping.QuarantineReasons))
		}
	}
	if f.from, err = parseMoment("since", f.since, now); err != nil {
		return err
	}
	if f.to, err = parseMoment("until", f.until, now); err != nil {
		return err
	}
	if !f.from.IsZero() && !f.to.IsZero() && f.to.Before(f.from) {
		return refusef("--until %q is before --since %q: want a later time", f.until, f.since)
	}
	return nil
}

func joined(reasons []mapping.Reason) string {
	var words []string
	for _, reason := range reasons {
		words = append(words, string(reason))
	}
	return strings.Join(words, ", ")
}

// legacyTopic is the name of a legacy topic that is given as it is or by its default name.
func legacyTopic(topics processors.Topics, name string) (string, error) {
	if slices.Contains(topics.Legacy[:], name) {
		return name, nil
	}
	for _, s := range mapping.Streams {
		if s.String() == name {
			return topics.Legacy[s], nil
		}
	}
	return "", refusef("--topic %q: want one of %s", name, strings.Join(topics.Legacy[:], ", "))
}

// parseMoment reads a time in RFC 3339, or a duration before now; "" is the zero time.
func parseMoment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, refusef("--%s %q: want a time such as 2026-05-01T12:00:00Z, or how long ago, such as 24h", flag, text)
	}
	return at, nil
}

// wants looks at everything but the id, which may not be known yet.
func (f *quarantineFilter) wants(e *processors.Quarantined) bool {
	switch {
	case !f.marked && !e.Replayed.IsZero():
		return false
	case len(f.reasons) > 0 && !slices.Contains(f.reasons, e.Reason):
		return false
	case len(f.topics) > 0 && !slices.Contains(f.topics, e.Source.Topic):
		return false
	case !f.from.IsZero() && e.Time.Before(f.from):
		return false
	}
	return f.to.IsZero() || e.Time.Before(f.to)
}

// choose reads the quarantine topic and keeps what the filter wants; all is how many
// records there are without it. Only for an id it reads the legacy topics.
func (f *quarantineFilter) choose(ctx context.Context, a *app, cfg processors.Config) (chosen []*processors.Quarantined, all int, err error) {
	list, err := processors.ReadQuarantine(ctx, cfg)
	if err != nil {
		return nil, 0, err
	}
	if list.Foreign > 0 {
		fmt.Fprintf(a.stderr, "%s of %s left out: not written by this deployment, or for other legacy topics\n", count(list.Foreign, "record"), cfg.Topics.Quarantine())
	}
	all = len(list.Records)
	chosen = slices.DeleteFunc(list.Records, func(e *processors.Quarantined) bool { return !f.wants(e) })
	if f.id == "" {
		return chosen, all, nil
	}
	if err := processors.FillReferences(ctx, cfg, chosen); err != nil {
		return nil, 0, err
	}
	return slices.DeleteFunc(chosen, func(e *processors.Quarantined) bool { return !e.Has(f.id) }), all, nil
}

// quarantineConfig is the configuration of a command that applies the rules, or with
// withRules off, of one that does not.
func quarantineConfig(a *app, path string, cmd *cobra.Command, withRules bool) (processors.Config, error) {
	if !withRules {
		return gateConfig(a, path, cmd)
	}
	c, err := loadConfig(a, path, cmd.Flags())
	if err != nil {
		return processors.Config{}, err
	}
	cfg, err := bridgeConfig(c)
	if err != nil {
		return processors.Config{}, err
	}
	return withKeys(cfg, c)
}

// bindQuarantine adds what all commands of the group have.
func bindQuarantine(cmd *cobra.Command, path *string, json *bool, own ...string) {
	flags := cmd.Flags()
	flags.StringVar(path, "config", "", "configuration file (YAML)")
	flags.BoolVar(json, "json", false, "print JSON objects, one a line")
	config.BindFlags(flags)
	showFlags(cmd, append(own, "config", "json", "name", "source-brokers", "state-brokers")...)
}

// idsOf says the ids of a record, for people.
func idsOf(e *processors.Quarantined) string {
	var ids []string
	for _, id := range []struct{ what, id string }{{"refund", e.Refund}, {"order", e.Order}, {"event", e.Event}, {"partner", e.Partner}} {
		if id.id != "" {
			ids = append(ids, id.what+" "+processors.ShownID(id.id))
		}
	}
	if len(ids) == 0 {
		return "-"
	}
	return strings.Join(ids, ", ")
}

// printLine prints a JSON object on a line of its own.
func printLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
