package processors

import (
	"github.com/lovoo/goka"

	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// organizers joins events with the partners that organize them.
type organizers struct{ *group }

func (o *organizers) graph() *goka.GroupGraph {
	t := o.b.topics
	return goka.DefineGroup(t.organizersGroup(),
		goka.Input(t.internal(mapping.Partners), rawCodec{}, o.partner),
		goka.Input(t.memberships(), rawCodec{}, o.membership),
		goka.Loop(rawCodec{}, o.command),
		goka.Output(t.answers(), rawCodec{}),
		goka.Persist(rawCodec{}),
	)
}

func (o *organizers) partner(ctx goka.Context, value any) { o.process(ctx, value, &statepb.Input{}) }
func (o *organizers) membership(ctx goka.Context, value any) {
	o.process(ctx, value, &statepb.Membership{})
}
func (o *organizers) command(ctx goka.Context, value any) { o.process(ctx, value, &statepb.Loop{}) }

func (o *organizers) process(ctx goka.Context, value any, in internal) {
	defer o.begin(ctx)()
	out, ok := o.step(ctx, value, in, o.b.rules.current().Organizers)
	if !ok {
		return
	}
	switch {
	case out.Scan != nil:
		o.scan(ctx, out.Scan, func(key string) { o.answer(ctx, key, out.Answer) })
	case out.Answer != nil:
		o.answer(ctx, ctx.Key(), out.Answer)
	}
}

func (o *organizers) answer(ctx goka.Context, memberKey string, a *statepb.Answer) {
	ctx.Emit(o.b.topics.answers(), mapping.MemberEvent(memberKey), marshal(a))
}
