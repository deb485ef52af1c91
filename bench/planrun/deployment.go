package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/bench/steady"
	"github.com/ticketscloud/vibe-bridge/internal/process"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/verify"
)

// deployment is a bridge with legacy topics, slim topics and a folder of its own.
type deployment struct {
	b          *bench
	name       string
	season     season.Config
	partitions int    // of internal topics
	more       string // lines of the configuration
}

var legacyTopics = []string{season.TopicPartners, season.TopicEvents, season.TopicOrders, season.TopicRefunds}

func (d *deployment) folder() string             { return filepath.Join(d.b.dir, d.name) }
func (d *deployment) state() string              { return filepath.Join(d.folder(), "state") } // of the first instance
func (d *deployment) config() string             { return filepath.Join(d.folder(), "bridge.yaml") }
func (d *deployment) legacy(topic string) string { return "legacy-" + d.name + "-" + topic }

// Names of what the deployment has written begin so. None is the beginning of another deployment's.
func (d *deployment) internalPrefix() string { return d.name + "-" }
func (d *deployment) slimPrefix() string     { return "slim-" + d.name + "-" }

func (d *deployment) slim() []string {
	return []string{d.slimPrefix() + "events", d.slimPrefix() + "orders", d.slimPrefix() + "refunds"}
}

func (d *deployment) tables() []string {
	return []string{d.name + "-gate-table", d.name + "-organizers-table"}
}

func (d *deployment) groups() (all []string) {
	for _, g := range []string{"intake-partners", "intake-events", "intake-orders", "intake-refunds", "organizers", "gate"} {
		all = append(all, d.name+"-"+g)
	}
	return all
}

// create makes folder, configuration and all topics.
func (d *deployment) create(ctx context.Context) error {
	if err := os.MkdirAll(d.folder(), 0o700); err != nil {
		return err
	}
	directory := filepath.Join(d.folder(), "directory.json")
	if err := os.WriteFile(directory, season.Directory(d.season), 0o600); err != nil {
		return err
	}
	text := fmt.Sprintf(`name: %s
source: {brokers: [%q]}
topics: {partners: %s, events: %s, orders: %s, refunds: %s}
slim: {prefix: %q, partitions: 1}
partitions: %d
replication: 1
min_insync: 1
directory_file: %q
session_timeout: %s
`, d.name, d.b.addr, d.legacy(season.TopicPartners), d.legacy(season.TopicEvents), d.legacy(season.TopicOrders), d.legacy(season.TopicRefunds),
		d.slimPrefix(), d.partitions, directory, sessionTimeout) + d.more
	if err := os.WriteFile(d.config(), []byte(text), 0o600); err != nil {
		return err
	}
	var legacy []string
	for _, topic := range legacyTopics {
		legacy = append(legacy, d.legacy(topic))
		keep := map[string]*string{"retention.ms": kadm.StringPtr("-1")}
		r, err := d.b.admin.CreateTopic(ctx, int32(d.b.partitions), 1, keep, d.legacy(topic))
		if err = errors.Join(err, r.Err); err != nil {
			return err
		}
	}
	if err := d.b.await(ctx, legacy); err != nil {
		return err
	}
	if err := d.b.command(ctx, d.b.program(), "topics", "create", "--config", d.config()); err != nil {
		return err
	}
	// Positions in different topics are compared by the time of appending.
	value := "LogAppendTime"
	altered, err := d.b.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "message.timestamp.type", Value: &value}}, d.slim()...)
	for _, a := range altered {
		err = errors.Join(err, a.Err)
	}
	return err
}

// await waits until the broker tells of topics that it has just created.
func (b *bench) await(ctx context.Context, topics []string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		_, err := b.endOf(ctx, topics...)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("new topics do not appear: %w", err)
		case <-time.After(lookEvery):
		}
	}
}

// freeAddress is one on loopback that nobody listens on at the moment.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// load writes a season's records of some topics, and tells how many.
func (d *deployment) load(ctx context.Context, from season.Config, topics ...string) (written int, err error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	wanted := map[string]string{}
	for _, t := range topics {
		wanted[t] = d.legacy(t)
	}
	for r := range season.Generate(from) {
		if ctx.Err() != nil {
			break
		}
		if wanted[r.Topic] == "" {
			continue
		}
		written++
		d.b.client.Produce(ctx, &kgo.Record{Topic: wanted[r.Topic], Key: r.Key, Value: r.Value}, func(_ *kgo.Record, err error) {
			if err != nil {
				fail(fmt.Errorf("write: %w", err))
			}
		})
	}
	if err := d.b.client.Flush(ctx); err != nil {
		return written, errors.Join(context.Cause(ctx), err)
	}
	return written, context.Cause(ctx)
}

// start starts an instance with a state folder.
func (d *deployment) start(state string) (*instance, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(d.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(d.b.program(), "run", "--config", d.config(), "--state-dir", state, "--http-listen", address)
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.folder(), log, log
	began := time.Now()
	p, err := process.Start(cmd)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return &instance{Process: p, d: d, http: address, began: began, log: log}, nil
}

func (d *deployment) log() string { return filepath.Join(d.folder(), "log") }

// instance is one process of the bridge.
type instance struct {
	*process.Process
	d     *deployment
	http  string // address
	began time.Time
	log   *os.File
}

const (
	lookEvery = 100 * time.Millisecond
	endLimit  = time.Minute
	// stuck is how long nothing may come out or get ready.
	stuck = 3 * time.Minute
	// sessionTimeout is the default of the configuration.
	sessionTimeout = 15 * time.Second
)

// end asks the process to end, and waits for it.
func (i *instance) end(ctx context.Context) error {
	defer i.log.Close()
	ctx, cancel := context.WithTimeout(ctx, endLimit)
	defer cancel()
	return i.End(ctx)
}

// discard ends it somehow.
func (i *instance) discard() {
	i.Kill()
	i.log.Close()
}

// until looks again and again, until found says so.
func (i *instance) until(ctx context.Context, what string, found func() (bool, error)) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-i.Done():
			return fmt.Errorf("it ended with %s while waiting until %s; its log ends with: %s", i.State(), what, process.LastLine(i.d.log()))
		case <-tick.C:
		}
		if done, err := found(); done || err != nil {
			return err
		}
	}
}

// reads waits until all groups have joined and all tables are there, and tells how long that took from the start.
func (i *instance) reads(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, stuck, fmt.Errorf("it does not read after %s", stuck))
	defer cancel()
	err := i.until(ctx, "it reads", func() (bool, error) {
		text, err := i.metrics()
		if err != nil { // it does not listen yet
			return false, nil
		}
		// A group that reads has had a rebalance; before that it may have nothing to restore only because it does not know of it.
		joined, err1 := sumOf(text, "vibe_bridge_rebalance_duration_seconds_count")
		restoring, err2 := sumOf(text, "vibe_bridge_restore_partitions")
		if err1 != nil || err2 != nil { // not there before all is built
			return false, nil
		}
		return joined >= float64(len(i.d.groups())) && restoring == 0, nil
	})
	return time.Since(i.began), errors.Join(err, context.Cause(ctx))
}

func (i *instance) metrics() (string, error) {
	r, err := http.Get("http://" + i.http + "/metrics")
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return string(text), err
}

// traffic is what the process has sent to brokers and received from them, in bytes.
func (i *instance) traffic() (received, sent float64, err error) {
	text, err := i.metrics()
	if err != nil {
		return 0, 0, err
	}
	if received, err = sumOf(text, "vibe_bridge_client_received_bytes_total"); err != nil {
		return 0, 0, err
	}
	sent, err = sumOf(text, "vibe_bridge_client_sent_bytes_total")
	return received, sent, err
}

// sumOf adds a metric up over all its labels.
func sumOf(text, name string) (sum float64, err error) {
	found := false
	for line := range strings.Lines(text) {
		rest, is := strings.CutPrefix(line, name)
		if !is || rest == "" || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		fields := strings.Fields(rest[strings.LastIndexByte(rest, '}')+1:])
		if len(fields) == 0 {
			return 0, fmt.Errorf("metric %s has no value", name)
		}
		v, err := strconv.ParseFloat(fields[0], 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		sum, found = sum+v, true
	}
	if !found {
		return 0, fmt.Errorf("there is no metric %s", name)
	}
	return sum, nil
}

func (i *instance) look(ctx context.Context) (s steady.Sample, err error) {
	s.At = time.Now()
	if s.Written, err = i.d.b.endOf(ctx, i.d.slim()...); err != nil {
		return s, err
	}
	if s.Broker, err = i.d.b.brokerCPU(); err != nil {
		return s, err
	}
	s.CPU, err = process.CPUOf(i.PID())
	return s, err
}

// drained looks until all groups have read and finished everything, and nothing more comes out. It gives what was seen,
// of which the last is when the last slim record came.
func (i *instance) drained(ctx context.Context) (seen []steady.Sample, err error) {
	first, err := i.look(ctx)
	if err != nil {
		return nil, err
	}
	seen = append(seen, first)
	err = i.until(ctx, "all is through", func() (bool, error) {
		now, err := i.look(ctx)
		if err != nil {
			return false, err
		}
		last := seen[len(seen)-1]
		if now.Written > last.Written {
			seen = append(seen, now)
			return false, nil
		}
		if now.At.Sub(last.At) > stuck {
			return false, fmt.Errorf("nothing has come out for %s", stuck)
		}
		if now.At.Sub(last.At) < 2*time.Second { // commits come every second
			return false, nil
		}
		left, err := i.d.left(ctx, i.d.groups()...)
		return left == 0, err
	})
	return seen, err
}

// left is how many records groups have not committed, over all topics that they read.
func (d *deployment) left(ctx context.Context, groups ...string) (int64, error) {
	lags, err := d.b.admin.Lag(ctx, groups...)
	if err != nil {
		return 0, err
	}
	sum := int64(0)
	for _, g := range groups {
		lag, is := lags[g]
		if !is {
			return 0, fmt.Errorf("group %s is not told", g)
		}
		if err := lag.Error(); err != nil {
			return 0, fmt.Errorf("group %s: %w", g, err)
		}
		if len(lag.Lag) == 0 { // it has not begun
			return 1, nil
		}
		sum += lag.Lag.Total()
	}
	return sum, nil
}

// endOf is how many records topics have ever had.
func (b *bench) endOf(ctx context.Context, topics ...string) (sum float64, err error) {
	ends, err := b.admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		return 0, err
	}
	ends.Each(func(o kadm.ListedOffset) {
		err = errors.Join(err, o.Err)
		sum += float64(o.Offset)
	})
	return sum, err
}

func (b *bench) brokerCPU() (time.Duration, error) {
	pid, err := b.kafka.PID(1)
	if err != nil {
		return 0, err
	}
	return process.CPUOf(pid)
}

// disk is the size of topics on the broker's disk, in MiB.
type disk struct{ legacy, internal, table, slim float64 }

// kindOf tells which part of a disk a topic counts for; nil: none.
func (d *deployment) kindOf(topic string, k *disk) *float64 {
	switch {
	case strings.HasPrefix(topic, d.slimPrefix()):
		return &k.slim
	case strings.HasPrefix(topic, d.legacy("")):
		return &k.legacy
	case strings.HasPrefix(topic, d.internalPrefix()) && strings.HasSuffix(topic, "-table"):
		return &k.table
	case strings.HasPrefix(topic, d.internalPrefix()):
		return &k.internal
	}
	return nil
}

func (d *deployment) disk(ctx context.Context) (k disk, err error) {
	dirs, err := d.b.admin.DescribeAllLogDirs(ctx, nil)
	if err != nil {
		return k, err
	}
	dirs.Each(func(dir kadm.DescribedLogDir) {
		err = errors.Join(err, dir.Err)
		for topic, partitions := range dir.Topics {
			if size := d.kindOf(topic, &k); size != nil {
				for _, p := range partitions {
					*size += float64(p.Size) / (1 << 20)
				}
			}
		}
	})
	return k, err
}

// verify holds the slim topics against the legacy ones.
func (d *deployment) verify(ctx context.Context) error {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, d.b.program(), "verify", "--config", d.config(), "--json", "--grace", "1s")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	failed := cmd.Run()
	var r verify.Report
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil || failed != nil {
		return fmt.Errorf("verify: %v: %s", failed, strings.TrimSpace(stderr.String()))
	}
	if !r.Clean || !r.Ordering.Comparable || r.Ordering.Checked < d.season.Orders/2 {
		return fmt.Errorf("verify: clean %t; positions comparable %t, %d pairs in order", r.Clean, r.Ordering.Comparable, r.Ordering.Checked)
	}
	return nil
}

// remove makes room.
func (d *deployment) remove(ctx context.Context) error {
	topics, err := d.b.topicsOf(ctx, d.internalPrefix(), d.slimPrefix(), d.legacy(""))
	if err != nil {
		return err
	}
	deleted, err := d.b.admin.DeleteTopics(ctx, topics...)
	for _, t := range deleted {
		err = errors.Join(err, t.Err)
	}
	return errors.Join(err, os.RemoveAll(d.state()))
}
