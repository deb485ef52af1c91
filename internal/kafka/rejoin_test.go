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
