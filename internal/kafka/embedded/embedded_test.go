package embedded_test

import (
	"context"
	"crypto/rand"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

func TestStart(t *testing.T) {
	b, err := embedded.Start(embedded.Options{Brokers: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if n := len(b.Addrs()); n != 3 {
		t.Errorf("%d addresses, want 3", n)
	}
	for _, addr := range b.Addrs() {
		host, _, err := net.SplitHostPort(addr)
		if err != nil || !net.ParseIP(host).IsLoopback() {
			t.Errorf("address %q: want one on loopback", addr)
		}
	}
	b.Close() // again, later, by the deferred call
}

func TestStartRefuses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().(*net.TCPAddr).Port
	for name, tt := range map[string]struct {
		o    embedded.Options
		want string
	}{
		"negative":        {embedded.Options{Brokers: -1}, "want 1 or more"},
		"ports":           {embedded.Options{Brokers: 2, Ports: []int{0}}, "1 ports for 2 brokers"},
		"port is taken":   {embedded.Options{Ports: []int{taken}}, "start the embedded broker"},
		"folder is a dot": {embedded.Options{DataDir: "/dev/null/data"}, "start the embedded broker"},
	} {
		b, err := embedded.Start(tt.o)
		if err == nil {
			b.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, tt.want)
		}
	}
}

// A misspelt topic must fail instead of coming into being, even for a client that asks for it.
func TestTopicsAreNotCreatedByAccident(t *testing.T) {
	tg := kafkatest.Embedded(t, embedded.Options{})
	cl, err := kgo.NewClient(kgo.SeedBrokers(tg.Addrs...), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(0))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "misspelt", Value: []byte("v")}).FirstErr(); err == nil {
		t.Error("a record to a topic that nobody created was accepted")
	}
}

func TestDataSurviveARestart(t *testing.T) {
	o := embedded.Options{DataDir: t.TempDir()}
	first, err := embedded.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	kafkatest.CreateTopic(t, first.Addrs(), "t", 1, nil)
	kafkatest.Produce(t, first.Addrs(), "t", &kafkatest.Record{Value: []byte("v")})
	first.Close()
	second, err := embedded.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if r := kafkatest.ReadAll(t, second.Addrs(), "t"); len(r) != 1 || string(r[0].Value) != "v" {
		t.Errorf("%d records after the restart, want the one written before", len(r))
	}
}

// Batches may be as large as the client profile makes them, on any topic.
func TestLargeBatches(t *testing.T) {
	tg := kafkatest.Embedded(t, embedded.Options{})
	kafkatest.CreateTopic(t, tg.Addrs, "t", 1, nil)
	random := make([]byte, 8<<20)
	if _, err := rand.Read(random); err != nil { // does not compress
		t.Fatal(err)
	}
	kafkatest.Produce(t, tg.Addrs, "t", &kafkatest.Record{Value: random})
}
