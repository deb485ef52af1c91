// Package valve stops what flows to a broker for a while, so that what comes before it can be measured alone.
package valve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/localkafka"
)

// Valve is a way to a broker on which, while it is shut, nothing passes. Connections stay.
type Valve struct {
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	target string
	passes chan struct{} // closed: it is open
	isOpen bool
	closed bool
	conns  map[net.Conn]struct{}
}

// StopLimit is how long a broker may take to end.
const StopLimit = 15 * time.Second

// Start starts a broker that ends with this process, with a valve before a second way to it. It gives the address of the
// first one.
func Start(ctx context.Context, broker localkafka.Instance, root string) (v *Valve, address string, err error) {
	if v, err = New(); err != nil {
		return nil, "", err
	}
	addresses, err := broker.Start(ctx, root, localkafka.Options{Bound: true, Advertised: []string{v.Address()}})
	if err != nil {
		return nil, "", errors.Join(err, v.Close())
	}
	listeners, err := broker.Listeners()
	if err != nil || len(listeners["PROXIED"]) != 1 {
		return nil, "", errors.Join(fmt.Errorf("find the broker's other listener: %w", err), v.Close(), broker.Stop(StopLimit))
	}
	v.LeadTo(listeners["PROXIED"][0])
	return v, addresses[0], nil
}

// New listens on loopback, and is open. Nothing is led anywhere before LeadTo.
func New() (*Valve, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	v := &Valve{listener: l, passes: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	v.Open()
	v.running.Go(v.accept)
	return v, nil
}

// Address is where to connect to.
func (v *Valve) Address() string { return v.listener.Addr().String() }

// LeadTo has new connections led to target, an address.
func (v *Valve) LeadTo(target string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.target = target
}

// Shut has nothing pass until Open.
func (v *Valve) Shut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.isOpen && !v.closed {
		v.isOpen, v.passes = false, make(chan struct{})
	}
}

// Open has everything pass that has come meanwhile, and comes.
func (v *Valve) Open() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.isOpen {
		v.isOpen = true
		close(v.passes)
	}
}

// Close ends all connections, and waits for it.
func (v *Valve) Close() error {
	err := v.listener.Close()
	v.Open()
	v.mu.Lock()
	v.closed = true
	for c := range v.conns {
		c.Close()
	}
	v.mu.Unlock()
	v.running.Wait()
	return err
}

func (v *Valve) accept() {
	for {
		from, err := v.listener.Accept()
		if err != nil {
			return // it is closed
		}
		v.mu.Lock()
		target := v.target
		v.mu.Unlock()
		to, err := net.Dial("tcp", target)
		if err != nil {
			from.Close()
			continue
		}
		if !v.keep(from, to) {
			continue
		}
		v.running.Go(func() { v.pump(from, to) })
		v.running.Go(func() { v.pump(to, from) })
	}
}

// keep has Close end both.
func (v *Valve) keep(conns ...net.Conn) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range conns {
		if v.closed {
			c.Close()
			continue
		}
		v.conns[c] = struct{}{}
	}
	return !v.closed
}

func (v *Valve) pump(from, to net.Conn) {
	defer func() {
		from.Close()
		to.Close()
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.conns, from)
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		v.mu.Lock()
		passes := v.passes
		v.mu.Unlock()
		<-passes
		if _, failed := to.Write(buffer[:n]); failed != nil || err != nil {
			return
		}
	}
}
