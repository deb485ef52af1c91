package kafka

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
)

// joinBound is far less than a coordinator waits for a member that hangs.
const joinBound = 15 * time.Second

// A client that is told to end while another member keeps it from joining ends, has left the group, and its wire
// is whole: other clients of the instance may still have something to flush.
func TestEndWhileJoining(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		group, topic := target.Topic("g"), target.Topic("t")
		kafkatest.CreateTopic(t, target.Addrs, topic, 1, nil)
		c := Cluster{Brokers: target.Addrs}.WithDefaults()
		kafkatest.HungMember(t, target.Addrs, group, "copartition")
		wire := NewWire()
		cg, err := c.NewConsumerGroup(group, ConsumerOptions{ClientOptions: ClientOptions{Wire: wire}, RebalanceTimeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		admin, err := NewAdminOver(wire, c)
		if err != nil {
			t.Fatal(err)
		}
		defer admin.Close()

		ctx, end := context.WithCancel(t.Context())
		defer end()
		ended := make(chan error, 1)
		go func() { ended <- cg.Consume(ctx, []string{topic}, noSession{t}) }()
		kafkatest.AwaitJoin(t, target.Addrs, group)
		others := openOn(wire) - openOf(cg)
		end()
		select {
		case err = <-ended:
		case <-time.After(joinBound):
			t.Fatalf("still joining %s after the end", joinBound)
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the join ended with %v, want that of its context", err)
		}
		if err := cg.Close(); err != nil {
			t.Errorf("left with %v", err)
		}
		if members := kafkatest.DescribeGroup(t, target.Addrs, group).Members; len(members) != 1 {
			t.Errorf("%d members are in the group, want the one that hangs", len(members))
		}
		if n := openOn(wire); n != others || others == 0 {
			t.Errorf("%d connections of other clients are open, were %d", n, others)
		}
		if _, err := admin.Partitions(topic); err != nil {
			t.Errorf("another client of the wire: %v", err)
		}
	})
}

func openOn(w *Wire) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.conns)
}

func openOf(cg sarama.ConsumerGroup) (n int) {
	d := cg.(*joiner).dialer
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	for c := range d.w.conns {
		if c.d == d {
			n++
		}
	}
	return n
}

// noSession must not be let in.
type noSession struct{ t *testing.T }

func (h noSession) Setup(sarama.ConsumerGroupSession) error {
	h.t.Error("a session has begun beside a member that hangs")
	return nil
}
func (noSession) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (noSession) ConsumeClaim(sarama.ConsumerGroupSession, sarama.ConsumerGroupClaim) error {
	return nil
}

// joins is a group's client that joins for as long as it takes, and then has a session.
type joins struct {
	sarama.ConsumerGroup
	join, session func() error
}

func (j *joins) Consume(_ context.Context, _ []string, h sarama.ConsumerGroupHandler) error {
	if err := j.join(); err != nil {
		return err
	}
	if err := h.Setup(nil); err != nil {
		return err
	}
	return j.session()
}

type anySession struct{ noSession }

func (anySession) Setup(sarama.ConsumerGroupSession) error { return nil }

// What a session flushes at its end is not cut off, however long that takes: neither where the end was asked for amid
// the session, nor where it was asked for while joining, and the group let the member in at the last moment.
func TestSessionsAreNotGivenUp(t *testing.T) {
	const long = 10 * time.Minute
	refused := errors.New("refused")
	for _, c := range []struct {
		name    string
		joins   time.Duration // from the moment on in which the end is asked for
		refused error
		flushes time.Duration
		dropped bool
		err     error
	}{
		{"asked amid a session", -time.Second, nil, long, false, nil},
		{"let in at once", joinPatience / 2, nil, long, false, nil},
		{"let in although given up", 2 * joinPatience, nil, long, true, nil},
		{"not let in", 2 * joinPatience, io.EOF, 0, true, context.Canceled},
		{"refused before it was given up", joinPatience / 2, refused, 0, false, refused},
		{"refused though nobody asked", -time.Second, refused, 0, false, refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &wireDialer{w: NewWire()}
				_, own := net.Pipe()
				if _, err := d.w.add(own, d); err != nil {
					t.Fatal(err)
				}
				ctx, end := context.WithCancel(t.Context())
				defer end()
				dropped := false
				group := &joins{
					join: func() error {
						if c.joins > 0 {
							end()
							time.Sleep(c.joins)
						}
						dropped = openOn(d.w) == 0
						return c.refused
					},
					session: func() error {
						before := openOn(d.w)
						if _, err := d.w.add(own, d); err != nil {
							return err
						}
						end()
						time.Sleep(c.flushes)
						if openOn(d.w) != before+1 {
							t.Error("the connections of a session were dropped")
						}
						return nil
					},
				}
				err := (&joiner{group, d}).Consume(ctx, nil, anySession{})
				if !errors.Is(err, c.err) {
					t.Errorf("ended with %v, want %v", err, c.err)
				}
				if dropped != c.dropped {
					t.Errorf("connections of the join dropped: %t, want %t", dropped, c.dropped)
				}
			})
		})
	}
}
