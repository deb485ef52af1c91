package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/compare/live"
	"github.com/ticketscloud/vibe-bridge/compare/page"
	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/console"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/logging"
	"github.com/ticketscloud/vibe-bridge/internal/preflight"
	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/processors"
)

type runOptions struct {
	config       string
	acceptResets bool
}

func newRunCommand(a *app) *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run --config FILE",
		Short: "Run an instance of the bridge",
		Long: `run runs one instance until it is told to stop (SIGTERM or Ctrl-C). It then ends
when all that is on its way is acknowledged, or after stop_timeout with exit code 1;
nothing is lost by that. A second signal, a second or more after the first, ends it
at once.

Start more instances with the same configuration to share the work; each needs a
state directory of its own. Topics must exist: see vibe-bridge topics.

The directory file is read again when it changes and on SIGHUP. With http.listen
set, /metrics, /healthz, /readyz and the console answer there; who may see and do what
is set by http.view_token_file, http.act_token_file and others. /readyz says what an instance waits
for: "priming" at the start, while orders and refunds wait for partners and events;
"paused", while a legacy topic is not read because too many of its records were bad.

It ends with exit code 2, before it has joined or written anything, when the
configuration, a login or the topics are not right; and with exit code 1 when
it fails later: whatever runs it should then start it again. Brokers that cannot
be reached it waits for, at the start as later: it logs every try, and /readyz
says why it is not ready.

The flags below are the keys of the configuration that are changed most; every
other key has its flag too.`,
		Example: `  vibe-bridge run --config bridge.yaml
  VIBE_BRIDGE_STATE_DIR=/data/state vibe-bridge run --config bridge.yaml --log-level debug`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(a, o.config, cmd.Flags())
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), a, c)
		},
	}
	cmd.Flags().StringVar(&o.config, "config", "", "configuration file (YAML)")
	cmd.Flags().BoolVar(&o.acceptResets, "accept-reset-offsets", false, "go on from consumer group offsets that were set by hand")
	config.BindFlags(cmd.Flags())
	return cmd
}

func (o *runOptions) run(ctx context.Context, a *app, c config.Config) error {
	log, err := newLogger(a.stderr, c.Log)
	if err != nil {
		return err
	}
	defer logging.Flush(log)
	cfg, err := bridgeConfig(c)
	if err != nil {
		return err
	}
	if cfg, err = withKeys(cfg, c); err != nil {
		return err
	}
	cfg.Log, cfg.AcceptForeignOffsets, cfg.Version = log, o.acceptResets, currentVersion().identified()
	bridge, err := processors.NewSupervisor(cfg)
	if err != nil {
		return refuse(err)
	}
	check := func(ctx context.Context) error { return checkTopics(ctx, c, cfg) }
	if err := check(ctx); err != nil {
		switch {
		case ctx.Err() != nil: // and what the check says is that it was cut off
			return &codedError{code: codeFailed, err: errors.New("told to stop while it was starting")}
		case !kafka.Unreachable(err):
			return err
		}
		bridge.Require(check) // said, and tried again, by Run
	}
	listener, folder, err := checkSurroundings(c, cfg)
	if err != nil {
		return err
	}
	defer folder.Close()
	if info, err := os.Stat(c.StateDir); err == nil {
		if open := preflight.OpenFolder(c.StateDir, info); open != "" {
			log.Warn("state_dir: "+open, "do", "chmod 0700")
		}
	}
	stopHTTP, err := serveConsole(ctx, listener, c, bridge, log)
	if err != nil {
		return err
	}
	defer stopHTTP()
	stopWatching, err := watchDirectory(ctx, c, cfg.Rules.Directory, bridge, log)
	if err != nil {
		return err
	}
	defer stopWatching()
	log.Info("bridge starts", "name", c.Name, "version", cfg.Version, "edition", c.Edition, "format", c.Format)
	if err := bridge.Run(ctx); err != nil {
		if ctx.Err() != nil && kafka.Unreachable(err) {
			return &codedError{code: codeFailed, err: fmt.Errorf("told to stop before the brokers could be reached: %w", err)}
		}
		return runError(err)
	}
	log.Info("bridge stopped")
	return nil
}

// checkSurroundings refuses an address and a state folder that will not do, before
// anything answers, logs, joins or writes. It returns the listener for HTTP, nil for none, and the lock of the folder.
func checkSurroundings(c config.Config, cfg processors.Config) (net.Listener, io.Closer, error) {
	listener, err := listenHTTP(c.HTTP.Listen)
	if err != nil {
		return nil, nil, err
	}
	folder, err := takeFolder(cfg.StateDir, cfg.StateFolder())
	if err != nil && listener != nil {
		listener.Close()
	}
	return listener, folder, err
}

// takeFolder has this process alone use a folder in state_dir, until what it returns is closed or the process ends.
func takeFolder(stateDir, folder string) (io.Closer, error) {
	if err := checkWritable(stateDir); err != nil {
		return nil, refusef("state_dir: %w: want a folder that this user may write to, on a disk that outlives restarts", err)
	}
	lock, err := store.Lock(folder)
	if err != nil {
		return nil, refusef("state_dir: %w", err)
	}
	return lock, nil
}

// checkTopics refuses clusters and topics that will not do.
func checkTopics(ctx context.Context, c config.Config, cfg processors.Config) error {
	admins, closeAdmins, err := processors.OpenAdminsFor(ctx, cfg.Source, cfg.State, cfg.Target)
	if err != nil {
		return refuse(err)
	}
	defer closeAdmins()
	if err := checkOverlap(ctx, c); err != nil {
		return err
	}
	err = processors.CheckTopics(admins, cfg.Topics, cfg.Settings)
	if kafka.Unreachable(err) {
		return refuse(err)
	}
	// A topic that the user may not see looks like a missing one: the right is what to ask for then.
	if lacking := preflight.CheckRights(ctx, c.Source, c.Target, c.State, cfg.Topics.RunRights()); lacking != nil {
		return refuse(lacking)
	}
	if err != nil {
		return refuse(err)
	}
	return nil
}

// checkWritable creates the folder if it is not there.
func checkWritable(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(folder, ".writable.*")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// runError tells what only an operator can put right from what a new start may
// mend, such as a cluster that has gone.
func runError(err error) error {
	var refused *codedError
	if errors.As(err, &refused) {
		return err
	}
	var missing *processors.MissingTopicsError
	var compared *live.MissingTopicsError
	var mismatch *kafka.MismatchError
	var identity *kafka.IdentityError
	var offset *kafka.ForeignOffsetError
	var lost *kafka.LostOffsetError
	var changelog *processors.LostChangelogError
	var folder *processors.FolderError
	if errors.As(err, &missing) || errors.As(err, &compared) || errors.As(err, &mismatch) || errors.As(err, &identity) || errors.As(err, &offset) ||
		errors.As(err, &lost) || errors.As(err, &changelog) || errors.As(err, &folder) {
		return refuse(err)
	}
	return &codedError{code: codeFailed, err: err}
}

// serveConsole answers all that an instance answers, until the returned function is called. Where the instance is
// reached is told to the others when it joins them.
func serveConsole(ctx context.Context, listener net.Listener, c config.Config, bridge *processors.Supervisor, log *slog.Logger) (stop func(), err error) {
	if listener == nil {
		return func() {}, nil
	}
	profiles, handler, conf, end, err := prepareConsole(ctx, listener, c, bridge, log)
	if err != nil {
		listener.Close()
		return nil, err
	}
	log.Info("metrics and health", "address", listener.Addr().String())
	stopConsole := serve(listener, handler, conf, log)
	stopProfiles := servePprof(profiles, log)
	return func() {
		stopProfiles()
		stopConsole()
		end()
	}, nil
}

func prepareConsole(ctx context.Context, listener net.Listener, c config.Config, bridge *processors.Supervisor, log *slog.Logger) (profiles net.Listener, handler http.Handler, conf *tls.Config, end func(), err error) {
	conf, ask, err := consoleTLS(c.HTTP)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	url := c.HTTP.AdvertisedURL(reachedAt(listener))
	bridge.Advertise(url)
	comparison, end := newComparisonSeen(ctx, c, log)
	server, err := console.New(console.Options{
		HTTP: c.HTTP, URL: url, Source: bridge.Console(comparison), Log: log, TLS: ask, Inline: page.Hashes(),
		Metrics: promhttp.HandlerFor(bridge.Metrics().Registry, promhttp.HandlerOpts{}),
	})
	if err != nil {
		end()
		return nil, nil, nil, nil, refuse(err)
	}
	if c.HTTP.PprofListen != "" {
		if profiles, err = net.Listen("tcp", c.HTTP.PprofListen); err != nil {
			end()
			return nil, nil, nil, nil, refusef("http.pprof_listen: %w; choose another address, or none to do without", err)
		}
	}
	return profiles, server.Handler(), conf, end, nil
}

// watchDirectory keeps the directory up to date until ctx ends or the returned
// function is called.
func watchDirectory(ctx context.Context, c config.Config, current *directory.Directory, bridge *processors.Supervisor, log *slog.Logger) (stop func(), err error) {
	categories, _, err := loadDirectory("", c.CategoriesFile)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	reread := func() { log.Warn("SIGHUP: there is no directory_file to read again") }
	if c.DirectoryFile != "" {
		watcher := directory.NewWatcher(c.DirectoryFile, categories, current, func(d *directory.Directory, err error) {
			if err != nil {
				log.Error("directory not reloaded, the previous one stays in use", "error", err)
				return
			}
			bridge.SetDirectory(d)
			log.Info("directory reloaded", "file", c.DirectoryFile)
		})
		running.Go(func() { watcher.Run(ctx) })
		reread = watcher.Trigger
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	running.Go(func() { onHangup(ctx, hangups, reread) })
	return func() {
		cancel()
		signal.Stop(hangups)
		running.Wait()
	}, nil
}

func onHangup(ctx context.Context, hangups <-chan os.Signal, act func()) {
	for {
		select {
		case <-hangups:
			act()
		case <-ctx.Done():
			return
		}
	}
}
