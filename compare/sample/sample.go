// Package sample shows what the two sides of a difference say, side by side, with what differs marked and
// personal texts by their shape.
//
// What belongs here: reading the records of a difference again, and what is shown of their texts. What does not: which
// differences there are (package compare), and how a report shows them (compare, compare/page).
package sample

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

// Side is one of the two that are compared.
type Side struct {
	Topics [compare.Streams]string
	Reader compare.Reader
}

// Sampler shows samples. It keeps the sheets that it has read, and is not safe for concurrent use.
type Sampler struct {
	Form  compare.Form
	Sides [2]Side // left, right
	// Directory resolves cells whose Source is Directory.
	Directory func(path, category, venue string, start int64) string
	// Fetch reads a record again; nil for one that cannot be read any more. An error is that nobody can
	// tell, as the brokers are away.
	Fetch func(ctx context.Context, right bool, s compare.Stream, at *rowpb.Place) (*compare.Record, error)

	read map[placed]*compare.Sheet // nil: gone
}

type placed struct {
	right     bool
	stream    compare.Stream
	partition int32
	offset    int64
}

// mostRead bounds the sheets that are kept: parents are asked for again and again.
const mostRead = 500

// Sample shows a difference. read is false when not all that it needs could be read: then it has the places alone.
func (s *Sampler) Sample(ctx context.Context, ref compare.SampleRef) (out compare.Sample, read bool) {
	r := &reading{Sampler: s, ctx: ctx, ref: ref}
	if out = r.sample(); r.failed {
		return s.Places(ref), false
	}
	return out, true
}

// Places shows where the records of a difference are, and nothing that they say.
func (s *Sampler) Places(ref compare.SampleRef) compare.Sample {
	left, right := sidesOf(ref)
	return compare.Sample{
		Stream: ref.Stream, Category: ref.Category, Field: ref.Field, ID: plain(ref.ID), Detail: ref.Detail, Rule: ref.Rule,
		Left: s.place(ref, left), Right: s.place(ref, right),
	}
}

func (s *Sampler) place(ref compare.SampleRef, of said) compare.Shown {
	if of.at == nil {
		return compare.Shown{}
	}
	topic := s.side(of.right).Topics[streamNamed(ref.Stream)]
	return compare.Shown{Place: fmt.Sprintf("%s/%d/%d", topic, of.at.GetPartition(), of.at.GetOffset()), Unread: true}
}

func (s *Sampler) side(right bool) *Side {
	if right {
		return &s.Sides[1]
	}
	return &s.Sides[0]
}

// reading is that of one sample. What follows a failure need not be asked for any.
type reading struct {
	*Sampler
	ctx    context.Context
	ref    compare.SampleRef
	failed bool
}

// sheet of the record at a place; nil without one.
func (r *reading) sheet(right bool, s compare.Stream, at *rowpb.Place) *compare.Sheet {
	if at == nil || r.failed {
		return nil
	}
	key := placed{right, s, at.GetPartition(), at.GetOffset()}
	if sheet, ok := r.read[key]; ok {
		return sheet
	}
	record, err := r.Fetch(r.ctx, right, s, at)
	if err != nil {
		r.failed = true
		return nil
	}
	var sheet *compare.Sheet
	if record != nil {
		sheet = &compare.Sheet{}
		r.side(right).Reader.Read(s, record, sheet)
	}
	if r.read == nil || len(r.read) >= mostRead {
		r.Sampler.read = map[placed]*compare.Sheet{}
	}
	r.read[key] = sheet
	return sheet
}

// said is a side of a sample: the sheet, and how its texts are got.
type said struct {
	right bool
	at    *rowpb.Place
	sheet *compare.Sheet
}

func sidesOf(ref compare.SampleRef) (left, right said) {
	// Both records of a duplicate are of the right side.
	return said{right: ref.Category == compare.Duplicate, at: ref.Left}, said{right: true, at: ref.Right}
}

func (r *reading) sample() compare.Sample {
	s := streamNamed(r.ref.Stream)
	left, right := sidesOf(r.ref)
	left.sheet, right.sheet = r.sheet(left.right, s, left.at), r.sheet(right.right, s, right.at)
	out := r.Places(r.ref)
	for shown, of := range map[*compare.Shown]said{&out.Left: left, &out.Right: right} {
		shown.Unread, shown.Gone = false, of.at != nil && of.sheet == nil
	}
	texts, personal := r.texts(s, left, right)
	out.Left.Masked, out.Right.Masked = personal && texts[0] != "", personal && texts[1] != ""
	out.Left.Parts, out.Right.Parts = parts(texts[0], texts[1], personal)
	for _, sheet := range []*compare.Sheet{left.sheet, right.sheet} {
		if i := itemAt(sheet, r.ref.Item); i >= 0 {
			out.Item = plain(sheet.Items[i].ID)
		}
	}
	return out
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
func (r *reading) texts(s compare.Stream, left, right said) (texts [2]string, personal bool) {
	ref := r.ref
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
func (r *reading) wholes(s compare.Stream, left, right said) (texts [2]string) {
	if left.sheet == nil || right.sheet == nil || left.sheet.Outcome != compare.Present || right.sheet.Outcome != compare.Present {
		for i, of := range []said{left, right} {
			if of.sheet != nil {
				texts[i] = written(of.at)
			}
		}
		return texts
	}
	form := r.Form
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
func (r *reading) text(s compare.Stream, of said, item, index int, field compare.Field) string {
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
		event = r.parent(compare.Events)
	}
	switch cell.From {
	case compare.Organizer, compare.Partner, compare.PartnerName:
		name := r.organizerName(event)
		switch {
		case name == "":
			return ""
		case cell.From == compare.Partner:
			return borrowed(r.fact(compare.Partners, field.Path))
		case cell.From == compare.PartnerName:
			return name
		}
	case compare.EventOrg:
		return borrowed(fact(event, "org"))
	case compare.Set:
		return borrowed(fact(event, compare.SetKey(of.sheet.Items[item].Set, field.Path)))
	case compare.Currency:
		return borrowed(r.fact(compare.Partners, "currency"))
	case compare.OrderCell:
		if order := r.parent(compare.Orders); order != nil {
			if i := slices.IndexFunc(compare.Fields(compare.Orders), func(f compare.Field) bool { return f.Path == field.Path }); i >= 0 {
				return order.Cells[i].Text
			}
		}
	case compare.Directory:
		if r.Directory != nil {
			return r.Directory(field.Path, of.sheet.Category, of.sheet.Venue, of.sheet.Start)
		}
	}
	return cell.Text
}

// organizerName is the partner's, or else what the event has itself.
func (r *reading) organizerName(event *compare.Sheet) string {
	if event == nil {
		return ""
	}
	i := slices.IndexFunc(compare.Fields(compare.Events), func(f compare.Field) bool { return f.Path == "organizer.name" })
	if event.Cells[i].From == compare.Partner {
		if name := r.fact(compare.Partners, "organizer.name"); name != "" {
			return name
		}
	}
	return event.Cells[i].Text
}

func (r *reading) fact(s compare.Stream, key string) string { return fact(r.parent(s), key) }

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

// parent is the record of the left side that says what the entity borrows from is; nil without one.
func (r *reading) parent(s compare.Stream) *compare.Sheet {
	return r.sheet(false, s, r.ref.Parents[s.String()])
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
