package compare

import (
	"strings"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
)

// noRows are those of a judge that needs none.
type noRows struct{}

func (noRows) Partner(string) (*rowpb.Row, error)       { return nil, nil }
func (noRows) Event(string) (*rowpb.Row, error)         { return nil, nil }
func (noRows) Order(string, string) (*rowpb.Row, error) { return nil, nil }
func (noRows) Quarantined(Stream, *rowpb.Place) (string, bool, bool, error) {
	return "", false, false, nil
}

// Ids are opaque: two of them are not one with a space in it.
func TestIDsWithASpace(t *testing.T) {
	reader, err := NewSlimReader(SlimOptions{Form: Form{Edition: 1}, Edition: 1, Format: "json", ApplicationID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	read := func(s Stream, value string) string {
		var sheet Sheet
		reader.Read(s, &Record{Key: []byte("k"), Value: []byte(value)}, &sheet)
		return sheet.Cells[indexOf(Fields(s), map[Stream]string{Orders: "tickets", Refunds: "ticket_ids"}[s])].Text
	}
	if two, one := read(Refunds, `{"ticket_ids":["a","b"]}`), read(Refunds, `{"ticket_ids":["a b"]}`); two == one {
		t.Errorf("both are %q", one)
	}
	if two, one := read(Orders, `{"tickets":[{"id":"a"},{"id":"b"}]}`), read(Orders, `{"tickets":[{"id":"a b"}]}`); two == one {
		t.Errorf("both are %q", one)
	}
	if a, b := read(Refunds, `{"ticket_ids":["a","b c"]}`), read(Refunds, `{"ticket_ids":["a b","c"]}`); a == b {
		t.Errorf("both are %q", a)
	}
}

func reportOfStreams(streams ...StreamTotals) *Report {
	totals := Totals{Streams: map[string]*StreamTotals{}}
	for i := range streams {
		totals.Streams[Stream(i+1).String()] = &streams[i]
	}
	r := &Report{Version: 1, Run: Run{Time: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)}}
	totals.Fill(r, nil, nil, r.Run.Time)
	return r
}

func concluded(t *testing.T, r *Report, c Cutover, history ...TrendPoint) *Report {
	t.Helper()
	if err := r.Conclude(c, QuarantineFacts{Known: true, Records: 1, Oldest: r.Run.Time}, history); err != nil {
		t.Fatal(err)
	}
	return r
}

// A stream of which everything went to quarantine has not been compared.
func TestNoGoWithAStreamInQuarantine(t *testing.T) {
	r := reportOfStreams(
		StreamTotals{Left: 5, Right: 5, Entities: 5, Equal: 5},
		StreamTotals{Entities: 9, Quarantined: map[string]int64{"undecidable": 9}},
	)
	if concluded(t, r, DefaultCutover()); r.Verdict.Go || r.Streams[1].Coverage != 0 || r.Streams[2].Coverage != 1 {
		t.Errorf("%+v", r.Verdict)
	}
}

// An empty comparison is no clean day.
func TestEmptyComparisonsAreNotClean(t *testing.T) {
	c := DefaultCutover()
	c.DaysClean = 2
	var history []TrendPoint
	for day := range 4 {
		r := reportOfStreams()
		r.Run.Time = r.Run.Time.Add(time.Duration(day-4) * 24 * time.Hour)
		history = append(history, concluded(t, r, c, history...).Trend[day])
	}
	r := reportOfStreams(StreamTotals{Left: 5, Right: 5, Entities: 5, Equal: 5})
	if concluded(t, r, c, history...); r.Verdict.Go {
		t.Errorf("%+v", r.Verdict)
	}
}

// A record of the left side that cannot be read differs as a whole, and in no field.
func TestUnreadableOnTheLeft(t *testing.T) {
	reader, err := NewSlimReader(SlimOptions{Form: Form{Edition: 1}, Edition: 1, Format: "json", ApplicationID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	side := func(value string) *rowpb.Side {
		var sheet Sheet
		r := &Record{Key: []byte("k"), Value: []byte(value)}
		reader.Read(Refunds, r, &sheet)
		return Digest(Refunds, &sheet, r, 0)
	}
	judge := &Judge{Form: Form{Edition: 1}, Rows: noRows{}, Young: func(bool, Stream, *rowpb.Side) bool { return false }}
	f, err := judge.Entity(Refunds, &rowpb.Row{Left: side(`{"ticket`), Right: side(`{"customer":{"email":"","phone":"+79000000000"},"ticket_ids":["a"]}`)})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Differences {
		if d.Category == Value {
			t.Errorf("%+v", d)
		}
	}
}

// Any number of unknown fields takes as much room in a row as some of them.
func TestManyUnknownFields(t *testing.T) {
	reader, err := NewSlimReader(SlimOptions{Form: Form{Edition: 1}, Edition: 1, Format: "json", ApplicationID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	var value strings.Builder
	value.WriteString(`{"customer":{"email":"","phone":"+79000000000"}`)
	for i := range 100_000 {
		value.WriteString(`,"` + strings.Repeat("u", i%40) + `":1`)
	}
	value.WriteString(`,"ticket_ids":[]}`)
	var sheet Sheet
	reader.Read(Refunds, &Record{Key: []byte("k"), Value: []byte(value.String())}, &sheet)
	if n := len(sheet.Faults); n > 1000 {
		t.Errorf("%d faults", n)
	}
	found := false
	for _, f := range sheet.Faults {
		found = found || f.Kind == Missing && f.Field == indexOf(Fields(Refunds), "ticket_ids")
	}
	if !found {
		t.Error("a fault behind them is lost")
	}
}

// Whether a record could be read again for a sample is not part of what the marks give.
func TestDigestIsWithoutWhatIsGone(t *testing.T) {
	digest := func(left Shown, place string) string {
		r := reportOfStreams(StreamTotals{Left: 5, Right: 5, Entities: 5, Equal: 5})
		left.Place = place
		r.Samples = []Sample{{Stream: "orders", Category: Value, Field: "number", ID: "1", Left: left, Right: Shown{Place: "orders/0/1"}}}
		return concluded(t, r, DefaultCutover()).Digest
	}
	there, gone := digest(Shown{Parts: []Part{{Text: "1"}}}, "left/0/1"), digest(Shown{Gone: true}, "left/0/1")
	if there != gone || gone == digest(Shown{Gone: true}, "left/0/2") {
		t.Error("digests depend on what is gone, or do not on where samples are")
	}
}

// Reasons come from the headers of another topic: there may be any number of them.
func TestManyReasons(t *testing.T) {
	tally := &Tally{}
	for i := range 1000 {
		tally.Add(Orders, "1", &rowpb.Row{}, Finding{State: IsQuarantined, Reason: strings.Repeat("x", i)})
	}
	var all int64
	counts := tally.Totals().Streams["orders"].Quarantined
	for _, n := range counts {
		all += n
	}
	if len(counts) > mostFields+1 || all != 1000 {
		t.Errorf("%d of %d reasons", all, len(counts))
	}
}
