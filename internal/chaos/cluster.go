package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/localkafka"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// The deployment. Its timeouts are as short as they may be, so that a run sees as many take-overs as it can.
const (
	deployment       = "chaos"
	gatePartitions   = 4
	legacyPartitions = 3
	sessionTimeout   = 8 * time.Second
	stopTimeout      = 10 * time.Second
	// takeoverRepeat outlives what the former owner may still have on its way: its session and 20 s of a connection.
	takeoverRepeat = sessionTimeout + 23*time.Second
	hold           = 3 * time.Second
)

// topics of the deployment.
func topics() processors.Topics {
	return processors.NewTopics(deployment, [4]string{
		mapping.Partners: season.TopicPartners, mapping.Events: season.TopicEvents,
		mapping.Orders: season.TopicOrders, mapping.Refunds: season.TopicRefunds,
	}, "slim-events", "slim-orders", "slim-refunds")
}

func legacyTopics() []string {
	return []string{season.TopicPartners, season.TopicEvents, season.TopicOrders, season.TopicRefunds}
}

func slimTopics() []string {
	var names []string
	for _, s := range []mapping.Stream{mapping.Events, mapping.Orders, mapping.Refunds} {
		names = append(names, topics().Slim[s])
	}
	return names
}

// places are where the clients of one instance, or of a command, find the clusters.
type places struct {
	source, target []string // addresses; the state is with the source
	replicas       int
}

// minInsync lets one broker of several be away.
func (p places) minInsync() int { return max(1, p.replicas-1) }

// configFile is the configuration of one instance, or of a command.
func configFile(p places, client, stateDir, directory string) string {
	source := fmt.Sprintf("{brokers: [%s], client_id: %s}", strings.Join(p.source, ", "), client)
	target := fmt.Sprintf("{brokers: [%s], client_id: %s}", strings.Join(p.target, ", "), client)
	return fmt.Sprintf(`name: %s
source: %s
target: %s
state: %s
state_dir: %q
directory_file: %q
partitions: %d
replication: %d
min_insync: %d
slim: {prefix: slim-, partitions: 1}
session_timeout: %s
stop_timeout: %s
holds: {organizer: %s, set: %s}
sweep_interval: 200ms
takeover_repeat: %s
http: {listen: ""}
log: {level: info, format: text}
`, deployment, source, target, source, stateDir, directory, gatePartitions, p.replicas, p.minInsync(),
		sessionTimeout, stopTimeout, hold, hold, takeoverRepeat)
}

// cluster is a Kafka of the run's own.
type cluster struct {
	root     string
	instance localkafka.Instance
	options  localkafka.Options
	doors    []*door  // one per broker
	direct   []string // addresses that do not lead through the proxy
	client   *kgo.Client
	admin    *kadm.Client
}

const kafkaTimeout = 2 * time.Minute

// heapOf keeps a cluster of several brokers about as small as one of one.
func heapOf(brokers int) string {
	if brokers > 1 {
		return "320m"
	}
	return "1g"
}

func startCluster(ctx context.Context, c Config, name string, brokers int, p *proxy) (*cluster, error) {
	k := &cluster{
		root: c.Root, instance: localkafka.Instance{Dir: filepath.Join(c.Dir, name)},
		options: localkafka.Options{Nodes: brokers, Heap: heapOf(brokers), Bound: c.Bound, ExtraName: "the chaos suite",
			// The end of a member that was killed is to be seen with its session, not later.
			ExtraConfig: "group.min.session.timeout.ms=6000"},
	}
	for range brokers {
		d, err := p.open()
		if err != nil {
			return nil, err
		}
		k.doors = append(k.doors, d)
		k.options.Advertised = append(k.options.Advertised, d.address())
	}
	if err := k.start(ctx); err != nil {
		return nil, err
	}
	return k, k.connect()
}

// connect opens the doors and the run's own client.
func (k *cluster) connect() error {
	listeners, err := k.instance.Listeners()
	if err != nil {
		return err
	}
	for i, d := range k.doors {
		d.leadTo(listeners["PROXIED"][i])
	}
	k.client, err = kgo.NewClient(kgo.SeedBrokers(k.direct...), kgo.ProducerBatchMaxBytes(8<<20), kgo.MetadataMinAge(100*time.Millisecond),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.ClientID("chaos-writer"))
	if err != nil {
		return err
	}
	k.admin = kadm.NewClient(k.client)
	return nil
}

// proxied are the addresses of the cluster for the instances.
func (k *cluster) proxied() []string { return k.options.Advertised }

func (k *cluster) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, kafkaTimeout)
	defer cancel()
	addrs, err := k.instance.Start(ctx, k.root, k.options)
	if err != nil {
		return err
	}
	k.direct, k.options.KeepData = addrs, true
	return nil
}

// kill ends a broker, counted from 1, as a crash would.
func (k *cluster) kill(ctx context.Context, broker int) error {
	pid, err := k.instance.PID(broker)
	if err != nil {
		return err
	}
	if pid == 0 {
		return fmt.Errorf("broker %d does not run", broker)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill broker %d: %w", broker, err)
	}
	for {
		if pid, err = k.instance.PID(broker); err != nil || pid == 0 {
			return err
		}
		if !pause(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// restart starts a broker that was killed on its data, and waits until nothing depends on the others alone any more.
func (k *cluster) restart(ctx context.Context, broker int) error {
	if len(k.doors) == 1 {
		return k.start(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, kafkaTimeout)
	defer cancel()
	if err := k.instance.StartNode(ctx, k.root, broker, k.options); err != nil {
		return err
	}
	return k.awaitInSync(ctx)
}

// awaitInSync waits until all replicas of all partitions are in sync, so that another broker may fail.
func (k *cluster) awaitInSync(ctx context.Context) error {
	for {
		behind, err := k.behind(ctx)
		if err == nil && behind == 0 {
			return nil
		}
		if !pause(ctx, 200*time.Millisecond) {
			return fmt.Errorf("%d partitions have replicas that are behind: %w", behind, errors.Join(err, ctx.Err()))
		}
	}
}

func (k *cluster) behind(ctx context.Context) (n int, err error) {
	topics, err := k.admin.ListTopicsWithInternal(ctx)
	for _, t := range topics {
		for _, p := range t.Partitions {
			if len(p.ISR) < len(p.Replicas) {
				n++
			}
		}
	}
	return n, err
}

// lead makes a broker the leader of all partitions, or of those of some topics.
func (k *cluster) lead(ctx context.Context, broker int, names ...string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	topics, err := k.admin.ListTopicsWithInternal(ctx, names...)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	var moves kadm.AlterPartitionAssignmentsReq
	var set kadm.TopicsSet
	topics.EachPartition(func(p kadm.PartitionDetail) {
		moves.Assign(p.Topic, p.Partition, leaderFirst(p.Replicas, int32(broker)))
		set.Add(p.Topic, p.Partition)
	})
	answers, err := k.admin.AlterPartitionAssignments(ctx, moves)
	if err == nil {
		err = answers.Error()
	}
	if err != nil {
		return fmt.Errorf("prefer broker %d as leader: %w", broker, err)
	}
	return k.elect(ctx, broker, set)
}

// elect asks for the preferred leaders until they lead.
func (k *cluster) elect(ctx context.Context, broker int, set kadm.TopicsSet) error {
	for {
		if _, err := k.admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, set); err != nil {
			return fmt.Errorf("elect leaders: %w", err)
		}
		topics, err := k.admin.ListTopicsWithInternal(ctx, set.Topics()...)
		others := 0
		topics.EachPartition(func(p kadm.PartitionDetail) {
			if p.Leader != int32(broker) {
				others++
			}
		})
		if err == nil && others == 0 {
			return nil
		}
		if !pause(ctx, 200*time.Millisecond) {
			return fmt.Errorf("broker %d does not lead %d partitions that it should: %w", broker, others, errors.Join(err, ctx.Err()))
		}
	}
}

// leaderFirst are the same replicas, in an order that prefers one of them as leader.
func leaderFirst(replicas []int32, leader int32) []int32 {
	at := max(slices.Index(replicas, leader), 0)
	return slices.Concat(replicas[at:], replicas[:at])
}

func (k *cluster) close() error {
	if k.client != nil {
		k.client.Close()
	}
	return k.instance.Stop(15 * time.Second)
}

// createLegacy creates the legacy topics.
func (k *cluster) createLegacy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	created, err := k.admin.CreateTopics(ctx, legacyPartitions, int16(len(k.doors)), nil, legacyTopics()...)
	if err == nil {
		err = created.Error()
	}
	if err != nil {
		return fmt.Errorf("create legacy topics: %w", err)
	}
	return nil
}

// stampSlim makes the slim topics tell the order in which the broker appended to them.
func (k *cluster) stampSlim(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	value := "LogAppendTime"
	altered, err := k.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "message.timestamp.type", Value: &value}}, slimTopics()...)
	if err != nil {
		return fmt.Errorf("configure slim topics: %w", err)
	}
	for _, a := range altered {
		if a.Err != nil {
			return fmt.Errorf("configure slim topics: %w", a.Err)
		}
	}
	return nil
}

// ends is the sum of the ends of some topics.
func (k *cluster) ends(ctx context.Context, names ...string) (sum int64, err error) {
	listed, err := k.admin.ListEndOffsets(ctx, names...)
	if err == nil {
		err = listed.Error()
	}
	listed.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	return sum, err
}

// lag is what the deployment has not committed.
type lag struct {
	legacy int64 // legacy records
	inside int64 // records of its own topics
}

func (k *cluster) lag(ctx context.Context) (l lag, err error) {
	source, state := topics().Groups()
	fetched := k.admin.FetchManyOffsets(ctx, append(source, state...)...)
	committed := map[string]map[int32]int64{}
	for _, name := range legacyTopics() {
		committed[name] = map[int32]int64{}
	}
	for _, g := range fetched {
		if g.Err != nil {
			return l, g.Err
		}
		g.Fetched.Each(func(o kadm.OffsetResponse) {
			if committed[o.Topic] == nil {
				committed[o.Topic] = map[int32]int64{}
			}
			committed[o.Topic][o.Partition] = max(o.At, 0)
		})
	}
	listed, err := k.admin.ListEndOffsets(ctx, slices.Collect(maps.Keys(committed))...)
	if err == nil {
		err = listed.Error()
	}
	listed.Each(func(o kadm.ListedOffset) {
		left := o.Offset - committed[o.Topic][o.Partition]
		if slices.Contains(legacyTopics(), o.Topic) {
			l.legacy += left
		} else {
			l.inside += left
		}
	})
	return l, err
}

// hasMember tells whether a client is a member of the group that emits, and the group is settled.
func (k *cluster) hasMember(ctx context.Context, client string) bool {
	_, state := topics().Groups()
	groups, err := k.admin.DescribeGroups(ctx, state...)
	if err != nil {
		return false
	}
	for _, g := range groups {
		if g.State != "Stable" || !slices.ContainsFunc(g.Members, func(m kadm.DescribedGroupMember) bool { return m.ClientID == client }) {
			return false
		}
	}
	return len(groups) == len(state)
}

// program is a command of the bridge that sees nothing of the settings of whoever runs the suite: it refuses variables
// that are none of its keys, and obeys those that are.
func program(ctx context.Context, binary string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, config.EnvPrefix) })
	return cmd
}

func writeFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
