package kafka

import (
	"net"
	"sync"
	"time"
)

// countingDialer counts connection attempts by address.
type countingDialer struct {
	mu       sync.Mutex
	attempts map[string]int
	refused  int
}

func (d *countingDialer) Dial(network, address string) (net.Conn, error) {
	conn, err := net.DialTimeout(network, address, 5*time.Second)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.attempts == nil {
		d.attempts = map[string]int{}
	}
	d.attempts[address]++
	if err != nil {
		d.refused++
	}
	return conn, err
}

func (d *countingDialer) to(address string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.attempts[address]
}

// failed returns the number of attempts that did not connect.
func (d *countingDialer) failed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.refused
}
