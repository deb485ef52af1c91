package processors

import (
	"slices"
	"sync/atomic"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// gate decides what goes out and when: events before their orders, orders
// before their refunds.
type gate struct {
	*group
	slim atomic.Pointer[slimHeaders] // of the present encoding; nil: not yet
}

func (g *gate) graph() *goka.GroupGraph {
	t := g.b.topics
	return goka.DefineGroup(t.gateGroup(),
		goka.Input(t.internal(mapping.Events), rawCodec{}, g.record),
		goka.Input(t.internal(mapping.Orders), rawCodec{}, g.record),
		goka.Input(t.internal(mapping.Refunds), rawCodec{}, g.record),
		goka.Input(t.answers(), rawCodec{}, g.answer),
		goka.Loop(rawCodec{}, g.command),
		goka.Output(t.memberships(), rawCodec{}),
		goka.Output(goka.Stream(t.Slim[mapping.Events]), rawCodec{}),
		goka.Output(goka.Stream(t.Slim[mapping.Orders]), rawCodec{}),
		goka.Output(goka.Stream(t.Slim[mapping.Refunds]), rawCodec{}),
		goka.Output(goka.Stream(t.Quarantine()), rawCodec{}),
		goka.Persist(rawCodec{}),
	)
}

func (g *gate) record(ctx goka.Context, value any)  { g.process(ctx, value, &statepb.Input{}) }
func (g *gate) answer(ctx goka.Context, value any)  { g.process(ctx, value, &statepb.Answer{}) }
func (g *gate) command(ctx goka.Context, value any) { g.process(ctx, value, &statepb.Loop{}) }

func (g *gate) process(ctx goka.Context, value any, in internal) {
	defer g.begin(ctx)()
	rules := g.b.rules.open()
	defer rules.close()
	out, ok := g.step(ctx, value, in, rules.Gate)
	if !ok {
		return
	}
	for _, e := range out.Emits {
		g.emit(ctx, e, isReplay(in))
	}
	for _, m := range out.Memberships {
		ctx.Emit(g.b.topics.memberships(), mapping.MemberKey(m.Org, m.Event), marshal(&statepb.Membership{Event: m.Event, Leave: m.Leave}))
	}
	for _, r := range out.Rejections {
		g.reject(ctx, r)
	}
	if out.Scan != nil {
		g.scan(ctx, out.Scan, func(key string) { ctx.Loopback(key, marshal(out.Scan.Command(key).Command)) })
	}
}

// emit sends a slim record past Goka, which would not say when it is acknowledged.
func (g *gate) emit(ctx goka.Context, e mapping.Emit, replay bool) {
	m := kafka.NewRecord(g.b.topics.Slim[e.Stream], e.Key, e.Value, nil)
	m.Headers = g.headers(e)
	commit := ctx.DeferCommit()
	g.producer.Send(m, func(_ *sarama.ProducerMessage, err error) {
		if err == nil {
			g.b.metrics.acknowledged(e, replay)
		}
		commit(err)
	})
}

// slimHeaders are those of the slim records of an encoding, in the order of their names.
type slimHeaders struct {
	encoding slim.Encoding
	all      []sarama.RecordHeader
	source   int // place of the one that differs from record to record; -1: none does
}

func (g *gate) newSlimHeaders(encoding slim.Encoding) *slimHeaders {
	source := ""
	if g.b.cfg.SourceHeader {
		source = "of each record"
	}
	h := &slimHeaders{encoding: encoding}
	for _, one := range slim.Headers(encoding, g.b.cfg.ApplicationID, source) {
		h.all = append(h.all, sarama.RecordHeader{Key: []byte(one.Key), Value: one.Value})
	}
	kafka.SortHeaders(h.all)
	h.source = slices.IndexFunc(h.all, func(one sarama.RecordHeader) bool { return string(one.Key) == slim.HeaderBridgeSource })
	return h
}

// headers of a slim record. Nobody changes them.
func (g *gate) headers(e mapping.Emit) []sarama.RecordHeader {
	encoding := g.b.rules.current().Encoding
	h := g.slim.Load()
	if h == nil || h.encoding != encoding {
		h = g.newSlimHeaders(encoding)
		g.slim.Store(h)
	}
	if h.source < 0 {
		return h.all
	}
	headers := slices.Clone(h.all)
	headers[h.source].Value = []byte(slim.Source(g.b.topics.Legacy[e.Stream], e.Source.GetPartition(), e.Source.GetOffset()))
	return headers
}

// reject quarantines a record whose bytes are not here any more: the headers say
// where it is.
func (g *gate) reject(ctx goka.Context, r mapping.Rejection) {
	m := &sarama.ProducerMessage{Topic: g.b.topics.Quarantine()}
	addHeaders(m, mapping.QuarantineHeaders(g.b.topics.Legacy[r.Stream], r.Source, mapping.StageGate, r.Reason))
	g.send(ctx, m)
	g.b.metrics.quarantined(r.Stream, mapping.StageGate, r.Reason)
}
