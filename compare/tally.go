package compare

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
)

// mostFields bounds how many different fields a stream and category are counted by, and
// reasons: records may have any number of unknown ones.
const mostFields = 100

// otherFields stands for those beyond mostFields.
const otherFields = "(others)"

// Totals are what a Tally found. They can be added up: those of partitions are those of
// the whole.
type Totals struct {
	Streams  map[string]*StreamTotals `json:"streams"`
	Fields   []FieldTotals            `json:"fields"`   // by stream, category, field
	Expected map[string]int64         `json:"expected"` // entities by rule, expired ones too
	Samples  []SampleRef              `json:"samples"`
}

// StreamTotals count a stream's entities.
type StreamTotals struct {
	Left        int64            `json:"left"`
	Right       int64            `json:"right"`
	Entities    int64            `json:"entities"`
	Equal       int64            `json:"equal"`
	Different   int64            `json:"different"`
	Unexplained int64            `json:"unexplained"` // but for those in noisy fields alone
	Noisy       int64            `json:"noisy"`       // with unexpected differences in noisy fields alone
	Pending     map[string]int64 `json:"pending,omitempty"`
	Undecidable map[string]int64 `json:"undecidable,omitempty"`
	Skipped     map[string]int64 `json:"skipped,omitempty"`
	Quarantined map[string]int64 `json:"quarantined,omitempty"`
}

// FieldTotals count the entities that differ in a field.
type FieldTotals struct {
	Stream   string   `json:"stream"`
	Category Category `json:"category"`
	Field    string   `json:"field,omitempty"`
	Count    int64    `json:"count"`
	Expected int64    `json:"expected"`
}

// SampleRef is a difference, and where its records are. Texts are read again from there.
type SampleRef struct {
	Stream   string       `json:"stream"`
	Category Category     `json:"category"`
	Field    string       `json:"field,omitempty"`
	ID       string       `json:"id"`
	Item     uint64       `json:"item,omitempty"`
	Detail   string       `json:"detail,omitempty"`
	Rule     string       `json:"rule,omitempty"`
	Left     *rowpb.Place `json:"left,omitempty"`
	Right    *rowpb.Place `json:"right,omitempty"`
	// Parents are Finding.Parents, by the names of their streams.
	Parents map[string]*rowpb.Place `json:"parents,omitempty"`
}

// Tally counts findings.
type Tally struct {
	// Expected differences; nil for none.
	Expected *Expected
	// Now is the moment at which rules may have expired.
	Now time.Time
	// Noisy tells whether a field is not stable in its source; nil: all are.
	Noisy func(s Stream, field string) bool
	// Samples are kept of each stream, category and field: those with the smallest digests
	// of their ids, which are the same in whatever order they come.
	Samples int

	streams  [Streams]*StreamTotals
	fields   map[fieldKey]*FieldTotals
	names    map[nameKey]int
	expected map[string]int64
	samples  map[fieldKey][]SampleRef

	entity []outcome // of the entity at hand
	rules  []string
}

type fieldKey struct {
	s        Stream
	category Category
	field    string
}

type nameKey struct {
	s        Stream
	category Category
}

// outcome is one (category, field) of an entity.
type outcome struct {
	key        fieldKey
	unexpected bool
}

// Add counts a finding about the entity with this id.
func (t *Tally) Add(s Stream, id string, row *rowpb.Row, f Finding) {
	if f.State == Nothing {
		return
	}
	c := t.stream(s)
	c.Entities++
	if has(row.GetLeft()) {
		c.Left++
	}
	if has(row.GetRight()) {
		c.Right++
	}
	switch f.State {
	case Equal:
		c.Equal++
	case IsPending:
		count(&c.Pending, f.Reason)
	case IsUndecidable:
		count(&c.Undecidable, f.Reason)
	case IsSkipped:
		count(&c.Skipped, f.Reason)
	case IsQuarantined:
		count(&c.Quarantined, f.Reason)
	case Different:
		t.different(c, s, id, row, f)
	}
	if f.Late {
		key := fieldKey{s, Late, ""}
		t.field(key).Count++
		t.sample(key, id, row, f, Difference{Category: Late}, "")
	}
}

func count(m *map[string]int64, reason string) {
	if *m == nil {
		*m = map[string]int64{}
	}
	if _, known := (*m)[reason]; !known && len(*m) >= mostFields {
		reason = otherFields
	}
	(*m)[reason]++
}

func (t *Tally) stream(s Stream) *StreamTotals {
	if t.streams[s] == nil {
		t.streams[s] = &StreamTotals{}
	}
	return t.streams[s]
}

func (t *Tally) different(c *StreamTotals, s Stream, id string, row *rowpb.Row, f Finding) {
	c.Different++
	t.entity, t.rules = t.entity[:0], t.rules[:0]
	for _, d := range f.Differences {
		rule, unexpected := "", true
		if t.Expected != nil {
			rule, unexpected = t.rule(s, id, d)
		}
		if rule != "" && !slices.Contains(t.rules, rule) {
			t.rules = append(t.rules, rule)
		}
		key := fieldKey{s, d.Category, t.named(s, d)}
		t.sample(key, id, row, f, d, rule)
		if i := slices.IndexFunc(t.entity, func(o outcome) bool { return o.key == key }); i >= 0 {
			t.entity[i].unexpected = t.entity[i].unexpected || unexpected
			continue
		}
		t.entity = append(t.entity, outcome{key, unexpected})
	}
	for _, rule := range t.rules {
		if t.expected == nil {
			t.expected = map[string]int64{}
		}
		t.expected[rule]++
	}
	unexplained, noisy := false, false
	for _, o := range t.entity {
		n := t.field(o.key)
		n.Count++
		switch {
		case !o.unexpected:
			n.Expected++
		case t.Noisy != nil && o.key.category == Value && t.Noisy(s, o.key.field):
			noisy = true
		default:
			unexplained = true
		}
	}
	switch {
	case unexplained:
		c.Unexplained++
	case noisy:
		c.Noisy++
	}
}

// rule is what declares the difference; unexpected when there is none that holds.
func (t *Tally) rule(s Stream, id string, d Difference) (rule string, unexpected bool) {
	m := t.Expected.Match(ExpectedQuery{
		Stream: s, Category: d.Category, Field: d.Field, ID: id, LeftAbsent: d.LeftAbsent, RightAbsent: d.RightAbsent, Said: d.Said,
	}, t.Now)
	return m.Rule, m.Rule == "" || m.Expired
}

// named is the field under which a difference is counted.
func (t *Tally) named(s Stream, d Difference) string {
	if d.index >= 0 || d.Field == "" {
		return d.Field
	}
	if t.fields[fieldKey{s, d.Category, d.Field}] != nil {
		return d.Field
	}
	if t.names == nil {
		t.names = map[nameKey]int{}
	}
	key := nameKey{s, d.Category}
	if t.names[key] >= mostFields {
		return otherFields
	}
	t.names[key]++
	return d.Field
}

func (t *Tally) field(key fieldKey) *FieldTotals {
	f := t.fields[key]
	if f == nil {
		if t.fields == nil {
			t.fields = map[fieldKey]*FieldTotals{}
		}
		f = &FieldTotals{Stream: key.s.String(), Category: key.category, Field: key.field}
		t.fields[key] = f
	}
	return f
}

func (t *Tally) sample(key fieldKey, id string, row *rowpb.Row, f Finding, d Difference, rule string) {
	list := t.samples[key]
	if slices.ContainsFunc(list, func(r SampleRef) bool { return r.ID == id }) {
		return
	}
	if len(list) >= t.Samples && (len(list) == 0 || !before(id, list[len(list)-1].ID)) {
		return
	}
	ref := SampleRef{
		Stream: key.s.String(), Category: key.category, Field: key.field, ID: id, Item: d.Item, Detail: d.Detail, Rule: rule,
		Left: row.GetLeft().GetChanged(), Right: row.GetRight().GetChanged(),
	}
	if d.Category == Duplicate {
		ref.Left, ref.Right = row.GetRight().GetChanged(), row.GetRight().GetRepeat()
	}
	for s, at := range f.Parents {
		if at == nil {
			continue
		}
		if ref.Parents == nil {
			ref.Parents = map[string]*rowpb.Place{}
		}
		ref.Parents[Stream(s).String()] = at
	}
	if t.samples == nil {
		t.samples = map[fieldKey][]SampleRef{}
	}
	t.samples[key] = smallest(append(list, ref), t.Samples)
}

// smallest are the n with the smallest digests of their ids, in that order.
func smallest(list []SampleRef, n int) []SampleRef {
	slices.SortFunc(list, func(a, b SampleRef) int {
		switch {
		case a.ID == b.ID:
			return 0
		case before(a.ID, b.ID):
			return -1
		}
		return 1
	})
	return list[:min(n, len(list))]
}

func before(a, b string) bool {
	return cmp.Or(cmp.Compare(idDigest(a), idDigest(b)), cmp.Compare(a, b)) < 0
}

// Totals are what was counted up to now, in an order of their own.
func (t *Tally) Totals() Totals {
	total := Totals{Streams: map[string]*StreamTotals{}, Expected: maps.Clone(t.expected)}
	for s := Events; s < Streams; s++ {
		if c := t.streams[s]; c != nil {
			total.Streams[s.String()] = c
		}
	}
	for _, f := range t.fields {
		total.Fields = append(total.Fields, *f)
	}
	for _, list := range t.samples {
		total.Samples = append(total.Samples, list...)
	}
	total.sort()
	return total
}

func (t *Totals) sort() {
	slices.SortFunc(t.Fields, func(a, b FieldTotals) int {
		return cmp.Or(compareStreams(a.Stream, b.Stream), compareCategories(a.Category, b.Category), cmp.Compare(a.Field, b.Field))
	})
	slices.SortFunc(t.Samples, func(a, b SampleRef) int {
		c := cmp.Or(compareStreams(a.Stream, b.Stream), compareCategories(a.Category, b.Category), cmp.Compare(a.Field, b.Field))
		switch {
		case c != 0 || a.ID == b.ID:
			return c
		case before(a.ID, b.ID):
			return -1
		}
		return 1
	})
}

func compareStreams(a, b string) int {
	return cmp.Compare(slices.Index(streamNames[:], a), slices.Index(streamNames[:], b))
}

func compareCategories(a, b Category) int {
	return cmp.Compare(slices.Index(Categories(), a), slices.Index(Categories(), b))
}

// Merge adds other to the totals. samples are kept of each stream, category and field.
func (t *Totals) Merge(other Totals, samples int) {
	if t.Streams == nil {
		t.Streams = map[string]*StreamTotals{}
	}
	for name, from := range other.Streams {
		into := t.Streams[name]
		if into == nil {
			into = &StreamTotals{}
			t.Streams[name] = into
		}
		into.Left += from.Left
		into.Right += from.Right
		into.Entities += from.Entities
		into.Equal += from.Equal
		into.Different += from.Different
		into.Unexplained += from.Unexplained
		into.Noisy += from.Noisy
		addUp(&into.Pending, from.Pending)
		addUp(&into.Undecidable, from.Undecidable)
		addUp(&into.Skipped, from.Skipped)
		addUp(&into.Quarantined, from.Quarantined)
	}
	addUp(&t.Expected, other.Expected)
	for _, f := range other.Fields {
		i := slices.IndexFunc(t.Fields, func(o FieldTotals) bool {
			return o.Stream == f.Stream && o.Category == f.Category && o.Field == f.Field
		})
		if i < 0 {
			t.Fields = append(t.Fields, f)
			continue
		}
		t.Fields[i].Count += f.Count
		t.Fields[i].Expected += f.Expected
	}
	t.Samples = append(t.Samples, other.Samples...)
	t.sort()
	kept := map[[3]string]int{}
	t.Samples = slices.DeleteFunc(t.Samples, func(r SampleRef) bool {
		key := [3]string{r.Stream, string(r.Category), r.Field}
		kept[key]++
		return kept[key] > samples
	})
}

func addUp(into *map[string]int64, from map[string]int64) {
	for k, n := range from {
		if *into == nil {
			*into = map[string]int64{}
		}
		(*into)[k] += n
	}
}

// Compared are the entities of a stream that were.
func (c *StreamTotals) Compared() int64 { return c.Equal + c.Different }

// Coverage is the share compared of those that are to be; 1 when there are none, but 0
// where all that there is went to quarantine.
func (c *StreamTotals) Coverage() float64 {
	of := c.Compared()
	for _, m := range []map[string]int64{c.Pending, c.Undecidable} {
		for _, n := range m {
			of += n
		}
	}
	switch {
	case of == 0 && len(c.Quarantined) > 0:
		return 0
	case of == 0:
		return 1
	}
	return float64(c.Compared()) / float64(of)
}

// Noise is what a side and a replay of it differ in.
type Noise struct {
	Of     string // "left" or "right"
	Totals Totals // of the entities that both have
	// Replays are how many entities of each stream there are.
	Replays [Streams]Replay
}

// Replay counts entities of a stream: of the side, of its replay, and those that both have.
type Replay struct {
	Given bool  `json:"given"` // the baseline has a topic of the stream
	Side  int64 `json:"side"`
	Again int64 `json:"again"`
	Both  int64 `json:"both"`
}

// What makes a baseline one that nothing is subtracted of: a wrong topic would make
// everything noise, and hide every fault.
const (
	// LeastReplayed is the share of the entities of a side that its replay has to have, and
	// the other way round.
	LeastReplayed = 0.5
	// MostNoise is the share of entities that may differ in a field for no reason. One that is less
	// stable says too little: a fault in as many entities could not be told from noise.
	MostNoise = 0.1
)

func (r Replay) broken() bool {
	return float64(r.Both) < LeastReplayed*float64(max(r.Side, r.Again))
}

// Again is the noise that a report tells of, to be subtracted elsewhere.
func (n *NoiseCount) Again() (*Noise, error) {
	if n == nil {
		return nil, errors.New("it has no noise: compare once measures it when compare.baseline names a replay")
	}
	if len(n.Replays) == 0 {
		return nil, errors.New("it does not say whether its baseline was a replay: a program of before wrote it; compare once again")
	}
	noise := &Noise{Of: n.Of, Totals: Totals{Streams: map[string]*StreamTotals{}}}
	for name, replay := range n.Replays {
		i := slices.Index(streamNames[:], name)
		if i < 0 {
			return nil, fmt.Errorf("noise: a replay of stream %q: not a result of compare once", name)
		}
		noise.Replays[i] = replay
	}
	compared := int64(0)
	for name, count := range n.Compared {
		if i := slices.Index(streamNames[:], name); i < int(Events) || count < 0 {
			return nil, fmt.Errorf("noise: %d compared of stream %q: not a result of compare once", count, name)
		}
		compared += count
		noise.Totals.Streams[name] = &StreamTotals{Equal: count}
	}
	if compared == 0 {
		return nil, errors.New("its baseline had nothing in common with the side that it is a replay of: no noise was measured")
	}
	for _, f := range n.Fields {
		if of := noise.Totals.Streams[f.Stream].compared(); f.Count < 0 || f.Count > of {
			return nil, fmt.Errorf("noise: %d of %d %s differ in %q: not a result of compare once", f.Count, of, f.Stream, f.Field)
		}
		noise.Totals.Fields = append(noise.Totals.Fields, FieldTotals{Stream: f.Stream, Category: Value, Field: f.Field, Count: f.Count})
	}
	return noise, nil
}

// Noisy tells whether something is subtracted of a field.
func (n *Noise) Noisy(s Stream, field string) bool { return n.subtracted(s, field) > 0 }

// subtracted is the share of the entities of a stream that are noise in the field.
func (n *Noise) subtracted(s Stream, field string) float64 {
	if n == nil || n.Replays[s].broken() {
		return 0
	}
	share := n.share(s.String(), field)
	if share > MostNoise {
		return 0
	}
	return share
}

// Notes say of what nothing is subtracted, and why.
func (n *Noise) Notes() (notes []string) {
	if n == nil {
		return nil
	}
	for s, r := range n.Replays {
		if r.Given && r.broken() {
			notes = append(notes, fmt.Sprintf("the baseline is no replay of the %s side: of %s the side has %s, the baseline %s, and both %s; nothing that differs there is taken for noise: look at compare.baseline",
				n.Of, Stream(s), groupDigits(r.Side), groupDigits(r.Again), groupDigits(r.Both)))
		}
	}
	for _, f := range n.Totals.Fields {
		s := Stream(slices.Index(streamNames[:], f.Stream))
		if share := n.share(f.Stream, f.Field); f.Category == Value && !n.Replays[s].broken() && share > MostNoise {
			notes = append(notes, fmt.Sprintf("%s of %s differs between the %s side and its replay in %s, more than %s: that is not taken for noise, and all of it counts; declare the field in the file of expected differences, or look at compare.baseline",
				f.Field, f.Stream, n.Of, nearPercent(share, MostNoise), exactPercent(MostNoise)))
		}
	}
	return notes
}

func (n *Noise) count(stream, field string) int64 {
	for _, f := range n.Totals.Fields {
		if f.Stream == stream && f.Category == Value && f.Field == field {
			return f.Count
		}
	}
	return 0
}

// share of the entities of a stream that differ in the field between the side and its replay.
func (n *Noise) share(stream, field string) float64 {
	if n.Totals.Streams[stream].compared() == 0 {
		return 0
	}
	return float64(n.count(stream, field)) / float64(n.Totals.Streams[stream].compared())
}

func (c *StreamTotals) compared() int64 {
	if c == nil {
		return 0
	}
	return c.Compared()
}

// Fill puts the totals into a report, less the noise, which may be nil: Streams, Counts, Expected and Noise, and what
// there is to be noted of the noise.
func (t *Totals) Fill(r *Report, expected *Expected, noise *Noise, now time.Time) {
	excess := map[string]int64{}
	r.Counts = nil
	for _, f := range t.Fields {
		compared := t.Streams[f.Stream].compared()
		c := FieldCount{Stream: f.Stream, Category: f.Category, Field: f.Field, Count: f.Count, Expected: f.Expected, Compared: compared}
		left := f.Count - f.Expected
		if share := noise.subtracted(Stream(slices.Index(streamNames[:], f.Stream)), f.Field); share > 0 && f.Category == Value {
			c.Noise = min(left, int64(share*float64(compared)+0.5))
			excess[f.Stream] += left - c.Noise
		}
		if f.Category != Late {
			c.Unexplained = left - c.Noise
		}
		r.Counts = append(r.Counts, c)
	}
	r.Streams = nil
	for s := Events; s < Streams; s++ {
		c := t.Streams[s.String()]
		if c == nil {
			c = &StreamTotals{}
		}
		r.Streams = append(r.Streams, StreamCount{
			Stream: s.String(), Left: c.Left, Right: c.Right, Entities: c.Entities, Equal: c.Equal, Different: c.Different,
			// What differs in noisy fields alone is unexplained as far as it is more than noise.
			Unexplained: c.Unexplained + min(c.Noisy, excess[s.String()]),
			Pending:     c.Pending, Undecidable: c.Undecidable, Skipped: c.Skipped, Quarantined: c.Quarantined,
			Coverage: c.Coverage(),
		})
	}
	r.Expected = expected.Counts(t.Expected, now)
	if noise == nil {
		return
	}
	r.Notes = append(r.Notes, noise.Notes()...)
	r.Noise = &NoiseCount{Of: noise.Of, Compared: map[string]int64{}, Replays: map[string]Replay{}}
	for s, replay := range noise.Replays {
		if Stream(s) >= Events {
			r.Noise.Replays[Stream(s).String()] = replay
		}
	}
	for name, c := range noise.Totals.Streams {
		r.Noise.Compared[name] = c.Compared()
	}
	for _, f := range noise.Totals.Fields {
		if f.Category == Value {
			r.Noise.Fields = append(r.Noise.Fields, NoiseField{Stream: f.Stream, Field: f.Field, Count: f.Count})
		}
	}
}
