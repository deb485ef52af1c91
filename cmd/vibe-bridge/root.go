package main

import (
	"strings"

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
  vibe-bridge verify --config bridge.yaml
  vibe-bridge capture --config bridge.yaml --until-end --out legacy.ndjson.gz
  vibe-bridge dry-run --in legacy.ndjson.gz --out slim.ndjson.gz`

const exitCodesHelp = `
Exit codes:
  0  done
  1  failed while running
  2  could not start: wrong arguments or configuration, or a cluster out of reach
     (run waits for one that is)
  3  ran, and what it checked is not as it should be
`

// Groups of commands in the help.
var groups = []*cobra.Group{
	{ID: "try", Title: "To see it work:"},
	{ID: "run", Title: "To run it on your clusters:"},
	{ID: "look", Title: "To work with records:"},
}

func init() {
	cobra.EnableCommandSorting = false // the order of use is more help than the alphabet
	cobra.AddTemplateFunc("identifiedVersion", func() string { return currentVersion().identified() })
}

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
		RunE:          wantCommand(a),
		// A command that has a PersistentPreRun of its own replaces this one.
		PersistentPreRun: func(*cobra.Command, []string) { a.started = true },

		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return sayFlag(err) })
	root.SetVersionTemplate("{{identifiedVersion}}\n")
	root.SetUsageTemplate(usageTemplate(root))
	root.AddGroup(groups...)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
		}
		root.AddCommand(commands...)
	}
	add("try", newDemoCommand(a))
	add("run", newPlanCommand(a), newConfigCommand(a), newCheckCommand(a), newTopicsCommand(a), newACLsCommand(a), newRunCommand(a), newVerifyCommand(a), newCompareCommand(a), newCutoverCommand(a), newParkedCommand(a), newResyncCommand(a), newQuarantineCommand(a), newEncryptionCommand(a))
	add("look", newGenerateCommand(a), newCaptureCommand(a), newDryRunCommand(a), newMapCommand(a))
	add("", newVersionCommand(a))
	return root
}

// usageTemplate is cobra's, without the line that a command with others below it
// can be called alone, and with the exit codes in the root's help alone.
func usageTemplate(root *cobra.Command) string {
	text := strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if and .Runnable (not .HasAvailableSubCommands)}}", 1)
	return text + "{{if not .HasParent}}" + exitCodesHelp + "{{end}}"
}
