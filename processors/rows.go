package processors

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// What commands read of a deployment from the outside, whether an instance runs
// or not: the gate's table, from its changelog.

// CheckGate reports whether the gate's table and loop topic are there, with the
// configured number of partitions: without the right number a key is looked for
// in the wrong one. It connects to the state cluster alone.
func CheckGate(cfg Config) error {
	gate := cfg.Topics.gateGroup()
	return checkStateTopics(cfg.State, cfg.Settings.Partitions, tableOf(gate), loopOf(gate))
}

// checkStateTopics reports topics of the state cluster that are not there with so many partitions.
func checkStateTopics(state kafka.Cluster, partitions int32, names ...string) error {
	admin, err := kafka.NewAdminOver(nil, state)
	if err != nil {
		return fmt.Errorf("%s cluster: %w", kafka.StateCluster, err)
	}
	defer admin.Close()
	var specs []kafka.TopicSpec
	for _, name := range names {
		specs = append(specs, kafka.TopicSpec{Name: name, Cluster: kafka.StateCluster, Partitions: partitions})
	}
	plan, err := admin.Plan(specs)
	if err != nil {
		return fmt.Errorf("%s cluster: %w", kafka.StateCluster, err)
	}
	if missing := plan.Missing(); len(missing) > 0 {
		return &MissingTopicsError{Topics: missing}
	}
	return plan.Mismatch()
}

// readStall is how long the brokers may give no record of a topic that is not read to its end.
const readStall = time.Minute

var errStalled = errors.New("the brokers gave no record for " + readStall.String())

// readStalling is Cluster.ReadFrom that ends with errStalled when no record comes for
// so long: a partition whose leader went away would be waited for without end.
func readStalling(ctx context.Context, c kafka.Cluster, topic string, from map[int32]int64, stall time.Duration, visit func(*kgo.Record)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(stall, func() { cancel(errStalled) })
	defer stalled.Stop()
	err := c.ReadFrom(ctx, topic, from, func(r *kgo.Record) {
		stalled.Reset(stall)
		visit(r)
	})
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		return fmt.Errorf("read %s: %w", topic, errStalled)
	}
	return err
}

// readGate visits the newest row of every key of the gate's table, and keeps what
// keep makes of it, by key, until a newer row comes of which keep wants nothing. With an
// event it reads the event's partition alone. It takes memory for what is kept.
//
// A row that a former owner wrote too late counts here until the next owner has
// written its own again (see fence.writeAgain).
func readGate[T any](ctx context.Context, cfg Config, event string, keep func(key string, row *statepb.Row) (T, bool)) (map[string]T, error) {
	table := tableOf(cfg.Topics.gateGroup())
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	kept := map[string]T{}
	var broken error
	err := readStalling(ctx, cfg.State, table, cfg.gatePartitionOf(event), readStall, func(r *kgo.Record) {
		if err := keepRow(kept, r, keep); err != nil && broken == nil {
			broken = fmt.Errorf("read %s/%d/%d: %w", table, r.Partition, r.Offset, err)
			cancel(broken)
		}
	})
	if broken != nil {
		return nil, broken
	}
	return kept, err
}

func keepRow[T any](kept map[string]T, r *kgo.Record, keep func(string, *statepb.Row) (T, bool)) error {
	key := string(r.Key)
	row, err := mapping.DecodeRow(r.Value) // of nothing, where somebody has deleted the row by hand
	if err != nil {
		return err
	}
	if v, wanted := keep(key, row); wanted {
		kept[key] = v
	} else {
		delete(kept, key)
	}
	return nil
}

// gatePartitionOf says where to read from: all of the event's partition, and the other
// partitions not at all; nil, for no event, is everything.
func (cfg Config) gatePartitionOf(event string) map[int32]int64 {
	if event == "" {
		return nil
	}
	from := map[int32]int64{}
	for p := range cfg.Settings.Partitions {
		from[p] = math.MaxInt64
	}
	key := []byte(mapping.EventKey(event))
	delete(from, cfg.Topics.partition(tableOf(cfg.Topics.gateGroup()), key, cfg.Settings.Partitions))
	return from
}

// belongsTo tells whether a key is the event's or below it; every key belongs to the empty event.
func belongsTo(event, key string) bool {
	return event == "" || mapping.KeyPrefix(key) == mapping.EventKey(event)
}

// kinds names one entity of a stream.
var kinds = map[mapping.Stream]string{mapping.Events: "event", mapping.Orders: "order", mapping.Refunds: "refund"}

// rank orders entities' keys: events, then orders, then refunds.
func rank(key string) int { return int(mapping.KindOf(key)) }
