package kafka

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/kafkatest"
	"github.com/ticketscloud/vibe-bridge/internal/logging"
)

// logBuffer is a log that is read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.FieldsFunc(l.text.String(), func(r rune) bool { return r == '\n' })
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// hearing tells a tracker what a group meets with.
type hearing struct {
	t      *testing.T
	tr     *Tracker
	log    logBuffer
	failed []error
}

func newHearing(t *testing.T) *hearing {
	h := &hearing{t: t}
	h.tr = NewTracker(TrackerOptions{Group: "gate", Log: h.log.logger(), Failed: func(err error) { h.failed = append(h.failed, err) }})
	return h
}

func (h *hearing) want(when string, failures, lines int) {
	h.t.Helper()
	if len(h.failed) != failures || len(h.log.lines()) != lines {
		h.t.Errorf("%s: failures %v, log %q; want %d and %d", when, h.failed, h.log.lines(), failures, lines)
	}
}

func reading(topic string, err error) error {
	return &sarama.ConsumerError{Topic: topic, Partition: 3, Err: err}
}

// What no retry heals ends the group at once and says of what it was.
func TestHopelessErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		says string
	}{
		{reading("orders", sarama.ErrTopicAuthorizationFailed), "group gate cannot go on reading orders/3: "},
		{reading("orders", sarama.ErrOffsetOutOfRange), "group gate cannot go on reading orders/3: "},
		{fmt.Errorf("refresh: %w", sarama.ErrSASLAuthenticationFailed), "group gate cannot go on: "},
		{sarama.ErrGroupAuthorizationFailed, "group gate cannot go on: "},
	} {
		h := newHearing(t)
		h.tr.hear(c.err)
		h.tr.hear(c.err)
		h.want(c.err.Error(), 1, 0)
		var e *ConsumeError
		if !errors.As(h.failed[0], &e) || !strings.HasPrefix(e.Error(), c.says) || Explain(e) == e.Error() {
			t.Errorf("failed with %v, explained as %q; want %q… and what to do", h.failed[0], Explain(h.failed[0]), c.says)
		}
	}
}

// Everything else is tried again, and logged.
func TestOtherErrorsAreLogged(t *testing.T) {
	h := newHearing(t)
	h.tr.hear(reading("orders", errors.New("read tcp 10.0.0.7:51000->10.0.0.1:9092: connection reset by peer")))
	h.tr.hear(reading("events", sarama.ErrRequestTimedOut))
	h.want("two errors", 0, 2)
	h.tr.hear(handlerError{errors.New("panic in callback")})
	h.want("an error that Consume returns too", 0, 2)
}

// A topic may be unknown for a moment, to a broker that has just started.
func TestUnknownTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHearing(t)
		unknown := func(topic string) { h.tr.hear(reading(topic, sarama.ErrUnknownTopicOrPartition)) }
		unknown("orders")
		time.Sleep(unknownTopicPatience - time.Second)
		unknown("orders")
		unknown("events")
		h.want("not for long", 0, 3)
		time.Sleep(forgottenAfter + time.Second)
		unknown("orders")
		h.want("once more, much later", 0, 4)
		time.Sleep(unknownTopicPatience)
		unknown("events")
		h.want("another topic", 0, 5)
		unknown("orders")
		h.want("for long", 1, 5)
		wantError(t, h.failed[0], []string{"group gate cannot go on reading orders/3"})
	})
}

// A right that is taken away while a group consumes ends it, where the client
// would ask again for ever and nobody would know.
func TestRightsThatAreTakenAway(t *testing.T) {
	t.Parallel()
	tg := kafkatest.Embedded(t, embedded.Options{})
	r := newRelay(t, tg)
	r.produce(0, 3)
	failed := make(chan error, 1)
	run := r.start(true, commitOften, func(o *TrackerOptions) { o.Failed = func(err error) { failed <- err } })
	kafkatest.Eventually(t, "the records to be committed", func() bool { return r.committed()[0] == 3 })
	tg.Embedded.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: r.in, Err: kerr.TopicAuthorizationFailed, Count: -1})
	var err error
	kafkatest.Eventually(t, "the group to fail", func() bool {
		select {
		case err = <-failed:
			return true
		default:
			return false
		}
	})
	var e *ConsumeError
	if !errors.As(err, &e) || e.Group != string(r.group) || e.Topic != r.in || !errors.Is(err, sarama.ErrTopicAuthorizationFailed) {
		t.Errorf("failed with %v", err)
	}
	run.stop()
	if err := run.end(); err != nil {
		t.Errorf("ended with %v", err)
	}
}

// A fault that passes is logged, and the group goes on.
func TestFaultThatPasses(t *testing.T) {
	t.Parallel()
	tg := kafkatest.Embedded(t, embedded.Options{})
	r := newRelay(t, tg)
	r.produce(0, 3)
	var log logBuffer
	run := r.start(true, commitOften, func(o *TrackerOptions) {
		o.Log, o.Failed = slog.New(logging.Limit(log.logger().Handler())), func(err error) { t.Errorf("failed with %v", err) } // as run has it
	})
	kafkatest.Eventually(t, "the records to be committed", func() bool { return r.committed()[0] == 3 })
	fault := tg.Embedded.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: r.in, Err: kerr.UnknownServerError, Count: -1})
	kafkatest.Eventually(t, "the fault to be met three times", func() bool { return fault.Hits() >= 3 })
	fault.Remove()
	r.produce(3, 1)
	kafkatest.Eventually(t, "the next record to be committed", func() bool { return r.committed()[0] == 4 })
	if lines := log.lines(); len(lines) == 0 || len(lines) > 2 { // one for each partition of the topic
		t.Errorf("log %q", lines)
	}
	run.stop()
	if err := run.end(); err != nil {
		t.Errorf("ended with %v", err)
	}
}

// Nobody has to listen to a group for it to be closed, and whoever does sees its end.
func TestGroupErrorsEndWithTheGroup(t *testing.T) {
	leakless(t)
	c := Cluster{Brokers: kafkatest.Embedded(t, embedded.Options{}).Addrs, Replication: 1}
	for _, listen := range []bool{false, true} {
		cfg, err := c.ConsumerConfig(ConsumerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		group, err := NewTracker(TrackerOptions{}).Builder(func(brokers []string, group, _ string) (sarama.ConsumerGroup, error) {
			return sarama.NewConsumerGroup(brokers, group, cfg)
		})(c.Brokers, "g", "")
		if err != nil {
			t.Fatal(err)
		}
		if listen {
			group.Errors()
		}
		if err := group.Close(); err != nil {
			t.Error(err)
		}
		if !listen {
			continue
		}
		if err, open := <-group.Errors(); open {
			t.Errorf("an error of a group that is closed: %v", err)
		}
	}
}
