package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

type generateOptions struct {
	season       season.Config
	out          string
	directoryOut string
	target       clusterFlags
	partitions   int32
	add          bool
}

func newGenerateCommand(a *app) *cobra.Command {
	var o generateOptions
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Make up a season of ticket sales",
		Long: `generate makes up a season of ticket sales: legacy records of partners, events,
orders and refund requests, all invented. The same flags give the same records.

They go to a record file (NDJSON; gzip when its name ends in .gz; - for standard
output) or into the legacy topics of a cluster. Topics that do not exist are
created; topics that hold records are left alone unless --add is given. Records
in a cluster carry the time at which they were written, because brokers drop
older ones and refuse later ones.`,
		Example: `  vibe-bridge generate --orders 100000 --seed 7 --out season.ndjson.gz --directory-out directory.json
  vibe-bridge generate --orders 100000 --hostile 0.05 --brokers localhost:9092`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), a) },
	}
	flags := cmd.Flags()
	flags.IntVar(&o.season.Orders, "orders", 1000, "number of orders")
	flags.Uint64Var(&o.season.Seed, "seed", 1, "another number gives another season")
	flags.Float64Var(&o.season.Hostile, "hostile", 0, "share of trouble, 0 to 1: broken, late, repeated and missing records")
	flags.StringVar(&o.out, "out", "", "record file to write")
	flags.StringVar(&o.directoryOut, "directory-out", "", "directory file to write: the season's categories, cities and venues")
	o.target.bind(cmd)
	flags.Int32Var(&o.partitions, "partitions", 12, "partitions of topics that are created")
	flags.BoolVar(&o.add, "add", false, "write into topics that hold records already")
	return cmd
}

func (o *generateOptions) run(ctx context.Context, a *app) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.directoryOut != "" {
		if err := replaceFile(o.directoryOut, readableByAll, season.Directory(o.season)); err != nil {
			return refusef("write directory: %w", err)
		}
	}
	switch {
	case o.out != "":
		return o.toFile(ctx, a)
	case o.target.given():
		return o.toCluster(ctx, a)
	}
	return nil
}

func (o *generateOptions) check() error {
	if err := o.season.Validate(); err != nil {
		return refuse(err)
	}
	if o.partitions < 1 {
		return refusef("--partitions %d: want 1 or more", o.partitions)
	}
	if err := o.target.check(); err != nil {
		return err
	}
	if o.out != "" && o.target.given() {
		return refusef("--out and a cluster (--brokers, --config) are both given: want one of them")
	}
	if o.out == "" && o.directoryOut == "" && !o.target.given() {
		return refusef("nothing to write: want --out, --directory-out, --brokers or --config")
	}
	return nil
}

func (o *generateOptions) toFile(ctx context.Context, a *app) error {
	w, err := recordfile.Create(o.out, a.stdout)
	if err != nil {
		return refuse(err)
	}
	defer w.Discard()
	var written counts
	for record := range season.Generate(o.season) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := w.Write(recordfile.Record{
			Topic:     record.Topic,
			Offset:    int64(written.of(record.Topic)),
			Timestamp: record.Time.UnixMilli(),
			Key:       record.Key,
			Headers:   fileHeaders(record.Headers),
			Value:     record.Value,
		})
		if err != nil {
			return err
		}
		written.add(record.Topic)
	}
	if err := w.Close(); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "generated %s\n", written)
	return nil
}

// fileHeaders gives headers an order, so that equal seasons are equal files.
func fileHeaders(headers map[string][]byte) []recordfile.Header {
	var list []recordfile.Header
	for _, key := range slices.Sorted(maps.Keys(headers)) {
		list = append(list, recordfile.Header{Key: key, Value: headers[key]})
	}
	return list
}

func (o *generateOptions) toCluster(ctx context.Context, a *app) error {
	cluster, c, err := o.target.resolve(a)
	if err != nil {
		return err
	}
	client, err := connect(cluster, kgo.ProducerBatchMaxBytes(int32(cluster.MaxMessageBytes)))
	if err != nil {
		return err
	}
	defer client.Close()
	names := topicNames(c.Topics)
	if err := o.prepareTopics(ctx, kadm.NewClient(client), slices.Sorted(maps.Values(names))); err != nil {
		return err
	}
	written, err := o.produce(ctx, client, names)
	if err != nil {
		return fmt.Errorf("generate: after %s: %w", written, err)
	}
	fmt.Fprintf(a.stderr, "generated %s\n", written)
	return nil
}

// topicNames maps the topics of a season to those of a deployment.
func topicNames(topics config.Topics) map[string]string {
	return map[string]string{
		season.TopicPartners: topics.Partners,
		season.TopicEvents:   topics.Events,
		season.TopicOrders:   topics.Orders,
		season.TopicRefunds:  topics.Refunds,
	}
}

// prepareTopics creates what is missing, and keeps invented records out of
// topics with real ones.
func (o *generateOptions) prepareTopics(ctx context.Context, admin *kadm.Client, names []string) error {
	found, err := admin.ListTopics(ctx, names...)
	if err != nil {
		return fmt.Errorf("look at topics: %w", err)
	}
	var missing, existing []string
	for _, name := range names {
		switch err := found[name].Err; {
		case err == nil:
			existing = append(existing, name)
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			missing = append(missing, name)
		default:
			return fmt.Errorf("look at topic %s: %w", name, err)
		}
	}
	if !o.add {
		if err := wantEmpty(ctx, admin, existing); err != nil {
			return err
		}
	}
	return o.createTopics(ctx, admin, missing)
}

func wantEmpty(ctx context.Context, admin *kadm.Client, names []string) error {
	if len(names) == 0 {
		return nil // no names would mean all topics
	}
	starts, err := listOffsets(ctx, admin.ListStartOffsets, names)
	if err != nil {
		return err
	}
	ends, err := listOffsets(ctx, admin.ListEndOffsets, names)
	if err != nil {
		return err
	}
	for _, name := range names {
		var records int64
		for partition, end := range ends[name] {
			records += end.Offset - starts[name][partition].Offset
		}
		if records > 0 {
			return refusef("topic %s holds about %d records already, and generated ones would mix with them: give --add if that is what you want", name, records)
		}
	}
	return nil
}

// listOffsets calls one of the admin client's methods and takes an error of any
// partition for one of the whole.
func listOffsets(ctx context.Context, list func(context.Context, ...string) (kadm.ListedOffsets, error), names []string) (kadm.ListedOffsets, error) {
	offsets, err := list(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	for _, name := range names {
		for partition, offset := range offsets[name] {
			switch {
			case errors.Is(offset.Err, kerr.UnknownTopicOrPartition) && partition < 0:
				return nil, refusef("topic %s does not exist on the cluster, or the user may not see it", name)
			case offset.Err != nil:
				return nil, fmt.Errorf("list offsets of %s/%d: %w", name, partition, offset.Err)
			}
		}
	}
	return offsets, nil
}

func (o *generateOptions) createTopics(ctx context.Context, admin *kadm.Client, names []string) error {
	if len(names) == 0 {
		return nil
	}
	const asTheClusterLikes = -1
	settings := map[string]*string{"retention.ms": kadm.StringPtr("-1")} // a test's input should not vanish
	responses, err := admin.CreateTopics(ctx, o.partitions, asTheClusterLikes, settings, names...)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	for _, response := range responses.Sorted() {
		if response.Err != nil {
			return fmt.Errorf("create topic %s: %w", response.Topic, response.Err)
		}
	}
	return nil
}

// produce returns what was acknowledged before the first error.
func (o *generateOptions) produce(ctx context.Context, client *kgo.Client, names map[string]string) (counts, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var written counts
	acknowledged := func(r *kgo.Record, err error) { // called one at a time
		if err != nil {
			fail(fmt.Errorf("write to %s: %w", r.Topic, err))
			return
		}
		written.add(r.Topic)
	}
	for record := range season.Generate(o.season) {
		if ctx.Err() != nil {
			break
		}
		client.Produce(ctx, &kgo.Record{
			Topic:   names[record.Topic],
			Key:     record.Key,
			Value:   record.Value,
			Headers: kafkaHeaders(record.Headers),
		}, acknowledged)
	}
	if err := client.Flush(ctx); err != nil {
		// Without the records that are still in the client, its callbacks end.
		_ = client.AbortBufferedRecords(context.Background())
		return written, context.Cause(ctx)
	}
	return written, context.Cause(ctx)
}

func kafkaHeaders(headers map[string][]byte) []kgo.RecordHeader {
	var list []kgo.RecordHeader
	for _, header := range fileHeaders(headers) {
		list = append(list, kgo.RecordHeader{Key: header.Key, Value: header.Value})
	}
	return list
}

// counts is a number of records by topic.
type counts struct{ byTopic map[string]int }

func (c *counts) add(topic string) {
	if c.byTopic == nil {
		c.byTopic = make(map[string]int)
	}
	c.byTopic[topic]++
}

func (c counts) of(topic string) int { return c.byTopic[topic] }

// String is "7 records (events 3, orders 4)".
func (c counts) String() string {
	total := 0
	var parts []string
	for _, topic := range slices.Sorted(maps.Keys(c.byTopic)) {
		total += c.byTopic[topic]
		parts = append(parts, fmt.Sprintf("%s %d", topic, c.byTopic[topic]))
	}
	if total == 0 {
		return "no records"
	}
	return fmt.Sprintf("%d records (%s)", total, strings.Join(parts, ", "))
}
