package verify

import (
	"time"
)

// finding is something that may still settle itself: a record may be on its way.
// With another expectation it is another finding.
type finding struct {
	kind     Kind
	id       string // of the entity, with its stream
	expected uint64
}

// evaluation is one look at everything.
type evaluation struct {
	c       *Checker
	now     time.Time
	grace   time.Duration
	report  *Report
	found   map[Kind]*tally
	pending map[finding]time.Time
}

// Evaluate says what stands now. A record that is missing or out of date counts as
// a finding once it has been so for the grace period, at every call in between;
// until then it is in flight. Calls must not go back in time.
func (c *Checker) Evaluate(now time.Time, grace time.Duration) *Report {
	e := &evaluation{
		c: c, now: now, grace: grace, found: map[Kind]*tally{}, pending: map[finding]time.Time{},
		report: &Report{
			Findings: map[Kind]Findings{}, Waiting: map[string]map[string]int{}, Undecidable: map[string]int{},
			Legacy: map[string]LegacyCount{}, Slim: map[string]SlimCount{}, Quarantine: c.notes,
			Ordering: Ordering{Comparable: c.cfg.Layout.Comparable, Why: c.cfg.Layout.Why},
		},
	}
	e.quarantine()
	for _, ev := range c.events {
		e.event(ev)
	}
	for _, o := range c.orders {
		e.order(o)
	}
	for _, r := range c.refunds {
		e.refund(r)
	}
	e.suspects()
	c.pending = e.pending
	return e.finish()
}

// add reports a finding of this moment.
func (e *evaluation) add(k Kind, x Example) { tallyOf(e.found, k).add(x, e.c.cfg.Examples) }

func (e *evaluation) wait(s Stream, reason string) {
	m := e.report.Waiting[s.String()]
	if m == nil {
		m = map[string]int{}
		e.report.Waiting[s.String()] = m
	}
	m[reason]++
}

func (e *evaluation) doubt(reason string) { e.report.Undecidable[reason]++ }

// missing reports what may still come, once it is older than the grace period.
func (e *evaluation) missing(k Kind, s Stream, expected uint64, x Example) {
	id := x.ID
	if id == "" { // a record that belongs to no entity
		id = x.Topic + "/" + itoa(int64(x.Partition)) + "/" + itoa(x.Offset)
	}
	f := finding{k, s.String() + "/" + id, expected}
	since, before := e.c.pending[f]
	if !before {
		since = e.now
	}
	e.pending[f] = since
	if e.now.Sub(since) < e.grace {
		e.report.InFlight++
		e.wait(s, "in_flight")
		return
	}
	e.add(k, x)
}

// quarantine looks for records that ought to be in quarantine, and for those that
// ought not.
func (e *evaluation) quarantine() {
	c := e.c
	for at, reason := range c.owed {
		if c.cfg.Layout.QuarantineGone {
			e.doubt("not in quarantine, of which records are gone")
			continue
		}
		e.missing(Lost, at.stream, 0, c.legacyExample("", at, "neither slim nor in quarantine: "+reason))
	}
	for at, note := range c.quarantined {
		if note.matched || note.explained() || c.cfg.Layout.LegacyGone[at.stream] {
			continue
		}
		e.add(Unexpected, c.legacyExample("", at, "in quarantine, and nothing is wrong with it"))
	}
}

func (c *Checker) legacyExample(id string, at spot, reason string) Example {
	return Example{ID: id, Topic: c.cfg.Topics.Legacy[at.stream], Partition: at.partition, Offset: at.offset, Reason: reason}
}

func (e *evaluation) lost(s Stream, id string, at *position) {
	e.missing(Lost, s, 0, e.c.legacyExample(id, spot{s, at.partition, at.offset}, "no slim record"))
}

func (e *evaluation) stale(s Stream, id string, state *slimState, expected uint64) {
	e.missing(Stale, s, expected, Example{
		ID: id, Topic: e.c.cfg.Topics.Slim[s], Partition: state.partition, Offset: state.offset,
		Reason: "the newest legacy records say something else",
	})
}

// suspects sorts what nothing explains into its two kinds.
func (e *evaluation) suspects() {
	for _, s := range e.c.suspects {
		x := s.example
		x.Reason = reasonForeign
		kind := Foreign
		if e.c.isDuplicate(s) {
			kind, x.Reason = Duplicate, reasonDuplicate
		}
		e.add(kind, x)
	}
}

func (e *evaluation) finish() *Report {
	c, r := e.c, e.report
	for reason, n := range c.doubts {
		r.Undecidable[reason] += n
	}
	for _, k := range Kinds() {
		all := &tally{}
		for _, t := range []*tally{c.found[k], e.found[k]} {
			if t != nil {
				all.count += t.count
				all.examples = append(all.examples, t.examples...)
			}
		}
		all.trim(c.cfg.Examples)
		r.Findings[k] = Findings{Count: all.count, Examples: all.examples}
	}
	for s := range streams {
		r.Legacy[s.String()] = c.legacy[s].clone()
		if s != Partners {
			r.Slim[s.String()] = c.slim[s]
		}
	}
	r.Notes = c.cfg.Layout.notes(c.cfg.Topics)
	r.Clean = r.Total() == 0
	return r
}

// notes say what the layout does not allow to check.
func (l Layout) notes(t Topics) []string {
	var notes []string
	for s := range streams {
		if l.LegacyGone[s] {
			notes = append(notes, t.Legacy[s]+" does not hold all its records (retention or compaction), or its settings may not be read: values and keys that nothing explains are not reported")
		}
	}
	for s := range streams {
		if l.SlimGone[s] {
			notes = append(notes, t.Slim[s]+" does not hold its first records: which came first cannot be told")
		}
	}
	if l.QuarantineGone {
		notes = append(notes, t.Quarantine+" does not hold its first records: what it named cannot be told")
	}
	return notes
}
