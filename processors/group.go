package processors

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// group is what every processor group has in common.
type group struct {
	b        *Bridge
	name     goka.Group
	tracker  *kafka.Tracker
	producer *kafka.Producer
	sender   atomic.Pointer[kafka.Producer] // producer, for those outside the callbacks
	admin    *kafka.Admin                   // of the cluster with the group's inputs and table
	stores   *store.Registry                // nil for a group without state
	inputs   map[string]int32
	byNumber map[int32]string
	fences   sync.Map           // partition to *fence, of the present session
	epochs   sync.Map           // partition to the generation of the newest session, once it is announced
	heldBack func() bool        // whether its input is held back on purpose; nil: never
	ending   func(inOrder bool) // finishes a session that ends, see kafka.TrackerOptions; nil: there is nothing to finish

	releaseTold atomic.Int64 // see tellRelease
}

func newGroup(b *Bridge, name goka.Group, tracker *kafka.Tracker, stores *store.Registry) *group {
	g := &group{b: b, name: name, tracker: tracker, stores: stores, inputs: b.topics.inputNumbers(), byNumber: map[int32]string{}}
	for topic, n := range g.inputs {
		g.byNumber[n] = topic
	}
	return g
}

// begin is the first thing every callback does (protocol rule R3), and end the last.
//
// A callback that ends after its session is abandoned, whatever it did: ctx.Fail
// returns once the session is over, inside Goka's own SetValue and Delete too, and
// Goka would take the record for done although nothing of it was written.
//
// A callback that fails ends the instance at once: Goka says so only when the
// other records of the partition have been acknowledged, which may take for ever.
func (g *group) begin(ctx goka.Context) (end func()) {
	topic, partition, offset := string(ctx.Topic()), ctx.Partition(), ctx.Offset()
	g.tracker.Begin(topic, partition, offset)
	return func() {
		if ctx.Context().Err() != nil {
			g.tracker.Abandon(topic, partition, offset)
		}
		if v := recover(); v != nil {
			err := callbackFailure(ctx, v)
			g.tracker.Fail(err)
			panic(err) // Goka's to handle, on the stack of the callback still
		}
	}
}

// send produces a record outside Goka and holds Goka's commit of the input back
// until it is acknowledged.
func (g *group) send(ctx goka.Context, m *sarama.ProducerMessage) {
	commit := ctx.DeferCommit()
	g.producer.Send(m, func(_ *sarama.ProducerMessage, err error) { commit(err) })
}

// step decodes an input, runs a pure step over the partition's store, and writes
// the state. ok is false when the callback must return at once.
func (g *group) step(ctx goka.Context, value any, in internal,
	run func(*mapping.Env, string, mapping.Reader, proto.Message) (mapping.Outcome, error),
) (out mapping.Outcome, ok bool) {
	if err := g.decode(ctx, value, in); err != nil {
		ctx.Fail(err)
		return out, false
	}
	st := g.stores.Open(tableOf(g.name), ctx.Partition())
	if st == nil {
		ctx.Fail(fmt.Errorf("%s: no store of partition %d", g.name, ctx.Partition()))
		return out, false
	}
	env, rows, err := g.env(ctx, st)
	proven := false
	if err == nil {
		settle := env.Settle
		env.Settle = func(c mapping.Cause) (mapping.Status, error) {
			status, err := settle(c)
			proven = proven || status.Done()
			return status, err
		}
		key := ctx.Key()
		out, err = run(env, key, func(k string) ([]byte, error) { return rows.read(st, key, k) }, in)
	}
	if err != nil {
		g.giveUp(ctx, err)
		return out, false
	}
	if out.Value != nil {
		ctx.SetValue(out.Value)
	}
	for _, l := range out.Loops {
		ctx.Loopback(l.Key, marshal(l.Command))
	}
	g.b.metrics.decided(ctx.Key(), out)
	g.ended(ctx.Partition(), ctx.Key(), out)
	if !proven {
		g.checkProven(ctx, out)
	}
	return out, true
}

// checkProven looks at what a step sends that has seen no proof that anything is published: an event may go out like
// that, an order or a refund may not. It is a second look at what the step has to have decided already.
func (g *group) checkProven(ctx goka.Context, out mapping.Outcome) {
	for _, e := range out.Emits {
		if e.Stream != mapping.Events {
			g.b.metrics.unproven(e.Stream)
			g.b.log.Error("a slim record is sent before what it needs is known to be published: this is an error of the bridge",
				"input", string(ctx.Topic()), "partition", ctx.Partition(), "offset", ctx.Offset())
		}
	}
}

// decode reads an input. Its texts stay where they are in value, which nobody changes.
func (g *group) decode(ctx goka.Context, value any, in internal) error {
	raw, _ := value.([]byte)
	if err := in.UnmarshalVTUnsafe(raw); err != nil {
		return fmt.Errorf("%s: %s/%d/%d is not a record of this program; has something else written to the internal topic?", g.name, ctx.Topic(), ctx.Partition(), ctx.Offset())
	}
	return nil
}

// giveUp ends a callback that cannot finish. A session that is over is nobody's
// fault: the record is abandoned and comes again. Anything else ends the
// processor. ctx.Fail may return while the processor shuts down, so callers
// return right after.
func (g *group) giveUp(ctx goka.Context, err error) {
	g.tracker.Abandon(string(ctx.Topic()), ctx.Partition(), ctx.Offset())
	if !errors.Is(err, kafka.ErrSessionOver) {
		ctx.Fail(err)
	}
}

func (g *group) env(ctx goka.Context, st *store.Store) (*mapping.Env, *rowCache, error) {
	topic, partition := string(ctx.Topic()), ctx.Partition()
	f := g.fence(partition)
	if f == nil {
		return nil, nil, fmt.Errorf("%s: partition %d has no session", g.name, partition)
	}
	generation := f.sessionGeneration()
	return &mapping.Env{
		Now:        time.Now().UnixMilli(),
		Self:       mapping.Cause{Topic: g.inputs[topic], Offset: ctx.Offset()},
		Generation: generation,
		Replay:     g.tracker.MayReplay(topic, partition, ctx.Offset()),
		Inherited:  generation > 1 && g.tracker.Inherited(topic, partition, ctx.Offset()),
		Status:     func(c mapping.Cause) mapping.Status { return g.status(c, partition) },
		Settle:     func(c mapping.Cause) (mapping.Status, error) { return g.settle(ctx.Context(), c, partition) },
		Waiting: func(prefix string) bool {
			found, err := st.WaitingBelow(prefix)
			return found || err != nil // a scan that fails here fails again where it can be reported
		},
		Event:    func(key string) (*statepb.Row, error) { return f.rows.event(st, key) },
		Personal: g.b.cfg.Personal,
	}, &f.rows, nil
}

func (g *group) status(c mapping.Cause, partition int32) mapping.Status {
	topic, known := g.byNumber[c.Topic]
	if !known {
		return mapping.Unseen
	}
	return statusOf(g.tracker.Status(topic, partition, c.Offset))
}

func statusOf(s kafka.Status) mapping.Status {
	switch s {
	case kafka.InFlight:
		return mapping.InFlight
	case kafka.Acked:
		return mapping.Acked
	case kafka.Committed:
		return mapping.Committed
	}
	return mapping.Unseen
}

// settle waits while a cause is in flight. It blocks the partition, for a round
// trip to the brokers at most.
func (g *group) settle(ctx context.Context, c mapping.Cause, partition int32) (mapping.Status, error) {
	s := g.status(c, partition)
	if s != mapping.InFlight {
		return s, nil
	}
	if err := g.tracker.Wait(ctx, g.byNumber[c.Topic], partition, c.Offset); err != nil {
		return s, err
	}
	return mapping.Acked, nil
}

// scan visits one page of the keys that a command concerns, and sends the
// command on when there are more.
func (g *group) scan(ctx goka.Context, s *mapping.Scan, visit func(key string)) {
	st := g.stores.Open(tableOf(g.name), ctx.Partition())
	if st == nil {
		ctx.Fail(fmt.Errorf("%s: no store of partition %d", g.name, ctx.Partition()))
		return
	}
	seen, last := 0, ""
	each := func(key string, wanted bool) bool {
		seen, last = seen+1, key
		if wanted {
			visit(key)
		}
		return true
	}
	var err error
	if s.Waiting {
		err = st.ScanWaiting(s.Prefix, s.After, mapping.PageSize, func(key string, w store.Waiting) bool {
			return each(key, s.Wanted(key, mapping.WaitReason(w.Reason)))
		})
	} else {
		err = st.Scan(s.Prefix, s.After, mapping.PageSize, func(key string, value []byte) bool {
			return each(key, s.WantedRow(key, value))
		})
	}
	if err != nil {
		ctx.Fail(err)
		return
	}
	if seen == mapping.PageSize {
		g.tellRelease(s, ctx.Partition(), st)
		next := s.Next(last)
		ctx.Loopback(next.Key, marshal(next.Command))
	}
}

// waiting tells the store which keys wait. It is asked at every write, before and after: decoding rows for it was a
// twentieth of an instance's processor time. What cannot be decoded comes into no store: fence.recover has it decoded first.
func waiting(key string, value []byte) (store.Waiting, bool) {
	reason, since, deadline, waits := mapping.WaitingIn(value)
	if !waits {
		return store.Waiting{}, false
	}
	return store.Waiting{Reason: uint8(reason), Since: since, Deadline: deadline}, true
}

// waitingVersion is raised when the answers of waiting change.
const waitingVersion = 2
