package kafkatest

import (
	"context"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/localkafka"
)

// OwnKafka is a real Kafka of one test's own, for what a shared one cannot be used for: TLS, restarts.
type OwnKafka struct {
	Target
	Instance localkafka.Instance
	root     string
	options  localkafka.Options
	t        testing.TB
}

// StartOwnKafka starts real Kafka for the test and stops it with the test. Where its jars have not been fetched, the
// test is skipped, or fails under EnvRequire.
func StartOwnKafka(t testing.TB, o localkafka.Options) *OwnKafka {
	t.Helper()
	root, err := localkafka.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	if err := localkafka.CheckoutJars(root).Check(); err != nil {
		SkipOrFail(t, "tests on a real Kafka of their own skipped: "+err.Error())
	}
	o.Bound = true
	k := &OwnKafka{Instance: localkafka.Instance{Dir: t.TempDir()}, root: root, options: o, t: t}
	t.Cleanup(func() { k.Stop() })
	k.start()
	return k
}

func (k *OwnKafka) start() {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	addrs, err := k.Instance.Start(ctx, k.root, k.options)
	if err != nil {
		k.t.Fatal(err)
	}
	k.Target = Target{Name: "kafka", Addrs: addrs}
}

// Listeners returns the addresses by listener: CLIENT, INTERNAL, CONTROLLER.
func (k *OwnKafka) Listeners() map[string][]string {
	k.t.Helper()
	l, err := k.Instance.Listeners()
	if err != nil {
		k.t.Fatal(err)
	}
	return l
}

// Stop stops the brokers; stopped ones stay so.
func (k *OwnKafka) Stop() {
	if err := k.Instance.Stop(10 * time.Second); err != nil {
		k.t.Error(err)
	}
}

// StartAgain starts stopped brokers on their data and ports.
func (k *OwnKafka) StartAgain() {
	k.t.Helper()
	k.options.KeepData = true
	k.start()
}
