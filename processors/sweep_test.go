package processors

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/IBM/sarama"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// A store that is still being filled from its changelog is no picture of the
// events: a review of it finds too few and would count as done.
func TestSweepWaitsForTheRecoveryOfAStore(t *testing.T) {
	w := newSweptStore(t)
	w.open()
	w.b.SetDirectory(exhibitions(t))
	w.expect("while the store is being filled")
	w.event("e")
	w.expect("while the store is being filled")
	w.recovered()
	w.expect("after its recovery", "e")
	w.expect("when it was reviewed")
}

// What is due stays due until the gate has done what it was told. A gate that waits for a cluster must not be told the
// same at every sweep: that filled its loop topic with millions of commands.
func TestSweepWaitsForTheGate(t *testing.T) {
	w := newSweptStore(t)
	loop := loopOf(w.b.topics.gateGroup())
	session := newStubSession(t, loop, 7)
	w.b.gate.Store(newGroup(w.b, w.b.topics.gateGroup(), session.tracker, w.b.stores))
	w.open()
	w.set("e/o", &statepb.Row{State: &statepb.Row_Order{Order: &statepb.OrderState{
		Entity: &statepb.Entity{Wait: &statepb.Wait{Reason: int32(mapping.WaitSet), Since: 1, Deadline: 1}},
	}}})
	w.recovered()
	w.expect("for the first time", "e/o")
	w.expect("before the command is acknowledged")
	w.sweeper.acknowledged(&sarama.ProducerMessage{Topic: loop, Offset: 7})
	w.expect("before the gate has done it")
	session.tracker.Begin(loop, 0, 7)
	session.asGokaSeesIt.MarkMessage(&sarama.ConsumerMessage{Topic: loop, Offset: 7}, "")
	w.expect("when the gate has done it, and it is still due", "e/o")
}

// What an instance shows as waiting is not what a store that is being filled has so far.
func TestWaitingOfARecoveredStore(t *testing.T) {
	w := newSweptStore(t)
	w.open()
	w.set("e/o", &statepb.Row{State: &statepb.Row_Order{Order: &statepb.OrderState{
		Entity: &statepb.Entity{Wait: &statepb.Wait{Reason: int32(mapping.WaitEvent), Since: 1}},
	}}})
	if n := w.b.Waiting(); len(n) != 0 {
		t.Errorf("%v wait in a store that is being filled", n)
	}
	w.recovered()
	if n := w.b.Waiting(); n[mapping.WaitEvent.String()] != 1 {
		t.Errorf("%v wait, want one order", n)
	}
}

// Another session has another store, of which nothing is known, whatever the
// tracker says of the session at that moment.
func TestEverySessionsStoreIsReviewed(t *testing.T) {
	w := newSweptStore(t)
	w.open()
	w.event("e")
	w.recovered()
	w.b.SetDirectory(exhibitions(t))
	w.expect("in the first session", "e")
	w.close()
	w.open()
	w.recovered()
	w.expect("in the second session", "e")
}

// A directory that comes back is a new one: events were decided under the other meanwhile.
func TestDirectoryThatComesBackIsReviewed(t *testing.T) {
	w := newSweptStore(t)
	w.open()
	w.recovered()
	w.expect("of an empty store")
	w.b.SetDirectory(exhibitions(t))
	w.event("e") // decided under exhibitions, and no sweep saw it
	w.b.SetDirectory(directory.Empty())
	w.expect("after the way back", "e")
}

// Ids are opaque: those of other events may stand between an event and its orders.
func TestReviewVisitsEveryEvent(t *testing.T) {
	w := newSweptStore(t)
	w.open()
	var want []string
	for _, id := range []string{"%", "E", "E!", "E-1", "E-1!", "E.", "E/", "E0", "EE", "\x00", " ", "я"} {
		key := mapping.EventKey(id)
		w.event(id)
		w.set(mapping.OrderKey(id, "o"), &statepb.Row{State: &statepb.Row_Order{Order: &statepb.OrderState{}}})
		w.set(mapping.OrderKey(id, "~"), &statepb.Row{State: &statepb.Row_Order{Order: &statepb.OrderState{}}})
		w.set(mapping.RefundKey(id, "o", "r"), &statepb.Row{State: &statepb.Row_Refund{Refund: &statepb.RefundState{}}})
		want = append(want, key)
	}
	w.set(mapping.LedgerKey(mapping.Orders, 3), &statepb.Row{State: &statepb.Row_Ledger{Ledger: &statepb.LedgerState{}}})
	w.set(mapping.OrderKey("D", "orphan"), &statepb.Row{State: &statepb.Row_Order{Order: &statepb.OrderState{}}})
	slices.Sort(want)
	w.recovered()
	w.b.SetDirectory(exhibitions(t))
	w.expect("of every event", want...)
}

// A callback that took the rules before a new directory came writes its row by
// them, perhaps behind a review that has passed its key.
func TestReviewWaitsForCallbacksUnderOlderRules(t *testing.T) {
	w := newSweptStore(t)
	w.open()
	w.recovered()
	w.expect("of an empty store")

	s := newStubSession(t, "bridge-events", 7)
	g := &gate{group: newGroup(w.b, w.b.topics.gateGroup(), s.tracker, w.b.stores)}
	g.producer = swallowingProducer()
	g.fences.Store(int32(0), &fence{g: g.group, live: true, generation: 1})
	began, proceed, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	ctx := &stubContext{ctx: s.ctx, topic: "bridge-events", offset: 7, key: "e", set: func(value []byte) {
		close(began)
		<-proceed
		w.write("e", value)
	}}
	go func() {
		defer close(ended)
		g.record(ctx, marshal(&statepb.Input{Source: &statepb.Source{Offset: 1}, Body: &statepb.Input_Event{Event: facts("e")}}))
	}()
	<-began // it has decided by the old directory, and written nothing

	w.b.SetDirectory(exhibitions(t))
	w.expect("while the callback runs")
	close(proceed)
	<-ended
	w.expect("after the callback", "e")
	w.expect("when all is reviewed")
}

// sweptStore is a sweeper over one partition, and what it sends.
type sweptStore struct {
	t       *testing.T
	b       *Bridge
	sweeper *sweeper
	sent    chan *sarama.ProducerMessage
	st      *store.Store
}

func newSweptStore(t *testing.T) *sweptStore {
	t.Helper()
	b := testBridge()
	b.cfg.Settings.Partitions = 1
	b.stores = newTestStores(t)
	b.gate.Store(newGroup(b, b.topics.gateGroup(), newStubSession(t, "bridge-events", 0).tracker, b.stores))
	w := &sweptStore{t: t, b: b, sent: make(chan *sarama.ProducerMessage, 100)}
	w.sweeper = newSweeper(b, &stubProducer{input: w.sent})
	return w
}

func (w *sweptStore) open() {
	w.t.Helper()
	built, err := w.b.stores.Builder()(tableOf(w.b.topics.gateGroup()), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	w.st = built.(*store.Store)
}

// recovered is what Goka says when it has read the changelog to its end.
func (w *sweptStore) recovered() {
	w.t.Helper()
	if err := w.st.MarkRecovered(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *sweptStore) close() {
	w.t.Helper()
	if err := w.st.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// event writes an event as the rules without a directory would have sent it.
func (w *sweptStore) event(id string) {
	w.t.Helper()
	// Any other digest than that of the present bytes is drift.
	w.set(mapping.EventKey(id), &statepb.Row{State: &statepb.Row_Event{Event: &statepb.EventState{
		Entity: &statepb.Entity{Sent: &statepb.Claim{Digest: 1, Cause: &statepb.Cause{Topic: inputEvents}}}, Facts: facts(id),
	}}})
}

func (w *sweptStore) set(key string, row *statepb.Row) {
	w.t.Helper()
	value, err := proto.Marshal(row)
	if err != nil {
		w.t.Fatal(err)
	}
	w.write(key, value)
}

func (w *sweptStore) write(key string, value []byte) {
	w.t.Helper()
	if err := w.st.Set(key, value); err != nil {
		w.t.Error(err)
	}
}

// expect sweeps once and compares the keys that are to be decided again.
func (w *sweptStore) expect(when string, want ...string) {
	w.t.Helper()
	w.sweeper.all(context.Background())
	var got []string
	for len(w.sent) > 0 {
		m := <-w.sent
		key, err := m.Key.Encode()
		if err != nil {
			w.t.Fatal(err)
		}
		got = append(got, string(key))
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("the review %s sends %q to be decided again, want %q", when, got, want)
	}
}

func facts(id string) *statepb.EventFacts {
	start := int64(1777651200000)
	return &statepb.EventFacts{Id: id, Name: "Evening", Category: "c", Start: &start}
}

// exhibitions is a directory in which the category of facts is known.
func exhibitions(t *testing.T) *directory.Directory {
	t.Helper()
	d, err := directory.Parse([]byte(fmt.Sprintf(`{"categories": [{"id": "c", "name": %q}], "cities": [], "venues": []}`, "Концерты")), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// stubProducer only takes records.
type stubProducer struct {
	sarama.AsyncProducer
	input chan *sarama.ProducerMessage
}

func (p *stubProducer) Input() chan<- *sarama.ProducerMessage     { return p.input }
func (p *stubProducer) Successes() <-chan *sarama.ProducerMessage { return nil }
func (p *stubProducer) Errors() <-chan *sarama.ProducerError      { return nil }

var testEncoding = slim.Encoding{Edition: slim.Edition1, Format: slim.JSON}
