package compare

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
)

// mostFormer is how many former versions of an entity are remembered: enough to tell an
// old value from a foreign one.
const mostFormer = 8

// Folder takes records into rows. It is not safe for concurrent use.
type Folder struct {
	// Form in which both sides meet.
	Form Form
}

// Fold takes a record of the entity that sheet names into its side. side may be nil. seen is the time at
// which the record was read, in Unix milliseconds. A sheet without an ID has no row and must not be folded.
//
// Records of one partition have to come in the order of their offsets, and may come
// again. Between partitions the order does not matter, as far as decision 8 says which
// record is the newest.
func (f *Folder) Fold(side *rowpb.Side, s Stream, sheet *Sheet, r *Record, seen int64) *rowpb.Side {
	return f.Merge(side, Digest(s, sheet, r, seen))
}

// Digest is a record by itself: the side of an entity of which there is no other. It
// has no text of the sheet's.
func Digest(s Stream, sheet *Sheet, r *Record, seen int64) *rowpb.Side {
	one := &rowpb.Side{Outcome: uint32(sheet.Outcome), Newest: placeOf(r.Place), Latest: r.Time, Seen: seen}
	one.Changed = one.Newest
	switch sheet.Outcome {
	case Skipped, Quarantined:
		one.Reason = sheet.Reason
	case Present:
		one.Present, one.Records, one.First = true, 1, one.Newest
		one.Own, one.Content = sums(s, sheet)
		one.Raw, one.Cause = max(1, xxhash.Sum64(r.Value)), idDigest(sheet.Cause)
		write(one, sheet)
	default:
		one.Records = 1
	}
	return one
}

// Merge takes one record, as Digest gives it, into the side of its entity, as Fold
// does. side may be nil, and may share memory with one afterwards.
func (f *Folder) Merge(side, one *rowpb.Side) *rowpb.Side {
	if side == nil {
		side = &rowpb.Side{}
	}
	at := one.Newest
	if outcome := Outcome(one.Outcome); outcome == Skipped || outcome == Quarantined {
		// Such a record changes nothing for an entity that has a good one.
		if !side.Present && newer(side, at) {
			side.Outcome, side.Reason = one.Outcome, one.Reason
			advance(side, at)
			side.Seen, side.Changed = one.Seen, side.Newest
		}
		return side
	}
	if side.Records == 0 {
		side.Newest, side.Latest = nil, 0 // of a record that does not count now
	}
	if n := side.Newest; n != nil && n.Partition == at.Partition && at.Offset <= n.Offset {
		return side // it came again
	}
	side.Records++
	if !one.Present {
		if newer(side, at) {
			side.Present, side.Outcome = false, uint32(Tombstone)
			advance(side, at)
			side.Seen, side.Changed = one.Seen, side.Newest
		}
		return side
	}
	if earlier(at, side.First) {
		side.First = at
	}
	if !newer(side, at) {
		if one.Own != side.Own {
			remember(side, one.Own)
		}
		return side
	}
	same := side.Present && one.Content == side.Content
	if side.Present {
		f.noticeRepeat(side, one, same)
	}
	advance(side, at)
	side.Raw, side.Cause = one.Raw, one.Cause
	if same {
		return side
	}
	if side.Present && one.Own != side.Own {
		remember(side, side.Own)
	}
	side.Present, side.Outcome, side.Reason = true, uint32(Present), ""
	side.Seen, side.Changed = one.Seen, side.Newest
	side.Own, side.Content = one.Own, one.Content
	if i := slices.Index(side.Former, one.Own); i >= 0 {
		side.Former = slices.Delete(side.Former, i, i+1)
	}
	side.Event, side.Order, side.Org = one.Event, one.Order, one.Org
	side.Category, side.Venue, side.Start = one.Category, one.Venue, one.Start
	side.Cells, side.Sources = one.Cells, one.Sources
	side.Items, side.Facts, side.Faults = one.Items, one.Facts, one.Faults
	return side
}

// noticeRepeat counts a record that says the same as the one before it with other bytes,
// or something else of the same legacy record. Where editions differ the form leaves
// out fields of one of them, so that equal cells do not mean the same said.
func (f *Folder) noticeRepeat(side, one *rowpb.Side, same bool) {
	if f.Form.Edition == 0 {
		return
	}
	if same && one.Raw != side.Raw || one.Cause != 0 && one.Cause == side.Cause && one.Own != side.Own {
		side.Repeats++
		side.Repeat = one.Newest
	}
}

// newer tells whether a record counts instead of the one that does now (decision 8).
func newer(side *rowpb.Side, p *rowpb.Place) bool {
	n := side.Newest
	switch {
	case n == nil:
		return true
	case n.Partition == p.Partition:
		return p.Offset > n.Offset
	case p.Time != side.Latest:
		return p.Time > side.Latest
	}
	return p.Partition > n.Partition
}

func advance(side *rowpb.Side, p *rowpb.Place) {
	if n := side.Newest; n == nil || n.Partition != p.Partition {
		side.Latest = p.Time
	}
	side.Newest, side.Latest = p, max(side.Latest, p.Time)
}

// earlier tells which of two records is the first of its entity: by time, as partitions
// have no other order.
func earlier(p, first *rowpb.Place) bool {
	if first == nil {
		return true
	}
	return cmp.Or(cmp.Compare(p.Time, first.Time), cmp.Compare(p.Partition, first.Partition), cmp.Compare(p.Offset, first.Offset)) < 0
}

func placeOf(p Place) *rowpb.Place {
	return &rowpb.Place{Partition: p.Partition, Offset: p.Offset, Time: p.Time, AppendTime: p.AppendTime}
}

// remember puts the digest of a version that is not the newest before the other former
// ones.
func remember(side *rowpb.Side, own uint64) {
	side.Former = slices.DeleteFunc(side.Former, func(o uint64) bool { return o == own })
	side.Former = slices.Insert(side.Former, 0, own)
	side.Former = side.Former[:min(len(side.Former), mostFormer)]
}

// sums are the digest of what is never borrowed, and that of everything.
func sums(s Stream, sheet *Sheet) (own, content uint64) {
	o, c := newSummer(), newSummer()
	cell := func(field Field, cell Cell) {
		if _, header := field.Header(); !field.Borrowable && !header {
			o.text(cell.Text)
		}
		c.number(int(cell.From))
		c.text(cell.Text)
	}
	for i, field := range fields[s] {
		cell(field, sheet.Cells[i])
	}
	for _, item := range sheet.Items {
		o.text(item.ID)
		c.text(item.ID)
		c.text(item.Set)
		for i, field := range itemFields {
			cell(field, item.Cells[i])
		}
	}
	for _, fact := range sheet.Facts {
		c.text(fact.Key)
		c.text(fact.Text)
	}
	for _, fault := range sheet.Faults {
		c.number(fault.Field)
		c.text(fault.Item)
		c.number(int(fault.Kind))
		c.text(fault.Path)
	}
	for _, text := range [...]string{sheet.Event, sheet.Order, sheet.Org, sheet.Category, sheet.Venue} {
		c.text(text)
	}
	c.number(int(sheet.Start))
	return o.sum(), c.sum()
}

func write(side *rowpb.Side, sheet *Sheet) {
	side.Event, side.Order, side.Org = strings.Clone(sheet.Event), strings.Clone(sheet.Order), strings.Clone(sheet.Org)
	side.Category, side.Venue, side.Start = strings.Clone(sheet.Category), strings.Clone(sheet.Venue), sheet.Start
	side.Cells, side.Sources = cellsOf(sheet.Cells)
	side.Items, side.Facts, side.Faults = nil, nil, nil
	for _, item := range sheet.Items {
		cells, sources := cellsOf(item.Cells)
		side.Items = append(side.Items, &rowpb.Item{Id: idDigest(item.ID), Set: idDigest(item.Set), Cells: cells, Sources: sources})
	}
	for _, fact := range sheet.Facts {
		side.Facts = append(side.Facts, &rowpb.Fact{Key: factKey(fact.Key), Digest: digestOf(fact.Text)})
	}
	for _, fault := range sheet.Faults {
		side.Faults = append(side.Faults, &rowpb.Fault{Field: uint32(fault.Field), Item: idDigest(fault.Item), Kind: uint32(fault.Kind), Path: strings.Clone(fault.Path)})
	}
}

func cellsOf(cells []Cell) (digests []uint32, sources []byte) {
	digests = make([]uint32, len(cells))
	for i, c := range cells {
		digests[i] = digestOf(c.Text)
		if c.From != Own && sources == nil {
			sources = make([]byte, len(cells))
		}
		if sources != nil {
			sources[i] = byte(c.From)
		}
	}
	return digests, sources
}
