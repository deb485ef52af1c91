package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/preflight"
)

type checkOptions struct {
	config string
	json   bool
	strict bool
}

func newCheckCommand(a *app) *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Look at everything that an instance needs, before one starts",
		Long: `check looks at the configuration, files of passwords, tokens and certificates, the state folder
and its disk, every broker, what the bridge's user may do, all topics and their
settings, the positions of the consumer groups, paused topics, and clocks. It only
reads: no topic is created, no group joined, nothing written but a file in state_dir
that is removed at once. It may be run beside running instances.

Each line is ok, warning or FAILURE, and says what to do. Exit codes: 0 no failure,
1 warnings (with --strict), 2 failures.`,
		Example: `  vibe-bridge check --config bridge.yaml
  vibe-bridge check --config bridge.yaml --strict --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(a, o.config, cmd.Flags())
			if err != nil {
				return o.say(a, faultyConfig(err))
			}
			return o.run(cmd.Context(), a, c)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.config, "config", "", "configuration file (YAML)")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	flags.BoolVar(&o.strict, "strict", false, "end with exit code 1 when there are warnings")
	config.BindFlags(flags)
	showFlags(cmd, "config", "json", "strict", "name", "state-dir", "source-brokers", "target-brokers")
	return cmd
}

// faultyConfig has a line for each problem, and one for a file that cannot be read or is no YAML.
func faultyConfig(err error) []preflight.Line {
	line := preflight.Line{Check: "config", Of: "configuration", Status: preflight.Failure, Found: err.Error(), Do: "correct it; deploy/bridge.example.yaml explains every key"}
	var faulty *config.Error
	if !errors.As(err, &faulty) {
		return []preflight.Line{line}
	}
	var lines []preflight.Line
	for _, p := range faulty.Problems {
		line.Found = p.String()
		lines = append(lines, line)
	}
	return lines
}

func (o *checkOptions) run(ctx context.Context, a *app, c config.Config) error {
	files := c
	files.DirectoryFile, files.CategoriesFile = "", "" // looked at one by one
	cfg, err := bridgeConfig(files)
	if err != nil {
		return err
	}
	of := o.config
	if of == "" {
		of = "environment and flags"
	}
	lines := []preflight.Line{{Check: "config", Of: of, Status: preflight.OK,
		Found: fmt.Sprintf("deployment %s, edition %s as %s, %d partitions", c.Name, c.Edition, c.Format, c.Partitions)}}
	lines = append(lines, preflight.Run(ctx, preflight.Options{
		Config: c, Bridge: cfg, Specs: cfg.Topics.Specs(cfg.Settings), Rights: cfg.Topics.RunRights(),
		Overlap: func(ctx context.Context) error { return checkOverlap(ctx, c) },
	})...)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return o.say(a, lines)
}

func (o *checkOptions) say(a *app, lines []preflight.Line) error {
	worst := preflight.Worst(lines)
	if o.json {
		if err := printJSON(a.stdout, struct {
			Status preflight.Status `json:"status"`
			Lines  []preflight.Line `json:"lines"`
		}{worst, lines}); err != nil {
			return err
		}
	} else if err := printLines(a.stdout, lines); err != nil {
		return err
	}
	counts := map[preflight.Status]int{}
	for _, l := range lines {
		counts[l.Status]++
	}
	said := fmt.Sprintf("%s, %s", count(counts[preflight.Failure], "failure"), count(counts[preflight.Warning], "warning"))
	switch {
	case worst == preflight.Failure:
		return &codedError{code: codeRefused, err: errors.New(said + ": an instance would not start, or not run well")}
	case worst == preflight.Warning && o.strict:
		return &codedError{code: codeFailed, err: errors.New(said + ", and --strict")}
	}
	if !o.json {
		_, err := fmt.Fprintf(a.stdout, "%s\n", said)
		return err
	}
	return nil
}

func printLines(w io.Writer, lines []preflight.Line) error {
	width := 0
	for _, l := range lines {
		width = max(width, len(l.Check))
	}
	for _, l := range lines {
		status := string(l.Status)
		if l.Status == preflight.Failure {
			status = strings.ToUpper(status)
		}
		text := fmt.Sprintf("%-7s  %-*s  %s: %s", status, width, l.Check, l.Of, l.Found)
		if l.Do != "" {
			text += "\n" + strings.Repeat(" ", 9+width+2) + "-> " + l.Do
		}
		if _, err := fmt.Fprintln(w, text); err != nil {
			return err
		}
	}
	return nil
}
