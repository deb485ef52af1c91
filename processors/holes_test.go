package processors_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// The holes that a prototype of the safety protocol fell into, each as a directed
// test: the interleaving is brought about on purpose, by brokers that hold or swallow
// requests and by instances that are killed. Ordinary runs miss most of them.

// Hole H1: the instance crashed after an event's state was written locally, its
// cause uncommitted. After the restart the cause is delivered, but an order of
// the event stands before it in the partition's queue. An order that waited for
// the cause would wait for the goroutine that it blocks.
func TestOrderDoesNotWaitForACauseBehindIt(t *testing.T) {
	h := newHole(t, 1)
	dir := t.TempDir()
	const causeOffset = 1
	h.seedEvent(dir, "e", causeOffset)

	// The first record of the partition blocks in its callback until the others are in line.
	gate := &blockingObserver{Observer: h.monitor, topic: h.slim(mapping.Events), key: "x", blocked: make(chan struct{}), proceed: make(chan struct{})}
	h.cfg.Observer = gate
	h.internal(mapping.Events, event("x"))
	b, in := h.startBridge(dir)
	<-gate.blocked
	inLine := func(n int) {
		t.Helper()
		kafkatest.Eventually(t, fmt.Sprint(n, " records in line"), func() bool { return b.GateTracker().Pending() == n })
	}
	// Two more orders behind the first: when the third is delivered, the first is in the partition's queue.
	for i := range 3 {
		h.internal(mapping.Orders, order(fmt.Sprint("o", i), "e"))
		inLine(2 + i)
	}
	h.internal(mapping.Events, event("e"))
	inLine(5)
	if got := b.GateTracker().Status(h.cfg.Topics.Internal(mapping.Events), 0, causeOffset); got != kafka.Unseen {
		t.Errorf("status %d of a cause that is delivered and not begun, want %d", got, kafka.Unseen)
	}
	close(gate.proceed)
	h.awaitSlim(mapping.Orders, "o0", "o1", "o2")
	if !h.everWaited("e/o0") {
		t.Error("the order did not park: it ran behind its event, and the test shows nothing")
	}
	h.leave(in)
}

// blockingObserver holds up the callback that sends one record.
type blockingObserver struct {
	kafka.Observer
	topic, key       string
	blocked, proceed chan struct{}
}

func (o *blockingObserver) Sending(topic string, key, value []byte) {
	if topic == o.topic && string(key) == o.key {
		close(o.blocked)
		<-o.proceed
	}
	o.Observer.Sending(topic, key, value)
}

// What a crash left in the local state alone must reach the table when its cause
// is replayed, though the replay changes nothing in it: once the cause is committed
// nothing else would bring it there, and it would be gone with the disk.
func TestStateThatOnlyTheDiskHasReachesTheTable(t *testing.T) {
	h := newHole(t, 1)
	dir := t.TempDir()
	h.seedEvent(dir, "e", 0)
	h.internal(mapping.Events, event("e"))
	in := h.start(dir)
	h.awaitCommitted(mapping.Events, 1)
	h.leave(in)
	if h.row("e") == nil {
		t.Error("the table does not have the event")
	}
	wipeIf(t, true, dir)
	in = h.start(dir)
	h.internal(mapping.Orders, order("o", "e"))
	h.awaitSlim(mapping.Orders, "o")
	h.leave(in)
}

// Hole H2: an order must not run before the claim of its event's topic has told
// where it starts: the event, long published and committed, would look unseen, and
// nothing would ever wake the order.
func TestOrderDoesNotRunBeforeAllClaimsHaveReported(t *testing.T) {
	for _, c := range []struct {
		slow        kmsg.Key
		matches     func(h *hole) func(kmsg.Request) bool
		othersStart bool // claims of other topics start while the answer is awaited
	}{
		{kmsg.ListOffsets, func(h *hole) func(kmsg.Request) bool { return claimStart(h.cfg.Topics.Internal(mapping.Events)) }, true},
		{kmsg.OffsetFetch, func(h *hole) func(kmsg.Request) bool {
			return committedOffsetOf(h.group, h.cfg.Topics.Internal(mapping.Events))
		}, false},
	} {
		t.Run(c.slow.Name(), func(t *testing.T) {
			h := newHole(t, 2)
			h.isolate(mapping.Events)
			dir := t.TempDir()
			h.internal(mapping.Events, event("e"))
			in := h.start(dir)
			h.awaitSlim(mapping.Events, "e")
			h.awaitCommitted(mapping.Events, 1)
			h.leave(in)

			h.internal(mapping.Orders, order("o", "e"))
			held := h.fault(c.slow, c.matches(h), h.hold)
			fetched := h.fault(kmsg.Fetch, h.fetchedPast(mapping.Orders, 1), observe)
			in = h.start(dir)
			held.awaitHit(t)
			if c.othersStart {
				// Twice in a row nothing new: the order has been handed on by the client.
				kafkatest.Eventually(t, "the order to be fetched", func() bool { return fetched.hits.Load() >= 2 })
			}
			held.release()
			h.awaitSlim(mapping.Orders, "o")
			if h.everWaited("e/o") {
				t.Error("the order parked: it ran before it could be known that its event is published")
			}
			h.leave(in)
		})
	}
}

// Hole H3: the command that lets an order out is killed after it wrote "sent" and
// before the order arrived. Its replay must send again, whether the local state
// survived or is read from the table.
func TestReplayedReleaseSendsAgain(t *testing.T) {
	for _, wipe := range []bool{false, true} {
		t.Run(fmt.Sprint("wipe=", wipe), func(t *testing.T) {
			h := newHole(t, 1)
			dir := t.TempDir()
			h.crashWhileReleasing(dir, func() { h.awaitCommitted(mapping.Events, 1) })
			wipeIf(t, wipe, dir)
			in := h.start(dir)
			h.awaitSlim(mapping.Orders, "o")
			h.leave(in)
		})
	}
}

// Hole H4: as H3, and the commit of the event's cause was lost as well. When the
// command is replayed the event is unseen, so the order may not go out; and it
// must be parked anew, or the replayed event finds nobody to release.
func TestReplayedReleaseParksAgain(t *testing.T) {
	for _, wipe := range []bool{false, true} {
		t.Run(fmt.Sprint("wipe=", wipe), func(t *testing.T) {
			h := newHole(t, 2)
			h.isolate(mapping.Events)
			dir := t.TempDir()
			commits := h.cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: h.group, Err: kerr.CoordinatorLoadInProgress, Count: -1})
			h.crashWhileReleasing(dir, func() {})
			commits.Remove()
			if c := h.committed(h.loop); len(c) != 0 {
				t.Fatalf("commits %v of the killed instance", c)
			}
			wipeIf(t, wipe, dir)
			released := kafkatest.EndOffsets(t, h.target.Addrs, h.loop)[0]

			held := h.fault(kmsg.Fetch, fetchFrom(h.cfg.Topics.Internal(mapping.Events)), h.hold)
			in := h.start(dir)
			kafkatest.Eventually(t, "orders and commands to be processed without the event", func() bool {
				return h.committed(h.cfg.Topics.Internal(mapping.Orders))[0] == 1 && h.committed(h.loop)[0] == released
			})
			if n := len(h.slimKeys(mapping.Orders)); n != 0 {
				t.Errorf("%d orders went out while their event is not known to be published", n)
			}
			held.release()
			h.awaitSlim(mapping.Orders, "o")
			h.leave(in)
		})
	}
}

// crashWhileReleasing kills an instance that has released an order: the table says
// that it was sent, the broker of the slim orders swallowed it. before is called
// just before the end.
func (h *hole) crashWhileReleasing(dir string, before func()) {
	h.t.Helper()
	swallowed := h.fault(kmsg.Produce, produceTo(h.slim(mapping.Orders)), swallow)
	victim := h.spawn(dir)
	h.internal(mapping.Orders, order("o", "e"))
	kafkatest.Eventually(h.t, "the order to park", func() bool { return h.row("e/o").GetWait() != nil })
	h.internal(mapping.Events, event("e"))
	swallowed.awaitHit(h.t)
	kafkatest.Eventually(h.t, "the order's state to say that it was sent", func() bool { return h.row("e/o").GetSent() != nil })
	before()
	victim.kill()
	swallowed.release()
	if n := len(h.slimKeys(mapping.Orders)); n != 0 {
		h.t.Fatalf("%d orders went out before the crash: it shows nothing", n)
	}
}

func wipeIf(t *testing.T, wipe bool, dir string) {
	t.Helper()
	if wipe {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// Hole H5a: the session ends while an order waits for its event. Goka finds a
// callback that returned without an emit and would commit the order.
func TestOrderThatWaitedIsNotCommittedPast(t *testing.T) {
	h := newHole(t, 1)
	dir := t.TempDir()
	held, in := h.waitingOrder(dir, h.hold)
	in.stop() // ends the context of every callback before it returns
	held.release()
	h.leave(in)
	if c := h.committed(h.cfg.Topics.Internal(mapping.Orders)); len(c) != 0 {
		t.Errorf("the order is committed: %v", c)
	}
	if c := h.committed(h.cfg.Topics.Internal(mapping.Events)); c[0] != 1 {
		t.Errorf("the event is not committed: %v", c)
	}
	in = h.start(dir)
	h.awaitSlim(mapping.Orders, "o")
	h.leave(in)
}

// Hole H5b: the emit that an order waits for is refused. Goka looks at that
// between callbacks only, and the waiting one would never return.
func TestRefusedEmitEndsTheWait(t *testing.T) {
	for _, refusal := range []*kerr.Error{kerr.MessageTooLarge, kerr.TopicAuthorizationFailed} {
		t.Run(refusal.Message, func(t *testing.T) {
			h := newHole(t, 1)
			dir := t.TempDir()
			held, in := h.waitingOrder(dir, h.refuse(refusal))
			held.release()
			err := h.ended(in)
			if err == nil || !strings.Contains(err.Error(), h.slim(mapping.Events)) {
				t.Errorf("instance ended with %v, want an error that names the topic of the refused record", err)
			}
			for _, s := range []mapping.Stream{mapping.Events, mapping.Orders} {
				if c := h.committed(h.cfg.Topics.Internal(s)); len(c) != 0 {
					t.Errorf("%s: committed %v past a refused record", s, c)
				}
			}
			in = h.start(dir)
			h.awaitSlim(mapping.Events, "e")
			h.awaitSlim(mapping.Orders, "o")
			h.leave(in)
		})
	}
}

// waitingOrder starts an instance in which an order waits for its event, whose
// record the broker holds.
func (h *hole) waitingOrder(dir string, do func(*fault, kmsg.Request) (kmsg.Response, bool)) (*fault, *instance) {
	h.t.Helper()
	events := h.fault(kmsg.Produce, produceTo(h.slim(mapping.Events)), do)
	b, in := h.startBridge(dir)
	h.internal(mapping.Events, event("e"))
	events.awaitHit(h.t)
	h.internal(mapping.Orders, order("o", "e"))
	kafkatest.Eventually(h.t, "the order's callback to begin", func() bool {
		return b.GateTracker().Status(h.cfg.Topics.Internal(mapping.Orders), 0, 0) == kafka.InFlight
	})
	if n := len(h.slimKeys(mapping.Orders)); n != 0 {
		h.t.Errorf("%d orders went out before their event", n)
	}
	return events, in
}

// What the gate does with an order that a command of its own released, when the
// command is run again: by the status of the event's cause and by what the command is.
func TestGateOnReplay(t *testing.T) {
	var (
		eventCause = mapping.Cause{Topic: 1, Offset: 0}
		released   = mapping.Cause{Topic: 5, Offset: 1} // by the command that sent the order
		another    = mapping.Cause{Topic: 5, Offset: 2}
		later      = mapping.Cause{Topic: 5, Offset: 3}
	)
	rules := holeRules()
	event, sent := releasedOrder(t, rules, eventCause, released)
	for _, c := range []struct {
		name     string
		self     mapping.Cause
		event    mapping.Status
		released mapping.Status // of the command that sent the order
		emits    int
		waits    bool
	}{
		{"replayed, event committed (H3)", released, mapping.Committed, mapping.InFlight, 1, false},
		{"replayed, event acknowledged", released, mapping.Acked, mapping.InFlight, 1, false},
		{"replayed, event in flight: waits, then sends", released, mapping.InFlight, mapping.InFlight, 1, false},
		{"replayed, event unseen (H4)", released, mapping.Unseen, mapping.InFlight, 0, true},
		{"another command, the first acknowledged", another, mapping.Acked, mapping.Acked, 0, false},
		{"another command, the first in flight: it will be acknowledged or replayed", another, mapping.Acked, mapping.InFlight, 0, false},
		{"another command, the first unseen", another, mapping.Acked, mapping.Unseen, 1, false},
		{"another command, the first unseen, event unseen", another, mapping.Unseen, mapping.Unseen, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			statuses := map[mapping.Cause]mapping.Status{eventCause: c.event, released: c.released}
			table := map[string][]byte{"e": event, "e/o": sent}
			out := runGate(t, rules, c.self, statuses, table, "e/o", mapping.Recheck("e/o").Command)
			row := entity(t, table["e/o"])
			if len(out.Emits) != c.emits || (row.GetWait() != nil) != c.waits {
				t.Fatalf("%d emits, waits %t; want %d, %t", len(out.Emits), row.GetWait() != nil, c.emits, c.waits)
			}
			if !c.waits {
				return
			}
			// In the end the event is published and everything before is acknowledged, which
			// must not be taken for a proof that the order was sent.
			statuses = map[mapping.Cause]mapping.Status{eventCause: mapping.Acked, c.self: mapping.Acked, released: mapping.Acked}
			out = runGate(t, rules, later, statuses, table, "e/o", mapping.Recheck("e/o").Command)
			if want := 1; c.self == released && len(out.Emits) != want {
				t.Errorf("%d emits when the event is published, want %d", len(out.Emits), want)
			}
		})
	}
}

// An order whose wait fails decides nothing: the record comes again.
func TestGateWhenTheWaitFails(t *testing.T) {
	rules := holeRules()
	eventCause, released := mapping.Cause{Topic: 1}, mapping.Cause{Topic: 5, Offset: 1}
	event, sent := releasedOrder(t, rules, eventCause, released)
	env := holeEnv(released, map[mapping.Cause]mapping.Status{eventCause: mapping.InFlight})
	env.Settle = func(mapping.Cause) (mapping.Status, error) { return mapping.InFlight, kafka.ErrSessionOver }
	table := map[string][]byte{"e": event, "e/o": sent}
	out, err := rules.Gate(env, "e/o", readerOf(table), mapping.Recheck("e/o").Command)
	if !errors.Is(err, kafka.ErrSessionOver) || out.Value != nil || len(out.Emits)+len(out.Loops) != 0 {
		t.Errorf("outcome %+v, error %v; want no outcome and the error of the wait", out, err)
	}
}

// releasedOrder gives the rows of an event and of an order that the command sent.
func releasedOrder(t *testing.T, rules *mapping.Rules, eventCause, command mapping.Cause) (eventRow, orderRow []byte) {
	t.Helper()
	table := map[string][]byte{}
	none := map[mapping.Cause]mapping.Status{}
	runGate(t, rules, mapping.Cause{Topic: 2}, none, table, "e/o", intakeOf(t, rules, mapping.Orders, 0, order("o", "e")).Input)
	runGate(t, rules, eventCause, none, table, "e", intakeOf(t, rules, mapping.Events, 0, event("e")).Input)
	out := runGate(t, rules, command, map[mapping.Cause]mapping.Status{eventCause: mapping.Acked}, table, "e/o", mapping.Recheck("e/o").Command)
	if len(out.Emits) != 1 {
		t.Fatalf("%d emits by the command, want 1", len(out.Emits))
	}
	return table["e"], table["e/o"]
}

// runGate runs one step and writes its row.
func runGate(t *testing.T, rules *mapping.Rules, self mapping.Cause, statuses map[mapping.Cause]mapping.Status, table map[string][]byte, key string, in proto.Message) mapping.Outcome {
	t.Helper()
	out, err := rules.Gate(holeEnv(self, statuses), key, readerOf(table), in)
	if err != nil {
		t.Fatal(err)
	}
	if out.Value != nil {
		table[key] = out.Value
	}
	return out
}

// holeEnv is a session in which everything may be a replay.
func holeEnv(self mapping.Cause, statuses map[mapping.Cause]mapping.Status) *mapping.Env {
	status := func(c mapping.Cause) mapping.Status { return statuses[c] }
	return &mapping.Env{
		Now: 1, Self: self, Replay: true, Status: status,
		Settle: func(c mapping.Cause) (mapping.Status, error) {
			if s := status(c); s != mapping.InFlight {
				return s, nil
			}
			return mapping.Acked, nil
		},
		Waiting: func(string) bool { return true },
	}
}

func readerOf(table map[string][]byte) mapping.Reader {
	return func(key string) ([]byte, error) { return table[key], nil }
}

func entity(t *testing.T, row []byte) *statepb.Entity {
	t.Helper()
	decoded, err := mapping.DecodeRow(row)
	if err != nil {
		t.Fatal(err)
	}
	return mapping.EntityOf(decoded)
}

func holeRules() *mapping.Rules {
	return &mapping.Rules{
		Encoding: slim.Encoding{Edition: slim.Edition1, Format: slim.JSON}, Directory: directory.Empty(), DefaultLocation: time.UTC,
		OrganizerHold: time.Minute, SetHold: time.Minute, MaxRecordBytes: mapping.DefaultMaxRecordBytes,
	}
}
