package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
nothing while any topic is wrong. Legacy topics are only looked at.

With --compare, those that "compare run" needs are among them.`,
		Args: cobra.ArbitraryArgs,
		RunE: wantCommand(a),
	}
	plan := topicsCommand(a, "plan", planTopics)
	plan.Short = "Show which topics there are, are missing, or are wrong"
	plan.Long = `plan shows every topic that a configuration needs, and what would be done about it:
nothing (ok), create, or nothing because it is not as the bridge needs it
(mismatch); and then what is wrong, and how to put it right: commands are to be copied, and
want the login of somebody who may alter topics in admin.properties. It changes nothing.

It ends with exit code 3 when a topic is wrong, and with 0 when topics are only
missing.`
	create := topicsCommand(a, "create", createTopics)
	create.Short = "Create the missing topics"
	create.Long = `create creates the missing topics, on the cluster where each belongs. When a topic
is wrong, or a cluster would refuse one, it creates none and ends with exit code 2.
It may be repeated.`
	topics.AddCommand(plan, create)
	return topics
}

func topicsCommand(a *app, use string, act func(context.Context, *app, kafka.Admins, kafka.Plan) error) *cobra.Command {
	var path string
	var compared bool
	cmd := &cobra.Command{
		Use: use + " --config FILE", Args: noArguments,
		Example: "  vibe-bridge topics " + use + " --config bridge.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(a, path, cmd.Flags())
			if err != nil {
				return err
			}
			return withPlan(cmd.Context(), c, compared, func(admins kafka.Admins, plan kafka.Plan) error {
				return act(cmd.Context(), a, admins, plan)
			})
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "configuration file (YAML)")
	cmd.Flags().BoolVar(&compared, "compare", false, "with the topics of compare run")
	config.BindFlags(cmd.Flags())
	showFlags(cmd, "config", "compare", "name", "partitions", "slim-partitions", "slim-prefix", "replication", "min-insync",
		"source-brokers", "target-brokers", "state-brokers")
	return cmd
}

// showFlags keeps the help to these flags; the others go on working.
func showFlags(cmd *cobra.Command, names ...string) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) { f.Hidden = !slices.Contains(names, f.Name) })
}

// withPlan compares the topics of a configuration, and of compare run where that is wanted, with those of its clusters.
func withPlan(ctx context.Context, c config.Config, compared bool, act func(kafka.Admins, kafka.Plan) error) error {
	c.DirectoryFile, c.CategoriesFile = "", "" // topics do not depend on them
	cfg, err := bridgeConfig(c)
	if err != nil {
		return err
	}
	admins, closeAdmins, err := processors.OpenAdmins(c.Source, c.State, c.Target)
	if err != nil {
		return refuse(err)
	}
	defer closeAdmins()
	if err := checkOverlap(ctx, c); err != nil {
		return err
	}
	specs := cfg.Topics.Specs(cfg.Settings)
	if compared {
		comparison, _, err := comparedOffline(c)
		if err != nil {
			return err
		}
		specs = append(specs, comparison.Specs()...)
	}
	plan, err := admins.Plan(specs)
	if err != nil {
		return refuse(err)
	}
	return act(admins, plan)
}

func planTopics(_ context.Context, a *app, _ kafka.Admins, plan kafka.Plan) error {
	if err := printPlan(a.stdout, plan); err != nil {
		return err
	}
	wrong := 0
	for _, t := range plan.Topics {
		if len(t.Differences) > 0 {
			wrong++
		}
	}
	if wrong == 0 {
		return nil
	}
	what := "1 topic is not as the bridge needs it"
	if wrong > 1 {
		what = fmt.Sprintf("%d topics are not as the bridge needs them", wrong)
	}
	return &codedError{code: codeChecks, err: errors.New(what + ": see below the plan's table")}
}

func createTopics(ctx context.Context, a *app, admins kafka.Admins, plan kafka.Plan) error {
	created, err := admins.Create(ctx, plan)
	for _, name := range created {
		fmt.Fprintf(a.stdout, "created %s\n", name)
	}
	if err != nil {
		return refuse(err)
	}
	fmt.Fprintf(a.stdout, "%s created, %d were there\n", count(len(created), "topic"), len(plan.Topics)-len(created))
	return nil
}

func printPlan(w io.Writer, plan kafka.Plan) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ACTION\tCLUSTER\tTOPIC\tPARTITIONS\tREPLICATION\tSETTINGS\tPURPOSE")
	for _, t := range plan.Topics {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.Action, t.Cluster, t.Name,
			anyIfZero(int(t.Partitions)), anyIfZero(int(t.Replication)), settings(t.Config), t.Purpose)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, t := range plan.Topics {
		for _, difference := range t.Differences {
			difference = strings.Replace(difference, ": kafka-configs ", ":\n\n    kafka-configs ", 1) // alone in its line, to be copied
			if _, err := fmt.Fprintf(w, "\n%s (%s cluster): %s\n", t.Name, t.Cluster, difference); err != nil {
				return err
			}
		}
	}
	return nil
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
