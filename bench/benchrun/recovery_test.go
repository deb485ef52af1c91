package main

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// Every order that is sold comes out as soon as it is read, and so does the same order once more under another id.
func TestSales(t *testing.T) {
	c := season.Config{Orders: 600, Seed: 3}
	s, err := salesOf(c, 100, 300)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	engine, err := dry(c, func(r recordfile.Record) error {
		out[r.Topic+" "+string(r.Key)] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.before {
		if err := engine.Process(recordfile.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Timestamp: r.Time.UnixMilli()}); err != nil {
			t.Fatal(err)
		}
	}
	if len(out) != s.events || s.events < 3 {
		t.Errorf("%d events come out, want %d", len(out), s.events)
	}
	probes, err := probesOf(s.orders, 4)
	if err != nil {
		t.Fatal(err)
	}
	orders := s.orders
	for i, probe := range probes {
		again, err := probe.again(i)
		if err != nil {
			t.Fatal(err)
		}
		if p := slim.Partition([]byte(again.event), 4); again.event != probe.event || slim.Partition([]byte(probe.event), 4) != p {
			t.Errorf("%+v is of another event than %+v", again, probe)
		}
		orders = append(orders, again)
	}
	for i, o := range orders {
		if out["orders "+o.id] {
			t.Errorf("order %d came before", i)
		}
		if err := engine.Process(recordfile.Record{Topic: season.TopicOrders, Key: []byte(o.id), Value: o.value}); err != nil {
			t.Fatal(err)
		}
		if !out["orders "+o.id] {
			t.Errorf("order %d does not come out", i)
		}
	}
	if all, err := salesOf(c, 0, 300); err != nil || all.orders[0].id == s.orders[0].id || all.orders[150].id == s.orders[150].id {
		t.Errorf("the first orders are not left out, or %v", err)
	}
	if _, err := salesOf(c, 100, 600); err == nil {
		t.Error("more orders than there are")
	}
}

// The tickets of an order that comes once more are not those of the order before.
func TestSaleAgain(t *testing.T) {
	m := &legacyproto.Order{Id: "one", Event: "e", Tickets: []*legacyproto.Order_Ticket{{Id: "t1"}, {Id: "t2"}}}
	value, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{"one": true, "t1": true, "t2": true}
	for n := range 3 {
		again, err := sale{"one", "e", value}.again(n)
		if err != nil {
			t.Fatal(err)
		}
		var got legacyproto.Order
		if err := proto.Unmarshal(again.value, &got); err != nil || got.Id != again.id {
			t.Fatalf("%v, %v, want order %s", &got, err, again.id)
		}
		for _, id := range []string{got.Id, got.Tickets[0].Id, got.Tickets[1].Id} {
			if ids[id] || n > 0 && len(id) != 24 {
				t.Errorf("id %q comes again, or is none", id)
			}
			ids[id] = true
		}
	}
	if _, err := (sale{value: []byte{1}}).again(1); err == nil {
		t.Error("an order that cannot be read")
	}
}

func TestProbesOf(t *testing.T) {
	var orders []sale
	for i := range 50 {
		orders = append(orders, sale{id: fmt.Sprint("o", i), event: fmt.Sprint("e", i)})
	}
	probes, err := probesOf(orders, 4)
	if err != nil || len(probes) != 4 {
		t.Fatalf("%d probes, %v", len(probes), err)
	}
	seen := map[int32]bool{}
	for _, p := range probes {
		seen[slim.Partition([]byte(p.event), 4)] = true
	}
	if len(seen) != 4 {
		t.Errorf("probes of %d partitions", len(seen))
	}
	if _, err := probesOf(orders[:2], 4); err == nil {
		t.Error("two orders probe four partitions")
	}
}

func TestTelling(t *testing.T) {
	log := "not JSON\n" + `{"level":"INFO","msg":"bridge starts","address":"x"}` + "\n" + `{"level":"INFO","msg":"metrics and health","address":"127.0.0.1:41"}` + "\n"
	if got := addressIn(log); got != "127.0.0.1:41" {
		t.Errorf("listens at %q", got)
	}
	if got := addressIn(log[:len(log)-20]); got != "" {
		t.Errorf("half a line says %q", got)
	}
	told := &telling{}
	for i, ready := range []bool{false, true, false, true, true} {
		told.note(ready, time.UnixMilli(int64(i)))
	}
	if told.ready != time.UnixMilli(3) {
		t.Errorf("ready since %v, want the beginning of what has lasted", told.ready)
	}
	for metrics, want := range map[string]bool{
		"": false,
		"vibe_bridge_restore_partitions{stage=\"gate\"} 0\nvibe_bridge_restore_partitions{stage=\"organizers\"} 2\n": true,
		"vibe_bridge_restore_partitions{stage=\"gate\"} 0\nvibe_bridge_restore_records{stage=\"gate\"} 5\n":          false,
		"# HELP vibe_bridge_restore_partitions 4\nvibe_bridge_restore_partitions{stage=\"gate\"} 1":                  true,
	} {
		if restoring(metrics) != want {
			t.Errorf("%q: %t", metrics, !want)
		}
	}
}
