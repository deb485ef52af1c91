package processors

import (
	"container/heap"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/console"
	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// Parked lists what waits in this instance's partitions. It takes memory for what is listed; to count the rest, every
// waiting key is visited.
func (c *Console) Parked(ctx context.Context, q console.ParkedQuery) (console.ParkedList, error) {
	list := console.ParkedList{Records: []console.ParkedRecord{}, Missing: []string{}}
	b, g, err := c.running()
	if err != nil {
		return list, err
	}
	if q.Reason != "" && !knownWait(q.Reason) {
		return list, &console.RefusedError{Text: fmt.Sprintf("reason: %q is none: want one of %s", q.Reason, waitNames())}
	}
	end, err := c.scan(ctx)
	if err != nil {
		return list, err
	}
	defer end()
	found := oldest{most: max(q.Limit, 1)}
	prefix, only := "", int32(-1)
	if q.Event != "" {
		prefix, only = mapping.EventKey(q.Event), b.cfg.ownerOf(q.Event)
	}
	now := time.Now()
	for _, p := range b.heldPartitions(g) {
		if only >= 0 && p != only {
			continue
		}
		st, err := b.storeOf(g, p)
		if err != nil {
			list.Missing = append(list.Missing, err.Error())
			continue
		}
		if st.WaitingCount() == 0 {
			continue
		}
		err = st.ScanWaiting(prefix, "", int(st.WaitingCount()), func(key string, w store.Waiting) bool {
			if wantsParked(q, key, w, now) {
				list.Total++
				found.add(waitingKey{p, key, w.Since})
			}
			return list.Total%1000 != 0 || ctx.Err() == nil
		})
		if err != nil {
			list.Missing = append(list.Missing, fmt.Sprintf("partition %d: the instance gives it up", p))
		}
	}
	if ctx.Err() != nil {
		return list, ctx.Err()
	}
	for _, w := range found.sorted() {
		if record, still := b.parkedRecord(g, w, now); still {
			list.Records = append(list.Records, record)
		}
	}
	list.Truncated = list.Total > int64(len(list.Records))
	return list, nil
}

// heldPartitions are those of the gate that the instance has, restored or not.
func (b *Bridge) heldPartitions(g *group) []int32 {
	var held []int32
	for _, p := range g.partitionStates() {
		held = append(held, p.Partition)
	}
	return held
}

func knownWait(reason string) bool {
	for r := range reasonTopics {
		if r.String() == reason {
			return true
		}
	}
	return false
}

func waitNames() string {
	var names []string
	for r := mapping.WaitEvent; r < mapping.WaitRepeat; r++ {
		names = append(names, r.String())
	}
	return strings.Join(names, ", ")
}

func wantsParked(q console.ParkedQuery, key string, w store.Waiting, now time.Time) bool {
	reason := mapping.WaitReason(w.Reason)
	return reason != mapping.WaitRepeat && belongsTo(q.Event, key) && (q.Reason == "" || reason.String() == q.Reason) &&
		(q.OlderThan == 0 || now.Sub(time.UnixMilli(w.Since)) >= q.OlderThan)
}

// parkedRecord reads what waits. It may have stopped to do so meanwhile.
func (b *Bridge) parkedRecord(g *group, w waitingKey, now time.Time) (record console.ParkedRecord, still bool) {
	st := b.stores.Recovered(tableOf(g.name), w.partition)
	if st == nil {
		return record, false
	}
	row := readRow(st, w.key)
	h, waits := heldOf(row)
	if !waits {
		return record, false
	}
	p := h.parked(w.key, b.topics, setsOf(st, w.key))
	record = console.ParkedRecord{
		Kind: p.Kind, Event: p.Event, Order: p.Order, ID: ownID(w.key), Reason: p.Reason, WaitsFor: p.WaitsFor,
		Since: writable(p.Since), Seconds: age0(now.Sub(p.Since)), Cause: p.Source.String(),
	}
	if p.Kind == console.KindOrder {
		record.Order = ""
	}
	return record, true
}

// ownID is the id of the entity of a key.
func ownID(key string) string {
	event, order, refund := mapping.IDs(key)
	switch mapping.KindOf(key) {
	case mapping.RefundKind:
		return refund
	case mapping.OrderKind:
		return order
	}
	return event
}

// readRow reads a row; nil where there is none, or where the partition goes away.
func readRow(st *store.Store, key string) *statepb.Row {
	value, err := st.Get(key)
	if err != nil || value == nil {
		return nil
	}
	row, err := mapping.DecodeRow(value)
	if err != nil {
		return nil
	}
	return row
}

// setsOf are the sets of the event of a key.
func setsOf(st *store.Store, key string) *statepb.EventFacts {
	return readRow(st, mapping.KeyPrefix(key)).GetEvent().GetFacts()
}

// waitingKey is a key that waits, since Unix milliseconds.
type waitingKey struct {
	partition int32
	key       string
	since     int64
}

// oldest keeps those that have waited longest. It is a heap with the youngest on top.
type oldest struct {
	most int
	keys []waitingKey
}

func (o *oldest) Len() int           { return len(o.keys) }
func (o *oldest) Less(i, j int) bool { return o.keys[i].since > o.keys[j].since }
func (o *oldest) Swap(i, j int)      { o.keys[i], o.keys[j] = o.keys[j], o.keys[i] }
func (o *oldest) Push(x any)         { o.keys = append(o.keys, x.(waitingKey)) }
func (o *oldest) Pop() any {
	last := o.keys[len(o.keys)-1]
	o.keys = o.keys[:len(o.keys)-1]
	return last
}

func (o *oldest) add(w waitingKey) {
	if len(o.keys) == o.most && w.since >= o.keys[0].since {
		return
	}
	heap.Push(o, w)
	if len(o.keys) > o.most {
		heap.Pop(o)
	}
}

// sorted empties it, the oldest first.
func (o *oldest) sorted() []waitingKey {
	list := make([]waitingKey, len(o.keys))
	for i := len(list) - 1; i >= 0; i-- {
		list[i] = heap.Pop(o).(waitingKey)
	}
	return list
}
