package live

import (
	"bytes"
	"slices"

	"github.com/lovoo/goka"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/live/livepb"
	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
)

// The groups with tables. Their callbacks take what came into the row of its key.

// newPartners folds the records of partners, for all instances to read.
func newPartners(s *session) *group {
	t := s.topics
	g := newGroup(s, t.partnersGroup(), s.cfg.State, s.state, t.partnerRecords())
	g.graph = goka.DefineGroup(goka.Group(g.name),
		goka.Input(goka.Stream(t.partnerRecords()), rawCodec{}, g.fold),
		goka.Persist(rawCodec{}),
	)
	return g
}

// newJoins brings the halves of orders and refunds together by their own ids, and sends
// them to where they are judged.
func newJoins(s *session) *group {
	t := s.topics
	g := newGroup(s, t.joinsGroup(), s.cfg.State, s.state, t.halves())
	g.graph = goka.DefineGroup(goka.Group(g.name),
		goka.Input(goka.Stream(t.halves()), rawCodec{}, g.join),
		goka.Loop(rawCodec{}, g.publish),
		goka.Output(goka.Stream(t.rows()), rawCodec{}),
		goka.Output(goka.Stream(t.differences()), rawCodec{}),
		goka.Persist(rawCodec{}),
	)
	return g
}

// newEvents has everything of an event in one partition: the event, its orders and refunds.
func newEvents(s *session) *group {
	t := s.topics
	g := newGroup(s, t.eventsGroup(), s.cfg.State, s.state, t.records(), t.rows())
	g.graph = goka.DefineGroup(goka.Group(g.name),
		goka.Input(goka.Stream(t.records()), rawCodec{}, g.fold),
		goka.Input(goka.Stream(t.rows()), rawCodec{}, g.take),
		goka.Loop(rawCodec{}, g.publish),
		goka.Output(goka.Stream(t.differences()), rawCodec{}),
		goka.Persist(rawCodec{}),
	)
	return g
}

// stored is the row of the key at hand, and its bytes. ok is false when the callback must return at once.
func stored(ctx goka.Context) (e *livepb.Entity, raw []byte, ok bool) {
	raw, _ = ctx.Value().([]byte)
	e = &livepb.Entity{}
	if err := proto.Unmarshal(raw, e); err != nil {
		ctx.Fail(&recordError{"the row of its key is not one of this program"})
		return nil, nil, false
	}
	return e, raw, true
}

// save writes a row if it is another one now.
func save(ctx goka.Context, e *livepb.Entity, before []byte) {
	if now := marshal(e); before == nil || !bytes.Equal(now, before) {
		ctx.SetValue(now)
	}
}

// merge takes a record into its side of the row.
func (s *session) merge(e *livepb.Entity, r *livepb.Record) {
	e.Stream, e.Id = r.GetStream(), r.GetId()
	if e.Row == nil {
		e.Row = &rowpb.Row{}
	}
	side := &e.Row.Left
	if r.GetRight() {
		side = &e.Row.Right
	}
	*side = s.folder.Merge(*side, r.GetSide())
}

func (g *group) fold(ctx goka.Context, value any) {
	defer g.begin(ctx)()
	r := &livepb.Record{}
	if !decode(ctx, value, r) {
		return
	}
	if e, raw, ok := stored(ctx); ok {
		g.s.merge(e, r)
		save(ctx, e, raw)
	}
}

func (g *group) join(ctx goka.Context, value any) {
	defer g.begin(ctx)()
	r := &livepb.Record{}
	if !decode(ctx, value, r) {
		return
	}
	e, raw, ok := stored(ctx)
	if !ok {
		return
	}
	for _, l := range g.s.joined(e, r, ctx.Offset(), g.tracker.Settled(string(ctx.Topic()), ctx.Partition())) {
		ctx.Emit(goka.Stream(g.s.topics.rows()), l.key, marshal(l.row))
	}
	save(ctx, e, raw)
}

// letter is what joins sends to a key of the group of events.
type letter struct {
	key string
	row *livepb.Entity
}

// unsaid is the digest of something that has to be said anew.
const unsaid = 1

// joined takes a half that lies at an offset into the row of its entity, and tells what to send. All below settled is
// acknowledged.
//
// What a half has sent may be lost although what it has changed here is not, and then it comes again. So all is sent
// again then, also what does not follow from the row any more: where the entity has gone from. A move below settled is
// not to be said again.
func (s *session) joined(e *livepb.Entity, r *livepb.Record, offset, settled int64) (letters []letter) {
	before := marshal(e.GetRow())
	s.merge(e, r)
	if !bytes.Equal(marshal(e.GetRow()), before) {
		e.Version++
	}
	if !r.GetRight() && r.GetEvent() != "" && !r.GetSide().GetPresent() {
		e.Event, e.Order = r.GetEvent(), r.GetOrder()
	}
	to := judgedAt(e)
	if e.Sent != to {
		if e.Sent != "" || e.Published != 0 {
			e.Published = unsaid // whoever judges it now does not know
		}
		if e.Moved < settled {
			e.Former = nil
		}
		e.Former = slices.DeleteFunc(append(e.Former, e.Sent), func(key string) bool { return key == "" || key == to })
		e.Sent, e.Moved = to, offset
	}
	if len(e.Former) == 0 {
		e.Moved = 0
	} else if offset == e.Moved {
		for _, key := range e.Former {
			letters = append(letters, letter{key, &livepb.Entity{Stream: e.Stream, Id: e.Id, Version: e.Version, Gone: true}})
		}
	}
	if to != "" { // also when nothing has changed
		letters = append(letters, letter{to, &livepb.Entity{Stream: e.Stream, Id: e.Id, Version: e.Version, Row: e.Row, Published: e.Published}})
	}
	return letters
}

// judgedAt is the key of an order or a refund beside its event: by what the left side
// says, or else what its last record that does not count says, or else the right side. It is "" where nobody says it.
func judgedAt(e *livepb.Entity) string {
	left, right := e.GetRow().GetLeft(), e.GetRow().GetRight()
	event, order := left.GetEvent(), left.GetOrder()
	if event == "" {
		event, order = e.GetEvent(), e.GetOrder()
	}
	if event == "" {
		event, order = right.GetEvent(), right.GetOrder()
	}
	switch {
	case event == "":
		return ""
	case compare.Stream(e.GetStream()) == compare.Orders:
		return orderKey(event, e.GetId())
	case order == "":
		return ""
	}
	return refundKey(event, order, e.GetId())
}

// take puts a row in place that joins has sent.
func (g *group) take(ctx goka.Context, value any) {
	defer g.begin(ctx)()
	came := &livepb.Entity{}
	if !decode(ctx, value, came) {
		return
	}
	e, raw, ok := stored(ctx)
	if !ok {
		return
	}
	there := e
	if raw == nil {
		there = nil
	}
	switch now := placed(there, came); {
	case now != nil:
		save(ctx, now, raw)
	case raw != nil:
		ctx.Delete()
	}
}

// placed is the row of a key after what came for it; nil: none. One that is older than what is there came again. What
// is published of the entity stays as it is: it is judged elsewhere from now on when it has gone, and said there.
func placed(there, came *livepb.Entity) (now *livepb.Entity) {
	switch {
	case came.GetVersion() < there.GetVersion():
		return there
	case came.GetGone():
		return nil
	case there != nil && (came.GetVersion() == there.GetVersion() || came.GetPublished() != unsaid):
		came.Published = there.GetPublished()
	}
	return came
}
