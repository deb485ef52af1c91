package kafkatest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
)

// Environment of tests on real Kafka.
const (
	// EnvBrokers holds the addresses of a Kafka whose topics with a test's prefix may be created and deleted.
	EnvBrokers = "KAFKA_BROKERS"
	// EnvRequire, set to 1, makes a test fail where it would be skipped for want of a real Kafka.
	EnvRequire = "VIBE_BRIDGE_REQUIRE_KAFKA"
)

// Target is a cluster that a test runs against.
type Target struct {
	Name  string // "embedded" or "kafka"
	Addrs []string
	// Prefix begins the names of all topics and groups of this test. On real Kafka, topics and groups with it
	// are deleted when the test ends.
	Prefix string
	// Embedded is the fake's handle for fault injection; nil on real Kafka.
	Embedded *embedded.Broker
}

// Each runs the test twice: on a fresh embedded broker, and on the real Kafka of EnvBrokers.
func Each(t *testing.T, test func(t *testing.T, target Target)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { test(t, Embedded(t, embedded.Options{})) })
	t.Run("kafka", func(t *testing.T) { test(t, Kafka(t)) })
}

// Embedded starts an embedded broker that ends with the test. What a bridge wrote to slim topics is checked then.
func Embedded(t testing.TB, o embedded.Options) Target {
	t.Helper()
	b, err := embedded.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	target := Target{Name: "embedded", Addrs: b.Addrs(), Prefix: prefix(t), Embedded: b}
	checkSlimAtEnd(t, target)
	return target
}

// Kafka returns the real Kafka of EnvBrokers. Without it, the test is skipped, or fails under EnvRequire.
func Kafka(t testing.TB) Target {
	t.Helper()
	addrs := os.Getenv(EnvBrokers)
	if addrs == "" {
		SkipOrFail(t, "real-Kafka tests skipped: set "+EnvBrokers+" or run make test, which starts one")
	}
	target := Target{Name: "kafka", Addrs: strings.Split(addrs, ","), Prefix: prefix(t)}
	t.Cleanup(func() { sweep(t, target) })
	checkSlimAtEnd(t, target)
	return target
}

// SkipOrFail skips the test with the reason, or fails it where EnvRequire is 1.
func SkipOrFail(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv(EnvRequire) == "1" {
		t.Fatalf("%s=1, but: %s", EnvRequire, reason)
	}
	t.Skip(reason)
}

// Topic returns a name of the test's own.
func (tg Target) Topic(name string) string { return tg.Prefix + name }

// prefix makes names unique per run, readable in a broker's log, and legal: letters, digits, dashes.
func prefix(t testing.TB) string {
	var random [4]byte
	if _, err := rand.Read(random[:]); err != nil {
		t.Fatal(err)
	}
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, t.Name())
	return name[:min(len(name), 60)] + "-" + hex.EncodeToString(random[:]) + "-"
}

// sweep deletes the groups and topics of the test.
func sweep(t testing.TB, tg Target) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(tg.Addrs...))
	if err != nil {
		t.Errorf("clean up after the test: %v", err)
		return
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	adm := kadm.NewClient(cl)
	groups, err := adm.ListGroups(ctx)
	if err != nil {
		t.Errorf("clean up after the test: list groups: %v", err)
		return
	}
	var mine []string
	for _, g := range groups.Groups() {
		if strings.HasPrefix(g, tg.Prefix) {
			mine = append(mine, g)
		}
	}
	if len(mine) > 0 { // a group whose members have not left yet stays: it has no topics, and expires
		_, _ = adm.DeleteGroups(ctx, mine...)
	}
	topics, err := adm.ListTopics(ctx)
	if err != nil {
		t.Errorf("clean up after the test: list topics: %v", err)
		return
	}
	mine = nil
	for _, name := range topics.Names() {
		if strings.HasPrefix(name, tg.Prefix) {
			mine = append(mine, name)
		}
	}
	if len(mine) == 0 {
		return
	}
	if _, err := adm.DeleteTopics(ctx, mine...); err != nil {
		t.Errorf("clean up after the test: delete topics: %v", err)
	}
}
