// Command benchrun measures how fast contestants drain a season from the legacy topics into slim ones, on a real Apache
// Kafka of its own. It is what `make bench` and `make bench-quick` run.
//
//	benchrun [-orders 1000000] [-rounds 3] [-contestants franz,sarama,bridge,bridge-encrypted,kafka-streams,kafka-streams-eos,benthos-stateless] [-seed 1] [-partitions 4]
//	         [-measure drain,recovery,parts,latency,handover,flat] [-known 1000,10000000] [-load 2000] [-warmup 15s] [-for 60s] [-limit 12h] [-dir build/bench]
//	         [-before another/vibe-bridge] [-guard bench/guard.json]
//
//	load the season ──▶ round 0: each contestant drains it once (thrown away) ──▶ round 1 … ──▶ medians, ratios, goals, plots
//
//	drain     the season, from the start of the process until 999 of 1000 slim records are out
//	recovery  after the drain, on its topics: a new instance without local state, until it works
//	parts     new topics; intake alone, then the gate alone (only the bridge)
//	latency   new topics; partners and events first, then orders at a fixed pace (-load)
//	flat      the drain again, with rows of -known other orders in the table (only the bridge, and only if it is named)
//	handover  new topics, two instances, a light load; one is killed: how long an order waits at most
//
// All but the drain are of those that do the whole job, and of the rounds that count.
//
// Each contestant starts with new topics, groups and state. What does the whole job is verified after each measurement, and
// one that is not clean fails the run. With -before, -contestants bridge-before,bridge tells what a change has brought: from
// one run to another the machine is a tenth faster or slower, in one run it is the same for both. Figures of one run may be compared with one another, and with nothing else.
// With -guard the run fails when the bridge is worse, in terms of others of the run, than the file allows.
// Everything listens on loopback and ends with the program. results.json, results.md, rate.svg and latency.svg are left in the
// folder. Exit codes: 0 measured, 1 failed, 2 wrong usage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/bench/valve"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/localkafka"
)

type config struct {
	orders, rounds, partitions int
	seed                       uint64
	contestants, measured      []string
	load                       int // orders a second
	warmup, counted            time.Duration
	known                      []int // orders
	limit                      time.Duration
	dir, root                  string
	before                     string // program of bridge-before; "": it is not measured
	guards                     []guard
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := configOf(args, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "benchrun:", err)
		return 2
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.limit, fmt.Errorf("not done within %s", c.limit))
	defer cancel()
	if err := measure(ctx, c, stdout); err != nil {
		fmt.Fprintln(stderr, "benchrun:", errors.Join(context.Cause(ctx), err))
		return 1
	}
	return 0
}

func configOf(args []string, stderr io.Writer) (config, error) {
	var c config
	flags := flag.NewFlagSet("benchrun", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&c.orders, "orders", 1_000_000, "of the season")
	flags.IntVar(&c.rounds, "rounds", 3, "that count; one more before them is thrown away")
	flags.IntVar(&c.partitions, "partitions", 4, "of legacy and internal topics; slim topics have one, so that their order can be verified")
	flags.Uint64Var(&c.seed, "seed", 1, "of the season")
	who := flags.String("contestants", strings.Join(contestantNames(), ","), "who, in which order")
	what := flags.String("measure", strings.Join(usual, ","), "what, also "+flatName+"; recovery measures the drain, too")
	known := flags.String("known", "1000,10000000", "for "+flatName+", how many orders are known")
	flags.IntVar(&c.load, "load", 2000, "for the latency, orders a second")
	flags.DurationVar(&c.warmup, "warmup", 15*time.Second, "of the load, before the latency counts")
	flags.DurationVar(&c.counted, "for", time.Minute, "how long the latency counts")
	flags.DurationVar(&c.limit, "limit", 12*time.Hour, "for everything")
	flags.StringVar(&c.before, "before", "", "program of another build of vibe-bridge, measured as "+beforeName)
	guards := flags.String("guard", "", "file of the least and the most that ratios may be")
	flags.StringVar(&c.dir, "dir", "", "for everything that is written, removed at the start (default build/bench in the checkout)")
	if err := flags.Parse(args); err != nil {
		return c, errors.New("see -help")
	}
	for _, name := range strings.Split(*who, ",") {
		if !slices.ContainsFunc(contestants, func(o contestant) bool { return o.name == name }) {
			return c, fmt.Errorf("-contestants: %q: want of %s", name, strings.Join(contestantNames(), ", "))
		}
		if name == beforeName && c.before == "" {
			return c, fmt.Errorf("-contestants: %s: want its program with -before", name)
		}
		c.contestants = append(c.contestants, name)
	}
	for _, name := range strings.Split(*what, ",") {
		if !slices.Contains(measurements, name) {
			return c, fmt.Errorf("-measure: %q: want of %s", name, strings.Join(measurements, ", "))
		}
		c.measured = append(c.measured, name)
	}
	for _, text := range strings.Split(*known, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return c, fmt.Errorf("-known: %q: want a number of orders, 1 or more", text)
		}
		c.known = append(c.known, n)
	}
	switch {
	case flags.NArg() > 0:
		return c, fmt.Errorf("%q: no arguments are wanted", flags.Args())
	case c.orders < 100 || c.rounds < 1 || c.partitions < 1:
		return c, errors.New("want 100 orders or more, and 1 round and partition or more")
	case c.load < 1 || c.warmup < time.Second || c.counted < time.Second:
		return c, errors.New("want a -load of 1 or more, and a second of -warmup and of -for or more")
	case c.partitions < 2 && c.measures(handoverName):
		return c, errors.New("-measure handover: want 2 -partitions or more, for two instances")
	}
	if *guards != "" {
		var err error
		if c.guards, err = readGuards(*guards, c.contestants); err != nil {
			return c, fmt.Errorf("-guard: %w", err)
		}
	}
	root, err := localkafka.Root(".")
	if err != nil {
		return c, err
	}
	c.root = root
	if c.dir == "" {
		c.dir = filepath.Join(root, "build", "bench")
	}
	if c.before != "" {
		if c.before, err = filepath.Abs(c.before); err != nil { // instances run elsewhere
			return c, err
		}
	}
	return c, nil
}

// What is measured.
const (
	drainName    = "drain"
	recoveryName = "recovery"
	partsName    = "parts"
	latencyName  = "latency"
	flatName     = "flat"
	handoverName = "handover"
)

var measurements = []string{drainName, recoveryName, partsName, latencyName, handoverName, flatName}

// usual is what is measured if nothing is named.
var usual = []string{drainName, recoveryName, partsName, latencyName, handoverName}

func (c config) measures(name string) bool { return slices.Contains(c.measured, name) }

// warmOrders and countedOrders are how many orders the latency takes: before it counts, and then.
func (c config) warmOrders() int    { return int(c.warmup.Seconds() * float64(c.load)) }
func (c config) countedOrders() int { return int(c.counted.Seconds() * float64(c.load)) }

// soldOrders is how many orders are wanted at most for one measurement under a load.
func (c config) soldOrders() (n int) {
	if c.measures(latencyName) {
		n = c.warmOrders() + c.countedOrders()
	}
	if c.measures(handoverName) {
		n = max(n, c.knows()+lightOrders)
	}
	if c.measures(partsName) {
		n = max(n, c.partly())
	}
	return n
}

// bench is one run.
type bench struct {
	config
	out    io.Writer
	addr   string
	kafka  localkafka.Instance
	admin  *kadm.Client
	valve  *valve.Valve // before the broker, for parts
	shape  shape
	loaded int64  // legacy records
	bytes  int64  // of their values
	sales  *sales // for what is measured under a load
	probes []sale // for recovery: orders of the season, one for each partition
	probed int    // made of them so far
	began  time.Time
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.out, "%7.1fs  %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}

func (b *bench) program(name string) string { return filepath.Join(b.dir, "bin", name) }

// measure does it all.
func measure(ctx context.Context, c config, out io.Writer) (err error) {
	b := &bench{config: c, out: out, began: time.Now()}
	if err := os.RemoveAll(c.dir); err != nil {
		return err
	}
	for _, build := range [][]string{{"go", "build", "-o", b.program("vibe-bridge"), "./cmd/vibe-bridge"}, {"go", "build", "-o", b.program("floor"), "./bench/floor"}} {
		if err := b.command(ctx, build...); err != nil {
			return err
		}
	}
	for _, name := range c.contestants {
		if prepare := named(name).prepare; prepare != nil {
			if err := prepare(ctx, b); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	b.kafka = localkafka.Instance{Dir: filepath.Join(c.dir, "kafka")}
	if b.valve, b.addr, err = valve.Start(ctx, b.kafka, c.root); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.valve.Close(), b.kafka.Stop(valve.StopLimit)) }()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addr))
	if err != nil {
		return err
	}
	defer client.Close()
	b.admin = kadm.NewClient(client)
	if err := b.fill(ctx); err != nil {
		return fmt.Errorf("load the season: %w", err)
	}
	r := &results{
		Orders: c.orders, Seed: c.seed, Records: b.loaded, Bytes: b.bytes, Partitions: c.partitions, CPUs: runtime.NumCPU(),
		Go: runtime.Version(), Slim: b.shape,
	}
	for n := range c.rounds + 1 {
		for _, name := range c.contestants {
			if err := b.turn(ctx, named(name), n, r); err != nil {
				return fmt.Errorf("%s, round %d: %w", name, n, err)
			}
		}
	}
	if err := r.write(c.dir, c.contestants, out); err != nil {
		return err
	}
	return r.check(c.guards)
}

// turn has a contestant measured in a round, of which the first does not count.
func (b *bench) turn(ctx context.Context, c contestant, n int, r *results) error {
	counts := n > 0
	if b.measures(drainName) || b.measures(recoveryName) {
		f, again, err := b.round(ctx, c, n)
		if err != nil {
			return err
		}
		if !counts {
			b.say("%s, round %d: %s (thrown away)", c.name, n, f)
			return nil
		}
		b.say("%s, round %d: %s", c.name, n, f)
		r.Rounds = append(r.Rounds, f)
		if again != nil {
			b.say("%s, round %d: %s", c.name, n, again)
			r.Recovery = append(r.Recovery, again)
		}
	}
	if !c.loaded || !counts {
		return nil
	}
	if b.measures(flatName) && c.name == "bridge" {
		for _, known := range b.known {
			f, err := b.flat(ctx, c, n, known)
			if err != nil {
				return err
			}
			b.say("%s, round %d: %s", c.name, n, f)
			r.Flat = append(r.Flat, f)
		}
	}
	if b.measures(partsName) && c.tells {
		f, err := b.parts(ctx, c, n)
		if err != nil {
			return err
		}
		b.say("%s, round %d: %s", c.name, n, f)
		r.Parts = append(r.Parts, f)
	}
	if b.measures(latencyName) {
		f, err := b.latency(ctx, c, n)
		if err != nil {
			return err
		}
		b.say("%s, round %d: %s", c.name, n, f)
		r.Latency = append(r.Latency, f)
	}
	if b.measures(handoverName) {
		f, err := b.handover(ctx, c, n)
		if err != nil {
			return err
		}
		b.say("%s, round %d: %s", c.name, n, f)
		r.Handover = append(r.Handover, f)
	}
	return nil
}

// command runs a program in the checkout to its end.
func (b *bench) command(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = b.root
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, lastOf(string(text)))
	}
	return nil
}

func lastOf(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], " | ")
}
