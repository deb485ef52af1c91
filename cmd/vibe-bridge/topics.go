package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/processors"
)

func newTopicsCommand(a *app) *cobra.Command {
	topics := &cobra.Command{
		Use:   "topics",
		Short: "Plan and create the bridge's topics",
		Long: `topics compares the topics that a configuration needs with those that there are,
and creates the missing ones. It never changes or deletes a topic, and creates
nothing while any topic is wrong. Legacy topics are only looked at.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	topics.AddCommand(
		topicsCommand(a, "plan", "Show which topics there are, are missing, or are wrong", planTopics),
		topicsCommand(a, "create", "Create the missing topics", createTopics),
	)
	return topics
}

func topicsCommand(a *app, use, short string, act func(context.Context, *app, kafka.Admins, kafka.Plan) error) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use: use + " --config FILE", Short: short, Args: cobra.NoArgs,
		Example: "  vibe-bridge topics " + use + " --config bridge.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(a, path, cmd.Flags())
			if err != nil {
				return err
			}
			cfg, err := bridgeConfig(c)
			if err != nil {
				return err
			}
			admins, closeAdmins, err := processors.OpenAdmins(c.Source, c.State, c.Target)
			if err != nil {
				return err
			}
			defer closeAdmins()
			plan, err := admins.Plan(cfg.Topics.Specs(cfg.Settings))
			if err != nil {
				return err
			}
			return act(cmd.Context(), a, admins, plan)
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "configuration file (YAML)")
	config.BindFlags(cmd.Flags())
	return cmd
}

func planTopics(_ context.Context, a *app, _ kafka.Admins, plan kafka.Plan) error {
	if err := printPlan(a.stdout, plan); err != nil {
		return err
	}
	if err := plan.Mismatch(); err != nil {
		return &codedError{code: codeChecks, err: err}
	}
	return nil
}

func createTopics(ctx context.Context, a *app, admins kafka.Admins, plan kafka.Plan) error {
	created, err := admins.Create(ctx, plan)
	for _, name := range created {
		fmt.Fprintf(a.stdout, "created %s\n", name)
	}
	if err != nil {
		return refuse(err)
	}
	fmt.Fprintf(a.stdout, "%d topics created, %d were there\n", len(created), len(plan.Topics)-len(created))
	return nil
}

func printPlan(w io.Writer, plan kafka.Plan) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ACTION\tCLUSTER\tTOPIC\tPARTITIONS\tREPLICATION\tSETTINGS\tPURPOSE")
	for _, t := range plan.Topics {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.Action, t.Cluster, t.Name,
			anyIfZero(int(t.Partitions)), anyIfZero(int(t.Replication)), settings(t.Config), t.Purpose)
	}
	return table.Flush()
}

func anyIfZero(n int) string {
	if n == 0 {
		return "any"
	}
	return fmt.Sprint(n)
}

func settings(m map[string]string) string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, k+"="+m[k])
	}
	return strings.Join(list, " ")
}
