package verify

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
)

// What is rightly not there yet is told by its reason.
func TestWaiting(t *testing.T) {
	legacy := smallLegacy(t)
	without := func(topic string, offset int64) []recordfile.Record {
		return slices.DeleteFunc(slices.Clone(legacy), func(r recordfile.Record) bool { return r.Topic == topic && r.Offset == offset })
	}
	tests := []struct {
		name, edition string
		legacy        []recordfile.Record
		want          string
	}{
		{"no event", "1.0", without("events", 1), `{"orders":{"event":1}}`},
		{"no order", "1.0", without("orders_done", 0), `{"refunds":{"order":1}}`},
		{"an order without phone", "1.0", withoutPhone(t, legacy), `{"refunds":{"order_not_published":1}}`},
		{"no partner", "2.0", without("partners", 0), `{"events":{"organizer":2},"orders":{"event":3},"refunds":{"order":1}}`},
		{"no partner, hold over", "1.0", without("partners", 0), `{}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, tt.edition, "json", []byte(randomPlaces), tt.legacy)
			s.want(tt.name, map[Kind]int{})
			got, err := json.Marshal(s.report().Waiting)
			if err != nil || string(got) != tt.want {
				t.Errorf("waiting is %s, want %s", got, tt.want)
			}
		})
	}
}

// An order that waits for one of its sets must be up to date in all else.
func TestHoldCoversOnlyWhatIsMissing(t *testing.T) {
	legacy := smallLegacy(t)
	event := func(name string, offset int64) recordfile.Record {
		value := deterministic(&legacyproto.Event{
			Id: "e3", Name: "Third", Lifetime: &legacyproto.Lifetime{Start: &timestamppb.Timestamp{Seconds: 1777651200}},
			Sets: []*legacyproto.Event_TicketSet{{Id: "s1", Name: name}},
		})
		return recordfile.Record{Topic: "events", Offset: offset, Timestamp: 100 + offset, Value: value}
	}
	order := recordfile.Record{Topic: "orders_done", Offset: 4, Timestamp: 100, Value: deterministic(&legacyproto.Order{
		Id: "o5", Event: "e3", Status: legacyproto.Order_DONE,
		Settings: &legacyproto.Order_Settings{Customer: &legacyproto.Order_Settings_Customer{Phone: "+79000000005"}},
		Tickets:  []*legacyproto.Order_Ticket{{Id: "t1", Set: "s1"}, {Id: "t2", Set: "s9"}, {Id: "t3", Set: "s9"}},
	})}
	legacy = append(legacy, event("Old", 3), order, event("New", 4))
	s := newScene(t, "1.0", "json", []byte(randomPlaces), legacy)
	s.written = bridgeWithHolds(t, "1.0", "json", []byte(randomPlaces), legacy, func(n int) bool { return n >= len(legacy)-1 }).written
	s.clock()
	s.want("out without the missing set", map[Kind]int{})
	s.remove("orders", "o5", 1)
	s.want("with the old name of the one that is there", map[Kind]int{Stale: 1})
	s.remove("orders", "o5", 0)
	s.want("not yet", map[Kind]int{})
	if w := s.report().Waiting["orders"]["set"]; w != 1 {
		t.Errorf("%d orders wait for a set", w)
	}
}

// withoutPhone takes the phone out of the first order, which has a refund.
func withoutPhone(t *testing.T, legacy []recordfile.Record) []recordfile.Record {
	t.Helper()
	legacy = slices.Clone(legacy)
	i := slices.IndexFunc(legacy, func(r recordfile.Record) bool { return r.Topic == "orders_done" })
	var o legacyproto.Order
	if err := proto.Unmarshal(legacy[i].Value, &o); err != nil {
		t.Fatal(err)
	}
	o.Settings.Customer.Phone = ""
	legacy[i].Value = deterministic(&o)
	return legacy
}

// Until the grace period is over, what is missing is on its way; what changes
// meanwhile has a period of its own.
func TestGrace(t *testing.T) {
	s := smallScene(t, "1.0", "json")
	s.remove("orders", "o2", 0)
	c := s.checker()
	at := func(seconds int64) *Report { return c.Evaluate(time.Unix(seconds, 0), 10*time.Second) }
	if r := at(0); !r.Clean || r.InFlight != 1 || r.Waiting["orders"]["in_flight"] != 1 {
		t.Errorf("at once: %+v", r)
	}
	if r := at(9); !r.Clean {
		t.Errorf("within the period: %+v", r.Findings)
	}
	if r := at(10); r.Findings[Lost].Count != 1 || r.InFlight != 0 {
		t.Errorf("after it: %+v", r)
	}
	good := smallScene(t, "1.0", "json")
	c.Slim(Orders, record(good.written[good.find("orders", "o2", 0)]))
	if r := at(11); !r.Clean || r.InFlight != 0 {
		t.Errorf("it came: %+v", r)
	}
}
