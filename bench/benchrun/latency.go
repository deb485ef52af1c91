package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/process"
)

// latencyFigures are those of a fixed offered load. The latency of an order runs from when it was due to be written to
// its legacy topic until a plain consumer of the slim topic has it; the times are milliseconds.
type latencyFigures struct {
	Contestant string  `json:"contestant"`
	Round      int     `json:"round"`
	Load       int     `json:"orders_per_second"`
	Offered    int     `json:"offered"` // after the warm-up, like all that follows
	Seen       int     `json:"seen"`
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
	P999       float64 `json:"p99.9_ms"`
	Max        float64 `json:"max_ms"`
	WrittenP50 float64 `json:"written_p50_ms"` // of it, until the broker had acknowledged the legacy record
	WrittenP99 float64 `json:"written_p99_ms"`
	CPU        float64 `json:"cpu_seconds"`
	BrokerCPU  float64 `json:"broker_cpu_seconds"`
	PeakMiB    float64 `json:"peak_mib"`
	Verified   bool    `json:"verified"`
}

func (f *latencyFigures) who() string { return f.Contestant }

func (f *latencyFigures) String() string {
	return fmt.Sprintf("latency at %d orders/s: p50 %.1f ms, p99 %.1f, p99.9 %.1f, at most %.1f (written: p50 %.1f, p99 %.1f); %.1fs of processor time and %.1fs of the broker's; %d of %d seen; verified",
		f.Load, f.P50, f.P99, f.P999, f.Max, f.WrittenP50, f.WrittenP99, f.CPU, f.BrokerCPU, f.Seen, f.Offered)
}

// perMillion is a figure for a million of the orders.
func (f *latencyFigures) perMillion(v float64) float64 { return v / float64(f.Offered) * 1e6 }

// latency has a contestant keep up with a load, after the partners and events of the season.
func (b *bench) latency(ctx context.Context, c contestant, n int) (*latencyFigures, error) {
	f := &latencyFigures{Contestant: c.name, Round: n, Load: b.load}
	places := b.both(fmt.Sprintf("%s-latency-%d", c.name, n))[:1]
	err := b.onStage(ctx, c, places, func(ctx context.Context, s *stage) error { return s.measureLatency(ctx, f) })
	if err != nil {
		return nil, fmt.Errorf("latency: %w", err)
	}
	f.Verified = true
	return f, nil
}

func (s *stage) measureLatency(ctx context.Context, f *latencyFigures) error {
	warm, all := s.b.warmOrders(), s.b.warmOrders()+s.b.countedOrders()
	at := schedule{start: time.Now(), rate: f.Load}
	paced := make(chan error, 1)
	go func() { paced <- s.pace(ctx, at, all) }()
	if err := wait(ctx, "the warm-up", func(now time.Time) bool { return at.dueBy(now) > warm }); err != nil {
		<-paced // ends with ctx, which wait's error may have ended
		return err
	}
	before, err := s.used()
	if err != nil {
		return err
	}
	if err := <-paced; err != nil {
		return err
	}
	after, err := s.used()
	if err != nil {
		return err
	}
	if err := s.arrived(ctx); err != nil {
		return err
	}
	f.take(s.flow.passages(warm))
	f.CPU, f.BrokerCPU = (after.own - before.own).Seconds(), (after.broker - before.broker).Seconds()
	_, f.PeakMiB = s.lives[0].run.Memory()
	return nil
}

// take works out latencies, of orders that all came out.
func (f *latencyFigures) take(passages []passage) {
	seen, written := waits(passages, seenAt), waits(passages, writtenAt)
	f.Offered, f.Seen = len(passages), len(seen)
	f.P50, f.P99, f.P999, f.Max = ms(percentile(seen, 500)), ms(percentile(seen, 990)), ms(percentile(seen, 999)), ms(percentile(seen, 1000))
	f.WrittenP50, f.WrittenP99 = ms(percentile(written, 500)), ms(percentile(written, 990))
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// use is the processor time that was used up to some moment.
type use struct{ own, broker time.Duration }

func (s *stage) used() (u use, err error) {
	if u.own, err = process.CPUOf(s.lives[0].run.PID()); err != nil {
		return u, err
	}
	pid, err := s.b.kafka.PID(1)
	if err != nil {
		return u, err
	}
	u.broker, err = process.CPUOf(pid)
	return u, err
}
