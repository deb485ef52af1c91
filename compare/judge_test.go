package compare

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
)

// world is a small deployment in rows: organizer p1, event e1 with the sets s1, order o1 with the tickets t1 and t2,
// refund r1. Everything is right on both sides until a test changes it.
type world struct {
	t     *testing.T
	rows  map[string]*rowpb.Row // by stream/id
	clock int64
	quarantined
	judge Judge
	fold  Folder
}

type quarantined struct {
	known bool
	at    map[int64]string // by offset
}

func (w *world) Partner(id string) (*rowpb.Row, error)  { return w.rows["partners/"+id], nil }
func (w *world) Event(id string) (*rowpb.Row, error)    { return w.rows["events/"+id], nil }
func (w *world) Order(_, id string) (*rowpb.Row, error) { return w.rows["orders/"+id], nil }
func (w *world) Quarantined(_ Stream, at *rowpb.Place) (string, bool, bool, error) {
	reason, named := w.at[at.GetOffset()]
	return reason, named, w.known, nil
}

const left, right = true, false

// say folds a record into a side. change may spoil the sheet.
func (w *world) say(onLeft bool, s Stream, change ...func(*Sheet)) {
	sheet := w.sheet(onLeft, s)
	for _, c := range change {
		c(sheet)
	}
	name := s.String() + "/" + sheet.ID
	row := w.rows[name]
	if row == nil {
		row = &rowpb.Row{}
		w.rows[name] = row
	}
	w.clock++
	record := &Record{Place: Place{Offset: w.clock, Time: 1000 * w.clock, AppendTime: true}, Value: fmt.Append(nil, sheet)}
	if onLeft {
		row.Left = w.fold.Fold(row.Left, s, sheet, record, w.clock)
	} else {
		row.Right = w.fold.Fold(row.Right, s, sheet, record, w.clock)
	}
}

func set(s Stream, path, text string, from ...Source) func(*Sheet) {
	return func(sheet *Sheet) {
		cell := Cell{Text: text}
		if len(from) > 0 {
			cell.From = from[0]
		}
		if (Field{Path: path}).Item() {
			for _, item := range sheet.Items {
				item.Cells[indexOf(itemFields, path)] = cell
			}
			return
		}
		sheet.Cells[indexOf(fields[s], path)] = cell
	}
}

// sheet is what is right. Cells that the left side borrows have texts on the right one.
func (w *world) sheet(onLeft bool, s Stream) *Sheet {
	sheet := &Sheet{}
	sheet.Reset(s)
	put := func(path, text string, from Source) {
		if !onLeft {
			from = Own
		} else if from != Own {
			text = ""
		}
		set(s, path, text, from)(sheet)
	}
	switch s {
	case Partners:
		sheet.ID = "p1"
		sheet.Facts = []Fact{{"organizer.id", "p1"}, {"organizer.name", "Club"}, {"organizer.legals.inn", "77"}, {"currency", "RUB"}}
		return sheet
	case Events:
		sheet.ID = "e1"
		put("name", "Show", Own)
		put("category", "sport", Directory)
		put("organizer.id", "p1", Partner)
		put("organizer.name", "Club", Partner)
		put("organizer.legals.inn", "77", Partner)
		if onLeft {
			sheet.Org, sheet.Category = "p1", "c1"
			sheet.Facts = []Fact{{"org", "p1"}, {SetKey("s1", "tickets[].category"), "Hall"}, {SetKey("s1", "tickets[].description"), ""}}
		}
	case Orders:
		sheet.ID, sheet.Event = "o1", "e1"
		put("tickets", "t1 t2", Own)
		put("customer.phone", "+79000000001", Own)
		sheet.NewItem("t1", "s1")
		sheet.NewItem("t2", "s1")
		put("tickets[].organizer_id", "p1", EventOrg)
		put("tickets[].category", "Hall", Set)
		put("tickets[].currency", "RUB", Currency)
		put("tickets[].price_nominal", "100", Own)
	case Refunds:
		sheet.ID = "r1"
		put("ticket_ids", "t1", Own)
		put("customer.phone", "+79000000001", OrderCell)
		if onLeft {
			sheet.Event, sheet.Order = "e1", "o1"
		}
	}
	return sheet
}

// newWorld has said everything once, the left side first.
func newWorld(t *testing.T) *world {
	w := &world{t: t, rows: map[string]*rowpb.Row{}, quarantined: quarantined{known: true, at: map[int64]string{}}}
	w.fold = Folder{Form: Form{Edition: 1}}
	w.judge = Judge{
		Form: Form{Edition: 1}, Legacy: true, Rows: w, Young: func(bool, Stream, *rowpb.Side) bool { return false },
		Directory: func(path, category, _ string, _ int64) string {
			if path == "category" && category == "c1" {
				return "sport"
			}
			return ""
		},
	}
	for s := Events; s < Streams; s++ {
		w.judge.Ordered[s] = true
	}
	for s := range Streams {
		w.say(left, s)
	}
	for s := Events; s < Streams; s++ {
		w.say(right, s)
	}
	return w
}

func (w *world) forget(onLeft bool, s Stream) {
	for name, row := range w.rows {
		if len(name) > len(s.String()) && name[:len(s.String())] == s.String() {
			if onLeft {
				row.Left = nil
			} else {
				row.Right = nil
			}
		}
	}
}

// finding of the stream's only entity, as text.
func (w *world) finding(s Stream) string {
	w.t.Helper()
	row := &rowpb.Row{}
	for name, r := range w.rows {
		if len(name) > len(s.String()) && name[:len(s.String())] == s.String() {
			row = r
		}
	}
	f, err := w.judge.Entity(s, row)
	if err != nil {
		w.t.Fatal(err)
	}
	text := [...]string{"equal", "different", "pending", "undecidable", "skipped", "quarantined", "nothing"}[f.State]
	if f.Reason != "" {
		text += " " + f.Reason
	}
	var seen []string
	for _, d := range f.Differences {
		word := " " + string(d.Category)
		if d.Field != "" {
			word += ":" + d.Field
		}
		if !slices.Contains(seen, word) {
			seen = append(seen, word)
			text += word
		}
	}
	if f.Late {
		text += " late"
	}
	return text
}

func TestJudge(t *testing.T) {
	skip := func(s *Sheet) { s.Outcome, s.Reason = Skipped, "no_phone" }
	refuse := func(s *Sheet) { s.Outcome, s.Reason = Quarantined, "invalid_phone" }
	remove := func(s *Sheet) { s.Outcome = Tombstone }
	with := func(s Stream, path, text string) func(*Sheet) { return set(s, path, text) }
	fault := func(field int, item string, kind FaultKind, path string) func(*Sheet) {
		return func(s *Sheet) { s.Faults = append(s.Faults, Fault{field, item, kind, path}) }
	}
	young := func(onLeft bool, s Stream) func(w *world) {
		return func(w *world) {
			w.judge.Young = func(l bool, of Stream, _ *rowpb.Side) bool { return l == onLeft && of == s }
		}
	}
	for _, c := range []struct {
		name   string
		s      Stream
		change func(w *world)
		want   string
	}{
		{"an event", Events, func(*world) {}, "equal"},
		{"an order", Orders, func(*world) {}, "equal"},
		{"a refund", Refunds, func(*world) {}, "equal"},

		{"an own field", Events, func(w *world) { w.say(right, Events, with(Events, "name", "Shaw")) }, "different value:name"},
		{"absent on the right", Events, func(w *world) { w.say(right, Events, with(Events, "name", "")) }, "different value:name"},
		{"a field of the directory", Events, func(w *world) { w.say(right, Events, with(Events, "category", "kids")) }, "different value:category"},
		{"a field of the partner", Events, func(w *world) { w.say(right, Events, with(Events, "organizer.name", "Pub")) }, "different value:organizer.name"},
		{"a field of the event's partner", Orders, func(w *world) { w.say(right, Orders, with(Orders, "tickets[].currency", "USD")) }, "different value:tickets[].currency"},
		{"a field of the event", Orders, func(w *world) { w.say(right, Orders, with(Orders, "tickets[].organizer_id", "p2")) }, "different value:tickets[].organizer_id"},
		{"a field of the set", Orders, func(w *world) { w.say(right, Orders, with(Orders, "tickets[].category", "Pit")) }, "different value:tickets[].category"},
		{"a field of the order", Refunds, func(w *world) { w.say(right, Refunds, with(Refunds, "customer.phone", "+79000000002")) }, "different value:customer.phone"},
		{"a header", Orders, func(w *world) { w.say(right, Orders, with(Orders, "header.content-type", "text/plain")) }, "different value:header.content-type"},
		{"another edition's field", Orders, func(w *world) { w.say(right, Orders, with(Orders, "number", "7")) }, "equal"},
		{"a ticket less", Orders, func(w *world) {
			w.say(right, Orders, with(Orders, "tickets", "t1"), func(s *Sheet) { s.Items = s.Items[:1] })
		}, "different value:tickets"},
		{"tickets in another order", Orders, func(w *world) {
			seats := func(s *Sheet) {
				for i := range s.Items {
					s.Items[i].Cells[indexOf(itemFields, "tickets[].seat")].Text = s.Items[i].ID
				}
			}
			w.say(left, Orders, seats)
			w.say(right, Orders, seats, with(Orders, "tickets", "t2 t1"), func(s *Sheet) { slices.Reverse(s.Items) })
		}, "different value:tickets"},
		{"two fields", Orders, func(w *world) {
			w.say(right, Orders, with(Orders, "customer.phone", ""), with(Orders, "tickets[].price_nominal", "1"))
		}, "different value:customer.phone value:tickets[].price_nominal"},

		{"missing", Orders, func(w *world) { w.forget(right, Orders) }, "different missing"},
		{"deleted", Orders, func(w *world) { w.say(right, Orders, remove) }, "different missing"},
		{"extra", Refunds, func(w *world) { w.forget(left, Refunds) }, "different extra"},
		{"extra, where legacy records are gone", Refunds, func(w *world) { w.forget(left, Refunds); w.judge.LeftGone[Refunds] = true }, "undecidable left_deleted"},
		{"missing, where slim records are gone", Orders, func(w *world) { w.forget(right, Orders); w.judge.RightGone[Orders] = true }, "undecidable right_deleted"},
		{"on neither side", Orders, func(w *world) { w.forget(left, Orders); w.say(right, Orders, remove) }, "nothing"},

		{"no waiting makes a type right", Orders, func(w *world) {
			w.say(left, Orders, with(Orders, "customer.phone", "+79000000003"))
			w.say(right, Orders, with(Orders, "tickets[].price_nominal", ""), fault(indexOf(itemFields, "tickets[].price_nominal"), "t1", WrongType, ""))
			young(left, Orders)(w)
		}, "different type:tickets[].price_nominal"},
		{"not readable, and young", Refunds, func(w *world) {
			w.say(right, Refunds, with(Refunds, "ticket_ids", ""), fault(len(fields[Refunds]), "", Unreadable, ""))
			young(left, Refunds)(w)
		}, "different type"},

		{"missing, and young", Orders, func(w *world) { w.forget(right, Orders); young(left, Orders)(w) }, "pending recent"},
		{"missing, and its event is young", Orders, func(w *world) { w.forget(right, Orders); young(left, Events)(w) }, "pending recent"},
		{"missing, and its partner is young", Orders, func(w *world) { w.forget(right, Orders); young(left, Partners)(w) }, "pending recent"},
		{"extra, and young", Refunds, func(w *world) { w.forget(left, Refunds); young(right, Refunds)(w) }, "pending recent"},
		{"a value, and young", Orders, func(w *world) {
			w.say(right, Orders, with(Orders, "tickets[].price_nominal", "1"))
			young(left, Orders)(w)
		}, "pending recent"},
		{"a young record of the right side alone is no excuse", Orders, func(w *world) {
			w.say(right, Orders, with(Orders, "tickets[].price_nominal", "1"))
			young(right, Orders)(w)
		}, "different value:tickets[].price_nominal"},
		{"young, and equal", Orders, young(left, Orders), "equal"},

		{"skipped", Orders, func(w *world) { w.forget(left, Orders); w.forget(right, Orders); w.say(left, Orders, skip) }, "skipped no_phone"},
		{"skipped by now", Orders, func(w *world) { w.say(left, Orders, skip) }, "equal"},
		{"skipped, and there", Orders, func(w *world) { w.forget(left, Orders); w.say(left, Orders, skip) }, "different extra"},
		{"in quarantine", Orders, func(w *world) {
			w.forget(left, Orders)
			w.forget(right, Orders)
			w.say(left, Orders, refuse)
			w.at[w.clock] = "invalid_phone"
		}, "quarantined invalid_phone"},
		{"not in quarantine, and ought to be", Orders, func(w *world) {
			w.forget(left, Orders)
			w.forget(right, Orders)
			w.say(left, Orders, refuse)
		}, "different missing"},
		{"not in quarantine, and young", Orders, func(w *world) {
			w.forget(left, Orders)
			w.forget(right, Orders)
			w.say(left, Orders, refuse)
			young(left, Orders)(w)
		}, "pending recent"},
		{"no quarantine to ask", Orders, func(w *world) {
			w.forget(left, Orders)
			w.forget(right, Orders)
			w.say(left, Orders, refuse)
			w.known = false
		}, "quarantined invalid_phone"},
		{"too large to be there", Orders, func(w *world) {
			w.forget(right, Orders)
			w.at[w.rows["orders/o1"].Left.Newest.Offset] = "too_large"
		}, "quarantined too_large"},
		{"the newest is in quarantine, and the one before stands", Orders, func(w *world) {
			w.say(left, Orders, with(Orders, "customer.phone", "+79000000009"))
			w.at[w.clock] = "too_large"
		}, "quarantined too_large"},
		{"the newest is in quarantine, and something foreign stands", Orders, func(w *world) {
			w.say(left, Orders, with(Orders, "customer.phone", "+79000000009"))
			w.at[w.clock] = "too_large"
			w.say(right, Orders, with(Orders, "customer.phone", "+79000000008"))
		}, "different value:customer.phone"},

		{"waits for its organizer", Events, func(w *world) { w.forget(left, Partners); w.forget(right, Events) }, "pending organizer"},
		{"went out without organizer", Events, func(w *world) {
			w.forget(left, Partners)
			w.say(right, Events, with(Events, "organizer.id", ""), with(Events, "organizer.name", ""), with(Events, "organizer.legals.inn", ""))
		}, "equal"},
		{"waits for its organizer, with another name", Events, func(w *world) {
			w.forget(left, Partners)
			w.say(right, Events, with(Events, "name", "Shaw"), with(Events, "organizer.id", ""), with(Events, "organizer.name", ""), with(Events, "organizer.legals.inn", ""))
		}, "different value:name"},
		{"an organizer without a name lends nothing", Events, func(w *world) {
			w.say(left, Partners, func(s *Sheet) { s.Facts = []Fact{{"currency", "RUB"}} })
			w.say(right, Events, with(Events, "organizer.id", ""), with(Events, "organizer.name", ""), with(Events, "organizer.legals.inn", ""))
		}, "equal"},
		{"an organizer without a name lends nothing, whatever else it has", Events, func(w *world) {
			w.say(left, Partners, func(s *Sheet) { s.Facts = s.Facts[2:] })
			w.say(right, Events, with(Events, "organizer.id", ""), with(Events, "organizer.name", ""), with(Events, "organizer.legals.inn", ""))
		}, "equal"},
		{"requisites of the event's own", Events, func(w *world) {
			w.say(left, Events, set(Events, "organizer.legals.inn", "88", Organizer))
			w.say(right, Events, with(Events, "organizer.legals.inn", "88"))
		}, "equal"},
		{"requisites of the event's own, and no organizer", Events, func(w *world) {
			w.forget(left, Partners)
			w.say(left, Events, set(Events, "organizer.legals.inn", "88", Organizer))
			w.say(right, Events, with(Events, "organizer.id", ""), with(Events, "organizer.name", ""), with(Events, "organizer.legals.inn", ""))
		}, "equal"},
		{"what the partner has not", Events, func(w *world) {
			w.say(left, Partners, func(s *Sheet) { s.Facts[2].Text = "" })
			w.say(left, Events, set(Events, "organizer.legals.inn", "88", Partner))
			w.say(right, Events, with(Events, "organizer.legals.inn", "88"))
		}, "equal"},
		{"the organizer's name for that of its requisites", Events, func(w *world) {
			w.say(left, Events, set(Events, "organizer.legals.name", "", PartnerName))
			w.say(right, Events, with(Events, "organizer.legals.name", "Club"))
		}, "equal"},
		{"edition 2.0 without an organizer", Events, func(w *world) {
			w.judge.Form.Edition = 2
			w.say(left, Events, func(s *Sheet) { s.Org = "" }, set(Events, "organizer.name", ""), set(Events, "organizer.id", ""), set(Events, "organizer.legals.inn", ""))
			w.forget(right, Events)
		}, "pending organizer_missing"},
		{"waits for its event", Orders, func(w *world) { w.forget(right, Events); w.forget(right, Orders) }, "pending event"},
		{"waits for a set", Orders, func(w *world) {
			w.say(left, Events, func(s *Sheet) { s.Facts = s.Facts[:1] })
			w.forget(right, Orders)
		}, "pending set"},
		{"tickets without a set wait for none", Orders, func(w *world) {
			w.say(left, Orders, func(s *Sheet) { s.Items[0].Set, s.Items[1].Set = "", "" })
			w.forget(right, Orders)
		}, "different missing"},
		{"waits for a set, and something foreign stands", Orders, func(w *world) {
			w.say(left, Events, func(s *Sheet) { s.Facts = s.Facts[:1] })
			w.say(right, Orders, with(Orders, "customer.phone", "+79000000008"), with(Orders, "tickets[].category", ""))
		}, "different value:customer.phone"},
		{"waits for its event's organizer", Orders, func(w *world) { w.forget(left, Partners) }, "pending organizer"},
		{"went out without a set", Orders, func(w *world) {
			w.say(left, Events, func(s *Sheet) { s.Facts = s.Facts[:1] })
			w.say(right, Orders, with(Orders, "tickets[].category", ""))
		}, "equal"},
		{"a set that went away leaves what was taken from it for a while", Orders, func(w *world) {
			w.say(left, Events, func(s *Sheet) { s.Facts = s.Facts[:1] })
		}, "pending set"},
		{"a refund waits for its order", Refunds, func(w *world) { w.forget(right, Orders); w.forget(right, Refunds) }, "pending order"},
		{"a refund of an order that is skipped", Refunds, func(w *world) {
			w.forget(left, Orders)
			w.forget(right, Orders)
			w.say(left, Orders, skip)
			w.forget(right, Refunds)
		}, "skipped order_not_published"},
		{"a refund that names another event", Refunds, func(w *world) {
			w.say(left, Refunds, func(s *Sheet) { s.Event = "e2" })
			w.forget(right, Refunds)
		}, "pending event_of_another_order"},
		{"a refund of an order that is not there yet as it is now", Refunds, func(w *world) {
			w.say(left, Orders, with(Orders, "customer.phone", "+79000000009"))
		}, "pending order"},

		{"a refund of other tickets, of an order that is not there yet as it is now", Refunds, func(w *world) {
			w.say(left, Orders, with(Orders, "customer.phone", "+79000000009"))
			w.say(right, Refunds, with(Refunds, "ticket_ids", "t9"))
		}, "different value:customer.phone value:ticket_ids"},

		{"of the wrong type, with no value to compare", Events, func(w *world) {
			w.say(right, Events, with(Events, "finish_at", "x"), fault(indexOf(fields[Events], "finish_at"), "", WrongType, ""))
		}, "different type:finish_at"},
		{"of the wrong type in a ticket", Orders, func(w *world) {
			price := indexOf(itemFields, "tickets[].price_nominal")
			w.say(right, Orders, with(Orders, "tickets[].price_nominal", "x"), fault(price, "t1", WrongType, ""), fault(price, "t2", WrongType, ""))
		}, "different type:tickets[].price_nominal"},
		{"of the wrong type", Orders, func(w *world) {
			w.say(right, Orders, with(Orders, "tickets[].price_nominal", "x"), fault(indexOf(itemFields, "tickets[].price_nominal"), "t2", WrongType, ""))
		}, "different type:tickets[].price_nominal value:tickets[].price_nominal"}, // t1 has another value
		{"an unknown field", Orders, func(w *world) { w.say(right, Orders, fault(len(fields[Orders]), "", Unknown, "promo")) }, "different type:promo"},
		{"not readable", Refunds, func(w *world) {
			w.say(right, Refunds, fault(len(fields[Refunds]), "", Unreadable, ""), with(Refunds, "ticket_ids", ""))
		}, "different type"},

		{"stale", Orders, func(w *world) { w.say(left, Orders, with(Orders, "customer.phone", "+79000000009")) }, "different stale"},
		{"stale, with another header", Orders, func(w *world) {
			w.say(left, Orders, with(Orders, "customer.phone", "+79000000009"))
			w.say(right, Orders, with(Orders, "header.content-type", "x"))
		}, "different stale"},
		{"neither new nor old", Orders, func(w *world) {
			w.say(left, Orders, with(Orders, "customer.phone", "+79000000009"))
			w.say(right, Orders, with(Orders, "customer.phone", "+79000000008"))
		}, "different value:customer.phone"},

		{"before its event", Orders, func(w *world) { w.rows["events/e1"].Right.First.Time = 1 << 40 }, "different order_violation"},
		{"before its event, where times do not tell", Orders, func(w *world) {
			w.rows["events/e1"].Right.First.Time = 1 << 40
			w.judge.Ordered[Orders] = false
		}, "equal"},
		{"before its event, by the clock of its producer", Orders, func(w *world) {
			w.rows["events/e1"].Right.First.Time = 1 << 40
			w.rows["events/e1"].Right.First.AppendTime = false
		}, "equal"},
		{"without its event", Orders, func(w *world) { w.forget(right, Events) }, "different order_violation"},
		{"without its event, which may have been deleted", Orders, func(w *world) { w.forget(right, Events); w.judge.RightGone[Events] = true }, "equal"},
		{"without its event, and young", Orders, func(w *world) { w.forget(right, Events); young(right, Orders)(w) }, "pending recent"},
		{"a refund before its order", Refunds, func(w *world) { w.rows["orders/o1"].Right.First.Time = 1 << 40 }, "different refund_violation"},
		{"a violation stays beside what settles itself", Orders, func(w *world) {
			w.rows["events/e1"].Right.First.Time = 1 << 40
			w.say(left, Orders, with(Orders, "customer.phone", "+79000000009"))
			young(left, Orders)(w)
		}, "different order_violation"},

		{"the same with other bytes", Orders, func(w *world) { w.rows["orders/o1"].Right.Repeats = 1 }, "different duplicate"},

		{"in time", Orders, func(w *world) { w.judge.LateAfter = time.Hour }, "equal"},
		{"late", Orders, func(w *world) { w.judge.LateAfter = time.Second }, "equal late"},
		{"late, and said again", Orders, func(w *world) {
			w.judge.LateAfter = time.Second
			w.rows["orders/o1"].Right.Repeats = 1
		}, "different duplicate late"},
		{"late, for its event was", Orders, func(w *world) {
			w.judge.LateAfter = time.Second
			w.rows["events/e1"].Left.First.Time = w.rows["orders/o1"].Right.First.Time - 1
		}, "equal"},
		{"a backlog is not late", Orders, func(w *world) {
			w.judge.LateAfter = time.Second
			w.judge.RightBegan[Orders] = 1 << 40
		}, "equal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			c.change(w)
			if got := w.finding(c.s); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// Slim against slim: nothing is borrowed, and either side may be the young one.
func TestJudgeSlimAgainstSlim(t *testing.T) {
	for _, c := range []struct {
		name   string
		s      Stream
		change func(w *world)
		want   string
	}{
		{"equal", Orders, func(*world) {}, "equal"},
		{"a refund", Refunds, func(*world) {}, "equal"},
		{"a value", Orders, func(w *world) { w.say(right, Orders, set(Orders, "tickets[].category", "Pit")) }, "different value:tickets[].category"},
		{"missing", Orders, func(w *world) { w.forget(right, Orders) }, "different missing"},
		{"extra", Orders, func(w *world) { w.forget(left, Orders) }, "different extra"},
		{"young on the right", Orders, func(w *world) {
			w.say(right, Orders, set(Orders, "tickets[].category", "Pit"))
			w.judge.Young = func(l bool, s Stream, _ *rowpb.Side) bool { return !l && s == Orders }
		}, "pending recent"},
		{"before its event", Orders, func(w *world) { w.rows["events/e1"].Right.First.Time = 1 << 40 }, "different order_violation"},
		{"of the wrong type on the left", Orders, func(w *world) {
			slim := w.sheet(right, Orders)
			w.say(left, Orders, func(s *Sheet) { *s = *slim; s.Faults = []Fault{{1, "", Missing, ""}} })
		}, "different type:number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.judge.Legacy, w.judge.Directory = false, nil
			w.rows = map[string]*rowpb.Row{}
			for s := Events; s < Streams; s++ {
				slim := w.sheet(right, s)
				w.say(left, s, func(into *Sheet) { *into = *slim })
			}
			for s := Events; s < Streams; s++ {
				w.say(right, s)
			}
			c.change(w)
			if got := w.finding(c.s); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
