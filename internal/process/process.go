// Package process runs a program as a child and measures what it takes: memory while it runs, processor time.
//
// What belongs here: starting, measuring and ending a process of one's own. What does not: what the process is.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a child, whose memory is looked at while it runs. It ends with this process (on Linux).
type Process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended

	mu        sync.Mutex
	now, peak float64 // resident memory, MiB
}

// Start starts a command with its output in a file or buffer, and samples its memory until it ends.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, done: make(chan struct{})}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this program alone
	endWithParent(cmd.SysProcAttr)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait() // ProcessState has it
		close(p.done)
	}()
	go p.sample()
	return p, nil
}

func (p *Process) sample() {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		now, peak, err := residentMemory(p.cmd.Process.Pid)
		if err == nil {
			p.mu.Lock()
			p.now, p.peak = now, max(p.peak, peak)
			p.mu.Unlock()
		}
		select {
		case <-p.done:
			return
		case <-tick.C:
		}
	}
}

// Memory is the resident memory now, and its peak so far, in MiB.
func (p *Process) Memory() (now, peak float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now, p.peak
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// PID is the id of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// State is how the process ended, nil before it has.
func (p *Process) State() *os.ProcessState { return p.cmd.ProcessState }

// residentMemory reads VmRSS and VmHWM.
func residentMemory(pid int) (now, peak float64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(b)) {
		name, rest, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
		switch name {
		case "VmRSS":
			now = kib / 1024
		case "VmHWM":
			peak = kib / 1024
		}
	}
	if peak == 0 {
		return 0, 0, errors.New("no VmHWM")
	}
	return now, peak, nil
}

// CPU is the processor time of a process that has ended.
func (p *Process) CPU() time.Duration {
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// End asks the process to end, and waits for it.
func (p *Process) End(ctx context.Context) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("ended with %s", p.cmd.ProcessState)
	}
	return nil
}

// Kill ends the process if it still runs.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// FolderMiB is the size of all files below a folder, of which some may be removed meanwhile.
func FolderMiB(dir string) float64 {
	var sum int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return nil
	})
	return float64(sum) / (1 << 20)
}

// LastLine is the last one of a file.
func LastLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(lines[len(lines)-1])
}

// CPUOf is the processor time that a process has used so far, wherever it comes from (on Linux).
func CPUOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return cpuIn(string(text))
}

func cpuIn(stat string) (time.Duration, error) {
	const tick = time.Second / 100 // as Linux tells programs on all architectures that Go knows
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, errors.New("no processor time in /proc/PID/stat")
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, errors.Join(err1, err2)
}
