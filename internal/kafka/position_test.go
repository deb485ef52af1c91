package kafka

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
)

// What is assigned is known before anything is read of it, and then how old the oldest record in flight is.
func TestAssignedTellsTheOldestRecord(t *testing.T) { synctest.Test(t, assignedTellsTheOldestRecord) }

func assignedTellsTheOldestRecord(t *testing.T) {
	old := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	var lost int
	var regained []time.Duration
	tracker := NewTracker(TrackerOptions{
		Commits: commitsOf(map[string]Commit{
			"a": {Offset: 10, Start: 5, End: 30, Metadata: Progress{Ended: 7}.metadata()},
			"b": {Offset: 3, End: 3, Metadata: Progress{Ended: 3, Reset: true}.metadata()},
		}),
		Appended: func(m *sarama.ConsumerMessage) int64 {
			if m.Offset == 10 {
				return old.UnixMilli()
			}
			return 0 // unknown
		},
		Lost:     func() { lost++ },
		Regained: func(after time.Duration) { regained = append(regained, after) },
	})
	tracker.away.Store(time.Now().Add(-time.Minute).UnixNano()) // as Consume has it, which began a minute ago
	s := newScriptedSession(map[string]int64{"a": 10, "b": 3})
	r := consume(t, tracker, s)

	at := positionsOf(tracker)
	if a := at["a"]; a.Acknowledged != 10 || a.End != 30 || a.Ended != 7 || a.Unread.IsZero() || !a.Oldest.IsZero() {
		t.Errorf("before anything is read: %+v", a)
	}
	if b := at["b"]; b.Acknowledged != 3 || b.End != 3 || b.Ended != 3 || !b.Reset {
		t.Errorf("before anything is read: %+v", b)
	}
	if len(regained) != 0 {
		t.Errorf("regained %v before the claims have begun", regained)
	}

	s.report("a", "b")
	s.arrive("a", 10, 11)
	synctest.Wait()
	r.wantTaken(t, "both", "a@10", "a@11")
	if len(regained) != 1 || regained[0] != time.Minute {
		t.Errorf("regained %v, want a minute", regained)
	}
	a := positionsOf(tracker)["a"]
	if !a.Oldest.Equal(old) || time.Since(a.Delivered) > time.Hour/2 || a.Pending != 2 || !a.Unread.IsZero() {
		t.Errorf("with both in flight: %+v", a)
	}
	begin(tracker, "a", 10, 11)
	r.mark("a", 10)
	a = positionsOf(tracker)["a"]
	if age := time.Since(a.Oldest); age < 0 || age > time.Hour/2 || a.Pending != 1 || a.Ended != 8 {
		t.Errorf("a record that does not say its age is as old as its delivery: %+v", a)
	}
	r.mark("a", 11)
	if a = positionsOf(tracker)["a"]; !a.Oldest.IsZero() || !a.Delivered.IsZero() || !a.Unread.IsZero() || a.Acknowledged != 12 {
		t.Errorf("with all acknowledged: %+v", a)
	}
	r.finish(t, s)
	synctest.Wait()
	if n := len(tracker.Assigned()); n != 0 || lost != 1 {
		t.Errorf("%d partitions after the session, lost %d times", n, lost)
	}
}

func positionsOf(t *Tracker) map[string]Position {
	found := map[string]Position{}
	for _, p := range t.Assigned() {
		found[p.Topic] = p
	}
	return found
}
