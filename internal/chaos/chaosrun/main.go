// Command chaosrun runs the chaos suite (package chaos): faults while data flows, and a checker of the history. It is
// what `make chaos` runs.
//
//	chaosrun [-kills 200] [-seed 1] [-instances 2] [-faults pause,broker,…|none] [-brokers 1|3] [-target shared|own]
//	         [-rate 100] [-dir build/chaos] [-tags TAGS]
//	chaosrun -away 30m [-rate 100] …
//
// The second form does one thing: the target cluster is away for so long while the load goes on.
//
// It prints a line per fault and a summary at the end, which summary.json in the folder has, too. Told to stop (SIGTERM
// or Ctrl-C) it does no more faults, and judges what has been written; a second time, it ends at once, with a summary of
// what it knows. Exit codes: 0 passed, 1 failed, 2 wrong usage.
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
	"strings"
	"syscall"

	"github.com/ticketscloud/vibe-bridge/internal/chaos"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/localkafka"
)

func main() {
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // ends with the program
		<-signals
		close(stop)
		<-signals
		cancel(errors.New("told to stop twice"))
	}()
	os.Exit(run(ctx, stop, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, stop <-chan struct{}, args []string, stdout, stderr io.Writer) int {
	c, err := configOf(args, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "chaosrun:", err)
		return 2
	}
	c.Stop = stop
	summary, err := chaos.Run(ctx, c, stdout)
	summary.WriteText(stdout)
	if err != nil {
		fmt.Fprintln(stderr, "chaosrun:", err)
		return 1
	}
	return 0
}

func configOf(args []string, stderr io.Writer) (chaos.Config, error) {
	c := chaos.Config{Bound: true, SmallDisk: chaos.CanMount()}
	flags := flag.NewFlagSet("chaosrun", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&c.Kills, "kills", 200, "kill -9s of an instance")
	flags.Uint64Var(&c.Seed, "seed", 1, "of schedule and records")
	flags.IntVar(&c.Instances, "instances", 2, "of the bridge")
	flags.IntVar(&c.Brokers, "brokers", 1, "of Kafka: 1, or 3")
	target := flags.String("target", "shared", "cluster of the slim topics: shared, or own")
	away := flags.Duration("away", 0, "nothing but this: how long the target, then of its own, is away")
	flags.IntVar(&c.Rate, "rate", 100, "legacy records per second")
	flags.StringVar(&c.Dir, "dir", "", "for everything that is written (default build/chaos in the checkout)")
	flags.StringVar(&c.Tags, "tags", "", "build tags of the bridge; plantedbug plants a bug that the run must find")
	faults := flags.String("faults", "", "kinds of faults beside kills, separated by commas; none: kills alone (default all)")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	c.Others = othersOf(*faults)
	if *target != "shared" && *target != "own" {
		return c, fmt.Errorf("-target %q: want shared or own", *target)
	}
	c.OwnTarget = *target == "own"
	if *away < 0 {
		return c, fmt.Errorf("-away %s: want more than 0", *away)
	}
	if *away > 0 {
		c = c.AwayFor(*away)
	}
	var err error
	if c.Root, err = localkafka.Root("."); err != nil {
		return c, err
	}
	if c.Dir == "" {
		c.Dir = filepath.Join(c.Root, "build", "chaos")
	}
	return c, c.WithDefaults().Validate()
}

func othersOf(list string) []chaos.Kind {
	switch list {
	case "":
		return nil
	case "none":
		return []chaos.Kind{}
	}
	var kinds []chaos.Kind
	for _, k := range strings.Split(list, ",") {
		kinds = append(kinds, chaos.Kind(strings.TrimSpace(k)))
	}
	return kinds
}
