package live_test

import (
	"context"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

// hung is a member of a group that has its partitions and never gives them up.
type hung struct {
	has     chan struct{}
	release context.Context
}

func (h *hung) Setup(sarama.ConsumerGroupSession) error   { close(h.has); return nil }
func (h *hung) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (h *hung) ConsumeClaim(sarama.ConsumerGroupSession, sarama.ConsumerGroupClaim) error {
	<-h.release.Done()
	return nil
}

// hang has such a member in a group until the test is over. The coordinator waits for it for minutes.
func (w *world) hang(group, topic string) {
	w.t.Helper()
	cfg, err := w.cfg.State.ConsumerConfig(kafka.ConsumerOptions{SessionTimeout: 5 * time.Minute, RebalanceTimeout: 5 * time.Minute})
	w.must(err)
	member, err := sarama.NewConsumerGroup(w.target.Addrs, group, cfg)
	w.must(err)
	release, let := context.WithCancel(context.Background())
	h := &hung{make(chan struct{}), release}
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = member.Consume(release, []string{topic}, h)
	}()
	w.t.Cleanup(func() {
		let()
		<-over
		_ = member.Close()
	})
	select {
	case <-h.has:
	case <-over:
		w.t.Fatal("the member that is to hang is not in the group")
	}
}

// joins waits until a rebalance of the group waits for somebody.
func (w *world) joins(group string) {
	w.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.target.Addrs...))
	w.must(err)
	defer client.Close()
	kafkatest.Eventually(w.t, "a rebalance", func() bool {
		groups, err := kadm.NewClient(client).DescribeGroups(w.t.Context(), group)
		return err == nil && groups[group].State == "PreparingRebalance"
	})
}

// An instance that is not let into a group, as another member hangs, has begun nothing there, and its end waits neither
// for that member nor for the stop timeout.
func TestEndWhileJoining(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		w := newWorld(t, target, season.Config{Orders: 10, Seed: 6})
		w.produce()
		w.cfg.StopTimeout = 10 * time.Second
		group := w.cfg.Name + "-compare-partners"
		w.hang(group, w.cfg.Name+"-compare-partner-records")
		in := w.start(t.TempDir())
		w.joins(group)
		w.leave(in)
	})
}
