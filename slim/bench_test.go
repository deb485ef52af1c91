package slim_test

import (
	"testing"

	"github.com/ticketscloud/vibe-bridge/slim"
)

func BenchmarkAppendEvent(b *testing.B) {
	benchmarkAppend(b, func(enc slim.Encoding) func([]byte) []byte {
		event := fullEvent(enc.Edition)
		return func(dst []byte) []byte { return slim.AppendEvent(dst, enc, event) }
	})
}

func BenchmarkAppendOrder(b *testing.B) {
	benchmarkAppend(b, func(enc slim.Encoding) func([]byte) []byte {
		order := fullOrder()
		order.Tickets = append(order.Tickets, order.Tickets[0], order.Tickets[0])
		return func(dst []byte) []byte { return slim.AppendOrder(dst, enc, order) }
	})
}

func BenchmarkAppendRefund(b *testing.B) {
	benchmarkAppend(b, func(enc slim.Encoding) func([]byte) []byte {
		refund := fullRefund()
		return func(dst []byte) []byte { return slim.AppendRefund(dst, enc, refund) }
	})
}

// benchmarkAppend writes into one buffer again and again, as a caller that
// minds allocations does. Throughput is in bytes written.
func benchmarkAppend(b *testing.B, appender func(slim.Encoding) func([]byte) []byte) {
	for _, enc := range allEncodings {
		b.Run(encodingName(enc), func(b *testing.B) {
			appendTo := appender(enc)
			dst := appendTo(nil)
			b.SetBytes(int64(len(dst)))
			b.ReportAllocs()
			for b.Loop() {
				dst = appendTo(dst[:0])
			}
		})
	}
}

func BenchmarkParseOrder(b *testing.B) {
	for _, enc := range allEncodings {
		b.Run(encodingName(enc), func(b *testing.B) {
			value := slim.AppendOrder(nil, enc, fullOrder())
			b.SetBytes(int64(len(value)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := slim.ParseOrder(enc, value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPartition(b *testing.B) {
	key := []byte("64b000000000000000000001")
	for b.Loop() {
		slim.Partition(key, 12)
	}
}
