package processors_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ticketscloud/vibe-bridge/internal/console"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
)

const (
	stopTimeout = 2 * time.Second
	// stopBound is what an instance has to end within: the stop timeout, the back-off
	// that a client is in, and a machine that is busy with other tests.
	stopBound = stopTimeout + 10*time.Second
)

// An instance that is told to stop while a cluster is away ends all the same, in
// time and with an error, and the next one does what it could not.
func TestStopWhileAClusterIsAway(t *testing.T) {
	t.Parallel()
	for i, away := range []string{"source", "state", "target"} {
		for _, silent := range []bool{false, true} {
			name := away + " closes connections"
			if silent {
				name = away + " does not answer"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				const orders = 1500
				var clusters [3]kafkatest.Target
				var outages [3]kafkatest.Outage
				for i := range clusters {
					clusters[i] = kafkatest.Embedded(t, embedded.Options{More: []kfake.Opt{outages[i].Option()}})
				}
				w := newWorldOnThree(t, clusters[0], clusters[1], clusters[2], 2, season.Config{Orders: orders, Seed: 21, Hostile: 0.05})
				w.cfg.StopTimeout = stopTimeout
				w.produce()
				dir := t.TempDir()
				middle := &pauseAt{Observer: w.monitor, topics: w.cfg.Topics.Slim, after: orders / 4, reached: make(chan struct{}), proceed: make(chan struct{})}
				w.cfg.Observer = middle
				in := w.start(dir)
				w.until("a quarter sent", []*instance{in}, func() bool { return over(middle.reached) })
				if silent {
					outages[i].Silence()
				} else {
					outages[i].Close()
				}
				close(middle.proceed)
				began := time.Now()
				in.stop()
				err := w.endedWithin(in, stopBound)
				var stop *processors.StopError
				// A source that is at its end owes no more than a farewell, which fails at once.
				farewell := away == "source" && err != nil && strings.Contains(err.Error(), "was not left in order")
				if !errors.As(err, &stop) && !farewell {
					t.Fatalf("instance ended with %v after %s, want a StopError", err, time.Since(began))
				}
				t.Logf("ended after %s: %v", time.Since(began).Round(time.Millisecond), err)
				wants := map[string]string{"source": "-intake-", "state": "state cluster", "target": w.cfg.Topics.Slim[mapping.Orders]}
				if !strings.Contains(err.Error(), wants[away]) {
					t.Errorf("the error does not name what the %s cluster owes: %v", away, err)
				}

				outages[i].End()
				w.cfg.Observer = w.monitor
				w.cfg.StopTimeout = 0 // this one has all the time that it needs
				in = w.start(dir)
				w.check(w.drain(in))
				w.leave(in)
			})
		}
	}
}

// Clusters that are away are named first, each of them: what else is not ready follows from that.
func TestClustersThatAreAwayAreNamedFirst(t *testing.T) {
	t.Parallel()
	var clusters [3]kafkatest.Target
	var outages [3]kafkatest.Outage
	for i := range clusters {
		clusters[i] = kafkatest.Embedded(t, embedded.Options{More: []kfake.Opt{outages[i].Option()}})
	}
	w := newWorldOnThree(t, clusters[0], clusters[1], clusters[2], 1, season.Config{})
	w.cfg.StopTimeout, w.cfg.StallAfter = stopTimeout, time.Second
	b, in := w.bridge(t.TempDir())
	all := []*instance{in}
	w.until("the instance to be ready", all, func() bool { return len(b.NotReady()) == 0 })
	for i := range outages {
		outages[i].Close()
	}
	begin := func(names ...string) bool {
		reasons := b.NotReady()
		for i, name := range names {
			if len(reasons) <= i || !strings.HasPrefix(reasons[i], name+" cluster out of reach: broker 127.0.0.1:") {
				return false
			}
		}
		return len(reasons) == len(names) || !strings.Contains(reasons[len(names)], "out of reach")
	}
	w.until("all clusters to be named, before all else", all, func() bool { return begin("source", "state", "target") })
	w.until("what follows to be said behind them", all, func() bool { return len(b.NotReady()) > 3 && begin("source", "state", "target") })
	if _, err := b.Console(nil).Quarantine(t.Context(), console.BadQuery{Limit: 1}); !kafka.Unreachable(err) {
		t.Errorf("the console's quarantine: %v, want what says that Kafka is away", err)
	}
	outages[1].End()
	w.until("the state cluster not to be named any more", all, func() bool { return begin("source", "target") })
	outages[0].End()
	outages[2].End()
	w.until("none to be named", all, func() bool { return begin() })
	w.leave(in)
}

// endedWithin waits for an instance that has to end.
func (w *world) endedWithin(in *instance, bound time.Duration) error {
	w.t.Helper()
	select {
	case err := <-in.done:
		return err
	case <-time.After(bound):
		w.t.Fatalf("the instance had not ended after %s", bound)
		return nil
	}
}

// A refused record ends the instance at once, though another record of the same
// group is never acknowledged, for which Goka alone would wait a minute and the
// client for many.
func TestRefusedRecordEndsTheInstanceInTime(t *testing.T) {
	h := newHole(t, 1)
	h.cfg.StopTimeout = stopTimeout
	dir := t.TempDir()
	in := h.start(dir)
	h.awaitSession()
	state := h.fault(kmsg.Produce, produceTo(h.table), swallow)
	refused := h.fault(kmsg.Produce, produceTo(h.slim(mapping.Events)), h.refuse(kerr.MessageTooLarge))
	h.internal(mapping.Events, event("e"))
	refused.awaitHit(t)
	state.awaitHit(t)
	refused.release()
	err := h.endedWithin(in, stopBound)
	var stop *processors.StopError
	if err == nil || !strings.Contains(err.Error(), h.slim(mapping.Events)) || !errors.As(err, &stop) {
		t.Errorf("instance ended with %v, want the refusal and what was not acknowledged", err)
	}
	state.release()
	in = h.start(dir)
	h.awaitSlim(mapping.Events, "e")
	h.leave(in)
}

// awaitSession waits until the gate has begun its session: the record that says so
// is acknowledged, and an event that came after it has gone out.
func (h *hole) awaitSession() {
	h.t.Helper()
	h.internal(mapping.Events, event("first"))
	h.awaitSlim(mapping.Events, "first")
}

// The same for a callback that fails: here on a record that is not the bridge's.
func TestFailedCallbackEndsTheInstanceInTime(t *testing.T) {
	h := newHole(t, 1)
	h.cfg.StopTimeout = stopTimeout
	in := h.start(t.TempDir())
	h.awaitSession()
	state := h.fault(kmsg.Produce, produceTo(h.table), swallow)
	h.internal(mapping.Events, event("e"))
	state.awaitHit(t)
	kafkatest.ProducePinned(t, h.target.Addrs, h.cfg.Topics.Internal(mapping.Events), &kafkatest.Record{Key: []byte("x"), Value: []byte("nonsense")})
	err := h.endedWithin(in, stopBound+kafkaSlack)
	if err == nil || !strings.Contains(err.Error(), "is not a record of this program") {
		t.Errorf("instance ended with %v, want the failure of the callback", err)
	}
}

// kafkaSlack is for a group to settle before a test's record can be consumed.
const kafkaSlack = 20 * time.Second

// A right that is taken away in mid-session ends the instance, and says which.
func TestInstanceEndsWithoutItsRights(t *testing.T) {
	h := newHole(t, 1)
	h.cfg.StopTimeout = stopTimeout
	in := h.start(t.TempDir())
	h.internal(mapping.Events, event("e"))
	h.awaitSlim(mapping.Events, "e")
	topic := h.cfg.Topics.Legacy[mapping.Orders]
	h.cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Err: kerr.TopicAuthorizationFailed, Count: -1})
	err := h.endedWithin(in, stopBound+kafkaSlack)
	var e *kafka.ConsumeError
	if !errors.As(err, &e) || e.Topic != topic {
		t.Errorf("instance ended with %v, want a ConsumeError about %s", err, topic)
	}
}

// Connections that are cut, as by a broker that crashes or a network that forgets them, end nothing: not
// while records are on their way, and not while a group joins.
func TestCutConnectionsEndNothing(t *testing.T) {
	t.Parallel()
	const orders, cuts = 2000, 4
	var outage kafkatest.Outage
	w := newWorld(t, kafkatest.Embedded(t, embedded.Options{More: []kfake.Opt{outage.Option()}}), 2, season.Config{Orders: orders, Seed: 22, Hostile: 0.05})
	cluster := w.target.Embedded.Cluster()
	joins := map[string]int{} // by group; the cluster asks one after the other
	cluster.ControlKey(int16(kmsg.JoinGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		group := req.(*kmsg.JoinGroupRequest).Group
		if joins[group]++; joins[group]%3 != 0 {
			return nil, errors.New("the connection is cut"), true
		}
		return nil, nil, false
	})
	w.produce()
	in := w.start(t.TempDir())
	for i := range int64(cuts) {
		at := (i + 1) * orders / (cuts + 1)
		w.until(fmt.Sprint(at, " records sent"), []*instance{in}, func() bool { return int64(w.monitor.Violations().Sent) >= at })
		outage.Close()
		outage.End()
	}
	w.check(w.drain(in))
	w.leave(in)
}
