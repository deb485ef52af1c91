package compare

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ticketscloud/vibe-bridge/legacyproto"
)

//go:embed fields.tsv
var fieldTableText string

// fieldTable is fields.tsv with everything in it resolved. It is not changed after
// loading.
type fieldTable struct {
	rules [Streams][]fieldRule
	plans [Streams]*wirePlan // of both editions: these do not decide what is undecodable
}

// fieldRule is a row.
type fieldRule struct {
	line    int
	path    string // without its mark
	mark    byte   // one of the marks of fields.tsv, 0 for a cell
	edition int    // 0: both

	inputs       []legacyField
	alternatives bool // the first input that is not empty, not all of them
	sources      []Source
	text         func(m *legacyMessage, in []legacyField) string

	// Of a check.
	outcome Outcome
	holds   func(m *legacyMessage, in []legacyField) bool
}

// The marks of paths that are not those of cells.
const (
	markFact  = '+'
	markPart  = '@'
	markCheck = '!'
)

// parts are the words behind "@".
const (
	partID = iota
	partEvent
	partOrder
	partOrg
	partCategory
	partVenue
	partStart
	partItem // the id of a ticket or set
	partSet  // the set of a ticket
	partName
	partRequisites
	parts
)

var partNames = [parts]string{"id", "event", "order", "org", "category", "venue", "start", "item", "set", "name", "requisites"}

var sourceNames = map[string]Source{
	"own": Own, "organizer": Organizer, "partner": Partner, "partner_name": PartnerName, "event_org": EventOrg,
	"set": Set, "currency": Currency, "order_cell": OrderCell, "directory": Directory,
}

var legacyMessages = [Streams]protoreflect.MessageDescriptor{
	Partners: (*legacyproto.Partner)(nil).ProtoReflect().Descriptor(),
	Events:   (*legacyproto.Event)(nil).ProtoReflect().Descriptor(),
	Orders:   (*legacyproto.Order)(nil).ProtoReflect().Descriptor(),
	Refunds:  (*legacyproto.RefundRequest)(nil).ProtoReflect().Descriptor(),
}

// loadFieldTable reads the table of this package once. A test reads it, too.
var loadFieldTable = sync.OnceValues(func() (*fieldTable, error) { return parseFieldTable(fieldTableText) })

// parseFieldTable reads a table in the form of fields.tsv. Its errors name lines: all of
// those that are wrong.
func parseFieldTable(text string) (*fieldTable, error) {
	t := &fieldTable{}
	for s := range Streams {
		t.plans[s] = &wirePlan{record: wireMessage{descriptor: legacyMessages[s]}}
	}
	var problems []error
	for i, row := range strings.Split(text, "\n") {
		if row == "" || strings.HasPrefix(row, "#") {
			continue
		}
		if err := t.add(i+1, row); err != nil {
			problems = append(problems, fmt.Errorf("fields.tsv, line %d: %w", i+1, err))
		}
	}
	return t, errors.Join(problems...)
}

func (t *fieldTable) add(line int, row string) error {
	columns := strings.Split(row, "\t")
	if len(columns) != 6 {
		return fmt.Errorf("%d columns, want stream, path, edition, legacy, source and normaliser", len(columns))
	}
	stream := slices.Index(streamNames[:], columns[0])
	if stream < 0 {
		return fmt.Errorf("there is no stream %q", columns[0])
	}
	s, r := Stream(stream), fieldRule{line: line, path: columns[1]}
	if r.path != "" && strings.IndexByte("+@!", r.path[0]) >= 0 {
		r.mark, r.path = r.path[0], r.path[1:]
	}
	edition := strings.Index("-12", columns[2])
	if len(columns[2]) != 1 || edition < 0 {
		return fmt.Errorf("edition %q, want 1, 2 or -", columns[2])
	}
	r.edition = edition
	if err := t.checkPath(s, &r); err != nil {
		return err
	}
	if err := t.resolve(s, &r, columns[3]); err != nil {
		return err
	}
	complete := r.completeValue
	if r.mark == markCheck {
		complete = r.completeCheck
	}
	if err := complete(columns[4], columns[5]); err != nil {
		return err
	}
	t.rules[s] = append(t.rules[s], r)
	return nil
}

// checkPath finds paths that nothing has, and rows of which two would apply.
func (t *fieldTable) checkPath(s Stream, r *fieldRule) error {
	for _, other := range t.rules[s] {
		if other.mark == r.mark && other.path == r.path && r.mark != markCheck && (other.edition == 0 || r.edition == 0 || other.edition == r.edition) {
			return fmt.Errorf("%s stands in line %d already", r.path, other.line)
		}
	}
	known := r.path != ""
	switch r.mark {
	case 0:
		field := slices.IndexFunc(cellFields(s, r.path), func(f Field) bool {
			return f.Path == r.path && (f.Edition == 0 || f.Edition == r.edition)
		})
		known = field >= 0
	case markPart:
		known = slices.Contains(partNames[:], r.path)
	}
	if !known {
		return fmt.Errorf("%s have no %q in edition %s", s, r.path, [...]string{"1 and 2", "1", "2"}[r.edition])
	}
	return nil
}

// cellFields are the fields among which a path is.
func cellFields(s Stream, path string) []Field {
	if s == Orders && (Field{Path: path}).Item() {
		return ItemFields()
	}
	return Fields(s)
}

func (t *fieldTable) resolve(s Stream, r *fieldRule, legacy string) error {
	if legacy == "-" {
		return nil
	}
	paths := strings.Split(legacy, " | ")
	if r.alternatives = len(paths) > 1; !r.alternatives {
		paths = strings.Split(legacy, ", ")
	}
	for _, path := range paths {
		in, err := t.plans[s].wire(path)
		if err != nil {
			return err
		}
		r.inputs = append(r.inputs, in)
	}
	return nil
}

func (r *fieldRule) completeValue(sources, name string) error {
	for _, word := range strings.Split(sources, " | ") {
		source, known := sourceNames[word]
		if !known {
			return fmt.Errorf("there is no source %q", word)
		}
		r.sources = append(r.sources, source)
	}
	n, known := normalisers[name]
	if !known {
		return fmt.Errorf("there is no normaliser %q", name)
	}
	r.text = n.text
	return r.checkInputs(name, n.takes, n.list)
}

func (r *fieldRule) completeCheck(outcome, name string) error {
	switch outcome {
	case "skip":
		r.outcome = Skipped
	case "quarantine":
		r.outcome = Quarantined
	default:
		return fmt.Errorf("source %q of a check, want skip or quarantine", outcome)
	}
	if want, ok := strings.CutPrefix(name, "not:"); ok {
		return r.completeEnumCheck(want)
	}
	c, known := legacyChecks[name]
	if !known {
		return fmt.Errorf("there is no check %q", name)
	}
	r.holds = c.holds
	return r.checkInputs(name, c.takes, c.list)
}

// completeEnumCheck: the field has another value than the one of this name.
func (r *fieldRule) completeEnumCheck(name string) error {
	if err := r.checkInputs("not:", []legacyKind{kindEnum}, false); err != nil {
		return err
	}
	want := r.inputs[0].enum.ByName(protoreflect.Name(name))
	if want == nil {
		return fmt.Errorf("the enum has no value %q", name)
	}
	r.holds = func(m *legacyMessage, in []legacyField) bool { return m.of(in[0]).number != int64(want.Number()) }
	return nil
}

// checkInputs holds a row's fields against what its normaliser takes.
func (r *fieldRule) checkInputs(name string, takes []legacyKind, list bool) error {
	given := make([]legacyKind, len(r.inputs))
	for i, in := range r.inputs {
		given[i] = in.kind
	}
	if r.alternatives && slices.Max(given) == slices.Min(given) {
		given = given[:1] // of which one is passed on
	}
	if !slices.Equal(given, takes) {
		return fmt.Errorf("normaliser %q does not take these legacy fields: another number of them, or other types", name)
	}
	perItem := r.perItem()
	for _, in := range r.inputs {
		if in.item != list && (list || !perItem) {
			return fmt.Errorf("normaliser %q does not take one value of a list, or takes the whole of it", name)
		}
	}
	return nil
}

// perItem tells whether the rule is made for each item, and not for the record.
func (r *fieldRule) perItem() bool {
	switch r.mark {
	case markPart:
		return r.path == partNames[partItem] || r.path == partNames[partSet]
	case markCheck:
		return false
	}
	return Field{Path: r.path}.Item()
}

// make gives the text of the rule.
func (r *fieldRule) make(m *legacyMessage) string {
	if !r.alternatives {
		return r.text(m, r.inputs)
	}
	return r.text(m, r.chosen(m))
}

// chosen is the first input that is not empty, or the last.
func (r *fieldRule) chosen(m *legacyMessage) []legacyField {
	last := len(r.inputs) - 1
	for i, in := range r.inputs[:last] {
		if !m.of(in).empty(in.kind) {
			return r.inputs[i : i+1]
		}
	}
	return r.inputs[last:]
}

// applies tells whether a check holds.
func (r *fieldRule) applies(m *legacyMessage) bool {
	if r.alternatives {
		return r.holds(m, r.chosen(m))
	}
	return r.holds(m, r.inputs)
}

// reason of a check; a star in it is the name of the enum's value.
func (r *fieldRule) reason(m *legacyMessage) string {
	before, ok := strings.CutSuffix(r.path, "*")
	if !ok {
		return r.path
	}
	name := m.enumName(r.inputs[0])
	if name == "" {
		name = "unknown"
	}
	return before + strings.ToLower(name)
}

// legacyCheck looks for what keeps a record out of the comparison.
type legacyCheck struct {
	takes []legacyKind
	list  bool // it reads its input of all items
	holds func(m *legacyMessage, in []legacyField) bool
}

// legacyChecks by their words in fields.tsv; there is also "not:" with the name of an enum's
// value.
var legacyChecks = map[string]legacyCheck{
	"empty":           {takes: []legacyKind{kindText}, holds: func(m *legacyMessage, in []legacyField) bool { return m.of(in[0]).text == "" }},
	"no_time":         {takes: []legacyKind{kindTime}, holds: func(m *legacyMessage, in []legacyField) bool { return !m.of(in[0]).isTime() }},
	"no_phone_number": {takes: []legacyKind{kindText}, holds: func(m *legacyMessage, in []legacyField) bool { return m.e164(m.of(in[0]).text) == "" }},
	"any_empty": {takes: []legacyKind{kindText}, list: true, holds: func(m *legacyMessage, in []legacyField) bool {
		return slices.ContainsFunc(m.items, func(item []legacyValue) bool { return item[in[0].slot].text == "" })
	}},
	"all_empty": {takes: []legacyKind{kindText}, list: true, holds: func(m *legacyMessage, in []legacyField) bool {
		return !slices.ContainsFunc(m.items, func(item []legacyValue) bool { return item[in[0].slot].text != "" })
	}},
}
