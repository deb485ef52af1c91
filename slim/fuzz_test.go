package slim_test

import (
	"bytes"
	"testing"

	"github.com/ticketscloud/vibe-bridge/slim"
)

// Stated property of the fuzz tests: readers never panic, and what they take,
// written again, reads to a record that is written to the same bytes.

func FuzzParseEvent(f *testing.F) {
	fuzz(f, func(enc slim.Encoding) []byte { return slim.AppendEvent(nil, enc, fullEvent(enc.Edition)) },
		slim.ParseEvent, slim.AppendEvent)
}

func FuzzParseOrder(f *testing.F) {
	fuzz(f, func(enc slim.Encoding) []byte { return slim.AppendOrder(nil, enc, fullOrder()) },
		slim.ParseOrder, slim.AppendOrder)
}

func FuzzParseRefund(f *testing.F) {
	fuzz(f, func(enc slim.Encoding) []byte { return slim.AppendRefund(nil, enc, fullRefund()) },
		slim.ParseRefund, slim.AppendRefund)
}

func fuzz[T any](
	f *testing.F,
	seed func(slim.Encoding) []byte,
	parse func(slim.Encoding, []byte) (*T, error),
	appendTo func([]byte, slim.Encoding, *T) []byte,
) {
	for i, enc := range allEncodings {
		f.Add(uint8(i), seed(enc))
	}
	f.Fuzz(func(t *testing.T, encoding uint8, value []byte) {
		enc := allEncodings[int(encoding)%len(allEncodings)]
		record, err := parse(enc, value)
		if err != nil {
			return
		}
		first := appendTo(nil, enc, record)
		if len(first) == 0 {
			return // Protobuf of nothing but zeros, which readers refuse
		}
		again, err := parse(enc, first)
		if err != nil {
			t.Fatalf("what was read and written is refused: %v", err)
		}
		if second := appendTo(nil, enc, again); !bytes.Equal(first, second) {
			t.Fatalf("written first  %q\nwritten second %q", first, second)
		}
	})
}
