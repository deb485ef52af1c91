package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/preflight"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// checked is what check --json says of a configuration.
type checked struct {
	result
	Status preflight.Status
	Lines  []preflight.Line
}

func check(t *testing.T, path string, more ...string) checked {
	t.Helper()
	r := checked{result: runCommand(append([]string{"check", "--json", "--config", path}, more...)...)}
	if err := json.Unmarshal([]byte(r.stdout), &r); err != nil {
		t.Fatalf("check says %q and %q: %v", r.stdout, r.stderr, err)
	}
	return r
}

// bad are the lines that are not ok, as "check of: found".
func (c checked) bad() (lines []string) {
	for _, l := range c.Lines {
		if l.Status != preflight.OK && l.Of != "disk" { // the machine's own
			lines = append(lines, fmt.Sprintf("%s %s %s: %s", l.Status, l.Check, l.Of, l.Found))
		}
	}
	return lines
}

// scarceDisk tells whether the machine's own disk has changed the exit code.
func (c checked) scarceDisk() bool {
	return slices.ContainsFunc(c.Lines, func(l preflight.Line) bool { return l.Of == "disk" && l.Status != preflight.OK })
}

// A sound deployment has nothing to complain of, in each of its parts, and looking at it changes nothing.
func TestCheckOfASoundDeployment(t *testing.T) {
	d := newDeployment(t)
	mustRun(t, "topics", "create", "--config", d.config)
	d.source.seen.forget()
	d.target.seen.forget()
	r := check(t, d.config)
	if r.code != codeOK || len(r.bad()) > 0 {
		t.Fatalf("exit code %d, %s\n%s", r.code, r.stderr, strings.Join(r.bad(), "\n"))
	}
	var kinds []string
	for _, l := range r.Lines {
		if !slices.Contains(kinds, l.Check) {
			kinds = append(kinds, l.Check)
		}
		if l.Status != preflight.OK && l.Do == "" {
			t.Errorf("%+v does not say what to do", l)
		}
	}
	if want := []string{"config", "credentials", "http", "files", "state", "brokers", "rights", "topics", "replicas", "legacy", "identity", "groups", "paused", "clock"}; !slices.Equal(kinds, want) {
		t.Errorf("looked at %q, want %q", kinds, want)
	}
	if wrote := append(d.source.seen.names(), d.target.seen.names()...); len(wrote) > 0 {
		t.Errorf("it sent %q", wrote)
	}
	if _, err := os.Stat(d.stateDir()); err == nil {
		t.Error("the state folder was created")
	}
	text := mustRun(t, "check", "--config", d.config).stdout
	if !strings.HasSuffix(text, "0 failures, 0 warnings\n") && !strings.Contains(text, "disk") {
		t.Errorf("it says\n%s", text)
	}
}

// Each thing that may be wrong is named, with its status.
func TestCheckFinds(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(d *deployment) // a sound deployment with its topics
		want  string              // a regular expression of one line
		code  int                 // of --strict
		flags []string
	}{
		"configuration":    {func(d *deployment) { d.configure("edition: 3\n") }, `failure config configuration: .*edition: "3": want one of`, codeRefused, nil},
		"no configuration": {func(d *deployment) { d.config += ".none" }, `failure config configuration: read configuration: open .*bridge\.yaml\.none: no such file`, codeRefused, nil},
		"not YAML":         {func(d *deployment) { d.write("bridge.yaml", "name: [\n") }, `failure config configuration: read configuration: .*bridge\.yaml:1: not YAML: `, codeRefused, nil},
		"directory": {func(d *deployment) { d.configure(fmt.Sprintf("directory_file: %q\n", d.write("directory.json", "{"))) },
			`failure files directory_file: .*directory\.json`, codeRefused, nil},
		"categories": {func(d *deployment) {
			d.configure(fmt.Sprintf("categories_file: %q\n", filepath.Join(d.folder, "none")))
		},
			`failure files categories_file: .*no such file`, codeRefused, nil},
		"state folder of everybody": {func(d *deployment) { must(d.t, os.Mkdir(d.stateDir(), 0o755)) },
			`warning state state_dir: .* has mode 0755: its tables have personal data`, codeFailed, nil},
		"state folder of another cluster": {func(d *deployment) {
			must(d.t, os.MkdirAll(filepath.Join(d.stateDir(), "trial"), 0o700))
			must(d.t, os.Chmod(d.stateDir(), 0o700))
			d.write("state/trial/tables.json", `{"trial-gate-table": {"id": "AAAAAAAAAAAAAAAAAAAAAQ", "partitions": 2}}`)
		}, `failure identity state_dir: the state folder .*/trial is of other topics: trial-gate-table had the id AAAAAAAAAAAAAAAAAAAAAQ and has `, codeRefused, nil},
		"state folder that is a file": {func(d *deployment) { d.write("state", "") }, `failure state state_dir: .* is not a folder`, codeRefused, nil},
		"state folder below a file": {func(d *deployment) {
			d.write("f", "")
			d.configure(fmt.Sprintf("state_dir: %q\n", filepath.Join(d.folder, "f", "state")))
		},
			`failure config configuration: .*state_dir`, codeRefused, nil},
		"broker that is not there": {func(d *deployment) { d.configure("target: {brokers: [\"127.0.0.1:1\"]}\n") },
			`failure brokers target 127\.0\.0\.1:1: .*connection refused`, codeRefused, nil},
		"one of two brokers": {func(d *deployment) {
			d.configure(fmt.Sprintf("target: {brokers: [%q, \"127.0.0.1:1\"]}\n", d.target.Brokers[0]))
		}, `failure brokers target 127\.0\.0\.1:1: .*connection refused`, codeRefused, nil},
		"missing topic":        {func(d *deployment) { d.target.drop(d.t, "trial-memberships") }, `failure topics state trial-memberships: it does not exist`, codeRefused, nil},
		"missing legacy topic": {func(d *deployment) { d.source.drop(d.t, "partners") }, `failure topics source partners: does not exist`, codeRefused, nil},
		"partitions":           {func(*deployment) {}, `failure topics state trial-events: has 2 partitions, want 3`, codeRefused, []string{"--partitions", "3"}},
		"compaction of a table": {func(d *deployment) { d.target.alter(d.t, "trial-gate-table", "cleanup.policy", "delete") },
			`failure topics state trial-gate-table: has cleanup\.policy=delete, want compact`, codeRefused, nil},
		"compaction of slim orders": {func(d *deployment) { d.target.alter(d.t, "orders", "cleanup.policy", "delete") },
			`failure topics target orders: has cleanup\.policy=delete`, codeRefused, nil},
		"retention of an internal topic": {func(d *deployment) { d.target.alter(d.t, "trial-orders", "retention.ms", "3600000") },
			`failure topics state trial-orders: has retention\.ms=3600000, want at least 604800000`, codeRefused, nil},
		"limit of a slim topic": {func(d *deployment) { d.target.alter(d.t, "events", "max.message.bytes", "1000") },
			`failure topics target events: has max\.message\.bytes=1000, want at least 1048576`, codeRefused, nil},
		"limit of a legacy topic": {func(d *deployment) { d.source.alter(d.t, "orders_done", "max.message.bytes", "16777216") },
			`warning legacy source orders_done: its records may have 16777216 bytes, internal topics take 8388608`, codeFailed, nil},
		"retention of a legacy topic": {func(d *deployment) { d.source.alter(d.t, "orders_done", "retention.ms", "3600000") },
			`warning legacy source orders_done: its records are kept for 1h0m0s`, codeFailed, nil},
		"too few brokers": {func(*deployment) {}, `failure brokers target: 1 brokers, and replication is 3`, codeRefused, []string{"--replication", "3"}},
		"records that were deleted": {func(d *deployment) {
			kafkatest.Produce(d.t, d.source.Brokers, "orders_done", &kafkatest.Record{Key: []byte("k"), Value: []byte("v")}, &kafkatest.Record{Key: []byte("k"), Value: []byte("v")})
			d.source.commit(d.t, "trial-intake-orders", "orders_done", 0)
			d.source.deleteAll(d.t, "orders_done")
		}, `failure groups source trial-intake-orders on orders_done/\d: its position is 0 and the topic begins at 2: 2 records were deleted before they were read`, codeRefused, nil},
		"position behind the end": {func(d *deployment) { d.source.commit(d.t, "trial-intake-orders", "orders_done", 7) },
			`failure groups source trial-intake-orders on orders_done/\d: its position is 7 and the topic ends at 0`, codeRefused, nil},
		"position that somebody has set": {func(d *deployment) {
			kafkatest.Produce(d.t, d.source.Brokers, "orders_done", &kafkatest.Record{Key: []byte("k"), Value: []byte("v")})
			d.source.commit(d.t, "trial-intake-orders", "orders_done", 0)
		}, `failure groups source trial-intake-orders on orders_done/\d: its position 0 was not committed by vibe-bridge`, codeRefused, nil},
		"paused topic": {func(d *deployment) {
			kafkatest.Produce(d.t, d.target.Brokers, "trial-control", &kafkatest.Record{Key: []byte("orders_done"),
				Value: []byte(`{"since":"2026-01-02T03:04:05Z","bad":6,"records":7,"window":"1m0s","reasons":{"undecodable":6}}`)})
		}, `warning paused source orders_done: it is paused since 2026-01-02T03:04:05Z: 6 of 7 records within 1m0s went to quarantine \(undecodable 6\)`, codeFailed, nil},
		"record from the future": {func(d *deployment) {
			kafkatest.Produce(d.t, d.source.Brokers, "orders_done", &kafkatest.Record{Key: []byte("k"), Value: []byte("v"), Timestamp: time.Now().Add(30 * time.Second)})
		}, `warning clock source: the time of the newest record of orders_done is \d\d\.?\d*s ahead of this machine's`, codeFailed, nil},
		"certificate that ends": {func(d *deployment) {
			leaf := kafkatest.NewPKI(d.t, "authority").Issue("ca", time.Now().Add(48*time.Hour))
			d.configure(fmt.Sprintf("target: {brokers: [%q], security: {protocol: SSL, tls: {ca_file: %q}}}\n", d.target.Brokers[0], leaf.CertFile))
		}, `warning credentials target\.security\.tls\.ca_file: .* has a certificate that ends on .*, in 0 days`, codeRefused, nil},
		"password that everybody reads": {func(d *deployment) {
			secret := d.write("secret", "pa55-word")
			must(d.t, os.Chmod(secret, 0o644))
			d.configure(fmt.Sprintf("target: {brokers: [%q], security: {protocol: SASL_PLAINTEXT, sasl: {mechanism: PLAIN, username: bridge, password_file: %q}}}\n", d.target.Brokers[0], secret))
		}, `warning credentials target\.security\.sasl\.password_file: .* can be read by every user of this machine \(mode 0644\)`, codeRefused, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDeployment(t)
			mustRun(t, "topics", "create", "--config", d.config)
			c.spoil(d)
			r := check(t, d.config, append(c.flags, "--strict")...)
			want := regexp.MustCompile("^" + c.want)
			if r.code != c.code || !slices.ContainsFunc(r.bad(), want.MatchString) {
				t.Errorf("exit code %d, want %d, and a line like %s\n%s", r.code, c.code, c.want, strings.Join(r.bad(), "\n"))
			}
			for _, l := range r.Lines {
				if strings.Contains(l.Do, "kafka-configs ") && !strings.Contains(l.Do, "kafka-configs --bootstrap-server 127.0.0.1:") {
					t.Errorf("it does not say where: %s", l.Do)
				}
			}
			if strings.Contains(r.stdout+r.stderr, "pa55-word") {
				t.Error("it shows the password")
			}
		})
	}
}

// What would keep an instance from answering by HTTP is found, and what would have it answer to others than it should.
func TestCheckFindsInFilesOfHTTP(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	mustRun(t, "topics", "create", "--config", d.config)
	file := func(name, text string, mode os.FileMode) string {
		path := d.write(name, text)
		must(t, os.Chmod(path, mode))
		return path
	}
	const secret = "t0ken-of-the-test"
	token := file("token", secret+"\n", 0o400)
	authority := kafkatest.NewPKI(t, "authority")
	now := time.Now()
	issue := func(name string, expiry time.Time) kafkatest.Leaf { // without the authority's own, which ends soon
		leaf := authority.Issue(name, expiry, "127.0.0.1")
		leaf.CertFile = file(name, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate.Certificate[0]})), 0o400)
		return leaf
	}
	good, other := issue("good", now.AddDate(1, 0, 0)), issue("other", now.AddDate(1, 0, 0))
	soon, ended := issue("soon", now.Add(60*time.Hour)), issue("ended", now.Add(-time.Hour))
	for name, c := range map[string]struct {
		flags []string
		code  int
		want  []string // regular expressions of all lines that are not ok
	}{
		"nobody listens": {[]string{"--http-listen=", "--http-view-token-file=/nope"}, codeOK, nil},
		"no files":       {nil, codeOK, nil},
		"all is well": {[]string{"--http-view-token-file=" + token, "--http-tls-cert-file=" + good.CertFile, "--http-tls-key-file=" + good.KeyFile,
			"--http-client-ca-file=" + good.CertFile}, codeOK, nil},
		"no such token":       {[]string{"--http-view-token-file=/nope"}, codeRefused, []string{`failure http http\.view_token_file: open /nope: no such file`}},
		"short token":         {[]string{"--http-act-token-file=" + file("short", "abc", 0o400)}, codeRefused, []string{`failure http http\.act_token_file: .*/short: want one token of 16 characters or more`}},
		"token of everybody":  {[]string{"--http-metrics-token-file=" + file("open", secret, 0o644)}, codeFailed, []string{`warning http http\.metrics_token_file: .*/open can be read by every user of this machine \(mode 0644\)`}},
		"one token, twice":    {[]string{"--http-view-token-file=" + token, "--http-personal-token-file=" + file("same", secret, 0o400)}, codeRefused, []string{`failure http http\.personal_token_file: .*/same holds the same token as http\.view_token_file`}},
		"two that are wrong":  {[]string{"--http-view-token-file=/nope", "--http-act-token-file=/neither"}, codeRefused, []string{`failure http http\.view_token_file: open /nope`, `failure http http\.act_token_file: open /neither`}},
		"a token and an end":  {[]string{"--http-view-token-file=/nope", "--http-tls-cert-file=" + soon.CertFile, "--http-tls-key-file=" + soon.KeyFile}, codeRefused, []string{`failure http http\.view_token_file: `, `warning http http\.tls_cert_file: .* in 2 days`}},
		"no certificate":      {[]string{"--http-tls-cert-file=/nope", "--http-tls-key-file=" + good.KeyFile}, codeRefused, []string{`failure http http\.tls_cert_file: open /nope: no such file`}},
		"key of another":      {[]string{"--http-tls-cert-file=" + good.CertFile, "--http-tls-key-file=" + other.KeyFile}, codeRefused, []string{`failure http http\.tls_cert_file: .*private key does not match public key`}},
		"certificate ends":    {[]string{"--http-tls-cert-file=" + soon.CertFile, "--http-tls-key-file=" + soon.KeyFile}, codeFailed, []string{`warning http http\.tls_cert_file: .* has a certificate that ends on .*, in 2 days`}},
		"certificate ended":   {[]string{"--http-tls-cert-file=" + ended.CertFile, "--http-tls-key-file=" + ended.KeyFile}, codeRefused, []string{`failure http http\.tls_cert_file: .* has a certificate that ended on`}},
		"no such authority":   {[]string{"--http-tls-cert-file=" + good.CertFile, "--http-tls-key-file=" + good.KeyFile, "--http-client-ca-file=/nope"}, codeRefused, []string{`failure http http\.client_ca_file: open /nope`}},
		"authority of no PEM": {[]string{"--http-tls-cert-file=" + good.CertFile, "--http-tls-key-file=" + good.KeyFile, "--http-client-ca-file=" + token}, codeRefused, []string{`failure http http\.client_ca_file: .* has no certificate in PEM`}},
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, d.config, append([]string{"--strict", "--http-listen=127.0.0.1:0"}, c.flags...)...)
			if r.code != c.code && !r.scarceDisk() {
				t.Errorf("exit code %d, want %d: %s", r.code, c.code, r.stderr)
			}
			if bad := r.bad(); !slices.EqualFunc(bad, c.want, func(line, want string) bool { return regexp.MustCompile("^" + want).MatchString(line) }) {
				t.Errorf("found %q, want %q", bad, c.want)
			}
			if strings.Contains(r.stdout+r.stderr, secret) {
				t.Error("it shows the token")
			}
		})
	}
}

// What is to be done about records that are too large has numbers with which the next check passes. A limit that stands for
// all topics of the brokers says nothing of the records: see TestCheckOnKafka.
func TestCheckOfLargeLegacyRecords(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	mustRun(t, "topics", "create", "--config", d.config)
	d.source.alter(t, "orders_done", "max.message.bytes", "16777216")
	line := func(args ...string) preflight.Line {
		t.Helper()
		for _, l := range check(t, d.config, args...).Lines {
			if l.Check == "legacy" && l.Of == "source orders_done" {
				return l
			}
		}
		t.Fatal("nothing is said of the topic")
		return preflight.Line{}
	}
	if l := line(); l.Status != preflight.Warning || !strings.Contains(l.Do, "set max_message_bytes to 2796203 or more") || !strings.HasSuffix(l.Do, "have its owner set its max.message.bytes to 8388608") {
		t.Errorf("it says %+v", l)
	}
	for limit, want := range map[string]preflight.Status{"2796202": preflight.Warning, "2796203": preflight.OK} {
		if l := line("--max-message-bytes", limit); l.Status != want {
			t.Errorf("with %s it says %+v", limit, l)
		}
	}
	d.source.alter(t, "orders_done", "max.message.bytes", "67108864")
	if l := line(); l.Status != preflight.Warning || !strings.Contains(l.Do, "no max_message_bytes is enough") {
		t.Errorf("it says %+v", l)
	}
}

// A cluster that has just started finds its coordinators within seconds: the rights are looked at then.
func TestCheckWaitsForCoordinators(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	mustRun(t, "topics", "create", "--config", d.config)
	var asked atomic.Int32
	d.source.broker.Cluster().ControlKey(int16(kmsg.FindCoordinator), func(request kmsg.Request) (kmsg.Response, error, bool) {
		if asked.Add(1) > 6 { // more often than a client asks of itself
			return nil, nil, false
		}
		d.source.broker.Cluster().KeepControl()
		response := request.ResponseKind().(*kmsg.FindCoordinatorResponse)
		response.ErrorCode = kerr.CoordinatorNotAvailable.Code
		for _, key := range request.(*kmsg.FindCoordinatorRequest).CoordinatorKeys {
			response.Coordinators = append(response.Coordinators, kmsg.FindCoordinatorResponseCoordinator{Key: key, ErrorCode: kerr.CoordinatorNotAvailable.Code})
		}
		return response, nil, true
	})
	if r := check(t, d.config); len(r.bad()) > 0 || asked.Load() <= 6 {
		t.Errorf("asked %d times, %s", asked.Load(), strings.Join(r.bad(), "\n"))
	}
}

// On real Kafka, which tells its time and versions, with an instance that has run.
func TestCheckOnKafka(t *testing.T) {
	o := newOperated(t, kafkatest.Kafka(t))
	if r := check(t, o.config); r.code != codeRefused {
		t.Errorf("exit code %d without topics", r.code)
	}
	o.createTopics()
	stop := o.run()
	o.legacy(mapping.Events, time.Now(), legacyEvent("e1"))
	o.awaitSlim(1, 0, 0)
	stop()
	r := check(t, o.config, "--strict")
	if bad := r.bad(); len(bad) > 0 || r.code != codeOK && !r.scarceDisk() {
		t.Errorf("exit code %d\n%s", r.code, strings.Join(bad, "\n"))
	}
	for _, want := range []string{
		`brokers source: Kafka, by what it answers: v4`, `rights source: all 8 that could be looked at of 8`, `rights state: all \d+ that`, `clock source: the clock of its controller is [0-9.]+m?s`,
		`legacy source \S+l-events: .* max\.message\.bytes 16777216 as the brokers have it for all topics \(a record above 8388608 `, // as the local Kafka is set
		`topics target \S+: slim .*retention\.ms -1, .*max\.message\.bytes 1048576`,
		`identity \S+-identity: the topics are those`, `groups source \S+ on \S+l-events: 0 records behind`, `topics co-partitioning: all 8 inputs of the groups with state have 3 partitions`,
	} {
		if !slices.ContainsFunc(r.Lines, func(l preflight.Line) bool {
			return regexp.MustCompile(want).MatchString(fmt.Sprintf("%s %s: %s", l.Check, l.Of, l.Found))
		}) {
			t.Errorf("no line like %s in\n%s", want, r.stdout)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (c cluster) drop(t *testing.T, topic string) {
	t.Helper()
	_, err := c.admin(t).DeleteTopic(t.Context(), topic)
	must(t, err)
}

func (c cluster) alter(t *testing.T, topic, key, value string) {
	t.Helper()
	_, err := c.admin(t).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: kadm.StringPtr(value)}}, topic)
	must(t, err)
}

// commit sets the position of a group in all partitions.
func (c cluster) commit(t *testing.T, group, topic string, at int64) {
	t.Helper()
	offsets := kadm.Offsets{}
	for p := range int32(2) {
		offsets.AddOffset(topic, p, at, -1)
	}
	_, err := c.admin(t).CommitOffsets(t.Context(), group, offsets)
	must(t, err)
}

// deleteAll deletes the records of a topic.
func (c cluster) deleteAll(t *testing.T, topic string) {
	t.Helper()
	admin := c.admin(t)
	ends, err := admin.ListEndOffsets(t.Context(), topic)
	must(t, err)
	_, err = admin.DeleteRecords(t.Context(), ends.Offsets())
	must(t, err)
}
