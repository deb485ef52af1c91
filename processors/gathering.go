package processors

import (
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// gathering keeps back the versions of events that repeat one before them, and sends
// them on several at a time (decision 21). Their offsets are committed when that is
// acknowledged, as with every other record.
type gathering struct {
	in *intake

	mu         sync.Mutex
	partitions map[int32]*gatherer
}

func newGathering(in *intake) *gathering {
	return &gathering{in: in, partitions: map[int32]*gatherer{}}
}

// gatherIdle is for how long nothing may come of a partition until what is kept back of
// it is sent: then there is nothing to gain.
const gatherIdle = 50 * time.Millisecond

// gatherer is of one partition in one session.
type gatherer struct {
	in     *intake
	keeper *kafka.Keeper
	began  time.Time // what it keeps counts from then: the clock may be set back

	mu    sync.Mutex
	kept  mapping.Gatherer
	taken bool // something, since the last look
	over  bool // nothing is kept back or sent any more

	open sync.WaitGroup // batches that are neither acknowledged nor refused
}

// take tells whether it keeps the record of the callback back. What is due by then is
// sent first. It is false for a nil gathering.
func (g *gathering) take(ctx goka.Context, in mapping.Intake) bool {
	if g == nil {
		return false
	}
	p := g.of(ctx)
	return p != nil && p.take(ctx.Offset(), in)
}

// of is the gatherer of the callback's partition; nil when the session no longer has it.
func (g *gathering) of(ctx goka.Context) *gatherer {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.partitions[ctx.Partition()]
	if p != nil && p.keeper.Current(g.in.tracker) {
		return p
	}
	keeper := g.in.tracker.Keeper(string(ctx.Topic()), ctx.Partition())
	if keeper == nil {
		return nil
	}
	p = &gatherer{in: g.in, keeper: keeper, began: time.Now()}
	p.kept = mapping.Gatherer{Partition: ctx.Partition(), Limits: g.in.b.rules.current().GatherLimits(), Acked: keeper.Acked}
	g.partitions[ctx.Partition()] = p
	go p.run()
	return p
}

// endLimit is how long the end of a session waits for acknowledgements, as Goka does. On a
// rebalance it is cut short, see cleanupTimeout.
const endLimit = time.Minute

// finish ends a session. In order, what is kept back is sent, and acknowledged before the
// member leaves, so that the next owner does not meet it again. Where the group may not
// write any more, the next owner does.
func (g *gathering) finish(inOrder bool) {
	g.mu.Lock()
	ended := g.partitions
	g.partitions = map[int32]*gatherer{}
	g.mu.Unlock()
	all := make(chan struct{})
	go func() {
		defer close(all)
		for _, p := range ended {
			p.finish(inOrder)
		}
		for _, p := range ended {
			p.open.Wait()
		}
	}()
	limit := time.NewTimer(endLimit)
	defer limit.Stop()
	select {
	case <-all:
	case <-limit.C:
	}
}

func (p *gatherer) take(offset int64, in mapping.Intake) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return false
	}
	p.taken = true
	due, kept := p.kept.Take(in, p.now())
	if kept {
		p.in.b.metrics.keptBack.Inc()
		p.keeper.Keep(offset)
	}
	p.send(due)
	return kept
}

func (p *gatherer) now() int64 { return time.Since(p.began).Milliseconds() }

// run sends what has been kept back for long enough, until the session is over.
func (p *gatherer) run() {
	tick := time.NewTicker(gatherIdle)
	defer tick.Stop()
	for {
		select {
		case <-p.keeper.Session().Done():
			return
		case <-tick.C:
			p.look()
		}
	}
}

func (p *gatherer) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.over || p.keeper.Session().Err() != nil:
	case p.taken:
		p.taken = false
		p.send(p.kept.Due(p.now()))
	default:
		p.send(p.kept.All())
	}
}

func (p *gatherer) finish(inOrder bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over = true; inOrder && p.in.tracker.Holds() {
		p.send(p.kept.All())
	}
}

// send sends batches. A refusal ends the instance, see buildProducer.
func (p *gatherer) send(due []mapping.Batch) {
	for _, b := range due {
		b.Input.Settled = p.keeper.Settled()
		m := kafka.NewRecord(string(p.in.b.topics.internal(p.in.stream)), b.Key, marshal(b.Input), nil)
		p.open.Add(1)
		p.in.sender.Load().Send(m, func(_ *sarama.ProducerMessage, err error) {
			defer p.open.Done()
			if err == nil {
				p.keeper.Done(b.Offsets())
			}
		})
	}
}
