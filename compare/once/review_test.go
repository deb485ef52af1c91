package once

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/dryrun"
	"github.com/ticketscloud/vibe-bridge/internal/planted"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// historyPlaces is a directory that leaves out what it may.
const historyPlaces = `{"categories":[{"id":"c1","name":"Развитие"},{"id":"c2","name":"Стендап"}],
"cities":[{"id":1,"name":"Pune","timezone":"Asia/Kolkata"},{"id":2,"name":"Nowhere"}],
"venues":[{"id":"v1","name":"Hall","description":"large","address":"1 Street","city":1,"lat":18.5,"lon":73.8},{"id":"v2","name":"Club","city":2,"lat":0,"lon":12}]}`

// history draws small histories of few entities. calm ones hold only what every edition
// sends.
type history struct {
	t     *rapid.T
	calm  bool
	large bool // two long texts are too large for a slim record
}

// long texts of a large history.
func (h history) long(name string, texts ...string) string {
	text := h.odd(name, texts...)
	if h.large && rapid.Bool().Draw(h.t, "long "+name) {
		return text + strings.Repeat("x", 9000)
	}
	return text
}

func (h history) one(name string, values ...string) string {
	return rapid.SampledFrom(values).Draw(h.t, name)
}

// odd is one of the values, the first of them in a calm history.
func (h history) odd(name string, values ...string) string {
	if h.calm {
		return values[0]
	}
	return h.one(name, values...)
}

func (h history) partner() proto.Message {
	p := &legacyproto.Partner{Id: h.odd("id", "p1", "p2", ""), Name: h.long("name", "Theatre", "Club", ""), Currency: h.one("currency", "rub", "EUR", "kzt", "")}
	if rapid.Bool().Draw(h.t, "legal") {
		p.Legal = &legacyproto.Partner_Legal{
			Name: h.one("legal name", "OOO", ""), Inn: h.one("inn", "7700000000", "770000000000", ""), Address: h.one("address", "street", ""),
			Ogrns: &legacyproto.Partner_Legal_Ogrn{Ogrn: h.one("ogrn", "", "1027")},
		}
	}
	return p
}

func (h history) event() proto.Message {
	e := &legacyproto.Event{
		Id: h.one("id", "e1", "e2"), Name: h.odd("name", "Show", "Other show", ""), Meta: h.one("meta", "", "g"), Description: h.long("description", "", "far"),
		Status: legacyproto.Event_EventStatus(rapid.SampledFrom([]int32{0, 1, 2, 3}).Draw(h.t, "status")),
		Org:    h.odd("org", "p1", "p2", "p3", ""), Venue: h.one("venue", "", "v1", "v2", "v9"), Category: h.one("category", "", "c1", "c2"),
		Lifetime: &legacyproto.Lifetime{Finish: &timestamppb.Timestamp{Seconds: 1780003600, Nanos: 5_000_000}},
		Media:    &legacyproto.Event_Media{Cover: h.one("cover", "", "https://example.com/1")},
	}
	if h.calm || rapid.Bool().Draw(h.t, "start") {
		e.Lifetime.Start = &timestamppb.Timestamp{Seconds: rapid.SampledFrom([]int64{1780000000, 1790000000}).Draw(h.t, "begins")}
	}
	if rapid.Bool().Draw(h.t, "legal") {
		e.Legal = &legacyproto.Event_LegalRu_{LegalRu: &legacyproto.Event_LegalRu{
			Type: legacyproto.Event_LegalRu_Type(rapid.SampledFrom([]int32{0, 1, 4}).Draw(h.t, "type")), Name: h.one("legal name", "IP", ""), Inn: h.one("inn", "", "770000000000"),
		}}
	}
	for i := range rapid.IntRange(0, 2).Draw(h.t, "sets") {
		e.Sets = append(e.Sets, &legacyproto.Event_TicketSet{Id: fmt.Sprint("s", i), Name: h.one("set name", "Parterre", "Balcony", ""), Description: h.one("set description", "", "near")})
	}
	return e
}

func (h history) order() proto.Message {
	id := h.one("id", "o1", "o2", "o3")
	o := &legacyproto.Order{
		Id: id, Event: map[string]string{"o1": "e1", "o2": "e2", "o3": "e1"}[id], Org: h.odd("org", "p1", "", "p8"), Number: 12,
		Status: legacyproto.Order_DONE,
		Settings: &legacyproto.Order_Settings{Customer: &legacyproto.Order_Settings_Customer{
			Name: h.one("name", "", "Anna", "Anna Petrova", "Петрова Анна Сергеевна", "Anna Maria van Dam"), Email: h.one("email", "", "b@example.com"),
			Phone: h.odd("phone", "+79000000011", "8 (900) 000-00-12", "", "12"),
		}},
	}
	if h.odd("status", "done", "done", "done", "other") == "other" {
		o.Status = 0
	}
	for i := range rapid.IntRange(1, 3).Draw(h.t, "tickets") {
		o.Tickets = append(o.Tickets, &legacyproto.Order_Ticket{
			Id: fmt.Sprint("t", i), Serial: h.one("serial", "", "A"), Number: rapid.SampledFrom([]int64{0, 7}).Draw(h.t, "ticket number"), Barcode: h.one("barcode", "", "4600"),
			Set: h.one("set", "", "s0", "s1", "s9"), Nominal: rapid.SampledFrom([]int64{0, 5000}).Draw(h.t, "nominal"), Seat: &legacyproto.Order_Ticket_Seat{Row: h.one("row", "", "3")},
		})
	}
	return o
}

func (h history) refund() proto.Message {
	id := h.one("id", "r1", "r2")
	order := map[string]string{"r1": "o1", "r2": "o2"}[id]
	r := &legacyproto.RefundRequest{Id: id, Order: order, Event: map[string]string{"o1": "e1", "o2": "e2"}[order], Status: legacyproto.RefundRequest_APPROVED}
	if h.odd("status", "approved", "approved", "other") == "other" {
		r.Status = 0
	}
	for i := range rapid.IntRange(1, 2).Draw(h.t, "tickets") {
		r.Tickets = append(r.Tickets, &legacyproto.RefundRequest_Ticket{Id: fmt.Sprint("t", i)})
	}
	return r
}

// draw spreads records over three partitions: times decide which is the newest.
func (h history) draw() (records []recordfile.Record) {
	type partition struct {
		topic string
		n     int32
	}
	offsets := map[partition]int64{}
	add := func(s compare.Stream, m proto.Message) {
		value, err := proto.Marshal(m)
		if err != nil {
			h.t.Fatal(err)
		}
		at := partition{legacyTopics[s], rapid.Int32Range(0, 2).Draw(h.t, "partition")}
		if !h.calm && rapid.IntRange(0, 15).Draw(h.t, "spoilt") == 0 {
			value = rapid.SampledFrom([][]byte{nil, []byte("\xff"), append(value, "\x0a\x01\xff"...)}).Draw(h.t, "value")
		}
		records = append(records, recordfile.Record{Topic: at.topic, Partition: at.n, Offset: offsets[at], Timestamp: int64(len(records)+1) * 1000, Value: value})
		offsets[at]++
	}
	if h.calm {
		add(compare.Partners, h.partner())
	}
	for range rapid.IntRange(1, 25).Draw(h.t, "records") {
		switch s := rapid.SampledFrom([]compare.Stream{compare.Partners, compare.Events, compare.Events, compare.Orders, compare.Orders, compare.Refunds}).Draw(h.t, "stream"); s {
		case compare.Partners:
			add(s, h.partner())
		case compare.Events:
			add(s, h.event())
		case compare.Orders:
			add(s, h.order())
		default:
			add(s, h.refund())
		}
	}
	return records
}

// smallestLimit of a slim record.
const smallestLimit = 16384

// bridged is what the bridge's own rules make of a history, with all holds over if they expire.
func bridged(t *rapid.T, outer testing.TB, e slim.Encoding, most int, expire bool, legacy []recordfile.Record) *world {
	d, err := directory.Parse([]byte(historyPlaces), nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{encoding: e, season: &planted.Season{Directory: []byte(historyPlaces)}, legacy: legacyTaken(Left, legacy)}
	engine, err := dryrun.New(dryrun.Config{
		Rules: &mapping.Rules{
			Encoding: e, Directory: d, DefaultLocation: zone(outer), OrganizerHold: time.Minute, SetHold: time.Minute, MaxRecordBytes: most,
		},
		ApplicationID: applicationID, SourceHeader: true,
	}, func(r recordfile.Record) error {
		if r.Topic == dryrun.QuarantineTopic {
			w.rest = append(w.rest, slimTaken(Quarantine, []recordfile.Record{r})...)
		} else {
			w.slim = append(w.slim, slimTaken(Right, []recordfile.Record{r})...)
		}
		return nil
	})
	for i := 0; err == nil && i < len(legacy); i++ {
		err = engine.Process(legacy[i])
	}
	if err == nil && expire {
		err = engine.ExpireHolds()
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// findings are what is said of each entity, by stream and id.
func (w *world) findings(t testing.TB, slimSide []taken, with ...func(*compare.Judge)) map[string]compare.Finding {
	o := w.options(t, vfs.NewMem())
	e := open(t, o)
	defer e.Close()
	for _, list := range [][]taken{w.legacy, slimSide, w.rest} {
		e.take(t, list...)
	}
	if err := e.Commit(); err != nil {
		t.Fatal(err)
	}
	j := w.judging(t)
	judge := j.Judge
	judge.Form, judge.Legacy = o.Form, true
	judge.Rows = &rows{store: e.store, of: func(s *[sides]*rowpb.Side) *rowpb.Row { return rowOf(s[Left], s[Right]) }, known: true}
	for _, f := range with {
		f(&judge)
	}
	all := map[string]compare.Finding{}
	err := e.each(t.Context(), &j, func(s compare.Stream, id string, s2 *[sides]*rowpb.Side) error {
		row := rowOf(s2[Left], s2[Right])
		if row == nil {
			return nil
		}
		f, err := judge.Entity(s, row)
		all[s.String()+"/"+id] = f
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// logged shows a history when the property fails.
func logged(rt *rapid.T, legacy []recordfile.Record, w *world) {
	for _, r := range legacy {
		var m proto.Message
		switch r.Topic {
		case legacyTopics[0]:
			m = &legacyproto.Partner{}
		case legacyTopics[1]:
			m = &legacyproto.Event{}
		case legacyTopics[2]:
			m = &legacyproto.Order{}
		default:
			m = &legacyproto.RefundRequest{}
		}
		_ = proto.Unmarshal(r.Value, m)
		rt.Logf("%s/%d/%d %v", r.Topic, r.Partition, r.Offset, m)
	}
	for _, r := range slices.Concat(w.slim, w.rest) {
		rt.Logf("%s %s %s", r.topic, r.record.Key, r.record.Value)
	}
}

// Whatever the history, spread over partitions as it may be, what the bridge makes of it
// does not differ.
func TestRandomHistoriesDoNotDiffer(t *testing.T) {
	for _, e := range encodings {
		for _, large := range []bool{false, true} {
			t.Run(fmt.Sprint(e, large), func(t *testing.T) {
				t.Parallel()
				rapid.Check(t, func(rt *rapid.T) {
					legacy := history{t: rt, large: large}.draw()
					w := bridged(rt, t, e, smallestLimit, true, legacy)
					for id, f := range w.findings(t, w.slim) {
						if f.State == compare.Different {
							logged(rt, legacy, w)
							rt.Fatalf("%s: %+v", id, f)
						}
					}
				})
			})
		}
	}
}

// leaves are the places in JSON that can be changed.
func leaves(v any, visit func(change func(to any, gone bool), old any)) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			visit(func(to any, gone bool) {
				if v[name] = to; gone {
					delete(v, name)
				}
			}, v[name])
			leaves(v[name], visit)
		}
	case []any:
		for i := range v {
			leaves(v[i], visit)
		}
	}
}

// changed is the value with one change, in another place each time.
func changed(rt *rapid.T, value []byte) (string, []byte) {
	var v any
	if err := json.Unmarshal(value, &v); err != nil {
		rt.Fatal(err)
	}
	type leaf struct {
		change func(any, bool)
		old    any
	}
	var all []leaf
	leaves(v, func(change func(any, bool), old any) { all = append(all, leaf{change, old}) })
	at := rapid.SampledFrom(all).Draw(rt, "leaf")
	what := rapid.SampledFrom([]string{"gone", "null", "other", "other", "type"}).Draw(rt, "change")
	switch old := at.old.(type) {
	case string:
		at.change(old+rapid.SampledFrom([]string{"x", " ", "\u0000", "\u200b"}).Draw(rt, "tail"), false)
	case float64:
		at.change(old+1, false)
	case []any:
		switch rapid.IntRange(0, 3).Draw(rt, "list") {
		case 0:
			at.change(append(slices.Clone(old), old[0]), false)
		case 1:
			at.change(old[1:], false)
		case 2:
			at.change([]any{}, false)
		default:
			if ids, ok := old[0].(string); ok && len(old) > 1 {
				at.change([]any{ids + " " + old[1].(string)}, false) // two ids in one
			} else {
				at.change(append(slices.Clone(old), nil), false)
			}
		}
	case map[string]any:
		old["more"] = 1
	}
	switch what {
	case "gone":
		at.change(nil, true)
	case "null":
		at.change(nil, false)
	case "type":
		at.change([]any{true}, false)
	}
	text, err := json.Marshal(v)
	if err != nil {
		rt.Fatal(err)
	}
	return what, text
}

// A single change of what the bridge wrote is never equal.
func TestNoChangeIsEqual(t *testing.T) {
	for _, e := range []slim.Encoding{encodings[0], encodings[2]} {
		t.Run(fmt.Sprint(e), func(t *testing.T) {
			t.Parallel()
			pending := map[string]int{}
			rapid.Check(t, func(rt *rapid.T) {
				legacy := history{t: rt}.draw()
				w := bridged(rt, t, e, smallestLimit, true, legacy)
				base := w.findings(t, w.slim)
				newest := map[string]int{}
				for i, r := range w.slim {
					newest[r.topic+"/"+string(r.record.Key)] = i
				}
				var keys []string
				for key := range newest {
					if base[key].State == compare.Equal {
						keys = append(keys, key)
					}
				}
				if len(keys) == 0 {
					return
				}
				slices.Sort(keys)
				key := rapid.SampledFrom(keys).Draw(rt, "key")
				at := newest[key]
				spoilt, what, mayBeEqual := slices.Clone(w.slim), rapid.SampledFrom([]string{"change", "change", "change", "drop", "again", "old", "header", "headers", "swap"}).Draw(rt, "what"), false
				last := w.slim[at]
				last.record.Offset = 1000
				detail := ""
				switch what {
				case "change":
					detail, spoilt[at].record.Value = changed(rt, spoilt[at].record.Value)
				case "drop":
					spoilt = slices.DeleteFunc(spoilt, func(r taken) bool { return r.topic+"/"+string(r.record.Key) == key })
				case "again":
					mayBeEqual = true
					spoilt = append(spoilt, last)
				case "old":
					i := slices.IndexFunc(w.slim, func(r taken) bool { return r.topic+"/"+string(r.record.Key) == key })
					last.record.Value = w.slim[i].record.Value
					mayBeEqual = bytes.Equal(last.record.Value, w.slim[at].record.Value)
					spoilt = append(spoilt, last)
				case "header":
					spoilt[at].record.Headers = slices.Clone(spoilt[at].record.Headers)
					i := rapid.IntRange(0, 2).Draw(rt, "header")
					detail = spoilt[at].record.Headers[i].Key
					spoilt[at].record.Headers[i].Value = []byte("other")
				case "headers":
					spoilt[at].record.Headers = spoilt[at].record.Headers[1:]
				case "swap":
					other := rapid.SampledFrom(keys).Draw(rt, "other")
					if strings.Split(other, "/")[0] != strings.Split(key, "/")[0] {
						return
					}
					i := newest[other]
					mayBeEqual = bytes.Equal(spoilt[i].record.Value, spoilt[at].record.Value)
					spoilt[i].record.Value, spoilt[at].record.Value = spoilt[at].record.Value, spoilt[i].record.Value
				}
				f := w.findings(t, spoilt)[key]
				if what == "again" && f.State != compare.Equal || f.State == compare.Equal && !mayBeEqual {
					logged(rt, legacy, w)
					rt.Fatalf("%s, %s %s: %s is now %+v", key, what, detail, spoilt[at].record.Value, f)
				}
				if f.State != compare.Equal && f.State != compare.Different {
					pending[fmt.Sprint(f.State, " ", f.Reason, " ", what)]++
				}
			})
			t.Log(pending)
		})
	}
}

// Two editions of one history do not differ, where both send all that there is.
func TestEditionsOfCalmHistoriesDoNotDiffer(t *testing.T) {
	for _, pair := range [][2]slim.Encoding{{encodings[0], encodings[1]}, {encodings[0], encodings[2]}, {encodings[1], encodings[2]}} {
		t.Run(fmt.Sprint(pair), func(t *testing.T) {
			t.Parallel()
			form := compare.Form{Protobuf: true}
			if edition(pair[0]) == edition(pair[1]) {
				form.Edition = 1
			}
			form.Protobuf = pair[0].Format == slim.Protobuf || pair[1].Format == slim.Protobuf
			rapid.Check(t, func(rt *rapid.T) {
				legacy := history{t: rt, calm: true}.draw()
				left, right := bridged(rt, t, pair[0], smallestLimit, true, legacy), bridged(rt, t, pair[1], smallestLimit, true, legacy)
				for i := range left.slim {
					left.slim[i].side = Left
				}
				o := Options{Dir: "rows", FS: vfs.NewMem(), Form: form, Readers: [3]compare.Reader{
					Left: slimReader(t, form, pair[0], true), Right: slimReader(t, form, pair[1], true),
				}}
				totals := left.judged(t, o, right.judging(t), left.slim, right.slim).Totals
				if len(totals.Fields) > 0 {
					logged(rt, legacy, right)
					rt.Fatalf("%q", differences(totals))
				}
			})
		})
	}
}

// What is on its way is not different: the left side is ahead of the right one, and what
// the bridge had taken before is marked.
func TestWhatIsOnItsWayDoesNotDiffer(t *testing.T) {
	for _, e := range encodings {
		t.Run(fmt.Sprint(e), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) {
				legacy := history{t: rt}.draw()
				through := rapid.IntRange(0, len(legacy)).Draw(rt, "through")
				settled := rapid.IntRange(0, through).Draw(rt, "settled")
				w := bridged(rt, t, e, smallestLimit, rapid.Bool().Draw(rt, "expired"), legacy[:through])
				w.legacy = legacyTaken(Left, legacy)
				marks := map[string]int64{}
				for _, r := range legacy[:settled] {
					marks[fmt.Sprint(r.Topic, r.Partition)] = r.Offset + 1
				}
				found := w.findings(t, w.slim, func(j *compare.Judge) {
					j.Young = func(left bool, s compare.Stream, side *rowpb.Side) bool {
						at := side.GetChanged()
						return left && at != nil && at.Offset >= marks[fmt.Sprint(legacyTopics[s], at.Partition)]
					}
				})
				for id, f := range found {
					if f.State == compare.Different {
						logged(rt, legacy, w)
						rt.Fatalf("through %d, settled %d: %s: %+v", through, settled, id, f)
					}
				}
			})
		})
	}
}

// Where the first records have been deleted since, on either side, nothing differs.
func TestDeletedRecordsAreNoDifference(t *testing.T) {
	for _, e := range encodings[:2] { // in 2.0 an event may stand that its deleted records were
		t.Run(fmt.Sprint(e), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) {
				legacy := history{t: rt}.draw()
				w := bridged(rt, t, e, smallestLimit, true, legacy)
				var gone [2][compare.Streams]bool
				cut := func(list []taken, side Side) (kept []taken) { // by time, as retention does
					var begins [compare.Streams]int64
					for _, r := range list {
						if begins[r.stream] == 0 {
							begins[r.stream] = 1 + rapid.SampledFrom([]int64{0, 0, 3000, 10000}).Draw(rt, "begins")
						}
						if r.record.Time < begins[r.stream] {
							gone[side][r.stream] = true
						} else {
							kept = append(kept, r)
						}
					}
					return kept
				}
				if rapid.Bool().Draw(rt, "left") {
					w.legacy = cut(w.legacy, Left)
				}
				right := w.slim
				if rapid.Bool().Draw(rt, "right") {
					right = cut(w.slim, Right)
				}
				found := w.findings(t, right, func(j *compare.Judge) { j.LeftGone, j.RightGone = gone[Left], gone[Right] })
				for id, f := range found {
					if f.State == compare.Different {
						logged(rt, legacy, w)
						for _, r := range w.legacy {
							rt.Logf("left: %s/%d/%d", r.topic, r.record.Partition, r.record.Offset)
						}
						rt.Fatalf("gone %v: %s: %+v", gone, id, f)
					}
				}
			})
		})
	}
}

// What stands where a text or a number should be may be anything: its shape is shown.
func TestSamplesOfWrongTypesAreMasked(t *testing.T) {
	const personal = "Ivanova"
	w, ids := spoiled(t, "order_missing", 1)
	for i := range w.slim {
		r := &w.slim[i].record
		if w.slim[i].stream != compare.Orders || slices.Contains(ids, string(r.Key)) {
			continue
		}
		var v map[string]any
		if err := json.Unmarshal(r.Value, &v); err != nil {
			t.Fatal(err)
		}
		holder := map[string]any{"holder": personal}
		switch i % 4 {
		case 0:
			v["tickets"] = holder
		case 1:
			v["id"] = holder
		case 2:
			v["tickets"].([]any)[0].(map[string]any)["price_nominal"] = holder
		default:
			v["tickets"] = []any{personal}
		}
		r.Value, _ = json.Marshal(v)
		if i%2 == 0 { // the same again with other bytes
			again := w.slim[i]
			again.record.Offset += 1_000_000
			again.record.Value = append(slices.Clone(r.Value), ' ')
			w.slim = append(w.slim, again)
		}
	}
	samples := w.samples(t)
	if len(samples) < 5 {
		t.Fatalf("%+v", samples)
	}
	text, err := json.Marshal(samples)
	if err != nil || bytes.Contains(text, []byte(personal)) {
		t.Errorf("%s, %v", text, err)
	}
}

// Rows that are kept until they are written are bounded by what they hold, too.
func TestLargeRowsAreWritten(t *testing.T) {
	e := open(t, Options{Dir: "rows", FS: vfs.NewMem(), Form: formOf(plainJSON), Readers: [3]compare.Reader{Right: slimReader(t, formOf(plainJSON), plainJSON, false)}})
	defer e.Close()
	value := []byte(`{"tickets":[` + strings.Repeat(`{"id":"1"},`, 20_000) + `{"id":"2"}]}`)
	for i := range 20 {
		r := compare.Record{Place: compare.Place{Offset: int64(i)}, Key: fmt.Append(nil, i), Value: value}
		if err := e.Take(Right, compare.Orders, "orders", &r); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(e.store.sides); n > 10 {
		t.Errorf("%d rows of 20,001 tickets are kept", n)
	}
}
