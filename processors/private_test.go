package processors_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// A legacy producer may use a phone number as the key. What an instance says when
// it fails at such a record, it says without it.
func TestFailureTellsNothingOfALegacyRecord(t *testing.T) {
	const key = "+79990000001"
	for name, c := range map[string]struct {
		fails func(h *hole)
		want  string
	}{
		"emit refused": {func(h *hole) {
			h.fault(kmsg.Produce, produceTo(h.cfg.Topics.Internal(mapping.Events)), refuseAtOnce(h))
		}, "produce to"},
		"callback panics": {func(h *hole) {
			h.cfg.Observer = &panicking{Observer: h.monitor, topic: h.cfg.Topics.Internal(mapping.Events), with: "at " + key}
		}, "private_test.go"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHole(t, 1)
			said := &said{}
			h.cfg.Log = slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug}))
			c.fails(h)
			e := event("e")
			kafkatest.Produce(t, h.source.Addrs, h.cfg.Topics.Legacy[mapping.Events], &kafkatest.Record{Key: []byte(key), Value: encoded(t, e)})
			err := h.ended(h.start(t.TempDir()))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("instance ended with %v, want an error that says %q", err, c.want)
			}
			all := err.Error() + said.String()
			if !strings.Contains(said.String(), "error processing message") {
				t.Error("the log does not tell of the failure")
			}
			for _, part := range []string{strings.Trim(key, "+"), e.GetName()} {
				if strings.Contains(all, part) {
					t.Errorf("%q was said: %s", part, all)
				}
			}
		})
	}
}

func refuseAtOnce(h *hole) func(*fault, kmsg.Request) (kmsg.Response, bool) {
	refuse := h.refuse(kerr.MessageTooLarge)
	held := &fault{released: make(chan struct{})}
	held.release()
	return func(_ *fault, req kmsg.Request) (kmsg.Response, bool) { return refuse(held, req) }
}

// panicking panics in the callback that sends to a topic.
type panicking struct {
	kafka.Observer
	topic, with string
}

func (o *panicking) Sending(topic string, key, value []byte) {
	if topic == o.topic {
		panic(o.with)
	}
	o.Observer.Sending(topic, key, value)
}

// said is what was logged.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
