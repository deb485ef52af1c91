package compare

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// slimKind is what a node of slim JSON should be.
type slimKind uint8

const (
	slimText    = slimKind(Text)
	slimInteger = slimKind(Integer)
	slimNumber  = slimKind(Number)
)

// Kinds that are no types of fields.
const (
	slimObject  = slimNumber + 1 + iota
	slimIDs     // an array of ids
	slimTickets // an array of tickets
	slimItemID  // of a ticket: its id
)

// slimNode is a field of slim JSON, or the record as a whole.
type slimNode struct {
	name     string
	path     string // of an object that has one: with a dot behind it
	kind     slimKind
	required bool
	cell     int // index of Fields or ItemFields; of an object, that of its first field
	children []slimNode
}

// requiredWithin are the fields that are required in their object, or in one edition
// only, beyond what Fields say. 0 is both editions.
var requiredWithin = map[string]int{
	"start_at": 1, "customer": 0, "organizer": 2, "organizer.id": 0, "organizer.name": 0,
	"organizer.legals.name": 1, "organizer.legals.type": 1, "venue.id": 0, "venue.name": 0,
}

// newSlimTree makes the tree of a stream's fields in an edition.
func newSlimTree(s Stream, edition int) slimNode {
	root := slimNode{kind: slimObject, cell: len(fields[s])}
	for i, f := range fields[s] {
		if _, header := f.Header(); header || f.Edition != 0 && f.Edition != edition {
			continue
		}
		node := slimNode{kind: slimKind(f.Type), required: f.Required, cell: i}
		switch f.Path {
		case "ticket_ids":
			node.kind = slimIDs
		case "tickets":
			node.kind = slimTickets
			node.children = []slimNode{ticketNode(edition)}
		}
		root.add(f.Path, node, edition)
	}
	return root
}

// ticketNode is what each of an order's tickets is.
func ticketNode(edition int) slimNode {
	ticket := slimNode{path: "tickets[].", kind: slimObject}
	ticket.add("id", slimNode{kind: slimItemID, required: true, cell: inItemID}, edition)
	for i, f := range itemFields {
		if f.Edition == 0 || f.Edition == edition {
			name := strings.TrimPrefix(f.Path, ticket.path)
			ticket.add(name, slimNode{kind: slimKind(f.Type), required: f.Required, cell: i}, edition)
		}
	}
	return ticket
}

// add puts a node under its path, and makes the objects on the way.
func (n *slimNode) add(path string, node slimNode, edition int) {
	name, rest, nested := strings.Cut(path, ".")
	if only, ok := requiredWithin[n.path+path]; ok && !nested && (only == 0 || only == edition) {
		node.required = true
	}
	if !nested {
		node.name = name
		n.children = append(n.children, node)
		return
	}
	i := slices.IndexFunc(n.children, func(c slimNode) bool { return c.name == name })
	if i < 0 {
		i = len(n.children)
		child := slimNode{name: name, path: n.path + name + ".", kind: slimObject, cell: node.cell}
		only, ok := requiredWithin[n.path+name]
		child.required = ok && (only == 0 || only == edition)
		n.children = append(n.children, child)
	}
	n.children[i].add(rest, node, edition)
}

// readSlimJSON fills a sheet from a value. It returns false when that is not one JSON
// object in UTF-8; the sheet is half full then.
func readSlimJSON(schema *slimSchema, value []byte, into *Sheet) bool {
	if !utf8.Valid(value) {
		return false
	}
	w := slimWalker{jsonText: jsonText{s: string(value)}, schema: schema, sheet: into}
	w.space()
	if w.peek() != '{' {
		return false
	}
	w.object(&schema.root, into.Cells)
	w.space()
	if w.broken || w.i != len(w.s) {
		return false
	}
	if schema.stream == Orders && len(into.Items) > 0 {
		into.Event = into.Items[0].Cells[0].Text
	}
	return true
}

// slimWalker walks through the JSON of one record along the tree of its fields.
type slimWalker struct {
	jsonText
	schema *slimSchema
	sheet  *Sheet
	itemID string // of the ticket at hand

	strangers int // unknown fields
}

func (w *slimWalker) fault(cell int, kind FaultKind) {
	w.sheet.Faults = append(w.sheet.Faults, Fault{Field: cell, Kind: kind})
}

// object reads an object; n says what should be in it, and has at most 32 children.
func (w *slimWalker) object(n *slimNode, cells []Cell) {
	w.open()
	var seen uint32
	next := 0 // the child that is expected: fields have an order, mostly
	for w.more('}') {
		name, ok := w.member()
		if !ok {
			return
		}
		child := n.find(name, next)
		if child < 0 {
			w.unknown(n, name)
			w.skip()
			continue
		}
		next = child + 1
		c := &n.children[child]
		if seen&(1<<child) != 0 {
			w.fault(c.cell, WrongType)
			w.clear(c, cells)
		}
		seen |= 1 << child
		w.value(c, cells)
	}
	for i := range n.children {
		if seen&(1<<i) == 0 && n.children[i].required {
			w.missing(&n.children[i])
		}
	}
}

// unknown notes a field that there is not. A record may have any number of them.
func (w *slimWalker) unknown(n *slimNode, name string) {
	path := n.path + shownName(name)
	switch w.strangers++; {
	case w.strangers == mostFields:
		path = otherFields
	case w.strangers > mostFields:
		return
	}
	w.sheet.Faults = append(w.sheet.Faults, Fault{Field: w.fieldsAt(n), Kind: Unknown, Path: path})
}

// fieldsAt is the Field of a fault in a field that there is not.
func (w *slimWalker) fieldsAt(n *slimNode) int {
	if strings.HasPrefix(n.path, "tickets[]") {
		return len(itemFields)
	}
	return len(fields[w.schema.stream])
}

// find looks for a child by its name, from the expected one on.
func (n *slimNode) find(name string, from int) int {
	for i := from; i < len(n.children); i++ {
		if n.children[i].name == name {
			return i
		}
	}
	for i := 0; i < from; i++ {
		if n.children[i].name == name {
			return i
		}
	}
	return -1
}

func (w *slimWalker) missing(n *slimNode) {
	if n.kind != slimObject {
		w.fault(n.cell, Missing)
		return
	}
	for i := range n.children {
		if n.children[i].required {
			w.missing(&n.children[i])
		}
	}
}

func (w *slimWalker) clear(n *slimNode, cells []Cell) {
	switch n.kind {
	case slimObject:
		for i := range n.children {
			w.clear(&n.children[i], cells)
		}
		return
	case slimItemID:
		w.itemID = ""
		return
	case slimTickets:
		w.sheet.Items = w.sheet.Items[:0]
	}
	cells[n.cell].Text = ""
}

// value reads the value of a field into its cell.
func (w *slimWalker) value(n *slimNode, cells []Cell) {
	if w.peek() == 'n' {
		w.skip()
		w.fault(n.cell, Empty)
		return
	}
	switch n.kind {
	case slimObject:
		if w.peek() == '{' {
			w.object(n, cells)
			return
		}
		w.skip()
		w.fault(n.cell, WrongType)
	case slimItemID:
		w.itemID = w.scalar(n)
	case slimIDs, slimTickets:
		cells[n.cell].Text = w.list(n)
	default:
		cells[n.cell].Text = w.scalar(n)
	}
}

// scalar reads a value that is to be a text or a number.
func (w *slimWalker) scalar(n *slimNode) string {
	first := w.peek()
	isText := n.kind == slimText || n.kind == slimItemID
	if first == '"' && isText {
		text := w.text()
		if text == "" && !n.required {
			w.fault(n.cell, Empty)
		}
		return text
	}
	raw := w.skip()
	if !isText && (first == '-' || '0' <= first && first <= '9') {
		if n.kind == slimInteger {
			if v, err := strconv.ParseInt(raw, 10, 64); err == nil {
				return strconv.FormatInt(v, 10)
			}
		} else if v, err := strconv.ParseFloat(raw, 64); err == nil {
			return canonicalNumber(v)
		}
	}
	w.fault(n.cell, WrongType)
	return raw
}

// list reads an array of ids or tickets, and returns the ids separated by a space.
func (w *slimWalker) list(n *slimNode) string {
	if w.peek() != '[' {
		w.fault(n.cell, WrongType)
		return w.skip()
	}
	w.open()
	var room [8]string
	ids := room[:0]
	for w.more(']') {
		ids = append(ids, listedID(w.element(n)))
	}
	if len(ids) == 0 {
		w.fault(n.cell, Missing)
	}
	return strings.Join(ids, " ")
}

// element reads one of a list, and returns its id.
func (w *slimWalker) element(n *slimNode) string {
	switch first := w.peek(); {
	case n.kind == slimTickets && first == '{':
		return w.ticket(n)
	case n.kind == slimIDs && first == '"':
		id := w.text()
		if id == "" {
			w.fault(n.cell, Missing)
		}
		return id
	case first == 'n':
		w.fault(n.cell, Empty)
		w.skip()
		return ""
	}
	w.fault(n.cell, WrongType)
	return w.skip()
}

// ticket reads one into a new item, and returns its id.
func (w *slimWalker) ticket(n *slimNode) string {
	before := len(w.sheet.Faults)
	cells := w.sheet.NewItem("", "")
	w.itemID = ""
	w.object(&n.children[0], cells)
	w.sheet.Items[len(w.sheet.Items)-1].ID = w.itemID
	itemFaults(w.sheet, w.itemID, before, n.cell)
	return w.itemID
}

// inItemID is the Field of a fault in a ticket's id, until itemFaults.
const inItemID = -1

// itemFaults says of which ticket the faults from before on are. Those in its id, and
// those of a ticket without one, are in the field tickets.
func itemFaults(into *Sheet, id string, before, tickets int) {
	if id == "" && !slices.ContainsFunc(into.Faults[before:], func(f Fault) bool { return f.Field == inItemID }) {
		into.Faults = append(into.Faults, Fault{Field: inItemID, Kind: Missing})
	}
	for i := before; i < len(into.Faults); i++ {
		f := &into.Faults[i]
		switch {
		case f.Field != inItemID && id != "":
			f.Item = id
		case f.Kind == Unknown:
			f.Field = len(fields[Orders])
		default:
			f.Field = tickets
		}
	}
}

// shownName is an unknown field's name as it may be shown: as it is when it looks like the name of a field. Of any
// other only the shape is, 9 for a digit and a or A for a letter: a record may have phones or addresses for names.
func shownName(name string) string {
	const most = 40
	if len(name) <= most && fieldName.MatchString(name) {
		return name
	}
	var b strings.Builder
	n := 0
	for _, r := range name {
		if n++; n > most {
			break
		}
		switch {
		case unicode.IsDigit(r):
			r = '9'
		case unicode.IsUpper(r):
			r = 'A'
		case unicode.IsLetter(r) || unicode.IsMark(r):
			r = 'a'
		case r >= utf8.RuneSelf || !unicode.IsPrint(r):
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}

var fieldName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
