package kafka

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

func testAdmin(t *testing.T, tg kafkatest.Target) *Admin {
	t.Helper()
	a, err := NewAdmin(Cluster{Brokers: tg.Addrs, Replication: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// testSpecs are a table and a stream with the settings that the bridge's topics have.
func testSpecs(tg kafkatest.Target) []TopicSpec {
	return []TopicSpec{
		{Name: tg.Topic("table"), Cluster: StateCluster, Partitions: 2, Replication: 1, Purpose: "a table", Config: map[string]string{
			"cleanup.policy": "compact", "min.compaction.lag.ms": "60000", "min.insync.replicas": "1", "max.message.bytes": "8388608"}},
		{Name: tg.Topic("stream"), Cluster: TargetCluster, Partitions: 3, Replication: 1, Config: map[string]string{
			"cleanup.policy": "delete", "retention.ms": "604800000", "message.timestamp.type": "CreateTime"}},
	}
}

func mustPlan(t *testing.T, a *Admin, specs []TopicSpec) Plan {
	t.Helper()
	p, err := a.Plan(specs)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func exists(t *testing.T, a *Admin, name string) bool {
	t.Helper()
	infos, err := a.Describe([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	return infos[name].Exists
}

func TestCreateTopics(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		t.Parallel()
		a := testAdmin(t, tg)
		specs := testSpecs(tg)
		created, err := a.Create(t.Context(), mustPlan(t, a, specs))
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{specs[0].Name, specs[1].Name}; !slices.Equal(created, want) {
			t.Errorf("created %q, want %q", created, want)
		}
		infos, err := a.Describe([]string{specs[0].Name, specs[1].Name, tg.Topic("none")})
		if err != nil {
			t.Fatal(err)
		}
		table, stream := infos[specs[0].Name], infos[specs[1].Name]
		if !table.Exists || table.Partitions != 2 || table.Replication != 1 || table.Config["cleanup.policy"] != "compact" {
			t.Errorf("table: %+v", table)
		}
		if len(table.ID) != 22 || table.ID == stream.ID {
			t.Errorf("ids %q and %q: want different ones of 22 characters", table.ID, stream.ID)
		}
		if infos[tg.Topic("none")].Exists {
			t.Error("a topic that nobody created exists")
		}
		again := mustPlan(t, a, specs)
		if err := again.Mismatch(); err != nil || len(again.Missing()) != 0 {
			t.Errorf("second plan: %v, missing %v", err, again.Missing())
		}
		created, err = a.Create(t.Context(), again)
		if err != nil || len(created) != 0 {
			t.Errorf("second creation: %q, %v", created, err)
		}
		if err := a.Delete(t.Context(), []string{specs[0].Name, tg.Topic("none")}); err != nil {
			t.Fatal(err)
		}
		if exists(t, a, specs[0].Name) {
			t.Error("a deleted topic exists")
		}
	})
}

func TestCreateNothingBesideAMismatch(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		t.Parallel()
		a := testAdmin(t, tg)
		specs := testSpecs(tg)
		kafkatest.CreateTopic(t, tg.Addrs, specs[1].Name, 5, map[string]string{"cleanup.policy": "compact"})
		p := mustPlan(t, a, specs)
		created, err := a.Create(t.Context(), p)
		var mismatch *MismatchError
		if !errors.As(err, &mismatch) || len(created) != 0 {
			t.Fatalf("created %q, error %v; want a mismatch", created, err)
		}
		wantError(t, err, []string{specs[1].Name, "has 5 partitions, want 3", "cleanup.policy=compact, want delete"})
		if exists(t, a, specs[0].Name) {
			t.Error("a topic was created beside a mismatch")
		}
	})
}

func TestCreateNothingBesideARefusal(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		t.Parallel()
		a := testAdmin(t, tg)
		specs := testSpecs(tg)
		specs[1].Replication = 3 // both targets have one broker
		created, err := a.Create(t.Context(), mustPlan(t, a, specs))
		if !errors.Is(err, sarama.ErrInvalidReplicationFactor) || len(created) != 0 {
			t.Fatalf("created %q, error %v", created, err)
		}
		wantError(t, err, []string{"nothing was created", specs[1].Name})
		if text := Explain(err); !strings.Contains(text, "replication: 1") || strings.Contains(text, "\n") {
			t.Errorf("explained as %q", text)
		}
		if exists(t, a, specs[0].Name) {
			t.Error("a topic was created beside a refused one")
		}
	})
}

func TestCreateNothingOnAnyClusterBesideAMismatch(t *testing.T) {
	state, target := kafkatest.Embedded(t, embedded.Options{}), kafkatest.Embedded(t, embedded.Options{})
	admins := Admins{StateCluster: testAdmin(t, state), TargetCluster: testAdmin(t, target)}
	specs := testSpecs(state)
	kafkatest.CreateTopic(t, target.Addrs, specs[1].Name, 1, nil)
	// A topic of the same name on the other cluster has nothing to do with it.
	kafkatest.CreateTopic(t, state.Addrs, specs[1].Name, 3, specs[1].Config)
	p, err := admins.Plan(specs)
	if err != nil {
		t.Fatal(err)
	}
	if p.Topics[0].Action != ActionCreate || p.Topics[1].Action != ActionMismatch {
		t.Errorf("plan: %+v", p.Topics)
	}
	if _, err := admins.Create(t.Context(), p); err == nil {
		t.Error("no error")
	}
	if exists(t, admins[StateCluster], specs[0].Name) {
		t.Error("a topic was created beside another cluster's mismatch")
	}

	specs[0].Cluster = "elsewhere"
	_, err = admins.Plan(specs)
	wantError(t, err, []string{`no cluster named "elsewhere"`})
}

func TestCreateGoesOnAfterAFailure(t *testing.T) {
	tg := kafkatest.Embedded(t, embedded.Options{Brokers: 3})
	a := testAdmin(t, tg)
	specs := testSpecs(tg)
	fail := true
	tg.Embedded.Cluster().ControlKey(int16(kmsg.CreateTopics), func(req kmsg.Request) (kmsg.Response, error, bool) {
		tg.Embedded.Cluster().KeepControl()
		r := req.(*kmsg.CreateTopicsRequest)
		if r.ValidateOnly || r.Topics[0].Topic != specs[1].Name || !fail {
			return nil, nil, false
		}
		fail = false
		resp := r.ResponseKind().(*kmsg.CreateTopicsResponse)
		topic := kmsg.NewCreateTopicsResponseTopic()
		topic.Topic, topic.ErrorCode = r.Topics[0].Topic, kerr.PolicyViolation.Code
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	created, err := a.Create(t.Context(), mustPlan(t, a, specs))
	if !errors.Is(err, sarama.ErrPolicyViolation) || !slices.Equal(created, []string{specs[0].Name}) {
		t.Fatalf("created %q, error %v", created, err)
	}
	wantError(t, err, []string{specs[1].Name, "left in place: " + specs[0].Name})
	created, err = a.Create(t.Context(), mustPlan(t, a, specs))
	if err != nil || !slices.Equal(created, []string{specs[1].Name}) {
		t.Errorf("second try: created %q, error %v", created, err)
	}
}

// Two instances that start at the same time both plan to create; whoever comes second finds the topics there.
func TestCreateAtTheSameTime(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		t.Parallel()
		a, b := testAdmin(t, tg), testAdmin(t, tg)
		specs := testSpecs(tg)
		plan := mustPlan(t, a, specs)
		var wg sync.WaitGroup
		for _, admin := range []*Admin{a, b} {
			wg.Go(func() {
				if _, err := admin.Create(context.Background(), plan); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()

		other := append([]TopicSpec{{Name: tg.Topic("new"), Cluster: StateCluster, Partitions: 1, Replication: 1}}, specs...)
		other[1].Partitions = 7
		_, err := b.Create(t.Context(), PlanTopics(other, nil)) // planned before the topics were there
		wantError(t, err, []string{"nothing was created", "has 2 partitions, want 7"})
		if exists(t, b, other[0].Name) {
			t.Error("a topic was created beside a mismatch that came up after the plan")
		}
	})
}

func TestDescribeWithoutRights(t *testing.T) {
	allow := func(resource kmsg.ACLResourceType, name string, op kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: resource, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true}
	}
	tg := kafkatest.Embedded(t, embedded.Options{More: []kfake.Opt{
		kfake.EnableACLs(), kfake.EnableSASL(),
		kfake.SeedTopics(2, "readable", "hidden"),
		kfake.User("PLAIN", testUser, testPassword, allow(kmsg.ACLResourceTypeTopic, "readable", kmsg.ACLOperationDescribe)),
	}})
	a, err := NewAdmin(Cluster{Brokers: tg.Addrs, Security: Security{Protocol: SASLPlaintext, SASL: login(t, MechanismPlain, testPassword)}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	infos, err := a.Describe([]string{"readable"})
	if err != nil || !infos["readable"].Exists || infos["readable"].Config != nil {
		t.Errorf("a topic without DescribeConfigs: %+v, %v", infos, err)
	}
	if _, err = a.Describe([]string{"hidden"}); !errors.Is(err, sarama.ErrTopicAuthorizationFailed) {
		t.Errorf("a topic without Describe: %v", err)
	}
	_, err = a.Create(t.Context(), mustPlan(t, a, []TopicSpec{{Name: "readable", Cluster: StateCluster, Partitions: 2, Config: map[string]string{"cleanup.policy": "compact"}}}))
	wantError(t, err, []string{"DescribeConfigs"})
}

// Create returns when every broker shows the topic with its leaders, not only the one that was asked to create it.
func TestCreateWaitsForAllBrokers(t *testing.T) {
	tg := kafkatest.Embedded(t, embedded.Options{Brokers: 3})
	a := testAdmin(t, tg)
	specs := testSpecs(tg)[:1]
	plan := mustPlan(t, a, specs)
	var slow []*kfake.FaultHandle
	const polls = 3
	for node := range int32(3) {
		slow = append(slow, tg.Embedded.Cluster().Fault(kfake.Fault{
			Keys: []kmsg.Key{kmsg.Metadata}, Nodes: []int32{node}, Topic: specs[0].Name, Partitions: []int32{1}, Err: kerr.LeaderNotAvailable, Count: polls,
		}))
	}
	if _, err := a.Create(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	for node, f := range slow {
		if f.Hits() < polls {
			t.Errorf("broker %d was asked %d times before the topic was taken for visible, want %d", node, f.Hits(), polls)
		}
	}
}

func TestCreateStopsWaiting(t *testing.T) {
	tg := kafkatest.Embedded(t, embedded.Options{})
	a := testAdmin(t, tg)
	specs := testSpecs(tg)[:1]
	plan := mustPlan(t, a, specs)
	tg.Embedded.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: specs[0].Name, Err: kerr.LeaderNotAvailable, Count: -1})
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("the test's limit"))
	defer cancel()
	created, err := a.Create(ctx, plan)
	wantError(t, err, []string{"the test's limit", "see the new topics", "left in place: " + specs[0].Name})
	if len(created) != 1 {
		t.Errorf("created %q", created)
	}
}
