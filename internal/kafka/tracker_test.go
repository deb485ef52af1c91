package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
)

// These tests put a script in the place of sarama, so that claims report, records
// arrive and sessions end exactly when the test says so. The same tracker runs
// under real clients and brokers in stock_test.go and in package processors.

// scriptedSession is one consumer group session whose claims report their
// initial offset when the test calls report.
type scriptedSession struct {
	ctx        context.Context
	end        context.CancelFunc
	generation int32
	claims     map[string]*scriptedClaim // one partition of each topic

	mu    sync.Mutex
	marks []string
}

type scriptedClaim struct {
	topic    string
	initial  int64
	reported chan struct{}
	messages chan *sarama.ConsumerMessage
}

const scriptedPartition = 3

func newScriptedSession(initial map[string]int64) *scriptedSession {
	s := &scriptedSession{claims: map[string]*scriptedClaim{}}
	s.ctx, s.end = context.WithCancel(context.Background())
	for topic, offset := range initial {
		s.claims[topic] = &scriptedClaim{
			topic: topic, initial: offset, reported: make(chan struct{}), messages: make(chan *sarama.ConsumerMessage, 100),
		}
	}
	return s
}

func (s *scriptedSession) Claims() map[string][]int32 {
	claims := map[string][]int32{}
	for topic := range s.claims {
		claims[topic] = []int32{scriptedPartition}
	}
	return claims
}

func (s *scriptedSession) MarkOffset(topic string, partition int32, offset int64, metadata string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marks = append(s.marks, fmt.Sprintf("%s/%d@%d %s", topic, partition, offset, metadata))
}

func (s *scriptedSession) ResetOffset(topic string, partition int32, offset int64, metadata string) {
	s.MarkOffset(topic, partition, offset, metadata)
}

func (s *scriptedSession) wantMarks(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.marks, want) {
		t.Errorf("marks %q, want %q", s.marks, want)
	}
}

func (s *scriptedSession) MemberID() string                                  { return "member" }
func (s *scriptedSession) GenerationID() int32                               { return s.generation }
func (s *scriptedSession) Commit()                                           {}
func (s *scriptedSession) MarkMessage(m *sarama.ConsumerMessage, why string) { panic("not wrapped") }
func (s *scriptedSession) Context() context.Context                          { return s.ctx }

func (c *scriptedClaim) Topic() string                            { return c.topic }
func (c *scriptedClaim) Partition() int32                         { return scriptedPartition }
func (c *scriptedClaim) InitialOffset() int64                     { return c.initial }
func (c *scriptedClaim) HighWaterMarkOffset() int64               { return 0 }
func (c *scriptedClaim) Messages() <-chan *sarama.ConsumerMessage { return c.messages }

// report lets the claim start, which tells its initial offset.
func (s *scriptedSession) report(topics ...string) {
	for _, topic := range topics {
		close(s.claims[topic].reported)
	}
}

func (s *scriptedSession) arrive(topic string, offsets ...int64) {
	for _, o := range offsets {
		s.claims[topic].messages <- &sarama.ConsumerMessage{Topic: topic, Partition: scriptedPartition, Offset: o}
	}
}

// scriptedGroup runs the session of the script as sarama would.
type scriptedGroup struct {
	sarama.ConsumerGroup
	session *scriptedSession
}

func (g *scriptedGroup) Consume(_ context.Context, _ []string, h sarama.ConsumerGroupHandler) error {
	s := g.session
	if err := h.Setup(s); err != nil {
		s.end()
		return errors.Join(err, h.Cleanup(s))
	}
	var claims sync.WaitGroup
	for _, c := range s.claims {
		claims.Go(func() {
			select {
			case <-c.reported:
			case <-s.ctx.Done():
				return
			}
			_ = h.ConsumeClaim(s, c)
			s.end() // as in sarama: a claim that ends, ends the session
		})
	}
	claims.Wait()
	return h.Cleanup(s)
}

// receiver stands in for Goka.
type receiver struct {
	busy    bool                        // takes no records
	flushes time.Duration               // how long a clean-up takes
	session sarama.ConsumerGroupSession // as Goka sees it
	cleaned bool
	ended   chan error

	mu   sync.Mutex
	took []string
}

func (r *receiver) Setup(s sarama.ConsumerGroupSession) error {
	r.session = s
	return nil
}

func (r *receiver) Cleanup(sarama.ConsumerGroupSession) error {
	<-time.After(r.flushes) // in the time of the test
	r.cleaned = true
	return nil
}

func (r *receiver) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	if r.busy {
		<-s.Context().Done()
		return nil
	}
	for {
		select {
		case m, ok := <-c.Messages():
			if !ok {
				return nil
			}
			r.mu.Lock()
			r.took = append(r.took, fmt.Sprintf("%s@%d", m.Topic, m.Offset))
			r.mu.Unlock()
		case <-s.Context().Done():
			return nil
		}
	}
}

func (r *receiver) wantTaken(t *testing.T, when string, want ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.took, want) {
		t.Errorf("%s: forwarded %q, want %q", when, r.took, want)
	}
}

// consume runs a session under the tracker until the test ends it.
func consume(t *testing.T, tracker *Tracker, s *scriptedSession) *receiver {
	t.Helper()
	return consumeWith(t, &receiver{}, tracker, s)
}

func consumeWith(t *testing.T, r *receiver, tracker *Tracker, s *scriptedSession) *receiver {
	t.Helper()
	build := tracker.Builder(func([]string, string, string) (sarama.ConsumerGroup, error) { return &scriptedGroup{session: s}, nil })
	group, err := build(nil, "group", "client")
	if err != nil {
		t.Fatal(err)
	}
	r.ended = make(chan error, 1)
	go func() { r.ended <- group.Consume(s.ctx, nil, r) }()
	synctest.Wait()
	return r
}

// finish ends the session and waits for its end.
func (r *receiver) finish(t *testing.T, s *scriptedSession) {
	t.Helper()
	s.end()
	if err := <-r.ended; err != nil {
		t.Errorf("session ended with %v", err)
	}
	if !r.cleaned {
		t.Error("no clean-up")
	}
}

func begin(tr *Tracker, topic string, offsets ...int64) {
	for _, o := range offsets {
		tr.Begin(topic, scriptedPartition, o)
	}
}

// mark is what Goka does when a record and all that it wrote is acknowledged.
func (r *receiver) mark(topic string, offset int64) {
	r.session.MarkOffset(topic, scriptedPartition, offset+1, "")
}

// A member that gets no partitions, because others have all of them, has joined as well.
func TestJoined(t *testing.T) {
	for _, initial := range []map[string]int64{{"orders": 0}, {}} {
		synctest.Test(t, func(t *testing.T) {
			tr := NewTracker(TrackerOptions{})
			if tr.Joined() {
				t.Error("joined before the first session")
			}
			s := newScriptedSession(initial)
			r := consume(t, tr, s)
			if !tr.Joined() {
				t.Errorf("not joined in a session with %d partitions", len(initial))
			}
			r.finish(t, s)
			if tr.Joined() {
				t.Error("joined after the session")
			}
		})
	}
}

// Hole H2: before the claim of the cause's topic has reported, the cause looks
// unseen though it is committed, and an order that parks then is stranded.
func TestNothingIsForwardedBeforeEveryClaimReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := NewTracker(TrackerOptions{})
		s := newScriptedSession(map[string]int64{"events": 10, "orders": 5, "loop": 0})
		r := consume(t, tr, s)
		s.report("orders")
		s.arrive("orders", 5, 6)
		synctest.Wait()
		r.wantTaken(t, "one claim of three has reported")
		s.report("loop")
		synctest.Wait()
		r.wantTaken(t, "two claims of three have reported")
		s.report("events")
		synctest.Wait()
		r.wantTaken(t, "all claims have reported", "orders@5", "orders@6")
		if got := tr.Status("events", scriptedPartition, 9); got != Committed {
			t.Errorf("status of a committed cause: %d, want %d", got, Committed)
		}
		r.finish(t, s)
	})
}

// A session can end while a claim waits for the others.
func TestSessionEndsBeforeEveryClaimReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScriptedSession(map[string]int64{"events": 0, "orders": 0})
		r := consume(t, NewTracker(TrackerOptions{}), s)
		s.report("orders")
		s.arrive("orders", 0)
		synctest.Wait()
		r.finish(t, s) // synctest fails the test if the forwarder is left behind
		r.wantTaken(t, "the end")
	})
}

// The window bounds what is unacknowledged: when it is full, delivery pauses.
func TestFullWindowPausesDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := NewTracker(TrackerOptions{Window: 2})
		s := newScriptedSession(map[string]int64{"orders": 0, "events": 0})
		r := consume(t, tr, s)
		s.report("orders", "events")
		s.arrive("orders", 0, 1, 2, 3)
		synctest.Wait()
		r.wantTaken(t, "window of 2", "orders@0", "orders@1")
		if n := tr.Pending(); n != 2 {
			t.Errorf("%d pending, want 2", n)
		}
		s.arrive("events", 0)
		synctest.Wait()
		r.wantTaken(t, "another topic has its own window", "orders@0", "orders@1", "events@0")
		r.mark("orders", 1)
		synctest.Wait()
		r.wantTaken(t, "the first is not done", "orders@0", "orders@1", "events@0")
		r.mark("orders", 0)
		synctest.Wait()
		r.wantTaken(t, "both are done", "orders@0", "orders@1", "events@0", "orders@2", "orders@3")
		s.arrive("orders", 4)
		synctest.Wait() // full again: the session must be able to end now
		r.finish(t, s)
	})
}

// A session can end while Goka takes nothing: its queue is full.
func TestSessionEndsWhileGokaIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := NewTracker(TrackerOptions{})
		s := newScriptedSession(map[string]int64{"orders": 0})
		r := consumeWith(t, &receiver{busy: true}, tr, s)
		s.report("orders")
		s.arrive("orders", 0, 1)
		synctest.Wait()
		if n := tr.Pending(); n != 1 {
			t.Errorf("%d pending, want the one that is being handed on", n)
		}
		r.finish(t, s)
	})
}

// A claim whose channel sarama closes ends without a record that is none.
func TestClaimEndsWhenItsChannelCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScriptedSession(map[string]int64{"orders": 0})
		r := consume(t, NewTracker(TrackerOptions{}), s)
		s.report("orders")
		s.arrive("orders", 0)
		close(s.claims["orders"].messages)
		synctest.Wait()
		r.wantTaken(t, "closed", "orders@0")
		if err := <-r.ended; err != nil || s.ctx.Err() == nil {
			t.Errorf("ended with %v, session %v", err, s.ctx.Err())
		}
	})
}

// Marks go on up to the contiguous offset, with the number of ended records, and
// never past an abandoned record whatever Goka marks (hole H5a).
func TestMarksPassContiguously(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := NewTracker(TrackerOptions{Commits: commitsOf(map[string]Commit{"orders": {Offset: 10, Metadata: commitMetadata(7), End: 22}})})
		s := newScriptedSession(map[string]int64{"orders": 10})
		r := consume(t, tr, s)
		s.report("orders")
		s.arrive("orders", 10, 11, 20, 21)
		synctest.Wait()
		begin(tr, "orders", 10, 11, 20, 21)
		r.mark("orders", 11)
		s.wantMarks(t)
		r.mark("orders", 10)
		s.wantMarks(t, "orders/3@12 vibe-bridge/1 ended=9")
		tr.Abandon("orders", scriptedPartition, 20)
		r.mark("orders", 20)
		r.session.MarkMessage(&sarama.ConsumerMessage{Topic: "orders", Partition: scriptedPartition, Offset: 21}, "")
		s.wantMarks(t, "orders/3@12 vibe-bridge/1 ended=9")
		r.session.MarkOffset("another", scriptedPartition, 5, "")
		s.wantMarks(t, "orders/3@12 vibe-bridge/1 ended=9")
		if got := tr.Status("orders", scriptedPartition, 20); got != Unseen {
			t.Errorf("status %d of an abandoned record, want %d", got, Unseen)
		}
		r.finish(t, s)
	})
}

// commitsOf answers TrackerOptions.Commits for the scripted partition.
func commitsOf(byTopic map[string]Commit) func(map[string][]int32) (map[string]map[int32]Commit, error) {
	return func(topics map[string][]int32) (map[string]map[int32]Commit, error) {
		commits := map[string]map[int32]Commit{}
		for topic := range topics {
			c, ok := byTopic[topic]
			if !ok {
				c = Commit{Offset: -1}
			}
			commits[topic] = map[int32]Commit{scriptedPartition: c}
		}
		return commits, nil
	}
}

func TestWait(t *testing.T) {
	refused := errors.New("produce to events: refused")
	for _, c := range []struct {
		name string
		do   func(tr *Tracker, r *receiver, cancel context.CancelFunc)
		want error
	}{
		{"acknowledged", func(_ *Tracker, r *receiver, _ context.CancelFunc) { r.mark("events", 1) }, nil},
		{"session over", func(_ *Tracker, _ *receiver, cancel context.CancelFunc) { cancel() }, ErrSessionOver},
		{"emit refused", func(tr *Tracker, _ *receiver, _ context.CancelFunc) { tr.Fail(refused) }, refused}, // hole H5b
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := NewTracker(TrackerOptions{})
				s := newScriptedSession(map[string]int64{"events": 0})
				r := consume(t, tr, s)
				s.report("events")
				s.arrive("events", 0, 1, 2)
				synctest.Wait()
				begin(tr, "events", 0, 1, 2)

				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				const waiters = 3
				woken := make(chan error, waiters)
				for range waiters {
					go func() { woken <- tr.Wait(ctx, "events", scriptedPartition, 1) }()
				}
				r.mark("events", 2)
				synctest.Wait()
				if len(woken) != 0 {
					t.Fatalf("%d waiters woke before anything had happened to their record", len(woken))
				}
				c.do(tr, r, cancel)
				synctest.Wait()
				if len(woken) != waiters {
					t.Errorf("%d of %d waiters woke", len(woken), waiters)
				}
				for range len(woken) {
					if err := <-woken; err != c.want {
						t.Errorf("woke with %v, want %v", err, c.want)
					}
				}
				cancel()
				synctest.Wait()
				r.finish(t, s)
			})
		})
	}
}

func TestWaitForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := NewTracker(TrackerOptions{})
		if err := tr.Wait(t.Context(), "events", scriptedPartition, 0); err != ErrSessionOver {
			t.Errorf("without a session: %v, want %v", err, ErrSessionOver)
		}
		s := newScriptedSession(map[string]int64{"events": 5})
		r := consume(t, tr, s)
		s.report("events")
		synctest.Wait()
		if err := tr.Wait(t.Context(), "another", scriptedPartition, 0); err != ErrSessionOver {
			t.Errorf("a topic that is not an input: %v, want %v", err, ErrSessionOver)
		}
		if err := tr.Wait(t.Context(), "events", scriptedPartition, 4); err != nil {
			t.Errorf("a committed record: %v", err)
		}
		r.finish(t, s)
	})
}

// The first refused emit is the one that tells what is wrong.
func TestFirstFailureStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := NewTracker(TrackerOptions{})
		s := newScriptedSession(map[string]int64{"events": 0})
		r := consume(t, tr, s)
		s.report("events")
		s.arrive("events", 0)
		synctest.Wait()
		begin(tr, "events", 0)
		first := errors.New("first")
		tr.Fail(first)
		tr.Fail(errors.New("second"))
		if err := tr.Wait(t.Context(), "events", scriptedPartition, 0); err != first {
			t.Errorf("Wait after the failure: %v, want %v", err, first)
		}
		r.finish(t, s)
	})
}

// Guard G4: a session that is over, and cannot have everything acknowledged in time, may not go on writing.
func TestOverdueCleanup(t *testing.T) {
	for _, c := range []struct {
		flushes time.Duration
		overdue bool
	}{{0, false}, {14 * time.Second, false}, {16 * time.Second, true}} {
		t.Run(c.flushes.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, after := time.Now(), time.Duration(-1)
				tr := NewTracker(TrackerOptions{CleanupTimeout: 15 * time.Second, Overdue: func() { after = time.Since(began) }})
				s := newScriptedSession(map[string]int64{"events": 0})
				r := consumeWith(t, &receiver{flushes: c.flushes}, tr, s)
				s.report("events")
				synctest.Wait()
				r.finish(t, s)
				synctest.Wait()
				if overdue := after >= 0; overdue != c.overdue || overdue && after != 15*time.Second {
					t.Errorf("overdue after %s", after)
				}
			})
		})
	}
}

func TestStatusWithoutASession(t *testing.T) {
	tr := NewTracker(TrackerOptions{})
	tr.Begin("events", 0, 0)
	tr.Abandon("events", 0, 0)
	if got := tr.Status("events", 0, 0); got != Unseen {
		t.Errorf("status %d, want %d", got, Unseen)
	}
	if tr.Record("events", 0, 0) != nil || tr.Pending() != 0 {
		t.Error("there is something before the first session")
	}
	if !tr.MayReplay("events", 0, 0) {
		t.Error("a record may not be a replay though nothing is known about it")
	}
}

// A record may have been processed before if it was there when the session began.
func TestMayReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := NewTracker(TrackerOptions{Commits: commitsOf(map[string]Commit{"orders": {Offset: 3, Metadata: commitMetadata(3), End: 8}})})
		s := newScriptedSession(map[string]int64{"orders": 3})
		r := consume(t, tr, s)
		s.report("orders")
		for offset, want := range map[int64]bool{3: true, 7: true, 8: false, 9: false} {
			if got := tr.MayReplay("orders", scriptedPartition, offset); got != want {
				t.Errorf("offset %d of a topic that ended at 8: %t, want %t", offset, got, want)
			}
		}
		r.finish(t, s)
	})
}

// Acknowledgements that come when the session is over must reach its windows and
// not those of the next, where the same offsets are being processed again.
func TestAcknowledgementsOfAnOldSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := NewTracker(TrackerOptions{})
		old := newScriptedSession(map[string]int64{"events": 0})
		old.generation = 1
		first := consume(t, tr, old)
		old.report("events")
		old.arrive("events", 0, 1)
		synctest.Wait()
		begin(tr, "events", 0, 1)
		first.finish(t, old)

		s := newScriptedSession(map[string]int64{"events": 0})
		s.generation = 2
		second := consume(t, tr, s)
		s.report("events")
		s.arrive("events", 0, 1)
		synctest.Wait()
		begin(tr, "events", 0)
		first.mark("events", 0)
		first.mark("events", 1)
		old.wantMarks(t, "events/3@1 vibe-bridge/1 ended=1", "events/3@2 vibe-bridge/1 ended=2")
		s.wantMarks(t)
		if a, b := tr.Status("events", scriptedPartition, 0), tr.Status("events", scriptedPartition, 1); a != InFlight || b != Unseen {
			t.Errorf("statuses %d and %d after acknowledgements of an old session, want %d and %d", a, b, InFlight, Unseen)
		}
		second.mark("events", 0)
		s.wantMarks(t, "events/3@1 vibe-bridge/1 ended=1")
		if tr.Session() != s.Context() {
			t.Error("the present session is another")
		}
		second.finish(t, s)
	})
}

// An offset that somebody else committed may have jumped over records, and one
// whose records are gone certainly has: the session is refused before Goka sees
// it (protocol rule R8).
func TestRefusedOffsets(t *testing.T) {
	foreign := func(err error) bool {
		var e *ForeignOffsetError
		return errors.As(err, &e) && *e == ForeignOffsetError{"gate", "orders", scriptedPartition, 8}
	}
	lost := func(err error) bool {
		var e *LostOffsetError
		return errors.As(err, &e) && e.Group == "gate" && e.Topic == "orders" && e.Partition == scriptedPartition && e.Commit.Offset == 8
	}
	for _, c := range []struct {
		name   string
		commit Commit
		accept bool
		refuse func(error) bool // nil: taken
		says   []string
	}{
		{"ours", Commit{8, commitMetadata(5), 0, 9}, false, nil, nil},
		{"none", Commit{Offset: -1, Start: 5, End: 9}, false, nil, nil},
		{"set by hand", Commit{8, "", 0, 9}, false, foreign, []string{"group gate: offset 8 of orders/3", "reset", "--accept-reset-offsets"}},
		{"another program's", Commit{8, "ended=5", 0, 9}, false, foreign, []string{"not committed by vibe-bridge"}},
		{"set by hand, accepted", Commit{8, "", 0, 9}, true, nil, nil},
		{"just before the beginning", Commit{8, commitMetadata(5), 9, 9}, false, lost, []string{"group gate: offset 8 of orders/3", "begins at 9: 1 records"}},
		{"just behind the end", Commit{8, commitMetadata(5), 0, 7}, false, lost, []string{"ends at 7", "truncated or created anew"}},
		{"deleted, accepted", Commit{8, "", 9, 10}, true, lost, []string{"--accept-reset-offsets"}},
		{"at the beginning", Commit{8, commitMetadata(5), 8, 9}, false, nil, nil},
		{"at the end", Commit{8, commitMetadata(5), 0, 8}, false, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := NewTracker(TrackerOptions{Group: "gate", AcceptForeignOffsets: c.accept, Commits: commitsOf(map[string]Commit{"orders": c.commit})})
				s := newScriptedSession(map[string]int64{"orders": max(c.commit.Offset, 0), "events": 0})
				r := consume(t, tr, s)
				if c.refuse == nil {
					if r.session == nil {
						t.Errorf("refused: %v", <-r.ended)
						return
					}
					r.finish(t, s)
					return
				}
				if r.session != nil || r.cleaned {
					s.end()
					t.Fatal("Goka saw a session that was to be refused")
				}
				err := <-r.ended
				if !c.refuse(err) {
					t.Errorf("error %#v is not of the kind that it should be", err)
				}
				wantError(t, err, c.says)
			})
		})
	}
}

func TestUnreadableCommitsRefuseTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := NewTracker(TrackerOptions{Group: "gate", Commits: func(map[string][]int32) (map[string]map[int32]Commit, error) {
			return nil, sarama.ErrGroupAuthorizationFailed
		}})
		s := newScriptedSession(map[string]int64{"orders": 0})
		r := consume(t, tr, s)
		if err := <-r.ended; !errors.Is(err, sarama.ErrGroupAuthorizationFailed) || !strings.Contains(err.Error(), "group gate") {
			t.Errorf("error %v", err)
		}
	})
}

// A member that gets no partitions has no offsets to ask for.
func TestSessionWithoutClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := NewTracker(TrackerOptions{Commits: func(map[string][]int32) (map[string]map[int32]Commit, error) {
			return nil, errors.New("asked for the offsets of nothing")
		}})
		s := newScriptedSession(nil)
		r := consume(t, tr, s)
		r.finish(t, s)
	})
}

func TestRecordIsKeptForQuarantine(t *testing.T) {
	for _, keep := range []bool{true, false} {
		t.Run(fmt.Sprint(keep), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := NewTracker(TrackerOptions{KeepRecords: keep})
				s := newScriptedSession(map[string]int64{"legacy": 0})
				r := consume(t, tr, s)
				s.report("legacy")
				s.arrive("legacy", 0)
				synctest.Wait()
				if got := tr.Record("legacy", scriptedPartition, 0) != nil; got != keep {
					t.Errorf("record is there: %t, want %t", got, keep)
				}
				r.finish(t, s)
			})
		})
	}
}

func TestBuilderPassesErrorsOn(t *testing.T) {
	broken := errors.New("no brokers")
	build := NewTracker(TrackerOptions{}).Builder(func([]string, string, string) (sarama.ConsumerGroup, error) { return nil, broken })
	if g, err := build(nil, "", ""); g != nil || err != broken {
		t.Errorf("%v, %v; want the error of the inner builder", g, err)
	}
}

var _ goka.ConsumerGroupBuilder = NewTracker(TrackerOptions{}).Builder(nil)
