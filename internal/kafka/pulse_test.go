package kafka

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

// coordinator answers heartbeats as the test says.
type coordinator struct {
	mu     sync.Mutex
	answer error
	takes  time.Duration // for an answer
}

func (c *coordinator) says(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = err
}

func (c *coordinator) heartbeat(string, int32) error {
	c.mu.Lock()
	answer, takes := c.answer, c.takes
	c.mu.Unlock()
	time.Sleep(takes) // in the time of the test
	return answer
}

// beating is a session with a pulse. Half its timeout is 8 s.
type beating struct {
	*coordinator
	t       *testing.T
	tr      *Tracker
	s       *scriptedSession
	r       *receiver
	failed  []error
	overdue []time.Duration // since the session's end
	flushed bool            // whether all that was sent is acknowledged or refused
	end     time.Time
}

const beatingSession = 16 * time.Second

func newBeating(t *testing.T, flushes time.Duration) *beating {
	b := &beating{coordinator: &coordinator{}, t: t}
	b.tr = NewTracker(TrackerOptions{
		Group: "gate", Heartbeat: b.heartbeat, SessionTimeout: beatingSession,
		CleanupTimeout: 15 * time.Second, Overdue: func() { b.overdue = append(b.overdue, time.Since(b.end)) },
		Failed:  func(err error) { b.failed = append(b.failed, err) },
		Flushed: func() bool { return b.flushed },
	})
	b.s = newScriptedSession(map[string]int64{"orders": 0})
	b.r = consumeWith(t, &receiver{flushes: flushes}, b.tr, b.s)
	return b
}

func (b *beating) wantHolds(when string, want bool) {
	b.t.Helper()
	synctest.Wait()
	if got := b.tr.Holds(); got != want {
		b.t.Errorf("%s: holds %t, want %t", when, got, want)
	}
	if !want {
		return
	}
	b.tr.Hold(context.Background()) // returns at once: the bubble would be stuck otherwise
}

// Guard G3: a group whose heartbeats are not answered for half a session timeout writes nothing more, until one is.
func TestNothingIsWrittenWithoutHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBeating(t, 0)
		b.wantHolds("at the beginning", true)
		time.Sleep(time.Hour)
		b.wantHolds("after an hour", true)
		b.says(io.EOF)
		time.Sleep(beatingSession/2 - beatingSession/beatsPerSession - time.Second)
		b.wantHolds("a connection that was lost a moment ago", true)
		time.Sleep(beatingSession/beatsPerSession + time.Second)
		b.wantHolds("half a session timeout without", false)
		held := make(chan struct{})
		go func() {
			defer close(held)
			b.tr.Hold(context.Background())
		}()
		synctest.Wait()
		if over(held) {
			t.Error("it writes without a heartbeat")
		}
		b.says(nil)
		<-held
		b.wantHolds("answered again", true)
		b.r.finish(t, b.s)
	})
}

// What counts is when a heartbeat was sent, not when its answer came: the coordinator may have had it at once.
func TestHeartbeatsCountFromWhenTheyWereSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBeating(t, 0)
		time.Sleep(beatingSession)
		b.mu.Lock()
		b.takes = beatingSession
		b.mu.Unlock()
		time.Sleep(beatingSession)
		for range 4 * beatingSession / time.Second {
			b.wantHolds("while the answers take a session timeout", false)
			time.Sleep(time.Second)
		}
		b.r.finish(t, b.s)
		time.Sleep(beatingSession) // for the last answer
	})
}

// What the coordinator says of a member.
func TestAnswersToHeartbeats(t *testing.T) {
	const lapse, moment = beatingSession, beatingSession/beatsPerSession + time.Second
	for _, c := range []struct {
		name        string
		answer      error
		sessionOver bool
		after       time.Duration
		holds       bool
	}{
		{"a rebalance that the session has just begun to notice", sarama.ErrRebalanceInProgress, false, moment, true},
		{"a rebalance that the session does not notice", sarama.ErrRebalanceInProgress, false, lapse, false},
		{"a rebalance, while it cleans up", sarama.ErrRebalanceInProgress, true, lapse - 2*time.Second, true},
		{"not a member", sarama.ErrUnknownMemberId, false, moment, false},
		{"of an old generation", sarama.ErrIllegalGeneration, false, moment, false},
		{"the coordinator moves", sarama.ErrNotCoordinatorForConsumer, false, moment, true},
		{"the coordinator moves for long", sarama.ErrNotCoordinatorForConsumer, false, lapse, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBeating(t, time.Hour)
				b.says(c.answer)
				b.end = time.Now()
				if c.sessionOver {
					b.s.end()
				}
				time.Sleep(c.after)
				b.wantHolds("then", c.holds)
				b.s.end()
				<-b.r.ended
				b.wantHolds("once it is cleaned up", true)
			})
		})
	}
}

// A group that has not been heard of for minutes ends its instance.
func TestLongSilenceEndsTheInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBeating(t, 0)
		b.says(io.EOF)
		time.Sleep(lapseLimit)
		synctest.Wait()
		if len(b.failed) != 0 {
			t.Errorf("failed with %v", b.failed)
		}
		time.Sleep(beatingSession)
		synctest.Wait()
		var silence *SilenceError
		if len(b.failed) != 1 || !errors.As(b.failed[0], &silence) || !errors.Is(silence, io.EOF) {
			t.Errorf("failed with %v, want a SilenceError", b.failed)
		}
		b.r.finish(t, b.s)
	})
}

// Guard G4: the time of a clean-up runs only from when others may want the partitions. At a stop the member is in
// the group until it leaves, and may take all its time.
func TestCleanUpIsLimitedByARebalanceOnly(t *testing.T) {
	for _, c := range []struct {
		name    string
		flushes time.Duration
		answers map[time.Duration]error // from when on, since the session's end
		want    []time.Duration         // when it is overdue, of which heartbeats may take off one interval
	}{
		{"a stop that takes long", time.Minute, nil, nil},
		{"another instance comes at the end", time.Minute, map[time.Duration]error{0: sarama.ErrRebalanceInProgress}, []time.Duration{15 * time.Second}},
		{"another comes later", time.Minute, map[time.Duration]error{30 * time.Second: sarama.ErrRebalanceInProgress}, []time.Duration{45 * time.Second}},
		{"another comes later, and it is done in time", 40 * time.Second, map[time.Duration]error{30 * time.Second: sarama.ErrRebalanceInProgress}, nil},
		{"the coordinator is away: nothing is written", time.Minute, map[time.Duration]error{0: io.EOF}, nil},
		{"the member was thrown out", time.Minute, map[time.Duration]error{0: sarama.ErrUnknownMemberId}, []time.Duration{15 * time.Second}},
		{"away, and thrown out then", time.Minute, map[time.Duration]error{0: io.EOF, 30 * time.Second: sarama.ErrUnknownMemberId}, []time.Duration{31 * time.Second}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBeating(t, c.flushes)
				time.Sleep(time.Minute + time.Second) // in between two heartbeats
				for after, answer := range c.answers {
					time.AfterFunc(after, func() { b.says(answer) })
				}
				b.end = time.Now()
				b.r.finish(t, b.s)
				synctest.Wait()
				if len(b.overdue) != len(c.want) {
					t.Fatalf("overdue after %v, want %v", b.overdue, c.want)
				}
				for i, want := range c.want {
					if got := b.overdue[i]; got > want || got < want-beatingSession/beatsPerSession {
						t.Errorf("overdue after %s, want %s less at most one heartbeat", got, want)
					}
				}
			})
		})
	}
}

// Goka gives a clean-up up after a minute, whatever is still on its way. The member leaves then, so that others may own
// its partitions, and what was held or is still to be flushed must not go out.
func TestCleanUpThatGaveUpLetsNothingOut(t *testing.T) {
	for _, c := range []struct {
		name      string
		answer    error
		abandoned bool // the callback ended after its session
		flushed   bool
		want      int // how often it is overdue
	}{
		{"the coordinator is away", io.EOF, false, false, 1},
		{"a stop that nobody disturbs", nil, false, false, 1},
		{"a callback that ended too late", nil, true, false, 1},
		{"what it wrote was refused", nil, false, true, 0},
		{"it wrote nothing", nil, true, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBeating(t, time.Minute) // as Goka
				b.s.report("orders")
				b.s.arrive("orders", 0)
				synctest.Wait()
				<-b.r.session.(*trackedSession).ready
				begin(b.tr, "orders", 0) // what it writes is never acknowledged
				b.flushed = c.flushed
				b.says(c.answer)
				time.Sleep(beatingSession)
				b.wantHolds("before the end", c.answer == nil)
				b.end = time.Now()
				b.s.end()
				if c.abandoned {
					b.tr.Abandon("orders", scriptedPartition, 0)
				}
				<-b.r.ended
				synctest.Wait()
				if len(b.overdue) != c.want {
					t.Errorf("when the member leaves, %s after the session's end, it is overdue %d times, want %d", time.Since(b.end), len(b.overdue), c.want)
				}
			})
		})
	}
}

// A connection with a hold writes nothing while that holds, and gives up when the wire is cut.
func TestHeldConnection(t *testing.T) {
	w := NewWire()
	own, peer := net.Pipe()
	entered, let := make(chan struct{}, 1), make(chan struct{})
	c, err := w.add(own, &wireDialer{hold: func(live context.Context) {
		entered <- struct{}{}
		select {
		case <-let:
		case <-live.Done():
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	wrote := make(chan error, 1)
	write := func() { _, err := c.Write([]byte("x")); wrote <- err }
	go write()
	<-entered
	let <- struct{}{}
	if _, err := peer.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
	go write()
	<-entered
	w.Cut()
	if err := <-wrote; err != errWireCut {
		t.Errorf("a write that was held when the wire was cut: %v", err)
	}
}

// Heartbeats of the tracker are those of the member that the client is, as the brokers see it.
func TestHeartbeatsReachTheCoordinator(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
		t.Parallel()
		r := newRelay(t, tg)
		a, err := NewAdmin(Cluster{Brokers: tg.Addrs, Replication: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		answers := make(chan error, 1000)
		beat := func(member string, generation int32) error {
			return a.Heartbeat(2*time.Second, string(r.group), member, generation)
		}
		r.produce(0, 1)
		run := r.start(true, commitOften, func(o *TrackerOptions) {
			o.SessionTimeout = 2 * time.Second // a heartbeat each quarter of a second
			o.Heartbeat = func(member string, generation int32) error {
				err := beat(member, generation)
				answers <- err
				return err
			}
		})
		kafkatest.Eventually(t, "the record to be committed", func() bool { return r.committed()[0] == 1 })
		for range 3 {
			if err := <-answers; err != nil {
				t.Errorf("a heartbeat was answered with %v", err)
			}
		}
		if err := beat("somebody", 1); !errors.Is(err, sarama.ErrUnknownMemberId) {
			t.Errorf("a heartbeat of somebody else was answered with %v", err)
		}
		run.stop()
		if err := run.end(); err != nil {
			t.Errorf("ended with %v", err)
		}
	})
}
