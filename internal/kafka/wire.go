package kafka

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

// Wire is the way of one instance to all its brokers: every client of the instance (ClientOptions.Wire) opens
// its connections through it. It is the one place where the instance can be kept from writing anything more.
//
// Invariant: once Cut has returned, no connection of the wire is open, none can be opened, and nothing more is
// written; and every client gives up what it has in hand in moments, whatever its retries.
type Wire struct {
	live context.Context // done once the wire is cut
	cut  context.CancelFunc

	lease atomic.Pointer[lease] // nil: none

	mu    sync.Mutex
	conns map[*wireConn]struct{}
}

// NewWire returns a wire that is whole.
func NewWire() *Wire {
	w := &Wire{conns: map[*wireConn]struct{}{}}
	w.live, w.cut = context.WithCancel(context.Background())
	return w
}

// Cut closes all connections for good. It may be called more than once.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut()
	for c := range w.conns {
		c.Conn.Close()
	}
	clear(w.conns)
}

// IsCut tells whether Cut was called.
func (w *Wire) IsCut() bool { return w.live.Err() != nil }

// attach makes a client's configuration use the wire. It wraps the back-offs that are set by then, so it comes last.
func (w *Wire) attach(cfg *sarama.Config, hold func(context.Context)) {
	cfg.Net.Proxy.Enable = true
	cfg.Net.Proxy.Dialer = w.dialer(cfg, hold)
	between := cfg.Metadata.Retry.Backoff
	cfg.Metadata.Retry.BackoffFunc = func(int, int) time.Duration { return w.backoff(between) }
	if produce := cfg.Producer.Retry.BackoffFunc; produce != nil {
		cfg.Producer.Retry.BackoffFunc = func(retries, most int) time.Duration { return w.backoff(produce(retries, most)) }
	}
}

// backoff is how long a client waits before it tries again: there is nothing to wait for on a wire that is cut.
func (w *Wire) backoff(d time.Duration) time.Duration {
	if w.IsCut() {
		return 0
	}
	return d
}

func (w *Wire) dialer(cfg *sarama.Config, hold func(context.Context)) Dialer {
	return &wireDialer{w, hold, net.Dialer{Timeout: cfg.Net.DialTimeout, KeepAlive: cfg.Net.KeepAlive, Control: limitUnacknowledged}}
}

// wireDialer opens the connections of one client.
type wireDialer struct {
	w    *Wire
	hold func(live context.Context) // nil: nothing holds
	d    net.Dialer
}

// Dial implements Dialer.
func (d *wireDialer) Dial(network, address string) (net.Conn, error) {
	if d.w.IsCut() {
		return nil, errWireCut
	}
	conn, err := d.d.DialContext(d.w.live, network, address)
	if d.w.IsCut() && err != nil {
		return nil, errWireCut
	}
	if err != nil {
		return nil, err
	}
	return d.w.add(conn, d)
}

// drop closes the client's connections, as a network may that loses them. It can open others.
func (d *wireDialer) drop() {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	for c := range d.w.conns {
		if c.d == d {
			c.Conn.Close()
			delete(d.w.conns, c)
		}
	}
}

func (w *Wire) add(conn net.Conn, d *wireDialer) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.IsCut() { // while it was being opened
		conn.Close()
		return nil, errWireCut
	}
	c := &wireConn{conn, w, d}
	w.conns[c] = struct{}{}
	return c, nil
}

// wireConn is one connection of the wire.
type wireConn struct {
	net.Conn
	w *Wire
	d *wireDialer // of its client
}

func (c *wireConn) Write(b []byte) (int, error) {
	if c.d.hold != nil {
		c.d.hold(c.w.live)
	}
	if l := c.w.lease.Load(); l != nil {
		l.check()
	}
	if c.w.IsCut() {
		return 0, errWireCut
	}
	n, err := c.Conn.Write(b)
	return n, c.w.said(err)
}

func (c *wireConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	return n, c.w.said(err)
}

func (c *wireConn) Close() error {
	c.w.mu.Lock()
	delete(c.w.conns, c)
	c.w.mu.Unlock()
	return c.Conn.Close()
}

// said is the error of a connection, as a client of this wire is to understand it.
func (w *Wire) said(err error) error {
	if err != nil && w.IsCut() {
		return errWireCut
	}
	return err
}

// errWireCut is what every dial, write and read ends with once the wire is cut.
var errWireCut error = cutError{}

// cutError looks to sarama like a request that could not be written and never can be. That is the one error of a
// request for which it neither tries again nor asks another broker, be it in the producer, a metadata refresh or
// the search for a coordinator. With another one, every batch would go through 150 tries of 150 look-ups each.
type cutError struct{}

func (cutError) Error() string {
	return "the connections of this instance were cut, as it had to end"
}

// Is makes sarama close its broker, as for any other connection that is closed.
func (cutError) Is(target error) bool { return target == net.ErrClosed }

// As implements what errors.As asks for.
func (cutError) As(target any) bool {
	e, ok := target.(*sarama.PacketEncodingError)
	if ok {
		e.Info = cutError{}.Error()
	}
	return ok
}
