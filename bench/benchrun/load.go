package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/dryrun"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/slim"
)

var legacyTopics = []string{season.TopicPartners, season.TopicEvents, season.TopicOrders, season.TopicRefunds}

// fill writes the season into the legacy topics, and counts what is there.
func (b *bench) fill(ctx context.Context) error {
	p := newPlace(b, "load")
	if err := b.configure(p, ""); err != nil {
		return err
	}
	began := time.Now()
	if err := b.generate(ctx, p, b.directory()); err != nil {
		return err
	}
	ends, err := b.admin.ListEndOffsets(ctx, legacyTopics...)
	if err != nil {
		return err
	}
	ends.Each(func(o kadm.ListedOffset) { b.loaded += o.Offset })
	if b.shape, err = shapeOf(season.Config{Orders: min(b.orders, sampleOrders), Seed: b.seed}); err != nil {
		return err
	}
	b.bytes = int64(float64(b.loaded) * b.shape.LegacyBytes)
	if err := b.sell(); err != nil {
		return err
	}
	b.say("loaded %d legacy records of %.0f bytes in %.0fs", b.loaded, b.shape.LegacyBytes, time.Since(began).Seconds())
	return nil
}

// generate writes the season into the legacy topics of a place, and the directory of its places into a file.
func (b *bench) generate(ctx context.Context, p *place, directory string) error {
	return b.command(ctx, b.program("vibe-bridge"), "generate", "--config", p.config(), "--orders", fmt.Sprint(b.orders),
		"--seed", fmt.Sprint(b.seed), "--partitions", fmt.Sprint(b.partitions), "--directory-out", directory)
}

// sell makes the orders up that are not in the season, or that are once more.
func (b *bench) sell() (err error) {
	if want := b.soldOrders(); want > 0 {
		// More than are wanted: some are not paid for, and one in twenty comes twice.
		if b.sales, err = salesOf(season.Config{Orders: want + want/4 + 100, Seed: b.seed}, 0, want); err != nil {
			return err
		}
	}
	if b.measures(recoveryName) {
		drained, err := salesOf(season.Config{Orders: b.orders, Seed: b.seed}, b.orders*9/10, min(b.orders/20, 500))
		if err != nil {
			return err
		}
		if b.probes, err = probesOf(drained.orders, b.partitions); err != nil {
			return err
		}
	}
	return nil
}

// sampleOrders is the size of the season by which the shape of slim records is found.
const sampleOrders = 20_000

// shape is what the slim topics hold of a season, on an average.
type shape struct {
	LegacyBytes float64          `json:"legacy_bytes"` // of a legacy value, of any topic
	Slim        map[string]share `json:"slim"`         // by legacy topic
}

// share is how many of a topic's records have a slim record sent, and how large its value is.
type share struct {
	Of    float64 `json:"share"`
	Bytes int     `json:"bytes"`
}

// dry maps a season with no broker. What comes out goes to sink, in topics called events, orders and refunds.
func dry(c season.Config, sink func(recordfile.Record) error) (*dryrun.Engine, error) {
	d, err := directory.Parse(season.Directory(c), nil)
	if err != nil {
		return nil, err
	}
	moscow, err := time.LoadLocation("Europe/Moscow")
	if err != nil {
		return nil, err
	}
	return dryrun.New(dryrun.Config{
		Rules: &mapping.Rules{
			Encoding: slim.Encoding{Edition: slim.Edition1, Format: slim.JSON}, Directory: d, DefaultLocation: moscow,
			MaxRecordBytes: mapping.DefaultMaxRecordBytes,
		},
		ApplicationID: slim.DefaultApplicationID, SourceHeader: true,
	}, sink)
}

// play has an engine process a season, and tells of each record before.
func play(engine *dryrun.Engine, c season.Config, of func(season.Record)) error {
	for r := range season.Generate(c) {
		of(r)
		if err := engine.Process(recordfile.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Timestamp: r.Time.UnixMilli()}); err != nil {
			return err
		}
	}
	return nil
}

// shapeOf maps a season with no broker.
func shapeOf(c season.Config) (shape, error) {
	from := map[string]string{"events": season.TopicEvents, "orders": season.TopicOrders, "refunds": season.TopicRefunds}
	var sent, sentBytes, read = map[string]int{}, map[string]int{}, map[string]int{}
	engine, err := dry(c, func(r recordfile.Record) error {
		if topic := from[r.Topic]; topic != "" {
			sent[topic]++
			sentBytes[topic] += len(r.Value)
		}
		return nil
	})
	if err != nil {
		return shape{}, err
	}
	bytes, all := 0, 0
	if err := play(engine, c, func(r season.Record) {
		read[r.Topic]++
		bytes += len(r.Value)
		all++
	}); err != nil {
		return shape{}, err
	}
	s := shape{LegacyBytes: float64(bytes) / float64(all), Slim: map[string]share{}}
	for topic, n := range sent {
		s.Slim[topic] = share{Of: min(1, float64(n)/float64(read[topic])), Bytes: sentBytes[topic] / n}
	}
	return s, nil
}
