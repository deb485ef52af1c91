package main

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
)

// sales are legacy records for what is measured under a load.
type sales struct {
	before []season.Record // partners and events, which go first
	events int             // different ones that come out
	orders []sale          // of which each comes out as soon as it is read, once before is
}

// sale is an order that came to be.
type sale struct {
	id, event string
	value     []byte
}

// salesOf takes so many orders out of a season, of those behind the first order records. The mapping, run with no
// broker, says which orders come out at once.
func salesOf(c season.Config, first, want int) (*sales, error) {
	s := &sales{}
	events, out := map[string]bool{}, ""
	engine, err := dry(c, func(r recordfile.Record) error {
		switch r.Topic {
		case "events":
			events[string(r.Key)] = true
		case "orders":
			out = string(r.Key)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	process := func(r season.Record) error {
		return engine.Process(recordfile.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Timestamp: r.Time.UnixMilli()})
	}
	for r := range season.Generate(c) {
		if r.Topic == season.TopicPartners || r.Topic == season.TopicEvents {
			if err := process(r); err != nil {
				return nil, err
			}
			s.before = append(s.before, r)
		}
	}
	s.events = len(events)
	known := map[string]bool{}
	for r := range season.Generate(c) {
		if r.Topic != season.TopicOrders {
			continue
		}
		if first--; first >= 0 || known[string(r.Key)] {
			continue
		}
		out = ""
		if err := process(r); err != nil {
			return nil, err
		}
		if out == "" {
			continue
		}
		known[out] = true
		var m legacyproto.Order
		if err := proto.Unmarshal(r.Value, &m); err != nil {
			return nil, err
		}
		s.orders = append(s.orders, sale{out, m.Event, r.Value})
		if len(s.orders) == want {
			return s, nil
		}
	}
	return nil, fmt.Errorf("a season of %d orders has %d that come out at once: want %d", c.Orders, len(s.orders), want)
}

// again is the same order once more, as another one: number n of some.
func (s sale) again(n int) (sale, error) {
	var m legacyproto.Order
	if err := proto.Unmarshal(s.value, &m); err != nil {
		return sale{}, err
	}
	m.Id = fmt.Sprintf("ffffffff%016x", n) // of a time far behind that of every season
	for i, t := range m.Tickets {
		t.Id = fmt.Sprintf("fffffffe%012x%04x", n, i)
	}
	value, err := proto.Marshal(&m)
	return sale{m.Id, m.Event, value}, err
}
