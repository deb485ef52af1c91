package compare

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
)

// Rows are where the Judge finds what an entity refers to. A row that there is not is nil.
type Rows interface {
	Partner(id string) (*rowpb.Row, error)
	Event(id string) (*rowpb.Row, error)
	// Order may find it by its id alone.
	Order(event, id string) (*rowpb.Row, error)
	// Quarantined tells whether the quarantine topic names the legacy record, not as
	// replayed. known is false where there is no such topic to ask.
	Quarantined(s Stream, at *rowpb.Place) (reason string, named, known bool, err error)
}

// Judge holds the two sides of an entity against each other. It keeps nothing between
// entities: what it says follows from the rows.
type Judge struct {
	Form Form
	// Legacy: the left side are legacy streams, whose cells may be borrowed.
	Legacy bool
	Rows   Rows
	// Directory resolves cells whose Source is Directory.
	Directory func(path, category, venue string, start int64) string
	// Young tells whether a side is too young to be judged when something is wrong.
	Young func(left bool, s Stream, side *rowpb.Side) bool
	// LeftGone and RightGone: records of the topic may have been deleted, so that what is
	// not there proves nothing.
	LeftGone, RightGone [Streams]bool
	// Ordered: the times of the right side's first records of a stream and of what it
	// needs tell which was produced first.
	Ordered [Streams]bool
	// LateAfter is how long after everything it needs an entity's first record on the
	// right side may come; 0: whatever it takes.
	LateAfter time.Duration
	// RightBegan is the time of the first record of each stream on the right side, Unix milliseconds.
	// What is older on the left side was a backlog and cannot be late.
	RightBegan [Streams]int64
}

// State is what became of an entity.
type State uint8

// States.
const (
	Equal State = iota
	Different
	IsPending
	IsUndecidable
	IsSkipped
	IsQuarantined
	Nothing // neither side has it
)

// Difference is one of an entity. Field is "" where it concerns the entity as a whole.
type Difference struct {
	Category Category
	Field    string
	index    int    // of the field among Fields or ItemFields; -1 without one
	Item     uint64 // digest of the ticket's id
	// LeftAbsent and RightAbsent: that side has no value.
	LeftAbsent, RightAbsent bool
	Detail                  string
	// Said, of a duplicate, is when the last of its records was written, Unix milliseconds; 0 as long as what the
	// newest says cannot be judged.
	Said int64
}

// Finding is what the Judge says of an entity. Reason is why it is neither equal nor
// different.
type Finding struct {
	State       State
	Reason      string
	Differences []Difference
	Late        bool
	// Parents are where the left side's records of what the entity borrows from are, by stream, when there
	// is something to show. Those that there are not are nil.
	Parents [Streams]*rowpb.Place
}

func (f *Finding) is(s State, reason string) Finding { f.State, f.Reason = s, reason; return *f }

func (f *Finding) add(d Difference) {
	f.State = Different
	f.Differences = append(f.Differences, d)
}

func whole(c Category, detail string) Difference {
	return Difference{Category: c, index: -1, Detail: detail}
}

func has(side *rowpb.Side) bool { return side.GetPresent() }

// Entity judges a row. An error is one of Rows.
func (j *Judge) Entity(s Stream, row *rowpb.Row) (Finding, error) {
	left, right := row.GetLeft(), row.GetRight()
	parents, err := j.parentsOf(s, left, right)
	if err != nil {
		return Finding{}, err
	}
	f, err := j.entity(s, left, right, parents)
	if f.State == Different || f.Late {
		f.Parents = parents.places()
	}
	return f, err
}

func (j *Judge) entity(s Stream, left, right *rowpb.Side, parents parents) (Finding, error) {
	var f Finding
	switch {
	case !has(left) && !has(right):
		return j.neither(s, left)
	case !has(left):
		return j.extra(s, right), nil
	case !has(right):
		return j.missing(s, left, right, parents)
	}
	j.repeats(&f, right)
	if young := j.order(&f, s, left, right, parents); young {
		return f.is(IsPending, "recent"), nil
	}
	readable := j.faults(&f, s, left, right)
	settled := len(f.Differences)
	if readable {
		j.cells(&f, s, left, right, parents)
	}
	if len(f.Differences) == settled {
		f.Late = j.late(s, left, right, parents)
		return f, nil
	}
	reason, quarantined, err := j.excuse(s, left, right, parents)
	switch {
	case err != nil:
		return Finding{}, err
	case settled > 0: // what does not settle itself counts in any case
		if reason != "" {
			f.Differences = f.Differences[:settled]
			f.Differences[0].Said = 0
		}
	case quarantined:
		return Finding{State: IsQuarantined, Reason: reason}, nil
	case reason != "":
		return Finding{State: IsPending, Reason: reason}, nil
	}
	if slices.Contains(left.Former, right.Own) && reason == "" {
		f.Differences = append(f.Differences[:settled], whole(Stale, ""))
	}
	return f, nil
}

// parents are what an entity needs and borrows from. All may be nil.
type parents struct {
	partner, event, order *rowpb.Row
	// need is the row whose record has to come first: the event of an order, the order of a
	// refund.
	need *rowpb.Row
}

func (p *parents) places() (places [Streams]*rowpb.Place) {
	for s, row := range map[Stream]*rowpb.Row{Partners: p.partner, Events: p.event, Orders: p.order} {
		if left := row.GetLeft(); has(left) {
			places[s] = left.Changed
		}
	}
	return places
}

func (j *Judge) parentsOf(s Stream, left, right *rowpb.Side) (p parents, err error) {
	refers := left
	if !has(left) || !j.Legacy && left.GetEvent() == "" {
		refers = right
	}
	org := refers.GetOrg()
	if event := refers.GetEvent(); s != Events && event != "" {
		if p.event, err = j.Rows.Event(event); err != nil {
			return p, err
		}
		org = p.event.GetLeft().GetOrg()
	}
	if order := refers.GetOrder(); s == Refunds && order != "" {
		if p.order, err = j.Rows.Order(refers.GetEvent(), order); err != nil {
			return p, err
		}
	}
	if org != "" {
		if p.partner, err = j.Rows.Partner(org); err != nil {
			return p, err
		}
	}
	switch s {
	case Orders:
		p.need = p.event
	case Refunds:
		p.need = p.order
	}
	return p, nil
}

// neither: there are records of it, and none that says what it is.
func (j *Judge) neither(s Stream, left *rowpb.Side) (Finding, error) {
	var f Finding
	switch Outcome(left.GetOutcome()) {
	case Skipped:
		return f.is(IsSkipped, left.GetReason()), nil
	case Quarantined:
		_, named, known, err := j.Rows.Quarantined(s, left.GetNewest())
		switch {
		case err != nil:
			return f, err
		case named || !known:
			return f.is(IsQuarantined, left.GetReason()), nil
		case j.Young(true, s, left):
			return f.is(IsPending, "recent"), nil
		}
		f.add(whole(Absent, "not in quarantine either, for "+left.GetReason()))
		return f, nil
	}
	return f.is(Nothing, ""), nil
}

func (j *Judge) extra(s Stream, right *rowpb.Side) Finding {
	var f Finding
	switch {
	case j.LeftGone[s]:
		return f.is(IsUndecidable, "left_deleted")
	case j.Young(false, s, right):
		return f.is(IsPending, "recent")
	}
	f.add(whole(Extra, ""))
	return f
}

func (j *Judge) missing(s Stream, left, right *rowpb.Side, p parents) (Finding, error) {
	var f Finding
	reason, quarantined, err := j.excuse(s, left, nil, p)
	switch {
	case err != nil:
		return f, err
	case quarantined:
		return f.is(IsQuarantined, reason), nil
	case reason == "order_not_published":
		return f.is(IsSkipped, reason), nil
	case reason != "":
		return f.is(IsPending, reason), nil
	case j.RightGone[s]:
		return f.is(IsUndecidable, "right_deleted"), nil
	}
	detail := ""
	if Outcome(right.GetOutcome()) == Tombstone {
		detail = "deleted by a record without a value"
	}
	f.add(whole(Absent, detail))
	return f, nil
}

// excuse is why an entity that is missing or differs may rightly do so for now; "" when
// there is nothing. right is nil when it is missing.
func (j *Judge) excuse(s Stream, left, right *rowpb.Side, p parents) (reason string, quarantined bool, err error) {
	if j.Young(true, s, left) || right != nil && !j.Legacy && j.Young(false, s, right) {
		return "recent", false, nil
	}
	for _, parent := range []struct {
		s   Stream
		row *rowpb.Row
	}{{Partners, p.partner}, {Events, p.event}, {Orders, p.order}} {
		if l := parent.row.GetLeft(); l != nil && j.Young(true, parent.s, l) {
			return "recent", false, nil
		}
	}
	if !j.Legacy {
		return "", false, nil
	}
	// What was sent once may stand as it was sent, also where only what it borrows has grown too large (decision 6).
	if word, named, _, err := j.Rows.Quarantined(s, left.GetNewest()); err != nil {
		return "", false, err
	} else if named && was(left, right) {
		return word, true, nil
	}
	if event := p.event.GetLeft(); s == Orders && right != nil && has(event) && was(left, right) {
		// The bridge maps orders by the event as it was before.
		if word, named, _, err := j.Rows.Quarantined(Events, event.GetNewest()); err != nil || named {
			return word, named, err
		}
	}
	switch s {
	case Events:
		return j.eventWaits(left, right, p), false, nil
	case Orders:
		return j.orderWaits(left, right, p), false, nil
	default:
		return j.refundWaits(left, right, p), false, nil
	}
}

// was tells whether what is there says what the left side says, or said before, but for
// what it borrows.
func was(left, right *rowpb.Side) bool {
	return right == nil || right.Own == left.Own || slices.Contains(left.Former, right.Own)
}

func (j *Judge) eventWaits(left, right *rowpb.Side, p parents) string {
	switch {
	case !was(left, right):
		return ""
	case left.GetOrg() != "" && !has(p.partner.GetLeft()):
		return "organizer"
	case j.Form.Edition == 2 && j.organizerName(left, p) == 0:
		return "organizer_missing" // edition 2.0 requires one; an older version may stand
	}
	return ""
}

// orderWaits: where the order is there already it may carry what its tickets borrowed
// of an earlier version, for as long as a hold takes.
func (j *Judge) orderWaits(left, right *rowpb.Side, p parents) string {
	event := p.event.GetLeft()
	switch {
	case right == nil && !has(p.event.GetRight()):
		return "event"
	case !was(left, right):
		return ""
	case right != nil && !has(event) && j.LeftGone[Events]:
		return "event" // which would lend, and may have been deleted
	case slices.ContainsFunc(left.Items, func(i *rowpb.Item) bool { return i.Set != 0 && !knowsSet(event, i.Set) }):
		return "set"
	case event.GetOrg() != "" && !has(p.partner.GetLeft()):
		return "organizer"
	}
	return ""
}

func (j *Judge) refundWaits(left, right *rowpb.Side, p parents) string {
	order := p.order
	switch {
	case right == nil && !has(order.GetLeft()) && Outcome(order.GetLeft().GetOutcome()) == Skipped:
		return "order_not_published"
	case right == nil && !has(order.GetRight()):
		return "order"
	case right == nil && order.GetLeft().GetEvent() != left.GetEvent():
		return "event_of_another_order"
	case right != nil && right.Own == left.Own && !has(order.GetLeft()) && j.LeftGone[Orders]:
		return "order" // whose customer may have been deleted
	case right != nil && right.Own == left.Own && order.GetLeft().GetOwn() != order.GetRight().GetOwn():
		return "order" // which has a reason or a difference of its own
	}
	return ""
}

func knowsSet(event *rowpb.Side, set uint64) bool {
	_, known := fact(event, setFact(set, "tickets[].category"))
	return known
}

func fact(side *rowpb.Side, key uint64) (digest uint32, known bool) {
	for _, f := range side.GetFacts() {
		if f.Key == key {
			return f.Digest, true
		}
	}
	return 0, false
}

func (j *Judge) repeats(f *Finding, right *rowpb.Side) {
	if right.Repeats > 0 {
		f.add(Difference{Category: Duplicate, index: -1, Said: right.GetRepeat().GetTime()})
	}
}

// order holds the first record of an entity against that of what it needs. young: what
// it needs is not there, and that is too young to be judged.
func (j *Judge) order(f *Finding, s Stream, left, right *rowpb.Side, p parents) (young bool) {
	category, needs := OrderViolation, Events
	switch {
	case s == Events:
		return false
	case s == Refunds && left.GetOrder() == "":
		return false // slim refunds do not say which order is theirs
	case s == Refunds:
		category, needs = RefundViolation, Orders
	}
	need := p.need.GetRight()
	switch {
	case need.GetFirst() == nil && j.RightGone[needs]:
	case need.GetFirst() == nil && j.Young(false, s, right):
		return true
	case need.GetFirst() == nil:
		f.add(whole(category, "what it needs has no record"))
	case j.Ordered[s] && right.First.GetAppendTime() && need.First.GetAppendTime() && right.First.GetTime() < need.First.GetTime():
		f.add(whole(category, "appended before the first record of what it needs"))
	}
	return false
}

// cells compares what both sides say.
func (j *Judge) cells(f *Finding, s Stream, left, right *rowpb.Side, p parents) {
	for i, field := range fields[s] {
		if !j.Form.Has(field) {
			continue
		}
		l := j.resolve(left, nil, i, field, p)
		if r := cellAt(right.Cells, i); l != r && !hasFault(right, i, 0) {
			f.add(Difference{Category: Value, Field: field.Path, index: i, LeftAbsent: l == 0, RightAbsent: r == 0})
		}
	}
	for n, item := range left.Items {
		other := itemOf(right.Items, item.Id, n)
		if other == nil {
			continue // the list of tickets differs
		}
		for i, field := range itemFields {
			if !j.Form.Has(field) {
				continue
			}
			l := j.resolve(left, item, i, field, p)
			if r := cellAt(other.Cells, i); l != r && !hasFault(right, i, item.Id) {
				f.add(Difference{Category: Value, Field: field.Path, index: i, Item: item.Id, LeftAbsent: l == 0, RightAbsent: r == 0})
			}
		}
	}
}

func cellAt(cells []uint32, i int) uint32 {
	if i < len(cells) {
		return cells[i]
	}
	return 0
}

func sourceAt(sources []byte, i int) Source {
	if i < len(sources) {
		return Source(sources[i])
	}
	return Own
}

// itemOf finds the ticket, most often at the same place. Of two with one id the first counts.
func itemOf(items []*rowpb.Item, id uint64, n int) *rowpb.Item {
	if n < len(items) && items[n].Id == id {
		return items[n]
	}
	if i := slices.IndexFunc(items, func(i *rowpb.Item) bool { return i.Id == id }); i >= 0 {
		return items[i]
	}
	return nil
}

func hasFault(side *rowpb.Side, field int, item uint64) bool {
	return slices.ContainsFunc(side.Faults, func(f *rowpb.Fault) bool {
		return int(f.Field) == field && f.Item == item
	})
}

// faults reports what is not of its type, which nothing that is still to come makes
// right. The value of such a field is not compared; of what is not readable none is.
func (j *Judge) faults(f *Finding, s Stream, left, right *rowpb.Side) (readable bool) {
	readable = true
	for _, side := range []*rowpb.Side{left, right} {
		for _, fault := range side.Faults {
			kind := FaultKind(fault.Kind)
			if kind == Unreadable {
				readable = false
			}
			d := Difference{Category: WrongValueType, Field: fault.Path, index: -1, Item: fault.Item, Detail: kind.String()}
			list := fields[s]
			if fault.Item != 0 {
				list = itemFields
			}
			if i := int(fault.Field); i < len(list) {
				d.Field, d.index = list[i].Path, i
			}
			if side == left {
				d.Detail += " on the left side"
			}
			f.add(d)
		}
	}
	return readable
}

// resolve is what the left side says of a field.
func (j *Judge) resolve(left *rowpb.Side, item *rowpb.Item, i int, field Field, p parents) uint32 {
	cells, sources := left.Cells, left.Sources
	if item != nil {
		cells, sources = item.Cells, item.Sources
	}
	own := cellAt(cells, i)
	borrowed := func(digest uint32, known bool) uint32 {
		if known && digest != 0 {
			return digest
		}
		return own
	}
	switch sourceAt(sources, i) {
	case Organizer:
		if j.organizerName(left, p) == 0 {
			return 0
		}
	case Partner:
		if j.organizerName(left, p) == 0 {
			return 0
		}
		return borrowed(fact(p.partner.GetLeft(), idDigest(field.Path)))
	case PartnerName:
		return j.organizerName(left, p)
	case EventOrg:
		return borrowed(fact(p.event.GetLeft(), orgKey))
	case Set:
		return borrowed(fact(p.event.GetLeft(), setFact(item.Set, field.Path)))
	case Currency:
		return borrowed(fact(p.partner.GetLeft(), currencyKey))
	case OrderCell:
		if order := p.order.GetLeft(); has(order) {
			return cellAt(order.Cells, indexOf(fields[Orders], field.Path))
		}
	case Directory:
		if j.Directory != nil {
			return digestOf(j.Directory(field.Path, left.Category, left.Venue, left.Start))
		}
	}
	return own
}

// Resolved is a copy of a side, one that is present, in which all that it borrows is its own. Rows have to give
// what it borrows from on the left side.
func (j *Judge) Resolved(s Stream, side *rowpb.Side) (*rowpb.Side, error) {
	p, err := j.parentsOf(s, side, nil)
	if err != nil {
		return nil, err
	}
	out := proto.CloneOf(side)
	for i, field := range fields[s] {
		if i < len(out.Cells) {
			out.Cells[i] = j.resolve(side, nil, i, field, p)
		}
	}
	out.Sources = nil
	for n, item := range side.Items {
		for i, field := range itemFields {
			if i < len(item.Cells) {
				out.Items[n].Cells[i] = j.resolve(side, item, i, field, p)
			}
		}
		out.Items[n].Sources = nil
	}
	return out, nil
}

var organizerNameField = indexOf(fields[Events], "organizer.name")

// Keys of facts that every entity is asked for.
var orgKey, currencyKey, organizerNameKey = idDigest("org"), idDigest("currency"), idDigest("organizer.name")

// organizerName is the partner's, or else what the event has itself.
func (j *Judge) organizerName(event *rowpb.Side, p parents) uint32 {
	if sourceAt(event.Sources, organizerNameField) == Partner {
		if digest, known := fact(p.partner.GetLeft(), organizerNameKey); known && digest != 0 {
			return digest
		}
	}
	return cellAt(event.Cells, organizerNameField)
}

// late tells whether the first record came later than it may after everything it needs.
func (j *Judge) late(s Stream, left, right *rowpb.Side, p parents) bool {
	if j.LateAfter <= 0 || left.First == nil || right.First == nil || left.First.Time < j.RightBegan[s] {
		return false
	}
	ready := left.First.Time
	for _, parent := range []*rowpb.Row{p.partner, p.event, p.order} {
		if first := parent.GetLeft().GetFirst(); first != nil {
			ready = max(ready, first.Time)
		}
	}
	return right.First.Time-ready > j.LateAfter.Milliseconds()
}
