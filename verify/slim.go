package verify

import (
	"strconv"
	"strings"
)

// slimRecord is a slim record on its way through the checks.
type slimRecord struct {
	Record
	stream    Stream
	source    sourceRef // what bridge-source names, or noSource
	misplaced bool
	faulty    bool // it has a finding that concerns its value or its key
}

// Slim takes a record of a slim topic; s is not Partners.
func (c *Checker) Slim(s Stream, r Record) { c.ReadSlim(s, r)() }

// ReadSlim is to Slim what ReadLegacy is to Legacy.
func (c *Checker) ReadSlim(s Stream, r Record) (take func()) {
	rec := &slimRecord{Record: r, stream: s, source: noSource}
	belongs := r.Partition
	if n := c.cfg.Layout.Partitions[s]; n > 0 {
		belongs = partitionOf(r.Key, n)
	}
	rec.misplaced = belongs != r.Partition
	headerFault := c.checkHeaders(rec)
	var v readValue
	switch s {
	case Events:
		v = c.eventValue(rec)
	case Orders:
		v = c.orderValue(rec)
	case Refunds:
		v = c.refundValue(rec)
	}
	return func() {
		c.slim[s].Records++
		c.passed(rec)
		if rec.misplaced {
			c.fault(Partition, rec, "", "the key belongs to partition "+strconv.Itoa(int(belongs)))
		}
		c.check(rec, v, headerFault)
	}
}

// passed notes gaps: in a compacted topic an older record of a key may have been
// there.
func (c *Checker) passed(r *slimRecord) {
	at := slimPartition{r.stream, r.Partition}
	if next := c.next[at]; r.Offset > next && c.firstGap[r.stream] == 0 && c.cfg.Layout.SlimCompacted[r.stream] {
		c.firstGap[r.stream] = next + 1
	}
	c.next[at] = r.Offset + 1
}

// fault reports something about a slim record. id is that of a known entity.
func (c *Checker) fault(k Kind, r *slimRecord, id, reason string) {
	c.report(k, Example{ID: id, Topic: c.cfg.Topics.Slim[r.stream], Partition: r.Partition, Offset: r.Offset, Reason: reason})
}

// checkHeaders says what is wrong with the headers, and reads bridge-source.
func (c *Checker) checkHeaders(r *slimRecord) string {
	contentType := "application/json"
	if c.rules.protobuf {
		contentType = "application/x-protobuf"
	}
	var f fault
	for _, want := range [][2]string{{"content-type", contentType}, {"schema-version", c.cfg.Edition}, {"application-id", c.cfg.ApplicationID}} {
		n := countHeaders(r.Record, want[0])
		f.must(n > 0, want[0]+": missing")
		f.must(n <= 1, want[0]+": more than once")
		f.must(header(r.Record, want[0]) == want[1], want[0]+": another value")
	}
	n := countHeaders(r.Record, "bridge-source")
	f.must(n > 0 || !c.cfg.SourceHeader, "bridge-source: missing")
	f.must(n <= 1, "bridge-source: more than once")
	if n == 1 {
		var ok bool
		r.source, ok = c.parseSource(r.stream, header(r.Record, "bridge-source"))
		f.must(ok, "bridge-source: not topic/partition/offset of the legacy topic")
	}
	return f.text
}

func countHeaders(r Record, name string) int {
	n := 0
	for _, h := range r.Headers {
		if h.Key == name {
			n++
		}
	}
	return n
}

func (c *Checker) parseSource(s Stream, text string) (sourceRef, bool) {
	rest, ok := strings.CutPrefix(text, c.cfg.Topics.Legacy[s]+"/")
	if !ok {
		return noSource, false
	}
	left, right, ok := strings.Cut(rest, "/")
	partition, err1 := strconv.ParseInt(left, 10, 32)
	offset, err2 := strconv.ParseInt(right, 10, 64)
	if !ok || err1 != nil || err2 != nil || partition < 0 || offset < 0 {
		return noSource, false
	}
	return sourceRef{offset: offset, partition: int32(partition)}, true
}

// entity is what the checks of a slim record need of what it is about.
type entity struct {
	id       string
	state    *slimState
	known    bool // there is an eligible legacy record
	versions int
	lookup   func(sourceRef) *position
}

// at finds an eligible legacy record of the entity, nil for none.
func (e entity) at(s sourceRef) *position {
	if s == noSource {
		return nil
	}
	return e.lookup(s)
}

// attribute finds out what a record is about. key is the id in its value, or ""
// where that cannot be read. It returns false when nothing can be said of it.
func (c *Checker) attribute(r *slimRecord, id string) (entity, bool) {
	e, ok := c.find(r.stream, string(r.Key))
	if id != "" && id != string(r.Key) {
		byValue, known := c.find(r.stream, id)
		name := ""
		if known && byValue.known {
			name = byValue.id
		}
		c.fault(Key, r, name, "the key is not the id in the value")
		r.faulty = true
		return byValue, known && byValue.known
	}
	if !ok || !e.known {
		c.unexpected(r)
		return e, false
	}
	return e, true
}

func (c *Checker) unexpected(r *slimRecord) {
	if c.incomplete() {
		c.undecidable("unexpected, but legacy records are gone")
		return
	}
	c.fault(Unexpected, r, "", "no eligible legacy record has this key")
}

// headersOf reports a fault of the headers, among them a bridge-source that is no
// eligible record of the entity.
func (c *Checker) headersOf(r *slimRecord, e entity, text string) {
	if e.known && r.source != noSource && e.at(r.source) == nil {
		r.source = noSource
		if text == "" && !c.incomplete() {
			text = "bridge-source: not an eligible legacy record of the key"
		}
	}
	if text != "" {
		c.fault(Headers, r, e.id, text)
	}
}

// readValue is what a slim value says by itself.
type readValue struct {
	fault         string // of its form
	id            string // "" where there is none, or it cannot be read
	own, borrowed uint64
	// explains tells whether versions of the entity give the value; nil for one that cannot be read.
	explains func(id string) bool
}

func (c *Checker) eventValue(r *slimRecord) readValue {
	v, fault := c.rules.parseEvent(r.Value)
	if v == nil {
		return readValue{fault: fault}
	}
	own, borrowed := splitEvent(c.rules, v)
	return readValue{fault, v.ID, own, borrowed, func(id string) bool { return c.explainsEvent(c.events[id], r.source, own, v) }}
}

func (c *Checker) orderValue(r *slimRecord) readValue {
	v, fault := c.rules.parseOrder(r.Value)
	if v == nil {
		return readValue{fault: fault}
	}
	own, borrowed := splitOrder(c.rules, v)
	return readValue{fault, v.ID, own, borrowed, func(id string) bool { return c.explainsOrder(c.orders[id], r.source, own, v) }}
}

func (c *Checker) refundValue(r *slimRecord) readValue {
	v, fault := c.rules.parseRefund(r.Value)
	if v == nil {
		return readValue{fault: fault}
	}
	own, borrowed := splitRefund(c.rules, v)
	return readValue{fault, "", own, borrowed, func(id string) bool { return c.explainsRefund(c.refunds[id], r.source, own, borrowed) }}
}

// check holds a record against what is known.
func (c *Checker) check(r *slimRecord, v readValue, headerFault string) {
	id := v.id
	// The value of a refund has no id; the request that it was made of has.
	if r.stream == Refunds && r.source != noSource && c.refunds[string(r.Key)] == nil {
		id = c.refundAt[r.source]
	}
	e, ok := c.attribute(r, id)
	c.headersOf(r, e, headerFault)
	c.malformed(r, e.id, v.fault)
	if !ok {
		return
	}
	if v.fault == "" {
		c.judge(r, e, v.explains(e.id))
	}
	c.note(r, e.state, v.own, v.borrowed)
}

func (c *Checker) malformed(r *slimRecord, id, text string) {
	if text != "" {
		r.faulty = true
		c.fault(Malformed, r, id, text)
	}
}

// note keeps what the later checks need of a record.
func (c *Checker) note(r *slimRecord, s *slimState, own, borrowed uint64) {
	if !s.published {
		c.slim[r.stream].Keys++
		*s = slimState{published: true, firstTime: r.Time, firstOffset: r.Offset, appendTime: r.AppendTime, explained: s.explained, misplaced: true}
	}
	if r.misplaced && !s.misplaced {
		return // the newest of a key is that of the partition where it belongs
	}
	s.offset, s.partition, s.misplaced = r.Offset, r.Partition, r.misplaced
	s.own, s.borrowed, s.judged = own, borrowed, r.faulty
}

// find is what the checks need of an entity; false for one that nothing mentions.
func (c *Checker) find(s Stream, id string) (entity, bool) {
	switch s {
	case Events:
		if e := c.events[id]; e != nil {
			return entityOf(e.id, &e.slim, &e.history), true
		}
	case Orders:
		if o := c.orders[id]; o != nil {
			return entityOf(o.id, &o.slim, &o.history), true
		}
	case Refunds:
		if r := c.refunds[id]; r != nil {
			return entityOf(r.id, &r.slim, &r.history), true
		}
	}
	return entity{}, false
}

func entityOf[F any](id string, state *slimState, h *history[F]) entity {
	return entity{id: id, state: state, known: len(h.positions) > 0, versions: len(h.versions), lookup: h.at}
}
