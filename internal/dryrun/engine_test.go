package dryrun

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/schemacheck"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/slim"
)

func testConfig(edition slim.Edition) Config {
	return Config{
		ApplicationID: "test", SourceHeader: true,
		Rules: &mapping.Rules{
			Encoding:        slim.Encoding{Edition: edition, Format: slim.JSON},
			Directory:       directory.Empty(),
			DefaultLocation: time.UTC,
			OrganizerHold:   time.Minute,
			SetHold:         time.Minute,
			MaxRecordBytes:  mapping.DefaultMaxRecordBytes,
		},
	}
}

// run is an engine with what it wrote.
type run struct {
	*Engine
	t       *testing.T
	written []recordfile.Record
	offsets map[string]int64
}

func newRun(t *testing.T, cfg Config) *run {
	t.Helper()
	r := &run{t: t, offsets: map[string]int64{}}
	engine, err := New(cfg, func(rec recordfile.Record) error {
		r.written = append(r.written, rec)
		if err := schemacheck.CheckRecorded(rec); err != nil {
			t.Errorf("%s/%d: %v", rec.Topic, rec.Offset, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Engine = engine
	return r
}

func (r *run) feed(topic string, messages ...proto.Message) {
	r.t.Helper()
	for _, m := range messages {
		value, err := proto.Marshal(m)
		if err != nil {
			r.t.Fatal(err)
		}
		rec := recordfile.Record{Topic: topic, Offset: r.offsets[topic], Value: value}
		r.offsets[topic]++
		if err := r.Process(rec); err != nil {
			r.t.Fatal(err)
		}
	}
}

// keys lists what was written since the last call, as TOPIC KEY.
func (r *run) keys() []string {
	var keys []string
	for _, rec := range r.written {
		keys = append(keys, rec.Topic+" "+string(rec.Key))
	}
	r.written = nil
	return keys
}

func (r *run) want(what string, keys ...string) {
	r.t.Helper()
	if got := r.keys(); !slices.Equal(got, keys) {
		r.t.Errorf("%s: wrote %q, want %q", what, got, keys)
	}
}

func partner(id string) *legacyproto.Partner {
	return &legacyproto.Partner{Id: id, Name: "Organizer", Currency: "rub"}
}

func event(id, org string) *legacyproto.Event {
	return &legacyproto.Event{Id: id, Name: "Evening", Org: org, Lifetime: &legacyproto.Lifetime{Start: &timestamppb.Timestamp{Seconds: 1777651200}}}
}

func order(id, event, set string) *legacyproto.Order {
	return &legacyproto.Order{
		Id: id, Event: event, Status: legacyproto.Order_DONE,
		Settings: &legacyproto.Order_Settings{Customer: &legacyproto.Order_Settings_Customer{Phone: "+79001234567", Email: "buyer@example.com"}},
		Tickets:  []*legacyproto.Order_Ticket{{Id: "ticket1", Barcode: "460001", Set: set}},
	}
}

func refund(id, order, event string) *legacyproto.RefundRequest {
	return &legacyproto.RefundRequest{
		Id: id, Order: order, Event: event, Status: legacyproto.RefundRequest_APPROVED,
		Tickets: []*legacyproto.RefundRequest_Ticket{{Id: "ticket1"}},
	}
}

func TestNewChecksRules(t *testing.T) {
	cfg := testConfig(slim.Edition2)
	cfg.Rules.Encoding.Format = slim.Protobuf
	if _, err := New(cfg, nil); err == nil || !strings.Contains(err.Error(), "protobuf") {
		t.Errorf("New with Protobuf for 2.0: %v", err)
	}
}

func TestUnknownTopic(t *testing.T) {
	r := newRun(t, testConfig(slim.Edition1))
	err := r.Process(recordfile.Record{Topic: "orders", Value: []byte{1}})
	if err == nil {
		t.Fatal("orders is a slim topic, not a legacy one")
	}
	for _, word := range []string{`"orders"`, "partners", "events", "orders_done", "refund_requests"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %s", err, word)
		}
	}
	r.feed("events", event("event1", "")) // the engine can go on
	r.want("after the error", "events event1")
	if a := r.Summary().Accounts; a[mapping.Events].Consumed != 1 || !a.Balanced() {
		t.Errorf("the record of an unknown topic is accounted for: %+v", a)
	}
}

func TestSinkError(t *testing.T) {
	full := errors.New("disk full")
	engine, err := New(testConfig(slim.Edition1), func(recordfile.Record) error { return full })
	if err != nil {
		t.Fatal(err)
	}
	value, err := proto.Marshal(event("event1", ""))
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range [][]byte{value, {0xff}} {
		if err := engine.Process(recordfile.Record{Topic: "events", Value: value}); !errors.Is(err, full) {
			t.Errorf("Process returned %v, want the sink's error", err)
		}
	}
}

// The trace header names the record in its own topic, partition and offset,
// however many records came before it and whatever released it.
func TestTraceHeader(t *testing.T) {
	cfg := testConfig(slim.Edition1)
	r := newRun(t, cfg)
	for _, in := range []struct {
		topic     string
		partition int32
		offset    int64
		message   proto.Message
	}{
		{"orders_done", 7, 900, order("order1", "event1", "")},
		{"refund_requests", 2, 5, refund("refund1", "order1", "event1")},
		{"events", 3, 1 << 40, event("event1", "")},
	} {
		value, err := proto.Marshal(in.message)
		if err != nil {
			t.Fatal(err)
		}
		rec := recordfile.Record{Topic: in.topic, Partition: in.partition, Offset: in.offset, Timestamp: in.offset + 1, Value: value}
		if err := r.Process(rec); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{
		"event1": "events/3/1099511627776", "order1": "orders_done/7/900", "refund1": "refund_requests/2/5",
	}
	for _, rec := range r.written {
		if got := header(rec, slim.HeaderBridgeSource); got != want[string(rec.Key)] {
			t.Errorf("%s is said to come from %q, want %q", rec.Key, got, want[string(rec.Key)])
		}
		if got := header(rec, slim.HeaderApplicationID); got != "test" {
			t.Errorf("%s has the application id %q", rec.Key, got)
		}
		delete(want, string(rec.Key))
	}
	if len(want) > 0 {
		t.Errorf("not written: %v", want)
	}
	if got := r.written[0].Timestamp; got != 1<<40+1 {
		t.Errorf("the timestamp is %d, not the legacy record's", got)
	}
}

func header(rec recordfile.Record, key string) string {
	for _, h := range rec.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// A quarantined record keeps key, headers, timestamp and value, and says behind
// its own headers where it was and why it went.
func TestQuarantinedRecord(t *testing.T) {
	r := newRun(t, testConfig(slim.Edition1))
	own := []recordfile.Header{{Key: "traceparent", Value: []byte("00")}}
	in := recordfile.Record{
		Topic: "orders_done", Partition: 4, Offset: 17, Timestamp: 1735689600000,
		Key: []byte("key"), Headers: own, Value: []byte{0xff},
	}
	for range 2 {
		if err := r.Process(in); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.written) != 2 {
		t.Fatalf("%d records, want 2", len(r.written))
	}
	got := r.written[1]
	if got.Topic != QuarantineTopic || got.Partition != 0 || got.Offset != 1 || got.Timestamp != in.Timestamp {
		t.Errorf("the second is at %s/%d/%d of %d", got.Topic, got.Partition, got.Offset, got.Timestamp)
	}
	if string(got.Key) != "key" || string(got.Value) != "\xff" || got.Headers[0].Key != "traceparent" {
		t.Errorf("key %q, value %x and headers %v are not those of the record", got.Key, got.Value, got.Headers)
	}
	for key, want := range map[string]string{
		mapping.HeaderErrorTopic: "orders_done", mapping.HeaderErrorPartition: "4", mapping.HeaderErrorOffset: "17",
		mapping.HeaderErrorStage: "intake", mapping.HeaderErrorClass: "undecodable",
	} {
		if h := header(got, key); h != want {
			t.Errorf("header %s is %q, want %q", key, h, want)
		}
	}
	if len(own) != 1 || len(in.Headers) != 1 {
		t.Error("the record's own headers were changed")
	}
}

// What follows from a record comes out first in, first out: an event, then its
// orders, then their refunds, each in the order of their keys.
func TestEmissionOrder(t *testing.T) {
	r := newRun(t, testConfig(slim.Edition1))
	r.feed("refund_requests", refund("r3", "o1", "event1"), refund("r2", "o1", "event1"), refund("r1", "o2", "event1"))
	r.feed("orders_done", order("o2", "event1", ""), order("o3", "event1", ""), order("o1", "event1", ""))
	r.feed("events", event("event2", "org1"), event("event1", "org1"))
	r.want("before the partner")
	r.feed("partners", partner("org1"))
	r.want("after the partner",
		"events event1", "events event2", "orders o1", "orders o2", "orders o3", "refunds r2", "refunds r3", "refunds r1")
	for _, topic := range []string{"events", "orders", "refunds"} {
		if r.Engine.offsets[topic] == 0 {
			t.Errorf("%s has no offsets", topic)
		}
	}
}

// Offsets count up per topic of the output.
func TestOutputOffsets(t *testing.T) {
	r := newRun(t, testConfig(slim.Edition1))
	r.feed("events", event("event1", ""), event("event2", ""))
	r.feed("orders_done", order("o1", "event1", ""), order("o2", "event2", ""))
	var got []int64
	for _, rec := range r.written {
		got = append(got, rec.Offset)
	}
	if want := []int64{0, 1, 0, 1}; !slices.Equal(got, want) {
		t.Errorf("offsets %v, want %v", got, want)
	}
}

func TestExpireHolds(t *testing.T) {
	r := newRun(t, testConfig(slim.Edition1))
	expire := func() {
		t.Helper()
		if err := r.ExpireHolds(); err != nil {
			t.Fatal(err)
		}
	}
	expire()
	r.want("nothing waits")
	r.feed("events", event("event1", "org1"))
	r.feed("orders_done", order("o1", "event1", "set1"), order("o2", "event9", ""))
	r.want("before")
	// The order's hold begins when its event goes out, and runs out as well.
	expire()
	r.want("one hold behind the other", "events event1", "orders o1")
	r.feed("orders_done", order("o3", "event1", "set1"))
	r.want("a hold that begins afterwards")
	expire()
	r.want("runs out in its turn", "orders o3")
	expire()
	r.want("what has no limit goes on waiting")
	if a := r.Summary().Accounts[mapping.Orders]; a.Parked != 1 || a.Emitted != 2 {
		t.Errorf("orders: %+v; want one parked", a)
	}
}

// An event of edition 2.0 that cannot go out without its organizer has no limit
// to its wait once the hold is over.
func TestExpireHoldsEnds(t *testing.T) {
	r := newRun(t, testConfig(slim.Edition2))
	r.feed("events", event("event1", "org1"))
	if err := r.ExpireHolds(); err != nil {
		t.Fatal(err)
	}
	r.want("after the hold")
	if s := r.Summary(); s.Counts[mapping.CountOrganizerMissing] != 1 || s.Accounts[mapping.Events].Parked != 1 {
		t.Errorf("counts %v, events %+v", s.Counts, s.Accounts[mapping.Events])
	}
}

func TestExpireHoldsSinkError(t *testing.T) {
	full := errors.New("disk full")
	engine, err := New(testConfig(slim.Edition1), func(recordfile.Record) error { return full })
	if err != nil {
		t.Fatal(err)
	}
	value, err := proto.Marshal(event("event1", "org1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Process(recordfile.Record{Topic: "events", Value: value}); err != nil {
		t.Fatal(err)
	}
	if err := engine.ExpireHolds(); !errors.Is(err, full) {
		t.Errorf("ExpireHolds returned %v, want the sink's error", err)
	}
}

// The tables and indexes hold what waits, and nothing of what waited.
func TestIndexesShrink(t *testing.T) {
	r := newRun(t, testConfig(slim.Edition1))
	r.feed("refund_requests", refund("r1", "o1", "event1"))
	r.feed("orders_done", order("o1", "event1", ""))
	if !r.gate.waitsBelow("event1/") || !r.gate.waitsBelow("event1/o1/") {
		t.Error("an order and its refund wait, but nothing is said to")
	}
	if r.gate.waitsBelow("event1/r1/") || r.gate.waitsBelow("event2/") {
		t.Error("something is said to wait where nothing does")
	}
	r.feed("events", event("event1", ""))
	if len(r.gate.waits) != 0 || r.gate.waitsBelow("event1/") || r.gate.waitsBelow("event1/o1/") {
		t.Errorf("waits %v, below %v", r.gate.waits, r.gate.below)
	}
}

func TestSummaryJSON(t *testing.T) {
	r := newRun(t, testConfig(slim.Edition1))
	r.feed("events", event("event1", ""), event("event1", ""), &legacyproto.Event{Name: "Evening"})
	cancelled := order("o1", "event1", "")
	cancelled.Status = legacyproto.Order_CANCELLED
	r.feed("orders_done", cancelled, order("o2", "event9", ""), order("o2", "event9", ""))
	if err := r.Process(recordfile.Record{Topic: "orders_done"}); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(r.Summary())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"counts":{"unknown_category":1},` +
		`"events":{"consumed":3,"emitted":1,"unchanged":1,"skipped":{},"parked":0,"quarantined":{"event_without_id":1},"tombstone":0,"superseded":0},` +
		`"orders_done":{"consumed":4,"emitted":0,"unchanged":0,"skipped":{"status_cancelled":1},"parked":1,"quarantined":{},"tombstone":1,"superseded":1},` +
		`"partners":{"consumed":0,"emitted":0,"unchanged":0,"skipped":{},"parked":0,"quarantined":{},"tombstone":0,"superseded":0},` +
		`"refund_requests":{"consumed":0,"emitted":0,"unchanged":0,"skipped":{},"parked":0,"quarantined":{},"tombstone":0,"superseded":0}}`
	if string(got) != want {
		t.Errorf("summary\n%s\nwant\n%s", got, want)
	}
	if !r.Summary().Accounts.Balanced() {
		t.Error("the accounts do not balance")
	}
}

// Without records there are the same keys, so that a reader need not ask.
func TestSummaryJSONEmpty(t *testing.T) {
	got, err := json.Marshal(newRun(t, testConfig(slim.Edition1)).Summary())
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(got, &fields); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"counts", "partners", "events", "orders_done", "refund_requests"} {
		if f := string(fields[key]); f == "" || f == "null" {
			t.Errorf("%s is %q in %s", key, f, got)
		}
		delete(fields, key)
	}
	if len(fields) > 0 {
		t.Errorf("unexpected: %v", fields)
	}
}
