package kafka

import (
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// clock is set by hand.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Duration      { return time.Duration(c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

// leased is a connection over a wire with a lease, and what comes out at the other end.
func leased(t *testing.T, bound time.Duration) (c net.Conn, peer net.Conn, clk *clock, paused chan time.Duration) {
	t.Helper()
	clk, paused = &clock{}, make(chan time.Duration, 10)
	w := NewWire()
	wait := w.keepLease(t.Context(), bound, clk.now, func(d time.Duration) { paused <- d })
	t.Cleanup(wait)
	own, peer := net.Pipe()
	c, err := w.add(own, &wireDialer{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); peer.Close() })
	return c, peer, clk, paused
}

// Guard G3, hole H8: the first write after a pause that was too long finds it, and not a byte goes out.
func TestNothingIsWrittenAfterAPause(t *testing.T) {
	c, peer, clk, paused := leased(t, time.Hour) // the goroutine does not look within this test
	received := make(chan []byte, 10)
	go func() {
		defer close(received)
		for {
			b := make([]byte, 10)
			n, err := peer.Read(b)
			if err != nil {
				return
			}
			received <- b[:n]
		}
	}()
	clk.advance(59 * time.Minute)
	if _, err := c.Write([]byte("before")); err != nil {
		t.Fatalf("a write after a pause within the bound: %v", err)
	}
	if got := string(<-received); got != "before" {
		t.Fatalf("received %q", got)
	}
	clk.advance(61 * time.Minute)
	if _, err := c.Write([]byte("after")); err != errWireCut {
		t.Errorf("a write after a longer pause: %v", err)
	}
	if got, more := <-received; more {
		t.Errorf("received %q after the pause", got)
	}
	if got := <-paused; got != 61*time.Minute {
		t.Errorf("paused for %s", got)
	}
}

// Without a write the goroutine finds the pause, and says it once.
func TestAPauseIsFoundWithoutAWrite(t *testing.T) {
	const bound = 200 * time.Millisecond
	c, _, clk, paused := leased(t, bound)
	clk.advance(2 * bound)
	select {
	case got := <-paused:
		if got != 2*bound {
			t.Errorf("paused for %s", got)
		}
	case <-time.After(moments):
		t.Fatal("nobody noticed")
	}
	if _, err := c.Write([]byte("after")); err != errWireCut {
		t.Errorf("a write after the pause: %v", err)
	}
	if len(paused) != 0 {
		t.Error("said twice")
	}
}
