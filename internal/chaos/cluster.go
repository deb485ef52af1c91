package chaos

import (
	"bytes"
	"context"
	"fmt"
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

func slimTopics() []string {
	var names []string
	for _, s := range []mapping.Stream{mapping.Events, mapping.Orders, mapping.Refunds} {
		names = append(names, topics().Slim[s])
	}
	return names
}

// configFile is the configuration of one instance, or of a command that goes to Kafka directly.
func configFile(brokers, client, stateDir, directory string) string {
	return fmt.Sprintf(`name: %s
source: {brokers: [%q], client_id: %s}
target: {brokers: [%q], client_id: %s}
state_dir: %q
directory_file: %q
partitions: %d
replication: 1
min_insync: 1
slim: {prefix: slim-, partitions: 1}
session_timeout: %s
stop_timeout: %s
holds: {organizer: %s, set: %s}
sweep_interval: 200ms
takeover_repeat: %s
http: {listen: ""}
log: {level: info, format: text}
`, deployment, brokers, client, brokers, client, stateDir, directory, gatePartitions, sessionTimeout, stopTimeout, hold, hold, takeoverRepeat)
}

// cluster is a Kafka of the run's own.
type cluster struct {
	root     string
	instance localkafka.Instance
	options  localkafka.Options
	direct   string // address that does not lead through the proxy
	client   *kgo.Client
	admin    *kadm.Client
}

const kafkaTimeout = 2 * time.Minute

func startCluster(ctx context.Context, c Config, p *proxy) (*cluster, error) {
	k := &cluster{
		root: c.Root, instance: localkafka.Instance{Dir: filepath.Join(c.Dir, "kafka")},
		options: localkafka.Options{Advertised: p.address(), Bound: c.Bound, ExtraName: "the chaos suite",
			// The end of a member that was killed is to be seen with its session, not later.
			ExtraConfig: "group.min.session.timeout.ms=6000"},
	}
	if err := k.start(ctx); err != nil {
		return nil, err
	}
	listeners, err := k.instance.Listeners()
	if err != nil {
		return nil, err
	}
	p.leadTo(listeners["PROXIED"][0])
	k.client, err = kgo.NewClient(kgo.SeedBrokers(k.direct), kgo.ProducerBatchMaxBytes(8<<20), kgo.MetadataMinAge(100*time.Millisecond),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.ClientID("chaos-writer"))
	if err != nil {
		return nil, err
	}
	k.admin = kadm.NewClient(k.client)
	return k, nil
}

func (k *cluster) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, kafkaTimeout)
	defer cancel()
	addrs, err := k.instance.Start(ctx, k.root, k.options)
	if err != nil {
		return err
	}
	k.direct, k.options.KeepData = addrs[0], true
	return nil
}

// kill ends Kafka as a crash would.
func (k *cluster) kill(ctx context.Context) error {
	st, err := k.instance.Status()
	if err != nil {
		return err
	}
	for _, pid := range st.PIDs {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return fmt.Errorf("kill Kafka: %w", err)
		}
	}
	for {
		if st, err = k.instance.Status(); err != nil || len(st.PIDs) == 0 {
			return err
		}
		if !pause(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
}

func (k *cluster) close() error {
	if k.client != nil {
		k.client.Close()
	}
	return k.instance.Stop(15 * time.Second)
}

// createTopics creates the legacy topics, has the program create its own, and makes the slim ones tell the order in
// which the broker appended to them.
func (k *cluster) createTopics(ctx context.Context, binary, file string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	legacy := []string{season.TopicPartners, season.TopicEvents, season.TopicOrders, season.TopicRefunds}
	created, err := k.admin.CreateTopics(ctx, legacyPartitions, 1, nil, legacy...)
	if err == nil {
		err = created.Error()
	}
	if err != nil {
		return fmt.Errorf("create legacy topics: %w", err)
	}
	if out, err := program(ctx, binary, "topics", "create", "--config", file).CombinedOutput(); err != nil {
		return fmt.Errorf("topics create: %w: %s", err, bytes.TrimSpace(out))
	}
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

// unread is how many legacy records the deployment has not committed.
func (k *cluster) unread(ctx context.Context) (int64, error) {
	sum, err := k.ends(ctx, season.TopicPartners, season.TopicEvents, season.TopicOrders, season.TopicRefunds)
	if err != nil {
		return 0, err
	}
	groups, _ := topics().Groups()
	fetched := k.admin.FetchManyOffsets(ctx, groups...)
	for _, g := range fetched {
		g.Fetched.Each(func(o kadm.OffsetResponse) { sum -= max(o.At, 0) })
	}
	return sum, nil
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
