// Package decode measures ways to read a legacy order from the wire.
package decode

import (
	"fmt"
	"testing"

	"buf.build/go/hyperpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ticketscloud/vibe-bridge/bench/micro/samples"
	"github.com/ticketscloud/vibe-bridge/bench/micro/vtorder"
	"github.com/ticketscloud/vibe-bridge/bench/micro/vtorder/pooled"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/legacyproto/intake"
)

var discard = proto.UnmarshalOptions{DiscardUnknown: true}

// variant reads a record and returns the number of its tickets. What stays in use of a
// message until the next is the caller's affair: pooled messages go back at once.
type variant struct {
	name   string
	decode func(b []byte) (tickets int, err error)
}

var variants = []variant{
	{"full", func(b []byte) (int, error) {
		var m legacyproto.Order
		err := proto.Unmarshal(b, &m)
		return len(m.GetTickets()), err
	}},
	{"projection", func(b []byte) (int, error) {
		var m intake.Order
		err := discard.Unmarshal(b, &m)
		return len(m.GetTickets()), err
	}},
	{"scan", func(b []byte) (int, error) { // by hand: what the product does
		var m intake.Order
		err := intake.DecodeOrder(b, &m)
		return len(m.GetTickets()), err
	}},
	{"vtprotobuf", func(b []byte) (int, error) {
		var m vtorder.Order
		err := m.UnmarshalVT(b)
		return len(m.GetTickets()), err
	}},
	{"vt-unsafe", func(b []byte) (int, error) {
		var m vtorder.Order
		err := m.UnmarshalVTUnsafe(b)
		return len(m.GetTickets()), err
	}},
	{"vt-pool", func(b []byte) (int, error) {
		m := pooled.OrderFromVTPool()
		err := m.UnmarshalVT(b)
		n := len(m.GetTickets())
		m.ReturnToVTPool()
		return n, err
	}},
	{"vt-unsafe-pool", func(b []byte) (int, error) {
		m := pooled.OrderFromVTPool()
		err := m.UnmarshalVTUnsafe(b)
		n := len(m.GetTickets())
		m.ReturnToVTPool()
		return n, err
	}},
	{"hyperpb", func(b []byte) (int, error) {
		m := hyperpb.NewMessage(hyperOrder)
		err := m.Unmarshal(b, hyperpb.WithDiscardUnknown(true))
		return m.Get(hyperTickets).List().Len(), err
	}},
	{"hyperpb-shared", func(b []byte) (int, error) {
		m := hyperMemory.NewMessage(hyperOrder)
		err := m.Unmarshal(b, hyperpb.WithDiscardUnknown(true))
		n := m.Get(hyperTickets).List().Len()
		hyperMemory.Free()
		return n, err
	}},
	{"hyperpb-read", func(b []byte) (int, error) { // and every field looked at, for which it has reflection alone
		m := hyperMemory.NewMessage(hyperOrder)
		err := m.Unmarshal(b, hyperpb.WithDiscardUnknown(true))
		n := m.Get(hyperTickets).List().Len()
		texts += look(m)
		hyperMemory.Free()
		return n, err
	}},
}

var (
	orderDescriptor = (*intake.Order)(nil).ProtoReflect().Descriptor()
	hyperOrder      = hyperpb.CompileMessageDescriptor(orderDescriptor)
	hyperTickets    = orderDescriptor.Fields().ByName("tickets")
	hyperMemory     = new(hyperpb.Shared)
	texts           int
)

// look reads every field and returns the length of all texts.
func look(m protoreflect.Message) (n int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		v := m.Get(fd)
		switch {
		case fd.IsList():
			for j := range v.List().Len() {
				n += look(v.List().Get(j).Message())
			}
		case fd.Kind() == protoreflect.MessageKind:
			n += look(v.Message())
		case fd.Kind() == protoreflect.EnumKind:
			n += int(v.Enum() & 1)
		case fd.Kind() == protoreflect.StringKind:
			n += len(v.String())
		default:
			n += int(v.Int() & 1)
		}
	}
	return n
}

func BenchmarkDecode(b *testing.B) {
	for _, tickets := range []int{1, 5} {
		record := samples.Order(tickets)
		for _, v := range variants {
			b.Run(fmt.Sprintf("tickets=%d/variant=%s", tickets, v.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if n, err := v.decode(record); err != nil || n != tickets {
						b.Fatalf("%d tickets, %v", n, err)
					}
				}
			})
		}
	}
}

// What a library takes for an order although intake refuses it.
func TestValidation(t *testing.T) {
	for _, record := range []struct {
		what    string
		wire    []byte
		refused map[string]bool
	}{
		{"invalid UTF-8 in a projected text", []byte{0x0a, 0x01, 0xff}, map[string]bool{
			"full": true, "projection": true, "scan": true, "hyperpb": true, "hyperpb-shared": true, "hyperpb-read": true}},
		{"a field of ours in another wire type", []byte{0x08, 0x01}, map[string]bool{
			"vtprotobuf": true, "vt-unsafe": true, "vt-pool": true, "vt-unsafe-pool": true}},
	} {
		for _, v := range variants {
			if _, err := v.decode(record.wire); (err != nil) != record.refused[v.name] {
				t.Errorf("%s: %s says %v", record.what, v.name, err)
			}
		}
	}
}
