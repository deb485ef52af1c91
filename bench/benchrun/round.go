package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/ticketscloud/vibe-bridge/bench/steady"
	"github.com/ticketscloud/vibe-bridge/internal/process"
	"github.com/ticketscloud/vibe-bridge/verify"
)

const (
	lookEvery = 200 * time.Millisecond
	// quiet is how long nothing more may come out before a contestant is taken for done. What is missing then is found by
	// verify.
	quiet = 20 * time.Second
	// noOutput is how long it may take for the first record to come out.
	noOutput = 2 * time.Minute
	endLimit = time.Minute
)

// figures are those of one contestant in one round.
type figures struct {
	Contestant string  `json:"contestant"`
	Round      int     `json:"round"`
	Seconds    float64 `json:"seconds"`       // from the start of the process until 999 of 1000 slim records were out
	FirstOut   float64 `json:"first_seconds"` // to the first one
	Rate       float64 `json:"records_per_second"`
	CPU        float64 `json:"cpu_seconds"` // of the process, until then
	BrokerCPU  float64 `json:"broker_cpu_seconds"`
	PeakMiB    float64 `json:"peak_mib"`
	Written    int64   `json:"slim_records"`
	StateMiB   float64 `json:"state_mib"`
	DiskMiB    float64 `json:"topics_mib"` // of the topics that the contestant has written
	Verified   bool    `json:"verified"`   // clean, and in order

	seen []steady.Sample // at which something had come out
}

func (f *figures) who() string { return f.Contestant }

func (f *figures) String() string {
	checked := ""
	if f.Verified {
		checked = "; verified"
	}
	return fmt.Sprintf("%.1fs, %.0f records/s, %.1fs of processor time and %.1fs of the broker's, at most %.0f MiB, %d slim records%s",
		f.Seconds, f.Rate, f.CPU, f.BrokerCPU, f.PeakMiB, f.Written, checked)
}

// round has one contestant drain the legacy topics and, if that is asked for and the round counts, recover from them.
func (b *bench) round(ctx context.Context, c contestant, n int) (f *figures, again *recoveryFigures, err error) {
	p := newPlace(b, fmt.Sprintf("%s-%d", c.name, n))
	defer func() { err = errors.Join(err, b.remove(context.WithoutCancel(ctx), p)) }()
	if err := b.prepare(ctx, c, p); err != nil {
		return nil, nil, err
	}
	if f, err = b.drain(ctx, c, p, n); err != nil {
		return nil, nil, fmt.Errorf("%w; its log ends with: %s", err, process.LastLine(p.log()))
	}
	if f.DiskMiB, err = b.topicsMiB(ctx, p); err != nil {
		return nil, nil, err
	}
	f.StateMiB = process.FolderMiB(p.state())
	if c.whole {
		if err := b.verify(ctx, p, b.orders/2); err != nil {
			return nil, nil, err
		}
		f.Verified = true
	}
	if c.loaded && n > 0 && b.measures(recoveryName) {
		again, err = b.recovery(ctx, c, p, n, f.StateMiB)
	}
	return f, again, err
}

// prepare makes folder, configuration and topics of a deployment.
func (b *bench) prepare(ctx context.Context, c contestant, p *place) error {
	if err := b.settle(c, p); err != nil {
		return err
	}
	return b.createTopics(ctx, p)
}

// settle makes folder and configuration of an instance.
func (b *bench) settle(c contestant, p *place) error {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	return b.configure(p, c.config)
}

// createTopics creates the legacy topics of a place that has its own, and has the bridge create the others, for all
// contestants alike.
func (b *bench) createTopics(ctx context.Context, p *place) error {
	if p.legacy != "" {
		if err := b.createLegacy(ctx, p); err != nil {
			return err
		}
	}
	if err := b.command(ctx, b.program("vibe-bridge"), "topics", "create", "--config", p.config()); err != nil {
		return err
	}
	// Positions in different topics are compared by the time of appending.
	value := "LogAppendTime"
	altered, err := b.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "message.timestamp.type", Value: &value}}, p.slim()...)
	for _, a := range altered {
		err = errors.Join(err, a.Err)
	}
	return err
}

func (p *place) slim() []string {
	return []string{p.prefix + "events", p.prefix + "orders", p.prefix + "refunds"}
}

// owns tells whether a topic is of the place.
func (p *place) owns(topic string) bool {
	return strings.HasPrefix(topic, p.name+"-") || strings.HasPrefix(topic, p.prefix) || p.legacy != "" && strings.HasPrefix(topic, p.legacy)
}

func (b *bench) drain(ctx context.Context, c contestant, p *place, n int) (*figures, error) {
	broker, err := b.kafka.PID(1)
	if err != nil {
		return nil, err
	}
	before, err := process.CPUOf(broker)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	run, err := b.start(c, p)
	if err != nil {
		return nil, err
	}
	defer run.Kill()
	seen, last, err := b.follow(ctx, c, p, broker, run)
	if err != nil {
		return nil, err
	}
	drained := last
	if !c.ends {
		drained = drainedAt(seen)
	}
	seconds := drained.At.Sub(began).Seconds()
	_, peak := run.Memory()
	return &figures{
		Contestant: c.name, Round: n, Seconds: seconds, FirstOut: seen[0].At.Sub(began).Seconds(), Rate: float64(b.loaded) / seconds,
		CPU: drained.CPU.Seconds(), BrokerCPU: (drained.Broker - before).Seconds(), PeakMiB: peak, Written: int64(last.Written), seen: seen,
	}, nil
}

// follow looks at what comes out until nothing does any more, and ends the process then.
// seen is when something had come out.
func (b *bench) follow(ctx context.Context, c contestant, p *place, broker int, run *process.Process) (seen []steady.Sample, last steady.Sample, err error) {
	began := time.Now()
	last.At = began
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			return nil, last, ctx.Err()
		case <-run.Done():
			if ended = true; !c.ends || !run.State().Success() {
				return nil, last, fmt.Errorf("it ended with %s", run.State())
			}
		case <-tick.C:
		}
		now, err := b.look(ctx, p, broker, run, ended)
		if err != nil {
			return nil, last, err
		}
		switch {
		case ended:
			last = now
		case now.Written > last.Written:
			last = now
			seen = append(seen, now)
		case last.Written > 0 && !c.ends && now.At.Sub(last.At) > quiet:
			ended = true
		case last.Written == 0 && now.At.Sub(began) > p.patience():
			return nil, last, fmt.Errorf("nothing has come out within %s", p.patience())
		}
	}
	if !c.ends {
		ending, cancel := context.WithTimeout(ctx, endLimit)
		defer cancel()
		if err := run.End(ending); err != nil {
			return nil, last, err
		}
	}
	if len(seen) == 0 { // it ended before the second look
		seen = append(seen, last)
	}
	return seen, last, nil
}

// drainedAt is when 999 of 1000 slim records were out: some orders name a set that their event has not, and are held back
// for a minute by whoever does the whole job.
func drainedAt(seen []steady.Sample) steady.Sample {
	all := seen[len(seen)-1].Written
	return seen[slices.IndexFunc(seen, func(s steady.Sample) bool { return s.Written*1000 >= all*999 })]
}

func (b *bench) look(ctx context.Context, p *place, broker int, run *process.Process, ended bool) (s steady.Sample, err error) {
	s.At = time.Now()
	ends, err := b.admin.ListEndOffsets(ctx, p.slim()...)
	if err != nil {
		return s, err
	}
	ends.Each(func(o kadm.ListedOffset) { s.Written += float64(o.Offset) })
	if s.Broker, err = process.CPUOf(broker); err != nil {
		return s, err
	}
	if ended {
		s.CPU = run.CPU()
		return s, nil
	}
	if used, err := process.CPUOf(run.PID()); err == nil { // or it has just ended
		s.CPU = used
	}
	return s, nil
}

// verify holds the slim topics against the legacy ones. So many pairs of records at least have to be in order.
func (b *bench) verify(ctx context.Context, p *place, pairs int) error {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, b.program("vibe-bridge"), "verify", "--config", p.config(), "--json", "--grace", "1s")
	cmd.Env = append(os.Environ(), "GOGC=400") // nothing is measured now, and there is more memory than time
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	failed := cmd.Run()
	if err := os.WriteFile(filepath.Join(p.dir, "verify.json"), stdout.Bytes(), 0o600); err != nil {
		return err
	}
	var r verify.Report
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil || failed != nil {
		return fmt.Errorf("verify: %v: %s", failed, lastOf(stderr.String()))
	}
	if !r.Clean || !r.Ordering.Comparable || r.Ordering.Checked < pairs {
		return fmt.Errorf("verify: clean %t; positions comparable %t (%s), %d pairs in order", r.Clean, r.Ordering.Comparable, r.Ordering.Why, r.Ordering.Checked)
	}
	return nil
}

// topicsMiB is the size on the broker's disk of what the contestant has written.
func (b *bench) topicsMiB(ctx context.Context, p *place) (float64, error) {
	dirs, err := b.admin.DescribeAllLogDirs(ctx, nil)
	if err != nil {
		return 0, err
	}
	sum := int64(0)
	dirs.Each(func(d kadm.DescribedLogDir) {
		err = errors.Join(err, d.Err)
		for topic, partitions := range d.Topics {
			for _, part := range partitions {
				if p.owns(topic) {
					sum += part.Size
				}
			}
		}
	})
	return float64(sum) / (1 << 20), err
}

// remove makes room for the next contestant.
func (b *bench) remove(ctx context.Context, p *place) error {
	listed, err := b.admin.ListTopics(ctx)
	if err != nil {
		return err
	}
	var own []string
	for topic := range listed {
		if p.owns(topic) {
			own = append(own, topic)
		}
	}
	deleted, err := b.admin.DeleteTopics(ctx, own...)
	for _, d := range deleted {
		err = errors.Join(err, d.Err)
	}
	return errors.Join(err, os.RemoveAll(p.state()), os.RemoveAll(p.twin().state()))
}
