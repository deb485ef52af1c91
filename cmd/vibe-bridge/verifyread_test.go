package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What a fetch brings beyond the end is kept for the next look: it may have been
// caused by what has not been read yet.
func TestReaderStopsAtEnds(t *testing.T) {
	id := partitionID{"slim", 0}
	var taken []int64
	r := &topicReader{at: map[partitionID]*cursor{id: {end: 2}}, read: func(rec *kgo.Record) func() {
		return func() { taken = append(taken, rec.Offset) }
	}}
	pass := func(offsets ...int64) {
		for _, offset := range offsets {
			r.pass(&kgo.Record{Topic: id.topic, Offset: offset})
		}
	}
	wants := func(what string, next int64, want ...int64) {
		t.Helper()
		r.takePassed()
		if c := r.at[id]; !slices.Equal(taken, want) || c.next != next || !c.done() {
			t.Errorf("%s: taken %v up to %d, done %v; want %v up to %d", what, taken, c.next, c.done(), want, next)
		}
	}
	pass(0, 1, 2, 3)
	wants("first look", 2, 0, 1)
	r.at[id].end = 3
	r.passAhead(r.at[id])
	wants("second look", 3, 0, 1, 2)
	r.at[id].end = 5
	r.passAhead(r.at[id])
	pass(4, 5)
	wants("third look", 5, 0, 1, 2, 3, 4)
	// Offsets 6 to 8 are holes: the first record beyond the end shows it.
	r.at[id].end = 9
	r.passAhead(r.at[id])
	pass(12)
	wants("holes", 9, 0, 1, 2, 3, 4, 5)
	if r.taken != 6 {
		t.Errorf("counted %d", r.taken)
	}
}

func TestWhyNotComparable(t *testing.T) {
	good := topicSettings{leaders: []int32{1}, appendTime: true, known: true}
	tests := []struct {
		name   string
		change func(*topicSettings)
		want   string
	}{
		{"comparable", func(*topicSettings) {}, ""},
		{"partitions", func(s *topicSettings) { s.leaders = []int32{1, 1} }, "orders has 2 partitions"},
		{"time of producers", func(s *topicSettings) { s.appendTime = false }, "orders does not have message.timestamp.type=LogAppendTime"},
		{"two clocks", func(s *topicSettings) { s.leaders = []int32{2} }, "different brokers"},
		{"no rights", func(s *topicSettings) { s.known = false }, "may not be read"},
	}
	for _, tt := range tests {
		orders := good
		tt.change(&orders)
		got := whyNotComparable([]string{"", "events", "orders", "refunds"}, map[string]topicSettings{"events": good, "orders": orders, "refunds": good})
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
