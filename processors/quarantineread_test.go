package processors

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// quarantineOf is a record of the quarantine topic about a record of the orders.
func quarantineOf(at int64, source int64, reason mapping.Reason, value []byte, more ...kgo.RecordHeader) *kgo.Record {
	r := &kgo.Record{Offset: at, Value: value, Timestamp: time.UnixMilli(1000 + at), Headers: []kgo.RecordHeader{{Key: mapping.HeaderErrorClass, Value: []byte("of the legacy record itself")}}}
	for _, h := range mapping.QuarantineHeaders(testTopics().Legacy[mapping.Orders], &statepb.Source{Offset: source, Time: 77}, mapping.StageIntake, reason) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	r.Headers = append(r.Headers, more...)
	return r
}

func markerOf(at, source int64, reason mapping.Reason, upTo string) *kgo.Record {
	return quarantineOf(at, source, reason, nil,
		kgo.RecordHeader{Key: mapping.HeaderReplayed, Value: []byte(upTo)}, kgo.RecordHeader{Key: mapping.HeaderReplayedOutcome, Value: []byte(OutcomeSent)})
}

// What is there several times is one; a marker is for what was there when the replay
// read it, and no more.
func TestReadQuarantineKnowsCopiesAndMarkers(t *testing.T) {
	for name, c := range map[string]struct {
		records []*kgo.Record
		want    string // source offset, reason, quarantine offset, copies, replayed
		foreign int
	}{
		"one":                    {[]*kgo.Record{quarantineOf(0, 5, "undecodable", []byte{0})}, "5 undecodable 0 1 false", 0},
		"a copy":                 {[]*kgo.Record{quarantineOf(0, 5, "undecodable", []byte{0}), quarantineOf(1, 5, "undecodable", []byte{0})}, "5 undecodable 1 2 false", 0},
		"two reasons":            {[]*kgo.Record{quarantineOf(0, 5, "undecodable", []byte{0}), quarantineOf(1, 5, "too_large", nil)}, "5 undecodable 0 1 false, 5 too_large 1 1 false", 0},
		"in legacy order":        {[]*kgo.Record{quarantineOf(0, 9, "undecodable", []byte{0}), quarantineOf(1, 5, "undecodable", []byte{0})}, "5 undecodable 1 1 false, 9 undecodable 0 1 false", 0},
		"marked":                 {[]*kgo.Record{quarantineOf(0, 5, "undecodable", []byte{0}), markerOf(1, 5, "undecodable", "0")}, "5 undecodable 0 1 true", 0},
		"copies marked":          {[]*kgo.Record{quarantineOf(0, 5, "a", []byte{0}), quarantineOf(1, 5, "a", nil), markerOf(2, 5, "a", "1")}, "5 a 1 2 true", 0},
		"rejected before marked": {[]*kgo.Record{quarantineOf(0, 5, "a", []byte{0}), quarantineOf(1, 5, "a", nil), markerOf(2, 5, "a", "0")}, "5 a 1 2 false", 0},
		"rejected after marked":  {[]*kgo.Record{quarantineOf(0, 5, "a", []byte{0}), markerOf(1, 5, "a", "0"), quarantineOf(2, 5, "a", nil)}, "5 a 2 2 false", 0},
		"another reason marked":  {[]*kgo.Record{quarantineOf(0, 5, "a", []byte{0}), markerOf(1, 5, "b", "0")}, "5 a 0 1 false", 1},
		"another record marked":  {[]*kgo.Record{quarantineOf(0, 5, "a", []byte{0}), markerOf(1, 6, "a", "0")}, "5 a 0 1 false", 1},
		"a marker of what comes": {[]*kgo.Record{quarantineOf(0, 5, "a", []byte{0}), markerOf(1, 5, "a", "2")}, "5 a 0 1 false", 1},
		"a marker of no number":  {[]*kgo.Record{quarantineOf(0, 5, "a", []byte{0}), markerOf(1, 5, "a", "x")}, "5 a 0 1 false", 1},
		"somebody else's":        {[]*kgo.Record{{Value: []byte("x")}, {Headers: []kgo.RecordHeader{{Key: mapping.HeaderErrorTopic, Value: []byte("other")}}}}, "", 2},
	} {
		q := quarantineReader{topics: testTopics(), found: map[quarantinedID]*Quarantined{}}
		for _, r := range c.records {
			q.add(r)
		}
		var list []*Quarantined
		for _, e := range q.found {
			list = append(list, e)
		}
		slices.SortFunc(list, inLegacyOrder)
		var got []string
		for _, e := range list {
			got = append(got, fmt.Sprint(e.Source.Offset, " ", e.Reason, " ", e.Offset, " ", e.Copies, " ", !e.Replayed.IsZero()))
		}
		if strings.Join(got, ", ") != c.want || q.foreign != c.foreign {
			t.Errorf("%s: %q and %d foreign records, want %q and %d", name, got, q.foreign, c.want, c.foreign)
		}
	}
}

// The legacy record is found where it is: in quarantine, or in its topic as long as
// that has it; and so is its time.
func TestReadOriginals(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		cluster := kafka.Cluster{Brokers: target.Addrs}.WithDefaults()
		legacy := testTopics().Legacy
		for s := range legacy {
			legacy[s] = target.Topic(legacy[s])
		}
		cfg := Config{Topics: NewTopics(target.Prefix+"bridge", legacy, "e", "o", "r"), Rules: testBridge().rules.current(), Source: cluster, State: cluster}
		topic, quarantine := cfg.Topics.Legacy[mapping.Orders], cfg.Topics.Quarantine()
		kafkatest.CreateTopic(t, target.Addrs, topic, 2, nil)
		kafkatest.CreateTopic(t, target.Addrs, quarantine, 2, nil)
		at := time.UnixMilli(1_777_000_000_000)
		order, err := proto.Marshal(&legacyproto.Order{Id: "o", Event: "e", Status: legacyproto.Order_CANCELLED})
		if err != nil {
			t.Fatal(err)
		}
		var sold []*kgo.Record
		for range 6 {
			sold = append(sold, &kgo.Record{Partition: 1, Value: order, Timestamp: at})
		}
		kafkatest.ProducePinned(t, target.Addrs, topic, sold...)
		noTime := func(r *kgo.Record) *kgo.Record {
			r.Headers = slices.DeleteFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == mapping.HeaderSourceTime })
			return r
		}
		records := []*kgo.Record{
			quarantineOf(0, 0, "a", []byte("kept"), kgo.RecordHeader{}),
			noTime(quarantineOf(0, 5, "b", []byte("kept, without its time"))),
			noTime(quarantineOf(0, 1, "c", []byte("kept, its time gone"))),
			quarantineOf(0, 4, "d", nil, kgo.RecordHeader{Key: mapping.HeaderSourceTime, Value: []byte("1777000000000")}), // by its place
			quarantineOf(0, 1, "e", nil, kgo.RecordHeader{Key: mapping.HeaderOmitted, Value: []byte("12345")}),            // gone
			quarantineOf(0, 9, "f", nil), // never was
		}
		for i, r := range records {
			r.Partition = int32(i % 2)
			for j := range r.Headers {
				switch r.Headers[j].Key {
				case mapping.HeaderErrorTopic:
					r.Headers[j].Value = []byte(topic)
				case mapping.HeaderErrorPartition:
					r.Headers[j].Value = []byte("1")
				}
			}
		}
		kafkatest.ProducePinned(t, target.Addrs, quarantine, records...)
		deleteRecords(t, target.Addrs, topic, 1, 3)

		list, err := ReadQuarantine(t.Context(), cfg)
		if err != nil || len(list.Records) != len(records) {
			t.Fatalf("%d records, %v", len(list.Records), err)
		}
		slices.SortFunc(list.Records, func(a, b *Quarantined) int { return strings.Compare(a.Reason, b.Reason) })
		if err := FillReferences(t.Context(), cfg, list.Records); err != nil {
			t.Fatal(err)
		}
		originals, err := ReadOriginals(t.Context(), cfg, list.Records)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []struct {
			value, result, id string
			time              int64
			unavailable       bool
		}{
			{"kept", "still undecodable", "", 77, false},
			{"kept, without its time", "still undecodable", "", at.UnixMilli(), false},
			{"kept, its time gone", OutcomeUnknownTime, "", -1, false},
			{string(order), "skipped: status_cancelled", "o", at.UnixMilli(), false},
			{"", OutcomeUnavailable, "", 0, true},
			{"", OutcomeUnavailable, "", 0, true},
		} {
			e, o := list.Records[i], originals[i]
			if got := WouldReplay(cfg, e, o); got.Result != want.result || got.Done() != (i == 3) || e.Order != want.id || e.Unavailable != want.unavailable {
				t.Errorf("%s: %s, order %q, unavailable %t; want %+v", e.Reason, got.Result, e.Order, e.Unavailable, want)
			}
			if (o == nil) != (want.value == "") {
				t.Errorf("%s: found is %t", e.Reason, o != nil)
			}
			if o == nil {
				continue
			}
			if string(o.Value) != want.value || want.time >= 0 && o.Time.UnixMilli() != want.time || o.Time.IsZero() != (want.time < 0) {
				t.Errorf("%s: %q of %s, want %q of %d", e.Reason, o.Value, o.Time, want.value, want.time)
			}
			if n := len(o.Headers); e.Reference && n != 0 || !e.Reference && n != 1 {
				t.Errorf("%s: %d headers of its own", e.Reason, n)
			}
		}
		if list.Records[4].Bytes != 12345 {
			t.Errorf("%d bytes were left out", list.Records[4].Bytes)
		}
	})
}

// A legacy topic was created anew: at the place of a record that is in quarantine by its
// place alone stands another, of another time. It is neither shown nor replayed.
func TestReferenceIntoARecreatedTopicIsUnavailable(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		cluster := kafka.Cluster{Brokers: target.Addrs}.WithDefaults()
		legacy := testTopics().Legacy
		for s := range legacy {
			legacy[s] = target.Topic(legacy[s])
		}
		cfg := Config{Topics: NewTopics(target.Prefix+"bridge", legacy, "e", "o", "r"), Rules: testBridge().rules.current(), Source: cluster, State: cluster}
		topic, quarantine := cfg.Topics.Legacy[mapping.Orders], cfg.Topics.Quarantine()
		kafkatest.CreateTopic(t, target.Addrs, topic, 1, nil)
		kafkatest.CreateTopic(t, target.Addrs, quarantine, 1, nil)
		other, err := proto.Marshal(&legacyproto.Order{Id: "another", Event: "e", Status: legacyproto.Order_CANCELLED})
		if err != nil {
			t.Fatal(err)
		}
		kafkatest.ProducePinned(t, target.Addrs, topic, &kgo.Record{Value: other, Timestamp: time.UnixMilli(1_777_000_000_000)})
		r := quarantineOf(0, 0, "too_large", nil, kgo.RecordHeader{Key: mapping.HeaderOmitted, Value: []byte("9000000")})
		for j := range r.Headers {
			if r.Headers[j].Key == mapping.HeaderErrorTopic {
				r.Headers[j].Value = []byte(topic)
			}
		}
		kafkatest.ProducePinned(t, target.Addrs, quarantine, r)
		list, err := ReadQuarantine(t.Context(), cfg)
		if err != nil || len(list.Records) != 1 {
			t.Fatal(list, err)
		}
		e := list.Records[0]
		if err := FillReferences(t.Context(), cfg, list.Records); err != nil {
			t.Fatal(err)
		}
		originals, err := ReadOriginals(t.Context(), cfg, list.Records)
		if err != nil {
			t.Fatal(err)
		}
		if got := WouldReplay(cfg, e, originals[0]); got.Result != OutcomeUnavailable || e.Order != "" || !e.Unavailable {
			t.Errorf("%s, order %q, unavailable %t: want it to be %s", got.Result, e.Order, e.Unavailable, OutcomeUnavailable)
		}
	})
}

// A legacy producer may count its time in microseconds, and give years that JSON does
// not know. The list goes on, and a replay has the time as it is.
func TestQuarantinedOfAnOddTimeIsListed(t *testing.T) {
	for ms, want := range map[string]string{
		"1777000000000000":     `"source_time":"9999-12-31T23:59:59Z"`,
		"9223372036854775807":  `"source_time":"9999-12-31T23:59:59Z"`,
		"-9223372036854775808": "",
	} {
		r := quarantineOf(0, 5, "undecodable", []byte{0}, kgo.RecordHeader{Key: mapping.HeaderSourceTime, Value: []byte(ms)})
		r.Timestamp = time.UnixMilli(1777000000000000)
		e, ok := readQuarantined(testTopics(), r)
		if !ok {
			t.Fatal("not read")
		}
		text, err := json.Marshal(e)
		if err != nil || want != "" && !strings.Contains(string(text), want) || want == "" && strings.Contains(string(text), "source_time") {
			t.Errorf("%s: listed as %s, %v; want %s", ms, text, err, want)
		}
		if got := e.original(r, nil).Time.UnixMilli(); strconv.FormatInt(got, 10) != ms {
			t.Errorf("%s: replayed as of %d", ms, got)
		}
	}
}

// A legacy record may have headers of any name: they do not make it a marker, which
// nothing would list.
func TestLegacyHeadersAreNoMarker(t *testing.T) {
	r := quarantineOf(0, 5, "undecodable", []byte{0})
	r.Headers = append([]kgo.RecordHeader{{Key: mapping.HeaderReplayed, Value: []byte("17")}, {Key: mapping.HeaderOmitted, Value: []byte("99")}}, r.Headers...)
	q := quarantineReader{topics: testTopics(), found: map[quarantinedID]*Quarantined{}}
	q.add(r)
	if len(q.found) != 1 || q.foreign != 0 {
		t.Errorf("%d records found, %d foreign: want the one", len(q.found), q.foreign)
	}
	for _, e := range q.found {
		if e.Bytes != 1 {
			t.Errorf("it has %d bytes, want 1", e.Bytes)
		}
	}
}

// No legacy record is at a place below 0: such a header was written by somebody else.
func TestImpossiblePlacesAreForeign(t *testing.T) {
	for _, h := range []kgo.RecordHeader{{Key: mapping.HeaderErrorPartition, Value: []byte("-1")}, {Key: mapping.HeaderErrorOffset, Value: []byte("-5")}} {
		if e, ok := readQuarantined(testTopics(), quarantineOf(0, 5, "undecodable", []byte{0}, h)); ok {
			t.Errorf("%s is %s: taken for a record at %s", h.Key, h.Value, e.Source)
		}
	}
}

// A leader that goes away for good in mid-read ends the read. On the embedded broker alone: real ones cannot be told to
// refuse fetches.
func TestReadOfATopicThatStalls(t *testing.T) {
	target := kafkatest.Embedded(t, embedded.Options{})
	topic := target.Topic("quarantine")
	kafkatest.CreateTopic(t, target.Addrs, topic, 1, nil)
	kafkatest.ProducePinned(t, target.Addrs, topic, &kgo.Record{Value: []byte("x")})
	target.Embedded.Cluster().ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		target.Embedded.Cluster().KeepControl()
		return nil, io.EOF, true
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := readStalling(ctx, kafka.Cluster{Brokers: target.Addrs}.WithDefaults(), topic, nil, 100*time.Millisecond, func(*kgo.Record) { t.Error("a record") })
	if !errors.Is(err, errStalled) {
		t.Errorf("ended with %v, want %v", err, errStalled)
	}
}

// deleteRecords does what retention does, below an offset.
func deleteRecords(t *testing.T, addrs []string, topic string, partition int32, below int64) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, partition, below, -1)
	deleted, err := kadm.NewClient(cl).DeleteRecords(t.Context(), offsets)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Values are read in runs that fit into memory; one that does not is read alone.
func TestBatchesFitIntoMemory(t *testing.T) {
	var records []*Quarantined
	for _, size := range []int{1, batchBytes, 1, batchBytes - 1, 1, 1, 1, 1, 3 * batchBytes} {
		records = append(records, &Quarantined{Bytes: size})
	}
	var unknown []*Quarantined // references that do not say how large the record is
	for range batchBytes/unknownBytes + 1 {
		unknown = append(unknown, &Quarantined{Reference: true})
	}
	for _, c := range []struct {
		records []*Quarantined
		most    int
		want    string
	}{{records, 3, "1 1 2 3 1 1"}, {unknown, batchRecords, "32 1"}} {
		var got []string
		err := eachBatch(c.records, c.most, func(batch []*Quarantined) error {
			got = append(got, strconv.Itoa(len(batch)))
			return nil
		})
		if s := strings.Join(got, " "); s != c.want || err != nil {
			t.Errorf("batches of %s, %v; want %s", s, err, c.want)
		}
	}
}

// No text that may be personal is shown, whatever message it is in.
func TestShownFieldsHideWhatIsPersonal(t *testing.T) {
	personal := regexp.MustCompile(`(?i)secret|7900|\+7|example|4600`)
	for s, m := range map[mapping.Stream]proto.Message{
		mapping.Partners: &legacyproto.Partner{Id: "p", Name: "Secret", Currency: "rub", Legal: &legacyproto.Partner_Legal{Name: "Secret", Address: "Secret", Inn: "79001234567"}},
		mapping.Events: &legacyproto.Event{
			Id: "e", Name: "Evening", Description: "secret", Lifetime: &legacyproto.Lifetime{Start: &timestamppb.Timestamp{Seconds: 1777651200}, Finish: &timestamppb.Timestamp{Seconds: 1 << 60}},
			Sets: []*legacyproto.Event_TicketSet{{Id: "s", Name: "Stalls"}, {Id: "s2"}},
		},
		mapping.Orders: &legacyproto.Order{
			Id: "o", Event: "e", Number: 12, Status: legacyproto.Order_DONE,
			Settings: &legacyproto.Order_Settings{Customer: &legacyproto.Order_Settings_Customer{Name: "Secret Ёлкин", Phone: "+7 (900) 123", Email: "secret@example.com"}},
			Tickets:  []*legacyproto.Order_Ticket{{Id: "t", Barcode: "460001", Serial: "SECRET"}},
		},
		mapping.Refunds: &legacyproto.RefundRequest{Id: "r", Order: "o", Event: "e", Tickets: []*legacyproto.RefundRequest_Ticket{{Id: "t"}}},
	} {
		value, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		fields, err := ShownFields(s, value)
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprint(fields)
		if found := personal.FindString(text); found != "" {
			t.Errorf("%s: shows %q in %s", s, found, text)
		}
		for _, want := range map[mapping.Stream][]string{
			mapping.Partners: {"{id p}", "{name Aaaaaa}", "{legal.inn 99999999999}"},
			mapping.Events:   {"{sets[0].name Stalls}", "{lifetime.start 2026-05-01T16:00:00Z}", "which is no time"},
			mapping.Orders:   {`{settings.customer.phone "+9 (999) 999"}`, `{settings.customer.name "Aaaaaa Aaaaa"}`, "{settings.customer.email aaaaaa@aaaaaaa.aaa}", "{status DONE}", "{tickets[0].barcode 999999}"},
			mapping.Refunds:  {"{tickets[0].id t}", "{order o}"},
		}[s] {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %s in %s", s, want, text)
			}
		}
	}
	if _, err := ShownFields(mapping.Orders, []byte{0x0a, 6, 'S', 'e', 0xff}); err == nil || personal.MatchString(err.Error()) {
		t.Errorf("of bytes that are no record: %v", err)
	}
	long, err := proto.Marshal(&legacyproto.Event{Id: "e", Name: strings.Repeat("я", mostShown+3)})
	if err != nil {
		t.Fatal(err)
	}
	if fields, err := ShownFields(mapping.Events, long); err != nil || !bytes.Contains([]byte(fmt.Sprint(fields)), []byte("and 3 more characters")) {
		t.Errorf("a long text: %v, %v", fields, err)
	}
}
