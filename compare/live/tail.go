package live

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/live/livepb"
	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// tail follows a small topic from its beginning on, and knows how far it is.
type tail struct {
	cluster kafka.Cluster
	topic   string
	take    func(*kgo.Record) // of one goroutine

	mu    sync.Mutex
	known map[int32]int64 // by partition, the offset behind the last record
}

func newTail(c kafka.Cluster, topic string, take func(*kgo.Record)) *tail {
	return &tail{cluster: c, topic: topic, take: take, known: map[int32]int64{}}
}

func (t *tail) run(ctx context.Context) error {
	opts, err := t.cluster.FranzOptions()
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(append(opts,
		kgo.ConsumeTopics(t.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
	)...)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("follow %s: %w", t.topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				t.take(r)
			}
			t.mu.Lock()
			t.known[r.Partition] = r.Offset + 1
			t.mu.Unlock()
		})
	}
}

// reached tells whether everything below the ends was taken. spans are where
// the partitions begin and end.
func (t *tail) reached(spans map[int32]span) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p, s := range spans {
		if s.end > s.start && t.known[p] < s.end {
			return false
		}
	}
	return true
}

// partnerRows are the partners, read from their table.
type partnerRows struct {
	mu   sync.RWMutex
	rows map[string][]byte // by id
}

func (p *partnerRows) take(r *kgo.Record) {
	e := &livepb.Entity{}
	if r.Value == nil || proto.Unmarshal(r.Value, e) != nil {
		return // rows of partners are not deleted, and nobody else writes here
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rows[e.GetId()] = r.Value
}

func (p *partnerRows) get(id string) (*rowpb.Row, error) {
	p.mu.RLock()
	value := p.rows[id]
	p.mu.RUnlock()
	if value == nil {
		return nil, nil
	}
	e := &livepb.Entity{}
	if err := proto.Unmarshal(value, e); err != nil {
		return nil, err
	}
	return e.GetRow(), nil
}

// quarantine is what the quarantine topic names.
type quarantine struct {
	streams map[string]compare.Stream // by legacy topic

	mu    sync.RWMutex
	named map[quarantinedAt]map[string]note // by reason
}

// note is the last record of the quarantine topic that names a legacy record for a reason.
type note struct{ offset, time int64 }

type quarantinedAt struct {
	s         compare.Stream
	partition int32
	offset    int64
}

func newQuarantine(legacy map[compare.Stream]string) *quarantine {
	q := &quarantine{streams: map[string]compare.Stream{}, named: map[quarantinedAt]map[string]note{}}
	for s, topic := range legacy {
		q.streams[topic] = s
	}
	return q
}

// Headers of the quarantine topic (mapping contract, quarantine).
const (
	headerTopic     = "__connect.errors.topic"
	headerPartition = "__connect.errors.partition"
	headerOffset    = "__connect.errors.offset"
	headerClass     = "__connect.errors.class.name"
	headerReplayed  = "vibe-bridge.replayed.offset"
)

// take notes which legacy record is quarantined for which reason, and forgets what a later
// marker says was replayed. What the bridge did not write is left out.
func (q *quarantine) take(r *kgo.Record) {
	s, known := q.streams[added(r, headerTopic)]
	partition, err1 := strconv.ParseInt(added(r, headerPartition), 10, 32)
	offset, err2 := strconv.ParseInt(added(r, headerOffset), 10, 64)
	reason := added(r, headerClass)
	if !known || err1 != nil || err2 != nil {
		return
	}
	at := quarantinedAt{s, int32(partition), offset}
	q.mu.Lock()
	defer q.mu.Unlock()
	if marked := added(r, headerReplayed); marked != "" {
		upTo, err := strconv.ParseInt(marked, 10, 64)
		if err == nil && q.named[at][reason].offset <= upTo {
			if delete(q.named[at], reason); len(q.named[at]) == 0 {
				delete(q.named, at)
			}
		}
		return
	}
	if q.named[at] == nil {
		q.named[at] = map[string]note{}
	}
	q.named[at][strings.Clone(reason)] = note{r.Offset, r.Timestamp.UnixMilli()}
}

// added is the last header of the name that quarantine has added: those in front of the first of its own are
// the legacy record's.
func added(r *kgo.Record, name string) string {
	for _, h := range slices.Backward(r.Headers) {
		switch h.Key {
		case name:
			return string(h.Value)
		case headerTopic:
			return ""
		}
	}
	return ""
}

func (q *quarantine) get(s compare.Stream, at *rowpb.Place) (reason string, named bool) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	for r := range q.named[quarantinedAt{s, at.GetPartition(), at.GetOffset()}] {
		if !named || r < reason {
			reason, named = r, true
		}
	}
	return reason, named
}

// facts are what the verdict has to know.
func (q *quarantine) facts() compare.QuarantineFacts {
	q.mu.RLock()
	defer q.mu.RUnlock()
	f, oldest := compare.QuarantineFacts{Known: true}, int64(0)
	for _, reasons := range q.named {
		f.Records++
		for _, n := range reasons {
			if oldest == 0 || n.time < oldest {
				oldest = n.time
			}
		}
	}
	if oldest != 0 {
		f.Oldest = time.UnixMilli(oldest).UTC()
	}
	return f
}
