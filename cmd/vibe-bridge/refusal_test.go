package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// A refusal is a deployment with something wrong.
type refusal struct {
	name string
	// spoil changes a sound deployment whose own topics do not exist yet.
	spoil func(d *deployment)
	env   []string
	// says is the whole of standard error, without the program's name; CONFIG,
	// FOLDER, SOURCE and TARGET stand for the deployment's own.
	says string
	// only is the command that it concerns; "" is both.
	only string
	// noConfig leaves --config out.
	noConfig bool
}

const (
	sourcePassword = "VIBE_BRIDGE_SOURCE_SECURITY_SASL_PASSWORD="
	targetPassword = "VIBE_BRIDGE_TARGET_SECURITY_SASL_PASSWORD="
)

var refusals = []refusal{
	// Bad configuration.
	{
		name:  "no file of that name",
		spoil: func(d *deployment) { d.config += ".none" },
		says:  `read configuration: open CONFIG: no such file or directory`,
	},
	{
		name: "no configuration at all", noConfig: true,
		spoil: func(*deployment) {},
		says:  `configuration: 2 problems: \(1\) source\.brokers: empty: want at least one host:port \(2\) target\.brokers: empty: want at least one host:port; there is no configuration file: give it with --config`,
	},
	{
		name:  "not YAML",
		spoil: func(d *deployment) { d.write("bridge.yaml", "name: [\n") },
		says:  `read configuration: CONFIG:1: not YAML: did not find expected node content`,
	},
	{
		name:  "unknown key",
		spoil: func(d *deployment) { d.configure("slim_prefix: x-\n") },
		says:  `configuration: CONFIG:\d+: "slim_prefix": there is no such key; did you mean slim\.prefix\?`,
	},
	{
		name:  "value out of bounds",
		spoil: func(d *deployment) { d.configure("session_timeout: 5s\n") },
		says:  `configuration: CONFIG:\d+: session_timeout: 5s: want .*`,
	},
	{
		name:  "several problems",
		spoil: func(d *deployment) { d.configure("edition: 3\nsweep_interval: 5\nlog: {level: loud}\n") },
		says:  `configuration: 3 problems: \(1\) CONFIG:\d+: sweep_interval: "5": want a duration with its unit.* \(2\) CONFIG:\d+: edition: "3": want one of 1\.0, 2\.0 \(3\) CONFIG:\d+: log\.level: "loud": want one of debug, info, warn, error`,
	},
	{
		name:  "protobuf with edition 2.0",
		spoil: func(d *deployment) { d.configure("edition: \"2.0\"\nformat: protobuf\n") },
		says:  `configuration: CONFIG:\d+: format: protobuf with edition 2\.0: .* set the format to "json" or the edition to "1\.0"`,
	},
	{
		name: "unknown variable", env: []string{"VIBE_BRIDGE_EDITON=2.0"},
		spoil: func(*deployment) {},
		says:  `configuration: VIBE_BRIDGE_EDITON: there is no such variable; did you mean VIBE_BRIDGE_EDITION\?`,
	},
	{
		name: "password in the file",
		spoil: func(d *deployment) {
			d.configure("source: {brokers: [\"localhost:1\"], security: {protocol: SASL_SSL, sasl: {mechanism: PLAIN, username: u, password: hidden-word}}}\n")
		},
		says: `configuration: 2 problems: \(1\) CONFIG:\d+: source\.security\.sasl\.password: a password does not belong in this file: set VIBE_BRIDGE_SOURCE_SECURITY_SASL_PASSWORD in the environment, or source\.security\.sasl\.password_file \(2\) .*`,
	},
	{
		name:  "no directory file",
		spoil: func(d *deployment) { d.configure("directory_file: none.json\n") },
		says:  `read directory: open none\.json: no such file or directory`,
		only:  "run",
	},
	{
		name: "broken directory file",
		spoil: func(d *deployment) {
			d.configure("directory_file: " + d.write("directory.json", `{"cities":[{"id":1,"name":"A","timezone":"Nowhere/At_All"}]}`) + "\n")
		},
		says: `FOLDER/directory\.json: read directory: cities\[0\] \(id 1\): timezone "Nowhere/At_All" is not known; write an IANA name such as Europe/Moscow`,
		only: "run",
	},
	{
		name:  "broken category table",
		spoil: func(d *deployment) { d.configure("categories_file: " + d.write("categories.json", "[]") + "\n") },
		says:  `read categories FOLDER/categories\.json: .+`,
		only:  "run",
	},
	{
		name:  "state folder that cannot be made",
		spoil: func(d *deployment) { mustCreate(d); d.write("state", "a file, not a folder") },
		says:  `state_dir: mkdir FOLDER/state: not a directory: want a folder that this user may write to, on a disk that outlives restarts`,
		only:  "run",
	},
	{
		name:  "address in use",
		spoil: func(d *deployment) { mustCreate(d); d.configure("http: {listen: \"" + d.source.Brokers[0] + "\"}\n") },
		says:  `http\.listen: listen tcp SOURCE: bind: address already in use; choose another address, or none to do without`,
		only:  "run",
	},

	// Slim topics among legacy ones.
	{
		name: "one cluster under one address",
		spoil: func(d *deployment) {
			d.configure(d.source.section("target"))
		},
		says: `configuration: slim\.events: "events": is topics\.events too, and source and target are one cluster: set slim\.prefix or slim\.suffix`,
	},
	{
		name: "one cluster under two addresses",
		spoil: func(d *deployment) {
			d.configure(strings.Replace(d.source.section("target"), "127.0.0.1", "localhost", 1))
		},
		says: `configuration: slim\.events: "events": is topics\.events too, and source and target are one cluster: set slim\.prefix or slim\.suffix`,
	},

	// Clusters out of reach. An instance waits for them: see TestRunWaitsForItsBrokers.
	{
		name:  "source cluster is down",
		spoil: func(d *deployment) { d.configure("source: {brokers: [\"127.0.0.1:1\"]}\n") },
		says:  `source cluster: connect to Kafka: broker 127\.0\.0\.1:1: connection refused: check that the broker runs and that host and port in brokers are those of a listener`,
		only:  "topics create",
	},
	{
		name:  "target cluster is down",
		spoil: func(d *deployment) { d.configure("target: {brokers: [\"127.0.0.1:1\"]}\n") },
		says:  `(target|state) cluster: connect to Kafka: broker 127\.0\.0\.1:1: connection refused: .*`,
		only:  "topics create",
	},
	{
		name:  "state cluster is down",
		spoil: func(d *deployment) { d.configure("state: {brokers: [\"127.0.0.1:1\"]}\n") },
		says:  `state cluster: connect to Kafka: broker 127\.0\.0\.1:1: connection refused: .*`,
		only:  "topics create",
	},
	{
		name:  "no such host",
		spoil: func(d *deployment) { d.configure("target: {brokers: [\"kafka.invalid:9092\"]}\n") },
		says:  `(target|state) cluster: connect to Kafka: broker kafka\.invalid:9092: the host name "kafka\.invalid" has no address: check the name in brokers and this machine's DNS`,
		only:  "topics create",
	},

	// Logins.
	{
		name: "wrong password for the source", env: []string{sourcePassword + "wr0ng-word"},
		spoil: func(d *deployment) { d.source = startSecuredCluster(d.t); d.configure("") },
		says:  `source cluster: connect to Kafka: broker SOURCE: .*SCRAM-SHA-512 login as "bridge".*: check security\.sasl\.username(,| and) the password.*`,
	},
	{
		name: "wrong password for the target", env: []string{targetPassword + "wr0ng-word"},
		spoil: func(d *deployment) { d.target = startSecuredCluster(d.t); d.configure("") },
		says:  `(target|state) cluster: connect to Kafka: broker TARGET: .*SCRAM-SHA-512 login as "bridge".*: check security\.sasl\.username(,| and) the password.*`,
	},
	{
		name:  "no password",
		spoil: func(d *deployment) { d.target = startSecuredCluster(d.t); d.configure("") },
		says:  `configuration: target\.security\.sasl\.password_file: empty: want a file with the password, or the password in the environment`,
	},
	{
		name: "no login where one is wanted",
		spoil: func(d *deployment) {
			d.target = startSecuredCluster(d.t)
			d.configure("target: {brokers: [\"" + d.target.Brokers[0] + "\"]}\n")
		},
		says: `(target|state) cluster: connect to Kafka: broker TARGET: it closed the connection: the port belongs to a TLS listener, and security\.protocol is PLAINTEXT: set SSL or SASL_SSL, or use the port of the plain listener`,
	},

	// Missing topics.
	{
		name:  "legacy topic of another name",
		spoil: func(d *deployment) { d.configure("topics: {orders: orders}\n") },
		says:  `topic orders \(source cluster\): does not exist, or the bridge's user may not describe it: check the name and the user's rights; the bridge creates nothing on the source cluster`,
	},
	{
		name:  "two legacy topics of other names",
		spoil: func(d *deployment) { d.configure("topics: {orders: orders, refunds: refunds}\n") },
		says:  `topic orders \(source cluster\): does not exist, .*source cluster \(and 1 more difference: .vibe-bridge topics plan. lists them\)`,
	},
	{
		name:  "topics were not created",
		spoil: func(*deployment) {},
		says:  `16 topics are missing, trial-partners on the state cluster among them: run .vibe-bridge topics create. with the same configuration`,
		only:  "run",
	},
	{
		name: "a slim topic has gone",
		spoil: func(d *deployment) {
			mustCreate(d)
			if _, err := d.target.admin(d.t).DeleteTopic(d.t.Context(), "orders"); err != nil {
				d.t.Fatal(err)
			}
		},
		says: `topic orders is missing on the target cluster: run .vibe-bridge topics create. with the same configuration`,
		only: "run",
	},

	// Wrong topics.
	{
		name: "internal topic with another number of partitions",
		spoil: func(d *deployment) {
			d.target.create(d.t, "trial-gate-loop", testPartitions+1, internalSettings(d, "trial-gate-loop"))
		},
		says: `topic trial-gate-loop \(state cluster\): has 3 partitions, want 2: the number of an existing topic is not changed, since keys would move to other partitions: configure 3, or delete the topic if its records may go`,
	},
	{
		name: "slim topic with another number of partitions",
		spoil: func(d *deployment) {
			d.target.create(d.t, "orders", testSlimPartitions+1, internalSettings(d, "orders"))
		},
		says: `topic orders \(target cluster\): has 4 partitions, want 3: .*`,
	},
	{
		name: "another number of partitions is configured",
		spoil: func(d *deployment) {
			mustCreate(d)
			text, err := os.ReadFile(d.config)
			if err != nil {
				d.t.Fatal(err)
			}
			d.write("bridge.yaml", strings.Replace(string(text), "\npartitions: 2\n", "\npartitions: 4\n", 1))
		},
		says: `topic trial-partners \(state cluster\): has 2 partitions, want 4: .* \(and 10 more differences: .vibe-bridge topics plan. lists them\)`,
	},
	{
		name: "slim topic that forgets",
		spoil: func(d *deployment) {
			settings := internalSettings(d, "refunds")
			settings["retention.ms"] = "3600000"
			d.target.create(d.t, "refunds", testSlimPartitions, settings)
		},
		says: `topic refunds \(target cluster\): has retention\.ms=3600000, want -1: kafka-configs --bootstrap-server \S+ --command-config admin\.properties --alter --entity-type topics --entity-name refunds --add-config retention\.ms=-1`,
	},
	{
		name: "internal topic that is compacted",
		spoil: func(d *deployment) {
			settings := internalSettings(d, "trial-events")
			settings["cleanup.policy"] = "compact"
			d.target.create(d.t, "trial-events", testPartitions, settings)
		},
		says: `topic trial-events \(state cluster\): has cleanup\.policy=compact, want delete: kafka-configs .* --alter .*`,
	},
}

// mustCreate creates the deployment's topics, and forgets how.
func mustCreate(d *deployment) {
	d.t.Helper()
	if r := execute(d.t, nil, "topics", "create", "--config", d.config); r.code != codeOK {
		d.t.Fatalf("topics create: exit code %d: %s", r.code, r.stderr)
	}
	d.target.seen.forget()
}

// internalSettings are what `topics create` would give a topic.
func internalSettings(d *deployment, topic string) map[string]string {
	d.t.Helper()
	cfg := d.load()
	for _, spec := range cfg.Topics.Specs(cfg.Settings) {
		if spec.Name == topic && spec.Config != nil {
			return maps.Clone(spec.Config)
		}
	}
	d.t.Fatalf("there is no topic %s", topic)
	return nil
}

// Whatever is wrong: exit code 2, one line that says what to do, and nothing is
// half done: no topic, no member of a group, no record, no state.
func TestRefusals(t *testing.T) {
	for _, command := range []string{"run", "topics create"} {
		for _, tt := range refusals {
			if tt.only != "" && tt.only != command {
				continue
			}
			t.Run(command+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				checkRefusal(t, command, tt)
			})
		}
	}
}

func checkRefusal(t *testing.T, command string, tt refusal) {
	d := newDeployment(t)
	tt.spoil(d)
	d.source.seen.forget()
	d.target.seen.forget()
	sourceTopics, targetTopics := d.source.topics(t), d.target.topics(t)
	stateBefore := listing(t, d.stateDir())

	args := strings.Fields(command)
	if !tt.noConfig {
		args = append(args, "--config", d.config)
	}
	r := execute(t, tt.env, args...)

	says := strings.NewReplacer(
		"CONFIG", regexp.QuoteMeta(d.config), "FOLDER", regexp.QuoteMeta(d.folder),
		"SOURCE:", regexp.QuoteMeta(d.source.Brokers[0])+":", "TARGET:", regexp.QuoteMeta(d.target.Brokers[0])+":",
	).Replace(tt.says)
	if r.code != codeRefused || r.stdout != "" || !regexp.MustCompile(`\Avibe-bridge: `+says+`\n\z`).MatchString(r.stderr) {
		t.Errorf("exit code %d, standard output %q, standard error\n%swant\nvibe-bridge: %s", r.code, r.stdout, r.stderr, says)
	}
	if strings.Contains(r.stderr, testPassword) || strings.Contains(r.stderr, "wr0ng-word") || strings.Contains(r.stderr, "hidden-word") {
		t.Error("a password is shown")
	}
	for name, c := range map[string]cluster{"source": d.source, "target": d.target} {
		if seen := c.seen.names(); len(seen) > 0 {
			t.Errorf("%s: requests that change something: %v", name, seen)
		}
		if groups := c.groups(t); len(groups) > 0 {
			t.Errorf("%s: groups %v", name, groups)
		}
	}
	if after := d.source.topics(t); !maps.Equal(after, sourceTopics) {
		t.Errorf("source: topics were %v, are %v", sourceTopics, after)
	}
	if after := d.target.topics(t); !maps.Equal(after, targetTopics) {
		t.Errorf("target: topics were %v, are %v", targetTopics, after)
	}
	if after := listing(t, d.stateDir()); after != stateBefore {
		t.Errorf("state folder: was %q, is %q", stateBefore, after)
	}
}

// listing says what there is at a path: nothing, a file, or a folder with files.
func listing(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "nothing"
	case err != nil:
		t.Fatal(err)
	case !info.IsDir():
		return "a file"
	}
	found, err := filepath.Glob(filepath.Join(path, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return "a folder with " + strings.Join(found, ", ")
}

// The observer of requests would see what the refusals are held against.
func TestCreationIsSeen(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	if r := execute(t, nil, "topics", "create", "--config", d.config); r.code != codeOK {
		t.Fatal(r.stderr)
	}
	if seen := d.target.seen.names(); len(seen) != 1 || seen[0] != "CreateTopics" {
		t.Errorf("saw %v", seen)
	}
	if seen := d.source.seen.names(); len(seen) != 1 { // the legacy topics, by the test
		t.Errorf("saw %v on the source", seen)
	}
}

// What fails later is no refusal: whatever runs the program should start it again,
// also when a cluster has gone that was there at first.
func TestRunErrors(t *testing.T) {
	tests := []struct {
		err  error
		want int
	}{
		{errors.New("gate: connection lost"), codeFailed},
		{fmt.Errorf("gate: %w", &kafka.ConnectError{}), codeFailed},
		{fmt.Errorf("start: %w", &processors.MissingTopicsError{}), codeRefused},
		{&kafka.MismatchError{}, codeRefused},
		{&kafka.IdentityError{}, codeRefused},
		{&kafka.ForeignOffsetError{}, codeRefused},
		{&kafka.LostOffsetError{}, codeRefused},
		{&processors.LostChangelogError{}, codeRefused},
		{&processors.FolderError{}, codeRefused},
	}
	for _, tt := range tests {
		if got := exitCode(runError(tt.err)); got != tt.want {
			t.Errorf("exit code of %T is %d, want %d", tt.err, got, tt.want)
		}
	}
}

// What is to be done about topics that were created again is said in the one line
// that a person sees.
func TestIdentityErrorIsExplained(t *testing.T) {
	err := fmt.Errorf("start: %w", &kafka.IdentityError{Lines: []string{"topic a was deleted", "topic b was deleted"}})
	text := explain(err)
	for _, part := range []string{"topic a was deleted (and 1 more). ", "To rebuild: ", "Or deploy under a new name."} {
		if !strings.Contains(text, part) || strings.Contains(text, "\n") {
			t.Errorf("explained without %q: %s", part, text)
		}
	}
}
