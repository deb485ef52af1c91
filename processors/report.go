package processors

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// Report is the state of a whole deployment, whatever instances run it: read
// from the group tables and from the offsets that the groups committed.
type Report struct {
	Accounts *mapping.Accounts
	Waiting  map[string]int // keys that wait, by reason
	Holds    int            // of those, keys whose wait has a limit
	// Reset are the streams of which somebody has once set an offset by hand: what
	// they say of consumed records has counted from there on and compares with nothing.
	Reset []mapping.Stream
}

// ReadReport reads both tables from their changelogs. It takes memory for one
// entry per key.
func ReadReport(ctx context.Context, admins kafka.Admins, state kafka.Cluster, t Topics) (*Report, error) {
	r := &Report{Accounts: mapping.NewAccounts(), Waiting: map[string]int{}}
	for _, table := range t.Tables() {
		rows, err := readTable(ctx, state, table)
		if err != nil {
			return nil, err
		}
		for key, value := range rows {
			if err := r.add(key, value); err != nil {
				return nil, fmt.Errorf("read table %s: %w", table, err)
			}
		}
	}
	r.Accounts.Settle()
	for _, s := range mapping.Streams {
		progress, err := progressOf(admins[kafka.SourceCluster], string(t.intakeGroup(s)), t.Legacy[s])
		if err != nil {
			return nil, err
		}
		r.Accounts[s].Consumed = progress.Ended
		if progress.Reset {
			r.Reset = append(r.Reset, s)
		}
	}
	return r, nil
}

func (r *Report) add(key string, value []byte) error {
	row, err := mapping.DecodeRow(value)
	if err != nil {
		return err
	}
	r.Accounts.AddRow(key, row)
	if w := mapping.EntityOf(row).GetWait(); w != nil {
		r.Waiting[mapping.WaitReason(w.GetReason()).String()]++
		if w.GetDeadline() != 0 {
			r.Holds++
		}
	}
	return nil
}

// progressOf is how far a group has come in all partitions of a topic, from its commits.
func progressOf(a *kafka.Admin, group, topic string) (sum kafka.Progress, err error) {
	partitions, err := a.Partitions(topic)
	if err != nil {
		return sum, err
	}
	commits, err := a.GroupCommits(group, map[string][]int32{topic: partitions})
	if err != nil {
		return sum, err
	}
	for _, c := range commits[topic] {
		progress, ours := kafka.ProgressOf(c)
		sum.Ended += progress.Ended
		sum.Reset = sum.Reset || progress.Reset || !ours
	}
	return sum, nil
}

// readTable gives the row of every key of a table as a session would take it from
// the changelog: the newest, but for one that a former owner wrote too late. That one
// has a lower generation than the row it follows, and is written over by the owner soon.
func readTable(ctx context.Context, c kafka.Cluster, topic string) (map[string][]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t := tableRows{rows: map[string][]byte{}, generations: map[string]int32{}}
	var unreadable error
	err := c.Read(ctx, topic, func(r *kgo.Record) {
		if err := t.take(string(r.Key), r.Value); err != nil && unreadable == nil {
			unreadable = fmt.Errorf("%s/%d/%d: %w", topic, r.Partition, r.Offset, err)
			cancel(unreadable)
		}
	})
	if unreadable != nil {
		return nil, unreadable
	}
	return t.rows, err
}

type tableRows struct {
	rows        map[string][]byte
	generations map[string]int32 // of rows
}

// take decides as fence.recover does.
func (t *tableRows) take(key string, value []byte) error {
	written, err := generationIn(value)
	switch {
	case err != nil:
		return err
	case t.generations[key] > written:
		return nil
	case value == nil:
		delete(t.rows, key)
		delete(t.generations, key)
		return nil
	}
	t.rows[key], t.generations[key] = value, written
	return nil
}

// Lag is how many records lie in all inputs of all groups that the groups have
// not committed, and Ends the sum of the inputs' ends.
type Lag struct {
	Records int64
	Ends    int64
	Legacy  int64 // of Records, those in the legacy topics
}

// ReadLag reads the lag of a deployment. It goes downstream: when it is 0 twice
// with equal Ends, nothing is on its way any more.
func ReadLag(admins kafka.Admins, t Topics) (Lag, error) {
	var lag Lag
	for _, s := range mapping.Streams {
		if err := lag.add(admins[kafka.SourceCluster], string(t.intakeGroup(s)), t.Legacy[s]); err != nil {
			return lag, err
		}
	}
	lag.Legacy = lag.Records
	for _, in := range t.InternalInputs() {
		if err := lag.add(admins[kafka.StateCluster], in.Group, in.Topic); err != nil {
			return lag, err
		}
	}
	return lag, nil
}

// GroupInput is a topic that a group reads.
type GroupInput struct{ Group, Topic string }

// InternalInputs are the inputs of the groups behind intake, on the state cluster, downstream.
func (t Topics) InternalInputs() []GroupInput {
	org, gate := t.organizersGroup(), t.gateGroup()
	return []GroupInput{
		{string(org), string(t.internal(mapping.Partners))},
		{string(gate), string(t.internal(mapping.Events))},
		{string(gate), string(t.internal(mapping.Orders))},
		{string(gate), string(t.internal(mapping.Refunds))},
		{string(org), string(t.memberships())},
		{string(org), loopOf(org)},
		{string(gate), string(t.answers())},
		{string(gate), loopOf(gate)},
	}
}

func (l *Lag) add(a *kafka.Admin, group, topic string) error {
	partitions, err := a.Partitions(topic)
	if err != nil {
		return err
	}
	commits, err := a.GroupCommits(group, map[string][]int32{topic: partitions})
	if err != nil {
		return err
	}
	for p, c := range commits[topic] {
		l.Ends += c.End
		at := c.Offset
		if at < 0 {
			if at, err = a.OldestOffset(topic, p); err != nil {
				return err
			}
		}
		l.Records += max(c.End-at, 0)
	}
	return nil
}
