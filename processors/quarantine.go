package processors

import (
	"strconv"

	"github.com/IBM/sarama"

	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// batchReserve is what a batch of one record takes beyond sarama's count of the
// record, compression that makes it larger included: lz4 adds 4 bytes to every
// 64 KiB that it cannot compress, which is 4 KiB at 64 MiB; zstd less.
const batchReserve = 8 << 10

// recordFormat is Kafka's number for records with headers, for sarama's count of their size.
const recordFormat = 2

// maxInternalRecord is the largest record, as sarama counts, that producer and
// brokers surely take to an internal topic. A larger one would end the instance,
// and the next one at the same record.
func (b *Bridge) maxInternalRecord() int { return b.cfg.maxInternalBytes() - batchReserve }

// maxInternalBytes is what both the internal topics and their producer take.
func (c *Config) maxInternalBytes() int {
	return min(c.Settings.MaxInternalBytes, c.State.WithDefaults().MaxMessageBytes)
}

// quarantineRecord is the legacy record as it came, key, headers and value
// untouched, with the reasons behind its own headers.
//
// One that would be larger than limit has only the reasons, which say where the
// record is, and how many bytes were left out. Any part may be the large one, and
// a key or headers without their value would be no record either, so all are.
func quarantineRecord(topic string, raw *sarama.ConsumerMessage, reasons []slim.Header, limit int) *sarama.ProducerMessage {
	m := &sarama.ProducerMessage{Topic: topic}
	size := len(raw.Key) + len(raw.Value)
	if raw.Key != nil {
		m.Key = sarama.ByteEncoder(raw.Key)
	}
	if raw.Value != nil {
		m.Value = sarama.ByteEncoder(raw.Value)
	}
	for _, h := range raw.Headers {
		m.Headers = append(m.Headers, *h)
		size += len(h.Key) + len(h.Value)
	}
	addHeaders(m, reasons)
	if m.ByteSize(recordFormat) <= limit {
		return m
	}
	reference := &sarama.ProducerMessage{Topic: topic}
	addHeaders(reference, reasons)
	addHeaders(reference, []slim.Header{{Key: mapping.HeaderOmitted, Value: strconv.AppendInt(nil, int64(size), 10)}})
	return reference
}

func addHeaders(m *sarama.ProducerMessage, headers []slim.Header) {
	for _, h := range headers {
		m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
	}
}
