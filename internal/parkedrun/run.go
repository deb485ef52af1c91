package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/localkafka"
	"github.com/ticketscloud/vibe-bridge/internal/process"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
	"github.com/ticketscloud/vibe-bridge/verify"
)

// figures are what a run has measured. Memory is resident memory.
type figures struct {
	Orders        int     `json:"orders"`
	Refunds       int     `json:"refunds"`
	Legacy        int     `json:"legacy_records"`
	ParkSeconds   float64 `json:"park_seconds"` // from the start of the process
	ParkedMiB     float64 `json:"parked_rss_mib"`
	ParkedPeakMiB float64 `json:"parked_peak_rss_mib"`
	StateMiB      float64 `json:"state_mib"` // of the state folder, when all are parked
	FirstSeconds  float64 `json:"first_order_seconds"`
	ReleaseSecs   float64 `json:"release_seconds"` // from the event to the last record
	PeakMiB       float64 `json:"peak_rss_mib"`    // of the whole life of the process
	CPUSeconds    float64 `json:"cpu_seconds"`
	SlimOrders    int     `json:"slim_orders"`
	SlimRefunds   int     `json:"slim_refunds"`
	Ordered       int     `json:"order_checked"` // by verify, by position
	VerifySeconds float64 `json:"verify_seconds"`
	VerifyPeakMiB float64 `json:"verify_peak_rss_mib"`
}

func (f *figures) print(w io.Writer) {
	rate := func(n int, seconds float64) float64 { return float64(n) / max(seconds, 0.001) }
	fmt.Fprintf(w, "%d orders and %d refunds (%d legacy records)\n", f.Orders, f.Refunds, f.Legacy)
	fmt.Fprintf(w, "  parked in     %.0fs (%.0f records/s); memory %.0f MiB, at most %.0f MiB; state folder %.0f MiB\n",
		f.ParkSeconds, rate(f.Legacy, f.ParkSeconds), f.ParkedMiB, f.ParkedPeakMiB, f.StateMiB)
	fmt.Fprintf(w, "  released in   %.0fs (%.0f orders/s), the first after %.1fs; memory at most %.0f MiB; %.0fs of processor time in all\n",
		f.ReleaseSecs, rate(f.Orders, f.ReleaseSecs), f.FirstSeconds, f.PeakMiB, f.CPUSeconds)
	fmt.Fprintf(w, "  slim topics   %d orders and %d refunds, each exactly once and in order\n", f.SlimOrders, f.SlimRefunds)
	fmt.Fprintf(w, "  verify        no findings, %d pairs in order, in %.0fs; memory at most %.0f MiB\n", f.Ordered, f.VerifySeconds, f.VerifyPeakMiB)
}

const (
	deployment       = "parked"
	gatePartitions   = 4
	legacyPartitions = 3
)

// parkRun is one run with one number of orders.
type parkRun struct {
	orders int
	seed   uint64
	limit  time.Duration
	dir    string
	binary string
	out    io.Writer
	began  time.Time

	topics processors.Topics
	addr   string
	admin  *kadm.Client
	admins kafka.Admins
	load   *writer
	bridge *process.Process
	f      figures
}

// park does a run. The figures are what there is also when an error says why it failed.
func park(ctx context.Context, c config, binary string, orders int, out io.Writer) (f *figures, err error) {
	r := &parkRun{orders: orders, seed: c.seed, limit: c.limit, dir: filepath.Join(c.dir, fmt.Sprintf("orders-%d", orders)), binary: binary, out: out, began: time.Now()}
	r.topics = processors.NewTopics(deployment, [4]string{
		mapping.Partners: season.TopicPartners, mapping.Events: season.TopicEvents, mapping.Orders: season.TopicOrders, mapping.Refunds: season.TopicRefunds,
	}, "slim-events", "slim-orders", "slim-refunds")
	r.f = figures{Orders: orders, Refunds: r.refundCount()}
	if err := os.RemoveAll(r.dir); err != nil {
		return &r.f, err
	}
	cluster := localkafka.Instance{Dir: filepath.Join(r.dir, "kafka")}
	addrs, err := cluster.Start(ctx, c.root, localkafka.Options{Bound: true})
	if err != nil {
		return &r.f, err
	}
	defer func() { err = errors.Join(err, cluster.Stop(15*time.Second)) }()
	r.addr = addrs[0]
	client, err := kgo.NewClient(kgo.SeedBrokers(r.addr), kgo.ClientID("parked-writer"), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.ProducerLinger(20*time.Millisecond))
	if err != nil {
		return &r.f, err
	}
	defer client.Close()
	r.load, r.admin = &writer{client: client}, kadm.NewClient(client)
	return &r.f, r.whole(ctx)
}

func (r *parkRun) whole(ctx context.Context) error {
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"create topics", r.createTopics}, {"write orders", r.writeOrders}, {"park", r.untilParked},
		{"count what is parked", r.countParked}, {"write the event", r.writeEvent}, {"release", r.untilReleased},
		{"end the bridge", r.endBridge}, {"check the slim topics", r.checkSlim}, {"verify", r.verify},
	} {
		began := time.Now()
		inner, cancel := context.WithTimeoutCause(ctx, r.limit, fmt.Errorf("not done within %s", r.limit))
		err := part.do(inner)
		if cause := context.Cause(inner); err != nil && cause != nil {
			err = errors.Join(cause, err)
		}
		cancel()
		if err != nil {
			if r.bridge != nil {
				r.bridge.Kill()
			}
			return fmt.Errorf("%s: %w", part.name, err)
		}
		r.note("%s: %.1fs", part.name, time.Since(began).Seconds())
	}
	return nil
}

func (r *parkRun) note(format string, args ...any) {
	fmt.Fprintf(r.out, "%7.1fs  %s\n", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
}

func (r *parkRun) configPath() string { return filepath.Join(r.dir, "bridge.yaml") }
func (r *parkRun) logPath() string    { return filepath.Join(r.dir, "log") }
func (r *parkRun) statePath() string  { return filepath.Join(r.dir, "state") }

func (r *parkRun) createTopics(ctx context.Context) error {
	text := fmt.Sprintf(`name: %s
source: {brokers: [%q]}
target: {brokers: [%q]}
state_dir: %q
partitions: %d
replication: 1
min_insync: 1
slim: {prefix: slim-, partitions: 1}
http: {listen: ""}
log: {level: info, format: text}
`, deployment, r.addr, r.addr, r.statePath(), gatePartitions)
	if err := os.WriteFile(r.configPath(), []byte(text), 0o644); err != nil {
		return err
	}
	created, err := r.admin.CreateTopics(ctx, legacyPartitions, 1, nil, season.TopicPartners, season.TopicEvents, season.TopicOrders, season.TopicRefunds)
	if err == nil {
		err = created.Error()
	}
	if err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, r.binary, "topics", "create", "--config", r.configPath()).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	// Positions in different topics are compared by the time of appending.
	value := "LogAppendTime"
	altered, err := r.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "message.timestamp.type", Value: &value}},
		r.topics.Slim[mapping.Events], r.topics.Slim[mapping.Orders], r.topics.Slim[mapping.Refunds])
	for _, a := range altered {
		err = errors.Join(err, a.Err)
	}
	return err
}

func (r *parkRun) cluster() kafka.Cluster {
	return kafka.Cluster{Brokers: []string{r.addr}, Replication: 1}.WithDefaults()
}

const (
	pollEvery = 500 * time.Millisecond
	lineEvery = 10 * time.Second
	// mostFailures of reading the lag, one after the other.
	mostFailures = 20
)

// untilParked starts the bridge and waits until nothing is on its way.
func (r *parkRun) untilParked(ctx context.Context) error {
	log, err := os.Create(r.logPath())
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(r.binary, "run", "--config", r.configPath())
	cmd.Stdout, cmd.Stderr = log, log
	if r.bridge, err = process.Start(cmd); err != nil {
		return err
	}
	began := time.Now()
	err = r.untilQuiet(ctx, func(lag processors.Lag) string {
		read := r.load.written - int(lag.Legacy)
		return fmt.Sprintf("read %d of %d legacy records (%.0f/s)", read, r.load.written, float64(read)/time.Since(began).Seconds())
	})
	r.f.Legacy, r.f.ParkSeconds = r.load.written, seconds(time.Since(began))
	r.f.ParkedMiB, r.f.ParkedPeakMiB = r.bridge.Memory()
	r.f.StateMiB = process.FolderMiB(r.statePath())
	return err
}

// untilQuiet waits until no group has anything to read twice running, and tells how it goes.
func (r *parkRun) untilQuiet(ctx context.Context, line func(processors.Lag) string) error {
	if r.admins == nil {
		admins, _, err := processors.OpenAdmins(r.cluster(), r.cluster(), r.cluster()) // they end with the program
		if err != nil {
			return err
		}
		r.admins = admins
	}
	last, told, failures := processors.Lag{Ends: -1}, time.Now(), 0
	for {
		lag, err := processors.ReadLag(r.admins, r.topics)
		switch {
		case err != nil: // a coordinator may be loading, or a broker busy, for a moment
			if failures++; failures == mostFailures {
				return err
			}
			lag = last
		case lag.Records == 0 && lag == last:
			return nil
		default:
			failures = 0
		}
		if last = lag; time.Since(told) >= lineEvery {
			told = time.Now()
			now, peak := r.bridge.Memory()
			r.note("%s; on the way %d; memory %.0f MiB, at most %.0f; state %.0f MiB", line(lag), lag.Records, now, peak, process.FolderMiB(r.statePath()))
		}
		if !r.wait(ctx) {
			return errors.Join(context.Cause(ctx), r.ended())
		}
	}
}

// wait waits for the next look. It is false when there will be none.
func (r *parkRun) wait(ctx context.Context) bool {
	select {
	case <-r.bridge.Done():
		return false
	default:
		return pause(ctx, pollEvery)
	}
}

// ended tells of a bridge that does not run any more.
func (r *parkRun) ended() error {
	select {
	case <-r.bridge.Done():
		return fmt.Errorf("the bridge ended with %s: %s", r.bridge.State(), process.LastLine(r.logPath()))
	default:
		return nil
	}
}

// countParked counts the rows that wait, by reason, in the gate's table.
func (r *parkRun) countParked(ctx context.Context) error {
	waits := map[string]mapping.WaitReason{}
	var broken error
	err := r.cluster().Read(ctx, string(r.topics.Tables()[1]), func(rec *kgo.Record) {
		row, err := mapping.DecodeRow(rec.Value)
		if err != nil {
			broken = err
			return
		}
		waits[string(rec.Key)], _, _, _ = mapping.WaitingOf(row)
	})
	if err = errors.Join(err, broken); err != nil {
		return err
	}
	counts := map[mapping.WaitReason]int{}
	for _, reason := range waits {
		counts[reason]++
	}
	if counts[mapping.WaitEvent] != r.orders || counts[mapping.WaitOrder] != r.f.Refunds {
		return fmt.Errorf("%d orders wait for the event, and %d refunds for their orders; want %d and %d", counts[mapping.WaitEvent], counts[mapping.WaitOrder], r.orders, r.f.Refunds)
	}
	if n, err := r.slimOrders(ctx); err != nil || n != 0 {
		return fmt.Errorf("%d slim orders before their event (%v)", n, err)
	}
	return nil
}

func (r *parkRun) slimOrders(ctx context.Context) (int, error) {
	topic := r.topics.Slim[mapping.Orders]
	ends, err := r.admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	end, _ := ends.Lookup(topic, 0)
	return int(end.Offset), err
}

// untilReleased waits until all that waited is there.
func (r *parkRun) untilReleased(ctx context.Context) error {
	began, told, before, first := time.Now(), time.Now(), 0, time.Duration(0)
	for {
		n, err := r.slimOrders(ctx)
		if err != nil {
			return err
		}
		if n > 0 && first == 0 {
			first = time.Since(began)
		}
		if n >= r.orders {
			break
		}
		if since := time.Since(told); since >= lineEvery {
			rate := float64(n-before) / since.Seconds()
			now, peak := r.bridge.Memory()
			r.note("released %d of %d (%.0f/s); %s left; memory %.0f MiB, at most %.0f; state %.0f MiB", n, r.orders, rate, eta(r.orders-n, rate), now, peak, process.FolderMiB(r.statePath()))
			told, before = time.Now(), n
		}
		if !r.wait(ctx) {
			return errors.Join(context.Cause(ctx), r.ended(), fmt.Errorf("%d of %d orders are released", n, r.orders))
		}
	}
	r.f.FirstSeconds = seconds(first)
	err := r.untilQuiet(ctx, func(processors.Lag) string { return "all orders are released; refunds follow" })
	r.f.ReleaseSecs = seconds(time.Since(began))
	return err
}

func eta(left int, rate float64) string {
	if rate <= 0 {
		return "unknown time"
	}
	return time.Duration(float64(left) / rate * float64(time.Second)).Round(time.Second).String()
}

func (r *parkRun) endBridge(ctx context.Context) error {
	err := r.bridge.End(ctx)
	_, r.f.PeakMiB = r.bridge.Memory()
	r.f.CPUSeconds = seconds(r.bridge.CPU())
	if err != nil {
		return fmt.Errorf("%w: %s", err, process.LastLine(r.logPath()))
	}
	return nil
}

func (r *parkRun) verify(ctx context.Context) error {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(r.binary, "verify", "--json", "--config", r.configPath(), "--examples", "5")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	p, err := process.Start(cmd)
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		p.Kill()
	}
	r.f.VerifySeconds = seconds(time.Since(began))
	_, r.f.VerifyPeakMiB = p.Memory()
	if err := os.WriteFile(filepath.Join(r.dir, "verify.json"), stdout.Bytes(), 0o644); err != nil {
		return err
	}
	var report verify.Report
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil || !p.State().Success() {
		return fmt.Errorf("%s: %s", p.State(), strings.TrimSpace(stderr.String()))
	}
	r.f.Ordered = report.Ordering.Checked
	if want := r.orders + r.f.Refunds; !report.Clean || !report.Ordering.Comparable || r.f.Ordered < want {
		return fmt.Errorf("clean %t, positions comparable %t (%s), %d pairs in order; want %d", report.Clean, report.Ordering.Comparable, report.Ordering.Why, r.f.Ordered, want)
	}
	return nil
}

func seconds(d time.Duration) float64 { return d.Round(100 * time.Millisecond).Seconds() }

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
