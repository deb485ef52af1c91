package kafkatest

import (
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Outage makes an embedded broker unreachable and reachable again. Make one, start the broker with its Option.
type Outage struct {
	mu    sync.Mutex
	mode  outageMode
	ended chan struct{} // closed when the present outage ends; nil while there is none
	conns map[*outageConn]struct{}
}

type outageMode int

const (
	reachable outageMode = iota
	silent               // connections stay, and nothing passes
	closed               // connections are closed
)

// Option makes the broker listen through the outage.
func (o *Outage) Option() kfake.Opt {
	return kfake.ListenFn(func(network, address string) (net.Listener, error) {
		l, err := net.Listen(network, address)
		if err != nil {
			return nil, err
		}
		return &outageListener{l, o}, nil
	})
}

// Silence lets nothing pass any more, as a network does that drops packets.
func (o *Outage) Silence() { o.start(silent) }

// Close closes all connections and every new one, as a broker does that ends.
func (o *Outage) Close() {
	o.start(closed)
	o.drop()
}

func (o *Outage) start(m outageMode) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mode, o.ended = m, make(chan struct{})
}

// Connections is how many connections are open.
func (o *Outage) Connections() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.conns)
}

// End ends the outage. Connections that were silent are closed: what was held in them never arrives.
func (o *Outage) End() {
	o.drop()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mode = reachable
	close(o.ended)
	o.ended = nil
}

func (o *Outage) drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for c := range o.conns {
		c.once.Do(func() { close(c.gone) })
		c.Conn.Close()
	}
	clear(o.conns)
}

type outageListener struct {
	net.Listener
	o *Outage
}

func (l *outageListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.o.admit(conn); c != nil {
			return c, nil
		}
		conn.Close()
	}
}

func (o *Outage) admit(conn net.Conn) net.Conn {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mode == closed {
		return nil
	}
	if o.conns == nil {
		o.conns = map[*outageConn]struct{}{}
	}
	c := &outageConn{Conn: conn, o: o, gone: make(chan struct{})}
	o.conns[c] = struct{}{}
	return c
}

type outageConn struct {
	net.Conn
	o    *Outage
	once sync.Once
	gone chan struct{} // closed when the connection is
}

func (c *outageConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if !c.pass() {
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *outageConn) Write(b []byte) (int, error) {
	if !c.pass() {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

// pass waits while the connection is silent.
func (c *outageConn) pass() bool {
	c.o.mu.Lock()
	mode, ended := c.o.mode, c.o.ended
	c.o.mu.Unlock()
	if mode != silent {
		return true
	}
	select {
	case <-ended:
	case <-c.gone:
	}
	return false
}

func (c *outageConn) Close() error {
	c.once.Do(func() { close(c.gone) })
	c.o.mu.Lock()
	delete(c.o.conns, c)
	c.o.mu.Unlock()
	return c.Conn.Close()
}
