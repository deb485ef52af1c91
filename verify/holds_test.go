package verify

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
)

// An event gets an organizer and loses a set: the order that has the set waits for it, and stands as it was before, without the
// organizer, too.
func TestOrderThatWaitsForASetStandsAsAWhole(t *testing.T) {
	var legacy []recordfile.Record
	add := func(topic string, offset int64, m proto.Message) {
		value, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		legacy = append(legacy, recordfile.Record{Topic: topic, Offset: offset, Timestamp: int64(1000 + len(legacy)), Value: value})
	}
	event := func(org string, sets ...*legacyproto.Event_TicketSet) *legacyproto.Event {
		return &legacyproto.Event{Id: "e1", Name: "Evening", Org: org, Sets: sets, Lifetime: &legacyproto.Lifetime{Finish: &timestamppb.Timestamp{Seconds: 1777651200}}}
	}
	add("partners", 0, &legacyproto.Partner{Id: "p1"})
	add("events", 0, event("", &legacyproto.Event_TicketSet{Id: "s1"}))
	add("orders_done", 0, &legacyproto.Order{
		Id: "o1", Event: "e1", Status: legacyproto.Order_DONE, Tickets: []*legacyproto.Order_Ticket{{Id: "t1", Set: "s1"}},
		Settings: &legacyproto.Order_Settings{Customer: &legacyproto.Order_Settings_Customer{Phone: "+79000000001"}},
	})
	add("events", 1, event("p1"))
	s := newScene(t, "1.0", "json", []byte(randomPlaces), legacy)
	s.written = bridgeWithHolds(t, "1.0", "json", []byte(randomPlaces), legacy, func(int) bool { return false }).written
	s.clock()
	r := s.report()
	if !r.Clean || r.Slim["orders"].Keys != 1 {
		t.Errorf("findings %+v of %+v", r.Findings, r.Slim)
	}
}
