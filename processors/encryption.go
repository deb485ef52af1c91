package processors

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/seal"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// SealedState is how the personal texts of orders rest. Counts are by the id of the key
// that they are sealed with; "" counts what is not sealed.
type SealedState struct {
	Sealing string         // id of the key that seals; "": none does
	Rows    map[string]int // rows of the gate's table that are not sealed with Sealing
	Records map[string]int // records of the internal topic of orders, as long as they are kept

	stale []string // keys of those rows
}

// ReadSealed finds how personal texts rest. It reads the gate's table and the internal
// topic of orders to their ends, and takes memory for the keys of rows that another key
// has sealed.
func ReadSealed(ctx context.Context, cfg Config) (SealedState, error) {
	s := SealedState{Sealing: cfg.Personal.Sealing(), Rows: map[string]int{}, Records: map[string]int{}}
	stale, err := readGate(ctx, cfg, "", func(_ string, row *statepb.Row) (string, bool) {
		return staleKey(row.GetOrder(), s.Sealing)
	})
	if err != nil {
		return SealedState{}, err
	}
	for _, id := range stale {
		s.Rows[id]++
	}
	s.stale = slices.Sorted(maps.Keys(stale))
	topic := string(cfg.Topics.internal(mapping.Orders))
	var broken error
	err = readStalling(ctx, cfg.State, topic, nil, readStall, func(r *kgo.Record) {
		var in statepb.Input
		if err := proto.Unmarshal(r.Value, &in); err != nil && broken == nil {
			broken = fmt.Errorf("read %s/%d/%d: it is not a record of this program", topic, r.Partition, r.Offset)
		}
		if f := in.GetOrder(); f != nil {
			s.Records[seal.KeyOf(f)]++
		}
	})
	if err == nil {
		err = broken
	}
	return s, err
}

// staleKey is the id of a key other than sealing that seals any facts of a row.
func staleKey(st *statepb.OrderState, sealing string) (id string, stale bool) {
	for _, f := range []*statepb.OrderFacts{st.GetFacts(), st.GetKept()} {
		if f != nil && seal.KeyOf(f) != sealing {
			return seal.KeyOf(f), true
		}
	}
	return "", false
}

// Renew are commands to decide again about the orders whose rows another key has sealed:
// what is written then is sealed with the present one. Slim records are sent because of
// it only by an instance that starts while a command waits, as with any input.
func (s SealedState) Renew() Resync {
	var r Resync
	for _, key := range s.stale {
		c := ResyncCommand{Kind: kinds[mapping.Orders], loop: mapping.Recheck(key)}
		c.Event, c.Order, c.Refund = mapping.IDs(key)
		r.Commands = append(r.Commands, c)
		r.Entities[mapping.Orders]++
	}
	return r
}
