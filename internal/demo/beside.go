package demo

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/ordercheck"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/processors"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// Beside is a second deployment on the same brokers, which bridges the season that d
// writes, too. Its slim topics end with "-" and its name. d has to outlast it.
func (d *Demo) Beside(ctx context.Context, name string, enc slim.Encoding) (*Demo, error) {
	topics := [3]string{"events-" + name, "orders-" + name, "refunds-" + name}
	b := &Demo{cfg: d.cfg, bcfg: d.bcfg, monitor: ordercheck.New(topics[0], topics[1], topics[2]), seeded: true}
	b.sample.Monitor = b.monitor
	for rec := range season.Generate(d.cfg.Season) {
		b.monitor.Legacy(rec.Topic, rec.Value)
	}
	dir, err := b.stateDir()
	if err != nil {
		return nil, err
	}
	rules := *d.bcfg.Rules
	rules.Encoding = enc
	b.bcfg.Rules, b.bcfg.Observer, b.bcfg.StateDir = &rules, &b.sample, dir
	b.bcfg.Topics = processors.NewTopics(name, d.bcfg.Topics.Legacy, topics[0], topics[1], topics[2])
	if err := b.prepare(ctx); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// Clusters are the brokers that the bridge reads from and writes to.
func (d *Demo) Clusters() (source, target kafka.Cluster) { return d.bcfg.Source, d.bcfg.Target }

// Write appends slim records as some other program would, each to the partition of its key.
func (d *Demo) Write(ctx context.Context, records []recordfile.Record) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(d.bcfg.Target.Brokers...), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	if err != nil {
		return err
	}
	defer client.Close()
	for _, r := range records {
		out := &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		if err := client.ProduceSync(ctx, out).FirstErr(); err != nil {
			return fmt.Errorf("write to %s: %w", r.Topic, err)
		}
	}
	return nil
}
