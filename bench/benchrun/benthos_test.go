package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/kafka/embedded"
	"github.com/ticketscloud/vibe-bridge/internal/process"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

var slimV1 = slim.Encoding{Edition: slim.Edition1, Format: slim.JSON}

// Benthos maps each record as the bridge does, as far as the record alone says it: what is expected is made of the
// bridge's facts of a record, without anything that comes from another record or the directory.
func TestBenthosMaps(t *testing.T) {
	b := &bench{config: config{root: filepath.Join("..", ".."), dir: t.TempDir()}}
	if _, err := os.Stat(b.benthosProgram()); err != nil {
		if os.Getenv("VIBE_BRIDGE_REQUIRE_BENTHOS") == "1" {
			t.Fatal(err)
		}
		t.Skip("not built: bench/peers/benthos/build")
	}
	broker, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	b.addr = broker.Addrs()[0]
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	p := newPlace(b, "benthos-1")
	written := append(p.slim(), p.name+"-quarantine")
	if _, err := admin.CreateTopics(ctx, 1, 1, nil, append(written, legacyTopics...)...); err != nil {
		t.Fatal(err)
	}
	rules := &mapping.Rules{Encoding: slimV1, Directory: directory.Empty(), DefaultLocation: time.UTC, MaxRecordBytes: mapping.DefaultMaxRecordBytes}
	want, places := map[string]int{}, map[string]int64{}
	for r := range season.Generate(season.Config{Orders: 400, Hostile: 0.3, Seed: 1}) {
		made := &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value}
		if err := client.ProduceSync(ctx, made).FirstErr(); err != nil {
			t.Fatal(err)
		}
		places[r.Topic] = made.Offset + 1
		if out := alone(t, rules, p, r, made.Offset); out != "" {
			want[out]++
		}
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	run := startBenthos(t, b, p)
	ended := wait(ctx, "all to be read", func(time.Time) bool {
		committed, err := admin.FetchOffsets(ctx, p.name)
		if err != nil || committed.Error() != nil {
			return false
		}
		for topic, end := range places {
			if o, _ := committed.Lookup(topic, 0); o.At != end {
				return false
			}
		}
		return true
	})
	if ended != nil {
		t.Fatalf("%v; its log ends with: %s", ended, process.LastLine(p.log()))
	}
	if err := run.End(ctx); err != nil {
		t.Error(err)
	}
	got := readBack(ctx, t, b, admin, written)
	if reflect.DeepEqual(got, want) {
		return
	}
	for _, out := range slices.Sorted(maps.Keys(want)) {
		if got[out] != want[out] {
			t.Errorf("want %d, got %d: %s", want[out], got[out], out)
		}
	}
	for _, out := range slices.Sorted(maps.Keys(got)) {
		if want[out] == 0 {
			t.Errorf("got %d, not wanted: %s", got[out], out)
		}
	}
}

func startBenthos(t *testing.T, b *bench, p *place) *process.Process {
	log, err := os.Create(p.log())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	args := b.benthos(p)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	run, err := process.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(run.Kill)
	return run
}

// alone is the slim record that a legacy record makes by itself, or the place of what cannot be mapped; "" is nothing.
func alone(t *testing.T, rules *mapping.Rules, p *place, r season.Record, offset int64) string {
	in := rules.Intake(streams[r.Topic], &statepb.Source{Offset: offset}, r.Value)
	if in.Quarantine != "" {
		return fmt.Sprintf("%s-quarantine %s/0/%d", p.name, r.Topic, offset)
	}
	switch body := in.Input.Body.(type) {
	case *statepb.Input_Event:
		f := body.Event
		ev := slim.Event{ID: f.GetId(), GroupID: f.GetGroupId(), Name: f.GetName(), Category: "other", Media: f.GetMedia(), Description: f.GetDescription()}
		start, finish := f.GetStart(), f.GetFinish()
		if f.Start == nil {
			start = finish
		}
		if f.Finish == nil {
			finish = start
		}
		seconds := start / 1000
		ev.StartAt, ev.FinishAt = &seconds, finish/1000
		return line(t, p.prefix+"events", f.GetId(), slim.AppendEvent(nil, slimV1, &ev))
	case *statepb.Input_Order:
		f := body.Order
		o := slim.Order{ID: f.GetId(), EventID: f.GetEvent(), OrganizerID: f.GetOrg()}
		o.Customer = slim.Customer{Email: f.GetCustomer().GetEmail(), Phone: f.GetCustomer().GetPhone(), Name: f.GetCustomer().GetName()}
		for _, from := range f.GetTickets() {
			ticket := slim.Ticket{
				ID: from.GetId(), EventID: o.EventID, OrganizerID: o.OrganizerID, Barcode: from.GetBarcode(), Series: from.GetSerial(),
				Row: from.GetRow(), Seat: from.GetSeat(), PriceNominal: from.GetNominal(),
			}
			if from.GetNumber() != 0 {
				ticket.Number = fmt.Sprint(from.GetNumber())
			}
			o.Tickets = append(o.Tickets, ticket)
		}
		return line(t, p.prefix+"orders", f.GetId(), slim.AppendOrder(nil, slimV1, &o))
	case *statepb.Input_Refund:
		ids, err := json.Marshal(map[string]any{"ticket_ids": body.Refund.GetTicketIds()})
		if err != nil {
			t.Fatal(err)
		}
		return line(t, p.prefix+"refunds", body.Refund.GetId(), ids)
	}
	return ""
}

// line is a slim record with the fields of its value in the order of their names.
func line(t *testing.T, topic, key string, value []byte) string {
	var fields any
	if err := json.Unmarshal(value, &fields); err != nil {
		t.Fatalf("%s, %s: %v", topic, key, err)
	}
	sorted, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s %s %s", topic, key, sorted)
}

// readBack counts what lies in the topics, of quarantined records by their place.
func readBack(ctx context.Context, t *testing.T, b *bench, admin *kadm.Client, topics []string) map[string]int {
	ends, err := admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		t.Fatal(err)
	}
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	got := map[string]int{}
	for left > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			left--
			headers := map[string]string{}
			for _, h := range r.Headers {
				headers[h.Key] = string(h.Value)
			}
			const from = "__connect.errors."
			if place := headers[from+"topic"]; place != "" {
				got[fmt.Sprintf("%s %s/%s/%s", r.Topic, place, headers[from+"partition"], headers[from+"offset"])]++
				return
			}
			for _, h := range slim.Headers(slimV1, slim.DefaultApplicationID, "") {
				if headers[h.Key] != string(h.Value) {
					t.Errorf("%s, %s: %s is %q", r.Topic, r.Key, h.Key, headers[h.Key])
				}
			}
			got[line(t, r.Topic, string(r.Key), r.Value)]++
		})
	}
	return got
}

var streams = map[string]mapping.Stream{
	season.TopicPartners: mapping.Partners, season.TopicEvents: mapping.Events, season.TopicOrders: mapping.Orders, season.TopicRefunds: mapping.Refunds,
}
