// Command localbroker starts, stops and describes a local Apache Kafka for tests and trials. It is what
// `make kafka` and `make kafka-stop` run.
//
//	localbroker start [-dir DIR] [-nodes N] [-config FILE] [-scram-user SPEC]... [-keep] [-heap 1g] [-timeout 2m]
//	localbroker stop [-dir DIR]
//	localbroker status [-dir DIR]
//	localbroker classpath
//
// start prints the addresses for KAFKA_BROKERS on standard output and its progress on standard error:
//
//	export KAFKA_BROKERS=$(go run ./internal/kafka/localbroker start)
//
// Each flag of start can be set by the environment: LOCAL_KAFKA_DIR, LOCAL_KAFKA_NODES, LOCAL_KAFKA_CONFIG,
// LOCAL_KAFKA_HEAP. Exit codes: 0 done (status: running), 1 failed (status: not running), 2 wrong usage.
//
// What belongs here: flags, environment and output. The work is in internal/kafka/localkafka.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/localkafka"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

const usage = "usage: localbroker start|stop|status|classpath [flags]"

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprintln(stderr, usage)
		return 2
	}
	root, err := localkafka.Root(".")
	if err != nil {
		fmt.Fprintln(stderr, "localbroker:", err)
		return 1
	}
	commands := map[string]func(context.Context, string, []string, io.Writer, io.Writer) error{
		"start": start, "stop": stop, "status": status, "classpath": classpath,
	}
	cmd, ok := commands[args[0]]
	if !ok {
		fmt.Fprintf(stderr, "localbroker: no command %q\n%s\n", args[0], usage)
		return 2
	}
	err = cmd(ctx, root, args[1:], stdout, stderr)
	if errors.Is(err, errUsage) {
		return 2
	}
	if err != nil {
		fmt.Fprintln(stderr, "localbroker:", err)
		return 1
	}
	return 0
}

// errUsage is returned after the flag package has printed what is wrong.
var errUsage = errors.New("wrong usage")

func newFlags(name, root string, stderr io.Writer) (*flag.FlagSet, *string) {
	fs := flag.NewFlagSet("localbroker "+name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	dir := fs.String("dir", env("LOCAL_KAFKA_DIR", filepath.Join(root, "build", "kafka")), "folder of the cluster")
	return fs, dir
}

func parse(fs *flag.FlagSet, args []string) error {
	if err := fs.Parse(args); err != nil {
		return errUsage
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(fs.Output(), "%s: unexpected argument %q\n", fs.Name(), fs.Arg(0))
		return errUsage
	}
	return nil
}

type listFlag []string

func (l *listFlag) String() string     { return strings.Join(*l, " ") }
func (l *listFlag) Set(s string) error { *l = append(*l, s); return nil }

func start(ctx context.Context, root string, args []string, stdout, stderr io.Writer) error {
	defaultNodes, err := strconv.Atoi(env("LOCAL_KAFKA_NODES", "1"))
	if err != nil {
		return fmt.Errorf("LOCAL_KAFKA_NODES=%q: want a number", os.Getenv("LOCAL_KAFKA_NODES"))
	}
	fs, dir := newFlags("start", root, stderr)
	nodes := fs.Int("nodes", defaultNodes, "number of brokers, 1 to 5")
	config := fs.String("config", env("LOCAL_KAFKA_CONFIG", ""), "properties file appended to every broker's configuration")
	keep := fs.Bool("keep", false, "start on the data and ports of the last start")
	heap := fs.String("heap", env("LOCAL_KAFKA_HEAP", "1g"), "memory limit of each broker's JVM")
	timeout := fs.Duration("timeout", 2*time.Minute, "how long to wait until the brokers answer; the first start also fetches the jars")
	var scram listFlag
	fs.Var(&scram, "scram-user", "SCRAM user that exists from the start, as SCRAM-SHA-512=[name=N,password=P]; may be repeated")
	if err := parse(fs, args); err != nil {
		return err
	}
	if *nodes < 1 || *nodes > 5 {
		return fmt.Errorf("-nodes %d: want 1 to 5", *nodes)
	}
	o := localkafka.Options{Nodes: *nodes, ScramUsers: scram, KeepData: *keep, Heap: *heap, Log: stderr}
	if *config != "" {
		b, err := os.ReadFile(*config)
		if err != nil {
			return fmt.Errorf("-config: %w", err)
		}
		o.ExtraConfig, o.ExtraName = string(b), *config
	}
	ctx, cancel := context.WithTimeoutCause(ctx, *timeout, fmt.Errorf("not ready within %s (-timeout)", *timeout))
	defer cancel()
	addrs, err := localkafka.Instance{Dir: *dir}.Start(ctx, root, o)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, strings.Join(addrs, ","))
	return nil
}

func stop(_ context.Context, root string, args []string, _, stderr io.Writer) error {
	fs, dir := newFlags("stop", root, stderr)
	grace := fs.Duration("grace", 15*time.Second, "how long a broker may take to end before it is killed")
	if err := parse(fs, args); err != nil {
		return err
	}
	in, err := instance(*dir)
	if err != nil {
		return err
	}
	return in.Stop(*grace)
}

func status(_ context.Context, root string, args []string, stdout, stderr io.Writer) error {
	fs, dir := newFlags("status", root, stderr)
	if err := parse(fs, args); err != nil {
		return err
	}
	in, err := instance(*dir)
	if err != nil {
		return err
	}
	st, err := in.Status()
	if err != nil {
		return err
	}
	if !st.Running {
		return errors.New("not running")
	}
	fmt.Fprintln(stdout, strings.Join(st.Brokers, ","))
	return nil
}

func classpath(ctx context.Context, root string, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("localbroker classpath", flag.ContinueOnError)
	fs.SetOutput(stderr)
	if err := parse(fs, args); err != nil {
		return err
	}
	jars := localkafka.CheckoutJars(root)
	if err := jars.Fetch(ctx, stderr); err != nil {
		return err
	}
	cp, err := jars.ClientClasspath()
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, cp)
	return nil
}

func instance(dir string) (localkafka.Instance, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return localkafka.Instance{}, err
	}
	return localkafka.Instance{Dir: abs}, nil
}

func env(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}
