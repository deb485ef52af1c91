package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

const securityPage = "../../docs/security.md"

// The page has what the program prints for the configuration that explains all keys.
func TestSecurityPageHasTheRights(t *testing.T) {
	page, err := os.ReadFile(securityPage)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"vibe-bridge acls --config deploy/bridge.example.yaml --principal User:bridge",
		"vibe-bridge acls --config deploy/bridge.example.yaml --principal User:compare --for compare",
		"vibe-bridge acls --config deploy/bridge.example.yaml --principal User:vibe-app --for consume --group vibe-app",
	} {
		args := strings.Fields(strings.Replace(line, "deploy/", "../../deploy/", 1))[1:]
		want := "$ " + line + "\n" + mustRun(t, args...).stdout
		if !strings.Contains(string(page), want) {
			t.Errorf("%s lacks\n%s", securityPage, want)
		}
	}
}

// Commands that Kafka would not accept are not printed.
func TestACLsOfNoPrincipal(t *testing.T) {
	for principal, want := range map[string]string{
		"app": "want TYPE:NAME, such as User:app\n", ":bridge": "such as User:bridge\n", "User:": "such as User:bridge\n", ":": "such as User:bridge\n",
	} {
		r := runCommand("acls", "--config", "../../deploy/bridge.example.yaml", "--principal", principal)
		if r.code != codeRefused || r.stdout != "" || !strings.Contains(r.stderr, want) {
			t.Errorf("%q: exit code %d: %s%s", principal, r.code, r.stdout, r.stderr)
		}
	}
	if r := mustRun(t, "acls", "--config", "../../deploy/bridge.example.yaml", "--principal", "User:CN=bridge,O=Example: Ltd"); !strings.Contains(r.stdout, "'User:CN=bridge,O=Example: Ltd'") {
		t.Errorf("a name with everything: %s", r.stdout)
	}
}

// Rights are for what is asked for, and for nothing more: who only looks writes nothing, and an instance creates nothing.
func TestACLsByPurpose(t *testing.T) {
	const path = "../../deploy/bridge.example.yaml"
	rights := func(more ...string) (all []kafka.Right) {
		r := mustRun(t, append([]string{"acls", "--json", "--config", path}, more...)...)
		if err := json.Unmarshal([]byte(r.stdout), &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	for _, c := range []struct {
		flags   []string
		allowed string // operations by cluster
	}{
		{nil, "source:Read state:DescribeConfigs,Read,Write target:DescribeConfigs,Write"},
		{[]string{"--for", "topics"}, "source:Describe state:Create,Describe,DescribeConfigs target:Create,Describe,DescribeConfigs"},
		{[]string{"--for", "look"}, "source:Describe,DescribeConfigs,Read state:Describe,DescribeConfigs,Read target:DescribeConfigs,Read"},
		{[]string{"--for", "act"}, "source:Describe,DescribeConfigs,Read state:Describe,DescribeConfigs,Read,Write target:DescribeConfigs,Read"},
		{[]string{"--for", "compare"}, "source:DescribeConfigs,Read state:DescribeConfigs,Read,Write target:DescribeConfigs,Read"},
		{[]string{"--for", "compare", "--create-topics"}, "source:DescribeConfigs,Read state:Create,DescribeConfigs,Read,Write target:DescribeConfigs,Read"},
		{[]string{"--for", "consume", "--group", "g"}, "target:Read"},
	} {
		found := map[string]map[string]bool{}
		for _, r := range rights(c.flags...) {
			if found[r.Cluster] == nil {
				found[r.Cluster] = map[string]bool{}
			}
			found[r.Cluster][string(r.Operation)] = true
		}
		for _, part := range strings.Fields(c.allowed) {
			cluster, operations, _ := strings.Cut(part, ":")
			for _, o := range strings.Split(operations, ",") {
				if !found[cluster][o] {
					t.Errorf("acls %q has not %s on the %s cluster", c.flags, o, cluster)
				}
				delete(found[cluster], o)
			}
			if len(found[cluster]) > 0 {
				t.Errorf("acls %q has %v on the %s cluster as well", c.flags, found[cluster], cluster)
			}
			delete(found, cluster)
		}
		if len(found) > 0 {
			t.Errorf("acls %q has %v as well", c.flags, found)
		}
	}
}

// The comparison's own topics: an instance of it does not read what is for others to read, and creates only when it is told to;
// who looks changes nothing; an instance of the bridge reads the results alone. Against slim topics, these are read.
func TestACLsOfTheComparison(t *testing.T) {
	const path = "../../deploy/bridge.example.yaml"
	slim := filepath.Join(t.TempDir(), "slim.yaml")
	must(t, os.WriteFile(slim, []byte(`name: vibe-bridge
source: {brokers: ["a:9092"]}
target: {brokers: ["b:9092"]}
state_dir: none
directory_file: none.json
compare: {against: slim, expected_file: none.yaml, other: {cluster: source, events: e2, orders: o2, refunds: r2}, baseline: {of: left, cluster: source, orders: o3}}
`), 0o600))
	for _, c := range []struct {
		flags []string
		want  map[string]string // operations by topic
	}{
		{[]string{"--config", path}, map[string]string{"vibe-bridge-compare-totals": "Read", "vibe-bridge-differences": ""}},
		{[]string{"--config", path, "--for", "compare"}, map[string]string{
			"vibe-bridge-compare-totals": "DescribeConfigs Read Write", "vibe-bridge-differences": "DescribeConfigs Write", "vibe-bridge-quarantine": "Read"}},
		{[]string{"--config", path, "--for", "compare", "--create-topics"}, map[string]string{
			"vibe-bridge-compare-totals": "Create DescribeConfigs Read Write", "vibe-bridge-differences": "Create DescribeConfigs Write"}},
		{[]string{"--config", path, "--for", "look"}, map[string]string{
			"vibe-bridge-compare-totals": "DescribeConfigs Read", "vibe-bridge-differences": "DescribeConfigs Read", "vibe-bridge-compare-rows": "Describe DescribeConfigs"}},
		{[]string{"--config", slim, "--for", "look"}, map[string]string{"o2": "DescribeConfigs Read", "o3": "DescribeConfigs Read"}},
		{[]string{"--config", slim, "--for", "compare"}, map[string]string{"o2": "DescribeConfigs Read", "o3": "", "orders_done": "", "vibe-bridge-quarantine": "Read"}},
	} {
		r := mustRun(t, append([]string{"acls", "--json"}, c.flags...)...)
		var rights []kafka.Right
		must(t, json.Unmarshal([]byte(r.stdout), &rights))
		for topic, want := range c.want {
			var operations []string
			for _, right := range rights {
				if right.Name == topic && right.Resource == kafka.TopicResource {
					operations = append(operations, string(right.Operation))
				}
			}
			if got := strings.Join(operations, " "); got != want {
				t.Errorf("acls %q: on %s %q, want %q", c.flags, topic, got, want)
			}
		}
	}
}

// What cannot be printed is refused with what is wanted.
func TestACLsRefuses(t *testing.T) {
	const path = "../../deploy/bridge.example.yaml"
	for _, c := range []struct {
		flags []string
		says  string
	}{
		{[]string{"--for", "everything"}, `--for "everything": want one of run, topics, look, act, compare, consume`},
		{[]string{"--for", "consume"}, "--group is for --for consume"},
		{[]string{"--group", "g"}, "--group is for --for consume"},
		{[]string{"--create-topics"}, "--create-topics is for --for compare"},
		{nil, "want --principal"},
	} {
		if r := runCommand(append([]string{"acls", "--config", path}, c.flags...)...); r.code != codeRefused || !strings.Contains(r.stderr, c.says) {
			t.Errorf("acls %q: exit code %d, %q, want %q", c.flags, r.code, r.stderr, c.says)
		}
	}
}

func TestQuoted(t *testing.T) {
	for word, want := range map[string]string{"vibe-bridge": "vibe-bridge", "User:CN=b,O=x": "User:CN=b,O=x", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "$x": "'$x'"} {
		if got := quoted(word); got != want {
			t.Errorf("quoted(%q) = %s, want %s", word, got, want)
		}
	}
}
