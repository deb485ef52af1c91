// Package dryrun runs the bridge's pure steps over legacy records with no
// broker: one partition, every acknowledgement immediate, file order.
//
// It holds the in-memory tables and the queue that stand in for topics. Rules
// belong to package mapping, files to package recordfile.
package dryrun

import (
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// QuarantineTopic is where quarantined records go in the output.
const QuarantineTopic = "quarantine"

// Config says how records are mapped and labelled.
type Config struct {
	Rules         *mapping.Rules
	ApplicationID string
	SourceHeader  bool // write the trace header bridge-source
}

// Engine processes legacy records one by one. It is not safe for concurrent use.
type Engine struct {
	cfg    Config
	sink   func(recordfile.Record) error
	gate   *table
	orgs   *table
	queue  []message
	inputs int64
	now    int64
	origin []position // of the n-th record

	consumed [4]uint64
	counts   map[mapping.Reason]uint64
	offsets  map[string]int64
}

type position struct {
	partition int32
	offset    int64
}

type message struct {
	toOrganizers bool
	key          string
	body         proto.Message
}

// New returns an engine that hands every slim and quarantined record to sink, in emission order.
func New(cfg Config, sink func(recordfile.Record) error) (*Engine, error) {
	if err := cfg.Rules.Validate(); err != nil {
		return nil, err
	}
	return &Engine{
		cfg: cfg, sink: sink, gate: newTable(), orgs: newTable(),
		counts: map[mapping.Reason]uint64{}, offsets: map[string]int64{},
	}, nil
}

// Process takes the next legacy record and does everything that follows from it.
// An error means an unknown topic or a failing sink.
func (e *Engine) Process(rec recordfile.Record) error {
	stream, ok := streamOf(rec.Topic)
	if !ok {
		return fmt.Errorf("topic %q is not a legacy topic; dry-run reads partners, events, orders_done and refund_requests", rec.Topic)
	}
	src := &statepb.Source{Offset: int64(len(e.origin)), Time: rec.Timestamp}
	e.origin = append(e.origin, position{rec.Partition, rec.Offset})
	e.consumed[stream]++
	in := e.cfg.Rules.Intake(stream, src, rec.Value)
	in.Input.Settled = src.Offset
	e.count(in.Counts)
	if in.Quarantine != "" {
		if err := e.quarantine(rec, in.Quarantine, mapping.StageIntake); err != nil {
			return err
		}
	}
	e.queue = append(e.queue, message{toOrganizers: stream == mapping.Partners, key: in.Key, body: in.Input})
	return e.drain()
}

// ExpireHolds lets every hold run out.
func (e *Engine) ExpireHolds() error {
	const age = math.MaxInt64 / 1000
	for e.now = age; ; e.now += age {
		due := e.gate.held()
		if len(due) == 0 {
			return nil
		}
		for _, key := range due {
			loop := mapping.Recheck(key)
			e.queue = append(e.queue, message{key: loop.Key, body: loop.Command})
		}
		if err := e.drain(); err != nil {
			return err
		}
	}
}

// Summary accounts for everything processed so far.
func (e *Engine) Summary() Summary {
	accounts := mapping.NewAccounts()
	for _, t := range []*table{e.gate, e.orgs} {
		for key, value := range t.rows {
			row, err := mapping.DecodeRow(value)
			if err != nil {
				panic(err) // this process wrote it
			}
			accounts.AddRow(key, row)
		}
	}
	accounts.Settle()
	for i := range e.consumed {
		accounts[i].Consumed = e.consumed[i]
	}
	return Summary{Accounts: accounts, Counts: e.counts}
}

// Rows are the keys and rows of the gate's table, in no order. Nobody may change them.
func (e *Engine) Rows() iter.Seq2[string, []byte] { return maps.All(e.gate.rows) }

func (e *Engine) drain() error {
	for len(e.queue) > 0 {
		m := e.queue[0]
		e.queue = e.queue[1:]
		e.inputs++
		if err := e.step(m); err != nil {
			return err
		}
	}
	e.queue = nil
	return nil
}

func (e *Engine) step(m message) error {
	t, run := e.gate, e.cfg.Rules.Gate
	if m.toOrganizers {
		t, run = e.orgs, e.cfg.Rules.Organizers
	}
	env := &mapping.Env{
		Now:     e.now,
		Self:    mapping.Cause{Offset: e.inputs},
		Status:  func(mapping.Cause) mapping.Status { return mapping.Acked },
		Settle:  func(mapping.Cause) (mapping.Status, error) { return mapping.Acked, nil },
		Waiting: t.waitsBelow,
	}
	out, err := run(env, m.key, t.get, m.body)
	if err != nil {
		return err
	}
	if out.Value != nil {
		t.set(m.key, out.Value)
	}
	return e.apply(m, t, out)
}

func (e *Engine) apply(m message, t *table, out mapping.Outcome) error {
	for _, emit := range out.Emits {
		if err := e.emit(emit); err != nil {
			return err
		}
	}
	for _, r := range out.Rejections {
		if err := e.quarantine(e.reference(r), r.Reason, mapping.StageGate); err != nil {
			return err
		}
	}
	e.count(out.Counts)
	for _, l := range out.Loops {
		e.queue = append(e.queue, message{toOrganizers: m.toOrganizers, key: l.Key, body: l.Command})
	}
	for _, c := range out.Memberships {
		e.queue = append(e.queue, message{
			toOrganizers: true, key: mapping.MemberKey(c.Org, c.Event),
			body: &statepb.Membership{Event: c.Event, Leave: c.Leave},
		})
	}
	switch {
	case out.Scan != nil:
		for _, key := range t.scan(out.Scan) {
			if m.toOrganizers {
				e.answer(key, out.Answer)
			} else {
				e.queue = append(e.queue, message{key: key, body: out.Scan.Command(key).Command})
			}
		}
	case out.Answer != nil:
		e.answer(m.key, out.Answer)
	}
	return nil
}

// answer tells the event of a member key.
func (e *Engine) answer(memberKey string, a *statepb.Answer) {
	e.queue = append(e.queue, message{key: mapping.MemberEvent(memberKey), body: a})
}

func (e *Engine) emit(m mapping.Emit) error {
	source := ""
	if e.cfg.SourceHeader {
		at := e.origin[m.Source.GetOffset()]
		source = slim.Source(m.Stream.String(), at.partition, at.offset)
	}
	topic := SlimTopic(m.Stream)
	return e.write(recordfile.Record{
		Topic: topic, Timestamp: m.Source.GetTime(), Key: []byte(m.Key), Value: m.Value,
		Headers: fileHeaders(slim.Headers(e.cfg.Rules.Encoding, e.cfg.ApplicationID, source)),
	})
}

func (e *Engine) quarantine(rec recordfile.Record, reason mapping.Reason, stage string) error {
	src := &statepb.Source{Partition: rec.Partition, Offset: rec.Offset, Time: rec.Timestamp}
	added := fileHeaders(mapping.QuarantineHeaders(rec.Topic, src, stage, reason))
	rec.Headers = append(slices.Clone(rec.Headers), added...)
	rec.Topic, rec.Partition = QuarantineTopic, 0
	return e.write(rec)
}

// reference stands for a record whose bytes are gone: where it is, and no value.
func (e *Engine) reference(r mapping.Rejection) recordfile.Record {
	at := e.origin[r.Source.GetOffset()]
	return recordfile.Record{Topic: r.Stream.String(), Partition: at.partition, Offset: at.offset, Timestamp: r.Source.GetTime()}
}

func (e *Engine) write(rec recordfile.Record) error {
	rec.Offset = e.offsets[rec.Topic]
	e.offsets[rec.Topic]++
	return e.sink(rec)
}

func (e *Engine) count(reasons []mapping.Reason) {
	for _, r := range reasons {
		e.counts[r]++
	}
}

func fileHeaders(headers []slim.Header) []recordfile.Header {
	out := make([]recordfile.Header, len(headers))
	for i, h := range headers {
		out[i] = recordfile.Header{Key: h.Key, Value: h.Value}
	}
	return out
}

func streamOf(topic string) (mapping.Stream, bool) {
	for _, s := range mapping.Streams {
		if s.String() == topic {
			return s, true
		}
	}
	return 0, false
}

// SlimTopic is where slim records of a stream go in the output; "" for partners.
func SlimTopic(s mapping.Stream) string {
	switch s {
	case mapping.Events:
		return "events"
	case mapping.Orders:
		return "orders"
	case mapping.Refunds:
		return "refunds"
	}
	return ""
}
