package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/internal/process"
)

// instance is a process of the comparison.
type instance struct {
	cmd     *exec.Cmd
	ended   chan struct{}
	address string
	log     string // its file
	state   string
}

func (b *bench) start(ctx context.Context, path, name string, n int) (*instance, error) {
	in := &instance{ended: make(chan struct{}), log: filepath.Join(b.dir, fmt.Sprintf("%s-%d.log", name, n)), state: filepath.Join(b.dir, fmt.Sprintf("%s-%d", name, n))}
	listener, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free
	if err != nil {
		return nil, err
	}
	in.address = listener.Addr().String()
	if err := listener.Close(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(in.state, 0o700); err != nil {
		return nil, err
	}
	log, err := os.Create(in.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	in.cmd = exec.CommandContext(ctx, b.binary, "compare", "run", "--config", path, "--create-topics", "--state-dir", in.state, "--listen", in.address)
	in.cmd.Stdout, in.cmd.Stderr = log, log
	in.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this program alone
	in.cmd.Cancel = func() error { return in.cmd.Process.Signal(syscall.SIGTERM) }
	in.cmd.WaitDelay = time.Minute
	if err := in.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = in.cmd.Wait() // ProcessState has it
		close(in.ended)
	}()
	return in, nil
}

// answer is what the instance says; "" while it says nothing.
func (in *instance) answer(ctx context.Context, path string) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+in.address+path, nil)
	if err != nil {
		return ""
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return ""
	}
	return string(text)
}

// measure runs a new deployment with n instances until all is judged.
func (b *bench) measure(ctx context.Context, n int) (f *figures, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	name := "scale" + strconv.Itoa(n)
	path, err := b.configure(name)
	if err != nil {
		return nil, err
	}
	broker, err := b.kafka.PID(1)
	if err != nil {
		return nil, err
	}
	brokerBefore, err := cpuSeconds(broker)
	if err != nil {
		return nil, err
	}
	f = &figures{n: n, records: b.records}
	began := time.Now()
	var all []*instance
	defer func() {
		cancel()
		for _, in := range all {
			<-in.ended
		}
	}()
	for i := range n {
		in, err := b.start(ctx, path, name, i)
		if err != nil {
			return nil, err
		}
		all = append(all, in)
		// The first one creates the topics.
		if err := until(ctx, all, "answers", func() bool { return in.answer(ctx, "/healthz") != "" }); err != nil {
			return nil, err
		}
	}
	if err := until(ctx, all, "has taken everything", func() bool { return metric(all[0].answer(ctx, "/metrics"), "horizon_age_seconds") >= 0 }); err != nil {
		return nil, err
	}
	f.taken = time.Since(began).Seconds()
	for _, in := range all {
		used, err := cpuSeconds(in.cmd.Process.Pid)
		if err != nil {
			return nil, err
		}
		f.cpu += used
	}
	brokerNow, err := cpuSeconds(broker)
	if err != nil {
		return nil, err
	}
	f.brokerCPU = brokerNow - brokerBefore
	report := &compare.Report{}
	if err := until(ctx, all, "has judged everything", func() bool {
		for _, in := range all {
			f.judged = max(f.judged, metric(in.answer(ctx, "/metrics"), "audit_duration_seconds"))
		}
		return json.Unmarshal([]byte(all[0].answer(ctx, "/report")), report) == nil && f.judged > 0
	}); err != nil {
		return nil, err
	}
	for _, s := range report.Streams {
		f.entities += s.Entities
		if s.Coverage != 1 || s.Different > 0 || s.Equal == 0 {
			return nil, fmt.Errorf("the season is flawless, and of %s %d differ, coverage %v", s.Stream, s.Different, s.Coverage)
		}
	}
	if f.topics, err = b.topicsMiB(ctx, name+"-compare-"); err != nil {
		return nil, err
	}
	for _, in := range all {
		if err := in.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return nil, err
		}
	}
	for _, in := range all {
		<-in.ended
		if in.cmd.ProcessState.ExitCode() != 0 {
			return nil, fmt.Errorf("an instance ended with %s: %s", in.cmd.ProcessState, lastLine(in.log))
		}
		peak := 0.0
		if usage, ok := in.cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			peak = float64(usage.Maxrss) / 1024 // of KiB, on Linux
		}
		f.peaks = append(f.peaks, peak)
		size, err := folderMiB(in.state)
		if err != nil {
			return nil, err
		}
		f.state += size
	}
	return f, nil
}

// until waits for a condition, as long as all instances run.
func until(ctx context.Context, all []*instance, what string, condition func() bool) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		for _, in := range all {
			select {
			case <-in.ended:
				return fmt.Errorf("an instance ended before it %s: %s", what, lastLine(in.log))
			default:
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("before it %s: %w", what, ctx.Err())
		}
	}
	return nil
}

// metric is the value of one without labels; -1 when the text does not have it.
func metric(text, name string) float64 {
	found := regexp.MustCompile(`(?m)^vibe_bridge_compare_` + name + ` (\S+)$`).FindStringSubmatch(text)
	if found == nil {
		return -1
	}
	v, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		return -1
	}
	return v
}

// cpuSeconds is the processor time that a process has used.
func cpuSeconds(pid int) (float64, error) {
	used, err := process.CPUOf(pid)
	return used.Seconds(), err
}

// topicsMiB is the size on the broker's disk of the topics that begin so.
func (b *bench) topicsMiB(ctx context.Context, prefix string) (float64, error) {
	dirs, err := kadm.NewClient(b.client).DescribeAllLogDirs(ctx, nil)
	if err != nil {
		return 0, err
	}
	sum := int64(0)
	dirs.Each(func(d kadm.DescribedLogDir) {
		err = errors.Join(err, d.Err)
		for topic, partitions := range d.Topics {
			for _, p := range partitions {
				if strings.HasPrefix(topic, prefix) {
					sum += p.Size
				}
			}
		}
	})
	return float64(sum) / (1 << 20), err
}

func folderMiB(dir string) (float64, error) {
	sum := int64(0)
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return float64(sum) / (1 << 20), err
}

func lastLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(lines[len(lines)-1])
}
