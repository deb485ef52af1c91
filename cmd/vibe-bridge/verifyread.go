package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/verify"
)

// topicReader reads topics of one cluster from their first records on, each time up
// to ends that it is given.
type topicReader struct {
	client *kgo.Client
	admin  *kadm.Client
	topics []string
	starts map[partitionID]int64
	at     map[partitionID]*cursor
	// read makes of a record what takes it. Several records are read at once, and taken one after the other, those of a
	// partition in their order.
	read   func(*kgo.Record) (take func())
	passed []*kgo.Record // and not taken yet

	// idleLimit is how long to wait for a record below the end of a partition
	// before its last offsets count as holes, which the cleaner of a compacted topic
	// or retention has left.
	idleLimit time.Duration
	taken     int
}

// cursor is where the reading of a partition is.
type cursor struct {
	next, end int64
	ahead     []*kgo.Record // read already, at the end or beyond it
}

func (c *cursor) done() bool { return c.next >= c.end }

func newTopicReader(ctx context.Context, client *kgo.Client, topics []string) (*topicReader, error) {
	starts, err := listOffsets(ctx, kadm.NewClient(client).ListStartOffsets, topics)
	if err != nil {
		return nil, err
	}
	at := map[partitionID]*cursor{}
	for id, start := range byPartition(starts) {
		at[id] = &cursor{next: start}
	}
	r := readerAt(client, topics, at)
	r.starts = byPartition(starts)
	return r, nil
}

// readerAt reads the topics from given positions on.
func readerAt(client *kgo.Client, topics []string, at map[partitionID]*cursor) *topicReader {
	from := map[string]map[int32]kgo.Offset{}
	for id, c := range at {
		if from[id.topic] == nil {
			from[id.topic] = map[int32]kgo.Offset{}
		}
		from[id.topic][id.partition] = kgo.NewOffset().At(c.next)
	}
	client.AddConsumePartitions(from)
	return &topicReader{client: client, admin: kadm.NewClient(client), topics: topics, at: at, idleLimit: defaultIdleLimit}
}

// setEnds takes the ends of this moment, of one topic after the other.
func (r *topicReader) setEnds(ctx context.Context) error {
	for _, topic := range r.topics {
		listed, err := listOffsets(ctx, r.admin.ListCommittedOffsets, []string{topic})
		if err != nil {
			return err
		}
		for id, end := range byPartition(listed) {
			if c := r.at[id]; c != nil { // else it was added since: such topics are not followed
				c.end = max(c.end, end)
			}
		}
	}
	return nil
}

// left is how many offsets there are up to the ends.
func (r *topicReader) left() int64 {
	n := int64(0)
	for _, c := range r.at {
		n += max(0, c.end-c.next)
	}
	return n
}

// readAll takes everything below the ends. report is called now and then; its error ends
// the reading.
func (r *topicReader) readAll(ctx context.Context, report func() error) error {
	for _, c := range r.at {
		r.passAhead(c)
	}
	r.takePassed()
	quiet := time.Now()
	for r.steer() {
		poll, cancel := context.WithTimeout(ctx, min(time.Second, r.idleLimit))
		fetches := r.client.PollRecords(poll, mostPerPoll)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := fetchError(fetches); err != nil {
			return err
		}
		if fetches.NumRecords() > 0 {
			quiet = time.Now()
		}
		for records := fetches.RecordIter(); !records.Done(); {
			r.pass(records.Next())
		}
		r.takePassed()
		if time.Since(quiet) > r.idleLimit {
			if err := r.acceptHoles(ctx); err != nil {
				return err
			}
		}
		if err := report(); err != nil {
			return err
		}
	}
	return nil
}

// steer lets the client fetch the partitions that are not at their ends; false
// when all are.
func (r *topicReader) steer() bool {
	read, rest := map[string][]int32{}, map[string][]int32{}
	for id, c := range r.at {
		if c.done() {
			rest[id.topic] = append(rest[id.topic], id.partition)
		} else {
			read[id.topic] = append(read[id.topic], id.partition)
		}
	}
	r.client.PauseFetchPartitions(rest)
	r.client.ResumeFetchPartitions(read)
	return len(read) > 0
}

// pass has a record taken next, or keeps it for another time when it lies beyond the end.
func (r *topicReader) pass(rec *kgo.Record) {
	c := r.at[partitionID{rec.Topic, rec.Partition}]
	if c == nil {
		return
	}
	if rec.Offset >= c.end || len(c.ahead) > 0 {
		c.ahead = append(c.ahead, rec)
		c.next = max(c.next, c.end) // whatever was below the end has been passed
		return
	}
	r.passNow(c, rec)
}

func (r *topicReader) passNow(c *cursor, rec *kgo.Record) {
	c.next = rec.Offset + 1
	if !rec.Attrs.IsControl() {
		r.passed = append(r.passed, rec)
	}
}

// passAhead passes what was kept and lies below the new end.
func (r *topicReader) passAhead(c *cursor) {
	n := 0
	for ; n < len(c.ahead) && c.ahead[n].Offset < c.end; n++ {
		r.passNow(c, c.ahead[n])
	}
	c.ahead = c.ahead[n:]
	if len(c.ahead) > 0 {
		c.next = max(c.next, c.end)
	}
}

func (r *topicReader) takePassed() {
	inOrder(r.passed, r.read)
	r.taken += len(r.passed)
	clear(r.passed) // the records are garbage now
	r.passed = r.passed[:0]
}

// acceptHoles ends partitions that give nothing more below their ends, once the
// brokers answer for them.
func (r *topicReader) acceptHoles(ctx context.Context) error {
	if _, err := listOffsets(ctx, r.admin.ListCommittedOffsets, r.topics); err != nil {
		return fmt.Errorf("no record for %s: %w", r.idleLimit, err)
	}
	for _, c := range r.at {
		c.next = max(c.next, c.end)
	}
	return nil
}

// verifiedClusters are the topics of a deployment on their clusters.
type verifiedClusters struct {
	topics verify.Topics
	layout verify.Layout

	slim, quarantine, legacy *topicReader
	clients                  []*kgo.Client
	checker                  *verify.Checker
	taken                    int
	progress                 io.Writer // of a long read; nil for none
	said                     time.Time
}

func (v *verifiedClusters) close() {
	for _, c := range v.clients {
		c.Close()
	}
}

// progressInterval is how often a long read says where it is.
const progressInterval = 10 * time.Second

// read takes everything that there is at this moment. The ends of the slim topics
// are taken first, refunds before orders before events, and then those of the
// others: what is below an end was caused by what is below the ends that were taken
// after it. Legacy records are then read before slim ones.
func (v *verifiedClusters) read(ctx context.Context, checker *verify.Checker) error {
	v.checker = checker
	readers := []*topicReader{v.quarantine, v.legacy, v.slim}
	for _, r := range []*topicReader{v.slim, v.quarantine, v.legacy} {
		if err := r.setEnds(ctx); err != nil {
			return err
		}
	}
	v.said = time.Now()
	for _, r := range readers {
		if err := r.readAll(ctx, v.say); err != nil {
			return err
		}
	}
	v.taken = v.quarantine.taken + v.legacy.taken + v.slim.taken
	return nil
}

func (v *verifiedClusters) say() error {
	if v.progress == nil || time.Since(v.said) < progressInterval {
		return nil
	}
	v.said = time.Now()
	left := v.quarantine.left() + v.legacy.left() + v.slim.left()
	fmt.Fprintf(v.progress, "read %d records, %d left\n", v.quarantine.taken+v.legacy.taken+v.slim.taken, left)
	return nil
}

func (v *verifiedClusters) connectReaders() {
	v.quarantine.read = func(r *kgo.Record) func() { return func() { v.checker.Quarantine(verifiedRecord(r)) } }
	v.legacy.read = func(r *kgo.Record) func() {
		return v.checker.ReadLegacy(streamNamed(v.topics.Legacy[:], r.Topic), verifiedRecord(r))
	}
	v.slim.read = func(r *kgo.Record) func() {
		return v.checker.ReadSlim(streamNamed(v.topics.Slim[:], r.Topic), verifiedRecord(r))
	}
}

func streamNamed(names []string, topic string) verify.Stream {
	for i, name := range names {
		if name == topic {
			return verify.Stream(i)
		}
	}
	panic("a record of a topic that was not asked for: " + strings.ToValidUTF8(topic, "?"))
}

const logAppendTime = 1 // kgo.RecordAttrs.TimestampType

func verifiedRecord(r *kgo.Record) verify.Record {
	out := verify.Record{
		Partition: r.Partition, Offset: r.Offset, Time: timestampOf(r), AppendTime: r.Attrs.TimestampType() == logAppendTime,
		Key: r.Key, Value: r.Value, Headers: make([]verify.Header, len(r.Headers)),
	}
	for i, h := range r.Headers {
		out.Headers[i] = verify.Header{Key: h.Key, Value: h.Value}
	}
	return out
}
