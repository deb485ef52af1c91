package live

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/lovoo/goka"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/live/livepb"
	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
)

// table is a partition of the group of events, and what all instances have, as the
// judge sees it.
type table struct {
	s   *session
	get func(key string) ([]byte, error)
	// The last event, as the orders and refunds of one stand behind it; forget drops it.
	last    string
	lastRow *rowpb.Row
}

func (t *table) forget() { t.last, t.lastRow = "", nil }

func (t *table) row(key string) (*rowpb.Row, error) {
	value, err := t.get(key)
	if err != nil || value == nil {
		return nil, err
	}
	e := &livepb.Entity{}
	if err := proto.Unmarshal(value, e); err != nil {
		return nil, &recordError{"a row is not one of this program"}
	}
	return e.GetRow(), nil
}

func (t *table) Partner(id string) (*rowpb.Row, error) { return t.s.partnerRows.get(id) }

func (t *table) Event(id string) (*rowpb.Row, error) {
	if t.last == id && t.lastRow != nil {
		return t.lastRow, nil
	}
	row, err := t.row(ownKey(id))
	t.last, t.lastRow = id, row
	return row, err
}

func (t *table) Order(event, id string) (*rowpb.Row, error) { return t.row(orderKey(event, id)) }

func (t *table) Quarantined(s compare.Stream, at *rowpb.Place) (reason string, named, known bool, err error) {
	if t.s.quarantine == nil {
		return "", false, false, nil
	}
	reason, named = t.s.quarantine.get(s, at)
	return reason, named, true, nil
}

// judge judges as of a horizon, which may be 0.
type judge struct {
	compare.Judge
	rows  *table
	young func(side *rowpb.Side) bool
}

func (s *session) judge(horizon int64, get func(string) ([]byte, error)) *judge {
	old := horizon - s.cfg.Grace.Milliseconds()
	young := func(side *rowpb.Side) bool { return side.GetSeen() > old }
	t := &table{s: s, get: get}
	j := &judge{rows: t, young: young, Judge: compare.Judge{
		Form: s.cfg.Form, Legacy: s.cfg.Left.Legacy, Rows: t, Directory: s.cfg.Directory,
		Young:    func(_ bool, _ compare.Stream, side *rowpb.Side) bool { return young(side) },
		LeftGone: s.facts.gone[0], RightGone: s.facts.gone[1], Ordered: s.facts.ordered,
	}}
	// What was there before the right side began is known when all rows have been walked over once.
	if began, known := s.results.began(); known {
		j.LateAfter, j.RightBegan = s.cfg.LateAfter, began
	}
	return j
}

// entity judges a row. Nothing counts that one of the sides has said for less than the grace.
func (j *judge) entity(s compare.Stream, row *rowpb.Row) (compare.Finding, error) {
	f, err := j.Entity(s, row)
	if f.State == compare.Different && (j.young(row.GetLeft()) || j.young(row.GetRight())) {
		return compare.Finding{State: compare.IsPending, Reason: "recent"}, err
	}
	return f, err
}

// Published is a value of the topic NAME-differences, which is compacted, by STREAM/ID: what differs
// in an entity, or that nothing does any more. It has ids and positions and nothing personal.
type Published struct {
	Stream   string    `json:"stream"`
	ID       string    `json:"id"`
	Resolved bool      `json:"resolved,omitempty"`
	At       time.Time `json:"at"`    // when it was found
	Since    time.Time `json:"since"` // when the sides were read that say so
	// Differences, none when resolved. One in several tickets is one.
	Differences []PublishedDifference `json:"differences,omitempty"`
	Left        *Position             `json:"left,omitempty"`
	Right       *Position             `json:"right,omitempty"`
}

// PublishedDifference is one of an entity.
type PublishedDifference struct {
	Category compare.Category `json:"category"`
	Field    string           `json:"field,omitempty"`
	Detail   string           `json:"detail,omitempty"`
	Rule     string           `json:"rule,omitempty"` // of the expected differences, also of an expired one
	Expired  bool             `json:"expired,omitempty"`
}

// Position is where a record is.
type Position struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Time      int64  `json:"time"` // Unix milliseconds
}

// published is what is to be said of a finding, and its digest: 0 for no difference. decided is false when it is
// too early to say anything, and what was said stays.
func (s *session) published(stream compare.Stream, id string, row *rowpb.Row, f compare.Finding, now time.Time) (p *Published, digest uint64, decided bool) {
	switch f.State {
	case compare.IsPending, compare.IsUndecidable:
		return nil, 0, false
	case compare.Different:
	default:
		return nil, 0, true
	}
	p = &Published{Stream: stream.String(), ID: id, Since: time.UnixMilli(max(row.GetLeft().GetSeen(), row.GetRight().GetSeen())).UTC()}
	for _, d := range f.Differences {
		one := PublishedDifference{Category: d.Category, Field: d.Field, Detail: d.Detail}
		if s.cfg.Expected != nil {
			m := s.cfg.Expected.Match(compare.ExpectedQuery{
				Stream: stream, Category: d.Category, Field: d.Field, ID: id, LeftAbsent: d.LeftAbsent, RightAbsent: d.RightAbsent, Said: d.Said,
			}, now)
			one.Rule, one.Expired = m.Rule, m.Expired
		}
		if !slices.Contains(p.Differences, one) {
			p.Differences = append(p.Differences, one)
		}
	}
	p.Left = positionOf(s.cfg.Left.Topics[stream], row.GetLeft().GetChanged())
	p.Right = positionOf(s.cfg.Right.Topics[stream], row.GetRight().GetChanged())
	return p, max(unsaid+1, xxhash.Sum64(encoded(p))), true
}

func positionOf(topic string, at *rowpb.Place) *Position {
	if at == nil {
		return nil
	}
	return &Position{topic, at.GetPartition(), at.GetOffset(), at.GetTime()}
}

func encoded(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err)) // it has nothing that JSON cannot say
	}
	return b
}

// publish is the command to look at an entity again, and to say what is found: also when that was said, as the command
// may have come again because it was lost.
func (g *group) publish(ctx goka.Context, value any) {
	defer g.begin(ctx)()
	raw, _ := value.([]byte)
	e, before, ok := stored(ctx)
	if !ok || before == nil || e.GetSent() != "" || len(raw) != commandBytes {
		return
	}
	st := g.s.stores.Open(tableOf(g.name), ctx.Partition())
	if st == nil {
		ctx.Fail(&recordError{"the partition has no store"})
		return
	}
	horizon := int64(binary.BigEndian.Uint64(raw))
	stream := compare.Stream(e.GetStream())
	f, err := g.s.judge(horizon, st.Get).entity(stream, e.GetRow())
	if err != nil {
		ctx.Fail(&recordError{err.Error()})
		return
	}
	now := time.Now()
	p, digest, decided := g.s.published(stream, e.GetId(), e.GetRow(), f, now)
	switch {
	case !decided:
		return
	case digest == 0:
		p = &Published{Stream: stream.String(), ID: e.GetId(), Resolved: true, Since: now.UTC()}
	}
	p.At = now.UTC()
	ctx.Emit(goka.Stream(g.s.topics.differences()), differenceKey(stream, e.GetId()), encoded(p))
	e.Published = digest
	save(ctx, e, before)
}

// A command is the horizon as of which to judge.
const commandBytes = 8

func commandOf(horizon int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(horizon)) }
