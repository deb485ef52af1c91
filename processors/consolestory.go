package processors

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ticketscloud/vibe-bridge/internal/console"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// Story tells what the gate's table has of an entity: what was seen of it, what was decided, what was sent, and what
// it waits for. With its event it is looked up; without, all keys of this instance are visited.
func (c *Console) Story(ctx context.Context, q console.StoryQuery) (console.Story, error) {
	b, g, err := c.running()
	if err != nil {
		return console.Story{}, err
	}
	t := teller{b: b, g: g, now: time.Now()}
	if q.Event == "" {
		err = c.search(ctx, &t, q)
	} else {
		err = t.lookUp(ctx, q)
	}
	if err != nil {
		return console.Story{}, err
	}
	return t.tell(), nil
}

// teller tells the story of one row.
type teller struct {
	b         *Bridge
	g         *group
	now       time.Time
	st        *store.Store
	partition int32
	key       string
	row       *statepb.Row
	steps     []console.Step
}

func notSeen(q console.StoryQuery) error {
	text := fmt.Sprintf("no record of %s %s has come to the gate", q.Kind, ShownID(q.ID))
	if q.Kind != console.KindEvent && q.Event != "" {
		text += " under event " + ShownID(q.Event)
	}
	return &console.NotFoundError{Text: text}
}

// lookUp finds the row of an entity whose event is known.
func (t *teller) lookUp(ctx context.Context, q console.StoryQuery) (err error) {
	t.partition = t.b.cfg.ownerOf(q.Event)
	if t.st, err = t.b.storeOf(t.g, t.partition); err != nil {
		return err
	}
	switch {
	case q.Kind == console.KindEvent:
		t.key = mapping.EventKey(q.Event)
	case q.Kind == console.KindOrder:
		t.key = mapping.OrderKey(q.Event, q.ID)
	case q.Order != "":
		t.key = mapping.RefundKey(q.Event, q.Order, q.ID)
	default:
		found, err := t.matching(ctx, mapping.EventKey(q.Event)+"/", q)
		if err != nil {
			return err
		}
		return t.only(q, found)
	}
	return t.only(q, []foundKey{{t.partition, t.key}})
}

// foundKey is where an entity may be.
type foundKey struct {
	partition int32
	key       string
}

// only takes the one that was found.
func (t *teller) only(q console.StoryQuery, found []foundKey) error {
	switch len(found) {
	case 0:
		return notSeen(q)
	case 1:
	default:
		var keys []string
		for _, f := range found {
			event, order, _ := mapping.IDs(f.key)
			if q.Kind == console.KindRefund {
				keys = append(keys, fmt.Sprintf("event %s, order %s", ShownID(event), ShownID(order)))
			} else {
				keys = append(keys, "event "+ShownID(event))
			}
		}
		return &console.RefusedError{Text: fmt.Sprintf("%s %s is known several times (%s): say which with event= and order=", q.Kind, ShownID(q.ID), strings.Join(keys, "; "))}
	}
	t.partition, t.key = found[0].partition, found[0].key
	st, err := t.b.storeOf(t.g, t.partition)
	if err != nil {
		return err
	}
	t.st = st
	value, err := st.Get(t.key)
	if err != nil {
		return &console.UnavailableError{Text: fmt.Sprintf("partition %d is given up by the instance: try again", t.partition)}
	}
	if value == nil {
		return notSeen(q)
	}
	if t.row, err = mapping.DecodeRow(value); err != nil {
		return err
	}
	if err := t.b.cfg.Personal.Open(t.key, t.row.GetOrder().GetFacts()); err != nil {
		return &console.UnavailableError{Text: err.Error()}
	}
	return nil
}

// search visits all keys of this instance's partitions.
func (c *Console) search(ctx context.Context, t *teller, q console.StoryQuery) error {
	end, err := c.scan(ctx)
	if err != nil {
		return err
	}
	defer end()
	var found []foundKey
	var unavailable error
	for _, p := range t.b.heldPartitions(t.g) {
		t.partition = p
		if t.st, err = t.b.storeOf(t.g, p); err != nil {
			unavailable = err
			continue
		}
		in, err := t.matching(ctx, "", q)
		if err != nil {
			return err
		}
		found = append(found, in...)
	}
	if len(found) == 0 && unavailable != nil {
		return unavailable
	}
	return t.only(q, found)
}

// mostAlike bounds how many of the same id are told apart.
const mostAlike = 5

// matching are the keys of a partition that end as the entity's.
func (t *teller) matching(ctx context.Context, prefix string, q console.StoryQuery) (found []foundKey, err error) {
	kind, ending := mapping.OrderKind, mapping.OrderKey("", q.ID)
	if q.Kind == console.KindRefund {
		kind = mapping.RefundKind
		if q.Order != "" {
			ending = mapping.RefundKey("", q.Order, q.ID)
		}
	}
	visited := 0
	err = t.st.Scan(prefix, "", math.MaxInt, func(key string, _ []byte) bool {
		visited++
		if strings.HasSuffix(key, ending) && mapping.KindOf(key) == kind {
			found = append(found, foundKey{t.partition, key})
		}
		return len(found) < mostAlike && (visited%1000 != 0 || ctx.Err() == nil)
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, &console.UnavailableError{Text: fmt.Sprintf("partition %d is given up by the instance: try again", t.partition)}
	}
	return found, nil
}

func (t *teller) tell() console.Story {
	s, _ := mapping.StreamOf(t.key)
	event, order, _ := mapping.IDs(t.key)
	told := console.Story{
		Kind: kinds[s], ID: ownID(t.key), Found: true, Instance: t.b.cfg.ConsoleURL, Partition: t.partition, Key: t.key,
		Fields: factFields(t.row), Parents: []console.Entity{}, Children: t.children(),
	}
	if s == mapping.Refunds {
		told.Parents = append(told.Parents, t.entity(console.KindOrder, order, mapping.ParentKey(t.key)))
	}
	if s != mapping.Events {
		told.Parents = append(told.Parents, t.entity(console.KindEvent, event, mapping.KeyPrefix(t.key)))
	}
	e := mapping.EntityOf(t.row)
	if e == nil {
		e = &statepb.Entity{} // a row of nothing tells that nothing was seen
	}
	t.seen(s, e)
	t.decided(s, e)
	t.sent(s, e)
	t.waits(e)
	told.Story = t.steps
	return told
}

func (t *teller) say(what, text string, ms int64, place string) {
	step := console.Step{What: what, Text: text}
	if ms > 0 {
		at := writable(time.UnixMilli(ms))
		step.Time = &at
	}
	if place != "" {
		step.Place = &place
	}
	t.steps = append(t.steps, step)
}

func (t *teller) legacy(s mapping.Stream, src *statepb.Source) string {
	return Position{t.b.topics.Legacy[s], src.GetPartition(), src.GetOffset()}.String()
}

func (t *teller) seen(s mapping.Stream, e *statepb.Entity) {
	if src := e.GetSource(); src != nil {
		t.say("seen", "This is the newest record that counts.", src.GetTime(), t.legacy(s, src))
	} else {
		t.say("seen", "No record that may be sent was seen.", 0, "")
	}
	if kept := e.GetKeptSource(); kept != nil {
		t.say("seen", "The record before it is kept until it is known that the newest can be sent.", kept.GetTime(), t.legacy(s, kept))
	}
	if org := t.row.GetEvent().GetOrganizer(); org != nil {
		t.say("seen", fmt.Sprintf("Organizer %s is known.", ShownID(org.GetOrganizer().GetId())), org.GetSource().GetTime(), t.legacy(mapping.Partners, org.GetSource()))
	}
}

// skips say why a record is skipped, see the mapping rules.
var skips = map[mapping.Reason]string{
	mapping.ReasonNoPhone: "the customer has no phone number", mapping.ReasonNoTickets: "it has no tickets",
	mapping.ReasonOrderNotPublished: "its order is not published",
}

func skipText(reason string) string {
	if status, is := strings.CutPrefix(reason, "status_"); is {
		return "its status is " + status
	}
	return cmp.Or(skips[mapping.Reason(reason)], "see the mapping rules")
}

// decided tells how the records of the entity ended, and the newest.
func (t *teller) decided(s mapping.Stream, e *statepb.Entity) {
	tallies := e.GetTallies()
	for _, n := range tallies.GetSkipped() {
		t.say("skipped", fmt.Sprintf("%s skipped, for %s: %s.", was(n.GetCount()), n.GetReason(), skipText(n.GetReason())), 0, "")
	}
	for _, n := range tallies.GetQuarantined() {
		t.say("quarantined", fmt.Sprintf("%s put into quarantine, for %s: %s.", was(n.GetCount()), n.GetReason(), mapping.Explanation(mapping.Reason(n.GetReason()))), 0, "")
	}
	for _, r := range e.GetRejections() {
		t.say("quarantined", "This record was rejected: "+mapping.Explanation(mapping.Reason(r.GetReason()))+".", r.GetSource().GetTime(), t.legacy(s, r.GetSource()))
	}
	var parts []string
	for _, n := range []struct {
		count uint64
		what  string
	}{{tallies.GetEmitted(), "sent"}, {tallies.GetUnchanged(), "without a change"}, {tallies.GetSuperseded(), "overtaken by a newer one while it was parked"}, {tallies.GetTombstone(), "a tombstone, which changes nothing"}} {
		if n.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n.count, n.what))
		}
	}
	if len(parts) > 0 {
		t.say("decided", "Of its legacy records: "+strings.Join(parts, ", ")+".", 0, "")
	}
	switch e.GetDisposition() {
	case statepb.Disposition_EMITTED:
		t.say("decided", "The newest was sent.", 0, "")
	case statepb.Disposition_UNCHANGED:
		t.say("decided", "The newest says nothing new: the slim record stays as it is.", 0, "")
	case statepb.Disposition_PARKED:
		t.say("decided", "The newest is held back.", 0, "")
	case statepb.Disposition_SKIPPED:
		t.say("skipped", "The newest was skipped with its order, and is kept: it goes out when the order does.", 0, "")
	}
}

func was(n uint64) string {
	if n == 1 {
		return "1 record was"
	}
	return fmt.Sprintf("%d records were", n)
}

// sent tells what is in the slim topic.
func (t *teller) sent(s mapping.Stream, e *statepb.Entity) {
	claim := e.GetSent()
	if claim == nil {
		t.say("decided", fmt.Sprintf("Nothing of it was sent to %s.", t.b.topics.Slim[s]), 0, "")
		return
	}
	status := "whether it arrived was proven in an earlier session"
	topic, known := t.g.byNumber[claim.GetCause().GetTopic()]
	if known {
		switch t.g.tracker.Status(topic, t.partition, claim.GetCause().GetOffset()) {
		case kafka.InFlight:
			status = "it is not acknowledged yet"
		case kafka.Acked, kafka.Committed:
			status = "it is acknowledged"
		}
	}
	place := ""
	if known {
		place = Position{topic, t.partition, claim.GetCause().GetOffset()}.String()
	}
	t.say("emitted", fmt.Sprintf("A record with key %s was sent to %s because of this record; %s.", ShownID(ownID(t.key)), t.b.topics.Slim[s], status), 0, place)
	if at := e.GetResendAt(); at > 0 {
		t.say("waits", "It is sent again at this time, as another instance may have had it on its way.", at, "")
	}
}

func (t *teller) waits(e *statepb.Entity) {
	h, waits := heldOf(t.row)
	if !waits {
		return
	}
	why := h.words(t.key, setsOf(t.st, t.key))
	if h.reason == mapping.WaitOrganizer || h.reason == mapping.WaitOrganizerMissing || h.reason == mapping.WaitSet {
		why = "it waits for " + why
	}
	text := fmt.Sprintf("It is held back, for %s now: %s", t.now.Sub(time.UnixMilli(h.since)).Round(time.Second), why)
	switch {
	case h.until == 0:
		text += "; it waits for as long as it takes."
	case h.until <= t.now.UnixMilli():
		text += "; its time is over, and it goes out with the next sweep."
	default:
		text += fmt.Sprintf("; without that it goes out in %s.", time.UnixMilli(h.until).Sub(t.now).Round(time.Second))
	}
	t.say("waits", text, h.since, "")
}

// Bounds of what is listed below an entity.
const (
	mostChildren = 100
	mostVisited  = 5000
)

// children are the orders of an event, or the refunds of an order: the first ones.
func (t *teller) children() []console.Entity {
	list := []console.Entity{}
	_ = t.st.Scan(t.key+"/", "", mostVisited, func(key string, value []byte) bool { // a store that closes has nothing to show
		if mapping.ParentKey(key) == t.key {
			row, err := mapping.DecodeRow(value)
			s, entity := mapping.StreamOf(key)
			if err == nil && entity {
				list = append(list, console.Entity{Kind: kinds[s], ID: ownID(key), State: stateOf(row)})
			}
		}
		return len(list) < mostChildren
	})
	return list
}

func (t *teller) entity(kind, id, key string) console.Entity {
	return console.Entity{Kind: kind, ID: id, State: stateOf(readRow(t.st, key))}
}

// stateOf says in a word how far an entity is.
func stateOf(row *statepb.Row) string {
	e := mapping.EntityOf(row)
	switch {
	case e.GetWait() != nil:
		return "parked"
	case e.GetSent() != nil:
		return "emitted"
	case e.GetDisposition() == statepb.Disposition_SKIPPED || len(e.GetTallies().GetSkipped()) > 0:
		return "skipped"
	case e == nil:
		return "unknown"
	}
	return "seen"
}

// shownFacts are the texts of the gate's rows that are not personal. All others are, and any that is added later.
var shownFacts = map[protoreflect.FullName]bool{}

func init() {
	const all = "vibebridge.state.v1."
	for message, fields := range map[string]string{
		"OrganizerFacts": "id currency",
		"EventFacts":     "id group_id name category venue org",
		"TicketSet":      "id name",
		"OrderFacts":     "id event org",
		"Ticket":         "id row seat set",
		"RefundFacts":    "id order event ticket_ids",
	} {
		for field := range strings.FieldsSeq(fields) {
			shownFacts[protoreflect.FullName(all+message+"."+field)] = true
		}
	}
}

// factFields are what a row knows of its entity, personal values as they are: see console.Field.
func factFields(row *statepb.Row) []console.Field {
	var facts proto.Message
	switch st := row.GetState().(type) {
	case *statepb.Row_Event:
		facts = st.Event.GetFacts()
	case *statepb.Row_Order:
		facts = st.Order.GetFacts()
	case *statepb.Row_Refund:
		facts = st.Refund.GetFacts()
	}
	if facts == nil || !facts.ProtoReflect().IsValid() {
		return []console.Field{}
	}
	w := fieldWriter{shown: shownFacts}
	w.message("", facts.ProtoReflect())
	if org := row.GetEvent().GetOrganizer().GetOrganizer(); org != nil {
		w.message("organizer", org.ProtoReflect())
	}
	return consoleFields(w.leaves)
}

// Bounds of what is shown of a record.
const (
	mostConsoleFields = 500
	mostConsoleText   = 300
)

func consoleFields(leaves []leaf) []console.Field {
	fields := []console.Field{}
	for i, l := range leaves {
		if i == mostConsoleFields {
			return append(fields, console.Field{Name: "and more", Value: fmt.Sprintf("%d fields", len(leaves)-i)})
		}
		value := strings.ToValidUTF8(l.value, "?")
		if runes := []rune(value); len(runes) > mostConsoleText {
			value = string(runes[:mostConsoleText]) + "…"
		}
		fields = append(fields, console.Field{Name: l.path, Value: value, Personal: l.text && l.personal})
	}
	return fields
}
