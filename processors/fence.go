package processors

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"

	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// fence is a partition's store as Goka sees it for one session. It finds out that
// somebody else writes to the partition's changelog, and keeps what that did to
// the state from spreading. Goka itself has no fencing: an instance that was
// paused for longer than its session does not know that it lost its partitions,
// and its records arrive between those of the next owner.
//
//   - A session begins with a record of its own: its generation, one above the
//     highest in the changelog. Nothing is processed before that is acknowledged.
//   - The offset that the store remembers rises only while the changelog has no
//     records but the session's own (guard G1). At the first that is not, the session
//     fails. The next one reads what it was, from where the offset stands.
//   - While a store is filled from the changelog, a row never replaces one of a
//     higher generation (guard G2): it was written by a former owner. The row that
//     it would have replaced has to be written again, or compaction would remove it.
//     Until then the offset stays, so that a session that ends early leaves that to the next.
//
// Invariant: every row in the changelog has the generation of the nearest session
// record before it, or was written by a former owner and has a lower one.
type fence struct {
	*store.Store
	g         *group
	partition int32
	end       int64 // of the changelog before the store was filled

	session context.Context // of the tracker, when the store was built

	rows rowCache // of the callbacks

	accounts partitionAccounts
	reading  sync.WaitGroup // of the rows for the accounts

	mu         sync.Mutex
	live       bool  // the session's own record is acknowledged
	known      int64 // changelog offset up to which this session knows all records
	first      int64 // known when the store was built
	empty      bool  // the store, when it was built
	highest    int32 // generation of what the store was filled with, where it was empty
	closed     bool
	announced  chan struct{} // closed when the record of the session is acknowledged or refused; nil before it is sent
	held       bool          // the remembered offset stays where it is
	overruled  map[string]bool
	generation int32
}

var _ storage.Storage = (*fence)(nil)

// fenced is the storage builder of a group with state.
func (g *group) fenced(build storage.Builder) storage.Builder {
	return func(topic string, partition int32) (storage.Storage, error) {
		g.epochs.Delete(partition)
		at, err := g.admin.NewestOffset(topic, partition)
		if err != nil {
			return nil, err
		}
		st, err := build(topic, partition)
		if err != nil {
			return nil, err
		}
		f := &fence{Store: st.(*store.Store), g: g, partition: partition, end: at, session: g.tracker.Session(), rows: rowCache{limit: eventCacheBytes}, overruled: map[string]bool{}}
		if err := f.begin(); err != nil {
			st.Close()
			g.tracker.Fail(err) // Goka would make a text of it, among those of the other partitions
			return nil, err
		}
		g.fences.Store(partition, f)
		return f, nil
	}
}

// begin reads how far the store is.
func (f *fence) begin() (err error) {
	if f.known, err = f.Store.GetOffset(-1); err != nil {
		return err
	}
	f.first = f.known
	f.empty = f.known < 0
	if err := f.Store.Scan("", "", 1, func(string, []byte) bool { f.empty = false; return false }); err != nil {
		return err
	}
	if f.known >= f.end {
		return &LostChangelogError{Table: tableOf(f.g.name), Partition: f.partition, Offset: f.known, End: f.end}
	}
	return nil
}

// LostChangelogError says that a table's changelog ends before what the local state
// was read from: it lost records that were acknowledged.
type LostChangelogError struct {
	Table     string
	Partition int32
	Offset    int64 // of the newest record that the local state knows
	End       int64 // of the changelog
}

// Error implements error.
func (e *LostChangelogError) Error() string {
	return fmt.Sprintf("the local state of %s/%d knows offset %d, but the topic ends at %d: the brokers lost acknowledged records, as after an election of an unclean leader,"+
		" or the topic is another; what was lost is lost in the state of all instances: delete the folder of this partition in state_dir (or all of them: they are read again), and rebuild the deployment if verify finds differences",
		e.Table, e.Partition, e.Offset, e.End)
}

// ForeignWriterError says that another instance wrote to a partition's changelog
// during a session of this one: one of the two was paused for longer than its
// session, and has not known it.
type ForeignWriterError struct {
	Table     string
	Partition int32
	Want, Got int64 // offset that this session's next record was to have, and the one that it has or would have
}

// Error implements error.
func (e *ForeignWriterError) Error() string {
	return fmt.Sprintf("another instance wrote to %s/%d: this session's next record is at offset %d and not at %d; one of the two was paused or cut off for longer than its session. This one gives the partition up and reads what the other wrote",
		e.Table, e.Partition, e.Got, e.Want)
}

// Set writes a row: Goka calls it in the callbacks alone, and recover writes past it.
func (f *fence) Set(key string, value []byte) error { return f.rows.write(f.Store, key, value) }

// SetOffset takes the offset of a record that was read from the changelog or,
// once the session is live, of one that it wrote.
func (f *fence) SetOffset(offset int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.live && offset != f.known+1 {
		f.held = true
		return f.foreign(offset)
	}
	f.known = offset
	if f.held {
		return nil
	}
	return f.Store.SetOffset(offset)
}

func (f *fence) foreign(got int64) error {
	return &ForeignWriterError{Table: tableOf(f.g.name), Partition: f.partition, Want: f.known + 1, Got: got}
}

// epoch is the generation of the present session in a partition, also while it is cleaned up; 0 when it is not announced.
func (g *group) epoch(partition int32) int32 {
	e, _ := g.epochs.Load(partition)
	generation, _ := e.(int32)
	return generation
}

// recoverRow is Goka's update callback: it takes a row from the changelog. The
// storage that Goka passes is a wrapping of its own.
func (g *group) recoverRow(ctx goka.UpdateContext, _ storage.Storage, key string, value []byte) error {
	f := g.fence(int32(ctx.Partition()))
	if f == nil {
		return fmt.Errorf("%s: no store of partition %d", g.name, ctx.Partition())
	}
	return f.recover(key, value, ctx.Offset())
}

// fence of a partition in the present session, nil when there is none.
func (g *group) fence(partition int32) *fence {
	f, _ := g.fences.Load(partition)
	found, _ := f.(*fence)
	return found
}

func (f *fence) recover(key string, value []byte, offset int64) error {
	written, err := generationIn(value)
	if err != nil {
		return fmt.Errorf("%s/%d/%d: %w", tableOf(f.g.name), f.partition, offset, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.empty || written < f.highest { // or no row can stand that has a higher one
		own, err := f.Store.Get(key)
		if err != nil {
			return err
		}
		standing, err := generationIn(own)
		if err != nil {
			return fmt.Errorf("local state of %s/%d: %w", tableOf(f.g.name), f.partition, err)
		}
		if standing > written { // readTable decides alike
			f.overruled[key], f.held = true, true
			return nil
		}
	}
	f.highest = max(f.highest, written)
	delete(f.overruled, key)
	if value == nil { // rows are not deleted; but a changelog may be edited by hand
		return f.Store.Delete(key)
	}
	return f.Store.Set(key, value)
}

func generationIn(value []byte) (int32, error) {
	if value == nil {
		return 0, nil
	}
	return mapping.GenerationIn(value)
}

// MarkRecovered begins the session. Goka calls it when the store is filled, before
// the first callback, and also when the session ended while it was being filled.
func (f *fence) MarkRecovered() error {
	ctx := f.session
	if ctx.Err() != nil {
		return nil // a store that is not marked is not used
	}
	if f.known < f.end-1 {
		return fmt.Errorf("%s/%d was read up to offset %d of %d only", tableOf(f.g.name), f.partition, f.known, f.end)
	}
	if err := f.open(ctx); err != nil {
		if ctx.Err() != nil || errors.Is(err, errFenceClosed) {
			return nil
		}
		return err
	}
	if err := f.readAccounts(); err != nil {
		return err
	}
	if err := f.Store.MarkRecovered(); err != nil {
		return err
	}
	f.writeAgain(ctx)
	return nil
}

// open writes the session's own record, and is the next generation from then on.
func (f *fence) open(ctx context.Context) error {
	generation, err := f.lastGeneration()
	if err != nil {
		return err
	}
	row, err := mapping.SessionRow(generation + 1)
	if err != nil {
		return err
	}
	offset, err := f.produce(ctx, row)
	if err != nil {
		return fmt.Errorf("begin generation %d of %s/%d: %w", generation+1, tableOf(f.g.name), f.partition, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if offset != f.known+1 {
		return f.foreign(offset)
	}
	f.known, f.live, f.generation = offset, true, generation+1
	f.g.epochs.Store(f.partition, generation+1)
	delete(f.overruled, mapping.SessionKey)
	if len(f.overruled) == 0 {
		f.held = false
	}
	if err := f.Store.Set(mapping.SessionKey, row); err != nil || f.held {
		return err
	}
	return f.Store.SetOffset(offset)
}

// lastGeneration is that of the newest session that left a trace. A table that was
// written before sessions announced themselves has it in its rows alone.
func (f *fence) lastGeneration() (generation int32, err error) {
	last, err := f.Store.Get(mapping.SessionKey)
	if err != nil || last != nil {
		if err == nil {
			generation, err = generationIn(last)
		}
		return generation, err
	}
	var unreadable error
	err = f.Store.Scan("", "", math.MaxInt, func(_ string, value []byte) bool {
		var g int32
		g, unreadable = generationIn(value)
		generation = max(generation, g)
		return unreadable == nil
	})
	return generation, errors.Join(err, unreadable)
}

var errFenceClosed = errors.New("the session is over")

// announce notes that the session's record is about to be sent, unless the session is over.
func (f *fence) announce() (announced chan struct{}, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, false
	}
	f.announced = make(chan struct{})
	return f.announced, true
}

// produce sends the session's record and waits until it is acknowledged.
func (f *fence) produce(ctx context.Context, row []byte) (offset int64, err error) {
	type result struct {
		offset int64
		err    error
	}
	done := make(chan result, 1)
	announced, ok := f.announce()
	if !ok {
		return 0, errFenceClosed
	}
	f.g.producer.Send(&sarama.ProducerMessage{
		Topic: tableOf(f.g.name), Partition: f.partition,
		Key: sarama.StringEncoder(mapping.SessionKey), Value: sarama.ByteEncoder(row),
	}, func(m *sarama.ProducerMessage, err error) {
		defer close(announced)
		if err != nil {
			done <- result{err: err}
			return
		}
		done <- result{offset: m.Offset}
	})
	select {
	case r := <-done:
		return r.offset, r.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// writeAgain has the rows written again that a former owner's would replace in the
// changelog. A refusal ends the group, as any.
func (f *fence) writeAgain(ctx context.Context) {
	f.mu.Lock()
	keys := slices.Sorted(maps.Keys(f.overruled))
	f.mu.Unlock()
	if len(keys) == 0 {
		return
	}
	f.g.b.log.Warn("a former owner wrote to the table; its rows are ignored and those of later owners written again",
		"table", tableOf(f.g.name), "partition", f.partition, "rows", len(keys))
	for _, key := range keys {
		if ctx.Err() != nil {
			return // the next session sees the same
		}
		loop := mapping.Resend(key, false)
		f.g.producer.Send(&sarama.ProducerMessage{
			Topic: loopOf(f.g.name), Key: sarama.StringEncoder(loop.Key), Value: sarama.ByteEncoder(marshal(loop.Command)),
		}, func(*sarama.ProducerMessage, error) {})
	}
}

// checkEnds finds records of others while the sessions of a group themselves write nothing:
// all ends of the group's changelogs are asked for at once.
func (g *group) checkEnds() error {
	quiet := map[*fence]int64{} // to where it is known
	var partitions []int32
	for _, value := range g.fences.Range {
		f := value.(*fence)
		if known, is := f.quiet(); is {
			quiet[f] = known
			partitions = append(partitions, f.partition)
		}
	}
	ends, err := g.admin.NewestOffsets(tableOf(g.name), partitions)
	if err != nil {
		return nil // brokers that are away are found out elsewhere
	}
	for f, known := range quiet {
		if err := f.checkEnd(known, ends[f.partition]); err != nil {
			return err
		}
	}
	return nil
}

// quiet tells whether the session has nothing on its way, and up to where it knows all records.
func (f *fence) quiet() (known int64, is bool) {
	known, live := f.position()
	return known, live && f.g.tracker.Quiet(f.partition)
}

// checkEnd takes the end that the changelog had while the session was quiet, if it still is.
func (f *fence) checkEnd(before, end int64) error {
	after, quiet := f.quiet()
	over := f.session.Err() != nil // then the next owner may write
	if over || !quiet || after != before || end <= before+1 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = true
	return f.foreign(end)
}

// Close ends the session. It waits for the session's own record: while it is on its
// way, it could land between those of the next owner, who would take this instance
// for one that does not know that it lost the partition. Goka leaves the group only
// after this; the limit on a session's clean-up bounds it.
func (f *fence) Close() error {
	f.mu.Lock()
	f.live, f.closed = false, true
	announced := f.announced
	f.mu.Unlock()
	if announced != nil {
		<-announced
	}
	f.g.fences.CompareAndDelete(f.partition, f)
	err := f.Store.Close()
	f.reading.Wait()
	return err
}

func (f *fence) position() (known int64, live bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known, f.live
}

// sessionGeneration is that of the session, for the rows that it writes.
func (f *fence) sessionGeneration() int32 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.generation
}

// pinned tells whether a record goes to the partition that it names itself.
func pinned(m *sarama.ProducerMessage) bool {
	key, err := m.Key.Encode()
	return err == nil && string(key) == mapping.SessionKey
}
