package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// Bounds on how long an instance may take to end. They leave room for a machine with much else to do.
const (
	killTakes = 10 * time.Second
	stopTakes = stopTimeout + 20*time.Second // cutting connections takes some more
	// A zombie finds out at its first look at the clock, and then everything that it had in hand is given up.
	zombieTakes = time.Minute
)

// apply does a fault, from its beginning to its end.
func (r *run) apply(ctx context.Context, f Fault) error {
	if f.Settled {
		r.watch.progress(ctx)
		r.awaitWork(ctx, f)
	}
	if !pause(ctx, f.Before) {
		return ctx.Err()
	}
	done := map[Kind]func(context.Context, Fault) error{
		Kill: r.kill, Wipe: r.kill, Pause: r.pause, Rolling: r.rolling, Scale: r.scale,
		Broker: r.broker, Cut: r.cut, Delay: r.delay, Stall: r.stall, Half: r.half, Limit: r.limit,
		Full: r.full, Leader: r.leader, Away: r.away,
	}[f.Kind]
	if err := done(ctx, f); err != nil {
		return fmt.Errorf("%s: %w", f.Kind, err)
	}
	r.survived(f.Kind)
	return nil
}

// awaitWork waits for a while until the instances that a fault befalls take part: one that has nothing in hand loses
// nothing.
func (r *run) awaitWork(ctx context.Context, f Fault) {
	if !f.ofInstances() {
		return
	}
	limit := time.Now().Add(joinTakes)
	for _, in := range r.befallen(f) {
		for !r.kafka.hasMember(ctx, clientOf(in.number)) && time.Now().Before(limit) && !r.stopped() {
			if !pause(ctx, 300*time.Millisecond) {
				return
			}
		}
	}
}

const joinTakes = 45 * time.Second

// befallen are the instances that a fault is about.
func (r *run) befallen(f Fault) []*instance {
	if f.Instance < 0 {
		return r.instances
	}
	return r.instances[f.Instance : f.Instance+1]
}

// slowFor is how long acknowledgements are held up before a kill.
const slowFor = 3 * time.Second

func (r *run) kill(ctx context.Context, f Fault) error {
	if f.Slow > 0 {
		r.proxy.slow(f.Slow)
		pause(ctx, slowFor)
	}
	victims := r.befallen(f)
	for _, in := range victims {
		if _, err := in.end(ctx, os.Kill, killTakes); err != nil {
			return err
		}
	}
	r.proxy.slow(0)
	pause(ctx, f.For)
	for _, in := range victims {
		if f.Kind == Wipe {
			if err := in.wipe(); err != nil {
				return err
			}
		}
		if err := in.again(ctx); err != nil {
			return err
		}
	}
	return nil
}

// pause stops an instance for longer than its session. That it ends by itself, its supervisor sees.
func (r *run) pause(ctx context.Context, f Fault) error {
	in := r.instances[f.Instance]
	if err := r.awaitMember(ctx, in); err != nil { // one that has not begun has nothing to notice
		return err
	}
	p, err := in.live(ctx)
	if err != nil {
		return err
	}
	// The member may be that of the process before, which the brokers have not missed yet.
	if !r.awaitSaid(ctx, in, p.from, "bridge starts", backTakes) {
		return fmt.Errorf("%s has not begun within %s", in.name(), backTakes)
	}
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return ignoreEnded(err)
	}
	pause(ctx, f.For)
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		return ignoreEnded(err)
	}
	return r.awaitFenced(ctx, in, p, f.For)
}

// awaitFenced waits until an instance has found out that it was paused for too long:
// it says so, and builds itself anew or ends.
func (r *run) awaitFenced(ctx context.Context, in *instance, p *process, paused time.Duration) error {
	limit := time.NewTimer(zombieTakes)
	defer limit.Stop()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-p.done:
			return nil
		case <-look.C:
			if in.said(p, "stood still for") {
				return nil
			}
		case <-limit.C:
			return fmt.Errorf("%s was paused for %s and has not noticed within %s", in.name(), paused, zombieTakes)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func ignoreEnded(err error) error {
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

func (r *run) rolling(ctx context.Context, _ Fault) error {
	for _, in := range r.instances {
		if err := r.terminate(ctx, in); err != nil {
			return err
		}
		if err := in.again(ctx); err != nil {
			return err
		}
		r.watch.progress(ctx)
	}
	return nil
}

// terminate ends an instance in order. That it could not have everything acknowledged in time is a documented end.
func (r *run) terminate(ctx context.Context, in *instance) error {
	p, err := in.live(ctx)
	if err != nil {
		return err
	}
	state, err := in.end(ctx, syscall.SIGTERM, stopTakes)
	if err != nil {
		return err
	}
	switch state.ExitCode() {
	case 0:
		return nil
	case 1:
		line := in.lastLine(p)
		r.note("%s stopped with code 1: %s", in.name(), shorten(line, 300))
		r.selfEnded("after SIGTERM: "+reasonOf(line), line)
		return nil
	case -1: // SIGTERM before the program had a handler for it
		if s, ok := state.Sys().(syscall.WaitStatus); ok && s.Signal() == syscall.SIGTERM {
			return nil
		}
	case 2: // while it was starting
		if line := in.lastLine(p); reasonOf(line) != "other" || interrupted(line) {
			return nil
		}
	}
	return fmt.Errorf("%s ended with %s after SIGTERM: %s", in.name(), state, in.lastLine(p))
}

func (r *run) scale(ctx context.Context, f Fault) error {
	in, err := r.newInstance(len(r.instances) + 1)
	if err != nil {
		return err
	}
	in.begin(ctx)
	r.extra.Store(in)
	defer r.extra.Store(nil)
	pause(ctx, f.For)
	err = r.terminate(ctx, in)
	in.cancel()
	<-in.over
	return err
}

// electionTakes is for the other brokers to see that one has gone, and to lead in its place; then records have to come
// although it is away.
const electionTakes = 20 * time.Second

func (r *run) broker(ctx context.Context, f Fault) error {
	r.weather.begin()
	calm := r.weather.endOnce()
	defer calm()
	broker := max(f.Broker, 1)
	if err := r.kafka.kill(ctx, broker); err != nil {
		return err
	}
	if r.cfg.Brokers > 1 && f.For > electionTakes {
		pause(ctx, electionTakes)
		calm()
		pause(ctx, f.For-electionTakes)
	} else {
		pause(ctx, f.For)
	}
	return r.kafka.restart(ctx, broker)
}

// leader moves all leaders to one broker, the coordinators of the groups included, and may kill it then.
func (r *run) leader(ctx context.Context, f Fault) error {
	if err := r.kafka.lead(ctx, f.Broker); err != nil {
		return err
	}
	if f.For == 0 {
		return nil
	}
	return r.broker(ctx, f)
}

func (r *run) cut(context.Context, Fault) error {
	r.proxy.cut()
	return nil
}

func (r *run) delay(ctx context.Context, f Fault) error {
	r.weather.begin()
	defer r.weather.end()
	r.proxy.slow(f.Slow)
	pause(ctx, f.For)
	r.proxy.slow(0)
	return nil
}

func (r *run) stall(ctx context.Context, f Fault) error {
	r.weather.begin()
	defer r.weather.end()
	client := clientOf(r.instances[f.Instance].number)
	r.proxy.stall(client, true)
	pause(ctx, f.For)
	r.proxy.stall(client, false)
	return nil
}

func (r *run) half(ctx context.Context, f Fault) error {
	r.weather.begin()
	defer r.weather.end()
	client := ""
	if f.Instance >= 0 {
		client = clientOf(r.instances[f.Instance].number)
	}
	r.proxy.half(client, f.Requests)
	pause(ctx, f.For)
	r.note("%d connections are reset", r.proxy.heal())
	return nil
}

func (r *run) limit(ctx context.Context, f Fault) error {
	r.weather.begin()
	defer r.weather.end()
	r.proxy.limit(f.Rate)
	pause(ctx, f.For)
	r.proxy.limit(0)
	return nil
}

// Bounds on what an instance does about its disk.
const (
	fullTakes   = time.Minute     // to fail with a write, or not to start
	backTakes   = 3 * time.Minute // to work again: it may wait for a minute before it is built anew
	noSpace     = "no space left on device"
	fullPatient = 5 * time.Second // for a write to meet the full disk by itself
)

// full lets an instance write no more of its state, and then again. It has to say so, the others have to take its
// work over, and afterwards it has to take part again.
func (r *run) full(ctx context.Context, f Fault) error {
	in := r.instances[f.Instance]
	p, err := in.live(ctx)
	if err != nil {
		return err
	}
	if err := in.disk.fill(); err != nil {
		return err
	}
	in.diskFull.Store(true)
	err = r.awaitFull(ctx, in, p)
	pause(ctx, f.For)
	in.diskFull.Store(false)
	if err := errors.Join(err, in.disk.free()); err != nil {
		return err
	}
	return r.awaitMember(ctx, in)
}

// awaitFull waits until the instance has noticed. A store that has room in its log does not for long: it is started
// again then, on what it has.
func (r *run) awaitFull(ctx context.Context, in *instance, p *process) error {
	if r.awaitSaid(ctx, in, p.from, noSpace, fullPatient) {
		return nil
	}
	if _, err := in.end(ctx, os.Kill, killTakes); err != nil {
		return err
	}
	if err := in.again(ctx); err != nil {
		return err
	}
	if !r.awaitSaid(ctx, in, p.from, noSpace, fullTakes) {
		return fmt.Errorf("%s runs on a full disk and says nothing of it", in.name())
	}
	return nil
}

// awaitSaid tells whether an instance writes the words from some place of its log on.
func (r *run) awaitSaid(ctx context.Context, in *instance, from int64, words string, within time.Duration) bool {
	limit := time.Now().Add(within)
	for !in.saidSince(from, words) {
		if time.Now().After(limit) || !pause(ctx, 100*time.Millisecond) {
			return false
		}
	}
	return true
}

// awaitMember waits until the instance takes part in the work.
func (r *run) awaitMember(ctx context.Context, in *instance) error {
	limit := time.Now().Add(backTakes)
	for !r.kafka.hasMember(ctx, clientOf(in.number)) {
		if time.Now().After(limit) || !pause(ctx, 500*time.Millisecond) {
			return fmt.Errorf("%s does not take part again within %s", in.name(), backTakes)
		}
	}
	return nil
}

// away kills the target cluster and has it come back. Meanwhile memory must not grow with what cannot be written.
func (r *run) away(ctx context.Context, f Fault) error {
	r.weather.begin()
	r.gauge.enter(duringAway)
	r.note("before: %s", r.gauge.line(ctx))
	err := r.target.kill(ctx, 1)
	if err == nil {
		err = r.awayFor(ctx, f)
		err = errors.Join(err, r.target.restart(ctx, 1))
	}
	r.gauge.enter(afterAway)
	r.weather.end()
	if err != nil {
		return err
	}
	return r.gauge.bounded(r.cfg.MemoryBound)
}

func (r *run) awayFor(ctx context.Context, f Fault) error {
	interval, began := max(10*time.Second, f.For/30), time.Now()
	killed := !f.Crash
	for !r.stopped() {
		left := f.For - time.Since(began)
		if left <= 0 || !pause(ctx, min(interval, left)) {
			return nil
		}
		r.note("away: %s", r.gauge.line(ctx))
		if !killed && left < f.For/2 {
			killed = true
			if err := r.kill(ctx, Fault{Kind: Kill, Instance: f.Instance}); err != nil {
				return err
			}
		}
	}
	return nil
}

// interrupted tells whether a program says that a signal kept it from starting.
func interrupted(line string) bool {
	return strings.Contains(line, "interrupted") || strings.Contains(line, "context canceled")
}
