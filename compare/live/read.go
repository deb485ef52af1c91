package live

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/live/livepb"
	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
)

// What commands read of the tables and topics, whether or not instances run.

// DifferenceFilter chooses differences; what is "" chooses all.
type DifferenceFilter struct{ Stream, Category, Field string }

func (f DifferenceFilter) wants(p *Published) bool {
	return (f.Stream == "" || f.Stream == p.Stream) && slices.ContainsFunc(p.Differences, func(d PublishedDifference) bool {
		return (f.Category == "" || f.Category == string(d.Category)) && (f.Field == "" || f.Field == d.Field)
	})
}

// ReadDifferences lists what differs at present, by stream and id. It takes memory for all that differs.
func ReadDifferences(ctx context.Context, cfg Config, f DifferenceFilter) ([]*Published, error) {
	found := map[string]*Published{}
	err := cfg.State.Read(ctx, cfg.topics().differences(), func(r *kgo.Record) {
		p := &Published{}
		if r.Value == nil || json.Unmarshal(r.Value, p) != nil || !f.wants(p) {
			delete(found, string(r.Key))
			return
		}
		found[string(r.Key)] = p
	})
	list := make([]*Published, 0, len(found))
	for _, p := range found {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *Published) int {
		return cmp.Or(strings.Compare(a.Stream, b.Stream), strings.Compare(a.ID, b.ID))
	})
	return list, err
}

// Shown is what the tables have of an entity. It has ids, positions and names of fields, and nothing personal.
type Shown struct {
	Stream string     `json:"stream"`
	ID     string     `json:"id"`
	Event  string     `json:"event,omitempty"`
	Order  string     `json:"order,omitempty"`
	Left   *ShownSide `json:"left,omitempty"`
	Right  *ShownSide `json:"right,omitempty"`
	// State and Reason are what a judge says who takes the horizon for now: nothing is too young.
	State       string                `json:"state"`
	Reason      string                `json:"reason,omitempty"`
	Differences []PublishedDifference `json:"differences,omitempty"`
	// Young: one of the sides was read less than the grace ago.
	Young bool `json:"young,omitempty"`
}

// ShownSide is one side of it.
type ShownSide struct {
	Present bool      `json:"present"`
	Outcome string    `json:"outcome"` // present, skipped, quarantined or tombstone
	Reason  string    `json:"reason,omitempty"`
	Seen    time.Time `json:"seen"` // when it was read
	Newest  *Position `json:"newest,omitempty"`
	First   *Position `json:"first,omitempty"`
	Records uint32    `json:"records"`
	Repeats uint32    `json:"repeats,omitempty"`
}

var stateNames = [...]string{
	compare.Equal: "equal", compare.Different: "different", compare.IsPending: "pending", compare.IsUndecidable: "undecidable",
	compare.IsSkipped: "skipped", compare.IsQuarantined: "quarantined", compare.Nothing: "nothing",
}

var outcomeNames = [...]string{compare.Present: "present", compare.Skipped: "skipped", compare.Quarantined: "quarantined", compare.Tombstone: "tombstone"}

// Show reads what the tables have of an event, an order or a refund, and judges it; nil when no side has named it.
// It reads the tables whole.
func Show(ctx context.Context, cfg Config, stream compare.Stream, id string, now time.Time) (*Shown, error) {
	s := &session{Instance: &Instance{cfg: cfg, topics: cfg.topics(), results: newResults(1)}, partnerRows: &partnerRows{rows: map[string][]byte{}}}
	own, err := s.find(ctx, stream, id)
	if err != nil || own == nil {
		return nil, err
	}
	event, order := eventOf(own)
	if stream == compare.Events {
		event = id
	}
	rows, err := readRows(ctx, cfg, tableOf(s.topics.eventsGroup()), ownKey(event))
	if err != nil {
		return nil, err
	}
	if at := rows[own.GetSent()]; own.GetSent() != "" && at != nil {
		own = decoded(at)
	}
	if err := cfg.State.Read(ctx, tableOf(s.topics.partnersGroup()), s.partnerRows.take); err != nil {
		return nil, err
	}
	if cfg.Quarantine != "" && cfg.Left.Legacy { // else no judgement asks for it
		s.quarantine = newQuarantine(cfg.LegacyTopics)
		if err := cfg.State.Read(ctx, cfg.Quarantine, s.quarantine.take); err != nil {
			return nil, err
		}
	}
	const never = 1 << 62
	j := s.judge(never, func(key string) ([]byte, error) { return rows[key], nil })
	f, err := j.entity(stream, own.GetRow())
	if err != nil {
		return nil, err
	}
	young := s.judge(now.UnixMilli(), nil).young
	left, right := own.GetRow().GetLeft(), own.GetRow().GetRight()
	shown := &Shown{
		Stream: stream.String(), ID: id, Event: event, Order: order, State: stateNames[f.State], Reason: f.Reason,
		Left: cfg.Left.side(stream, left), Right: cfg.Right.side(stream, right), Young: young(left) || young(right),
	}
	if p, _, _ := s.published(stream, id, own.GetRow(), f, now); p != nil {
		shown.Differences = p.Differences
	}
	return shown, nil
}

// find reads the row of an entity from the table in which it is found by its id alone.
func (s *session) find(ctx context.Context, stream compare.Stream, id string) (*livepb.Entity, error) {
	table, key := tableOf(s.topics.joinsGroup()), halfKey(stream, id)
	if stream == compare.Events {
		table, key = tableOf(s.topics.eventsGroup()), ownKey(id)
	}
	rows, err := readRows(ctx, s.cfg, table, key)
	if err != nil || rows[key] == nil {
		return nil, err
	}
	return decoded(rows[key]), nil
}

func eventOf(e *livepb.Entity) (event, order string) {
	for _, side := range []*rowpb.Side{e.GetRow().GetLeft(), {Event: e.GetEvent(), Order: e.GetOrder()}, e.GetRow().GetRight()} {
		if side.GetEvent() != "" {
			return side.GetEvent(), side.GetOrder()
		}
	}
	return "", ""
}

// readRows are the newest rows of a table at a key and below it.
func readRows(ctx context.Context, cfg Config, table, key string) (map[string][]byte, error) {
	rows := map[string][]byte{}
	err := cfg.State.Read(ctx, table, func(r *kgo.Record) {
		at := string(r.Key)
		if at != key && !strings.HasPrefix(at, key+"/") {
			return
		}
		if rows[at] = r.Value; r.Value == nil {
			delete(rows, at)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read table %s: %w", table, err)
	}
	return rows, nil
}

func decoded(value []byte) *livepb.Entity {
	e := &livepb.Entity{}
	_ = proto.Unmarshal(value, e) // what another version wrote is shown as far as it is known
	return e
}

func (s Side) side(stream compare.Stream, side *rowpb.Side) *ShownSide {
	if side == nil {
		return nil
	}
	out := &ShownSide{
		Present: side.GetPresent(), Reason: side.GetReason(), Seen: time.UnixMilli(side.GetSeen()).UTC(), Records: side.GetRecords(), Repeats: side.GetRepeats(),
		Newest: positionOf(s.Topics[stream], side.GetNewest()), First: positionOf(s.Topics[stream], side.GetFirst()),
	}
	if n := int(side.GetOutcome()); n < len(outcomeNames) {
		out.Outcome = outcomeNames[n]
	}
	return out
}
