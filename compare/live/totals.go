package live

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/compare"
)

// trendKept is for how long the results of each hour are kept.
const trendKept = 62 * 24 * time.Hour

// Part is the result of one walk over one partition of a group's table: a value of
// <c>-totals, by GROUP/PARTITION/HOUR, so that the last of each hour stays.
type Part struct {
	Group     string    `json:"group"`
	Partition int32     `json:"partition"`
	Time      time.Time `json:"time"`
	Horizon   int64     `json:"horizon"` // Unix milliseconds
	// Of the left and the right side: records that were taken in, and the time of the newest, Unix milliseconds.
	Records [2]int64 `json:"records"`
	Newest  [2]int64 `json:"newest"`
	// Began are the times of the first records of each stream of the right side; 0: none.
	Began  [compare.Streams]int64 `json:"began"`
	Totals compare.Totals         `json:"totals"`
}

func (p Part) key() string {
	return fmt.Sprintf("%s/%d/%s", p.Group, p.Partition, p.Time.UTC().Format("2006-01-02T15"))
}

// results are those of all partitions, whoever walked over them.
type results struct {
	partitions int

	mu     sync.Mutex
	parts  map[string]*Part // by key
	newest map[place]*Part
}

func newResults(partitions int32) *results {
	return &results{partitions: int(partitions), parts: map[string]*Part{}, newest: map[place]*Part{}}
}

func (r *results) take(rec *kgo.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &Part{}
	if rec.Value == nil {
		delete(r.parts, string(rec.Key))
		return
	}
	if json.Unmarshal(rec.Value, p) != nil {
		return // a later version wrote it
	}
	// An instance that lost the partition may come late.
	if last := r.parts[p.key()]; last == nil || !p.Time.Before(last.Time) {
		r.parts[p.key()] = p
	}
	at := place{p.Group, p.Partition}
	last := r.newest[at]
	if last != nil && p.Time.Before(last.Time) {
		p.Totals.Samples = nil
		return
	}
	if last != nil {
		last.Totals.Samples = nil // only the newest are shown
	}
	r.newest[at] = p
}

func (r *results) has(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.parts[key] != nil
}

// began is Part.Began of the whole, when all of it is known.
func (r *results) began() (began [compare.Streams]int64, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.newest {
		for s, at := range p.Began {
			if at != 0 && (began[s] == 0 || at < began[s]) {
				began[s] = at
			}
		}
	}
	return began, len(r.newest) == tables*r.partitions
}

// Whole is the sum of all partitions. Time and Horizon are the earliest of theirs.
type Whole struct {
	Part
	// Complete: all partitions have been walked over. Parts are those that were.
	Complete bool
	Parts    int
}

func (r *results) whole(samples int) Whole {
	r.mu.Lock()
	defer r.mu.Unlock()
	return sum(r.newest, r.partitions, samples)
}

// tables are how many groups are walked over.
const tables = 2

func sum(parts map[place]*Part, partitions, samples int) Whole {
	w := Whole{Parts: len(parts), Complete: len(parts) == tables*partitions}
	for _, at := range slices.SortedFunc(maps.Keys(parts), func(a, b place) int {
		return cmp.Or(strings.Compare(a.group, b.group), cmp.Compare(a.partition, b.partition))
	}) {
		p := parts[at]
		if w.Time.IsZero() || p.Time.Before(w.Time) {
			w.Time = p.Time
		}
		if w.Horizon == 0 || p.Horizon < w.Horizon {
			w.Horizon = p.Horizon
		}
		for n := range w.Records {
			w.Records[n] += p.Records[n]
			w.Newest[n] = max(w.Newest[n], p.Newest[n])
		}
		w.Totals.Merge(p.Totals, samples)
	}
	return w
}

// hours are the sums at the end of each hour in which there was a result, the oldest first. A
// partition without one keeps that of before.
func (r *results) hours() []Whole {
	r.mu.Lock()
	defer r.mu.Unlock()
	byHour := map[string][]*Part{}
	for key, p := range r.parts {
		hour := key[strings.LastIndexByte(key, '/')+1:]
		byHour[hour] = append(byHour[hour], p)
	}
	var all []Whole
	standing := map[place]*Part{}
	for _, hour := range slices.Sorted(maps.Keys(byHour)) {
		last := time.Time{}
		for _, p := range byHour[hour] {
			standing[place{p.Group, p.Partition}] = p
			if p.Time.After(last) {
				last = p.Time
			}
		}
		if w := sum(standing, r.partitions, 0); w.Complete {
			w.Time = last
			all = append(all, w)
		}
	}
	return all
}
