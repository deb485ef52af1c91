package processors_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// A hold is not begun anew by a restart: an event that waits for its organizer and an
// order that waits for a set of its event keep their deadlines, with the state folder
// and without it, and also when they are decided again afterwards.
func TestHoldsOutliveARestart(t *testing.T) {
	t.Parallel()
	for _, wipe := range []bool{false, true} {
		name := "state kept"
		if wipe {
			name = "state deleted"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
				t.Parallel()
				holdsOutliveARestart(t, target, wipe)
			})
		})
	}
}

func holdsOutliveARestart(t *testing.T, target kafkatest.Target, wipe bool) {
	w := newWorld(t, target, 1, season.Config{})
	w.cfg.Rules.OrganizerHold, w.cfg.Rules.SetHold = time.Hour, time.Hour
	held, late := event("held"), order("o", "out")
	held.Org, late.Tickets[0].Set = "nobody", "unknown"
	dir := t.TempDir()
	in := w.start(dir)
	w.legacy(mapping.Events, held, event("out"))
	w.legacy(mapping.Orders, late)
	before := map[string]*statepb.Wait{}
	for key, reason := range map[string]mapping.WaitReason{"held": mapping.WaitOrganizer, mapping.OrderKey("out", "o"): mapping.WaitSet} {
		w.until("hold of "+key, []*instance{in}, func() bool {
			before[key] = w.entityOf(key).GetWait()
			return mapping.WaitReason(before[key].GetReason()) == reason
		})
	}
	w.leave(in)
	wipeIf(t, wipe, dir)

	in = w.start(dir)
	held.Name, late.Tickets[0].Barcode = "Matinee", "460002"
	w.legacy(mapping.Events, held)
	w.legacy(mapping.Orders, late)
	for key, wait := range before {
		w.until("new decision about "+key, []*instance{in}, func() bool { return w.entityOf(key).GetSource().GetOffset() > 0 })
		after := w.entityOf(key).GetWait()
		if after.GetDeadline() != wait.GetDeadline() || after.GetDeadline() == 0 {
			t.Errorf("%s waits until %d, before the restart until %d", key, after.GetDeadline(), wait.GetDeadline())
		}
	}
	w.leave(in)
}

// legacy writes records into partition 0 of a legacy topic.
func (w *world) legacy(s mapping.Stream, messages ...proto.Message) {
	w.t.Helper()
	for _, m := range messages {
		value, err := proto.Marshal(m)
		if err != nil {
			w.t.Fatal(err)
		}
		kafkatest.ProducePinned(w.t, w.source.Addrs, w.cfg.Topics.Legacy[s], &kafkatest.Record{Value: value})
	}
}

// entityOf is the bookkeeping part of the newest row of a key in the gate's table.
func (w *world) entityOf(key string) (newest *statepb.Entity) {
	w.t.Helper()
	_, _, _, table := w.cfg.Topics.Gate()
	for _, r := range kafkatest.ReadAll(w.t, w.target.Addrs, table) {
		if string(r.Key) == key {
			newest = entity(w.t, r.Value)
		}
	}
	return newest
}
