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

// proxy is the network between the instances and Kafka. It passes bytes on, in order, and can do to them what networks do.
//
// A link knows whose it is by the client id in the first request. What it has read from one side it delivers to the
// other, late if need be, also when the side that sent it has gone meanwhile: so a stalled link has records
// of a former owner arrive behind those of the next.
type proxy struct {
	listener net.Listener
	running  sync.WaitGroup

	mu      sync.Mutex
	target  string
	links   map[*link]struct{}
	closed  bool
	delay   time.Duration   // of what comes from Kafka
	stalled map[string]bool // by client id
	changed chan struct{}   // closed at the next change of stalled
}

func newProxy() (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open the proxy: %w", err)
	}
	p := &proxy{listener: l, links: map[*link]struct{}{}, stalled: map[string]bool{}, changed: make(chan struct{})}
	p.running.Go(p.accept)
	return p, nil
}

func (p *proxy) address() string { return p.listener.Addr().String() }

// leadTo names the address behind the proxy.
func (p *proxy) leadTo(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
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
	p.mu.Unlock()
	p.listener.Close()
	p.cut()
	p.running.Wait()
}

func (p *proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			p.running.Go(func() { p.serve(conn) })
		}
	}
}

func (p *proxy) serve(from net.Conn) {
	p.mu.Lock()
	target := p.target
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

type chunk struct {
	due   time.Time
	bytes []byte
}

// pump reads one side and has another goroutine deliver to the other. It ends when all was delivered.
func (l *link) pump(to, from net.Conn, requests bool) {
	chunks := make(chan chunk, 256)
	var delivering sync.WaitGroup
	delivering.Go(func() { l.deliver(to, chunks) })
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

func (l *link) deliver(to net.Conn, chunks <-chan chunk) {
	broken := false
	for c := range chunks {
		if broken || !l.await(c.due) {
			broken = true
			continue
		}
		if _, err := to.Write(c.bytes); err != nil {
			broken = true
			l.close()
		}
	}
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
