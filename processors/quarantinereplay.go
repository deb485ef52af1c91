package processors

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// Replaying from quarantine: intake's rules are run on the record once more, and what
// they make of it goes to the gate or the organizers as if it came from intake. Only
// then is the quarantine record marked. Who dies in between replays it again, which
// changes nothing (mapping/replay.go).

// Outcomes of a replay, beside "skipped: REASON" and "still REASON".
const (
	OutcomeSent        = "sent"         // its facts go to the gate, which decides
	OutcomeUnavailable = "unavailable"  // neither topic has the record any more
	OutcomeUnknownTime = "time_unknown" // nothing says any more when the legacy record was written
)

const (
	outcomeSkipped = "skipped: "
	outcomeStill   = "still "
)

// Replayed is what became, or would become, of one record.
type Replayed struct {
	*Quarantined
	Result string `json:"result"` // an outcome

	time int64 // of the legacy record, Unix milliseconds
}

// Done tells whether there is nothing left to do about the record.
func (r Replayed) Done() bool {
	return r.Result == OutcomeSent || strings.HasPrefix(r.Result, outcomeSkipped)
}

// ReplayOptions are how to replay.
type ReplayOptions struct {
	DryRun bool
	Rate   int            // records per second; 0: without limit
	Report func(Replayed) // called for every record, in order; after it is marked
}

// CheckQuarantine reports whether there is a quarantine topic. It connects to the
// state cluster alone.
func CheckQuarantine(cfg Config) error {
	admin, err := kafka.NewAdminOver(nil, cfg.State)
	if err != nil {
		return fmt.Errorf("%s cluster: %w", kafka.StateCluster, err)
	}
	defer admin.Close()
	plan, err := admin.Plan([]kafka.TopicSpec{{Name: cfg.Topics.Quarantine(), Cluster: kafka.StateCluster}})
	if err != nil {
		return fmt.Errorf("%s cluster: %w", kafka.StateCluster, err)
	}
	if missing := plan.Missing(); len(missing) > 0 {
		return &MissingTopicsError{Topics: missing}
	}
	return nil
}

// CheckReplay makes the checks of topics that an instance makes before it runs: names,
// partitions, limits, and that none was created anew.
func CheckReplay(ctx context.Context, cfg Config) error {
	b, err := New(cfg)
	if err != nil {
		return err
	}
	admins, closeAdmins, err := OpenAdminsFor(ctx, cfg.Source, cfg.State, cfg.Target)
	if err != nil {
		return err
	}
	defer closeAdmins()
	return b.checkTopics(ctx, admins)
}

// Replay replays records in the order given. It stops at the first record that the
// brokers refuse, and when ctx ends; what was sent and not reported may have arrived.
func Replay(ctx context.Context, cfg Config, records []*Quarantined, o ReplayOptions) error {
	r := &replayer{cfg: cfg, o: o, began: time.Now()}
	if !o.DryRun {
		wire := kafka.NewWire()
		defer context.AfterFunc(ctx, wire.Cut)() // or the client would go on trying for minutes
		if err := r.open(wire); err != nil {
			return err
		}
		defer r.producer.Close()
	}
	most := batchRecords
	if o.Rate > 0 {
		most = min(most, o.Rate) // what a second takes: so much is replayed again after a crash
	}
	err := eachBatch(records, most, func(batch []*Quarantined) error { return r.batch(ctx, batch) })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

type replayer struct {
	cfg      Config
	o        ReplayOptions
	began    time.Time
	sent     int
	producer *kafka.Producer
}

func (r *replayer) open(wire *kafka.Wire) error {
	profile, err := r.cfg.State.ProducerConfig(kafka.ProducerOptions{
		ClientOptions: kafka.ClientOptions{Wire: wire}, Partitioner: r.cfg.Topics.replayPartitioner,
	})
	if err != nil {
		return err
	}
	client, err := sarama.NewAsyncProducer(r.cfg.State.Brokers, profile)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	r.producer = kafka.NewProducer([]sarama.AsyncProducer{client}, kafka.ProducerHooks{
		Route:    func(string) (sarama.AsyncProducer, error) { return client, nil },
		Refused:  func(error) {}, // batch looks at every record
		Observer: r.cfg.Observer,
	})
	return nil
}

// replayPartitioner puts markers where their message says, everything else where it belongs.
func (t Topics) replayPartitioner(topic string) sarama.Partitioner {
	if topic == t.Quarantine() {
		return sarama.NewManualPartitioner(topic)
	}
	return t.partitioner(topic)
}

// batch replays some records: all of them are acknowledged before the first is marked.
func (r *replayer) batch(ctx context.Context, batch []*Quarantined) error {
	originals, err := ReadOriginals(ctx, r.cfg, batch)
	if err != nil {
		return err
	}
	results := make([]Replayed, len(batch))
	var inputs sending
	for i, e := range batch {
		in, result := r.outcome(e, originals[i])
		results[i] = Replayed{e, result, in.Input.GetSource().GetTime()}
		originals[i] = nil // as early as may be: it may be large
		if !results[i].Done() || r.o.DryRun {
			continue
		}
		if err := r.cfg.Personal.Seal(in.Key, in.Input.GetOrder()); err != nil {
			inputs.wait()
			return err
		}
		if err := r.pace(ctx); err != nil {
			inputs.wait()
			return err
		}
		inputs.send(r.producer, &sarama.ProducerMessage{
			Topic: string(r.cfg.Topics.internal(e.stream)), Key: sarama.StringEncoder(in.Key), Value: sarama.ByteEncoder(marshal(in.Input)),
		})
	}
	if err := inputs.wait(); err != nil {
		return err
	}
	if ctx.Err() != nil { // the wire is cut
		return ctx.Err()
	}
	if err := r.mark(results); err != nil {
		return err
	}
	for _, result := range results {
		r.o.Report(result)
	}
	return nil
}

// WouldReplay says what a replay would make of a record now, by the rules of cfg.
func WouldReplay(cfg Config, e *Quarantined, original *Original) Replayed {
	r := replayer{cfg: cfg}
	_, result := r.outcome(e, original)
	return Replayed{Quarantined: e, Result: result}
}

func (r *replayer) outcome(e *Quarantined, original *Original) (mapping.Intake, string) {
	switch {
	case original == nil:
		return mapping.Intake{}, OutcomeUnavailable
	case original.Time.IsZero():
		return mapping.Intake{}, OutcomeUnknownTime
	}
	src := &statepb.Source{Partition: e.Source.Partition, Offset: e.Source.Offset, Time: original.Time.UnixMilli()}
	in := r.cfg.Rules.Replay(e.stream, src, original.Value, e.Stage, mapping.Reason(e.Reason))
	switch note := in.Input.GetNote(); {
	case in.Quarantine != "":
		return in, outcomeStill + string(in.Quarantine)
	case note.GetTombstone():
		return in, outcomeSkipped + "tombstone"
	case note != nil:
		return in, outcomeSkipped + note.GetSkipped()
	}
	return in, OutcomeSent
}

// pace waits until the next record may go out.
func (r *replayer) pace(ctx context.Context) error {
	r.sent++
	if r.o.Rate == 0 {
		return ctx.Err()
	}
	return waitUntil(ctx, r.began.Add(dueAfter(r.sent-1, r.o.Rate)))
}

func (r *replayer) mark(results []Replayed) error {
	if r.o.DryRun {
		return nil
	}
	var markers sending
	for _, result := range results {
		if result.Done() {
			markers.send(r.producer, marker(r.cfg.Topics.Quarantine(), result, time.Now()))
		}
	}
	return markers.wait()
}

// marker says that a quarantine record was replayed.
func marker(topic string, r Replayed, now time.Time) *sarama.ProducerMessage {
	m := &sarama.ProducerMessage{Topic: topic, Partition: r.Partition}
	src := &statepb.Source{Partition: r.Source.Partition, Offset: r.Source.Offset, Time: r.time}
	addHeaders(m, mapping.QuarantineHeaders(r.Source.Topic, src, r.Stage, mapping.Reason(r.Reason)))
	addHeaders(m, []slim.Header{
		{Key: mapping.HeaderReplayed, Value: strconv.AppendInt(nil, r.Offset, 10)},
		{Key: mapping.HeaderReplayedTime, Value: strconv.AppendInt(nil, now.UnixMilli(), 10)},
		{Key: mapping.HeaderReplayedOutcome, Value: []byte(r.Result)},
	})
	return m
}

// sending waits for the acknowledgements of what it sent.
type sending struct {
	open sync.WaitGroup
	mu   sync.Mutex
	err  error // the first refusal
}

func (s *sending) send(p *kafka.Producer, m *sarama.ProducerMessage) {
	s.open.Add(1)
	p.Send(m, func(_ *sarama.ProducerMessage, err error) {
		defer s.open.Done()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.err == nil {
			s.err = err
		}
	})
}

func (s *sending) wait() error {
	s.open.Wait()
	return s.err
}
