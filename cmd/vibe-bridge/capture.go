package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
)

type captureOptions struct {
	source   clusterFlags
	topics   []string
	out      string
	untilEnd bool
}

func newCaptureCommand(a *app) *cobra.Command {
	var o captureOptions
	cmd := &cobra.Command{
		Use:   "capture",
		Short: "Copy topics into a record file",
		Long: `capture copies whole topics, from their first record on, into a record file
(NDJSON; gzip when its name ends in .gz; - for standard output). It only reads: it
joins no consumer group and commits nothing. Records of aborted transactions are
left out.

With --until-end it stops at what the topics held when it started, and writes the
records of all partitions in the order of their timestamps; within a partition the
order of offsets is kept. Without, it goes on until it is interrupted, and writes
records as they arrive; the file is then finished and whole.

Without --topics it copies the four legacy topics, which have their default names in
the file whatever the configuration calls them, as dry-run wants them; or, with
--cluster target, the three slim topics.

The file appears under its name when it is whole. It holds personal data if the
topics do, and only its owner may read it.`,
		Example: `  vibe-bridge capture --config bridge.yaml --until-end --out capture.ndjson.gz
  vibe-bridge capture --config bridge.yaml --cluster target --until-end --out slim.ndjson.gz
  vibe-bridge capture --brokers localhost:9092 --topics events --out -`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), a) },
	}
	flags := cmd.Flags()
	o.source.bind(cmd)
	flags.StringSliceVar(&o.topics, "topics", nil, "topics to copy (default: the legacy topics, or those of --cluster target)")
	flags.StringVar(&o.out, "out", "", "record file to write")
	flags.BoolVar(&o.untilEnd, "until-end", false, "stop at what the topics hold now")
	return cmd
}

func (o *captureOptions) run(ctx context.Context, a *app) error {
	if o.out == "" {
		return refusef("no file to write: want --out")
	}
	if err := o.source.check(); err != nil {
		return err
	}
	if !o.source.given() {
		return refusef("no cluster to read from: want --config or --brokers")
	}
	cluster, configured, err := o.source.resolve(a)
	if err != nil {
		return err
	}
	names, err := o.names(configured)
	if err != nil {
		return err
	}
	client, err := connect(cluster,
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last offset of a topic may be one
		// A request that asks for empty partitions alone holds up all others.
		kgo.FetchMaxWait(250*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	c := &capture{client: client, admin: kadm.NewClient(client), names: names, idleLimit: defaultIdleLimit}
	return c.toFile(ctx, a, o.out, o.untilEnd)
}

// names are the topics to copy, each with its name in the file.
func (o *captureOptions) names(c config.Config) (map[string]string, error) {
	names := make(map[string]string)
	switch {
	case len(o.topics) > 0:
		for _, name := range o.topics {
			names[name] = name
		}
	case o.source.cluster == kafka.StateCluster:
		return nil, refusef("--cluster state: want --topics as well")
	case o.source.cluster == kafka.TargetCluster:
		events, orders, refunds := c.Slim.Names()
		for _, name := range []string{events, orders, refunds} {
			names[name] = name
		}
	default:
		for standard, name := range topicNames(c.Topics) {
			names[name] = standard
		}
	}
	return names, nil
}

// capture copies topics to a Writer.
type capture struct {
	client *kgo.Client
	admin  *kadm.Client
	names  map[string]string // topics to their names in the file
	out    *recordfile.Writer
	copied counts
	short  []string // partitions that gave no record for their last offsets

	// idleLimit is how long to wait for a record below the end of a partition
	// before asking whether there still is one.
	idleLimit time.Duration
}

const (
	defaultIdleLimit = 30 * time.Second
	mostPerPoll      = 2000
)

func (c *capture) toFile(ctx context.Context, a *app, path string, untilEnd bool) error {
	starts, ends, err := c.bounds(ctx)
	if err != nil {
		return err
	}
	if c.out, err = recordfile.Create(path, a.stdout); err != nil {
		return refuse(err)
	}
	defer c.out.Discard()
	c.consumeFrom(starts)
	if untilEnd {
		err = c.copyUntil(ctx, starts, ends)
	} else {
		err = c.copyForever(ctx)
	}
	if err != nil {
		return fmt.Errorf("capture: after %s: %w", c.copied, err)
	}
	if err := c.out.Close(); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "captured %s\n", c.copied)
	return c.checkComplete()
}

func (c *capture) checkComplete() error {
	if len(c.short) == 0 {
		return nil
	}
	return &codedError{codeChecks, fmt.Errorf("capture: no record came at the last offsets of %s: if compaction or retention has removed them, the file is complete, otherwise it is not", strings.Join(c.short, ", "))}
}

// bounds are the first offset of every partition, and the one after the last
// record that no open transaction holds back.
func (c *capture) bounds(ctx context.Context) (starts, ends map[partitionID]int64, err error) {
	topics := slices.Sorted(maps.Keys(c.names))
	first, err := listOffsets(ctx, c.admin.ListStartOffsets, topics)
	if err != nil {
		return nil, nil, err
	}
	last, err := listOffsets(ctx, c.admin.ListCommittedOffsets, topics)
	if err != nil {
		return nil, nil, err
	}
	return byPartition(first), byPartition(last), nil
}

func byPartition(listed kadm.ListedOffsets) map[partitionID]int64 {
	offsets := make(map[partitionID]int64)
	listed.Each(func(o kadm.ListedOffset) { offsets[partitionID{o.Topic, o.Partition}] = o.Offset })
	return offsets
}

func (c *capture) consumeFrom(starts map[partitionID]int64) {
	offsets := make(map[string]map[int32]kgo.Offset)
	for id, start := range starts {
		if offsets[id.topic] == nil {
			offsets[id.topic] = make(map[int32]kgo.Offset)
		}
		offsets[id.topic][id.partition] = kgo.NewOffset().At(start)
	}
	c.client.AddConsumePartitions(offsets)
}

// copyForever ends, without an error, when ctx does.
func (c *capture) copyForever(ctx context.Context) error {
	for {
		fetches := c.client.PollRecords(ctx, mostPerPoll)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetchError(fetches); err != nil {
			return err
		}
		for records := fetches.RecordIter(); !records.Done(); {
			if r := records.Next(); !r.Attrs.IsControl() {
				if err := c.write(r); err != nil {
					return err
				}
			}
		}
		if err := c.out.Flush(); err != nil { // somebody may be reading a pipe
			return err
		}
	}
}

func (c *capture) copyUntil(ctx context.Context, starts, ends map[partitionID]int64) error {
	m := newMerge(starts, ends)
	for {
		for r := m.pop(); r != nil; r = m.pop() {
			if err := c.write(r); err != nil {
				return err
			}
		}
		if m.unfinished == 0 {
			return nil
		}
		if err := c.fill(ctx, m); err != nil {
			return err
		}
	}
}

// fill reads records into the merge, or finds out that there are none.
func (c *capture) fill(ctx context.Context, m *merge) error {
	read, leave := m.fullness()
	c.client.ResumeFetchPartitions(read)
	c.client.PauseFetchPartitions(leave)

	pollCtx, cancel := context.WithTimeout(ctx, c.idleLimit)
	defer cancel()
	fetches := c.client.PollRecords(pollCtx, mostPerPoll)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if pollCtx.Err() != nil && fetches.NumRecords() == 0 {
		return c.acceptHoles(ctx, m)
	}
	if err := fetchError(fetches); err != nil {
		return err
	}
	for records := fetches.RecordIter(); !records.Done(); {
		m.push(records.Next())
	}
	return nil
}

// acceptHoles ends partitions whose last offsets seem to hold no record any
// more, as the cleaner of a compacted topic or retention may have removed them.
// In an outage the brokers would not answer for these partitions either; a
// broker that is merely slow cannot be told apart, so the command says which
// partitions it was and ends with codeChecks.
func (c *capture) acceptHoles(ctx context.Context, m *merge) error {
	if _, _, err := c.bounds(ctx); err != nil {
		return fmt.Errorf("no record for %s: %w", c.idleLimit, err)
	}
	for _, p := range m.starved() {
		c.short = append(c.short, fmt.Sprintf("%s/%d (%d to %d)", p.id.topic, p.id.partition, p.next, p.end-1))
		m.finish(p)
	}
	return nil
}

func (c *capture) write(r *kgo.Record) error {
	headers := make([]recordfile.Header, len(r.Headers))
	for i, header := range r.Headers {
		headers[i] = recordfile.Header{Key: header.Key, Value: header.Value}
	}
	err := c.out.Write(recordfile.Record{
		Topic:     c.names[r.Topic],
		Partition: r.Partition,
		Offset:    r.Offset,
		Timestamp: timestampOf(r),
		Key:       r.Key,
		Headers:   headers,
		Value:     r.Value,
	})
	if err != nil {
		return err
	}
	c.copied.add(c.names[r.Topic])
	return nil
}

// timestampOf is in Unix milliseconds; -1 for a record without one.
func timestampOf(r *kgo.Record) int64 {
	const none = -1
	if r.Attrs.TimestampType() < 0 {
		return none
	}
	return max(none, r.Timestamp.UnixMilli())
}

// fetchError is the first error of a poll that is not about its deadline. The
// client retries by itself what can be retried.
func fetchError(fetches kgo.Fetches) error {
	var found error
	fetches.EachError(func(topic string, partition int32, err error) {
		if found != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			return
		}
		found = fmt.Errorf("read %s/%d: %s", topic, partition, strings.TrimSpace(err.Error()))
	})
	return found
}
