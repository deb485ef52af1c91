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
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// process is one life of an instance.
type process struct {
	cmd   *exec.Cmd
	meant atomic.Bool   // this program ends it
	done  chan struct{} // closed when it has ended
	from  int64         // where its lines begin in the log
	calm  bool          // Kafka was in reach all the time up to now
}

// instance is a state folder, a configuration, and a process that is started again whenever it ends, as systemd would.
//
//	launch ──▶ lives ──(ended by the run)──▶ rests ──(resume)──▶ launch
//	             └──(ended by itself, code 1)──(a moment)──▶ launch
type instance struct {
	number      int
	dir, config string
	log         string
	r           *run
	disk        *disk       // of its state; nil: an ordinary folder
	diskFull    atomic.Bool // it may say so, and end

	cancel context.CancelFunc
	over   chan struct{} // closed when nothing starts it any more
	resume chan struct{}

	lastEnd string // what it said when it last ended by itself; for its supervisor alone

	mu   sync.Mutex
	proc *process // nil before the first
}

func (in *instance) name() string { return fmt.Sprintf("instance %d", in.number) }

// begin starts the instance and what supervises it.
func (in *instance) begin(ctx context.Context) {
	ctx, in.cancel = context.WithCancel(ctx)
	in.over, in.resume = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(in.over)
		if err := in.supervise(ctx); err != nil && ctx.Err() == nil {
			in.r.fail(fmt.Errorf("%s: %w", in.name(), err))
		}
	}()
}

const restartPause = time.Second

func (in *instance) supervise(ctx context.Context) error {
	for {
		p, err := in.launch()
		if err != nil {
			return err
		}
		select {
		case <-p.done:
		case <-ctx.Done():
			p.meant.Store(true)
			_ = p.cmd.Process.Kill() // it may have ended by itself
			<-p.done
			return nil
		}
		if p.meant.Load() {
			select {
			case <-in.resume:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if err := in.endedByItself(p); err != nil {
			return err
		}
		if !pause(ctx, restartPause) {
			return nil
		}
	}
}

func (in *instance) launch() (*process, error) {
	log, err := os.OpenFile(in.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	at, err := log.Seek(0, 2)
	if err != nil {
		return nil, err
	}
	p := &process{done: make(chan struct{}), from: at, calm: !in.r.weather.rough()}
	p.cmd = program(context.Background(), in.r.binary, "run", "--config", in.config)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this program alone
	endWithParent(p.cmd.SysProcAttr)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	in.mu.Lock()
	in.proc = p
	in.mu.Unlock()
	go func() {
		_ = p.cmd.Wait() // ProcessState has it
		close(p.done)
	}()
	return p, nil
}

// endedByItself counts the end, and is an error when it is none that is documented: 1 says that it failed
// while running and wants to be started again; 2, that it could not start, is right only while Kafka is out of reach.
func (in *instance) endedByItself(p *process) error {
	code, line := p.cmd.ProcessState.ExitCode(), in.lastLine(p)
	unreachable := code == 2 && (!p.calm || in.r.weather.rough())
	full := strings.Contains(line, noSpace)
	if in.lastEnd != line { // one that cannot start says the same every second
		in.r.note("%s ended by itself with code %d: %s", in.name(), code, shorten(line, 300))
		in.lastEnd = line
	}
	if code != 1 && !unreachable && !(full && code == 2) {
		return fmt.Errorf("ended with %s: %s", p.cmd.ProcessState, line)
	}
	reason := reasonOf(line)
	if unreachable && !full {
		reason = "start while Kafka was out of reach (code 2)"
	}
	in.r.selfEnded(reason, line)
	return nil
}

// reasons are words by which errors of the bridge are told apart.
var reasons = []struct{ words, reason string }{
	{"this instance stood still", "paused for too long (G3)"},
	{"another instance wrote", "another instance wrote (G1)"},
	{"had to give its partitions up", "could not give partitions up in time (G4)"},
	{"ended before everything was acknowledged", "stop timeout"},
	{noSpace, "state disk full"},
	{"connection refused", "Kafka out of reach"},
	{"connection reset by peer", "Kafka out of reach"},
	{"EOF", "Kafka out of reach"},
	{"run out of available brokers", "Kafka out of reach"},
	{"i/o timeout", "Kafka out of reach"},
}

func reasonOf(line string) string {
	for _, r := range reasons {
		if strings.Contains(line, r.words) {
			return r.reason
		}
	}
	return "other"
}

// said tells whether the process wrote the words.
func (in *instance) said(p *process, words string) bool { return in.saidSince(p.from, words) }

func (in *instance) saidSince(from int64, words string) bool {
	b, err := readFrom(in.log, from)
	return err == nil && bytes.Contains(b, []byte(words))
}

// lastLine is the last one that the process wrote.
func (in *instance) lastLine(p *process) string {
	b, err := readFrom(in.log, p.from)
	if err != nil {
		return "its log cannot be read"
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(lines[len(lines)-1])
}

// readFrom reads a file from some place on.
func readFrom(path string, from int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}

func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

// live returns the present process, waiting for it while the instance is being started again.
func (in *instance) live(ctx context.Context) (*process, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		if p := in.alive(); p != nil {
			return p, nil
		}
		if !pause(ctx, 50*time.Millisecond) {
			return nil, fmt.Errorf("%s does not run", in.name())
		}
	}
}

// alive is the present process, nil when there is none.
func (in *instance) alive() *process {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.proc == nil {
		return nil
	}
	select {
	case <-in.proc.done:
		return nil
	default:
		return in.proc
	}
}

// end ends the present process with a signal and returns how it ended. It rests then.
func (in *instance) end(ctx context.Context, s os.Signal, within time.Duration) (*os.ProcessState, error) {
	p, err := in.live(ctx)
	if err != nil {
		return nil, err
	}
	p.meant.Store(true)
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return nil, fmt.Errorf("%s: %w", in.name(), err)
	}
	limit := time.NewTimer(within)
	defer limit.Stop()
	select {
	case <-p.done:
		return p.cmd.ProcessState, nil
	case <-limit.C:
		return nil, fmt.Errorf("%s did not end within %s of %v", in.name(), within, s)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// again starts an instance that rests. One that had ended by itself a moment before it was to be ended is being
// started anyway.
func (in *instance) again(ctx context.Context) error {
	select {
	case in.resume <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(5 * time.Second):
		if in.alive() != nil {
			return nil
		}
		return fmt.Errorf("%s is not started again", in.name())
	}
}

func (in *instance) stateDir() string { return filepath.Join(in.dir, "state") }

// wipe deletes what is in the state folder of an instance that rests.
func (in *instance) wipe() error {
	entries, err := os.ReadDir(in.stateDir())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(in.stateDir(), e.Name())))
	}
	return err
}

// pause is false when ctx ends before the time is over.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
