package processors_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// supervise runs a supervisor for the test.
func (h *hole) supervise(dir string) (*processors.Supervisor, *instance) {
	h.t.Helper()
	cfg := h.cfg
	cfg.StateDir = dir
	s, err := processors.NewSupervisor(cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	in := &instance{stop: stop, done: make(chan error, 1)}
	go func() { in.done <- s.Run(ctx) }()
	h.t.Cleanup(stop)
	return s, in
}

// A record that the brokers refuse ends the instance, and it is built anew in the
// same process: nothing is lost, and it says that it was not ready meanwhile.
func TestFailedInstanceIsBuiltAnew(t *testing.T) {
	h := newHole(t, 1)
	h.cfg.StopTimeout = stopTimeout
	refused := h.fault(kmsg.Produce, produceTo(h.slim(mapping.Events)), h.refuse(kerr.InvalidRecord))
	s, in := h.supervise(t.TempDir())
	h.internal(mapping.Events, event("e"))
	refused.awaitHit(t)
	refused.release() // the answer is the refusal; later requests go through
	kafkatest.Eventually(t, "the instance not to be ready", func() bool {
		return slices.ContainsFunc(s.NotReady(), func(reason string) bool { return strings.Contains(reason, "built anew") })
	})
	h.awaitSlim(mapping.Events, "e")
	kafkatest.Eventually(t, "the instance to be ready", func() bool { return len(s.NotReady()) == 0 })
	h.leave(in)
}

// What only an operator can mend ends it for good, as does any failure of the first start.
func TestSupervisorGivesUp(t *testing.T) {
	h := newHole(t, 1)
	h.recreate(h.cfg.Topics.Internal(mapping.Orders))
	_, in := h.supervise(t.TempDir())
	kafkatest.Eventually(t, "a first start", func() bool { return h.members() > 0 })
	h.leave(in)
	h.recreate(h.cfg.Topics.Internal(mapping.Orders))
	_, in = h.supervise(t.TempDir())
	if err := h.endedWithin(in, 30*time.Second); err == nil || !strings.Contains(err.Error(), "created again") {
		t.Errorf("ended with %v", err)
	}
}

// An instance whose groups cannot join processes nothing, and is not ready until they have: at first it starts, and
// later it says that it does not get on.
func TestInstanceThatCannotJoinIsNotReady(t *testing.T) {
	h := newHole(t, 1)
	h.cfg.StopTimeout, h.cfg.StallAfter = stopTimeout, 2*time.Second
	source, state := h.cfg.Topics.Groups()
	groups := append(source, state...)
	var joins atomic.Bool
	var tried sync.Map
	cluster := h.cluster()
	cluster.ControlKey(int16(kmsg.JoinGroup), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		tried.Store(r.(*kmsg.JoinGroupRequest).Group, true)
		return nil, errors.New("the connection is cut"), !joins.Load()
	})
	s, in := h.supervise(t.TempDir())
	kafkatest.Eventually(t, "all groups to try to join", func() bool {
		if len(s.NotReady()) == 0 {
			t.Fatal("the instance is ready before its groups have joined")
		}
		return !slices.ContainsFunc(groups, func(group string) bool { _, has := tried.Load(group); return !has })
	})
	want := "starting: groups that have not joined yet: " + strings.Join(groups, ", ")
	kafkatest.Eventually(t, "the groups to be named", func() bool { return slices.Contains(s.NotReady(), want) })
	for _, group := range groups {
		kafkatest.Eventually(t, "a group that has not joined to be named", func() bool {
			return slices.ContainsFunc(s.NotReady(), func(reason string) bool { return strings.HasPrefix(reason, "group "+group+" has no partitions") })
		})
	}
	joins.Store(true)
	kafkatest.Eventually(t, "the instance to be ready", func() bool { return len(s.NotReady()) == 0 })
	h.leave(in)
}

// An acknowledgement that never comes makes the instance not ready, and names the partition.
func TestStalledPartitionIsNamed(t *testing.T) {
	h := newHole(t, 1)
	h.cfg.StallAfter = 2 * time.Second
	s, in := h.supervise(t.TempDir())
	h.awaitSession()
	kafkatest.Eventually(t, "the instance to be ready", func() bool { return len(s.NotReady()) == 0 })
	held := h.fault(kmsg.Produce, produceTo(h.slim(mapping.Events)), h.hold)
	h.internal(mapping.Events, event("e"))
	held.awaitHit(t)
	topic := h.cfg.Topics.Internal(mapping.Events) + "/0"
	kafkatest.Eventually(t, "the partition to be named", func() bool {
		return slices.ContainsFunc(s.NotReady(), func(reason string) bool { return strings.Contains(reason, topic) })
	})
	held.release()
	kafkatest.Eventually(t, "the instance to be ready again", func() bool { return len(s.NotReady()) == 0 })
	h.leave(in)
}
