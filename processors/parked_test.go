package processors

import (
	"maps"
	"math"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

func waitingRow(e *statepb.Entity) *statepb.Row {
	return &statepb.Row{State: &statepb.Row_Order{Order: &statepb.OrderState{Entity: e}}}
}

// What is sent and only to be sent once more does not wait, and when that is due is no limit of a wait.
func TestHeldLeavesRepeatsOut(t *testing.T) {
	if _, waits := heldOf(waitingRow(&statepb.Entity{ResendAt: 5})); waits {
		t.Error("an order that was sent is listed")
	}
	h, waits := heldOf(waitingRow(&statepb.Entity{ResendAt: 5, Wait: &statepb.Wait{Reason: int32(mapping.WaitEvent), Since: 1}}))
	if !waits || h.since != 1 || h.until != 0 {
		t.Errorf("held %+v, %t", h, waits)
	}
	if _, waits := heldOf(&statepb.Row{State: &statepb.Row_Session{Session: &statepb.SessionState{Generation: 1}}}); waits {
		t.Error("the session's row is listed")
	}
}

// Of a key only the newest row counts, and one that is not wanted any more leaves nothing behind.
func TestKeepRow(t *testing.T) {
	kept := map[string]int64{}
	keep := func(_ string, row *statepb.Row) (int64, bool) {
		w := mapping.EntityOf(row).GetWait()
		return w.GetSince(), w != nil
	}
	record := func(key string, since int64) *kgo.Record {
		e := &statepb.Entity{}
		if since != 0 {
			e.Wait = &statepb.Wait{Since: since}
		}
		return &kgo.Record{Key: []byte(key), Value: marshal(waitingRow(e))}
	}
	for _, r := range []*kgo.Record{
		record("a/1", 1), record("b/1", 2), record("c/1", 3), record("d/1", 4),
		record("a/1", 5), record("b/1", 0), {Key: []byte("d/1")},
	} {
		if err := keepRow(kept, r, keep); err != nil {
			t.Fatal(err)
		}
	}
	if want := map[string]int64{"a/1": 5, "c/1": 3}; !maps.Equal(kept, want) {
		t.Errorf("kept %v, want %v", kept, want)
	}
	if err := keepRow(kept, &kgo.Record{Key: []byte("a/1"), Value: []byte{0xff}}, keep); err == nil {
		t.Error("what is no row is no error")
	}
}

func TestWordsOfAWait(t *testing.T) {
	sets := &statepb.EventFacts{Sets: []*statepb.TicketSet{{Id: "s1"}}}
	tickets := &statepb.OrderFacts{Tickets: []*statepb.Ticket{{Id: "t0"}, {Id: "t1", Set: "s1"}, {Id: "t2", Set: "s2"}}}
	for _, c := range []struct {
		h    held
		sets *statepb.EventFacts
		want string
	}{
		{held{reason: mapping.WaitEvent}, nil, `event "e\n" is not published`},
		{held{reason: mapping.WaitSet, tickets: tickets}, sets, "set s2 of ticket t2"},
		{held{reason: mapping.WaitSet, tickets: tickets}, nil, "set s1 of ticket t1"},
		{held{reason: mapping.WaitSet, tickets: &statepb.OrderFacts{}}, sets, "a set that its event has meanwhile"},
		{held{reason: mapping.WaitOrganizer, organizer: "g"}, nil, "organizer g"},
		{held{reason: mapping.WaitOrganizerMissing, organizer: "g"}, nil, "organizer g, without which it cannot go out"},
		{held{reason: mapping.WaitOrganizerMissing}, nil, "an organizer: the event names none"},
		{held{reason: mapping.WaitOrder}, nil, "order o/1 is not published"},
		{held{reason: mapping.WaitSkippedOrder}, nil, "order o/1 was skipped"},
	} {
		if got := c.h.words(mapping.RefundKey("e\n", "o/1", "r"), c.sets); got != c.want {
			t.Errorf("%s: %q, want %q", c.h.reason, got, c.want)
		}
	}
}

func TestShownID(t *testing.T) {
	for id, want := range map[string]string{
		"5f0c": "5f0c", "a/b%": "a/b%", "я": "я", "": `""`, "a b": `"a b"`, "\x1b[2J": `"\x1b[2J"`, `"`: `"\""`, "\xff": `"\xff"`,
	} {
		if got := ShownID(id); got != want {
			t.Errorf("%q is shown as %s, want %s", id, got, want)
		}
	}
}

// An event is read from the partition that its rows are written to, and from no other.
func TestPartitionOfOneEvent(t *testing.T) {
	cfg := Config{Topics: NewTopics("bridge", [4]string{"p", "e", "o", "r"}, "events", "orders", "refunds"), Settings: TopicSettings{Partitions: 5}}
	if from := cfg.gatePartitionOf(""); from != nil {
		t.Errorf("of all events: %v", from)
	}
	for _, event := range []string{"e", "a/b", "%", "5f0c1a"} {
		from := cfg.gatePartitionOf(event)
		home := cfg.Topics.partition(tableOf(cfg.Topics.gateGroup()), []byte(mapping.RefundKey(event, "o", "r")), 5)
		if _, left := from[home]; left || len(from) != 4 {
			t.Errorf("of %s in partition %d: %v", event, home, from)
		}
		for _, offset := range from {
			if offset != math.MaxInt64 {
				t.Errorf("of %s: %v", event, from)
			}
		}
	}
}
