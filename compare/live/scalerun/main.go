// Command scalerun measures how `compare run` takes and judges a season on a real Apache Kafka of its own, with one
// instance and then with more. It is what `make compare-run-scale` runs.
//
//	scalerun [-orders 100000] [-seed 1] [-instances 1,2] [-limit 30m] [-dir build/compare-scale]
//
//	write the season, legacy and slim ──▶ for each number: new deployment ──▶ all taken ──▶ all judged ──▶ end
//
// The season is flawless, and the run fails when it is not found so, all of it. Instances are processes of the real
// binary; their topics have 4 partitions. Everything listens on loopback and ends with the program. Exit codes: 0
// measured, 1 failed, 2 wrong usage.
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
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/localkafka"
	"github.com/ticketscloud/vibe-bridge/internal/planted"
	"github.com/ticketscloud/vibe-bridge/internal/planted/found"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

type config struct {
	orders    int
	seed      uint64
	instances []int
	limit     time.Duration
	dir, root string
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := configOf(args, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "scalerun:", err)
		return 2
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.limit, fmt.Errorf("not done within %s", c.limit))
	defer cancel()
	if err := measureAll(ctx, c, stdout); err != nil {
		fmt.Fprintln(stderr, "scalerun:", errors.Join(context.Cause(ctx), err))
		return 1
	}
	return 0
}

func configOf(args []string, stderr io.Writer) (config, error) {
	var c config
	flags := flag.NewFlagSet("scalerun", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&c.orders, "orders", 100_000, "of the season")
	flags.Uint64Var(&c.seed, "seed", 1, "of the season")
	instances := flags.String("instances", "1,2", "how many instances, for each run")
	flags.DurationVar(&c.limit, "limit", 30*time.Minute, "for everything")
	flags.StringVar(&c.dir, "dir", "", "for everything that is written, removed at the start (default build/compare-scale in the checkout)")
	if err := flags.Parse(args); err != nil {
		return c, errors.New("see -help")
	}
	for _, text := range strings.Split(*instances, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > partitions {
			return c, fmt.Errorf("-instances %q: want numbers from 1 to %d, separated by commas", *instances, partitions)
		}
		c.instances = append(c.instances, n)
	}
	if c.orders < 1 || flags.NArg() > 0 {
		return c, errors.New("want 1 or more -orders, and no arguments")
	}
	var err error
	if c.root, err = localkafka.Root("."); err != nil {
		return c, err
	}
	if c.dir == "" {
		c.dir = filepath.Join(c.root, "build", "compare-scale")
	}
	c.dir, err = filepath.Abs(c.dir)
	return c, err
}

// partitions of every topic.
const partitions = 4

func measureAll(ctx context.Context, c config, out io.Writer) (err error) {
	if err := os.RemoveAll(c.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	b := &bench{config: c, out: out, binary: filepath.Join(c.dir, "vibe-bridge"), kafka: localkafka.Instance{Dir: filepath.Join(c.dir, "kafka")}}
	build := exec.CommandContext(ctx, "go", "build", "-o", b.binary, "./cmd/vibe-bridge")
	build.Dir = c.root
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, text)
	}
	addrs, err := b.kafka.Start(ctx, c.root, localkafka.Options{Bound: true})
	if err != nil {
		return err
	}
	const grace = 15 * time.Second
	defer func() { err = errors.Join(err, b.kafka.Stop(grace)) }()
	b.addr = addrs[0]
	if b.client, err = kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.ProducerLinger(20*time.Millisecond)); err != nil {
		return err
	}
	defer b.client.Close()
	if err := b.write(ctx); err != nil {
		return fmt.Errorf("write the season: %w", err)
	}
	var all []*figures
	for _, n := range c.instances {
		f, err := b.measure(ctx, n)
		if err != nil {
			return fmt.Errorf("with %d: %w", n, err)
		}
		f.print(out)
		all = append(all, f)
	}
	for _, f := range all[1:] {
		fmt.Fprintf(out, "%s take %.2f times as many records a second as %s, and judge %.2f times as many entities\n",
			instances(f.n), all[0].taken/f.taken, instances(all[0].n), all[0].judged/f.judged)
	}
	return nil
}

// bench is one Kafka with one season in it.
type bench struct {
	config
	out     io.Writer
	binary  string
	addr    string
	kafka   localkafka.Instance
	client  *kgo.Client
	records int
}

const slimPrefix = "slim-"

// write fills the topics of both sides, as a bridge that has worked through the season leaves them.
func (b *bench) write(ctx context.Context) error {
	began := time.Now()
	admin := kadm.NewClient(b.client)
	for _, topics := range [][]string{
		{season.TopicPartners, season.TopicEvents, season.TopicOrders, season.TopicRefunds}, {slimPrefix + "events", slimPrefix + "orders", slimPrefix + "refunds"},
	} {
		created, err := admin.CreateTopics(ctx, partitions, 1, nil, topics...)
		if err = errors.Join(err, created.Error()); err != nil {
			return err
		}
	}
	seasonOf := season.Config{Orders: b.orders, Seed: b.seed}
	if err := os.WriteFile(filepath.Join(b.dir, "directory.json"), season.Directory(seasonOf), 0o644); err != nil {
		return err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	send := func(prefix string) func(recordfile.Record) error {
		return func(r recordfile.Record) error {
			rec := &kgo.Record{Topic: prefix + r.Topic, Key: r.Key, Value: r.Value, Timestamp: time.UnixMilli(r.Timestamp)}
			for _, h := range r.Headers {
				rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
			}
			b.client.Produce(ctx, rec, func(_ *kgo.Record, err error) {
				if err != nil {
					fail(err)
				}
			})
			b.records++
			return context.Cause(ctx)
		}
	}
	if err := planted.Bridge(seasonOf, found.Encoding, send(""), send(slimPrefix)); err != nil {
		return err
	}
	if err := errors.Join(b.client.Flush(ctx), context.Cause(ctx)); err != nil {
		return err
	}
	fmt.Fprintf(b.out, "season of %d orders: %d records in both sides' topics, written in %.1f s\n", b.orders, b.records, time.Since(began).Seconds())
	return nil
}

// configure writes the configuration of a deployment.
func (b *bench) configure(name string) (path string, err error) {
	text := fmt.Sprintf(`name: %s
source: {brokers: [%q]}
target: {brokers: [%q]}
state_dir: %q
directory_file: %q
partitions: %d
replication: 1
min_insync: 1
slim: {prefix: %s}
compare: {grace: 1s, audit_interval: 5s}
cutover: {max_behind: 0s}
log: {level: info, format: text}
`, name, b.addr, b.addr, b.dir, filepath.Join(b.dir, "directory.json"), partitions, slimPrefix)
	path = filepath.Join(b.dir, name+".yaml")
	return path, os.WriteFile(path, []byte(text), 0o644)
}

// figures are what a run has measured.
type figures struct {
	n             int
	records       int
	entities      int64
	taken, judged float64 // seconds
	// Processor time in seconds until all was taken: of the instances, and of the broker.
	cpu, brokerCPU float64
	peaks          []float64 // resident memory of each, MiB
	state, topics  float64   // MiB
}

func instances(n int) string {
	if n == 1 {
		return "1 instance"
	}
	return fmt.Sprintf("%d instances", n)
}

func (f *figures) print(out io.Writer) {
	cores := runtime.NumCPU()
	fmt.Fprintf(out, "%s: %d records taken in %.1f s (%.0f records/s), %d entities judged in %.1f s (%.0f entities/s)\n",
		instances(f.n), f.records, f.taken, float64(f.records)/f.taken, f.entities, f.judged, float64(f.entities)/f.judged)
	fmt.Fprintf(out, "  processor time until all was taken: %.1f s of the comparison, %.1f s of the broker, of the %.1f s of %d cores: %.0f %%\n",
		f.cpu, f.brokerCPU, f.taken*float64(cores), cores, 100*(f.cpu+f.brokerCPU)/(f.taken*float64(cores)))
	fmt.Fprintf(out, "  memory at most %.0f MiB each; state %.0f MiB on the instances' disks, %.0f MiB in the comparison's topics\n", f.peaks, f.state, f.topics)
}
