package once

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
	"github.com/ticketscloud/vibe-bridge/compare/sample"
	"github.com/ticketscloud/vibe-bridge/internal/planted"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/slim"
)

func TestCleanSeason(t *testing.T) {
	for _, hostile := range []float64{0, 0.2} {
		for _, e := range encodings {
			t.Run(fmt.Sprint(hostile, e), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, season.Config{Orders: 2000, Seed: 5, Hostile: hostile}, e)
				totals := w.totals(t)
				if got := differences(totals); len(got) > 0 {
					t.Errorf("differences %q", got)
					for _, s := range totals.Samples {
						t.Logf("%+v", s)
					}
				}
				for name, s := range totals.Streams {
					if len(s.Undecidable) > 0 || s.Equal == 0 || hostile == 0 && (s.Coverage() != 1 || s.Equal != s.Right) {
						t.Errorf("%s: %+v", name, s)
					}
				}
			})
		}
	}
}

var plainJSON = slim.Encoding{Edition: slim.Edition1, Format: slim.JSON}

// Every kind of planted fault is found under its name and field, in those entities and no others.
func TestPlantedFaults(t *testing.T) {
	w := newWorld(t, season.Config{Orders: 1500, Events: 700, Seed: 3}, plainJSON)
	for _, kind := range planted.Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			const n = 3
			records, ids := w.season.Plant(kind, n, 7)
			if len(ids) != n {
				t.Fatalf("planted in %q", ids)
			}
			j := w.judging(t)
			j.Judge.LateAfter = planted.Late / 2
			j.Judge.Ordered = [compare.Streams]bool{compare.Orders: true, compare.Refunds: true}
			totals := w.judged(t, w.options(t, vfs.NewMem()), j, w.legacy, slimTaken(Right, records), w.rest).Totals
			want := strings.Join(strings.Fields(fmt.Sprint(kind.Stream, " ", kind.Category, " ", kind.Field, " ", n)), " ")
			if got := differences(totals); !slices.Equal(got, []string{want}) {
				t.Errorf("found %q, want %q", got, want)
			}
			var found []string
			for _, s := range totals.Samples {
				found = append(found, s.ID)
			}
			if slices.Sort(found); !slices.Equal(found, ids) {
				t.Errorf("found in %q, want %q", found, ids)
			}
		})
	}
}

// Whatever order sides and topics come in, and wherever it is interrupted, the totals
// are the same.
func TestAnyOrderAndAnyInterruption(t *testing.T) {
	w := newWorld(t, season.Config{Orders: 300, Seed: 11, Hostile: 0.2}, plainJSON)
	for _, kind := range planted.Kinds() {
		switch kind.Name {
		case "order_deleted", "not_json": // nothing can be planted into these any more
			continue
		}
		w.season.Slim, _ = w.season.Plant(kind, 1, 5)
	}
	w.slim = slimTaken(Right, w.season.Slim)
	want := w.totals(t)
	if len(want.Fields) < 10 {
		t.Fatalf("this shows nothing: %q", differences(want))
	}
	var topics [][]taken // each in its order
	byTopic := map[string]int{}
	for _, r := range slices.Concat(w.legacy, w.slim, w.rest) {
		name := r.side.String() + r.topic
		if _, ok := byTopic[name]; !ok {
			byTopic[name] = len(topics)
			topics = append(topics, nil)
		}
		topics[byTopic[name]] = append(topics[byTopic[name]], r)
	}
	rapid.Check(t, func(rt *rapid.T) {
		left := slices.Clone(topics)
		o := w.options(t, vfs.NewMem())
		e := open(t, o)
		for len(left) > 0 {
			i := rapid.IntRange(0, len(left)-1).Draw(rt, "topic")
			n := rapid.IntRange(1, max(1, len(left[i]))).Draw(rt, "records")
			e.take(t, left[i][:n]...)
			if left[i] = left[i][n:]; len(left[i]) == 0 {
				left = slices.Delete(left, i, i+1)
			}
			if !rapid.Bool().Draw(rt, "interrupted") {
				continue
			}
			// What was not committed is lost with the process, and read again.
			if rapid.Bool().Draw(rt, "committed") {
				if err := e.Commit(); err != nil {
					rt.Fatal(err)
				}
			}
			if err := e.Close(); err != nil {
				rt.Fatal(err)
			}
			e = open(t, o)
			left = e.rest(topics)
		}
		defer e.Close()
		if got := e.judge(t, w.judging(t)).Totals; !reflect.DeepEqual(got, want) {
			rt.Errorf("%q, want %q", differences(got), differences(want))
		}
	})
}

// rest is what is to be read after a start.
func (e *Engine) rest(topics [][]taken) (left [][]taken) {
	for _, list := range topics {
		next, _ := e.Next(list[0].side, list[0].topic, 0)
		if list = list[next:]; len(list) > 0 {
			left = append(left, list)
		}
	}
	return left
}

// Rows are written while records are taken, and not only at the end.
func TestInterruptedBetweenCommits(t *testing.T) {
	w := newWorld(t, season.Config{Orders: 2 * mostPending, Events: 100, Seed: 2}, plainJSON)
	want := w.totals(t)
	fs := vfs.NewMem()
	e := open(t, w.options(t, fs))
	e.take(t, w.legacy[:mostPending*3/2]...)
	if err := e.Close(); err != nil { // without a commit
		t.Fatal(err)
	}
	e = open(t, w.options(t, fs))
	defer e.Close()
	if next, ok := e.Next(Left, season.TopicOrders, 0); !ok || next < mostPending/2 {
		t.Errorf("goes on at %d", next)
	}
	e.take(t, w.legacy...) // those that were taken count once
	e.take(t, w.slim...)
	if got := e.judge(t, w.judging(t)).Totals; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got.Streams["orders"], want.Streams["orders"])
	}
}

func TestJudgingIsInterrupted(t *testing.T) {
	w := newWorld(t, season.Config{Orders: 50, Seed: 2}, plainJSON)
	e := open(t, w.options(t, vfs.NewMem()))
	defer e.Close()
	e.take(t, w.legacy...)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Judge(ctx, w.judging(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("ends with %v", err)
	}
}

// spoiled is a world with a fault of the kind in n entities.
func spoiled(t *testing.T, name string, n int) (*world, []string) {
	t.Helper()
	w := newWorld(t, season.Config{Orders: 600, Events: 300, Partners: 300, Seed: 3}, plainJSON)
	i := slices.IndexFunc(planted.Kinds(), func(k planted.Kind) bool { return k.Name == name })
	records, ids := w.season.Plant(planted.Kinds()[i], n, 7)
	w.slim = slimTaken(Right, records)
	return w, ids
}

func TestExpectedDifferences(t *testing.T) {
	w, _ := spoiled(t, "event_name", 4)
	for expires, unexplained := range map[string]int64{"2026-12-31": 0, "2026-06-30": 4} {
		expected, err := compare.ParseExpected("expected.yaml", []byte(`
expected:
  - id: dots
    owner: events team
    reason: names end with a dot
    expires: `+expires+`
    streams: [events]
    categories: [value]
    fields: [name]
`), nil)
		if err != nil {
			t.Fatal(err)
		}
		j := w.judging(t)
		j.Expected = expected
		totals := w.judged(t, w.options(t, vfs.NewMem()), j, w.legacy, w.slim, w.rest).Totals
		if e := totals.Streams["events"]; e.Unexplained != unexplained || e.Different != 4 || totals.Expected["dots"] != 4 || totals.Samples[0].Rule != "dots" {
			t.Errorf("expires %s: %+v, rules %v", expires, e, totals.Expected)
		}
	}
}

// What differs between a side and its replay is noise, also where it is borrowed.
func TestNoiseIsSubtracted(t *testing.T) {
	for _, of := range []Side{Left, Right} {
		for kind, field := range map[string]string{"event_name": "name", "organizer_name": "organizer.name"} {
			n := 4
			if kind == "organizer_name" {
				n = 1 // an organizer has more events than the one
			}
			w, ids := spoiled(t, kind, n)
			o := w.options(t, vfs.NewMem())
			o.Readers[Baseline], o.BaselineOf, o.BaselineHas = o.Readers[of], of, [compare.Streams]bool{true, true, true, true}
			var replay []taken
			if of == Right { // the right season again, without the faults
				replay = slimTaken(Baseline, w.season.Slim)
			} else if kind == "organizer_name" {
				replay = renamed(t, legacyTaken(Baseline, w.season.Legacy), w.partnersOf(t, ids))
			} else {
				replay = renamed(t, legacyTaken(Baseline, w.season.Legacy), ids)
			}
			r := w.judged(t, o, w.judging(t), w.legacy, w.slim, w.rest, replay)
			report := &compare.Report{}
			r.Totals.Fill(report, nil, r.Noise, time.Now())
			i := slices.IndexFunc(report.Counts, func(c compare.FieldCount) bool { return c.Field == field })
			if i < 0 || report.Counts[i].Count != int64(len(ids)) || report.Counts[i].Unexplained != 0 || report.Streams[0].Unexplained != 0 || len(report.Notes) > 0 {
				t.Errorf("%s of %s: counts %+v, noise %+v, notes %q", kind, of, report.Counts, report.Noise, report.Notes)
			}
			for _, f := range report.Noise.Fields {
				if f.Field != field {
					t.Errorf("%s of %s: noise in %+v", kind, of, f)
				}
			}
		}
	}
}

// renamed is a replay in which the events and partners with these ids have another name; nil: all events.
func renamed(t *testing.T, records []taken, ids []string) []taken {
	t.Helper()
	for i := range records {
		r := &records[i].record
		if len(r.Value) == 0 || ids != nil && !slices.Contains(ids, string(r.Key)) {
			continue
		}
		var err error
		switch {
		case records[i].stream == compare.Events:
			var m legacyproto.Event
			if proto.Unmarshal(r.Value, &m) == nil {
				m.Name += ", again"
				r.Value, err = proto.Marshal(&m)
			}
		case records[i].stream == compare.Partners && ids != nil:
			var m legacyproto.Partner
			if proto.Unmarshal(r.Value, &m) == nil {
				m.Name += ", again"
				r.Value, err = proto.Marshal(&m)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return records
}

// partnersOf are the organizers of events.
func (w *world) partnersOf(t *testing.T, events []string) (ids []string) {
	t.Helper()
	for _, r := range w.season.Legacy {
		var m legacyproto.Event
		if r.Topic == season.TopicEvents && slices.Contains(events, string(r.Key)) && proto.Unmarshal(r.Value, &m) == nil {
			ids = append(ids, m.Org)
		}
	}
	return ids
}

// A baseline that is none hides nothing, and the report says why.
func TestBrokenBaselines(t *testing.T) {
	w, _ := spoiled(t, "event_name", 4)
	other := newWorld(t, season.Config{Orders: 600, Events: 300, Seed: 4}, plainJSON)
	replay := func() []taken { return legacyTaken(Baseline, w.season.Legacy) }
	few := func(n int, side []taken) (out []taken, keys []string) { // those of the first n events
		for _, r := range side {
			key := string(r.record.Key)
			if r.stream == compare.Events && !slices.Contains(keys, key) && len(keys) < n {
				keys = append(keys, key)
			}
			if r.stream == compare.Partners || slices.Contains(keys, key) {
				out = append(out, r)
			}
		}
		return out, keys
	}
	part, keys := few(20, replay())
	for name, c := range map[string]struct {
		baseline []taken
		notes    string // the beginnings
	}{
		"a replay": {replay(), ""},
		"with a name of its own for every event": {renamed(t, replay(), nil),
			"name of events differs between the left side and its replay in 100 %, more than 10 %: "},
		"without the partners": {slices.DeleteFunc(replay(), func(r taken) bool { return r.stream == compare.Partners }), "organizer."},
		"a few events, one of them with another name": {renamed(t, part, keys[:1]),
			"the baseline is no replay of the left side: of events the side has 300, the baseline 20, and both 20; "},
		"another season":    {legacyTaken(Baseline, other.season.Legacy), "the baseline is no replay of the left side: of events the side has 300, the baseline 300, and both 0; "},
		"orders for events": {as(compare.Events, compare.Orders, replay()), "the baseline is no replay of the left side: of events the side has 300, the baseline "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := w.options(t, vfs.NewMem())
			o.Readers[Baseline], o.BaselineOf = o.Readers[Left], Left
			o.BaselineHas[compare.Events] = true
			r := w.judged(t, o, w.judging(t), w.legacy, w.slim, w.rest, c.baseline)
			report := &compare.Report{}
			r.Totals.Fill(report, nil, r.Noise, time.Now())
			if n := report.Streams[0].Unexplained; n != 4 || report.Counts[0].Unexplained != 4 {
				t.Errorf("%d unexplained, counts %+v", n, report.Counts)
			}
			if len(report.Notes) == 0 && c.notes != "" || len(report.Notes) > 0 && (c.notes == "" || !strings.HasPrefix(report.Notes[0], c.notes)) {
				t.Errorf("notes %q, want %q", report.Notes, c.notes)
			}
		})
	}
}

// as are the records of the topic of one stream given for another.
func as(wanted, given compare.Stream, records []taken) (out []taken) {
	for _, r := range records {
		switch r.stream {
		case wanted:
		case given:
			r.stream, r.topic = wanted, "given"
			fallthrough
		default:
			out = append(out, r)
		}
	}
	return out
}

// A record in quarantine that was replayed counts as if it was never there.
func TestReplayMarkers(t *testing.T) {
	w := newWorld(t, season.Config{Orders: 300, Seed: 11, Hostile: 0.2}, plainJSON)
	before := w.judged(t, w.options(t, vfs.NewMem()), w.judging(t), w.legacy, w.slim, w.rest)
	if before.Quarantine.Records == 0 || before.Quarantine.Oldest.IsZero() || !before.Quarantine.Known {
		t.Fatalf("this shows nothing: %+v", before.Quarantine)
	}
	marker := w.rest[0]
	marker.record.Headers = append(slices.Clone(marker.record.Headers), compare.Header{Key: headerReplayed, Value: fmt.Append(nil, w.rest[0].record.Offset)})
	marker.record.Offset = w.rest[len(w.rest)-1].record.Offset + 1
	after := w.judged(t, w.options(t, vfs.NewMem()), w.judging(t), w.legacy, w.slim, w.rest, []taken{marker})
	if after.Quarantine.Records != before.Quarantine.Records-1 {
		t.Errorf("%d in quarantine, %d before", after.Quarantine.Records, before.Quarantine.Records)
	}
	if got, want := absent(after.Totals), absent(before.Totals)+1; got != want {
		t.Errorf("%d missing, want %d: it is not in quarantine any more", got, want)
	}
	again := w.rest[0]
	again.record.Offset = marker.record.Offset + 1
	last := w.judged(t, w.options(t, vfs.NewMem()), w.judging(t), w.legacy, w.slim, w.rest, []taken{marker, again})
	if last.Quarantine.Records != before.Quarantine.Records {
		t.Errorf("quarantined again: %d, %d before", last.Quarantine.Records, before.Quarantine.Records)
	}
	// The marker is of the record that came before it was quarantined again.
	again.record.Offset, marker.record.Offset = marker.record.Offset, again.record.Offset
	last = w.judged(t, w.options(t, vfs.NewMem()), w.judging(t), w.legacy, w.slim, w.rest, []taken{again, marker})
	if last.Quarantine.Records != before.Quarantine.Records || absent(last.Totals) != absent(before.Totals) {
		t.Errorf("marked too late: %d, %d before", last.Quarantine.Records, before.Quarantine.Records)
	}
}

func absent(t compare.Totals) (n int64) {
	for _, f := range t.Fields {
		if f.Category == compare.Absent {
			n += f.Count
		}
	}
	return n
}

// What has to be in quarantine and is not, is missing, with an id or without.
func TestNotEvenInQuarantine(t *testing.T) {
	w := newWorld(t, season.Config{Orders: 300, Seed: 11, Hostile: 0.2}, plainJSON)
	full := w.totals(t)
	quarantined := int64(0)
	for _, s := range full.Streams {
		for _, n := range s.Quarantined {
			quarantined += n
		}
	}
	w.rest = nil
	totals := w.totals(t)
	missing, nameless := absent(totals), false
	for _, s := range totals.Samples {
		nameless = nameless || strings.HasPrefix(s.ID, "(no id) ")
	}
	if missing != quarantined || quarantined == 0 || !nameless {
		t.Errorf("%d missing, %d were in quarantine; without an id: %v", missing, quarantined, nameless)
	}
	e := open(t, w.options(t, vfs.NewMem()))
	defer e.Close()
	e.take(t, w.legacy...)
	if notes := e.Stats().Nameless; len(notes) == 0 {
		t.Error("no note about records without an id")
	}
}

func TestStrangeQuarantineRecords(t *testing.T) {
	w := newWorld(t, season.Config{Orders: 20, Seed: 1}, plainJSON)
	e := open(t, w.options(t, vfs.NewMem()))
	defer e.Close()
	h := func(topic, partition, offset string, more ...compare.Header) []compare.Header {
		return append([]compare.Header{{Key: headerTopic, Value: []byte(topic)}, {Key: headerPartition, Value: []byte(partition)}, {Key: headerOffset, Value: []byte(offset)}}, more...)
	}
	for i, headers := range [][]compare.Header{
		nil, h("another", "0", "1"), h(season.TopicOrders, "x", "1"), h(season.TopicOrders, "0", "-1"),
		h(season.TopicOrders, "0", "1", compare.Header{Key: headerReplayed, Value: []byte("0")}), // marks nothing
	} {
		if err := e.TakeQuarantine("q", &compare.Record{Place: compare.Place{Offset: int64(i)}, Headers: headers}); err != nil {
			t.Fatal(err)
		}
	}
	if got := e.Stats().Nameless; len(got) != 1 || !strings.HasPrefix(got[0], "quarantine: 5 ") {
		t.Errorf("notes %q", got)
	}
}

// Young sides are pending, and what is gone is undecidable.
func TestYoungAndGone(t *testing.T) {
	w, _ := spoiled(t, "order_missing", 4)
	j := w.judging(t)
	j.Judge.Young = func(left bool, s compare.Stream, side *rowpb.Side) bool { return left && s == compare.Orders }
	if got := w.judged(t, w.options(t, vfs.NewMem()), j, w.legacy, w.slim, w.rest).Totals; len(got.Fields) > 0 || got.Streams["orders"].Pending["recent"] < 4 {
		t.Errorf("%q, %+v", differences(got), got.Streams["orders"])
	}
	j = w.judging(t)
	j.Judge.RightGone[compare.Orders] = true
	if got := w.judged(t, w.options(t, vfs.NewMem()), j, w.legacy, w.slim, w.rest).Totals; len(got.Fields) > 0 || got.Streams["orders"].Undecidable["right_deleted"] != 4 {
		t.Errorf("%q, %+v", differences(got), got.Streams["orders"])
	}
}

// Two sets of slim topics of different editions and formats meet in one form.
func TestSlimAgainstSlim(t *testing.T) {
	c := season.Config{Orders: 500, Events: 200, Seed: 3} // without trouble: editions treat it differently
	for _, pair := range [][2]slim.Encoding{{encodings[0], encodings[1]}, {encodings[0], encodings[2]}, {encodings[1], encodings[2]}, {encodings[2], encodings[2]}} {
		left, right := newWorld(t, c, pair[0]), newWorld(t, c, pair[1])
		form := compare.Form{Protobuf: pair[0].Format == slim.Protobuf || pair[1].Format == slim.Protobuf}
		if edition(pair[0]) == edition(pair[1]) {
			form.Edition = edition(pair[0])
		}
		o := Options{Dir: "rows", FS: vfs.NewMem(), Form: form, Readers: [3]compare.Reader{
			Left: slimReader(t, form, pair[0], true), Right: slimReader(t, form, pair[1], true),
		}}
		j := right.judging(t)
		totals := left.judged(t, o, j, slimTaken(Left, left.season.Slim), right.slim).Totals
		if orders := totals.Streams["orders"]; len(totals.Fields) > 0 || orders.Equal != orders.Entities || orders.Equal == 0 {
			t.Errorf("%v: %q, %+v", pair, differences(totals), orders)
		}
	}
}

// sampler finds records where they were taken.
func (w *world) sampler(t testing.TB, places func(string, string, string, int64) string) *sample.Sampler {
	t.Helper()
	return &sample.Sampler{
		Form: formOf(w.encoding), Directory: places,
		Sides: [2]sample.Side{
			{Topics: legacyTopics, Reader: legacyReader(t, w.encoding)}, {Topics: slimTopics, Reader: slimReader(t, formOf(w.encoding), w.encoding, false)},
		},
		Fetch: func(_ context.Context, right bool, s compare.Stream, at *rowpb.Place) (*compare.Record, error) {
			for _, r := range slices.Concat(w.legacy, w.slim) {
				if (r.side == Right) == right && r.stream == s && r.record.Offset == at.Offset {
					return &r.record, nil
				}
			}
			return nil, nil
		},
	}
}

// samples of the differences that are found.
func (w *world) samples(t testing.TB, change ...func(*sample.Sampler)) (all []compare.Sample) {
	t.Helper()
	e := open(t, w.options(t, vfs.NewMem()))
	defer e.Close()
	e.take(t, slices.Concat(w.legacy, w.slim, w.rest)...)
	j := w.judging(t)
	s := w.sampler(t, j.Judge.Directory)
	for _, c := range change {
		c(s)
	}
	for _, ref := range e.judge(t, j).Totals.Samples {
		one, read := s.Sample(t.Context(), ref)
		if read == (one.Left.Unread || one.Right.Unread) {
			t.Errorf("read: %v, %+v", read, one)
		}
		all = append(all, one)
	}
	return all
}

// Samples show what both sides say: on the left side also what is borrowed.
func TestSamples(t *testing.T) {
	for _, kind := range planted.Kinds() {
		if kind.Category != "value" || strings.HasPrefix(kind.Field, "header.") {
			continue
		}
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			w, _ := spoiled(t, kind.Name, 2)
			samples := w.samples(t)
			if len(samples) != 2 {
				t.Fatalf("%+v", samples)
			}
			for _, s := range samples {
				both := append(slices.Clone(s.Left.Parts), s.Right.Parts...)
				marked := slices.ContainsFunc(both, func(p compare.Part) bool { return p.Differs })
				if !marked || len(s.Left.Parts) == 0 || s.Left.Place == "" || s.Right.Place == "" || strings.HasPrefix(kind.Field, "tickets[]") != (s.Item != "") {
					t.Errorf("%+v", s)
				}
				if joined(s.Left) == joined(s.Right) && !s.Left.Masked {
					t.Errorf("both sides say %q", joined(s.Left))
				}
				if personal := strings.HasPrefix(kind.Field, "customer") || kind.Field == "organizer.name"; personal {
					if text := joined(s.Left); !s.Left.Masked || text != strings.Map(shapeOf, text) {
						t.Errorf("shows %q", text)
					}
				}
			}
		})
	}
}

// shapeOf is what there is to be of a character of a personal text.
func shapeOf(c rune) rune {
	switch {
	case unicode.IsDigit(c):
		return '9'
	case unicode.IsUpper(c):
		return 'A'
	case unicode.IsLetter(c):
		return 'a'
	}
	return c
}

func joined(s compare.Shown) (text string) {
	for _, p := range s.Parts {
		text += p.Text
	}
	return text
}

// Where an entity differs as a whole, what both sides say of its fields is shown, personal texts by their shape.
func TestSamplesOfWholes(t *testing.T) {
	w, _ := spoiled(t, "order_stale", 2)
	personal := 0
	for _, s := range w.samples(t) {
		if s.Category != compare.Stale {
			t.Errorf("%+v", s)
		}
		for _, side := range []compare.Shown{s.Left, s.Right} {
			for _, field := range strings.Split(joined(side), "; ") {
				path, text, _ := strings.Cut(field, ": ")
				if !strings.HasPrefix(path, "customer.") {
					continue
				}
				if personal++; text == "" || text != strings.Map(shapeOf, text) {
					t.Errorf("%s is shown as %q", path, text)
				}
			}
		}
	}
	if personal == 0 {
		t.Error("no personal text was to be shown")
	}
}

func TestSampleOfAGoneRecord(t *testing.T) {
	w, _ := spoiled(t, "phone", 1)
	fetch := func(err error) func(*sample.Sampler) {
		return func(s *sample.Sampler) {
			s.Fetch = func(context.Context, bool, compare.Stream, *rowpb.Place) (*compare.Record, error) { return nil, err }
		}
	}
	if s := w.samples(t, fetch(nil))[0]; !s.Left.Gone || !s.Right.Gone || len(s.Left.Parts) > 0 || s.Left.Place == "" {
		t.Errorf("%+v", s)
	}
	if s := w.samples(t, fetch(errors.New("away")))[0]; s.Left.Gone || !s.Left.Unread || !s.Right.Unread || len(s.Left.Parts) > 0 || s.Left.Place == "" {
		t.Errorf("%+v", s)
	}
}

// What a side borrows cannot be told without the record that has it.
func TestSampleWithoutItsParent(t *testing.T) {
	w, _ := spoiled(t, "ticket_category", 1)
	s := w.samples(t, func(s *sample.Sampler) {
		all := s.Fetch
		s.Fetch = func(ctx context.Context, right bool, stream compare.Stream, at *rowpb.Place) (*compare.Record, error) {
			if stream == compare.Events {
				return nil, errors.New("away")
			}
			return all(ctx, right, stream, at)
		}
	})[0]
	if !s.Left.Unread || len(s.Left.Parts)+len(s.Right.Parts) > 0 {
		t.Errorf("%+v", s)
	}
}
