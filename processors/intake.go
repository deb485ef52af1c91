package processors

import (
	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// intake reads one legacy topic, checks every record, and sends its facts on
// under ids taken from the payload. It has no state.
type intake struct {
	*group
	stream mapping.Stream
}

func (in *intake) graph() *goka.GroupGraph {
	t := in.b.topics
	return goka.DefineGroup(t.intakeGroup(in.stream),
		goka.Input(goka.Stream(t.Legacy[in.stream]), rawCodec{}, in.record),
		goka.Output(t.internal(in.stream), rawCodec{}),
		goka.Output(goka.Stream(t.Quarantine()), rawCodec{}),
	)
}

func (in *intake) record(ctx goka.Context, value any) {
	defer in.begin(ctx)()
	raw, _ := value.([]byte) // nil for a tombstone
	src := &statepb.Source{Partition: ctx.Partition(), Offset: ctx.Offset(), Time: ctx.Timestamp().UnixMilli()}
	out := in.b.rules.current().Intake(in.stream, src, raw)
	in.b.metrics.consumed(in.stream)
	in.b.metrics.count(out.Counts)
	ctx.Emit(in.b.topics.internal(in.stream), out.Key, marshal(out.Input))
	if out.Quarantine != "" {
		in.quarantine(ctx, out.Quarantine)
	}
}

// quarantine sends the record on as it came, or its place if it is too large.
// Goka would lose the order of headers and the difference between no key and an
// empty one, so this does not go through it, but holds its commit back.
func (in *intake) quarantine(ctx goka.Context, reason mapping.Reason) {
	raw := in.tracker.Record(string(ctx.Topic()), ctx.Partition(), ctx.Offset())
	if raw == nil {
		raw = &sarama.ConsumerMessage{}
	}
	reasons := mapping.QuarantineHeaders(string(ctx.Topic()), ctx.Partition(), ctx.Offset(), mapping.StageIntake, reason)
	in.send(ctx, quarantineRecord(in.b.topics.Quarantine(), raw, reasons, in.b.maxInternalRecord()))
}
