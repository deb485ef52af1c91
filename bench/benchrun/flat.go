package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/bench/steady"
	"github.com/ticketscloud/vibe-bridge/internal/process"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// flatFigures are those of the bridge when it drains the season with the rows of so many other orders in its table. It
// has restored them and is at rest when the season begins to be written.
type flatFigures struct {
	Contestant string  `json:"contestant"`
	Round      int     `json:"round"`
	Known      int     `json:"known_orders"`     // that are not of the season
	Restored   float64 `json:"restored_seconds"` // after which it was ready
	Rested     float64 `json:"rested_seconds"`   // after which it had merged them
	// While it was at work, see steady.Of.
	Rate      float64 `json:"records_per_second"`
	CPU       float64 `json:"cpu_seconds_per_record"`
	BrokerCPU float64 `json:"broker_cpu_seconds_per_record"`
	PeakMiB   float64 `json:"peak_mib"`
	StateMiB  float64 `json:"state_mib"`
	Verified  bool    `json:"verified"`
}

func (f *flatFigures) who() string { return knownName(f.Known) }

func (f *flatFigures) String() string {
	return fmt.Sprintf("%d known orders: ready after %.1fs, at rest after %.1fs, then %.0f records/s, %.1f µs of processor time a record and %.1f of the broker's, at most %.0f MiB, state folder %.0f MiB; verified",
		f.Known, f.Restored, f.Rested, f.Rate, f.CPU*1e6, f.BrokerCPU*1e6, f.PeakMiB, f.StateMiB)
}

// knownName is what the figures with so many known orders are found by.
func knownName(orders int) string { return fmt.Sprint(orders) }

// flat has the bridge drain the season when its table has rows of orders that never come.
func (b *bench) flat(ctx context.Context, c contestant, n, known int) (f *flatFigures, err error) {
	p := newPlace(b, fmt.Sprintf("%s-known-%d-%d", c.name, known, n))
	p.known, p.legacy = known, "legacy-"+p.name+"-"
	defer func() { err = errors.Join(err, b.remove(context.WithoutCancel(ctx), p)) }()
	if err := b.prepare(ctx, c, p); err != nil {
		return nil, err
	}
	if err := b.know(ctx, p); err != nil {
		return nil, fmt.Errorf("write the rows of %d orders: %w", known, err)
	}
	f = &flatFigures{Contestant: c.name, Round: n, Known: known}
	if err := b.drainKnowing(ctx, c, p, f); err != nil {
		return nil, fmt.Errorf("%w; its log ends with: %s", err, process.LastLine(p.log()))
	}
	if err := b.verify(ctx, p, b.orders/2); err != nil {
		return nil, err
	}
	f.Verified = true
	return f, nil
}

// drainKnowing has an instance restore what is known, and drain the season when it is at rest.
func (b *bench) drainKnowing(ctx context.Context, c contestant, p *place, f *flatFigures) error {
	broker, err := b.kafka.PID(1)
	if err != nil {
		return err
	}
	began := time.Now()
	run, err := b.start(c, p)
	if err != nil {
		return err
	}
	defer run.Kill()
	if err := b.rested(ctx, p, run, began, f); err != nil {
		return err
	}
	written := make(chan error, 1)
	go func() { written <- b.generate(ctx, p, filepath.Join(p.dir, "directory")) }()
	seen, _, err := b.follow(ctx, c, p, broker, run)
	if err := errors.Join(<-written, err); err != nil {
		return err
	}
	_, f.PeakMiB = run.Memory()
	f.StateMiB = process.FolderMiB(p.state())
	f.Rate, f.CPU, f.BrokerCPU, err = steady.Of(seen, float64(b.loaded))
	return err
}

// An instance is at rest when it takes less than so much of a processor for so long.
const (
	restShare = 0.1
	restFor   = 5 * time.Second
)

// rested waits until an instance is ready, and does next to nothing any more: what it has restored is merged, and its
// keys are known.
func (b *bench) rested(ctx context.Context, p *place, run *process.Process, began time.Time, f *flatFigures) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.patience(), fmt.Errorf("it is not at rest within %s", p.patience()))
	defer cancel()
	told := &telling{log: p.log()}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var since time.Time // nothing was done
	var before time.Duration
	for since.IsZero() || time.Since(since) < restFor {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-run.Done():
			return fmt.Errorf("it ended with %s", run.State())
		case <-tick.C:
		}
		if told.ready.IsZero() {
			told.look(ctx)
			continue
		}
		used, err := process.CPUOf(run.PID())
		if err != nil {
			return err
		}
		if since.IsZero() || (used-before).Seconds() > restShare*max(time.Since(since), restFor/5).Seconds() {
			since, before = time.Now(), used
		}
	}
	f.Restored, f.Rested = told.ready.Sub(began).Seconds(), since.Sub(began).Seconds()
	return nil
}

// row is one of an order in the gate's table.
type row struct {
	event, order string // ids
	value        []byte
}

// rowsOf are the rows that orders of a season leave.
func rowsOf(c season.Config) (rows []row, err error) {
	engine, err := dry(c, func(recordfile.Record) error { return nil })
	if err != nil {
		return nil, err
	}
	if err := play(engine, c, func(season.Record) {}); err != nil {
		return nil, err
	}
	for key, value := range engine.Rows() {
		if mapping.KindOf(key) != mapping.OrderKind {
			continue
		}
		decoded, err := mapping.DecodeRow(value)
		if err != nil {
			return nil, err
		}
		mapping.EntityOf(decoded).Generation = firstGeneration
		if value, err = decoded.MarshalVT(); err != nil {
			return nil, err
		}
		event, order, _ := strings.Cut(key, "/")
		rows = append(rows, row{event, order, value})
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.order, b.order) })
	return rows, nil
}

// firstGeneration is that of the session which seems to have written the rows.
const firstGeneration = 1

// copy is a row of another order, of an event of the years before the season. The first four bytes of an id are the
// seconds, and keys begin with the event's: what is known lies before what comes, as it does where orders are kept of
// events that are over.
func (r row) copy(n int, season uint32) row {
	return row{event: another(r.event, n, season), order: another(r.order, n, season), value: r.value}
}

// historySeconds is how far back the events are of which orders are known: four years.
const historySeconds = 4 * 365 * 24 * 3600

func another(id string, n int, season uint32) string {
	rest := xxhash.Sum64String(fmt.Sprint(n, id))
	made := binary.BigEndian.AppendUint32(nil, season-1-uint32(rest%historySeconds))
	return hex.EncodeToString(binary.BigEndian.AppendUint64(made, rest))
}

// seasonBegins is the least time in the ids of rows.
func seasonBegins(rows []row) (uint32, error) {
	least := uint32(math.MaxUint32)
	for _, r := range rows {
		for _, id := range []string{r.event, r.order} {
			made, err := hex.DecodeString(id[:8])
			if err != nil {
				return 0, err
			}
			least = min(least, binary.BigEndian.Uint32(made))
		}
	}
	return least, nil
}

// know writes the rows of the known orders of a place to the changelog of the gate's table, as if a session had.
func (b *bench) know(ctx context.Context, p *place) error {
	rows, err := rowsOf(season.Config{Orders: sampleOrders, Seed: b.seed})
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return errors.New("the season has left no rows")
	}
	begins, err := seasonBegins(rows)
	if err != nil {
		return err
	}
	ctx, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(20*time.Millisecond),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.DefaultProduceTopic(p.name+"-gate-table"))
	if err != nil {
		return err
	}
	defer client.Close()
	acknowledged := func(_ *kgo.Record, err error) {
		if err != nil {
			failed(err)
		}
	}
	session, err := mapping.SessionRow(firstGeneration)
	if err != nil {
		return err
	}
	for partition := range b.partitions {
		client.Produce(ctx, &kgo.Record{Key: []byte(mapping.SessionKey), Value: session, Partition: int32(partition)}, acknowledged)
	}
	for i := range p.known {
		r := rows[i%len(rows)].copy(i/len(rows), begins)
		client.Produce(ctx, &kgo.Record{
			Key: []byte(r.event + "/" + r.order), Value: r.value, Partition: slim.Partition([]byte(r.event), int32(b.partitions)),
		}, acknowledged)
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// knownCounts are the numbers of known orders that were measured, ascending.
func (r *results) knownCounts() (counts []int) {
	for _, f := range r.Flat {
		counts = append(counts, f.Known)
	}
	slices.Sort(counts)
	return slices.Compact(counts)
}

func (r *results) flatOf(known int, figure func(*flatFigures) float64) spread {
	return spreadAmong(r.Flat, knownName(known), figure)
}

func recordCPUOf(f *flatFigures) float64 { return f.CPU * 1e6 }

func (r *results) flatTable([]string) string {
	if len(r.Flat) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("The bridge drains the season with the rows of other orders in its table:\n\n")
	b.WriteString("| known orders | records/s | µs of processor time a record | broker's | ready after, s | at rest after, s | peak MiB | state MiB |\n|---|---|---|---|---|---|---|---|\n")
	for _, known := range r.knownCounts() {
		of := func(digits int, figure func(*flatFigures) float64) string {
			return cell(r.flatOf(known, figure), digits)
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s | %s | %s | %s |\n", known,
			of(0, func(f *flatFigures) float64 { return f.Rate }), of(1, recordCPUOf), of(1, func(f *flatFigures) float64 { return f.BrokerCPU * 1e6 }),
			of(1, func(f *flatFigures) float64 { return f.Restored }), of(1, func(f *flatFigures) float64 { return f.Rested }), of(0, func(f *flatFigures) float64 { return f.PeakMiB }),
			of(0, func(f *flatFigures) float64 { return f.StateMiB }))
	}
	return b.String()
}

// flatRatio is what a record costs with the most known orders, in terms of what it costs with the fewest.
func (r *results) flatRatio() (value float64, got bool) {
	counts := r.knownCounts()
	if len(counts) < 2 {
		return 0, false
	}
	return r.flatOf(counts[len(counts)-1], recordCPUOf).median / r.flatOf(counts[0], recordCPUOf).median, true
}
