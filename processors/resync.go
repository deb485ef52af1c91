package processors

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// ResyncRequest says what is to be emitted again: an event and everything below
// it; an order and its refunds; or whatever has changed since a time.
type ResyncRequest struct {
	Event string    // alone, or the event of Order where that is known
	Order string    // "": no order
	Since time.Time // zero: not by time; otherwise without Event and Order
}

// Resync is what the gate is to be told, and what that will make it emit.
type Resync struct {
	// Commands in the order in which they are to be sent: an event before its
	// orders, an order before its refunds. They go through one partition per event, and
	// the gate handles them one after the other; it holds an order back until
	// what it sent of the event is acknowledged.
	Commands []ResyncCommand
	Entities [len(mapping.Streams)]int // that will be decided again, by mapping.Stream
	Waiting  int                       // of those, how many are held back and stay so for now
}

// ResyncCommand tells the gate to send one entity again.
type ResyncCommand struct {
	Kind   string `json:"kind"` // event, order or refund
	Event  string `json:"event"`
	Order  string `json:"order,omitempty"`
	Refund string `json:"refund,omitempty"`
	Below  bool   `json:"below"` // and everything below it

	loop mapping.Loop
}

// ResyncRefusedError says why a request means nothing that could be sent again.
type ResyncRefusedError struct{ Reason string }

// Error implements error.
func (e *ResyncRefusedError) Error() string { return e.Reason }

// resendable is what is kept of a row that a request concerns.
type resendable struct {
	time  int64 // of the newest eligible legacy record, Unix milliseconds
	waits bool
	known bool // there is an eligible record
}

// PlanResync finds what a request concerns in the gate's table. It takes memory
// for that. A ResyncRefusedError says that the table has nothing of the kind.
func PlanResync(ctx context.Context, cfg Config, req ResyncRequest) (Resync, error) {
	rows, err := readGate(ctx, cfg, req.Event, func(key string, row *statepb.Row) (resendable, bool) {
		r := resendableOf(row)
		return r, req.concerns(key, r)
	})
	if err != nil {
		return Resync{}, err
	}
	if !req.Since.IsZero() {
		return planSince(rows), nil
	}
	key, err := req.find(rows)
	if err != nil {
		return Resync{}, err
	}
	return planBelow(key, rows), nil
}

func resendableOf(row *statepb.Row) resendable {
	e := mapping.EntityOf(row)
	return resendable{time: e.GetSource().GetTime(), waits: e.GetWait() != nil, known: e.GetSource() != nil}
}

func (req ResyncRequest) concerns(key string, r resendable) bool {
	if _, entity := mapping.StreamOf(key); !entity || !r.known || !belongsTo(req.Event, key) {
		return false
	}
	_, order, _ := mapping.IDs(key)
	switch {
	case !req.Since.IsZero():
		return r.time >= req.Since.UnixMilli()
	case req.Order != "":
		return mapping.KindOf(key) != mapping.EventKind && order == req.Order
	}
	return true
}

// find gives the key of the event or order that is asked for.
func (req ResyncRequest) find(rows map[string]resendable) (string, error) {
	if req.Order == "" {
		return mapping.EventKey(req.Event), req.findEvent(rows)
	}
	var found []string
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		if mapping.KindOf(key) == mapping.OrderKind {
			found = append(found, key)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1: // see docs/decisions/0005-keys-and-partitions.md
		return "", &ResyncRefusedError{fmt.Sprintf("order %s is known of several events (%s): choose one with --event", ShownID(req.Order), eventsOf(found))}
	case req.Event != "":
		return "", &ResyncRefusedError{fmt.Sprintf("event %s has no order %s that was ever fit to be sent", ShownID(req.Event), ShownID(req.Order))}
	}
	return "", &ResyncRefusedError{fmt.Sprintf("order %s is not known, or was never fit to be sent", ShownID(req.Order))}
}

func (req ResyncRequest) findEvent(rows map[string]resendable) error {
	if _, known := rows[mapping.EventKey(req.Event)]; known {
		return nil
	}
	reason := fmt.Sprintf("event %s is not known, or was never fit to be sent", ShownID(req.Event))
	if len(rows) > 0 {
		reason += fmt.Sprintf("; %d orders and refunds name it: see `vibe-bridge parked --event`", len(rows))
	}
	return &ResyncRefusedError{reason}
}

func eventsOf(keys []string) string {
	var events []string
	for _, key := range keys {
		event, _, _ := mapping.IDs(key)
		events = append(events, ShownID(event))
	}
	return strings.Join(events, ", ")
}

// planBelow is one command for key and everything below it.
func planBelow(key string, rows map[string]resendable) Resync {
	r := Resync{Commands: []ResyncCommand{commandFor(key, true)}}
	for k, row := range rows {
		if k == key || strings.HasPrefix(k, key+"/") {
			r.count(k, row)
		}
	}
	return r
}

// planSince is one command for each row: all events, then all orders, then all
// refunds, and of each the oldest first.
func planSince(rows map[string]resendable) Resync {
	keys := slices.SortedFunc(maps.Keys(rows), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(rows[a].time, rows[b].time), strings.Compare(a, b))
	})
	var r Resync
	for _, key := range keys {
		r.Commands = append(r.Commands, commandFor(key, false))
		r.count(key, rows[key])
	}
	return r
}

func commandFor(key string, below bool) ResyncCommand {
	s, _ := mapping.StreamOf(key)
	c := ResyncCommand{Kind: kinds[s], Below: below, loop: mapping.Resend(key, below)}
	c.Event, c.Order, c.Refund = mapping.IDs(key)
	return c
}

func (r *Resync) count(key string, row resendable) {
	s, _ := mapping.StreamOf(key)
	r.Entities[s]++
	if row.waits {
		r.Waiting++
	}
}

// Send writes the commands to the gate's loop topic, at most rate in a second, and
// waits until the brokers have acknowledged them. It returns how many are
// acknowledged, and stops at the first that is refused and when ctx ends. sent,
// if not nil, is called after each command with the number that were handed to the client.
//
// A command that was sent and not acknowledged may still have arrived; sending
// it twice does no harm.
func (r Resync) Send(ctx context.Context, cfg Config, rate int, sent func(int)) (acked int, err error) {
	wire := kafka.NewWire()
	defer context.AfterFunc(ctx, wire.Cut)() // or the client would go on trying for minutes
	s := &commandSender{topic: loopOf(cfg.Topics.gateGroup())}
	if err := s.open(cfg, wire); err != nil {
		return 0, err
	}
	err = s.all(ctx, r.Commands, rate, sent)
	if closed := s.producer.Close(); err == nil {
		err = closed
	}
	switch refused := s.refused(); {
	case ctx.Err() != nil:
		err = ctx.Err()
	case refused != nil:
		err = refused
	}
	return int(s.acked.Load()), err
}

// commandSender writes commands to a loop topic.
type commandSender struct {
	topic    string
	producer *kafka.Producer
	acked    atomic.Int64

	mu  sync.Mutex
	err error // the first refusal
}

func (s *commandSender) open(cfg Config, wire *kafka.Wire) error {
	profile, err := cfg.State.ProducerConfig(kafka.ProducerOptions{
		ClientOptions: kafka.ClientOptions{Wire: wire}, Partitioner: cfg.Topics.partitioner,
	})
	if err != nil {
		return err
	}
	client, err := sarama.NewAsyncProducer(cfg.State.Brokers, profile)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	s.producer = kafka.NewProducer([]sarama.AsyncProducer{client}, kafka.ProducerHooks{
		Route:   func(string) (sarama.AsyncProducer, error) { return client, nil },
		Refused: s.refuse,
	})
	return nil
}

func (s *commandSender) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

func (s *commandSender) refused() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *commandSender) all(ctx context.Context, commands []ResyncCommand, rate int, sent func(int)) error {
	began := time.Now()
	for i, c := range commands {
		if err := waitUntil(ctx, began.Add(dueAfter(i, rate))); err != nil {
			return err
		}
		if err := s.refused(); err != nil {
			return err
		}
		s.producer.Send(&sarama.ProducerMessage{
			Topic: s.topic, Key: sarama.StringEncoder(c.loop.Key), Value: sarama.ByteEncoder(marshal(c.loop.Command)),
		}, func(_ *sarama.ProducerMessage, err error) {
			if err == nil {
				s.acked.Add(1)
			}
		})
		if sent != nil {
			sent(i + 1)
		}
	}
	return nil
}

// dueAfter is when command i may go out, after the first, at a rate per second.
func dueAfter(i, rate int) time.Duration {
	return time.Duration(i/rate)*time.Second + time.Duration(i%rate)*time.Second/time.Duration(rate)
}

func waitUntil(ctx context.Context, due time.Time) error {
	d := time.Until(due)
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
