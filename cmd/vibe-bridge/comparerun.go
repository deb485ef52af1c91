package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/live"
	"github.com/ticketscloud/vibe-bridge/compare/once"
	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/console"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/logging"
	"github.com/ticketscloud/vibe-bridge/internal/preflight"
	"github.com/ticketscloud/vibe-bridge/processors"
	"github.com/ticketscloud/vibe-bridge/slim"
)

type compareRunOptions struct {
	config       string
	listen       string
	createTopics bool
}

func newCompareRunCommand(a *app) *cobra.Command {
	var o compareRunOptions
	cmd := &cobra.Command{
		Use:   "run --config FILE",
		Short: "Compare on and on, beside the bridge",
		Long: `run compares what comes into the topics, until it is told to stop (SIGTERM or Ctrl-C). It is a
deployment of its own beside the bridge: it only reads the bridge's topics, and writes
to topics that begin with NAME-compare and to NAME-differences. Start more instances with
the same configuration to share the work; each needs a state directory of its own.

A difference counts when it has been there for compare.grace; before, it is pending.
Every compare.audit_interval all that is known is judged again, and the results of each
hour are kept: cutover.days_clean looks at them.

On --listen answer /metrics, /healthz, /readyz, /report (JSON) and /report.html; every
instance shows the results of all. The report has samples of what differs, personal texts by their
shape.

compare.noise_file names a report of compare once with a baseline: what it measured as noise
is subtracted. All instances need the same file.

The topics have to exist: --create-topics creates them. Exit codes: 0 stopped, 2 it could
not start, 1 it failed.`,
		Example: `  vibe-bridge compare run --config bridge.yaml --create-topics
  vibe-bridge compare run --config bridge.yaml --state-dir /data/compare --listen :9478`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(a, o.config, cmd.Flags())
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), a, c)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.config, "config", "", "configuration file (YAML)")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:9478", "address of metrics, health and the report; empty: none")
	flags.BoolVar(&o.createTopics, "create-topics", false, "create the comparison's own topics that are missing")
	config.BindFlags(flags)
	showFlags(cmd, "config", "listen", "create-topics", "name", "state-dir", "compare-grace", "compare-audit-interval", "log-level")
	return cmd
}

// liveConfig is a configuration as package live takes it.
func liveConfig(ctx context.Context, c config.Config) (live.Config, error) {
	cfg, p, err := configuredLive(c)
	if err != nil {
		return live.Config{}, err
	}
	cfg.Quarantine, err = p.quarantineThere(ctx)
	return cfg, err
}

// configuredLive is liveConfig as far as it does not depend on any broker.
func configuredLive(c config.Config) (live.Config, *comparison, error) {
	p, err := newComparison(c)
	if err != nil {
		return live.Config{}, nil, err
	}
	cfg, err := withNoise(liveConfigOf(c, p), c.Compare.NoiseFile)
	return cfg, p, err
}

// quarantineThere is the name of the quarantine topic; "" when there is none.
func (p *comparison) quarantineThere(ctx context.Context) (string, error) {
	for _, t := range p.of(once.Quarantine) {
		there, err := live.TopicExists(ctx, p.config.State, t.name)
		if err != nil {
			return "", refuse(err)
		}
		if there {
			return t.name, nil
		}
	}
	return "", nil
}

// comparedOffline is liveConfig without asking any broker or reading a file: topics and rights do not depend on them.
func comparedOffline(c config.Config) (live.Config, *comparison, error) {
	c.DirectoryFile, c.CategoriesFile, c.Compare.ExpectedFile = "", "", ""
	p, err := newComparison(c)
	if err != nil {
		return live.Config{}, nil, err
	}
	cfg := liveConfigOf(c, p)
	for _, t := range p.of(once.Quarantine) {
		cfg.Quarantine = t.name // as if it was there
	}
	return cfg, p, nil
}

// leftCluster names the cluster of the left side's topics.
func (p *comparison) leftCluster() string { return p.of(once.Left)[0].cluster }

func liveConfigOf(c config.Config, p *comparison) live.Config {
	topics := func(side once.Side) map[compare.Stream]string {
		named := map[compare.Stream]string{}
		for _, t := range p.of(side) {
			named[t.stream] = t.name
		}
		return named
	}
	slimSide := func(label string, e slim.Encoding, side once.Side, cluster kafka.Cluster) live.Side {
		return live.Side{
			Label: label, Edition: e.Edition.String(), Format: e.Format.String(), Cluster: cluster, Topics: topics(side), Reader: p.readers[side],
		}
	}
	cfg := live.Config{
		Name: c.Name, State: c.State, LegacyTopics: p.legacyTopics, Form: p.form, Expected: p.expected, Cutover: cutoverOf(c.Cutover),
		Right: slimSide("slim", p.right, once.Right, c.Target),
		Settings: live.TopicSettings{
			Partitions: c.Partitions, Replication: c.Replication, MinInsync: c.MinInsync, Retention: c.InternalRetention, MaxBytes: internalBytes,
		},
		Grace: c.Compare.Grace, AuditInterval: c.Compare.AuditInterval, LateAfter: c.Compare.LateAfter, Samples: c.Compare.Samples,
		StateDir: c.StateDir, SessionTimeout: c.SessionTimeout, StopTimeout: c.StopTimeout,
	}
	cfg.State.MaxMessageBytes = max(internalBytes, cfg.State.MaxMessageBytes)
	cfg.Settings.MaxBytes = cfg.State.MaxMessageBytes
	if !p.legacy {
		cfg.Left = slimSide("other", p.left, once.Left, c.ClusterNamed(c.Compare.Other.Cluster))
		return cfg
	}
	cfg.Left = live.Side{Label: "legacy", Legacy: true, Cluster: c.Source, Topics: topics(once.Left), Reader: p.readers[once.Left]}
	cfg.Directory = p.places.Text
	return cfg
}

// withNoise takes the noise from a report of compare once, if there is a file.
func withNoise(cfg live.Config, path string) (live.Config, error) {
	if path == "" {
		return cfg, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return cfg, refusef("compare.noise_file: %w", err)
	}
	r, err := compare.ReadReport(text)
	if err != nil {
		return cfg, refusef("compare.noise_file: %s: %w", path, err)
	}
	if cfg.Noise, err = cfg.NoiseOf(r); err != nil {
		return cfg, refusef("compare.noise_file: %s: %w", path, err)
	}
	return cfg, nil
}

func (o *compareRunOptions) run(ctx context.Context, a *app, c config.Config) error {
	log, err := newLogger(a.stderr, c.Log)
	if err != nil {
		return err
	}
	defer logging.Flush(log)
	cfg, p, err := configuredLive(c)
	if err != nil {
		return err
	}
	cfg.Log = log
	err = o.prepare(ctx, c, p, &cfg)
	if !kafka.Unreachable(err) {
		// A topic that the user may not see looks like a missing one: the right is what to ask for then.
		if lacking := lackingToCompare(ctx, c); lacking != nil {
			return lacking
		}
	}
	if err != nil {
		return err
	}
	instance, err := live.New(cfg)
	if err != nil {
		return refuse(err)
	}
	listener, err := listenHTTP(o.listen)
	if err != nil {
		return err
	}
	folder, err := takeFolder(cfg.StateDir, cfg.StateFolder())
	if err != nil {
		if listener != nil {
			listener.Close()
		}
		return err
	}
	defer folder.Close()
	c.HTTP.Listen = o.listen
	stopHTTP, err := serveComparison(listener, c.HTTP, instance, log)
	if err != nil {
		return err
	}
	defer stopHTTP()
	log.Info("comparison starts", "name", cfg.Name, "against", c.Compare.Against, "quarantine", cfg.Quarantine)
	if err := instance.Run(ctx); err != nil {
		return runError(err)
	}
	log.Info("comparison stopped")
	return nil
}

// prepare looks at topics, and creates those of the comparison where that is wanted.
func (o *compareRunOptions) prepare(ctx context.Context, c config.Config, p *comparison, cfg *live.Config) (err error) {
	if err := cfg.Validate(); err != nil {
		return refuse(err)
	}
	if err := checkOverlap(ctx, c); err != nil {
		return err
	}
	if cfg.Quarantine, err = p.quarantineThere(ctx); err != nil {
		return err
	}
	err = live.EnsureTopics(ctx, *cfg, o.createTopics)
	switch {
	case err == nil:
		return nil
	case o.createTopics && kafka.Forbidden(err):
		return refusef("the user of compare run may not create its topics: `vibe-bridge acls --for compare --create-topics` prints the commands that grant it, or have `vibe-bridge topics create --compare` run by who may (%s)", firstOf(err.Error()))
	}
	return refuse(err)
}

// lackingToCompare says which right an instance has not; nil when it has all, or the brokers do not tell.
func lackingToCompare(ctx context.Context, c config.Config) error {
	needed, p, err := comparedOffline(c)
	if err != nil {
		return err
	}
	err = preflight.CheckRights(ctx, c.Source, c.Target, c.State, needed.Rights(p.leftCluster()))
	var lacking *preflight.MissingRightsError
	if !errors.As(err, &lacking) {
		return nil
	}
	first, more := lacking.Rights[0], ""
	if n := len(lacking.Rights) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return refusef("%s cluster: the user of compare run has not the right %s on %s %s%s: `vibe-bridge acls --for compare` prints the commands that grant what is needed",
		first.Cluster, first.Operation, first.Resource, first.Name, more)
}

// serveComparison answers until the returned function is called, to those to whom an instance of the bridge would.
func serveComparison(listener net.Listener, h config.HTTP, instance *live.Instance, log *slog.Logger) (stop func(), err error) {
	if listener == nil {
		return func() {}, nil
	}
	conf, _, err := consoleTLS(h)
	if err != nil {
		return nil, err
	}
	handler, err := comparisonHandler(h, instance, log)
	if err != nil {
		return nil, err
	}
	log.Info("metrics, health and report", "address", listener.Addr().String())
	return serve(listener, handler, conf, log), nil
}

func comparisonHandler(h config.HTTP, instance *live.Instance, log *slog.Logger) (http.Handler, error) {
	metrics := instance.Metrics()
	metrics.MustRegister(processors.NewBuildInfo(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	report := func(ctx context.Context) (*compare.Report, error) {
		r, err := instance.SampledReport(ctx, time.Now())
		if err != nil {
			return nil, &console.UnavailableError{Text: err.Error()}
		}
		return r, nil
	}
	handler, err := console.NewComparison(console.Options{HTTP: h, Log: log, Metrics: promhttp.HandlerFor(metrics, promhttp.HandlerOpts{})}, console.Comparison{
		NotReady: instance.NotReady,
		Report: func(ctx context.Context) (json.RawMessage, error) {
			r, err := report(ctx)
			if err != nil {
				return nil, err
			}
			return json.Marshal(r)
		},
		Page: func(ctx context.Context) ([]byte, error) {
			r, err := report(ctx)
			if err != nil {
				return nil, err
			}
			return reportPage(r)
		},
	})
	if err != nil {
		return nil, refuse(err)
	}
	return handler, nil
}
