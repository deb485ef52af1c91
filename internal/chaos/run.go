package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/season"
)

// run is one run.
type run struct {
	cfg     Config
	out     io.Writer
	binary  string
	direct  string // configuration of commands that go to Kafka directly
	began   time.Time
	proxy   *proxy
	kafka   *cluster
	watch   *watch
	writer  *writer
	weather weather

	instances []*instance
	extra     atomic.Pointer[instance] // of Scale
	cancel    context.CancelCauseFunc

	mu      sync.Mutex
	summary Summary
}

// Run does a run and tells its progress on out, a line per fault. The summary is what there is also when an error says
// why the run failed.
func Run(ctx context.Context, c Config, out io.Writer) (Summary, error) {
	c = c.WithDefaults()
	if err := c.Validate(); err != nil {
		return Summary{}, err
	}
	r := &run{cfg: c, out: out, began: time.Now()}
	r.summary = Summary{Seed: c.Seed, Instances: c.Instances, Faults: map[Kind]int{}, SelfEnded: map[string]int{}, LastLines: map[string]string{}}
	bounded, stop := context.WithTimeoutCause(ctx, c.MaxTime, fmt.Errorf("the run is not over after %s", c.MaxTime))
	defer stop()
	var inner context.Context
	inner, r.cancel = context.WithCancelCause(bounded)
	defer r.cancel(nil)
	err := r.whole(inner)
	if cause := context.Cause(inner); cause != nil {
		err = cause // what ended the run, and not what failed because it was ended
	}
	r.end(err)
	return r.summary, err
}

// fail ends the run from beside it.
func (r *run) fail(err error) { r.cancel(err) }

// whole does everything, and ends all that it has begun.
func (r *run) whole(ctx context.Context) (err error) {
	closing := closers{}
	defer func() { err = errors.Join(err, closing.close()) }()
	if err := r.prepare(ctx, &closing); err != nil {
		return err
	}
	if err := r.start(ctx, &closing); err != nil {
		return err
	}
	schedule := Schedule(r.cfg)
	for i, f := range schedule {
		r.note("fault %d of %d: %s", i+1, len(schedule), f)
		if err := r.apply(ctx, f); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return r.settle(ctx)
}

// closers are called in the reverse order.
type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

func (c closers) close() (err error) {
	for i := len(c) - 1; i >= 0; i-- {
		err = errors.Join(err, c[i]())
	}
	return err
}

// prepare builds the binary and starts Kafka with its topics.
func (r *run) prepare(ctx context.Context, closing *closers) error {
	for _, old := range []string{"instance-*", "summary.json", "verify.json"} {
		found, _ := filepath.Glob(filepath.Join(r.cfg.Dir, old)) // the pattern is right
		for _, path := range found {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	r.binary = filepath.Join(r.cfg.Dir, "vibe-bridge")
	build := exec.CommandContext(ctx, "go", "build", "-tags", r.cfg.Tags, "-o", r.binary, "./cmd/vibe-bridge")
	build.Dir = r.cfg.Root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, out)
	}
	var err error
	if r.proxy, err = newProxy(); err != nil {
		return err
	}
	closing.add(func() error { r.proxy.close(); return nil })
	if r.kafka, err = startCluster(ctx, r.cfg, r.proxy); err != nil {
		return err
	}
	closing.add(r.kafka.close)
	if err := writeFile(r.directory(), string(season.Directory(seasonOf(r.cfg.Seed, 0)))); err != nil {
		return err
	}
	r.direct = filepath.Join(r.cfg.Dir, "direct.yaml")
	if err := writeFile(r.direct, configFile(r.kafka.direct, "chaos-direct", filepath.Join(r.cfg.Dir, "unused"), r.directory())); err != nil {
		return err
	}
	return r.kafka.createTopics(ctx, r.binary, r.direct)
}

func (r *run) directory() string { return filepath.Join(r.cfg.Dir, "directory.json") }

func clientOf(number int) string { return fmt.Sprintf("chaos-%d", number) }

func (r *run) newInstance(number int) (*instance, error) {
	dir := filepath.Join(r.cfg.Dir, fmt.Sprintf("instance-%d", number))
	in := &instance{number: number, dir: dir, config: filepath.Join(dir, "bridge.yaml"), log: filepath.Join(dir, "log"), r: r}
	return in, writeFile(in.config, configFile(r.proxy.address(), clientOf(number), filepath.Join(dir, "state"), r.directory()))
}

// start starts instances, writer and watch, and waits for the first slim records.
func (r *run) start(ctx context.Context, closing *closers) error {
	for i := range r.cfg.Instances {
		in, err := r.newInstance(i + 1)
		if err != nil {
			return err
		}
		in.begin(ctx)
		r.instances = append(r.instances, in)
		closing.add(func() error { in.cancel(); <-in.over; return nil })
	}
	r.writer = startWriter(ctx, r.kafka.client, r.cfg)
	closing.add(func() error { r.writer.once.Do(func() { close(r.writer.stop) }); <-r.writer.done; return nil })
	r.watch = startWatch(ctx, r)
	closing.add(func() error { r.summary.LongestStall = seconds(r.watch.end()); return nil })
	r.watch.progress(ctx)
	return nil
}

// anyAlive tells whether any instance runs.
func (r *run) anyAlive() bool {
	for _, in := range r.instances {
		if in.alive() != nil {
			return true
		}
	}
	return r.extra.Load() != nil
}

func (r *run) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.out, "%7.1fs  %s\n", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
}

func (r *run) survived(k Kind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.summary.Faults[k]++
}

func (r *run) selfEnded(reason, line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.summary.SelfEnded[reason]++
	r.summary.LastLines[reason] = line
}
