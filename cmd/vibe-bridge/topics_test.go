package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ticketscloud/vibe-bridge/compare/live"
	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// actions are the first words of a plan's lines, by topic.
func actions(t *testing.T, plan string) map[string]string {
	t.Helper()
	table, _, _ := strings.Cut(plan, "\n\n")
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if !strings.HasPrefix(lines[0], "ACTION ") {
		t.Fatalf("no table: %q", plan)
	}
	found := map[string]string{}
	for _, line := range lines[1:] {
		fields := strings.Fields(line)
		found[fields[1]+" "+fields[2]] = fields[0]
	}
	return found
}

// all counts the topics with each action.
func all(actions map[string]string) map[string]int {
	n := map[string]int{}
	for _, action := range actions {
		n[action]++
	}
	return n
}

func TestTopics(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.source.seen.forget()
	plan := execute(t, nil, "topics", "plan", "--config", d.config)
	if got := all(actions(t, plan.stdout)); plan.code != codeOK || plan.stderr != "" || got["ok"] != 4 || got["create"] != 16 || len(got) != 2 {
		t.Errorf("exit code %d: %s%s", plan.code, plan.stdout, plan.stderr)
	}
	if len(d.target.topics(t)) != 0 {
		t.Error("a plan creates topics")
	}

	created := execute(t, nil, "topics", "create", "--config", d.config)
	lines := strings.Split(strings.TrimSpace(created.stdout), "\n")
	if created.code != codeOK || created.stderr != "" || len(lines) != 17 || lines[0] != "created trial-partners" || lines[16] != "16 topics created, 4 were there" {
		t.Errorf("exit code %d: %s%s", created.code, created.stdout, created.stderr)
	}
	want := map[string]int{"trial-identity": 1, "trial-control": 1, "events": testSlimPartitions, "orders": testSlimPartitions, "refunds": testSlimPartitions}
	for _, name := range []string{"partners", "events", "orders", "refunds", "memberships", "organizers", "organizers-loop", "organizers-table", "gate-loop", "gate-table", "quarantine"} {
		want["trial-"+name] = testPartitions
	}
	if got := d.target.topics(t); !maps.Equal(got, want) {
		t.Errorf("created %v\nwant    %v", got, want)
	}
	if seen := d.source.seen.names(); len(seen) != 0 {
		t.Errorf("the source is to be read only: %v", seen)
	}

	again := execute(t, nil, "topics", "create", "--config", d.config)
	if again.code != codeOK || again.stdout != "0 topics created, 20 were there\n" {
		t.Errorf("exit code %d: %s%s", again.code, again.stdout, again.stderr)
	}
	plan = execute(t, nil, "topics", "plan", "--config", d.config)
	if got := all(actions(t, plan.stdout)); plan.code != codeOK || got["ok"] != 20 || strings.Contains(plan.stdout, "\n\n") {
		t.Errorf("exit code %d: %s%s", plan.code, plan.stdout, plan.stderr)
	}
}

// With --compare, what compare run needs is there as well: it starts without creating anything.
func TestTopicsOfTheComparison(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.configure("directory_file: none.json\ncompare: {expected_file: none.yaml}\n")
	plan := execute(t, nil, "topics", "plan", "--compare", "--config", d.config)
	if got := all(actions(t, plan.stdout)); plan.code != codeOK || got["ok"] != 4 || got["create"] != 16+11 {
		t.Errorf("exit code %d: %s%s", plan.code, plan.stdout, plan.stderr)
	}
	created := execute(t, nil, "topics", "create", "--compare", "--config", d.config)
	if created.code != codeOK || !strings.HasSuffix(created.stdout, "\n27 topics created, 4 were there\n") {
		t.Errorf("exit code %d: %s%s", created.code, created.stdout, created.stderr)
	}
	c, err := config.Load(d.config, nil, nil)
	must(t, err)
	cfg, _, err := comparedOffline(c)
	must(t, err)
	must(t, live.EnsureTopics(t.Context(), cfg, false))

	if _, err := d.target.admin(t).DeleteTopics(t.Context(), "trial-differences"); err != nil {
		t.Fatal(err)
	}
	d.target.create(t, "trial-differences", testPartitions, map[string]string{"cleanup.policy": "delete"})
	plan = execute(t, nil, "topics", "plan", "--compare", "--config", d.config)
	want := "\ntrial-differences (state cluster): has cleanup.policy=delete, want compact:\n\n    kafka-configs --bootstrap-server "
	if plan.code != codeChecks || !strings.Contains(plan.stdout, want) {
		t.Errorf("exit code %d, want %q: %s%s", plan.code, want, plan.stdout, plan.stderr)
	}
	if r := execute(t, nil, "topics", "plan", "--config", d.config); r.code != codeOK {
		t.Errorf("without --compare: exit code %d: %s", r.code, r.stdout)
	}
}

// Where a deletion, or a failure in between, has left some of them.
func TestTopicsCreateCompletes(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	mustCreate(d)
	if _, err := d.target.admin(t).DeleteTopics(t.Context(), "trial-gate-loop", "refunds"); err != nil {
		t.Fatal(err)
	}
	r := execute(t, nil, "topics", "create", "--config", d.config)
	if r.code != codeOK || r.stdout != "created trial-gate-loop\ncreated refunds\n2 topics created, 18 were there\n" {
		t.Errorf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
}

// A plan shows everything that is wrong, and ends with the exit code for it.
func TestTopicsPlanOfWrongTopics(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.target.create(t, "trial-gate-loop", testPartitions+1, internalSettings(d, "trial-gate-loop"))
	d.target.create(t, "orders", testSlimPartitions, map[string]string{"cleanup.policy": "delete", "max.message.bytes": "1048576"})
	d.configure("topics: {refunds: none}\n")
	r := execute(t, nil, "topics", "plan", "--config", d.config)
	if r.code != codeChecks || r.stderr != "vibe-bridge: 3 topics are not as the bridge needs them: see below the plan's table\n" {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	got := actions(t, r.stdout)
	for topic, want := range map[string]string{
		"source none": "mismatch", "source orders_done": "ok", "state trial-gate-loop": "mismatch", "state trial-gate-table": "create",
		"target orders": "mismatch", "target events": "create",
	} {
		if got[topic] != want {
			t.Errorf("%s: %q, want %q", topic, got[topic], want)
		}
	}
	for _, want := range []string{
		`none \(source cluster\): does not exist, `,
		`trial-gate-loop \(state cluster\): has 3 partitions, want 2: `,
		`orders \(target cluster\): has cleanup\.policy=delete, want compact:\n\n    kafka-configs --bootstrap-server ` + regexp.QuoteMeta(strings.Join(d.target.Brokers, ",")) +
			` --command-config admin\.properties --alter --entity-type topics --entity-name orders --add-config cleanup\.policy=compact$`,
	} {
		if !regexp.MustCompile(`(?m)^` + want).MatchString(r.stdout) {
			t.Errorf("the plan does not say %s:\n%s", want, r.stdout)
		}
	}
	if got := d.target.topics(t); len(got) != 2 {
		t.Errorf("topics are %v", got)
	}

	d.configure("partitions: 2\n") // twice: not even a plan
	if r := execute(t, nil, "topics", "plan", "--config", d.config); r.code != codeRefused || r.stdout != "" {
		t.Errorf("exit code %d: %s", r.code, r.stdout)
	}
}

// A cluster that would refuse one topic gets none; that it would refuse them all
// is one line, too.
func TestTopicsCreateRefusedByTheCluster(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		refuse func(topic string) int16
		says   string
	}{
		"one": {
			func(topic string) int16 {
				if topic == "trial-quarantine" {
					return kerr.PolicyViolation.Code
				}
				return 0
			},
			`the cluster's create policy forbids this topic: ask its owner .* \(nothing was created: create topic trial-quarantine: the state cluster would refuse: .*\)`,
		},
		"all": {
			func(string) int16 { return kerr.InvalidReplicationFactor.Code },
			`more replicas wanted than brokers are alive: .* set replication: 1 \(nothing was created: create topic trial-partners: the state cluster would refuse: .* \(and 15 more\)\)`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDeployment(t)
			answerCreations(d.target, tt.refuse)
			r := execute(t, nil, "topics", "create", "--config", d.config)
			if r.code != codeRefused || r.stdout != "" || !regexp.MustCompile(`\Avibe-bridge: `+tt.says+`\n\z`).MatchString(r.stderr) {
				t.Errorf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
			}
			if seen := d.target.seen.names(); len(seen) != 0 {
				t.Errorf("saw %v", seen)
			}
			if got := d.target.topics(t); len(got) != 0 {
				t.Errorf("topics are %v", got)
			}
		})
	}
}

// answerCreations has the cluster refuse what it is asked to check.
func answerCreations(c cluster, refuse func(topic string) int16) {
	const createTopics = 19
	c.broker.Cluster().ControlKey(createTopics, func(request kmsg.Request) (kmsg.Response, error, bool) {
		c.broker.Cluster().KeepControl()
		creation := request.(*kmsg.CreateTopicsRequest)
		response := request.ResponseKind().(*kmsg.CreateTopicsResponse)
		refused := false
		for _, topic := range creation.Topics {
			code := refuse(topic.Topic)
			refused = refused || code != 0
			response.Topics = append(response.Topics, kmsg.CreateTopicsResponseTopic{Topic: topic.Topic, ErrorCode: code})
		}
		return response, nil, refused
	})
}

// Logins and passwords come from the environment, for both clusters.
func TestTopicsOfSecuredClusters(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.source, d.target = startSecuredCluster(t), startSecuredCluster(t)
	d.createLegacy("partners", "events", "orders_done", "refund_requests")
	d.configure("")
	r := execute(t, []string{sourcePassword + testPassword, targetPassword + testPassword}, "topics", "create", "--config", d.config)
	if r.code != codeOK || !strings.HasSuffix(r.stdout, "\n16 topics created, 4 were there\n") {
		t.Errorf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	if strings.Contains(r.stdout+r.stderr, testPassword) {
		t.Error("a password is shown")
	}
}

// Topics do not depend on the directory: whoever creates them may not have it.
func TestTopicsWithoutDirectory(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.configure("directory_file: none.json\ncategories_file: none.json\n")
	if r := execute(t, nil, "topics", "create", "--config", d.config); r.code != codeOK {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}

func TestOneClusterUnderTwoAddresses(t *testing.T) {
	const real, fake = "MkU3OEVBNTcwNTJENDM2Qg", "kfake"
	tests := []struct {
		name string
		a, b clusterIdentity
		want bool
	}{
		{"same id", clusterIdentity{real, []string{"a:1"}}, clusterIdentity{real, []string{"b:1"}}, true},
		{"other id", clusterIdentity{real, []string{"a:1"}}, clusterIdentity{real[1:] + "x", []string{"b:1"}}, false},
		{"other id at one address, as behind a tunnel", clusterIdentity{real, []string{"a:1"}}, clusterIdentity{real[1:] + "x", []string{"a:1"}}, false},
		{"made-up id", clusterIdentity{fake, []string{"a:1"}}, clusterIdentity{fake, []string{"b:1"}}, false},
		{"made-up id, shared broker", clusterIdentity{fake, []string{"a:1", "b:1"}}, clusterIdentity{fake, []string{"b:1"}}, true},
		{"no id", clusterIdentity{"", []string{"a:1"}}, clusterIdentity{"", []string{"b:1"}}, false},
		{"no id, shared broker", clusterIdentity{"", []string{"a:1"}}, clusterIdentity{"", []string{"a:1"}}, true},
	}
	for _, tt := range tests {
		if got := tt.a.is(tt.b); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestErrorsAreOneLine(t *testing.T) {
	tests := []struct{ text, want string }{
		{"one", "one"},
		{"one\ntwo", "one (and 1 more)"},
		{"one\ntwo\nthree\n", "one (and 2 more)"},
		{"2 errors occurred:\n\t* one\n\t* two", "2 errors occurred: * one (and 1 more)"},
		{"heading:", "heading:"},
	}
	for _, tt := range tests {
		if got := firstOf(tt.text); got != tt.want {
			t.Errorf("%q becomes %q, want %q", tt.text, got, tt.want)
		}
	}
	mismatch := &kafka.MismatchError{Lines: []string{"topic a: wrong", "topic b: wrong", "topic c: wrong"}}
	want := "topic a: wrong (and 2 more differences: `vibe-bridge topics plan` lists them)"
	if got := explain(refuse(mismatch)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if !slices.Equal(mismatch.Lines, []string{"topic a: wrong", "topic b: wrong", "topic c: wrong"}) {
		t.Error("the error was changed")
	}
}
