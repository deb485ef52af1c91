// Package state measures codecs of the gate's rows: one of an order that went out, one of its event.
package state

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/bench/micro/samples"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

var readers = []struct {
	name string
	read func(*statepb.Row, []byte) error
}{
	{"proto", func(row *statepb.Row, b []byte) error { return proto.Unmarshal(b, row) }},
	{"vtprotobuf", (*statepb.Row).UnmarshalVT},
	{"vt-unsafe", (*statepb.Row).UnmarshalVTUnsafe},
	{"hand-unsafe", readRow},
}

var writers = []struct {
	name  string
	write func(*statepb.Row) ([]byte, error)
}{
	{"proto", func(row *statepb.Row) ([]byte, error) { return proto.MarshalOptions{Deterministic: true}.Marshal(row) }},
	{"vtprotobuf", (*statepb.Row).MarshalVT},
}

func rows() map[string][]byte {
	all, event, order, _ := samples.Rows(1)
	return map[string][]byte{"order": all[order], "event": all[event]}
}

func BenchmarkRead(b *testing.B) {
	each(b, func(b *testing.B, value []byte) {
		for _, r := range readers {
			b.Run("variant="+r.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					var row statepb.Row
					if err := r.read(&row, value); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	each(b, func(b *testing.B, value []byte) {
		var row statepb.Row
		if err := proto.Unmarshal(value, &row); err != nil {
			b.Fatal(err)
		}
		for _, w := range writers {
			b.Run("variant="+w.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if out, err := w.write(&row); err != nil || len(out) != len(value) {
						b.Fatalf("%d bytes, %v", len(out), err)
					}
				}
			})
		}
	})
}

func each(b *testing.B, run func(b *testing.B, value []byte)) {
	all := rows()
	for _, kind := range []string{"order", "event"} {
		b.Run("row="+kind, func(b *testing.B) { run(b, all[kind]) })
	}
}

// All read the same, and write the same bytes.
func TestSame(t *testing.T) {
	for kind, value := range rows() {
		var want statepb.Row
		if err := proto.Unmarshal(value, &want); err != nil {
			t.Fatal(err)
		}
		for _, r := range readers {
			var got statepb.Row
			if err := r.read(&got, value); err != nil || !proto.Equal(&got, &want) {
				t.Errorf("%s row, %s: read %v (%v), want %v", kind, r.name, &got, err, &want)
			}
		}
		for _, w := range writers {
			if got, err := w.write(&want); err != nil || !bytes.Equal(got, value) {
				t.Errorf("%s row, %s: wrote %x (%v), want %x", kind, w.name, got, err, value)
			}
		}
	}
}
