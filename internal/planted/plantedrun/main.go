// Command plantedrun plants every kind of fault in a generated season, one kind at a time,
// and compares; and it compares seasons in which nothing is planted. It is what
// `make compare-planted` runs.
//
//	plantedrun [-orders 200000] [-each 100] [-entities 1000000] [-seed 1] [-dir DIR]
//
// It fails unless
//
//   - every planted entity is found, in its stream, category and field;
//   - nothing else is: no other difference, and no entity that is pending, undecidable,
//     skipped or quarantined beyond those of the season as it is;
//   - a flawless season of at least so many entities, all compared, has no difference, with
//     coverage 1.
//
// The latter runs in a process of its own, which is handed the records by another one,
// so that its peak of memory is that of the comparison alone. Exit codes: 0 passed,
// 1 failed, 2 wrong usage.
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
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ticketscloud/vibe-bridge/internal/planted"
	"github.com/ticketscloud/vibe-bridge/internal/planted/found"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

type config struct {
	orders, each, entities int
	seed                   uint64
	dir                    string
	hostile                float64
	part                   string // of a process that this one has started: "write" or "clean"
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c, err := configOf(args, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "plantedrun:", err)
		return 2
	}
	switch c.part {
	case "write":
		err = writeSeason(c, stdout)
	case "clean":
		err = cleanSeason(ctx, c, stdin, stdout)
	default:
		if err = all(ctx, c, stdout, stderr); err == nil {
			fmt.Fprintln(stdout, "PASSED")
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "plantedrun:", err)
		return 1
	}
	return 0
}

func configOf(args []string, stderr io.Writer) (config, error) {
	var c config
	flags := flag.NewFlagSet("plantedrun", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&c.orders, "orders", 200_000, "of the season in which faults are planted; 0: none are")
	flags.IntVar(&c.each, "each", 100, "entities that get a fault of each kind, where there are so many that can have it")
	flags.IntVar(&c.entities, "entities", 1_000_000, "least number of entities of the flawless season; 0: there is none")
	flags.Uint64Var(&c.seed, "seed", 1, "of the seasons and of what is planted")
	flags.Float64Var(&c.hostile, "hostile", 0.05, "share of trouble in the season in which faults are planted, 0 to 1")
	flags.StringVar(&c.dir, "dir", "", "folder for rows (default: a new one, which is removed)")
	flags.StringVar(&c.part, "part", "", "for the program's own use")
	if err := flags.Parse(args); err != nil {
		return c, errors.New("see -help")
	}
	switch {
	case flags.NArg() > 0:
		return c, fmt.Errorf("%q: want no arguments", flags.Arg(0))
	case c.orders < 0, c.each < 1, c.entities < 0, !(0 <= c.hostile && c.hostile <= 1):
		return c, errors.New("a number is out of its range; see -help")
	case c.part != "" && c.part != "write" && c.part != "clean":
		return c, fmt.Errorf("-part %q: want none", c.part)
	}
	return c, nil
}

func all(ctx context.Context, c config, stdout, stderr io.Writer) (err error) {
	if c.dir == "" {
		if c.dir, err = os.MkdirTemp("", "vibe-bridge-planted-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(c.dir)) }()
	}
	var failed error
	if c.entities > 0 {
		failed = cleanProcess(ctx, c, stdout, stderr)
	}
	if c.orders > 0 && ctx.Err() == nil {
		failed = errors.Join(failed, kinds(ctx, c, stdout))
	}
	return failed
}

// kinds prints a table, a line for each kind.
func kinds(ctx context.Context, c config, stdout io.Writer) error {
	began := time.Now()
	// Events are so many that some are not sold, of which alone the events can be missing.
	s, err := planted.New(season.Config{Orders: c.orders, Events: max(c.orders/8, 1000), Seed: c.seed, Hostile: c.hostile}, found.Encoding)
	if err != nil {
		return err
	}
	base, err := found.NewBase(s, vfs.Default, c.dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "season: %d orders, hostile %v, seed %d: %d legacy records, %d slim ones, %d in quarantine; read in %.1f s\n",
		c.orders, c.hostile, c.seed, len(s.Legacy), len(s.Slim), len(s.Quarantine), time.Since(began).Seconds())
	began = time.Now()
	r, wrong, err := base.Clean(ctx)
	if err != nil {
		return err
	}
	for _, stream := range []string{"events", "orders", "refunds"} {
		if n := r.Totals.Streams[stream]; n != nil {
			fmt.Fprintf(stdout, "  %-8s entities %d, equal %d, pending %v, skipped %v, quarantined %v\n", stream, n.Entities, n.Equal, n.Pending, n.Skipped, n.Quarantined)
		}
	}
	fmt.Fprintf(stdout, "as it is: %d false ones, %.1f s\n\n", len(wrong), time.Since(began).Seconds())
	fmt.Fprintf(stdout, "%-24s %-8s %-17s %-24s %8s %8s %8s %8s\n", "kind", "stream", "category", "field", "planted", "found", "false", "seconds")
	var bad []string
	if len(wrong) > 0 {
		bad = append(bad, "the season as it is: "+strings.Join(wrong, "; "))
	}
	for _, kind := range planted.Kinds() {
		began := time.Now()
		o, err := base.Kind(ctx, kind, c.each, c.seed)
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%-24s %-8s %-17s %-24s %8d %8d %8d %8.1f\n", kind.Name, kind.Stream, kind.Category, kind.Field,
			o.Planted, o.Found, o.False, time.Since(began).Seconds())
		if o.Planted == 0 {
			o.Wrong = append(o.Wrong, "no entity could be planted")
		}
		for _, text := range o.Wrong {
			bad = append(bad, kind.Name+": "+text)
		}
	}
	fmt.Fprintln(stdout)
	if len(bad) > 0 {
		return errors.New("not as it should be:\n" + strings.Join(bad, "\n"))
	}
	return nil
}

// cleanProcess compares a flawless season: one process makes it, another one compares.
func cleanProcess(ctx context.Context, c config, stdout, stderr io.Writer) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	part := func(name string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, program, "-part", name, "-entities", fmt.Sprint(c.entities), "-seed", fmt.Sprint(c.seed), "-dir", filepath.Join(c.dir, "clean"))
		cmd.Stderr = stderr
		return cmd
	}
	write, clean := part("write"), part("clean")
	records, err := write.StdoutPipe()
	if err != nil {
		return err
	}
	clean.Stdin, clean.Stdout = records, stdout
	if err := write.Start(); err != nil {
		return err
	}
	failed := clean.Run()
	_ = records.Close() // so that the writer ends when nobody reads any more
	if err := write.Wait(); err != nil {
		failed = errors.Join(failed, fmt.Errorf("make the flawless season: %w", err))
	}
	if failed != nil {
		return fmt.Errorf("the flawless season: %w", failed)
	}
	return nil
}
