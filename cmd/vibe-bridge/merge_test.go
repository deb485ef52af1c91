package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"
)

func (id partitionID) record(offset, timestamp int64) *kgo.Record {
	return &kgo.Record{Topic: id.topic, Partition: id.partition, Offset: offset, Timestamp: time.UnixMilli(timestamp)}
}

func names(records []*kgo.Record) string {
	text := ""
	for _, r := range records {
		text += fmt.Sprintf("%s/%d/%d@%d ", r.Topic, r.Partition, r.Offset, r.Timestamp.UnixMilli())
	}
	return text
}

// mergeByHand is the obvious merge, of partitions that are there in full.
func mergeByHand(partitions map[partitionID][]*kgo.Record) []*kgo.Record {
	var merged []*kgo.Record
	for {
		var best *partitionID
		for id, records := range partitions {
			if len(records) == 0 {
				continue
			}
			if best == nil || before(records[0], partitions[*best][0]) {
				best = &id
			}
		}
		if best == nil {
			return merged
		}
		merged = append(merged, partitions[*best][0])
		partitions[*best] = partitions[*best][1:]
	}
}

func before(a, b *kgo.Record) bool {
	if !a.Timestamp.Equal(b.Timestamp) {
		return a.Timestamp.Before(b.Timestamp)
	}
	return partitionID{a.Topic, a.Partition}.compare(partitionID{b.Topic, b.Partition}) < 0
}

// Whatever the order in which the partitions' records arrive, the result is that
// of merging the whole partitions.
func TestMergeIsIndependentOfArrival(t *testing.T) {
	ids := []partitionID{{"a", 0}, {"a", 1}, {"b", 0}, {"b", 7}}
	rapid.Check(t, func(t *rapid.T) {
		starts, ends := make(map[partitionID]int64), make(map[partitionID]int64)
		arriving := make(map[partitionID][]*kgo.Record) // markers and what lies beyond the end, too
		expected := make(map[partitionID][]*kgo.Record)
		for _, id := range ids {
			offset := int64(rapid.IntRange(0, 5).Draw(t, "start"))
			starts[id] = offset
			for range rapid.IntRange(0, 8).Draw(t, "records") {
				offset += int64(rapid.IntRange(0, 2).Draw(t, "gap"))
				r := id.record(offset, int64(rapid.IntRange(0, 10).Draw(t, "timestamp")))
				if rapid.IntRange(0, 4).Draw(t, "marker") == 0 {
					r.Attrs = kgo.NewRecordAttrs(kgo.RecordAttrsOpts{Control: true})
				} else {
					expected[id] = append(expected[id], r)
				}
				arriving[id] = append(arriving[id], r)
				offset++
			}
			ends[id] = offset
			if len(arriving[id]) > 0 { // offsets without records at the end, as in a compacted topic
				ends[id] += int64(rapid.IntRange(0, 2).Draw(t, "hole"))
			}
			arriving[id] = append(arriving[id], id.record(ends[id], 0), id.record(ends[id]+1, 0))
		}
		m := newMerge(starts, ends)
		var got []*kgo.Record
		for m.unfinished > 0 {
			id := rapid.SampledFrom(ids).Draw(t, "arrives")
			if len(arriving[id]) > 0 {
				m.push(arriving[id][0])
				arriving[id] = arriving[id][1:]
			}
			for r := m.pop(); r != nil; r = m.pop() {
				got = append(got, r)
			}
		}
		for r := m.pop(); r != nil; r = m.pop() {
			got = append(got, r)
		}
		if want := mergeByHand(expected); !slices.Equal(got, want) {
			t.Fatalf("merged %s\nwant   %s", names(got), names(want))
		}
		for id, p := range m.partitions {
			if p.bytes != 0 || len(p.waiting) != 0 {
				t.Fatalf("%v still holds %d records, %d bytes", id, len(p.waiting), p.bytes)
			}
		}
	})
}

func TestMergeStopsFullPartitions(t *testing.T) {
	behind, many, large := partitionID{"t", 0}, partitionID{"t", 1}, partitionID{"t", 2}
	m := newMerge(nil, map[partitionID]int64{behind: 5, many: 1 << 20, large: 1 << 20, {"empty", 0}: 0})
	for offset := range int64(fullRecords) {
		m.push(many.record(offset, 0))
	}
	r := large.record(0, 0)
	r.Value = make([]byte, fullBytes)
	m.push(r)
	read, leave := m.fullness()
	slices.Sort(leave["t"])
	if !slices.Equal(read["t"], []int32{0}) || !slices.Equal(leave["t"], []int32{1, 2}) || !slices.Equal(leave["empty"], []int32{0}) {
		t.Errorf("reads %v, leaves %v", read, leave)
	}
	if r := m.pop(); r != nil {
		t.Errorf("gives %s though a partition may still have an earlier one", names([]*kgo.Record{r}))
	}
	if s := m.starved(); len(s) != 1 || s[0].id != behind {
		t.Errorf("starved: %v", s)
	}
}

func TestMergeOfNothing(t *testing.T) {
	m := newMerge(nil, map[partitionID]int64{{"t", 0}: 0})
	if m.unfinished != 0 || m.pop() != nil {
		t.Error("empty partitions are not at their end")
	}
}
