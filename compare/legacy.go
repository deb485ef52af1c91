package compare

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// LegacyOptions say what the slim side is to be held against.
type LegacyOptions struct {
	Form Form
	// Edition of the slim side, 1 or 2: that of the form, unless the form is of none.
	Edition int
	// What the headers of slim records must say.
	ContentType, SchemaVersion, ApplicationID string
}

// LegacyReader reads the records of the legacy topics by the rules of fields.tsv. It is
// safe for concurrent use.
//
// A record larger than what slim topics take is Present like any other: sizes are not
// its business.
type LegacyReader struct {
	options  LegacyOptions
	streams  [Streams]legacyRules
	messages sync.Pool // of *legacyMessage
}

// legacyRules are what to do with a stream's records in one form and edition.
type legacyRules struct {
	plan   *wirePlan
	checks []*fieldRule
	parts  [parts]*fieldRule // nil where the stream has none
	cells  []cellRule
	items  []cellRule // of a ticket
	facts  []*fieldRule
}

// cellRule makes the cell of a field.
type cellRule struct {
	*fieldRule
	field int
}

// NewLegacyReader fails on options that do not go together.
func NewLegacyReader(o LegacyOptions) (*LegacyReader, error) {
	switch {
	case o.Edition != 1 && o.Edition != 2:
		return nil, fmt.Errorf("legacy reader: edition %d, want 1 or 2", o.Edition)
	case o.Form.Edition != 0 && o.Form.Edition != o.Edition:
		return nil, fmt.Errorf("legacy reader: edition %d in the form of edition %d", o.Edition, o.Form.Edition)
	case o.ContentType == "" || o.SchemaVersion == "" || o.ApplicationID == "":
		return nil, errors.New("legacy reader: content type, schema version and application id must say something")
	}
	table, err := loadFieldTable()
	if err != nil {
		return nil, err
	}
	r := &LegacyReader{options: o}
	r.messages.New = func() any { return &legacyMessage{options: &r.options, seen: map[string]bool{}} }
	for s := range Streams {
		if r.streams[s], err = table.program(s, &o); err != nil {
			return nil, fmt.Errorf("legacy reader: %w", err)
		}
	}
	return r, nil
}

// program picks the rules of a form. A field without any is an error.
func (t *fieldTable) program(s Stream, o *LegacyOptions) (legacyRules, error) {
	p := legacyRules{plan: t.plans[s]}
	for i := range t.rules[s] {
		r := &t.rules[s][i]
		if r.edition != 0 && r.edition != o.Edition {
			continue
		}
		switch r.mark {
		case markCheck:
			p.checks = append(p.checks, r)
		case markFact:
			p.facts = append(p.facts, r)
		case markPart:
			p.parts[partNumber(r.path)] = r
		}
	}
	var err error
	if p.cells, err = t.cells(s, Fields(s), o); err == nil && s == Orders {
		p.items, err = t.cells(s, ItemFields(), o)
	}
	return p, err
}

func partNumber(name string) int {
	for i, known := range partNames {
		if known == name {
			return i
		}
	}
	panic("compare: no part " + name) // the table is checked
}

func (t *fieldTable) cells(s Stream, fields []Field, o *LegacyOptions) ([]cellRule, error) {
	var found []cellRule
	for i, f := range fields {
		if !o.Form.Has(f) {
			continue
		}
		r := t.cell(s, f.Path, o.editionOf(f))
		if r == nil {
			return nil, fmt.Errorf("fields.tsv has no row for %s of %s", f.Path, s)
		}
		found = append(found, cellRule{r, i})
	}
	return found, nil
}

// editionOf says whose rules a field follows. In a form of no edition, names are as in
// 2.0, and times as in 1.0 (Form.Edition).
func (o *LegacyOptions) editionOf(f Field) int {
	switch {
	case o.Form.Edition != 0:
		return o.Form.Edition
	case f.Edition != 0:
		return f.Edition
	case f.Type == Integer:
		return 1
	}
	return o.Edition
}

func (t *fieldTable) cell(s Stream, path string, edition int) *fieldRule {
	for i := range t.rules[s] {
		if r := &t.rules[s][i]; r.mark == 0 && r.path == path && (r.edition == 0 || r.edition == edition) {
			return r
		}
	}
	return nil
}

// Read makes a sheet of a record. The sheet's texts are those of a copy of the value.
func (r *LegacyReader) Read(s Stream, record *Record, into *Sheet) {
	into.Reset(s)
	if len(record.Value) == 0 {
		into.Outcome = Tombstone
		return
	}
	m := r.messages.Get().(*legacyMessage)
	defer r.messages.Put(m)
	p := &r.streams[s]
	if err := m.decode(p.plan, record.Value); err != nil {
		into.Outcome, into.Reason = Quarantined, "undecodable"
		return
	}
	if m.badUTF8 {
		into.Outcome, into.Reason = Quarantined, "invalid_utf8"
		return
	}
	into.ID = p.part(partID, m)
	for _, c := range p.checks {
		if c.applies(m) {
			into.Outcome, into.Reason = c.outcome, c.reason(m)
			into.Event, into.Order = p.part(partEvent, m), p.part(partOrder, m)
			return
		}
	}
	p.fill(s, m, into)
}

// part is "" where the stream has none.
func (p *legacyRules) part(number int, m *legacyMessage) string {
	if r := p.parts[number]; r != nil {
		return r.make(m)
	}
	return ""
}

func (p *legacyRules) fill(s Stream, m *legacyMessage, into *Sheet) {
	into.Event, into.Order, into.Org = p.part(partEvent, m), p.part(partOrder, m), p.part(partOrg, m)
	into.Category, into.Venue = p.part(partCategory, m), p.part(partVenue, m)
	if start := p.part(partStart, m); start != "" {
		into.Start, _ = strconv.ParseInt(start, 10, 64) // a normaliser wrote it
	}
	e := lending{organizer: into.Org != "", requisites: p.part(partRequisites, m) != ""}
	for _, c := range p.cells {
		into.Cells[c.field] = c.cell(m, &e)
	}
	switch s {
	case Partners:
		p.partnerFacts(m, into, e.requisites)
	case Events:
		p.eventFacts(m, into)
	case Orders:
		for i := range m.items {
			m.item = i
			cells := into.NewItem(p.part(partItem, m), p.part(partSet, m))
			for _, c := range p.items {
				cells[c.field] = c.cell(m, &e)
			}
		}
	}
}

// event is what the sources of an event's cells depend on.
type lending struct {
	organizer  bool // it names one
	requisites bool // it has its own
}

// cell has the first source with a text of its own, else the last.
func (r *fieldRule) cell(m *legacyMessage, e *lending) Cell {
	c := Cell{Text: r.make(m), From: r.sources[0]}
	if c.Text == "" {
		c.From = r.sources[len(r.sources)-1]
	}
	switch c.From {
	case Organizer, Partner, PartnerName:
		switch {
		case !e.organizer:
			return Cell{}
		case r.sources[0] == Organizer && !e.requisites:
			return Cell{From: Partner}
		}
	}
	return c
}

// partnerFacts: an organizer without a name lends its currency alone.
func (p *legacyRules) partnerFacts(m *legacyMessage, into *Sheet, requisites bool) {
	named := p.part(partName, m) != ""
	for _, f := range p.facts {
		switch {
		case strings.HasPrefix(f.path, "organizer.") && !named:
		case strings.HasPrefix(f.path, "organizer.legals.") && !requisites:
		default:
			into.addFact(f.path, f.make(m))
		}
	}
}

func (s *Sheet) addFact(key, text string) {
	if text != "" {
		s.Facts = append(s.Facts, Fact{key, text})
	}
}

// eventFacts: a set without a name has facts all the same; one that is unknown has
// none. Of a set that is there twice the last counts.
func (p *legacyRules) eventFacts(m *legacyMessage, into *Sheet) {
	clear(m.seen)
	for _, f := range p.facts {
		if !f.perItem() {
			into.addFact(f.path, f.make(m))
		}
	}
	for m.item = len(m.items) - 1; m.item >= 0; m.item-- {
		set := p.part(partItem, m)
		if set == "" || m.seen[set] {
			continue
		}
		m.seen[set] = true
		for _, f := range p.facts {
			if f.perItem() {
				into.Facts = append(into.Facts, Fact{SetKey(set, f.path), f.make(m)})
			}
		}
	}
}
