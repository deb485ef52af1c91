package processors

import (
	"errors"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// intake reads one legacy topic, checks every record, and sends its facts on
// under ids taken from the payload. It has no state but what it keeps back for a moment.
type intake struct {
	*group
	stream  mapping.Stream
	gathers *gathering // nil: it keeps nothing back
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
	if ctx.Context().Err() != nil {
		in.giveUp(ctx, kafka.ErrSessionOver) // before anything is sent that is abandoned anyway
		return
	}
	if err := in.b.admission.wait(ctx.Context(), string(ctx.Topic())); err != nil {
		in.giveUp(ctx, err)
		return
	}
	raw, _ := value.([]byte) // nil for a tombstone
	src := &statepb.Source{Partition: ctx.Partition(), Offset: ctx.Offset(), Time: ctx.Timestamp().UnixMilli()}
	out := in.b.rules.current().Intake(in.stream, src, raw)
	out.Input.Settled = in.tracker.Settled(string(ctx.Topic()), ctx.Partition())
	var rejected *sarama.ProducerMessage
	if out.Quarantine != "" {
		var err error
		if rejected, err = in.rejected(ctx, src, out.Quarantine); err != nil {
			in.giveUp(ctx, err) // before anything is sent: the replay sends all of it
			return
		}
	}
	if err := in.b.cfg.Personal.Seal(out.Key, out.Input.GetOrder()); err != nil {
		in.giveUp(ctx, err)
		return
	}
	in.b.metrics.intake(in.stream, out)
	if !in.gathers.take(ctx, out) {
		ctx.Emit(in.b.topics.internal(in.stream), out.Key, marshal(out.Input))
	}
	if rejected != nil {
		in.send(ctx, rejected)
	}
	in.b.breaker.count(string(ctx.Topic()), out.Quarantine)
}

// rejected is the quarantine record: the legacy record as it came, or its place if
// it is too large. Goka would lose the order of headers and the difference between no
// key and an empty one, so it is taken from the tracker and sent past Goka. The
// tracker keeps it for as long as its session lasts.
func (in *intake) rejected(ctx goka.Context, src *statepb.Source, reason mapping.Reason) (*sarama.ProducerMessage, error) {
	topic := string(ctx.Topic())
	raw := in.tracker.Record(topic, src.GetPartition(), src.GetOffset())
	switch {
	case raw == nil && ctx.Context().Err() != nil:
		return nil, kafka.ErrSessionOver
	case raw == nil:
		return nil, errors.New("the tracker does not keep the record that is to be quarantined")
	}
	reasons := mapping.QuarantineHeaders(topic, src, mapping.StageIntake, reason)
	return quarantineRecord(in.b.topics.Quarantine(), raw, reasons, in.b.maxInternalRecord()), nil
}
