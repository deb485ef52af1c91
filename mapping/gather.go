package mapping

import (
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// Most versions of an event change nothing that a slim field needs: a counter went up.
// Intake keeps those back for a while and sends them on in one record (decision 21).

// GatherLimits bound what is kept back of a partition.
type GatherLimits struct {
	Records int64 // how far the oldest record that is kept back may lie behind the newest
	For     int64 // how long a record is kept back, milliseconds
	Batch   int   // records that one Batch stands for, at most
	Keys    int   // events that are remembered, at least, and twice as many at most
	Facts   int   // encoded bytes of facts that may be repeated
	// Refresh is after how long a version is sent in full though it repeats one, milliseconds: should the gate not
	// have the facts, it has them again.
	Refresh int64
}

// GatherLimits are those of intake.
func (r *Rules) GatherLimits() GatherLimits {
	return GatherLimits{Records: 4096, For: 1000, Batch: 256, Keys: 32 << 10, Facts: r.repeatableBytes(), Refresh: 600_000}
}

// repeatableBytes bounds facts that may be repeated: an event's row may have to keep those of several partitions.
func (r *Rules) repeatableBytes() int { return max(r.MaxRecordBytes/64, 1<<10) }

// Gatherer keeps back versions of events that repeat one before them, of one legacy partition and in one session.
// A record that is kept back is not acknowledged before its Batch is.
//
// A version repeats an earlier one when it has the same facts, no version between them has others, and the earlier one
// is acknowledged: it lies before the Batch in the internal topic then, and the gate knows the facts.
type Gatherer struct {
	Partition int32
	Limits    GatherLimits
	// Acked tells whether all that a record of the partition wrote is acknowledged.
	Acked func(offset int64) bool

	recent, older map[string]*gathered // two generations, so that there is an end to them
	queue         []queued             // oldest first; what is not kept back any more is in it too
	newest        int64                // offset
}

type gathered struct {
	key            string
	digest         uint64
	of             int64   // -1: nothing that may be repeated
	full           int64   // when it was last sent in full, milliseconds
	offsets, times []int64 // kept back
}

type queued struct {
	key    string
	offset int64
	at     int64
}

// Batch is an Input that stands for records that were kept back.
type Batch struct {
	Key   string
	Input *statepb.Input // Repeats, without Settled
}

// Offsets are those of the records.
func (b Batch) Offsets() []int64 { return b.Input.GetRepeats().GetOffsets() }

// Take looks at what intake makes of the next record of the partition, at a time in milliseconds since whenever. What is due
// is to be sent first. Then, unless it is kept back, the record itself is.
func (g *Gatherer) Take(in Intake, now int64) (due []Batch, kept bool) {
	src := in.Input.GetSource()
	g.newest = src.GetOffset()
	due = g.Due(now)
	facts := in.Input.GetEvent()
	if facts == nil || in.Input.GetReplay() != nil {
		return due, false
	}
	encoded := encodeFacts(facts)
	digest := xxhash.Sum64(encoded)
	e := g.entry(in.Key, &due)
	repeats := e.of >= 0 && e.digest == digest
	if !repeats || now-e.full >= g.Limits.Refresh {
		if len(e.offsets) > 0 {
			due = append(due, g.batch(e))
		}
		if e.full = now; !repeats {
			e.digest, e.of = digest, src.GetOffset()
		}
		if len(encoded) > g.Limits.Facts {
			e.of = -1
		}
		return due, false
	}
	if !g.Acked(e.of) {
		return due, false
	}
	if len(e.offsets) == 0 {
		g.queue = append(g.queue, queued{e.key, src.GetOffset(), now})
	}
	e.offsets, e.times = append(e.offsets, src.GetOffset()), append(e.times, src.GetTime())
	if len(e.offsets) == g.Limits.Batch {
		due = append(due, g.batch(e))
	}
	return due, true
}

// entry is what is known of a key. A generation that is dropped for it is sent.
func (g *Gatherer) entry(key string, due *[]Batch) *gathered {
	if e := g.recent[key]; e != nil {
		return e
	}
	e := g.older[key]
	if e == nil {
		e = &gathered{key: strings.Clone(key), of: -1} // it may be a part of something larger
	}
	delete(g.older, key)
	if g.recent == nil || len(g.recent) >= g.Limits.Keys {
		g.drop(due)
	}
	g.recent[e.key] = e
	return e
}

func (g *Gatherer) drop(due *[]Batch) {
	for _, q := range g.queue { // in their order
		if e := g.older[q.key]; e.keeps(q) {
			*due = append(*due, g.batch(e))
		}
	}
	g.older, g.recent = g.recent, map[string]*gathered{}
}

// keeps tells whether what was queued is kept back still.
func (e *gathered) keeps(q queued) bool {
	return e != nil && len(e.offsets) > 0 && e.offsets[0] == q.offset
}

func (g *Gatherer) batch(e *gathered) Batch {
	last := len(e.offsets) - 1
	b := Batch{Key: e.key, Input: &statepb.Input{
		Source: &statepb.Source{Partition: g.Partition, Offset: e.offsets[last], Time: e.times[last]},
		Body:   &statepb.Input_Repeats{Repeats: &statepb.Repeats{Of: e.of, Offsets: e.offsets, Times: e.times}},
	}}
	e.offsets, e.times = nil, nil
	return b
}

// Due is what has been kept back for long enough.
func (g *Gatherer) Due(now int64) []Batch {
	return g.send(func(q queued) bool {
		return g.newest-q.offset >= g.Limits.Records || now-q.at >= g.Limits.For
	})
}

// All is everything that is kept back.
func (g *Gatherer) All() []Batch { return g.send(func(queued) bool { return true }) }

func (g *Gatherer) send(due func(queued) bool) (batches []Batch) {
	n := 0
	for ; n < len(g.queue) && due(g.queue[n]); n++ {
		q := g.queue[n]
		e := g.recent[q.key]
		if e == nil {
			e = g.older[q.key]
		}
		if e.keeps(q) {
			batches = append(batches, g.batch(e))
		}
	}
	if g.queue = g.queue[n:]; len(g.queue) == 0 {
		g.queue = nil
	}
	return batches
}
