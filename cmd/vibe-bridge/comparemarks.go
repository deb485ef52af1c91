package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/once"
)

// compareMarks are up to where topics are compared. A report has them, under the same names.
type compareMarks struct {
	Marks []compare.Mark `json:"marks"`
	Run   struct {
		Time time.Time `json:"time"` // when they were taken
	} `json:"run"`
}

func (m *compareMarks) time() time.Time { return m.Run.Time }

// readMarks are those of a file; nil for no file.
func readMarks(path string) (*compareMarks, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, refusef("marks: %w", err)
	}
	var m compareMarks
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, refusef("marks: %s: %w", path, err)
	}
	if len(m.Marks) == 0 || m.time().IsZero() {
		return nil, refusef("marks: %s: there are none: want a report of compare once (--out)", path)
	}
	type partition struct {
		side, topic string
		partition   int32
	}
	seen := map[partition]bool{}
	for _, mark := range m.Marks {
		at := partition{mark.Side, mark.Topic, mark.Partition}
		switch {
		case mark.Start < 0 || mark.End < mark.Start:
			return nil, refusef("marks: %s: %s/%d on the %s side begins at %d and ends at %d", path, mark.Topic, mark.Partition, mark.Side, mark.Start, mark.End)
		case seen[at]:
			return nil, refusef("marks: %s: %s/%d on the %s side is marked twice", path, mark.Topic, mark.Partition, mark.Side)
		}
		seen[at] = true
	}
	return &m, nil
}

// counted are the marks with how many records lay between them when they were first read up to, and what
// there is to be said when it is not as many now.
func (w *comparedWork) counted(topics []*comparedTopic) (marks []compare.Mark, warnings []string) {
	marks = slices.Clone(w.marks.Marks)
	uncounted := false
	for _, t := range topics {
		were, are, differ := int64(0), int64(0), false
		for i := range marks {
			mark := &marks[i]
			if !t.is(*mark) {
				continue
			}
			n := w.engine.Taken(t.side, t.name, mark.Partition)
			if mark.Records == nil {
				uncounted = uncounted || w.given
				mark.Records = &n
			}
			were, are, differ = were+*mark.Records, are+n, differ || *mark.Records != n
		}
		if differ {
			warnings = append(warnings, fmt.Sprintf("of %s (%s) %d records lay between the marks when these were made, and %d do now: others are compared, and the digest is another one",
				t.name, t.side, were, are))
		}
	}
	if uncounted {
		warnings = append(warnings, "the marks do not say how many records lay between them: whether some have been deleted since is not known")
	}
	return marks, warnings
}

// newMarks fixes what is compared. What may be too young to have come through is marked
// first (Settled). Then, after grace, the ends: those of the right side, refunds before
// orders before events, and then those of the left one: what is below an end was caused
// by what is below the ends that are taken after it.
func (p *comparison) newMarks(ctx context.Context, progress io.Writer, grace time.Duration) (*compareMarks, error) {
	all := map[comparedPartition]*compare.Mark{}
	for _, t := range p.topics {
		ids, err := p.topicIDs(ctx, t)
		if err != nil {
			return nil, err
		}
		starts, err := listOffsets(ctx, t.admin().ListStartOffsets, []string{t.name})
		if err != nil {
			return nil, err
		}
		for id, start := range byPartition(starts) {
			all[comparedPartition{t.side, id}] = &compare.Mark{
				Side: t.side.String(), Topic: t.name, TopicID: ids, Partition: id.partition, Start: start, Settled: -1,
			}
		}
	}
	ends := func(settled bool, topics ...*comparedTopic) error {
		for _, t := range topics {
			listed, err := listOffsets(ctx, t.admin().ListCommittedOffsets, []string{t.name})
			if err != nil {
				return err
			}
			for id, end := range byPartition(listed) {
				mark := all[comparedPartition{t.side, id}]
				switch {
				case mark == nil: // a partition that was added since
				case settled:
					mark.Settled = end
				default:
					mark.End = max(mark.Start, end)
				}
			}
		}
		return nil
	}
	left, right := p.of(once.Left), p.of(once.Right)
	slices.Reverse(right) // refunds first
	if err := ends(true, left...); err != nil {
		return nil, err
	}
	if p.legacy {
		if err := p.takenByBridge(ctx, all); err != nil {
			return nil, err
		}
		through, err := p.throughBridge(ctx, progress)
		if err != nil {
			return nil, err
		}
		if !through {
			for at, mark := range all {
				if at.side == once.Left {
					mark.Settled = mark.Start
				}
			}
		}
	} else if err := ends(true, right...); err != nil {
		return nil, err
	}
	moment := time.Now()
	if grace > 0 {
		fmt.Fprintf(progress, "waiting %s for what is on its way (--grace)\n", grace)
		if !wait(ctx, grace) {
			return nil, ctx.Err()
		}
	}
	for _, topics := range [][]*comparedTopic{right, p.of(once.Quarantine), left, p.of(once.Baseline)} {
		if err := ends(false, topics...); err != nil {
			return nil, err
		}
	}
	m := &compareMarks{}
	m.Run.Time = moment.Add(grace).UTC().Truncate(time.Millisecond)
	for _, t := range p.topics {
		first := len(m.Marks)
		for at, mark := range all {
			if at.side == t.side && at.topic == t.name {
				if mark.Settled < 0 || mark.Settled > mark.End {
					mark.Settled = mark.End
				}
				m.Marks = append(m.Marks, *mark)
			}
		}
		slices.SortFunc(m.Marks[first:], func(a, b compare.Mark) int { return int(a.Partition - b.Partition) })
	}
	return m, nil
}

// takenByBridge: what the bridge has not read yet is not missing. A deployment that has
// never run has no groups, and somebody else fills its topics.
func (p *comparison) takenByBridge(ctx context.Context, all map[comparedPartition]*compare.Mark) error {
	for _, t := range p.of(once.Left) {
		committed, err := t.admin().FetchOffsets(ctx, p.intakeGroups[t.stream])
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return fmt.Errorf("read the offsets of group %s: %w", p.intakeGroups[t.stream], err)
		}
		if len(committed[t.name]) == 0 {
			continue
		}
		for at, mark := range all {
			if at.side != t.side || at.topic != t.name {
				continue
			}
			offset := max(mark.Start, committed[t.name][at.partition].At)
			mark.Settled = min(mark.Settled, offset)
		}
	}
	return nil
}

// Bounds on waiting for the bridge to work through its internal topics.
const (
	bridgeLook    = 250 * time.Millisecond
	bridgePatient = 10 * time.Second // without any progress of it
	// The longest way goes through the gate, the organizers and the gate again.
	bridgeRounds = 3
)

// throughBridge waits until what the bridge has in its internal topics has gone through its groups; false when it stands still with some
// of it unread: then nobody can tell what is missing from what is on its way. A deployment that
// has never run has no such topics.
func (p *comparison) throughBridge(ctx context.Context, progress io.Writer) (bool, error) {
	admin := p.of(once.Quarantine)[0].admin()
	var topics []string
	for _, in := range p.bridgeInputs {
		topics = append(topics, in.Topic)
	}
	listed, err := admin.ListTopics(ctx, topics...)
	if err != nil {
		return false, fmt.Errorf("list topics: %w", err)
	}
	for _, topic := range listed {
		if topic.Err != nil {
			return true, nil
		}
	}
	for range bridgeRounds {
		starts, err := listOffsets(ctx, admin.ListStartOffsets, topics)
		if err != nil {
			return false, err
		}
		ends, err := listOffsets(ctx, admin.ListCommittedOffsets, topics)
		if err != nil {
			return false, err
		}
		if through, err := p.passes(ctx, admin, starts, ends, progress); !through || err != nil {
			return false, err
		}
	}
	return true, nil
}

// passes waits until the bridge has read all up to the ends.
func (p *comparison) passes(ctx context.Context, admin *kadm.Client, starts, ends kadm.ListedOffsets, progress io.Writer) (bool, error) {
	least, moved, said := int64(-1), time.Now(), false
	for {
		left, err := p.unread(ctx, admin, starts, ends)
		if err != nil || left == 0 {
			return err == nil, err
		}
		if least < 0 || left < least {
			least, moved = left, time.Now()
		}
		if time.Since(moved) > bridgePatient {
			return false, nil
		}
		if !said {
			said = true
			fmt.Fprintf(progress, "waiting for the bridge, which has %s of its own to work through\n", count(int(left), "record"))
		}
		if !wait(ctx, bridgeLook) {
			return false, ctx.Err()
		}
	}
}

// unread is how many offsets below the ends the bridge's groups have not committed.
func (p *comparison) unread(ctx context.Context, admin *kadm.Client, starts, ends kadm.ListedOffsets) (int64, error) {
	left, committed := int64(0), map[string]kadm.OffsetResponses{}
	for _, in := range p.bridgeInputs {
		if committed[in.Group] == nil {
			offsets, err := admin.FetchOffsets(ctx, in.Group)
			if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
				return 0, fmt.Errorf("read the offsets of group %s: %w", in.Group, err)
			}
			if offsets == nil {
				offsets = kadm.OffsetResponses{}
			}
			committed[in.Group] = offsets
		}
		for partition, end := range ends[in.Topic] {
			start, _ := starts.Lookup(in.Topic, partition) // of a partition of which nothing was committed
			left += max(0, end.Offset-max(start.Offset, committed[in.Group][in.Topic][partition].At))
		}
	}
	return left, nil
}

// behind tells whether the marks say that the bridge stood still.
func (m *compareMarks) behind() bool {
	some := false
	for _, mark := range m.Marks {
		if mark.Side != once.Left.String() {
			continue
		}
		if mark.Settled > mark.Start {
			return false
		}
		some = some || mark.End > mark.Start
	}
	return some
}

const bridgeBehind = "nothing was settled when the marks were taken, as the bridge stood still with records unread: whatever is missing or differs counts as pending"

// topicIDs is the id that the cluster gave to a topic when it was created; "" where it gives none.
func (p *comparison) topicIDs(ctx context.Context, t *comparedTopic) (string, error) {
	listed, err := t.admin().ListTopics(ctx, t.name)
	if err != nil {
		return "", fmt.Errorf("list topics: %w", err)
	}
	topic, ok := listed[t.name]
	if !ok || errors.Is(topic.Err, kerr.UnknownTopicOrPartition) {
		return "", refusef("topic %s does not exist on the cluster, or the user may not see it", t.name)
	}
	if topic.ID == (kadm.TopicID{}) {
		return "", nil
	}
	return topic.ID.String(), nil
}

// checkMarks refuses marks of other topics, and of such that have lost records since.
func (p *comparison) checkMarks(ctx context.Context, w *comparedWork) error {
	for _, mark := range w.marks.Marks {
		if !slices.ContainsFunc(p.topics, func(t *comparedTopic) bool { return t.is(mark) }) {
			return refusef("marks: %s/%d on the %s side is not compared by this configuration", mark.Topic, mark.Partition, mark.Side)
		}
	}
	for _, t := range p.topics {
		if err := p.checkTopicMarks(ctx, t, w); err != nil {
			return err
		}
	}
	return nil
}

func (p *comparison) checkTopicMarks(ctx context.Context, t *comparedTopic, w *comparedWork) error {
	id, err := p.topicIDs(ctx, t)
	if err != nil {
		return err
	}
	starts, err := listOffsets(ctx, t.admin().ListStartOffsets, []string{t.name})
	if err != nil {
		return err
	}
	ends, err := listOffsets(ctx, t.admin().ListCommittedOffsets, []string{t.name})
	if err != nil {
		return err
	}
	first, last, marked := byPartition(starts), byPartition(ends), 0
	for _, mark := range w.marks.Marks {
		if !t.is(mark) {
			continue
		}
		marked++
		at := partitionID{mark.Topic, mark.Partition}
		end, exists := last[at]
		delete(last, at)
		read := mark.Start // of it, up to here
		if next, ok := w.engine.Next(t.side, t.name, mark.Partition); ok {
			read = next
		}
		switch {
		case mark.TopicID != id:
			return refusef("marks: %s has been created anew since: mark again (without --marks, or with --fresh)", t.name)
		case !exists:
			return refusef("marks: %s has no partition %d: mark again (without --marks, or with --fresh)", t.name, mark.Partition)
		case end < mark.End:
			return refusef("marks: %s/%d is marked up to offset %d and ends at %d: it has been created anew since, or lost records: mark again (without --marks, or with --fresh)", t.name, mark.Partition, mark.End, end)
		case first[at] > read:
			return refusef("marks: records of %s/%d have been deleted since, up to offset %d: mark again (without --marks, or with --fresh)", t.name, mark.Partition, first[at])
		}
	}
	if marked == 0 {
		return refusef("marks: there are none of topic %s on the %s side", t.name, t.side)
	}
	for at := range last {
		return refusef("marks: there is none of %s/%d on the %s side: partitions were added since, or the file is not whole: mark again (without --marks, or with --fresh)", t.name, at.partition, t.side)
	}
	return nil
}
