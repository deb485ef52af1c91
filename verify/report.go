package verify

import (
	"cmp"
	"maps"
	"slices"
)

// Kind of a finding: a stable word, in the report and in its JSON.
type Kind string

// Kinds of findings.
const (
	Lost            Kind = "lost"                // an eligible legacy record without a slim one, or one that ought to be in quarantine and is not
	OrderViolation  Kind = "order_before_event"  // an order before its event's first record, or without any
	RefundViolation Kind = "refund_before_order" // likewise
	Stale           Kind = "stale"               // the newest record of a key is an older value of it
	Unexpected      Kind = "unexpected"          // no eligible legacy record has the key; or quarantined without a reason
	Foreign         Kind = "foreign"             // no version of its sources gives the value
	Duplicate       Kind = "duplicate"           // foreign, beside a good record made of the same legacy record
	Malformed       Kind = "malformed"           // not as the contract writes it
	Headers         Kind = "headers"
	Key             Kind = "key"
	Partition       Kind = "partition"
)

// Kinds lists all kinds, in the order of a report.
func Kinds() []Kind {
	return []Kind{Lost, OrderViolation, RefundViolation, Stale, Unexpected, Foreign, Duplicate, Malformed, Headers, Key, Partition}
}

// Example is one finding. It has no content of a record but the id of an entity
// that the legacy topics have.
type Example struct {
	ID        string `json:"id,omitempty"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Reason    string `json:"reason"`
}

// Findings are those of a kind: how many, and the first of them.
type Findings struct {
	Count    int       `json:"count"`
	Examples []Example `json:"examples,omitempty"`
}

// LegacyCount says what the records of a legacy topic are by themselves.
type LegacyCount struct {
	Records     int            `json:"records"`
	Eligible    int            `json:"eligible"`
	Skipped     map[string]int `json:"skipped,omitempty"`
	Quarantined map[string]int `json:"quarantined,omitempty"` // by the plain rules
	Tombstones  int            `json:"tombstones"`
}

// SlimCount says how much a slim topic holds.
type SlimCount struct {
	Records int `json:"records"`
	Keys    int `json:"keys"` // that legacy records explain
}

// Report is what stands at one moment.
type Report struct {
	Clean    bool                      `json:"clean"`
	Findings map[Kind]Findings         `json:"findings"`
	Waiting  map[string]map[string]int `json:"waiting"`
	// Undecidable counts what the topics do not let anybody decide, by reason.
	Undecidable map[string]int         `json:"undecidable"`
	Ordering    Ordering               `json:"ordering"`
	Legacy      map[string]LegacyCount `json:"legacy"`
	Slim        map[string]SlimCount   `json:"slim"`
	Quarantine  int                    `json:"quarantine"`
	// InFlight are findings that are younger than the grace period; they count as
	// waiting.
	InFlight int `json:"in_flight"`
	// Notes say what the layout of the topics did not allow to check.
	Notes []string `json:"notes,omitempty"`
}

// Ordering says how the order between topics was checked.
type Ordering struct {
	Comparable bool   `json:"comparable"`
	Why        string `json:"why,omitempty"` // not comparable
	Checked    int    `json:"checked"`       // orders and refunds held against what they need
	// Earlier records carry an earlier timestamp than what they need, where
	// timestamps prove nothing.
	Earlier int `json:"earlier_timestamps,omitempty"`
}

// Total is the number of findings of all kinds.
func (r *Report) Total() int {
	n := 0
	for _, f := range r.Findings {
		n += f.Count
	}
	return n
}

// tally collects findings of a kind: the first ones, by position. Some are found by
// ranging over maps, and reports of the same findings are to be the same.
type tally struct {
	count    int
	examples []Example
}

func (t *tally) add(e Example, most int) {
	t.count++
	t.examples = append(t.examples, e)
	if len(t.examples) > 2*most+64 {
		t.trim(most)
	}
}

func (t *tally) trim(most int) {
	slices.SortFunc(t.examples, func(a, b Example) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.ID, b.ID))
	})
	t.examples = t.examples[:min(most, len(t.examples))]
}

// report notes a finding about a single record, which nothing later takes back.
func (c *Checker) report(k Kind, e Example) { tallyOf(c.found, k).add(e, c.cfg.Examples) }

func tallyOf(m map[Kind]*tally, k Kind) *tally {
	if m[k] == nil {
		m[k] = &tally{}
	}
	return m[k]
}

// undecidable counts what cannot be decided about a single record.
func (c *Checker) undecidable(reason string) { c.doubts[reason]++ }

func (l *LegacyCount) add(v verdict) {
	l.Records++
	switch v.outcome {
	case Eligible:
		l.Eligible++
	case Tombstone:
		l.Tombstones++
	case Skipped:
		increment(&l.Skipped, v.reason)
	case Quarantined:
		increment(&l.Quarantined, v.reason)
	}
}

func (l LegacyCount) clone() LegacyCount {
	l.Skipped, l.Quarantined = maps.Clone(l.Skipped), maps.Clone(l.Quarantined)
	return l
}

func increment(m *map[string]int, reason string) {
	if *m == nil {
		*m = map[string]int{}
	}
	(*m)[reason]++
}
