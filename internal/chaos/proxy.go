package chaos

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// proxy is the network between the instances and Kafka, with a door for every broker. It passes bytes on, in order, and
// can do to them what networks do.
//
// A link knows whose it is by the client id in the first request. What it has read from one side it delivers to the
// other, late if need be, also when the side that sent it has gone meanwhile: so a stalled link has records
// of a former owner arrive behind those of the next.
type proxy struct {
	running sync.WaitGroup

	mu      sync.Mutex
	doors   []*door
	links   map[*link]struct{}
	closed  bool
	delay   time.Duration   // of what comes from Kafka
	rate    int             // bytes per second of every link in each direction; 0: no limit
	swallow *swallowing     // nil: nothing is
	stalled map[string]bool // by client id
	changed chan struct{}   // closed at the next change of stalled
}

// swallowing is a half-open network: what goes one way never arrives.
type swallowing struct {
	client   string // "": every client
	requests bool   // what clients send; otherwise what Kafka answers
}

// door is where the clients of one broker connect.
type door struct {
	p        *proxy
	listener net.Listener
	target   string
}

func newProxy() *proxy {
	return &proxy{links: map[*link]struct{}{}, stalled: map[string]bool{}, changed: make(chan struct{})}
}

// open opens one more door. It leads nowhere until it is told where.
func (p *proxy) open() (*door, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open the proxy: %w", err)
	}
	d := &door{p: p, listener: l}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doors = append(p.doors, d)
	p.running.Go(d.accept)
	return d, nil
}

func (d *door) address() string { return d.listener.Addr().String() }

// leadTo names the address behind the door.
func (d *door) leadTo(target string) {
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	d.target = target
}

// slow holds up everything from Kafka by d.
func (p *proxy) slow(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

func (p *proxy) lag() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delay
}

// limit lets no link pass more than so many bytes per second each way; 0 takes the limit away.
func (p *proxy) limit(rate int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate = rate
}

// transit is how long a limit keeps n bytes.
func (p *proxy) transit(n int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rate == 0 {
		return 0
	}
	return time.Duration(n) * time.Second / time.Duration(p.rate)
}

// half swallows what one client, or with "" every one, sends to Kafka or gets from it, until heal.
func (p *proxy) half(client string, requests bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallow = &swallowing{client, requests}
}

// heal ends half and resets the links that have lost bytes: nothing sensible can pass on them any more. It returns how
// many there were.
func (p *proxy) heal() (reset int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallow = nil
	for l := range p.links {
		if l.lost.Load() {
			l.reset()
			reset++
		}
	}
	return reset
}

// stall lets nothing pass on the links of a client until it is called again with false.
func (p *proxy) stall(client string, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled[client] = on
	close(p.changed)
	p.changed = make(chan struct{})
}

// cut closes all links and returns how many there were.
func (p *proxy) cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.close()
	}
	return len(p.links)
}

// close ends everything and waits for it.
func (p *proxy) close() {
	p.mu.Lock()
	p.closed = true
	for _, d := range p.doors {
		d.listener.Close()
	}
	p.mu.Unlock()
	p.cut()
	p.running.Wait()
}

func (d *door) accept() {
	for {
		conn, err := d.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			d.p.running.Go(func() { d.serve(conn) })
		}
	}
}

func (d *door) serve(from net.Conn) {
	p := d.p
	p.mu.Lock()
	target := d.target
	p.mu.Unlock()
	to, err := net.Dial("tcp", target)
	if err != nil { // Kafka is away
		from.Close()
		return
	}
	l := &link{p: p, from: from, to: to, gone: make(chan struct{})}
	if !p.add(l) {
		l.close()
		return
	}
	var pumps sync.WaitGroup
	pumps.Go(func() { l.pump(to, from, true) })
	pumps.Go(func() { l.pump(from, to, false) })
	pumps.Wait()
	l.close()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

func (p *proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.links[l] = struct{}{}
	}
	return !p.closed
}

type link struct {
	p        *proxy
	from, to net.Conn
	client   atomic.Value // string
	lost     atomic.Bool  // bytes were swallowed
	once     sync.Once
	gone     chan struct{}
}

func (l *link) close() {
	l.once.Do(func() {
		close(l.gone)
		l.from.Close()
		l.to.Close()
	})
}

// reset closes the link as a machine does that knows nothing of it.
func (l *link) reset() {
	for _, c := range []net.Conn{l.from, l.to} {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // it may be closed
		}
	}
	l.close()
}

type chunk struct {
	due   time.Time
	bytes []byte
}

// pump reads one side and has another goroutine deliver to the other. It ends when all was delivered.
func (l *link) pump(to, from net.Conn, requests bool) {
	chunks := make(chan chunk, 256)
	var delivering sync.WaitGroup
	delivering.Go(func() { l.deliver(to, chunks, requests) })
	first := requests
	for {
		buffer := make([]byte, 32<<10)
		n, err := from.Read(buffer)
		if n > 0 {
			if first {
				l.client.Store(clientID(buffer[:n]))
				first = false
			}
			c := chunk{time.Now(), buffer[:n]}
			if !requests {
				c.due = c.due.Add(l.p.lag())
			}
			select {
			case chunks <- c:
			case <-l.gone:
				err = io.EOF
			}
		}
		if err != nil {
			break
		}
	}
	close(chunks)
	delivering.Wait()
	if requests {
		l.close()
		return
	}
	l.from.Close() // Kafka has closed: the client shall see it. What it sent may still be on its way
}

func (l *link) deliver(to net.Conn, chunks <-chan chunk, requests bool) {
	broken, swallowing := false, false
	for c := range chunks {
		if broken || !l.await(c.due) || !l.await(time.Now().Add(l.p.transit(len(c.bytes)))) {
			broken = true
			continue
		}
		if swallowing = swallowing || l.swallows(requests); swallowing {
			continue
		}
		if _, err := to.Write(c.bytes); err != nil {
			broken = true
			l.close()
		}
	}
}

// swallows tells whether the link loses bytes from now on, and then has heal know of it.
func (l *link) swallows(requests bool) bool {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	s := l.p.swallow
	if s == nil || s.requests != requests {
		return false
	}
	client, _ := l.client.Load().(string)
	if s.client != "" && s.client != client {
		return false
	}
	l.lost.Store(true)
	return true
}

// await waits until a chunk may be delivered. It is false when the link was cut.
func (l *link) await(due time.Time) bool {
	if wait := time.Until(due); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.gone:
			return false
		}
	}
	for {
		l.p.mu.Lock()
		client, _ := l.client.Load().(string)
		stalled, changed := l.p.stalled[client], l.p.changed
		l.p.mu.Unlock()
		if !stalled {
			return true
		}
		select {
		case <-changed:
		case <-l.gone:
			return false
		}
	}
}

// clientID is what a Kafka request says of its sender: after size, api key, version and correlation id, it stands with
// its length before it. It is "" when the bytes are not enough.
func clientID(request []byte) string {
	const at = 4 + 2 + 2 + 4
	if len(request) < at+2 {
		return ""
	}
	n := int(int16(binary.BigEndian.Uint16(request[at:])))
	if n <= 0 || len(request) < at+2+n {
		return ""
	}
	return string(request[at+2 : at+2+n])
}
