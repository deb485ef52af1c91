package live

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/live/livepb"
	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// An order or a refund is judged beside the event that the left side names, or else the right one.
func TestJudgedAt(t *testing.T) {
	left := func(event, order string) *rowpb.Row { return &rowpb.Row{Left: &rowpb.Side{Event: event, Order: order}} }
	orders, refunds := uint32(compare.Orders), uint32(compare.Refunds)
	for name, c := range map[string]struct {
		e    *livepb.Entity
		want string
	}{
		"left":                   {&livepb.Entity{Stream: orders, Id: "o", Row: &rowpb.Row{Left: &rowpb.Side{Event: "l"}, Right: &rowpb.Side{Event: "r"}}}, "l/o"},
		"right alone":            {&livepb.Entity{Stream: orders, Id: "o", Row: &rowpb.Row{Right: &rowpb.Side{Event: "r"}}}, "r/o"},
		"left that is skipped":   {&livepb.Entity{Stream: orders, Id: "o", Event: "s", Row: &rowpb.Row{Right: &rowpb.Side{Event: "r"}}}, "s/o"},
		"nobody":                 {&livepb.Entity{Stream: orders, Id: "o", Row: &rowpb.Row{Right: &rowpb.Side{}}}, ""},
		"refund":                 {&livepb.Entity{Stream: refunds, Id: "r", Row: left("e", "o")}, "e/o/r"},
		"refund without order":   {&livepb.Entity{Stream: refunds, Id: "r", Row: left("e", "")}, ""},
		"slashes and per cents":  {&livepb.Entity{Stream: refunds, Id: "r/%2F", Row: left("e/1", "o%")}, "e%2F1/o%25/r%2F%252F"},
		"no row at all, a guard": {&livepb.Entity{Stream: orders, Id: "o"}, ""},
	} {
		if got := judgedAt(c.e); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Goka, its emitter and this program's producers have to agree where a key goes.
func TestPartitionOfKeys(t *testing.T) {
	tops := topics{"b"}
	h := kafka.NewPrefixHasher()
	for _, key := range []string{"", "e", "e/o", "e/o/r", "%2F/o", "some other event/x"} {
		h.Reset()
		_, _ = h.Write([]byte(key))
		for _, n := range []int32{1, 2, 3, 7} {
			if got, want := tops.partition(tops.rows(), key, n), int32(h.Sum32())%n; got != want {
				t.Errorf("%q of %d: %d, and Goka says %d", key, n, got, want)
			}
			if event := tops.partition(tops.records(), "e", n); key != "" && key[0] == 'e' && tops.partition(tops.rows(), key, n) != event {
				t.Errorf("%q of %d is not beside its event", key, n)
			}
		}
	}
}

func quarantineRecord(offset int64, more ...string) *kgo.Record {
	r := &kgo.Record{Offset: offset, Timestamp: time.UnixMilli(1000 + offset)}
	all := append([]string{"__connect.errors.topic", "foreign, of the legacy record", headerTopic, "events", headerPartition, "1", headerOffset, "7"}, more...)
	for i := 0; i < len(all); i += 2 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: all[i], Value: []byte(all[i+1])})
	}
	return r
}

// What was replayed is in quarantine no more, unless it came there again.
func TestQuarantine(t *testing.T) {
	q := newQuarantine(map[compare.Stream]string{compare.Events: "events"})
	at := &rowpb.Place{Partition: 1, Offset: 7}
	is := func(step string, want bool, records int64) {
		t.Helper()
		if reason, named := q.get(compare.Events, at); named != want || named && reason != "too_large" {
			t.Errorf("%s: %q, %v, want %v", step, reason, named, want)
		}
		if f := q.facts(); f.Records != records || f.Oldest.IsZero() != (records == 0) {
			t.Errorf("%s: %+v, want %d records", step, f, records)
		}
	}
	is("nothing", false, 0)
	q.take(quarantineRecord(3, headerClass, "too_large"))
	is("named", true, 1)
	q.take(quarantineRecord(4, headerClass, "undecodable", headerReplayed, "3"))
	is("another reason replayed", true, 1)
	q.take(quarantineRecord(5, headerClass, "too_large", headerReplayed, "2"))
	is("an earlier one replayed", true, 1)
	q.take(quarantineRecord(6, headerClass, "too_large", headerReplayed, "3"))
	is("replayed", false, 0)
	q.take(quarantineRecord(8, headerClass, "too_large"))
	is("again", true, 1)
	q.take(&kgo.Record{Offset: 9})
	q.take(quarantineRecord(10, headerPartition, "-", headerClass, "too_large"))
	is("foreign records", true, 1)
}

// The results of hours are whole: a partition without one in an hour keeps that of before. A walk that comes
// late, of an instance that lost the partition, does not replace a newer one.
func TestResults(t *testing.T) {
	r := newResults(1)
	began := time.Date(2026, 7, 1, 10, 30, 0, 0, time.UTC)
	put := func(group string, at time.Time, equal int64) {
		p := Part{Group: group, Time: at, Horizon: at.UnixMilli(), Totals: compare.Totals{
			Streams: map[string]*compare.StreamTotals{"orders": {Entities: equal, Equal: equal}},
		}}
		r.take(&kgo.Record{Key: []byte(p.key()), Value: encoded(p)})
	}
	put("joins", began, 1)
	if w := r.whole(3); w.Complete || w.Parts != 1 || len(r.hours()) != 0 {
		t.Errorf("a half is whole: %+v", w)
	}
	put("events", began.Add(time.Minute), 10)
	put("events", began.Add(time.Hour), 20)
	put("events", began.Add(50*time.Minute), 15) // late
	w := r.whole(3)
	if !w.Complete || w.Totals.Streams["orders"].Equal != 21 || !w.Time.Equal(began) || w.Horizon != began.UnixMilli() {
		t.Errorf("the whole: %+v", w)
	}
	hours := r.hours()
	if len(hours) != 2 || hours[0].Totals.Streams["orders"].Equal != 11 || hours[1].Totals.Streams["orders"].Equal != 21 {
		t.Errorf("hours: %+v", hours)
	}
	r.take(&kgo.Record{Key: []byte((&Part{Group: "events", Time: began}).key())})
	if len(r.hours()) != 1 {
		t.Error("a deleted hour is still there")
	}
}
