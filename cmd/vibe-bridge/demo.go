package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"github.com/ticketscloud/vibe-bridge/compare/page"
	"github.com/ticketscloud/vibe-bridge/internal/config"
	"github.com/ticketscloud/vibe-bridge/internal/console"
	"github.com/ticketscloud/vibe-bridge/internal/demo"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

type demoOptions struct {
	season season.Config
	pace   int
	exit   bool
	json   bool
	listen string
}

func newDemoCommand(a *app) *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the bridge at work, with brokers of its own",
		Long: `demo starts two brokers inside this process, writes a made-up season of ticket
sales into one of them, and runs the bridge from there to the other. It shows
rates, what waits for what, and slim records as they come out. Nothing outside
this process is touched.

The console answers on --listen meanwhile, to this machine alone; its address and a
token that may act there are printed at the beginning.

It goes on until Ctrl-C, and then prints the accounts. With --exit it ends when
everything has arrived, accounts for every legacy record, and exits with 0 only if
the accounts balance and nothing was out of order; with 3 otherwise.`,
		Example: `  vibe-bridge demo
  vibe-bridge demo --orders 20000 --exit
  vibe-bridge demo --orders 5000 --seed 7 --exit --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), a) },
	}
	flags := cmd.Flags()
	flags.IntVar(&o.season.Orders, "orders", 10_000, "number of orders in the season")
	flags.Uint64Var(&o.season.Seed, "seed", 1, "another number gives another season")
	flags.Float64Var(&o.season.Hostile, "hostile", 0.05, "share of trouble, 0 to 1: broken, late, repeated and missing records")
	flags.IntVar(&o.pace, "pace", 0, "legacy records written per second (0: as fast as they go with --exit, otherwise 500)")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:0", "loopback address of the console; empty: none")
	flags.BoolVar(&o.exit, "exit", false, "end when the season has arrived, with the accounting")
	flags.BoolVar(&o.json, "json", false, "print the accounting as one JSON object, and nothing else on standard output")
	return cmd
}

// demoHold keeps the demonstration short: in production holds are minutes.
const demoHold = 3 * time.Second

func (o *demoOptions) run(ctx context.Context, a *app) error {
	if err := o.season.Validate(); err != nil {
		return refuse(err)
	}
	if o.pace < 0 {
		return refusef("--pace %d: want 0 or more", o.pace)
	}
	if o.pace == 0 && !o.exit {
		o.pace = 500
	}
	if o.listen != "" && !config.IsLoopback(o.listen) {
		return refusef("--listen %q: want a loopback address such as 127.0.0.1:9477, or \"\" for none", o.listen)
	}
	listener, err := listenHTTP(o.listen)
	if err != nil {
		return err
	}
	cfg := demo.Config{Season: o.season, Pace: o.pace, Hold: demoHold, Log: slog.New(slog.DiscardHandler)}
	if listener != nil {
		defer listener.Close()
		cfg.ConsoleURL = "http://" + listener.Addr().String()
	}
	d, err := demo.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer d.Close()
	stopConsole, err := o.serveConsole(a, listener, cfg, d)
	if err != nil {
		return err
	}
	defer stopConsole()
	view := newLiveView(a.stdout, o.json)
	result, err := d.Run(ctx, o.exit, demo.Viewer{Step: view.show, Ending: view.ending})
	if err != nil {
		return err
	}
	return o.conclude(a.stdout, result)
}

// serveConsole shows the console until the returned function is called, and says where.
func (o *demoOptions) serveConsole(a *app, listener net.Listener, cfg demo.Config, d *demo.Demo) (stop func(), err error) {
	if listener == nil {
		return func() {}, nil
	}
	folder, err := os.MkdirTemp("", "vibe-bridge-demo-token-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for a token: %w; TMPDIR names another place", err)
	}
	token, file := rand.Text(), filepath.Join(folder, "act")
	forget := func() { os.RemoveAll(folder) }
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		forget()
		return nil, err
	}
	server, err := console.New(console.Options{
		HTTP: config.HTTP{Listen: listener.Addr().String(), ActTokenFile: file}, Source: d.Bridge().Console(nil), Log: cfg.Log, Inline: page.Hashes(),
		Metrics: promhttp.HandlerFor(d.Bridge().Metrics().Registry, promhttp.HandlerOpts{}),
	})
	if err != nil {
		forget()
		return nil, err
	}
	if !o.json {
		fmt.Fprintf(a.stdout, "console  %s/  (to act there: token %s)\n\n", cfg.ConsoleURL, token)
	}
	stopServer := serve(listener, server.Handler(), nil, cfg.Log)
	return func() {
		stopServer()
		forget()
	}, nil
}

// conclude prints the accounts and judges them.
func (o *demoOptions) conclude(w io.Writer, r *demo.Result) error {
	if err := o.print(w, r); err != nil {
		return err
	}
	if o.exit && !r.Good() {
		return &codedError{code: codeChecks, err: errors.New("the accounts do not balance, or something was out of order: see the accounts")}
	}
	return nil
}

func (o *demoOptions) print(w io.Writer, r *demo.Result) error {
	if o.json {
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", text)
		return err
	}
	fmt.Fprintf(w, "\n%-16s %9s %9s %9s %9s %7s %7s %9s %9s %8s\n", "legacy topic", "consumed", "emitted", "unchanged", "skipped", "parked", "quarant", "tombstone", "superseded", "balance")
	for _, s := range mapping.Streams {
		account := r.Accounts[s]
		fmt.Fprintf(w, "%-16s %9d %9d %9d %9d %7d %7d %9d %9d %8d\n", s, account.Consumed, account.Emitted, account.Unchanged,
			sum(account.Skipped), account.Parked, sum(account.Quarantined), account.Tombstone, account.Superseded, account.Balance())
	}
	for _, s := range r.Reset {
		fmt.Fprintf(w, "%s: its offsets were once reset by hand; consumed has counted from there on, so that its balance says nothing\n", s)
	}
	for _, s := range mapping.Streams {
		printReasons(w, s.String()+" skipped", r.Accounts[s].Skipped)
		printReasons(w, s.String()+" quarantined", r.Accounts[s].Quarantined)
	}
	printReasons(w, "counts", r.Counts)
	printReasons(w, "waiting for", r.Waiting)
	_, err := fmt.Fprintf(w, "order_violations %d, refund_violations %d\n", r.Violations.Orders, r.Violations.Refunds)
	return err
}

func sum(m map[string]uint64) (n uint64) {
	for _, v := range m {
		n += v
	}
	return n
}

func printReasons[N int | int64 | uint64](w io.Writer, title string, m map[string]N) {
	if len(m) > 0 {
		fmt.Fprintf(w, "%s: %s\n", title, reasons(m))
	}
}
