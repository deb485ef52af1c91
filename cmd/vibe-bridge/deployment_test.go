package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// executeDeadline ends a command that should have ended by itself.
const executeDeadline = time.Minute

// execute runs the program as a process of its own. env is added to an
// environment without any variable of the program.
func execute(t *testing.T, env []string, args ...string) result {
	t.Helper()
	return executeWithInput(t, nil, env, args...)
}

// executeWithInput gives the process a file as standard input; nil is an empty one.
func executeWithInput(t *testing.T, stdin *os.File, env []string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), executeDeadline)
	defer cancel()
	cmd := program(ctx, env, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if stdin != nil {
		cmd.Stdin = stdin
	}
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("%v did not end within %s; it said\n%s%s", args, executeDeadline, stdout.String(), stderr.String())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// program is found where TestMain has put it.
func program(ctx context.Context, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "vibe-bridge", args...)
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, config.EnvPrefix) {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// deployment is a configuration and the two clusters that it names, which are
// embedded brokers.
type deployment struct {
	t              *testing.T
	source, target cluster
	folder         string
	config         string // file
}

// cluster is an embedded broker with the settings to reach it.
type cluster struct {
	kafka.Cluster
	broker *embedded.Broker
	seen   *seenRequests
}

// The numbers in a test's deployment.
const (
	testPartitions     = 2
	testSlimPartitions = 3
)

// newDeployment starts two clusters without login, with the legacy topics in the
// first.
func newDeployment(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{t: t, source: startCluster(t), target: startCluster(t), folder: t.TempDir()}
	d.createLegacy("partners", "events", "orders_done", "refund_requests")
	d.configure("")
	return d
}

func startCluster(t *testing.T, more ...kfake.Opt) cluster {
	t.Helper()
	broker := kafkatest.Embedded(t, embedded.Options{More: more}).Embedded
	return cluster{
		Cluster: kafka.Cluster{Brokers: broker.Addrs()}.WithDefaults(),
		broker:  broker,
		seen:    watchRequests(broker),
	}
}

const (
	testUser     = "bridge"
	testPassword = "s3cret-word"
)

// startSecuredCluster starts one that wants TLS and a login by SCRAM-SHA-512.
func startSecuredCluster(t *testing.T) cluster {
	t.Helper()
	pki := kafkatest.NewPKI(t, "cluster authority")
	certificate := pki.Issue("broker", kafkatest.Valid(), "127.0.0.1").Certificate
	c := startCluster(t,
		kfake.EnableSASL(), kfake.Superuser(kafka.MechanismScram512, testUser, testPassword),
		kfake.TLS(&tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}))
	c.Security = kafka.Security{
		Protocol: kafka.SASLSSL,
		SASL:     kafka.SASL{Mechanism: kafka.MechanismScram512, Username: testUser, Password: testPassword},
		TLS:      kafka.TLS{CAFile: pki.CAFile},
	}
	return c
}

// section is the cluster's part of a configuration file, without the password.
func (c cluster) section(name string) string {
	text := fmt.Sprintf("%s:\n  brokers: [%q]\n", name, c.Brokers[0])
	if c.Security.Protocol == kafka.SASLSSL {
		text += fmt.Sprintf("  security:\n    protocol: SASL_SSL\n    sasl: {mechanism: SCRAM-SHA-512, username: %s}\n    tls: {ca_file: %q}\n", testUser, c.Security.TLS.CAFile)
	}
	return text
}

// configure writes the configuration file: the test's numbers, the two clusters,
// and then the lines of more.
func (d *deployment) configure(more string) {
	d.t.Helper()
	d.config = filepath.Join(d.folder, "bridge.yaml")
	text := fmt.Sprintf("name: trial\nreplication: 1\nmin_insync: 1\npartitions: %d\nslim: {partitions: %d}\nstate_dir: %q\n",
		testPartitions, testSlimPartitions, d.stateDir())
	if !strings.Contains(more, "http:") {
		text += "http: {listen: \"\"}\n"
	}
	for _, part := range []struct{ name, text string }{{"source:", d.source.section("source")}, {"target:", d.target.section("target")}} {
		if !strings.Contains(more, part.name) {
			text += part.text
		}
	}
	d.write("bridge.yaml", text+more)
}

func (d *deployment) stateDir() string { return filepath.Join(d.folder, "state") }

func (d *deployment) write(name, text string) string {
	d.t.Helper()
	path := filepath.Join(d.folder, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}

func (d *deployment) createLegacy(topics ...string) {
	d.t.Helper()
	for _, topic := range topics {
		d.source.create(d.t, topic, 2, nil)
	}
}

// load gives the configuration as the program sees it.
func (d *deployment) load() processors.Config {
	d.t.Helper()
	c, err := config.Load(d.config, nil, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	cfg, err := bridgeConfig(c)
	if err != nil {
		d.t.Fatal(err)
	}
	return cfg
}

func (c cluster) admin(t *testing.T) *kadm.Client {
	t.Helper()
	client, err := connect(c.Cluster)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return kadm.NewClient(client)
}

func (c cluster) create(t *testing.T, topic string, partitions int32, settings map[string]string) {
	t.Helper()
	values := map[string]*string{}
	for k, v := range settings {
		values[k] = &v
	}
	if _, err := c.admin(t).CreateTopic(t.Context(), partitions, 1, values, topic); err != nil {
		t.Fatal(err)
	}
}

// topics are the cluster's topics with their numbers of partitions.
func (c cluster) topics(t *testing.T) map[string]int {
	t.Helper()
	listed, err := c.admin(t).ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for name, topic := range listed {
		found[name] = len(topic.Partitions)
	}
	return found
}

func (c cluster) groups(t *testing.T) []string {
	t.Helper()
	listed, err := c.admin(t).ListGroups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return listed.Groups()
}

// seenRequests counts the requests that change something on a cluster.
type seenRequests struct {
	mu     sync.Mutex
	byName map[string]int
}

func watchRequests(broker *embedded.Broker) *seenRequests {
	s := &seenRequests{byName: map[string]int{}}
	broker.Cluster().Control(func(r kmsg.Request) (kmsg.Response, error, bool) {
		broker.Cluster().KeepControl()
		s.see(r)
		return nil, nil, false
	})
	return s
}

func (s *seenRequests) see(r kmsg.Request) {
	switch r := r.(type) {
	case *kmsg.CreateTopicsRequest:
		if r.ValidateOnly {
			return
		}
	case *kmsg.JoinGroupRequest, *kmsg.ConsumerGroupHeartbeatRequest, *kmsg.OffsetCommitRequest, *kmsg.ProduceRequest,
		*kmsg.DeleteTopicsRequest, *kmsg.CreatePartitionsRequest, *kmsg.AlterConfigsRequest, *kmsg.IncrementalAlterConfigsRequest:
	default:
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byName[kmsg.NameForKey(r.Key())]++
}

func (s *seenRequests) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.byName))
}

func (s *seenRequests) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.byName)
}
