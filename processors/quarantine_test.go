package processors

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/IBM/sarama"

	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// A record that is as large as can be goes to quarantine untouched; with one byte
// more in any part, its place goes there.
func TestQuarantineRecordAtItsLimit(t *testing.T) {
	const limit = 2000
	reasons := mapping.QuarantineHeaders("events", &statepb.Source{Partition: 1, Offset: 42, Time: 7}, mapping.StageIntake, mapping.ReasonUndecodable)
	build := func(key, value, header int) (*sarama.ConsumerMessage, *sarama.ProducerMessage) {
		raw := &sarama.ConsumerMessage{
			Key: bytes.Repeat([]byte{1}, key), Value: bytes.Repeat([]byte{2}, value),
			Headers: []*sarama.RecordHeader{{Key: []byte("h"), Value: bytes.Repeat([]byte{3}, header)}, {Key: []byte("h")}},
		}
		return raw, quarantineRecord("q", raw, reasons, limit)
	}
	_, small := build(1, 1, 1)
	room := limit - small.ByteSize(recordFormat)
	for name, part := range map[string]func(int) (*sarama.ConsumerMessage, *sarama.ProducerMessage){
		"key":    func(n int) (*sarama.ConsumerMessage, *sarama.ProducerMessage) { return build(1+n, 1, 1) },
		"value":  func(n int) (*sarama.ConsumerMessage, *sarama.ProducerMessage) { return build(1, 1+n, 1) },
		"header": func(n int) (*sarama.ConsumerMessage, *sarama.ProducerMessage) { return build(1, 1, 1+n) },
	} {
		t.Run(name, func(t *testing.T) {
			raw, m := part(room)
			if m.ByteSize(recordFormat) != limit || !bytes.Equal(encode(t, m.Key), raw.Key) || !bytes.Equal(encode(t, m.Value), raw.Value) ||
				len(m.Headers) != len(raw.Headers)+len(reasons) || !bytes.Equal(m.Headers[0].Value, raw.Headers[0].Value) {
				t.Errorf("%d bytes: not the record as it came", m.ByteSize(recordFormat))
			}
			raw, m = part(room + 1)
			size := len(raw.Key) + len(raw.Value) + 2*len("h") + len(raw.Headers[0].Value)
			if m.Key != nil || m.Value != nil || len(m.Headers) != len(reasons)+1 {
				t.Fatalf("%d bytes: not a reference", m.ByteSize(recordFormat))
			}
			for i, want := range append(reasons, reasons[0]) {
				got := m.Headers[i]
				if i == len(reasons) {
					want.Key, want.Value = mapping.HeaderOmitted, fmt.Append(nil, size)
				}
				if string(got.Key) != want.Key || !bytes.Equal(got.Value, want.Value) {
					t.Errorf("header %s: %s, want %s: %s", got.Key, got.Value, want.Key, want.Value)
				}
			}
		})
	}
}

// No key and an empty key are two things, and so are values.
func TestQuarantineRecordKeepsNothingApartFromEmpty(t *testing.T) {
	for _, part := range [][]byte{nil, {}} {
		m := quarantineRecord("q", &sarama.ConsumerMessage{Key: part, Value: part}, nil, 1000)
		if (m.Key == nil) != (part == nil) || (m.Value == nil) != (part == nil) {
			t.Errorf("of %#v: key %#v, value %#v", part, m.Key, m.Value)
		}
	}
}

func encode(t *testing.T, e sarama.Encoder) []byte {
	t.Helper()
	if e == nil {
		return nil
	}
	b, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The rules let through what becomes larger on internal topics, up to a known bound.
func TestInternalTopicsMustTakeWhatTheRulesLetThrough(t *testing.T) {
	rules := testBridge().rules.current()
	for _, c := range []struct {
		topics, producer int
		ok               bool
	}{{rules.InternalBytes(), 0, true}, {rules.InternalBytes() - 1, 0, false}, {64 << 20, rules.InternalBytes() - 1, false}} {
		cfg := Config{Topics: testTopics(), Rules: rules, Settings: TopicSettings{MaxInternalBytes: c.topics}}
		cfg.State.MaxMessageBytes = c.producer
		if _, err := New(cfg); (err == nil) != c.ok {
			t.Errorf("topics take %d, the producer %d: %v", c.topics, c.producer, err)
		}
	}
}
