package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/ticketscloud/vibe-bridge/bench/steady"
	"github.com/ticketscloud/vibe-bridge/internal/capacity"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

// onePartition measures what the goroutine of one partition takes, and what intake takes, each while the other rests.
func (b *bench) onePartition(ctx context.Context) (o capacity.OnePartition, err error) {
	d := &deployment{b: b, name: "one-partition", season: season.Config{Orders: b.partitionOrders, Seed: b.seed}, partitions: 1,
		more: fmt.Sprintf("target: {brokers: [%q]}\nstate: {brokers: [%q]}\n", b.valve.address(), b.addr)}
	if err := d.create(ctx); err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, d.remove(context.WithoutCancel(ctx))) }()
	if _, err := d.load(ctx, d.season, season.TopicPartners, season.TopicEvents); err != nil {
		return o, err
	}
	i, err := d.start(d.state())
	if err != nil {
		return o, err
	}
	defer i.discard()
	if _, err := i.drained(ctx); err != nil {
		return o, err
	}
	before, err := i.look(ctx)
	if err != nil {
		return o, err
	}
	b.valve.shut()
	defer b.valve.open()
	records, err := d.load(ctx, d.season, season.TopicOrders, season.TopicRefunds)
	if err != nil {
		return o, err
	}
	if err := i.until(ctx, "intake is through", func() (bool, error) {
		left, err := d.left(ctx, d.groups()[2:4]...)
		return left == 0, err
	}); err != nil {
		return o, err
	}
	between, err := i.look(ctx)
	if err != nil {
		return o, err
	}
	b.valve.open()
	seen, err := i.drained(ctx)
	if err != nil {
		return o, err
	}
	o.Orders = b.partitionOrders
	if o.Records, o.CPU, o.BrokerCPU, err = steady.Of(seen, float64(records)); err != nil {
		return o, err
	}
	// A little too much: until its window is full of what the target does not acknowledge, the gate has worked, too.
	o.IntakeCPU = (between.CPU - before.CPU).Seconds() / float64(records)
	b.say("one partition: %.0f records/s, %.0f µs of processor time a record; intake %.0f µs", o.Records, o.CPU*1e6, o.IntakeCPU*1e6)
	return o, i.end(ctx)
}

// valve is a way to the broker on which, while it is shut, nothing passes. Connections stay.
type valve struct {
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	target string
	passes chan struct{} // closed: it is open
	isOpen bool
	closed bool
	conns  map[net.Conn]struct{}
}

func openValve() (*valve, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	v := &valve{listener: l, passes: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	v.open()
	v.running.Go(v.accept)
	return v, nil
}

func (v *valve) address() string { return v.listener.Addr().String() }

func (v *valve) leadTo(target string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.target = target
}

func (v *valve) shut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.isOpen && !v.closed {
		v.isOpen, v.passes = false, make(chan struct{})
	}
}

func (v *valve) open() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.isOpen {
		v.isOpen = true
		close(v.passes)
	}
}

// close ends everything, and waits for it.
func (v *valve) close() error {
	err := v.listener.Close()
	v.open()
	v.mu.Lock()
	v.closed = true
	for c := range v.conns {
		c.Close()
	}
	v.mu.Unlock()
	v.running.Wait()
	return err
}

func (v *valve) accept() {
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

// keep has close end both.
func (v *valve) keep(conns ...net.Conn) bool {
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

func (v *valve) pump(from, to net.Conn) {
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
