package live

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// The horizon is the latest known moment t such that everything that was in the topics of both sides at t
// has gone through all groups, whoever runs them: its records were acknowledged, since groups commit no sooner.
// Any instance finds it out by itself, from offsets alone:
//
//	t, ends of the sides' topics ─▶ wait: intake has committed them
//	ends of what intake writes   ─▶ wait: partners, joins and events have committed them
//	ends of what those write     ─▶ wait: events has committed the rows, the tails have read the partners
//	t is the horizon

// span is where a partition began and ended.
type span struct{ start, end int64 }

// goal is what a group has to commit.
type goal struct {
	g     *group
	topic string
	ends  map[int32]int64 // of the partitions that are left
	looks int
}

// horizonPause is how long to wait between two looks.
func (s *session) horizonPause() time.Duration {
	return min(max(s.cfg.AuditInterval/10, 50*time.Millisecond), time.Second)
}

// watchHorizon moves the horizon on. Brokers that are away hold it up and fail nothing: that is for the groups.
func (s *session) watchHorizon(ctx context.Context) error {
	for sleep(ctx, s.horizonPause()) {
		at := time.Now()
		ok, err := s.passed(ctx)
		switch {
		case err != nil && !kafka.Unreachable(err) && ctx.Err() == nil:
			return err
		case ok:
			s.horizon.Store(at.UnixMilli())
		}
	}
	return nil
}

// passed waits until everything that there is at this moment has gone through.
func (s *session) passed(ctx context.Context) (bool, error) {
	var quarantined map[int32]span
	var err error
	if s.quarantine != nil {
		if quarantined, err = spans(s.state, s.cfg.Quarantine); err != nil {
			return false, err
		}
	}
	var intakes, middle []*group
	for _, in := range s.intakes {
		intakes = append(intakes, in.group)
	}
	middle = append(middle, s.partners, s.joins, s.events)
	if ok, err := s.committed(ctx, intakes); !ok || err != nil {
		return false, err
	}
	if ok, err := s.committed(ctx, middle); !ok || err != nil {
		return false, err
	}
	partners, err := spans(s.state, tableOf(s.topics.partnersGroup()))
	if err != nil {
		return false, err
	}
	if ok, err := s.committed(ctx, []*group{s.events}); !ok || err != nil {
		return false, err
	}
	for !s.tails.partners.reached(partners) || s.quarantine != nil && !s.tails.quarantine.reached(quarantined) {
		if !sleep(ctx, s.horizonPause()) {
			return false, nil
		}
	}
	return true, nil
}

// committed takes the ends of the inputs of groups, and waits until the groups have committed them.
func (s *session) committed(ctx context.Context, groups []*group) (bool, error) {
	var goals []*goal
	for _, g := range groups {
		for _, topic := range g.topics {
			to := &goal{g: g, topic: topic, ends: map[int32]int64{}}
			now, err := spans(g.admin, topic)
			if err != nil {
				return false, err
			}
			for p, n := range now {
				if n.end > n.start {
					to.ends[p] = n.end
				}
			}
			goals = append(goals, to)
		}
	}
	for _, to := range goals {
		for len(to.ends) > 0 {
			if err := to.look(ctx); err != nil {
				return false, err
			}
			if len(to.ends) > 0 && !sleep(ctx, s.horizonPause()) {
				return false, nil
			}
		}
	}
	return true, nil
}

// mostMarkers bounds what is read again to learn that it holds no records, and patience is after how many looks at a
// group that stands.
const (
	mostMarkers = 1000
	patience    = 10
)

// look drops the partitions whose end is committed.
func (to *goal) look(ctx context.Context) error {
	commits, err := to.g.admin.GroupCommits(to.g.name, map[string][]int32{to.topic: slices.Collect(maps.Keys(to.ends))})
	if err != nil {
		return err
	}
	lag := int64(0)
	from := map[int32]int64{}
	for p, c := range commits[to.topic] {
		at := max(c.Offset, c.Start)
		if at >= to.ends[p] {
			delete(to.ends, p)
			continue
		}
		lag += to.ends[p] - at
		from[p] = at
	}
	if to.looks++; lag == 0 || lag > mostMarkers || to.looks%patience != 0 {
		return nil
	}
	return to.lookForMarkers(ctx, from)
}

// lookForMarkers drops the partitions that have no records behind what is committed: a
// topic that is written to in transactions ends in a marker, or in what was aborted,
// which nobody ever consumes.
func (to *goal) lookForMarkers(ctx context.Context, from map[int32]int64) error {
	partitions, err := to.g.admin.Partitions(to.topic)
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if _, asked := from[p]; !asked {
			from[p] = math.MaxInt64
		}
	}
	records := map[int32]bool{}
	if err := to.g.inputs.ReadFrom(ctx, to.topic, from, func(r *kgo.Record) { records[r.Partition] = true }); err != nil {
		return err
	}
	maps.DeleteFunc(to.ends, func(p int32, _ int64) bool { return !records[p] })
	return nil
}

// spans are where the partitions of a topic begin and end.
func spans(a *kafka.Admin, topic string) (map[int32]span, error) {
	partitions, err := a.Partitions(topic)
	if err != nil {
		return nil, err
	}
	ends, err := a.NewestOffsets(topic, partitions)
	if err != nil {
		return nil, err
	}
	all := map[int32]span{}
	for _, p := range partitions {
		start, err := a.OldestOffset(topic, p)
		if err != nil {
			return nil, err
		}
		all[p] = span{start, ends[p]}
	}
	return all, nil
}

// facts are what the topics themselves allow to say, found out when a session begins.
type facts struct {
	appendTime [2][compare.Streams]bool // by side: times are the broker's
	gone       [2][compare.Streams]bool // records were deleted
	ordered    [compare.Streams]bool    // see compare.Judge
}

func (s *session) readFacts() (facts, error) {
	var f facts
	single := [compare.Streams]bool{}
	for n, side := range s.cfg.sides() {
		for stream, topic := range side.side.Topics {
			if topic == "" {
				continue
			}
			infos, err := s.sides[n].Describe([]string{topic})
			if err != nil {
				return f, err
			}
			if !infos[topic].Exists {
				return f, &kafka.MismatchError{Lines: []string{"topic " + topic + " of the " + side.name + " side does not exist, or may not be described"}}
			}
			f.appendTime[n][stream] = infos[topic].Config["message.timestamp.type"] == "LogAppendTime"
			all, err := spans(s.sides[n], topic)
			if err != nil {
				return f, err
			}
			// A legacy record that compaction removed may have been an entity's only one that counts.
			f.gone[n][stream] = !side.right && side.side.Legacy && strings.Contains(infos[topic].Config["cleanup.policy"], "compact")
			for _, at := range all {
				f.gone[n][stream] = f.gone[n][stream] || at.start > 0
			}
			if side.right {
				single[stream] = len(all) == 1 && f.appendTime[n][stream]
			}
		}
	}
	f.ordered[compare.Orders] = single[compare.Orders] && single[compare.Events]
	f.ordered[compare.Refunds] = single[compare.Refunds] && single[compare.Orders]
	return f, nil
}
