package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// noArguments is for commands that take flags alone. Whoever leaves the flag's
// name out is told it.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	for _, flag := range []string{"config", "in"} {
		if cmd.Flags().Lookup(flag) != nil && !strings.HasPrefix(args[0], "-") {
			return fmt.Errorf("unexpected argument %q; did you mean --%s %s?", args[0], flag, args[0])
		}
	}
	return fmt.Errorf("unexpected argument %q: %s takes none", args[0], cmd.CommandPath())
}

// sayFlag says of a flag whose value is of another kind what it wants: what the parsers of values say is meant for programmers.
func sayFlag(err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	flag, want := invalid.GetFlag(), ""
	switch flag.Value.Type() {
	case "duration":
		want = "a duration with its unit, such as 500ms, 10s or 15m"
	case "int", "int32", "int64", "uint64":
		want = "a whole number"
	case "float64":
		want = "a number"
	case "bool":
		want = "true or false"
	default:
		return err
	}
	return fmt.Errorf("invalid argument %q for \"--%s\" flag: want %s", invalid.GetValue(), flag.Name, want)
}

// oneOf is for commands that take one of the words.
func oneOf(words ...string) cobra.PositionalArgs {
	list := strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return fmt.Errorf("no kind of record given: want %s", list)
		case len(args) > 1:
			return fmt.Errorf("unexpected argument %q: want one of %s", args[1], list)
		}
		for _, word := range words {
			if args[0] == word {
				return nil
			}
		}
		return fmt.Errorf("unexpected argument %q: want %s", args[0], list)
	}
}

// wantCommand is the RunE of a command that only has others below it.
func wantCommand(a *app) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.started = false
		if len(args) == 0 {
			return errors.New("no command given")
		}
		cmd.SuggestionsMinimumDistance = 2
		hint := ""
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = fmt.Sprintf("; did you mean %s?", near[0])
		}
		_, above, _ := strings.Cut(cmd.CommandPath(), " ")
		return fmt.Errorf("there is no command %q%s", strings.TrimSpace(above+" "+args[0]), hint)
	}
}
