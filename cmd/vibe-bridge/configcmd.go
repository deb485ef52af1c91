package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/internal/config"
)

func newConfigCommand(a *app) *cobra.Command {
	parent := &cobra.Command{
		Use:   "config",
		Short: "Show the configuration as it is used, and all keys that there are",
		Args:  cobra.ArbitraryArgs,
		RunE:  wantCommand(a),
	}
	parent.AddCommand(newConfigShowCommand(a), &cobra.Command{
		Use:   "keys",
		Short: "Print every key with its default and its meaning (Markdown)",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(a.stdout, config.Reference())
			return err
		},
	})
	return parent
}

func newConfigShowCommand(a *app) *cobra.Command {
	var path string
	var all, asJSON bool
	cmd := &cobra.Command{
		Use:   "show --config FILE",
		Short: "Print what is set, to what, and by which of file, environment and flags",
		Long: `show prints every key that is not at its default, with its value and where that comes
from; with --all, the others as well. Passwords are never shown. Nothing is contacted.`,
		Example: `  vibe-bridge config show --config bridge.yaml
  vibe-bridge config show --config bridge.yaml --all --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, values, err := config.Effective(path, a.env, cmd.Flags())
			var faulty *config.Error
			switch {
			case errors.As(err, &faulty) && path == "":
				return refusef("%w; there is no configuration file: give it with --config", err)
			case err != nil:
				return refuse(err)
			}
			shown := []config.Value{}
			for _, v := range values {
				if all || v.Origin != "default" {
					shown = append(shown, v)
				}
			}
			if asJSON {
				return printJSON(a.stdout, shown)
			}
			table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "KEY\tVALUE\tFROM")
			for _, v := range shown {
				fmt.Fprintf(table, "%s\t%s\t%s\n", v.Key, v.Value, v.Origin)
			}
			return table.Flush()
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&path, "config", "", "configuration file (YAML)")
	flags.BoolVar(&all, "all", false, "the keys at their default, too")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	config.BindFlags(flags)
	showFlags(cmd, "config", "all", "json")
	return cmd
}
