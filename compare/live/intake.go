package live

import (
	"fmt"
	"sync"
	"time"

	"github.com/lovoo/goka"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/live/livepb"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// intake reads one topic of one side, and sends digests of its records on under ids
// taken from them. It has no state.
type intake struct {
	*group
	side       named
	stream     compare.Stream
	to         goka.Stream
	appendTime bool
	sheets     sync.Pool // of *compare.Sheet
}

func newIntake(s *session, side named, stream compare.Stream, admin *kafka.Admin) *intake {
	topic := side.side.Topics[stream]
	in := &intake{
		group: newGroup(s, s.topics.intakeGroup(side.name, stream), side.side.Cluster, admin, topic),
		side:  side, stream: stream, to: goka.Stream(s.topics.halves()),
		sheets: sync.Pool{New: func() any { return &compare.Sheet{} }},
	}
	switch stream {
	case compare.Partners:
		in.to = goka.Stream(s.topics.partnerRecords())
	case compare.Events:
		in.to = goka.Stream(s.topics.records())
	}
	n := 0
	if side.right {
		n = 1
	}
	in.appendTime = s.facts.appendTime[n][stream]
	in.graph = goka.DefineGroup(goka.Group(in.name),
		goka.Input(goka.Stream(topic), rawCodec{}, in.record),
		goka.Output(in.to, rawCodec{}),
	)
	return in
}

func (in *intake) record(ctx goka.Context, _ any) {
	defer in.begin(ctx)()
	raw := in.tracker.Record(string(ctx.Topic()), ctx.Partition(), ctx.Offset())
	if raw == nil { // the session is over
		in.tracker.Abandon(string(ctx.Topic()), ctx.Partition(), ctx.Offset())
		return
	}
	r := &compare.Record{
		Place: compare.Place{Partition: raw.Partition, Offset: raw.Offset, Time: raw.Timestamp.UnixMilli(), AppendTime: in.appendTime},
		Key:   raw.Key, Value: raw.Value,
	}
	for _, h := range raw.Headers {
		r.Headers = append(r.Headers, compare.Header{Key: string(h.Key), Value: h.Value})
	}
	sheet := in.sheets.Get().(*compare.Sheet)
	defer in.sheets.Put(sheet)
	in.side.side.Reader.Read(in.stream, r, sheet)
	if sheet.ID == "" {
		if in.side.right || in.stream == compare.Partners || sheet.Outcome != compare.Quarantined {
			return // there is no entity to tell anything of
		}
		// Whether it is in quarantine is to be judged.
		sheet.ID = fmt.Sprintf("(no id) %s/%d/%d", raw.Topic, raw.Partition, raw.Offset)
	}
	ctx.Emit(in.to, in.key(sheet.ID), marshal(&livepb.Record{
		Stream: uint32(in.stream), Right: in.side.right, Id: sheet.ID, Event: sheet.Event, Order: sheet.Order,
		Side: compare.Digest(in.stream, sheet, r, time.Now().UnixMilli()),
	}))
}

func (in *intake) key(id string) string {
	if in.stream == compare.Orders || in.stream == compare.Refunds {
		return halfKey(in.stream, id)
	}
	return ownKey(id)
}
