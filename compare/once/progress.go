package once

import (
	"fmt"
	"slices"

	"github.com/ticketscloud/vibe-bridge/compare"
)

// progress is how far each topic has been taken, and what was counted on the way.
type progress struct {
	Next     map[string]map[int32]int64 // by position and partition
	Taken    map[string]map[int32]int64 // records, likewise
	Gaps     map[string]bool            // positions of which offsets were missing
	Records  [sides]int64
	Notes    int64                  // records of the quarantine topic
	Strange  int64                  // of those, such that name no legacy record
	Newest   [sides]int64           // time of the newest record, Unix milliseconds
	Began    [compare.Streams]int64 // time of the first record on the right side; 0: none
	Nameless map[string]int64       // records without an id, by side, stream and what they are
}

func newProgress() *progress {
	return &progress{Next: map[string]map[int32]int64{}, Taken: map[string]map[int32]int64{}, Gaps: map[string]bool{}, Nameless: map[string]int64{}}
}

func position(side Side, topic string) string { return side.String() + " " + topic }

// advance is false for a record that was taken before.
func (p *progress) advance(side Side, topic string, r *compare.Record) bool {
	at := position(side, topic)
	next, known := p.Next[at][r.Partition]
	switch {
	case known && r.Offset < next:
		return false
	case known && r.Offset > next, !known && r.Offset > 0:
		p.Gaps[at] = true
	}
	if p.Next[at] == nil {
		p.Next[at], p.Taken[at] = map[int32]int64{}, map[int32]int64{}
	}
	p.Next[at][r.Partition] = r.Offset + 1
	p.Taken[at][r.Partition]++
	if side == Quarantine {
		p.Notes++
		return true
	}
	p.Records[side]++
	p.Newest[side] = max(p.Newest[side], r.Time)
	return true
}

func (p *progress) began(side Side, s compare.Stream, time int64) {
	if side == Right && (p.Began[s] == 0 || time < p.Began[s]) {
		p.Began[s] = time
	}
}

// Stats are what was taken.
type Stats struct {
	Records [3]int64 // of the left side, the right side and the baseline
	Notes   int64    // records of the quarantine topic
	// Newest is the time of the newest record of each side, Unix milliseconds; 0 without any.
	Newest [3]int64
	// Nameless are sentences about records that no id is known of.
	Nameless []string
}

// Total of all records.
func (s Stats) Total() int64 {
	return s.Records[Left] + s.Records[Right] + s.Records[Baseline] + s.Notes
}

// Stats of all that was taken.
func (e *Engine) Stats() Stats {
	p := e.progress
	s := Stats{Records: p.Records, Notes: p.Notes, Newest: p.Newest}
	for what, n := range p.Nameless {
		s.Nameless = append(s.Nameless, fmt.Sprintf("%s: %d without an id", what, n))
	}
	slices.Sort(s.Nameless)
	if p.Strange > 0 {
		s.Nameless = append(s.Nameless, fmt.Sprintf("quarantine: %d that name no legacy record of the deployment", p.Strange))
	}
	return s
}

// Gap tells whether offsets of a topic of the right side had no record.
func (e *Engine) Gap(topic string) bool { return e.progress.Gaps[position(Right, topic)] }
