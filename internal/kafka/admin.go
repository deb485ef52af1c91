package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// Admin looks at and creates topics of one cluster. It is safe for concurrent use. Close it.
type Admin struct {
	client  sarama.Client
	admin   sarama.ClusterAdmin
	cluster Cluster
	wire    *Wire
	heart   heart
}

// visibleTimeout bounds the wait until all brokers show a topic that was just created.
const visibleTimeout = 30 * time.Second

// NewAdmin connects and logs in. Its error is said as ConnectError says it.
func NewAdmin(c Cluster) (*Admin, error) { return NewAdminOver(nil, c) }

// NewAdminOver is NewAdmin for a client that belongs to an instance; nil is no wire.
func NewAdminOver(w *Wire, c Cluster) (*Admin, error) {
	cfg, err := c.AdminConfig(ClientOptions{Wire: w})
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	client, err := sarama.NewClient(c.Brokers, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	return &Admin{client: client, admin: admin, cluster: c, wire: w}, nil
}

// Close ends the connections.
func (a *Admin) Close() error {
	a.heart.close()
	return a.admin.Close()
}

// Describe returns what the cluster has of the topics, by name; a topic that does not exist is there with
// Exists false. A topic that the user may not describe looks like one that does not exist, by Kafka's design.
func (a *Admin) Describe(names []string) (map[string]TopicInfo, error) {
	if len(names) == 0 {
		return map[string]TopicInfo{}, nil // an empty request would mean all topics
	}
	// Brokers learn of a new topic one after the other: the one that is asked for settings may not know it yet.
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for try := 1; ; try++ {
		infos, err := a.describe(names)
		if err == nil || !errors.Is(err, sarama.ErrUnknownTopicOrPartition) || try == describeTries {
			return infos, err
		}
		<-tick.C
	}
}

const describeTries = 30

func (a *Admin) describe(names []string) (map[string]TopicInfo, error) {
	metadata, err := a.admin.DescribeTopics(names)
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", err)
	}
	infos := make(map[string]TopicInfo, len(names))
	var existing []string
	for _, m := range metadata {
		info, err := topicInfo(m)
		if err != nil {
			return nil, fmt.Errorf("describe topic %s: %w", m.Name, err)
		}
		info.Brokers = a.cluster.Brokers
		infos[m.Name] = info
		if info.Exists {
			existing = append(existing, m.Name)
		}
	}
	configs, err := a.configs(existing)
	if err != nil {
		return nil, err
	}
	for name, config := range configs {
		info := infos[name]
		info.Config = config
		infos[name] = info
	}
	return infos, nil
}

func topicInfo(m *sarama.TopicMetadata) (TopicInfo, error) {
	switch {
	case errors.Is(m.Err, sarama.ErrUnknownTopicOrPartition):
		return TopicInfo{}, nil
	case errors.Is(m.Err, sarama.ErrNoError), errors.Is(m.Err, sarama.ErrLeaderNotAvailable):
	default:
		return TopicInfo{}, m.Err
	}
	info := TopicInfo{Exists: true, Partitions: int32(len(m.Partitions))}
	for i, p := range m.Partitions {
		if n := int16(len(p.Replicas)); i == 0 || n < info.Replication {
			info.Replication = n
		}
	}
	if m.Uuid != (sarama.Uuid{}) {
		info.ID = m.Uuid.String()
	}
	return info, nil
}

// configs reads the settings of existing topics. Those that the user may not read are left out.
func (a *Admin) configs(names []string) (map[string]map[string]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	var resources []*sarama.ConfigResource
	for _, n := range names {
		resources = append(resources, &sarama.ConfigResource{Type: sarama.TopicResource, Name: n})
	}
	results, err := a.admin.DescribeConfigs(resources, sarama.DescribeConfigsOptions{})
	if err != nil {
		return nil, fmt.Errorf("read the settings of topics: %w", err)
	}
	all := make(map[string]map[string]string, len(names))
	for _, r := range results {
		if errors.Is(r.ErrorCode, sarama.ErrTopicAuthorizationFailed) {
			continue
		}
		if !errors.Is(r.ErrorCode, sarama.ErrNoError) {
			return nil, fmt.Errorf("read the settings of topic %s: %w", r.Name, r.ErrorCode)
		}
		config := make(map[string]string, len(r.Configs))
		for _, e := range r.Configs {
			config[e.Name] = e.Value
		}
		all[r.Name] = config
	}
	return all, nil
}

// Plan describes the topics and compares, whatever cluster the specs name.
func (a *Admin) Plan(specs []TopicSpec) (Plan, error) {
	var names []string
	for _, s := range specs {
		names = append(names, s.Name)
	}
	found, err := a.Describe(names)
	if err != nil {
		return Plan{}, err
	}
	return PlanTopics(specs, found), nil
}

// Create creates the plan's missing topics and waits until every broker shows them with a leader for
// each partition. See Admins.Create for what happens on an error.
func (a *Admin) Create(ctx context.Context, p Plan) (created []string, err error) {
	admins := Admins{}
	for _, t := range p.Topics {
		admins[t.Cluster] = a
	}
	return admins.Create(ctx, p)
}

// validate has the cluster check the creation of a topic without doing it.
func (a *Admin) validate(s TopicSpec) error {
	const validateOnly = true
	if err := a.admin.CreateTopic(s.Name, detail(s), validateOnly); err != nil {
		return fmt.Errorf("create topic %s: the %s cluster would refuse: %w", s.Name, s.Cluster, plainTopicError(err))
	}
	return nil
}

func (a *Admin) create(s TopicSpec) error {
	const validateOnly = false
	err := a.admin.CreateTopic(s.Name, detail(s), validateOnly)
	if err != nil {
		return fmt.Errorf("create topic %s on the %s cluster: %w", s.Name, s.Cluster, plainTopicError(err))
	}
	return nil
}

func detail(s TopicSpec) *sarama.TopicDetail {
	d := &sarama.TopicDetail{NumPartitions: s.Partitions, ReplicationFactor: s.Replication, ConfigEntries: map[string]*string{}}
	for k, v := range s.Config {
		d.ConfigEntries[k] = &v
	}
	return d
}

// plainTopicError puts what the broker wrote in front of the error's number, which errors.Is still finds.
func plainTopicError(err error) error {
	var te *sarama.TopicError
	if !errors.As(err, &te) {
		return err
	}
	if te.ErrMsg == nil || *te.ErrMsg == "" {
		return te.Err
	}
	return fmt.Errorf("%s: %w", strings.TrimSuffix(*te.ErrMsg, "."), te.Err)
}

// Delete deletes topics; one that does not exist is no error. It returns when no broker shows them any more.
// All records are lost: only commands that say so, and tests, call it.
func (a *Admin) Delete(ctx context.Context, names []string) error {
	for _, n := range names {
		err := a.admin.DeleteTopic(n)
		if err != nil && !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
			return fmt.Errorf("delete topic %s: %w", n, err)
		}
	}
	return a.await(ctx, "see the deletion of topics", func(b *sarama.Broker) (bool, error) {
		topics, err := a.metadata(b, names)
		if err != nil {
			return false, err
		}
		for _, t := range topics {
			if !errors.Is(t.Err, sarama.ErrUnknownTopicOrPartition) {
				return false, nil
			}
		}
		return true, nil
	})
}

// awaitVisible waits until all brokers that answer show the topics with all their partitions' leaders.
func (a *Admin) awaitVisible(ctx context.Context, specs []TopicSpec) error {
	var names []string
	for _, s := range specs {
		names = append(names, s.Name)
	}
	return a.await(ctx, "see the new topics", func(b *sarama.Broker) (bool, error) {
		topics, err := a.metadata(b, names)
		if err != nil {
			return false, err
		}
		return !slices.ContainsFunc(topics, func(t *sarama.TopicMetadata) bool { return !usable(t) }), nil
	})
}

func usable(t *sarama.TopicMetadata) bool {
	if !errors.Is(t.Err, sarama.ErrNoError) || len(t.Partitions) == 0 {
		return false
	}
	return !slices.ContainsFunc(t.Partitions, func(p *sarama.PartitionMetadata) bool {
		return !errors.Is(p.Err, sarama.ErrNoError) || p.Leader < 0
	})
}

func (a *Admin) metadata(b *sarama.Broker, names []string) ([]*sarama.TopicMetadata, error) {
	r, err := b.GetMetadata(sarama.NewMetadataRequest(a.client.Config().Version, names))
	if err != nil {
		return nil, err
	}
	return r.Topics, nil
}

// await polls done on every broker of the cluster until it holds on all, at most visibleTimeout.
func (a *Admin) await(ctx context.Context, what string, done func(*sarama.Broker) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, visibleTimeout, fmt.Errorf("not within %s", visibleTimeout))
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := a.onAll(done)
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("wait until all brokers %s: %w", what, context.Cause(ctx)), err)
		case <-tick.C:
		}
	}
}

// onAll asks every broker that metadata lists. A broker that is down is left out as soon as the cluster no longer lists it.
func (a *Admin) onAll(done func(*sarama.Broker) (bool, error)) (bool, error) {
	brokers, _, err := a.admin.DescribeCluster()
	if err != nil {
		return false, err
	}
	for _, listed := range brokers {
		b, err := a.client.Broker(listed.ID())
		if errors.Is(err, sarama.ErrBrokerNotFound) { // joined since the client's last look
			err = a.client.RefreshMetadata()
		}
		if err != nil {
			return false, err
		}
		if b == nil {
			return false, nil
		}
		ok, err := done(b)
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}
