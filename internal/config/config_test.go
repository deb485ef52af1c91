package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// minimal is the shortest file that is enough.
const minimal = "source: {brokers: [a:1]}\ntarget: {brokers: [b:1]}\n"

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bridge.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func flags(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	set := pflag.NewFlagSet("test", pflag.ContinueOnError)
	set.String("config", "", "a flag of the command, not a key")
	BindFlags(set)
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	return set
}

func load(t *testing.T, text string, env []string, args ...string) Config {
	t.Helper()
	c, err := Load(file(t, text), env, flags(t, args...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantProblem: the only problem, in these words; FILE stands for the file's path.
func wantProblem(t *testing.T, want, text string, env []string, args ...string) {
	t.Helper()
	path := file(t, text)
	c, err := Load(path, env, flags(t, args...))
	if err == nil {
		t.Fatalf("was accepted, want %s", want)
	}
	if !reflect.DeepEqual(c, Config{}) {
		t.Error("gives a configuration besides the error")
	}
	if got := strings.ReplaceAll(err.Error(), path, "FILE"); !strings.HasPrefix(got, "configuration: "+want) || strings.Contains(got, "\n") {
		t.Errorf("error is\n%s\nwant a line that begins\nconfiguration: %s", got, want)
	}
}

// defaults is what Load makes of the minimal file.
func defaults() Config {
	c := Default()
	c.Source.Brokers = []string{"a:1"}
	c.Target.Brokers = []string{"b:1"}
	c.Complete()
	return c
}

func TestDefaults(t *testing.T) {
	if got := load(t, minimal, nil); !reflect.DeepEqual(got, defaults()) {
		t.Errorf("got  %+v\nwant %+v", got, defaults())
	}
	c := defaults()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if c.Encoding() != (slim.Encoding{Edition: slim.Edition1, Format: slim.JSON}) {
		t.Errorf("encoding is %v", c.Encoding())
	}
	if !reflect.DeepEqual(c.State, c.Target) || c.Source.ClientID != "vibe-bridge" || c.Source.MaxMessageBytes != 1<<20 || c.Source.Replication != 3 || c.Source.MinInsync != 2 {
		t.Errorf("clusters are not complete: %+v", c)
	}
}

func TestPrecedence(t *testing.T) {
	text := minimal + "name: file\npartitions: 1\nholds: {set: 1m}\nlog: {level: warn}\n"
	env := []string{"VIBE_BRIDGE_NAME=env", "VIBE_BRIDGE_PARTITIONS=2", "VIBE_BRIDGE_HOLDS_SET=2m", "HOME=/root"}
	c := load(t, text, env, "--name", "flag", "--holds-set=3m", "--config", "elsewhere")
	if c.Name != "flag" || c.Holds.Set != 3*time.Minute {
		t.Errorf("name %s, holds.set %s: a flag must come first", c.Name, c.Holds.Set)
	}
	if c.Partitions != 2 {
		t.Errorf("partitions %d: the environment must come before the file", c.Partitions)
	}
	if c.Log.Level != "warn" || c.Holds.Organizer != 10*time.Minute {
		t.Errorf("log.level %s, holds.organizer %s: the file must come before the defaults, key by key", c.Log.Level, c.Holds.Organizer)
	}
}

// A wrong value that is overridden is wrong all the same: the file is not what
// its author thinks.
func TestOverriddenMistakeIsReported(t *testing.T) {
	wantProblem(t, `FILE:3: partitions: "many": want a whole number`, minimal+"partitions: many\n", nil, "--partitions", "3")
}

func TestSources(t *testing.T) {
	want := defaults()
	want.Edition = "2.0"
	want.SourceHeader = false
	want.HTTP.Listen = ""
	want.Source.Brokers = []string{"x:1", "y:2"}
	want.Replication = 1
	want.MinInsync = 1
	want.Complete()
	want.State.Replication, want.State.MinInsync = 1, 1
	tests := []struct {
		name, text string
		env, args  []string
	}{
		{name: "file", text: "target: {brokers: b:1}\nsource:\n  brokers:\n    - x:1\n    - y:2\nedition: 2.0\nsource_header: false\nhttp: {listen: ''}\nreplication: 1\nmin_insync: 1\nlog:\n"},
		{name: "file with an anchor", text: "target: {brokers: b:1}\nsource: {brokers: &x [x:1, y:2]}\nedition: '2.0'\nsource_header: false\nhttp: {listen: ''}\nreplication: &one 1\nmin_insync: *one\n"},
		{name: "environment", text: minimal, env: []string{
			"VIBE_BRIDGE_EDITION=2.0", "VIBE_BRIDGE_SOURCE_HEADER=false", "VIBE_BRIDGE_HTTP_LISTEN=", "VIBE_BRIDGE_SOURCE_BROKERS=x:1, y:2",
			"VIBE_BRIDGE_REPLICATION=1", "VIBE_BRIDGE_MIN_INSYNC=2", "VIBE_BRIDGE_MIN_INSYNC=1",
		}},
		{name: "flags", text: minimal, args: []string{
			"--edition=2.0", "--source-header=false", "--http-listen=", "--source-brokers", "x:1", "--source-brokers", "y:2", "--replication=1", "--min-insync=1",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := load(t, tt.text, tt.env, tt.args...); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestNoFile(t *testing.T) {
	env := []string{"VIBE_BRIDGE_SOURCE_BROKERS=a:1", "VIBE_BRIDGE_TARGET_BROKERS=b:1"}
	c, err := Load("", env, nil)
	if err != nil || !reflect.DeepEqual(c, defaults()) {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestPassword(t *testing.T) {
	text := "source: {brokers: [a:1], security: {protocol: SASL_SSL, sasl: {mechanism: PLAIN, username: u}}}\ntarget: {brokers: [b:1]}\n"
	c := load(t, text, []string{"VIBE_BRIDGE_SOURCE_SECURITY_SASL_PASSWORD=hunter2,a=b"})
	if string(c.Source.Security.SASL.Password) != "hunter2,a=b" {
		t.Error("the password did not arrive")
	}
	wantProblem(t, `FILE:1: source.security.sasl.password: a password does not belong in this file: set VIBE_BRIDGE_SOURCE_SECURITY_SASL_PASSWORD in the environment, or source.security.sasl.password_file`,
		strings.Replace(text, "username: u", "username: u, password: hunter2", 1), []string{"VIBE_BRIDGE_SOURCE_SECURITY_SASL_PASSWORD=x"})
	if flags(t).Lookup("source-security-sasl-password") != nil {
		t.Error("a password may be given on the command line, which every user of the machine can read")
	}
}

func TestStateCluster(t *testing.T) {
	c := load(t, minimal+"state: {brokers: [c:1]}\n", nil)
	if !slices.Equal(c.State.Brokers, []string{"c:1"}) {
		t.Errorf("state is %+v", c.State)
	}
	wantProblem(t, "state.brokers: empty: want at least one host:port", minimal+"state: {client_id: x}\n", nil)
}

func TestFileProblems(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown key", "partition: 3", `FILE:3: "partition": there is no such key; did you mean partitions?`},
		{"unknown key of a section", "holds: {organiser: 3m}", `FILE:3: "holds.organiser": there is no such key; did you mean holds.organizer?`},
		{"key outside its section", "organizer: 3m", `FILE:3: "organizer": there is no such key; did you mean holds.organizer?`},
		{"key in another section", "holds: {level: info}", `FILE:3: "holds.level": there is no such key; did you mean log.level?`},
		{"nothing like it", "zzzzzzzz: 1", `FILE:3: "zzzzzzzz": there is no such key`},
		{"key in capitals", "Name: x", `FILE:3: "Name": there is no such key; did you mean name?`},
		{"merged section", "<<: {name: x}", `FILE:3: "<<": there is no such key`},
		{"key twice", "name: a\nname: b", `FILE:4: name: occurs twice`},
		{"section twice", "log: {level: info}\nlog: {format: text}", `FILE:4: log: occurs twice`},
		{"value for a section", "holds: 10m", `FILE:3: holds: want a section with keys below it`},
		{"section for a value", "name: {a: b}", `FILE:3: name: want a single value`},
		{"list for a value", "name: [a]", `FILE:3: name: want a single value`},
		{"section for a list", "state: {brokers: {a: b}}", `FILE:3: state.brokers: want a list`},
		{"list in a list", "state: {brokers: [[a]]}", `FILE:3: state.brokers: want a list of single values`},
		{"no value", "directory_file:", `FILE:3: directory_file: has no value: give one ("" for the empty text), or remove the key`},
		{"bool", "source_header: yes", `FILE:3: source_header: "yes": want true or false`},
		{"number", "partitions: 1.5", `FILE:3: partitions: "1.5": want a whole number`},
		{"large number", "partitions: 4294967308", `FILE:3: partitions: "4294967308": want a whole number`},
		{"duration", "sweep_interval: 5", `FILE:3: sweep_interval: "5": want a duration with its unit, such as 500ms, 10m or 168h`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantProblem(t, tt.want, minimal+tt.text+"\n", nil) })
	}
}

// A value that could not be read is one problem: that the default in its place
// will not do is none.
func TestUnreadValueIsNotValidated(t *testing.T) {
	wantProblem(t, "FILE:1: source.brokers: want a list", "source: {brokers: {a: b}}\ntarget: {brokers: [b:1]}\n", nil)
}

func TestUnreadableFiles(t *testing.T) {
	tests := []struct{ name, path, want string }{
		{"none", filepath.Join(t.TempDir(), "none.yaml"), "no such file"},
		{"folder", t.TempDir(), "is a directory"},
		{"no YAML", file(t, "name: [\n"), "bridge.yaml:1: not YAML: did not find expected node content"},
		{"a list", file(t, "[]"), "want a section"},
		{"two documents", file(t, minimal+"---\nname: x\n"), "more than one YAML document"},
		{"too large", file(t, strings.Repeat("#", maxFileBytes+1)), "is larger than 1 MiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(tt.path, []string{"VIBE_BRIDGE_SOURCE_BROKERS=a:1", "VIBE_BRIDGE_TARGET_BROKERS=b:1"}, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.path) {
				t.Errorf("error is %v, want in it %q", err, tt.want)
			}
		})
	}
}

func TestEnvironmentProblems(t *testing.T) {
	tests := []struct{ variable, want string }{
		{"VIBE_BRIDGE_PARTITION=3", `VIBE_BRIDGE_PARTITION: there is no such variable; did you mean VIBE_BRIDGE_PARTITIONS?`},
		{"VIBE_BRIDGE_HOLDS=3", `VIBE_BRIDGE_HOLDS: there is no such variable`},
		{"VIBE_BRIDGE_=3", `VIBE_BRIDGE_: there is no such variable`},
		{"VIBE_BRIDGE_name=3", `VIBE_BRIDGE_name: there is no such variable; did you mean VIBE_BRIDGE_NAME?`},
		{"VIBE_BRIDGE_PORT=9477", `VIBE_BRIDGE_PORT: there is no such variable`},
		{"VIBE_BRIDGE_PARTITIONS=", `VIBE_BRIDGE_PARTITIONS: partitions: "": want a whole number`},
		{"VIBE_BRIDGE_PARTITIONS=0", `VIBE_BRIDGE_PARTITIONS: partitions: 0: want 1 to 1024`},
		{"VIBE_BRIDGE_NO_EQUALS_SIGN", `VIBE_BRIDGE_NO_EQUALS_SIGN: there is no such variable`},
	}
	for _, tt := range tests {
		t.Run(tt.variable, func(t *testing.T) { wantProblem(t, tt.want, minimal, []string{tt.variable}) })
	}
}

// What Kubernetes sets in a namespace with Services called vibe-bridge and
// vibe-bridge-blue is not ours, and must not keep the bridge from starting.
func TestServiceLinksAreLeftAlone(t *testing.T) {
	load(t, minimal, []string{
		"VIBE_BRIDGE_SERVICE_HOST=10.0.0.7", "VIBE_BRIDGE_SERVICE_PORT=9477", "VIBE_BRIDGE_SERVICE_PORT_HTTP=9477",
		"VIBE_BRIDGE_PORT=tcp://10.0.0.7:9477", "VIBE_BRIDGE_PORT_9477_TCP=tcp://10.0.0.7:9477",
		"VIBE_BRIDGE_PORT_9477_TCP_PROTO=tcp", "VIBE_BRIDGE_PORT_9477_TCP_PORT=9477", "VIBE_BRIDGE_PORT_9477_TCP_ADDR=10.0.0.7",
		"VIBE_BRIDGE_BLUE_SERVICE_HOST=10.0.0.8", "VIBE_BRIDGE_BLUE_PORT=tcp://10.0.0.8:9477", "VIBE_BRIDGE_BLUE_PORT_9477_TCP_ADDR=10.0.0.8",
	})
}

func TestValidateProblems(t *testing.T) {
	tests := []struct{ args, want string }{
		{"--name=", `--name: name: "": want 1 to 64 of`},
		{"--name=a/b", `--name: name: "a/b": want 1 to 64 of`},
		{"--name=.a", `--name: name: ".a": want 1 to 64 of`},
		{"--name=" + strings.Repeat("a", 65), `--name: name: "` + strings.Repeat("a", 65) + `": want 1 to 64 of`},
		{"--edition=1", `--edition: edition: "1": want one of 1.0, 2.0`},
		{"--format=avro", `--format: format: "avro": want one of json, protobuf`},
		{"--format=protobuf --edition=2.0", `--format: format: protobuf with edition 2.0: `},
		{"--application-id=", `--application-id: application_id: "": want 1 to 255 bytes of printable UTF-8`},
		{"--application-id=a\nb", `--application-id: application_id: "a\nb": want 1 to 255`},
		{"--application-id=\xff", `--application-id: application_id: "`},
		{"--default-timezone=Moscow", `--default-timezone: default_timezone: "Moscow": there is no such zone: want an IANA name such as Europe/Moscow`},
		{"--default-timezone=Local", `--default-timezone: default_timezone: "Local": want an IANA name`},
		{"--default-timezone=", `--default-timezone: default_timezone: "": want an IANA name`},
		{"--state-dir=", `--state-dir: state_dir: "": want a folder`},
		{"--partitions=0", `--partitions: partitions: 0: want 1 to 1024`},
		{"--partitions=1025", `--partitions: partitions: 1025: want 1 to 1024`},
		{"--slim-partitions=0", `--slim-partitions: slim.partitions: 0: want 1 to 1024`},
		{"--holds-organizer=-1s", `--holds-organizer: holds.organizer: -1s: want 0s to 84h0m0s`},
		{"--holds-set=84h1s", `--holds-set: holds.set: 84h0m1s: want 0s to 84h0m0s`},
		{"--quarantine-max-share=1.5", `--quarantine-max-share: quarantine.max_share: 1.5: want 0 to 1`},
		{"--quarantine-max-share=-0.1", `--quarantine-max-share: quarantine.max_share: -0.1: want 0 to 1`},
		{"--quarantine-max-share=NaN", `--quarantine-max-share: quarantine.max_share: "NaN": want a number, such as 0.5`},
		{"--quarantine-max-share=50%", `--quarantine-max-share: quarantine.max_share: "50%": want a number, such as 0.5`},
		{"--quarantine-window=10ms", `--quarantine-window: quarantine.window: 10ms: want 1s to 1h0m0s`},
		{"--quarantine-min-records=0", `--quarantine-min-records: quarantine.min_records: 0: want 1 to 1000000`},
		{"--sweep-interval=1ms", `--sweep-interval: sweep_interval: 1ms: want 100ms to 1h0m0s`},
		{"--max-message-bytes=1048575", `--max-message-bytes: max_message_bytes: 1048575: want 1048576 to 10485760`},
		{"--max-message-bytes=10485761", `--max-message-bytes: max_message_bytes: 10485761: want 1048576 to 10485760`},
		{"--replication=0", `--replication: replication: 0: want 1 or more`},
		{"--min-insync=4", `--min-insync: min_insync: 4: want 1 to 3`},
		{"--min-insync=0", `--min-insync: min_insync: 0: want 1 to 3`},
		{"--internal-retention=1h", `--internal-retention: internal_retention: 1h0m0s: want 2h0m0s or more`},
		{"--session-timeout=7s", `--session-timeout: session_timeout: 7s: want more than 7s`},
		{"--session-timeout=0s", `--session-timeout: session_timeout: 0s: want a time`},
		{"--session-timeout=-1s", `--session-timeout: session_timeout: -1s: want more than 7s`},
		{"--stop-timeout=999ms", `--stop-timeout: stop_timeout: 999ms: want 1s to 10m0s`},
		{"--stop-timeout=11m", `--stop-timeout: stop_timeout: 11m0s: want 1s to 10m0s`},
		{"--session-timeout=1h", `--session-timeout: session_timeout: 1h0m0s: want more than 7s`},
		{"--http-listen=localhost", `--http-listen: http.listen: "localhost": want host:port such as 127.0.0.1:9477, or "" for none`},
		{"--http-listen=localhost:http", `--http-listen: http.listen: "localhost:http": want host:port`},
		{"--http-listen=:65536", `--http-listen: http.listen: ":65536": want host:port`},
		{"--log-level=loud", `--log-level: log.level: "loud": want one of debug, info, warn, error`},
		{"--log-format=xml", `--log-format: log.format: "xml": want one of auto, text, json`},
		{"--topics-orders=", `--topics-orders: topics.orders: "": want a Kafka topic name`},
		{"--topics-orders=a/b", `--topics-orders: topics.orders: "a/b": want a Kafka topic name`},
		{"--topics-orders=events", `--topics-orders: topics.orders: "events": is topics.events already`},
		{"--slim-orders=events", `--slim-orders: slim.orders: "events": is slim.events already`},
		{"--slim-orders=" + strings.Repeat("o", 250), `--slim-orders: slim.orders: "` + strings.Repeat("o", 80) + `…": want a Kafka topic name`},
		{"--source-brokers=", `--source-brokers: source.brokers: empty: want at least one host:port`},
		{"--target-brokers=b", `--target-brokers: target.brokers: entry [0]: "b": want host:port`},
		{"--target-brokers=b:1,,c:1", `--target-brokers: target.brokers: entry [1]: "": want host:port`},
		{"--state-brokers=c:1,c:1", `--state-brokers: state.brokers: entry [1]: "c:1": listed twice`},
		{"--source-security-protocol=TLS", `--source-security-protocol: source.security.protocol: "TLS": want PLAINTEXT`},
		{"--target-compression=gzip", `--target-compression: target.compression: "gzip": want lz4 or zstd`},
		// Topics that would meet on one cluster.
		{"--target-brokers=A:1", `slim.events: "events": is topics.events too, and source and target are one cluster: set slim.prefix or slim.suffix`},
		{"--slim-prefix=vibe-bridge-", `slim.events: "vibe-bridge-events": names that begin with "vibe-bridge-" are those of the deployment's internal topics on this cluster`},
		{"--state-brokers=a:1 --name=orders --topics-orders=orders-done", `--topics-orders: topics.orders: "orders-done": names that begin with "orders-"`},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			args := strings.Split(tt.args, " ")
			if strings.HasPrefix(tt.args, "--slim-prefix") { // one collision is enough to see
				args = append(args, "--slim-orders=x", "--slim-refunds=y", "--slim-prefix=", "--slim-events=vibe-bridge-events")
				tt.want = "--slim-events: " + tt.want
			}
			wantProblem(t, tt.want, minimal, nil, args...)
		})
	}
}

func TestValidateAccepts(t *testing.T) {
	for _, args := range []string{
		"--format=protobuf", "--edition=2.0", "--holds-organizer=0s --holds-set=0s", "--http-listen=", "--http-listen=[::1]:0",
		"--replication=1 --min-insync=1", "--session-timeout=7001ms", "--application-id=билеты",
		"--target-brokers=a:1 --slim-prefix=slim-", "--target-brokers=a:1 --slim-suffix=.v1 --name=x",
		// The same name on another cluster is another topic.
		"--state-brokers=c:1 --slim-prefix=vibe-bridge-",
	} {
		load(t, minimal, nil, strings.Split(args, " ")...)
	}
}

func TestCheckTopics(t *testing.T) {
	c := defaults()
	if err := c.CheckTopics(c.Overlap()); err != nil {
		t.Error(err)
	}
	// Different addresses, one cluster: only its id can tell.
	err := c.CheckTopics(Overlap{SourceTarget: true})
	var problems *Error
	if !errors.As(err, &problems) || len(problems.Problems) != 1 || problems.Problems[0].Key != "slim.events" {
		t.Errorf("error is %v", err)
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	text := "partitions: 0\nnmae: x\nsource: {brokers: [a:1]}\n"
	path := file(t, text)
	_, err := Load(path, []string{"VIBE_BRIDGE_LOG_LEVEL=loud"}, flags(t, "--replication=few"))
	want := strings.ReplaceAll(`configuration: 5 problems:
  FILE:2: "nmae": there is no such key; did you mean name?
  --replication: replication: "few": want a whole number
  FILE:1: partitions: 0: want 1 to 1024
  VIBE_BRIDGE_LOG_LEVEL: log.level: "loud": want one of debug, info, warn, error
  target.brokers: empty: want at least one host:port`, "FILE", path)
	if err == nil || err.Error() != want {
		t.Errorf("error is\n%v\nwant\n%s", err, want)
	}
}

// The example is the defaults in full: it must not go stale.
func TestExampleFile(t *testing.T) {
	path := filepath.Join("..", "..", "deploy", "bridge.example.yaml")
	got, err := Load(path, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Source.Brokers = []string{"legacy-1.kafka.example.com:9093", "legacy-2.kafka.example.com:9093"}
	want.Target.Brokers = []string{"slim-1.kafka.example.com:9093"}
	want.Complete()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		last := k.path[strings.LastIndex(k.path, ".")+1:]
		if !k.secret && !strings.Contains(string(text), last+":") {
			t.Errorf("the example does not show %s", k.path)
		}
	}
}

func TestShareBroker(t *testing.T) {
	a := kafka.Cluster{Brokers: []string{"x:1", "y:1"}}
	if b := (kafka.Cluster{Brokers: []string{"z:1", "Y:1"}}); !shareBroker(a, b) {
		t.Error("one address in common is one cluster")
	}
	if b := (kafka.Cluster{Brokers: []string{"x:2"}}); shareBroker(a, b) || shareBroker(a, kafka.Cluster{}) {
		t.Error("no address in common")
	}
}

// What the HTTP server is told must fit together.
func TestHTTP(t *testing.T) {
	for text, want := range map[string]string{
		`listen: ":9477", view_token_file: a, act_token_file: b, advertise: "http://b-0.bridge.example.com:9477/"`: "",
		`advertise: "b-0.bridge.example.com:9477"`:                          "http.advertise",
		`advertise: "http://u:p@b-0.bridge.example.com"`:                    "http.advertise",
		`tls_cert_file: a`:                                                  "http.tls_cert_file",
		`tls_key_file: a`:                                                   "http.tls_cert_file",
		`client_ca_file: a`:                                                 "http.client_ca_file",
		`pprof_listen: ":9479"`:                                             "http.pprof_listen",
		`pprof_listen: "0.0.0.0:9479"`:                                      "http.pprof_listen",
		`pprof_listen: "[::1]:9479"`:                                        "",
		`view_token_file: a, act_token_file: a`:                             "http.act_token_file",
		`view_token_file: a, personal_token_file: b, metrics_token_file: b`: "http.metrics_token_file",
	} {
		_, err := Load(file(t, minimal+"http: {"+text+"}\n"), nil, nil)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want+": ")) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	for _, c := range []struct {
		h    HTTP
		want string
	}{
		{HTTP{}, ""},
		{HTTP{Listen: ":0"}, "http://127.0.0.1:7"},
		{HTTP{Listen: ":0", TLSCertFile: "c"}, "https://127.0.0.1:7"},
		{HTTP{Listen: ":0", Advertise: "http://b/"}, "http://b"},
	} {
		if got := c.h.AdvertisedURL("127.0.0.1:7"); got != c.want {
			t.Errorf("%+v is advertised as %q, want %q", c.h, got, c.want)
		}
	}
}

// A file that is no YAML is said with the line in which that shows, also where the parser does not know it, or miscounts.
func TestLineOfWhatIsNoYAML(t *testing.T) {
	for _, c := range []struct {
		text string
		line int
		says string
	}{
		{"a: b: c\n", 1, "not YAML: mapping values are not allowed"},
		{"a: b: c", 1, "not YAML: mapping values are not allowed"},
		{"x: 1\ny: 2\na: b: c\nz: 3\n", 3, "not YAML: mapping values are not allowed"},
		{"x: 1\n- a\ny: 2\n", 2, "not YAML: did not find expected key"},
		{"x: 1\ny: [1,\n2]\nz: [\n", 4, "not YAML: did not find expected node content"},
		{"x: 1\ny: 'a\nz: 2\n", 2, "not YAML: found unexpected end of stream"},
		{"x: 1\nfoo\ny: 2\n", 2, "not YAML: could not find expected ':'"},
		{"x: 1\n\ty: 1\n", 2, "not YAML: found a tab character"},
		{"x: 1\ny: *no\nz: 1\n", 2, "not YAML: unknown anchor 'no'"},
		{"x: 1\ny: \x01\n", 2, "not YAML: control characters are not allowed"},
		{"x: 1\n---\ny: 1\n", 2, "there is more than one YAML document"},
	} {
		_, err := Load(file(t, c.text), nil, nil)
		if want := fmt.Sprintf("bridge.yaml:%d: %s", c.line, c.says); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "yaml: ") {
			t.Errorf("%q: %v, want in it %s", c.text, err, want)
		}
	}
}
