package processors

import (
	"slices"
	"testing"

	"github.com/IBM/sarama"

	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// The headers of a slim record are those of the contract for the present encoding, in the order of their names, and say
// which legacy record it is of; those of one record are not those of the next.
func TestSlimHeaders(t *testing.T) {
	b := testBridge()
	b.topics.Legacy = [len(mapping.Streams)]string{mapping.Orders: "orders_done"}
	g := &gate{group: newGroup(b, "group", nil, nil)}
	emit := func(offset int64) mapping.Emit {
		return mapping.Emit{Stream: mapping.Orders, Source: &statepb.Source{Partition: 3, Offset: offset}}
	}
	for _, source := range []bool{true, false} {
		for _, format := range []slim.Format{slim.JSON, slim.Protobuf, slim.JSON} {
			g.slim.Store(nil)
			b.cfg.SourceHeader, b.cfg.ApplicationID = source, "vibe"
			g.checkHeaders(t, format, emit(7), "orders_done/3/7")
			first := g.checkHeaders(t, format, emit(8), "orders_done/3/8")
			kept := slices.Clone(first)
			g.checkHeaders(t, format, emit(9), "orders_done/3/9")
			if !sameHeaders(first, kept) {
				t.Errorf("the headers of a record became %s with the next one", first)
			}
		}
	}
	g.checkHeaders(t, slim.Protobuf, emit(1), "orders_done/3/1") // another encoding than the last time
}

func (g *gate) checkHeaders(t *testing.T, format slim.Format, e mapping.Emit, source string) []sarama.RecordHeader {
	t.Helper()
	encoding := slim.Encoding{Edition: slim.Edition1, Format: format}
	g.b.rules.publish(&mapping.Rules{Encoding: encoding})
	if !g.b.cfg.SourceHeader {
		source = ""
	}
	want := map[string]string{}
	for _, h := range slim.Headers(encoding, g.b.cfg.ApplicationID, source) {
		want[h.Key] = string(h.Value)
	}
	got := g.headers(e)
	names := make([]string, len(got))
	for i, h := range got {
		names[i] = string(h.Key)
		if value, known := want[names[i]]; !known || value != string(h.Value) {
			t.Errorf("%s: %q, want %q", h.Key, h.Value, value)
		}
	}
	if len(got) != len(want) || !slices.IsSorted(names) {
		t.Errorf("headers %q, want %q in order", names, want)
	}
	return got
}

func sameHeaders(a, b []sarama.RecordHeader) bool {
	return slices.EqualFunc(a, b, func(a, b sarama.RecordHeader) bool {
		return string(a.Key) == string(b.Key) && string(a.Value) == string(b.Value)
	})
}
