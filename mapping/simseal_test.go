package mapping

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/seal"
	"github.com/ticketscloud/vibe-bridge/internal/seal/sealtest"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// simKeys are the files of keys that an instance may have, of which another seals at
// any moment: a key is added everywhere before it seals anywhere.
type simKeys struct {
	files []*seal.Keys
	now   int
	turns *rand.Rand // apart from the other choices, which are the same without keys
}

func (k *simKeys) current() *seal.Keys {
	if k.turns.IntN(20) == 0 {
		k.now = k.turns.IntN(len(k.files))
	}
	return k.files[k.now]
}

func (k *simKeys) seal(key string, f *statepb.OrderFacts) error {
	if k == nil {
		return nil
	}
	return k.current().Seal(key, f)
}

// TestConvergenceSealed: the same histories end the same when personal texts rest sealed,
// under keys that change on the way, and none of them rests otherwise.
func TestConvergenceSealed(t *testing.T) {
	files := []*seal.Keys{sealtest.Keys(t, "k1", "k2"), sealtest.Keys(t, "k2", "k1")}
	sealed := 0
	for seed := range uint64(300) {
		s := newSim(seeded(seed), simRules(slim.Edition1))
		s.sealing = &simKeys{files: files, turns: rand.New(rand.NewPCG(seed, 2))}
		if err := simulateOn(s, 40, 400); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		n, err := s.restSealed()
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		sealed += n
	}
	if sealed == 0 {
		t.Error("nothing was sealed")
	}
}

// restSealed counts the facts of orders that rest somewhere, all of which have to be sealed.
func (s *sim) restSealed() (n int, err error) {
	look := func(where string, f *statepb.OrderFacts) {
		if f == nil {
			return
		}
		n++
		if f.GetSealed() == nil || f.GetCustomer() != nil {
			err = fmt.Errorf("%s: the facts of order %s are not sealed", where, f.GetId())
		}
		for _, t := range f.GetTickets() {
			if t.GetBarcode() != "" || t.GetSerial() != "" {
				err = fmt.Errorf("%s: a ticket of order %s is not sealed", where, f.GetId())
			}
		}
	}
	for _, m := range s.logs[simOrders] {
		look("an input", m.body.(*statepb.Input).GetOrder())
	}
	for _, m := range s.logs[simGateTable] {
		row, err := DecodeRow(m.data)
		if err != nil {
			return n, err
		}
		look("a row", row.GetOrder().GetFacts())
		look("a row", row.GetOrder().GetKept())
	}
	return n, err
}

// What a step cannot open it does not decide about.
func TestSealedWithoutKeys(t *testing.T) {
	key := OrderKey("e", "o")
	order := &statepb.OrderFacts{Id: "o", Event: "e", Customer: &statepb.Customer{Name: "Anna"}, Tickets: []*statepb.Ticket{{Id: "t", Barcode: "460001"}}}
	if err := sealtest.Keys(t, "k1").Seal(key, order); err != nil {
		t.Fatal(err)
	}
	row := &statepb.Row{State: &statepb.Row_Order{Order: &statepb.OrderState{Entity: &statepb.Entity{}, Facts: order}}}
	value, err := encodeRow(row)
	if err != nil {
		t.Fatal(err)
	}
	stored := func(k string) ([]byte, error) {
		if k == key {
			return value, nil
		}
		return nil, nil
	}
	empty := func(string) ([]byte, error) { return nil, nil }
	rules := simRules(slim.Edition1)
	for _, c := range []struct {
		name  string
		key   string
		read  Reader
		input proto.Message
	}{
		{"an input", key, empty, &statepb.Input{Source: &statepb.Source{}, Body: &statepb.Input_Order{Order: order}}},
		{"a row", key, stored, Recheck(key).Command},
		{"the row of a refund's order", RefundKey("e", "o", "r"), stored, &statepb.Input{Source: &statepb.Source{}, Body: &statepb.Input_Refund{Refund: &statepb.RefundFacts{Id: "r", Order: "o", Event: "e"}}}},
	} {
		for name, personal := range map[string]Personal{"no keys": nil, "none configured": (*seal.Keys)(nil), "another": sealtest.Keys(t, "k9")} {
			env := testEnv(Cause{1, 1}, nil)
			env.Personal = personal
			out, err := rules.Gate(env, c.key, c.read, proto.Clone(c.input))
			if err == nil || out.Value != nil || len(out.Emits) > 0 {
				t.Errorf("%s, %s: %v and an outcome %+v", c.name, name, err, out)
			} else if text := err.Error(); strings.Contains(text, "Anna") || strings.Contains(text, "460001") {
				t.Errorf("%s, %s: %s", c.name, name, text)
			}
		}
	}
}

// Whoever decides about an order again seals it with the present key, though nothing else has changed.
func TestDecidingAgainSealsAnew(t *testing.T) {
	key := OrderKey("e", "o")
	facts := func() *statepb.OrderFacts {
		return &statepb.OrderFacts{Id: "o", Event: "e", Customer: &statepb.Customer{Name: "Anna"}}
	}
	old, present := sealtest.Keys(t, "k1"), sealtest.Keys(t, "k2", "k1")
	for name, before := range map[string]*seal.Keys{"not sealed": nil, "another key": old, "the present key": present} {
		st := &statepb.OrderState{Entity: &statepb.Entity{Written: &statepb.Cause{Topic: 1, Offset: 1}}, Facts: facts(), Kept: facts()}
		for _, f := range []*statepb.OrderFacts{st.Facts, st.Kept} {
			if err := before.Seal(key, f); err != nil {
				t.Fatal(err)
			}
		}
		rows := map[string][]byte{}
		env := testEnv(Cause{1, 2}, map[Cause]Status{{1, 1}: Acked})
		env.Personal = present
		for again := range 3 { // the first parks it, too
			value, err := encodeRow(&statepb.Row{State: &statepb.Row_Order{Order: st}})
			if err != nil {
				t.Fatal(err)
			}
			rows[key] = value
			env.Status = func(Cause) Status { return Acked }
			out, err := simRules(slim.Edition1).Gate(env, key, func(k string) ([]byte, error) { return rows[k], nil }, Recheck(key).Command)
			if err != nil {
				t.Fatal(err)
			}
			if again > 0 {
				if out.Value != nil {
					t.Errorf("%s: what is sealed with the present key is written again", name)
				}
				break
			}
			row, err := DecodeRow(out.Value)
			if err != nil {
				t.Fatal(err)
			}
			st = row.GetOrder()
			if seal.KeyOf(st.GetFacts()) != "k2" || seal.KeyOf(st.GetKept()) != "k2" {
				t.Errorf("%s: written as %v", name, row)
			}
		}
	}
}

// What the gate does about one order that goes out: decode the input, decide, encode the row.
func BenchmarkOrder(b *testing.B) {
	rules := simRules(slim.Edition1)
	published := &statepb.Row{State: &statepb.Row_Event{Event: &statepb.EventState{
		Entity: &statepb.Entity{Sent: &statepb.Claim{Digest: 1, Cause: &statepb.Cause{Topic: 1, Offset: 1}}, Spread: &statepb.Claim{Cause: &statepb.Cause{Topic: 1, Offset: 1}}},
		Facts:  &statepb.EventFacts{Id: "6650a0b1c2d3e4f5a6b7c8d0", Name: "Concert", Sets: []*statepb.TicketSet{{Id: "s", Name: "Parterre"}}},
	}}}
	event, err := encodeRow(published)
	if err != nil {
		b.Fatal(err)
	}
	key := OrderKey("6650a0b1c2d3e4f5a6b7c8d0", "6650a0b1c2d3e4f5a6b7c8d9")
	read := func(k string) ([]byte, error) {
		if k == key {
			return nil, nil
		}
		return event, nil
	}
	for name, keys := range map[string]*seal.Keys{"plain": nil, "sealed": sealtest.Keys(b, "k1")} {
		b.Run(name, func(b *testing.B) {
			f := &statepb.OrderFacts{
				Id: "6650a0b1c2d3e4f5a6b7c8d9", Event: "6650a0b1c2d3e4f5a6b7c8d0",
				Customer: &statepb.Customer{Name: "Anna Ivanova", Email: "anna@example.com", Phone: "+79000000001"},
				Tickets:  []*statepb.Ticket{{Id: "6650a0b1c2d3e4f5a6b7c8d1", Barcode: "4600000000017", Serial: "AB", Set: "s"}},
			}
			env := testEnv(Cause{1, 2}, nil)
			env.Status = func(Cause) Status { return Acked }
			env.Settle = func(Cause) (Status, error) { return Acked, nil }
			env.Personal = keys
			b.ReportAllocs()
			for b.Loop() {
				order := proto.CloneOf(f)
				if err := keys.Seal(key, order); err != nil {
					b.Fatal(err)
				}
				input, err := proto.Marshal(&statepb.Input{Source: &statepb.Source{Offset: 1}, Body: &statepb.Input_Order{Order: order}})
				if err != nil {
					b.Fatal(err)
				}
				in := &statepb.Input{}
				if err := proto.Unmarshal(input, in); err != nil {
					b.Fatal(err)
				}
				out, err := rules.Gate(env, key, read, in)
				if err != nil || len(out.Emits) != 1 {
					b.Fatalf("%v, %+v", err, out)
				}
			}
		})
	}
}
