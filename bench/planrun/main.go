// Command planrun measures what `vibe-bridge plan` calculates with, on a real Apache Kafka of its own. It is what
// `make plan-measure` runs.
//
//	planrun [-sizes 50000,200000,800000] [-rounds 3] [-partition-orders 200000] [-partitions 4] [-seed 1] [-verify=true]
//	        [-provisional WHY] [-limit 3h] [-out internal/capacity/measured.json] [-dir build/plan]
//
//	smallest size (thrown away) ──▶ three sizes, the smaller two in rounds ──▶ one partition ──▶ hand-over ──▶ coefficients, deviations
//
// A size is a season that is drained by two processes, one after the other: the first has partners and events to read, the
// second orders and refunds. So what an event record and an order record cost is told apart. Then the process is started
// with the state folder that it has, and with none. Coefficients are fitted on the two smaller sizes, and the largest is
// predicted from them: a prediction that is off by more than 25 % fails the run, after the file was written.
//
// For the hand-over, one of two instances ends, and then one is killed, just before some events come.
// For one partition, the target cluster stands still behind a valve while intake works through a backlog; then the
// valve opens, and the gate's one goroutine works alone.
//
// Bridge and broker share the machine: nothing else should run on it. Everything listens on loopback and ends with the
// program. Exit codes: 0 measured, 1 failed or off by too much, 2 wrong usage.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/bench/valve"
	"github.com/ticketscloud/vibe-bridge/internal/capacity"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/localkafka"
)

const defaultSizes = "50000,200000,800000"

type config struct {
	sizes           []int // of orders, ascending
	rounds          int
	partitionOrders int
	partitions      int
	seed            uint64
	verify          bool
	provisional     string
	limit           time.Duration
	out, dir, root  string
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := configOf(args, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "planrun:", err)
		return 2
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.limit, fmt.Errorf("not done within %s", c.limit))
	defer cancel()
	if err := measure(ctx, c, stdout); err != nil {
		fmt.Fprintln(stderr, "planrun:", errors.Join(context.Cause(ctx), err))
		return 1
	}
	return 0
}

func configOf(args []string, stderr io.Writer) (config, error) {
	var c config
	flags := flag.NewFlagSet("planrun", flag.ContinueOnError)
	flags.SetOutput(stderr)
	sizes := flags.String("sizes", defaultSizes, "orders of the three seasons, ascending")
	flags.IntVar(&c.rounds, "rounds", 3, "of the two smaller sizes: that with the median time counts")
	flags.IntVar(&c.partitionOrders, "partition-orders", 0, "orders of the run with one partition (default: the middle size)")
	flags.IntVar(&c.partitions, "partitions", 4, "of legacy and internal topics; slim topics have one, so that their order can be verified")
	flags.Uint64Var(&c.seed, "seed", 1, "of the seasons")
	flags.BoolVar(&c.verify, "verify", true, "whether what each size leaves is verified")
	flags.StringVar(&c.provisional, "provisional", "", "why the figures are a first look only, for the file")
	flags.DurationVar(&c.limit, "limit", 3*time.Hour, "for everything")
	flags.StringVar(&c.out, "out", "", "file for what was measured (default: measured.json in -dir)")
	flags.StringVar(&c.dir, "dir", "", "for everything else that is written, removed at the start (default build/plan in the checkout)")
	if err := flags.Parse(args); err != nil {
		return c, errors.New("see -help")
	}
	if flags.NArg() > 0 {
		return c, fmt.Errorf("%q: no arguments are wanted", flags.Args())
	}
	for _, text := range strings.Split(*sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1000 {
			return c, fmt.Errorf("-sizes: %q: want a number of orders, 1000 or more", text)
		}
		c.sizes = append(c.sizes, n)
	}
	if len(c.sizes) != 3 || c.sizes[1] < 2*c.sizes[0] || c.sizes[2] < 2*c.sizes[1] {
		return c, fmt.Errorf("-sizes %s: want three, each at least twice the one before", *sizes)
	}
	if c.partitionOrders == 0 {
		c.partitionOrders = c.sizes[1]
	}
	if c.partitionOrders < 1000 || c.partitions < 1 || c.rounds < 1 {
		return c, errors.New("want 1000 or more -partition-orders, and 1 or more -partitions and -rounds")
	}
	if *sizes != defaultSizes && c.provisional == "" {
		c.provisional = "sizes of " + *sizes + " orders, not " + defaultSizes
	}
	root, err := localkafka.Root(".")
	if err != nil {
		return c, err
	}
	c.root = root
	if c.dir == "" {
		c.dir = filepath.Join(root, "build", "plan")
	}
	if c.out == "" {
		c.out = filepath.Join(c.dir, "measured.json")
	}
	if c.dir, err = filepath.Abs(c.dir); err != nil {
		return c, err
	}
	return c, nil
}

// bench is one run.
type bench struct {
	config
	out    io.Writer
	addr   string       // of the broker
	valve  *valve.Valve // before the same broker
	kafka  localkafka.Instance
	client *kgo.Client
	admin  *kadm.Client
	began  time.Time
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.out, "%7.1fs  %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}

func (b *bench) program() string { return filepath.Join(b.dir, "vibe-bridge") }

// measure does it all.
func measure(ctx context.Context, c config, out io.Writer) (err error) {
	b := &bench{config: c, out: out, began: time.Now()}
	if err := os.RemoveAll(c.dir); err != nil {
		return err
	}
	if err := b.command(ctx, "go", "build", "-o", b.program(), "./cmd/vibe-bridge"); err != nil {
		return err
	}
	if err := b.startKafka(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stopKafka()) }()
	m, err := b.describe(ctx)
	if err != nil {
		return err
	}
	if _, err := b.size(ctx, "warm-up", c.sizes[0]); err != nil { // the broker's first minute is not like the others
		return fmt.Errorf("warm up: %w", err)
	}
	for n, orders := range c.sizes {
		rounds := c.rounds
		if n == len(c.sizes)-1 { // long enough not to hang on a moment
			rounds = 1
		}
		var all []capacity.Size
		for round := range rounds {
			s, err := b.size(ctx, fmt.Sprintf("orders-%d-%d", orders, round), orders)
			if err != nil {
				return fmt.Errorf("%d orders: %w", orders, err)
			}
			all = append(all, s)
		}
		m.Sizes = append(m.Sizes, medianOf(all))
	}
	if m.Partition, err = b.onePartition(ctx); err != nil {
		return fmt.Errorf("one partition: %w", err)
	}
	if m.HandOver, err = b.handOver(ctx); err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	return b.conclude(m)
}

// medianOf is the one of some runs of a size whose drain took neither longest nor shortest.
func medianOf(all []capacity.Size) capacity.Size {
	drain := func(s capacity.Size) float64 { return s.EventPhase.Seconds + s.OrderPhase.Seconds }
	slices.SortFunc(all, func(a, b capacity.Size) int { return cmp.Compare(drain(a), drain(b)) })
	return all[len(all)/2]
}

func (b *bench) startKafka(ctx context.Context) (err error) {
	b.kafka = localkafka.Instance{Dir: filepath.Join(b.dir, "kafka")}
	if b.valve, b.addr, err = valve.Start(ctx, b.kafka, b.root); err != nil {
		return err
	}
	if b.client, err = kgo.NewClient(kgo.SeedBrokers(b.addr)); err != nil {
		return errors.Join(err, b.stopKafka())
	}
	b.admin = kadm.NewClient(b.client)
	return nil
}

func (b *bench) stopKafka() error {
	if b.client != nil {
		b.client.Close()
	}
	return errors.Join(b.valve.Close(), b.kafka.Stop(valve.StopLimit))
}

// conclude fits, predicts, writes the file and tells.
func (b *bench) conclude(m capacity.Measured) error {
	var err error
	m.Date = time.Now().UTC().Format(time.RFC3339)
	if m.Fitted, err = capacity.Fit(m.Sizes, m.Partition, m.HandOver); err != nil {
		return errors.Join(err, write(filepath.Join(b.dir, "unfitted.json"), m))
	}
	if m.Predicted, err = capacity.Predict(m.Sizes); err != nil {
		return err
	}
	if err := write(b.config.out, m); err != nil {
		return err
	}
	fmt.Fprint(b.out, "\n", m.Table())
	return offBy(m.Predicted)
}

// offBy is an error when a prediction is off by too much.
func offBy(all []capacity.Deviation) error {
	var bad []string
	for _, d := range all {
		if s := d.Share(); s > capacity.MaxDeviation || s < -capacity.MaxDeviation {
			bad = append(bad, fmt.Sprintf("%s %+.0f %%", d.What, 100*s))
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("predictions are off by more than %.0f %%: %s", 100*capacity.MaxDeviation, strings.Join(bad, "; "))
	}
	return nil
}

// command runs a program in the checkout to its end.
func (b *bench) command(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = b.root
	if text, err := cmd.CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.Join(lines[max(0, len(lines)-5):], " | "))
	}
	return nil
}

// topicsOf are the topics that there are with one of the beginnings.
func (b *bench) topicsOf(ctx context.Context, prefixes ...string) (names []string, err error) {
	listed, err := b.admin.ListTopics(ctx)
	if err != nil {
		return nil, err
	}
	for name := range listed {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			names = append(names, name)
		}
	}
	return names, nil
}
