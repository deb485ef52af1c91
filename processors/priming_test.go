package processors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// fakeClusters is both clusters as priming sees them.
type fakeClusters struct {
	topics  map[string][]*fakePartition
	fail    error // of the next question
	reads   int   // offsets that were read
	blocked bool  // reading does not end
}

type fakePartition struct {
	start, end int64
	committed  int64          // negative: nothing
	noRecord   map[int64]bool // offsets that are markers, aborted or open
}

func (f *fakeClusters) failure() error {
	err := f.fail
	f.fail = nil
	return err
}

func (f *fakeClusters) Partitions(topic string) ([]int32, error) {
	var all []int32
	for p := range f.topics[topic] {
		all = append(all, int32(p))
	}
	return all, f.failure()
}

func (f *fakeClusters) GroupCommits(_ string, topics map[string][]int32) (map[string]map[int32]kafka.Commit, error) {
	commits := map[string]map[int32]kafka.Commit{}
	for topic, partitions := range topics {
		commits[topic] = map[int32]kafka.Commit{}
		for _, p := range partitions {
			have := f.topics[topic][p]
			commits[topic][p] = kafka.Commit{Offset: have.committed, Start: have.start, End: have.end}
		}
	}
	return commits, f.failure()
}

func (f *fakeClusters) read(ctx context.Context, topic string, from map[int32]int64, visit func(*kgo.Record)) error {
	if f.blocked {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := f.failure(); err != nil {
		return err
	}
	for p, have := range f.topics[topic] {
		for o := max(have.start, from[int32(p)]); o < have.end; o++ {
			f.reads++
			if !have.noRecord[o] {
				visit(&kgo.Record{Partition: int32(p), Offset: o})
			}
		}
	}
	return nil
}

// primingUnderTest is a priming over fake clusters.
type primingUnderTest struct {
	*priming
	f      *fakeClusters
	t      *testing.T
	log    *lineLog
	halted map[string]bool // paused legacy topics
	now    time.Time

	partners, events                                    *fakePartition // legacy
	inPartners, inEvents, memberships, answers, orgLoop *fakePartition
}

func newPrimingUnderTest(t *testing.T) *primingUnderTest {
	topics := testTopics()
	u := &primingUnderTest{t: t, f: &fakeClusters{topics: map[string][]*fakePartition{}}, log: &lineLog{}, halted: map[string]bool{}, now: time.Now()}
	for name, p := range map[string]**fakePartition{
		topics.Legacy[mapping.Partners]: &u.partners, topics.Legacy[mapping.Events]: &u.events,
		string(topics.internal(mapping.Partners)): &u.inPartners, string(topics.internal(mapping.Events)): &u.inEvents,
		string(topics.memberships()): &u.memberships, string(topics.answers()): &u.answers, loopOf(topics.organizersGroup()): &u.orgLoop,
	} {
		*p = &fakePartition{committed: -1}
		u.f.topics[name] = []*fakePartition{{committed: -1}, *p} // the first is empty
	}
	u.priming = newPriming(topics)
	u.source, u.state, u.priming.read = u.f, u.f, u.f.read
	u.paused = func(topic string) bool { return u.halted[topic] }
	u.priming.log = slog.New(slog.NewTextHandler(u.log, nil))
	return u
}

// at polls once, a second later: left records in the step, 0 when it is over.
func (u *primingUnderTest) at(step int, left int64) {
	u.t.Helper()
	u.now = u.now.Add(time.Second)
	progress, waits, err := u.poll(u.t.Context(), u.now)
	if err != nil || waits != (step > 0) || progress.Step != step || progress.Left != left {
		u.t.Fatalf("step %d with %d left, %t, %v; want step %d with %d", progress.Step, progress.Left, waits, err, step, left)
	}
}

const primedStep = 0

func TestPrimingPassesAtOnce(t *testing.T) {
	t.Run("empty topics", func(t *testing.T) { newPrimingUnderTest(t).at(primedStep, 0) })
	t.Run("all committed", func(t *testing.T) {
		u := newPrimingUnderTest(t)
		for _, p := range []*fakePartition{u.partners, u.events, u.inEvents, u.memberships, u.answers} {
			p.start, p.end, p.committed = 3, 10, 10
		}
		u.at(primedStep, 0)
		if u.f.reads > 0 {
			t.Errorf("read %d offsets of topics without a backlog", u.f.reads)
		}
	})
	t.Run("nothing but what retention has deleted", func(t *testing.T) {
		u := newPrimingUnderTest(t)
		u.events.start, u.events.end = 10, 10
		u.at(primedStep, 0)
	})
}

// The steps come one after the other, and each has the ends that there are when it begins.
func TestPrimingSteps(t *testing.T) {
	u := newPrimingUnderTest(t)
	u.partners.end, u.events.end = 10, 100
	u.at(1, 110)
	u.partners.committed, u.events.committed = 10, 60
	u.inEvents.end = 60 // on its way to the gate: it counts
	u.at(1, 40+60)
	u.events.end = 500 // comes after the start
	u.events.committed, u.inEvents.end, u.inPartners.end = 100, 100, 10
	u.at(2, 110)
	u.inEvents.end = 400
	u.inEvents.committed, u.inPartners.committed = 99, 10
	u.memberships.end = 5
	u.at(2, 1)
	u.inEvents.committed, u.memberships.end, u.orgLoop.end = 100, 7, 2
	u.at(3, 9)
	u.memberships.committed, u.orgLoop.committed = 7, 2
	u.memberships.end, u.orgLoop.end, u.answers.end = 70, 3, 6
	u.at(4, 7)
	u.answers.committed, u.orgLoop.committed = 6, 2
	u.at(4, 1)
	u.orgLoop.committed = 3
	u.at(primedStep, 0)
}

// The last offsets of a legacy partition that are no records are not waited for.
func TestPrimingWaitsForRecordsOnly(t *testing.T) {
	for _, c := range []struct {
		name                  string
		start, end, committed int64
		noRecord              func(int64) bool
		left                  int64
	}{
		{"a marker at the end", 0, 100, -1, func(o int64) bool { return o == 99 }, 99},
		{"consumed up to the marker", 0, 100, 99, func(o int64) bool { return o == 99 }, 0},
		{"a long aborted transaction at the end", 0, 5000, 100, func(o int64) bool { return o >= 1000 }, 900},
		{"nothing but aborted", 7, 5000, -1, func(int64) bool { return true }, 0},
		{"markers in between", 0, 100, 50, func(o int64) bool { return o%2 == 0 }, 50},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := newPrimingUnderTest(t)
			u.events.start, u.events.end, u.events.committed, u.events.noRecord = c.start, c.end, c.committed, map[int64]bool{}
			for o := c.start; o < c.end; o++ {
				u.events.noRecord[o] = c.noRecord(o)
			}
			if c.left > 0 {
				u.at(1, c.left)
				u.events.committed += c.left
				u.events.committed = max(u.events.committed, c.left) // nothing was committed before
			}
			u.at(primedStep, 0)
		})
	}
}

// Retention that deletes what was waited for ends the waiting.
func TestPrimingWithRetention(t *testing.T) {
	u := newPrimingUnderTest(t)
	u.events.end = 100
	u.at(1, 100)
	u.events.start = 30
	u.at(1, 70)
	u.events.start, u.events.end = 120, 120
	u.at(primedStep, 0)
}

// A question that fails is asked again, wherever it fails, and the targets stay.
func TestPrimingAsksAgain(t *testing.T) {
	u := newPrimingUnderTest(t)
	u.events.end = 100
	fail := func() {
		t.Helper()
		u.f.fail = errors.New("no broker")
		if _, waits, err := u.poll(t.Context(), u.now); err == nil || !waits {
			t.Fatalf("%t, %v; want to wait with an error", waits, err)
		}
	}
	fail()
	u.at(1, 100)
	u.events.end = 200
	fail()
	u.at(1, 100)
	u.events.committed, u.inEvents.end = 100, 50
	fail()
	u.at(2, 50)
	u.inEvents.committed = 50
	fail()
	u.at(primedStep, 0)
}

// A topic that is paused may stay so for days: it is not waited for, and it is said.
func TestPrimingDoesNotWaitForAPausedTopic(t *testing.T) {
	u := newPrimingUnderTest(t)
	u.events.end, u.partners.end = 100, 10
	u.at(1, 110)
	u.halted["events"] = true
	u.at(1, 10)
	u.halted["events"] = false // resumed meanwhile
	u.at(1, 110)
	u.halted["events"] = true
	u.partners.committed = 10
	u.at(primedStep, 0)
	if n := strings.Count(u.log.String(), "topic=events"); n != 1 {
		t.Errorf("said %d times: %s", n, u.log)
	}
}

func TestPrimingRate(t *testing.T) {
	u := newPrimingUnderTest(t)
	u.events.end = 1000
	u.at(1, 1000)
	u.events.committed = 100
	u.now = u.now.Add(9 * time.Second)
	progress, _, err := u.poll(t.Context(), u.now.Add(time.Second))
	if err != nil || progress.Rate != 10 || progress.ETA != 90*time.Second {
		t.Errorf("%+v, %v; want 10 per second and 90 s", progress, err)
	}
	if got, want := progress.String(), "step 1 of 4, partners and events to be read: 900 records left, 10 per second, about 1m30s"; got != want {
		t.Errorf("says %q, want %q", got, want)
	}
	progress, _, _ = u.poll(t.Context(), u.now.Add(time.Hour))
	if progress.ETA != 0 || strings.Contains(progress.String(), "about") {
		t.Errorf("%s: there is no progress", progress)
	}
}

// The whole of it: it reports, goes on after failures, and ends with its context
// even while a broker does not answer.
func TestPrimingRuns(t *testing.T) {
	u := newPrimingUnderTest(t)
	u.events.end, u.f.fail = 100, errors.New("no broker")
	var reports []string
	done := u.run(t.Context(), time.Millisecond, func(p primingProgress, err error) {
		reports = append(reports, fmt.Sprint(p.Left, " ", err))
		if len(reports) == 2 {
			u.events.committed = 100
		}
	})
	if want := []string{"0 no broker", "100 <nil>"}; !done || !slices.Equal(reports, want) {
		t.Errorf("done %t, reports %q, want %q", done, reports, want)
	}
	if !strings.Contains(u.log.String(), "left=100\n") { // how long it takes is not known yet, and nothing is said of it
		t.Errorf("logs %s", u.log)
	}

	u = newPrimingUnderTest(t)
	u.events.end, u.f.blocked = 100, true
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan bool)
	go func() { ended <- u.run(ctx, time.Millisecond, func(primingProgress, error) {}) }()
	cancel()
	if <-ended {
		t.Error("done, though nothing was read")
	}
}
