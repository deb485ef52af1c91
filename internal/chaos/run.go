package chaos

import (
	"bytes"
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
	kafka   *cluster // source and state
	target  *cluster // the same, unless the target has its own
	watch   *watch
	gauge   *gauge
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
	r.summary = Summary{Seed: c.Seed, Instances: c.Instances, Brokers: c.Brokers, OwnTarget: c.OwnTarget, Faults: map[Kind]int{}, SelfEnded: map[string]int{}, LastLines: map[string]string{}}
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
	if err := r.befall(ctx); err != nil {
		return err
	}
	return r.settle(ctx)
}

// befall does the faults of the schedule.
func (r *run) befall(ctx context.Context) error {
	schedule := Schedule(r.cfg)
	r.summary.Scheduled = len(schedule)
	for i, f := range schedule {
		if r.stopped() {
			r.note("stopped after %d of %d faults; what is on its way is awaited and judged", i, len(schedule))
			r.summary.Stopped = true
			return nil
		}
		r.note("fault %d of %d: %s", i+1, len(schedule), f)
		if err := r.apply(ctx, f); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if (i+1)%25 == 0 {
			r.note("so far: %s; %d legacy records written, %d slim records, longest stall %s", r.soFar(), r.writer.written.Load(), r.watch.seen(), r.watch.longest())
		}
	}
	return nil
}

// stopped tells whether somebody wants an early end.
func (r *run) stopped() bool {
	select {
	case <-r.cfg.Stop: // never where it is nil
		return true
	default:
		return false
	}
}

func (r *run) soFar() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return counts(r.summary.Faults)
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
	if err := r.clear(); err != nil {
		return err
	}
	r.binary = filepath.Join(r.cfg.Dir, "vibe-bridge")
	build := exec.CommandContext(ctx, "go", "build", "-tags", r.cfg.Tags, "-o", r.binary, "./cmd/vibe-bridge")
	build.Dir = r.cfg.Root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, out)
	}
	r.proxy = newProxy()
	closing.add(func() error { r.proxy.close(); return nil })
	if err := r.startClusters(ctx, closing); err != nil {
		return err
	}
	if err := writeFile(r.directory(), string(season.Directory(seasonOf(r.cfg.Seed, 0)))); err != nil {
		return err
	}
	r.direct = filepath.Join(r.cfg.Dir, "direct.yaml")
	direct := places{r.kafka.direct, r.target.direct, r.cfg.Brokers}
	if err := writeFile(r.direct, configFile(direct, "chaos-direct", filepath.Join(r.cfg.Dir, "unused"), r.directory())); err != nil {
		return err
	}
	return r.createTopics(ctx)
}

// clear takes away what an earlier run in the same folder has left.
func (r *run) clear() error {
	instances, err := filepath.Glob(filepath.Join(r.cfg.Dir, "instance-*"))
	for _, dir := range instances {
		err = errors.Join(err, unmount(filepath.Join(dir, "state")), os.RemoveAll(dir))
	}
	for _, name := range []string{"summary.json", "verify.json"} {
		err = errors.Join(err, os.RemoveAll(filepath.Join(r.cfg.Dir, name)))
	}
	return err
}

func (r *run) startClusters(ctx context.Context, closing *closers) (err error) {
	closing.add(func() error { return closeAll(r.kafka, r.target) })
	if r.kafka, err = startCluster(ctx, r.cfg, "kafka", r.cfg.Brokers, r.proxy); err != nil {
		return err
	}
	r.target = r.kafka
	if r.cfg.OwnTarget {
		r.target, err = startCluster(ctx, r.cfg, "target", 1, r.proxy)
	}
	return err
}

func closeAll(clusters ...*cluster) (err error) {
	closed := map[*cluster]bool{nil: true}
	for _, k := range clusters {
		if !closed[k] {
			err = errors.Join(err, k.close())
		}
		closed[k] = true
	}
	return err
}

// createTopics creates the legacy topics and has the program create its own.
func (r *run) createTopics(ctx context.Context) error {
	if err := r.kafka.createLegacy(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if out, err := program(ctx, r.binary, "topics", "create", "--config", r.direct).CombinedOutput(); err != nil {
		return fmt.Errorf("topics create: %w: %s", err, bytes.TrimSpace(out))
	}
	return r.target.stampSlim(ctx)
}

func (r *run) directory() string { return filepath.Join(r.cfg.Dir, "directory.json") }

func clientOf(number int) string { return fmt.Sprintf("chaos-%d", number) }

func (r *run) newInstance(number int) (*instance, error) {
	dir := filepath.Join(r.cfg.Dir, fmt.Sprintf("instance-%d", number))
	in := &instance{number: number, dir: dir, config: filepath.Join(dir, "bridge.yaml"), log: filepath.Join(dir, "log"), r: r}
	proxied := places{r.kafka.proxied(), r.target.proxied(), r.cfg.Brokers}
	return in, writeFile(in.config, configFile(proxied, clientOf(number), in.stateDir(), r.directory()))
}

// start starts instances, writer and watch, and waits for the first slim records.
func (r *run) start(ctx context.Context, closing *closers) error {
	for i := range r.cfg.Instances {
		in, err := r.newInstance(i + 1)
		if err != nil {
			return err
		}
		if i == 0 && r.cfg.SmallDisk {
			if in.disk, err = mountDisk(in.stateDir()); err != nil {
				return err
			}
			closing.add(in.disk.unmount)
		}
		in.begin(ctx)
		r.instances = append(r.instances, in)
		closing.add(func() error { in.cancel(); <-in.over; return nil })
	}
	r.writer = startWriter(ctx, r.kafka.client, r.cfg)
	closing.add(func() error { r.writer.once.Do(func() { close(r.writer.stop) }); <-r.writer.done; return nil })
	r.watch = startWatch(ctx, r)
	closing.add(func() error { r.summary.LongestStall = seconds(r.watch.end()); return nil })
	r.gauge = startGauge(ctx, r)
	closing.add(func() error { r.summary.Memory = r.gauge.end(); return nil })
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
