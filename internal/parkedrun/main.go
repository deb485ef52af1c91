// Command parkedrun parks a great number of orders of one event that has not come, on a real Apache Kafka of its own,
// lets the event come, and measures what that takes. It is what `make parked-run` runs.
//
//	parkedrun [-orders 1000000] [-base 100000] [-seed 1] [-max-rss 512] [-growth 1.3] [-dir build/parked]
//
//	write orders ──▶ all parked ──▶ write partner and event ──▶ all released ──▶ check, verify
//
// It does this twice, with the base number of orders and then with all of them, each time with a new Kafka, a new state
// and a new process of the real binary, and fails unless
//
//   - every order and every refund is there exactly once, and nothing else;
//   - the event's record was appended before the first order, and every refund behind its order;
//   - orders come in the order of their keys, which is what a release promises (mapping.Scan);
//   - `vibe-bridge verify` finds nothing;
//   - the process's peak of resident memory stays below -max-rss MiB, and with all orders below -growth times that with
//     the base number and what the block cache of the local state takes once there is enough to fill it: beyond that, it
//     does not depend on how many are parked.
//
// Refunds of orders that are not published wait, too, and every fifty-first order comes in a second version while the first
// one is parked. Everything listens on loopback and ends with the program. summary.json in the folder has the figures.
// Exit codes: 0 passed, 1 failed, 2 wrong usage.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/localkafka"
	"github.com/ticketscloud/vibe-bridge/internal/store"
)

type config struct {
	orders, base int
	seed         uint64
	maxRSS       int     // MiB
	growth       float64 // of the peak, from base to orders
	dir, root    string
	limit        time.Duration // for each part of a run
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := configOf(args, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "parkedrun:", err)
		return 2
	}
	if err := runs(ctx, c, stdout); err != nil {
		fmt.Fprintln(stderr, "parkedrun:", err)
		return 1
	}
	fmt.Fprintln(stdout, "PASSED")
	return 0
}

func configOf(args []string, stderr io.Writer) (config, error) {
	var c config
	flags := flag.NewFlagSet("parkedrun", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&c.orders, "orders", 1_000_000, "that wait for one event")
	flags.IntVar(&c.base, "base", 100_000, "orders of the run to compare memory with; 0: none")
	flags.Uint64Var(&c.seed, "seed", 1, "of the orders")
	flags.IntVar(&c.maxRSS, "max-rss", 512, "most resident memory of the bridge, MiB")
	flags.Float64Var(&c.growth, "growth", 1.3, "most that the peak may grow from base to orders")
	flags.DurationVar(&c.limit, "limit", time.Hour, "for each part of a run")
	flags.StringVar(&c.dir, "dir", "", "for everything that is written (default build/parked in the checkout)")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if c.orders < 1 || c.base < 0 || c.growth < 1 {
		return c, errors.New("want 1 or more -orders, 0 or more for -base, and -growth of 1 or more")
	}
	var err error
	if c.root, err = localkafka.Root("."); err != nil {
		return c, err
	}
	if c.dir == "" {
		c.dir = filepath.Join(c.root, "build", "parked")
	}
	if c.dir, err = filepath.Abs(c.dir); err != nil {
		return c, err
	}
	return c, nil
}

// runs does the run with the base number, and then that with all orders.
func runs(ctx context.Context, c config, out io.Writer) error {
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	binary := filepath.Join(c.dir, "vibe-bridge")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/vibe-bridge")
	build.Dir = c.root
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, text)
	}
	var all []*figures
	for _, n := range []int{c.base, c.orders} {
		if n == 0 || n == c.base && c.base >= c.orders {
			continue
		}
		f, err := park(ctx, c, binary, n, out)
		all = append(all, f)
		err = errors.Join(err, writeSummary(c, all))
		if err != nil {
			return fmt.Errorf("with %d orders: %w", n, err)
		}
	}
	return judgeMemory(c, all, out)
}

func writeSummary(c config, all []*figures) error {
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.dir, "summary.json"), append(text, '\n'), 0o644)
}

// judgeMemory compares peaks with the bounds.
func judgeMemory(c config, all []*figures, out io.Writer) error {
	last := all[len(all)-1]
	for _, f := range all {
		f.print(out)
		if f.PeakMiB > float64(c.maxRSS) {
			return fmt.Errorf("the bridge took %.0f MiB with %d orders; the most is %d", f.PeakMiB, f.Orders, c.maxRSS)
		}
	}
	if len(all) < 2 {
		return nil
	}
	most := c.growth*all[0].PeakMiB + store.DefaultCacheBytes>>20
	fmt.Fprintf(out, "peak memory of the bridge: %.0f MiB with %d orders, %.0f MiB with %d; the most is %.0f MiB\n",
		all[0].PeakMiB, all[0].Orders, last.PeakMiB, last.Orders, most)
	if last.PeakMiB > most {
		return fmt.Errorf("the peak grew from %.0f to %.0f MiB; the most is %.0f", all[0].PeakMiB, last.PeakMiB, most)
	}
	return nil
}
