package main

import (
	"encoding/json"
	"os"
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
		"vibe-bridge acls --config deploy/bridge.example.yaml --principal User:vibe-app --for consume --group vibe-app",
	} {
		args := strings.Fields(strings.Replace(line, "deploy/", "../../deploy/", 1))[1:]
		want := "$ " + line + "\n" + mustRun(t, args...).stdout
		if !strings.Contains(string(page), want) {
			t.Errorf("%s lacks\n%s", securityPage, want)
		}
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
