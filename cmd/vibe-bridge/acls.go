package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
)

type aclsOptions struct {
	config    string
	purpose   string
	principal string
	group     string
	creates   bool
	json      bool
}

// What rights may be for.
const (
	rightsToRun     = "run"
	rightsToCreate  = "topics"
	rightsToLook    = "look"
	rightsToAct     = "act"
	rightsToCompare = "compare"
	rightsToConsume = "consume"
)

var purposes = []string{rightsToRun, rightsToCreate, rightsToLook, rightsToAct, rightsToCompare, rightsToConsume}

func newACLsCommand(a *app) *cobra.Command {
	var o aclsOptions
	cmd := &cobra.Command{
		Use:   "acls --config FILE",
		Short: "Print the rights that are to be granted on the brokers",
		Long: `acls prints, for a configuration, the commands that grant the least rights in Kafka's
ACLs. It asks nothing of any broker. --for says to whom:

  run      an instance of the bridge, and its console
  topics   who runs vibe-bridge topics create, once, with --compare, too
  look     who looks: verify, parked, quarantine list and show, cutover-check, and all of compare but run
  act      who acts as well: resync, quarantine replay and resume
  compare  an instance of compare run; with --create-topics, one that is started so
  consume  who reads the slim topics, in the consumer group --group`,
		Example: `  vibe-bridge acls --config bridge.yaml
  vibe-bridge acls --config bridge.yaml --for consume --principal User:vibe-app --group vibe-app`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(a, o.config, cmd.Flags())
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), a, c)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.config, "config", "", "configuration file (YAML)")
	flags.StringVar(&o.purpose, "for", rightsToRun, "what the rights are for: "+strings.Join(purposes, ", "))
	flags.StringVar(&o.principal, "principal", "", "who gets them, as User:bridge (default User: and security.sasl.username of each cluster)")
	flags.StringVar(&o.group, "group", "", "consumer group of --for consume")
	flags.BoolVar(&o.creates, "create-topics", false, "with what compare run --create-topics needs, for --for compare")
	flags.BoolVar(&o.json, "json", false, "print the rights as JSON")
	config.BindFlags(flags)
	showFlags(cmd, "config", "for", "principal", "group", "create-topics", "json", "name")
	return cmd
}

func (o *aclsOptions) run(_ context.Context, a *app, c config.Config) error {
	rights, err := o.rights(c)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(a.stdout, rights)
	}
	return o.print(a.stdout, c, rights)
}

func (o *aclsOptions) rights(c config.Config) ([]kafka.Right, error) {
	if kind, name, typed := strings.Cut(o.principal, ":"); o.principal != "" && (kind == "" || name == "") {
		if name = "bridge"; !typed {
			name = kind
		}
		return nil, refusef("--principal %q: want TYPE:NAME, such as User:%s", o.principal, name)
	}
	if (o.purpose == rightsToConsume) != (o.group != "") {
		return nil, refusef("--group is for --for consume, which needs it")
	}
	if o.creates && o.purpose != rightsToCompare {
		return nil, refusef("--create-topics is for --for compare: an instance of the bridge creates none")
	}
	live, compared, err := comparedOffline(c)
	if err != nil {
		return nil, err
	}
	c.DirectoryFile, c.CategoriesFile = "", "" // rights do not depend on them
	cfg, err := bridgeConfig(c)
	if err != nil {
		return nil, err
	}
	switch t := cfg.Topics; o.purpose {
	case rightsToRun:
		// The console shows what compare run has found. An instance starts without that right, too.
		return kafka.SortRights(append(t.RunRights(), live.ReportRights()...)), nil
	case rightsToCreate:
		return processors.CreateRights(append(t.Specs(cfg.Settings), live.Specs()...)), nil
	case rightsToLook:
		return kafka.SortRights(slices.Concat(t.LookRights(), live.LookRights(), compared.lookRights())), nil
	case rightsToAct:
		return kafka.SortRights(slices.Concat(t.ActRights(), live.LookRights(), compared.lookRights())), nil
	case rightsToCompare:
		rights := live.Rights(compared.leftCluster())
		if o.creates {
			rights = kafka.SortRights(append(rights, live.CreateRights()...))
		}
		return rights, nil
	case rightsToConsume:
		var rights []kafka.Right
		for _, s := range []mapping.Stream{mapping.Events, mapping.Orders, mapping.Refunds} {
			rights = append(rights, kafka.Right{Cluster: kafka.TargetCluster, Resource: kafka.TopicResource, Name: t.Slim[s], Operation: kafka.OpRead, Why: "slim stream of " + s.String()})
		}
		rights = append(rights, kafka.Right{Cluster: kafka.TargetCluster, Resource: kafka.GroupResource, Name: o.group, Operation: kafka.OpRead, Why: "positions in the slim streams"})
		return kafka.SortRights(rights), nil
	}
	return nil, refusef("--for %q: want one of %s", o.purpose, strings.Join(purposes, ", "))
}

// lookRights are what compare once needs on what it compares.
func (p *comparison) lookRights() (rights []kafka.Right) {
	for _, t := range p.topics {
		for _, operation := range []kafka.Operation{kafka.OpRead, kafka.OpDescribeConfigs} {
			rights = append(rights, kafka.Right{Cluster: t.cluster, Resource: kafka.TopicResource, Name: t.name, Operation: operation, Why: "to look at"})
		}
	}
	return rights
}

// print writes one command for all resources that get the same.
func (o *aclsOptions) print(w io.Writer, c config.Config, rights []kafka.Right) error {
	for _, name := range []string{kafka.SourceCluster, kafka.TargetCluster, kafka.StateCluster} {
		var here []kafka.Right
		for _, r := range rights {
			if r.Cluster == name {
				here = append(here, r)
			}
		}
		if len(here) == 0 {
			continue
		}
		cluster := c.ClusterNamed(name)
		principal, err := o.principalOn(cluster, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "# %s cluster\n", name)
		for _, g := range grantsOf(here) {
			fmt.Fprintf(w, "kafka-acls --bootstrap-server %s --command-config admin.properties --add --allow-principal %s \\\n   ", strings.Join(cluster.Brokers, ","), quoted(principal))
			for _, operation := range g.operations {
				fmt.Fprintf(w, " --operation %s", operation)
			}
			for _, n := range g.names {
				fmt.Fprintf(w, " \\\n    --%s %s", g.kind, quoted(n))
			}
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *aclsOptions) principalOn(c kafka.Cluster, name string) (string, error) {
	switch {
	case o.principal != "":
		return o.principal, nil
	case c.Security.SASL.Username != "":
		return "User:" + c.Security.SASL.Username, nil
	}
	return "", refusef("who the bridge is on the %s cluster does not follow from the configuration, as it does not log in with a name: want --principal, such as User:bridge", name)
}

type grant struct {
	kind       kafka.ResourceKind
	operations []kafka.Operation
	names      []string
}

// grantsOf gathers resources with the same operations. The rights are in order.
func grantsOf(rights []kafka.Right) []grant {
	type resource struct {
		kind kafka.ResourceKind
		name string
	}
	var order []resource
	operations := map[resource][]kafka.Operation{}
	for _, r := range rights {
		at := resource{r.Resource, r.Name}
		if operations[at] == nil {
			order = append(order, at)
		}
		operations[at] = append(operations[at], r.Operation)
	}
	var grants []grant
	for _, at := range order {
		i := slices.IndexFunc(grants, func(g grant) bool { return g.kind == at.kind && slices.Equal(g.operations, operations[at]) })
		if i < 0 {
			grants = append(grants, grant{kind: at.kind, operations: operations[at]})
			i = len(grants) - 1
		}
		grants[i].names = append(grants[i].names, at.name)
	}
	return grants
}

// quoted is a word for a shell.
func quoted(word string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.:/=,", c)
	}
	if word != "" && strings.IndexFunc(word, func(c rune) bool { return !plain(c) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
