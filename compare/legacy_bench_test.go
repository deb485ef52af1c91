package compare

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// BenchmarkLegacyReader reads orders that are of about one kilobyte, and all records of
// a season.
func BenchmarkLegacyReader(b *testing.B) {
	var orders, all []legacyInput
	for _, r := range legacySeason(season.Config{Orders: 3000, Seed: 1}) {
		in := legacyInput{streamOfTopic(r.Topic), Record{Value: r.Value}}
		all = append(all, in)
		var o legacyproto.Order
		if in.stream == Orders && len(r.Value) > 900 && len(r.Value) < 1100 && proto.Unmarshal(r.Value, &o) == nil && o.GetStatus() == legacyproto.Order_DONE {
			orders = append(orders, in)
		}
	}
	for _, c := range []struct {
		name    string
		records []legacyInput
	}{{"orders", orders}, {"season", all}} {
		for _, e := range legacyEncodings {
			if e.Format == slim.Protobuf {
				continue // reading is that of JSON
			}
			b.Run(c.name+" "+e.Edition.String(), func(b *testing.B) {
				reader, sheet := newLegacyReader(b, legacyOptionsOf(e)), &Sheet{}
				b.ReportAllocs()
				size, i := 0, 0
				for b.Loop() {
					r := &c.records[i%len(c.records)]
					i++
					size += len(r.record.Value)
					reader.Read(r.stream, &r.record, sheet)
				}
				b.ReportMetric(float64(size)/float64(i), "B/record")
			})
		}
	}
}

type legacyInput struct {
	stream Stream
	record Record
}
