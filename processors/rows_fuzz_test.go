package processors

import (
	"bytes"
	"testing"

	"github.com/IBM/sarama"

	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// FuzzChangelogRow takes any record of a changelog, as a recovery does: its generation
// is an error or an answer, without a panic, and with an error it comes into no store, so
// that nobody asks why it waits; nothing waits where there is nothing. A session's row
// gives back its generation.
func FuzzChangelogRow(f *testing.F) {
	session, err := mapping.SessionRow(7)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(mapping.SessionKey, session, int32(7))
	f.Add("e", []byte(nil), int32(-1))
	f.Add("e/o", []byte{0x12, 0x0a, 0x0a, 0x06, 0x22, 0x04, 0x08, 0x01, 0x10, 0x05, 0x50, 0x03}, int32(1<<31-1))
	for number := byte(1); number <= 7; number++ {
		f.Add("e", []byte{number<<3 | 2, 0}, int32(0))
	}
	f.Add("e/o", []byte{0x0a, 0x05, 0x01}, int32(3))
	f.Fuzz(func(t *testing.T, key string, value []byte, generation int32) {
		_, err := generationIn(value)
		w, waits := waiting(key, value)
		if waits && len(value) == 0 {
			t.Errorf("waits (%+v) though it is no row", w)
		}
		if again, waitsAgain := waiting(key, value); again != w || waitsAgain != waits {
			t.Errorf("waits %+v, and then %+v", w, again)
		}
		if err == nil {
			r := Report{Accounts: mapping.NewAccounts(), Waiting: map[string]int{}}
			if err := r.add(key, value); err != nil {
				t.Errorf("a report cannot count it: %v", err)
			}
		}
		row, err := mapping.SessionRow(generation)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := generationIn(row); err != nil || got != generation {
			t.Errorf("generation %d reads as %d (%v)", generation, got, err)
		}
	})
}

// FuzzQuarantineRecord puts any legacy record to quarantine: what is sent has at
// most the limit's size, the reasons are its last headers, and before them stands
// the record as it came, or nothing and the number of bytes that were left out.
func FuzzQuarantineRecord(f *testing.F) {
	f.Add([]byte("key"), []byte("value"), "trace", []byte("1"), uint16(900))
	f.Add([]byte(nil), []byte(nil), "", []byte(nil), uint16(0))
	f.Add([]byte{}, bytes.Repeat([]byte{0xff}, 2000), mapping.HeaderErrorClass, []byte("x"), uint16(10))
	f.Add([]byte("k"), []byte{}, mapping.HeaderOmitted, []byte("-1"), uint16(65535))
	for size := 0; size < 1000; size += 50 { // around the limit
		f.Add([]byte("k"), make([]byte, size), "name", []byte(nil), uint16(300))
	}
	f.Fuzz(func(t *testing.T, key, value []byte, name string, header []byte, room uint16) {
		raw := &sarama.ConsumerMessage{Topic: "legacy", Partition: 2, Offset: 1 << 40, Key: key, Value: value}
		for range 1 + len(name)%3 { // headers may repeat
			raw.Headers = append(raw.Headers, &sarama.RecordHeader{Key: []byte(name), Value: header})
		}
		reasons := mapping.QuarantineHeaders(raw.Topic, &statepb.Source{Partition: raw.Partition, Offset: raw.Offset, Time: 1 << 41}, mapping.StageIntake, mapping.ReasonUndecodable)
		limit := smallestReference + int(room)
		m := quarantineRecord("quarantine", raw, reasons, limit)
		if size := m.ByteSize(recordFormat); size > limit {
			t.Fatalf("%d bytes, the limit is %d", size, limit)
		}
		own := len(m.Headers) - len(reasons)
		if m.Key == nil && m.Value == nil && own == 1 && string(m.Headers[len(reasons)].Key) == mapping.HeaderOmitted && (key != nil || value != nil || len(raw.Headers) > 1) {
			return // a reference
		}
		if !sameBytes(t, m.Key, key) || !sameBytes(t, m.Value, value) || own != len(raw.Headers) {
			t.Fatalf("sent %+v of %+v", m, raw)
		}
		for i, h := range raw.Headers {
			if !bytes.Equal(m.Headers[i].Key, h.Key) || !bytes.Equal(m.Headers[i].Value, h.Value) {
				t.Errorf("header %d is %q", i, m.Headers[i].Key)
			}
		}
		for i, h := range reasons {
			if got := m.Headers[own+i]; string(got.Key) != h.Key || !bytes.Equal(got.Value, h.Value) {
				t.Errorf("reason %d is %q", i, got.Key)
			}
		}
	})
}

// smallestReference is room for the reasons and the number of bytes left out.
const smallestReference = 600

func sameBytes(t *testing.T, got sarama.Encoder, want []byte) bool {
	t.Helper()
	if got == nil {
		return want == nil
	}
	b, err := got.Encode()
	return err == nil && want != nil && bytes.Equal(b, want)
}
