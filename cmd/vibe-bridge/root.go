package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

const rootHelp = `vibe-bridge reads the four legacy streams of Ticketscloud (partners, events,
orders, refund requests) and writes three slim ones: events, then their orders,
then their refunds, in that order.

Configuration comes from flags, from environment variables, and from a YAML file,
in this order of precedence. Every key of the file has its variable and its flag:
holds.organizer is VIBE_BRIDGE_HOLDS_ORGANIZER and --holds-organizer.`

const rootExamples = `  vibe-bridge demo
  vibe-bridge topics create --config bridge.yaml
  vibe-bridge run --config bridge.yaml
  vibe-bridge generate --orders 10000 --out season.ndjson.gz --directory-out directory.json
  vibe-bridge capture --config bridge.yaml --until-end --out capture.ndjson.gz`

const exitCodesHelp = `
Exit codes:
  0  done
  1  failed while running
  2  could not start: wrong arguments or configuration, or a cluster out of reach
  3  ran, and what it checked is not as it should be
`

// newRoot builds the program's commands. Each command's file has its new…Command.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:     "vibe-bridge",
		Short:   "Bridge the legacy Ticketscloud streams to slim ones",
		Long:    rootHelp,
		Example: rootExamples,
		Version: currentVersion().String(),
		// Neither the usage text nor cobra's own "Error:" line: run prints one line.
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			a.started = false
			return noSuchCommand(cmd, args)
		},
		// A command that has a PersistentPreRun of its own replaces this one.
		PersistentPreRun: func(*cobra.Command, []string) { a.started = true },

		SuggestionsMinimumDistance: 2,
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetVersionTemplate("{{.Version}}\n")
	// The root's help alone lists the exit codes.
	root.SetUsageTemplate(root.UsageTemplate() + "{{if not .HasParent}}" + exitCodesHelp + "{{end}}")
	root.AddCommand(
		newDemoCommand(a),
		newRunCommand(a),
		newTopicsCommand(a),
		newGenerateCommand(a),
		newCaptureCommand(a),
		newDryRunCommand(a),
		newMapCommand(a),
		newVersionCommand(a),
	)
	return root
}

func noSuchCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("no command given")
	}
	hint := ""
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("; did you mean %s?", near[0])
	}
	return fmt.Errorf("there is no command %q%s", args[0], hint)
}
