// Package tracker measures what the acknowledgement tracker adds to a record: it is noted when it
// is delivered, when its callback begins, and when it is marked, and goes through one channel more.
package tracker

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

const (
	topic     = "orders"
	partition = 3
)

// group runs one session with one claim, as sarama would, whose records come from a slice.
type group struct {
	sarama.ConsumerGroup
	session *session
	claim   *claim
	end     context.CancelFunc // after one session, as the tracker would join again at once
}

func (g *group) Consume(_ context.Context, _ []string, h sarama.ConsumerGroupHandler) error {
	if err := h.Setup(g.session); err != nil {
		return err
	}
	if err := h.ConsumeClaim(g.session, g.claim); err != nil {
		return err
	}
	defer g.end()
	return h.Cleanup(g.session)
}

func (g *group) Errors() <-chan error { return nil }
func (g *group) Close() error         { return nil }

type session struct {
	sarama.ConsumerGroupSession
	ctx    context.Context
	marked atomic.Int64
}

func (s *session) Claims() map[string][]int32 { return map[string][]int32{topic: {partition}} }
func (s *session) MemberID() string           { return "member" }
func (s *session) GenerationID() int32        { return 1 }
func (s *session) Context() context.Context   { return s.ctx }
func (s *session) MarkOffset(_ string, _ int32, offset int64, _ string) {
	s.marked.Store(offset)
}

func (s *session) MarkMessage(m *sarama.ConsumerMessage, _ string) {
	s.marked.Store(max(s.marked.Load(), m.Offset+1))
}

type claim struct{ messages chan *sarama.ConsumerMessage }

func (c *claim) Topic() string                            { return topic }
func (c *claim) Partition() int32                         { return partition }
func (c *claim) InitialOffset() int64                     { return 0 }
func (c *claim) HighWaterMarkOffset() int64               { return 0 }
func (c *claim) Messages() <-chan *sarama.ConsumerMessage { return c.messages }

// handler stands in for Goka, with so many records in flight, which are acknowledged in order or,
// with backwards, the newest first, all of them at a time.
type handler struct {
	tracker   *kafka.Tracker // nil: none
	inFlight  int
	backwards bool
}

func (h *handler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (h *handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (h *handler) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	ring := make([]*sarama.ConsumerMessage, max(h.inFlight, 1))
	n := 0
	for m := range c.Messages() {
		if h.tracker != nil {
			h.tracker.Begin(m.Topic, m.Partition, m.Offset)
		}
		at := n % len(ring)
		if !h.backwards && n >= len(ring) {
			s.MarkMessage(ring[at], "")
		}
		ring[at] = m
		n++
		if h.backwards && at == len(ring)-1 {
			for i := len(ring) - 1; i >= 0; i-- {
				s.MarkMessage(ring[i], "")
			}
		}
	}
	for i := max(0, n-len(ring)); i < n; i++ { // what is left, and backwards some again, which changes nothing
		s.MarkMessage(ring[i%len(ring)], "")
	}
	return nil
}

func BenchmarkRecord(b *testing.B) {
	for _, how := range []struct {
		name string
		handler
	}{
		{"flow=in-order", handler{inFlight: 1}},
		{"flow=1000-in-flight", handler{inFlight: 1000}},
		{"flow=1000-backwards", handler{inFlight: 1000, backwards: true}},
	} {
		for _, variant := range []string{"none", "tracker", "keeping-records"} {
			b.Run(how.name+"/variant="+variant, func(b *testing.B) { consume(b, how.handler, variant) })
		}
	}
}

func consume(b *testing.B, h handler, variant string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	messages := make([]sarama.ConsumerMessage, b.N)
	now := time.Now()
	for i := range messages {
		messages[i] = sarama.ConsumerMessage{Topic: topic, Partition: partition, Offset: int64(i), Timestamp: now}
	}
	g := &group{end: cancel, session: &session{ctx: ctx}, claim: &claim{messages: make(chan *sarama.ConsumerMessage, 256)}}
	var cg sarama.ConsumerGroup = g
	if variant != "none" {
		h.tracker = kafka.NewTracker(kafka.TrackerOptions{Group: "bench", AcceptForeignOffsets: true, KeepRecords: variant == "keeping-records"})
		var err error
		cg, err = h.tracker.Builder(func([]string, string, string) (sarama.ConsumerGroup, error) { return g, nil })(nil, "bench", "")
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		defer close(g.claim.messages)
		for i := range messages {
			g.claim.messages <- &messages[i]
		}
	}()
	if err := cg.Consume(ctx, []string{topic}, &h); err != nil && ctx.Err() == nil {
		b.Fatal(err)
	}
	b.StopTimer()
	if n := g.session.marked.Load(); n != int64(b.N) {
		b.Fatalf("marked up to %d of %d", n, b.N)
	}
}
