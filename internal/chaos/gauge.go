package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// phase of a run, around the time when its target was away.
type phase string

const (
	beforeAway phase = "before"
	duringAway phase = "away"
	afterAway  phase = "after"
)

// defaultMemoryBound is what an instance may grow by while its target is away: as much as the largest of the buffers
// that bound it, the producer's queue of records to be sent again (kafka's retryBufferBytes).
const defaultMemoryBound = 256 << 20

// gauge looks at the memory of the instances.
type gauge struct {
	r    *run
	stop context.CancelFunc
	done chan struct{}

	mu    sync.Mutex
	phase phase
	peaks map[phase][]int64 // resident bytes by instance
	now   []int64
}

const gaugeInterval = time.Second

func startGauge(ctx context.Context, r *run) *gauge {
	ctx, stop := context.WithCancel(ctx)
	g := &gauge{r: r, stop: stop, done: make(chan struct{}), phase: beforeAway, peaks: map[phase][]int64{}, now: make([]int64, len(r.instances))}
	go func() {
		defer close(g.done)
		for pause(ctx, gaugeInterval) {
			g.look()
		}
	}()
	return g
}

func (g *gauge) look() {
	for i, in := range g.r.instances {
		var bytes int64
		if p := in.alive(); p != nil {
			bytes = resident(p.cmd.Process.Pid)
		}
		g.take(i, bytes)
	}
}

func (g *gauge) take(instance int, bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now[instance] = bytes
	if g.peaks[g.phase] == nil {
		g.peaks[g.phase] = make([]int64, len(g.now))
	}
	g.peaks[g.phase][instance] = max(g.peaks[g.phase][instance], bytes)
}

func (g *gauge) enter(p phase) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.phase = p
}

// bounded is an error when an instance grew by more than the bound while its target was away.
func (g *gauge) bounded(bound int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if slices.Max(append(g.peaks[duringAway], 0)) == 0 {
		return errors.New("the memory of no instance was seen while the target was away: /proc is needed for that")
	}
	var err error
	for i, during := range g.peaks[duringAway] {
		var before int64
		if b := g.peaks[beforeAway]; b != nil {
			before = b[i]
		}
		if during > before+bound {
			err = errors.Join(err, fmt.Errorf("instance %d had %s while the target was away, and %s before: it may grow by %s",
				i+1, megabytes(during), megabytes(before), megabytes(bound)))
		}
	}
	return err
}

// line is a row of the table of a target that is away.
func (g *gauge) line(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	lag, err := g.r.kafka.lag(ctx)
	lags := fmt.Sprintf("%7d legacy and %7d internal unread", lag.legacy, lag.inside)
	if err != nil {
		lags = "lag not known: " + err.Error()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return fmt.Sprintf("%7d written, %s, memory %s", g.r.writer.written.Load(), lags, list(g.now))
}

// end stops looking and returns the peaks in MB.
func (g *gauge) end() map[string][]int64 {
	g.stop()
	<-g.done
	peaks := map[string][]int64{}
	for p, all := range g.peaks {
		for _, bytes := range all {
			peaks[string(p)] = append(peaks[string(p)], bytes>>20)
		}
	}
	return peaks
}

func list(bytes []int64) string {
	var parts []string
	for _, b := range bytes {
		parts = append(parts, megabytes(b))
	}
	return strings.Join(parts, ", ")
}

func megabytes(bytes int64) string { return fmt.Sprintf("%d MB", bytes>>20) }

// resident is the memory of a process in bytes, or 0 where that cannot be seen.
func resident(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	return residentOf(string(status))
}

func residentOf(status string) int64 {
	lines := strings.Split(status, "\n")
	at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "VmRSS:") })
	if at < 0 {
		return 0
	}
	fields := strings.Fields(lines[at]) // VmRSS: 123456 kB
	if len(fields) != 3 {
		return 0
	}
	kb, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return kb << 10
}
