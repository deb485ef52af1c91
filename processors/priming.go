package processors

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// priming keeps orders and refunds waiting, at the start of an instance, until what
// they need has come through: otherwise nearly every order of a backlog would be
// parked. It goes by the offsets that the groups have committed, so that it
// does not matter which instance does the work.
//
//	partners, events        up to the last records seen at the start, read by intake
//	<p>-partners, <p>-events     then up to the ends seen then, by organizers and gate
//	<p>-memberships, loop        then what that asked of organizers
//	<p>-organizers, loop         then what organizers answered to the gate
//
// Each step fixes its ends when it begins, so that live traffic does not prolong it.
// Priming is no promise: what comes early nevertheless is parked as always.
type priming struct {
	source, state primingAdmin
	read          func(ctx context.Context, topic string, from map[int32]int64, visit func(*kgo.Record)) error // of the source
	paused        func(topic string) bool
	log           *slog.Logger

	steps   []primingStep
	at      int                              // of steps
	targets map[primingInput]map[int32]int64 // of the present step: the offset to reach, by partition
	skipped map[string]bool                  // legacy topics that were not waited for
	samples []primingSample                  // of the last rateWindow
}

// primingAdmin is what priming asks a cluster.
type primingAdmin interface {
	Partitions(topic string) ([]int32, error)
	GroupCommits(group string, topics map[string][]int32) (map[string]map[int32]kafka.Commit, error)
}

var _ primingAdmin = (*kafka.Admin)(nil)

// primingInput is a topic that a group has to have read.
type primingInput struct {
	group, topic string
	legacy       bool // on the source cluster
}

type primingStep struct {
	name   string
	inputs []primingInput
	// behind are counted as left, without being waited for yet: what this step lets
	// through has to go through them next.
	behind []primingInput
}

type primingSample struct {
	when time.Time
	left int64
}

// primingProgress is how far priming is. It is an estimate.
type primingProgress struct {
	Step, Steps int    // from 1
	What        string // that is waited for
	Left        int64  // records, those behind included
	Rate        float64
	ETA         time.Duration // 0: unknown
}

// String is said to people.
func (p primingProgress) String() string {
	text := fmt.Sprintf("step %d of %d, %s: %d records left", p.Step, p.Steps, p.What, p.Left)
	if p.ETA > 0 {
		text += fmt.Sprintf(", %.0f per second, about %s", p.Rate, p.ETA.Round(time.Second))
	}
	return text
}

// primed are the streams that wait.
var primed = []mapping.Stream{mapping.Orders, mapping.Refunds}

const (
	primingPoll = 500 * time.Millisecond
	primingLog  = 10 * time.Second
	rateWindow  = 30 * time.Second
)

func newPriming(t Topics) *priming {
	legacy := func(s mapping.Stream) primingInput {
		return primingInput{string(t.intakeGroup(s)), t.Legacy[s], true}
	}
	org, gate := string(t.organizersGroup()), string(t.gateGroup())
	partners := primingInput{group: org, topic: string(t.internal(mapping.Partners))}
	events := primingInput{group: gate, topic: string(t.internal(mapping.Events))}
	loop := primingInput{group: org, topic: loopOf(t.organizersGroup())}
	return &priming{
		targets: map[primingInput]map[int32]int64{}, skipped: map[string]bool{},
		steps: []primingStep{
			{"partners and events to be read", []primingInput{legacy(mapping.Partners), legacy(mapping.Events)}, []primingInput{partners, events}},
			{"partners and events to be processed", []primingInput{partners, events}, nil},
			{"organizers to be asked", []primingInput{{group: org, topic: string(t.memberships())}, loop}, nil},
			{"organizers' answers", []primingInput{{group: gate, topic: string(t.answers())}, loop}, nil},
		},
	}
}

// prime holds orders and refunds until the deployment is primed.
func (b *Bridge) prime(ctx context.Context, admins kafka.Admins) error {
	p := newPriming(b.topics)
	p.source, p.state = admins[kafka.SourceCluster], admins[kafka.StateCluster]
	p.read, p.paused, p.log = b.cfg.Source.ReadFrom, b.breaker.isPaused, b.log
	if !p.run(ctx, primingPoll, b.primingAt) {
		return nil
	}
	b.notPrimed.Store(nil)
	b.metrics.primingLeft(0)
	b.holdPrimed(false)
	return nil
}

func (b *Bridge) holdPrimed(held bool) {
	for _, s := range primed {
		b.admission.set(hold{b.topics.Legacy[s], byPriming}, held)
	}
}

// primingAt notes how far priming is, and why it does not get on.
func (b *Bridge) primingAt(p primingProgress, err error) {
	text := "priming: " + p.String()
	switch {
	case err == nil && p.Steps == 0:
		text = "priming: it is not known yet what orders and refunds have to wait for"
	case err != nil:
		text = fmt.Sprintf("priming: offsets cannot be read, and it tries again: %v", err)
	}
	b.notPrimed.Store(&text)
	b.metrics.primingLeft(p.Left)
}

// run looks until nothing is left, or ctx ends, and then returns false.
func (p *priming) run(ctx context.Context, every time.Duration, report func(primingProgress, error)) (done bool) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	began := time.Now()
	var said time.Time
	for {
		now, left, err := p.poll(ctx, time.Now())
		switch {
		case ctx.Err() != nil:
			return false
		case err != nil:
			report(now, err)
			p.log.Warn("priming cannot read offsets, and tries again", "error", err)
		case !left:
			p.log.Info("primed: orders and refunds are read", "after", time.Since(began).Round(time.Millisecond).String())
			return true
		default:
			report(now, nil)
			if time.Since(said) >= primingLog {
				said = time.Now()
				line := []any{"step", fmt.Sprintf("%d of %d", now.Step, now.Steps), "for", now.What, "left", now.Left}
				if now.ETA > 0 {
					line = append(line, "per_second", math.Round(now.Rate), "eta", now.ETA.Round(time.Second).String())
				}
				p.log.Info("priming: orders and refunds wait", line...)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
}

// poll goes through the steps up to the first in which something is left.
func (p *priming) poll(ctx context.Context, now time.Time) (progress primingProgress, left bool, err error) {
	for ; p.at < len(p.steps); p.at++ {
		step := p.steps[p.at]
		progress = primingProgress{Step: p.at + 1, Steps: len(p.steps), What: step.name}
		n, err := p.left(ctx, step.inputs)
		if err != nil {
			return progress, true, err
		}
		if n > 0 {
			behind, err := p.lag(step.behind)
			progress.Left = n + behind
			p.rate(&progress, now)
			return progress, true, err
		}
		clear(p.targets)
	}
	return primingProgress{}, false, nil
}

// left is how many records the groups have to read to reach their targets.
func (p *priming) left(ctx context.Context, inputs []primingInput) (n int64, err error) {
	for _, in := range inputs {
		if in.legacy && p.skips(in.topic) {
			continue
		}
		at, ends, err := p.positions(in)
		if err != nil {
			return 0, err
		}
		targets := p.targets[in]
		if targets == nil {
			if targets, err = p.target(ctx, in, at, ends); err != nil {
				return 0, err
			}
			p.targets[in] = targets
		}
		for partition, target := range targets {
			n += max(target-at[partition], 0)
		}
	}
	return n, nil
}

// skips tells whether a topic is not waited for because it is paused: that may last.
func (p *priming) skips(topic string) bool {
	if !p.paused(topic) {
		return false
	}
	if !p.skipped[topic] {
		p.skipped[topic] = true
		p.log.Warn("priming does not wait for a topic that is paused: orders may be parked until it is resumed", "topic", topic)
	}
	return true
}

// positions are where the group will go on reading, and where the partitions end.
// A group without a commit reads from the beginning, and nobody reads what is not
// there any more.
func (p *priming) positions(in primingInput) (at, ends map[int32]int64, err error) {
	admin := p.state
	if in.legacy {
		admin = p.source
	}
	partitions, err := admin.Partitions(in.topic)
	if err != nil {
		return nil, nil, err
	}
	commits, err := admin.GroupCommits(in.group, map[string][]int32{in.topic: partitions})
	if err != nil {
		return nil, nil, err
	}
	at, ends = map[int32]int64{}, map[int32]int64{}
	for partition, c := range commits[in.topic] {
		at[partition], ends[partition] = max(c.Offset, c.Start), c.End
	}
	return at, ends, nil
}

// target is what the group has to reach. The last offsets of a legacy partition may
// be no records (markers, what was aborted) or not to be read yet (an open
// transaction), and nobody would ever commit them.
func (p *priming) target(ctx context.Context, in primingInput, at, ends map[int32]int64) (map[int32]int64, error) {
	if !in.legacy {
		return ends, nil
	}
	return p.lastRecords(ctx, in.topic, at, ends)
}

// lastRecords finds the offset behind the last record of each partition that is
// below its end. It reads backwards, in growing steps, no further than at.
func (p *priming) lastRecords(ctx context.Context, topic string, at, ends map[int32]int64) (map[int32]int64, error) {
	found := map[int32]int64{}
	open := map[int32]bool{}
	for partition, end := range ends {
		if at[partition] < end {
			open[partition] = true
		}
	}
	for back := int64(1); len(open) > 0; back *= 16 {
		from := map[int32]int64{}
		for partition, end := range ends {
			from[partition] = math.MaxInt64 // not at all
			if open[partition] {
				from[partition] = max(end-back, at[partition])
			}
		}
		err := p.readWithin(ctx, topic, from, func(r *kgo.Record) {
			if open[r.Partition] && r.Offset < ends[r.Partition] {
				found[r.Partition] = max(found[r.Partition], r.Offset+1)
			}
		})
		if err != nil {
			return nil, err
		}
		for partition := range open {
			if found[partition] > 0 || from[partition] == at[partition] {
				delete(open, partition)
			}
		}
	}
	return found, nil
}

// readTimeout bounds one reading of what may be a partition's last records.
const readTimeout = 2 * time.Minute

func (p *priming) readWithin(ctx context.Context, topic string, from map[int32]int64, visit func(*kgo.Record)) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return p.read(ctx, topic, from, visit)
}

// lag is what the groups have not read.
func (p *priming) lag(inputs []primingInput) (n int64, err error) {
	for _, in := range inputs {
		at, ends, err := p.positions(in)
		if err != nil {
			return n, err
		}
		for partition, end := range ends {
			n += max(end-at[partition], 0)
		}
	}
	return n, nil
}

// rate adds speed and remaining time, from the last rateWindow.
func (p *priming) rate(progress *primingProgress, now time.Time) {
	p.samples = append(p.samples, primingSample{now, progress.Left})
	for now.Sub(p.samples[0].when) > rateWindow {
		p.samples = p.samples[1:]
	}
	first := p.samples[0]
	took := now.Sub(first.when).Seconds()
	if done := first.left - progress.Left; done > 0 && took > 0 {
		progress.Rate = float64(done) / took
		progress.ETA = time.Duration(float64(progress.Left) / progress.Rate * float64(time.Second))
	}
}
