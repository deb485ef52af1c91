package main

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// merge puts the records of several partitions in the order of their
// timestamps, up to an offset of each partition that is known beforehand.
//
// A record may leave only when no partition can still come with an earlier one:
// when each has a record waiting or is at its end. Within a partition the order
// of offsets is never changed, even where timestamps go back.
//
// Memory: one partition that is far behind makes the others wait, so fullness
// tells the caller which to stop reading.
type merge struct {
	partitions map[partitionID]*mergePartition
	starving   int // partitions that are not at their end and have nothing waiting
	heads      headHeap
	unfinished int // partitions that are not at their end
}

type partitionID struct {
	topic     string
	partition int32
}

func (id partitionID) compare(other partitionID) int {
	return cmp.Or(cmp.Compare(id.topic, other.topic), cmp.Compare(id.partition, other.partition))
}

type mergePartition struct {
	id       partitionID
	next     int64 // offset that is expected next
	end      int64 // offset at which the partition ends, exclusive
	waiting  []*kgo.Record
	bytes    int  // of the values of waiting
	finished bool // next has reached end
}

// A partition is full with so many waiting records, or so many bytes of values.
const (
	fullRecords = 1000
	fullBytes   = 4 << 20
)

// newMerge expects records of [start, end) of each partition.
func newMerge(starts, ends map[partitionID]int64) *merge {
	m := &merge{partitions: make(map[partitionID]*mergePartition, len(ends))}
	for id, end := range ends {
		p := &mergePartition{id: id, next: starts[id], end: end}
		p.finished = p.next >= p.end
		if !p.finished {
			m.unfinished++
			m.starving++
		}
		m.partitions[id] = p
	}
	return m
}

// push takes the next record of its partition. Control records (transaction
// markers) count for the position and go no further. Records at or beyond the
// end are dropped.
func (m *merge) push(r *kgo.Record) {
	p := m.partitions[partitionID{r.Topic, r.Partition}]
	if p == nil || p.finished {
		return
	}
	wasStarving := len(p.waiting) == 0
	if r.Offset < p.end && !r.Attrs.IsControl() {
		p.waiting = append(p.waiting, r)
		p.bytes += len(r.Value)
		if wasStarving {
			heap.Push(&m.heads, p)
			m.starving--
		}
	}
	p.next = r.Offset + 1
	if p.next >= p.end {
		m.finish(p)
	}
}

// finish: nothing more comes from the partition; what waits still goes out.
func (m *merge) finish(p *mergePartition) {
	if p.finished {
		return
	}
	p.finished = true
	m.unfinished--
	if len(p.waiting) == 0 {
		m.starving--
	}
}

// pop returns the next record in order, nil when more has to be pushed first.
func (m *merge) pop() *kgo.Record {
	if m.starving > 0 || len(m.heads) == 0 {
		return nil
	}
	p := m.heads[0]
	r := p.waiting[0]
	p.waiting[0] = nil // the slice's memory stays; the record's must not
	p.waiting = p.waiting[1:]
	p.bytes -= len(r.Value)
	if len(p.waiting) > 0 {
		heap.Fix(&m.heads, 0)
		return r
	}
	p.waiting = nil
	heap.Pop(&m.heads)
	if !p.finished {
		m.starving++
	}
	return r
}

// fullness returns the partitions to read from and those to leave for now.
func (m *merge) fullness() (read, leave map[string][]int32) {
	read, leave = make(map[string][]int32), make(map[string][]int32)
	for id, p := range m.partitions {
		list := read
		if p.finished || len(p.waiting) >= fullRecords || p.bytes >= fullBytes {
			list = leave
		}
		list[id.topic] = append(list[id.topic], id.partition)
	}
	return read, leave
}

// starved lists the partitions that pop waits for, in order.
func (m *merge) starved() []*mergePartition {
	var list []*mergePartition
	for _, p := range m.partitions {
		if !p.finished && len(p.waiting) == 0 {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *mergePartition) int { return a.id.compare(b.id) })
	return list
}

// headHeap orders partitions by their first waiting record: by timestamp, and
// where that is equal by topic and partition, so that the order is always the
// same.
type headHeap []*mergePartition

func (h headHeap) Len() int      { return len(h) }
func (h headHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h headHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	return cmp.Or(
		a.waiting[0].Timestamp.Compare(b.waiting[0].Timestamp),
		a.id.compare(b.id),
	) < 0
}
func (h *headHeap) Push(x any) { *h = append(*h, x.(*mergePartition)) }
func (h *headHeap) Pop() any {
	last := len(*h) - 1
	p := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return p
}
