package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// imported is what a consumer takes of a record. Tickets of an order are those that it
// has, of a refund those that it wants.
type imported struct {
	id      string
	events  []string // that an order wants
	tickets []string
	skip    bool
}

// reading makes it of a record of events, orders or refunds: 0, 1, 2.
type reading func(stream int, r *kgo.Record) (imported, error)

// imports is a consumer of three topics as the real one is: it looks tickets up by their
// ids, and fails with "no ticket found" on an order without its event, and a refund without its
// tickets. It knows only what it has imported itself: what another import knows would hide that.
//
// It looks where refunds, orders and events end, in this order, and then takes events,
// orders and refunds up to there (docs/migration.md, step 6).
type imports struct {
	t      *testing.T
	addrs  []string
	group  string
	topics []string // events, orders, refunds
	read   reading

	cancel context.CancelFunc
	ended  chan struct{}

	mu       sync.Mutex
	known    [3]map[string]bool // ids of events, orders, refunds
	tickets  map[string]bool
	records  int
	problems []string
	broken   error // it could not go on
	lag      int64
	rounds   int
	next     map[partitionID]int64 // what is committed, as it knows it itself
	begun    map[partitionID]int64 // where each partition was begun since the last start
	stopped  map[partitionID]int64 // next at the last stop
}

func newImports(t *testing.T, target kafkatest.Target, name string, topics []string, read reading) *imports {
	i := &imports{t: t, addrs: target.Addrs, group: target.Topic(name), topics: topics, read: read, tickets: map[string]bool{}, next: map[partitionID]int64{}}
	for s := range i.known {
		i.known[s] = map[string]bool{}
	}
	t.Cleanup(i.stop)
	return i
}

// start goes on at the offsets that the group has committed, or at the beginning.
func (i *imports) start() {
	var ctx context.Context
	ctx, i.cancel = context.WithCancel(context.Background())
	i.ended = make(chan struct{})
	i.begun = map[partitionID]int64{}
	go func() {
		defer close(i.ended)
		if err := i.run(ctx); err != nil && ctx.Err() == nil {
			i.mu.Lock()
			defer i.mu.Unlock()
			i.broken = err
		}
	}()
}

func (i *imports) stop() {
	if i.cancel == nil {
		return
	}
	i.cancel()
	<-i.ended
	i.cancel = nil
	i.stopped = map[partitionID]int64{}
	for at, next := range i.next {
		i.stopped[at] = next
	}
}

// wentOn fails the test unless every partition was begun where it was left before, and
// something was imported since.
func (i *imports) wentOn() {
	i.t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.begun) == 0 || len(i.stopped) == 0 {
		i.t.Errorf("%s has imported nothing", i.group)
	}
	for at, offset := range i.begun {
		if offset != i.stopped[at] {
			i.t.Errorf("%s began %v at %d, and had left it at %d", i.group, at, offset, i.stopped[at])
		}
	}
}

// await waits until two rounds that began after this call found nothing to do.
func (i *imports) await(eventually func(string, func() bool)) {
	i.t.Helper()
	if i.cancel == nil {
		i.t.Fatalf("%s does not run", i.group)
	}
	quiet, seen := 0, -1
	eventually(i.group+" to have no lag", func() bool {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.broken != nil {
			i.t.Fatalf("%s: %v", i.group, i.broken)
		}
		switch {
		case seen < 0 || i.rounds == seen:
			seen = max(seen, i.rounds)
		case i.lag == 0:
			quiet, seen = quiet+1, i.rounds
		default:
			quiet, seen = 0, i.rounds
		}
		return quiet > 2 // the first may have begun before
	})
}

func (i *imports) failures() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.problems)
}

func (i *imports) entities(stream int) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.known[stream])
}

func (i *imports) String() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return fmt.Sprintf("%d records, %d events, %d orders with %d tickets, %d refunds, %d failures",
		i.records, len(i.known[0]), len(i.known[1]), len(i.tickets), len(i.known[2]), len(i.problems))
}

func (i *imports) run(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(i.addrs...))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := i.round(ctx, admin); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (i *imports) round(ctx context.Context, admin *kadm.Client) error {
	ends := make([]map[partitionID]int64, len(i.topics))
	for s, topic := range slices.Backward(i.topics) {
		listed, err := listOffsets(ctx, admin.ListEndOffsets, []string{topic})
		if err != nil {
			return err
		}
		ends[s] = byPartition(listed)
	}
	committed, err := admin.FetchOffsets(ctx, i.group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) { // nobody has committed yet
		return err
	}
	lag := int64(0)
	for s, topic := range i.topics {
		from := map[int32]int64{}
		for at, end := range ends[s] {
			next := int64(0)
			if o, ok := committed.Lookup(topic, at.partition); ok && o.At > 0 {
				next = o.At
			}
			if next < end {
				from[at.partition] = next
				lag += end - next
			}
		}
		if len(from) == 0 {
			continue
		}
		if err := i.take(ctx, admin, s, from, ends[s]); err != nil {
			return err
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lag, i.rounds = lag, i.rounds+1
	return nil
}

// take imports a topic's records, and commits.
func (i *imports) take(ctx context.Context, admin *kadm.Client, stream int, from map[int32]int64, ends map[partitionID]int64) error {
	topic := i.topics[stream]
	start := map[int32]kgo.Offset{}
	for p, offset := range from {
		start[p] = kgo.NewOffset().At(offset)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(i.addrs...), kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: start}))
	if err != nil {
		return err
	}
	defer client.Close()
	done := kadm.Offsets{}
	left := len(from)
	for left > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			end := ends[partitionID{topic, r.Partition}]
			if r.Offset >= end {
				return
			}
			if !r.Attrs.IsControl() {
				i.one(stream, r)
			}
			if r.Offset+1 == end {
				left--
			}
		})
	}
	i.mu.Lock()
	for p, offset := range from {
		at := partitionID{topic, p}
		if _, ok := i.begun[at]; !ok {
			i.begun[at] = offset
		}
		i.next[at] = ends[at]
		done.AddOffset(topic, p, ends[at], -1)
	}
	i.mu.Unlock()
	return admin.CommitAllOffsets(context.WithoutCancel(ctx), i.group, done)
}

func (i *imports) one(stream int, r *kgo.Record) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.records++
	problem := func(what string) {
		i.problems = append(i.problems, fmt.Sprintf("%s/%d/%d: %s", r.Topic, r.Partition, r.Offset, what))
	}
	got, err := i.read(stream, r)
	switch {
	case err != nil:
		problem("cannot be read")
		return
	case got.skip:
		return
	}
	for _, event := range got.events {
		if !i.known[0][event] {
			problem("no ticket found: event " + event)
			return
		}
	}
	for _, ticket := range got.tickets {
		switch {
		case stream == 1:
			i.tickets[ticket] = true
		case !i.tickets[ticket]:
			problem("no ticket found: " + ticket)
			return
		}
	}
	i.known[stream][got.id] = true
}

// readSlim reads records of an encoding.
func readSlim(enc slim.Encoding) reading {
	return func(stream int, r *kgo.Record) (imported, error) {
		got := imported{id: string(r.Key)}
		switch stream {
		case 0:
			_, err := slim.ParseEvent(enc, r.Value)
			return got, err
		case 1:
			o, err := slim.ParseOrder(enc, r.Value)
			if err != nil {
				return got, err
			}
			for _, t := range o.Tickets {
				got.events, got.tickets = append(got.events, t.EventID), append(got.tickets, t.ID)
			}
			return got, nil
		}
		refund, err := slim.ParseRefund(enc, r.Value)
		if err != nil {
			return got, err
		}
		got.tickets = refund.TicketIDs
		return got, nil
	}
}

// readLegacy reads the legacy streams: orders that are done and refunds that are approved.
func readLegacy(stream int, r *kgo.Record) (imported, error) {
	switch stream {
	case 0:
		var e legacyproto.Event
		err := proto.Unmarshal(r.Value, &e)
		return imported{id: e.GetId()}, err
	case 1:
		var o legacyproto.Order
		err := proto.Unmarshal(r.Value, &o)
		got := imported{id: o.GetId(), events: []string{o.GetEvent()}, skip: o.GetStatus() != legacyproto.Order_DONE}
		for _, t := range o.GetTickets() {
			got.tickets = append(got.tickets, t.GetId())
		}
		return got, err
	}
	var refund legacyproto.RefundRequest
	err := proto.Unmarshal(r.Value, &refund)
	got := imported{id: refund.GetId(), skip: refund.GetStatus() != legacyproto.RefundRequest_APPROVED}
	for _, t := range refund.GetTickets() {
		got.tickets = append(got.tickets, t.GetId())
	}
	return got, err
}
