package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/processors"
)

type resumeOptions struct {
	config string
	topic  string
	all    bool
}

func newResumeCommand(a *app) *cobra.Command {
	var o resumeOptions
	cmd := &cobra.Command{
		Use:   "resume --config FILE (--topic TOPIC | --all)",
		Short: "Have legacy topics read again that were paused",
		Long: `resume ends the pause of a legacy topic. The bridge pauses one by itself when more than
quarantine.max_share of its records go to quarantine: see GET /readyz, or the log.

All instances that run go on at once, with a count that begins anew; an instance that
does not run finds it when it starts. Nothing that was read is read again, and nothing
is lost by a pause. A topic that is still as bad is paused again, after so many more bad
records: to let all of them go to quarantine, start the instances with
quarantine.max_share: 0 until they are through.

A topic that is not paused is no fault: the exit code is 0 then. It is 2, and nothing
has been written, when the configuration has no such legacy topic and none of that
name is paused.`,
		Example: `  vibe-bridge quarantine resume --config bridge.yaml --topic orders_done
  vibe-bridge quarantine resume --config bridge.yaml --all`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(cmd); err != nil {
				return err
			}
			cfg, err := gateConfig(a, o.config, cmd)
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), a, cfg)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.config, "config", "", "configuration file (YAML)")
	flags.StringVar(&o.topic, "topic", "", "the legacy topic to read again")
	flags.BoolVar(&o.all, "all", false, "all that are paused")
	config.BindFlags(flags)
	showFlags(cmd, "config", "topic", "all", "name", "state-brokers")
	return cmd
}

func (o *resumeOptions) check(cmd *cobra.Command) error {
	switch {
	case o.all && cmd.Flags().Changed("topic"):
		return refusef("--topic and --all are both given: want one of them")
	case !o.all && !cmd.Flags().Changed("topic"):
		return refusef("nothing to resume: want --topic or --all")
	case !o.all && o.topic == "":
		return refusef("--topic is empty: want the name of a legacy topic")
	}
	return nil
}

func (o *resumeOptions) run(ctx context.Context, a *app, cfg processors.Config) error {
	if err := processors.CheckControl(cfg); err != nil {
		return refuse(err)
	}
	paused, err := processors.ReadPauses(ctx, cfg)
	if err != nil {
		return refuse(err)
	}
	topics := slices.Sorted(maps.Keys(paused))
	if !o.all {
		if topics, err = o.one(cfg, paused); err != nil {
			return err
		}
	}
	if len(topics) == 0 {
		what := o.topic + " is not paused"
		if o.all {
			what = "nothing is paused"
		}
		_, err := fmt.Fprintln(a.stdout, what)
		return err
	}
	if err := processors.Resume(ctx, cfg, topics); err != nil {
		return fmt.Errorf("resume: it may be repeated: %w", err)
	}
	for _, topic := range topics {
		if _, err := fmt.Fprintf(a.stdout, "resumed %s: it was paused %s\n", topic, paused[topic]); err != nil {
			return err
		}
	}
	return nil
}

// one is the topic that was asked for, none if it is not paused.
func (o *resumeOptions) one(cfg processors.Config, paused map[string]processors.Pause) ([]string, error) {
	if _, is := paused[o.topic]; is {
		return []string{o.topic}, nil
	}
	if !slices.Contains(cfg.Topics.Legacy[:], o.topic) {
		return nil, refusef("nothing was resumed: --topic %q is no legacy topic of this configuration: want one of %s",
			o.topic, strings.Join(cfg.Topics.Legacy[:], ", "))
	}
	return nil, nil
}
