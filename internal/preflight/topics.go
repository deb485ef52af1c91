package preflight

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// topics compares them with the plan, and looks at what a plan does not: leaders, replicas that are in sync, legacy
// topics whose records are too large or go too soon.
func (r *run) topics(ctx context.Context, found reachedClusters) {
	admins, closeAdmins, err := r.admins(ctx, found)
	if err != nil {
		r.fail("topics", "all", kafka.Explain(err), "")
		return
	}
	defer closeAdmins()
	if len(admins) == 0 {
		return
	}
	var specs []kafka.TopicSpec
	for _, s := range r.Specs {
		if admins[s.Cluster] != nil {
			specs = append(specs, s)
		}
	}
	plan, err := admins.Plan(specs)
	if err != nil {
		r.fail("topics", "all", kafka.Explain(err), "")
		return
	}
	for _, t := range plan.Topics {
		r.topic(t)
	}
	if !r.failed("topics") {
		r.copartitioned(plan)
	}
	for name, c := range found {
		r.replicas(ctx, name, c, plan)
	}
	r.legacy(ctx, admins, found[kafka.SourceCluster])
	r.recorded(ctx, admins, plan)
}

func (r *run) admins(ctx context.Context, found reachedClusters) (kafka.Admins, func(), error) {
	if len(found) == 3 {
		return processors.OpenAdminsFor(ctx, r.Bridge.Source, r.Bridge.State, r.Bridge.Target)
	}
	return nil, func() {}, nil
}

func (r *run) topic(t kafka.PlannedTopic) {
	of := t.Cluster + " " + t.Name
	switch t.Action {
	case kafka.ActionCreate:
		r.fail("topics", of, "it does not exist, or the bridge's user may not see it", "`vibe-bridge topics create`, with a user that may create topics")
	case kafka.ActionMismatch:
		for _, d := range t.Differences {
			what, do, _ := strings.Cut(d, ": ")
			r.fail("topics", of, what, do)
		}
	default:
		facts := []string{t.Purpose}
		facts = append(facts, fmt.Sprintf("%d partitions", t.Have.Partitions))
		for _, key := range []string{"cleanup.policy", "retention.ms", "min.insync.replicas", "max.message.bytes"} {
			if value, ok := t.Have.Config[key]; ok && t.Config[key] != "" { // what is needed of it
				facts = append(facts, key+" "+value)
			}
		}
		r.ok("topics", of, "%s", strings.Join(facts, ", "))
	}
}

// copartitioned says what the plan has found: all inputs of a group and its table have equally many partitions.
func (r *run) copartitioned(plan kafka.Plan) {
	inputs := r.Bridge.Topics.InternalInputs()
	for _, t := range plan.Topics {
		if slices.ContainsFunc(inputs, func(in processors.GroupInput) bool { return in.Topic == t.Name }) && t.Partitions != r.Config.Partitions {
			r.fail("topics", t.Cluster+" "+t.Name, fmt.Sprintf("%d partitions, and the tables have %d", t.Partitions, r.Config.Partitions), "they have to be equal")
			return
		}
	}
	r.ok("topics", "co-partitioning", "all %d inputs of the groups with state have %d partitions, as their tables", len(inputs), r.Config.Partitions)
}

// replicas of the partitions that are in sync.
func (r *run) replicas(ctx context.Context, cluster string, c *reached, plan kafka.Plan) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	insync, names := map[string]int{}, []string(nil)
	for _, t := range plan.Topics {
		if t.Cluster == cluster && t.Action != kafka.ActionCreate {
			names = append(names, t.Name)
			insync[t.Name], _ = strconv.Atoi(t.Config["min.insync.replicas"])
		}
	}
	if len(names) == 0 {
		return
	}
	metadata, err := c.admin.Metadata(ctx, names...)
	if err != nil {
		r.fail("replicas", cluster, kafka.Explain(err), "")
		return
	}
	partitions, behind := 0, 0
	for _, topic := range metadata.Topics.Sorted() {
		for _, p := range topic.Partitions.Sorted() {
			partitions++
			of := fmt.Sprintf("%s %s/%d", cluster, p.Topic, p.Partition)
			switch {
			case p.Leader < 0:
				r.fail("replicas", of, "it has no leader", "start the brokers that have it: nothing can be read or written")
			case len(p.ISR) < insync[p.Topic]:
				r.fail("replicas", of, fmt.Sprintf("%d of %d replicas are in sync, and writing needs %d", len(p.ISR), len(p.Replicas), insync[p.Topic]), "start the brokers that have the others")
			case len(p.ISR) < len(p.Replicas):
				behind++
			}
		}
	}
	if behind > 0 {
		r.warn("replicas", cluster, fmt.Sprintf("%d of %d partitions have replicas that are not in sync", behind, partitions), "start the brokers that have them")
	} else if partitions > 0 && !r.failed("replicas") {
		r.ok("replicas", cluster, "all replicas of %d partitions are in sync", partitions)
	}
}

// shortRetention is how long legacy records should stay for a stop of the bridge over a long week-end.
const shortRetention = 72 * time.Hour

// legacy looks at what the legacy topics may do to an instance. Nothing of it can be changed by the bridge.
func (r *run) legacy(ctx context.Context, admins kafka.Admins, c *reached) {
	names := r.Bridge.Topics.Legacy[:]
	infos, err := admins[kafka.SourceCluster].Describe(names)
	if err != nil {
		r.fail("legacy", kafka.SourceCluster, kafka.Explain(err), "")
		return
	}
	for _, name := range names {
		info := infos[name]
		of := kafka.SourceCluster + " " + name
		if !info.Exists {
			continue
		}
		if info.Config == nil {
			r.ok("legacy", of, "its settings are not known: nobody has granted DescribeConfigs, which the bridge can do without")
			continue
		}
		good := true
		limit := info.Config["max.message.bytes"]
		if most, err := strconv.Atoi(limit); err == nil && most > r.Bridge.Settings.MaxInternalBytes {
			if c.ownSetting(ctx, name, "max.message.bytes") {
				good = false
				r.warn("legacy", of, fmt.Sprintf("its records may have %d bytes, internal topics take %d: a larger one that cannot be mapped goes to quarantine by its place alone", most, r.Bridge.Settings.MaxInternalBytes),
					r.largerDo(most))
			}
			limit += fmt.Sprintf(" as the brokers have it for all topics (a record above %d that cannot be mapped goes to quarantine by its place alone)", r.Bridge.Settings.MaxInternalBytes)
		}
		kept, err := strconv.ParseInt(info.Config["retention.ms"], 10, 64)
		if policy := info.Config["cleanup.policy"]; err == nil && kept >= 0 && strings.Contains(policy, "delete") && time.Duration(kept)*time.Millisecond < shortRetention {
			good = false
			r.warn("legacy", of, fmt.Sprintf("its records are kept for %s: a longer stop of the bridge loses some", time.Duration(kept)*time.Millisecond), "have its owner keep them for longer")
		}
		if good {
			r.ok("legacy", of, "%d partitions, cleanup.policy %s, retention.ms %s, max.message.bytes %s", info.Partitions, info.Config["cleanup.policy"], info.Config["retention.ms"], limit)
		}
	}
}

// ownSetting tells whether somebody has set this of a topic itself, on purpose: what it has from the brokers' settings says
// nothing of its records. What is not known may be on purpose.
func (c *reached) ownSetting(ctx context.Context, topic, key string) bool {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	all, err := c.admin.DescribeTopicConfigs(ctx, topic)
	if err != nil || len(all) != 1 || all[0].Err != nil {
		return true
	}
	return !slices.ContainsFunc(all[0].Configs, func(s kadm.Config) bool {
		return s.Key == key && s.Source != kmsg.ConfigSourceDynamicTopicConfig
	})
}

// largerDo is what to do about a legacy topic of such large records.
func (r *run) largerDo(most int) string {
	lower := fmt.Sprintf("have its owner set its max.message.bytes to %d", r.Bridge.Settings.MaxInternalBytes)
	need := config.MessageBytesFor(most)
	if need == 0 {
		return lower + ", if there are no such records; no max_message_bytes is enough for them"
	}
	return fmt.Sprintf("if there are such records, set max_message_bytes to %d or more and raise the topics (`topics plan` says which); if there are none, %s", need, lower)
}

// recorded tells whether the topics are those that the state was built from.
func (r *run) recorded(ctx context.Context, admins kafka.Admins, plan kafka.Plan) {
	if len(plan.Missing()) > 0 {
		return
	}
	t := r.Bridge.Topics
	known, err := t.LookAtIdentity(ctx, admins)
	var other *kafka.IdentityError
	switch {
	case errors.As(err, &other):
		r.fail("identity", t.Identity(), strings.Join(other.Lines, "; "), kafka.IdentityRemedy)
	case err != nil:
		r.fail("identity", t.Identity(), kafka.Explain(err), "")
	case !known:
		r.ok("identity", t.Identity(), "nothing is recorded yet: this is the first start of the deployment")
	default:
		r.ok("identity", t.Identity(), "the topics are those that the state was built from")
	}
	var foreign *processors.FolderError
	if err := processors.LookAtFolder(r.Bridge, admins[kafka.StateCluster]); errors.As(err, &foreign) {
		r.fail("identity", "state_dir", err.Error(), "delete the folder, or set another state_dir")
	} else if err != nil && !errors.Is(err, fs.ErrPermission) { // of which the lines about state_dir tell
		r.fail("identity", "state_dir", kafka.Explain(err), "")
	}
}

// groups compares the positions of the consumer groups with what the topics have.
func (r *run) groups(ctx context.Context, found reachedClusters) {
	t := r.Bridge.Topics
	source, _ := t.Groups()
	type input struct {
		cluster string
		processors.GroupInput
	}
	var inputs []input
	for i, group := range source {
		inputs = append(inputs, input{kafka.SourceCluster, processors.GroupInput{Group: group, Topic: t.Legacy[i]}})
	}
	for _, in := range t.InternalInputs() {
		inputs = append(inputs, input{kafka.StateCluster, in})
	}
	for _, in := range inputs {
		if c := found[in.cluster]; c != nil && !r.failed("rights") && !r.failed("topics") {
			r.group(ctx, c, in.cluster, in.GroupInput)
		}
	}
}

func (r *run) group(ctx context.Context, c *reached, cluster string, in processors.GroupInput) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	of := fmt.Sprintf("%s %s on %s", cluster, in.Group, in.Topic)
	starts, err := c.admin.ListStartOffsets(ctx, in.Topic)
	if err != nil {
		r.fail("groups", of, kafka.Explain(err), "")
		return
	}
	ends, err := c.admin.ListCommittedOffsets(ctx, in.Topic)
	if err != nil {
		r.fail("groups", of, kafka.Explain(err), "")
		return
	}
	commits, err := c.admin.FetchOffsets(ctx, in.Group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		r.fail("groups", of, kafka.Explain(err), "")
		return
	}
	behind, fresh := int64(0), true
	bad := false
	starts.Each(func(start kadm.ListedOffset) {
		end, _ := ends.Lookup(start.Topic, start.Partition)
		commit, committed := commits.Lookup(start.Topic, start.Partition)
		at := start.Offset
		if committed && commit.At >= 0 {
			at, fresh = commit.At, false
		}
		place := fmt.Sprintf("%s %s on %s/%d", cluster, in.Group, start.Topic, start.Partition)
		_, ours := kafka.ProgressOf(kafka.Commit{Offset: at, Metadata: commit.Metadata})
		switch {
		case committed && commit.At >= 0 && !ours && at >= start.Offset && at <= end.Offset:
			bad = true
			r.fail("groups", place, fmt.Sprintf("its position %d was not committed by vibe-bridge: it was set by hand or by another program, and records may have been jumped over", at),
				"see that it is not too far, set it back if it is, and start once with --accept-reset-offsets")
		case at < start.Offset:
			bad = true
			r.fail("groups", place, fmt.Sprintf("its position is %d and the topic begins at %d: %d records were deleted before they were read", at, start.Offset, start.Offset-at),
				"decide with the owners of the data; docs/operations.md says how to go on")
		case at > end.Offset:
			bad = true
			r.fail("groups", place, fmt.Sprintf("its position is %d and the topic ends at %d: the topic was created anew, or the position was set by hand", at, end.Offset), "see docs/operations.md")
		default:
			behind += end.Offset - at
		}
	})
	switch {
	case bad:
	case fresh:
		r.ok("groups", of, "has no position yet: it begins with the first of %d records", behind)
	default:
		r.ok("groups", of, "%d records behind", behind)
	}
}
