package processors

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/console"
	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// Console is what the console shows of an instance, and does: it looks at the bridge that runs at the moment, and at
// what lies in Kafka as the commands do.
type Console struct {
	metrics    *Metrics
	comparison Comparison
	config     func() Config            // with the directory of now
	current    func() (*Bridge, string) // the bridge that runs; nil, and why there is none

	members  membersSeen
	rates    rates
	bad      quarantineSeen
	scanning chan struct{} // held by whoever visits all keys
}

var _ console.Source = (*Console)(nil)

// Comparison is what compare run has found last.
type Comparison interface {
	Verdict() *console.Verdict // nil: none is known; it does not wait
	Report(ctx context.Context) (json.RawMessage, error)
	ReportPage(ctx context.Context) ([]byte, error)
}

// Console shows the instance, over all its builds. Without a comparison it is nil.
func (s *Supervisor) Console(comparison Comparison) *Console {
	return newConsole(s.metrics, comparison, func() Config {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.cfg
	}, func() (*Bridge, string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.current, s.reason
	})
}

// Advertise tells where other instances reach the console of this one. Call it before Run.
func (s *Supervisor) Advertise(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.ConsoleURL, s.current.cfg.ConsoleURL = url, url
}

// Console shows the bridge.
func (b *Bridge) Console(comparison Comparison) *Console {
	return newConsole(b.metrics, comparison, func() Config {
		cfg := b.cfg
		cfg.Rules = b.rules.current()
		return cfg
	}, func() (*Bridge, string) { return b, "" })
}

func newConsole(m *Metrics, comparison Comparison, cfg func() Config, current func() (*Bridge, string)) *Console {
	return &Console{metrics: m, comparison: comparison, config: cfg, current: current, scanning: make(chan struct{}, 1)}
}

// identity tells a process from others of its deployment.
type identity struct {
	id      string
	started time.Time
}

func newIdentity() identity { return identity{rand.Text(), time.Now().UTC().Truncate(time.Second)} }

// Ready is NotReady, with how much of the tables is there.
func (c *Console) Ready() console.Readiness {
	b, why := c.current()
	if b == nil {
		return console.Readiness{Reasons: []string{why}, Restored: map[string]float64{}}
	}
	r := console.Readiness{Reasons: b.NotReady(), Restored: map[string]float64{}}
	r.Ready = len(r.Reasons) == 0
	for _, g := range b.groups() {
		if b.topics.stageOf(string(g.name)) == "intake" {
			continue
		}
		restored, total, running := 0.0, 0.0, 0
		parts := g.partitionStates()
		for _, p := range parts {
			restored, total = restored+float64(p.Restored), total+float64(p.Total)
			if p.State == console.Running {
				running++
			}
		}
		switch {
		case total > 0:
			r.Restored[string(g.name)] = 100 * restored / total
		case len(parts) == running:
			r.Restored[string(g.name)] = 100
		default:
			r.Restored[string(g.name)] = 0
		}
	}
	return r
}

// Owner is the gate's partition of an event.
func (c *Console) Owner(event string) int32 { return c.config().ownerOf(event) }

func (cfg Config) ownerOf(event string) int32 {
	return cfg.Topics.partition(tableOf(cfg.Topics.gateGroup()), []byte(mapping.EventKey(event)), cfg.Settings.Partitions)
}

// running is the bridge with its gate, or why there is none.
func (c *Console) running() (*Bridge, *group, error) {
	b, why := c.current()
	if b == nil {
		return nil, nil, &console.UnavailableError{Text: why}
	}
	g := b.gate.Load()
	if g == nil {
		return nil, nil, &console.UnavailableError{Text: "the instance is starting, and has no partitions yet"}
	}
	return b, g, nil
}

// storeOf is the store of one of the gate's partitions, or why it cannot be looked into.
func (b *Bridge) storeOf(g *group, partition int32) (*store.Store, error) {
	if st := b.stores.Recovered(tableOf(g.name), partition); st != nil {
		return st, nil
	}
	if f := g.fence(partition); f != nil {
		if all, left, is := f.restoring(); is {
			return nil, &console.UnavailableError{Text: fmt.Sprintf("partition %d is being restored: %d of %d records are left; try again then", partition, left, all)}
		}
	}
	for _, p := range g.tracker.Assigned() {
		if p.Partition == partition {
			return nil, &console.UnavailableError{Text: fmt.Sprintf("partition %d is being restored: try again in a while", partition)}
		}
	}
	return nil, &console.UnavailableError{Text: fmt.Sprintf("partition %d is on another instance, or on none: see the instances", partition)}
}

// scan lets one request at a time visit all keys.
func (c *Console) scan(ctx context.Context) (end func(), err error) {
	select {
	case c.scanning <- struct{}{}:
		return func() { <-c.scanning }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Report is compare run's newest.
func (c *Console) Report(ctx context.Context) (json.RawMessage, error) {
	if c.comparison == nil {
		return nil, errNoComparison
	}
	return c.comparison.Report(ctx)
}

// ReportPage is compare run's newest.
func (c *Console) ReportPage(ctx context.Context) ([]byte, error) {
	if c.comparison == nil {
		return nil, errNoComparison
	}
	return c.comparison.ReportPage(ctx)
}

var errNoComparison = &console.NotFoundError{Text: "there is no comparison here: start one with vibe-bridge compare run"}

// quarantineSeen keeps what was read of the quarantine topic for a while: it is read whole.
type quarantineSeen struct {
	mu    sync.Mutex
	list  QuarantineList
	until time.Time
}
