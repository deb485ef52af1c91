// Command chaosrun runs the chaos suite (package chaos): faults while data flows, and a checker of the history. It is
// what `make chaos` runs.
//
//	chaosrun [-kills 200] [-seed 1] [-instances 2] [-faults pause,broker,…|none] [-rate 100] [-dir build/chaos] [-tags TAGS]
//
// It prints a line per fault and a summary at the end, which summary.json in the folder has, too. Exit codes: 0 passed,
// 1 failed, 2 wrong usage.
package main

import (
	"context"
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
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := configOf(args, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "chaosrun:", err)
		return 2
	}
	summary, err := chaos.Run(ctx, c, stdout)
	summary.WriteText(stdout)
	if err != nil {
		fmt.Fprintln(stderr, "chaosrun:", err)
		return 1
	}
	return 0
}

func configOf(args []string, stderr io.Writer) (chaos.Config, error) {
	c := chaos.Config{Bound: true}
	flags := flag.NewFlagSet("chaosrun", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&c.Kills, "kills", 200, "kill -9s of an instance")
	flags.Uint64Var(&c.Seed, "seed", 1, "of schedule and records")
	flags.IntVar(&c.Instances, "instances", 2, "of the bridge")
	flags.IntVar(&c.Rate, "rate", 100, "legacy records per second")
	flags.StringVar(&c.Dir, "dir", "", "for everything that is written (default build/chaos in the checkout)")
	flags.StringVar(&c.Tags, "tags", "", "build tags of the bridge; plantedbug plants a bug that the run must find")
	faults := flags.String("faults", "", "kinds of faults beside kills, separated by commas; none: kills alone (default all)")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	c.Others = othersOf(*faults)
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
