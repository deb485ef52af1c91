package verify

import (
	"slices"
	"strconv"
	"time"
)

// Checker takes records and finds what is wrong. It is not safe for concurrent use, but for ReadLegacy and ReadSlim.
//
// Invariant: a slim record is given to it only after all legacy and quarantine
// records that were there when the slim record was written.
type Checker struct {
	cfg   Config
	rules *rules

	partners map[string]*partner
	events   map[string]*event
	orders   map[string]*order
	refunds  map[string]*refund
	// refundAt finds the request that a refund with a wrong key was made of: the
	// refund's value has no id.
	refundAt map[sourceRef]string

	quarantined map[spot]*note
	owed        map[spot]string // ought to be in quarantine, and was not seen there; with its reason

	legacy [streams]LegacyCount
	slim   [streams]SlimCount
	notes  int // quarantine records

	found    map[Kind]*tally // of single records
	suspects []suspect
	pending  map[finding]time.Time // when each finding that may still settle itself was made first
	doubts   map[string]int

	next     map[slimPartition]int64
	firstGap [streams]int64 // offset of the first gap in a compacted slim topic of one partition; 0: none
}

// spot is where a legacy record is.
type spot struct {
	stream    Stream
	partition int32
	offset    int64
}

// note is what the quarantine topic says of a legacy record.
type note struct {
	reason  string // the last that was read
	matched bool   // the plain rules would have it there as well
	records []quarantined
}

// quarantined is the last record of a partition of the quarantine topic that names the
// legacy record for a reason at a stage. A legacy record may be there for several.
type quarantined struct {
	partition     int32
	stage, reason string
	offset        int64
	replayed      bool // a marker behind it says so
}

// replayed tells whether all records are marked.
func (n *note) replayed() bool {
	return !slices.ContainsFunc(n.records, func(q quarantined) bool { return !q.replayed })
}

// explained tells whether what is not marked can be right although nothing is wrong
// with the record: a size depends on more than that.
func (n *note) explained() bool {
	return !slices.ContainsFunc(n.records, func(q quarantined) bool { return !q.replayed && q.reason != "too_large" })
}

func (n *note) record(r Record) *quarantined {
	stage, reason := quarantineHeader(r, headerStage), quarantineHeader(r, headerReason)
	for i := range n.records {
		if q := &n.records[i]; q.partition == r.Partition && q.stage == stage && q.reason == reason {
			return q
		}
	}
	return nil
}

type slimPartition struct {
	stream    Stream
	partition int32
}

func (c *Checker) partner(id string) *partner {
	return getOrMake(c.partners, id, func() *partner { return &partner{id: id} })
}

func (c *Checker) event(id string) *event {
	return getOrMake(c.events, id, func() *event { return &event{id: id} })
}

func getOrMake[T any](m map[string]*T, id string, make func() *T) *T {
	v := m[id]
	if v == nil {
		v = make()
		m[id] = v
	}
	return v
}

// Legacy takes a record of a legacy topic.
func (c *Checker) Legacy(s Stream, r Record) { c.ReadLegacy(s, r)() }

// ReadLegacy reads a record of a legacy topic and returns what takes it. Several records may be read at once, also while
// others are taken, and outside the invariant; they are taken one at a time, within it.
func (c *Checker) ReadLegacy(s Stream, r Record) (take func()) {
	var v verdict
	var learn func()
	at := position{offset: r.Offset, time: r.Time, partition: r.Partition}
	switch s {
	case Partners:
		v, learn = c.legacyPartner(at, r.Value)
	case Events:
		v, learn = c.legacyEvent(at, r.Value)
	case Orders:
		v, learn = c.legacyOrder(at, r.Value)
	case Refunds:
		v, learn = c.legacyRefund(at, r.Value)
	}
	return func() {
		if learn != nil {
			learn()
		}
		c.legacy[s].add(v)
		c.settleQuarantine(spot{s, r.Partition, r.Offset}, v)
	}
}

// settleQuarantine holds what the plain rules say of a record against the
// quarantine topic.
func (c *Checker) settleQuarantine(at spot, v verdict) {
	noted := c.quarantined[at]
	switch {
	case noted != nil && !noted.replayed():
		noted.matched = v.outcome == Quarantined
	case v.outcome == Quarantined:
		c.owed[at] = v.reason
	}
}

// The readers of legacy records return what a record is, and what makes the checker know it; nil for nothing.

func (c *Checker) legacyPartner(at position, value []byte) (v verdict, learn func()) {
	m, v := readPartner(value)
	if v.outcome != Eligible {
		return v, nil
	}
	digest := digestOf(m)
	return v, func() { c.partner(m.GetId()).add(at, digest, func() partnerFacts { return makePartner(m) }) }
}

func (c *Checker) legacyEvent(at position, value []byte) (v verdict, learn func()) {
	m, v := readEvent(value)
	if v.outcome != Eligible {
		return v, nil
	}
	digest := digestOf(m)
	return v, func() { c.event(m.GetId()).add(at, digest, func() eventFacts { return c.makeEvent(m) }) }
}

func (c *Checker) legacyOrder(at position, value []byte) (v verdict, learn func()) {
	m, v := readOrder(value)
	id := m.GetId()
	if id == "" {
		return v, nil
	}
	known := func() *order { return getOrMake(c.orders, id, func() *order { return &order{id: id} }) }
	if v.outcome != Eligible {
		return v, func() {
			o := known()
			o.skipped = o.skipped || v.outcome == Skipped
		}
	}
	digest, event, facts := digestOf(m), m.GetEvent(), makeOrder(c.rules, m) // most orders are new
	return v, func() {
		known().add(at, digest, func() orderFacts {
			facts.event = c.event(event)
			return facts
		})
	}
}

func (c *Checker) legacyRefund(at position, value []byte) (v verdict, learn func()) {
	m, v := readRefund(value)
	if v.outcome != Eligible {
		return v, nil
	}
	digest := digestOf(m)
	return v, func() {
		r := getOrMake(c.refunds, m.GetId(), func() *refund { return &refund{id: m.GetId()} })
		r.add(at, digest, func() refundFacts { return c.makeRefund(m) })
		c.refundAt[sourceRef{offset: at.offset, partition: at.partition}] = r.id
	}
}

// Headers of a quarantine record, as Kafka Connect names them.
const (
	headerTopic     = "__connect.errors.topic"
	headerPartition = "__connect.errors.partition"
	headerOffset    = "__connect.errors.offset"
	headerStage     = "__connect.errors.stage"
	headerReason    = "__connect.errors.class.name"
	// headerReplayed makes it a marker: the record at this offset of the partition was
	// replayed, and those before it that name the same legacy record.
	headerReplayed = "vibe-bridge.replayed.offset"
)

// Quarantine takes a record of the quarantine topic.
func (c *Checker) Quarantine(r Record) {
	c.notes++
	at, ok := c.quarantinedPlace(r)
	if !ok {
		c.report(Malformed, Example{Topic: c.cfg.Topics.Quarantine, Partition: r.Partition, Offset: r.Offset, Reason: "headers do not say which record it is"})
		return
	}
	if marked := quarantineHeader(r, headerReplayed); marked != "" {
		c.replayed(r, at, marked)
		return
	}
	_, owed := c.owed[at]
	delete(c.owed, at)
	noted := c.quarantined[at]
	if noted == nil {
		noted = &note{}
		c.quarantined[at] = noted
	}
	noted.reason, noted.matched = quarantineHeader(r, headerReason), noted.matched || owed
	if q := noted.record(r); q != nil {
		q.offset, q.replayed = r.Offset, false
		return
	}
	noted.records = append(noted.records, quarantined{partition: r.Partition, stage: quarantineHeader(r, headerStage), reason: noted.reason, offset: r.Offset})
}

// replayed takes a marker. The record counts again; should it be one that has to be in
// quarantine, then it is not there any more.
func (c *Checker) replayed(r Record, at spot, marked string) {
	offset, err := strconv.ParseInt(marked, 10, 64)
	noted := c.quarantined[at]
	var q *quarantined
	if noted != nil {
		q = noted.record(r)
	}
	if err != nil || q == nil || offset >= r.Offset {
		c.report(Malformed, Example{Topic: c.cfg.Topics.Quarantine, Partition: r.Partition, Offset: r.Offset, Reason: "marks a record that is not there"})
		return
	}
	q.replayed = q.replayed || q.offset <= offset // else it was quarantined again meanwhile
	if noted.matched && noted.replayed() {
		c.owed[at] = noted.reason
	}
}

// inQuarantine tells whether the quarantine topic names the record, and not all that it
// says was replayed since.
func (c *Checker) inQuarantine(at spot) bool {
	noted := c.quarantined[at]
	return noted != nil && !noted.replayed()
}

func (c *Checker) quarantinedPlace(r Record) (spot, bool) {
	for s, name := range c.cfg.Topics.Legacy {
		if quarantineHeader(r, headerTopic) != name {
			continue
		}
		partition, err1 := strconv.ParseInt(quarantineHeader(r, headerPartition), 10, 32)
		offset, err2 := strconv.ParseInt(quarantineHeader(r, headerOffset), 10, 64)
		return spot{Stream(s), int32(partition), offset}, err1 == nil && err2 == nil && partition >= 0 && offset >= 0
	}
	return spot{}, false
}

// quarantineHeader is the value of a header that stands behind those that the legacy
// record had of its own, which may have any names: from the last that names the topic on.
func quarantineHeader(r Record, name string) string {
	for i, h := range slices.Backward(r.Headers) {
		if h.Key == headerTopic {
			r.Headers = r.Headers[i:]
			break
		}
	}
	return header(r, name)
}

// header is the value of a record's only header of the name.
func header(r Record, name string) string {
	value := ""
	for _, h := range r.Headers {
		if h.Key == name {
			value = string(h.Value)
		}
	}
	return value
}

// out tells the records that do not count as newest: the quarantine topic names
// them.
func (c *Checker) out(s Stream) func(position) bool {
	if len(c.quarantined) == 0 {
		return nil
	}
	return func(p position) bool { return c.inQuarantine(spot{s, p.partition, p.offset}) }
}

// loose: the quarantine topic names an eligible record of the entity. Whether
// that was ever published, and whether its facts are still in use, depends on what
// was too large at which time (decision 6).
func (c *Checker) loose(s Stream, positions []position) bool {
	for _, p := range positions {
		if len(c.quarantined) > 0 && c.inQuarantine(spot{s, p.partition, p.offset}) {
			return true
		}
	}
	return false
}

// incomplete: legacy records that may have mattered are gone.
func (c *Checker) incomplete() bool {
	for _, gone := range c.cfg.Layout.LegacyGone {
		if gone {
			return true
		}
	}
	return false
}
