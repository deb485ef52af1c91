package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

// cuts are the requests at which a connection is lost: it passes them on, and ends before the answer.
type cuts struct {
	mu   sync.Mutex
	left map[kmsg.Key]int
}

func (c *cuts) take(request []byte) bool {
	const at = 4 // behind the size
	if len(request) < at+2 {
		return false
	}
	key := kmsg.Key(binary.BigEndian.Uint16(request[at:]))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left[key] == 0 {
		return false
	}
	c.left[key]--
	return true
}

// open is how many connections are still to be lost.
func (c *cuts) open() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, left := range c.left {
		n += left
	}
	return n
}

type cutConn struct {
	net.Conn
	cuts *cuts
	lost atomic.Bool
}

func (c *cutConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err == nil && c.cuts.take(b) { // sarama writes a request at once
		c.lost.Store(true)
		c.Conn.Close()
	}
	return n, err
}

// Read ends as when the other side closes.
func (c *cutConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.lost.Load() {
		return 0, io.EOF
	}
	return n, err
}

func (c *cutConn) SetReadDeadline(t time.Time) error {
	if err := c.Conn.SetReadDeadline(t); !c.lost.Load() {
		return err
	}
	return nil
}

// A group that loses its connections while it joins tries again, where the client
// gives up at once and Goka would end, and with it everything else of the instance.
func TestConnectionsThatAreCutWhileAGroupJoins(t *testing.T) {
	t.Parallel()
	for _, at := range []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup, kmsg.OffsetFetch, kmsg.FindCoordinator} {
		t.Run(at.Name(), func(t *testing.T) {
			t.Parallel()
			kafkatest.Each(t, func(t *testing.T, tg kafkatest.Target) {
				t.Parallel()
				r := newRelay(t, tg)
				r.cuts = &cuts{left: map[kmsg.Key]int{at: 3}}
				r.produce(0, 3)
				var log logBuffer
				run := r.start(true, commitOften, func(o *TrackerOptions) { o.Log = log.logger() })
				kafkatest.Eventually(t, "the records to be committed", func() bool {
					select {
					case err := <-run.ended:
						t.Fatalf("the group ended with %v", err)
					default:
					}
					return r.committed()[0] == 3
				})
				if n := r.cuts.open(); n != 0 {
					t.Errorf("%d connections were not cut", n)
				}
				if at == kmsg.JoinGroup && !strings.Contains(fmt.Sprint(log.lines()), "EOF") {
					t.Errorf("log %q, want why the group could not join", log.lines())
				}
				run.stop()
				if err := run.end(); err != nil {
					t.Errorf("ended with %v", err)
				}
			})
		})
	}
}

// failingGroup fails to join.
type failingGroup struct {
	sarama.ConsumerGroup
	tries int
	err   error
	setup bool // fails behind Goka's Setup
}

func (g *failingGroup) Consume(_ context.Context, _ []string, h sarama.ConsumerGroupHandler) error {
	g.tries++
	if g.setup {
		return errors.Join(h.Setup(newScriptedSession(nil)), g.err)
	}
	return g.err
}

// What trying again does not mend, or what Goka has already begun, ends the group at
// once; what may pass does so after some tries.
func TestGroupThatCannotJoin(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		setup bool
		tries int
	}{
		{"connection lost", io.EOF, false, joinTries},
		{"no broker", fmt.Errorf("join: %w", sarama.ErrOutOfBrokers), false, joinTries},
		{"lost in Goka's hands", io.EOF, true, 1},
		{"not allowed", sarama.ErrGroupAuthorizationFailed, false, 1},
		{"not allowed, by any broker", sarama.Wrap(sarama.ErrOutOfBrokers, sarama.ErrSASLAuthenticationFailed), false, 1},
		{"offset set by hand", &ForeignOffsetError{Group: "g"}, false, 1},
		{"wire cut", errWireCut, false, 1},
		{"closed", sarama.ErrClosedConsumerGroup, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failing := &failingGroup{err: c.err, setup: c.setup}
				group, err := NewTracker(TrackerOptions{}).Builder(func([]string, string, string) (sarama.ConsumerGroup, error) { return failing, nil })(nil, "g", "")
				if err != nil {
					t.Fatal(err)
				}
				if err := group.Consume(t.Context(), nil, &receiver{}); !errors.Is(err, c.err) {
					t.Errorf("ended with %v, want %v", err, c.err)
				}
				if failing.tries != c.tries {
					t.Errorf("%d tries, want %d", failing.tries, c.tries)
				}
			})
		})
	}
}

// Whoever is told to end does not wait for the next try.
func TestGroupThatIsToldToEndWhileItTriesToJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group, err := NewTracker(TrackerOptions{}).Builder(func([]string, string, string) (sarama.ConsumerGroup, error) {
			return &failingGroup{err: io.EOF}, nil
		})(nil, "g", "")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), joinBackoffFirst/2)
		defer stop()
		began := time.Now()
		if err := group.Consume(ctx, nil, &receiver{}); !errors.Is(err, ctx.Err()) || time.Since(began) != joinBackoffFirst/2 {
			t.Errorf("ended with %v after %s", err, time.Since(began))
		}
	})
}

// rebalancedGroup has sessions that rebalances end, each of the length that is asked for.
type rebalancedGroup struct {
	sarama.ConsumerGroup
	sessions int
	length   time.Duration
	begun    func(n int)
}

func (g *rebalancedGroup) Consume(ctx context.Context, _ []string, h sarama.ConsumerGroupHandler) error {
	if g.sessions++; g.sessions > 20 {
		return errors.New("too many sessions")
	}
	s := newScriptedSession(nil)
	if err := h.Setup(s); err != nil {
		return err
	}
	if g.begun != nil {
		g.begun(g.sessions)
	}
	pause(ctx, g.length)
	return h.Cleanup(s)
}

// badReceiver refuses to clean up its third session.
type badReceiver struct {
	receiver
	cleaned int
}

var errNotClean = errors.New("not clean")

func (r *badReceiver) Cleanup(sarama.ConsumerGroupSession) error {
	if r.cleaned++; r.cleaned == 3 {
		return errNotClean
	}
	return nil
}

// A group joins again at once after a rebalance, and Goka, which would wait first, hears of no end of it. After sessions
// that hardly last it takes its time. What fails goes to Goka.
func TestGroupThatIsRebalanced(t *testing.T) {
	build := func(t *testing.T, g sarama.ConsumerGroup) (*Tracker, sarama.ConsumerGroup) {
		tracker := NewTracker(TrackerOptions{})
		group, err := tracker.Builder(func([]string, string, string) (sarama.ConsumerGroup, error) { return g, nil })(nil, "g", "")
		if err != nil {
			t.Fatal(err)
		}
		return tracker, group
	}
	for name, c := range map[string]struct {
		length, after time.Duration
		sessions      int
	}{
		"long sessions":  {time.Minute, 10 * time.Minute, 10},
		"short sessions": {0, joinBackoffFirst * (1 + 2 + 4 + 8), 5}, // one more after each pause, the last one included
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &rebalancedGroup{length: c.length}
				_, group := build(t, g)
				ctx, stop := context.WithTimeout(t.Context(), c.after+time.Millisecond)
				defer stop()
				if err := group.Consume(ctx, nil, &receiver{}); err != nil {
					t.Errorf("ended with %v", err)
				}
				if want := c.sessions; g.sessions < want || g.sessions > want+1 {
					t.Errorf("%d sessions, want %d", g.sessions, want)
				}
			})
		})
	}
	t.Run("a failed session", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := &rebalancedGroup{length: time.Minute}
			_, group := build(t, g)
			if err := group.Consume(t.Context(), nil, &badReceiver{}); !errors.Is(err, errNotClean) || g.sessions != 3 {
				t.Errorf("ended with %v after %d sessions", err, g.sessions)
			}
		})
	})
	t.Run("a failed tracker", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := &rebalancedGroup{length: time.Minute}
			tracker, group := build(t, g)
			g.begun = func(n int) {
				if n == 2 {
					tracker.Fail(io.EOF)
				}
			}
			if err := group.Consume(t.Context(), nil, &receiver{}); err != nil || g.sessions != 2 {
				t.Errorf("ended with %v after %d sessions", err, g.sessions)
			}
		})
	})
}
