package processors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	projection "github.com/ticketscloud/vibe-bridge/legacyproto/intake"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// What commands read of the quarantine topic. Values are read when they are needed
// and not before: the topic keeps everything, and a record may have megabytes.

// Quarantined is a legacy record in quarantine, for a reason found at a stage. It has
// ids and positions and nothing personal. The quarantine topic may say the same
// several times.
type Quarantined struct {
	Partition int32     `json:"quarantine_partition"`
	Offset    int64     `json:"quarantine_offset"` // of the last record that says so
	Copies    int       `json:"copies"`            // how many say so
	Time      time.Time `json:"quarantined_at"`    // when the last one was written

	Source      Position  `json:"source"`                // the legacy record
	SourceTime  time.Time `json:"source_time,omitzero"`  // zero: the quarantine record does not say; see writable
	Stage       string    `json:"stage"`                 // mapping.StageIntake or mapping.StageGate
	Reason      string    `json:"reason"`                // mapping.Reason
	Explanation string    `json:"explanation"`           // for people
	Event       string    `json:"event,omitempty"`       // ids, as far as the value gives them
	Order       string    `json:"order,omitempty"`       //
	Refund      string    `json:"refund,omitempty"`      //
	Partner     string    `json:"partner,omitempty"`     //
	Bytes       int       `json:"bytes"`                 // of the legacy record, as far as known
	Reference   bool      `json:"reference,omitempty"`   // the record itself is not in quarantine
	Unavailable bool      `json:"unavailable,omitempty"` // nor in the legacy topic any more
	Replayed    time.Time `json:"replayed_at,omitzero"`  // zero: not since it was last written
	Outcome     string    `json:"outcome,omitempty"`     // what the replay made of it

	stream   mapping.Stream
	time     time.Time // of the legacy record, whatever it is
	markedTo int64     // quarantine offset up to which it is marked, plus 1
	earlier  []int64   // quarantine offsets of the records that said the same before
}

// StandsAt tells whether a place in the quarantine topic is the record's, or was before one that says the same stood for it.
func (e *Quarantined) StandsAt(partition int32, offset int64) bool {
	return e.Partition == partition && (e.Offset == offset || slices.Contains(e.earlier, offset))
}

// QuarantineList is what a quarantine topic holds.
type QuarantineList struct {
	Records []*Quarantined // by legacy topic, partition and offset
	Foreign int            // records that are not of this deployment, or not readable
}

// quarantinedID is what makes two quarantine records say the same.
type quarantinedID struct {
	partition     int32 // of the quarantine topic: copies have the key of one legacy record
	source        Position
	stage, reason string
}

// ReadQuarantine lists the quarantine topic. It takes memory for one entry per legacy
// record and a number for each copy, not for values.
func ReadQuarantine(ctx context.Context, cfg Config) (QuarantineList, error) {
	q := quarantineReader{topics: cfg.Topics, found: map[quarantinedID]*Quarantined{}}
	if err := readStalling(ctx, cfg.State, cfg.Topics.Quarantine(), nil, readStall, q.add); err != nil {
		return QuarantineList{}, err
	}
	list := QuarantineList{Foreign: q.foreign}
	for _, r := range q.found {
		list.Records = append(list.Records, r)
	}
	slices.SortFunc(list.Records, inLegacyOrder)
	return list, nil
}

func inLegacyOrder(a, b *Quarantined) int {
	return cmp.Or(cmp.Compare(a.stream, b.stream), cmp.Compare(a.Source.Partition, b.Source.Partition),
		cmp.Compare(a.Source.Offset, b.Source.Offset), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}

type quarantineReader struct {
	topics  Topics
	found   map[quarantinedID]*Quarantined
	foreign int
}

func (q *quarantineReader) add(r *kgo.Record) {
	entry, ok := readQuarantined(q.topics, r)
	if !ok {
		q.foreign++
		return
	}
	id := quarantinedID{r.Partition, entry.Source, entry.Stage, entry.Reason}
	before := q.found[id]
	if marked := quarantineHeader(r, mapping.HeaderReplayed); marked != "" {
		if !before.mark(r, marked) {
			q.foreign++
		}
		return
	}
	if before != nil {
		entry.Copies, entry.markedTo, entry.earlier = before.Copies+1, before.markedTo, append(before.earlier, before.Offset)
	}
	q.found[id] = entry
}

// mark takes note of a marker. A record that came behind the one that was replayed is
// not marked by it: the gate may have rejected the replay by then.
func (e *Quarantined) mark(r *kgo.Record, marked string) bool {
	offset, err := strconv.ParseInt(marked, 10, 64)
	if err != nil || e == nil || offset >= r.Offset {
		return false
	}
	e.markedTo = max(e.markedTo, offset+1)
	if e.Offset < e.markedTo {
		e.Replayed, e.Outcome = writable(r.Timestamp), quarantineHeader(r, mapping.HeaderReplayedOutcome)
	}
	return true
}

// readQuarantined reads what a quarantine record or a marker says.
func readQuarantined(t Topics, r *kgo.Record) (*Quarantined, bool) {
	e := &Quarantined{
		Partition: r.Partition, Offset: r.Offset, Copies: 1, Time: writable(r.Timestamp),
		Source: Position{Topic: quarantineHeader(r, mapping.HeaderErrorTopic)},
		Stage:  quarantineHeader(r, mapping.HeaderErrorStage), Reason: quarantineHeader(r, mapping.HeaderErrorClass),
		Bytes: len(r.Value), Reference: r.Value == nil,
	}
	partition, err1 := strconv.ParseInt(quarantineHeader(r, mapping.HeaderErrorPartition), 10, 32)
	offset, err2 := strconv.ParseInt(quarantineHeader(r, mapping.HeaderErrorOffset), 10, 64)
	e.Source.Partition, e.Source.Offset = int32(partition), offset
	at := slices.Index(t.Legacy[:], e.Source.Topic)
	known := e.Stage == mapping.StageIntake || e.Stage == mapping.StageGate
	if err1 != nil || err2 != nil || partition < 0 || offset < 0 || at < 0 || !known || e.Reason == "" {
		return nil, false
	}
	e.stream = mapping.Stream(at)
	e.Explanation = mapping.Explanation(mapping.Reason(e.Reason))
	if ms, err := strconv.ParseInt(quarantineHeader(r, mapping.HeaderSourceTime), 10, 64); err == nil {
		e.writtenAt(time.UnixMilli(ms))
	}
	if omitted, err := strconv.Atoi(quarantineHeader(r, mapping.HeaderOmitted)); err == nil && omitted >= 0 {
		e.Bytes = omitted
	}
	e.readIDs(r.Value)
	return e, true
}

func (e *Quarantined) writtenAt(at time.Time) { e.time, e.SourceTime = at.UTC(), writable(at) }

// writable is the time, or where JSON knows no such year, the last one that it knows,
// and the zero time. A producer may count in other units than milliseconds.
func writable(at time.Time) time.Time {
	switch at = at.UTC(); {
	case at.Year() > 9999:
		return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	case at.Year() < 1:
		return time.Time{}
	}
	return at
}

// quarantineHeader is the last header of the name that quarantine has added. Those in
// front of its first, the topic, are the legacy record's, whatever their names.
func quarantineHeader(r *kgo.Record, name string) string {
	for _, h := range slices.Backward(r.Headers) {
		switch h.Key {
		case name:
			return string(h.Value)
		case mapping.HeaderErrorTopic:
			return ""
		}
	}
	return ""
}

// readIDs takes the ids from a legacy value. One that cannot be decoded has none.
func (e *Quarantined) readIDs(value []byte) {
	switch e.stream {
	case mapping.Partners:
		var m projection.Partner
		if projection.DecodePartner(value, &m) == nil {
			e.Partner = m.GetId()
		}
	case mapping.Events:
		var m projection.Event
		if projection.DecodeEvent(value, &m) == nil {
			e.Event, e.Partner = m.GetId(), m.GetOrg()
		}
	case mapping.Orders:
		var m projection.Order
		if projection.DecodeOrder(value, &m) == nil {
			e.Order, e.Event = m.GetId(), m.GetEvent()
		}
	case mapping.Refunds:
		var m projection.RefundRequest
		if projection.DecodeRefundRequest(value, &m) == nil {
			e.Refund, e.Order, e.Event = m.GetId(), m.GetOrder(), m.GetEvent()
		}
	}
}

// Has tells whether the id is one of the record's.
func (e *Quarantined) Has(id string) bool {
	return id != "" && (e.Event == id || e.Order == id || e.Refund == id || e.Partner == id)
}

// Stream is the stream of the legacy record.
func (e *Quarantined) Stream() mapping.Stream { return e.stream }

// Original is a legacy record as it was found, in quarantine or in its topic.
type Original struct {
	Value   []byte
	Key     []byte
	Headers []kgo.RecordHeader
	Time    time.Time // of the legacy record; zero: not known
}

// FillReferences reads the ids of records that are in quarantine by reference from
// the legacy topics, and notes which are there no more.
func FillReferences(ctx context.Context, cfg Config, records []*Quarantined) error {
	references := slices.DeleteFunc(slices.Clone(records), func(e *Quarantined) bool { return !e.Reference })
	return eachBatch(references, batchRecords, func(batch []*Quarantined) error {
		originals, err := ReadOriginals(ctx, cfg, batch)
		if err != nil {
			return err
		}
		for i, e := range batch {
			if e.Unavailable = originals[i] == nil; !e.Unavailable {
				e.readIDs(originals[i].Value)
				e.writtenAt(originals[i].Time)
				e.Bytes = max(e.Bytes, len(originals[i].Value))
			}
		}
		return nil
	})
}

// Bounds of what is read of values at a time.
const (
	batchRecords = 200
	batchBytes   = 32 << 20
	// unknownBytes is what a record counts for that is there by its place, without its size.
	unknownBytes = 1 << 20
)

func (e *Quarantined) batchBytes() int {
	if e.Reference && e.Bytes == 0 {
		return unknownBytes
	}
	return e.Bytes
}

// eachBatch cuts records into runs of at most so many that fit into memory.
func eachBatch(records []*Quarantined, most int, do func([]*Quarantined) error) error {
	for len(records) > 0 {
		n, size := 1, records[0].batchBytes()
		for n < min(len(records), most) && size+records[n].batchBytes() <= batchBytes {
			size += records[n].batchBytes()
			n++
		}
		if err := do(records[:n]); err != nil {
			return err
		}
		records = records[n:]
	}
	return nil
}

// ReadOriginals gives the legacy record behind each quarantined one; nil for one that
// is in neither topic any more. It takes memory for all of them.
func ReadOriginals(ctx context.Context, cfg Config, records []*Quarantined) ([]*Original, error) {
	found := make([]*Original, len(records))
	inQuarantine, inLegacy := offsets{}, map[mapping.Stream]offsets{}
	for _, e := range records {
		if !e.Reference {
			inQuarantine.add(e.Partition, e.Offset)
		}
		if e.Reference || e.time.IsZero() {
			if inLegacy[e.stream] == nil {
				inLegacy[e.stream] = offsets{}
			}
			inLegacy[e.stream].add(e.Source.Partition, e.Source.Offset)
		}
	}
	values, err := readOffsets(ctx, cfg.State, cfg.Topics.Quarantine(), inQuarantine)
	if err != nil {
		return nil, err
	}
	legacy := map[mapping.Stream]map[offset]*kgo.Record{}
	for s, wanted := range inLegacy {
		if legacy[s], err = readOffsets(ctx, cfg.Source, cfg.Topics.Legacy[s], wanted); err != nil {
			return nil, err
		}
	}
	for i, e := range records {
		found[i] = e.original(values[offset{e.Partition, e.Offset}], legacy[e.stream][offset{e.Source.Partition, e.Source.Offset}])
	}
	return found, nil
}

// original chooses the record. One of another time is another: the legacy topic was
// created anew.
func (e *Quarantined) original(kept, legacy *kgo.Record) *Original {
	at := e.time
	switch {
	case legacy == nil:
	case at.IsZero():
		at = legacy.Timestamp
	case at.UnixMilli() != legacy.Timestamp.UnixMilli():
		legacy = nil
	}
	switch {
	case !e.Reference && kept != nil:
		return &Original{Value: kept.Value, Key: kept.Key, Headers: ownHeaders(kept.Headers), Time: at}
	case e.Reference && legacy != nil:
		return &Original{Value: legacy.Value, Key: legacy.Key, Headers: legacy.Headers, Time: at}
	}
	return nil
}

// ownHeaders are the legacy record's, in front of those that quarantine has added.
func ownHeaders(all []kgo.RecordHeader) []kgo.RecordHeader {
	for i, h := range slices.Backward(all) {
		if h.Key == mapping.HeaderErrorTopic {
			return all[:i]
		}
	}
	return all
}

type offset struct {
	partition int32
	offset    int64
}

// offsets are positions of one topic: the wanted ones of each partition.
type offsets map[int32][]int64

func (o offsets) add(partition int32, at int64) { o[partition] = append(o[partition], at) }

// readOffsets reads records of a topic by their offsets. Those that are not there any
// more, and partitions that never were, are left out.
func readOffsets(ctx context.Context, c kafka.Cluster, topic string, wanted offsets) (map[offset]*kgo.Record, error) {
	found := map[offset]*kgo.Record{}
	if len(wanted) == 0 {
		return found, nil
	}
	opts, err := c.FranzOptions()
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append(opts, kgo.KeepControlRecords(), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.FetchMaxWait(100*time.Millisecond))...)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	left, begin, err := reachable(ctx, client, topic, wanted)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", topic, err)
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: begin})
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(readStall, func() { cancel(errStalled) })
	defer stalled.Stop()
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			if errors.Is(context.Cause(ctx), errStalled) {
				err = errStalled
			}
			return nil, fmt.Errorf("read %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			stalled.Reset(readStall)
			last, open := left[r.Partition]
			if !open {
				return
			}
			if _, is := slices.BinarySearch(wanted[r.Partition], r.Offset); is && !r.Attrs.IsControl() {
				found[offset{r.Partition, r.Offset}] = r
			}
			if r.Offset >= last {
				delete(left, r.Partition)
				client.PauseFetchPartitions(map[string][]int32{topic: {r.Partition}})
			}
		})
	}
	return found, nil
}

// reachable gives the last offset to read of every partition, and the first.
func reachable(ctx context.Context, client *kgo.Client, topic string, wanted offsets) (last map[int32]int64, begin map[int32]kgo.Offset, err error) {
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return nil, nil, err
	}
	ends, err := admin.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return nil, nil, err
	}
	last, begin = map[int32]int64{}, map[int32]kgo.Offset{}
	for p, at := range wanted {
		slices.Sort(at)
		start, known := starts.Lookup(topic, p)
		end, alike := ends.Lookup(topic, p)
		switch {
		case !known || !alike:
			continue
		case start.Err != nil || end.Err != nil:
			return nil, nil, cmp.Or(start.Err, end.Err)
		}
		first := at[0]
		if i, _ := slices.BinarySearch(at, start.Offset); i < len(at) {
			first = at[i]
		}
		if to := min(at[len(at)-1], end.Offset-1); max(first, start.Offset) <= to {
			last[p], begin[p] = to, kgo.NewOffset().At(max(first, start.Offset))
		}
	}
	return last, begin, nil
}
