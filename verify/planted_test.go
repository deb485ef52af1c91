package verify

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/slim/vibev1"
)

// smallLegacy is a little season with everything that faults need: a partner, two
// events, one of them with two versions, orders with and without a refund, and a
// record that belongs in quarantine.
func smallLegacy(t testing.TB) []recordfile.Record {
	t.Helper()
	offsets := map[string]int64{}
	var records []recordfile.Record
	add := func(topic string, m proto.Message) {
		value, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, recordfile.Record{Topic: topic, Offset: offsets[topic], Timestamp: int64(len(records)), Value: value})
		offsets[topic]++
	}
	event := func(id, name string) *legacyproto.Event {
		return &legacyproto.Event{
			Id: id, Name: name, Org: "p1", Venue: "v1", Lifetime: &legacyproto.Lifetime{Start: &timestamppb.Timestamp{Seconds: 1777651200}},
			Sets: []*legacyproto.Event_TicketSet{{Id: "s1", Name: "Parterre", Description: "near"}},
		}
	}
	order := func(id, event, phone string) *legacyproto.Order {
		return &legacyproto.Order{
			Id: id, Event: event, Status: legacyproto.Order_DONE, Number: 7,
			Settings: &legacyproto.Order_Settings{Customer: &legacyproto.Order_Settings_Customer{Phone: phone, Email: "a@example.com", Name: "Анна Петрова"}},
			Tickets:  []*legacyproto.Order_Ticket{{Id: "t-" + id, Set: "s1", Nominal: 150, Barcode: "46000"}},
		}
	}
	add("partners", &legacyproto.Partner{Id: "p1", Name: "Organizer", Currency: "rub"})
	add("events", event("e1", "First"))
	add("events", event("e2", "Other"))
	add("orders_done", order("o1", "e1", "+79000000001"))
	add("orders_done", order("o2", "e1", "+79000000002"))
	add("orders_done", order("o3", "e2", "+79000000003"))
	add("orders_done", order("o4", "e2", "12"))
	add("refund_requests", &legacyproto.RefundRequest{
		Id: "r1", Order: "o1", Event: "e1", Status: legacyproto.RefundRequest_APPROVED, Tickets: []*legacyproto.RefundRequest_Ticket{{Id: "t-o1"}},
	})
	add("events", event("e1", "First, renamed"))
	return records
}

func smallScene(t testing.TB, edition, format string) *scene {
	return newScene(t, edition, format, []byte(randomPlaces), smallLegacy(t))
}

// find is the index of the n-th record of a key.
func (s *scene) find(topic, key string, n int) int {
	s.t.Helper()
	for i, r := range s.written {
		if r.Topic == topic && string(r.Key) == key {
			if n == 0 {
				return i
			}
			n--
		}
	}
	s.t.Fatalf("no %s %s", topic, key)
	return -1
}

func (s *scene) remove(topic, key string, n int) {
	i := s.find(topic, key, n)
	s.written = slices.Delete(s.written, i, i+1)
}

// again appends a copy of a record, changed.
func (s *scene) again(topic, key string, change func(*recordfile.Record)) {
	r := s.written[s.find(topic, key, 0)]
	r.Headers = slices.Clone(r.Headers)
	r.Value, r.Key = bytes.Clone(r.Value), bytes.Clone(r.Key)
	r.Timestamp = int64(1000 + 10*len(s.written))
	change(&r)
	s.written = append(s.written, r)
}

// instead changes a record where it stands.
func (s *scene) instead(topic, key string, change func(*recordfile.Record)) {
	r := &s.written[s.find(topic, key, 0)]
	r.Headers = slices.Clone(r.Headers)
	change(r)
}

func replace(old, new string) func(*recordfile.Record) {
	return func(r *recordfile.Record) {
		if !bytes.Contains(r.Value, []byte(old)) {
			panic("nothing to replace in " + string(r.Value))
		}
		r.Value = bytes.Replace(bytes.Clone(r.Value), []byte(old), []byte(new), 1)
	}
}

func withoutHeader(name string) func(*recordfile.Record) {
	return func(r *recordfile.Record) {
		r.Headers = slices.DeleteFunc(r.Headers, func(h recordfile.Header) bool { return h.Key == name })
	}
}

func withHeader(name, value string) func(*recordfile.Record) {
	return func(r *recordfile.Record) {
		withoutHeader(name)(r)
		r.Headers = append(r.Headers, recordfile.Header{Key: name, Value: []byte(value)})
	}
}

// quarantine writes a record of the quarantine topic about an order, or a marker.
func (s *scene) quarantine(offset int64, order, reason, replayed string) {
	s.t.Helper()
	r := s.written[slices.IndexFunc(s.written, func(r recordfile.Record) bool { return r.Topic == "quarantine" })]
	r.Headers, r.Offset = slices.Clone(r.Headers), offset
	withHeader(headerOffset, order)(&r)
	withHeader(headerReason, reason)(&r)
	if replayed != "" {
		r.Key, r.Value = nil, nil
		withHeader(headerReplayed, replayed)(&r)
	}
	s.written = append(s.written, r)
}

// TestPlantedFaults: each fault is found under its own name, and nothing else is.
func TestPlantedFaults(t *testing.T) {
	tests := []struct {
		name  string
		plant func(*scene)
		want  map[Kind]int
	}{
		{"none", func(*scene) {}, map[Kind]int{}},
		{"a byte-identical duplicate", func(s *scene) { s.again("orders", "o2", func(*recordfile.Record) {}) }, map[Kind]int{}},
		{"lost order", func(s *scene) { s.remove("orders", "o2", 0) }, map[Kind]int{Lost: 1}},
		{"lost refund", func(s *scene) { s.remove("refunds", "r1", 0) }, map[Kind]int{Lost: 1}},
		{"lost quarantine record", func(s *scene) {
			s.written = slices.DeleteFunc(s.written, func(r recordfile.Record) bool { return r.Topic == "quarantine" })
		}, map[Kind]int{Lost: 1}},
		{"in quarantine without a reason", func(s *scene) {
			i := slices.IndexFunc(s.written, func(r recordfile.Record) bool { return r.Topic == "quarantine" })
			again := s.written[i]
			again.Headers = slices.Clone(again.Headers)
			withHeader(headerOffset, "1")(&again) // o2
			s.written = append(s.written, again)
			s.remove("orders", "o2", 0)
		}, map[Kind]int{Unexpected: 1}},
		{"too large by the quarantine topic", func(s *scene) {
			i := slices.IndexFunc(s.written, func(r recordfile.Record) bool { return r.Topic == "quarantine" })
			again := s.written[i]
			again.Headers = slices.Clone(again.Headers)
			withHeader(headerOffset, "1")(&again)
			withHeader(headerReason, "too_large")(&again)
			s.written = append(s.written, again)
			s.remove("orders", "o2", 0)
		}, map[Kind]int{}},
		{"too large and replayed", func(s *scene) { s.quarantine(10, "1", "too_large", ""); s.quarantine(11, "1", "too_large", "10") }, map[Kind]int{}},
		{"without a reason and replayed", func(s *scene) {
			s.quarantine(10, "1", "undecodable", "")
			s.quarantine(11, "1", "undecodable", "10")
		}, map[Kind]int{}},
		{"replayed and lost", func(s *scene) {
			s.quarantine(10, "1", "too_large", "")
			s.quarantine(11, "1", "too_large", "10")
			s.remove("orders", "o2", 0)
		}, map[Kind]int{Lost: 1}},
		{"replayed and quarantined again", func(s *scene) {
			s.quarantine(10, "1", "too_large", "")
			s.quarantine(11, "1", "too_large", "")
			s.quarantine(12, "1", "too_large", "10")
			s.remove("orders", "o2", 0)
		}, map[Kind]int{}},
		{"of two reasons one replayed", func(s *scene) {
			s.quarantine(10, "1", "too_large", "")
			s.quarantine(11, "1", "invalid_phone", "")
			s.quarantine(12, "1", "invalid_phone", "11")
			s.remove("orders", "o2", 0)
		}, map[Kind]int{}},
		{"marked as replayed and bad", func(s *scene) {
			bad := s.written[slices.IndexFunc(s.written, func(r recordfile.Record) bool { return r.Topic == "quarantine" })]
			s.quarantine(bad.Offset+9, header(record(bad), headerOffset), header(record(bad), headerReason), itoa(bad.Offset))
		}, map[Kind]int{Lost: 1}},
		{"a marker of nothing", func(s *scene) { s.quarantine(11, "1", "too_large", "10") }, map[Kind]int{Malformed: 1}},
		{"headers of the legacy record's own", func(s *scene) {
			i := slices.IndexFunc(s.written, func(r recordfile.Record) bool { return r.Topic == "quarantine" })
			own := []recordfile.Header{{Key: headerTopic, Value: []byte("elsewhere")}, {Key: headerReplayed, Value: []byte("7")}}
			s.written[i].Headers = append(own, s.written[i].Headers...)
		}, map[Kind]int{}},
		{"quarantined at a place below 0", func(s *scene) { s.quarantine(10, "-1", "too_large", "") }, map[Kind]int{Malformed: 1}},
		{"order before its event", func(s *scene) { s.instead("orders", "o3", func(r *recordfile.Record) { r.Timestamp = 999 }) }, map[Kind]int{OrderViolation: 1}},
		{"order without its event", func(s *scene) { s.remove("events", "e2", 0) }, map[Kind]int{OrderViolation: 1, Lost: 1}},
		{"refund before its order", func(s *scene) { s.instead("refunds", "r1", func(r *recordfile.Record) { r.Timestamp = 999 }) }, map[Kind]int{RefundViolation: 1}},
		{"stale event", func(s *scene) { s.remove("events", "e1", 1) }, map[Kind]int{Stale: 1}},
		{"stale place", func(s *scene) { s.instead("events", "e2", replace("Hall", "Barn")) }, map[Kind]int{Stale: 1}},
		{"stale set", func(s *scene) {
			s.again("orders", "o2", replace(`"category":"Parterre","description":"near"`, `"category":""`))
		}, map[Kind]int{Stale: 1}},
		{"foreign bytes", func(s *scene) { s.instead("orders", "o2", replace(`"price_nominal":150`, `"price_nominal":151`)) }, map[Kind]int{Foreign: 1}},
		{"foreign customer", func(s *scene) { s.instead("refunds", "r1", replace("+79000000001", "+79000000002")) }, map[Kind]int{Foreign: 1}},
		{"foreign organizer", func(s *scene) { s.instead("events", "e2", replace(`"name":"Organizer"`, `"name":"Organiser"`)) }, map[Kind]int{Foreign: 1}},
		{"foreign category of a ticket", func(s *scene) {
			s.instead("orders", "o2", replace(`"category":"Parterre"`, `"category":"Balcony"`))
		}, map[Kind]int{Foreign: 1}},
		{"foreign currency", func(s *scene) { s.instead("orders", "o2", replace("RUB", "USD")) }, map[Kind]int{Foreign: 1}},
		{"foreign organizer of a ticket", func(s *scene) { s.instead("orders", "o2", replace(`"organizer_id":"p1"`, `"organizer_id":"p2"`)) }, map[Kind]int{Foreign: 1}},
		{"value of another version than its source", func(s *scene) {
			s.again("events", "e1", replace("First", "First, renamed"))
		}, map[Kind]int{Duplicate: 1}},
		{"duplicate with different bytes", func(s *scene) {
			s.again("orders", "o2", replace("46000", "46001"))
			s.again("orders", "o2", func(*recordfile.Record) {})
		}, map[Kind]int{Duplicate: 1}},
		{"the different one first", func(s *scene) {
			good := s.written[s.find("orders", "o2", 0)]
			s.instead("orders", "o2", replace("46000", "46001"))
			good.Timestamp = 5000
			s.written = append(s.written, good)
		}, map[Kind]int{Duplicate: 1}},
		{"unexpected key", func(s *scene) {
			s.again("orders", "o2", func(r *recordfile.Record) {
				r.Key = []byte("o9")
				replace(`"id":"o2"`, `"id":"o9"`)(r)
			})
		}, map[Kind]int{Unexpected: 1}},
		{"unexpected: quarantined by itself", func(s *scene) {
			s.again("orders", "o2", func(r *recordfile.Record) {
				r.Key = []byte("o4")
				replace(`"id":"o2"`, `"id":"o4"`)(r)
			})
		}, map[Kind]int{Unexpected: 1}},
		{"wrong key of an order", func(s *scene) { s.again("orders", "o2", func(r *recordfile.Record) { r.Key = []byte("o1") }) }, map[Kind]int{Key: 1}},
		{"wrong key instead", func(s *scene) { s.instead("orders", "o2", func(r *recordfile.Record) { r.Key = []byte("x") }) }, map[Kind]int{Key: 1}},
		{"no key", func(s *scene) { s.again("events", "e2", func(r *recordfile.Record) { r.Key = nil }) }, map[Kind]int{Key: 1}},
		{"wrong key of a refund", func(s *scene) { s.instead("refunds", "r1", func(r *recordfile.Record) { r.Key = []byte("o1") }) }, map[Kind]int{Key: 1}},
		{"wrong partition", func(s *scene) {
			s.cfg.Layout.Partitions[Orders] = 3
			s.cfg.Layout.Comparable = false
			for i := range s.written {
				if s.written[i].Topic == "orders" {
					s.written[i].Partition = partitionOf(s.written[i].Key, 3)
				}
			}
			s.again("orders", "o2", func(r *recordfile.Record) { r.Partition = (r.Partition + 1) % 3 })
		}, map[Kind]int{Partition: 1}},
		{"an old value in a wrong partition", func(s *scene) {
			s.cfg.Layout.Partitions[Events] = 3
			s.cfg.Layout.Comparable = false
			for i := range s.written {
				if s.written[i].Topic == "events" {
					s.written[i].Partition = partitionOf(s.written[i].Key, 3)
				}
			}
			s.again("events", "e1", func(r *recordfile.Record) { r.Partition = (r.Partition + 1) % 3 })
		}, map[Kind]int{Partition: 1}},
		{"no content-type", func(s *scene) { s.again("orders", "o2", withoutHeader("content-type")) }, map[Kind]int{Headers: 1}},
		{"no bridge-source", func(s *scene) { s.instead("orders", "o2", withoutHeader("bridge-source")) }, map[Kind]int{Headers: 1}},
		{"wrong schema-version", func(s *scene) { s.again("orders", "o2", withHeader("schema-version", "3")) }, map[Kind]int{Headers: 1}},
		{"wrong application-id", func(s *scene) { s.again("orders", "o2", withHeader("application-id", "x")) }, map[Kind]int{Headers: 1}},
		{"a header twice", func(s *scene) {
			s.again("orders", "o2", func(r *recordfile.Record) { r.Headers = append(r.Headers, r.Headers[0]) })
		}, map[Kind]int{Headers: 1}},
		{"bridge-source of another topic", func(s *scene) { s.again("orders", "o2", withHeader("bridge-source", "events/0/1")) }, map[Kind]int{Headers: 1}},
		{"bridge-source of another order", func(s *scene) { s.again("orders", "o2", withHeader("bridge-source", "orders_done/0/2")) }, map[Kind]int{Headers: 1}},
		{"not JSON", func(s *scene) { s.again("orders", "o2", func(r *recordfile.Record) { r.Value = r.Value[:40] }) }, map[Kind]int{Malformed: 1}},
		{"no value", func(s *scene) { s.again("orders", "o2", func(r *recordfile.Record) { r.Value = nil }) }, map[Kind]int{Malformed: 1}},
		{"two values", func(s *scene) {
			s.again("orders", "o2", func(r *recordfile.Record) { r.Value = append(r.Value, "{}"...) })
		}, map[Kind]int{Malformed: 1}},
		{"null", func(s *scene) { s.again("orders", "o2", replace(`"barcode":"46000"`, `"barcode":null`)) }, map[Kind]int{Malformed: 1}},
		{"empty optional field", func(s *scene) { s.again("orders", "o2", replace(`"description":"near"`, `"description":""`)) }, map[Kind]int{Malformed: 1}},
		{"order of fields", func(s *scene) {
			s.again("orders", "o2", replace(`"category":"Parterre","description":"near"`, `"description":"near","category":"Parterre"`))
		}, map[Kind]int{Malformed: 1}},
		{"field twice", func(s *scene) { s.again("orders", "o2", replace(`"barcode"`, `"barcode":"1","barcode"`)) }, map[Kind]int{Malformed: 1}},
		{"required field missing", func(s *scene) { s.again("orders", "o2", replace(`"email":"a@example.com",`, ``)) }, map[Kind]int{Malformed: 1}},
		{"unknown field", func(s *scene) { s.again("orders", "o2", replace(`"email"`, `"mail":"x","email"`)) }, map[Kind]int{Malformed: 1}},
		{"field in other letters", func(s *scene) { s.again("orders", "o2", replace(`"email"`, `"Email"`)) }, map[Kind]int{Malformed: 1}},
		{"number as text", func(s *scene) { s.again("orders", "o2", replace(`"price_nominal":150`, `"price_nominal":"150"`)) }, map[Kind]int{Malformed: 1}},
		{"fraction", func(s *scene) { s.again("orders", "o2", replace(`"price_nominal":150`, `"price_nominal":150.0`)) }, map[Kind]int{Malformed: 1}},
		{"currency", func(s *scene) { s.again("orders", "o2", replace(`"RUB"`, `"KZT"`)) }, map[Kind]int{Malformed: 1}},
		{"category", func(s *scene) { s.again("events", "e2", replace(`"other"`, `"circus"`)) }, map[Kind]int{Malformed: 1}},
		{"phone", func(s *scene) { s.again("orders", "o2", replace("+7900", "8900")) }, map[Kind]int{Malformed: 1}},
		{"HTML escaping", func(s *scene) { s.again("events", "e2", replace(`Other`, `\u003c`)) }, map[Kind]int{Malformed: 1}},
		{"another spelling of the same text", func(s *scene) { s.again("events", "e2", replace(`Other`, `\u004fther`)) }, map[Kind]int{}},
		{"not UTF-8", func(s *scene) { s.again("events", "e2", replace(`Other`, "Oth\xffr")) }, map[Kind]int{Malformed: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := smallScene(t, "1.0", "json")
			tt.plant(s)
			s.want(tt.name, tt.want)
		})
	}
}

// Edition 2.0 has vocabulary and required fields of its own.
func TestPlantedFaults2(t *testing.T) {
	tests := []struct {
		name, topic, key string
		change           func(*recordfile.Record)
	}{
		{"status", "events", "e2", replace(`"paused"`, `"gone"`)},
		{"no status", "events", "e2", replace(`"status":"paused",`, ``)},
		{"offset as text", "events", "e2", replace(`"offset":5.5`, `"offset":"5.5"`)},
		{"a field of 1.0", "events", "e2", replace(`"offset":5.5`, `"offset":5.5,"timezone":"Asia/Kolkata"`)},
		{"no organizer", "events", "e2", replace(`"organizer":{"id":"p1","name":"Organizer"},`, ``)},
		{"number", "orders", "o2", replace(`"number":"7"`, `"number":""`)},
		{"organizer_id of 1.0", "orders", "o2", replace(`"barcode"`, `"organizer_id":"p1","barcode"`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := smallScene(t, "2.0", "json")
			s.want("before", map[Kind]int{})
			s.again(tt.topic, tt.key, tt.change)
			s.want(tt.name, map[Kind]int{Malformed: 1})
		})
	}
}

func TestPlantedFaultsInProtobuf(t *testing.T) {
	change := func(act func(*vibev1.Order)) func(*recordfile.Record) {
		return func(r *recordfile.Record) {
			var m vibev1.Order
			if err := proto.Unmarshal(r.Value, &m); err != nil {
				t.Fatal(err)
			}
			act(&m)
			r.Value = deterministic(&m)
		}
	}
	tests := []struct {
		name   string
		change func(*recordfile.Record)
		want   Kind
	}{
		{"garbage", func(r *recordfile.Record) { r.Value = []byte("{}") }, Malformed},
		{"unknown field", func(r *recordfile.Record) { r.Value = append(r.Value, 0xa0, 0x06, 1) }, Malformed},
		{"unknown field inside", change(func(m *vibev1.Order) { m.Tickets[0].ProtoReflect().SetUnknown([]byte{0xa0, 0x06, 1}) }), Malformed},
		{"unknown currency", change(func(m *vibev1.Order) { m.Tickets[0].Currency = 9 }), Malformed},
		{"event of the order alone", change(func(m *vibev1.Order) { m.EventId = "e2" }), Malformed},
		{"another price", change(func(m *vibev1.Order) { m.Tickets[0].PriceNominal++ }), Duplicate},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := smallScene(t, "1.0", "protobuf")
			s.again("orders", "o2", tt.change)
			s.want(tt.name, map[Kind]int{tt.want: 1})
		})
	}
}

// What the layout does not allow to decide is no finding, and is counted.
func TestUndecidable(t *testing.T) {
	early := func(s *scene) { s.instead("orders", "o3", func(r *recordfile.Record) { r.Timestamp = 999 }) }
	tests := []struct {
		name  string
		plant func(*scene)
		word  string
	}{
		{"tie", func(s *scene) {
			s.written[s.find("orders", "o3", 0)].Timestamp = s.written[s.find("events", "e2", 0)].Timestamp
		}, "same millisecond"},
		{"compacted", func(s *scene) {
			early(s)
			s.cfg.Layout.SlimCompacted[Events] = true
			s.remove("events", "e1", 0)
			s.written[s.find("events", "e1", 0)].Headers = nil // told from e2 below
			s.cfg.Layout.SlimGone[Events] = true
		}, "compacted"},
		{"legacy gone", func(s *scene) {
			s.cfg.Layout.LegacyGone[Orders] = true
			s.legacy = slices.DeleteFunc(s.legacy, func(r recordfile.Record) bool { return r.Topic == "orders_done" && r.Offset == 1 })
		}, "legacy records are gone"},
		{"the legacy order of a refund is gone", func(s *scene) {
			s.cfg.Layout.LegacyGone[Orders] = true
			s.legacy = slices.DeleteFunc(s.legacy, func(r recordfile.Record) bool { return r.Topic == "orders_done" && r.Offset == 0 })
		}, "what the record needs is gone"},
		{"quarantine gone", func(s *scene) {
			s.cfg.Layout.QuarantineGone = true
			s.written = slices.DeleteFunc(s.written, func(r recordfile.Record) bool { return r.Topic == "quarantine" })
		}, "quarantine"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := smallScene(t, "1.0", "json")
			tt.plant(s)
			r := s.report()
			text, _ := json.Marshal(r.Undecidable)
			if r.Findings[OrderViolation].Count+r.Findings[RefundViolation].Count+r.Findings[Lost].Count+r.Findings[Unexpected].Count > 0 || !strings.Contains(string(text), tt.word) {
				t.Errorf("undecidable %s, findings %+v", text, r.Findings)
			}
		})
	}
}

// A gap in the offsets of a compacted topic may have held the first record; below
// it none can have gone.
func TestGapsOfCompactedTopics(t *testing.T) {
	for _, below := range []bool{true, false} {
		s := smallScene(t, "1.0", "json")
		s.instead("orders", "o3", func(r *recordfile.Record) { r.Timestamp = 999 })
		s.cfg.Layout.SlimCompacted[Events] = true
		c, err := New(s.cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range s.legacy {
			c.Legacy(Stream(slices.Index(s.cfg.Topics.Legacy[:], r.Topic)), record(r))
		}
		for _, r := range s.written {
			stream, ok := slimStreams[r.Topic]
			if !ok {
				c.Quarantine(record(r))
				continue
			}
			gap := int64(0)
			if stream == Events && (!below || r.Offset > 1) { // e2 is at 1
				gap = 1
			}
			moved := record(r)
			moved.Offset += gap
			c.Slim(stream, moved)
		}
		got := counts(c.Evaluate(time.Unix(0, 0), 0))[OrderViolation]
		if want := map[bool]int{true: 1, false: 0}[below]; got != want {
			t.Errorf("gap behind the event %v: %d violations, want %d", below, got, want)
		}
	}
}

// In other layouts times prove nothing; a missing parent does.
func TestNotComparable(t *testing.T) {
	s := smallScene(t, "1.0", "json")
	s.cfg.Layout.Comparable, s.cfg.Layout.Why = false, "several partitions"
	s.instead("orders", "o3", func(r *recordfile.Record) { r.Timestamp = 999 })
	s.want("early by its timestamp", map[Kind]int{})
	if o := s.report().Ordering; o.Comparable || o.Why == "" || o.Earlier != 1 || o.Checked != 4 {
		t.Errorf("ordering is %+v", o)
	}
	s.remove("events", "e2", 0)
	s.want("without its event", map[Kind]int{OrderViolation: 1, Lost: 1})
}

// Nothing of a person is in a report, not even of what is wrong.
func TestReportIsPrivate(t *testing.T) {
	s := smallScene(t, "1.0", "json")
	s.again("orders", "o2", func(r *recordfile.Record) { r.Key = []byte("+79000000002") })
	s.again("orders", "o2", replace(`"email"`, `"+79000000002":"x","email"`))
	s.again("orders", "o2", replace("46000", "46001"))
	s.again("orders", "o2", withHeader("application-id", "a@example.com"))
	s.again("orders", "o2", func(r *recordfile.Record) {
		r.Key = []byte("+79000000002")
		replace(`"id":"o2"`, `"id":"+79000000002"`)(r)
	})
	r := s.report()
	text, err := json.Marshal(r)
	if err != nil || r.Total() != 5 {
		t.Fatalf("%v, %+v", err, r.Findings)
	}
	for _, secret := range []string{"7900", "example.com", "Анна", "46000", "46001"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the report has %q: %s", secret, text)
		}
	}
}
