package once

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
)

// Sampling says how samples are shown.
type Sampling struct {
	// Topics of the left and the right side, by stream.
	Topics [2][compare.Streams]string
	// Fetch reads a record again; nil for one that cannot be read any more.
	Fetch func(ctx context.Context, side Side, s compare.Stream, at *rowpb.Place) (*compare.Record, error)
	// Directory resolves cells whose Source is Directory.
	Directory func(path, category, venue string, start int64) string
}

// Samples reads the records of differences again, and shows what both sides say.
func (e *Engine) Samples(ctx context.Context, refs []compare.SampleRef, o Sampling) ([]compare.Sample, error) {
	r := &sampler{ctx: ctx, e: e, o: o, read: map[placed]*compare.Sheet{}}
	out := make([]compare.Sample, 0, len(refs))
	for _, ref := range refs {
		sample := r.sample(ref)
		if r.err != nil {
			return nil, fmt.Errorf("read samples: %w", r.err)
		}
		out = append(out, sample)
	}
	return out, nil
}

// sampler keeps the first error, so that what follows need not be asked for any.
type sampler struct {
	ctx  context.Context
	e    *Engine
	o    Sampling
	read map[placed]*compare.Sheet // nil: gone
	err  error
}

type placed struct {
	side      Side
	stream    compare.Stream
	partition int32
	offset    int64
}

// mostRead bounds the sheets that are kept: parents are asked for again and again.
const mostRead = 500

// sheet of the record at a place; nil without one.
func (r *sampler) sheet(side Side, s compare.Stream, at *rowpb.Place) *compare.Sheet {
	if at == nil || r.err != nil {
		return nil
	}
	key := placed{side, s, at.GetPartition(), at.GetOffset()}
	if sheet, ok := r.read[key]; ok {
		return sheet
	}
	record, err := r.o.Fetch(r.ctx, side, s, at)
	if err != nil {
		r.err = err
		return nil
	}
	var sheet *compare.Sheet
	if record != nil {
		sheet = &compare.Sheet{}
		r.e.options.Readers[side].Read(s, record, sheet)
	}
	if len(r.read) >= mostRead {
		clear(r.read)
	}
	r.read[key] = sheet
	return sheet
}

// said is a side of a sample: the sheet, and how its texts are got.
type said struct {
	side  Side
	at    *rowpb.Place
	sheet *compare.Sheet
}

func (r *sampler) sample(ref compare.SampleRef) compare.Sample {
	s := streamNamed(ref.Stream)
	left, right := said{side: Left, at: ref.Left}, said{side: Right, at: ref.Right}
	if ref.Category == compare.Duplicate {
		left.side = Right // both records are of the right side
	}
	left.sheet, right.sheet = r.sheet(left.side, s, left.at), r.sheet(right.side, s, right.at)
	out := compare.Sample{
		Stream: ref.Stream, Category: ref.Category, Field: ref.Field, ID: plain(ref.ID),
		Detail: ref.Detail, Rule: ref.Rule, Left: r.shown(s, left), Right: r.shown(s, right),
	}
	texts, personal := r.texts(s, ref, left, right)
	out.Left.Masked, out.Right.Masked = personal && texts[0] != "", personal && texts[1] != ""
	out.Left.Parts, out.Right.Parts = parts(texts[0], texts[1], personal)
	for _, sheet := range []*compare.Sheet{left.sheet, right.sheet} {
		if i := itemAt(sheet, ref.Item); i >= 0 {
			out.Item = plain(sheet.Items[i].ID)
		}
	}
	return out
}

func (r *sampler) shown(s compare.Stream, what said) compare.Shown {
	if what.at == nil {
		return compare.Shown{}
	}
	place := fmt.Sprintf("%s/%d/%d", r.o.Topics[what.side][s], what.at.GetPartition(), what.at.GetOffset())
	return compare.Shown{Place: place, Gone: what.sheet == nil}
}

func streamNamed(name string) compare.Stream {
	for s := range compare.Streams {
		if s.String() == name {
			return s
		}
	}
	return compare.Events
}

// texts are what both sides say of the field, or of all in which they differ when the
// difference is one of the whole.
func (r *sampler) texts(s compare.Stream, ref compare.SampleRef, left, right said) (texts [2]string, personal bool) {
	list, index := compare.Fields(s), -1
	if ref.Item != 0 {
		list = compare.ItemFields()
	}
	if ref.Field != "" {
		index = slices.IndexFunc(list, func(f compare.Field) bool { return f.Path == ref.Field })
	}
	if index < 0 {
		return r.wholes(s, left, right), false
	}
	for i, of := range []said{left, right} {
		if item := itemAt(of.sheet, ref.Item); of.sheet != nil && (ref.Item == 0 || item >= 0) {
			texts[i] = r.text(s, of, item, index, list[index])
		}
	}
	return texts, list[index].Personal || faulty(left.sheet, index, ref.Item) || faulty(right.sheet, index, ref.Item)
}

// faulty tells whether a value is not what its field should be: then it may be anything,
// also something personal. item is 0 for a field of the record itself.
func faulty(sheet *compare.Sheet, index int, item uint64) bool {
	return sheet != nil && slices.ContainsFunc(sheet.Faults, func(f compare.Fault) bool {
		return f.Field == index && compare.ItemDigest(f.Item) == item
	})
}

// wholes are the fields in which two records differ, those that are personal by their
// shape. Of a record that stands alone it is when it was written.
func (r *sampler) wholes(s compare.Stream, left, right said) (texts [2]string) {
	if left.sheet == nil || right.sheet == nil || left.sheet.Outcome != compare.Present || right.sheet.Outcome != compare.Present {
		for i, of := range []said{left, right} {
			if of.sheet != nil {
				texts[i] = written(of.at)
			}
		}
		return texts
	}
	form := r.e.options.Form
	for i, field := range compare.Fields(s) {
		l, r := r.text(s, left, -1, i, field), r.text(s, right, -1, i, field)
		if l == r || !form.Has(field) {
			continue
		}
		if field.Personal || faulty(left.sheet, i, 0) || faulty(right.sheet, i, 0) {
			l, r = shape(l), shape(r)
		}
		for n, text := range []string{l, r} {
			texts[n] = strings.TrimPrefix(texts[n]+"; "+field.Path+": "+text, "; ")
		}
	}
	if texts == [2]string{} { // they differ in tickets, or in bytes alone
		return [2]string{written(left.at), written(right.at)}
	}
	return texts
}

func written(at *rowpb.Place) string {
	return "written " + time.UnixMilli(at.GetTime()).UTC().Format("2006-01-02T15:04:05.000Z")
}

func itemAt(sheet *compare.Sheet, digest uint64) int {
	if sheet == nil || digest == 0 {
		return -1
	}
	return slices.IndexFunc(sheet.Items, func(i compare.Item) bool { return compare.ItemDigest(i.ID) == digest })
}

// text is what a side says of a field; item is -1 where it is not a ticket's. It does
// with texts what compare.Judge does with digests.
func (r *sampler) text(s compare.Stream, of said, item, index int, field compare.Field) string {
	cells := of.sheet.Cells
	if item >= 0 {
		cells = of.sheet.Items[item].Cells
	}
	if index >= len(cells) {
		return ""
	}
	cell := cells[index]
	borrowed := func(text string) string {
		if text != "" {
			return text
		}
		return cell.Text
	}
	if cell.From == compare.Own {
		return cell.Text
	}
	event := of.sheet
	if s != compare.Events {
		event = r.parent(compare.Events, of.sheet.Event)
	}
	org := ""
	if event != nil {
		org = event.Org
	}
	switch cell.From {
	case compare.Organizer, compare.Partner, compare.PartnerName:
		name := r.organizerName(event, org)
		switch {
		case name == "":
			return ""
		case cell.From == compare.Partner:
			return borrowed(r.fact(compare.Partners, org, field.Path))
		case cell.From == compare.PartnerName:
			return name
		}
	case compare.EventOrg:
		return borrowed(fact(event, "org"))
	case compare.Set:
		return borrowed(fact(event, compare.SetKey(of.sheet.Items[item].Set, field.Path)))
	case compare.Currency:
		return borrowed(r.fact(compare.Partners, org, "currency"))
	case compare.OrderCell:
		if order := r.parent(compare.Orders, of.sheet.Order); order != nil {
			if i := slices.IndexFunc(compare.Fields(compare.Orders), func(f compare.Field) bool { return f.Path == field.Path }); i >= 0 {
				return order.Cells[i].Text
			}
		}
	case compare.Directory:
		if r.o.Directory != nil {
			return r.o.Directory(field.Path, of.sheet.Category, of.sheet.Venue, of.sheet.Start)
		}
	}
	return cell.Text
}

// organizerName is the partner's, or else what the event has itself.
func (r *sampler) organizerName(event *compare.Sheet, org string) string {
	if event == nil {
		return ""
	}
	i := slices.IndexFunc(compare.Fields(compare.Events), func(f compare.Field) bool { return f.Path == "organizer.name" })
	if event.Cells[i].From == compare.Partner {
		if name := r.fact(compare.Partners, org, "organizer.name"); name != "" {
			return name
		}
	}
	return event.Cells[i].Text
}

func (r *sampler) fact(s compare.Stream, id, key string) string { return fact(r.parent(s, id), key) }

func fact(sheet *compare.Sheet, key string) string {
	if sheet == nil {
		return ""
	}
	for _, f := range sheet.Facts {
		if f.Key == key {
			return f.Text
		}
	}
	return ""
}

// parent is the record of the left side that says what the entity is; nil without one.
func (r *sampler) parent(s compare.Stream, id string) *compare.Sheet {
	if id == "" || r.err != nil {
		return nil
	}
	side, err := r.e.store.side(append(rowPrefix(nil, s, id), byte(Left)))
	if err != nil {
		r.err = err
		return nil
	}
	if !side.GetPresent() {
		return nil
	}
	return r.sheet(Left, s, side.GetChanged())
}

// parts are two texts in pieces: what they begin and end with alike, and what differs
// between. Personal ones are shown by their shapes; where they differ is told by the
// texts themselves, as their shapes may be alike.
func parts(left, right string, personal bool) (l, r []compare.Part) {
	a, b := []rune(left), []rune(right)
	before := 0
	for before < min(len(a), len(b)) && a[before] == b[before] {
		before++
	}
	after := 0
	for after < min(len(a), len(b))-before && a[len(a)-1-after] == b[len(b)-1-after] {
		after++
	}
	cut := func(all []rune) (out []compare.Part) {
		add := func(piece []rune, differs bool, keep func([]rune) string) {
			if len(piece) == 0 {
				return
			}
			text := keep(piece)
			if personal {
				text = shape(text)
			}
			out = append(out, compare.Part{Text: plain(text), Differs: differs})
		}
		add(all[:before], false, lastOf)
		add(all[before:len(all)-after], true, firstOf)
		add(all[len(all)-after:], false, firstOf)
		return out
	}
	return cut(a), cut(b)
}

// Bounds of what is shown, in characters.
const (
	mostAround = 60
	mostShown  = 300
)

func lastOf(piece []rune) string {
	if len(piece) <= mostAround {
		return string(piece)
	}
	return "…" + string(piece[len(piece)-mostAround:])
}

func firstOf(piece []rune) string {
	if len(piece) <= mostShown {
		return string(piece)
	}
	return string(piece[:mostShown]) + "…"
}

// shape puts 9 for every digit and a or A for every letter.
func shape(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case unicode.IsDigit(c):
			return '9'
		case unicode.IsUpper(c):
			return 'A'
		case unicode.IsLetter(c) || unicode.IsMark(c):
			return 'a'
		case c < utf8.RuneSelf || c == '…':
			return c
		}
		return '?'
	}, text)
}

// plain mends what is not UTF-8 and what a terminal would act on.
func plain(text string) string {
	const most = 400
	text = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(text, "?"))
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
