package processors_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// A former owner of the partition, paused for longer than its session, writes what
// it had buffered: a row of its generation, behind a newer one (holes H6 and H7). The
// owner finds out, whether it writes anything itself or not, and ends. The next session
// ignores that row and writes its own again, so that the changelog is right also when
// it is compacted, and on every disk.
func TestRowOfAFormerOwner(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		busy, wiped bool
	}{{"owner idle", false, false}, {"owner writes", true, false}, {"owner writes, its disk is lost", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
				t.Parallel()
				w := newWorld(t, target, 1, season.Config{})
				dir := t.TempDir()
				in := w.start(dir)
				w.legacyEvent("e", "Evening")
				w.awaitName(in, "e", "Evening")
				w.leave(in)

				// The second session publishes another name. What the first wrote comes late.
				in = w.start(dir)
				w.legacyEvent("e", "Matinee")
				w.awaitName(in, "e", "Matinee")
				w.writeRow("e", w.tableRow("e", "Evening"))
				if c.busy {
					w.legacyEvent("f", "Gala")
				}
				var foreign *processors.ForeignWriterError
				if err := w.ended(in); !errors.As(err, &foreign) {
					t.Fatalf("the instance ended with %v", err)
				}
				// One foreign record: the session's next one is just behind it.
				if want := fmt.Sprintf("is at offset %d and not at %d", foreign.Want+1, foreign.Want); !strings.Contains(foreign.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, foreign)
				}

				wipeIf(t, c.wiped, dir)
				in = w.start(dir)
				w.until("the row to be written again", []*instance{in}, func() bool {
					row := w.tableRow("e", "")
					return row.GetEvent().GetFacts().GetName() == "Matinee"
				})
				w.drain(in)
				w.leave(in)
				if got := w.slimName("e"); got != "Matinee" {
					t.Errorf("the newest slim record of the event has the name %q", got)
				}
			})
		})
	}
}

// Guard G5, hole H8: a slim record that the former owner had on its way arrives
// after those of the next. What it may have been processing is sent again later.
func TestRecordsOfAFormerOwnerAreOvertaken(t *testing.T) {
	t.Parallel()
	kafkatest.Each(t, func(t *testing.T, target kafkatest.Target) {
		t.Parallel()
		w := newWorld(t, target, 1, season.Config{})
		rules := *w.cfg.Rules
		rules.RepeatAfter = 3 * time.Second
		w.cfg.Rules = &rules
		in := w.start(t.TempDir())
		w.legacyEvent("e", "Evening")
		w.awaitName(in, "e", "Evening")
		w.leave(in)
		w.forgetOrder()

		// One more record lies before the gate when the next instance takes over: the former owner may have had it.
		matinee := event("e")
		matinee.Name = "Matinee"
		next := intakeOf(t, w.cfg.Rules, mapping.Events, 1, matinee)
		value, err := proto.Marshal(next.Input)
		if err != nil {
			t.Fatal(err)
		}
		kafkatest.Produce(t, w.target.Addrs, w.cfg.Topics.Internal(mapping.Events), &kafkatest.Record{Key: []byte(next.Key), Value: value})
		in = w.start(t.TempDir())
		w.until("the event to go out", []*instance{in}, func() bool { return w.slimName("e") == "Matinee" })
		late := w.slimRecord("e", "Evening")
		kafkatest.Produce(t, w.target.Addrs, w.cfg.Topics.Slim[mapping.Events], &kafkatest.Record{Key: late.Key, Value: late.Value, Headers: late.Headers})
		if got := w.slimName("e"); got != "Evening" {
			t.Fatalf("the late record is not the newest: %q", got)
		}
		w.until("the event to be sent again", []*instance{in}, func() bool { return w.slimName("e") == "Matinee" })
		w.leave(in)
	})
}

func (w *world) legacyEvent(id, name string) {
	w.t.Helper()
	ev := event(id)
	ev.Name = name
	value, err := proto.Marshal(ev)
	if err != nil {
		w.t.Fatal(err)
	}
	kafkatest.ProducePinned(w.t, w.source.Addrs, w.cfg.Topics.Legacy[mapping.Events], &kafkatest.Record{Value: value})
}

func (w *world) slimRecord(id, name string) (newest *kafkatest.Record) {
	w.t.Helper()
	for _, r := range kafkatest.ReadAll(w.t, w.target.Addrs, w.cfg.Topics.Slim[mapping.Events]) {
		if string(r.Key) == id && (name == "" || nameIn(w.t, r.Value) == name) {
			newest = r
		}
	}
	return newest
}

func (w *world) slimName(id string) string {
	w.t.Helper()
	if r := w.slimRecord(id, ""); r != nil {
		return nameIn(w.t, r.Value)
	}
	return ""
}

func nameIn(t *testing.T, value []byte) string {
	t.Helper()
	var slim struct{ Name string }
	if err := json.Unmarshal(value, &slim); err != nil {
		t.Fatal(err)
	}
	return slim.Name
}

func (w *world) awaitName(in *instance, id, name string) {
	w.t.Helper()
	w.until(fmt.Sprintf("%s as %s", id, name), []*instance{in}, func() bool { return w.slimName(id) == name })
	w.drain(in)
}

// tableRow is the newest row of the gate's table under a key, of those with an event of that name.
func (w *world) tableRow(key, name string) (newest *statepb.Row) {
	w.t.Helper()
	_, _, _, table := w.cfg.Topics.Gate()
	for _, r := range kafkatest.ReadAll(w.t, w.target.Addrs, table) {
		row, err := mapping.DecodeRow(r.Value)
		if err != nil {
			w.t.Fatal(err)
		}
		if string(r.Key) == key && (name == "" || row.GetEvent().GetFacts().GetName() == name) {
			newest = row
		}
	}
	return newest
}

func (w *world) writeRow(key string, row *statepb.Row) {
	w.t.Helper()
	value, err := proto.Marshal(row)
	if err != nil {
		w.t.Fatal(err)
	}
	_, _, _, table := w.cfg.Topics.Gate()
	kafkatest.ProducePinned(w.t, w.target.Addrs, table, &kafkatest.Record{Key: []byte(key), Value: value})
}

// ended waits for an instance that ends by itself.
func (w *world) ended(in *instance) (err error) {
	w.t.Helper()
	kafkatest.Eventually(w.t, "the instance to end", func() bool {
		select {
		case err = <-in.done:
			return true
		default:
			return false
		}
	})
	return err
}

// Guard G3, holes H6 to H8: an instance that was paused for longer than its session
// writes nothing more when it goes on, but ends.
func TestPausedInstanceWritesNothing(t *testing.T) {
	h := newHole(t, 1)
	v := h.spawn(t.TempDir())
	h.internal(mapping.Events, event("e0"))
	h.awaitSlim(mapping.Events, "e0")
	held := h.fault(kmsg.Produce, produceTo(h.slim(mapping.Events)), h.hold) // so that it has records left to send
	for i := range 200 {
		h.internal(mapping.Events, event(fmt.Sprint("e", i+1)))
	}
	held.awaitHit(t)
	v.signal(syscall.SIGSTOP)
	kafkatest.Eventually(t, "the groups to forget the paused instance", func() bool { return h.members() == 0 })
	held.release()
	h.awaitSlim(mapping.Events, "e1") // what was on its way before the pause arrives
	produced := h.fault(kmsg.Produce, func(kmsg.Request) bool { return true }, observe)
	v.signal(syscall.SIGCONT)
	ended := make(chan error, 1)
	go func() { ended <- v.cmd.Wait() }()
	kafkatest.Eventually(t, "the instance to end", func() bool {
		select {
		case err := <-ended:
			if err == nil {
				t.Error("the instance ended as if all was well")
			}
			return true
		default:
			return false
		}
	})
	if produced.hits.Load() != 0 {
		t.Error("the instance wrote after its pause")
	}
}

func (v *victim) signal(s os.Signal) {
	v.h.t.Helper()
	if err := v.cmd.Process.Signal(s); err != nil {
		v.h.t.Fatal(err)
	}
}

// members is how many members all groups of the deployment have.
func (h *hole) members() (n int) {
	h.t.Helper()
	source, state := h.cfg.Topics.Groups()
	cl, err := kgo.NewClient(kgo.SeedBrokers(h.target.Addrs...))
	if err != nil {
		h.t.Fatal(err)
	}
	defer cl.Close()
	described, err := kadm.NewClient(cl).DescribeGroups(h.t.Context(), append(source, state...)...)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, g := range described {
		n += len(g.Members)
	}
	return n
}

// A session processes nothing before the record that announces it is acknowledged:
// by then whoever had the partition before can find out.
func TestNothingIsProcessedBeforeTheSessionIsAnnounced(t *testing.T) {
	h := newHole(t, 1)
	h.internal(mapping.Events, event("e"))
	announcement := h.fault(kmsg.Produce, produceTo(h.table), h.hold)
	in := h.start(t.TempDir())
	announcement.awaitHit(t)
	if n := len(h.slimKeys(mapping.Events)); n != 0 {
		t.Errorf("%d events went out", n)
	}
	if c := h.committed(h.cfg.Topics.Internal(mapping.Events)); len(c) != 0 {
		t.Errorf("commits %v", c)
	}
	announcement.release()
	h.awaitSlim(mapping.Events, "e")
	h.leave(in)
}

// An instance that is stopped while its announcement is on its way leaves the group
// only when that has arrived: behind it, the next owner would take it for a record
// of somebody who does not know that he lost the partition.
func TestLateAnnouncement(t *testing.T) {
	h := newHole(t, 1)
	announcement := h.fault(kmsg.Produce, produceTo(h.table), h.hold)
	first := h.start(t.TempDir())
	announcement.awaitHit(t)
	first.stop()
	second := h.start(t.TempDir())
	h.internal(mapping.Events, event("e"))
	announcement.release()
	if err := h.endedWithin(first, stopBound+kafkaSlack); err != nil {
		t.Errorf("the first instance ended with %v", err)
	}
	h.awaitSlim(mapping.Events, "e")
	h.internal(mapping.Events, event("f"))
	h.awaitSlim(mapping.Events, "f")
	h.leave(second)
}

// Guard G3, hole H8: an instance that has lost only its group's coordinator, and still reaches the leaders of all its
// partitions, writes nothing more once its heartbeats may have been missed for too long: the coordinator
// gives its partitions to another.
func TestInstanceWithoutItsCoordinatorWritesNothing(t *testing.T) {
	h := newHole(t, 2)
	h.cfg.StopTimeout = stopTimeout
	h.leadElsewhere()
	bridge, first := h.startBridge(t.TempDir())
	h.awaitSession()
	silent := h.fault(kmsg.Heartbeat, heartbeatOf(h.group, h.memberIDs()), swallow)
	kafkatest.Eventually(t, "the instance to know nothing of its partitions", func() bool { return !bridge.GateTracker().Holds() })
	produced := h.fault(kmsg.Produce, func(req kmsg.Request) bool { return produceTo(h.table)(req) || produceTo(h.slim(mapping.Events))(req) }, observe)
	h.internal(mapping.Events, event("late"))
	kafkatest.Eventually(t, "the record to be processed", func() bool {
		return bridge.GateTracker().Status(h.cfg.Topics.Internal(mapping.Events), 0, 1) == kafka.InFlight
	})
	kafkatest.Eventually(t, "the group to forget the instance", func() bool { return len(h.memberIDs()) == 0 })
	if produced.hits.Load() != 0 {
		t.Error("the instance wrote without its coordinator")
	}
	second := h.start(t.TempDir())
	h.awaitSlim(mapping.Events, "late")
	silent.release()
	first.stop()
	if err := h.endedWithin(first, stopBound); err == nil {
		t.Error("the instance ended as if all was well")
	}
	h.internal(mapping.Events, event("next")) // had the first written, the second would end
	h.awaitSlim(mapping.Events, "next")
	h.leave(second)
}

// leadElsewhere has the coordinator of the gate lead none of the partitions that the gate reads or writes.
func (h *hole) leadElsewhere() {
	h.t.Helper()
	elsewhere := 1 - h.cluster().CoordinatorFor(h.group)
	for topic, partitions := range map[string]int32{h.table: 1, h.slim(mapping.Events): 3, h.cfg.Topics.Memberships(): 1} {
		for p := range partitions {
			if err := h.cluster().MoveTopicPartition(topic, p, elsewhere); err != nil {
				h.t.Fatal(err)
			}
		}
	}
	for _, topic := range h.inputs {
		if err := h.cluster().MoveTopicPartition(topic, 0, elsewhere); err != nil {
			h.t.Fatal(err)
		}
	}
}

// memberIDs are the members of the gate's group.
func (h *hole) memberIDs() (ids []string) {
	h.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(h.target.Addrs...))
	if err != nil {
		h.t.Fatal(err)
	}
	defer cl.Close()
	described, err := kadm.NewClient(cl).DescribeGroups(h.t.Context(), h.group)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, m := range described[h.group].Members {
		ids = append(ids, m.MemberID)
	}
	return ids
}

func heartbeatOf(group string, members []string) func(kmsg.Request) bool {
	return func(kreq kmsg.Request) bool {
		req := kreq.(*kmsg.HeartbeatRequest)
		return req.Group == group && slices.Contains(members, req.MemberID)
	}
}

// forgetOrder makes the gate's last owner one that did not leave in order: the marks that say so are taken
// off the committed offsets.
func (w *world) forgetOrder() {
	w.t.Helper()
	group, inputs, _, _ := w.cfg.Topics.Gate()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.target.Addrs...))
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	committed, err := adm.FetchOffsetsForTopics(w.t.Context(), group, inputs...)
	if err != nil {
		w.t.Fatal(err)
	}
	marked := 0
	var offsets kadm.Offsets
	committed.Each(func(o kadm.OffsetResponse) {
		if o.At < 0 {
			return
		}
		plain, _, clean := strings.Cut(o.Metadata, " clean=")
		if clean {
			marked++
		}
		o.Metadata = plain
		offsets.Add(o.Offset)
	})
	if marked == 0 {
		w.t.Fatal("no commit says that the owner left in order")
	}
	if err := adm.CommitAllOffsets(w.t.Context(), group, offsets); err != nil {
		w.t.Fatal(err)
	}
}

// Guard G5 costs nothing after an owner that left in order, and is there after any other: also after one that
// was killed before it had committed anything, when the commits are still those of an owner that left in order.
func TestRepeatsAreForOwnersThatDidNotLeaveInOrder(t *testing.T) {
	for _, c := range []struct {
		name    string
		leave   func(h *hole)
		repeats bool
	}{
		{"left in order", func(h *hole) { h.leave(h.startAndWork("first")) }, false},
		{"killed", func(h *hole) { h.workAndKill("first") }, true},
		{"left in order, and the next one was killed", func(h *hole) {
			h.leave(h.startAndWork("first"))
			uncommitted := h.fault(kmsg.OffsetCommit, func(req kmsg.Request) bool { return req.(*kmsg.OffsetCommitRequest).Group == h.group }, swallow)
			h.workAndKill("second")
			uncommitted.release()
		}, true},
		{"killed, and the next one left in order", func(h *hole) {
			h.workAndKill("first")
			h.leave(h.startAndWork("second"))
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHole(t, 1)
			h.cfg.Rules.RepeatAfter = time.Hour
			c.leave(h)
			h.internal(mapping.Events, event("between"))
			in := h.start(t.TempDir())
			h.awaitSlim(mapping.Events, "between")
			kafkatest.Eventually(t, "its row", func() bool { return h.row("between") != nil })
			if repeats := h.row("between").GetResendAt() != 0; repeats != c.repeats {
				t.Errorf("is to be repeated: %t, want %t", repeats, c.repeats)
			}
			h.leave(in)
		})
	}
}

// startAndWork runs an instance until it has committed what there is, and an event beside.
func (h *hole) startAndWork(id string) *instance {
	h.t.Helper()
	h.internal(mapping.Events, event(id))
	in := h.start(h.t.TempDir())
	h.awaitCommitted(mapping.Events, h.sources[mapping.Events])
	return in
}

// workAndKill has an instance send an event, and kills it.
func (h *hole) workAndKill(id string) {
	h.t.Helper()
	v := h.spawn(h.t.TempDir())
	h.internal(mapping.Events, event(id))
	h.awaitSlim(mapping.Events, id)
	v.kill()
}
