package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare/once"
	"github.com/ticketscloud/vibe-bridge/internal/planted"
	"github.com/ticketscloud/vibe-bridge/internal/planted/found"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/resident"
	"github.com/ticketscloud/vibe-bridge/internal/season"
)

// made begins the name of a topic whose records the bridge has made: on the way from one
// process to the other, legacy and slim events would have one name.
const made = "made-"

// flawless has about so many entities that are compared: an order each, their events and
// some refunds.
func flawless(c config) season.Config {
	return season.Config{Orders: c.entities, Seed: c.seed}
}

// writeSeason writes all records of the flawless season, in the order of their times.
func writeSeason(c config, out io.Writer) error {
	buffered := bufio.NewWriterSize(out, 1<<20)
	w := recordfile.NewWriter(buffered)
	offsets := map[string]int64{}
	err := planted.Bridge(flawless(c), found.Encoding, w.Write, func(r recordfile.Record) error {
		r.Topic = made + r.Topic
		r.Partition, r.Offset = 0, offsets[r.Topic]
		offsets[r.Topic]++
		return w.Write(r)
	})
	return errors.Join(err, w.Close(), buffered.Flush())
}

// cleanSeason compares what writeSeason writes.
func cleanSeason(ctx context.Context, c config, in io.Reader, stdout io.Writer) error {
	o, err := found.Options(nil, c.dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	e, err := once.Open(o)
	if err != nil {
		return err
	}
	err = compareClean(ctx, c, e, in, stdout)
	return errors.Join(err, e.Close(), os.RemoveAll(c.dir))
}

func compareClean(ctx context.Context, c config, e *once.Engine, in io.Reader, stdout io.Writer) error {
	reader, err := recordfile.NewReader("season", in)
	if err != nil {
		return err
	}
	began, taking := time.Now(), time.Duration(0)
	for batch, last := []recordfile.Record(nil), false; !last; {
		if batch, last, err = next(reader, batch[:0]); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		start := time.Now()
		for _, r := range batch {
			name, right := strings.CutPrefix(r.Topic, made)
			r.Topic = name
			if err := found.Take(e, !right, r); err != nil {
				return err
			}
		}
		taking += time.Since(start)
	}
	j, err := found.Judging(season.Directory(flawless(c)), 0)
	if err != nil {
		return err
	}
	start := time.Now()
	result, err := e.Judge(ctx, j)
	if err != nil {
		return err
	}
	judging := time.Since(start)
	wrong := found.FalseOnes(result.Totals)
	compared := int64(0)
	for name, s := range result.Totals.Streams {
		compared += s.Compared()
		if s.Coverage() != 1 {
			wrong = append(wrong, fmt.Sprintf("%s: coverage %v, pending %v", name, s.Coverage(), s.Pending))
		}
	}
	if compared < int64(c.entities) {
		wrong = append(wrong, fmt.Sprintf("%d entities were compared, want %d", compared, c.entities))
	}
	records := e.Stats().Total()
	fmt.Fprintf(stdout, "flawless season: %d records, %d entities compared, %d false ones\n", records, compared, len(wrong))
	for _, name := range []string{"events", "orders", "refunds"} {
		if s := result.Totals.Streams[name]; s != nil {
			fmt.Fprintf(stdout, "  %-8s entities %d, equal %d, different %d, undecidable %v, pending %v, skipped %v, coverage %v\n",
				name, s.Entities, s.Equal, s.Different, s.Undecidable, s.Pending, s.Skipped, s.Coverage())
		}
	}
	fmt.Fprintf(stdout, "taken in %.1f s (%.0f records/s), judged in %.1f s (%.0f entities/s), %.1f s with the reading of the records, peak memory %d MiB\n\n",
		taking.Seconds(), float64(records)/taking.Seconds(), judging.Seconds(), float64(compared)/judging.Seconds(), time.Since(began).Seconds(), resident.Peak()>>20)
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "; "))
	}
	return nil
}

// next fills a batch; last: there are no more records.
func next(r *recordfile.Reader, batch []recordfile.Record) (_ []recordfile.Record, last bool, err error) {
	for len(batch) < 1024 {
		record, err := r.Next()
		if errors.Is(err, io.EOF) {
			return batch, true, nil
		}
		if err != nil {
			return batch, false, err
		}
		batch = append(batch, record)
	}
	return batch, false, nil
}
