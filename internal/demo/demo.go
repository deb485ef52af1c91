// Package demo runs the whole product in one process: two embedded brokers, a
// made-up season, and an instance of the bridge between them.
//
// What a person sees of it is the command's business, not this package's.
package demo

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/ordercheck"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// Config of a demonstration.
type Config struct {
	Season season.Config
	// Pace is how many legacy records per second are written; 0: as many as go.
	Pace int
	// Hold is both the organizer's and the set's hold.
	Hold time.Duration
	// ConsoleURL is where the console will be; "": there is none.
	ConsoleURL string
	Log        *slog.Logger
}

const (
	legacyPartitions = 3
	gatePartitions   = 4
)

// Demo is a running demonstration.
type Demo struct {
	cfg      Config
	bridge   *processors.Bridge
	bcfg     processors.Config
	admins   kafka.Admins
	monitor  *ordercheck.Monitor
	produced atomic.Int64
	close    []func()
	sample   sampler
	seeded   bool // another deployment's demonstration has written the season
}

// Start starts the brokers and creates all topics. Close ends everything.
func Start(ctx context.Context, cfg Config) (*Demo, error) {
	d := &Demo{cfg: cfg, monitor: ordercheck.New("events", "orders", "refunds")}
	if err := d.start(ctx); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *Demo) start(ctx context.Context) error {
	source, err := d.broker()
	if err != nil {
		return err
	}
	target, err := d.broker()
	if err != nil {
		return err
	}
	if err := d.configure(source, target); err != nil {
		return err
	}
	if err := d.createLegacyTopics(ctx, source); err != nil {
		return err
	}
	return d.prepare(ctx)
}

func (d *Demo) broker() (*embedded.Broker, error) {
	b, err := embedded.Start(embedded.Options{})
	if err != nil {
		return nil, fmt.Errorf("start embedded broker: %w", err)
	}
	d.close = append(d.close, b.Close)
	return b, nil
}

func (d *Demo) configure(source, target *embedded.Broker) error {
	places, err := directory.Parse(season.Directory(d.cfg.Season), nil)
	if err != nil {
		return err
	}
	location, err := time.LoadLocation("Europe/Moscow")
	if err != nil {
		return err
	}
	stateDir, err := d.stateDir()
	if err != nil {
		return err
	}
	out := kafka.Cluster{Brokers: target.Addrs(), Replication: 1}.WithDefaults()
	d.sample.Monitor = d.monitor
	d.bcfg = processors.Config{
		Topics: processors.NewTopics("demo", [4]string{"partners", "events", "orders_done", "refund_requests"}, "events", "orders", "refunds"),
		Settings: processors.TopicSettings{
			Partitions: gatePartitions, SlimPartitions: gatePartitions, Replication: 1, MinInsync: 1,
			InternalRetention: 24 * time.Hour, MaxInternalBytes: out.MaxMessageBytes, MaxSlimBytes: mapping.DefaultMaxRecordBytes,
		},
		Rules: &mapping.Rules{
			Encoding: slim.Encoding{Edition: slim.Edition1, Format: slim.JSON}, Directory: places, DefaultLocation: location,
			OrganizerHold: d.cfg.Hold, SetHold: d.cfg.Hold, MaxRecordBytes: mapping.DefaultMaxRecordBytes,
		},
		ApplicationID: slim.DefaultApplicationID, SourceHeader: true,
		Source: kafka.Cluster{Brokers: source.Addrs(), Replication: 1}.WithDefaults(), State: out, Target: out,
		Priming:    true, // without Breaker: a season may be all trouble, and the demonstration has to end
		ConsoleURL: d.cfg.ConsoleURL, Version: "demo",
		StateDir: stateDir, SweepInterval: 500 * time.Millisecond, SessionTimeout: 10 * time.Second,
		Log: d.cfg.Log, Observer: &d.sample,
	}
	return nil
}

func (d *Demo) stateDir() (string, error) {
	dir, err := os.MkdirTemp("", "vibe-bridge-demo-")
	if err != nil {
		return "", fmt.Errorf("make a folder for state: %w; TMPDIR names another place", err)
	}
	d.close = append(d.close, func() { os.RemoveAll(dir) })
	return dir, nil
}

func (d *Demo) createLegacyTopics(ctx context.Context, source *embedded.Broker) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(source.Addrs()...))
	if err != nil {
		return err
	}
	defer client.Close()
	made, err := kadm.NewClient(client).CreateTopics(ctx, legacyPartitions, 1, nil, d.bcfg.Topics.Legacy[:]...)
	if err != nil {
		return fmt.Errorf("create legacy topics: %w", err)
	}
	if err := made.Error(); err != nil {
		return fmt.Errorf("create legacy topics: %w", err)
	}
	return nil
}

// prepare creates the topics of the deployment, and its bridge.
func (d *Demo) prepare(ctx context.Context) error {
	admins, closeAdmins, err := processors.OpenAdmins(d.bcfg.Source, d.bcfg.State, d.bcfg.Target)
	if err != nil {
		return err
	}
	d.admins, d.close = admins, append(d.close, closeAdmins)
	plan, err := admins.Plan(d.bcfg.Topics.Specs(d.bcfg.Settings))
	if err != nil {
		return err
	}
	if _, err := admins.Create(ctx, plan); err != nil {
		return err
	}
	d.bridge, err = processors.New(d.bcfg)
	return err
}

// Bridge is what runs.
func (d *Demo) Bridge() *processors.Bridge { return d.bridge }

// Close ends the brokers and removes the state.
func (d *Demo) Close() {
	for i := len(d.close) - 1; i >= 0; i-- {
		d.close[i]()
	}
	d.close = nil
}

// Viewer is told how a demonstration goes. Its functions are called one at a time.
type Viewer struct {
	Step   func(Status) // about five times a second
	Ending func()       // the bridge is being stopped; what follows takes a few seconds
}

// Run writes the season and runs the bridge until ctx ends or, with exit, until
// all is drained, and reports. With exit, an end of ctx before that is an error.
func (d *Demo) Run(ctx context.Context, exit bool, view Viewer) (*Result, error) {
	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 2)
	var running sync.WaitGroup
	running.Go(func() {
		if err := d.bridge.Run(runCtx); err != nil {
			failed <- err
		}
	})
	seeded := make(chan struct{})
	running.Go(func() {
		if err := d.seed(runCtx); err != nil {
			failed <- err
			return
		}
		close(seeded)
	})
	w := watcher{d: d, failed: failed, step: view.Step}
	report, err := w.untilEnd(runCtx, exit, seeded)
	view.Ending()
	stop()
	running.Wait()
	if err == nil {
		err = w.failure() // while it ended
	}
	if err == nil && report == nil {
		// While the bridge runs, the tables and the offsets would be of different
		// moments.
		report, err = processors.ReadReport(context.WithoutCancel(ctx), d.admins, d.bcfg.State, d.bcfg.Topics)
	}
	if err != nil {
		return nil, err
	}
	return d.result(report), nil
}

// watcher looks at a running demonstration.
type watcher struct {
	d      *Demo
	failed <-chan error
	step   func(Status)
}

// untilEnd waits for the end of ctx, or with exit for that of the season, which
// alone gives a report.
func (w watcher) untilEnd(ctx context.Context, exit bool, seeded <-chan struct{}) (*processors.Report, error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-seeded:
			if exit {
				return processors.WaitDrained(ctx, w.d.admins, w.d.bcfg, w.observe)
			}
			seeded = nil
		case <-ctx.Done():
			if exit {
				return nil, ctx.Err()
			}
			return nil, nil
		case <-tick.C:
			lag, err := processors.ReadLag(w.d.admins, w.d.bcfg.Topics)
			if err == nil {
				err = w.observe(lag)
			}
			if err != nil {
				return nil, err
			}
		}
	}
}

// observe shows the state of things, or returns what has failed.
func (w watcher) observe(lag processors.Lag) error {
	if err := w.failure(); err != nil {
		return err
	}
	w.step(w.d.status(lag))
	return nil
}

// failure is what has failed, nil when nothing has.
func (w watcher) failure() error {
	select {
	case err := <-w.failed:
		return err
	default:
		return nil
	}
}

// seed writes the season into the legacy topics.
func (d *Demo) seed(ctx context.Context) error {
	if d.seeded {
		return nil
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(d.bcfg.Source.Brokers...), kgo.MaxBufferedRecords(2000), kgo.ProducerBatchMaxBytes(8<<20))
	if err != nil {
		return err
	}
	defer client.Close()
	var refused atomic.Pointer[error]
	began := time.Now()
	for rec := range season.Generate(d.cfg.Season) {
		if ctx.Err() != nil {
			return nil
		}
		d.monitor.Legacy(rec.Topic, rec.Value)
		client.Produce(ctx, &kgo.Record{Topic: rec.Topic, Key: rec.Key, Value: rec.Value, Timestamp: time.Now()}, func(_ *kgo.Record, err error) {
			if err != nil {
				refused.CompareAndSwap(nil, &err)
			}
		})
		n := d.produced.Add(1)
		if d.cfg.Pace > 0 {
			ahead := time.Duration(n)*time.Second/time.Duration(d.cfg.Pace) - time.Since(began)
			if ahead > 10*time.Millisecond {
				select {
				case <-time.After(ahead):
				case <-ctx.Done():
				}
			}
		}
	}
	if err := client.Flush(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("write the season: %w", err)
	}
	if err := refused.Load(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("write the season: %w", *err)
	}
	return nil
}
